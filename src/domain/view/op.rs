//! One operation: when it arrived from every host, how it is judged there, and what was found.

use super::chain::Followers;
use super::ops::{at_mirror, mode};
use super::{Picture, content, extras, put};
use crate::domain::evidence::CheckEvidence;
use crate::domain::finding::ProbeEvidence;
use crate::domain::lag::ms;
use crate::domain::ledger::ExtraRow;
use crate::domain::op::OpKey;
use crate::domain::ring::{CHUNK, Row};
use crate::domain::source::SourceIx;
use crate::domain::time::{Tau, US, rfc3339_ms};
use crate::domain::verdict::{Cell, Mode};
use serde_json::{Map, Value, json};

/// An operation as it is held.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The primary's, with its number and the cell of each mirror; none where only mirrors have it.
    pub row: Option<(u64, &'a Row, Vec<Cell>)>,
    /// What mirrors have of it that the primary has not.
    pub extras: Vec<&'a ExtraRow>,
}

impl Found<'_> {
    /// When it came to us first.
    #[must_use]
    pub fn first(&self) -> Option<Tau> {
        let of_row = self.row.iter().flat_map(|(_, row, cells)| {
            let delivered = cells.iter().filter(|c| c.delivery().is_some()).map(|c| c.arrival(row.p));
            delivered.chain([row.p])
        });
        of_row.chain(self.extras.iter().map(|s| s.q)).min()
    }

    /// When it came to us last.
    #[must_use]
    pub fn last(&self) -> Option<Tau> {
        let of_row = self.row.iter().flat_map(|(_, row, cells)| {
            let delivered = cells.iter().filter(|c| c.delivery().is_some()).map(|c| c.arrival(row.p));
            delivered.chain([row.p])
        });
        of_row.chain(self.extras.iter().map(|s| s.q)).max()
    }
}

/// Looks an operation up among those that are held; none where nobody has it.
#[must_use]
pub fn find(picture: &Picture, key: OpKey) -> Option<Found<'_>> {
    let held = &picture.capture.held;
    let row = held.chunks.iter().enumerate().rev().find_map(|(i, chunk)| {
        let place = chunk.rows().iter().position(|row| row.key() == key)?;
        let number = held.chunk_base + (i * CHUNK + place) as u64;
        let cells = (0..picture.mirrors.len()).filter_map(|m| chunk.cells(m).get(place).copied()).collect();
        (number >= held.base).then_some((number, chunk.rows().get(place)?, cells))
    });
    let extras: Vec<&ExtraRow> = picture.capture.extras.iter().filter(|s| s.key == key).collect();
    (row.is_some() || !extras.is_empty()).then_some(Found { row, extras })
}

/// The page; none where nobody has the operation.
#[must_use]
pub fn page(picture: &Picture, key: OpKey) -> Option<Value> {
    let found = find(picture, key)?;
    let kind = found.row.as_ref().map(|r| r.1.kind).or(found.extras.first().map(|s| s.kind))?;
    let created_ms = found.row.as_ref().map(|r| r.1.created_ms).or(found.extras.first().map(|s| s.created_ms))?;
    let mut followers = Followers::default();
    let hosts: Vec<Value> = picture.sources().filter_map(|s| host(picture, s, key, &found, &mut followers)).collect();
    Some(json!({
        "did": key.did.to_string(),
        "cid": key.cid.to_string(),
        "kind": kind.name(),
        "seq": found.row.as_ref().and_then(|r| r.1.seq()),
        "created_at": rfc3339_ms(created_ms),
        "is_published": found.row.is_some(),
        "first_at": found.first().map(|at| picture.at(at)),
        "hosts": hosts,
        "findings": content::about(picture, |n| n.key == key),
    }))
}

fn host(
    picture: &Picture,
    source: SourceIx,
    key: OpKey,
    found: &Found<'_>,
    followers: &mut Followers,
) -> Option<Value> {
    let (info, _) = picture.source(source)?;
    let first = found.first()?;
    let mut map = Map::new();
    map.insert("id".into(), info.id.clone().into());
    map.insert("name".into(), info.name.clone().into());
    map.insert("role".into(), if source == SourceIx::PRIMARY { "primary" } else { "mirror" }.into());
    let state = match source.mirror_index() {
        None => of_primary(picture, found),
        Some(m) => of_mirror(picture, m, found, followers),
    };
    let (arrival, state) = state;
    let offset = arrival.map(|at| ms(at.since(first) as f64 / US as f64));
    put(&mut map, "offset_ms", offset, "not_delivered");
    map.extend(state);
    let check = picture.evidence.of(source, &key).map(|c| check(picture, c));
    map.insert("check".into(), check.unwrap_or(Value::Null));
    Some(Value::Object(map))
}

fn of_primary(picture: &Picture, found: &Found<'_>) -> (Option<Tau>, Map<String, Value>) {
    let row = found.row.as_ref().map(|r| r.1);
    let mut map = Map::new();
    map.insert("verdict".into(), if row.is_some() { "published" } else { "not_published" }.into());
    put(&mut map, "at", row.map(|r| picture.at(r.p)), "not_published");
    let how = row.map(|r| mode(if r.is_filled { Mode::Filled } else { Mode::Live }));
    map.insert("delivery".into(), how.into());
    (row.map(|r| r.p), map)
}

fn of_mirror(
    picture: &Picture,
    m: usize,
    found: &Found<'_>,
    followers: &mut Followers,
) -> (Option<Tau>, Map<String, Value>) {
    let cell = found.row.as_ref().and_then(|(n, row, cells)| Some((*n, *row, *cells.get(m)?)));
    let extra = found.extras.iter().find(|s| usize::from(s.mirror) == m);
    let (arrival, value) = match (cell, extra) {
        (Some((number, row, cell)), _) => {
            let at = cell.delivery().map(|_| cell.arrival(row.p));
            (at, at_mirror(picture, m, number, (row, cell), followers))
        }
        (None, Some(s)) => (Some(s.q), extras::row(picture, s)),
        (None, None) => (None, json!({ "verdict": "not_delivered" })),
    };
    let Value::Object(of_op) = value else { return (arrival, Map::new()) };
    let mut map: Map<String, Value> =
        of_op.into_iter().filter(|(name, _)| !OF_THE_OPERATION.contains(&name.as_str())).collect();
    put(&mut map, "at", arrival.map(|at| picture.at(at)), "not_delivered");
    if let Some(c) = picture.capture.mirrors.get(m) {
        let deadline = found.row.as_ref().map(|r| picture.at(r.1.p.plus(c.params.grace_ns)));
        map.insert("deadline_at".into(), deadline.into());
        let uncertainty = c.correction.map(|k| ms(k.uncertainty_us as f64));
        put(&mut map, "uncertainty_ms", uncertainty, "no_rtt");
        put(&mut map, "correction_ms", c.correction.map(|k| ms(k.correction_us as f64)), "no_rtt");
    }
    (arrival, map)
}

/// What is the same at every host, and stands above the list.
const OF_THE_OPERATION: [&str; 8] = ["did", "cid", "seq", "kind", "created_at", "primary_at", "mirror_at", "mirror"];

/// What came of asking about an operation.
#[must_use]
pub fn check(picture: &Picture, c: &CheckEvidence) -> Value {
    json!({
        "finding": c.finding,
        "is_final": c.is_final,
        "looks": c.looks,
        "at": picture.at(c.at),
        "probes": c.probes.iter().map(probe).collect::<Vec<_>>(),
    })
}

/// One question and its answer.
#[must_use]
pub fn probe(p: &ProbeEvidence) -> Value {
    json!({
        "host": p.host,
        "url": p.url,
        "at": rfc3339_ms(p.at_ms),
        "status": p.status,
        "body_sha256": p.body_sha256,
        "error": p.error,
    })
}
