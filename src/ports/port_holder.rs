//! Who listens on a port that is taken, so that the message can name it. Only processes of the same user can be named,
//! unless we are root; whoever cannot be found is not guessed.

use std::fmt;
use std::net::SocketAddr;

use procfs::net::{TcpNetEntry, TcpState, tcp, tcp6};
use procfs::process::{FDTarget, Process, all_processes};

/// A process that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: i32,
    /// Its name, as the kernel cuts it: 15 bytes.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} {:?}", self.pid, self.name)
    }
}

/// The process that listens on the address, or on its port at every address; none when it cannot be told.
#[must_use]
pub fn holder(address: SocketAddr) -> Option<Holder> {
    let of_address = |e: &TcpNetEntry| {
        e.state == TcpState::Listen
            && e.local_address.port() == address.port()
            && (e.local_address.ip() == address.ip()
                || e.local_address.ip().is_unspecified()
                || address.ip().is_unspecified())
    };
    let entries = tcp().unwrap_or_default().into_iter().chain(tcp6().unwrap_or_default());
    let inodes: Vec<u64> = entries.filter(of_address).map(|e| e.inode).collect();
    if inodes.is_empty() {
        return None;
    }
    all_processes()
        .ok()?
        .flatten()
        .find(|process| holds(process, &inodes))
        .map(|process| Holder { pid: process.pid, name: process.stat().map(|stat| stat.comm).unwrap_or_default() })
}

fn holds(process: &Process, inodes: &[u64]) -> bool {
    let is_one = |target: &FDTarget| matches!(target, FDTarget::Socket(inode) if inodes.contains(inode));
    process.fd().is_ok_and(|mut open| open.any(|fd| fd.is_ok_and(|fd| is_one(&fd.target))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listening_process_is_found_and_a_free_port_has_none() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let found = holder(address).unwrap();
        assert_eq!(found.pid, std::process::id() as i32);
        assert!(found.to_string().starts_with(&format!("pid {} \"", found.pid)), "{found}");
        drop(listener);
        assert_eq!(holder(address), None);
    }
}
