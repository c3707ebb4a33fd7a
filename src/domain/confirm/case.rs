//! One miss or extra on its way to an explanation: which host is asked next, and what its answers come to.
//!
//! What would blame a mirror is believed only when the primary's own log, asked afterwards, still lists the operation:
//! whatever the primary or the observer fails to answer ends as `unverifiable`.

use super::AGAIN_NS;
use super::reply::{Page, Reply};
use crate::domain::audit_log::{LogEntry, is_sound, is_tombstoned};
use crate::domain::cid::Cid;
use crate::domain::finding::{About, Finding, ProbeEvidence};
use crate::domain::op::{Op, OpKey};
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;

/// How often the primary must say that it does not know a DID at all, before its operations count as withdrawn: a log that
/// lacks one says more than an answer that a proxy could have made.
const DENIALS_MIN: u8 = 2;

/// What the mirror said of a miss.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Says {
    /// Its log lacks the operation.
    Lacks,
    /// Its last operation is another one.
    LastIs(Cid),
    /// It does not know the DID, surely or perhaps.
    Unknown { is_sure: bool },
    /// It knew the DID and serves it no more.
    Gone,
}

/// Which answer is waited for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Stage {
    /// Of a miss: the mirror's log.
    MirrorLog,
    /// Of a miss: the mirror's last operation, its log being of no use.
    MirrorLast(Says),
    /// Of a miss: the primary's log, which decides whether the mirror is to blame.
    PrimaryLog(Says),
    /// Of an extra: the primary's log.
    Listing,
    /// Of an extra that the primary does not list: the mirror's log, which has the operation's content.
    Content,
}

/// What follows an answer.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Step {
    /// This host is to be asked for this page.
    Ask(SourceIx, Page),
    /// This was found; with the operation as the primary lists it, where it does.
    Found(Finding, Option<Op>),
}

/// A miss or an extra that is being explained.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) source: SourceIx,
    pub(super) key: OpKey,
    pub(super) about: About,
    /// The further looks that were begun.
    pub(super) round: usize,
    /// When the first look ended.
    pub(super) first_at: Option<Tau>,
    /// What was found before.
    pub(super) found: Option<Finding>,
    /// What was asked in this look.
    pub(super) probes: Vec<ProbeEvidence>,
    stage: Stage,
    denials: u8,
}

/// What a case needs to know beside the answers.
#[derive(Copy, Clone, Debug)]
pub(super) struct Knows {
    /// Whether the operation breaks the rules, where its content was to be looked at.
    pub(super) is_invalid: bool,
    /// Whether the primary listed the operation before.
    pub(super) was_listed: bool,
}

impl Case {
    pub(super) fn new(source: SourceIx, key: OpKey, about: About) -> Case {
        Case {
            source,
            key,
            about,
            round: 0,
            first_at: None,
            found: None,
            probes: Vec::new(),
            stage: Stage::MirrorLog,
            denials: 0,
        }
    }

    /// Begins a look: whom to ask first.
    pub(super) fn begin(&mut self) -> (SourceIx, Page) {
        self.probes.clear();
        let (stage, host) = match self.about {
            About::Miss => (Stage::MirrorLog, self.source),
            About::Extra => (Stage::Listing, SourceIx::PRIMARY),
        };
        self.stage = stage;
        (host, Page::Audit)
    }

    /// Whether the next answer brings the operation's content, which is then to be checked by the rules.
    pub(super) fn wants_content(&self) -> bool {
        self.stage == Stage::Content
    }

    /// Takes the answer to what was asked last.
    pub(super) fn hear(&mut self, reply: &Reply, knows: Knows) -> Step {
        match self.stage {
            Stage::MirrorLog => self.mirror_log(reply),
            Stage::MirrorLast(says) => self.mirror_last(reply, says),
            Stage::PrimaryLog(says) => self.primary_log(reply, says),
            Stage::Listing => self.listing(reply, knows),
            Stage::Content => self.content(reply, knows),
        }
    }

    /// Whether another look follows what was found, and when; none after the last.
    pub(super) fn again_at(&self, finding: Finding, first_at: Tau) -> Option<Tau> {
        AGAIN_NS.get(self.round).filter(|_| finding.may_change()).map(|ns| first_at.plus(*ns))
    }

    /// What stands when this look found `finding`: a look that failed takes nothing back.
    pub(super) fn standing(&self, finding: Finding) -> Finding {
        match self.found {
            Some(before) if finding == Finding::Unverifiable => before,
            _ => finding,
        }
    }

    fn lists<'a>(&self, log: &'a [LogEntry]) -> Option<(usize, &'a LogEntry)> {
        let is_it = |e: &LogEntry| e.key() == self.key && e.claimed_cid_matches;
        log.iter().enumerate().find(|(_, e)| is_it(e))
    }

    fn ask(&mut self, stage: Stage) -> Step {
        self.stage = stage;
        match stage {
            Stage::MirrorLog | Stage::Content => Step::Ask(self.source, Page::Audit),
            Stage::MirrorLast(_) => Step::Ask(self.source, Page::Last),
            Stage::PrimaryLog(_) | Stage::Listing => Step::Ask(SourceIx::PRIMARY, Page::Audit),
        }
    }

    fn mirror_log(&mut self, reply: &Reply) -> Step {
        match reply {
            Reply::Log(log) if self.lists(log).is_some() => Step::Found(Finding::StreamLoss, None),
            Reply::Log(log) if log.is_empty() => self.ask(Stage::MirrorLast(Says::Unknown { is_sure: true })),
            Reply::Log(log) if is_sound(log, self.key.did) => self.ask(Stage::PrimaryLog(Says::Lacks)),
            Reply::Unknown { is_sure } => self.ask(Stage::MirrorLast(Says::Unknown { is_sure: *is_sure })),
            Reply::Gone => self.ask(Stage::MirrorLast(Says::Gone)),
            // Perhaps it has no such page, and the other one.
            Reply::Unusable => self.ask(Stage::MirrorLast(Says::Unknown { is_sure: false })),
            _ => UNVERIFIABLE,
        }
    }

    fn mirror_last(&mut self, reply: &Reply, says: Says) -> Step {
        match (reply, says) {
            (Reply::Last(cid), _) if *cid == self.key.cid => Step::Found(Finding::StreamLoss, None),
            (Reply::Last(cid), _) => self.ask(Stage::PrimaryLog(Says::LastIs(*cid))),
            (Reply::Unknown { is_sure: now }, Says::Unknown { is_sure: before }) => {
                self.ask(Stage::PrimaryLog(Says::Unknown { is_sure: before || *now }))
            }
            (Reply::Unknown { .. } | Reply::Gone, _) => self.ask(Stage::PrimaryLog(Says::Gone)),
            _ => UNVERIFIABLE,
        }
    }

    fn primary_log(&mut self, reply: &Reply, says: Says) -> Step {
        let log = match reply {
            Reply::Log(log) if is_sound(log, self.key.did) && !log.is_empty() => log,
            Reply::Unknown { is_sure: true } => {
                self.denials = self.denials.saturating_add(1);
                let is_withdrawn = self.denials >= DENIALS_MIN;
                return if is_withdrawn { Step::Found(Finding::Withdrawn, None) } else { UNVERIFIABLE };
            }
            _ => return UNVERIFIABLE,
        };
        let Some((place, entry)) = self.lists(log) else { return Step::Found(Finding::Withdrawn, None) };
        let finding = match says {
            Says::Lacks => Finding::DataLoss,
            Says::LastIs(cid) => {
                let is_before = log.iter().take(place).any(|e| e.cid == cid);
                if is_before && !entry.nullified { Finding::DataLoss } else { Finding::Unverifiable }
            }
            Says::Unknown { is_sure: true } if !is_tombstoned(log) => Finding::DidUnknown,
            Says::Unknown { .. } | Says::Gone => Finding::Unverifiable,
        };
        Step::Found(finding, Some(entry.into()))
    }

    fn listing(&mut self, reply: &Reply, knows: Knows) -> Step {
        let log: &[LogEntry] = match reply {
            Reply::Log(log) if is_sound(log, self.key.did) => log,
            Reply::Unknown { is_sure: true } => &[],
            _ => return UNVERIFIABLE,
        };
        match self.lists(log) {
            Some((_, e)) if e.nullified => Step::Found(Finding::Nullified, Some(e.into())),
            Some((_, e)) => Step::Found(Finding::PrimaryStreamGap, Some(e.into())),
            None if knows.was_listed => Step::Found(Finding::Withdrawn, None),
            None => self.ask(Stage::Content),
        }
    }

    fn content(&mut self, reply: &Reply, knows: Knows) -> Step {
        let Reply::Log(log) = reply else { return UNVERIFIABLE };
        if self.lists(log).is_none() {
            return UNVERIFIABLE;
        }
        Step::Found(if knows.is_invalid { Finding::KnownInvalid } else { Finding::PrimaryDenies }, None)
    }
}

/// Nothing can be said now.
const UNVERIFIABLE: Step = Step::Found(Finding::Unverifiable, None);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit_log::tests::chain;
    use crate::domain::did::Did;
    use crate::domain::op::Kind;

    const MIRROR: SourceIx = SourceIx(3);
    const KNOWS: Knows = Knows { is_invalid: false, was_listed: false };

    /// Leads a case through these answers and tells what it came to.
    fn found(about: About, key: OpKey, replies: &[(SourceIx, Page, Reply)], knows: Knows) -> Finding {
        let mut case = Case::new(MIRROR, key, about);
        let (mut host, mut page) = case.begin();
        for (i, (asked, of, reply)) in replies.iter().enumerate() {
            assert_eq!((host, page), (*asked, *of), "question {i}");
            match case.hear(reply, knows) {
                Step::Ask(next, of) => (host, page) = (next, of),
                Step::Found(finding, _) => {
                    assert_eq!(i + 1, replies.len(), "{finding:?} came before all was asked");
                    return finding;
                }
            }
        }
        panic!("{host:?} {page:?} is to be asked");
    }

    fn missed(replies: &[(SourceIx, Page, Reply)]) -> Finding {
        found(About::Miss, chain(4)[3].key(), replies, KNOWS)
    }

    fn audit(host: SourceIx, log: &[LogEntry]) -> (SourceIx, Page, Reply) {
        (host, Page::Audit, Reply::Log(log.to_vec()))
    }

    fn says(host: SourceIx, page: Page, reply: Reply) -> (SourceIx, Page, Reply) {
        (host, page, reply)
    }

    const SURE: Reply = Reply::Unknown { is_sure: true };
    const UNSURE: Reply = Reply::Unknown { is_sure: false };

    #[test]
    fn a_miss_that_the_mirror_lists_was_lost_by_its_stream_alone() {
        let log = chain(4);
        assert_eq!(missed(&[audit(MIRROR, &log)]), Finding::StreamLoss);
        let mut damaged = log.clone();
        damaged[1].claimed_cid_matches = false;
        assert_eq!(missed(&[audit(MIRROR, &damaged)]), Finding::StreamLoss, "another entry's fault changes nothing");
    }

    #[test]
    fn a_miss_is_data_loss_only_while_the_primary_lists_it() {
        let log = chain(4);
        let primary = |reply: Reply| (SourceIx::PRIMARY, Page::Audit, reply);
        let lacking = || audit(MIRROR, &log[..3]);
        assert_eq!(missed(&[lacking(), audit(SourceIx::PRIMARY, &log)]), Finding::DataLoss);
        assert_eq!(missed(&[lacking(), audit(SourceIx::PRIMARY, &log[..3])]), Finding::Withdrawn);
        let mut unsound = log.clone();
        unsound[0].claimed_cid_matches = false;
        for failing in [
            Reply::Failed,
            Reply::Unusable,
            Reply::Damaged,
            Reply::Gone,
            UNSURE,
            SURE,
            Reply::Busy { retry_after_s: None },
            Reply::Log(Vec::new()),
            Reply::Log(unsound),
        ] {
            assert_eq!(missed(&[lacking(), primary(failing.clone())]), Finding::Unverifiable, "{failing:?}");
        }
    }

    #[test]
    fn a_mirror_that_cannot_answer_is_not_blamed() {
        let mut lying = chain(3);
        lying[0].did = Did([9; 15]);
        for reply in [Reply::Failed, Reply::Damaged, Reply::Busy { retry_after_s: None }, Reply::Log(lying)] {
            assert_eq!(missed(&[says(MIRROR, Page::Audit, reply.clone())]), Finding::Unverifiable, "{reply:?}");
        }
        for reply in [Reply::Unusable, Reply::Failed, Reply::Damaged] {
            let replies = [says(MIRROR, Page::Audit, Reply::Unusable), says(MIRROR, Page::Last, reply)];
            assert_eq!(missed(&replies), Finding::Unverifiable);
        }
    }

    #[test]
    fn a_did_is_unknown_only_when_the_did_is_meant_and_not_tombstoned() {
        let log = chain(4);
        let with = |first: &Reply, second: &Reply, primary: &[LogEntry]| {
            missed(&[
                says(MIRROR, Page::Audit, first.clone()),
                says(MIRROR, Page::Last, second.clone()),
                audit(SourceIx::PRIMARY, primary),
            ])
        };
        assert_eq!(with(&SURE, &SURE, &log), Finding::DidUnknown);
        assert_eq!(with(&SURE, &UNSURE, &log), Finding::DidUnknown);
        assert_eq!(with(&Reply::Log(Vec::new()), &UNSURE, &log), Finding::DidUnknown);
        // No such page, for all we know.
        assert_eq!(with(&UNSURE, &UNSURE, &log), Finding::Unverifiable);
        assert_eq!(with(&Reply::Gone, &SURE, &log), Finding::Unverifiable);
        assert_eq!(with(&SURE, &Reply::Gone, &log), Finding::Unverifiable);
        let mut tombstoned = log.clone();
        tombstoned[3].kind = Kind::Tombstone;
        assert_eq!(with(&SURE, &SURE, &tombstoned), Finding::Unverifiable);
        assert_eq!(with(&SURE, &SURE, &log[..3]), Finding::Withdrawn);
    }

    #[test]
    fn the_last_operation_tells_where_there_is_no_log() {
        let log = chain(5);
        let with = |first: &Reply, last: Cid, primary: &[LogEntry]| {
            missed(&[
                says(MIRROR, Page::Audit, first.clone()),
                says(MIRROR, Page::Last, Reply::Last(last)),
                audit(SourceIx::PRIMARY, primary),
            ])
        };
        for first in [SURE, UNSURE, Reply::Gone, Reply::Unusable] {
            let it = says(MIRROR, Page::Last, Reply::Last(log[3].cid));
            assert_eq!(missed(&[says(MIRROR, Page::Audit, first.clone()), it]), Finding::StreamLoss);
            assert_eq!(with(&first, log[2].cid, &log), Finding::DataLoss);
            // It has something later: nobody knows what it has before that.
            assert_eq!(with(&first, log[4].cid, &log), Finding::Unverifiable);
            assert_eq!(with(&first, Cid([1; 32]), &log), Finding::Unverifiable);
            assert_eq!(with(&first, log[2].cid, &log[..3]), Finding::Withdrawn);
        }
        let mut nullified = log.clone();
        nullified[3].nullified = true;
        assert_eq!(with(&SURE, log[2].cid, &nullified), Finding::Unverifiable, "it need not be the last any more");
    }

    #[test]
    fn a_did_that_the_primary_forgot_is_withdrawn_at_the_second_look() {
        let log = chain(4);
        let mut case = Case::new(MIRROR, log[3].key(), About::Miss);
        for finding in [Finding::Unverifiable, Finding::Withdrawn] {
            case.begin();
            case.hear(&Reply::Log(log[..3].to_vec()), KNOWS);
            assert_eq!(case.hear(&SURE, KNOWS), Step::Found(finding, None));
        }
    }

    #[test]
    fn an_extra_is_explained_by_the_primary() {
        let mut log = chain(4);
        let key = log[3].key();
        let with = |replies: &[(SourceIx, Page, Reply)], knows| found(About::Extra, key, replies, knows);
        let listing = |log: &[LogEntry]| audit(SourceIx::PRIMARY, log);
        assert_eq!(with(&[listing(&log)], KNOWS), Finding::PrimaryStreamGap);
        let content = audit(MIRROR, &log);
        assert_eq!(with(&[listing(&log[..3]), content.clone()], KNOWS), Finding::PrimaryDenies);
        let denied = says(SourceIx::PRIMARY, Page::Audit, SURE);
        assert_eq!(with(&[denied.clone(), content.clone()], KNOWS), Finding::PrimaryDenies);
        let invalid = Knows { is_invalid: true, ..KNOWS };
        assert_eq!(with(&[listing(&log[..3]), content], invalid), Finding::KnownInvalid);
        let seen = Knows { was_listed: true, ..KNOWS };
        assert_eq!(with(&[listing(&log[..3])], seen), Finding::Withdrawn);
        assert_eq!(with(&[denied], seen), Finding::Withdrawn);
        // Without its content nobody knows whether it keeps the rules.
        for reply in [Reply::Log(log[..3].to_vec()), Reply::Failed, SURE] {
            let replies = [listing(&log[..3]), says(MIRROR, Page::Audit, reply)];
            assert_eq!(with(&replies, KNOWS), Finding::Unverifiable);
        }
        log[3].nullified = true;
        assert_eq!(with(&[listing(&log)], KNOWS), Finding::Nullified);
        log[0].claimed_cid_matches = false;
        for reply in [Reply::Log(log), Reply::Failed, UNSURE, Reply::Gone, Reply::Unusable, Reply::Damaged] {
            assert_eq!(with(&[says(SourceIx::PRIMARY, Page::Audit, reply)], KNOWS), Finding::Unverifiable);
        }
    }

    #[test]
    fn further_looks_follow_what_may_change_and_end() {
        let mut case = Case::new(MIRROR, chain(1)[0].key(), About::Miss);
        let looks: Vec<Option<Tau>> = (0..=AGAIN_NS.len())
            .map(|round| {
                case.round = round;
                case.again_at(Finding::DataLoss, Tau(7))
            })
            .collect();
        let minutes = |n: i64| Some(Tau(7 + n * 60_000_000_000));
        assert_eq!(looks, [minutes(1), minutes(10), minutes(60), minutes(360), None]);
        case.round = 0;
        for finding in Finding::ALL {
            let is_open = matches!(finding, Finding::DataLoss | Finding::DidUnknown | Finding::Unverifiable);
            assert_eq!(case.again_at(finding, Tau(7)).is_some(), is_open, "{finding:?}");
        }
        assert_eq!(case.standing(Finding::Unverifiable), Finding::Unverifiable);
        case.found = Some(Finding::DataLoss);
        assert_eq!(case.standing(Finding::Unverifiable), Finding::DataLoss);
        assert_eq!(case.standing(Finding::StreamLoss), Finding::StreamLoss);
    }
}
