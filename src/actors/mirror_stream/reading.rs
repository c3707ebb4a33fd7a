//! What a connection brings: parsed, checked, and told in order.

use super::MirrorStream;
use crate::actors::message::{Read, ReadEnd, RejectedFrame, SourceEvent};
use crate::domain::fill::Anchor;
use crate::domain::frame::{Reject, SeqFault, parse, seq_in};
use crate::domain::link::{LinkEvent, LinkState};
use crate::domain::op::Op;
use crate::domain::refused::LastReject;
use crate::domain::source::SourceIx;
use crate::domain::time::{SECOND, Tau};
use crate::domain::verdict::Mode;
use crate::ports::stream_reader::{Arrived, Payload, StreamEnd};
use actix::Context;
use std::sync::PoisonError;

/// Characters of a refused frame's explanation that are kept.
const REJECT_TEXT_MAX: usize = 160;
/// Bytes of a frame with an operation that are not counted as noise: the largest operation needs less.
const FRAME_USUAL_BYTES: usize = 16 * 1024;

impl MirrorStream {
    pub(super) fn read(&mut self, mut msg: Read, ctx: &mut Context<Self>) -> Vec<SourceEvent> {
        let mut events = Vec::with_capacity(msg.messages.len() + 4);
        if !msg.messages.is_empty() {
            self.link.heard();
        }
        msg.messages.retain(|message| message.at >= self.quiet_until);
        let since_quiet = |at: &Tau| *at >= self.quiet_until && self.quiet_until > Tau::MIN;
        let alive_at = msg.alive_at.filter(|at| *at >= self.quiet_until).or(msg.proved.filter(since_quiet));
        let opened_at = msg.messages.first().map(|m| m.at).or(alive_at);
        if let Some(at) = opened_at
            && !self.link.is_open()
        {
            // A gap is there when the source was observed before; it begins at the last proof, which the ledger knows.
            let has_gap = std::mem::replace(&mut self.was_observed, true);
            events.push(SourceEvent::Opened(at));
            if let Some(validator) = &self.to.validator {
                validator.note_gap();
            }
            self.step(LinkEvent::Opened { has_gap }, &mut events, ctx);
        }
        self.note_behind(&msg, &mut events);
        let mut noise_bytes = msg.noise_bytes;
        for message in &msg.messages {
            noise_bytes += self.take(message, &mut events);
        }
        if noise_bytes > 0 {
            events.push(SourceEvent::Noise(noise_bytes));
        }
        if let (Some(high), LinkState::Synchronized) = (self.live_high, self.link.state)
            && self.anchor.is_none_or(|a| high.seq > a.seq || (self.is_bundle() && high.key != a.key))
        {
            self.anchored(high, &mut events);
        }
        if let (Some((at, rtt_ns)), Some(peer)) = (msg.tcp_info_rtt, self.peer) {
            events.push(SourceEvent::TcpInfoRtt(at, peer, rtt_ns));
        }
        if let Some(through) = msg.proved {
            events.push(SourceEvent::Proved(through));
            self.refilled(through, &mut events, ctx);
        }
        if let Some(end) = msg.end {
            self.ended(&end, &mut events, ctx);
        }
        events
    }

    /// Takes a message; how many bytes of it carried no operation.
    fn take(&mut self, message: &Arrived, events: &mut Vec<SourceEvent>) -> u64 {
        let text = match &message.payload {
            Payload::Text(text) => text,
            Payload::Binary(bytes) => {
                events.push(rejected(&Reject::NotText, message.at, None));
                return *bytes as u64;
            }
        };
        let parsed = {
            let mut forms = self.doors.forms.lock().unwrap_or_else(PoisonError::into_inner);
            parse(text, self.settings.dialect.shape(), &mut forms)
        };
        match parsed {
            Ok(frame) => {
                self.note_live(&frame.op, message.at, events);
                if self.settings.source == SourceIx::PRIMARY {
                    self.doors.known.note(&frame.op, message.at);
                }
                self.submit(&frame.op, frame.operation);
                events.push(SourceEvent::Arrived(frame.op, message.at, Mode::Live));
                text.len().saturating_sub(FRAME_USUAL_BYTES) as u64
            }
            Err(reject) => {
                events.push(rejected(&reject, message.at, seq_in(text)));
                text.len() as u64
            }
        }
    }

    /// Reading pauses, or goes on after it did: messages may have been there for some time, which is no lateness of theirs.
    fn note_behind(&mut self, msg: &Read, events: &mut Vec<SourceEvent>) {
        let is_behind = msg.behind_ns > 0;
        let at = msg.messages.first().map(|message| message.at);
        if let Some(at) = at.filter(|_| is_behind || self.is_behind) {
            if !std::mem::replace(&mut self.is_behind, is_behind) {
                events.push(SourceEvent::Resolution(at.plus(-msg.behind_ns), 0));
            }
            events.push(SourceEvent::Resolution(at, msg.behind_ns));
        }
    }

    fn note_live(&mut self, op: &Op, at: Tau, events: &mut Vec<SourceEvent>) {
        if self.is_bundle() {
            self.note_bundled(op, at);
            return;
        }
        let Some(seq) = op.seq else { return };
        if let Err(reject) = self.numbering.take(seq, &op.key) {
            let is_leap = reject == Reject::BadSeq(SeqFault::Jump);
            events.push(misnumbered(&reject, at, seq));
            if is_leap {
                return;
            }
        }
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
            ReadEnd::Dead { silent_ns } => {
                let silent_s = (silent_ns + SECOND / 2) / SECOND;
                LinkEvent::Dead { text: format!("ws: no data and no pong for {silent_s} s") }
            }
            ReadEnd::Stream(StreamEnd::Closed { code, reason }) => {
                LinkEvent::Closed { code: *code, reason: reason.clone() }
            }
            ReadEnd::Stream(other) => {
                match other {
                    StreamEnd::TooLarge { bytes, limit } => {
                        events.push(rejected(&Reject::TooLarge { bytes: *bytes, limit: *limit }, now, None));
                    }
                    StreamEnd::NotUtf8 => events.push(rejected(&Reject::NotText, now, None)),
                    _ => {}
                }
                match other {
                    StreamEnd::TooLarge { .. } | StreamEnd::NotUtf8 | StreamEnd::Protocol(_) => {
                        LinkEvent::Broken { text: other.to_string() }
                    }
                    _ => LinkEvent::Closed { code: 1006, reason: other.to_string() },
                }
            }
        };
        self.step(event, events, ctx);
    }
}

/// A frame was refused; `seq` is the number that it came with, where that can be told.
pub(in crate::actors) fn rejected(reject: &Reject, at: Tau, seq: Option<u64>) -> SourceEvent {
    SourceEvent::Rejected(Box::new(rejected_frame(reject, at, seq)))
}

/// The number of a frame was refused, and its operation taken.
fn misnumbered(reject: &Reject, at: Tau, seq: u64) -> SourceEvent {
    SourceEvent::Rejected(Box::new(RejectedFrame { is_taken: true, ..rejected_frame(reject, at, Some(seq)) }))
}

fn rejected_frame(reject: &Reject, at: Tau, seq: Option<u64>) -> RejectedFrame {
    let mut text = reject.to_string();
    if let Some((cut, _)) = text.char_indices().nth(REJECT_TEXT_MAX) {
        text.truncate(cut);
    }
    let claim = reject.claim().copied();
    let seq = seq.or(claim.and_then(|claim| claim.seq));
    RejectedFrame { reason: reject.name(), what: LastReject { text, at, seq }, claim, is_taken: false }
}
