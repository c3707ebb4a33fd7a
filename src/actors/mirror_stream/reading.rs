//! What a connection brings: parsed, checked, and told in order.

use super::MirrorStream;
use crate::actors::message::{Read, ReadEnd, SourceEvent};
use crate::domain::fill::Anchor;
use crate::domain::frame::{Reject, Shape, parse};
use crate::domain::link::{LinkEvent, LinkState};
use crate::domain::op::Op;
use crate::domain::time::Tau;
use crate::domain::verdict::Mode;
use crate::ports::stream_reader::{Arrived, Payload, StreamEnd};
use actix::Context;
use std::sync::PoisonError;

/// Characters of a refused frame's explanation that are kept.
const REJECT_TEXT_MAX: usize = 160;

impl MirrorStream {
    pub(super) fn read(&mut self, msg: Read, ctx: &mut Context<Self>) -> Vec<SourceEvent> {
        let mut events = Vec::with_capacity(msg.messages.len() + 4);
        let opened_at = msg.messages.first().map(|m| m.at).or(msg.alive_at);
        if let Some(at) = opened_at
            && !self.link.is_open()
        {
            // A gap is there when the source was observed before; it begins at the last proof, which the ledger knows.
            let has_gap = std::mem::replace(&mut self.was_observed, true);
            events.push(SourceEvent::Opened(at));
            self.step(LinkEvent::Opened { has_gap }, &mut events, ctx);
        }
        if !msg.messages.is_empty() {
            self.link.heard();
        }
        for message in &msg.messages {
            self.take(message, &mut events);
        }
        if let (Some(high), LinkState::Synchronized) = (self.live_high, self.link.state)
            && self.anchor.is_none_or(|a| high.seq > a.seq)
        {
            self.anchored(high, &mut events);
        }
        if let (Some((at, rtt_ns)), Some(peer)) = (msg.tcp_info_rtt, self.peer) {
            events.push(SourceEvent::TcpInfoRtt(at, peer, rtt_ns));
        }
        if let Some(through) = msg.proved {
            events.push(SourceEvent::Proved(through));
        }
        if let Some(end) = msg.end {
            self.ended(&end, &mut events, ctx);
        }
        events
    }

    fn take(&mut self, message: &Arrived, events: &mut Vec<SourceEvent>) {
        let text = match &message.payload {
            Payload::Text(text) => text,
            Payload::Binary(_) => {
                events.push(rejected(&Reject::NotText, message.at));
                return;
            }
        };
        let parsed = {
            let mut forms = self.doors.forms.lock().unwrap_or_else(PoisonError::into_inner);
            parse(text, Shape::Sequenced, &mut forms).map(|frame| frame.op)
        };
        match parsed {
            Ok(op) => {
                self.note_live(&op);
                events.push(SourceEvent::Arrived(op, message.at, Mode::Live));
            }
            Err(reject) => events.push(rejected(&reject, message.at)),
        }
    }

    fn note_live(&mut self, op: &Op) {
        let Some(seq) = op.seq else { return };
        if let Some(fill) = &mut self.fill {
            fill.live(seq);
        }
        if self.live_high.is_none_or(|high| seq > high.seq) {
            self.live_high = Some(Anchor { seq, key: op.key });
        }
    }

    fn ended(&mut self, end: &ReadEnd, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        let now = self.now();
        let event = match end {
            ReadEnd::Dead => {
                LinkEvent::Dead { text: "tcp: nothing that was sent was acknowledged for 15 s".to_owned() }
            }
            ReadEnd::Stream(StreamEnd::Unacknowledged) => {
                LinkEvent::Dead { text: StreamEnd::Unacknowledged.to_string() }
            }
            ReadEnd::Stream(StreamEnd::Closed { code, reason }) => {
                LinkEvent::Closed { code: *code, reason: reason.clone() }
            }
            ReadEnd::Stream(other) => {
                if let StreamEnd::TooLarge { bytes, limit } = other {
                    events.push(rejected(&Reject::TooLarge { bytes: *bytes, limit: *limit }, now));
                }
                LinkEvent::Closed { code: 1006, reason: other.to_string() }
            }
        };
        self.step(event, events, ctx);
    }
}

pub(super) fn rejected(reject: &Reject, at: Tau) -> SourceEvent {
    let mut text = reject.to_string();
    if let Some((cut, _)) = text.char_indices().nth(REJECT_TEXT_MAX) {
        text.truncate(cut);
    }
    SourceEvent::Rejected(reject.name(), text, at, reject.claim().copied().map(Box::new))
}
