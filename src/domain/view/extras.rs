//! Operations that only mirrors have, as the API shows them: those in doubt, those decided, those that cannot be told.

use super::Picture;
use super::ops::{OpsFilter, Outcome, Position, is_confirmed, mode};
use crate::domain::interval::ExtraState;
use crate::domain::ledger::ExtraRow;
use crate::domain::source::SourceIx;
use crate::domain::time::{Tau, rfc3339_ms};
use serde_json::{Value, json};
use std::cmp::Reverse;

/// The word in the API.
#[must_use]
pub const fn name(state: ExtraState) -> &'static str {
    match state {
        ExtraState::Pending => "extra_pending",
        ExtraState::Extra => "extra",
        ExtraState::Unknown => "extra_unknown",
        ExtraState::Explained => "extra_explained",
    }
}

/// One of them.
#[must_use]
pub fn row(picture: &Picture, s: &ExtraRow) -> Value {
    let m = usize::from(s.mirror);
    json!({
        "mirror": picture.mirrors.get(m).map(|i| i.id.clone()),
        "did": s.key.did.to_string(),
        "cid": s.key.cid.to_string(),
        "seq": null,
        "kind": s.kind.name(),
        "verdict": name(s.state),
        "unknown_reason": (s.state == ExtraState::Unknown).then(|| s.reason.name()),
        "confirmation": picture.capture.finding(SourceIx::mirror(m), &s.key),
        "follows": null,
        "followers": null,
        "delivery": mode(s.mode),
        "primary_at": null,
        "mirror_at": picture.at(s.q),
        "raw_lag_ms": null,
        "created_at": rfc3339_ms(s.created_ms),
    })
}

/// Adds those of `mirrors` that pass, newest first, from the instant and the number at it on; where the page is full, where
/// the next one begins.
pub(super) fn list(
    picture: &Picture,
    mirrors: &[usize],
    filter: &OpsFilter,
    from: (Tau, usize),
    rows: &mut Vec<Value>,
) -> Option<Position> {
    let passes = |s: &&ExtraRow| mirrors.contains(&usize::from(s.mirror)) && passes(picture, filter, s);
    let mut found: Vec<&ExtraRow> = picture.capture.extras.iter().filter(|s| s.q <= from.0).filter(passes).collect();
    found.sort_unstable_by_key(|s| (Reverse(s.q), s.key, s.mirror));
    let listed = found.iter().take_while(|s| s.q == from.0).count().min(from.1);
    let (mut at, mut skip) = from;
    for s in found.into_iter().skip(listed) {
        if rows.len() == filter.limit {
            return Some(Position::Extra { at, skip });
        }
        skip = if s.q == at { skip + 1 } else { 1 };
        at = s.q;
        rows.push(row(picture, s));
    }
    None
}

fn passes(picture: &Picture, f: &OpsFilter, s: &ExtraRow) -> bool {
    let at_ms = || picture.capture.labels.utc_ms(s.q);
    f.outcome.is_none_or(|o| o == Outcome::Extra(s.state))
        && f.did.is_none_or(|d| s.key.did == d)
        && f.kind.is_none_or(|k| s.kind == k)
        && f.from_ms.is_none_or(|from| at_ms() >= from)
        && f.to_ms.is_none_or(|to| at_ms() < to)
        && is_confirmed(picture, f, usize::from(s.mirror), &s.key)
}
