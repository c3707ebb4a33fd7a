//! One sentence for each state.

use super::{Divergence, Facts, Impaired, LinkFact, State};
use crate::domain::audit_log::LogAgreement;
use crate::domain::finding::Finding;
use crate::domain::time::SECOND;

/// Of a mirror that was not looked at yet.
pub(super) const STARTING: &str = "not looked at yet since the start";

/// Why the state is what it is; `quiet_ns` is how long nothing came while operations are owed.
pub(super) fn why(state: State, f: &Facts, quiet_ns: i64, divergence: Option<Divergence>) -> String {
    let s = &f.seen;
    match state {
        State::Diverged => divergence.map_or("what it sent was found to differ within 24 h", divergent).to_owned(),
        State::Losing => {
            format!("{} of {} operations missed in 15 min, {} misses open", s.missed, s.decided, s.open_misses)
        }
        State::Stalled => format!("{} operations behind, and nothing came for {} s", s.owed_ops, quiet_ns / SECOND),
        State::Lagging => {
            let age_s = s.owed_since.map_or(0, |since| f.now.since(since) / SECOND);
            format!("{} operations behind, the first of them for {age_s} s", s.owed_ops)
        }
        State::Disconnected if f.link == LinkFact::Up => "connected again just now".to_owned(),
        State::Disconnected => "not connected".to_owned(),
        State::Throttled => "sends more that the primary does not know than is taken; read no faster".to_owned(),
        State::Unsupported => "serves operations in no way that is known".to_owned(),
        State::Unknown => unknown(f).to_owned(),
        State::Ok if s.missed > 0 => format!("{} of {} operations missed in 15 min", s.missed, s.decided),
        State::Ok => format!("complete: 0 of {} operations missed in 15 min", s.decided),
    }
}

const fn divergent(divergence: Divergence) -> &'static str {
    match divergence {
        Divergence::Content(Finding::Corrupt) => "sent content under a CID that is not its own",
        Divergence::Content(Finding::Equivocation) => "sent two contents under one number or one prev",
        Divergence::Content(_) => "sent a known operation under another DID or createdAt",
        Divergence::Log(LogAgreement::Fork) => "its log of a DID lists an operation that the primary's does not",
        Divergence::Log(_) => "its log of a DID contradicts itself or states another createdAt",
    }
}

const fn unknown(f: &Facts) -> &'static str {
    match f.impaired {
        Some(Impaired::PrimaryDown) => "not judged while the primary is not observed",
        Some(Impaired::NetDown) => "not judged while our network is down",
        Some(Impaired::LateReader) => "not judged while our own reading is late",
        None if matches!(f.link, LinkFact::New) => STARTING,
        None if matches!(f.link, LinkFact::Ours) => "not judged while a fault of ours keeps us from connecting",
        None if f.is_primary_delayed => "not judged while the primary's operations come later than usual",
        None if f.seen.is_judged => "not proved by what came last",
        None => "waiting for the first decided operation",
    }
}
