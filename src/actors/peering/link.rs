//! The connection to the uplink: dialled, spoken, kept in the log, and remembered how far it came.
//!
//! One thing at a time: while something is being kept nothing else is read, which bounds a fast sender. What was received is
//! on disk before it is confirmed and before the mark of it is; marks that are lost with the process cost asking again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Recipient;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::access::{Access, rights};
use super::news::{News, Told, Which, is_final};
use super::{PeeringDoors, introduction};
use crate::config::Nodes;
use crate::domain::node_table::uplink::End;
use crate::domain::time::{MS, Tau, US};
use crate::logux::peer_message::LogTold;
use crate::logux::{Close, Effect, Entry, Json, Node, Now};
use crate::ports::log_book::LogError;
use crate::ports::store::PeerMarks;
use crate::ports::stream_reader::{Payload, StreamReader};

/// Messages taken at once.
const BATCH_MAX: usize = 64;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);
/// How often marks are written, when they moved.
const MARK_EVERY_NS: i64 = 1_000 * MS;
/// How often the other side is taken for alive while what it sent is being kept.
const WHILE_KEEPING: Duration = Duration::from_millis(500);
/// How often it is told that something came.
const HEARD_EVERY_NS: i64 = 500 * MS;

/// What a connection needs.
pub(super) struct LinkTask {
    pub(super) address: String,
    pub(super) access: Access,
    pub(super) nodes: Arc<Nodes>,
    pub(super) doors: PeeringDoors,
    pub(super) number: u64,
    pub(super) to: Recipient<News>,
    /// What is to be sent beside the log.
    pub(super) beside: mpsc::Receiver<Entry>,
    pub(super) stop: CancellationToken,
}

/// How a connection came to its end.
enum Over {
    /// We wanted so.
    Stopped,
    /// Another node than before answers at this address, or the same with another log.
    OtherLog(PeerMarks),
    /// The other side, or the way to it.
    Ended(End, String),
}

/// An open connection.
struct Talk<'a> {
    task: &'a mut LinkTask,
    reader: StreamReader,
    node: Node,
    began: Tau,
    head: watch::Receiver<i64>,
    marks: PeerMarks,
    /// When marks that moved are to be written.
    mark_at: Option<Tau>,
    pinged: Option<Tau>,
    heard_told: Tau,
    /// What the other side said to be wrong with us for good.
    refused: Option<String>,
    /// What it told of nodes.
    told: Arc<Mutex<Vec<Entry>>>,
}

impl LinkTask {
    /// Connects and exchanges until the end.
    pub(super) async fn run(mut self) {
        let mut marks = self.marks_where(|_| true).await;
        let mut is_again = false;
        let over = loop {
            match self.connect(marks).await {
                Over::OtherLog(_) if is_again => {
                    break Over::Ended(End::Failed, "another node or log answers each time".to_owned());
                }
                Over::OtherLog(other) => (marks, is_again) = (other, true),
                over => break over,
            }
        };
        if let Over::Ended(end, why) = over {
            self.tell(Told::Ended(end, why)).await;
        }
    }

    /// What was exchanged at this address, with the node and the log that are meant; nothing where it is not known.
    async fn marks_where(&self, is_meant: impl Fn(&PeerMarks) -> bool) -> PeerMarks {
        let all = self.doors.log.peer_marks().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "it is not known how far logs were exchanged; everything is asked for again");
            Vec::new()
        });
        let found = all.into_iter().rfind(|marks| marks.address == self.address && is_meant(marks));
        found.unwrap_or_else(|| PeerMarks::none(&self.address))
    }

    async fn connect(&mut self, marks: PeerMarks) -> Over {
        let dialer = Arc::clone(&self.doors.dialer);
        let opened = tokio::select! {
            () = self.stop.cancelled() => return Over::Stopped,
            opened = dialer.dial(self.access.request()) => opened,
        };
        let reader = match opened {
            Ok(opened) => opened.reader,
            Err(error) => return Over::Ended(End::Failed, error.text),
        };
        let (told, head) = (Arc::new(Mutex::new(Vec::new())), self.doors.log.head());
        let noted = Arc::clone(&told);
        let listener = Arc::new(move |entry| noted.lock().unwrap_or_else(PoisonError::into_inner).push(entry));
        let rights = rights(&self.nodes, &self.doors.log, listener);
        let options = self.access.options(&self.nodes, "", rights, &marks, *head.borrow());
        let now = self.doors.clock.now();
        let talk = Talk {
            node: Node::new(options),
            reader,
            began: now,
            head,
            marks,
            mark_at: None,
            pinged: None,
            heard_told: Tau::MIN,
            refused: None,
            told,
            task: self,
        };
        talk.run().await
    }

    async fn tell(&self, told: Told) {
        if self.to.send(News { of: Which::Uplink(self.number), told }).await.is_err() {
            // Whoever chose this uplink has gone, and another one begins anew.
            self.stop.cancel();
        }
    }
}

impl Talk<'_> {
    async fn run(mut self) -> Over {
        let over = self.talk().await;
        self.write_marks().await;
        self.reader.close(1001, GOODBYE).await;
        over
    }

    async fn talk(&mut self) -> Over {
        let headers = introduction(&self.task.nodes, true).headers();
        let mut effects = vec![Effect::Send(Json::Array(vec![Json::text("headers"), headers]).to_text())];
        effects.extend(self.node.on_open(self.now()));
        loop {
            if let Err(over) = self.act(effects).await {
                return over;
            }
            let wait = self.wait();
            effects = tokio::select! {
                () = self.task.stop.cancelled() => return Over::Stopped,
                Some(entry) = self.task.beside.recv() => self.node.send_beside(&entry),
                batch = self.reader.next_batch(BATCH_MAX) => {
                    for message in batch.messages {
                        if let Err(over) = self.take(message.payload, message.at).await {
                            return over;
                        }
                    }
                    if let Some(end) = batch.end {
                        return self.ended(end.to_string());
                    }
                    self.heard().await;
                    Vec::new()
                }
                Ok(()) = self.head.changed() => {
                    let head = *self.head.borrow_and_update();
                    self.node.on_grown(u64::try_from(head).unwrap_or(0))
                }
                () = tokio::time::sleep(wait) => self.on_time().await,
            };
        }
    }

    fn now(&self) -> Now {
        let tick_ms = self.task.doors.clock.now().since(self.began) / MS;
        Now { tick_ms: u64::try_from(tick_ms).unwrap_or(0), utc_ms: self.task.doors.clock.utc_ms() }
    }

    /// Until something is to be done without being asked.
    fn wait(&self) -> Duration {
        let now = self.task.doors.clock.now();
        let node_at = self.node.next_at_ms().map(|at| self.began.plus(at as i64 * MS));
        let at = node_at.into_iter().chain(self.mark_at).min().unwrap_or_else(|| now.plus(MARK_EVERY_NS));
        Duration::from_nanos(u64::try_from(at.since(now)).unwrap_or(0)).max(Duration::from_millis(1))
    }

    async fn on_time(&mut self) -> Vec<Effect> {
        if self.mark_at.is_some_and(|at| at <= self.task.doors.clock.now()) {
            self.write_marks().await;
        }
        let now = self.now();
        if self.node.next_at_ms().is_some_and(|at| at <= now.tick_ms) { self.node.on_time(now) } else { Vec::new() }
    }

    fn ended(&mut self, why: String) -> Over {
        match self.refused.take() {
            Some(refused) => Over::Ended(End::Refused(refused.clone()), refused),
            None => Over::Ended(End::Failed, why),
        }
    }

    async fn take(&mut self, payload: Payload, at: Tau) -> Result<(), Over> {
        let Payload::Text(text) = payload else { return Err(self.ended("ws: text_only".to_owned())) };
        if text.as_str().starts_with("[\"pong\",")
            && let Some(pinged) = self.pinged.take()
        {
            self.task.tell(Told::Pong(at.since(pinged).max(0) / US)).await;
        }
        let effects = self.node.on_message(text.as_str(), self.now());
        self.act(effects).await?;
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        for entry in told {
            self.task.tell(Told::Beside(entry)).await;
        }
        Ok(())
    }

    async fn heard(&mut self) {
        let now = self.task.doors.clock.now();
        if now.since(self.heard_told) >= HEARD_EVERY_NS {
            self.heard_told = now;
            self.task.tell(Told::Heard).await;
        }
    }

    /// Carries out what the node wants.
    async fn act(&mut self, effects: Vec<Effect>) -> Result<(), Over> {
        let mut left = VecDeque::from(effects);
        while let Some(effect) = left.pop_front() {
            match effect {
                Effect::Send(text) => self.send(text).await?,
                Effect::LetIn(node_id) => self.let_in(node_id).await?,
                Effect::Keep(entries) => {
                    let kept = self.keep(entries).await?;
                    if let Err(error) = &kept {
                        tracing::warn!(%error, "what the uplink sent is not kept; it will send it again");
                    }
                    left.extend(self.node.on_kept(kept.is_ok()));
                }
                Effect::Read { after, limit } => match self.task.doors.log.page(after, limit).await {
                    Ok(page) => left.extend(self.node.on_page(page)),
                    Err(error) => return Err(self.ended(error.to_string())),
                },
                Effect::Sent(number) => {
                    self.moved(|marks, number| marks.sent = number, number);
                    self.task.tell(Told::Sent(number)).await;
                }
                Effect::Received(number) => self.moved(|marks, number| marks.received = number, number),
                Effect::State(state) => self.task.tell(Told::State(state)).await,
                Effect::Told { kind, .. } if is_final(&kind) => self.refused = Some(kind),
                Effect::Told { kind, .. } => tracing::debug!(%kind, "the uplink told of an error"),
                Effect::Close(Close::Refused) if self.refused.is_none() => {
                    let why = "it speaks another protocol or subprotocol".to_owned();
                    return Err(Over::Ended(End::Refused(why.clone()), why));
                }
                Effect::Close(why) => return Err(self.ended(format!("closed: {why:?}"))),
            }
        }
        Ok(())
    }

    /// Keeps what came. That our disk is slow is no silence of the other side.
    async fn keep(&self, entries: Vec<Entry>) -> Result<Result<(), LogError>, Over> {
        let mut keeping = std::pin::pin!(self.task.doors.log.append(entries));
        loop {
            tokio::select! {
                kept = &mut keeping => return Ok(kept),
                () = self.task.stop.cancelled() => return Err(Over::Stopped),
                () = tokio::time::sleep(WHILE_KEEPING) => self.task.tell(Told::Heard).await,
            }
        }
    }

    async fn send(&mut self, text: String) -> Result<(), Over> {
        if text.starts_with("[\"ping\",") {
            self.pinged = Some(self.task.doors.clock.now());
        }
        // A peer that reads nothing is left when it is told to stop.
        let sent = tokio::select! {
            () = self.task.stop.cancelled() => return Err(Over::Stopped),
            sent = self.reader.send_text(text) => sent,
        };
        sent.map_err(|end| self.ended(end.to_string()))
    }

    /// The other side is who we took it for, with the log that we know, or else everything is exchanged anew that is not
    /// known to be there.
    async fn let_in(&mut self, node_id: String) -> Result<(), Over> {
        if node_id == self.task.nodes.id {
            // Ourselves: nothing is exchanged, and nothing noted of whom this address led to before.
            self.task.tell(Told::Opened(node_id)).await;
            return Err(Over::Stopped);
        }
        let told = self.node.remote_headers().and_then(LogTold::read);
        let log = told.map_or(0, |told| told.begun);
        // A log that ends before what we have of it was put back to what it was.
        let is_it = |marks: &PeerMarks| {
            let is_whole = told.is_none_or(|told| marks.received <= told.last);
            marks.node_id == node_id && marks.log == log && is_whole
        };
        if !is_it(&self.marks) {
            let known = self.task.marks_where(is_it).await;
            let is_same = (known.sent, known.received) == (self.marks.sent, self.marks.received);
            let known = PeerMarks { node_id: node_id.clone(), log, ..known };
            if !is_same {
                return Err(Over::OtherLog(known));
            }
            self.marks = known;
        }
        self.task.tell(Told::Opened(node_id)).await;
        Ok(())
    }

    fn moved(&mut self, set: impl FnOnce(&mut PeerMarks, i64), number: u64) {
        set(&mut self.marks, i64::try_from(number).unwrap_or(i64::MAX));
        self.mark_at.get_or_insert(self.task.doors.clock.now().plus(MARK_EVERY_NS));
    }

    async fn write_marks(&mut self) {
        if self.mark_at.take().is_some()
            && let Err(error) = self.task.doors.log.mark_peer(self.marks.clone()).await
        {
            tracing::warn!(%error, "how far logs were exchanged is not kept; it will be asked for again");
        }
    }
}
