//! The doors to the world: everything that reads a clock, a socket or a name server, each behind a trait.
//!
//! A port hands over what happened and when, and leaves every judgement to [`crate::domain`]. The real implementations
//! stand beside their traits, so that tests and the simulator can put a fake in their place. Nothing here knows an actor.
//!
//! Code map: [`clock`] tells the instant; [`resolve`] turns names into addresses; [`dial`] opens a source's stream and
//! [`stream_reader`] reads it; [`tcp_info`] asks the kernel about its socket; [`probe`] times connects; [`export`] fetches
//! pages and audit logs over HTTP, no faster than its [`rate_gate`]; [`port_holder`] tells who listens where we want to.

pub mod clock;
pub mod dial;
pub mod dial_error;
pub mod export;
pub mod export_error;
pub mod fail_point;
pub mod log_book;
#[cfg(test)]
pub(crate) mod loopback;
pub mod memory;
pub mod notify;
pub mod peer_links;
pub mod port_holder;
pub mod probe;
pub mod rate_gate;
pub mod resolve;
pub mod retry_after;
pub mod stamped;
pub mod store;
pub mod stream_reader;
pub mod tcp_info;
pub mod tcp_socket;
pub mod tls;
pub mod upgrade;

/// A boxed future that may move between threads: what the ports return, so that they stay usable as trait objects.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The User-Agent that every outgoing request carries: who asks, in which version, and where its operator is reached.
#[must_use]
pub fn user_agent(contact: &str) -> String {
    format!("mirrorwatch/{} (+{contact})", env!("CARGO_PKG_VERSION"))
}
