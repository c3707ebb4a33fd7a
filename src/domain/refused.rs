//! Refused frames of one source within the last hour, by reason, and the line about them.

use super::time::{SECOND, Tau};
use std::collections::{BTreeMap, VecDeque};

/// The latest frame of a source that something was wrong with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastReject {
    /// What was wrong, in words.
    pub text: String,
    /// When it came.
    pub at: Tau,
    /// Its own number, where that can be told.
    pub seq: Option<u64>,
}

/// Nanoseconds of one slot.
const SLOT_NS: i64 = 60 * SECOND;
/// Slots of the hour.
const SLOTS: i64 = 60;

/// Counts by minute; as many names as there are reasons, and no more minutes than an hour has.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    slots: VecDeque<(i64, BTreeMap<&'static str, u64>)>,
}

impl Refused {
    /// A frame was refused at `at` for this reason.
    pub fn add(&mut self, reason: &'static str, at: Tau) {
        let slot = at.0.div_euclid(SLOT_NS);
        if self.slots.back().is_none_or(|last| last.0 < slot) {
            self.slots.push_back((slot, BTreeMap::new()));
            while self.slots.front().is_some_and(|first| first.0 <= slot - SLOTS) {
                self.slots.pop_front();
            }
        }
        if let Some((_, counts)) = self.slots.back_mut() {
            *counts.entry(reason).or_default() += 1;
        }
    }

    /// One line about the hour before `now`, most frequent reasons first; none when nothing was refused in it.
    #[must_use]
    pub fn text(&self, source: &str, now: Tau) -> Option<String> {
        let oldest = now.0.div_euclid(SLOT_NS) - SLOTS;
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (reason, n) in self.slots.iter().filter(|slot| slot.0 > oldest).flat_map(|slot| &slot.1) {
            *counts.entry(reason).or_default() += n;
        }
        let total: u64 = counts.values().sum();
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let parts: Vec<String> = counts.into_iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        let frames = if total == 1 { "frame" } else { "frames" };
        (total > 0).then(|| format!("{source}: {total} {frames} refused in the last hour: {}", parts.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_of_the_last_hour_alone() {
        let mut refused = Refused::default();
        let minute = |m: i64| Tau(m * SLOT_NS);
        refused.add("bad_did", minute(0));
        refused.add("bad_json", minute(30));
        (0..11).for_each(|_| refused.add("cid_mismatch", minute(31)));
        let text = |now| refused.text("mirror.example.org", minute(now));
        let hour = "mirror.example.org: 12 frames refused in the last hour: 11 cid_mismatch, 1 bad_json";
        assert_eq!(text(89).as_deref(), Some(hour));
        let later = "mirror.example.org: 11 frames refused in the last hour: 11 cid_mismatch";
        assert_eq!(text(90).as_deref(), Some(later));
        assert_eq!(text(91), None);
        refused.add("bad_seq", minute(500));
        assert_eq!(refused.slots.len(), 1, "nothing older is held");
    }
}
