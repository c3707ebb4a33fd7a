//! How far behind every mirror is, noted once a second.

use super::Ledger;
use super::capture::FRESH_NS;
use super::state::MirrorState;
use crate::domain::time::{SECOND, Tau};
use std::sync::Arc;

impl Ledger {
    /// Operations of the primary that are newer than the newest one that the mirror has, and the primary's arrival of the
    /// first of them.
    pub(super) fn behind(&self, i: usize, m: &MirrorState) -> (u64, Option<Tau>) {
        let first_newer = m.head.map_or(self.ring.base(), |h| h + 1);
        self.lacking(i, first_newer)
    }

    /// Notes how far behind every mirror is, when a second has passed.
    pub(super) fn note_heads(&mut self) {
        if self.now.since(self.trailed_at) < SECOND {
            return;
        }
        self.trailed_at = self.now;
        let at_ms = self.labels.utc_ms(self.now);
        let heads: Vec<_> = (0..).zip(&self.mirrors).map(|(i, m)| self.head(i, m)).collect();
        for (m, head) in self.mirrors.iter_mut().zip(heads) {
            Arc::make_mut(&mut m.source.trail).head(at_ms, head);
        }
    }

    /// How many operations the mirror is behind and for how long, nanoseconds; none while its window does not reach now.
    fn head(&self, i: usize, m: &MirrorState) -> Option<(u64, i64)> {
        let windows = &m.source.windows;
        if !windows.is_open() || self.now.since(windows.proved()) > FRESH_NS {
            return None;
        }
        let (ops, since) = self.behind(i, m);
        Some((ops, since.map_or(0, |since| self.now.since(since).max(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{M, at, ledger, op, ticks};
    use crate::domain::address::Peer;
    use crate::domain::source::SourceIx;
    use crate::domain::verdict::Mode;

    #[test]
    fn the_worst_second_of_a_step_is_kept_and_what_is_not_proved_is_not_told() {
        let mut l = ledger(1);
        for s in [SourceIx::PRIMARY, M] {
            l.prove(s, at(29_000));
        }
        l.arrive(SourceIx::PRIMARY, &op(1, at(5_000)), at(5_000), Mode::Live);
        ticks(&mut l, 9_000);
        l.arrive(M, &op(1, at(5_000)), at(9_100), Mode::Live);
        ticks(&mut l, 100_000);
        let peer = Peer::from(([127, 0, 0, 1], 1));
        for rtt_ns in [7_000, 5_000, 9_000] {
            l.rtt(M, at(100_000), peer, rtt_ns);
        }
        let trail = &l.source(M).unwrap().trail;
        let first_at_ms = trail.steps().next().unwrap().at_ms;
        assert_eq!(first_at_ms % 30_000, 0);
        let worst = trail.steps().filter_map(|s| s.head).max().unwrap();
        assert_eq!(worst.0, 1);
        assert!((3_900_000_000..=4_100_000_000).contains(&worst.1), "{worst:?}");
        let last = trail.steps().last().unwrap();
        assert_eq!(last.head, None, "nothing is proved for more than 15 s");
        assert_eq!((last.tcp.map(|t| (t.min_ns, t.max_ns, t.samples)), last.tcp_info), (Some((5_000, 9_000, 3)), None));
    }
}
