//! The list of events, and what a link's change says.

use super::probing::probe_of;
use super::session_rows::ended;
use super::{Collector, Known};
use crate::actors::message::{Beat, Happened};
use crate::domain::incident::{Told, What};
use crate::domain::link::{Link, LinkState};
use crate::domain::mirror_state::Change;
use crate::domain::probes::Purpose;
use crate::domain::source::SourceIx;
use crate::domain::view::event::{EVENTS_MAX, Event};
use crate::ports::store::EventRow;
use actix::Handler;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Events that wait to be kept; more than these between two transactions are shown but not kept.
const WAITING_MAX: usize = 1_000;

/// Changes of states that are held; beyond them the oldest of the mirror that has most is let go, so that one which
/// changes all the time hides no incident of another.
const CHANGES_MAX: usize = 1_000;

/// The latest events, and those that wait to be kept.
#[derive(Debug)]
pub(super) struct EventLog {
    next_id: u64,
    latest: VecDeque<Arc<Event>>,
    /// What incidents follow from, newest first: the latest of all kinds may tell of other things.
    changes: Arc<VecDeque<Arc<Told>>>,
    waiting: Vec<EventRow>,
}

impl EventLog {
    /// A log that goes on behind the events of a run before, which come oldest first.
    pub(super) fn new(kept: Vec<EventRow>) -> EventLog {
        let changes: Vec<Told> = kept.iter().filter_map(change).collect();
        let next_id = kept.iter().map(|e| e.id).max().unwrap_or(0).max(0) as u64 + 1;
        let latest = kept.into_iter().rev().take(EVENTS_MAX).map(|e| Event {
            id: e.id.max(0) as u64,
            at_ms: e.at_ms,
            kind: e.kind,
            source: e.source,
            text: e.text,
            detail: e.detail.and_then(|detail| serde_json::from_str(&detail).ok()),
        });
        let latest = latest.map(Arc::new).collect();
        let mut log = EventLog { next_id, latest, changes: Arc::default(), waiting: Vec::new() };
        for told in changes {
            log.hold(told);
        }
        log
    }

    pub(super) fn add(&mut self, at_ms: i64, kind: &str, source: Option<String>, text: String) {
        self.add_with(at_ms, kind, source, text, None);
    }

    /// The same with more of it, for programs.
    pub(super) fn add_with(
        &mut self,
        at_ms: i64,
        kind: &str,
        source: Option<String>,
        text: String,
        detail: Option<Value>,
    ) {
        let event = Event { id: self.next_id, at_ms, kind: kind.to_owned(), source, text, detail };
        self.next_id += 1;
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push(EventRow {
                id: event.id as i64,
                at_ms,
                kind: event.kind.clone(),
                source: event.source.clone(),
                text: event.text.clone(),
                detail: event.detail.as_ref().map(Value::to_string),
            });
        }
        let told = Told::of(event.id, at_ms, kind, event.source.as_deref(), event.detail.as_ref());
        self.latest.push_front(Arc::new(event));
        self.latest.truncate(EVENTS_MAX);
        if let Some(told) = told {
            self.hold(told);
        }
    }

    /// A change of a mirror's state that no event tells of: incidents follow from it all the same.
    pub(super) fn change_untold(&mut self, at_ms: i64, mirror: String, change: Change) {
        let Change { from, to, why } = change;
        let what = What::Changed { mirror, from, to, why, untold: 0, unseen_since_ms: None };
        self.hold(Told { event_id: None, at_ms, what });
    }

    fn hold(&mut self, told: Told) {
        let changes = Arc::make_mut(&mut self.changes);
        changes.push_front(Arc::new(told));
        if changes.len() > CHANGES_MAX {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for mirror in changes.iter().filter_map(|told| told.mirror()) {
                *counts.entry(mirror).or_default() += 1;
            }
            // A time in which nobody looked concerns every mirror: it goes when there is nothing else.
            let most = counts.into_iter().max_by_key(|c| c.1).map(|c| c.0);
            let oldest = changes.iter().rposition(|told| told.mirror() == most);
            oldest.map(|place| changes.remove(place));
        }
    }

    pub(super) fn latest(&self) -> Vec<Arc<Event>> {
        self.latest.iter().map(Arc::clone).collect()
    }

    /// The latest changes of states, newest first.
    pub(super) fn changes(&self) -> Arc<VecDeque<Arc<Told>>> {
        Arc::clone(&self.changes)
    }

    pub(super) fn take_waiting(&mut self) -> Vec<EventRow> {
        std::mem::take(&mut self.waiting)
    }
}

fn change(e: &EventRow) -> Option<Told> {
    let detail: Option<Value> = e.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok());
    Told::of(e.id.max(0) as u64, e.at_ms, &e.kind, e.source.as_deref(), detail.as_ref())
}

impl Collector {
    /// Takes note of how a source's link stands now.
    pub(super) fn linked(&mut self, source: SourceIx, link: Link) {
        let now = self.clock.now();
        let Some(known) = self.known(source) else { return };
        let (was, is) = (known.link.state, link.state);
        match (was.is_up(), is.is_up()) {
            (false, true) => {
                known.sessions.up(now, known.anchor.map(|a| a.seq).filter(|&seq| seq > 0));
                if let Some(reason) = known.lost_by.take() {
                    *known.reconnects.entry(reason).or_default() += 1;
                }
            }
            (true, false) => {
                known.sessions.down(now, ended(&link));
                known.lost_by = Some(lost_by(&link));
            }
            _ => known.sessions.watch(now),
        }
        if is == LinkState::Synchronized {
            known.sessions.filled();
        }
        let is_news = is_news(&known.link, &link);
        let probe = probe_of(&known.link, &link, now);
        known.link = link;
        let (id, text) = (known.who.id.clone(), link_text(known));
        if let Some(probe) = probe {
            self.standings.probing.add(source, Purpose::Stream, probe);
        }
        if is_news {
            self.note(&format!("link_{}", state_word(is)), Some(id), text);
        }
    }
}

/// Why a link was lost, as a word of a short list: that the source closed it, or the class of the error.
fn lost_by(link: &Link) -> String {
    let close_at = link.last_close.as_ref().map(|c| c.at);
    let error = link.last_error.as_ref().filter(|e| Some(e.at) > close_at);
    error.map_or_else(|| "closed".to_owned(), |e| e.class.clone())
}

/// The word of a state in an event's kind.
pub(super) const fn state_word(state: LinkState) -> &'static str {
    match state {
        LinkState::Disconnected => "disconnected",
        LinkState::Waiting => "waiting",
        LinkState::Connecting => "connecting",
        LinkState::CatchingUp => "catching_up",
        LinkState::Synchronized => "synchronized",
        LinkState::Unsupported => "unsupported",
    }
}

/// Whether a change is worth an event: a link that came up or was lost, or that fails for another reason than before; not
/// each attempt of a source that stays away.
pub(super) fn is_news(was: &Link, is: &Link) -> bool {
    let class = |l: &Link| l.last_error.as_ref().map(|e| e.class.clone());
    match is.state {
        LinkState::Connecting => false,
        LinkState::Waiting => was.state.is_up() || class(was) != class(is),
        state => was.state != state,
    }
}

/// One line about how a link stands now.
pub(super) fn link_text(known: &Known) -> String {
    let link = &known.link;
    match link.state {
        LinkState::Waiting | LinkState::Unsupported => {
            let close = link.last_close.as_ref().filter(|c| c.at == link.since);
            match (close, &link.last_error) {
                (Some(c), _) if !c.reason.is_empty() => {
                    format!("closed by {}: {} ({})", known.who.name, c.reason, c.code)
                }
                (Some(c), _) => format!("closed by {} ({})", known.who.name, c.code),
                (None, Some(e)) => e.text.clone(),
                (None, None) => "not connected".to_owned(),
            }
        }
        LinkState::Disconnected => "not connected".to_owned(),
        LinkState::Connecting => format!("connecting to {}", known.who.url),
        LinkState::CatchingUp => "connected; filling the gap before the stream".to_owned(),
        LinkState::Synchronized => "connected; nothing is missing before the stream".to_owned(),
    }
}

impl Handler<Happened> for Collector {
    type Result = ();

    fn handle(&mut self, msg: Happened, _: &mut Self::Context) {
        self.note(msg.kind, msg.source, msg.text);
    }
}

impl Handler<Beat> for Collector {
    type Result = ();

    fn handle(&mut self, _: Beat, _: &mut Self::Context) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::incident::{Phase, STATE_CHANGED, incidents};
    use crate::domain::mirror_state::State;
    use serde_json::json;

    #[test]
    fn what_was_not_told_ends_an_incident_and_hides_none_of_another() {
        let mut log = EventLog::new(Vec::new());
        let change = |from, to| Change { from, to, why: String::new() };
        log.change_untold(0, "quiet".to_owned(), change(State::Ok, State::Losing));
        for n in 1..=2 * CHANGES_MAX as i64 {
            let (from, to) = if n % 2 == 1 { (State::Ok, State::Lagging) } else { (State::Lagging, State::Ok) };
            log.change_untold(n, "restless".to_owned(), change(from, to));
        }
        let changes = log.changes();
        let found = incidents(changes.iter().rev().map(AsRef::as_ref));
        assert_eq!((changes.len(), found.len()), (CHANGES_MAX, 1 + (CHANGES_MAX - 1) / 2));
        let open: Vec<&str> = found.iter().filter(|i| i.phase == Phase::Open).map(|i| &*i.mirror).collect();
        assert_eq!((open, log.latest().len()), (vec!["quiet"], 0));
    }

    #[test]
    fn what_was_kept_is_held_as_fairly() {
        let row = |id: i64| EventRow {
            id,
            at_ms: id,
            kind: STATE_CHANGED.to_owned(),
            source: Some(if id == 1 { "quiet" } else { "restless" }.to_owned()),
            text: String::new(),
            detail: Some(json!({ "from": "ok", "to": "losing", "why": "" }).to_string()),
        };
        let log = EventLog::new((1..=2 * CHANGES_MAX as i64).map(row).collect());
        let changes = log.changes();
        assert_eq!((changes.len(), changes[CHANGES_MAX - 1].event_id), (CHANGES_MAX, Some(1)));
        assert_eq!((changes[0].event_id, log.latest().len()), (Some(2 * CHANGES_MAX as u64), EVENTS_MAX));
    }
}
