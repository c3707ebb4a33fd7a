//! The overview and the small pages that change with it: primary, observer, events, internals, methodology.

use super::{ComputeError, Draft, Recompute, draft, windowed};
use crate::domain::view::{Picture, event, internals, methodology, mirror, overview};

/// Recomputes the first page that a person sees.
#[derive(Debug)]
pub struct Overview;

impl Recompute<Picture> for Overview {
    fn name(&self) -> &'static str {
        "overview"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        let page = overview::page(picture);
        Ok(vec![
            windowed("overview".to_owned(), &page)?,
            draft("primary".to_owned(), &mirror::primary(picture))?,
            draft("observer".to_owned(), &overview::observer(picture))?,
            draft("events".to_owned(), &event::events(picture))?,
            draft("internals".to_owned(), &internals::page(picture))?,
            draft("methodology".to_owned(), &methodology::page(picture))?,
        ])
    }
}
