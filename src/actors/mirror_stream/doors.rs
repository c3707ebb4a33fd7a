//! The ports and the shared notes that a stream uses.

use crate::actors::anchors::Anchors;
use crate::actors::known_dids::KnownDids;
use crate::actors::reader::Readers;
use crate::actors::vitals::Vitals;
use crate::domain::frame::FormCache;
use crate::ports::clock::Clock;
use crate::ports::dial::Dialer;
use crate::ports::export::ExportClient;
use crate::ports::fail_point::FailPoints;
use crate::ports::memory::Pressure;
use std::sync::{Arc, Mutex};

/// The doors that a stream uses.
#[derive(Clone)]
pub struct StreamDoors {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Opens streams.
    pub dialer: Arc<dyn Dialer>,
    /// The bound of the longest wait between two attempts to connect, nanoseconds.
    pub longest_wait_ns: i64,
    /// Pages exports.
    pub export: Arc<dyn ExportClient>,
    /// The forms of operations that are proved already, shared by all sources.
    pub forms: Arc<Mutex<FormCache>>,
    /// The notes of all readers.
    pub readers: Readers,
    /// DIDs that the primary published about lately.
    pub known: KnownDids,
    /// How far each source is known to the ledger.
    pub anchored: Anchors,
    /// Where restarts are counted.
    pub vitals: Vitals,
    /// How short memory is.
    pub pressure: Pressure,
    /// Where tests make parts fail.
    pub fail: FailPoints,
}
