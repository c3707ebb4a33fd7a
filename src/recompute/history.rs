//! The page of one entry an interval, for every window, and the documents for other sites that show a series.

use super::{ComputeError, Draft, Recompute, windowed};
use crate::domain::view::embed::{self, EmbedKind};
use crate::domain::view::{Picture, SourceInfo, history};
use crate::domain::window_kind::WindowKind;
use serde_json::Value;

/// Recomputes history.
#[derive(Debug)]
pub struct History;

impl Recompute<Picture> for History {
    fn name(&self) -> &'static str {
        "history"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        let mut drafts = Vec::new();
        for w in WindowKind::ALL {
            let page = history::page(picture, w);
            if w == WindowKind::H6 {
                drafts.extend(embeds(picture, &page.0));
            }
            drafts.push(windowed(format!("analytics/history?window={}", w.name()), &page)?);
        }
        Ok(drafts)
    }
}

/// The documents for other sites that show a series.
fn embeds(picture: &Picture, history: &Value) -> Vec<Draft> {
    let of = |info: &SourceInfo| {
        EmbedKind::OF_HISTORY.map(|kind| {
            let document = embed::of_history(kind, (&info.id, &info.name), history);
            Draft { key: format!("embed/{}/{}", info.id, kind.name()), data: document.into_bytes(), window: None }
        })
    };
    picture.mirrors.iter().flat_map(of).collect()
}
