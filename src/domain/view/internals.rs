//! What the observer itself is doing: recomputers, ledger, queues and limits.

use super::{Picture, tallies};
use serde_json::{Value, json};

/// The page.
#[must_use]
pub fn page(picture: &Picture) -> Value {
    let c = &picture.capture;
    let dropped: u64 = c.mirrors.iter().map(|m| m.source.dropped).sum::<u64>() + c.primary.dropped;
    let mut page = picture.internals.clone();
    if let Some(object) = page.as_object_mut() {
        object.insert(
            "ledger".into(),
            json!({
                "held_ops": c.held_ops,
                "unknown_keys": c.unknown_keys,
                "dropped_by_us": dropped,
                "open_interval": c.current_interval(),
                "interval_s": c.params.interval_ms / 1_000,
                "late_reader_spans": c.late.len(),
            }),
        );
        let v = picture.validity;
        object.insert(
            "validity".into(),
            json!({
                "validated": v.validated,
                "not_validated": v.not_validated,
                "invalid": v.invalid,
                "queued": v.queued,
                "queue_limit": v.queue_limit,
            }),
        );
        object.insert("since_start".into(), tallies::tallies(picture));
        object.insert("degraded".into(), picture.degraded.clone().into());
    }
    page
}
