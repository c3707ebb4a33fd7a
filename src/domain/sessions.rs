//! For how much of the time a link was up.

use super::time::{Span, Tau};
use std::collections::VecDeque;

/// Sessions that are remembered of one source.
const SESSIONS_MAX: usize = 2_048;

/// The times at which one link was up.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    watched_since: Option<Tau>,
    up: VecDeque<Span>,
    up_since: Option<Tau>,
}

impl Sessions {
    /// The link is watched since `at`.
    pub fn watch(&mut self, at: Tau) {
        self.watched_since = self.watched_since.or(Some(at));
    }

    /// The link is up since `at`.
    pub fn up(&mut self, at: Tau) {
        self.watch(at);
        self.up_since = self.up_since.or(Some(at));
    }

    /// The link is down since `at`.
    pub fn down(&mut self, at: Tau) {
        self.watch(at);
        if let Some(from) = self.up_since.take() {
            if self.up.len() == SESSIONS_MAX
                && let Some(gone) = self.up.pop_front()
            {
                self.watched_since = Some(gone.to);
            }
            self.up.push_back(Span { from, to: at.max(from) });
        }
    }

    /// The latest times at which the link was up, oldest first, at most `max`; one that goes on has no end.
    #[must_use]
    pub fn latest(&self, max: usize) -> Vec<Span> {
        let open = self.up_since.map(|from| Span { from, to: Tau::MAX });
        let closed = max.saturating_sub(usize::from(open.is_some())).min(self.up.len());
        self.up.iter().skip(self.up.len() - closed).copied().chain(open).collect()
    }

    /// Connected time over the time in `[now − horizon_ns, now)` that was watched and not in `impaired`; none when there is none.
    #[must_use]
    pub fn connected_ratio(&self, now: Tau, horizon_ns: i64, impaired: &[Span]) -> Option<f64> {
        let from = self.watched_since?.max(now.plus(-horizon_ns));
        let lost: i64 = impaired.iter().map(|s| s.overlap_ns(from, now)).sum();
        let watched = now.since(from) - lost;
        if watched <= 0 {
            return None;
        }
        let open = self.up_since.map(|since| Span { from: since, to: now });
        let up: i64 = self
            .up
            .iter()
            .chain(open.as_ref())
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

    #[test]
    fn the_share_of_the_watched_time() {
        let mut s = Sessions::default();
        assert_eq!(s.connected_ratio(Tau(10), 100, &[]), None);
        s.watch(Tau(0));
        s.up(Tau(10));
        s.down(Tau(30));
        s.up(Tau(40));
        assert_eq!(s.connected_ratio(Tau(50), 1_000, &[]), Some(0.6));
        assert_eq!(s.connected_ratio(Tau(50), 20, &[]), Some(0.5));
        assert_eq!(s.latest(1), [Span { from: Tau(40), to: Tau::MAX }]);
        assert_eq!(s.latest(9), [Span { from: Tau(10), to: Tau(30) }, Span { from: Tau(40), to: Tau::MAX }]);
        let ours = [Span { from: Tau(30), to: Tau(40) }];
        assert_eq!(s.connected_ratio(Tau(50), 20, &ours), Some(1.0), "our own downtime is nobody's");
    }
}
