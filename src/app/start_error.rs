//! Why the program did not start, in one line for people.

use crate::ports::log_book::LogError;
use std::net::SocketAddr;

/// Why it did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key of the configuration, and the address that it says.
    #[error("mirrorwatch: {0}: {1}: {2}")]
    Listen(&'static str, SocketAddr, std::io::Error),
    /// The first computation of the pages.
    #[error("mirrorwatch: {0}")]
    Prime(String),
    /// The log that nodes share.
    #[error("mirrorwatch: {0}")]
    Log(#[from] LogError),
    /// The server.
    #[error("mirrorwatch: http: {0}")]
    Server(std::io::Error),
}
