//! A ledger fed with hours of operations at simulated instants, as the collector would feed it.

use mirrorwatch::domain::cid::Cid;
use mirrorwatch::domain::did::Did;
use mirrorwatch::domain::ledger::persist::Prepared;
use mirrorwatch::domain::ledger::{Ledger, Limits, MirrorParams, Params};
use mirrorwatch::domain::op::{Kind, Op, OpKey};
use mirrorwatch::domain::source::SourceIx;
use mirrorwatch::domain::time::{Labels, MS, SECOND, Tau};
use mirrorwatch::domain::verdict::Mode;
use mirrorwatch::domain::view::{Picture, SourceInfo, ValidityCounts};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Label of the first instant: the beginning of an hour.
const BEGIN_MS: i64 = 1_750_000_000_000 / 86_400_000 * 86_400_000;
/// DIDs that operations are spread over.
const DIDS: u64 = 50_000;
/// Between two ticks and two transactions while it is fed.
const STEP_NS: i64 = SECOND;

/// How a stretch of time is fed.
#[derive(Clone, Copy)]
pub struct Stretch {
    /// Operations, spread evenly.
    pub ops: u64,
    /// Length, nanoseconds.
    pub length_ns: i64,
    /// Of all operations, this many are never delivered by mirror 0.
    pub missed: u64,
    /// A mirror that delivers nothing now.
    pub silent: Option<usize>,
}

/// A ledger with everything that the collector has beside it.
pub struct History {
    /// The ledger.
    pub ledger: Ledger,
    /// The present.
    pub now: Tau,
    /// Ids of the mirrors.
    pub ids: Vec<String>,
    /// Numbers of the operations so far.
    pub made: u64,
    random: u64,
}

impl History {
    /// An empty one whose every source is open since its first instant.
    pub fn new(mirrors: usize) -> History {
        let labels = Labels { anchor_tau: Tau(0), anchor_utc_ms: BEGIN_MS };
        let params = Params {
            look_back_ns: 10 * SECOND,
            horizon_ns: 24 * 3_600 * SECOND,
            settle_ns: 30 * SECOND,
            interval_ms: 300_000,
        };
        let limits = Limits { held_ops: 2_000_000, unknown_keys_per_mirror: 200_000, listed_per_mirror: 10_000 };
        let mirror = MirrorParams { on_time_ns: 10 * SECOND, grace_ns: 60 * SECOND };
        let mut ledger = Ledger::new(params, limits, labels, &vec![mirror; mirrors]);
        (0..=mirrors).for_each(|s| ledger.open(SourceIx(s as u16), Tau(0)));
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        (0..=mirrors).for_each(|s| ledger.rtt(SourceIx(s as u16), Tau(0), peer, 20 * MS));
        let ids = (0..mirrors).map(|i| format!("mirror-{i}")).collect();
        History { ledger, now: Tau(20 * SECOND), ids, made: 0, random: 0x9e37_79b9_7f4a_7c15 }
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Operation number `i`.
    pub fn op(i: u64) -> Op {
        let spread = |x: u64| (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (x >> 7);
        let (mut did, mut cid) = ([0; 15], [0; 32]);
        did.iter_mut().zip(spread(spread(i) % DIDS + 1).to_be_bytes()).for_each(|(to, from)| *to = from);
        cid.chunks_mut(8).zip(1..).for_each(|(to, n)| to.copy_from_slice(&spread(i * 5 + n).to_be_bytes()));
        cid.iter_mut().skip(24).zip(i.to_be_bytes()).for_each(|(to, from)| *to = from);
        let kind = if i.is_multiple_of(4) { Kind::Genesis } else { Kind::Update };
        Op {
            key: OpKey { did: Did(did), cid: Cid(cid) },
            kind,
            created_ms: BEGIN_MS + i as i64,
            seq: Some(i + 1),
            prev: None,
        }
    }

    /// A lag as they are between continents: 30 ms more for each mirror, and a long tail.
    fn lag_ns(&mut self, mirror: usize) -> i64 {
        let tail = -(1.0 - (self.random() >> 11) as f64 / (1_u64 << 53) as f64).ln();
        (20 + 30 * mirror as i64) * MS + (tail * 15e6) as i64
    }

    /// Feeds a stretch; `each_step` is called every second with what would be kept then.
    pub fn feed(&mut self, stretch: Stretch, mut each_step: impl FnMut(&mut Ledger, Prepared)) {
        let (begin, first) = (self.now, self.made);
        let at = |n: u64| {
            begin.plus((i128::from(stretch.length_ns) * i128::from(n) / i128::from(stretch.ops.max(1))) as i64)
        };
        let miss_every = stretch.ops.checked_div(stretch.missed).unwrap_or(u64::MAX);
        let end = begin.plus(stretch.length_ns);
        while self.now < end {
            self.now = self.now.plus(STEP_NS).min(end);
            while self.made - first < stretch.ops && at(self.made - first) < self.now {
                let n = self.made - first;
                let (op, p) = (History::op(self.made), at(n));
                self.ledger.arrive(SourceIx::PRIMARY, &op, p, Mode::Live);
                for m in 0..self.ids.len() {
                    let is_missed = m == 0 && n % miss_every == miss_every - 1;
                    if !is_missed && stretch.silent != Some(m) {
                        let at = p.plus(self.lag_ns(m));
                        self.ledger.arrive(SourceIx::mirror(m), &op, at, Mode::Live);
                    }
                }
                self.made += 1;
            }
            self.prove_and_tick();
            let prepared = self.ledger.prepare(&self.ids);
            let finals = prepared.finals().to_vec();
            each_step(&mut self.ledger, prepared);
            self.ledger.committed(&finals);
        }
    }

    /// Everything through now is proved; decides what is due.
    pub fn prove_and_tick(&mut self) {
        (0..=self.ids.len()).for_each(|s| self.ledger.prove(SourceIx(s as u16), self.now));
        self.ledger.tick(self.now);
    }

    /// The picture that views are made of.
    pub fn picture(&self) -> Picture {
        let info = |name: &str| SourceInfo {
            id: name.to_owned(),
            name: name.to_owned(),
            url: format!("wss://{name}.example"),
            transport: "stream".to_owned(),
            connected_ratio: Some(1.0),
            ..SourceInfo::default()
        };
        Picture {
            capture: self.ledger.capture(true),
            primary: info("primary"),
            mirrors: self.ids.iter().map(|id| info(id)).collect(),
            started: Tau(0),
            events: Vec::new(),
            recommended: mirrorwatch::domain::probes::ByPurpose::default(),
            changes: Arc::default(),
            degraded: Vec::new(),
            internals: Value::Null,
            validity: ValidityCounts::default(),
            imported: Arc::default(),
            evidence: Arc::default(),
            samples: Arc::default(),
            audit_load: mirrorwatch::domain::confirm::Load::default(),
            impaired_ns: BTreeMap::default(),
            clock_offset_ms: 0,
        }
    }
}
