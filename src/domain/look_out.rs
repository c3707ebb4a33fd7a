//! Looking operations up at a mirror that serves nothing but single DIDs: which one next, and what its answers prove.
//!
//! Every operation of the sample is looked for soon after the primary published it, then again at growing distances, until
//! it is visible or decided. The time since the answer before is how exactly its instant is known. The window is proved
//! through the oldest look at any operation that is not visible yet: what is decided as missed was looked for after its
//! deadline. What cannot be told from the answers is let go and judged by nobody.

mod budget;

pub use budget::Budget;

use super::cid::Cid;
use super::did::Did;
use super::op::{Kind, OpKey};
use super::sampling::Sought;
use super::time::{MS, SECOND, Tau};
use super::verdict::Mode;

/// From the primary's arrival to the first look, nanoseconds.
const FIRST_NS: i64 = 500 * MS;
/// Distances of the looks after it, nanoseconds; the last one goes on.
const GAPS_NS: [i64; 8] = [SECOND, SECOND, SECOND, 2 * SECOND, 2 * SECOND, 4 * SECOND, 4 * SECOND, LONGEST_GAP_NS];
/// The longest distance between two looks at one operation.
pub const LONGEST_GAP_NS: i64 = 8 * SECOND;
/// A first look within this time tells a lag.
const FIRST_LIVE_NS: i64 = 2 * SECOND;

/// What a host answered about one DID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// Its whole log, as CIDs.
    Log(Vec<Cid>),
    /// Its last operation.
    Last(Cid),
    /// It does not know the DID, or does not show it any more.
    Absent,
    /// The DID is gone: it was tombstoned.
    Gone,
}

/// What an answer says of an operation.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Sight {
    /// It is visible: how its instant counts, and how much earlier it may have been visible, nanoseconds.
    Visible(OpKey, Mode, i64),
    /// It cannot be told.
    Untold(OpKey),
}

/// One operation that is looked for.
#[derive(Clone, Debug)]
struct Watched {
    sought: Sought,
    /// Not visible before, as far as is known.
    lower: Tau,
    due: Tau,
    looks: u32,
    /// The DID was shown to be there.
    was_shown: bool,
}

impl Watched {
    fn gap_ns(&self) -> i64 {
        let later = self.looks.checked_sub(1).map(|i| GAPS_NS.get(i as usize).copied().unwrap_or(LONGEST_GAP_NS));
        later.unwrap_or(FIRST_LIVE_NS / 2)
    }

    fn visible(&self, asked_at: Tau) -> Sight {
        let resolution_ns = asked_at.since(self.lower).max(0);
        let mode = if resolution_ns <= 2 * self.gap_ns() { Mode::Live } else { Mode::Filled };
        Sight::Visible(self.sought.key, mode, resolution_ns)
    }

    /// What the answer says of it; none when it is not visible.
    fn sight(&mut self, shown: &Shown, asked_at: Tau) -> Option<Sight> {
        let key = self.sought.key;
        let is_tombstone = self.sought.kind == Kind::Tombstone;
        match shown {
            Shown::Log(cids) => {
                self.was_shown = true;
                cids.contains(&key.cid).then(|| self.visible(asked_at))
            }
            Shown::Last(cid) if *cid == key.cid => Some(self.visible(asked_at)),
            Shown::Last(cid) if self.sought.prev == Some(*cid) => {
                self.was_shown = true;
                None
            }
            // A tombstone makes a DID disappear that was there.
            Shown::Absent if is_tombstone && self.was_shown => Some(self.visible(asked_at)),
            Shown::Absent if is_tombstone => Some(Sight::Untold(key)),
            Shown::Absent => None,
            Shown::Gone if is_tombstone => Some(self.visible(asked_at)),
            // What is shown last may follow it, or not; what is gone shows nothing of what was there.
            Shown::Last(_) | Shown::Gone => Some(Sight::Untold(key)),
        }
    }
}

/// The operations that are looked for at one mirror.
#[derive(Clone, Debug, Default)]
pub struct LookOut {
    watched: Vec<Watched>,
    max: usize,
}

impl LookOut {
    /// A look-out for at most `max` operations at a time.
    #[must_use]
    pub fn new(max: usize) -> LookOut {
        LookOut { watched: Vec::new(), max }
    }

    /// Takes an operation; whether there was room.
    #[must_use]
    pub fn add(&mut self, sought: Sought) -> bool {
        if self.watched.len() >= self.max {
            return false;
        }
        let due = sought.p.plus(FIRST_NS);
        self.watched.push(Watched { sought, lower: sought.p, due, looks: 0, was_shown: false });
        true
    }

    /// The DID to ask about next, and when.
    #[must_use]
    pub fn next(&self) -> Option<(Did, Tau)> {
        self.watched.iter().min_by_key(|w| w.due).map(|w| (w.sought.key.did, w.due))
    }

    /// Takes an answer about a DID that was asked for at `asked_at`: what it says of the operations that are looked for, and
    /// how many looks those have had.
    pub fn answered(&mut self, did: Did, shown: &Shown, asked_at: Tau) -> Vec<(Sight, u32)> {
        let mut sights = Vec::new();
        self.watched.retain_mut(|w| {
            if w.sought.key.did != did || asked_at < w.sought.p {
                return true;
            }
            let sight = w.sight(shown, asked_at);
            w.looks += 1;
            if let Some(sight) = sight {
                sights.push((sight, w.looks));
                return false;
            }
            (w.lower, w.due) = (asked_at, asked_at.plus(w.gap_ns()));
            true
        });
        sights
    }

    /// Asking about a DID came to nothing: it is asked about again after `wait_ns`.
    pub fn failed(&mut self, did: Did, now: Tau, wait_ns: i64) {
        for w in self.watched.iter_mut().filter(|w| w.sought.key.did == did) {
            w.due = now.plus(wait_ns);
        }
    }

    /// Operations that were looked for after `grace_ns`: they may be decided.
    #[must_use]
    pub fn overdue(&self, grace_ns: i64) -> Vec<OpKey> {
        self.watched.iter().filter(|w| w.lower >= w.sought.p.plus(grace_ns)).map(|w| w.sought.key).collect()
    }

    /// They are decided: they are looked for no more.
    pub fn decided(&mut self, keys: &[OpKey]) {
        self.watched.retain(|w| !keys.contains(&w.sought.key));
    }

    /// The instant through which everything that is looked for has been; `last` when nothing is.
    #[must_use]
    pub fn proved(&self, last: Tau) -> Tau {
        self.watched.iter().map(|w| w.lower).min().map_or(last, |lower| lower.min(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sought(n: u8, kind: Kind, p: Tau) -> Sought {
        Sought {
            key: OpKey { did: Did([n / 10; 15]), cid: Cid([n; 32]) },
            kind,
            p,
            created_ms: 0,
            prev: Some(Cid([n - 1; 32])),
        }
    }

    fn ms(ms: i64) -> Tau {
        Tau(ms * MS)
    }

    fn update(n: u8, p_ms: i64) -> Sought {
        sought(n, Kind::Update, ms(p_ms))
    }

    /// One answer to a look-out for one operation.
    fn answer(l: &mut LookOut, did: u8, shown: &Shown, at_ms: i64) -> Vec<Sight> {
        l.answered(Did([did; 15]), shown, ms(at_ms)).into_iter().map(|s| s.0).collect()
    }

    #[test]
    fn an_operation_is_looked_for_at_growing_distances_until_it_is_visible() {
        let mut l = LookOut::new(10);
        assert!(l.add(update(11, 0)));
        let mut asked = Vec::new();
        for _ in 0..10 {
            let (did, due) = l.next().unwrap();
            asked.push(due.0 / MS);
            assert!(l.answered(did, &Shown::Log(vec![Cid([1; 32])]), due).is_empty());
        }
        assert_eq!(asked, [500, 1_500, 2_500, 3_500, 5_500, 7_500, 11_500, 15_500, 23_500, 31_500]);
        let seen = answer(&mut l, 1, &Shown::Log(vec![Cid([1; 32]), Cid([11; 32])]), 39_500);
        assert_eq!(seen, [Sight::Visible(update(11, 0).key, Mode::Live, 8 * SECOND)]);
        assert_eq!(l.next(), None);
    }

    #[test]
    fn a_look_that_came_too_late_tells_no_lag() {
        let mut l = LookOut::new(10);
        let log = Shown::Log(vec![Cid([11; 32]), Cid([12; 32])]);
        assert!(l.add(update(11, 0)) && l.add(update(12, 20_000)));
        let seen = answer(&mut l, 1, &log, 21_000);
        let [a, b] = [update(11, 0).key, update(12, 0).key];
        assert_eq!(seen, [Sight::Visible(a, Mode::Filled, 21 * SECOND), Sight::Visible(b, Mode::Live, SECOND)]);
    }

    #[test]
    fn the_window_is_proved_through_the_oldest_look_at_what_is_not_visible() {
        let mut l = LookOut::new(2);
        assert_eq!(l.proved(ms(900)), ms(900), "nothing is looked for");
        assert!(l.add(update(11, 1_000)) && l.add(update(21, 2_000)));
        assert!(!l.add(update(31, 2_500)), "no room");
        assert_eq!(l.proved(ms(3_000)), ms(1_000), "never asked about");
        answer(&mut l, 1, &Shown::Absent, 3_000);
        assert_eq!(l.proved(ms(3_000)), ms(2_000));
        answer(&mut l, 2, &Shown::Absent, 4_000);
        assert_eq!(l.proved(ms(4_000)), ms(3_000));
        assert_eq!(l.overdue(1_500 * MS), [update(11, 0).key, update(21, 0).key]);
        l.decided(&[update(11, 0).key]);
        assert_eq!(l.proved(ms(4_000)), ms(4_000));
        l.failed(Did([2; 15]), ms(5_000), SECOND);
        assert_eq!(l.next(), Some((Did([2; 15]), ms(6_000))));
        assert_eq!(l.proved(ms(9_000)), ms(4_000), "a failure proves nothing");
    }

    #[test]
    fn tombstones_make_dids_disappear() {
        let visible = |shown: &[Shown]| {
            let mut l = LookOut::new(1);
            assert!(l.add(sought(11, Kind::Tombstone, ms(0))));
            let sights = (1..).zip(shown).flat_map(|(i, s)| answer(&mut l, 1, s, 500 * i)).collect::<Vec<_>>();
            sights.first().map(|s| matches!(s, Sight::Visible(..)))
        };
        let there = Shown::Log(vec![Cid([1; 32])]);
        assert_eq!(visible(&[Shown::Gone]), Some(true));
        assert_eq!(visible(&[there.clone(), Shown::Absent]), Some(true));
        assert_eq!(visible(&[Shown::Absent]), Some(false), "it may never have known the DID");
        assert_eq!(visible(&[there]), None);
        let mut l = LookOut::new(1);
        assert!(l.add(update(11, 0)));
        assert_eq!(answer(&mut l, 1, &Shown::Gone, 500), [Sight::Untold(update(11, 0).key)]);
    }

    #[test]
    fn a_host_that_shows_the_last_operation_alone_is_not_blamed_for_what_follows() {
        let last = |cid: u8| Shown::Last(Cid([cid; 32]));
        let look = |shown: &[Shown]| {
            let mut l = LookOut::new(1);
            assert!(l.add(update(12, 0)));
            (1..).zip(shown).flat_map(|(i, s)| answer(&mut l, 1, s, 500 * i)).collect::<Vec<_>>()
        };
        assert!(matches!(look(&[last(11), last(12)])[..], [Sight::Visible(..)]));
        assert_eq!(look(&[last(11), last(13)]), [Sight::Untold(update(12, 0).key)], "it may follow");
        assert_eq!(look(&[last(11), last(11), Shown::Absent]), [], "still the one before it");
    }
}
