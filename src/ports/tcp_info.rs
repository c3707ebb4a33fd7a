//! What the kernel knows about one TCP socket: round-trip time, and whether all that was sent has been acknowledged.
//!
//! Asked on demand through `getsockopt(TCP_INFO)`; nothing here opens, reads or writes a socket.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, sockopt_impl};

/// The leading part of Linux's `struct tcp_info`, which every kernel since 4.6 fills (`linux/tcp.h`, same names and order).
#[repr(C)]
#[derive(Copy, Clone, Debug)]
pub struct RawTcpInfo {
    state: u8,
    ca_state: u8,
    retransmits: u8,
    probes: u8,
    backoff: u8,
    options: u8,
    wscale: u8,
    flags: u8,
    rto: u32,
    ato: u32,
    snd_mss: u32,
    rcv_mss: u32,
    unacked: u32,
    sacked: u32,
    lost: u32,
    retrans: u32,
    fackets: u32,
    last_data_sent: u32,
    last_ack_sent: u32,
    last_data_recv: u32,
    last_ack_recv: u32,
    pmtu: u32,
    rcv_ssthresh: u32,
    rtt: u32,
    rttvar: u32,
    snd_ssthresh: u32,
    snd_cwnd: u32,
    advmss: u32,
    reordering: u32,
    rcv_rtt: u32,
    rcv_space: u32,
    total_retrans: u32,
    pacing_rate: u64,
    max_pacing_rate: u64,
    bytes_acked: u64,
    bytes_received: u64,
    segs_out: u32,
    segs_in: u32,
    notsent_bytes: u32,
    min_rtt: u32,
    data_segs_in: u32,
    data_segs_out: u32,
}

sockopt_impl!(
    /// The socket option behind [`TcpInfo::of`].
    TcpInfoOption,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    RawTcpInfo
);

/// State of a TCP connection in which data flows both ways (`TCP_ESTABLISHED`).
const ESTABLISHED: u8 = 1;

/// The kernel's view of one TCP socket at one moment.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TcpInfo {
    /// Smoothed round-trip time, microseconds; 0 while there is no sample.
    pub rtt_us: u32,
    /// Smallest round-trip time of the kernel's own window, microseconds; `None` while there is no sample.
    pub min_rtt_us: Option<u32>,
    /// Segments sent and not yet acknowledged.
    pub unacked: u32,
    /// Bytes written by us that the kernel has not sent yet.
    pub notsent_bytes: u32,
    /// Bytes of ours that the peer has acknowledged, over the whole connection.
    pub bytes_acked: u64,
    /// Segments sent again, over the whole connection, the opening SYN included.
    pub total_retrans: u32,
    /// Milliseconds since the peer last sent data.
    pub last_data_recv_ms: u32,
    /// Whether the connection is established: neither still opening nor closed by either side.
    pub established: bool,
}

impl TcpInfo {
    /// Asks the kernel about `socket`; `None` when it is no TCP socket.
    pub fn of<F: AsFd>(socket: &F) -> Option<TcpInfo> {
        let raw = getsockopt(socket, TcpInfoOption).ok()?;
        Some(TcpInfo {
            rtt_us: raw.rtt,
            min_rtt_us: (raw.min_rtt != u32::MAX && raw.min_rtt != 0).then_some(raw.min_rtt),
            unacked: raw.unacked,
            notsent_bytes: raw.notsent_bytes,
            bytes_acked: raw.bytes_acked,
            total_retrans: raw.total_retrans,
            last_data_recv_ms: raw.last_data_recv,
            established: raw.state == ESTABLISHED,
        })
    }

    /// Whether everything that we wrote was sent and acknowledged by the peer's kernel.
    ///
    /// It says nothing about the peer's application, nor about bytes of the peer that lie unread on our side.
    #[must_use]
    pub fn all_acked(&self) -> bool {
        self.established && self.unacked == 0 && self.notsent_bytes == 0
    }
}

/// A look at the socket of a live stream from outside, after TLS and WebSocket have wrapped it.
///
/// Holds the socket weakly: it neither keeps the connection open nor learns anything once the stream is gone.
#[derive(Clone, Debug, Default)]
pub struct TcpHandle {
    /// A duplicate of the stream's descriptor, owned by the stream.
    socket: Weak<OwnedFd>,
}

impl TcpHandle {
    /// A look at the socket behind `duplicate`, for as long as its owner keeps it.
    #[must_use]
    pub fn new(duplicate: &Arc<OwnedFd>) -> Self {
        Self { socket: Arc::downgrade(duplicate) }
    }

    /// What the kernel knows now; `None` once the stream is gone, and for a stream without a socket.
    #[must_use]
    pub fn info(&self) -> Option<TcpInfo> {
        TcpInfo::of(&self.socket.upgrade()?)
    }
}

/// Whether bytes of the peer, or its end of the stream, lie unread in the kernel for `socket`, which must not block.
#[must_use]
pub fn has_unread<F: AsFd>(socket: &F) -> bool {
    let peeked = socket2::SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
    !matches!(peeked, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!(std::mem::offset_of!(RawTcpInfo, rtt), std::mem::offset_of!(libc::tcp_info, tcpi_rtt));
        assert_eq!(std::mem::offset_of!(RawTcpInfo, pacing_rate), 104);
        assert_eq!(std::mem::offset_of!(RawTcpInfo, notsent_bytes), 144);
        assert_eq!(std::mem::size_of::<RawTcpInfo>(), 160);
    }

    #[tokio::test]
    async fn written_bytes_become_acknowledged_and_unread_ones_are_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let duplicate = Arc::new(near.as_fd().try_clone_to_owned().unwrap());
        let handle = TcpHandle::new(&duplicate);

        let before = handle.info().unwrap();
        assert!(before.established && before.rtt_us > 0 && before.total_retrans == 0);
        near.write_all(b"hello").await.unwrap();
        while !handle.info().unwrap().all_acked() {
            tokio::task::yield_now().await;
        }
        assert!(handle.info().unwrap().bytes_acked >= 5);

        assert!(!has_unread(&near));
        far.write_all(b"x").await.unwrap();
        near.readable().await.unwrap();
        assert!(has_unread(&near));

        drop((near, duplicate));
        assert_eq!(handle.info(), None);
    }

    #[tokio::test]
    async fn bytes_that_the_peers_kernel_cannot_take_are_not_acknowledged() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_far, _) = listener.accept().await.unwrap();
        let block = vec![0u8; 1 << 20];
        while near.try_write(&block).is_ok() {}
        assert!(!TcpInfo::of(&near).unwrap().all_acked());
    }
}
