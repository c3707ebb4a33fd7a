//! Round-trip time to an address, from opening a TCP connection: SYN out, SYN-ACK back.
//!
//! Two measurements come from one connect: the time between two looks at the clock, which a busy runtime inflates by its
//! own delay in waking up, and the kernel's own round-trip sample of the handshake, which nothing of ours can delay. Both
//! reach the network edge of the host, not necessarily its application. Which host is asked, how often, and what the
//! samples mean is decided elsewhere.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::BoxFuture;
use super::clock::Clock;
use super::tcp_info::TcpInfo;
use super::tcp_socket::{connect, connect_error_text, is_local_shortage};
use crate::domain::time::{Tau, US};

/// One timed connect.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ConnectSample {
    /// When the connect began.
    pub at: Tau,
    /// Nanoseconds from the call to the moment at which the task ran again: an upper bound.
    pub elapsed_ns: i64,
    /// The kernel's round-trip sample of the handshake, nanoseconds in steps of a microsecond; `None` where it has none.
    pub kernel_rtt_ns: Option<i64>,
    /// Whether the opening SYN had to be sent again: `elapsed_ns` then contains the kernel's waiting time.
    pub retransmitted: bool,
}

impl ConnectSample {
    /// The round-trip time, nanoseconds: the smaller of the two measurements.
    #[must_use]
    pub fn rtt_ns(&self) -> i64 {
        self.kernel_rtt_ns.map_or(self.elapsed_ns, |kernel| kernel.min(self.elapsed_ns))
    }
}

/// Why a connect gave no sample.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProbeError {
    /// Nothing came back within the limit.
    #[error("tcp: {0} does not answer")]
    Timeout(SocketAddr),
    /// The host, or something before it, said no.
    #[error("tcp: {0}")]
    Tcp(String),
    /// This machine ran short of something (descriptors, ports, memory) or has no route: no word about the peer.
    #[error("local: {0}")]
    Local(String),
}

/// Times TCP connects.
pub trait Probe: Send + Sync {
    /// Connects to `address`, at most for `timeout`, and closes again at once, in the ordinary way (FIN): a reset would
    /// cost the server an error, and the few sockets that wait in `TIME_WAIT` on our side cost nothing.
    ///
    /// # Errors
    /// When no connection came about; see [`ProbeError`].
    fn tcp_connect(&self, address: SocketAddr, timeout: Duration) -> BoxFuture<'_, Result<ConnectSample, ProbeError>>;
}

/// The real [`Probe`].
pub struct TcpProbe {
    /// Looked at before and after each connect.
    clock: Arc<dyn Clock>,
}

impl TcpProbe {
    /// A probe on `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl Probe for TcpProbe {
    fn tcp_connect(&self, address: SocketAddr, timeout: Duration) -> BoxFuture<'_, Result<ConnectSample, ProbeError>> {
        Box::pin(async move {
            let at = self.clock.now();
            let connected = connect(address, timeout).await;
            let elapsed_ns = self.clock.now().since(at).max(0);
            let stream = connected.map_err(|error| classify(address, &error))?;
            let info = TcpInfo::of(&stream);
            Ok(ConnectSample {
                at,
                elapsed_ns,
                kernel_rtt_ns: info.filter(|i| i.rtt_us > 0).map(|i| i64::from(i.rtt_us).saturating_mul(US)),
                retransmitted: info.is_some_and(|i| i.total_retrans > 0),
            })
        })
    }
}

/// The class of a failed connect.
fn classify(address: SocketAddr, error: &io::Error) -> ProbeError {
    if error.kind() == io::ErrorKind::TimedOut {
        ProbeError::Timeout(address)
    } else if is_local_shortage(error) || error.kind() == io::ErrorKind::NetworkUnreachable {
        ProbeError::Local(error.to_string())
    } else {
        ProbeError::Tcp(connect_error_text(address, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::SECOND;
    use crate::ports::clock::SystemClock;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    fn probe() -> TcpProbe {
        TcpProbe::new(Arc::new(SystemClock::new(0).unwrap()))
    }

    #[tokio::test]
    async fn a_connect_is_timed_by_the_kernel_and_closed_politely() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sample = probe().tcp_connect(address, Duration::from_secs(5)).await.unwrap();
        assert!(sample.kernel_rtt_ns.unwrap() > 0 && !sample.retransmitted);
        assert!(sample.rtt_ns() <= sample.elapsed_ns && sample.rtt_ns() < SECOND);
        let (mut far, _) = listener.accept().await.unwrap();
        assert_eq!(far.read(&mut [0u8; 8]).await.unwrap(), 0, "an orderly end, not a reset");
    }

    #[tokio::test]
    async fn a_delayed_runtime_does_not_show_in_the_kernels_sample() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let probe = probe();
        let timed = tokio::join!(probe.tcp_connect(address, Duration::from_secs(5)), async {
            #[allow(clippy::disallowed_methods, reason = "stands for a task that hogs the thread")]
            std::thread::sleep(Duration::from_millis(60));
        });
        let sample = timed.0.unwrap();
        assert!(sample.elapsed_ns >= 50_000_000, "{sample:?}");
        assert!(sample.rtt_ns() < 20_000_000, "{sample:?}");
    }

    #[tokio::test]
    async fn refusal_and_silence_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let refused = probe().tcp_connect(address, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("tcp: {address} refused"));
        assert_eq!(classify(address, &io::ErrorKind::TimedOut.into()), ProbeError::Timeout(address));
        assert!(matches!(classify(address, &io::Error::from_raw_os_error(libc::EMFILE)), ProbeError::Local(_)));
    }
}
