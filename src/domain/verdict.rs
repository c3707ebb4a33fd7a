//! The outcome of one operation at one mirror, and the eight bytes in which it is kept.
//!
//! A [`Cell`] is the pair (delivery, verdict) with the time between the two arrivals. Which verdict follows when is decided
//! in the ledger; here is only what verdicts exist and which changes between them are allowed.

use super::time::{Tau, US};

/// The outcome of an operation of the primary at one mirror.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Verdict {
    /// From before the mirror was observed: no part of any figure but its own count.
    NotEligible = 0,
    /// Not decided yet.
    Pending = 1,
    /// Both arrivals live, within the on-time limit.
    OnTime = 2,
    /// Both arrivals live, later than the on-time limit.
    Late = 3,
    /// Delivered, but when is not known: counts for coverage, never for lag.
    Present = 4,
    /// Not delivered although everything that the mirror published reached us.
    Missed = 5,
    /// Not delivered as far as we know, and we were not looking all the time.
    Unknown = 6,
    /// The primary's audit log no longer lists it.
    Withdrawn = 7,
    /// It breaks the rules of validity and the mirror refused it.
    Disputed = 8,
}

impl Verdict {
    /// Every verdict, in the order of its number.
    pub const ALL: [Verdict; 9] = [
        Verdict::NotEligible,
        Verdict::Pending,
        Verdict::OnTime,
        Verdict::Late,
        Verdict::Present,
        Verdict::Missed,
        Verdict::Unknown,
        Verdict::Withdrawn,
        Verdict::Disputed,
    ];

    /// The name that the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::NotEligible => "not_eligible",
            Verdict::Pending => "pending",
            Verdict::OnTime => "on_time",
            Verdict::Late => "late",
            Verdict::Present => "present",
            Verdict::Missed => "missed",
            Verdict::Unknown => "unknown",
            Verdict::Withdrawn => "withdrawn",
            Verdict::Disputed => "disputed",
        }
    }

    /// The verdict of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Verdict> {
        Self::ALL.into_iter().find(|v| v.name() == name)
    }

    fn from_number(n: u64) -> Verdict {
        Self::ALL.get(n as usize).copied().unwrap_or(Verdict::Unknown)
    }

    /// Whether the mirror is counted as having had or not had the operation.
    #[must_use]
    pub const fn is_decided(self) -> bool {
        matches!(self, Verdict::OnTime | Verdict::Late | Verdict::Present | Verdict::Missed)
    }

    /// The allowed edges of the measurement's definition; a verdict may always stay what it is.
    #[must_use]
    pub fn may_become(self, next: Verdict) -> bool {
        use Verdict::{Disputed, Late, Missed, NotEligible, Pending, Present, Unknown, Withdrawn};
        if self == next {
            return true;
        }
        match (self, next) {
            (Pending, _) | (Missed, Late | Present) | (Unknown, Present | Late | Missed) => true,
            (from, Withdrawn | Disputed) => from != NotEligible,
            _ => false,
        }
    }
}

/// Why a verdict is `unknown`, or an extra cannot be told.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Reason {
    /// Nothing to explain.
    None = 0,
    /// The mirror's link was down and no fill closed the gap.
    LinkDown = 1,
    /// The primary's link was down and no fill closed the gap.
    PrimaryDown = 2,
    /// The observer itself was not running.
    SelfDown = 3,
    /// Let go for lack of room before it was decided.
    Evicted = 4,
    /// Frames or keys of this source were let go at a bound.
    DroppedByUs = 5,
    /// The primary's own keys around its `createdAt` are not complete.
    NoRange = 6,
    /// The primary's `/export` could not be asked.
    NoChain = 7,
    /// From before the oldest time for which the primary's keys are held.
    TooOld = 8,
    /// The mirror, which is asked about single DIDs, answered nothing about this one.
    Unanswered = 9,
}

impl Reason {
    const ALL: [Reason; 10] = [
        Reason::None,
        Reason::LinkDown,
        Reason::PrimaryDown,
        Reason::SelfDown,
        Reason::Evicted,
        Reason::DroppedByUs,
        Reason::NoRange,
        Reason::NoChain,
        Reason::TooOld,
        Reason::Unanswered,
    ];

    /// The name that the API uses; empty when there is nothing to explain.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Reason::None => "",
            Reason::LinkDown => "link_down",
            Reason::PrimaryDown => "primary_down",
            Reason::SelfDown => "self_down",
            Reason::Evicted => "evicted",
            Reason::DroppedByUs => "dropped_by_us",
            Reason::NoRange => "no_range",
            Reason::NoChain => "no_chain",
            Reason::TooOld => "too_old",
            Reason::Unanswered => "unanswered",
        }
    }

    /// The reason with this number.
    #[must_use]
    pub fn from_number(n: u8) -> Reason {
        Self::ALL.get(usize::from(n)).copied().unwrap_or(Reason::None)
    }
}

/// How an operation reached us from a source.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Mode {
    /// On the live stream: the instant means something.
    Live = 1,
    /// By paging a gap afterwards: only the fact of delivery is known.
    Filled = 2,
}

/// What is known of one operation at one mirror, in eight bytes.
///
/// Bits 0–3 verdict, 4–5 delivery, 6 early, 7 healed, 8 credited, 9 sampled, 10–13 reason, 14 altered, 16–63 signed
/// microseconds from the primary's arrival to the mirror's (±4.4 years).
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cell(pub u64);

const DELIVERY: u64 = 0b11 << 4;
const EARLY: u64 = 1 << 6;
const HEALED: u64 = 1 << 7;
const CREDITED: u64 = 1 << 8;
const SAMPLED: u64 = 1 << 9;
const REASON: u64 = 0b1111 << 10;
const ALTERED: u64 = 1 << 14;
const META: u64 = 0xffff;

impl Cell {
    /// A cell that is not delivered yet.
    #[must_use]
    pub const fn new(verdict: Verdict) -> Cell {
        Cell(verdict as u64)
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        Verdict::from_number(self.0 & 0b1111)
    }

    /// How the mirror delivered it, if it did.
    #[must_use]
    pub const fn delivery(self) -> Option<Mode> {
        match (self.0 & DELIVERY) >> 4 {
            1 => Some(Mode::Live),
            2 => Some(Mode::Filled),
            _ => None,
        }
    }

    /// Signed microseconds from the primary's arrival to the mirror's; means nothing while not delivered.
    #[must_use]
    pub const fn raw_us(self) -> i64 {
        (self.0 as i64) >> 16
    }

    /// The mirror's arrival rounded down to a microsecond, given the primary's.
    #[must_use]
    pub const fn arrival(self, primary: Tau) -> Tau {
        Tau(primary.0.div_euclid(US).saturating_add(self.raw_us()).saturating_mul(US))
    }

    /// Microseconds from the arrival `from` to the arrival `to`, each rounded down: so they add up exactly when one is moved.
    #[must_use]
    pub const fn us_between(from: Tau, to: Tau) -> i64 {
        to.0.div_euclid(US).saturating_sub(from.0.div_euclid(US))
    }

    /// Why the verdict is unknown.
    #[must_use]
    pub fn reason(self) -> Reason {
        Reason::from_number(((self.0 & REASON) >> 10) as u8)
    }

    /// It came before the primary's.
    #[must_use]
    pub const fn is_early(self) -> bool {
        self.0 & EARLY != 0
    }

    /// It was called missed and came after all.
    #[must_use]
    pub const fn is_healed(self) -> bool {
        self.0 & HEALED != 0
    }

    /// The mirror had it although the primary's stream did not send it.
    #[must_use]
    pub const fn is_credited(self) -> bool {
        self.0 & CREDITED != 0
    }

    /// Its lag has been counted, so that no restart counts it twice.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & SAMPLED != 0
    }

    /// The mirror sent it altered, under another DID or with another `createdAt`, whether or not it sent it right too.
    #[must_use]
    pub const fn is_altered(self) -> bool {
        self.0 & ALTERED != 0
    }

    /// The same cell with another verdict and reason.
    #[must_use]
    pub const fn with_verdict(self, verdict: Verdict, reason: Reason) -> Cell {
        Cell((self.0 & !(0b1111 | REASON)) | verdict as u64 | ((reason as u64) << 10))
    }

    /// The same cell, delivered in `mode`, `raw_us` after the primary.
    #[must_use]
    pub const fn with_delivery(self, mode: Mode, raw_us: i64) -> Cell {
        Cell((self.0 & META & !DELIVERY) | ((mode as u64) << 4) | ((raw_us << 16) as u64))
    }

    /// The same cell, marked as earlier than the primary's.
    #[must_use]
    pub const fn early(self) -> Cell {
        Cell(self.0 | EARLY)
    }

    /// The same cell, marked as healed.
    #[must_use]
    pub const fn healed(self) -> Cell {
        Cell(self.0 | HEALED)
    }

    /// The same cell, marked as credited.
    #[must_use]
    pub const fn credited(self) -> Cell {
        Cell(self.0 | CREDITED)
    }

    /// The same cell, marked as altered.
    #[must_use]
    pub const fn altered(self) -> Cell {
        Cell(self.0 | ALTERED)
    }

    /// The same cell, its lag counted.
    #[must_use]
    pub const fn sampled(self) -> Cell {
        Cell(self.0 | SAMPLED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_keeps_what_it_is_given() {
        let cell = Cell::new(Verdict::Pending).with_delivery(Mode::Live, -14_000).early();
        assert_eq!((cell.verdict(), cell.delivery(), cell.raw_us()), (Verdict::Pending, Some(Mode::Live), -14_000));
        let cell = cell.with_verdict(Verdict::Unknown, Reason::DroppedByUs).healed().credited();
        assert_eq!((cell.verdict(), cell.reason(), cell.raw_us()), (Verdict::Unknown, Reason::DroppedByUs, -14_000));
        assert!(cell.is_early() && cell.is_healed() && cell.is_credited() && !cell.is_sampled());
        let day = 86_400 * 1_000_000;
        assert_eq!(cell.with_delivery(Mode::Filled, day).raw_us(), day);
        assert_eq!(cell.with_delivery(Mode::Filled, day).delivery(), Some(Mode::Filled));
    }

    #[test]
    fn a_moved_arrival_keeps_the_other_one_exactly() {
        let (filled, live, mirror) = (Tau(1_900), Tau(5_100), Tau(9_000));
        let cell = Cell::new(Verdict::Pending).with_delivery(Mode::Live, Cell::us_between(filled, mirror));
        let moved = cell.with_delivery(Mode::Live, cell.raw_us() - Cell::us_between(filled, live));
        assert_eq!(moved.raw_us(), Cell::us_between(live, mirror));
        assert_eq!((cell.arrival(filled), moved.arrival(live)), (mirror, mirror));
    }

    #[test]
    fn only_the_allowed_edges_exist() {
        use Verdict::{Late, Missed, NotEligible, OnTime, Pending, Present, Unknown, Withdrawn};
        assert!(Pending.may_become(Missed) && Missed.may_become(Late) && Unknown.may_become(Missed));
        for (from, to) in [(OnTime, Late), (Late, Missed), (Missed, OnTime), (Present, OnTime), (NotEligible, Missed)] {
            assert!(!from.may_become(to), "{from:?} → {to:?}");
        }
        assert!(OnTime.may_become(Withdrawn) && Pending.may_become(NotEligible) && !Missed.may_become(Unknown));
        assert!(!Unknown.may_become(OnTime) && Unknown.may_become(Present));
    }
}
