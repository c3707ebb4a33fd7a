//! The auditor in place: made from the configuration, watched over, and asked by whoever wants a DID checked.

use super::slot::Slot;
use crate::actors::auditor::{AuditHost, Auditor, AuditorParts};
use crate::actors::collector::{AuditorIs, Collector};
use crate::actors::message::{Beat, Recheck, RecheckError};
use crate::actors::watchdog::Child;
use crate::config::{Config, SourceConfig};
use crate::domain::audit_log::LogEntry;
use crate::domain::confirm::{ConfirmOptions, SurveyReport};
use crate::domain::did::Did;
use crate::domain::time::Labels;
use crate::domain::validity::{Entry, is_known_invalid};
use crate::ports::clock::Clock;
use crate::ports::export::{ExportClient, ExportTarget};
use crate::ports::fail_point::FailPoints;
use actix::{Actor, Addr, Arbiter, Recipient};
use futures_util::future::BoxFuture;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The running auditor, which a restart replaces.
#[derive(Clone)]
pub struct Auditing {
    slot: Slot<Auditor>,
}

impl Auditing {
    /// Whom to ask whether it is there.
    pub(super) fn beat(&self) -> Recipient<Beat> {
        self.slot.recipient()
    }

    /// Asks every host about a DID now, within the budget of each.
    ///
    /// # Errors
    /// [`RecheckError`]: it is not allowed, there is no room, or it is ending.
    pub fn recheck(&self, did: Did) -> BoxFuture<'static, Result<Arc<SurveyReport>, RecheckError>> {
        let asking = self.slot.address().send(Recheck { did });
        Box::pin(async move { asking.await.unwrap_or(Err(RecheckError::Stopping)) })
    }

    /// Ends it.
    pub(super) async fn stop(&self) {
        self.slot.stop().await;
    }
}

/// Least time between two requests about single DIDs to one host.
#[must_use]
pub fn audit_gap(config: &Config) -> Duration {
    Duration::from_secs_f64(1.0 / config.audit.requests_per_second.max(f64::MIN_POSITIVE).clamp(0.001, 1_000.0))
}

/// What the auditor is made of.
pub(super) struct AuditDoors {
    pub(super) export: Arc<dyn ExportClient>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) labels: Labels,
    pub(super) collector: Addr<Collector>,
    pub(super) fail: FailPoints,
}

fn parts(config: &Config, doors: &AuditDoors) -> AuditorParts {
    let host = |s: &SourceConfig| AuditHost {
        id: s.id.clone(),
        target: ExportTarget { base: s.url.clone(), allow_private: s.allow_private },
    };
    let hosts: Vec<AuditHost> = std::iter::once(&config.primary).chain(&config.mirrors).map(host).collect();
    let graces = super::state::mirror_params(config);
    let confirm = ConfirmOptions {
        sources: hosts.len(),
        gap_ns: i64::try_from(audit_gap(config).as_nanos()).unwrap_or(i64::MAX),
        grace_ns: graces.iter().map(|m| m.grace_ns).max().unwrap_or(0),
    };
    let per_minute = config.audit.sample_per_minute;
    AuditorParts {
        hosts,
        confirm,
        is_invalid: breaks_rules,
        sample_every: (per_minute > 0).then(|| Duration::from_mins(1) / per_minute),
        // Who may ask is the server's to say.
        allow_recheck: config.audit.allow_recheck || config.http.admin_token_sha256.is_some(),
        seed: rand::random(),
        export: Arc::clone(&doors.export),
        clock: Arc::clone(&doors.clock),
        labels: doors.labels,
        collector: doors.collector.clone().recipient(),
        pictures: doors.collector.clone().recipient(),
        fail: doors.fail.clone(),
    }
}

/// Whether an entry of a mirror's log breaks the rules, as far as the rest of that log can tell.
fn breaks_rules(did: Did, log: &[LogEntry], place: usize) -> bool {
    let entry = |e: &LogEntry| Entry {
        did: e.did,
        cid: Some(e.cid),
        operation: Cow::Owned(e.operation.to_string()),
        created_ms: e.created_ms,
        nullified: e.nullified,
    };
    let others: Vec<Entry<'_>> = log.iter().enumerate().filter(|e| e.0 != place).map(|e| entry(e.1)).collect();
    log.get(place).is_some_and(|e| e.did != did || is_known_invalid(&entry(e), &others).is_some())
}

/// Starts the auditor in the place of the one `before`, and says how it is started anew after a panic.
pub(super) fn start_auditor(
    config: &Config,
    doors: AuditDoors,
    arbiter: &Arbiter,
    before: Option<Auditing>,
) -> (Auditing, AuditorChild) {
    let parts = parts(config, &doors);
    let made = parts.clone();
    let address = Auditor::start_in_arbiter(&arbiter.handle(), move |_| Auditor::new(made));
    tell(&doors.collector, &address);
    let auditing = match before {
        Some(auditing) => {
            auditing.slot.replace(address);
            auditing
        }
        None => Auditing { slot: Slot::new(address) },
    };
    (auditing.clone(), AuditorChild { parts, collector: doors.collector, auditing })
}

fn tell(collector: &Addr<Collector>, auditor: &Addr<Auditor>) {
    if collector.try_send(AuditorIs(auditor.clone().recipient())).is_err() {
        tracing::warn!("the collector was not told of the auditor");
    }
}

/// What makes the auditor anew; goes to the arbiter of the streams.
pub(super) struct AuditorChild {
    parts: AuditorParts,
    collector: Addr<Collector>,
    auditing: Auditing,
}

impl AuditorChild {
    /// What the auditor was about to ask is gone with it; what is open is asked about after the next start.
    pub(super) fn child(self) -> Child {
        let watched = self.auditing.clone();
        Child {
            name: "auditor".to_owned(),
            source: None,
            is_alive: Box::new(move || watched.slot.is_alive()),
            restart: Box::new(move || {
                let fresh = Auditor::new(self.parts.clone()).start();
                tell(&self.collector, &fresh);
                self.auditing.slot.replace(fresh);
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_that_of_the_configuration() {
        let mut config = Config::for_testing("unused".into()).unwrap();
        for (per_second, gap_ms) in [(1.0, 1_000), (10.0, 100), (0.01, 100_000)] {
            config.audit.requests_per_second = per_second;
            assert_eq!(audit_gap(&config), Duration::from_millis(gap_ms));
        }
    }
}
