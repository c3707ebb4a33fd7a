//! The waits, factors and bounds of the rules.

use crate::domain::time::SECOND;

/// Nanoseconds in a minute.
const MINUTE: i64 = 60 * SECOND;

/// All of them; spans are nanoseconds.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Constants {
    /// Round trips that are kept of a node, and pings of one test.
    pub max_ping_count: usize,
    /// A node that is not from the configuration is let go when more tests in a row fail.
    pub max_test_failures: u32,
    /// Between two looks at tests, old nodes and fragments.
    pub clean_interval_ns: i64,
    /// Before every attempt to connect.
    pub connect_wait_ns: i64,
    /// An attempt that takes longer has failed.
    pub timeout_ns: i64,
    /// Between two signs of life; a link that is silent twice as long is dead.
    pub ping_interval_ns: i64,
    /// What a failure adds to a node's failures.
    pub failure_step: u32,
    /// What a connection takes from them.
    pub success_step: u32,
    /// A better node is not looked for before, nor is the uplink left twice within this, unless it fails.
    pub better_primary_wait_ns: i64,
    /// A better node answers within so many thousandths of the uplink's time.
    pub better_primary_latency_permille: i64,
    /// What was not seen for so long is forgotten.
    pub purge_node_wait_ns: i64,
    /// A test that succeeded holds for so long.
    pub retest_wait_period_ns: i64,
    /// A message that comes again within this is dropped.
    pub message_duplicate_expire_ns: i64,
    /// Between two looks for nodes that cannot be reached through others.
    pub defrag_wait_period_ns: i64,
    /// Between two tellings of whom we are connected to.
    pub tell_interval_ns: i64,
    /// Attempts in a row that are `connect_wait_ns` apart; later ones are up to `long_wait_ns` apart, by chance.
    pub steady_attempts: u32,
    /// The longest wait before an attempt.
    pub long_wait_ns: i64,
    /// Nodes that are known at once.
    pub nodes_max: usize,
    /// Nodes that are known at once because the same node announced them; also the most that one node is told of.
    pub announced_max: usize,
    /// Links to us at once.
    pub inbound_max: usize,
    /// Nodes that are held to be reachable at once.
    pub fragments_max: usize,
    /// Messages that are remembered as seen.
    pub seen_max: usize,
}

impl Default for Constants {
    fn default() -> Constants {
        Constants {
            max_ping_count: 20,
            max_test_failures: 5,
            clean_interval_ns: 5 * SECOND,
            connect_wait_ns: 3 * SECOND,
            timeout_ns: 7 * SECOND,
            ping_interval_ns: 2 * SECOND,
            failure_step: 3,
            success_step: 1,
            better_primary_wait_ns: 20 * MINUTE,
            better_primary_latency_permille: 700,
            purge_node_wait_ns: 60 * MINUTE,
            retest_wait_period_ns: 10 * MINUTE,
            message_duplicate_expire_ns: 5 * MINUTE,
            defrag_wait_period_ns: 10 * MINUTE,
            tell_interval_ns: MINUTE,
            steady_attempts: 10,
            long_wait_ns: MINUTE,
            nodes_max: 256,
            announced_max: 64,
            inbound_max: 1_024,
            fragments_max: 1_024,
            seen_max: 4_096,
        }
    }
}

impl Constants {
    /// How long a link may be silent, nanoseconds.
    pub(super) const fn silence_ns(&self) -> i64 {
        2 * self.ping_interval_ns
    }
}
