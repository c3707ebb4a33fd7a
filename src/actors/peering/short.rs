//! Connections that end by themselves: tests of nodes with pings, and errands.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Recipient;
use tokio::time::timeout;

use super::access::{Access, no_rights};
use super::news::{News, Told, Which, is_final};
use super::{PeeringDoors, introduction};
use crate::config::Nodes;
use crate::domain::node_table::Tested;
use crate::domain::node_table::constants::Constants;
use crate::domain::time::{MS, Tau, US};
use crate::logux::{Close, Effect, Entry, Json, Node, Now};
use crate::ports::clock::Clock;
use crate::ports::store::PeerMarks;
use crate::ports::stream_reader::{Arrived, Payload, StreamReader};

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(200);
/// Messages taken at once.
const BATCH_MAX: usize = 64;

/// Why it came to nothing.
enum Failure {
    /// The other side will never let us in.
    Refused(String),
    /// Anything else.
    Failed,
}

/// What a short connection needs.
#[derive(Clone)]
pub(super) struct Errand {
    pub(super) address: String,
    pub(super) access: Access,
    pub(super) nodes: Arc<Nodes>,
    pub(super) doors: PeeringDoors,
}

struct Short {
    reader: StreamReader,
    node: Node,
    node_id: String,
    clock: Arc<dyn Clock>,
    told: Arc<Mutex<Vec<Entry>>>,
}

impl Errand {
    fn limit() -> Duration {
        Duration::from_nanos(Constants::default().timeout_ns as u64)
    }

    /// Pings the node, each after the answer before.
    pub(super) async fn test(self) -> Tested {
        let opened = timeout(Errand::limit(), self.open(".test", false)).await;
        let mut short = match opened {
            Ok(Ok(short)) => short,
            Ok(Err(Failure::Refused(why))) => return Tested::Refused(why),
            Ok(Err(Failure::Failed)) | Err(_) => return Tested::Failed,
        };
        let mut rtts_us = Vec::new();
        // Our own answers need not be waited for.
        let pings = if short.node_id == self.nodes.id { 0 } else { Constants::default().max_ping_count };
        while rtts_us.len() < pings {
            match timeout(Errand::limit(), short.ping()).await {
                Ok(Some(took_us)) => rtts_us.push(took_us),
                Ok(None) | Err(_) => return Tested::Failed,
            }
        }
        let node_id = short.node_id.clone();
        short.reader.close(1000, GOODBYE).await;
        Tested::Answered { node_id, rtts_us }
    }

    /// Says `entry` to the node and waits a while for its answer.
    pub(super) async fn say(self, entry: Entry, to: Recipient<News>) {
        let opened = timeout(Errand::limit(), self.open(".errand", true)).await;
        let Ok(Ok(mut short)) = opened else { return };
        let of = Which::Errand(self.address.clone());
        let mut told = vec![Told::Opened(short.node_id.clone())];
        if let Ok(answers) = timeout(Errand::limit(), short.ask(&entry)).await {
            told.extend(answers.into_iter().map(Told::Beside));
        }
        short.reader.close(1000, GOODBYE).await;
        for told in told {
            if to.send(News { of: of.clone(), told }).await.is_err() {
                tracing::debug!("nobody waits for the answer of a node any more");
            }
        }
    }

    /// A connection; who `asks` says where it can be reached, for the answer.
    async fn open(&self, suffix: &str, asks: bool) -> Result<Short, Failure> {
        let dialed = self.doors.dialer.dial(self.access.request()).await.map_err(|error| {
            tracing::debug!(address = %self.address, error = %error.text, "a node was not reached");
            Failure::Failed
        })?;
        let told = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&told);
        let listener = Arc::new(move |entry| noted.lock().unwrap_or_else(PoisonError::into_inner).push(entry));
        let nothing = PeerMarks::none(&self.address);
        let options = self.access.options(&self.nodes, suffix, no_rights(listener), &nothing, 0);
        let clock = Arc::clone(&self.doors.clock);
        let mut short = Short { reader: dialed.reader, node: Node::new(options), node_id: String::new(), clock, told };
        let mut introduction = introduction(&self.nodes, false);
        introduction.address = introduction.address.filter(|_| asks);
        short.send(Json::Array(vec![Json::text("headers"), introduction.headers()]).to_text()).await?;
        let effects = short.node.on_open(short.now());
        short.act(effects).await?;
        while short.node_id.is_empty() {
            for arrived in short.next().await? {
                short.take(&arrived).await?;
            }
        }
        Ok(short)
    }
}

impl Short {
    /// Nothing here waits by the node's clock.
    fn now(&self) -> Now {
        Now { tick_ms: u64::try_from(self.clock.now().0 / MS).unwrap_or(0), utc_ms: self.clock.utc_ms() }
    }

    async fn send(&mut self, text: String) -> Result<(), Failure> {
        self.reader.send_text(text).await.map_err(|_| Failure::Failed)
    }

    /// What comes next, without the other side's log: it is not confirmed, so that not much of it comes.
    async fn next(&mut self) -> Result<Vec<Arrived>, Failure> {
        let batch = self.reader.next_batch(BATCH_MAX).await;
        if batch.messages.is_empty() && batch.end.is_some() {
            return Err(Failure::Failed);
        }
        let is_log = |text: &str| text.starts_with("[\"sync\",") && !text.starts_with("[\"sync\",0,");
        let is_taken = |arrived: &Arrived| matches!(&arrived.payload, Payload::Text(text) if !is_log(text.as_str()));
        Ok(batch.messages.into_iter().filter(is_taken).collect())
    }

    async fn take(&mut self, arrived: &Arrived) -> Result<(), Failure> {
        let Payload::Text(text) = &arrived.payload else { return Ok(()) };
        let effects = self.node.on_message(text.as_str(), self.now());
        self.act(effects).await
    }

    async fn act(&mut self, effects: Vec<Effect>) -> Result<(), Failure> {
        for effect in effects {
            match effect {
                Effect::Send(text) => self.send(text).await?,
                Effect::LetIn(node_id) => self.node_id = node_id,
                Effect::Told { kind, .. } if is_final(&kind) => return Err(Failure::Refused(kind)),
                Effect::Close(Close::Refused) => {
                    return Err(Failure::Refused("it speaks another protocol or subprotocol".to_owned()));
                }
                Effect::Close(_) => return Err(Failure::Failed),
                // There is nothing to keep, to read or to remember.
                Effect::Keep(_)
                | Effect::Read { .. }
                | Effect::Sent(_)
                | Effect::Received(_)
                | Effect::State(_)
                | Effect::Told { .. } => {}
            }
        }
        Ok(())
    }

    /// One round trip, microseconds.
    async fn ping(&mut self) -> Option<i64> {
        let pinged: Tau = self.clock.now();
        self.send("[\"ping\",0]".to_owned()).await.ok()?;
        loop {
            let arrived = self.next().await.ok()?;
            let is_pong = |arrived: &&Arrived| matches!(&arrived.payload, Payload::Text(text) if text.as_str().starts_with("[\"pong\","));
            if let Some(pong) = arrived.iter().find(is_pong) {
                return Some(pong.at.since(pinged).max(0) / US);
            }
        }
    }

    /// Says something and waits for what is told of nodes; nothing where the connection ends before.
    async fn ask(&mut self, entry: &Entry) -> Vec<Entry> {
        let effects = self.node.send_beside(entry);
        if self.act(effects).await.is_err() {
            return Vec::new();
        }
        loop {
            let Ok(arrived) = self.next().await else { return Vec::new() };
            for arrived in arrived {
                if self.take(&arrived).await.is_err() {
                    return Vec::new();
                }
            }
            let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
            if !told.is_empty() {
                return told;
            }
        }
    }
}
