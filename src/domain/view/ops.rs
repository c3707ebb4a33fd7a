//! One mirror's operations, filtered and paged.

use super::{Picture, misses};
use crate::domain::did::Did;
use crate::domain::interval::ExtraState;
use crate::domain::op::Kind;
use crate::domain::ring::CHUNK;
use crate::domain::verdict::{Cell, Mode, Verdict};
use serde_json::{Value, json};

/// What is looked for. Every filter that is none lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpsFilter {
    /// Only this verdict; without one, whatever is not on time.
    pub verdict: Option<Verdict>,
    /// Only this DID.
    pub did: Option<Did>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// First millisecond of the primary's arrival, UTC.
    pub from_ms: Option<i64>,
    /// First millisecond after the last one.
    pub to_ms: Option<i64>,
    /// Numbers below this one only: where the page before ended.
    pub below: Option<u64>,
    /// Rows at most.
    pub limit: usize,
}

/// A page of operations, newest first, and where the next one begins.
#[derive(Clone, Debug, PartialEq)]
pub struct OpsPage {
    /// The rows.
    pub data: Value,
    /// The number below which the next page begins; none at the end.
    pub next_below: Option<u64>,
}

/// What is known of one operation at one mirror, as the API shows it.
#[must_use]
pub fn at_mirror(picture: &Picture, row: &crate::domain::ring::Row, cell: Cell) -> Value {
    let mut value = misses::op(picture, row, cell);
    if let Some(object) = value.as_object_mut() {
        object.insert("did".into(), row.did.to_string().into());
        let reason = cell.reason().name();
        object.insert("unknown_reason".into(), (!reason.is_empty()).then_some(reason).into());
        let mode = cell.delivery().map(|d| if d == Mode::Live { "live" } else { "filled" });
        object.insert("delivery".into(), mode.into());
        let timed = cell.delivery() == Some(Mode::Live) && !row.is_filled;
        object.insert("raw_lag_ms".into(), timed.then(|| crate::domain::lag::ms(cell.raw_us() as f64)).into());
        object.insert("is_early".into(), cell.is_early().into());
        object.insert("is_healed".into(), cell.is_healed().into());
        object.insert("is_credited".into(), cell.is_credited().into());
        object.insert("is_primary_filled".into(), row.is_filled.into());
    }
    value
}

/// A page of mirror `m`'s operations.
#[must_use]
pub fn page(picture: &Picture, m: usize, filter: &OpsFilter) -> OpsPage {
    let c = &picture.capture;
    let mut rows = Vec::new();
    let mut next_below = None;
    'chunks: for (i, chunk) in c.held.chunks.iter().enumerate().rev() {
        let first = c.held.chunk_base + (i * CHUNK) as u64;
        if filter.below.is_some_and(|below| first >= below) {
            continue;
        }
        let entries = (first..).zip(chunk.rows().iter().zip(chunk.cells(m)));
        for (number, (row, &cell)) in entries.collect::<Vec<_>>().into_iter().rev() {
            if number < c.held.base || filter.below.is_some_and(|b| number >= b) || !passes(picture, filter, row, cell)
            {
                continue;
            }
            if rows.len() == filter.limit {
                next_below = rows.last().map(|&(n, _)| n);
                break 'chunks;
            }
            rows.push((number, at_mirror(picture, row, cell)));
        }
    }
    let rows: Vec<Value> = rows.into_iter().map(|r| r.1).collect();
    OpsPage { data: json!({ "ops": rows }), next_below }
}

/// Operations that mirror `m` has and the primary has not, newest first: those that are `extra`, or those of which it
/// cannot be told.
#[must_use]
pub fn extras(picture: &Picture, m: usize, state: ExtraState, limit: usize) -> Value {
    let of_mirror = picture.capture.extras.iter().filter(|s| usize::from(s.mirror) == m && s.state == state);
    let rows: Vec<Value> = of_mirror
        .take(limit)
        .map(|s| {
            json!({
                "did": s.key.did.to_string(),
                "cid": s.key.cid.to_string(),
                "seq": null,
                "kind": s.kind.name(),
                "verdict": if s.state == ExtraState::Extra { "extra" } else { "extra_unknown" },
                "unknown_reason": (s.state == ExtraState::Unknown).then(|| s.reason.name()),
                "confirmation": null,
                "mirror_at": picture.at(s.q),
                "created_at": crate::domain::time::rfc3339_ms(s.created_ms),
            })
        })
        .collect();
    json!({ "ops": rows })
}

fn passes(picture: &Picture, f: &OpsFilter, row: &crate::domain::ring::Row, cell: Cell) -> bool {
    let verdict = match f.verdict {
        Some(v) => cell.verdict() == v,
        None => !matches!(cell.verdict(), Verdict::OnTime | Verdict::NotEligible),
    };
    let at_ms = || picture.capture.labels.utc_ms(row.p);
    verdict
        && f.did.is_none_or(|d| row.did == d)
        && f.kind.is_none_or(|k| row.kind == k)
        && f.from_ms.is_none_or(|from| at_ms() >= from)
        && f.to_ms.is_none_or(|to| at_ms() < to)
}
