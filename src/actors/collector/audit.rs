//! What the collector and the auditor tell each other: what wants to be explained, and what hosts answered.

use super::Collector;
use super::evidence_rows::Unkept;
use crate::actors::message::{Audited, Check, CheckAbout, Checked, Checks};
use crate::domain::audit_log::LogAgreement;
use crate::domain::confirm::{Load, SurveyReport, Why};
use crate::domain::evidence::Evidence;
use crate::domain::finding::Finding;
use crate::domain::probes::Purpose;
use crate::domain::sample::{Sampled, Samples};
use crate::domain::source::SourceIx;
use crate::domain::time::{SECOND, Tau};
use crate::domain::transport::Transport;
use actix::{Handler, Recipient};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Between two events that tell the same finding of the same mirror, nanoseconds.
const EVENT_EVERY_NS: i64 = 60 * SECOND;

/// Between two times that all that is open and unexplained is asked about again, nanoseconds: each looks at everything held,
/// however often the auditor is replaced.
const ASK_AGAIN_EVERY_NS: i64 = 30 * SECOND;

/// When all that is open and unexplained is to be asked about again.
#[derive(Copy, Clone, Debug, Default)]
struct AskAgain {
    is_wanted: bool,
    last_at: Option<Tau>,
}

impl AskAgain {
    /// Whether that is now; then it counts as done.
    fn take(&mut self, now: Tau) -> bool {
        let is_now = self.is_wanted && self.last_at.is_none_or(|at| now.since(at) >= ASK_AGAIN_EVERY_NS);
        if is_now {
            *self = AskAgain { is_wanted: false, last_at: Some(now) };
        }
        is_now
    }
}

/// What the collector holds for the auditor and of it.
#[derive(Debug, Default)]
pub(super) struct Audit {
    auditor: Option<Recipient<Checks>>,
    ask_again: AskAgain,
    /// Checks that the auditor has no room for now.
    untold: Vec<Check>,
    pub(super) evidence: Arc<Evidence>,
    pub(super) unkept: Unkept,
    /// By mirror.
    pub(super) samples: Arc<Vec<Samples>>,
    pub(super) load: Load,
    news: BTreeMap<(SourceIx, Finding), News>,
}

/// Findings that an event is to tell.
#[derive(Copy, Clone, Debug, Default)]
struct News {
    untold: u64,
    told_at: Option<Tau>,
}

impl Audit {
    pub(super) fn new(samples: Vec<Samples>, evidence: Evidence) -> Audit {
        Audit { samples: Arc::new(samples), evidence: Arc::new(evidence), ..Audit::default() }
    }
}

/// To the collector: whom to tell what wants to be explained.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct AuditorIs(pub Recipient<Checks>);

impl Handler<AuditorIs> for Collector {
    type Result = ();

    fn handle(&mut self, msg: AuditorIs, _: &mut Self::Context) {
        // What its predecessor had taken and not answered is asked of it again.
        self.audit.ask_again.is_wanted |= self.audit.auditor.replace(msg.0).is_some();
    }
}

impl Handler<Audited> for Collector {
    type Result = ();

    fn handle(&mut self, msg: Audited, _: &mut Self::Context) {
        let now = self.clock.now();
        for checked in &msg.checked {
            self.checked(checked, now);
        }
        for report in &msg.sampled {
            self.sampled(report);
        }
        for (host, probe) in msg.probes {
            self.standings.probing.add(host, Purpose::Resolve, probe);
        }
        self.audit.load = msg.load;
    }
}

impl Collector {
    /// Hands over what wants to be explained. What the auditor has no room for waits, and nothing more is taken meanwhile.
    pub(super) fn ask_for_explanations(&mut self, now: Tau) {
        self.tell_findings(now);
        let Some(auditor) = &self.audit.auditor else { return };
        if self.audit.ask_again.take(now) {
            self.ledger.ask_again();
        }
        if self.audit.untold.is_empty() {
            let taken = self.ledger.take_checks();
            self.audit.untold = taken.into_iter().map(|(source, key, about)| Check { source, key, about }).collect();
        }
        if !self.audit.untold.is_empty() && auditor.try_send(Checks(self.audit.untold.clone())).is_ok() {
            self.audit.untold.clear();
        }
    }

    pub(super) fn checked(&mut self, checked: &Checked, now: Tau) {
        if self.is_shown_after_all(checked) {
            self.ledger.shown_after_all(checked.source, &checked.key, now);
            return;
        }
        if is_unasked_extra(checked) {
            // The auditor counts it. Nothing was found: there may be as many as a mirror likes to send.
            return;
        }
        Arc::make_mut(&mut self.audit.evidence).explained(checked, now);
        self.audit.unkept.check(checked.source, checked.key, &self.audit.evidence);
        let is_news = self.ledger.finding(checked.source, &checked.key) != Some(checked.finding);
        match (checked.finding, checked.about, &checked.listed) {
            (Finding::Withdrawn, CheckAbout::Miss, _) => self.ledger.withdraw(&checked.key),
            (Finding::PrimaryStreamGap, CheckAbout::Extra, Some(op)) => {
                // The answer for one mirror settles it for all.
                let is_settled = self.is_gap_known(checked);
                if !is_settled && !self.ledger.credit(op, now) {
                    // The primary has it from before we watched: its stream owes us nothing.
                    return;
                }
            }
            _ => {}
        }
        self.ledger.found(checked.source, &checked.key, checked.finding);
        if is_news {
            self.audit.news.entry((checked.source, checked.finding)).or_default().untold += 1;
        }
    }

    /// Whether a mirror that is asked about single DIDs lists what it missed. There is no stream that could have lost it: it
    /// was late, and nobody looked for it any more.
    fn is_shown_after_all(&self, checked: &Checked) -> bool {
        let taken = self.sources.get(usize::from(checked.source.0)).and_then(|known| known.taken.as_ref());
        (checked.finding, checked.about) == (Finding::StreamLoss, CheckAbout::Miss)
            && taken.is_some_and(|taken| taken.transport == Transport::Resolve)
    }

    /// Whether the operation was credited to another mirror before.
    fn is_gap_known(&self, checked: &Checked) -> bool {
        let mirrors = (0..self.sources.len().saturating_sub(1)).map(SourceIx::mirror);
        mirrors.filter_map(|m| self.ledger.finding(m, &checked.key)).any(|f| f == Finding::PrimaryStreamGap)
    }

    fn sampled(&mut self, report: &Arc<SurveyReport>) {
        for key in &report.withdrawn {
            self.ledger.withdraw(key);
        }
        if report.why == Why::Sample && report.has_measure {
            self.count_samples(report);
        }
        Arc::make_mut(&mut self.audit.evidence).surveyed(Arc::clone(report));
        self.audit.unkept.survey(report.did, &self.audit.evidence);
    }

    fn count_samples(&mut self, report: &SurveyReport) {
        let (mut differing, mut outcomes) = (Vec::new(), Vec::new());
        let samples = Arc::make_mut(&mut self.audit.samples);
        for host in report.hosts.iter().skip(1) {
            let mirror = host.source.mirror_index().and_then(|m| samples.get_mut(m));
            let Some(mirror) = mirror else { continue };
            let outcome = match host.agreement {
                Some(agreement) => Sampled::Judged(agreement),
                None if report.unsettled.contains(&host.source) => Sampled::Unsettled,
                None => Sampled::Unanswered,
            };
            mirror.add(report.ended, report.did, outcome);
            outcomes.push((host.source, outcome.name()));
            differing.extend(host.agreement.filter(|a| *a != LogAgreement::Same).map(|a| (host.source, a)));
        }
        for (source, outcome) in outcomes {
            if let Some(known) = self.known(source) {
                *known.sampled.entry(outcome).or_default() += 1;
            }
        }
        for (source, agreement) in differing {
            let text = format!("its log of {} differs from the primary's: {}", report.did, agreement.name());
            self.note_of(source, "log_differs", text);
        }
    }

    /// Tells new findings as events: the first at once, the others of a minute together.
    fn tell_findings(&mut self, now: Tau) {
        let is_due = |n: &News| n.untold > 0 && n.told_at.is_none_or(|at| now.since(at) >= EVENT_EVERY_NS);
        let due: Vec<(SourceIx, Finding, u64)> = self
            .audit
            .news
            .iter_mut()
            .filter(|n| is_due(n.1))
            .map(|((source, finding), n)| {
                n.told_at = Some(now);
                (*source, *finding, std::mem::take(&mut n.untold))
            })
            .collect();
        for (source, finding, count) in due {
            let what = if count == 1 { "operation" } else { "operations" };
            self.note_of(source, &format!("found_{}", finding.name()), format!("{count} {what} {}", words(finding)));
        }
    }
}

/// Whether nobody was asked about an extra, for lack of room.
fn is_unasked_extra(checked: &Checked) -> bool {
    (checked.about, checked.finding) == (CheckAbout::Extra, Finding::Unverifiable) && checked.probes.is_empty()
}

/// What is said of operations with such a finding.
const fn words(finding: Finding) -> &'static str {
    match finding {
        Finding::StreamLoss => "in the mirror's log, lost by its stream alone",
        Finding::DataLoss => "missing in the mirror's log",
        Finding::DidUnknown => "of DIDs that the mirror does not know",
        Finding::Unverifiable => "that no host could be asked about",
        Finding::PrimaryStreamGap => "in the primary's log, and not on its stream as it reached us",
        Finding::Nullified => "that the primary holds as nullified",
        Finding::Withdrawn => "that the primary does not list any more",
        Finding::KnownInvalid => "against the rules, and not in the primary's log",
        Finding::PrimaryDenies => "within the rules, and not in the primary's log",
        // Findings of content and order come from the streams, not from asking.
        other => other.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_asked_about_again_once_however_often_the_auditor_is_replaced() {
        let mut again = AskAgain::default();
        let mut asked_at = Vec::new();
        for s in 0..100 {
            // One that is replaced in every second of a minute.
            again.is_wanted |= (5..65).contains(&s);
            if again.take(Tau(s * SECOND)) {
                asked_at.push(s);
            }
        }
        assert_eq!(asked_at, [5, 35, 65], "at once, then with a pause, and never without a reason");
    }
}
