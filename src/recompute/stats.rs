//! The page of the page compatible with compare-plc.

use super::{ComputeError, Draft, Recompute, draft};
use crate::domain::view::{Picture, stats};

/// Recomputes stats.
#[derive(Debug)]
pub struct Stats;

impl Recompute<Picture> for Stats {
    fn name(&self) -> &'static str {
        "stats"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        Ok(vec![draft("stats".to_owned(), &stats::page(picture))?])
    }
}
