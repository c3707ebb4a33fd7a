//! Incidents: the spans in which a mirror was in a bad state, read off the changes of its state.
//!
//! An incident begins when a mirror is found lagging, stalled, losing or diverged, and ends when it is found well. Time in
//! which nothing can be said about the mirror (the observer impaired or down, the link down) interrupts it: that time is
//! told and not counted, it begins no incident, and where nothing bad is found afterwards the incident ended with it. Where
//! a change was not told or was lost, what it led to is known from what was shown behind it; the time between is nobody's.

use super::mirror_state::State;
use serde_json::Value;
use std::collections::BTreeMap;

/// Interruptions of one incident that are listed, newest kept.
const INTERRUPTIONS_MAX: usize = 20;
/// Changes of one incident that are listed, newest kept.
const CHANGES_MAX: usize = 200;
/// Kinds of events that incidents follow from.
pub const KINDS: [&str; 3] = [STATE_CHANGED, STATE_FOUND_AGAIN, OBSERVER_DOWN];
/// A mirror's state changed.
pub const STATE_CHANGED: &str = "state_changed";
/// A mirror is in the bad state in which it was before a start.
pub const STATE_FOUND_AGAIN: &str = "state_found_again";
/// Nobody was looking.
pub const OBSERVER_DOWN: &str = "observer_down";
/// Why nothing is said of a time in which a change came that is not known.
const NOT_KNOWN: &str = "when this began was not kept";

/// Why nothing is said of the first time of a start.
const NOT_SEEN: &str = "not looked at yet since the start";

/// A change of a mirror's state, as it was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// Number of the event; none where no event tells of it.
    pub event_id: Option<u64>,
    /// When, UTC milliseconds.
    pub at_ms: i64,
    /// What was told.
    pub what: What,
}

/// What was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A mirror's state changed, or was found again as it was before a start.
    Changed {
        /// Its id.
        mirror: String,
        /// From what.
        from: State,
        /// To what.
        to: State,
        /// Why, one sentence.
        why: String,
        /// Changes right before it that no event tells of.
        untold: u64,
        /// The start since which it was not known, UTC milliseconds; none where it was.
        unseen_since_ms: Option<i64>,
    },
    /// Nobody was looking until now; since when, UTC milliseconds, where that is known. How mirrors do has to be found again.
    Down(Option<i64>),
}

impl Told {
    /// Reads an event; none of another kind, or that cannot be read.
    #[must_use]
    pub fn of(event_id: u64, at_ms: i64, kind: &str, source: Option<&str>, detail: Option<&Value>) -> Option<Told> {
        let what = match kind {
            OBSERVER_DOWN => What::Down(detail.and_then(|d| d.get("since_unix_ms")?.as_i64())),
            STATE_CHANGED | STATE_FOUND_AGAIN => {
                let detail = detail?;
                let state = |name: &str| State::parse(detail.get(name)?.as_str()?);
                What::Changed {
                    mirror: source?.to_owned(),
                    from: state("from")?,
                    to: state("to")?,
                    why: detail.get("why").and_then(Value::as_str).unwrap_or_default().to_owned(),
                    untold: detail.get("untold").and_then(Value::as_u64).unwrap_or(0),
                    unseen_since_ms: detail.get("unseen_since_unix_ms").and_then(Value::as_i64),
                }
            }
            _ => return None,
        };
        Some(Told { event_id: Some(event_id), at_ms, what })
    }

    /// Whose state changed.
    #[must_use]
    pub fn mirror(&self) -> Option<&str> {
        match &self.what {
            What::Changed { mirror, .. } => Some(mirror),
            What::Down(_) => None,
        }
    }
}

/// Whether a state makes an incident.
#[must_use]
pub const fn is_incident(state: State) -> bool {
    matches!(state, State::Lagging | State::Stalled | State::Losing | State::Diverged)
}

/// How an incident stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The mirror is in a bad state.
    Open,
    /// It was when it could last be told.
    Interrupted,
    /// It was found well, or nothing bad was found after an interruption.
    Ended,
}

impl Phase {
    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Open => "open",
            Phase::Interrupted => "interrupted",
            Phase::Ended => "ended",
        }
    }
}

/// A time in an incident in which nothing could be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interruption {
    /// Its first millisecond, UTC.
    pub from_ms: i64,
    /// Its end; none while it goes on.
    pub to_ms: Option<i64>,
    /// The state that was shown.
    pub state: State,
    /// Why.
    pub why: String,
}

/// A change within an incident.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Turn {
    /// Number of the event.
    pub event_id: u64,
    /// When, UTC milliseconds.
    pub at_ms: i64,
    /// From what.
    pub from: State,
    /// To what.
    pub to: State,
    /// Why.
    pub why: String,
}

/// One incident.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Incident {
    /// Id of the mirror.
    pub mirror: String,
    /// When it began, UTC milliseconds.
    pub started_ms: i64,
    /// When it ended; none while it has not.
    pub ended_ms: Option<i64>,
    /// How it stands.
    pub phase: Phase,
    /// The bad state of now, or the last one.
    pub state: State,
    /// The worst of its states, and what was said of it when it was found first.
    pub worst: (State, String),
    /// For how long the mirror was found in a bad state until the last change, milliseconds.
    pub bad_ms: i64,
    /// Since when it is found in one without interruption; none while it is not.
    pub bad_since_ms: Option<i64>,
    /// Newest last, bounded.
    pub interruptions: Vec<Interruption>,
    /// Newest last, bounded.
    pub turns: Vec<Turn>,
    /// Changes that were not listed.
    pub untold: u64,
    /// When something of it was told last, UTC milliseconds.
    told_ms: i64,
}

impl Incident {
    fn new(mirror: &str, at_ms: i64, state: State, why: &str) -> Incident {
        Incident {
            mirror: mirror.to_owned(),
            started_ms: at_ms,
            ended_ms: None,
            phase: Phase::Open,
            state,
            worst: (state, why.to_owned()),
            bad_ms: 0,
            bad_since_ms: Some(at_ms),
            interruptions: Vec::new(),
            turns: Vec::new(),
            untold: 0,
            told_ms: at_ms,
        }
    }

    /// Name that stays: whose, and since when.
    #[must_use]
    pub fn id(&self) -> String {
        let at = super::time::rfc3339_ms(self.started_ms);
        let digits: String = at.chars().filter(|c| !matches!(c, '-' | ':' | '.')).collect();
        format!("{}-{digits}", self.mirror)
    }

    /// For how long the mirror was found in a bad state, milliseconds.
    #[must_use]
    pub fn bad_for_ms(&self, now_ms: i64) -> i64 {
        self.bad_ms + self.bad_since_ms.map_or(0, |since| now_ms.saturating_sub(since).max(0))
    }

    /// What is shown of the mirror now, and since when, where no change that was told led there. Times are UTC milliseconds.
    pub fn reconcile(&mut self, (since_ms, now_ms): (i64, i64), state: State, why: &str) {
        if is_incident(state) {
            self.goes_on(now_ms, state, why);
        } else if state == State::Ok || self.phase == Phase::Open {
            self.changed(since_ms.max(self.told_ms), state, why);
        }
    }

    /// What was shown of the mirror before a change: where that is not bad, it is not known when it became so. Since the start
    /// `unseen_since_ms` it is not known how long the mirror was as it was before.
    fn was(&mut self, from: State, unseen_since_ms: Option<i64>) {
        if !is_incident(from) {
            self.reconcile((self.told_ms, self.told_ms), from, NOT_KNOWN);
        }
        if let Some(since_ms) = unseen_since_ms {
            self.pause(since_ms, NOT_SEEN);
        }
    }

    /// Nobody looks any more: what was bad has to be found so again.
    fn pause(&mut self, at_ms: i64, why: &str) {
        if self.phase == Phase::Open {
            self.interrupt(at_ms, State::Unknown, why);
        }
    }

    /// The mirror changed.
    fn changed(&mut self, at_ms: i64, state: State, why: &str) {
        match state {
            State::Ok => self.end(at_ms),
            _ if is_incident(state) => self.goes_on(at_ms, state, why),
            _ => self.interrupt(at_ms, state, why),
        }
    }

    fn rest(&mut self, at_ms: i64) {
        self.bad_ms += self.bad_since_ms.take().map_or(0, |since| at_ms.saturating_sub(since).max(0));
    }

    fn interrupt(&mut self, at_ms: i64, state: State, why: &str) {
        self.end_interruption(at_ms);
        self.rest(at_ms);
        (self.phase, self.told_ms) = (Phase::Interrupted, at_ms);
        if self.interruptions.len() == INTERRUPTIONS_MAX {
            self.interruptions.remove(0);
        }
        self.interruptions.push(Interruption { from_ms: at_ms, to_ms: None, state, why: why.to_owned() });
    }

    fn end_interruption(&mut self, at_ms: i64) {
        if let Some(last) = self.interruptions.last_mut().filter(|i| i.to_ms.is_none()) {
            last.to_ms = Some(at_ms);
        }
    }

    fn goes_on(&mut self, at_ms: i64, state: State, why: &str) {
        self.end_interruption(at_ms);
        self.bad_since_ms.get_or_insert(at_ms);
        (self.phase, self.state, self.told_ms) = (Phase::Open, state, at_ms);
        // States are in the order from worst to best.
        if state < self.worst.0 {
            self.worst = (state, why.to_owned());
        }
    }

    /// The mirror was found well: it ended now, or when it could last be told.
    fn end(&mut self, at_ms: i64) {
        self.rest(at_ms);
        let interrupted = self.interruptions.last().filter(|i| i.to_ms.is_none()).map(|i| i.from_ms);
        self.end_interruption(at_ms);
        self.ended_ms = Some(interrupted.unwrap_or(at_ms));
        self.phase = Phase::Ended;
    }

    fn turn(&mut self, turn: Turn) {
        if self.turns.len() == CHANGES_MAX {
            self.turns.remove(0);
        }
        self.turns.push(turn);
    }
}

/// The incidents that these events tell of, which come oldest first; newest first.
pub fn incidents<'a>(told: impl Iterator<Item = &'a Told>) -> Vec<Incident> {
    let mut open: BTreeMap<&str, Incident> = BTreeMap::new();
    let mut ended = Vec::new();
    // Changes of each mirror that no event tells of, until the next one that an event tells of: that has their number.
    let mut untold: BTreeMap<&str, u64> = BTreeMap::new();
    for t in told {
        match &t.what {
            What::Down(since_ms) => {
                let since_ms = since_ms.unwrap_or(t.at_ms);
                for incident in open.values_mut() {
                    incident.pause(since_ms, "the observer was down");
                }
            }
            What::Changed { mirror, from, to, why, untold: before, unseen_since_ms } => {
                let mirror = mirror.as_str();
                let known = untold.entry(mirror).or_default();
                let not_listed = before.saturating_sub(*known) + u64::from(t.event_id.is_none());
                *known = if t.event_id.is_none() { *known + 1 } else { 0 };
                let mut goes_on = open.remove(mirror);
                if let Some(incident) = &mut goes_on {
                    incident.was(*from, *unseen_since_ms);
                }
                ended.extend(goes_on.take_if(|incident| incident.phase == Phase::Ended));
                let begins = || is_incident(*to).then(|| Incident::new(mirror, t.at_ms, *to, why));
                let Some(mut incident) = goes_on.or_else(begins) else { continue };
                incident.changed(t.at_ms, *to, why);
                incident.untold += not_listed;
                if let Some(event_id) = t.event_id.filter(|_| from != to) {
                    incident.turn(Turn { event_id, at_ms: t.at_ms, from: *from, to: *to, why: why.clone() });
                }
                if incident.phase == Phase::Ended {
                    ended.push(incident);
                } else {
                    open.insert(mirror, incident);
                }
            }
        }
    }
    ended.extend(open.into_values());
    ended.sort_by(|a, b| (b.started_ms, &a.mirror).cmp(&(a.started_ms, &b.mirror)));
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Disconnected, Diverged, Lagging, Losing, Ok, Unknown};

    fn told(rows: &[(i64, &str, State, State)]) -> Vec<Told> {
        let row = |(i, &(at_ms, mirror, from, to)): (usize, &(i64, &str, State, State))| Told {
            event_id: Some(i as u64),
            at_ms,
            what: What::Changed {
                mirror: mirror.to_owned(),
                from,
                to,
                why: format!("{} at {at_ms}", to.name()),
                untold: 0,
                unseen_since_ms: None,
            },
        };
        rows.iter().enumerate().map(row).collect()
    }

    fn of(rows: &[(i64, &str, State, State)]) -> Vec<Incident> {
        incidents(told(rows).iter())
    }

    #[test]
    fn one_span_is_one_incident_however_its_state_changes() {
        let found = of(&[
            (1_000, "a", Unknown, Ok),
            (2_000, "a", Ok, Lagging),
            (2_500, "b", Ok, Diverged),
            (3_000, "a", Lagging, Losing),
            (4_000, "a", Losing, Lagging),
            (5_000, "a", Lagging, Ok),
            (9_000, "a", Ok, Lagging),
        ]);
        let [again, b, a] = &found[..] else { panic!("{found:?}") };
        assert_eq!((a.started_ms, a.ended_ms, a.phase, a.state), (2_000, Some(5_000), Phase::Ended, Lagging));
        assert_eq!((&a.worst, a.turns.len()), (&(Losing, "losing at 3000".to_owned()), 4));
        assert_eq!(a.bad_for_ms(99_000), 3_000);
        assert_eq!((again.started_ms, again.phase, again.bad_for_ms(10_000)), (9_000, Phase::Open, 1_000));
        assert_eq!((&*b.mirror, b.worst.0, b.ended_ms), ("b", Diverged, None));
        assert_eq!(a.id(), "a-19700101T000002000Z");
    }

    #[test]
    fn what_cannot_be_told_interrupts_and_neither_begins_nor_blames() {
        assert_eq!(of(&[(1, "a", Ok, Unknown), (2, "a", Unknown, Disconnected), (3, "a", Disconnected, Ok)]), []);
        let rows = [
            (1_000, "a", Ok, Losing),
            (2_000, "a", Losing, Unknown),
            (3_000, "a", Unknown, Disconnected),
            (7_000, "a", Disconnected, Losing),
            (8_000, "a", Losing, Unknown),
            (9_000, "a", Unknown, Ok),
        ];
        let open = &of(&rows[..5])[0];
        assert_eq!((open.phase, open.ended_ms, open.bad_for_ms(50_000)), (Phase::Interrupted, None, 2_000));
        let ended = &of(&rows)[0];
        assert_eq!((ended.phase, ended.ended_ms), (Phase::Ended, Some(8_000)), "when it was last found bad");
        let spans: Vec<_> = ended.interruptions.iter().map(|i| (i.from_ms, i.to_ms, i.state)).collect();
        assert_eq!(
            spans,
            [(2_000, Some(3_000), Unknown), (3_000, Some(7_000), Disconnected), (8_000, Some(9_000), Unknown)]
        );
        assert_eq!(ended.bad_for_ms(50_000), 2_000);
    }

    /// A start found the mirror in this state, which it did not know since `unseen_since_ms`.
    fn found(at_ms: i64, from: State, to: State, unseen_since_ms: i64) -> Told {
        let mut told = told(&[(at_ms, "a", from, to)]).remove(0);
        if let What::Changed { unseen_since_ms: unseen, .. } = &mut told.what {
            *unseen = Some(unseen_since_ms);
        }
        told
    }

    #[test]
    fn a_time_in_which_nobody_looked_or_knew_is_not_counted() {
        let mut all = told(&[(1_000, "a", Ok, Losing), (9_000, "a", Losing, Ok)]);
        all.insert(1, Told { event_id: Some(7), at_ms: 8_000, what: What::Down(Some(3_000)) });
        all.insert(2, found(8_400, Losing, Losing, 8_000));
        let starting = &incidents(all[..2].iter())[0];
        assert_eq!((starting.phase, starting.bad_for_ms(8_300)), (Phase::Interrupted, 2_000), "shown as unknown");
        let a = &incidents(all.iter())[0];
        assert_eq!((a.bad_for_ms(0), a.ended_ms), (2_600, Some(9_000)));
        assert_eq!((a.interruptions[0].from_ms, a.interruptions[0].to_ms), (3_000, Some(8_400)));
        assert_eq!((a.worst.0, a.turns.len()), (Losing, 2));
    }

    #[test]
    fn what_a_start_finds_otherwise_ended_before_it() {
        let down = Told { event_id: Some(7), at_ms: 8_000, what: What::Down(Some(3_000)) };
        let begin = || told(&[(1_000, "a", Ok, Losing)]).remove(0);
        let ended = &incidents([begin(), down, found(8_400, Losing, Ok, 8_000)].iter())[0];
        assert_eq!((ended.phase, ended.ended_ms, ended.bad_for_ms(0)), (Phase::Ended, Some(3_000), 2_000));
        // A start that nobody had to wait for.
        let again = &incidents([begin(), found(8_400, Losing, Losing, 8_000)].iter())[0];
        assert_eq!((again.phase, again.bad_for_ms(9_000)), (Phase::Open, 7_000 + 600));
        let ended = &incidents([begin(), found(8_400, Losing, Ok, 8_000)].iter())[0];
        assert_eq!((ended.ended_ms, ended.bad_for_ms(0)), (Some(8_000), 7_000));
    }

    #[test]
    fn a_change_that_is_not_known_ends_what_was_bad_when_it_was_told_last() {
        let rows = [(1_000, "a", Ok, Losing), (2_000, "a", Losing, Lagging), (900_000, "a", Ok, Losing)];
        let [again, first] = &of(&rows)[..] else { panic!() };
        assert_eq!((first.phase, first.ended_ms, first.bad_for_ms(0)), (Phase::Ended, Some(2_000), 1_000));
        assert_eq!((again.phase, again.started_ms), (Phase::Open, 900_000));
        let rows = [(1_000, "a", Ok, Losing), (2_000, "a", Losing, Lagging), (900_000, "a", Disconnected, Losing)];
        let [a] = &of(&rows)[..] else { panic!() };
        assert_eq!((a.phase, a.bad_for_ms(900_500)), (Phase::Open, 1_500));
        assert_eq!((a.interruptions[0].from_ms, a.interruptions[0].to_ms), (2_000, Some(900_000)));
    }

    #[test]
    fn what_is_shown_now_ends_or_interrupts_what_no_change_did() {
        let of = |state, since_ms| {
            let mut a = of(&[(1_000, "a", Ok, Losing), (5_000, "a", Losing, Lagging)]).remove(0);
            a.reconcile((since_ms, 99_000), state, "now");
            (a.phase, a.ended_ms, a.bad_for_ms(99_000))
        };
        assert_eq!(of(Ok, 7_000), (Phase::Ended, Some(7_000), 6_000));
        assert_eq!(of(Ok, 2_000), (Phase::Ended, Some(5_000), 4_000), "not before what was told");
        assert_eq!(of(Disconnected, 7_000), (Phase::Interrupted, None, 6_000));
        assert_eq!(of(Losing, 1_000), (Phase::Open, None, 98_000), "as it was told");
    }

    #[test]
    fn what_no_event_tells_of_is_part_of_it_and_counted_once() {
        let mut all = told(&[
            (1_000, "a", Ok, Losing),
            (2_000, "a", Losing, Lagging),
            (3_000, "a", Lagging, Losing),
            (4_000, "a", Losing, Lagging),
            (6_000, "a", Lagging, Ok),
        ]);
        let untold_at = |all: &mut Vec<Told>, places: &[usize], last: usize| {
            for &i in places {
                all[i].event_id = None;
            }
            if let What::Changed { untold, .. } = &mut all[last].what {
                *untold = places.len() as u64;
            }
        };
        untold_at(&mut all, &[1, 2], 3);
        let a = &incidents(all.iter())[0];
        assert_eq!((a.turns.len(), a.untold, a.ended_ms, a.bad_for_ms(0)), (3, 2, Some(6_000), 5_000));
        all[4].event_id = None;
        let a = &incidents(all.iter())[0];
        assert_eq!((a.turns.len(), a.untold, a.ended_ms), (2, 3, Some(6_000)));
    }

    #[test]
    fn lists_are_bounded_and_what_was_not_listed_is_counted() {
        let mut all = Vec::new();
        for n in 0..500 {
            all.push((n * 10, "a", Unknown, Losing));
            all.push((n * 10 + 5, "a", Losing, Unknown));
        }
        let mut all = told(&all);
        if let What::Changed { untold, .. } = &mut all[9].what {
            *untold = 4;
        }
        let found = incidents(all.iter());
        let a = &found[0];
        assert_eq!(
            (found.len(), a.interruptions.len(), a.turns.len(), a.untold),
            (1, INTERRUPTIONS_MAX, CHANGES_MAX, 4)
        );
        assert_eq!((a.bad_for_ms(0), a.interruptions.last().unwrap().from_ms), (2_500, 4_995));
    }

    #[test]
    fn events_are_read_and_others_are_not() {
        let detail = serde_json::json!({ "from": "ok", "to": "losing", "why": "w", "untold": 2 });
        let t = Told::of(3, 5, "state_changed", Some("a"), Some(&detail)).unwrap();
        let (mirror, why) = ("a".to_owned(), "w".to_owned());
        let what = What::Changed { mirror, from: Ok, to: Losing, why, untold: 2, unseen_since_ms: None };
        assert_eq!(t, Told { event_id: Some(3), at_ms: 5, what });
        assert_eq!(Told::of(3, 5, "state_changed", None, Some(&detail)), None);
        assert_eq!(Told::of(3, 5, "state_changed", Some("a"), None), None);
        assert_eq!(Told::of(3, 5, "link_waiting", Some("a"), Some(&detail)), None);
        assert_eq!(Told::of(3, 5, "observer_down", None, None).unwrap().what, What::Down(None));
    }
}
