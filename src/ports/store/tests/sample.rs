//! Rows to write, all of them different and all of them made from numbers.

use std::path::Path;

use crate::ports::store::{
    Commit, EventRow, EvidenceRow, Heartbeat, IntervalRow, MissRow, OpenOptions, OpenReport, Segment, SessionRow,
    SourceRow, SqliteStore, Tier,
};

/// 2026-11-21T02:10:04Z.
pub(super) const NOW_MS: i64 = 1_795_227_004_000;

pub(super) fn open(dir: &Path) -> (SqliteStore, OpenReport) {
    SqliteStore::open(dir, OpenOptions { pid: 4242, ..OpenOptions::at(NOW_MS) }).unwrap()
}

/// Bytes that do not repeat, so that no flip goes unseen.
pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

pub(super) fn heartbeat(n: i64) -> Heartbeat {
    Heartbeat {
        tau_ns: n * 1_000_000_000,
        utc_ms: NOW_MS + n * 1000,
        boot_id: "boot".to_owned(),
        anchor_tau_ns: 5,
        anchor_utc_ms: NOW_MS,
    }
}

pub(super) fn miss(source: &str, n: i64) -> MissRow {
    let mut did = [0; 15];
    did[..8].copy_from_slice(&n.to_be_bytes());
    let mut cid = [7; 32];
    cid.copy_from_slice(&noise(n as u64, 32));
    MissRow {
        source: source.to_owned(),
        did,
        cid,
        seq: (n % 3 != 0).then_some(n),
        kind: (n % 4) as u8,
        verdict: "missed".to_owned(),
        confirmation: (n % 2 == 0).then(|| "stream_loss".to_owned()),
        created_ms: NOW_MS + n,
        primary_at_ms: NOW_MS + n / 2,
        updated_ms: NOW_MS + n,
        healed: n % 5 == 0,
    }
}

pub(super) fn evidence(source: &str, n: i64) -> EvidenceRow {
    let MissRow { source, did, cid, primary_at_ms, .. } = miss(source, n);
    EvidenceRow { source, did, cid, at_ms: primary_at_ms + n, blob: noise(n as u64, 300) }
}

/// The commit of second `n`: something of every kind.
pub(super) fn commit(n: i64) -> Commit {
    let interval = |tier, source: &str| IntervalRow {
        tier,
        start_ms: n / 4 * 300_000,
        source: source.to_owned(),
        is_final: n % 4 == 3,
        blob: noise(n as u64, 1200),
    };
    Commit {
        segments: vec![Segment { id: n, first_op: n * 20, last_op: n * 20 + 19, blob: noise(n as u64, 1500) }],
        drop_segments_below: Some(n - 50),
        intervals: vec![interval(Tier::Interval, "a"), interval(Tier::Interval, "b"), interval(Tier::Hour, "a")],
        sources: vec![SourceRow {
            id: "a".to_owned(),
            url: "wss://a.example".to_owned(),
            state: noise(n as u64, 40),
            cursor: Some(n),
        }],
        sessions: vec![SessionRow {
            source: "a".to_owned(),
            opened_ms: n / 10,
            closed_ms: (n % 10 == 9).then_some(n),
            code: (n % 10 == 9).then_some(1006),
            reason: None,
            resumed_from: Some(n),
            filled: n % 2 == 0,
        }],
        events: vec![EventRow {
            id: n,
            at_ms: NOW_MS + n,
            kind: "link".to_owned(),
            source: Some("a".to_owned()),
            text: format!("event {n}"),
            detail: (n % 2 == 0).then(|| format!("{{\"n\":{n}}}")),
        }],
        misses: vec![miss("a", n), miss("b", n * 2)],
        evidence: vec![evidence("a", n), evidence("", n / 3)],
        ..Commit::of(heartbeat(n))
    }
}

/// Copies the database and its log as they are, as a crash leaves them.
pub(super) fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["mirrorwatch.db", "mirrorwatch.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}
