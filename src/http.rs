//! The HTTP side: finished pages, details, the live socket, the web page.
//!
//! Everything the handlers know comes in through [`HttpState`]. A handler for a page does one lock-free load and clones
//! bytes; what must be computed for a request goes through the bounded pool. Nothing here names an actor of the observing
//! side, holds a lock that a recomputer wants, or can slow the measurement.

#[cfg(feature = "dashboard")]
pub mod assets;
mod canonical;
pub mod client_address;
pub mod detail;
mod details;
mod guard;
mod limit;
mod live;
pub mod metrics;
mod negotiate;
pub mod ops_query;
mod pool;
mod problem;
mod query;
mod recheck;
pub mod routes;
mod sockets;
mod state;

use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::{Extensions, Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::rt::net::TcpStream;
use actix_web::{App, Error, HttpServer, web};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio_util::sync::CancellationToken;

pub use routes::page_specs;
pub use state::{HttpOptions, HttpParts, HttpState, Readiness};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Longest time to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence between two requests of one connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Longest wait for the peer when a connection ends.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Whole seconds for requests in flight when the server stops.
const SHUTDOWN_TIMEOUT_S: u64 = 1;
/// Time after which sent bytes that the peer has not taken end the connection: the only cure for a live socket whose
/// peer has stopped reading, because its actor is not run then.
const UNREAD_MAX: Duration = Duration::from_secs(10);
/// Blocking threads of a worker: compression of details.
const BLOCKING_THREADS: usize = 2;

/// A listening socket. Binding apart from serving lets the first computation end before any reader gets in.
///
/// # Errors
/// What the system says: address in use, permission denied.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The server on a listening socket. It runs when polled or awaited, and ends when the state's token is cancelled.
///
/// # Errors
/// What the system says about the socket.
pub fn server(
    listener: TcpListener,
    state: &web::Data<HttpState>,
) -> io::Result<impl Future<Output = io::Result<()>> + use<>> {
    let shutdown = state.shutdown.clone();
    let workers = state.options.workers.max(1);
    let shared = state.clone();
    let server = HttpServer::new(move || app(&shared))
        .workers(workers)
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .shutdown_timeout(SHUTDOWN_TIMEOUT_S)
        .disable_signals()
        .on_connect(limit_unread)
        .listen(listener)?
        .run();
    Ok(run_until(server, shutdown))
}

/// Runs a server until the token is cancelled. The server's own signals, and its `shutdown_signal` too, stop the whole
/// system a moment after the server, and with it every actor that has something to keep.
async fn run_until(mut server: Server, shutdown: CancellationToken) -> io::Result<()> {
    let handle = server.handle();
    tokio::select! {
        ended = &mut server => return ended,
        () = shutdown.cancelled() => {}
    }
    let (ended, ()) = tokio::join!(server, handle.stop(true));
    ended
}

/// The overview as it is published when a page is asked for, so that its first paint has numbers.
#[cfg(feature = "dashboard")]
fn first_snapshot(state: &web::Data<HttpState>) -> web::Data<assets::InitialOverview> {
    let pages = std::sync::Arc::clone(&state.pages);
    web::Data::new(assets::InitialOverview::new(move || {
        let overview = pages.get("overview").map(|page| page.load().body.identity.clone());
        overview.unwrap_or_default()
    }))
}

/// All addresses with what surrounds them.
pub fn app(
    state: &web::Data<HttpState>,
) -> App<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()> + use<>,
> {
    let around = state.clone();
    App::new()
        .app_data(state.clone())
        .default_service(routes::not_found(state))
        .configure(|config| {
            routes::configure(config, state);
            #[cfg(feature = "dashboard")]
            config.app_data(first_snapshot(state)).configure(assets::configure);
        })
        .wrap_fn(move |request, service| guard::around(&around, request, service))
}

/// Sets `TCP_USER_TIMEOUT` on an accepted connection.
fn limit_unread(connection: &dyn Any, _: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else {
        return;
    };
    if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD_MAX)) {
        tracing::debug!(%error, "TCP_USER_TIMEOUT is not available");
    }
}

#[cfg(test)]
mod tests;
