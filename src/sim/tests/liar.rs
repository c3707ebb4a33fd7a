//! Ten thousand lies of one mirror beside two faithful ones: every one is found, and laid on nobody else.
//!
//! Frames as servers send them, through the real reader into the real ledger; no sockets, and a clock that is counted.

use super::*;
use crate::domain::finding::Finding;
use crate::domain::ledger::{Ledger, Limits, MirrorParams, Params};
use crate::domain::op::{Kind, OpKey};
use crate::domain::source::SourceIx;
use crate::domain::time::{Labels, MS, SECOND, Tau};
use crate::domain::verdict::{Mode, Verdict};
use crate::sim::behaviour::Style;
use std::collections::{HashMap, HashSet};

const LIES: usize = 10_000;
/// Places of the mirrors: the one that lies, one that keeps the directory's numbers and one that counts for itself.
const LIAR: usize = 0;
const KEEPING: usize = 1;
const COUNTING: usize = 2;
/// First operations before the lies begin, and what updates choose from.
const DIDS: usize = 400;

/// A way to lie about an update.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
enum Lie {
    /// Another operation under the CID that it has.
    WrongOperation,
    /// The operation under another DID.
    WrongDid,
    /// The operation with another time.
    ForeignCreatedAt,
    /// The operation after the one that follows it.
    Reordered,
    /// The operation, and then another one under the same number.
    Equivocation,
}

impl Lie {
    const ALL: [Lie; 5] =
        [Lie::WrongOperation, Lie::WrongDid, Lie::ForeignCreatedAt, Lie::Reordered, Lie::Equivocation];

    const fn finding(self) -> Finding {
        match self {
            Lie::WrongOperation => Finding::Corrupt,
            Lie::WrongDid | Lie::ForeignCreatedAt => Finding::Altered,
            Lie::Reordered => Finding::OrderViolation,
            Lie::Equivocation => Finding::Equivocation,
        }
    }
}

/// The ledger with a primary and three mirrors, and what was sent.
struct Scene {
    ledger: Ledger,
    forms: FormCache,
    now: Tau,
    counted: u64,
    /// Whether the liar keeps the directory's numbers; else it counts for itself.
    keeps_numbers: bool,
    liar_seq: u64,
    maker: OpMaker,
    /// What must be found at the liar, as it named the operations.
    told: HashMap<OpKey, Lie>,
    /// What it never delivered.
    undelivered: HashSet<OpKey>,
    published: u64,
}

impl Scene {
    fn new(keeps_numbers: bool) -> Scene {
        let params = Params { look_back_ns: 0, horizon_ns: 86_400 * SECOND, settle_ns: 0, interval_ms: 300_000 };
        let limits = Limits { held_ops: 100_000, unknown_keys_per_mirror: 100_000, listed_per_mirror: 100 };
        let mirror = MirrorParams { on_time_ns: 10 * SECOND, grace_ns: 60 * SECOND };
        let labels = Labels { anchor_tau: Tau(0), anchor_utc_ms: NOW };
        let mut ledger = Ledger::new(params, limits, labels, &[mirror; 3]);
        ledger.open(SourceIx::PRIMARY, Tau(0));
        (0..3).for_each(|m| ledger.open(SourceIx::mirror(m), Tau(0)));
        Scene {
            ledger,
            forms: FormCache::new(64, [1, 2]),
            now: Tau(0),
            counted: 0,
            keeps_numbers,
            liar_seq: 0,
            maker: OpMaker::new(11),
            told: HashMap::new(),
            undelivered: HashSet::new(),
            published: 0,
        }
    }

    /// Lets a source send a frame.
    fn send(&mut self, source: SourceIx, text: &str) {
        self.now = self.now.plus(MS);
        match parse(text, Shape::Sequenced, &mut self.forms) {
            Ok(frame) => {
                self.ledger.arrive(source, &frame.op, self.now, Mode::Live);
            }
            Err(Reject::CidMismatch(claim)) => self.ledger.lied(source, &claim, self.now),
            Err(other) => panic!("{other}: {text}"),
        }
    }

    /// The primary and the faithful mirrors send an operation.
    fn publish(&mut self, op: &SimOp) {
        self.published += 1;
        self.counted += 1;
        let style = Style::default();
        self.send(SourceIx::PRIMARY, &op.stream_text(op.seq, style));
        let sorted = Style { sorted_keys: true, ..style };
        self.send(SourceIx::mirror(KEEPING), &op.stream_text(op.seq, sorted));
        let counted = self.counted;
        self.send(SourceIx::mirror(COUNTING), &op.stream_text(counted, style));
    }

    /// The liar sends this under its next number.
    fn say(&mut self, op: &SimOp) {
        self.liar_seq += 1;
        let seq = if self.keeps_numbers { op.seq } else { self.liar_seq };
        let text = op.stream_text(seq, Style::default());
        self.send(SourceIx::mirror(LIAR), &text);
    }

    fn created_ms(&self) -> i64 {
        NOW + self.now.0 / MS
    }

    fn lie(&mut self, lie: Lie) {
        let op = self.maker.of_kind(Kind::Update, self.created_ms());
        self.publish(&op);
        let mut about = op.key;
        match lie {
            Lie::WrongOperation => {
                self.say(&op.with_other_content());
                self.undelivered.insert(op.key);
            }
            Lie::WrongDid => {
                let elsewhere = op.with_other_did();
                self.say(&elsewhere);
                self.undelivered.insert(op.key);
                about = elsewhere.key;
            }
            Lie::ForeignCreatedAt => self.say(&op.with_other_created_at()),
            Lie::Reordered => {
                let next = self.maker.update_of(op.key.did, self.created_ms()).unwrap();
                self.publish(&next);
                self.say(&next);
                self.say(&op);
                about = next.key;
            }
            Lie::Equivocation => {
                self.say(&op);
                let rival = op.with_broken_signature();
                self.liar_seq -= 1;
                self.say(&rival);
                about = rival.key;
            }
        }
        self.told.insert(about, lie);
    }

    /// Proves everything and decides.
    fn decide(&mut self) {
        for source in (0..4).map(SourceIx) {
            self.ledger.prove(source, self.now);
        }
        self.ledger.tick(self.now);
    }
}

#[test]
fn ten_thousand_lies_are_found_and_laid_on_the_liar_alone() {
    all_are_found(Scene::new(false), LIES);
}

#[test]
fn lies_under_the_directorys_own_numbers_are_found_too() {
    all_are_found(Scene::new(true), LIES / 10);
}

fn all_are_found(mut scene: Scene, lies: usize) {
    for _ in 0..DIDS {
        let op = scene.maker.of_kind(Kind::Genesis, scene.created_ms());
        scene.publish(&op);
        scene.say(&op);
    }
    for n in 0..lies {
        scene.lie(Lie::ALL[n % Lie::ALL.len()]);
        if n % 50 == 0 {
            scene.decide();
        }
    }
    scene.now = scene.now.plus(120 * SECOND);
    scene.decide();
    scene.decide();

    assert_eq!(scene.told.len(), lies);
    let content = |source| scene.ledger.source(source).unwrap().content.clone();
    let liar = content(SourceIx::mirror(LIAR));
    for lie in Lie::ALL {
        let told = scene.told.values().filter(|l| l.finding() == lie.finding()).count() as u64;
        assert_eq!(liar.count(lie.finding()), told, "{lie:?}");
    }
    for latest in liar.latest() {
        let lie = scene.told.get(&latest.key).map(|lie| lie.finding());
        assert_eq!(lie, Some(latest.finding), "{latest:?}");
    }
    for innocent in [SourceIx::PRIMARY, SourceIx::mirror(KEEPING), SourceIx::mirror(COUNTING)] {
        let found = Finding::ALL.map(|finding| content(innocent).count(finding));
        assert_eq!(found, [0; Finding::ALL.len()], "{innocent:?}");
    }
    let mut on_time = [0; 3];
    for chunk in &scene.ledger.capture(true).held.chunks {
        for m in [LIAR, KEEPING, COUNTING] {
            for (row, cell) in chunk.rows().iter().zip(chunk.cells(m)) {
                let is_missed = m == LIAR && scene.undelivered.contains(&row.key());
                let expected = if is_missed { Verdict::Missed } else { Verdict::OnTime };
                assert_eq!(cell.verdict(), expected, "{m} {:?}", row.key());
                on_time[m] += u64::from(!is_missed);
            }
        }
    }
    let published = scene.published;
    assert_eq!(on_time, [published - scene.undelivered.len() as u64, published, published]);
}
