//! What a history is made of: how the sources behave, and which faults happen.

use super::dice::Dice;
use crate::domain::time::SECOND;

/// How much goes wrong between the sources and the ledger.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Faults {
    /// Nothing.
    None,
    /// Short, and every gap is filled.
    Short,
    /// Anything.
    Any,
}

/// The knobs of one history.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one kind of fault that happens or not")]
pub struct Plan {
    pub seed: u64,
    pub ops: usize,
    pub mirrors: usize,
    pub faults: Faults,
    pub on_time_ns: i64,
    pub grace_ns: i64,
    pub look_back_ns: i64,
    pub settle_ns: i64,
    /// Disconnects of each source, at most.
    pub cuts: i64,
    /// Gaps that are open for more than an hour, or for ever.
    pub has_long_gaps: bool,
    /// Spans in which our reader is frozen.
    pub freezes: i64,
    /// The primary's stream is silent for a while although it publishes.
    pub has_stall: bool,
    /// The primary publishes late for a while.
    pub has_delay: bool,
    /// More than 500 operations at once: the primary closes every client and sends none of them.
    pub has_too_slow: bool,
    /// Every link is cut at once.
    pub has_net_down: bool,
    /// We let frames go.
    pub has_drops: bool,
    /// Bounds are so small that they are hit.
    pub has_caps: bool,
    /// The observer is killed and started again.
    pub crashes: i64,
    /// The primary has `/export`.
    pub has_export: bool,
    /// Mirrors without `/export` replay from a cursor in the stream itself.
    pub replays: bool,
    /// Mirrors invent, alter and repeat operations.
    pub has_bad_mirrors: bool,
    /// Segments are lost often, and mirrors often slow, so that acknowledgements overtake what was due just before them.
    pub is_lossy: bool,
    /// The shell's mistakes that the rules of proof forbid.
    pub shell: Shell,
}

/// Whether the shell around the ledger keeps its own rules.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Shell {
    #[default]
    Right,
    /// An acknowledged ping counts at once, whatever lies unread.
    AcknowledgementIsDelivery,
    /// The closing page is asked for as soon as the stream is open.
    FillClosedTooEarly,
}

impl Plan {
    /// The plan of a seed: a quarter without faults, a quarter with short ones, the rest with anything.
    pub fn of(seed: u64) -> Plan {
        let mut dice = Dice::new(seed, 1);
        let faults = [Faults::None, Faults::Short, Faults::Any, Faults::Any][(seed % 4) as usize];
        let on_time_s = dice.pick(&[2, 10]);
        let any = faults == Faults::Any;
        let some = faults != Faults::None;
        let crashes = if any && dice.chance(300) { dice.between(1, 3) } else { 0 };
        Plan {
            seed,
            ops: dice.between(60, 140) as usize,
            mirrors: dice.between(2, 4) as usize,
            faults,
            on_time_ns: on_time_s * SECOND,
            grace_ns: dice.pick(&[12, 30, 60]) * SECOND,
            look_back_ns: dice.pick(&[0, 1, 10]) * SECOND,
            settle_ns: dice.pick(&[20, 30]) * SECOND,
            cuts: if some { dice.between(0, 4) } else { 0 },
            has_long_gaps: any && dice.chance(150),
            freezes: if some { dice.between(0, 3) } else { 0 },
            has_stall: some && crashes == 0 && dice.chance(250),
            has_delay: some && dice.chance(200),
            has_too_slow: some && dice.chance(250),
            has_net_down: any && dice.chance(200),
            has_drops: any && dice.chance(250),
            has_caps: any && dice.chance(250),
            crashes,
            has_export: dice.chance(if any { 700 } else { 850 }),
            replays: dice.chance(250),
            has_bad_mirrors: dice.chance(600),
            is_lossy: some && dice.chance(300),
            shell: Shell::Right,
        }
    }
}
