//! Recomputers: background tasks that turn one capture of the truth into finished pages.
//!
//! [`Recompute`] is what one of them implements: a pure, blocking computation from a capture to [`Draft`]s. It accepts no
//! input of its own: it looks at the capture and makes all of its pages anew. [`driver`] runs them (own interval,
//! collapsing requests, panics caught, stop that reaps) and knows nothing of the product; [`status`] is the operator's view.
//!
//! Nothing here runs on a reader's request, and nothing here holds what a reader needs.

pub mod coverage;
pub mod divergence;
pub mod driver;
pub mod history;
pub mod lag;
pub mod misses;
pub mod overview;
pub mod propagation;
pub mod rtt;
pub mod stats;
pub mod status;
pub mod vantages;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::publish::{WindowMeta, WindowStatus};

pub use driver::{Driver, DriverOptions, StopReport};
pub use status::{RecomputerStatus, StatusBoard};

/// One page as a recomputer hands it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Canonical key of the page.
    pub key: String,
    /// The `data` member as JSON.
    pub data: Vec<u8>,
    /// The window that the figures cover.
    pub window: Option<WindowMeta>,
}

/// Why a computation gave no pages. The previous pages stay.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// A view could not be written as JSON.
    #[error("cannot serialise {what}")]
    Serialise {
        /// Which view.
        what: String,
        /// The serialiser's own words.
        #[source]
        source: serde_json::Error,
    },
    /// Anything else, in words for the operator.
    #[error("{0}")]
    Other(String),
}

/// Why there is no capture. The previous pages stay.
#[derive(Debug, thiserror::Error)]
#[error("no capture: {0}")]
pub struct CaptureError(pub String);

/// One recomputer over captures of type `C`.
pub trait Recompute<C>: Send + Sync + 'static {
    /// The name in configuration, status and metrics.
    fn name(&self) -> &'static str;

    /// All pages of this recomputer from one capture. Blocks; should take at most 50 ms.
    ///
    /// # Errors
    /// [`ComputeError`], and it may panic: both keep the previous pages and are counted.
    fn compute(&self, capture: &C) -> Result<Vec<Draft>, ComputeError>;
}

/// A capture and when it was made.
#[derive(Debug)]
pub struct Captured<C> {
    /// The truth at one instant.
    pub capture: Arc<C>,
    /// UTC milliseconds of that instant.
    pub at_ms: i64,
}

impl<C> Clone for Captured<C> {
    fn clone(&self) -> Self {
        Captured { capture: Arc::clone(&self.capture), at_ms: self.at_ms }
    }
}

/// Where captures come from.
pub trait CaptureSource<C>: Send + Sync + 'static {
    /// The truth now. Must be cheap for its owner: it is asked once per run of each recomputer.
    fn capture(&self) -> BoxFuture<'static, Result<Captured<C>, CaptureError>>;
}

/// A page without a window.
fn draft(key: String, data: &impl serde::Serialize) -> Result<Draft, ComputeError> {
    let data = serde_json::to_vec(data).map_err(|source| ComputeError::Serialise { what: key.clone(), source })?;
    Ok(Draft { key, data, window: None })
}

/// A page with the bounds of its window, which ends with the open interval and so is provisional.
fn windowed(key: String, page: &(serde_json::Value, i64, i64)) -> Result<Draft, ComputeError> {
    let mut draft = draft(key, &page.0)?;
    draft.window = Some(WindowMeta { from_at_ms: page.1, to_at_ms: page.2, status: WindowStatus::Provisional });
    Ok(draft)
}
