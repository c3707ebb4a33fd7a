//! What several observers saw, merged.

use super::{ComputeError, Draft, Recompute, draft};
use crate::domain::vantage;
use crate::domain::view::{Picture, vantages};
use std::sync::{Arc, Mutex, PoisonError};

/// What observers told, as whoever follows the log keeps it.
pub type SharedVantages = Arc<Mutex<vantage::Vantages>>;

/// Recomputes what observers saw; only where there are nodes.
#[derive(Debug)]
pub struct Vantages {
    /// What they told.
    pub told: SharedVantages,
}

impl Recompute<Picture> for Vantages {
    fn name(&self) -> &'static str {
        "vantages"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        let now_ms = picture.capture.labels.utc_ms(picture.capture.now);
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let page = vantages::page(&told, now_ms);
        drop(told);
        Ok(vec![draft("vantages".to_owned(), &page)?])
    }
}
