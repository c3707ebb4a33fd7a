//! `mirrorwatch check`: what one host serves, and whether its histories agree with the primary's, on one screen.
//!
//! Every request keeps its host's budget, and every wait has a limit, so that a look ends within about two minutes
//! whatever the host does.

mod agree;
mod host;
mod pages;
mod report;
mod streams;

use super::outside::asking;
use super::run::{fail, on_system, until_interrupted};
use crate::cli::exit;
use crate::cli::hosts::{Check, Format};
use crate::config::{Config, SourceConfig};
use crate::ports::clock::{Clock, SystemClock};
use host::Host;
use report::{Report, Verdict};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// Limit for opening a stream; several are tried that are never answered.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Limit for a page.
const PAGE: Duration = Duration::from_secs(10);
/// Longest pause of a host that is waited for.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Looks at a host, and answers the exit code.
#[must_use]
pub fn check(config: &Config, options: &Check) -> u8 {
    let options = options.clone();
    let primary = options.primary.clone().unwrap_or_else(|| config.primary.clone());
    on_system(async move {
        tokio::select! {
            code = look(&options, &primary) => code,
            () = until_interrupted() => fail(&"mirrorwatch: interrupted", exit::CANNOT_TELL),
        }
    })
}

async fn look(options: &Check, primary: &SourceConfig) -> u8 {
    let clock: Arc<dyn Clock> = match SystemClock::new(0) {
        Ok(clock) => Arc::new(clock),
        Err(e) => return fail(&format!("mirrorwatch: clock: {e}"), exit::SOFTWARE),
    };
    let doors = asking(&clock, HANDSHAKE, |limits| {
        (limits.gate_wait_max, limits.page_timeout) = (PAUSE_MAX, PAGE);
    });
    let (export, dialer) = match doors {
        Ok((export, dialer)) => (Arc::new(export), Arc::new(dialer)),
        Err(why) => return fail(&format!("mirrorwatch: {why}"), exit::SOFTWARE),
    };
    let host = Host::new(&export, &dialer, &clock, &options.host);
    let primary = Host::new(&export, &dialer, &clock, primary);
    let report = examine(&host, &primary, options.did.as_deref()).await;
    let text = if options.format == Format::Json { report.json() } else { report.text() };
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            fail(&format!("mirrorwatch: standard output: {e}"), exit::IO)
        }
        _ => match report.verdict() {
            Verdict::Agrees => exit::OK,
            Verdict::Disagrees => exit::DIFFERS,
            Verdict::CannotTell => exit::CANNOT_TELL,
        },
    }
}

/// Finds everything out: the pages of both hosts at once, then the streams of the one, then the histories.
async fn examine(host: &Host, primary: &Host, did: Option<&str>) -> Report {
    let at_ms = host.now_ms();
    let is_primary = host.url == primary.url;
    let theirs = async {
        let health = pages::health(host).await;
        let by_number = pages::by_number(host).await;
        let by_time = pages::by_time(host).await;
        let newest = pages::newest(host, &by_time, &health).await;
        (health, by_number, by_time, newest)
    };
    let ours = async {
        if is_primary {
            return None;
        }
        let health = pages::health(primary).await;
        let mut by_time = pages::by_time(primary).await;
        if by_time.recent.is_empty() {
            by_time.recent = pages::last_by_number(primary, &health).await;
        }
        let newest = pages::newest(primary, &by_time, &health).await;
        Some((by_time, newest))
    };
    let ((health, by_number, by_time, newest), ours) = tokio::join!(theirs, ours);
    let latest_seq = health.latest_seq();
    let mut features = vec![health.feature, by_number, by_time.feature];
    features.extend(streams::export_stream(host, latest_seq).await);
    features.push(streams::ws(host).await);

    let chosen = match (did, &ours) {
        (_, None) => Vec::new(),
        (Some(did), _) => vec![did.to_owned()],
        (None, Some((recent, _))) => agree::choose(&recent.recent, host.now_ms()),
    };
    let not_compared = if is_primary {
        Some("it is the primary itself; --primary compares it with another".to_owned())
    } else if let (true, Some((by_time, _))) = (chosen.is_empty(), &ours) {
        let why = &by_time.feature.says;
        Some(format!("the primary lists no recent operation ({why}); --did gives a DID"))
    } else {
        None
    };
    let histories = agree::compare(host, primary, &chosen).await;
    features.push(histories.audit);
    features.push(histories.last);
    Report {
        url: host.url.clone(),
        primary: primary.url.clone(),
        at_ms,
        features,
        clock: health.clock,
        newest,
        primary_newest: ours.and_then(|(_, newest)| newest),
        dids: histories.rows,
        not_compared,
    }
}
