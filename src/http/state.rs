//! What the handlers know: everything is handed in when the server is built, nothing is looked up elsewhere.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use arc_swap::ArcSwap;
use moka::future::Cache;
use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use super::client_address::{AddressBlock, client};
use super::detail::{Detail, RecentSource};
use super::limit::ClientLimit;
use super::live::{Notices, OpsFeed};
use super::nodes::{NodesDoor, NodesState};
use super::pool::Pool;
use super::problem::Problem;
use super::recheck;
use super::sockets::{Seat, Sockets};
use super::tallies::Tallies;
use super::timings::Timings;
use crate::domain::did::Did;
use crate::ports::fail_point::FailPoints;
use crate::ports::memory::Pressure;
use crate::publish::{Pages, UtcNow};

/// Connections of one address besides its live sockets.
const PLAIN_CONNECTIONS_PER_ADDRESS_MAX: usize = 128;

/// Whether readers may rely on the pages; the error says why not, in words for them.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Where the configured sources are, as origins of sockets (`wss://host:port`); they change with the configuration.
pub type SourceOrigins = Arc<ArcSwap<Vec<String>>>;

/// Settings of the HTTP side, already checked.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Worker threads.
    pub workers: usize,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<AddressBlock>,
    /// Hosts that are served; empty serves all.
    pub allowed_hosts: Vec<String>,
    /// Origins that may read the public data; `*` is all.
    pub cors_origins: Vec<String>,
    /// Live sockets in all.
    pub live_sockets_max: usize,
    /// Connections of any kind in all, where something bounds them besides the sockets' own limit.
    pub connections_max: Option<usize>,
    /// Live sockets of one client.
    pub live_sockets_per_address_max: usize,
    /// Details and new sockets per second and client, steadily.
    pub detail_requests_per_second: u32,
    /// The same, at once.
    pub detail_burst: u32,
    /// Whether limits per client pass loopback over.
    pub exempt_loopback: bool,
    /// Whether readers may have hosts asked about a DID.
    pub allow_recheck: bool,
    /// SHA-256 of the operator's token, where there is one.
    pub admin_token_sha256: Option<[u8; 32]>,
    /// Our version, where it may be told.
    pub version: Option<String>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
            workers: 1,
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            cors_origins: vec!["*".to_owned()],
            live_sockets_max: 4096,
            connections_max: None,
            live_sockets_per_address_max: 64,
            detail_requests_per_second: 10,
            detail_burst: 40,
            exempt_loopback: true,
            allow_recheck: false,
            admin_token_sha256: None,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }
}

/// What [`HttpState::new`] takes.
pub struct HttpParts {
    /// The finished pages.
    pub pages: Arc<Pages>,
    /// The finished pages of regions, which come and go.
    pub regions: Arc<Pages>,
    /// Id of the primary.
    pub primary_id: String,
    /// Answers what is not ready-made.
    pub detail: Arc<dyn Detail>,
    /// Tells the newest operations.
    pub recent: Arc<dyn RecentSource>,
    /// Whither the page that compares sources by itself may open sockets.
    pub source_origins: SourceOrigins,
    /// For `/healthz`.
    pub health: Readiness,
    /// For `/readyz`.
    pub readiness: Readiness,
    /// UTC milliseconds of now, for ages and labels.
    pub utc_now_ms: UtcNow,
    /// What lets other nodes in; `None` where there are none.
    pub nodes: Option<NodesDoor>,
    /// Settings.
    pub options: HttpOptions,
    /// Cancelled when the process stops: ends sockets and server.
    pub shutdown: CancellationToken,
    /// Where it is counted what happens here.
    pub tallies: Tallies,
    /// How short memory is.
    pub pressure: Pressure,
    /// Where tests make an answer fail.
    pub fail: FailPoints,
}

/// Shared by all workers.
pub struct HttpState {
    /// The finished pages.
    pub pages: Arc<Pages>,
    /// Settings.
    pub options: HttpOptions,
    /// Cancelled when the process stops.
    pub shutdown: CancellationToken,
    pub(super) regions: Arc<Pages>,
    pub(super) primary_id: String,
    pub(super) nodes: Option<Arc<NodesState>>,
    pub(super) detail: Arc<dyn Detail>,
    pub(super) pool: Pool,
    ops_feed: Arc<OpsFeed>,
    pub(super) source_origins: SourceOrigins,
    pub(super) limit: ClientLimit,
    /// Knows the operator; `None` where he has no token.
    pub(super) admin: Option<Admin>,
    pub(super) recheck_limit: ClientLimit,
    /// DIDs that were asked about just now.
    pub(super) rechecked: Cache<Did, ()>,
    pub(super) sockets: Arc<Sockets>,
    /// Connections of any kind.
    connections: Arc<Sockets>,
    pub(super) health: Readiness,
    pub(super) readiness: Readiness,
    pub(super) tallies: Tallies,
    pub(super) timings: Timings,
    pub(super) pressure: Pressure,
    pub(super) fail: FailPoints,
    utc_now_ms: UtcNow,
}

impl HttpState {
    /// Everything the handlers need.
    pub fn new(parts: HttpParts) -> Self {
        let options = parts.options;
        HttpState {
            primary_id: parts.primary_id,
            nodes: parts.nodes.map(|door| Arc::new(NodesState::new(door))),
            detail: Arc::clone(&parts.detail),
            recheck_limit: ClientLimit::new(recheck::PER_SECOND, recheck::BURST, options.exempt_loopback),
            admin: options.admin_token_sha256.map(Admin::new),
            rechecked: Cache::builder().max_capacity(recheck::DIDS_MAX).time_to_live(recheck::SAME_DID).build(),
            pool: Pool::new(parts.detail, Arc::clone(&parts.utc_now_ms)),
            limit: ClientLimit::new(options.detail_requests_per_second, options.detail_burst, options.exempt_loopback),
            sockets: Arc::new(Sockets::new(options.live_sockets_max, options.live_sockets_per_address_max)),
            connections: Arc::new(Sockets::new(
                usize::MAX,
                options.live_sockets_per_address_max.saturating_add(PLAIN_CONNECTIONS_PER_ADDRESS_MAX),
            )),
            ops_feed: OpsFeed::new(parts.recent, parts.tallies.clone()),
            source_origins: parts.source_origins,
            pages: parts.pages,
            regions: parts.regions,
            health: parts.health,
            readiness: parts.readiness,
            tallies: parts.tallies,
            timings: Timings::default(),
            pressure: parts.pressure,
            fail: parts.fail,
            utc_now_ms: parts.utc_now_ms,
            shutdown: parts.shutdown,
            options,
        }
    }

    /// Whether there is a mirror of this id: each has a page.
    pub(super) fn is_mirror(&self, id: &str) -> bool {
        self.pages.get(&format!("mirrors/{id}")).is_some()
    }

    /// What is told to one reader of changes.
    pub(super) fn notices(&self) -> Notices {
        Notices::new(Arc::clone(&self.pages), Arc::clone(&self.ops_feed))
    }

    /// UTC milliseconds of now.
    pub fn now_ms(&self) -> i64 {
        (self.utc_now_ms)()
    }

    /// What tells UTC milliseconds of now, for what outlives a request.
    pub(super) fn utc_clock(&self) -> UtcNow {
        Arc::clone(&self.utc_now_ms)
    }

    /// Live sockets open now.
    pub fn live_sockets(&self) -> usize {
        self.sockets.open()
    }

    /// Takes a seat for a connection of `peer`; none where a peer is not counted: an exempt one, and a trusted proxy, which
    /// brings the connections of many.
    pub(super) fn connection_seat(&self, peer: IpAddr) -> Result<Option<Seat>, Problem> {
        let is_proxy = self.options.trusted_proxies.iter().any(|block| block.contains(peer));
        if is_proxy || self.limit.is_exempt(peer) {
            return Ok(None);
        }
        self.connections.sit(peer, false).map(Some)
    }

    /// Whose request it is.
    pub(super) fn client(&self, request: &HttpRequest) -> IpAddr {
        client(request.peer_addr(), request.headers(), &self.options.trusted_proxies)
    }
}
