//! A chain of the primary's `/export` that settles operations which only mirrors have.

use super::MirrorStream;
use crate::actors::message::SourceEvent;
use crate::domain::fill::{Fill, FillStep, PAGE_OPS};
use crate::domain::ledger::ChainOutcome;
use crate::domain::time::Tau;
use crate::ports::export_error::ExportClass;
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use std::sync::Arc;

/// Pages of one chain at most; a longer one is given up and asked for again from a later operation.
const PAGES_MAX: u32 = 64;

/// A chain under way.
pub(super) struct Chain {
    fill: Fill,
    asked_at: Tau,
    /// When the operation behind which it begins was known.
    since: Tau,
    pages: u32,
}

impl Chain {
    /// What a chain that came to its end says, those to come beginning no earlier than `earliest`.
    fn complete(&self, earliest: Tau) -> SourceEvent {
        SourceEvent::Chain(self.asked_at, ChainOutcome::Complete { since: self.since, earliest })
    }
}

impl MirrorStream {
    /// Begins a chain from what was known at `since`, unless one is under way.
    pub(super) fn start_chain(&mut self, since: Tau, ctx: &mut Context<Self>) {
        if self.chain.is_some() {
            return;
        }
        let asked_at = self.now();
        if !self.has_export {
            self.tell(vec![SourceEvent::Chain(asked_at, ChainOutcome::Unsupported)], ctx);
            return;
        }
        let known = self.anchors.iter().rev().find(|a| a.0 <= since).or(self.anchors.front());
        let Some(&(since, anchor)) = known else {
            self.tell(vec![SourceEvent::Chain(asked_at, ChainOutcome::Failed)], ctx);
            return;
        };
        let fill = Fill::new(anchor, Tau::MIN);
        let first = fill.first();
        self.chain = Some(Chain { fill, asked_at, since, pages: 0 });
        let mut events = Vec::new();
        self.follow_chain(&first, &mut events, ctx);
        self.tell(events, ctx);
    }

    fn follow_chain(&mut self, step: &FillStep, events: &mut Vec<SourceEvent>, ctx: &mut Context<Self>) {
        let earliest = self.anchors.front().map_or(Tau::MAX, |front| front.0);
        let Some(chain) = &mut self.chain else { return };
        let after = match step {
            FillStep::Ask { after, .. } if chain.pages < PAGES_MAX => *after,
            FillStep::Closed => {
                events.push(chain.complete(earliest));
                self.chain = None;
                return;
            }
            FillStep::Ask { .. } | FillStep::Hole(_) => {
                events.push(SourceEvent::Chain(chain.asked_at, ChainOutcome::Failed));
                self.chain = None;
                return;
            }
        };
        chain.pages += 1;
        let (export, target) = (Arc::clone(&self.doors.export), self.export_target());
        let asking = async move { export.page(&target, after, PAGE_OPS as u32).await };
        ctx.spawn(asking.into_actor(self).map(|result, act, ctx| {
            let mut events = Vec::new();
            match result {
                Ok(page) => {
                    let ops = act.take_lines(&page, &mut events);
                    let step = act.chain.as_mut().map(|c| c.fill.page(&ops, page.asked_at, page.lines.len()));
                    if let Some(step) = step {
                        act.follow_chain(&step, &mut events, ctx);
                    }
                }
                Err(error) => {
                    let outcome = if error.class == ExportClass::NotSupported {
                        ChainOutcome::Unsupported
                    } else {
                        ChainOutcome::Failed
                    };
                    act.has_export &= outcome != ChainOutcome::Unsupported;
                    events.extend(act.chain.take().map(|c| SourceEvent::Chain(c.asked_at, outcome)));
                }
            }
            act.tell(events, ctx);
        }));
    }
}
