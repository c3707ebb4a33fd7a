//! Sources that operations are taken from otherwise than by a stream: how, and which operations are looked for.

use super::Collector;
use crate::actors::message::{AskChain, Decided, LookFor, SourceEvent};
use crate::domain::op::OpKey;
use crate::domain::probes::Purpose;
use crate::domain::source::SourceIx;
use crate::domain::transport::Taken;
use crate::domain::verdict::Reason;
use actix::{Handler, MessageResult, Recipient};
use std::collections::BTreeMap;

/// To the collector: who looks operations up at this mirror.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct LookerIs {
    /// The mirror.
    pub source: SourceIx,
    /// Whom to tell; none when nobody does any more.
    pub looker: Option<Recipient<LookFor>>,
}

impl Handler<LookerIs> for Collector {
    type Result = ();

    fn handle(&mut self, msg: LookerIs, _: &mut Self::Context) {
        if let Some(known) = self.known(msg.source) {
            known.looker = msg.looker;
        }
    }
}

impl Handler<Decided> for Collector {
    type Result = MessageResult<Decided>;

    fn handle(&mut self, msg: Decided, _: &mut Self::Context) -> Self::Result {
        let is_decided = |key: &OpKey| !self.ledger.is_pending(msg.source, key);
        MessageResult(msg.keys.into_iter().filter(is_decided).collect())
    }
}

/// To the collector: whom to ask for chains.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct PrimaryIs(pub Recipient<AskChain>);

impl Handler<PrimaryIs> for Collector {
    type Result = ();

    fn handle(&mut self, msg: PrimaryIs, _: &mut Self::Context) {
        self.primary = Some(msg.0);
        self.chain_asked = None;
    }
}

impl Collector {
    /// Takes in what only some ways of taking operations tell.
    pub(super) fn apply_manner(&mut self, source: SourceIx, event: SourceEvent) {
        match event {
            SourceEvent::Replaying(since) => self.ledger.replaying(source, since),
            SourceEvent::Resolution(at, ns) => self.ledger.resolution(source, at, Some(ns)),
            SourceEvent::Sampling(sampling) => self.ledger.sample_by(source, sampling),
            SourceEvent::Skipped(key) => self.ledger.skip(source, &key),
            SourceEvent::LostSight(key, reason) => self.ledger.lost_sight(source, &key, reason),
            SourceEvent::Taken(taken) => self.taken(source, *taken),
            SourceEvent::Probed(found) => self.probed(source, &found),
            SourceEvent::Asked(probe) => self.standings.probing.add(source, Purpose::Resolve, probe),
            SourceEvent::Reason(_) | SourceEvent::Measured(..) | SourceEvent::NotTaken => self.retaken(source, event),
            _ => {}
        }
    }

    fn taken(&mut self, source: SourceIx, taken: Taken) {
        let now = self.clock.now();
        if taken.resolution_ns.is_none() {
            self.ledger.resolution(source, now, None);
        }
        let Some(known) = self.known(source) else { return };
        let is_other =
            known.taken.as_ref().is_none_or(|was| (was.transport, &was.reason) != (taken.transport, &taken.reason));
        let text = format!("operations are taken by {}: {}", taken.transport, taken.reason);
        known.taken = Some(taken);
        if is_other {
            self.note_of(source, "transport", text);
        }
    }

    /// Takes in what changed of the way that is in use.
    fn retaken(&mut self, source: SourceIx, event: SourceEvent) {
        let Some(known) = self.known(source) else { return };
        match (event, &mut known.taken) {
            (SourceEvent::Reason(reason), Some(taken)) => taken.reason = reason,
            (SourceEvent::Measured(resolution_ns, sampling_ratio), Some(taken)) => {
                (taken.resolution_ns, taken.sampling_ratio) = (resolution_ns, sampling_ratio);
            }
            (SourceEvent::NotTaken, taken) => *taken = None,
            _ => {}
        }
    }

    /// Hands the operations that are to be looked up to those who do. What nobody has room for is unknown there.
    pub(super) fn hand_out_sampled(&mut self) {
        let mut by_source: BTreeMap<SourceIx, LookFor> = BTreeMap::new();
        for (source, sought) in self.ledger.take_sampled() {
            by_source.entry(source).or_insert_with(|| LookFor(Vec::new())).0.push(sought);
        }
        for (source, look_for) in by_source {
            let keys: Vec<_> = look_for.0.iter().filter(|s| s.is_sampled).map(|sought| sought.key).collect();
            let looker = self.sources.get(usize::from(source.0)).and_then(|known| known.looker.as_ref());
            if looker.is_none_or(|looker| looker.try_send(look_for).is_err()) {
                for key in &keys {
                    self.ledger.lost_sight(source, key, Reason::DroppedByUs);
                }
            }
        }
    }
}
