//! How a mirror does at an observer and whether it can be used, as far as that is told: whoever tells less, or in another shape,
//! is read all the same.

use crate::domain::probes::{FAILURES_MAX, Figures, LATENCIES_MAX};
use crate::domain::recommend::Record;
use serde_json::Value;

/// The longest time that is told of a probe or a lag, milliseconds.
const MS_MAX: f64 = 86_400_000.0;
/// The most that is told of a count.
const OPS_MAX: u64 = 1 << 50;

/// Whether a mirror can be used for a purpose, and how it answers.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Usable {
    /// Whether it can be chosen there.
    pub is_eligible: bool,
    /// How it answers.
    pub figures: Figures,
}

/// Milliseconds as microseconds; none for what no round trip and no lag is.
fn us(told: Option<&Value>) -> Option<i64> {
    let ms = told?.as_f64().filter(|ms| (0.0..=MS_MAX).contains(ms))?;
    Some((ms * 1e3).round() as i64)
}

/// What a mirror did, as far as its coverage and its lag tell it.
pub(super) fn record(coverage: &Value, lag: &Value) -> Record {
    let count = |name: &str| coverage.get("counts").and_then(|counts| counts.get(name)?.as_u64()).unwrap_or(0);
    Record {
        decided: count("decided").min(OPS_MAX),
        missed: count("missed").min(OPS_MAX),
        late: count("late").min(OPS_MAX),
        p95_us: us(lag.get("p95_ms")),
        uncertainty_us: us(lag.get("uncertainty_ms")).unwrap_or(0),
    }
}

impl Usable {
    /// None for what has another shape.
    pub(super) fn read(told: &Value) -> Option<Usable> {
        let count = |name: &str| told.get(name).and_then(Value::as_u64);
        let bounded = |name: &str, most: u32| count(name).map(|n| n.min(u64::from(most)) as u32);
        let figures = Figures {
            failures: bounded("failures", FAILURES_MAX)?,
            samples: bounded("samples", LATENCIES_MAX as u32)?,
            mean_us: us(told.get("rtt_ms")),
            median_us: us(told.get("rtt_median_ms")),
            answered: None,
            left_out: count("left_out").unwrap_or(0).min(OPS_MAX),
        };
        Some(Usable { is_eligible: told.get("is_eligible")?.as_bool()?, figures })
    }
}
