//! The page of one entry an interval, for every window.

use super::{ComputeError, Draft, Recompute, windowed};
use crate::domain::view::{Picture, history};
use crate::domain::window_kind::WindowKind;

/// Recomputes history.
#[derive(Debug)]
pub struct History;

impl Recompute<Picture> for History {
    fn name(&self) -> &'static str {
        "history"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        let page =
            |w: WindowKind| windowed(format!("analytics/history?window={}", w.name()), &history::page(picture, w));
        WindowKind::ALL.into_iter().map(page).collect()
    }
}
