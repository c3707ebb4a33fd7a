//! Coverage of every window, and the pages that follow from it: of the mirrors, what they are held to, whether they are ready.

use super::{ComputeError, Draft, Recompute, draft, windowed};
use crate::domain::view::{Picture, coverage, mirror, overview, readiness, slo};

/// Recomputes coverage.
#[derive(Debug)]
pub struct Coverage;

impl Recompute<Picture> for Coverage {
    fn name(&self) -> &'static str {
        "coverage"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        let mut drafts = Vec::new();
        let mut windows = Vec::new();
        let figures = picture.capture.windows(false);
        for (window, figures) in &figures {
            let page = coverage::page(picture, figures);
            drafts.push(windowed(format!("analytics/coverage?window={}", window.name()), &page)?);
            windows.push((*window, page.0));
        }
        drafts.push(windowed("slo".to_owned(), &slo::page(picture, &figures))?);
        let (rows, ..) = overview::page(picture);
        drafts.push(draft("mirrors".to_owned(), &mirror::list(&rows))?);
        for (i, info) in picture.mirrors.iter().enumerate() {
            if let Some(detail) = mirror::detail(picture, i, &rows, &windows) {
                drafts.push(draft(format!("mirrors/{}", info.id), &detail)?);
            }
            if let Some(page) = readiness::page(picture, i, &figures) {
                drafts.push(draft(format!("mirrors/{}/readiness", info.id), &page)?);
            }
        }
        Ok(drafts)
    }
}
