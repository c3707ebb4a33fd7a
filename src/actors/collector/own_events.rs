//! What this node reports of itself, as far as the collector knows it: told to other nodes in the transactions that keep what
//! it follows from.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Collector, Known};
use crate::domain::incident::{Incident, Phase, Told, incidents};
use crate::domain::link::LinkState;
use crate::domain::node_event::OwnEvent;
use crate::domain::source::SourceIx;
use crate::ports::log_book::LogBook;
use crate::ports::store::LogRow;

/// Rounds that wait for a transaction; beyond them they are not told.
const ROUNDS_MAX: usize = 256;

/// See the module's words.
pub(super) struct OwnEvents {
    log: LogBook,
    /// The changes that incidents were last read off.
    changes: Arc<VecDeque<Arc<Told>>>,
    /// The incidents by their ids, and whether each has ended.
    incidents: BTreeMap<String, bool>,
    /// Rounds of probes: when, and in what words.
    rounds: Vec<(i64, String)>,
}

impl OwnEvents {
    /// Behind `changes`, of which nothing is told any more.
    pub(super) fn new(log: LogBook, changes: Arc<VecDeque<Arc<Told>>>) -> OwnEvents {
        let incidents = ended_by_id(&incidents_of(&changes));
        OwnEvents { log, changes, incidents, rounds: Vec::new() }
    }

    /// The log that they are told in.
    pub(super) const fn log(&self) -> &LogBook {
        &self.log
    }

    /// What has happened since this was asked last.
    pub(super) fn rows(&mut self, sources: &[Known], changes: Arc<VecDeque<Arc<Told>>>, utc_ms: i64) -> Vec<LogRow> {
        let mut rows: Vec<LogRow> = std::mem::take(&mut self.rounds)
            .into_iter()
            .map(|(at_ms, text)| self.log.own_event(OwnEvent::ProbeRoundCompleted, &text, at_ms))
            .collect();
        let is_in_sync = |known: &Known| known.link.state == LinkState::Synchronized;
        if sources.iter().all(is_in_sync) && self.log.is_first_sync() {
            let text = format!("nothing is missing before the streams of {} sources", sources.len());
            rows.push(self.log.own_event(OwnEvent::InitialSyncCompleted, &text, utc_ms));
        }
        rows.extend(self.incident_rows(changes));
        rows
    }

    fn incident_rows(&mut self, changes: Arc<VecDeque<Arc<Told>>>) -> Vec<LogRow> {
        if Arc::ptr_eq(&self.changes, &changes) {
            return Vec::new();
        }
        let known_ms = self.changes.front().map_or(i64::MIN, |told| told.at_ms);
        let found = incidents_of(&changes);
        let mut rows = Vec::new();
        for incident in found.iter().rev() {
            let was_ended = self.incidents.get(&incident.id()).copied();
            let is_ended = incident.phase == Phase::Ended;
            // One whose begin was let go seems to begin later: it was told then.
            let is_new = was_ended.is_none() && incident.started_ms >= known_ms;
            if is_new {
                let text = format!("{}: {}: {}", incident.id(), incident.worst.0.name(), incident.worst.1);
                rows.push(self.log.own_event(OwnEvent::IncidentOpened, &text, incident.started_ms));
            }
            if is_ended && (is_new || was_ended == Some(false)) {
                let ended_ms = incident.ended_ms.unwrap_or(incident.started_ms);
                rows.push(self.log.own_event(OwnEvent::IncidentClosed, &incident.id(), ended_ms));
            }
        }
        (self.changes, self.incidents) = (changes, ended_by_id(&found));
        rows
    }
}

fn incidents_of(changes: &VecDeque<Arc<Told>>) -> Vec<Incident> {
    incidents(changes.iter().rev().map(AsRef::as_ref))
}

fn ended_by_id(found: &[Incident]) -> BTreeMap<String, bool> {
    found.iter().map(|incident| (incident.id(), incident.phase == Phase::Ended)).collect()
}

impl Collector {
    /// All ways of taking a mirror's operations were tried.
    pub(super) fn probed(&mut self, source: SourceIx, found: &str) {
        let at_ms = self.labels.utc_ms(self.clock.now());
        let Some(id) = self.known(source).map(|known| known.who.id.clone()) else { return };
        if let Some(own) = self.own_events.as_mut().filter(|own| own.rounds.len() < ROUNDS_MAX) {
            own.rounds.push((at_ms, format!("{id}: {found}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::domain::incident::What;
    use crate::domain::mirror_state::State;
    use crate::domain::node_event::NodeEvent;
    use crate::ports::store::memory::MemoryDisk;

    fn change(at_ms: i64, from: State, to: State) -> Arc<Told> {
        let what = What::Changed {
            mirror: "m".to_owned(),
            from,
            to,
            why: "because".to_owned(),
            untold: 0,
            unseen_since_ms: None,
        };
        Arc::new(Told { event_id: Some(1), at_ms, what })
    }

    /// What is told of these changes, which come oldest first.
    fn told(own: &mut OwnEvents, changes: &[Arc<Told>]) -> Vec<(String, String)> {
        let rows = own.rows(&[], Arc::new(changes.iter().rev().map(Arc::clone).collect()), 0);
        let of = |row: &LogRow| NodeEvent::of_action(&row.action).map(|event| (event.event_type, event.message));
        let all = rows.iter().filter_map(of);
        all.filter(|(name, _)| name != OwnEvent::InitialSyncCompleted.name()).collect()
    }

    #[test]
    fn each_incident_is_told_when_it_begins_and_when_it_ends_and_no_other_time() {
        let store = Arc::new(Mutex::new(Some(Box::new(MemoryDisk::new().open()) as Box<_>)));
        let log = LogBook::open(store, "me", Arc::new(|_| None)).unwrap();
        let kept = vec![change(1, State::Ok, State::Losing), change(2, State::Losing, State::Ok)];
        let mut own = OwnEvents::new(log, Arc::new(kept.iter().rev().map(Arc::clone).collect()));
        let name = |event: OwnEvent, rest: &str| (event.name().to_owned(), format!("m-19700101T000000{rest}"));
        let (opened, closed) = (OwnEvent::IncidentOpened, OwnEvent::IncidentClosed);
        let mut all = kept;
        assert!(told(&mut own, &all).is_empty(), "what a run before told");
        all.push(change(3, State::Ok, State::Lagging));
        assert_eq!(told(&mut own, &all), [name(opened, "003Z: lagging: because")]);
        assert!(told(&mut own, &all).is_empty());
        all.push(change(4, State::Lagging, State::Unknown));
        all.push(change(5, State::Unknown, State::Losing));
        assert!(told(&mut own, &all).is_empty(), "it goes on");
        all.push(change(6, State::Losing, State::Ok));
        assert_eq!(told(&mut own, &all), [name(closed, "003Z")]);
        all.push(change(7, State::Ok, State::Stalled));
        all.push(change(8, State::Stalled, State::Ok));
        all.push(change(9, State::Ok, State::Diverged));
        assert_eq!(
            told(&mut own, &all),
            [name(opened, "007Z: stalled: because"), name(closed, "007Z"), name(opened, "009Z: diverged: because"),],
            "one that is over before it could be told"
        );
        assert!(told(&mut own, &all[8..]).is_empty(), "what is let go of is told no second time");
    }
}
