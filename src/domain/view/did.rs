//! One DID: every host's log of it side by side, as it was delivered and as hosts answered when they were asked.

use super::chain::Followers;
use super::ops::at_mirror;
use super::{Picture, content, extras, op};
use crate::domain::confirm::{HostLog, SurveyReport, Why};
use crate::domain::did::Did;
use crate::domain::evidence::DidEvidence;
use crate::domain::finding::ProbeEvidence;
use crate::domain::source::SourceIx;
use crate::domain::time::rfc3339_ms;
use serde_json::{Map, Value, json};

/// Operations of one DID that are listed, newest kept.
const OPS_MAX: usize = 500;

/// The page of a DID; a DID of which nothing is held has no operations, which says nothing about the directory.
#[must_use]
pub fn page(picture: &Picture, did: Did) -> Value {
    let (rows, total) = ops(picture, did);
    let mut sightings: Vec<_> = picture.capture.extras.iter().filter(|s| s.key.did == did).collect();
    sightings.sort_unstable_by_key(|s| (s.q, s.key, s.mirror));
    let extras: Vec<Value> = sightings.into_iter().map(|s| extras::row(picture, s)).collect();
    let evidence = picture.evidence.of_did(did);
    let survey = evidence.and_then(DidEvidence::survey);
    let hosts: Vec<Value> = picture.sources().filter_map(|s| host(picture, s, evidence)).collect();
    json!({
        "did": did.to_string(),
        "hosts": hosts,
        "ops": rows,
        "total_ops": total,
        "truncated": total > OPS_MAX,
        "extras": extras,
        "findings": content::about(picture, |n| n.key.did == did),
        "survey": survey.map(|report| self::survey(picture, report)),
    })
}

/// Its operations that are held, oldest first, and how many there are.
fn ops(picture: &Picture, did: Did) -> (Vec<Value>, usize) {
    let held = &picture.capture.held;
    let mut followers = Followers::default();
    let (mut rows, mut total) = (Vec::new(), 0_usize);
    for (i, chunk) in held.chunks.iter().enumerate().rev() {
        let first = held.chunk_base + (i * crate::domain::ring::CHUNK) as u64;
        for (place, row) in chunk.rows().iter().enumerate().rev() {
            let number = first + place as u64;
            if row.did != did || number < held.base {
                continue;
            }
            total += 1;
            if rows.len() == OPS_MAX {
                continue;
            }
            let mut mirrors = Map::new();
            for (m, info) in picture.mirrors.iter().enumerate() {
                if let Some(&cell) = chunk.cells(m).get(place) {
                    mirrors.insert(info.id.clone(), at_mirror(picture, m, number, (row, cell), &mut followers));
                }
            }
            rows.push(json!({
                "cid": row.cid.to_string(),
                "seq": row.seq(),
                "kind": row.kind.name(),
                "primary_at": picture.at(row.p),
                "is_primary_filled": row.is_filled,
                "created_at": rfc3339_ms(row.created_ms),
                "mirrors": mirrors,
            }));
        }
    }
    rows.reverse();
    (rows, total)
}

/// A column: who it is, what it said about its log, and the latest that it was asked.
fn host(picture: &Picture, source: SourceIx, evidence: Option<&DidEvidence>) -> Option<Value> {
    let (info, _) = picture.source(source)?;
    let said = evidence.and_then(DidEvidence::survey).and_then(|s| s.hosts.iter().find(|h| h.source == source));
    let checks = evidence.map_or(&[][..], DidEvidence::checks);
    let asked = checks.iter().flat_map(|c| c.probes.iter()).filter(|p| p.host == info.id);
    let latest: Option<&ProbeEvidence> = asked.chain(said.and_then(|h| h.probe.as_ref())).max_by_key(|p| p.at_ms);
    Some(json!({
        "id": info.id,
        "name": info.name,
        "role": if source == SourceIx::PRIMARY { "primary" } else { "mirror" },
        "standing": said.map(|h| h.standing.name()),
        "agreement": said.and_then(|h| h.agreement),
        "latest_probe": latest.map(op::probe),
    }))
}

/// Every host's log as it was when all were asked last.
fn survey(picture: &Picture, report: &SurveyReport) -> Value {
    let id = |s: SourceIx| picture.source(s).map(|(info, _)| info.id.clone());
    let hosts: Vec<Value> = report.hosts.iter().map(|h| log(id(h.source).as_deref(), h)).collect();
    let judged = report.hosts.iter().filter_map(|h| h.agreement);
    let is_identical = judged
        .clone()
        .next()
        .is_some()
        .then(|| judged.clone().all(|a| a == crate::domain::audit_log::LogAgreement::Same));
    json!({
        "at": picture.at(report.ended),
        "asked_as": if report.why == Why::Sample { "sample" } else { "request" },
        "has_measure": report.has_measure,
        "is_identical": is_identical,
        "unsettled": report.unsettled.iter().filter_map(|s| id(*s)).collect::<Vec<_>>(),
        "withdrawn": report.withdrawn.iter().map(|k| k.cid.to_string()).collect::<Vec<_>>(),
        "hosts": hosts,
    })
}

fn log(id: Option<&str>, h: &HostLog) -> Value {
    let entries: Vec<Value> = h
        .lines
        .iter()
        .map(|l| {
            json!({
                "cid": l.cid.to_string(),
                "is_cid_true": l.claimed_cid_matches,
                "is_nullified": l.nullified,
                "created_at": rfc3339_ms(l.created_ms),
                "prev": l.prev.map(|p| p.to_string()),
                "kind": l.kind.name(),
            })
        })
        .collect();
    json!({
        "id": id,
        "standing": h.standing.name(),
        "agreement": h.agreement,
        "total_entries": h.total,
        "truncated": h.total > h.lines.len(),
        "entries": entries,
        "probe": h.probe.as_ref().map(op::probe),
    })
}
