//! What happened at the server that no page of the observing half knows of: counted here, shown on the page of the internals
//! and in the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

#[derive(Debug, Default)]
struct Counts {
    panics: AtomicU64,
    foreign_origins: AtomicU64,
    refused_origins: AtomicU64,
    refused_ops_readers: AtomicU64,
}

/// The tallies of one server since the start; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tallies(Arc<Counts>);

impl Tallies {
    /// The code that answered a request panicked.
    pub(super) fn panicked(&self) {
        self.0.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// A page of another origin asked for a live socket, which it got or not.
    pub(super) fn foreign_origin(&self, is_admitted: bool) {
        let count = if is_admitted { &self.0.foreign_origins } else { &self.0.refused_origins };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody asked for the operations while as many as may got them.
    pub(super) fn refused_ops_reader(&self) {
        self.0.refused_ops_readers.fetch_add(1, Ordering::Relaxed);
    }

    /// For the page of the internals: answers that panicked, live sockets of pages of other origins, opened and refused, and
    /// readers of operations that were refused.
    #[must_use]
    pub fn told(&self) -> Value {
        json!({
            "panics": self.0.panics.load(Ordering::Relaxed),
            "foreign_origin_sockets": self.0.foreign_origins.load(Ordering::Relaxed),
            "refused_origin_sockets": self.0.refused_origins.load(Ordering::Relaxed),
            "refused_ops_readers": self.0.refused_ops_readers.load(Ordering::Relaxed),
        })
    }
}
