//! The whole program on sources of a sender: the same composition as in production.

use mirrorwatch::app::{App, Outside, open_state};
use mirrorwatch::config::{Config, Inputs, SourceConfig, load};
use mirrorwatch::domain::address::is_private;
use mirrorwatch::domain::link::BACKOFF_MAX_NS;
use mirrorwatch::domain::view::Picture;
use mirrorwatch::ports::clock::Clock;
use mirrorwatch::ports::dial::{DialOptions, TcpDialer};
use mirrorwatch::ports::export::{ExportOptions, HttpExport};
use mirrorwatch::ports::fail_point::FailPoints;
use mirrorwatch::ports::memory::Memory;
use mirrorwatch::ports::probe::TcpProbe;
use mirrorwatch::ports::resolve::{DnsResolver, Resolve};
use mirrorwatch::ports::tls::{Tls, TlsRoots};
use mirrorwatch::recompute::CaptureSource;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether something has come.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The built-in configuration for these sources, the first being the primary; verdicts settle within a second, so that a
/// run pays for them too.
pub fn config(data_dir: &Path, ports: &[u16]) -> Config {
    let loaded = load(&Inputs { data_dir: Some(data_dir.to_owned()), ..Inputs::default() });
    let mut config = loaded.expect("the defaults are sound").config;
    config.listen = ([127, 0, 0, 1], 0).into();
    config.judging.settle = Duration::from_secs(1);
    config.judging.look_back = Duration::ZERO;
    let source = |(i, port): (usize, &u16)| {
        SourceConfig::for_testing(&format!("source-{i}"), *port).expect("an address of our own making")
    };
    let mut sources: Vec<SourceConfig> = ports.iter().enumerate().map(source).collect();
    config.primary = sources.remove(0);
    config.mirrors = sources;
    config
}

fn outside(config: &Config, clock: &Arc<dyn Clock>) -> Outside {
    let agent = mirrorwatch::ports::user_agent("bench");
    let resolver: Arc<dyn Resolve> = Arc::new(DnsResolver::new());
    let tls = Tls::new(&TlsRoots::System);
    let mut dialing = DialOptions::new(agent.clone(), is_private);
    dialing.frame_bytes_max = config.limits.frame_bytes;
    let export = HttpExport::new(Arc::clone(clock), &resolver, &tls, ExportOptions::new(agent, is_private));
    Outside {
        dialer: Arc::new(TcpDialer::new(Arc::clone(clock), resolver, tls, dialing)),
        longest_wait_ns: BACKOFF_MAX_NS,
        export: Arc::new(export.expect("an HTTP client")),
        probe: Arc::new(TcpProbe::new(Arc::clone(clock))),
        memory: Memory::default(),
        fail: FailPoints::default(),
    }
}

/// Starts it and waits until every source is observed.
pub async fn started(config: &Config) -> App {
    let opened = open_state(config).expect("an empty directory can be opened");
    let outside = outside(config, &opened.clock);
    let app = App::start(config, opened, outside).await.expect("the program starts");
    let is_observed =
        |p: &Picture| p.capture.primary.first.is_some() && p.capture.mirrors.iter().all(|m| m.source.first.is_some());
    until(&app, is_observed).await;
    app
}

/// Waits until a picture shows what is waited for.
pub async fn until(app: &App, is_there: impl Fn(&Picture) -> bool) {
    loop {
        let captured = app.pictures().capture().await.expect("the collector answers");
        if is_there(&captured.capture) {
            return;
        }
        drop(captured);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
