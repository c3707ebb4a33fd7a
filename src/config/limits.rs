//! `limits`: the bounds that keep memory and work finite whatever the sources send.

use super::reader::Reader;

/// Mirrors that any configuration may have.
pub(super) const MIRRORS_MAX: usize = 1_024;

/// Bounds on what is held and accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Mirrors that may be configured. 1–1024; default 64.
    pub max_mirrors: usize,
    /// Operations that the ledger holds, over all sources. 1,000–50,000,000; default 2,000,000. What is evicted counts as unknown.
    pub held_ops: usize,
    /// Keys held for one mirror that the primary has not shown. 100–10,000,000; default 200,000.
    pub unknown_keys_per_mirror: usize,
    /// Longest frame or message of a source, in bytes. 16,384–16,777,216; default 262,144.
    pub frame_bytes: usize,
    /// Operations that the primary does not know, taken from one mirror per second. 1–1,000,000; default 2,000.
    pub foreign_ops_per_second: u32,
    /// Misses that a page lists; totals stay exact. 1–10,000; default 200.
    pub listed_misses: usize,
}

impl Limits {
    /// The defaults with small tables.
    pub fn for_testing() -> Limits {
        Limits {
            max_mirrors: 8,
            held_ops: 10_000,
            unknown_keys_per_mirror: 1_000,
            frame_bytes: 262_144,
            foreign_ops_per_second: 2_000,
            listed_misses: 200,
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Limits {
        Limits {
            max_mirrors: r.integer("limits.maxMirrors", 64, 1..=MIRRORS_MAX as u64) as usize,
            held_ops: r.integer("limits.heldOps", 2_000_000, 1_000..=50_000_000) as usize,
            unknown_keys_per_mirror: r.integer("limits.unknownKeysPerMirror", 200_000, 100..=10_000_000) as usize,
            frame_bytes: r.integer("limits.frameBytes", 262_144, 16_384..=16_777_216) as usize,
            foreign_ops_per_second: r.integer("limits.foreignOpsPerSecond", 2_000, 1..=1_000_000) as u32,
            listed_misses: r.integer("limits.listedMisses", 200, 1..=10_000) as usize,
        }
    }
}
