//! The questions that wait for one host: which is next, and when.
//!
//! One question is under way at a time, questions keep their distance, and each is asked once however many wait for its
//! answer. What a person waits for goes first; then first looks, source by source in turn, so that one mirror's flood does
//! not keep the others waiting; samples and further looks have a fifth of the places each when they wait. A failing host
//! is asked ever more rarely, one that asks for a pause gets it.

use super::reply::Page;
use crate::domain::did::Did;
use crate::domain::source::SourceIx;
use crate::domain::time::{SECOND, Tau};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The longest pause after failures, nanoseconds.
const BACKOFF_MAX_NS: i64 = 60 * SECOND;
/// The longest pause that a host can ask for, nanoseconds.
const PAUSE_MAX_NS: i64 = 3_600 * SECOND;
/// The pause of a host that asks for one and does not say how long, seconds.
const PAUSE_DEFAULT_S: u32 = 30;
/// How often a question is put back because the host wants to be asked later, before it counts as not answered.
const BUSY_MAX: u8 = 3;
/// Places in a round: three for first looks, one for samples, one for further looks.
const ROUND: u8 = 5;

/// A page about a DID.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Question {
    pub(super) did: Did,
    pub(super) page: Page,
}

/// How urgent a question is, most urgent first.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Class {
    Request,
    Fresh,
    Sample,
    Again,
}

/// Who waits for an answer.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Asker {
    Case(u64),
    Survey(u64),
}

#[derive(Debug)]
struct Waiting {
    class: Class,
    askers: Vec<Asker>,
    busy: u8,
}

/// How a question ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    Answered,
    Failed,
    Busy(Option<u32>),
}

/// One host's questions.
#[derive(Debug)]
pub(super) struct Turns {
    gap_ns: i64,
    open_at: Tau,
    failures: u32,
    waiting: HashMap<Question, Waiting>,
    requests: VecDeque<Question>,
    fresh: BTreeMap<SourceIx, VecDeque<Question>>,
    fresh_last: SourceIx,
    samples: VecDeque<Question>,
    again: VecDeque<Question>,
    place: u8,
    under_way: Option<(Question, Waiting)>,
}

impl Turns {
    pub(super) fn new(gap_ns: i64) -> Turns {
        Turns {
            gap_ns,
            open_at: Tau::MIN,
            failures: 0,
            waiting: HashMap::new(),
            requests: VecDeque::new(),
            fresh: BTreeMap::new(),
            fresh_last: SourceIx::PRIMARY,
            samples: VecDeque::new(),
            again: VecDeque::new(),
            place: 0,
            under_way: None,
        }
    }

    /// Lets `asker` wait for an answer to a question that is asked from now on, for the sake of source `of`.
    pub(super) fn ask(&mut self, question: Question, class: Class, of: SourceIx, asker: Asker) {
        if let Some(waiting) = self.waiting.get_mut(&question) {
            waiting.askers.push(asker);
            if waiting.class <= class {
                return;
            }
            // The older, less urgent place in the queue is passed over when its turn comes.
            waiting.class = class;
        } else {
            self.waiting.insert(question, Waiting { class, askers: vec![asker], busy: 0 });
        }
        self.queue(class, of).push_back(question);
    }

    fn queue(&mut self, class: Class, of: SourceIx) -> &mut VecDeque<Question> {
        match class {
            Class::Request => &mut self.requests,
            Class::Fresh => self.fresh.entry(of).or_default(),
            Class::Sample => &mut self.samples,
            Class::Again => &mut self.again,
        }
    }

    /// Nobody waits for `asker`'s answers any more.
    pub(super) fn forget(&mut self, asker: Asker) {
        self.waiting.retain(|_, waiting| {
            waiting.askers.retain(|a| *a != asker);
            !waiting.askers.is_empty()
        });
    }

    /// Questions that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Who waits for the answer under way.
    pub(super) fn under_way(&self) -> &[Asker] {
        self.under_way.as_ref().map_or(&[], |u| u.1.askers.as_slice())
    }

    /// When the next question may be asked; none when none waits, or one is under way.
    pub(super) fn opens_at(&self) -> Option<Tau> {
        (self.under_way.is_none() && !self.waiting.is_empty()).then_some(self.open_at)
    }

    /// The next question, to be asked now.
    pub(super) fn take(&mut self, now: Tau) -> Option<Question> {
        if self.under_way.is_some() || now < self.open_at {
            return None;
        }
        let question = self.choose()?;
        let waiting = self.waiting.remove(&question)?;
        self.under_way = Some((question, waiting));
        self.open_at = now.plus(self.gap_ns);
        Some(question)
    }

    fn choose(&mut self) -> Option<Question> {
        if let Some(question) = self.pop(Class::Request) {
            return Some(question);
        }
        self.place = (self.place + 1) % ROUND;
        let order = match self.place {
            3 => [Class::Sample, Class::Fresh, Class::Again],
            4 => [Class::Again, Class::Fresh, Class::Sample],
            _ => [Class::Fresh, Class::Sample, Class::Again],
        };
        order.into_iter().find_map(|class| self.pop(class))
    }

    /// The first question of a class that still waits in it.
    fn pop(&mut self, class: Class) -> Option<Question> {
        loop {
            let question = if class == Class::Fresh {
                self.pop_fresh()?
            } else {
                self.queue(class, SourceIx::PRIMARY).pop_front()?
            };
            if self.waiting.get(&question).is_some_and(|w| w.class == class) {
                return Some(question);
            }
        }
    }

    /// First looks of the source after the one that was served last.
    fn pop_fresh(&mut self) -> Option<Question> {
        let after = SourceIx(self.fresh_last.0.saturating_add(1));
        let source = self.fresh.range(after..).next().or_else(|| self.fresh.iter().next()).map(|(s, _)| *s)?;
        self.fresh_last = source;
        let queue = self.fresh.get_mut(&source)?;
        let question = queue.pop_front();
        if queue.is_empty() {
            self.fresh.remove(&source);
        }
        question
    }

    /// The question under way ended so; who waits for its answer, unless it was put back.
    pub(super) fn ended(&mut self, ended: Ended, now: Tau) -> Option<(Question, Vec<Asker>)> {
        let (question, mut waiting) = self.under_way.take()?;
        match ended {
            Ended::Answered => self.failures = 0,
            Ended::Failed => self.back_off(now),
            Ended::Busy(seconds) => {
                let pause_ns = i64::from(seconds.unwrap_or(PAUSE_DEFAULT_S)).saturating_mul(SECOND).min(PAUSE_MAX_NS);
                self.open_at = self.open_at.max(now.plus(pause_ns));
                waiting.busy += 1;
                if waiting.busy < BUSY_MAX {
                    self.put_back(question, waiting);
                    return None;
                }
            }
        }
        Some((question, waiting.askers))
    }

    fn put_back(&mut self, question: Question, before: Waiting) {
        let class = before.class;
        match self.waiting.get_mut(&question) {
            Some(waiting) => {
                waiting.askers.extend(before.askers);
                waiting.busy = before.busy;
                waiting.class = waiting.class.min(class);
            }
            None => drop(self.waiting.insert(question, before)),
        }
        let of = self.fresh_last;
        self.queue(class, of).push_front(question);
    }

    fn back_off(&mut self, now: Tau) {
        self.failures = self.failures.saturating_add(1);
        let pause_ns = (SECOND << self.failures.min(10)).min(BACKOFF_MAX_NS);
        self.open_at = self.open_at.max(now.plus(pause_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: i64 = SECOND;
    const M1: SourceIx = SourceIx(1);
    const M2: SourceIx = SourceIx(2);

    fn question(n: u8) -> Question {
        Question { did: Did([n; 15]), page: Page::Audit }
    }

    /// Asks everything that waits, as early as it may be, and answers it at once.
    fn drain(turns: &mut Turns) -> Vec<(u8, i64)> {
        let mut asked = Vec::new();
        while let Some(at) = turns.opens_at() {
            let at = at.max(Tau(0));
            let question = turns.take(at).unwrap();
            asked.push((question.did.0[0], at.0 / SECOND));
            turns.ended(Ended::Answered, at).unwrap();
        }
        asked
    }

    #[test]
    fn one_question_a_second_and_one_for_all_who_wait() {
        let mut turns = Turns::new(GAP);
        for n in [1, 2, 1, 1] {
            turns.ask(question(n), Class::Fresh, M1, Asker::Case(u64::from(n)));
        }
        assert_eq!(turns.take(Tau(0)), Some(question(1)));
        assert_eq!((turns.take(Tau(GAP)), turns.opens_at()), (None, None), "one at a time");
        let (_, askers) = turns.ended(Ended::Answered, Tau(GAP)).unwrap();
        assert_eq!(askers.len(), 3);
        assert_eq!(turns.opens_at(), Some(Tau(GAP)));
        assert_eq!(turns.take(Tau(GAP - 1)), None);
        assert_eq!(turns.take(Tau(GAP)), Some(question(2)));
        assert_eq!((turns.len(), turns.ended(Ended::Answered, Tau(GAP)).unwrap().1.len()), (0, 1));
        assert_eq!(turns.ended(Ended::Answered, Tau(GAP)), None);
    }

    #[test]
    fn who_asks_while_a_question_is_under_way_gets_an_answer_of_its_own() {
        let mut turns = Turns::new(GAP);
        turns.ask(question(1), Class::Fresh, M1, Asker::Case(1));
        turns.take(Tau(0)).unwrap();
        turns.ask(question(1), Class::Fresh, M1, Asker::Case(2));
        assert_eq!(turns.ended(Ended::Answered, Tau(0)).unwrap().1, [Asker::Case(1)]);
        assert_eq!(drain(&mut turns), [(1, 1)]);
    }

    #[test]
    fn a_flood_of_one_source_leaves_the_others_their_turn() {
        let mut turns = Turns::new(GAP);
        (10..40).for_each(|n| turns.ask(question(n), Class::Fresh, M1, Asker::Case(1)));
        turns.ask(question(1), Class::Fresh, M2, Asker::Case(2));
        turns.ask(question(2), Class::Sample, M2, Asker::Survey(1));
        turns.ask(question(3), Class::Again, M2, Asker::Case(3));
        turns.ask(question(4), Class::Request, M2, Asker::Survey(2));
        let asked = drain(&mut turns);
        let place = |n| asked.iter().position(|a| a.0 == n).unwrap();
        assert_eq!(place(4), 0, "a person waits");
        assert!(place(1) <= 2 && place(2) <= 5 && place(3) <= 5, "{asked:?}");
        assert_eq!(asked.last().unwrap().1, 33, "no place is lost");
    }

    #[test]
    fn first_looks_go_before_further_ones_and_a_question_can_become_more_urgent() {
        let mut turns = Turns::new(GAP);
        (10..20).for_each(|n| turns.ask(question(n), Class::Again, M1, Asker::Case(1)));
        (1..4).for_each(|n| turns.ask(question(n), Class::Fresh, M1, Asker::Case(2)));
        turns.ask(question(19), Class::Fresh, M1, Asker::Case(3));
        let asked: Vec<u8> = drain(&mut turns).iter().map(|a| a.0).collect();
        let place = |n| asked.iter().position(|a| *a == n).unwrap();
        assert!(place(3) < 5 && place(19) < 6 && place(18) > 8, "{asked:?}");
        assert_eq!(asked.len(), 13, "each is asked once");
    }

    #[test]
    fn failures_make_pauses_that_grow_and_end_with_an_answer() {
        let mut turns = Turns::new(GAP);
        let mut pauses = Vec::new();
        let mut now = Tau(0);
        for n in 0..9 {
            turns.ask(question(n), Class::Fresh, M1, Asker::Case(1));
            turns.take(now).unwrap();
            let ended = if n == 7 { Ended::Answered } else { Ended::Failed };
            turns.ended(ended, now).unwrap();
            turns.ask(question(99), Class::Fresh, M1, Asker::Case(1));
            let opens = turns.opens_at().unwrap();
            pauses.push(opens.since(now) / SECOND);
            turns.forget(Asker::Case(1));
            now = opens;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 1, 2]);
    }

    #[test]
    fn a_busy_host_is_asked_again_when_it_says_and_not_for_ever() {
        let mut turns = Turns::new(GAP);
        turns.ask(question(1), Class::Fresh, M1, Asker::Case(1));
        let mut now = Tau(0);
        for (seconds, pause) in [(Some(300), 300), (None, 30)] {
            turns.take(now).unwrap();
            turns.ask(question(1), Class::Again, M1, Asker::Case(2));
            assert_eq!(turns.ended(Ended::Busy(seconds), now), None);
            assert_eq!(turns.opens_at(), Some(now.plus(pause * SECOND)));
            now = now.plus(pause * SECOND);
        }
        turns.take(now).unwrap();
        let (_, askers) = turns.ended(Ended::Busy(Some(u32::MAX)), now).unwrap();
        assert_eq!(askers.iter().filter(|a| **a == Asker::Case(1)).count(), 1);
        turns.ask(question(2), Class::Fresh, M1, Asker::Case(1));
        assert_eq!(turns.opens_at(), Some(now.plus(PAUSE_MAX_NS)), "no host shuts itself for ever");
    }
}
