//! The real doors to the sources.

use super::parts::Outside;
use crate::config::Config;
use crate::domain::address::is_private;
use crate::domain::link::BACKOFF_MAX_NS;
use crate::ports::clock::Clock;
use crate::ports::dial::{DialOptions, TcpDialer};
use crate::ports::export::{ExportOptions, HttpExport};
use crate::ports::fail_point::FailPoints;
use crate::ports::memory::Memory;
use crate::ports::probe::TcpProbe;
use crate::ports::resolve::{DnsResolver, Resolve};
use crate::ports::tls::{Tls, TlsRoots};
use std::sync::Arc;
use std::time::Duration;

/// Where a source's operator reads who is asking.
const CONTACT: &str = "https://github.com/mirrorwatch/mirrorwatch";

/// The two doors of a command that asks hosts once and ends: `change` sets the limits of pages, `handshake` that of opening
/// a stream.
pub fn asking(
    clock: &Arc<dyn Clock>,
    handshake: Duration,
    change: impl FnOnce(&mut ExportOptions),
) -> Result<(HttpExport, TcpDialer), String> {
    let agent = crate::ports::user_agent(CONTACT);
    let resolver: Arc<dyn Resolve> = Arc::new(DnsResolver::new());
    let tls = Tls::new(&TlsRoots::System);
    let mut options = ExportOptions::new(agent.clone(), is_private);
    change(&mut options);
    let export = HttpExport::new(Arc::clone(clock), &resolver, &tls, options).map_err(|e| e.to_string())?;
    let mut dialing = DialOptions::new(agent, is_private);
    dialing.handshake_timeout = handshake;
    Ok((export, TcpDialer::new(Arc::clone(clock), resolver, tls, dialing)))
}

/// Doors over the network.
pub fn network(config: &Config, clock: &Arc<dyn Clock>) -> Result<Outside, String> {
    let agent = crate::ports::user_agent(CONTACT);
    let resolver: Arc<dyn Resolve> = Arc::new(DnsResolver::new());
    let tls = Tls::new(&TlsRoots::System);
    let mut dialing = DialOptions::new(agent.clone(), is_private);
    dialing.frame_bytes_max = config.limits.frame_bytes;
    let mut exporting = ExportOptions::new(agent, is_private);
    exporting.audit_gap = super::auditing::audit_gap(config);
    let export = HttpExport::new(Arc::clone(clock), &resolver, &tls, exporting).map_err(|e| e.to_string())?;
    Ok(Outside {
        dialer: Arc::new(TcpDialer::new(Arc::clone(clock), resolver, tls, dialing)),
        longest_wait_ns: BACKOFF_MAX_NS,
        export: Arc::new(export),
        probe: Arc::new(TcpProbe::new(Arc::clone(clock))),
        memory: Memory::of_this_process(),
        fail: FailPoints::default(),
    })
}
