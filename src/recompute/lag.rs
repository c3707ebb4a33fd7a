//! The page of lag percentiles of every window.

use super::{ComputeError, Draft, Recompute, windowed};
use crate::domain::ledger::capture::WindowFigures;
use crate::domain::view::{Picture, lag};
use crate::domain::window_kind::WindowKind;

/// Recomputes lag.
#[derive(Debug)]
pub struct Lag;

impl Recompute<Picture> for Lag {
    fn name(&self) -> &'static str {
        "lag"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        let page = |(w, figures): (WindowKind, WindowFigures)| {
            windowed(format!("analytics/lag?window={}", w.name()), &lag::page(picture, &figures))
        };
        picture.capture.windows(true).into_iter().map(page).collect()
    }
}
