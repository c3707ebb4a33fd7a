//! The HTTP side: finished pages, details, the live socket, the web page.
//!
//! Everything the handlers know comes in through [`HttpState`]. A handler for a page does one lock-free load and clones
//! bytes; what must be computed for a request goes through the bounded pool. Nothing here names an actor of the observing
//! side, holds a lock that a recomputer wants, or can slow the measurement.

mod admin;
#[cfg(feature = "dashboard")]
pub mod assets;
mod badges;
mod best;
mod canonical;
pub mod client_address;
pub mod detail;
mod details;
mod door;
mod embed;
mod event_stream;
mod feeds;
mod fixed;
mod forms;
mod guard;
mod head;
mod limit;
mod live;
mod llms;
pub mod metrics;
mod mirror_pages;
pub mod mirror_parts;
mod negotiate;
mod node_events;
mod nodes;
pub mod openapi;
pub mod ops_query;
mod page_addresses;
mod panics;
pub mod past;
mod pieces;
mod pool;
pub mod problem;
pub mod query;
pub mod range;
mod recheck;
pub mod routes;
mod sockets;
mod sse;
mod state;
mod status;
mod tallies;
mod timings;
mod vantages;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_service::{ServiceFactoryExt, apply_fn_factory, map_config};
use actix_web::dev::{AppConfig, Server, ServiceFactory, ServiceRequest, ServiceResponse, fn_service};
use actix_web::rt::net::TcpStream;
use actix_web::{App, Error, web};
use futures_util::future::ready;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

pub use best::region_spec;
use door::Door;
use head::Refusal;
pub use nodes::{Guest, NodesDoor};
pub use routes::page_specs;
pub use state::{HttpOptions, HttpParts, HttpState, Readiness, SourceOrigins};
pub use tallies::Tallies;
pub use vantages::spec as vantages_spec;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Longest silence between two requests of one connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Longest wait for the peer when a connection ends.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Whole seconds for requests in flight when the server stops.
const SHUTDOWN_TIMEOUT_S: u64 = 1;
/// Bytes that the kernel keeps for a peer that does not take them; it doubles what it is told.
const UNREAD_BYTES_MAX: usize = 64 * 1024;
/// Connections besides those of live sockets, in all.
const PLAIN_CONNECTIONS_MAX: usize = 1_024;
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
    serve(listener, state, state.options.workers.max(1), app)
}

/// The server that takes in what nodes report of themselves, likewise.
///
/// # Errors
/// What the system says about the socket.
pub fn events_server(
    listener: TcpListener,
    state: &web::Data<HttpState>,
) -> io::Result<impl Future<Output = io::Result<()>> + use<>> {
    let is_local = listener.local_addr()?.ip().is_loopback();
    let events = Arc::new(node_events::Listener::new(state, is_local));
    serve(listener, state, 1, move |_| node_events::app(&events))
}

fn serve<S, F>(
    listener: TcpListener,
    state: &web::Data<HttpState>,
    workers: usize,
    app: F,
) -> io::Result<impl Future<Output = io::Result<()>> + use<S, F>>
where
    F: Fn(&web::Data<HttpState>) -> App<S> + Clone + Send + 'static,
    S: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()> + 'static,
{
    let wanted = state.options.live_sockets_max.saturating_add(PLAIN_CONNECTIONS_MAX);
    let connections_max = state.options.connections_max.map_or(wanted, |most| most.min(wanted));
    let builder = Server::build()
        .workers(workers)
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .max_concurrent_connections((connections_max / workers).max(1))
        .shutdown_timeout(SHUTDOWN_TIMEOUT_S)
        .disable_signals();
    let shared = state.clone();
    let server = builder.listen("http", listener, move || {
        let state = shared.clone();
        fn_service(move |stream: TcpStream| ready(Ok(admit(stream, &state)))).and_then(protocol(&shared, app(&shared)))
    })?;
    Ok(run_until(server.run(), state.shutdown.clone()))
}

/// HTTP/1.1 on connections behind their doors.
fn protocol<T, S>(
    state: &web::Data<HttpState>,
    app: App<S>,
) -> impl ServiceFactory<(Door<T>, Option<SocketAddr>), Config = (), Response = (), Error = DispatchError, InitError = ()>
+ use<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()> + 'static,
{
    let (shutdown, outer) = (state.shutdown.clone(), state.clone());
    let answered = apply_fn_factory(map_config(app, |()| AppConfig::default()), move |request, service: &_| {
        panics::caught(&outer, request, service)
    });
    HttpService::build()
        .keep_alive(KEEP_ALIVE)
        // The door keeps the time: of every head, and with an answer that has headers.
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .graceful_shutdown_signal(move || shutdown.clone().cancelled_owned())
        .on_connect_ext(|door: &Door<T>, data| drop(data.insert(door.hangup())))
        .h1(answered)
}

/// A connection behind its door, and whose it is.
fn admit(stream: TcpStream, state: &HttpState) -> (Door<TcpStream>, Option<SocketAddr>) {
    limit_unread(&stream);
    let peer = stream.peer_addr().ok();
    let door = match peer.map(|peer| state.connection_seat(peer.ip())) {
        Some(Err(_)) => Door::closed(stream, Refusal::TooManyConnections),
        Some(Ok(seat)) => Door::open(stream, seat),
        None => Door::open(stream, None),
    };
    (door, peer)
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
    let (around, timings) = (state.clone(), state.timings.worker());
    App::new()
        .app_data(state.clone())
        .default_service(routes::not_found(state))
        .configure(|config| {
            nodes::configure(config, state);
            vantages::configure(config, state);
            routes::configure(config, state);
            #[cfg(feature = "dashboard")]
            config.app_data(first_snapshot(state));
            #[cfg(feature = "dashboard")]
            assets::configure(config, state);
        })
        .wrap_fn(move |request, service| timings.clone().timed(guard::around(&around, request, service)))
}

/// Bounds what waits for a peer that does not read: how much, and how long.
fn limit_unread(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let limited = socket
        .set_tcp_user_timeout(Some(door::STALL_MAX))
        .and_then(|()| socket.set_send_buffer_size(UNREAD_BYTES_MAX))
        .and_then(|()| socket.set_tcp_nodelay(true));
    if let Err(error) = limited {
        tracing::debug!(%error, "a connection's limits cannot be set");
    }
}

#[cfg(test)]
mod tests;
