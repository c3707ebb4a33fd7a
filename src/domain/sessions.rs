//! When the link of one source was up, how each time ended, and for how much of the time it was up.

use super::time::{Span, Tau};
use std::collections::{BTreeSet, VecDeque};

/// Sessions that are remembered of one source; the oldest are forgotten first.
pub const SESSIONS_MAX: usize = 2_048;

/// What ended a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The source, with a close code (1006 without one) and the reason that was given.
    Closed(u16, String),
    /// The connection was lost, or given up; why, in one line.
    Lost(String),
    /// The observer stopped, began anew, or was ended by force: the source has no part in it.
    ByObserver,
}

impl Ended {
    /// Whose doing it was, as the API calls it.
    #[must_use]
    pub const fn by(&self) -> &'static str {
        match self {
            Ended::Closed(..) => "source",
            Ended::Lost(_) => "link",
            Ended::ByObserver => "observer",
        }
    }

    /// The close code; none where there was no close.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        if let Ended::Closed(code, _) = self { Some(*code) } else { None }
    }

    /// Why, for people.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Ended::Closed(_, reason) | Ended::Lost(reason) => reason,
            Ended::ByObserver => "the observer ended",
        }
    }

    /// What a close code and a reason stand for that [`Ended::code`] and [`Ended::reason`] gave.
    #[must_use]
    pub fn from_parts(code: Option<u16>, reason: String) -> Ended {
        match code {
            Some(code) => Ended::Closed(code, reason),
            None if reason == Ended::ByObserver.reason() => Ended::ByObserver,
            None => Ended::Lost(reason),
        }
    }
}

/// One time at which the link was up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// From when to when; one that goes on has no end.
    pub span: Span,
    /// How it ended; none while it goes on.
    pub ended: Option<Ended>,
    /// The source's own number that it was resumed from.
    pub resumed_from: Option<u64>,
    /// Whether nothing was missing before it, or all of that was filled in.
    pub is_filled: bool,
}

/// The times at which one link was up.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Since when the present run watches.
    watched_since: Option<Tau>,
    /// Oldest first; the last one may go on.
    all: VecDeque<Session>,
    /// Beginnings of those that changed since they were taken to be kept.
    changed: BTreeSet<Tau>,
}

impl Sessions {
    /// Those of a run before, oldest first; one that went on then was ended by the observer at `saved`, the instant through
    /// which everything was kept.
    #[must_use]
    pub fn restored(kept: Vec<Session>, saved: Tau) -> Sessions {
        let mut sessions = Sessions::default();
        for mut session in kept {
            if session.ended.is_none() {
                session.span.to = saved.max(session.span.from);
                session.ended = Some(Ended::ByObserver);
                sessions.changed.insert(session.span.from);
            }
            sessions.push(session);
        }
        sessions
    }

    /// The link is watched since `at`.
    pub fn watch(&mut self, at: Tau) {
        self.watched_since = self.watched_since.or(Some(at));
    }

    /// The link is up since `at`.
    pub fn up(&mut self, at: Tau, resumed_from: Option<u64>) {
        self.watch(at);
        if self.open().is_none() {
            let span = Span { from: at, to: Tau::MAX };
            self.push(Session { span, ended: None, resumed_from, is_filled: false });
            self.changed.insert(at);
        }
    }

    /// Nothing is missing before the session that goes on.
    pub fn filled(&mut self) {
        if let Some(open) = self.open().filter(|open| !open.is_filled) {
            open.is_filled = true;
            let from = open.span.from;
            self.changed.insert(from);
        }
    }

    /// The link is down since `at`.
    pub fn down(&mut self, at: Tau, ended: Ended) {
        self.watch(at);
        if let Some(open) = self.open() {
            let from = open.span.from;
            (open.span.to, open.ended) = (at.max(from), Some(ended));
            self.changed.insert(from);
        }
    }

    fn open(&mut self) -> Option<&mut Session> {
        self.all.back_mut().filter(|last| last.ended.is_none())
    }

    fn push(&mut self, session: Session) {
        if self.all.len() == SESSIONS_MAX
            && let Some(gone) = self.all.pop_front()
        {
            self.watched_since = self.watched_since.map(|since| since.max(gone.span.to));
            self.changed.remove(&gone.span.from);
        }
        self.all.push_back(session);
    }

    /// Those that changed since this was asked last, to be kept.
    pub fn take_changed(&mut self) -> Vec<Session> {
        let changed = std::mem::take(&mut self.changed);
        let first = changed.first().map_or(self.all.len(), |at| self.all.partition_point(|s| s.span.from < *at));
        self.all.iter().skip(first).filter(|s| changed.contains(&s.span.from)).cloned().collect()
    }

    /// The latest, oldest first, at most `max`.
    #[must_use]
    pub fn latest(&self, max: usize) -> Vec<Session> {
        self.all.iter().skip(self.all.len().saturating_sub(max)).cloned().collect()
    }

    /// Connected time over the time in `[now − horizon_ns, now)` that the present run watched and that is not in `impaired`;
    /// none when there is none.
    #[must_use]
    pub fn connected_ratio(&self, now: Tau, horizon_ns: i64, impaired: &[Span]) -> Option<f64> {
        let from = self.watched_since?.max(now.plus(-horizon_ns));
        let lost: i64 = impaired.iter().map(|s| s.overlap_ns(from, now)).sum();
        let watched = now.since(from) - lost;
        if watched <= 0 {
            return None;
        }
        let recent = self.all.iter().rev().map(|s| s.span).take_while(|s| s.to > from);
        let up: i64 = recent
            .map(|s| {
                let within: i64 = impaired.iter().map(|i| i.overlap_ns(s.from.max(from), s.to.min(now))).sum();
                s.overlap_ns(from, now) - within
            })
            .sum();
        Some((up as f64 / watched as f64).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Ended {
        Ended::Lost("no bytes for 15 s".to_owned())
    }

    fn spans(sessions: &Sessions, max: usize) -> Vec<(i64, i64)> {
        sessions.latest(max).iter().map(|s| (s.span.from.0, s.span.to.0)).collect()
    }

    #[test]
    fn the_share_of_the_watched_time() {
        let mut s = Sessions::default();
        assert_eq!(s.connected_ratio(Tau(10), 100, &[]), None);
        s.watch(Tau(0));
        s.up(Tau(10), None);
        s.down(Tau(30), lost());
        s.up(Tau(40), Some(7));
        assert_eq!(s.connected_ratio(Tau(50), 1_000, &[]), Some(0.6));
        assert_eq!(s.connected_ratio(Tau(50), 20, &[]), Some(0.5));
        assert_eq!(spans(&s, 1), [(40, i64::MAX)]);
        assert_eq!(spans(&s, 9), [(10, 30), (40, i64::MAX)]);
        let ours = [Span { from: Tau(30), to: Tau(40) }];
        assert_eq!(s.connected_ratio(Tau(50), 20, &ours), Some(1.0), "our own downtime is nobody's");
    }

    #[test]
    fn each_change_is_taken_once_with_what_ended_it() {
        let mut s = Sessions::default();
        s.up(Tau(10), Some(7));
        s.up(Tau(11), Some(8));
        s.filled();
        let open =
            Session { span: Span { from: Tau(10), to: Tau::MAX }, ended: None, resumed_from: Some(7), is_filled: true };
        assert_eq!(s.take_changed(), std::slice::from_ref(&open));
        s.filled();
        assert_eq!(s.take_changed(), []);
        s.down(Tau(20), Ended::Closed(1000, "ConsumerTooSlow".to_owned()));
        s.down(Tau(21), lost());
        s.filled();
        let closed = Session {
            span: Span { from: Tau(10), to: Tau(20) },
            ended: Some(Ended::Closed(1000, "ConsumerTooSlow".to_owned())),
            ..open
        };
        assert_eq!((s.latest(9), s.take_changed()), (vec![closed.clone()], vec![closed]));
    }

    #[test]
    fn what_went_on_when_the_observer_ended_was_ended_by_it_and_counts_for_nothing() {
        let mut before = Sessions::default();
        before.up(Tau(10), None);
        before.down(Tau(20), lost());
        before.up(Tau(30), None);
        let mut s = Sessions::restored(before.latest(9), Tau(50));
        assert_eq!(spans(&s, 9), [(10, 20), (30, 50)]);
        assert_eq!(s.latest(1)[0].ended, Some(Ended::ByObserver));
        assert_eq!(s.take_changed().len(), 1, "the end is to be kept, and nothing else");
        assert_eq!(s.connected_ratio(Tau(80), 1_000, &[]), None);
        s.watch(Tau(80));
        s.up(Tau(90), None);
        assert_eq!(s.connected_ratio(Tau(100), 1_000, &[]), Some(0.5), "nobody watched while it was down");
    }

    #[test]
    fn they_are_bounded() {
        let mut s = Sessions::default();
        for n in 0..SESSIONS_MAX as i64 + 5 {
            s.up(Tau(10 * n), None);
            s.down(Tau(10 * n + 4), lost());
        }
        assert_eq!((s.all.len(), s.changed.len(), s.watched_since), (SESSIONS_MAX, SESSIONS_MAX, Some(Tau(44))));
        assert_eq!(s.take_changed().len(), SESSIONS_MAX);
    }

    #[test]
    fn an_end_is_told_by_its_code_and_reason() {
        for ended in [Ended::Closed(1000, "the observer ended".to_owned()), lost(), Ended::ByObserver] {
            assert_eq!(Ended::from_parts(ended.code(), ended.reason().to_owned()), ended);
        }
    }
}
