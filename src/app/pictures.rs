//! Where recomputers and details take their pictures from: the collector of the moment.

use crate::actors::line::Line;
use crate::actors::message::TakePicture;
use crate::domain::view::Picture;
use crate::recompute::{CaptureError, CaptureSource, Captured};
use futures_util::future::BoxFuture;

/// Asks the collector.
#[derive(Clone)]
pub struct Pictures(pub Line<TakePicture>);

impl CaptureSource<Picture> for Pictures {
    fn capture(&self) -> BoxFuture<'static, Result<Captured<Picture>, CaptureError>> {
        let asking = self.0.send(TakePicture);
        Box::pin(async move {
            let capture = asking.await.map_err(|e| CaptureError(e.to_string()))?;
            let at_ms = capture.capture.labels.utc_ms(capture.capture.now);
            Ok(Captured { capture, at_ms })
        })
    }
}
