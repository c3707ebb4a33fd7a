//! How far behind one mirror is, now and in the last hours.

use super::{Picture, overview, round6};
use crate::domain::trail::{KEPT_MS, STEP_MS};
use serde_json::{Value, json};

/// The page of mirror `m`; none where there is no such mirror.
#[must_use]
pub fn page(picture: &Picture, m: usize) -> Option<Value> {
    let (info, capture) = (picture.mirrors.get(m)?, picture.capture.mirrors.get(m)?);
    let steps = || capture.source.trail.steps();
    Some(json!({
        "id": info.id,
        "freshness": overview::freshness(picture, capture),
        "series": {
            "resolution_s": STEP_MS / 1_000,
            "kept_s": KEPT_MS / 1_000,
            "t_unix_ms": steps().map(|s| s.at_ms).collect::<Vec<_>>(),
            "head_age_s": steps().map(|s| s.head.map(|h| round6(h.1 as f64 / 1e9))).collect::<Vec<_>>(),
            "head_lag_ops": steps().map(|s| s.head.map(|h| h.0)).collect::<Vec<_>>(),
            "reason": steps().map(|s| s.head.is_none().then_some("link_down")).collect::<Vec<_>>(),
        },
    }))
}
