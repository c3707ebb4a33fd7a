//! An action of an observer's log, read as what it says. Whoever wrote it is not trusted: what has another shape, says too
//! much or contradicts itself is refused for a reason that is counted.

mod blocks;

use super::block::Digest;
use super::figures::Figures;
use super::shown::Shown;
use super::usable::{Usable, record};
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::interval::Acc;
use crate::domain::mirror_state::State;
use crate::domain::op::OpKey;
use crate::domain::probes::ByPurpose;
use crate::domain::recommend::Record;
use crate::domain::text::one_line;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::Value;

/// Longest action that is looked at, bytes.
pub const ACTION_BYTES_MAX: usize = 256 << 10;
/// Longest address of a source, in characters.
const URL_CHARS_MAX: usize = 256;
/// Longest name, id or flag, in characters.
const WORD_CHARS_MAX: usize = 64;
/// Longest sentence, in characters.
const TEXT_CHARS_MAX: usize = 256;
/// Mirrors that one observer may tell of.
pub const MIRRORS_MAX: usize = 64;
/// Flags of an observer.
const FLAGS_MAX: usize = 8;
/// The shortest and the longest interval, milliseconds.
const INTERVAL_MS: std::ops::RangeInclusive<i64> = 1_000..=3_600_000;

/// Why an action is not taken in.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Refused {
    /// It has not the shape that its type has.
    Malformed,
    /// It is larger than any that is true.
    Huge,
    /// It is of a time that has not come.
    Future,
    /// It contradicts itself, or what the same observer told before.
    Contradictory,
    /// It came from another, under our name.
    OurName,
    /// There are too many observers, or mirrors of one.
    TooMany,
}

impl Refused {
    /// Every reason, in order.
    pub const ALL: [Refused; 6] = [
        Refused::Malformed,
        Refused::Huge,
        Refused::Future,
        Refused::Contradictory,
        Refused::OurName,
        Refused::TooMany,
    ];

    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Refused::Malformed => "malformed",
            Refused::Huge => "huge",
            Refused::Future => "future",
            Refused::Contradictory => "contradictory",
            Refused::OurName => "our_name",
            Refused::TooMany => "too_many",
        }
    }
}

/// What kept an observer from seeing all that a mirror and the primary published in a span.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blind {
    /// Its link to the primary was down, or frames of it were let go.
    PrimaryDown,
    /// Its link to the mirror was.
    LinkDown,
    /// It did not watch from the begin of the span on.
    Began,
}

impl Blind {
    /// The word in actions and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Blind::PrimaryDown => "primary_down",
            Blind::LinkDown => "link_down",
            Blind::Began => "began",
        }
    }
}

/// What addresses of sources begin with.
const SCHEMES: [&str; 4] = ["wss", "ws", "https", "http"];

/// A source by its address without the scheme: what two observers mean by the same mirror, whatever ids they gave it.
#[must_use]
pub fn source_key(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://").filter(|(scheme, _)| SCHEMES.contains(scheme))?;
    let key = rest.trim_end_matches('/').to_ascii_lowercase();
    let is_legal = !key.is_empty() && key.chars().count() <= URL_CHARS_MAX && !key.chars().any(char::is_control);
    is_legal.then_some(key)
}

/// How a mirror stands at an observer.
#[derive(Clone, PartialEq, Debug)]
pub struct MirrorRow {
    /// See [`source_key`].
    pub key: String,
    /// Its id there.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// Its state there.
    pub state: State,
    /// The state of the link to it.
    pub link: String,
    /// One sentence.
    pub headline: String,
    /// Its address there.
    pub url: String,
    /// What it did.
    pub record: Record,
    /// How it answers those who want this of it; none where that is not told.
    pub purposes: ByPurpose<Option<Usable>>,
}

/// How everything stands at an observer.
#[derive(Clone, PartialEq, Debug)]
pub struct Overview {
    /// One sentence.
    pub headline: String,
    /// Where on earth it is, in its operator's words.
    pub region: Option<String>,
    /// Whether it can be believed: `ok`, `warming_up` or `impaired`.
    pub state: String,
    /// Why not.
    pub flags: Vec<String>,
    /// The address of its primary.
    pub primary: Option<String>,
    /// Its mirrors.
    pub mirrors: Vec<MirrorRow>,
}

/// The figures of a mirror in a span.
#[derive(Clone, PartialEq, Debug)]
pub struct Span {
    /// Which mirror.
    pub mirror: String,
    /// The first millisecond, UTC.
    pub start_ms: i64,
    /// The first millisecond behind it.
    pub end_ms: i64,
    /// What was not seen of it.
    pub blind: Option<Blind>,
    /// When it was told, by the clock that the other times are of.
    pub told_ms: Option<i64>,
    /// The figures.
    pub figures: Figures,
}

/// A step of a miss.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Miss {
    /// At which mirror.
    pub mirror: String,
    /// Which operation.
    pub key: OpKey,
    /// When the primary's came to the observer, UTC milliseconds.
    pub at_ms: i64,
    /// When it was told, by the same clock.
    pub told_ms: Option<i64>,
    /// Whether it is missed still.
    pub is_open: bool,
}

/// The digest of a block of the primary's own numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockTold {
    /// The address of the primary.
    pub primary: String,
    /// The first number of it.
    pub first_seq: u64,
    /// What it came to.
    pub digest: Digest,
}

/// The operations of a block, one by one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpsTold {
    /// The address of the primary.
    pub primary: String,
    /// The first number of the block.
    pub first_seq: u64,
    /// None where the observer does not hold them any more.
    pub ops: Option<Shown>,
}

/// What an action says.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// How everything stands.
    Overview(Overview),
    /// An interval of a mirror became final, or was amended.
    Span(Span),
    /// A miss was opened, confirmed or healed.
    Miss(Miss),
    /// What the primary showed.
    Block(BlockTold),
    /// The same operation by operation.
    Ops(OpsTold),
}

#[derive(Deserialize)]
struct OverviewAction {
    headline: String,
    observer: ObserverPart,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    primary: Option<SourcePart>,
    mirrors: Vec<MirrorPart>,
}

#[derive(Deserialize)]
struct ObserverPart {
    state: String,
    flags: Vec<String>,
}

#[derive(Deserialize)]
struct SourcePart {
    url: String,
}

#[derive(Deserialize)]
struct LinkPart {
    state: String,
}

#[derive(Deserialize)]
struct MirrorPart {
    id: String,
    name: String,
    url: String,
    state: String,
    link: LinkPart,
    headline: String,
    /// Not told by all; what of these has another shape counts as not told.
    #[serde(default)]
    purposes: Value,
    #[serde(default)]
    coverage: Value,
    #[serde(default)]
    lag: Value,
}

#[derive(Deserialize)]
struct SpanAction {
    mirror: String,
    #[serde(default)]
    url: Option<String>,
    start_ms: i64,
    end_ms: i64,
    #[serde(default)]
    blind: Option<Blind>,
    #[serde(default)]
    told_ms: Option<i64>,
    figures: String,
}

#[derive(Deserialize)]
struct MissAction {
    url: String,
    did: String,
    cid: String,
    verdict: String,
    primary_at_ms: i64,
    #[serde(default)]
    told_ms: Option<i64>,
}

fn parsed<'a, T: Deserialize<'a>>(action: &'a str) -> Result<T, Refused> {
    serde_json::from_str(action).map_err(|_| Refused::Malformed)
}

fn key_of(url: &str) -> Result<String, Refused> {
    source_key(url).ok_or(Refused::Malformed)
}

fn word(text: &str) -> String {
    one_line(text, WORD_CHARS_MAX)
}

/// The type of the actions that tell the operations of a block.
pub const BLOCK_OPS: &str = "mirrorwatch/block/ops";

/// Reads an action of this type; nothing where the type is none that is looked at.
///
/// # Errors
/// See [`Refused`].
pub fn read(kind: &str, action: &str) -> Result<Option<Told>, Refused> {
    let read: fn(&str) -> Result<Option<Told>, Refused> = match kind {
        "mirrorwatch/overview" => |action| overview(action).map(|o| Some(Told::Overview(o))),
        "mirrorwatch/interval" => |action| Ok(span(action)?.map(Told::Span)),
        "mirrorwatch/miss/opened" | "mirrorwatch/miss/confirmed" => |action| Ok(miss(action, true)?.map(Told::Miss)),
        "mirrorwatch/miss/healed" => |action| Ok(miss(action, false)?.map(Told::Miss)),
        "mirrorwatch/block" => |action| blocks::block(action).map(|b| Some(Told::Block(b))),
        BLOCK_OPS => |action| blocks::block_ops(action).map(|ops| Some(Told::Ops(ops))),
        _ => return Ok(None),
    };
    if action.len() > ACTION_BYTES_MAX {
        return Err(Refused::Huge);
    }
    read(action)
}

fn overview(action: &str) -> Result<Overview, Refused> {
    let told: OverviewAction = parsed(action)?;
    if told.mirrors.len() > MIRRORS_MAX || told.observer.flags.len() > FLAGS_MAX {
        return Err(Refused::TooMany);
    }
    let row = |m: MirrorPart| {
        Ok(MirrorRow {
            key: key_of(&m.url)?,
            id: word(&m.id),
            name: word(&m.name),
            state: State::parse(&m.state).ok_or(Refused::Malformed)?,
            link: word(&m.link.state),
            headline: one_line(&m.headline, TEXT_CHARS_MAX),
            record: record(&m.coverage, &m.lag),
            purposes: ByPurpose::make(|purpose| Usable::read(m.purposes.get(purpose.name())?)),
            url: one_line(&m.url, URL_CHARS_MAX + WORD_CHARS_MAX),
        })
    };
    Ok(Overview {
        headline: one_line(&told.headline, TEXT_CHARS_MAX),
        region: told.region.as_deref().map(word),
        state: word(&told.observer.state),
        flags: told.observer.flags.iter().map(|flag| word(flag)).collect(),
        primary: told.primary.map(|primary| key_of(&primary.url)).transpose()?,
        mirrors: told.mirrors.into_iter().map(row).collect::<Result<_, Refused>>()?,
    })
}

/// None for what an interval says of all mirrors together.
fn span(action: &str) -> Result<Option<Span>, Refused> {
    let told: SpanAction = parsed(action)?;
    if told.mirror.is_empty() {
        return Ok(None);
    }
    let length_ms = told.end_ms.checked_sub(told.start_ms).ok_or(Refused::Malformed)?;
    if !INTERVAL_MS.contains(&length_ms) {
        return Err(Refused::Malformed);
    }
    let blob = BASE64.decode(told.figures.as_bytes()).map_err(|_| Refused::Malformed)?;
    let acc: Acc = serde_ipld_dagcbor::from_slice(&blob).map_err(|_| Refused::Malformed)?;
    let figures = Figures::of(&acc).ok_or(Refused::Contradictory)?;
    let SpanAction { url, start_ms, end_ms, blind, told_ms, .. } = told;
    Ok(Some(Span { mirror: key_of(url.as_deref().unwrap_or_default())?, start_ms, end_ms, blind, told_ms, figures }))
}

/// None for a verdict that is no miss.
fn miss(action: &str, is_open: bool) -> Result<Option<Miss>, Refused> {
    let told: MissAction = parsed(action)?;
    let did = Did::parse(&told.did).ok_or(Refused::Malformed)?;
    let cid = Cid::parse(&told.cid).ok_or(Refused::Malformed)?;
    let MissAction { primary_at_ms: at_ms, told_ms, .. } = told;
    let miss = Miss { mirror: key_of(&told.url)?, key: OpKey { did, cid }, at_ms, told_ms, is_open };
    Ok((told.verdict == "missed" || !is_open).then_some(miss))
}
