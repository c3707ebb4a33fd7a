//! What one simulated server has: its operations in its own order, and the odd frames that only its streams carry.
//!
//! A stream is a place in this log; reading on from it gives catch-up and live alike, without a gap between them.

use super::behaviour::{Numbering, Style, Wire};
use super::op::SimOp;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::time::rfc3339_ms;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

/// One thing that streams carry.
enum Item {
    /// An operation that every way of asking shows.
    Entry(Entry),
    /// A frame for the streams that are live when it is sent.
    Odd(Message),
}

impl Entry {
    /// What streams carry.
    fn message(&self, style: Style) -> Message {
        Message::text(self.op.message_text(self.seq, style))
    }

    /// The element of an audit log, or the line of `/export` by time.
    pub(super) fn legacy_text(&self, style: Style) -> String {
        self.op.legacy_text(self.nullified, style)
    }
}

/// An operation under this server's number.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) op: Arc<SimOp>,
    at: Instant,
    /// Whether streams carry it.
    is_streamed: bool,
    /// Whether audit logs call it nullified.
    pub(super) nullified: bool,
    /// Whether nothing shows it any more.
    is_withdrawn: bool,
}

/// What can be done to an operation that is there.
#[derive(Copy, Clone)]
pub(super) enum Deed {
    Nullify,
    Withdraw,
}

/// The log of one server, bounded by the number of items kept.
pub(super) struct Log {
    /// Place of the first item kept.
    first: u64,
    items: VecDeque<Item>,
    last_seq: u64,
    /// The largest number that was let go.
    forgotten_seq: u64,
}

/// Where a cursor leads.
pub(super) enum Place {
    At(u64),
    Future,
    Outdated,
}

impl Log {
    pub(super) fn new() -> Log {
        Log { first: 0, items: VecDeque::new(), last_seq: 0, forgotten_seq: 0 }
    }

    /// Appends an operation and returns its number.
    pub(super) fn append(
        &mut self,
        op: Arc<SimOp>,
        numbering: Numbering,
        is_streamed: bool,
        keep: usize,
        at: Instant,
    ) -> u64 {
        let next = self.last_seq + 1;
        let seq = match numbering {
            Numbering::Directory => op.seq.max(next),
            Numbering::Own => next,
        };
        self.last_seq = seq;
        for loser in &op.nullifies {
            self.alter(*loser, Deed::Nullify);
        }
        self.push(Item::Entry(Entry { seq, op, at, is_streamed, nullified: false, is_withdrawn: false }), keep);
        seq
    }

    /// Does something to an operation; whether it is there.
    pub(super) fn alter(&mut self, cid: Cid, deed: Deed) -> bool {
        let is_it = |item: &&mut Item| matches!(item, Item::Entry(entry) if entry.op.key.cid == cid);
        let Some(Item::Entry(entry)) = self.items.iter_mut().find(is_it) else { return false };
        match deed {
            Deed::Nullify => entry.nullified = true,
            Deed::Withdraw => entry.is_withdrawn = true,
        }
        true
    }

    /// Appends a frame that only live streams carry.
    pub(super) fn append_odd(&mut self, frame: Message, keep: usize) {
        self.push(Item::Odd(frame), keep);
    }

    fn push(&mut self, item: Item, keep: usize) {
        self.items.push_back(item);
        while self.items.len() > keep.max(1) {
            if let Some(Item::Entry(entry)) = self.items.pop_front() {
                self.forgotten_seq = self.forgotten_seq.max(entry.seq);
            }
            self.first += 1;
        }
    }

    /// Forgets everything, as a server with a new database, and counts on from `seq`.
    pub(super) fn begin_again(&mut self, seq: u64) {
        self.first += self.items.len() as u64;
        self.items.clear();
        self.last_seq = seq;
        self.forgotten_seq = seq;
    }

    /// When the newest operation was accepted, milliseconds since 1970; none without one.
    pub(super) fn newest_ms(&self) -> Option<i64> {
        self.items.iter().rev().find_map(|item| match item {
            Item::Entry(entry) => Some(entry.op.created_ms),
            Item::Odd(_) => None,
        })
    }

    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The place after the last item.
    pub(super) fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// The place `operations` before the end, or the first.
    pub(super) fn before_end(&self, operations: usize) -> u64 {
        self.first + self.items.len().saturating_sub(operations) as u64
    }

    pub(super) fn place_of(&self, cursor: u64, oldest: u64) -> Place {
        if cursor > self.last_seq {
            Place::Future
        } else if cursor < self.forgotten_seq || cursor < oldest {
            Place::Outdated
        } else {
            let next = self.items.iter().position(|item| matches!(item, Item::Entry(entry) if entry.seq > cursor));
            Place::At(self.first + next.unwrap_or(self.items.len()) as u64)
        }
    }

    /// At most `max` messages from `place` on, and the place after them; odd frames only from `live_from` on.
    /// `None` when what lies there was let go.
    pub(super) fn read(&self, place: u64, live_from: u64, max: usize, style: Style) -> Option<(Vec<Message>, u64)> {
        let skip = place.checked_sub(self.first)? as usize;
        let mut messages = Vec::new();
        let mut at = place;
        for item in self.items.iter().skip(skip).take(max) {
            match item {
                Item::Entry(entry) if entry.is_streamed && !entry.is_withdrawn => {
                    messages.push(entry.message(style));
                }
                Item::Odd(frame) if at >= live_from => messages.push(frame.clone()),
                Item::Entry(_) | Item::Odd(_) => {}
            }
            at += 1;
        }
        Some((messages, at))
    }

    /// Operations that `/export` shows at `visible_until`.
    pub(super) fn entries(&self, visible_until: Instant) -> impl DoubleEndedIterator<Item = &Entry> {
        self.items.iter().filter_map(move |item| match item {
            Item::Entry(entry) if entry.at <= visible_until && !entry.is_withdrawn => Some(entry),
            _ => None,
        })
    }

    /// Operations of one DID.
    pub(super) fn of_did(&self, did: Did) -> Vec<Entry> {
        let entries = self.items.iter().filter_map(|item| match item {
            Item::Entry(entry) if entry.op.key.did == did && !entry.is_withdrawn => Some(entry.clone()),
            _ => None,
        });
        entries.collect()
    }

    /// The last `count` operations as frames.
    pub(super) fn last_frames(&self, count: usize, style: Style) -> Vec<Message> {
        let mut frames: Vec<Message> = self
            .items
            .iter()
            .rev()
            .filter_map(|item| match item {
                Item::Entry(entry) => Some(entry.message(style)),
                Item::Odd(_) => None,
            })
            .take(count)
            .collect();
        frames.reverse();
        frames
    }
}

impl SimOp {
    /// The message of a stream.
    #[must_use]
    pub fn message_text(&self, seq: u64, style: Style) -> String {
        match style.wire {
            Wire::Sequenced => self.stream_text(seq, style),
            Wire::Bundle => self.bundle_text(style),
        }
    }

    /// The message of a plcbundle server.
    fn bundle_text(&self, style: Style) -> String {
        let (did, cid, operation, created) = (self.key.did, self.key.cid, &self.operation, self.created_text(style));
        format!(r#"{{"did":"{did}","operation":{operation},"cid":"{cid}","nullified":false,"created_at":"{created}"}}"#)
    }

    /// The message of a numbered stream, or the line of `/export` by number.
    #[must_use]
    pub fn stream_text(&self, seq: u64, style: Style) -> String {
        let (did, cid, operation, created) = (self.key.did, self.key.cid, &self.operation, self.created_text(style));
        if style.sorted_keys {
            format!(
                r#"{{"cid":"{cid}","createdAt":"{created}","did":"{did}","nullified":false,"operation":{},"seq":{seq},"type":"sequenced_op"}}"#,
                sorted(operation)
            )
        } else {
            format!(
                r#"{{"seq":{seq},"type":"sequenced_op","did":"{did}","operation":{operation},"cid":"{cid}","createdAt":"{created}"}}"#
            )
        }
    }

    /// The line of `/export` by time, and the element of an audit log.
    #[must_use]
    pub fn legacy_text(&self, nullified: bool, style: Style) -> String {
        let (did, cid, operation, created) = (self.key.did, self.key.cid, &self.operation, self.created_text(style));
        format!(
            r#"{{"did":"{did}","operation":{operation},"cid":"{cid}","nullified":{nullified},"createdAt":"{created}"}}"#
        )
    }

    fn created_text(&self, style: Style) -> String {
        let text = rfc3339_ms(self.created_ms);
        if style.offset_time { text.replace('Z', "+00:00") } else { text }
    }
}

/// The same JSON with its keys in alphabetical order.
fn sorted(json: &str) -> String {
    serde_json::from_str::<serde_json::Value>(json).map_or_else(|_| json.to_owned(), |value| value.to_string())
}
