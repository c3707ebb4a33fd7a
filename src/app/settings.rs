//! What the parts are told from the configuration: recomputers, retention, limits, the server's options.

use super::assembled::Lasting;
use super::open_files;
use super::pictures::Pictures;
use super::state::Kept;
use crate::config::{Config, Retention};
use crate::domain::time::rfc3339_ms;
use crate::domain::view::Picture;
use crate::http::HttpOptions;
use crate::logux::kinds::{BLOCK_OPS, BLOCK_OPS_ROWS_MAX, INTERVAL, OVERVIEW};
use crate::ports::log_book::Horizon;
use crate::ports::store::{LOG_ROWS_OF_KIND_MAX, LogPrune, PrunePlan};
use crate::publish::{Pages, UtcNow};
use crate::recompute::{
    Driver, DriverOptions, Recompute, coverage, divergence, history, lag, misses, overview, propagation, rtt, stats,
    vantages,
};
use arc_swap::ArcSwap;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Computations at once.
const COMPUTES_MAX: usize = 2;

/// All recomputers, each on its own interval.
pub(super) fn driver(config: &Config, pictures: &Pictures, pages: &Arc<Pages>, lasting: &Lasting) -> Driver<Picture> {
    let options = DriverOptions {
        concurrent_max: COMPUTES_MAX,
        utc_now_ms: Arc::clone(&lasting.now),
        board: lasting.board.clone(),
        fail: lasting.outside.fail.clone(),
    };
    let mut driver = Driver::new(Arc::new(pictures.clone()), Arc::clone(pages), options);
    let recomputers: [Arc<dyn Recompute<Picture>>; 9] = [
        Arc::new(coverage::Coverage),
        Arc::new(lag::Lag),
        Arc::new(misses::Misses { listed: Arc::clone(&lasting.listed_misses) }),
        Arc::new(rtt::Rtt),
        Arc::new(history::History),
        Arc::new(divergence::Divergence),
        Arc::new(propagation::Propagation),
        Arc::new(stats::Stats),
        Arc::new(overview::Overview),
    ];
    let vantages =
        lasting.vantages.clone().map(|told| Arc::new(vantages::Vantages { told }) as Arc<dyn Recompute<Picture>>);
    for recomputer in recomputers.into_iter().chain(vantages) {
        let interval = config.analytics.interval(recomputer.name());
        driver.add(recomputer, interval);
    }
    driver
}

/// How long things are kept; may change while the program runs.
pub(super) type RetentionNow = Arc<ArcSwap<Retention>>;

/// What may be forgotten, at any time.
pub(super) fn prune_plan(retention: &RetentionNow, now: &UtcNow) -> Arc<dyn Fn() -> PrunePlan + Send + Sync> {
    let (retention, now) = (Arc::clone(retention), Arc::clone(now));
    Arc::new(move || {
        let retention = retention.load();
        let before = |days: Option<u32>| days.map(|d| now() - i64::from(d) * DAY_MS);
        PrunePlan {
            intervals_before_ms: before(retention.interval_days),
            hours_before_ms: before(retention.hourly_days),
            days_before_ms: before(retention.daily_days),
            misses_before_ms: before(retention.miss_days),
            events_before_ms: before(retention.event_days),
            sessions_before_ms: before(retention.event_days),
            evidence_before_ms: before(retention.miss_days),
            log: log_prune(&retention, now()),
        }
    })
}

/// Days that overviews of nodes are kept: what they say is in the intervals too.
const OVERVIEW_DAYS: u32 = 2;

/// What of the log that nodes share may be forgotten at `now_ms`.
fn log_prune(retention: &Retention, now_ms: i64) -> LogPrune {
    let before = |days: Option<u32>| days.map(|d| now_ms - i64::from(d) * DAY_MS);
    LogPrune {
        kinds: vec![
            (OVERVIEW.to_owned(), before(Some(OVERVIEW_DAYS))),
            (INTERVAL.to_owned(), before(retention.interval_days)),
        ],
        others_before_ms: before(retention.event_days),
        of_kind_max: Some(LOG_ROWS_OF_KIND_MAX),
        few: vec![(BLOCK_OPS.to_owned(), BLOCK_OPS_ROWS_MAX)],
    }
}

/// Before when actions of other nodes are too old to be taken in: what is forgotten must not come back.
pub(super) fn log_horizon(retention: &RetentionNow, now: &UtcNow) -> Horizon {
    let (retention, now) = (Arc::clone(retention), Arc::clone(now));
    Arc::new(move |kind| {
        let plan = log_prune(&retention.load(), now());
        let of_kind = plan.kinds.into_iter().find(|(known, _)| known == kind);
        of_kind.map_or(plan.others_before_ms, |(_, before)| before)
    })
}

/// What the start found in the data directory, for the page of the internals.
pub(super) fn state_told(kept: &Kept) -> serde_json::Value {
    json!({
        "notes": kept.notes.iter().map(|n| &n.1).collect::<Vec<_>>(),
        "totals_restarted_at": kept.totals_restarted_ms.map(rfc3339_ms),
    })
}

/// What the page of the internals says beside the ledger.
pub(super) fn internals(
    lasting: &Lasting,
    state: serde_json::Value,
) -> Arc<dyn Fn() -> serde_json::Value + Send + Sync> {
    let (config, board, now) = (&lasting.config, lasting.board.clone(), Arc::clone(&lasting.now));
    let (vitals, tallies, log) = (lasting.vitals.clone(), lasting.tallies.clone(), lasting.log.clone());
    let peering = lasting.peering.clone();
    let depth = lasting.vitals.depth().clone();
    let limits = json!({
        "max_mirrors": config.limits.max_mirrors,
        "held_ops": config.limits.held_ops,
        "unknown_keys_per_mirror": config.limits.unknown_keys_per_mirror,
        "frame_bytes": config.limits.frame_bytes,
        "listed_misses": config.limits.listed_misses,
        "live_sockets": config.http.live_sockets,
    });
    let sources = config.mirrors.len() + 1;
    Arc::new(move || {
        let mut told = json!({
            "recomputers": board.read(now()),
            "queues": [
                { "name": "collector", "limit": 1_024, "waiting": depth.now() },
                { "name": "batches_under_way", "limit": sources, "waiting": depth.now() },
            ],
            "limits": limits,
            "state": state,
            "http": tallies.told(),
            "restarts": vitals.restarts().into_iter().collect::<BTreeMap<String, u64>>(),
        });
        if let Some((log, told)) = log.as_ref().zip(told.as_object_mut()) {
            let (counts, read) = (log.counts(), |count: &AtomicU64| count.load(Ordering::Relaxed));
            let log = json!({
                "head": *log.head().borrow(),
                "received": read(&counts.received),
                "too_old": read(&counts.too_old),
                "refused": read(&counts.refused),
                "busy": read(&counts.busy),
                "dropped": read(&counts.dropped),
            });
            told.insert("log".to_owned(), log);
        }
        let standing = peering.as_ref().and_then(|peering| peering.board.read());
        if let Some((standing, told)) = standing.zip(told.as_object_mut()) {
            told.insert("peering".to_owned(), standing);
        }
        told
    })
}

/// The options of the server.
pub(super) fn http_options(config: &Config) -> HttpOptions {
    let http = &config.http;
    HttpOptions {
        workers: http.workers,
        trusted_proxies: http.trusted_proxies.iter().filter_map(|p| p.to_string().parse().ok()).collect(),
        allowed_hosts: http.allowed_hosts.clone(),
        cors_origins: http.cors_origins.clone(),
        live_sockets_max: http.live_sockets,
        connections_max: open_files::connections_max(open_files::limit(), config.mirrors.len() + 1),
        live_sockets_per_address_max: http.live_sockets_per_address,
        detail_requests_per_second: http.detail_requests_per_second,
        detail_burst: http.detail_burst,
        exempt_loopback: http.exempt_loopback,
        allow_recheck: config.audit.allow_recheck,
        admin_token_sha256: config.http.admin_token_sha256,
        version: http.expose_version.then(|| env!("CARGO_PKG_VERSION").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_by_the_retention_of_now() {
        let held = Retention { event_days: Some(10), ..Retention::for_testing() };
        let (retention, now): (RetentionNow, UtcNow) =
            (Arc::new(ArcSwap::from_pointee(held)), Arc::new(|| 100 * DAY_MS));
        let (plan, horizon) = (prune_plan(&retention, &now), log_horizon(&retention, &now));
        assert_eq!((plan().events_before_ms, horizon("link/opened")), (Some(90 * DAY_MS), Some(90 * DAY_MS)));
        retention.store(Arc::new(Retention { event_days: Some(30), ..Retention::for_testing() }));
        assert_eq!((plan().events_before_ms, horizon("link/opened")), (Some(70 * DAY_MS), Some(70 * DAY_MS)));
    }
}
