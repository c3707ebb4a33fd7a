//! The supervisor's socket (`NOTIFY_SOCKET`, as of systemd): that we are ready, alive, stopping.
//!
//! Datagrams that are not taken are let go: a supervisor that does not listen is no reason to fail.

use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A supervisor that wants to be told.
#[derive(Debug)]
pub struct Supervisor {
    socket: UnixDatagram,
    /// The longest time between two signs of life; none where none are wanted.
    watchdog: Option<Duration>,
}

/// The address that a variable names: a path, or with `@` a name without one.
fn address(name: &OsStr) -> std::io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

impl Supervisor {
    /// The supervisor that these variables name; none where there is none.
    ///
    /// # Errors
    /// Its socket cannot be reached.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        pid: u32,
    ) -> std::io::Result<Option<Supervisor>> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(None) };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address(&name)?)?;
        let number = |name: &str| variable(name)?.to_str()?.parse::<u64>().ok();
        // The variable may be meant for another process that started us.
        let is_ours = variable("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(u64::from(pid));
        let watchdog = number("WATCHDOG_USEC").filter(|us| is_ours && *us > 0).map(Duration::from_micros);
        Ok(Some(Supervisor { socket, watchdog }))
    }

    /// How often a sign of life is to be given: twice in the time that is allowed.
    #[must_use]
    pub fn feed_every(&self) -> Option<Duration> {
        self.watchdog.map(|longest| longest / 2)
    }

    /// Everything is started.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// What has to be done is being done.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// It is ending.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, what: &str) {
        if let Err(error) = self.socket.send(what.as_bytes()) {
            tracing::debug!(%error, what, "the supervisor was not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_is_told_where_it_listens_and_only_then() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listening = UnixDatagram::bind(&path).unwrap();
        let with = |pid: &'static str| {
            let path = path.clone();
            move |name: &str| match name {
                "NOTIFY_SOCKET" => Some(path.clone().into_os_string()),
                "WATCHDOG_USEC" => Some("30000000".into()),
                "WATCHDOG_PID" => Some(pid.into()),
                _ => None,
            }
        };
        let supervisor = Supervisor::from_variables(with("7"), 7).unwrap().unwrap();
        assert_eq!(supervisor.feed_every(), Some(Duration::from_secs(15)));
        supervisor.ready();
        supervisor.alive();
        supervisor.stopping();
        let mut said = Vec::new();
        let mut buffer = [0; 64];
        for _ in 0..3 {
            let bytes = listening.recv(&mut buffer).unwrap();
            said.push(String::from_utf8(buffer[..bytes].to_vec()).unwrap());
        }
        assert_eq!(said, ["READY=1", "WATCHDOG=1", "STOPPING=1"]);
        let other = Supervisor::from_variables(with("8"), 7).unwrap().unwrap();
        assert_eq!(other.feed_every(), None, "a watchdog of somebody else");
        assert!(Supervisor::from_variables(|_| None, 7).unwrap().is_none());
        let gone = |name: &str| (name == "NOTIFY_SOCKET").then(|| dir.path().join("none").into_os_string());
        assert!(Supervisor::from_variables(gone, 7).is_err());
    }
}
