//! What is told of links and of what hosts were asked, which an end by force must not change.

use super::{Run, START, UTC_MS, labels};
use crate::actors::message::SourceEvent;
use crate::domain::confirm::Explained;
use crate::domain::finding::{About, Finding, ProbeEvidence};
use crate::domain::link::{Link, LinkState};
use crate::domain::op::OpKey;
use crate::domain::sessions::{Ended, Session};
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use std::collections::BTreeMap;

pub(in crate::actors::collector) fn linked(state: LinkState) -> SourceEvent {
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

/// What a collector says of each link and of what hosts were asked, as far as that was so at `tau`.
pub(super) type Told = (Vec<Vec<(i64, i64, Option<Ended>, bool)>>, BTreeMap<(SourceIx, OpKey), (Finding, u32)>);

impl Run {
    /// What it has to say again after an end by force, when everything is kept through `saved`: a session that went on then
    /// was ended by the observer.
    pub(super) fn told_through(&self, saved: Tau) -> Told {
        let utc_ms = |at: Tau| labels().utc_ms(at);
        let of = |session: Session| {
            let goes_on = session.span.to > saved;
            let ended = if goes_on { Some(Ended::ByObserver) } else { session.ended };
            // What was missing before it may have been filled in behind what was kept.
            let is_filled = session.is_filled || ended == Some(Ended::ByObserver);
            (utc_ms(session.span.from), utc_ms(session.span.to.min(saved)), ended, is_filled)
        };
        let sessions = self.collector.sources.iter().map(|known| {
            known.sessions.latest(usize::MAX).into_iter().filter(|s| s.span.from <= saved).map(of).collect()
        });
        (
            sessions.collect(),
            self.evidence().into_iter().filter(|e| e.1.2 <= saved).map(|e| (e.0, (e.1.0, e.1.1))).collect(),
        )
    }

    fn evidence(&self) -> BTreeMap<(SourceIx, OpKey), (Finding, u32, Tau)> {
        let (evidence, found) = (&self.collector.audit.evidence, self.collector.ledger.capture(false).found);
        let all: BTreeMap<_, _> = found
            .iter()
            .filter_map(|((source, key), _)| evidence.of(*source, key))
            .map(|c| ((c.source, c.key), (c.finding, c.looks, c.at)))
            .collect();
        assert_eq!(all.len(), found.iter().count(), "a finding without its evidence");
        assert!(all.iter().all(|(at, e)| found.get(at) == Some(e.0)), "evidence for another finding");
        all
    }
}
