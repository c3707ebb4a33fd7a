//! Misses by DID, for every window.

use super::{ComputeError, Draft, Recompute, windowed};
use crate::domain::ledger::capture::WindowFigures;
use crate::domain::view::{Picture, misses};
use crate::domain::window_kind::WindowKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Recomputes misses.
#[derive(Debug)]
pub struct Misses {
    /// DIDs listed for each mirror; may be changed at any time.
    pub listed: Arc<AtomicUsize>,
}

impl Recompute<Picture> for Misses {
    fn name(&self) -> &'static str {
        "misses"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        let listed = self.listed.load(Ordering::Relaxed);
        let page = |(w, figures): (WindowKind, WindowFigures)| {
            windowed(format!("analytics/misses?window={}", w.name()), &misses::page(picture, &figures, listed))
        };
        picture.capture.windows(false).into_iter().map(page).collect()
    }
}
