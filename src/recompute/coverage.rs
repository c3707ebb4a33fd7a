//! Coverage of every window, and the pages of the mirrors that show it.

use super::{ComputeError, Draft, Recompute, draft, windowed};
use crate::domain::view::{Picture, coverage, mirror, overview};

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
        for (window, figures) in picture.capture.windows(false) {
            let page = coverage::page(picture, &figures);
            drafts.push(windowed(format!("analytics/coverage?window={}", window.name()), &page)?);
            windows.push((window, page.0));
        }
        let (rows, ..) = overview::page(picture);
        drafts.push(draft("mirrors".to_owned(), &mirror::list(&rows))?);
        for (i, info) in picture.mirrors.iter().enumerate() {
            if let Some(detail) = mirror::detail(picture, i, &rows, &windows) {
                drafts.push(draft(format!("mirrors/{}", info.id), &detail)?);
            }
        }
        Ok(drafts)
    }
}
