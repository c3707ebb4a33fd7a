//! Named places where a test makes the program fail. Without the `simulator` feature there is nothing behind them.
//!
//! A place is a word and what it is about, as `stream` of `plc-klbr-net`. Each program has points of its own, so that many
//! run in one process; a point does what it was armed for once, and costs one relaxed load while nothing is armed.

#[cfg(any(test, feature = "simulator"))]
mod armed;

/// The points of one program; clones share them.
#[derive(Clone, Debug, Default)]
pub struct FailPoints {
    #[cfg(any(test, feature = "simulator"))]
    armed: armed::Armed,
}

impl FailPoints {
    /// The program has come to the point `name` of `of` (an id, or nothing).
    ///
    /// # Panics
    /// When a test armed the point for that.
    pub fn reach(&self, name: &'static str, of: &str) {
        #[cfg(any(test, feature = "simulator"))]
        self.armed.reach(name, of);
        #[cfg(not(any(test, feature = "simulator")))]
        let _ = (name, of);
    }
}
