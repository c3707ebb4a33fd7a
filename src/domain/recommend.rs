//! Which mirror to use: one place decides, with reasons, and does not change its mind for noise.
//!
//! Only a mirror that is well for a while, judged by enough operations and fit for the purpose can be chosen: the one with
//! the fewest failed probes, and of those the one that answers fastest in the mean. The chosen one stays until it cannot be
//! chosen any more, or another was much faster after it had its time. While the observer cannot be believed nobody is
//! recommended; who was before is again when that is over and it is well.

use super::mirror_state::State;
use super::probes::{Figures, LATENCIES_MAX, Purpose};
use super::time::{SECOND, Tau};
use super::transport::Transport;

/// For how long a mirror must be well.
pub const WELL_FOR_NS: i64 = 60 * SECOND;
/// Operations of six hours by which it must be judged.
pub const DECIDED_MIN: u64 = 100;
/// For how long the chosen one is not left for a faster one.
pub const BETTER_WAIT_NS: i64 = 1_200 * SECOND;
/// The share of the chosen one's mean, in tenths, below which the mean of a faster one must be.
pub const BETTER_TENTHS: i64 = 7;
/// A mirror that answered no request for so long is not known to answer any, nanoseconds.
pub const UNANSWERED_NS: i64 = 3_600 * SECOND;

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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate<K> {
    /// Which.
    pub mirror: K,
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Tau,
    /// What it did.
    pub record: Record,
    /// How it answers.
    pub figures: Figures,
    /// Whether that was measured where it was of all others: nobody is left for one that has it easier.
    pub is_comparable: bool,
    /// Why it does not serve the purpose, however well it is; one sentence.
    pub unfit: Option<String>,
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
    /// Some are well, and none of them is known to serve the purpose.
    NoneServes,
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
            Nobody::NoneServes => "no_mirror_serves_it",
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
            Nobody::NoneServes => "no mirror that is well is known to serve this purpose".to_owned(),
            Nobody::NoneIsWell => "no mirror is well now".to_owned(),
        }
    }
}

/// What is said of one mirror.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said<K> {
    /// The mirror as it stands.
    pub candidate: Candidate<K>,
    /// What speaks against it, one sentence; none for one that can be chosen.
    pub objection: Option<String>,
}

/// Why the chosen one is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Because<K> {
    /// Nobody was chosen before.
    First,
    /// The one before could not be chosen any more.
    Left {
        /// That one.
        before: K,
        /// What speaks against it.
        objection: String,
    },
    /// The one before had its time, and this one is much faster.
    Faster {
        /// That one.
        before: K,
        /// Its mean then, microseconds.
        before_us: i64,
        /// That of this one, microseconds.
        own_us: i64,
    },
}

/// Who was chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen<K> {
    /// The mirror.
    pub mirror: K,
    /// Since when it is.
    pub since: Tau,
    /// Why.
    pub because: Because<K>,
}

impl<K> Chosen<K> {
    /// When it may be left for a faster one, at the earliest.
    #[must_use]
    pub const fn review(&self) -> Tau {
        self.since.plus(BETTER_WAIT_NS)
    }
}

/// Who is recommended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recommendation<K> {
    /// The mirror.
    pub chosen: Option<Chosen<K>>,
    /// Why nobody is.
    pub nobody: Nobody,
    /// Every mirror, the recommended one first, then the best.
    pub said: Vec<Said<K>>,
}

impl<K> Default for Recommendation<K> {
    fn default() -> Self {
        Recommendation { chosen: None, nobody: Nobody::default(), said: Vec::new() }
    }
}

impl<K: PartialEq> Recommendation<K> {
    /// What is said of a mirror.
    pub fn of(&self, mirror: &K) -> Option<&Said<K>> {
        self.said.iter().find(|said| said.candidate.mirror == *mirror)
    }
}

/// Remembers who was chosen.
#[derive(Clone, Debug)]
pub struct Recommender<K> {
    chosen: Option<Chosen<K>>,
    shown: Recommendation<K>,
}

impl<K> Default for Recommender<K> {
    fn default() -> Self {
        Recommender { chosen: None, shown: Recommendation::default() }
    }
}

impl Record {
    fn text(&self) -> String {
        let lag = self.p95_us.map_or_else(
            || "lag not known yet".to_owned(),
            |us| format!("95 % within {} ms of the primary, ± {} ms", us.max(0) / 1_000, self.uncertainty_us / 1_000),
        );
        format!("{} of {} operations missed and {} late in 6 h; {lag}", self.missed, self.decided, self.late)
    }
}

/// Why a mirror whose operations are taken so, and that answers so, does not serve a purpose; one sentence.
#[must_use]
pub fn unfit(purpose: Purpose, transport: Option<Transport>, figures: &Figures, now: Tau) -> Option<String> {
    match (purpose, transport, figures.answered) {
        (Purpose::Stream, Some(Transport::Stream | Transport::PlcBundle), _) => None,
        (Purpose::Stream, Some(transport), _) => {
            Some(format!("no stream of it is known: its operations are taken by {transport}"))
        }
        (Purpose::Stream, None, _) => Some("no stream of it is known".to_owned()),
        (Purpose::Resolve, _, None) if figures.failures > 0 => {
            Some("no request for the log of a DID was answered by it yet".to_owned())
        }
        (Purpose::Resolve, _, None) => Some("no request for the log of a DID was made of it yet".to_owned()),
        (Purpose::Resolve, _, Some(at)) if now.since(at) > UNANSWERED_NS => {
            Some(format!("no request for the log of a DID was answered by it for {} s", UNANSWERED_NS / SECOND))
        }
        (Purpose::Resolve, ..) => None,
    }
}

impl<K> Candidate<K> {
    /// What speaks against it; nothing for one that can be chosen. The one that is chosen already need not prove itself
    /// again behind a time in which nothing could be told.
    fn objection(&self, now: Tau, is_chosen: bool) -> Option<String> {
        if self.state != State::Ok {
            return Some(format!("it is {}", self.state.name()));
        }
        if let Some(unfit) = &self.unfit {
            return Some(unfit.clone());
        }
        if !is_chosen && now.since(self.since) < WELL_FOR_NS {
            return Some(format!("it is well for less than {} s", WELL_FOR_NS / SECOND));
        }
        let decided = self.record.decided;
        (decided < DECIDED_MIN).then(|| format!("{decided} operations were decided in 6 h, too few to judge it by"))
    }
}

impl<K> Said<K> {
    /// Whether it can be chosen.
    #[must_use]
    pub const fn is_eligible(&self) -> bool {
        self.objection.is_none()
    }

    /// What speaks for it or against it.
    #[must_use]
    pub fn why(&self) -> String {
        self.objection.clone().unwrap_or_else(|| self.candidate.record.text())
    }

    /// Who can be chosen comes first, then who failed least, then who answers fastest; what was not measured is not fast.
    fn rank(&self) -> (bool, u32, i64) {
        let figures = &self.candidate.figures;
        (!self.is_eligible(), figures.failures, figures.mean_us.unwrap_or(i64::MAX))
    }

    /// Its mean and that of the chosen one, where it is to be preferred to it: it was measured often enough, failed no more,
    /// and answers much faster.
    fn is_much_faster(&self, than: &Said<K>) -> Option<(i64, i64)> {
        let (own, other) = (&self.candidate.figures, &than.candidate.figures);
        let (own_us, other_us) = own.mean_us.zip(other.mean_us)?;
        let is_comparable = self.candidate.is_comparable && than.candidate.is_comparable;
        let is_measured = is_comparable && own.samples as usize >= LATENCIES_MAX && own.failures <= other.failures;
        (self.is_eligible() && is_measured && own_us * 10 < other_us * BETTER_TENTHS).then_some((own_us, other_us))
    }
}

impl<K: Clone + PartialEq> Recommender<K> {
    /// Takes how the mirrors stand now.
    pub fn step(&mut self, now: Tau, is_impaired: bool, candidates: Vec<Candidate<K>>) {
        let said = |candidate: Candidate<K>| {
            let is_chosen = self.chosen.as_ref().is_some_and(|chosen| chosen.mirror == candidate.mirror);
            Said { objection: candidate.objection(now, is_chosen), candidate }
        };
        let mut said: Vec<Said<K>> = candidates.into_iter().map(said).collect();
        said.sort_by_key(Said::rank);
        if !is_impaired {
            self.choose(now, &said);
        }
        let is_chosen = |said: &Said<K>| {
            said.is_eligible() && self.chosen.as_ref().is_some_and(|chosen| chosen.mirror == said.candidate.mirror)
        };
        let place = said.iter().position(is_chosen).filter(|_| !is_impaired);
        if let Some(before) = place.and_then(|place| said.get_mut(..=place)) {
            before.rotate_right(1);
        }
        let chosen = self.chosen.clone().filter(|_| place.is_some());
        self.shown = Recommendation { chosen, nobody: nobody(is_impaired, &said), said };
    }

    fn choose(&mut self, now: Tau, said: &[Said<K>]) {
        let best = said.first().filter(|best| best.is_eligible());
        let Some(chosen) = &self.chosen else {
            self.chosen = best.map(|best| take(best, now, Because::First));
            return;
        };
        let before = chosen.mirror.clone();
        let held = said.iter().find(|said| said.candidate.mirror == before);
        let objection = held.map_or_else(|| Some("it is not watched any more".to_owned()), |h| h.objection.clone());
        if let Some(objection) = objection {
            let may_return = held.is_some_and(|h| matches!(h.candidate.state, State::Ok | State::Unknown));
            if best.is_some() || !may_return {
                self.chosen = best.map(|best| take(best, now, Because::Left { before, objection }));
            }
            return;
        }
        let faster = |said: &'_ Said<K>| said.is_much_faster(held?);
        if now >= chosen.review()
            && let Some((best, (own_us, before_us))) = said.iter().find_map(|said| Some((said, faster(said)?)))
        {
            self.chosen = Some(take(best, now, Because::Faster { before, before_us, own_us }));
        }
    }

    /// Who is recommended now.
    #[must_use]
    pub const fn shown(&self) -> &Recommendation<K> {
        &self.shown
    }
}

fn take<K: Clone>(best: &Said<K>, now: Tau, because: Because<K>) -> Chosen<K> {
    Chosen { mirror: best.candidate.mirror.clone(), since: now, because }
}

/// Why nobody is recommended, where nobody is.
fn nobody<K>(is_impaired: bool, said: &[Said<K>]) -> Nobody {
    let may_be_well = |said: &&Said<K>| matches!(said.candidate.state, State::Ok | State::Unknown);
    match () {
        () if is_impaired => Nobody::ObserverImpaired,
        () if said.is_empty() => Nobody::NoMirrors,
        () if said.iter().filter(may_be_well).any(|said| said.candidate.unfit.is_none()) => Nobody::WarmingUp,
        () if said.iter().any(|said| may_be_well(&said)) => Nobody::NoneServes,
        () => Nobody::NoneIsWell,
    }
}

#[cfg(test)]
mod tests;
