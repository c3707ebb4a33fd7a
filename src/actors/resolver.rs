//! A mirror that serves single DIDs alone: operations of the primary are looked up there until they are visible.
//!
//! Which operation is looked for next, and what the answers prove, is decided by [`LookOut`]; how many the host's budget
//! allows by [`Budget`]. The window opens with the first answer that is a log: a host that answers nothing of the kind is
//! never judged.

mod answer;

use super::asked::probe_of;
use super::feed::{Feed, class_word, retry_after_ns};
use super::message::{Beat, Decided, LookFor, SourceEvent, Stop};
use super::mirror_stream::{StreamDoors, StreamListeners, StreamSettings, rejected};
use crate::domain::did::Did;
use crate::domain::frame::Reject;
use crate::domain::link::{LinkEvent, LinkState};
use crate::domain::look_out::{Budget, LookOut, Looked, Shown, Sight, looks_of_missed};
use crate::domain::op::{Kind, Op, OpKey};
use crate::domain::sampling::{Sampling, Sought};
use crate::domain::time::{SECOND, Tau};
use crate::domain::transport::Taken;
use crate::domain::verdict::{Mode, Reason};
use crate::ports::export::LookUp;
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Recipient, WrapFuture,
};
pub(super) use answer::{Answer, Page, read};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Mailbox places.
const MAILBOX: usize = 64;
/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(50);
/// A host that nothing is looked for at is asked about something this often, nanoseconds.
const HEARTBEAT_NS: i64 = 5 * SECOND;
/// The wait after the first failure, nanoseconds; it doubles.
const RETRY_NS: i64 = SECOND;
/// The longest such wait.
const RETRY_MAX_NS: i64 = 30 * SECOND;
/// Failures in a row after which the mirror counts as down.
const FAILED_MAX: u32 = 2;
/// The time without an answer after which it counts as down, nanoseconds.
const OVERDUE_NS: i64 = 20 * SECOND;
/// Between two questions whether what is overdue is decided, nanoseconds.
const DECIDED_EVERY_NS: i64 = SECOND;

/// What a resolver is told beside the settings of every source.
#[derive(Clone)]
pub struct LookUpSettings {
    /// Requests a second that the host may be asked.
    pub requests_per_s: f64,
    /// The mirror's grace, nanoseconds.
    pub grace_ns: i64,
    /// Decides which operations are of the sample; nobody else may know it.
    pub seed: u64,
    /// Who knows which operations are decided.
    pub decided: Recipient<Decided>,
}

/// The actor.
pub struct Resolver {
    feed: Feed,
    look_ups: LookUpSettings,
    look_out: LookOut,
    budget: Budget,
    /// Operations that are looked for, by key: what the mirror's arrival is told with.
    sought: HashMap<OpKey, Sought>,
    page: Option<Page>,
    is_asking: bool,
    not_before: Tau,
    failures: u32,
    /// The DID whose look-up failed last; another one is asked about before it, to tell whether the host answers at all.
    failed: Option<Did>,
    answered_at: Option<Tau>,
    asked_decided_at: Tau,
    was_observed: bool,
    /// Whether the gap before the next answer is one between two answers to this very resolver.
    has_answered: bool,
    /// Since when everything must be looked for once more for the gap to be closed.
    refill_since: Option<Tau>,
}

impl Resolver {
    /// A resolver that begins when it is started; `taken` says why operations are looked up.
    #[must_use]
    pub fn new(
        settings: StreamSettings,
        look_ups: LookUpSettings,
        doors: StreamDoors,
        to: StreamListeners,
        taken: Taken,
    ) -> Resolver {
        let budget = Budget::new(look_ups.requests_per_s, doors.clock.now());
        let taken = Taken { resolution_ns: Some(SECOND), sampling_ratio: Some(budget.ratio()), ..taken };
        Resolver {
            look_out: LookOut::new(budget.watched_max(look_ups.grace_ns)),
            budget,
            look_ups,
            sought: HashMap::new(),
            page: None,
            is_asking: false,
            not_before: Tau::MIN,
            failures: 0,
            failed: None,
            answered_at: None,
            asked_decided_at: Tau::MIN,
            was_observed: settings.was_observed,
            has_answered: false,
            refill_since: None,
            feed: Feed::new(settings, doors, to, taken),
        }
    }

    /// Sends events to the collector; done when it has them. Questions go at a pace of their own.
    fn telling(&self, events: Vec<SourceEvent>) -> impl Future<Output = ()> + use<> {
        let telling = self.feed.telling(events);
        async move {
            telling.await;
        }
    }

    fn tell(&self, events: Vec<SourceEvent>, ctx: &mut Context<Self>) {
        if !events.is_empty() {
            ctx.wait(self.telling(events).into_actor(self));
        }
    }

    fn sampling(&self) -> SourceEvent {
        SourceEvent::Sampling(Some(Sampling::new(self.look_ups.seed, self.budget.ratio())))
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = self.feed.now();
        let mut events = Vec::new();
        if let Some(ratio) = self.budget.correct(now) {
            events.extend(ratio.map(|_| self.sampling()));
            self.feed.taken.sampling_ratio = Some(self.budget.share());
            events.push(SourceEvent::Measured(self.feed.taken.resolution_ns, self.feed.taken.sampling_ratio));
        }
        let let_go = self.look_out.let_go(self.look_ups.grace_ns, now);
        self.sighted(let_go, None, &mut events);
        if self.feed.link.is_open() && self.answered_at.is_some_and(|at| now.since(at) > OVERDUE_NS) {
            self.go_down("no answer for 20 s".to_owned(), &mut events);
        }
        self.tell(events, ctx);
        self.ask_decided(now, ctx);
        if self.is_asking || now < self.not_before {
            return;
        }
        if let Some(did) = self.due(now) {
            self.ask(did, ctx);
        }
    }

    /// The DID to ask about now: one that is looked for, or any from time to time.
    fn due(&self, now: Tau) -> Option<Did> {
        let next = self.look_out.next().filter(|next| next.1 <= now && self.page.is_some()).map(|next| next.0);
        let is_quiet = self.answered_at.is_none_or(|at| now.since(at) >= HEARTBEAT_NS);
        let any = || self.feed.doors.known.pick(now).map(|known| known.0);
        match next {
            Some(did) if self.failed == Some(did) => any().or(next),
            Some(_) => next,
            None => is_quiet.then(any).flatten(),
        }
    }

    fn ask(&mut self, did: Did, ctx: &mut Context<Self>) {
        self.is_asking = true;
        let (export, target) = (Arc::clone(&self.feed.doors.export), self.feed.target());
        let page = self.page;
        let asking = async move {
            let first = page.unwrap_or(Page::Audit);
            let answer = export.look_up(&target, &first.path(did)).await;
            if page.is_none() && answer.status.is_some_and(|s| matches!(s, 404 | 405 | 501)) {
                return (Page::Last, export.look_up(&target, &Page::Last.path(did)).await);
            }
            (first, answer)
        };
        ctx.spawn(asking.into_actor(self).map(move |(page, look_up), act, ctx| {
            act.is_asking = false;
            let mut events = Vec::new();
            act.looked_up(did, page, &look_up, &mut events);
            act.tell(events, ctx);
        }));
    }

    fn looked_up(&mut self, did: Did, page: Page, look_up: &LookUp, events: &mut Vec<SourceEvent>) {
        self.feed.doors.fail.reach("resolver", &self.feed.settings.id);
        self.feed.answered_from(look_up.peer);
        let answer = read(page, look_up);
        // A 404 of a host that never showed a log may be about the page.
        let is_served = match &answer {
            Answer::Shown(Shown::Log(_) | Shown::Last(_)) => true,
            Answer::Shown(_) => self.page.is_some(),
            Answer::Failed(_) => false,
        };
        events.extend(probe_of(look_up, is_served).map(SourceEvent::Asked));
        match (answer, look_up.asked_at) {
            (Answer::Shown(shown), Some(asked_at)) => {
                let is_log = matches!(shown, Shown::Log(_) | Shown::Last(_));
                if self.page.is_none() && !is_log {
                    self.not_before = self.feed.now().plus(RETRY_NS);
                    let text = format!("resolve: no log of a DID was shown yet: {}", page.path(did));
                    self.refused("http", text, events);
                    return;
                }
                self.page = Some(self.page.unwrap_or(page));
                self.answered(did, &shown, Looked { asked_at, received_at: look_up.received_at }, events);
            }
            (Answer::Failed(text), _) => self.failed(did, look_up, text, events),
            (Answer::Shown(_), None) => {}
        }
    }

    fn answered(&mut self, did: Did, shown: &Shown, looked: Looked, events: &mut Vec<SourceEvent>) {
        (self.failures, self.failed, self.answered_at) = (0, None, Some(looked.asked_at));
        self.open(looked.asked_at, events);
        let sights = self.look_out.answered(did, shown, looked);
        let live =
            sights.iter().filter_map(|s| if let Sight::Visible(_, Mode::Live, ns) = s.0 { Some(ns) } else { None });
        if let Some(ns) = live.max() {
            events.push(SourceEvent::Resolution(looked.received_at, ns));
            self.feed.taken.resolution_ns = Some(ns);
            events.push(SourceEvent::Measured(Some(ns), self.feed.taken.sampling_ratio));
        }
        self.sighted(sights, Some((shown, looked.received_at)), events);
        self.prove(looked.asked_at, events);
    }

    /// Tells what is known of operations now, by an answer that was complete at an instant, or by none.
    fn sighted(&mut self, sights: Vec<(Sight, u32)>, answer: Option<(&Shown, Tau)>, events: &mut Vec<SourceEvent>) {
        for (sight, looks) in sights {
            let (Sight::Visible(key, ..) | Sight::Untold(key) | Sight::Unanswered(key)) = sight else {
                if let (Sight::False(claim), Some((_, at))) = (sight, answer) {
                    events.push(rejected(&Reject::CidMismatch(Box::new(claim)), at, None));
                }
                continue;
            };
            self.budget.ended(looks);
            let sought = self.sought.remove(&key);
            match (sight, sought, answer) {
                (Sight::Visible(_, mode, _), Some(s), Some((shown, at))) => {
                    // As the mirror shows it: under which DID and with which time is for the ledger to compare.
                    let (did, created_ms) =
                        shown.entry(&key.cid).map_or((key.did, s.created_ms), |entry| (entry.did, entry.created_ms));
                    let key = OpKey { did, ..key };
                    events.push(SourceEvent::Arrived(
                        Op { key, kind: s.kind, created_ms, seq: None, prev: None },
                        at,
                        mode,
                    ));
                }
                (Sight::Untold(_), ..) => events.push(SourceEvent::Skipped(key)),
                (Sight::Unanswered(_), ..) => events.push(SourceEvent::LostSight(key, Reason::Unanswered)),
                _ => {}
            }
        }
    }

    fn open(&mut self, asked_at: Tau, events: &mut Vec<SourceEvent>) {
        if self.feed.link.is_open() {
            return;
        }
        let has_gap = std::mem::replace(&mut self.was_observed, true);
        events.push(SourceEvent::Opened(asked_at));
        self.feed.step(LinkEvent::Upgraded, events);
        self.feed.step(LinkEvent::Opened { has_gap }, events);
        self.feed.link.heard();
        if !has_gap {
            self.has_answered = true;
        } else if std::mem::replace(&mut self.has_answered, true) {
            self.refill_since = Some(asked_at);
        } else {
            let why = "what was published before was not looked for".to_owned();
            events.push(SourceEvent::Hole(self.feed.now(), why));
            self.feed.step(LinkEvent::CaughtUp, events);
        }
    }

    /// Tells through when the window is proved, and that the gap is closed once everything was looked for behind it.
    fn prove(&mut self, asked_at: Tau, events: &mut Vec<SourceEvent>) {
        let proved = self.look_out.proved(asked_at);
        events.push(SourceEvent::Proved(proved));
        if self.refill_since.is_some_and(|since| proved >= since) {
            self.refill_since = None;
            events.push(SourceEvent::Filled(self.feed.now()));
            self.feed.step(LinkEvent::CaughtUp, events);
        }
    }

    fn failed(&mut self, did: Did, look_up: &LookUp, text: String, events: &mut Vec<SourceEvent>) {
        self.failures += 1;
        self.failed = Some(did);
        let now = self.feed.now();
        let asked_ns = look_up.error.as_ref().map_or(0, retry_after_ns);
        let asked_ns = asked_ns.max(look_up.retry_after_s.map_or(0, |s| i64::from(s) * SECOND));
        let wait_ns = RETRY_MAX_NS.min(RETRY_NS << (self.failures - 1).min(8)).max(asked_ns);
        self.look_out.failed(did, now, wait_ns);
        self.not_before = now.plus(wait_ns);
        let class = look_up.error.as_ref().map_or("http", class_word);
        if self.failures >= FAILED_MAX && self.feed.link.is_open() {
            self.go_down(text, events);
        } else {
            self.refused(class, text, events);
        }
    }

    fn refused(&mut self, class: &'static str, text: String, events: &mut Vec<SourceEvent>) {
        if self.feed.link.is_open() {
            self.feed.note_error(text, events);
        } else {
            let event = LinkEvent::Failed { class, text, retry_after_ns: None, is_unsupported: false };
            self.feed.step(event, events);
        }
    }

    fn go_down(&mut self, text: String, events: &mut Vec<SourceEvent>) {
        self.refill_since = None;
        self.feed.step(LinkEvent::Dead { text }, events);
        debug_assert!(self.feed.link.state == LinkState::Waiting);
    }

    /// Asks whether what was looked for behind its deadline is decided, and looks for it no more when it is.
    fn ask_decided(&mut self, now: Tau, ctx: &mut Context<Self>) {
        let overdue = self.look_out.overdue(self.look_ups.grace_ns);
        if overdue.is_empty() || now.since(self.asked_decided_at) < DECIDED_EVERY_NS {
            return;
        }
        self.asked_decided_at = now;
        let asking = self.look_ups.decided.send(Decided { source: self.feed.settings.source, keys: overdue });
        ctx.spawn(asking.into_actor(self).map(|decided, act, _| {
            let decided = decided.unwrap_or_default();
            act.look_out.decided(&decided);
            let looks = looks_of_missed(act.look_ups.grace_ns);
            for key in &decided {
                act.sought.remove(key);
                act.budget.ended(looks);
            }
        }));
    }
}

impl Actor for Resolver {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let mut events = self.feed.begin();
        events.push(self.sampling());
        self.tell(events, ctx);
        ctx.run_interval(TICK, Self::tick);
    }
}

impl Handler<LookFor> for Resolver {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, msg: LookFor, _: &mut Self::Context) -> Self::Result {
        let mut events = Vec::new();
        for sought in msg.0 {
            if sought.kind == Kind::Tombstone {
                self.look_out.buried(sought.key.did, sought.p);
            }
            if !sought.is_sampled {
                continue;
            }
            let has_room = self.look_out.add(sought);
            self.budget.taken(has_room);
            if has_room {
                self.sought.insert(sought.key, sought);
            } else {
                events.push(SourceEvent::LostSight(sought.key, Reason::DroppedByUs));
            }
        }
        AtomicResponse::new(Box::pin(self.telling(events).into_actor(self)))
    }
}

impl Handler<Beat> for Resolver {
    type Result = ();

    fn handle(&mut self, _: Beat, _: &mut Self::Context) {}
}

impl Handler<Stop> for Resolver {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        // That looking ends is our doing: the window stays open, and whoever comes next closes it.
        let mut events = Vec::new();
        self.feed.step(LinkEvent::Stop, &mut events);
        events.retain(|e| !matches!(e, SourceEvent::Closed));
        let telling = self.telling(events);
        AtomicResponse::new(Box::pin(telling.into_actor(self).map(|(), _, ctx| ctx.stop())))
    }
}
