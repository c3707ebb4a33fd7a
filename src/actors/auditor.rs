//! The auditor: asks hosts about single DIDs, and tells the collector what they answered.
//!
//! What is asked when, and what an answer comes to, is decided by [`Confirm`]; this actor sends the requests, has the
//! answers read apart from the streams' thread, draws samples, and lets people who ask for a check wait for it. The
//! collector is told one message at a time, so that nothing is lost when it is busy; while it is, nobody is asked.

use super::asked::probe_of;
use super::message::{Audited, Beat, Check, Checks, Recheck, RecheckError, Stop, TakePicture};
use crate::domain::audit_log::LogEntry;
use crate::domain::confirm::{Ask, Confirm, ConfirmOptions, Heard, Reply, SurveyReport, Told, Why};
use crate::domain::did::Did;
use crate::domain::finding::ProbeEvidence;
use crate::domain::op::OpKey;
use crate::domain::probes::Probe;
use crate::domain::sample::{RECENT_NS, choose, delivered};
use crate::domain::source::SourceIx;
use crate::domain::time::{Labels, SECOND};
use crate::domain::view::Picture;
use crate::ports::clock::Clock;
use crate::ports::export::{ExportClient, ExportTarget, LookUp};
use crate::ports::export_error::ExportClass;
use crate::ports::fail_point::FailPoints;
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Recipient, ResponseFuture, SpawnHandle,
    WrapFuture,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Mailbox places.
const MAILBOX: usize = 64;
/// Findings that wait to be told, beyond which nobody is asked.
const UNTOLD_MAX: usize = 1_024;
/// The primary may take so long to list what its stream sent, nanoseconds, however short the grace is.
const LISTED_WITHIN_NS: i64 = 60 * SECOND;

/// Whether the entry at a place of a DID's log breaks the rules of validity.
pub type IsInvalid = fn(Did, &[LogEntry], usize) -> bool;

/// A host that can be asked.
#[derive(Clone, Debug)]
pub struct AuditHost {
    /// Id of the source.
    pub id: String,
    /// Where its pages are.
    pub target: ExportTarget,
}

/// What the auditor is made of.
#[derive(Clone)]
pub struct AuditorParts {
    /// The primary and the mirrors, in the order of their numbers.
    pub hosts: Vec<AuditHost>,
    /// How hosts are asked.
    pub confirm: ConfirmOptions,
    /// Whether the entry at a place of a DID's log breaks the rules of validity; may take long.
    pub is_invalid: IsInvalid,
    /// Between two samples; none takes none.
    pub sample_every: Option<Duration>,
    /// Whether people may ask for a check.
    pub allow_recheck: bool,
    /// Makes the choice of samples; secret.
    pub seed: u64,
    /// Asks.
    pub export: Arc<dyn ExportClient>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How instants become labels.
    pub labels: Labels,
    /// Who is told.
    pub collector: Recipient<Audited>,
    /// What samples are drawn from.
    pub pictures: Recipient<TakePicture>,
    /// Where tests make it fail.
    pub fail: FailPoints,
}

/// The actor.
pub struct Auditor {
    parts: AuditorParts,
    confirm: Confirm,
    rng: StdRng,
    /// Whether the next sample looks at what is new.
    is_recent_next: bool,
    /// Findings that the collector does not have yet.
    untold: Vec<Told>,
    /// How hosts answered, as far as the collector does not know it yet.
    probes: Vec<(SourceIx, Probe)>,
    is_telling: bool,
    wake: Option<SpawnHandle>,
    /// People who wait, by the number of their request.
    waiting: HashMap<u64, oneshot::Sender<Arc<SurveyReport>>>,
    requests: u64,
}

impl Auditor {
    /// An auditor with nothing to do.
    #[must_use]
    pub fn new(parts: AuditorParts) -> Auditor {
        Auditor {
            confirm: Confirm::new(parts.confirm),
            rng: StdRng::seed_from_u64(parts.seed),
            parts,
            is_recent_next: true,
            untold: Vec::new(),
            probes: Vec::new(),
            is_telling: false,
            wake: None,
            waiting: HashMap::new(),
            requests: 0,
        }
    }

    /// Asks whoever may be asked now, and wakes up for the next one.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        if let Some(wake) = self.wake.take() {
            ctx.cancel_future(wake);
        }
        if self.untold.len() + self.probes.len() >= UNTOLD_MAX {
            return;
        }
        let (asks, told) = self.confirm.next(self.parts.clock.now());
        self.take(told, ctx);
        for ask in asks {
            self.send(ask, ctx);
        }
        if let Some(at) = self.confirm.wake_at() {
            let wait_ns = at.since(self.parts.clock.now()).clamp(1_000_000, SECOND * 3_600);
            self.wake = Some(ctx.run_later(Duration::from_nanos(wait_ns.unsigned_abs()), Self::pump));
        }
    }

    fn send(&mut self, ask: Ask, ctx: &mut Context<Self>) {
        let Some(host) = self.parts.hosts.get(usize::from(ask.host.0)).cloned() else { return };
        let (export, labels, is_invalid) = (Arc::clone(&self.parts.export), self.parts.labels, self.parts.is_invalid);
        let (source, url) = (ask.host, ask.page.path(ask.did));
        let asking = async move {
            let found = export.look_up(&host.target, &url).await;
            // Hashing a long log and checking signatures takes longer than frames should wait for.
            let reading = tokio::task::spawn_blocking(move || read(&ask, host.id, &found, &labels, is_invalid));
            reading.await.map_err(|e| (url, e))
        };
        ctx.spawn(asking.into_actor(self).map(move |read, act, ctx| {
            let now = act.parts.clock.now();
            let read = read.unwrap_or_else(|(url, e)| {
                tracing::error!(error = %e, "an answer could not be read");
                Read { reply: Reply::Failed, invalid: Vec::new(), probe: act.unread(source, url), asked: None }
            });
            act.probes.extend(read.asked.map(|probe| (source, probe)));
            let told = act.confirm.answered(source, read.reply, &read.invalid, &read.probe, now);
            act.take(told, ctx);
            act.pump(ctx);
        }));
    }

    /// What is kept of a request whose answer was lost here.
    fn unread(&self, source: SourceIx, url: String) -> ProbeEvidence {
        let host = self.parts.hosts.get(usize::from(source.0));
        ProbeEvidence {
            host: host.map_or_else(String::new, |h| h.id.clone()),
            url,
            at_ms: self.parts.labels.utc_ms(self.parts.clock.now()),
            status: None,
            body_sha256: None,
            error: Some("the answer could not be read".to_owned()),
        }
    }

    /// Takes what was found: the collector is told, and whoever asked for it.
    fn take(&mut self, told: Vec<Told>, ctx: &mut Context<Self>) {
        self.untold.extend(told);
        if self.is_telling || self.untold.is_empty() && self.probes.is_empty() {
            return;
        }
        let (probes, load) = (std::mem::take(&mut self.probes), self.confirm.load());
        let mut audited = Audited { checked: Vec::new(), sampled: Vec::new(), probes, load };
        for told in self.untold.drain(..) {
            match told {
                Told::Explained(explained) => audited.checked.push(explained),
                Told::Surveyed(report) => {
                    let report: Arc<SurveyReport> = Arc::from(report);
                    if let Why::Request(number) = report.why
                        && let Some(asker) = self.waiting.remove(&number)
                    {
                        // Whoever asked may have gone away since.
                        let _ = asker.send(Arc::clone(&report));
                    }
                    audited.sampled.push(report);
                }
            }
        }
        self.is_telling = true;
        let telling = self.parts.collector.send(audited);
        ctx.spawn(telling.into_actor(self).map(|sent, act, ctx| {
            act.is_telling = false;
            if let Err(e) = sent {
                tracing::warn!(error = %e, "the collector was not told what hosts answered");
            }
            act.take(Vec::new(), ctx);
            act.pump(ctx);
        }));
    }

    /// Draws a DID and has every host asked about it.
    fn sample(&mut self, ctx: &mut Context<Self>) {
        let (seed, is_recent) = (self.rng.random(), self.is_recent_next);
        self.is_recent_next = !is_recent;
        let (asking, grace_ns) = (self.parts.pictures.send(TakePicture), self.parts.confirm.grace_ns);
        let drawing = async move {
            let picture = asking.await.ok()?;
            tokio::task::spawn_blocking(move || draw(&picture, is_recent, seed, grace_ns)).await.ok()?
        };
        ctx.spawn(drawing.into_actor(self).map(|drawn, act, ctx| {
            let Some((did, delivered)) = drawn else { return };
            if act.confirm.survey(did, Why::Sample, delivered, act.parts.clock.now()).is_err() {
                tracing::debug!("a sample was skipped: hosts are still being asked about those before");
            }
            act.pump(ctx);
        }));
    }
}

/// A DID with those of its operations that the primary must list by now.
fn draw(picture: &Picture, is_recent: bool, seed: u64, grace_ns: i64) -> Option<(Did, Vec<OpKey>)> {
    let (held, now) = (&picture.capture.held, picture.capture.now);
    let did = choose(held, is_recent.then(|| now.plus(-RECENT_NS)), seed)?;
    Some((did, delivered(held, did, now.plus(-grace_ns.max(LISTED_WITHIN_NS)))))
}

/// An answer that was read.
struct Read {
    reply: Reply,
    /// Operations that were to be checked and break the rules.
    invalid: Vec<OpKey>,
    probe: ProbeEvidence,
    /// What it says of how the host answers at all.
    asked: Option<Probe>,
}

/// Reads an answer, and writes down what was asked and answered.
fn read(ask: &Ask, host: String, found: &LookUp, labels: &Labels, is_invalid: IsInvalid) -> Read {
    let class = found.error.as_ref().map(|e| e.class);
    let heard = match (found.status, &found.body, class) {
        (Some(status), Some(body), _) => Heard::Answer { status, retry_after_s: found.retry_after_s, body },
        (_, _, Some(ExportClass::TooLarge { .. })) => Heard::TooLarge,
        (_, _, Some(ExportClass::Paused { retry_after_s })) => Heard::Paused(retry_after_s),
        _ => Heard::Nothing,
    };
    let (reply, words) = Reply::read(ask.did, ask.page, heard);
    let probe = ProbeEvidence {
        host,
        url: found.url.clone(),
        at_ms: labels.utc_ms(found.received_at),
        status: found.status,
        body_sha256: found.body.as_ref().map(|b| data_encoding::HEXLOWER.encode(&Sha256::digest(b))),
        error: found.error.as_ref().map(ToString::to_string).or(words),
    };
    let breaks = |log: &[LogEntry], key: &OpKey| {
        let place = log.iter().position(|e| e.key() == *key);
        place.is_some_and(|place| is_invalid(key.did, log, place))
    };
    let invalid = match &reply {
        Reply::Log(log) => ask.check.iter().filter(|key| breaks(log, key)).copied().collect(),
        _ => Vec::new(),
    };
    let asked = reply.is_served().and_then(|is_served| probe_of(found, is_served));
    Read { reply, invalid, probe, asked }
}

impl Actor for Auditor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        if let Some(every) = self.parts.sample_every {
            ctx.run_interval(every, Self::sample);
        }
    }
}

impl Handler<Beat> for Auditor {
    type Result = ();

    fn handle(&mut self, _: Beat, _: &mut Self::Context) {
        self.parts.fail.reach("auditor", "");
    }
}

impl Handler<Checks> for Auditor {
    type Result = ();

    fn handle(&mut self, msg: Checks, ctx: &mut Self::Context) {
        let mut told = Vec::new();
        for Check { source, key, about } in msg.0 {
            told.extend(self.confirm.add(source, key, about));
        }
        self.take(told, ctx);
        self.pump(ctx);
    }
}

impl Handler<Recheck> for Auditor {
    type Result = ResponseFuture<Result<Arc<SurveyReport>, RecheckError>>;

    fn handle(&mut self, msg: Recheck, ctx: &mut Self::Context) -> Self::Result {
        if !self.parts.allow_recheck {
            return Box::pin(async { Err(RecheckError::Off) });
        }
        self.requests += 1;
        let why = Why::Request(self.requests);
        if self.confirm.survey(msg.did, why, Vec::new(), self.parts.clock.now()).is_err() {
            return Box::pin(async { Err(RecheckError::Full) });
        }
        let (asker, answer) = oneshot::channel();
        self.waiting.insert(self.requests, asker);
        self.pump(ctx);
        Box::pin(async move { answer.await.map_err(|_| RecheckError::Stopping) })
    }
}

impl Handler<Stop> for Auditor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        // Whoever waits for an answer is told that none comes.
        self.waiting.clear();
        ctx.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::confirm::Page;
    use crate::domain::time::Tau;
    use crate::ports::export_error::ExportError;
    use bytes::Bytes;

    fn look_up(status: Option<u16>, body: Option<&'static str>, class: Option<ExportClass>) -> LookUp {
        LookUp {
            url: "https://m.example.org/x".to_owned(),
            asked_at: Some(Tau(6_000_000)),
            peer: None,
            received_at: Tau(7_000_000),
            status,
            retry_after_s: None,
            body: body.map(|b| Bytes::from_static(b.as_bytes())),
            error: class.map(|class| ExportError { class, text: "why".to_owned() }),
        }
    }

    fn read_it(found: &LookUp) -> Read {
        let labels = Labels { anchor_tau: Tau(0), anchor_utc_ms: 1_000 };
        let ask = Ask { host: SourceIx(1), did: Did([3; 15]), page: Page::Audit, check: Vec::new() };
        read(&ask, "m".to_owned(), found, &labels, |_, _, _| true)
    }

    #[test]
    fn an_answer_becomes_evidence_that_its_host_can_check() {
        let read = read_it(&look_up(Some(200), Some("[]"), None));
        assert_eq!(read.reply, Reply::Log(Vec::new()));
        let probe = read.probe;
        assert_eq!((probe.host.as_str(), probe.at_ms, probe.status, probe.error), ("m", 1_007, Some(200), None));
        // The well-known digest of two brackets.
        let digest = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945";
        assert_eq!(probe.body_sha256.as_deref(), Some(digest));
        let read = read_it(&look_up(Some(200), Some("[1]"), None));
        assert!(read.reply == Reply::Damaged && read.probe.error.unwrap().starts_with("entry 0: "));
    }

    #[test]
    fn what_did_not_come_is_no_answer_of_the_host() {
        let paused = ExportClass::Paused { retry_after_s: 9 };
        for (status, class, reply) in [
            (None, ExportClass::Timeout, Reply::Failed),
            (Some(200), ExportClass::Broken, Reply::Failed),
            (Some(200), ExportClass::TooLarge { limit: 1 }, Reply::Unusable),
            (None, paused, Reply::Busy { retry_after_s: Some(9) }),
        ] {
            let read = read_it(&look_up(status, None, Some(class)));
            assert_eq!((read.reply, read.probe.body_sha256, read.probe.error.as_deref()), (reply, None, Some("why")));
        }
    }
}
