//! Looks now and then how much memory is left, and tells when somebody has to do with less.

use crate::domain::time::{SECOND, Tau};
use crate::ports::memory::{FILLS_PERCENT, Memory, Pressure, READERS_PERCENT};

/// Between two looks, nanoseconds.
const LOOK_EVERY_NS: i64 = SECOND;
/// How far the share has to fall below a limit before that is left again, percent.
const SLACK_PERCENT: u32 = 3;

/// What is given up.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Level {
    Nothing,
    Readers,
    Fills,
}

/// See the module's words.
pub(super) struct MemoryWatch {
    memory: Memory,
    pressure: Pressure,
    looked_at: Tau,
    level: Level,
}

impl MemoryWatch {
    pub(super) fn new(memory: Memory, pressure: Pressure) -> MemoryWatch {
        MemoryWatch { memory, pressure, looked_at: Tau::MIN, level: Level::Nothing }
    }

    /// What people are to be told at `now`, if anything: the kind of event, and its words.
    pub(super) fn look(&mut self, now: Tau) -> Option<(&'static str, String)> {
        if self.looked_at > Tau::MIN && now.since(self.looked_at) < LOOK_EVERY_NS {
            return None;
        }
        self.looked_at = now;
        let used = self.memory.used_percent()?;
        let (level, held) = (level(used), level(used + SLACK_PERCENT));
        // Up at once, down only when it is well below.
        let next = if level > self.level { level } else { held.min(self.level) };
        self.pressure.set(match next {
            Level::Nothing => used.min(READERS_PERCENT - 1),
            Level::Readers => used.clamp(READERS_PERCENT, FILLS_PERCENT - 1),
            Level::Fills => used.max(FILLS_PERCENT),
        });
        if std::mem::replace(&mut self.level, next) == next {
            return None;
        }
        let what = match next {
            Level::Nothing => "readers are taken and gaps are filled as usual",
            Level::Readers => "the oldest live sockets are closed and new ones refused",
            Level::Fills => "the oldest live sockets are closed and new ones refused, and gaps wait to be filled",
        };
        let kind = if next == Level::Nothing { "memory_enough" } else { "memory_short" };
        Some((kind, format!("{used} % of the memory that may be used is used: {what}")))
    }
}

/// What is given up at that share.
fn level(percent: u32) -> Level {
    match percent {
        FILLS_PERCENT.. => Level::Fills,
        READERS_PERCENT.. => Level::Readers,
        _ => Level::Nothing,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "scratch of a test")]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_told_once_and_taken_back_well_below() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("memory.max"), "100").unwrap();
        let pressure = Pressure::default();
        let mut watch = MemoryWatch::new(Memory::within(dir.path(), ""), pressure.clone());
        let mut second = 0;
        let mut used = |percent: u32| {
            std::fs::write(dir.path().join("memory.current"), percent.to_string()).unwrap();
            second += 1;
            let told = watch.look(Tau(second * SECOND)).map(|told| told.0);
            (told, pressure.drops_readers(), pressure.stops_fills())
        };
        assert_eq!(used(84), (None, false, false));
        assert_eq!(used(85), (Some("memory_short"), true, false));
        assert_eq!((used(86), used(83)), ((None, true, false), (None, true, false)));
        assert_eq!(used(97), (Some("memory_short"), true, true));
        assert_eq!(used(90), (Some("memory_short"), true, false));
        assert_eq!(used(81), (Some("memory_enough"), false, false));
    }
}
