//! The page of lag percentiles of every window.

use super::{ComputeError, Draft, Recompute, windowed};
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
        let page = |w: WindowKind| windowed(format!("analytics/lag?window={}", w.name()), &lag::page(picture, w));
        WindowKind::ALL.into_iter().map(page).collect()
    }
}
