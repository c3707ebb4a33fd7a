//! The shapes of all answers, one noun a file: what they hold, in which units, and what may be `null`.
//!
//! The views make the answers, these types describe them; the tests read every real answer into its type and back, so that
//! neither can change alone. A field that is `Option` and always there is `#[schema(required)]`; one that may be left out is
//! skipped when it is none.

pub mod badge;
pub mod best;
pub mod compare;
pub mod counts;
pub mod coverage;
pub mod did;
pub mod divergence;
pub mod envelope;
pub mod events;
pub mod evidence;
pub mod history;
pub mod incidents;
pub mod internals;
pub mod lag;
pub mod link;
pub mod log;
pub mod methodology;
pub mod mirrors;
pub mod misses;
pub mod op;
pub mod ops;
pub mod overview;
pub mod problem;
pub mod propagation;
pub mod readiness;
pub mod recent;
pub mod rtt;
pub mod sessions;
pub mod slo;
pub mod source;
pub mod stats;
pub mod text;
pub mod trail;
pub mod vantages;
pub mod windows;
pub mod words;

use serde::{Deserialize, Deserializer};

/// Tells a `null` from what is not there.
#[allow(clippy::option_option, reason = "there, there as null, and not there are three things")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}
