//! What several observers saw, merged.

use super::lag::Percentiles;
use super::text::Instant;
use super::words::NullReason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Whom an operation that a mirror did not deliver everywhere is held against. New words may be added.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// All observers that could see miss it: the mirror.
    Mirror,
    /// One of them does: its path.
    Path,
    /// Some of them do: their paths.
    Paths,
    /// One alone could see: mirror and path cannot be told apart.
    Alone,
    /// Not every observer has told of that time yet.
    Awaited,
    /// Nothing is missed, or nobody who misses it could see.
    Nobody,
}

/// Whether observers were shown the same by the primary. New words may be added.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SamePrimary {
    /// No block was seen whole by two.
    NotCompared,
    /// The same.
    Same,
    /// Not the same.
    Differs,
}

/// Every observer, every mirror at each of them, and whether all were shown the same by the primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VantagesPage {
    /// Our own name.
    pub own: String,
    /// The observers, by their names.
    pub vantages: Vec<Vantage>,
    /// The mirrors by their addresses, those that we watch first.
    pub mirrors: Vec<VantageMirror>,
    /// Mirrors that others watch and for which there is no room here.
    pub mirrors_left_out: u64,
    /// Whether all were shown the same.
    pub primary: VantagePrimary,
    /// Actions that belong to no observer and were not taken in, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// One observer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Vantage {
    /// Its name.
    pub id: String,
    /// Whether it is this one.
    pub is_own: bool,
    /// Where on earth it is, in its operator's words.
    #[schema(required)]
    pub region: Option<String>,
    /// The node that handed on the newest of it; `null` for our own.
    #[schema(required)]
    pub via: Option<String>,
    /// Whether it can be believed: `ok`, `warming_up`, `impaired`, `silent` (nothing for 15 minutes) or `no_data`.
    pub state: String,
    /// Why not.
    pub flags: Vec<String>,
    /// How everything stands there, in one sentence.
    #[schema(required)]
    pub headline: Option<String>,
    /// The address of its primary, without the scheme.
    #[schema(required)]
    pub primary: Option<String>,
    /// When it told the newest of what is known.
    #[schema(required)]
    pub told_at: Option<Instant>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub told_at_reason: Option<NullReason>,
    /// How old its newest overview is.
    #[schema(required)]
    pub overview_age_s: Option<i64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub overview_age_s_reason: Option<NullReason>,
    /// Intervals and misses of it that were let go for lack of room.
    pub let_go: u64,
    /// Actions of it that were not taken in, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// One mirror, at all observers together and at each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VantageMirror {
    /// Its address without the scheme: what observers mean by the same mirror.
    pub url: String,
    /// Its name, ours where we watch it.
    #[schema(required)]
    pub name: Option<String>,
    /// Its id here; `null` where we do not watch it.
    #[schema(required)]
    pub id: Option<String>,
    /// The gravest that any of its missed operations is held against.
    pub verdict: Blame,
    /// The same in one sentence.
    pub why: String,
    /// Missed operations by whom they are held against.
    pub missed_ops: BTreeMap<String, u64>,
    /// All observers together: counts and histograms are sums, so that an operation counts once for each observer.
    pub figures: Vec<VantageFigures>,
    /// Each observer that watches it.
    pub vantages: Vec<MirrorAtVantage>,
    /// The newest missed operations.
    pub misses: Vec<VantageMiss>,
    /// Whether there are more.
    pub truncated: bool,
}

/// One mirror at one observer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MirrorAtVantage {
    /// The observer.
    pub id: String,
    /// The mirror's id there.
    #[schema(required)]
    pub mirror: Option<String>,
    /// The mirror's state there.
    #[schema(required)]
    pub state: Option<String>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub state_reason: Option<NullReason>,
    /// The state of the link to it.
    #[schema(required)]
    pub link: Option<String>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub link_reason: Option<NullReason>,
    /// How it stands there, in one sentence.
    #[schema(required)]
    pub headline: Option<String>,
    /// The end of the newest interval whose figures are known.
    #[schema(required)]
    pub through_at: Option<Instant>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub through_at_reason: Option<NullReason>,
    /// Operations that it misses as all do.
    pub missed_by_mirror_ops: u64,
    /// Operations that it misses and others have.
    pub missed_by_path_ops: u64,
    /// Its own figures, of intervals that are final.
    pub figures: Vec<VantageFigures>,
}

/// Figures of one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VantageFigures {
    /// `1h`, `6h` or `24h`.
    pub window: String,
    /// Judgements that were decided.
    pub decided: u64,
    /// On time.
    pub on_time: u64,
    /// Late.
    pub late: u64,
    /// Delivered, but when is not known.
    pub present: u64,
    /// Not delivered.
    pub missed: u64,
    /// Not known.
    pub unknown: u64,
    /// Operations that only the mirror has.
    pub extra: u64,
    /// Delivered by decided.
    #[schema(required, minimum = 0, maximum = 1)]
    pub coverage_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub coverage_ratio_reason: Option<NullReason>,
    /// The lower end of its 95 % interval.
    #[schema(required, minimum = 0, maximum = 1)]
    pub low95_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub low95_ratio_reason: Option<NullReason>,
    /// The upper end.
    #[schema(required, minimum = 0, maximum = 1)]
    pub high95_ratio: Option<f64>,
    /// Why it is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub high95_ratio_reason: Option<NullReason>,
    /// Lag corrected for each observer's own distance, from merged histograms.
    pub lag: VantageLag,
}

/// Percentiles of the corrected lag, milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VantageLag {
    /// Samples.
    pub n: u64,
    /// Its percentiles.
    #[serde(flatten)]
    pub percentiles: Percentiles,
    /// How far they may be off, mean of the samples.
    #[schema(required)]
    pub uncertainty_ms: Option<f64>,
    /// Why values are `null`, by their names.
    pub reasons: BTreeMap<String, NullReason>,
}

/// An operation that some observer misses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VantageMiss {
    /// Whose it is.
    pub did: String,
    /// Which.
    pub cid: String,
    /// When the primary's came to the first observer that misses it.
    pub primary_at: Instant,
    /// Whom it is held against.
    pub blame: Blame,
    /// Observers that miss it by those that observed; `null` where nobody did.
    #[schema(required, minimum = 0, maximum = 1)]
    pub agreement_ratio: Option<f64>,
    /// Observers that miss it.
    pub missing: Vec<String>,
    /// Observers that have it.
    pub having: Vec<String>,
    /// Observers whose figures of that time are not final.
    pub awaited: Vec<String>,
    /// Observers that have no voice.
    pub silent: Vec<SilentVantage>,
}

/// An observer that has no voice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SilentVantage {
    /// Which.
    pub id: String,
    /// `primary_down`, `link_down`, `began`, `not_watching`, `untold` or `contradictory` (its own figures tell of no miss then).
    pub why: String,
}

/// Whether observers were shown the same by the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VantagePrimary {
    /// In a word.
    pub state: SamePrimary,
    /// In one sentence.
    pub text: String,
    /// Blocks that two observers or more saw whole.
    pub compared_blocks: u64,
    /// Those of them of which they were shown different operations.
    pub differing_blocks: u64,
    /// The newest of those.
    pub differing: Vec<DifferingBlock>,
}

/// A block of 1,000 numbers of the primary of which observers were shown different operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DifferingBlock {
    /// The primary's address without the scheme.
    pub primary: String,
    /// Its first number.
    pub first_seq: u64,
    /// In one sentence.
    pub text: String,
    /// What was shown to whom.
    pub shown: Vec<ShownBlock>,
    /// The same operation by operation, as far as observers told it.
    pub operations: BlockOperations,
}

/// The operations of a block as far as observers told them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockOperations {
    /// Who told them.
    pub told_by: Vec<String>,
    /// Who does not hold them any more.
    pub not_held_by: Vec<String>,
    /// Who has not told them yet.
    pub awaited_from: Vec<String>,
    /// Operations that not all who told were shown alike, by who was shown what; the fewest operations first, 8 parts at most.
    pub parts: Vec<DifferencePart>,
    /// Operations of the parts for which there is no room.
    pub left_out_ops: u64,
}

/// Operations of a block that the same observers were shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DifferencePart {
    /// Who was.
    pub shown_to: Vec<String>,
    /// Who was not, among the numbers of the block.
    pub not_shown_to: Vec<String>,
    /// Whether that was under different numbers.
    pub is_renumbered: bool,
    /// How many operations.
    pub ops: u64,
    /// Those with the smallest numbers, 10 at most.
    pub listed: Vec<DifferingOperation>,
}

/// An operation that not all observers were shown alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DifferingOperation {
    /// Whose it is.
    pub did: String,
    /// Which.
    pub cid: String,
    /// Each number with those to whom it was shown under it.
    pub numbers: Vec<ShownNumber>,
}

/// To whom an operation was shown under a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShownNumber {
    /// The primary's own number.
    pub seq: u64,
    /// To whom.
    pub vantages: Vec<String>,
}

/// What some observers were shown of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShownBlock {
    /// How many operations.
    pub ops: u64,
    /// XOR of the SHA-256 of their keys, DID and CID as bytes.
    pub xor_sha256: String,
    /// To whom.
    pub vantages: Vec<String>,
}
