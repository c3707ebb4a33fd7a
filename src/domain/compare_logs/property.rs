//! Random logs with random differences: every one is found, and nothing else is.

use super::comparison::{Comparison, Difference};
use super::line::{Item, Line};
use super::walk::{Ask, Walk};
use super::{Pair, Range, Side};
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::op::{Kind, OpKey};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// An operation told from others by `n`.
pub(super) fn item(n: u32, created_ms: i64) -> Item {
    let cid = Cid::of_cbor(&n.to_be_bytes());
    let key = OpKey { did: Did::of_genesis(cid), cid };
    Item { key, content: cid, kind: Kind::Genesis, created_ms, nullified: Some(false), seq: None }
}

/// What happens to one operation between the two logs.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fate {
    Same,
    OnlyInA,
    OnlyInB,
    Moved(i64),
    Nullified,
    OtherContent,
    TwiceInB,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Same),
        1 => Just(Fate::OnlyInA),
        1 => Just(Fate::OnlyInB),
        1 => (1_i64..300_000).prop_map(Fate::Moved),
        1 => Just(Fate::Nullified),
        1 => Just(Fate::OtherContent),
        1 => Just(Fate::TwiceInB),
    ]
}

/// A host that lists `items` in their order, or by time.
struct Host {
    items: Vec<Item>,
    page: usize,
}

impl Host {
    fn answer(&self, ask: Ask) -> Vec<Line> {
        let after = |item: &&Item| match ask {
            Ask::AfterSeq(seq) => item.seq > Some(seq),
            Ask::AfterTime(ms) => item.created_ms > ms,
        };
        let page = self.items.iter().filter(after).take(self.page);
        page.map(|item| Line { seq: item.seq, item: Ok(Some(*item)) }).collect()
    }
}

/// Numbers of a host's own, with gaps.
fn number(items: &mut [Item], first: u64, step: u64) {
    for (item, n) in items.iter_mut().zip(0..) {
        item.seq = Some(first + n * step);
    }
}

/// Compares both to the end, interrupted and taken up again after `interrupt` rounds.
fn run(hosts: &Pair<Host>, first: &Pair<Ask>, range: Range, interrupt: usize) -> (Vec<Difference>, Comparison) {
    let mut walks = Pair { a: Walk::new(first.a, range, i64::MAX), b: Walk::new(first.b, range, i64::MAX) };
    let (mut comparison, mut found) = (Comparison::new(range), Vec::new());
    for round in 0.. {
        if walks.a.ask().is_none() && walks.b.ask().is_none() {
            break;
        }
        assert!(round < 10_000, "the walks do not end");
        for side in Side::BOTH {
            let Some(ask) = walks.of(side).ask() else { continue };
            let host = hosts.of(side);
            let fresh = walks.of_mut(side).take(&host.answer(ask), host.page).unwrap();
            found.extend(fresh.into_iter().filter_map(|item| comparison.take(side, item)));
        }
        let reached = Pair { a: walks.a.reached_ms(), b: walks.b.reached_ms() };
        found.extend(comparison.decide(&reached));
        if round == interrupt {
            let text = serde_json::to_string(&(&walks, &comparison)).unwrap();
            let (kept_walks, kept): (Pair<Walk>, Comparison) = serde_json::from_str(&text).unwrap();
            assert_eq!((&kept_walks, &kept), (&walks, &comparison));
            (walks, comparison) = (kept_walks, kept);
        }
    }
    found.extend(comparison.finish());
    (found, comparison)
}

/// A difference as a set of such can hold it: sort, operation, fields.
fn named(difference: &Difference) -> (&'static str, OpKey, Vec<&'static str>) {
    match difference {
        Difference::OnlyIn(Side::A, item) => ("only_a", item.key, Vec::new()),
        Difference::OnlyIn(Side::B, item) => ("only_b", item.key, Vec::new()),
        Difference::Differs { a, .. } => ("differs", a.key, difference.fields()),
        Difference::Repeated(Side::A, item) => ("twice_a", item.key, Vec::new()),
        Difference::Repeated(Side::B, item) => ("twice_b", item.key, Vec::new()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn every_difference_is_found_and_nothing_else(
        ops in proptest::collection::vec((0_i64..40, fate(), any::<prop::sample::Index>()), 0..300),
        pages in (7_usize..60, 7_usize..60),
        by_time in (any::<bool>(), any::<bool>()),
        cut in (0_i64..200, 0_i64..200),
        interrupt in 0_usize..30,
    ) {
        let (mut a, mut b, mut now) = (Vec::new(), Vec::new(), 1_000_000_i64);
        let range = Range { from_ms: now + cut.0, to_ms: now + 40 * ops.len() as i64 - cut.1 };
        let mut expected = BTreeSet::new();
        for (n, (step, fate, place)) in ops.iter().enumerate() {
            now += step;
            let ours = item(n as u32, now);
            let mut theirs = ours;
            let (mut in_a, mut in_b) = (true, 1);
            let mut expect = |name, fields| assert!(expected.insert((name, ours.key, fields)));
            let is_in = range.contains(now);
            match fate {
                Fate::Same => {}
                Fate::OnlyInA => in_b = 0,
                Fate::OnlyInB => in_a = false,
                Fate::Moved(by) => theirs.created_ms += by,
                Fate::Nullified => theirs.nullified = Some(true),
                Fate::OtherContent => theirs.content = Cid::of_cbor(b"other"),
                // A log by time that repeats an operation lists it twice in one place, where it cannot be told from the
                // overlap of two pages.
                Fate::TwiceInB => in_b = 1 + usize::from(!by_time.1),
            }
            match fate {
                Fate::OnlyInA if is_in => expect("only_a", vec![]),
                Fate::OnlyInB if is_in => expect("only_b", vec![]),
                Fate::Moved(_) if is_in || range.contains(theirs.created_ms) => expect("differs", vec!["created_at"]),
                Fate::Nullified if is_in => expect("differs", vec!["nullified"]),
                Fate::OtherContent if is_in => expect("differs", vec!["content"]),
                Fate::TwiceInB if is_in && in_b == 2 => expect("twice_b", vec![]),
                _ => {}
            }
            if in_a {
                a.push(ours);
            }
            for copy in 0..in_b {
                // A mirror that numbers for itself may have them in a somewhat other order.
                let at = b.len() - if copy == 0 { 0 } else { place.index(b.len().min(20) + 1).min(b.len()) };
                b.insert(at, theirs);
            }
        }
        number(&mut a, 5, 3);
        number(&mut b, 1, 1);
        let first = |by_time| if by_time { Ask::AfterTime(range.from_ms - super::MARGIN_MS) } else { Ask::AfterSeq(0) };
        for (items, by_time) in [(&mut a, by_time.0), (&mut b, by_time.1)] {
            if by_time {
                items.sort_by_key(|item| item.created_ms);
            }
        }
        // At most one operation shares each millisecond with more than a page holds: steps of 0 are rare enough.
        let hosts = Pair { a: Host { items: a, page: pages.0 + 40 }, b: Host { items: b, page: pages.1 + 40 } };
        let (found, comparison) = run(&hosts, &Pair { a: first(by_time.0), b: first(by_time.1) }, range, interrupt);
        let names: BTreeSet<_> = found.iter().map(named).collect();
        prop_assert_eq!(names.len(), found.len(), "told twice");
        prop_assert_eq!(&names, &expected);
        prop_assert_eq!(comparison.tally.differences(), expected.len() as u64);
        prop_assert_eq!(comparison.tally.both.all() + comparison.tally.only.a.all(), comparison.tally.listed.a.all());
    }
}
