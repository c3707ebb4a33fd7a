//! Which pages one poll after the other asks for: by number or by time, from what is known to the end of the log.

use crate::domain::fill::{Anchor, Fill, FillStep, PAGE_OPS, PageSizes};
use crate::domain::op::{Op, OpKey};
use crate::domain::poll::{HeadSearch, HeadStep, TimedFill, TimedKeys, TimedStep};

/// What is asked for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Question {
    /// The operations behind this number.
    Behind { seq: u64, count: usize },
    /// The operations later than this.
    Later { created_ms: i64, count: usize },
}

/// What follows from a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// The poll goes on.
    Ask(Question),
    /// The poll is complete; whether it began at an operation that was known.
    Closed { is_continuous: bool },
    /// The log does not go on where it ended.
    Hole(String),
}

/// The pages of the poll under way.
#[derive(Clone, Debug)]
enum Pages {
    /// Looking for the newest number.
    Search(HeadSearch),
    /// From the number of the last known operation.
    Numbered(Fill),
    /// By number, with nothing known: the largest so far.
    Unknown(u64),
    /// By time.
    Timed(TimedFill),
    /// Looking for the newest time.
    TimedSearch(HeadSearch),
}

/// How the log is read.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Form {
    Unknown,
    Numbered,
    Timed,
}

/// One poll after the other.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    form: Form,
    anchor: Option<Anchor>,
    keys: TimedKeys,
    overlap_ms: i64,
    pages: Pages,
    /// What the pages told of the server's own limit.
    sizes: PageSizes,
}

/// The latest time that is asked for: the last of the year 9999, beyond which times are written otherwise.
const LATEST_MS: u64 = 253_402_300_799_999;

fn behind(seq: u64) -> Question {
    Question::Behind { seq, count: PAGE_OPS }
}

fn later(created_ms: i64) -> Question {
    Question::Later { created_ms, count: PAGE_OPS }
}

impl Walk {
    /// A walk that goes on behind `anchor`; by time each poll looks back `overlap_ms` milliseconds.
    pub(super) fn new(anchor: Option<Anchor>, overlap_ms: i64) -> Walk {
        let mut keys = TimedKeys::new(overlap_ms);
        let form = match anchor {
            None => Form::Unknown,
            Some(a) if a.is_numbered() => Form::Numbered,
            Some(a) => {
                keys.note(a.seq as i64, a.key);
                Form::Timed
            }
        };
        Walk {
            form,
            anchor,
            keys,
            overlap_ms,
            pages: Pages::Search(HeadSearch::default()),
            sizes: PageSizes::default(),
        }
    }

    /// The last operation up to which nothing is missing.
    pub(super) fn anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    /// The first question of a poll.
    pub(super) fn begin(&mut self) -> Question {
        if self.form == Form::Timed {
            return self.by_time();
        }
        if let Some(anchor) = self.anchor {
            let fill = Fill::new(anchor, crate::domain::time::Tau::MIN).with_sizes(self.sizes);
            let first = fill.last_seq();
            self.pages = Pages::Numbered(fill);
            return behind(first);
        }
        let search = HeadSearch::default();
        self.pages = Pages::Search(search);
        self.question(search.first())
    }

    /// The first question of a poll by time.
    pub(super) fn by_time(&mut self) -> Question {
        self.form = Form::Timed;
        if let Some(newest) = self.keys.newest() {
            let fill = TimedFill::new(Some(newest), newest.0 - self.overlap_ms).with_sizes(self.sizes);
            let first = fill.after_ms();
            self.pages = Pages::Timed(fill);
            return later(first);
        }
        self.anchor = None;
        let search = HeadSearch::default();
        self.pages = Pages::TimedSearch(search);
        self.timed_question(search.first())
    }

    /// Whether a refusal may mean that the log is to be read by time.
    pub(super) fn may_be_timed(&self) -> bool {
        self.form == Form::Unknown
    }

    /// Nothing was learned of the log's form.
    pub(super) fn forget_form(&mut self) {
        if self.anchor.is_none() && self.keys.newest().is_none() {
            self.form = Form::Unknown;
        }
    }

    fn question(&mut self, step: HeadStep) -> Question {
        match step {
            HeadStep::Probe(after) => Question::Behind { seq: after, count: 1 },
            HeadStep::Read(after) => {
                (self.pages, self.sizes) = (Pages::Unknown(after), self.sizes.anew());
                behind(after)
            }
        }
    }

    fn timed_question(&mut self, step: HeadStep) -> Question {
        match step {
            HeadStep::Probe(after) => Question::Later { created_ms: after.min(LATEST_MS) as i64, count: 1 },
            HeadStep::Read(after) => {
                // What the next poll shows again must be known by then.
                let after_ms = after as i64 - self.overlap_ms;
                self.pages = Pages::Timed(TimedFill::new(None, after_ms).with_sizes(self.sizes));
                later(after_ms)
            }
        }
    }

    /// Takes the operations of a page of `lines` lines: which of them are new, and what follows.
    pub(super) fn page(&mut self, ops: &[Op], lines: usize) -> (Vec<Op>, Step) {
        if matches!(self.pages, Pages::Search(_)) && ops.first().is_some_and(|op| op.seq.is_none()) {
            // It took the number for a time: its lines have none.
            return (Vec::new(), Step::Ask(self.by_time()));
        }
        match &mut self.pages {
            Pages::Search(search) => {
                let step = search.probed(ops.first().and_then(|op| op.seq));
                (Vec::new(), Step::Ask(self.question(step)))
            }
            Pages::Numbered(fill) => {
                let known = fill.last_seq().max(self.anchor.map_or(0, |a| a.seq));
                let numbered: Vec<(u64, OpKey)> = ops.iter().filter_map(|op| Some((op.seq?, op.key))).collect();
                let step = fill.page(&numbered, crate::domain::time::Tau::MAX, lines);
                self.sizes = fill.sizes();
                let last = fill.last();
                (newer(ops, known), self.numbered(step, last))
            }
            Pages::Unknown(after) => {
                let known = *after;
                let last = ops.iter().filter_map(|op| Some(Anchor { seq: op.seq?, key: op.key })).max_by_key(|a| a.seq);
                *after = last.map_or(known, |a| a.seq.max(known));
                let (news, after) = (newer(ops, known), *after);
                self.anchor = last.or(self.anchor);
                if self.sizes.ends(lines) || (lines < PAGE_OPS && after == known) {
                    self.form = Form::Numbered;
                    return (news, Step::Closed { is_continuous: false });
                }
                let step = if after > known { Step::Ask(behind(after)) } else { stuck() };
                (news, step)
            }
            Pages::Timed(_) => self.timed(ops, lines),
            Pages::TimedSearch(search) => {
                let step = search.probed(ops.first().map(|op| op.created_ms.max(0) as u64));
                (Vec::new(), Step::Ask(self.timed_question(step)))
            }
        }
    }

    fn numbered(&mut self, step: FillStep, last: Anchor) -> Step {
        match step {
            FillStep::Ask { after, .. } => Step::Ask(behind(after)),
            FillStep::Closed => {
                (self.form, self.anchor) = (Form::Numbered, Some(last));
                Step::Closed { is_continuous: true }
            }
            FillStep::Hole(why) => Step::Hole(why),
        }
    }

    fn timed(&mut self, ops: &[Op], lines: usize) -> (Vec<Op>, Step) {
        let Pages::Timed(fill) = &mut self.pages else { return (Vec::new(), stuck()) };
        let is_continuous = self.anchor.is_some();
        let timed: Vec<(i64, OpKey)> = ops.iter().map(|op| (op.created_ms, op.key)).collect();
        let step = fill.page(&timed, lines);
        self.sizes = fill.sizes();
        let news = ops.iter().filter(|op| self.keys.note(op.created_ms, op.key)).copied().collect();
        let step = match step {
            TimedStep::Ask(after_ms) => Step::Ask(later(after_ms)),
            TimedStep::Closed => {
                self.anchor = self.keys.newest().map(|(ms, key)| Anchor { seq: ms.max(0) as u64, key });
                Step::Closed { is_continuous }
            }
            TimedStep::Hole(why) => Step::Hole(why),
        };
        (news, step)
    }
}

/// The operations behind a number.
fn newer(ops: &[Op], known: u64) -> Vec<Op> {
    ops.iter().filter(|op| op.seq.is_some_and(|seq| seq > known)).copied().collect()
}

fn stuck() -> Step {
    Step::Hole("a full page of the server's export holds nothing new".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use crate::domain::op::Kind;

    const OVERLAP_MS: i64 = 75_000;
    const T0: i64 = 1_700_000_000_000;

    /// An operation a second, the number of which is its second.
    fn op(second: u64) -> Op {
        let mut cid = [0; 32];
        cid[..8].copy_from_slice(&second.to_le_bytes());
        let key = OpKey { did: Did([1; 15]), cid: Cid(cid) };
        Op { key, kind: Kind::Update, created_ms: T0 + second as i64 * 1_000, seq: Some(second), prev: None }
    }

    /// A server: what it answers.
    fn answer(log: &[Op], has_numbers: bool, question: Question) -> Vec<Op> {
        let (count, seq, created_ms) = match question {
            Question::Behind { seq, count } if has_numbers => (count, Some(seq), i64::MIN),
            // Taken for a year.
            Question::Behind { count, .. } => (count, None, i64::MIN),
            Question::Later { created_ms, count } => (count, None, created_ms),
        };
        let seen = log.iter().filter(|op| op.seq > seq && op.created_ms > created_ms).take(count);
        seen.map(|op| Op { seq: op.seq.filter(|_| has_numbers), ..*op }).collect()
    }

    /// One poll: what was new, how it ended, and how many pages it took.
    fn poll(walk: &mut Walk, log: &[Op], has_numbers: bool) -> (Vec<u64>, Step, u32) {
        poll_limited(walk, log, has_numbers, PAGE_OPS)
    }

    /// The same at a server that has a limit of its own.
    fn poll_limited(walk: &mut Walk, log: &[Op], has_numbers: bool, limit: usize) -> (Vec<u64>, Step, u32) {
        let mut question = walk.begin();
        let mut news = Vec::new();
        for pages in 1..200 {
            let mut page = answer(log, has_numbers, question);
            page.truncate(limit);
            let (new, step) = walk.page(&page, page.len());
            news.extend(new.iter().map(|op| ((op.created_ms - T0) / 1_000) as u64));
            match step {
                Step::Ask(next) => question = next,
                end => return (news, end, pages),
            }
        }
        panic!("it goes on for ever");
    }

    #[test]
    fn a_log_by_number_is_entered_at_its_end_and_followed() {
        let mut log: Vec<Op> = (1..5_000).map(op).collect();
        let mut walk = Walk::new(None, OVERLAP_MS);
        let (news, step, _) = poll(&mut walk, &log, true);
        assert_eq!(step, Step::Closed { is_continuous: false });
        assert!(news.len() <= PAGE_OPS && news.last() == Some(&4_999));
        assert_eq!(poll(&mut walk, &log, true), (Vec::new(), Step::Closed { is_continuous: true }, 1));
        log.extend((5_000..7_500).map(op));
        let (news, step, pages) = poll(&mut walk, &log, true);
        assert_eq!((news, step), ((5_000..7_500).collect(), Step::Closed { is_continuous: true }));
        assert_eq!(pages, 4, "until it has caught up, and one that tells that the last was not cut");
        assert_eq!(walk.anchor().map(|a| a.seq), Some(7_499));
        let mut again = Walk::new(walk.anchor(), OVERLAP_MS);
        log.push(op(7_500));
        assert_eq!(poll(&mut again, &log, true).0, [7_500], "after a restart");
    }

    #[test]
    fn a_log_by_time_is_entered_at_its_end_and_followed() {
        let mut log: Vec<Op> = (1..3_000).map(op).collect();
        let mut walk = Walk::new(None, OVERLAP_MS);
        let (news, step, _) = poll(&mut walk, &log, false);
        assert_eq!((news.last(), step), (Some(&2_999), Step::Closed { is_continuous: false }));
        // One of the same millisecond as the newest, one that is committed late, and a new one.
        let same = Op { created_ms: op(2_999).created_ms, ..op(90_001) };
        let late = Op { created_ms: op(2_940).created_ms, ..op(90_002) };
        log.extend([same, late, op(3_000)]);
        log.sort_by_key(|op| op.created_ms);
        let (mut news, step, _) = poll(&mut walk, &log, false);
        news.sort_unstable();
        assert_eq!((news, step), (vec![2_940, 2_999, 3_000], Step::Closed { is_continuous: true }));
        assert_eq!(poll(&mut walk, &log, false).0, [0_u64; 0]);
        let mut again = Walk::new(walk.anchor(), OVERLAP_MS);
        assert_eq!(poll(&mut again, &log, false).1, Step::Closed { is_continuous: true }, "after a restart");
    }

    #[test]
    fn a_server_that_cuts_pages_short_is_read_to_the_end_of_its_log() {
        for (has_numbers, limit) in [(true, 100), (true, 500), (false, 100), (false, 500)] {
            let mut log: Vec<Op> = (1..1_200).map(op).collect();
            let mut walk = Walk::new(None, OVERLAP_MS);
            let (news, step, _) = poll_limited(&mut walk, &log, has_numbers, limit);
            assert_eq!((news.last(), step), (Some(&1_199), Step::Closed { is_continuous: false }), "pages of {limit}");
            log.extend((1_200..2_500).map(op));
            let (news, step, _) = poll_limited(&mut walk, &log, has_numbers, limit);
            let expected = ((1_200..2_500).collect(), Step::Closed { is_continuous: true });
            assert_eq!((news, step), expected, "pages of {limit}");
            log.push(op(2_500));
            let (news, _, pages) = poll_limited(&mut walk, &log, has_numbers, limit);
            assert_eq!(news, [2_500]);
            assert!(pages <= 2, "pages of {limit}: few lines are not asked for twice: {pages}");
        }
    }

    #[test]
    fn an_empty_log_is_waited_at_and_another_log_is_a_hole() {
        let mut walk = Walk::new(None, OVERLAP_MS);
        assert_eq!(poll(&mut walk, &[], true).1, Step::Closed { is_continuous: false });
        let (news, ..) = poll(&mut walk, &[op(1), op(2)], true);
        assert_eq!(news, [1, 2]);
        let other: Vec<Op> = (1..3).map(|n| Op { key: op(n + 50).key, ..op(n) }).collect();
        assert!(matches!(poll(&mut walk, &other, true).1, Step::Hole(_)));
        assert!(matches!(poll(&mut walk, &[], true).1, Step::Hole(_)), "it began anew");
    }

    #[test]
    fn an_anchor_of_the_other_form_is_not_mistaken() {
        let numbered = Walk::new(Some(Anchor { seq: 81_000_000, key: op(1).key }), OVERLAP_MS);
        let timed = Walk::new(Some(Anchor { seq: T0 as u64, key: op(1).key }), OVERLAP_MS);
        assert_eq!((numbered.form, timed.form), (Form::Numbered, Form::Timed));
    }
}
