//! Which mirror to use: one place decides, with reasons, and does not change its mind for noise.
//!
//! Only a mirror that is well for a while and judged by enough operations can be chosen. The chosen one stays until it is
//! not well any more, or another was clearly better for ten minutes. While the observer cannot be believed nobody is
//! recommended; who was before is again when that is over and it is well.

use super::mirror_state::State;
use super::time::{SECOND, Tau};

/// For how long a mirror must be well.
pub const WELL_FOR_NS: i64 = 60 * SECOND;
/// Operations of six hours by which it must be judged.
pub const DECIDED_MIN: u64 = 100;
/// For how long another must be clearly better.
pub const BETTER_FOR_NS: i64 = 600 * SECOND;
/// Two steps further apart than this saw nothing of what lay between.
const STEP_MAX_NS: i64 = 30 * SECOND;

/// What a mirror did.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// Operations of six hours that were decided.
    pub decided: u64,
    /// Those of them that it misses.
    pub missed: u64,
    /// Those of them that came late.
    pub late: u64,
    /// 95th percentile of the corrected lag of one hour, microseconds.
    pub p95_us: Option<i64>,
    /// How far that may be off, microseconds.
    pub uncertainty_us: i64,
}

/// A mirror as it stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Tau,
    /// What it did.
    pub record: Record,
}

/// Why nobody is recommended.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Nobody {
    /// There is nothing to choose from.
    #[default]
    NoMirrors,
    /// What is seen cannot be believed now.
    ObserverImpaired,
    /// Some are well, and none is judged by enough yet.
    WarmingUp,
    /// None is well.
    NoneIsWell,
}

impl Nobody {
    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Nobody::NoMirrors => "no_mirrors",
            Nobody::ObserverImpaired => "observer_impaired",
            Nobody::WarmingUp => "warming_up",
            Nobody::NoneIsWell => "no_mirror_is_well",
        }
    }

    /// One sentence.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Nobody::NoMirrors => "no mirrors are configured".to_owned(),
            Nobody::ObserverImpaired => {
                "the observer or the primary's link is impaired: nothing can be said about mirrors now".to_owned()
            }
            Nobody::WarmingUp => {
                let well_s = WELL_FOR_NS / SECOND;
                format!("no mirror was well for {well_s} s and judged by {DECIDED_MIN} operations yet")
            }
            Nobody::NoneIsWell => "no mirror is well now".to_owned(),
        }
    }
}

/// What is said of one mirror.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Which.
    pub mirror: usize,
    /// Whether it could be recommended.
    pub is_eligible: bool,
    /// One sentence: what speaks for it, or against it.
    pub why: String,
}

/// Who is recommended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recommendation {
    /// The mirror, and since when it is.
    pub mirror: Option<(usize, Tau)>,
    /// Why nobody is.
    pub nobody: Nobody,
    /// Every mirror, best first.
    pub said: Vec<Said>,
}

/// Remembers who was chosen.
#[derive(Clone, Debug, Default)]
pub struct Recommender {
    chosen: Option<(usize, Tau)>,
    /// Who is clearly better, and since when.
    better: Option<(usize, Tau)>,
    stepped: Option<Tau>,
    shown: Recommendation,
}

/// A share in steps of nines: none, below 0.1 %, below 1 %, more.
const fn nines(part: u64, of: u64) -> u8 {
    match part {
        0 => 0,
        part if part.saturating_mul(1_000) < of => 1,
        part if part.saturating_mul(100) < of => 2,
        _ => 3,
    }
}

impl Record {
    /// What is lost weighs more than what is late.
    fn faults(&self) -> (u8, u8) {
        (nines(self.missed, self.decided), nines(self.late, self.decided))
    }

    /// Half the lag or less, by more than both can be off.
    fn is_clearly_faster(&self, than: &Record) -> bool {
        let Some(own) = self.p95_us else { return false };
        let Some(other) = than.p95_us else { return true };
        own.max(0) <= other / 2 && other - own > self.uncertainty_us + than.uncertainty_us
    }

    fn is_clearly_better(&self, than: &Record) -> bool {
        let (own, other) = (self.faults(), than.faults());
        own < other || own == other && self.is_clearly_faster(than)
    }

    fn text(&self) -> String {
        let lag = self.p95_us.map_or_else(
            || "lag not known yet".to_owned(),
            |us| format!("95 % within {} ms of the primary, ± {} ms", us.max(0) / 1_000, self.uncertainty_us / 1_000),
        );
        format!("{} of {} operations missed and {} late in 6 h; {lag}", self.missed, self.decided, self.late)
    }
}

impl Candidate {
    /// What speaks against it; nothing for one that can be chosen. The one that is chosen already need not prove itself
    /// again behind a time in which nothing could be told.
    fn objection(&self, now: Tau, is_chosen: bool) -> Option<String> {
        if self.state != State::Ok {
            return Some(format!("it is {}", self.state.name()));
        }
        if !is_chosen && now.since(self.since) < WELL_FOR_NS {
            return Some(format!("it is well for less than {} s", WELL_FOR_NS / SECOND));
        }
        let decided = self.record.decided;
        (decided < DECIDED_MIN).then(|| format!("{decided} operations were decided in 6 h, too few to judge it by"))
    }
}

impl Recommender {
    /// Takes how the mirrors stand now. Steps are to be a second apart or so.
    pub fn step(&mut self, now: Tau, is_impaired: bool, candidates: &[Candidate]) {
        let is_continuous = self.stepped.replace(now).is_some_and(|at| now.since(at) <= STEP_MAX_NS);
        let is_gone = |c: &(usize, Tau)| {
            let state = candidates.get(c.0).map_or(State::Unsupported, |c| c.state);
            !matches!(state, State::Ok | State::Unknown)
        };
        if self.chosen.as_ref().is_some_and(is_gone) {
            (self.chosen, self.better) = (None, None);
        }
        let is_chosen = |m: usize| self.chosen.is_some_and(|c| c.0 == m);
        let objections: Vec<Option<String>> =
            candidates.iter().enumerate().map(|(m, c)| c.objection(now, is_chosen(m))).collect();
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        let rank = |m: &usize| {
            let (record, is_eligible) = (
                candidates.get(*m).map(|c| c.record).unwrap_or_default(),
                objections.get(*m).is_some_and(Option::is_none),
            );
            (!is_eligible, record.faults(), record.p95_us.map_or(i64::MAX, |us| us.max(0)))
        };
        order.sort_by_key(rank);
        let best = order.first().copied().filter(|m| !rank(m).0);
        if !is_impaired {
            self.choose(now, best, candidates, is_continuous, |m| !rank(&m).0);
        }
        let said = order.iter().filter_map(|&m| {
            let (candidate, objection) = candidates.get(m).zip(objections.get(m))?;
            let why = objection.clone().unwrap_or_else(|| candidate.record.text());
            Some(Said { mirror: m, is_eligible: objection.is_none(), why })
        });
        let nobody = match () {
            () if candidates.is_empty() => Nobody::NoMirrors,
            () if is_impaired => Nobody::ObserverImpaired,
            () if candidates.iter().any(|c| matches!(c.state, State::Ok | State::Unknown)) => Nobody::WarmingUp,
            () => Nobody::NoneIsWell,
        };
        let mirror = self.chosen.filter(|c| !is_impaired && !rank(&c.0).0);
        self.shown = Recommendation { mirror, nobody, said: said.collect() };
    }

    fn choose(
        &mut self,
        now: Tau,
        best: Option<usize>,
        candidates: &[Candidate],
        is_continuous: bool,
        is_eligible: impl Fn(usize) -> bool,
    ) {
        let Some(best) = best else {
            self.better = None;
            return;
        };
        let Some((chosen, _)) = self.chosen.filter(|c| is_eligible(c.0)) else {
            (self.chosen, self.better) = (Some((best, now)), None);
            return;
        };
        let is_better = match (candidates.get(best), candidates.get(chosen)) {
            (Some(b), Some(c)) => b.record.is_clearly_better(&c.record),
            _ => false,
        };
        if !is_better {
            self.better = None;
            return;
        }
        let (_, since) = *self.better.get_or_insert((best, now));
        let since = if is_continuous { since } else { now };
        self.better = Some((best, since));
        if now.since(since) >= BETTER_FOR_NS {
            (self.chosen, self.better) = (Some((best, now)), None);
        }
    }

    /// Who is recommended now.
    #[must_use]
    pub fn shown(&self) -> &Recommendation {
        &self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn well(p95_ms: i64) -> Candidate {
        let record = Record { decided: 1_000, missed: 0, late: 0, p95_us: Some(p95_ms * 1_000), uncertainty_us: 5_000 };
        Candidate { state: State::Ok, since: Tau(-1_000 * SECOND), record }
    }

    fn at(s: i64) -> Tau {
        Tau(s * SECOND)
    }

    fn mirror(r: &Recommender) -> Option<usize> {
        r.shown().mirror.map(|m| m.0)
    }

    #[test]
    fn what_is_lost_weighs_more_than_what_is_slow() {
        let mut r = Recommender::default();
        let mut lossy = well(10);
        lossy.record.missed = 1;
        r.step(at(0), false, &[lossy, well(400)]);
        assert_eq!(mirror(&r), Some(1));
        assert_eq!(
            r.shown().said[1].why,
            "1 of 1000 operations missed and 0 late in 6 h; 95 % within 10 ms of the primary, ± 5 ms"
        );
    }

    #[test]
    fn nobody_is_recommended_without_a_reason_to() {
        let mut r = Recommender::default();
        r.step(at(0), false, &[]);
        assert_eq!((mirror(&r), r.shown().nobody), (None, Nobody::NoMirrors));
        let fresh = Candidate { since: at(-59), ..well(1) };
        let mut few = well(1);
        few.record.decided = 99;
        r.step(at(0), false, &[fresh, few]);
        assert_eq!((mirror(&r), r.shown().nobody), (None, Nobody::WarmingUp));
        assert_eq!(
            r.shown().nobody.text(),
            format!("no mirror was well for {} s and judged by {DECIDED_MIN} operations yet", WELL_FOR_NS / SECOND)
        );
        assert_eq!(r.shown().said[0].why, format!("it is well for less than {} s", WELL_FOR_NS / SECOND));
        assert!(r.shown().said.iter().all(|s| !s.is_eligible));
        r.step(at(0), false, &[Candidate { state: State::Losing, ..well(1) }]);
        assert_eq!((mirror(&r), r.shown().nobody), (None, Nobody::NoneIsWell));
        r.step(at(1), true, &[well(1)]);
        assert_eq!((mirror(&r), r.shown().nobody), (None, Nobody::ObserverImpaired));
    }

    #[test]
    fn the_chosen_one_stays_until_another_was_clearly_better_for_long() {
        let mut r = Recommender::default();
        r.step(at(0), false, &[well(100), well(120)]);
        for s in 1..=2_000 {
            r.step(at(s), false, &[well(100), well(60)]);
        }
        assert_eq!(mirror(&r), Some(0), "60 ms is not half of 100 ms");
        for s in 2_001..=2_600 {
            r.step(at(s), false, &[well(100), well(20)]);
            assert_eq!(mirror(&r), Some(0));
        }
        r.step(at(2_601), false, &[well(100), well(20)]);
        assert_eq!(r.shown().mirror, Some((1, at(2_601))));
    }

    #[test]
    fn who_is_not_well_is_let_go_at_once_and_an_impairment_changes_nobody() {
        let mut r = Recommender::default();
        r.step(at(0), false, &[well(10), well(12)]);
        r.step(at(1), true, &[Candidate { state: State::Unknown, since: at(1), ..well(10) }, well(12)]);
        assert_eq!(mirror(&r), None);
        let unknown = |p95_ms| Candidate { state: State::Unknown, since: at(1), ..well(p95_ms) };
        r.step(at(2), false, &[unknown(10), unknown(12)]);
        assert_eq!(mirror(&r), None);
        let again = |p95_ms| Candidate { since: at(3), ..well(p95_ms) };
        r.step(at(3), false, &[again(10), again(12)]);
        assert_eq!(r.shown().mirror, Some((0, at(0))), "as before");
        r.step(at(4), false, &[Candidate { state: State::Lagging, ..well(10) }, well(12)]);
        assert_eq!(mirror(&r), Some(1));
        r.step(at(5), false, &[well(10), well(12)]);
        assert_eq!(mirror(&r), Some(1), "it is not clearly worse");
    }

    proptest! {
        #[test]
        fn only_who_is_well_is_ever_recommended_and_noise_changes_nobody(
            steps in prop::collection::vec((any::<bool>(), prop::collection::vec((0_usize..9, 0_i64..200, 0_u64..3), 3)), 1..200),
            noise in prop::collection::vec((80_i64..120, 80_i64..120), 1..900),
        ) {
            let mut r = Recommender::default();
            for (s, (is_impaired, rows)) in (0..).zip(&steps) {
                let candidate = |&(state, p95_ms, missed): &(usize, i64, u64)| {
                    let mut c = Candidate { state: State::ALL[state], ..well(p95_ms) };
                    c.record.missed = missed;
                    c
                };
                let candidates: Vec<Candidate> = rows.iter().map(candidate).collect();
                r.step(at(s), *is_impaired, &candidates);
                if let Some(m) = mirror(&r) {
                    prop_assert!(!is_impaired && candidates[m].state == State::Ok);
                }
            }
            let mut r = Recommender::default();
            r.step(at(0), false, &[well(80), well(120)]);
            for (s, (a, b)) in (1..).zip(noise) {
                r.step(at(s), false, &[well(a), well(b)]);
                prop_assert_eq!(mirror(&r), Some(0));
            }
        }
    }
}
