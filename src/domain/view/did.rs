//! One DID: its operations that are held, side by side over all hosts.

use super::{Picture, ops};
use crate::domain::did::Did;
use serde_json::{Map, Value, json};

/// Operations of one DID that are listed, newest kept.
const OPS_MAX: usize = 500;

/// The page of a DID; a DID of which nothing is held has no operations, which says nothing about the directory.
#[must_use]
pub fn page(picture: &Picture, did: Did) -> Value {
    let held = &picture.capture.held;
    let mut rows = Vec::new();
    let mut total = 0_usize;
    for (i, chunk) in held.chunks.iter().enumerate().rev() {
        let first = held.chunk_base + (i * crate::domain::ring::CHUNK) as u64;
        for (place, row) in chunk.rows().iter().enumerate().rev() {
            if row.did != did || first + (place as u64) < held.base {
                continue;
            }
            total += 1;
            if rows.len() == OPS_MAX {
                continue;
            }
            let hosts: Map<String, Value> = picture
                .mirrors
                .iter()
                .enumerate()
                .filter_map(|(m, info)| {
                    let cell = *chunk.cells(m).get(place)?;
                    Some((info.id.clone(), ops::at_mirror(picture, row, cell)))
                })
                .collect();
            rows.push(json!({
                "cid": row.cid.to_string(),
                "seq": row.seq(),
                "kind": row.kind.name(),
                "primary_at": picture.at(row.p),
                "created_at": crate::domain::time::rfc3339_ms(row.created_ms),
                "mirrors": hosts,
            }));
        }
    }
    rows.reverse();
    let extras: Vec<Value> = picture
        .capture
        .extras
        .iter()
        .filter(|s| s.key.did == did)
        .map(|s| {
            let id = picture.mirrors.get(usize::from(s.mirror)).map(|i| i.id.clone());
            json!({ "cid": s.key.cid.to_string(), "mirror": id, "kind": s.kind.name(), "mirror_at": picture.at(s.q) })
        })
        .collect();
    json!({ "did": did.to_string(), "ops": rows, "total_ops": total, "truncated": total > OPS_MAX, "extras": extras })
}
