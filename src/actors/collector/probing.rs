//! How sources answer, as far as pingers and links tell it: what the choice of a mirror goes by.

use super::Collector;
use crate::actors::message::RttSample;
use crate::domain::link::{Link, LinkState};
use crate::domain::probes::{Outcome, Probe, Purpose};
use crate::domain::time::Tau;
use actix::Handler;

impl Handler<RttSample> for Collector {
    type Result = ();

    fn handle(&mut self, msg: RttSample, _: &mut Self::Context) {
        let RttSample { source, began, at, peer, rtt_ns } = msg;
        if let Some(rtt_ns) = rtt_ns {
            self.ledger.rtt(source, at, peer, rtt_ns);
        }
        let outcome = rtt_ns.map_or(Outcome::Failed, Outcome::Answered);
        self.standings.probing.add(source, Purpose::Stream, Probe { began, ended: at, outcome });
    }
}

/// What a change of a link says of whether the source can be connected to; nothing where it only goes on, where the source
/// closed it in good order, and where what ended it is ours.
pub(super) fn probe_of(was: &Link, is: &Link, now: Tau) -> Option<Probe> {
    let probe = |outcome| Some(Probe { began: was.since.min(now), ended: now, outcome });
    match (was.state.is_up(), is.state) {
        (false, state) if state.is_up() => probe(Outcome::Connected),
        (_, LinkState::Waiting) if is.is_down_by_us() => None,
        // Names are looked up, and addresses refused, on this side.
        (_, LinkState::Waiting) if has_failed_as(is, &["dns", "refused"]) => None,
        (false, LinkState::Waiting) if was.state == LinkState::Connecting => probe(Outcome::Failed),
        (true, LinkState::Waiting) if is.last_error.as_ref().is_some_and(|error| error.at == is.since) => {
            Some(Probe { began: now, ended: now, outcome: Outcome::Failed })
        }
        _ => None,
    }
}

/// Whether what put it into its state is a failure of one of these classes.
fn has_failed_as(link: &Link, classes: &[&str]) -> bool {
    link.last_error.as_ref().is_some_and(|error| error.at == link.since && classes.contains(&error.class.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::link::LinkEvent;
    use crate::domain::time::SECOND;

    /// What the change by which a link takes this event says.
    fn told(link: &mut Link, s: i64, event: LinkEvent) -> Option<(Outcome, i64)> {
        let (was, now) = (link.clone(), Tau(s * SECOND));
        link.on(event, now, 0.5);
        probe_of(&was, link, now).map(|probe| (probe.outcome, probe.ended.since(probe.began) / SECOND))
    }

    fn up() -> Link {
        let mut link = Link::new(Tau(0));
        for event in [LinkEvent::Start, LinkEvent::Upgraded] {
            assert_eq!(told(&mut link, 1, event), None);
        }
        let opened = told(&mut link, 3, LinkEvent::Opened { has_gap: true });
        assert_eq!(opened, Some((Outcome::Connected, 2)));
        assert_eq!(told(&mut link, 4, LinkEvent::CaughtUp), None);
        link
    }

    #[test]
    fn a_connection_that_comes_about_or_not_is_told_once() {
        let mut link = Link::new(Tau(0));
        told(&mut link, 0, LinkEvent::Start);
        let text = String::new();
        let failed = LinkEvent::Failed { class: "tcp", text, retry_after_ns: None, is_unsupported: false };
        assert_eq!(told(&mut link, 7, failed), Some((Outcome::Failed, 7)));
        assert_eq!(told(&mut link, 8, LinkEvent::Waited), None);
        let text = String::new();
        let unknown = LinkEvent::Failed { class: "dns", text, retry_after_ns: None, is_unsupported: false };
        assert_eq!(told(&mut link, 9, unknown), None, "it is we who look up names");
        assert_eq!(told(&mut link, 9, LinkEvent::Waited), None);
        assert_eq!(told(&mut link, 9, LinkEvent::Ours { text: String::new() }), None, "a fault of ours");
    }

    #[test]
    fn a_link_that_dies_failed_and_one_that_is_closed_or_stopped_did_not() {
        let dead = LinkEvent::Dead { text: String::new() };
        assert_eq!(told(&mut up(), 9, dead.clone()), Some((Outcome::Failed, 0)));
        assert_eq!(told(&mut up(), 9, LinkEvent::Broken { text: String::new() }), Some((Outcome::Failed, 0)));
        assert_eq!(told(&mut up(), 9, LinkEvent::Closed { code: 1001, reason: String::new() }), None);
        assert_eq!(told(&mut up(), 9, LinkEvent::Ours { text: String::new() }), None);
        assert_eq!(told(&mut up(), 9, LinkEvent::Stop), None);
    }
}
