//! Misses by DID, worst first, bounded, with exact totals.

use super::{Picture, chain};
use crate::domain::did::Did;
use crate::domain::ledger::capture::WindowFigures;
use crate::domain::ring::Row;
use crate::domain::source::SourceIx;
use crate::domain::verdict::{Cell, Verdict};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Operations listed for one DID.
const OPS_OF_DID_MAX: usize = 20;

struct DidRow<'a> {
    missed: u64,
    late: u64,
    ops: Vec<(u64, &'a Row, Cell)>,
}

/// The operation of a list, as the API shows it.
#[must_use]
pub fn op(picture: &Picture, m: usize, number: u64, row: &Row, cell: Cell) -> Value {
    let c = &picture.capture;
    let is_missed = cell.verdict() == Verdict::Missed;
    let follows = is_missed.then(|| c.follows(m, number)).flatten();
    json!({
        "cid": row.cid.to_string(),
        "seq": row.seq(),
        "kind": row.kind.name(),
        "verdict": cell.verdict().name(),
        "confirmation": c.finding(SourceIx::mirror(m), &row.key()),
        "follows": follows.map(|root| root.to_string()),
        "primary_at": super::label(&c.labels, row.p),
    })
}

fn mirror(picture: &Picture, m: usize, from_ms: i64, missed: u64, limit: usize) -> Option<Value> {
    let (info, mirror) = (picture.mirrors.get(m)?, picture.capture.mirrors.get(m)?);
    let c = &picture.capture;
    let mut dids: HashMap<Did, DidRow> = HashMap::new();
    for &number in &mirror.listed {
        let Some((chunk, place)) = c.held.find(number) else { continue };
        let (Some(row), Some(&cell)) = (chunk.rows().get(place), chunk.cells(m).get(place)) else { continue };
        if c.labels.utc_ms(row.p) < from_ms {
            continue;
        }
        let did = dids.entry(row.did).or_insert_with(|| DidRow { missed: 0, late: 0, ops: Vec::new() });
        did.missed += u64::from(cell.verdict() == Verdict::Missed);
        did.late += u64::from(cell.verdict() == Verdict::Late);
        did.ops.push((number, row, cell));
    }
    let listed: u64 = dids.values().map(|d| d.missed).sum();
    let explained = chain::split(picture, m, dids.values().flat_map(|d| d.ops.iter().map(|o| o.0)));
    let mut rows: Vec<(Did, DidRow)> = dids.into_iter().collect();
    rows.sort_by(|a, b| (b.1.missed, b.1.late, a.0).cmp(&(a.1.missed, a.1.late, b.0)));
    let total_dids = rows.len();
    rows.truncate(limit);
    let dids: Vec<Value> = rows.iter().map(|(did, row)| did_row(picture, m, did, row)).collect();
    Some(json!({
        "id": info.id,
        "missed": missed,
        "explained": explained,
        "dids_affected": mirror.dids_affected,
        "truncated": total_dids > limit || mirror.is_list_cut || listed < missed,
        "dids": dids,
    }))
}

fn did_row(picture: &Picture, m: usize, did: &Did, row: &DidRow) -> Value {
    let times = || row.ops.iter().map(|o| o.1.p);
    let at = |t: Option<crate::domain::time::Tau>| t.map_or(Value::Null, |t| picture.at(t).into());
    json!({
        "did": did.to_string(),
        "missed": row.missed,
        "late": row.late,
        "first_at": at(times().min()),
        "last_at": at(times().max()),
        "ops": row.ops.iter().take(OPS_OF_DID_MAX).map(|o| op(picture, m, o.0, o.1, o.2)).collect::<Vec<_>>(),
    })
}

/// The page of one window; `limit` DIDs of each mirror are listed.
#[must_use]
pub fn page(picture: &Picture, figures: &WindowFigures, limit: usize) -> (Value, i64, i64) {
    let mirrors: Vec<Value> = figures
        .interval
        .mirrors
        .iter()
        .enumerate()
        .filter_map(|(m, acc)| mirror(picture, m, figures.from_ms, acc.verdict(Verdict::Missed), limit))
        .collect();
    (json!({ "mirrors": mirrors }), figures.from_ms, figures.to_ms)
}
