//! Where recomputers, details and the live feed take what they show from: the collector of the moment.

use crate::actors::line::Line;
use crate::actors::message::{TakePicture, TakeRecent};
use crate::domain::view::Picture;
use crate::domain::view::recent::{OPS_MAX, Recent};
use crate::http::detail::{DetailError, RecentSource};
use crate::recompute::{CaptureError, CaptureSource, Captured};
use actix::{Actor, Addr, Handler};
use futures_util::future::BoxFuture;

/// Asks the collector.
#[derive(Clone)]
pub struct Pictures {
    whole: Line<TakePicture>,
    recent: Line<TakeRecent>,
}

impl Pictures {
    /// Asks this collector.
    #[must_use]
    pub fn of<A>(collector: &Addr<A>) -> Pictures
    where
        A: Actor<Context = actix::Context<A>> + Handler<TakePicture> + Handler<TakeRecent>,
    {
        Pictures { whole: Line::to(collector), recent: Line::to(collector) }
    }

    /// Asks another one from now on.
    pub fn connect<A>(&self, collector: &Addr<A>)
    where
        A: Actor<Context = actix::Context<A>> + Handler<TakePicture> + Handler<TakeRecent>,
    {
        self.whole.connect(collector.clone().recipient());
        self.recent.connect(collector.clone().recipient());
    }
}

impl CaptureSource<Picture> for Pictures {
    fn capture(&self) -> BoxFuture<'static, Result<Captured<Picture>, CaptureError>> {
        let asking = self.whole.send(TakePicture);
        Box::pin(async move {
            let capture = asking.await.map_err(|e| CaptureError(e.to_string()))?;
            let at_ms = capture.capture.labels.utc_ms(capture.capture.now);
            Ok(Captured { capture, at_ms })
        })
    }
}

impl RecentSource for Pictures {
    fn recent(&self) -> BoxFuture<'static, Result<Recent, DetailError>> {
        let asking = self.recent.send(TakeRecent(OPS_MAX));
        Box::pin(async move { asking.await.map_err(|e| DetailError::Internal(e.to_string())) })
    }
}
