//! The page of divergence by age.

use super::{ComputeError, Draft, Recompute, draft};
use crate::domain::view::{Picture, divergence};

/// Recomputes divergence.
#[derive(Debug)]
pub struct Divergence;

impl Recompute<Picture> for Divergence {
    fn name(&self) -> &'static str {
        "divergence"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        Ok(vec![draft("analytics/divergence".to_owned(), &divergence::page(picture))?])
    }
}
