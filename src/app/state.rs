//! Opening what was kept: the store, the clock that goes on, the labels that never go backwards, the ledger restored.

use crate::actors::collector::{Restored, restore};
use crate::config::Config;
use crate::domain::incident;
use crate::domain::ledger::{Ledger, Limits, MirrorParams, Params};
use crate::domain::time::{Labels, MS, SECOND, Tau};
use crate::domain::view::Imported;
use crate::ports::clock::{Clock, ClockError, SystemClock, boot_id};
use crate::ports::store::sqlite::{OpenOptions, SqliteStore};
use crate::ports::store::{Heartbeat, Loaded, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// Operations listed as missed or late for each mirror, as a multiple of what a page lists.
const LISTED_FACTOR: usize = 50;
/// What a start says when parts of the journal are gone.
const LOST: &str = "parts of the journal are lost: what was not judged yet is unknown, and no mirror is blamed for it";
/// A difference between the kept labels and the wall clock that is let stand, milliseconds.
const LABEL_SLACK_MS: i64 = 1_000;

/// Everything that a start has before anything runs.
pub struct Opened {
    /// Where transactions go.
    pub store: Box<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Names this boot and its offset.
    pub boot: String,
    /// How instants become labels.
    pub labels: Labels,
    /// What was kept.
    pub kept: Kept,
}

/// What was kept, ready to go on with.
pub struct Kept {
    /// The ledger.
    pub ledger: Ledger,
    /// What else was kept.
    pub restored: Restored,
    /// Imported snapshots.
    pub imported: Arc<Vec<Imported>>,
    /// When totals began anew because nothing of an older file could be read, UTC milliseconds.
    pub totals_restarted_ms: Option<i64>,
    /// What to tell people: kind and text.
    pub notes: Vec<(String, String)>,
}

/// Why what was kept cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store.
    #[error("mirrorwatch: {0}")]
    Store(#[from] StoreError),
    /// The clock.
    #[error("mirrorwatch: clock: {0}")]
    Clock(#[from] ClockError),
}

impl OpenError {
    /// The exit code.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            OpenError::Store(e) => e.exit_code(),
            OpenError::Clock(_) => crate::cli::exit::SOFTWARE,
        }
    }
}

/// Opens the data directory and makes the ledger of what is in it.
pub fn open_state(config: &Config) -> Result<Opened, OpenError> {
    let plain = SystemClock::new(0)?;
    let (mut store, report) = SqliteStore::open(&config.data_dir, OpenOptions::at(plain.utc_ms()))?;
    let loaded = store.load()?;
    let mut notes: Vec<_> = report.notes.iter().map(|text| ("state".to_owned(), text.clone())).collect();
    let id = boot_id().unwrap_or_default();
    let (clock, is_rebooted) = clock_after(loaded.heartbeat.as_ref(), &id, &plain)?;
    let labels = labels_after(loaded.heartbeat.as_ref(), &clock);
    notes.extend(down_note(&loaded, &clock, labels));
    let kept = revive(config, loaded, notes, labels, is_rebooted);
    let boot = format!("{id}+{}", clock.offset_ns());
    Ok(Opened { store: Box::new(store), clock: Arc::new(clock), boot, labels, kept })
}

/// Makes of what a store gave back what a start goes on with; `notes` are what people are told first.
pub(super) fn revive(
    config: &Config,
    loaded: Loaded,
    mut notes: Vec<(String, String)>,
    labels: Labels,
    is_rebooted: bool,
) -> Kept {
    notes.extend(loaded.notes.iter().map(|text| ("state".to_owned(), text.clone())));
    let imported = Arc::new(imported_rows(&loaded));
    let totals_restarted_ms = loaded.restarted_ms;
    let mut restored = restore(loaded, is_rebooted);
    let mut ledger = Ledger::new(params(config), limits(config), labels, &mirror_params(config));
    let ids: Vec<String> = config.mirrors.iter().map(|m| m.id.clone()).collect();
    let mut saved = std::mem::take(&mut restored.saved);
    let found = ledger.restore(&saved, &config.primary.id, &ids);
    if found.loss.is_some() {
        saved.loss = found.loss;
        ledger = Ledger::new(params(config), limits(config), labels, &mirror_params(config));
        ledger.restore(&saved, &config.primary.id, &ids);
    }
    let damaged = |text: String| ("state_damaged".to_owned(), format!("state: {text}"));
    notes.extend(found.damaged.map(|(n, why)| damaged(format!("{n} journal segments could not be read: {why}"))));
    notes.extend((restored.unreadable > 0).then(|| damaged(format!("{} rows could not be read", restored.unreadable))));
    notes.extend(saved.loss.map(|_| damaged(LOST.to_owned())));
    Kept { ledger, restored, imported, totals_restarted_ms, notes }
}

/// The clock that goes on where the last run's stood, and whether the machine was started anew since.
fn clock_after(last: Option<&Heartbeat>, id: &str, plain: &SystemClock) -> Result<(SystemClock, bool), ClockError> {
    let Some(last) = last else { return Ok((SystemClock::new(0)?, false)) };
    if let Some((kept, offset)) = last.boot_id.rsplit_once('+')
        && kept == id
        && !id.is_empty()
    {
        return Ok((SystemClock::new(offset.parse().unwrap_or(0))?, false));
    }
    // Wall time tells about how long the machine was off; the instants only have to go forward.
    let off_ms = (plain.utc_ms() - last.utc_ms).max(1_000);
    Ok((SystemClock::not_before(Tau(last.tau_ns).plus(off_ms.saturating_mul(MS)))?, true))
}

/// Labels that never go backwards: the kept anchor while it agrees with the wall clock or is ahead of it, else a new one.
fn labels_after(last: Option<&Heartbeat>, clock: &SystemClock) -> Labels {
    let fresh = Labels { anchor_tau: clock.now(), anchor_utc_ms: clock.utc_ms() };
    let Some(last) = last else { return fresh };
    let kept = Labels { anchor_tau: Tau(last.anchor_tau_ns), anchor_utc_ms: last.anchor_utc_ms };
    let difference = kept.utc_ms(fresh.anchor_tau) - fresh.anchor_utc_ms;
    if difference.abs() < LABEL_SLACK_MS || fresh.anchor_utc_ms < last.utc_ms { kept } else { fresh }
}

/// What people are told of the time in which nothing was kept; nothing at the first start.
pub(super) fn down_note(loaded: &Loaded, clock: &dyn Clock, labels: Labels) -> Option<(String, String)> {
    let last = loaded.heartbeat.as_ref()?;
    let down_s = clock.now().since(Tau(last.tau_ns)) as f64 / SECOND as f64;
    let since = crate::domain::time::rfc3339_ms(labels.utc_ms(Tau(last.tau_ns)));
    let text = if loaded.closed_cleanly {
        format!("the observer stopped at {since} and was down for {down_s:.1} s; this time is not counted")
    } else {
        format!(
            "state: ended without a goodbye; the {down_s:.1} s since {since}, when everything was last kept, are \
             marked \"observer down\""
        )
    };
    Some((incident::OBSERVER_DOWN.to_owned(), text))
}

fn imported_rows(loaded: &Loaded) -> Vec<Imported> {
    loaded
        .imported
        .iter()
        .map(|row| {
            let mut fields = serde_json::Map::new();
            fields.insert("coverage".to_owned(), row.coverage.map_or(serde_json::Value::Null, Into::into));
            fields.insert("missed".to_owned(), row.missed.into());
            fields.insert("ops".to_owned(), row.ops.into());
            fields.insert("primaryOps".to_owned(), row.primary_ops.into());
            Imported { ts_ms: row.ts_ms, url: row.source_url.clone(), fields }
        })
        .collect()
}

fn ns(d: Duration) -> i64 {
    i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)
}

/// The common time limits.
#[must_use]
pub fn params(config: &Config) -> Params {
    Params {
        look_back_ns: ns(config.judging.look_back),
        horizon_ns: ns(config.judging.revision),
        settle_ns: ns(config.judging.settle),
        interval_ms: i64::try_from(config.judging.interval.as_millis()).unwrap_or(300_000),
    }
}

/// What the ledger may hold.
#[must_use]
pub fn limits(config: &Config) -> Limits {
    Limits {
        held_ops: config.limits.held_ops,
        unknown_keys_per_mirror: config.limits.unknown_keys_per_mirror,
        listed_per_mirror: config.limits.listed_misses.saturating_mul(LISTED_FACTOR),
    }
}

/// The time limits of each mirror.
#[must_use]
pub fn mirror_params(config: &Config) -> Vec<MirrorParams> {
    let of = |m: &crate::config::SourceConfig| MirrorParams {
        on_time_ns: ns(m.on_time(&config.judging)),
        grace_ns: ns(m.grace(&config.judging)),
    };
    config.mirrors.iter().map(of).collect()
}
