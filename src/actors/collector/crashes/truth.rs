//! What is true in a history of a primary and two mirrors: what each sends, when its link is cut, and what it tells of that.

use super::{END, START, TICK_NS, UTC_MS};
use crate::actors::message::SourceEvent;
use crate::domain::cid::Cid;
use crate::domain::confirm::Explained;
use crate::domain::did::Did;
use crate::domain::finding::{About, Finding, ProbeEvidence};
use crate::domain::link::{Link, LinkState};
use crate::domain::op::{Kind, Op, OpKey};
use crate::domain::source::SourceIx;
use crate::domain::time::{MS, SECOND, Span, Tau};
use crate::domain::verdict::Mode;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Operations are published for so long, and everything is decided by the end.
pub(super) const BUSY_S: i64 = 12;
/// From a stream's opening to the end of its fill.
const FILL_NS: i64 = 250 * MS;

/// What a source sends, and when its link is cut.
pub(in crate::actors::collector) struct Truth {
    pub(super) items: Vec<(Tau, Op)>,
    pub(super) cuts: Vec<Span>,
}

fn random_op(dice: &mut StdRng, i: u64, at: Tau) -> Op {
    let mut cid = [0; 32];
    cid[..8].copy_from_slice(&i.to_be_bytes());
    let key = OpKey { did: Did([dice.random_range(0..9); 15]), cid: Cid(cid) };
    let created_ms = UTC_MS + at.since(START) / MS - 40;
    Op { key, kind: Kind::ALL[dice.random_range(0..Kind::ALL.len())], created_ms, seq: Some(i), prev: None }
}

pub(in crate::actors::collector) fn truths(seed: u64) -> Vec<Truth> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut at = START.plus(700 * MS);
    let mut published = Vec::new();
    while at < START.plus(BUSY_S * SECOND) {
        published.push((at, random_op(&mut dice, published.len() as u64, at)));
        at = at.plus(dice.random_range(20..280) * MS);
    }
    let mut truths = vec![Truth { items: published.clone(), cuts: cuts(&mut dice) }];
    for m in 1..3 {
        let mut items = Vec::new();
        for (i, (at, op)) in published.iter().enumerate() {
            match dice.random_range(0..100) {
                0..8 => continue,
                8..25 => items.push((at.plus(dice.random_range(900..6_000) * MS), *op)),
                _ => items.push((at.plus(dice.random_range(-60..300) * MS), *op)),
            }
            if dice.random_range(0..100) < 4 {
                items.push((*at, random_op(&mut dice, m * 1_000_000 + i as u64, *at)));
            }
        }
        items.sort_by_key(|item| item.0);
        truths.push(Truth { items, cuts: cuts(&mut dice) });
    }
    truths
}

fn cuts(dice: &mut StdRng) -> Vec<Span> {
    let mut cuts = Vec::new();
    let mut at = START.plus(dice.random_range(1..9) * SECOND);
    for _ in 0..dice.random_range(0..3) {
        let to = at.plus(dice.random_range(200..2_500) * MS);
        cuts.push(Span { from: at, to });
        at = to.plus(dice.random_range(600..4_000) * MS);
    }
    cuts
}

/// What a source tells, in order, when the observer was down in that span and saw nothing of what came in it.
pub(super) fn told(truth: &Truth, down: Option<Span>) -> Vec<(Tau, SourceEvent)> {
    let mut spans: Vec<Span> = truth.cuts.clone();
    spans.extend(down);
    spans.sort_by_key(|s| s.from);
    let mut merged: Vec<Span> = Vec::new();
    for s in spans {
        match merged.last_mut() {
            Some(last) if s.from <= last.to => last.to = last.to.max(s.to),
            _ => merged.push(s),
        }
    }
    let within = |at: Tau| merged.iter().any(|s| s.from < at && at <= s.to);
    let mut events = vec![(START, SourceEvent::Opened(START)), (START, linked(LinkState::Synchronized))];
    let live = truth.items.iter().filter(|item| !within(item.0));
    events.extend(live.map(|&(at, op)| (at, SourceEvent::Arrived(op, at, Mode::Live))));
    for s in &merged {
        if down.is_none_or(|down| down.from != s.from) {
            events.extend([(s.from, SourceEvent::Closed), (s.from, linked(LinkState::Waiting))]);
        }
        events.extend([(s.to, SourceEvent::Opened(s.to)), (s.to, linked(LinkState::CatchingUp))]);
        let filled = s.to.plus(FILL_NS);
        let lost = truth.items.iter().filter(|item| s.from < item.0 && item.0 <= s.to);
        events.extend(lost.map(|&(_, op)| (filled, SourceEvent::Arrived(op, filled, Mode::Filled))));
        events.extend([(filled, SourceEvent::Filled(filled)), (filled, linked(LinkState::Synchronized))]);
    }
    let mut at = START.plus(TICK_NS / 2);
    while at < END {
        if !within(at) {
            events.push((at, SourceEvent::Proved(at)));
        }
        at = at.plus(TICK_NS);
    }
    events.sort_by_key(|e| e.0);
    events
}

fn linked(state: LinkState) -> SourceEvent {
    let mut link = Link::new(START);
    link.state = state;
    SourceEvent::Link(Box::new(link))
}

/// What a host that is asked about a miss or an extra answers at once.
pub(super) fn explained((source, key, about): (SourceIx, OpKey, About)) -> Explained {
    let finding = if about == About::Miss { Finding::DataLoss } else { Finding::PrimaryDenies };
    let probe = ProbeEvidence {
        host: "a".to_owned(),
        url: format!("http://a.example/{}/log/audit", key.did),
        at_ms: UTC_MS,
        status: Some(200),
        body_sha256: Some("00".repeat(32)),
        error: None,
    };
    Explained { source, key, about, finding, is_final: false, listed: None, probes: vec![probe] }
}
