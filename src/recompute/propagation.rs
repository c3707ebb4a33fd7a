//! The pages of how operations spread over the mirrors.

use super::{ComputeError, Draft, Recompute, windowed};
use crate::domain::view::{Picture, propagation};
use crate::domain::window_kind::WindowKind;

/// Recomputes propagation.
#[derive(Debug)]
pub struct Propagation;

impl Recompute<Picture> for Propagation {
    fn name(&self) -> &'static str {
        "propagation"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        let page = |w: WindowKind| windowed(format!("propagation?window={}", w.name()), &propagation::page(picture, w));
        propagation::WINDOWS.into_iter().map(page).collect()
    }
}
