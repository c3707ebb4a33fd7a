//! Looking operations up at a mirror that serves nothing but single DIDs: which one next, and what its answers prove.
//!
//! Every operation of the sample is looked for soon after the primary published it, then again at growing distances, until
//! it is visible or decided. The time since the answer before is how exactly its instant is known. The window is proved
//! through the oldest look at any operation that is not visible yet: what is decided as missed was looked for after its
//! deadline. What cannot be told from the answers is let go and judged by nobody.

mod budget;

pub use budget::{Budget, looks_of_missed};

use super::audit_log::LogEntry;
use super::cid::Cid;
use super::did::Did;
use super::frame::Claim;
use super::op::{Kind, OpKey};
use super::sampling::Sought;
use super::time::{MS, SECOND, Tau};
use super::verdict::Mode;
use super::window::GAP_LIMIT_NS;

/// From the primary's arrival to the first look, nanoseconds.
const FIRST_NS: i64 = 500 * MS;
/// Distances of the looks after it, nanoseconds; the last one goes on.
const GAPS_NS: [i64; 8] = [SECOND, SECOND, SECOND, 2 * SECOND, 2 * SECOND, 4 * SECOND, 4 * SECOND, LONGEST_GAP_NS];
/// The longest distance between two looks at one operation.
pub const LONGEST_GAP_NS: i64 = 8 * SECOND;
/// Looks at one operation that fail while the host answers about other DIDs, until it is let go.
const FAILED_LOOKS_MAX: u32 = 6;
/// A first look within this time tells a lag.
const FIRST_LIVE_NS: i64 = 2 * SECOND;

/// What a host answered about one DID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// Its whole log.
    Log(Vec<Listed>),
    /// Its last operation.
    Last(Cid),
    /// It does not know the DID, or does not show it any more.
    Absent,
    /// The DID is gone: it was tombstoned.
    Gone,
}

/// One entry of a host's log, without its content.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Recomputed from the content.
    pub cid: Cid,
    /// As the host states it; none when what it states is no CID.
    pub claimed: Option<Cid>,
    /// Whose operation it is, as the host states it.
    pub did: Did,
    /// `createdAt` as the host states it, milliseconds since 1970.
    pub created_ms: i64,
}

impl Listed {
    /// What the host claims of it, where the content contradicts that.
    #[must_use]
    pub fn claim(&self) -> Option<Claim> {
        let claimed = self.claimed.filter(|claimed| *claimed != self.cid)?;
        Some(Claim { key: OpKey { did: self.did, cid: claimed }, seq: None, computed: self.cid })
    }

    fn is_true(&self) -> bool {
        self.claimed == Some(self.cid)
    }
}

impl From<&LogEntry> for Listed {
    fn from(entry: &LogEntry) -> Listed {
        Listed { cid: entry.cid, claimed: entry.claimed_cid, did: entry.did, created_ms: entry.created_ms }
    }
}

impl Shown {
    /// The entry of this operation, where a log was shown that has it under its own CID.
    #[must_use]
    pub fn entry(&self, cid: &Cid) -> Option<&Listed> {
        let Shown::Log(log) = self else { return None };
        log.iter().find(|entry| entry.cid == *cid && entry.is_true())
    }

    /// What a shown log claims falsely of this operation: its content under another CID, or other content under its CID.
    fn claim_about(&self, cid: &Cid) -> Option<Claim> {
        let Shown::Log(log) = self else { return None };
        log.iter().filter_map(Listed::claim).find(|claim| claim.computed == *cid || claim.key.cid == *cid)
    }
}

/// What an answer says of an operation.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Sight {
    /// It is visible: how its instant counts, and how much earlier it may have been visible, nanoseconds.
    Visible(OpKey, Mode, i64),
    /// By its nature the answer does not tell: nobody is judged by it.
    Untold(OpKey),
    /// The host does not answer about this DID, or answers what is no answer: nothing is known, and that is said.
    Unanswered(OpKey),
    /// The host shows it with a CID that is not its content's, told once; it is looked for on.
    False(Claim),
}

/// When a host was asked.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Looked {
    /// Just before the request was sent: what was there by then is in the answer.
    pub asked_at: Tau,
    /// When the answer was complete.
    pub received_at: Tau,
}

/// One operation that is looked for.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that was seen of it or not")]
struct Watched {
    sought: Sought,
    /// Not visible before, as far as is known.
    lower: Tau,
    due: Tau,
    looks: u32,
    /// The DID was shown to be there.
    was_shown: bool,
    /// The DID was tombstoned after it: that it is absent says nothing.
    is_buried: bool,
    /// Looks that failed while the host answered about other DIDs.
    failures: u32,
    /// The latest look failed, and nothing was answered since.
    has_failed: bool,
    /// A false claim about it was told.
    is_told_false: bool,
}

impl Watched {
    fn gap_ns(&self) -> i64 {
        let later = self.looks.checked_sub(1).map(|i| GAPS_NS.get(i as usize).copied().unwrap_or(LONGEST_GAP_NS));
        later.unwrap_or(FIRST_LIVE_NS / 2)
    }

    /// It arrived with the answer, and was not there when the one before was asked for. A look that came too late tells no
    /// lag; a slow answer tells one that is less sure.
    fn visible(&self, looked: Looked) -> Sight {
        let is_soon = looked.asked_at.since(self.lower) <= 2 * self.gap_ns();
        let mode = if is_soon { Mode::Live } else { Mode::Filled };
        Sight::Visible(self.sought.key, mode, looked.received_at.since(self.lower).max(0))
    }

    /// What the answer says of it; none when it is not visible.
    fn sight(&mut self, shown: &Shown, looked: Looked) -> Option<Sight> {
        let key = self.sought.key;
        let is_tombstone = self.sought.kind == Kind::Tombstone;
        match shown {
            Shown::Log(_) => {
                self.was_shown = true;
                shown.entry(&key.cid).map(|_| self.visible(looked))
            }
            Shown::Last(cid) if *cid == key.cid => Some(self.visible(looked)),
            Shown::Last(cid) if self.sought.prev == Some(*cid) => {
                self.was_shown = true;
                None
            }
            // A tombstone makes a DID disappear that was there.
            Shown::Absent if is_tombstone && self.was_shown => Some(self.visible(looked)),
            Shown::Absent if is_tombstone || self.is_buried => Some(Sight::Untold(key)),
            Shown::Absent => None,
            Shown::Gone if is_tombstone => Some(self.visible(looked)),
            // What is gone shows nothing of what was there, but it must have gone for a reason.
            Shown::Gone if !self.is_buried => Some(Sight::Unanswered(key)),
            // What is shown last may follow it, or not.
            Shown::Last(_) | Shown::Gone => Some(Sight::Untold(key)),
        }
    }

    /// Whether nothing more will come of looking for it.
    fn is_hopeless(&self, grace_ns: i64, now: Tau) -> bool {
        let limit = self.sought.p.plus(grace_ns).plus(GAP_LIMIT_NS);
        self.failures >= FAILED_LOOKS_MAX || (now > limit && self.lower < self.sought.p.plus(grace_ns))
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

    /// The DID was tombstoned at `p`: what was published of it before may be absent at an honest host.
    pub fn buried(&mut self, did: Did, p: Tau) {
        for w in self.watched.iter_mut().filter(|w| w.sought.key.did == did && w.sought.p <= p) {
            w.is_buried |= w.sought.kind != Kind::Tombstone;
        }
    }

    /// Takes an operation; whether there was room.
    #[must_use]
    pub fn add(&mut self, sought: Sought) -> bool {
        if self.watched.len() >= self.max {
            return false;
        }
        let due = sought.p.plus(FIRST_NS);
        self.watched.push(Watched {
            sought,
            lower: sought.p,
            due,
            looks: 0,
            was_shown: false,
            is_buried: false,
            failures: 0,
            has_failed: false,
            is_told_false: false,
        });
        true
    }

    /// The DID to ask about next, and when.
    #[must_use]
    pub fn next(&self) -> Option<(Did, Tau)> {
        self.watched.iter().min_by_key(|w| w.due).map(|w| (w.sought.key.did, w.due))
    }

    /// Takes an answer about a DID: what it says of the operations that are looked for, and
    /// how many looks those have had.
    pub fn answered(&mut self, did: Did, shown: &Shown, looked: Looked) -> Vec<(Sight, u32)> {
        let (mut sights, asked_at) = (Vec::new(), looked.asked_at);
        self.watched.retain_mut(|w| {
            let is_of_did = w.sought.key.did == did;
            // The host answers: the failure was the DID's own.
            w.failures += u32::from(std::mem::take(&mut w.has_failed) && !is_of_did);
            if !is_of_did || asked_at < w.sought.p {
                return true;
            }
            w.failures = 0;
            let sight = w.sight(shown, looked);
            w.looks += 1;
            let claim = shown.claim_about(&w.sought.key.cid).filter(|_| sight.is_none() && !w.is_told_false);
            w.is_told_false |= claim.is_some();
            sights.extend(claim.map(|claim| (Sight::False(claim), w.looks)));
            if let Some(sight) = sight {
                sights.push((sight, w.looks));
                return false;
            }
            (w.lower, w.due) = (asked_at, asked_at.plus(w.gap_ns()));
            true
        });
        sights
    }

    /// Asking about a DID came to nothing: it is asked about again after `wait_ns`. It counts against the DID only once the
    /// host answers about another one.
    pub fn failed(&mut self, did: Did, now: Tau, wait_ns: i64) {
        for w in self.watched.iter_mut().filter(|w| w.sought.key.did == did) {
            (w.due, w.has_failed) = (now.plus(wait_ns.max(SECOND << w.failures.min(4))), true);
        }
    }

    /// Lets the operations go whose looks fail again and again, or that could not be looked for until the ledger gives them
    /// up: they hold back the proof of all others. What is said of them, and how many looks they have had.
    pub fn let_go(&mut self, grace_ns: i64, now: Tau) -> Vec<(Sight, u32)> {
        let hopeless = self.watched.extract_if(.., |w| w.is_hopeless(grace_ns, now));
        hopeless.map(|w| (Sight::Unanswered(w.sought.key), w.looks + w.failures)).collect()
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
            is_sampled: true,
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
        l.answered(Did([did; 15]), shown, at(ms(at_ms))).into_iter().map(|s| s.0).collect()
    }

    /// An answer that took no time.
    fn at(tau: Tau) -> Looked {
        Looked { asked_at: tau, received_at: tau }
    }

    fn listed(cid: u8) -> Listed {
        Listed { cid: Cid([cid; 32]), claimed: Some(Cid([cid; 32])), did: Did([cid / 10; 15]), created_ms: 7 }
    }

    fn log(cids: &[u8]) -> Shown {
        Shown::Log(cids.iter().map(|cid| listed(*cid)).collect())
    }

    #[test]
    fn an_operation_is_looked_for_at_growing_distances_until_it_is_visible() {
        let mut l = LookOut::new(10);
        assert!(l.add(update(11, 0)));
        let mut asked = Vec::new();
        for _ in 0..10 {
            let (did, due) = l.next().unwrap();
            asked.push(due.0 / MS);
            assert!(l.answered(did, &log(&[1]), at(due)).is_empty());
        }
        assert_eq!(asked, [500, 1_500, 2_500, 3_500, 5_500, 7_500, 11_500, 15_500, 23_500, 31_500]);
        let seen = answer(&mut l, 1, &log(&[1, 11]), 39_500);
        assert_eq!(seen, [Sight::Visible(update(11, 0).key, Mode::Live, 8 * SECOND)]);
        assert_eq!(l.next(), None);
    }

    #[test]
    fn a_look_that_came_too_late_tells_no_lag() {
        let mut l = LookOut::new(10);
        let log = log(&[11, 12]);
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
    fn a_slow_answer_makes_the_instant_less_sure() {
        let mut l = LookOut::new(1);
        assert!(l.add(update(11, 0)));
        answer(&mut l, 1, &Shown::Absent, 500);
        let looked = Looked { asked_at: ms(1_500), received_at: ms(5_000) };
        let seen = l.answered(Did([1; 15]), &log(&[11]), looked);
        assert_eq!(seen, [(Sight::Visible(update(11, 0).key, Mode::Live, 4_500 * MS), 2)]);
    }

    #[test]
    fn a_false_claim_is_told_once_and_is_no_sight_of_the_operation() {
        let mut l = LookOut::new(1);
        assert!(l.add(update(11, 0)));
        let key = |cid: u8| OpKey { did: Did([1; 15]), cid: Cid([cid; 32]) };
        for (i, (cid, claimed)) in [(11, 12), (13, 11)].into_iter().enumerate() {
            let mut l = l.clone();
            let untrue = Shown::Log(vec![Listed { claimed: Some(Cid([claimed; 32])), ..listed(cid) }]);
            let claim = Claim {
                key: OpKey { did: Did([cid / 10; 15]), cid: Cid([claimed; 32]) },
                seq: None,
                computed: key(cid).cid,
            };
            assert_eq!(answer(&mut l, 1, &untrue, 500), [Sight::False(claim)], "{i}");
            assert_eq!(answer(&mut l, 1, &untrue, 1_500), [], "{i}: told already");
            assert!(matches!(answer(&mut l, 1, &log(&[11]), 2_500)[..], [Sight::Visible(..)]), "{i}");
        }
        let other = Shown::Log(vec![Listed { claimed: Some(Cid([15; 32])), ..listed(14) }]);
        assert_eq!(answer(&mut l, 1, &other, 500), [], "what is not looked for is not told again at each look");
    }

    #[test]
    fn tombstones_make_dids_disappear() {
        let visible = |shown: &[Shown]| {
            let mut l = LookOut::new(1);
            assert!(l.add(sought(11, Kind::Tombstone, ms(0))));
            let sights = (1..).zip(shown).flat_map(|(i, s)| answer(&mut l, 1, s, 500 * i)).collect::<Vec<_>>();
            sights.first().map(|s| matches!(s, Sight::Visible(..)))
        };
        let there = log(&[1]);
        assert_eq!(visible(&[Shown::Gone]), Some(true));
        assert_eq!(visible(&[there.clone(), Shown::Absent]), Some(true));
        assert_eq!(visible(&[Shown::Absent]), Some(false), "it may never have known the DID");
        assert_eq!(visible(&[there]), None);
        let mut l = LookOut::new(1);
        assert!(l.add(update(11, 0)));
        assert_eq!(answer(&mut l, 1, &Shown::Gone, 500), [Sight::Unanswered(update(11, 0).key)]);
    }

    #[test]
    fn what_a_tombstone_buried_is_not_missed_at_a_host_that_shows_nothing_of_it() {
        let mut l = LookOut::new(3);
        assert!(l.add(update(11, 0)) && l.add(update(13, 9_000)));
        assert_eq!(answer(&mut l, 1, &Shown::Absent, 500), [], "not there yet");
        l.buried(Did([1; 15]), ms(2_000));
        assert_eq!(answer(&mut l, 1, &Shown::Absent, 9_500), [Sight::Untold(update(11, 0).key)]);
        assert_eq!(answer(&mut l, 1, &Shown::Absent, 80_000), [], "what follows the tombstone is looked for as ever");
        assert_eq!(l.overdue(60 * SECOND), [update(13, 0).key]);
        l.buried(Did([1; 15]), ms(81_000));
        assert_eq!(answer(&mut l, 1, &Shown::Gone, 82_000), [Sight::Untold(update(13, 0).key)]);
    }

    #[test]
    fn a_did_whose_looks_fail_holds_the_proof_back_for_a_while_only() {
        let mut l = LookOut::new(3);
        assert!(l.add(update(11, 0)) && l.add(update(21, 0)));
        for i in 1..=i64::from(FAILED_LOOKS_MAX) {
            assert_eq!((l.let_go(60 * SECOND, ms(i)), l.proved(ms(i * 1_000))), (Vec::new(), ms(0)));
            l.failed(Did([1; 15]), ms(i * 1_000), SECOND);
            l.failed(Did([1; 15]), ms(i * 1_000), SECOND);
            answer(&mut l, 2, &Shown::Absent, i * 1_000 + 500);
        }
        assert_eq!(l.let_go(60 * SECOND, ms(7_000)), [(Sight::Unanswered(update(11, 0).key), FAILED_LOOKS_MAX)]);
        assert_eq!(l.proved(ms(7_000)), ms(6_500), "the other one is proved on");
    }

    #[test]
    fn a_host_that_is_away_keeps_its_operations_until_the_ledger_gives_them_up() {
        let (mut l, grace_ns) = (LookOut::new(3), 60 * SECOND);
        assert!(l.add(update(11, 0)));
        (1..1_000).for_each(|s| l.failed(Did([1; 15]), ms(s * 1_000), SECOND));
        let limit = Tau(grace_ns + GAP_LIMIT_NS);
        assert_eq!(l.let_go(grace_ns, limit), []);
        assert_eq!(l.let_go(grace_ns, limit.plus(1)).len(), 1);
        assert!(l.add(update(11, 0)));
        answer(&mut l, 1, &Shown::Absent, 61_000);
        assert_eq!(l.let_go(grace_ns, limit.plus(1)), [], "it was looked for: the ledger decides");
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
