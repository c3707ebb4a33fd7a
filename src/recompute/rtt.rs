//! The page of round trips.

use super::{ComputeError, Draft, Recompute, draft};
use crate::domain::view::{Picture, rtt};

/// Recomputes rtt.
#[derive(Debug)]
pub struct Rtt;

impl Recompute<Picture> for Rtt {
    fn name(&self) -> &'static str {
        "rtt"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        Ok(vec![draft("analytics/rtt".to_owned(), &rtt::page(picture))?])
    }
}
