//! Views: what a reader asks for, each made by one pure function of a picture.
//!
//! Field names are those of the API; a value that cannot be told is `null` beside its reason, and 0 means zero.

pub mod badge;
pub mod best;
pub mod chain;
pub mod check;
pub mod compare;
pub mod content;
pub mod coverage;
pub mod did;
pub mod divergence;
pub mod embed;
pub mod event;
pub mod evidence;
pub mod extras;
pub mod feed;
pub mod freshness;
pub mod history;
pub mod incidents;
pub mod internals;
pub mod lag;
pub mod link;
pub mod methodology;
pub mod mirror;
pub mod misses;
pub mod op;
pub mod ops;
pub mod overview;
mod percent;
pub mod propagation;
pub mod readiness;
pub mod recent;
pub mod rtt;
pub mod sample;
pub mod sessions;
pub mod slo;
pub mod stats;
pub mod status;
pub mod table;
pub mod tallies;
pub mod vantages;
pub mod windows;

use super::confirm::Load;
use super::evidence::Evidence;
use super::impair::Watching;
use super::incident::Told;
use super::ledger::{Capture, SourceCapture};
use super::link::Link;
use super::mirror_state::Standing;
use super::probes::ByPurpose;
use super::recommend::Recommendation;
use super::refused::{LastReject, Refused};
use super::sample::Samples;
use super::sessions::Session;
use super::source::SourceIx;
use super::throttle::ThrottleState;
use super::time::{Labels, Tau, rfc3339_ms};
use super::transport::Taken;
use event::Event;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A source beside its figures: who it is and how its link stands.
#[derive(Clone, Debug, Default)]
pub struct SourceInfo {
    /// Stable slug.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Where it is connected to, as configured.
    pub url: String,
    /// How operations are taken from it; as configured until that is known.
    pub transport: String,
    /// Why so, and what that way can tell; none until it is known, and for the primary.
    pub taken: Option<Taken>,
    /// Its link.
    pub link: Link,
    /// Connected time over observed time, last six hours.
    pub connected_ratio: Option<f64>,
    /// The latest times at which its link was up, oldest first.
    pub sessions: Vec<Session>,
    /// The source's own number of the last operation up to which nothing is missing.
    pub cursor: Option<u64>,
    /// Refused frames by reason.
    pub rejects: BTreeMap<String, u64>,
    /// The latest refused frame.
    pub last_reject: Option<LastReject>,
    /// Refused frames of the last hour.
    pub refused: Refused,
    /// How fast it is read.
    pub throttle: ThrottleState,
    /// How often it was connected to again, by why it was lost, since the start.
    pub reconnects: BTreeMap<String, u64>,
    /// Samples of its logs by how they ended, since the start.
    pub sampled: BTreeMap<&'static str, u64>,
    /// How it does, where it is a mirror.
    pub standing: Standing,
}

/// A row of a snapshot that another monitor kept and that was imported.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// When it was taken, milliseconds since 1970.
    pub ts_ms: i64,
    /// The mirror's URL.
    pub url: String,
    /// The fields as they were kept.
    pub fields: Map<String, Value>,
}

/// How many operations of the primary were checked by all rules since the start.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct ValidityCounts {
    /// Checked, as far as what they follow is known.
    pub validated: u64,
    /// Let go unchecked, because the queue was full or the process was ending.
    pub not_validated: u64,
    /// Of those checked, the ones that break a rule.
    pub invalid: u64,
    /// Waiting now.
    pub queued: u64,
    /// The most that may wait.
    pub queue_limit: u64,
}

/// Everything that views are made of.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The ledger.
    pub capture: Capture,
    /// The primary.
    pub primary: SourceInfo,
    /// The mirrors, in the order of the configuration.
    pub mirrors: Vec<SourceInfo>,
    /// When observing began.
    pub started: Tau,
    /// Latest events, newest first.
    pub events: Vec<Arc<Event>>,
    /// Which mirror to use, by what for.
    pub recommended: ByPurpose<Recommendation<usize>>,
    /// The latest changes of mirrors' states, newest first.
    pub changes: Arc<VecDeque<Arc<Told>>>,
    /// What is wrong with keeping data, for people; empty when nothing is.
    pub degraded: Vec<String>,
    /// Recomputers, queues and limits, as their owners tell them.
    pub internals: Value,
    /// What became of checking the primary's operations by all rules.
    pub validity: ValidityCounts,
    /// Imported snapshots, oldest first.
    pub imported: Arc<Vec<Imported>>,
    /// What hosts were asked and answered.
    pub evidence: Arc<Evidence>,
    /// Samples of each mirror, in the order of the configuration.
    pub samples: Arc<Vec<Samples>>,
    /// What the auditor has to do, by source.
    pub audit_load: Load,
    /// For how long each flag of the observer was up since the start, nanoseconds.
    pub impaired_ns: BTreeMap<&'static str, i64>,
    /// By how much the system's clock has moved away from the labels, milliseconds.
    pub clock_offset_ms: i64,
}

impl Picture {
    /// The label of an instant.
    #[must_use]
    pub fn at(&self, tau: Tau) -> String {
        label(&self.capture.labels, tau)
    }

    /// Who a source is, and what is known of it.
    #[must_use]
    pub fn source(&self, source: SourceIx) -> Option<(&SourceInfo, &SourceCapture)> {
        match source.mirror_index() {
            None => Some((&self.primary, &self.capture.primary)),
            Some(m) => self.mirrors.get(m).zip(self.capture.mirrors.get(m).map(|c| &c.source)),
        }
    }

    /// The source of this id.
    #[must_use]
    pub fn find_source(&self, id: &str) -> Option<SourceIx> {
        if self.primary.id == id {
            return Some(SourceIx::PRIMARY);
        }
        self.mirrors.iter().position(|m| m.id == id).map(SourceIx::mirror)
    }

    /// Every source, the primary first.
    pub fn sources(&self) -> impl Iterator<Item = SourceIx> + use<> {
        (0..=self.mirrors.len()).map(|i| SourceIx(i as u16))
    }

    /// The end of a span as a label; none while it goes on.
    #[must_use]
    pub fn end_at(&self, to: Tau) -> Option<String> {
        (to < Tau::MAX).then(|| self.at(to))
    }

    /// Flags of the observer that are up now.
    #[must_use]
    pub fn observer_flags(&self) -> Vec<&'static str> {
        let c = &self.capture;
        let seen = Watching {
            is_late: c.late_since.is_some(),
            is_primary_up: self.primary.link.state.is_up(),
            has_primary_gap: c.primary.has_open_gap,
            is_primary_delayed: c.is_primary_delayed,
            mirrors: self.mirrors.len(),
            mirrors_down: self.mirrors.iter().filter(|m| !m.link.state.is_up()).count(),
        };
        seen.flags()
    }
}

/// The label of an instant.
#[must_use]
pub fn label(labels: &Labels, tau: Tau) -> String {
    rfc3339_ms(labels.utc_ms(tau))
}

/// A number with its name, or `null` and the reason beside it.
pub fn put(map: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>, reason: &str) {
    if let Some(value) = value {
        map.insert(name.to_owned(), value.into());
    } else {
        map.insert(name.to_owned(), Value::Null);
        map.insert(format!("{name}_reason"), reason.into());
    }
}

/// Rounds to six digits behind the point, so that pages do not change by noise.
#[must_use]
pub fn round6(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// The value at a place of a page; null where there is none.
#[must_use]
pub fn at<'a>(page: &'a Value, place: &str) -> &'a Value {
    page.pointer(place).unwrap_or(&Value::Null)
}

/// Nanoseconds as milliseconds with microsecond digits.
#[must_use]
pub fn ns_as_ms(ns: i64) -> f64 {
    (ns as f64 / 1e3).round() / 1e3
}

#[cfg(test)]
pub(crate) mod tests;
