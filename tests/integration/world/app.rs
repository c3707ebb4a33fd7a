//! The program in this process, on a thread of its own, as `main` puts it together.

use mirrorwatch::app::{App, Auditing, Outside, audit_gap, open_state};
use mirrorwatch::config::Config;
use mirrorwatch::domain::address::is_private;
use mirrorwatch::domain::view::Picture;
use mirrorwatch::ports::clock::Clock;
use mirrorwatch::ports::dial::{DialOptions, TcpDialer};
use mirrorwatch::ports::export::{ExportOptions, HttpExport};
use mirrorwatch::ports::fail_point::FailPoints;
use mirrorwatch::ports::memory::Memory;
use mirrorwatch::ports::notify::Supervisor;
use mirrorwatch::ports::probe::TcpProbe;
use mirrorwatch::ports::resolve::{DnsResolver, Resolve};
use mirrorwatch::ports::tls::{Tls, TlsRoots};
use mirrorwatch::recompute::CaptureSource;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// A handshake may take this long: tests wait for one that hangs.
pub const HANDSHAKE: Duration = Duration::from_millis(1_500);
/// A source that was away is back within the patience of a test, however long a slow machine made that.
const LONGEST_WAIT_NS: i64 = 4_000_000_000;
/// Between two requests to one host: nobody minds on loopback.
const REQUEST_GAP: Duration = Duration::from_millis(50);

/// A running program.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it knows.
    pub pictures: Arc<dyn CaptureSource<Picture>>,
    /// Asks hosts about DIDs.
    pub auditing: Auditing,
    /// Where it can be made to fail.
    pub fail: FailPoints,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

fn outside(config: &Config, clock: &Arc<dyn Clock>) -> Outside {
    let agent = "mirrorwatch-tests".to_owned();
    let resolver: Arc<dyn Resolve> = Arc::new(DnsResolver::new());
    let tls = Tls::new(&TlsRoots::Only(Vec::new()));
    let mut dialing = DialOptions::new(agent.clone(), is_private);
    (dialing.frame_bytes_max, dialing.handshake_timeout) = (config.limits.frame_bytes, HANDSHAKE);
    let mut exporting = ExportOptions::new(agent, is_private);
    exporting.request_gap = REQUEST_GAP;
    exporting.audit_gap = audit_gap(config);
    let export = HttpExport::new(Arc::clone(clock), &resolver, &tls, exporting).unwrap();
    Outside {
        dialer: Arc::new(TcpDialer::new(Arc::clone(clock), resolver, tls, dialing)),
        longest_wait_ns: LONGEST_WAIT_NS,
        export: Arc::new(export),
        probe: Arc::new(TcpProbe::new(Arc::clone(clock))),
        memory: Memory::within(&config.data_dir.with_file_name("cgroup"), ""),
        fail: FailPoints::default(),
    }
}

impl Running {
    /// Starts it and waits until it listens.
    pub async fn start(config: Config) -> Running {
        Running::start_supervised(config, None).await
    }

    /// The same with a supervisor that is told how it is.
    pub async fn start_supervised(config: Config, supervisor: Option<Supervisor>) -> Running {
        let (told, address) = oneshot::channel();
        let (stop, stopping) = oneshot::channel::<()>();
        let work = async move {
            let opened = open_state(&config).unwrap();
            let outside = outside(&config, &opened.clock);
            let fail = outside.fail.clone();
            let app = App::start(&config, opened, outside).await.unwrap();
            let pictures: Arc<dyn CaptureSource<Picture>> = Arc::new(app.pictures().clone());
            let _fed = supervisor.map(|supervisor| app.feed(Rc::new(supervisor)));
            let _ = told.send((app.address, pictures, app.auditing().clone(), fail));
            // A test that fails drops the other end, which ends the program too.
            let _ = stopping.await;
            app.stop().await;
        };
        let thread = std::thread::spawn(move || actix::System::new().block_on(work));
        let (address, pictures, auditing, fail) = address.await.expect("the program did not start");
        Running { address, pictures, auditing, fail, stop, thread }
    }

    /// Stops it in order and waits until it is gone.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        tokio::task::spawn_blocking(move || self.thread.join()).await.unwrap().unwrap();
    }
}
