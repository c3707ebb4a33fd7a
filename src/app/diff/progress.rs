//! What a terminal shows while two logs are compared; nothing where standard error is none.

use crate::domain::compare_logs::{Pair, Range};
use crate::domain::time::rfc3339_ms;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;

/// Steps of the bar.
const STEPS: u64 = 1_000;

/// The bar.
pub(super) struct Progress {
    bar: ProgressBar,
    range: Range,
    /// Where both logs begin, which may be long after the range does.
    began_ms: Cell<Option<i64>>,
}

impl Progress {
    pub(super) fn new(range: Range) -> Progress {
        // The target is hidden by itself where it is no terminal.
        let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_message("looking where the logs begin");
        bar.tick();
        Progress { bar, range, began_ms: Cell::new(None) }
    }

    /// Shows how far both logs were read, and what was found.
    pub(super) fn show(&self, reached_ms: i64, read: &Pair<u64>, differences: u64) {
        let reached_ms = reached_ms.min(self.range.to_ms);
        let began_ms = self.began_ms.get().unwrap_or_else(|| reached_ms.max(self.range.from_ms));
        self.began_ms.set(Some(began_ms));
        let whole = self.range.to_ms.saturating_sub(began_ms).max(1);
        let part = reached_ms.saturating_sub(began_ms).clamp(0, whole);
        self.bar.set_position(u64::try_from(i128::from(part) * i128::from(STEPS) / i128::from(whole)).unwrap_or(0));
        let at = rfc3339_ms(reached_ms);
        self.bar.set_message(format!("{at}  a {}  b {}  differences {differences}", read.a, read.b));
    }

    /// Does something that writes to the terminal, with the bar out of the way.
    pub(super) fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.bar.suspend(work)
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
