//! Opening a TCP connection the way the observer wants it: to one address, with a bound, dead peers noticed by the kernel.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::{setsockopt_impl, sockopt_impl};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

/// Silence after which the kernel itself asks whether the peer is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
/// Pause between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

sockopt_impl!(
    /// `TCP_USER_TIMEOUT` (RFC 5482): milliseconds that sent bytes may stay unacknowledged before the kernel gives up.
    UserTimeout,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_USER_TIMEOUT,
    u32
);

/// Connects to `address` within `limit`, without delaying small writes.
///
/// # Errors
/// Those of the connect; `TimedOut` when `limit` is over.
pub async fn connect(address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_nodelay(true)?;
    tokio::time::timeout(limit, socket.connect(address))
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
}

/// Lets the kernel end `stream` with `TimedOut` when bytes of ours stay unacknowledged for `user_timeout`, and ask after
/// a peer that is silent for a minute.
///
/// # Errors
/// When the kernel refuses an option.
pub fn watch_for_death(stream: &TcpStream, user_timeout: Duration) -> io::Result<()> {
    let limit_ms = u32::try_from(user_timeout.as_millis()).unwrap_or(u32::MAX);
    setsockopt(stream, UserTimeout, &limit_ms)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Whether `error` is a shortage on our own side (descriptors, ports, memory): no fault of the peer.
#[must_use]
pub fn is_local_shortage(error: &io::Error) -> bool {
    let local =
        [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL, libc::EACCES, libc::EPERM];
    error.raw_os_error().is_some_and(|code| local.contains(&code))
}

/// What a failed connect to `address` looks like to a reader, as "203.0.113.9:443 refused".
#[must_use]
pub fn connect_error_text(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{address} refused"),
        io::ErrorKind::TimedOut => format!("{address} does not answer"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => format!("{address} unreachable"),
        io::ErrorKind::ConnectionReset => format!("{address} reset the connection"),
        _ => format!("{address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn options_are_set_on_a_live_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = connect(listener.local_addr().unwrap(), Duration::from_secs(5)).await.unwrap();
        watch_for_death(&stream, Duration::from_secs(15)).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap() && stream.nodelay().unwrap());
        assert!(stream.as_fd().try_clone_to_owned().is_ok());
    }

    #[tokio::test]
    async fn refusal_has_its_words() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = connect(address, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(connect_error_text(address, &error), format!("{address} refused"));
        assert!(!is_local_shortage(&error));
        assert!(is_local_shortage(&io::Error::from_raw_os_error(libc::EMFILE)));
        let silent = io::Error::from(io::ErrorKind::TimedOut);
        assert_eq!(connect_error_text(address, &silent), format!("{address} does not answer"));
    }
}
