//! Tasks of a stream that run beside its actor: when one panics, its connection is as good as dead.

use super::MirrorStream;
use crate::actors::watchdog::restarted;
use crate::domain::link::LinkEvent;
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::task::JoinHandle;

impl MirrorStream {
    /// Notices when a task of the present connection panics: what it had read is asked for again, like after any loss.
    pub(super) fn look_after(&mut self, what: &'static str, task: JoinHandle<()>, ctx: &mut Context<Self>) {
        let (epoch, name) = (self.epoch, format!("{what} {}", self.settings.id));
        self.doors.vitals.know(&name);
        ctx.spawn(task.into_actor(self).map(move |ended, act, ctx| {
            if ended.is_ok() || act.epoch != epoch {
                return;
            }
            tracing::error!(part = %name, "a part ended by itself; its connection is made anew");
            act.doors.vitals.restarted(&name);
            restarted(&act.to.happened, &name, Some(act.settings.id.clone()));
            let mut events = Vec::new();
            act.step(LinkEvent::Ours { text: format!("our {what} ended by itself") }, &mut events, ctx);
            act.tell(events, ctx);
        }));
    }
}
