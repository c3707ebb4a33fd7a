//! Budgets: quantiles of what was measured, a verdict in words, and the exit code.

use std::process::ExitCode;

/// Latencies in nanoseconds, sorted.
pub struct Quantiles(Vec<u64>);

impl Quantiles {
    /// Of these samples, in any order.
    pub fn of(mut samples: Vec<u64>) -> Quantiles {
        samples.sort_unstable();
        Quantiles(samples)
    }

    /// The sample below or at which a share `q` of all lies; 0 without samples.
    pub fn at(&self, q: f64) -> u64 {
        let rank = (self.0.len() as f64 * q).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }

    /// p50, p90, p99, p99.9 and the maximum in microseconds.
    pub fn line(&self) -> String {
        let us = |q: f64| self.at(q) as f64 / 1e3;
        format!(
            "p50 {:.3}  p90 {:.3}  p99 {:.3}  p99.9 {:.3}  max {:.3} µs  (n = {})",
            us(0.5),
            us(0.9),
            us(0.99),
            us(0.999),
            us(1.0),
            self.0.len()
        )
    }
}

/// The middle one; the lower of the two middle ones.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// What was checked so far.
#[derive(Default)]
pub struct Gates {
    failed: usize,
}

impl Gates {
    /// Passes when `measured` is at most `budget`; says so.
    pub fn at_most(&mut self, what: &str, measured: f64, budget: f64, unit: &str) -> bool {
        let passes = is_within(measured, budget);
        self.say(passes, &format!("{what}: {measured:.3} {unit}, budget {budget} {unit}"));
        passes
    }

    /// Passes when `holds`; says so.
    pub fn holds(&mut self, what: &str, holds: bool) {
        self.say(holds, what);
    }

    fn say(&mut self, passes: bool, text: &str) {
        self.failed += usize::from(!passes);
        println!("{} {text}", if passes { "PASS" } else { "FAIL" });
    }

    /// Success only when everything passed.
    pub fn exit_code(&self) -> ExitCode {
        if self.failed == 0 {
            return ExitCode::SUCCESS;
        }
        println!("{} over budget", self.failed);
        ExitCode::FAILURE
    }
}

/// Whether a figure keeps its budget; what could not be measured does not.
pub fn is_within(measured: f64, budget: f64) -> bool {
    measured <= budget
}
