//! Operations at one mirror or at all of them, filtered and paged: the primary's by their numbers, then those that only
//! mirrors have, each newest first.

use super::chain::Followers;
use super::{Picture, extras, misses};
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::finding::Finding;
use crate::domain::interval::ExtraState;
use crate::domain::op::{Kind, OpKey};
use crate::domain::ring::{CHUNK, Chunk, Row};
use crate::domain::source::SourceIx;
use crate::domain::time::{Tau, rfc3339_ms};
use crate::domain::verdict::{Cell, Mode, Verdict};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Where an operation stands at a mirror.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The verdict of one of the primary's.
    Verdict(Verdict),
    /// Only the mirror has it.
    Extra(ExtraState),
}

/// What is found about it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Nothing yet.
    Open,
    /// This.
    Is(Finding),
}

/// Which part of a chain of misses.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Those that follow from none.
    Root,
    /// Those that follow from any.
    Follower,
    /// Those that follow from this one.
    Of(Cid),
}

impl Outcome {
    /// Every outcome.
    pub fn all() -> impl Iterator<Item = Outcome> {
        Verdict::ALL.into_iter().map(Outcome::Verdict).chain(ExtraState::ALL.map(Outcome::Extra))
    }

    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Verdict(verdict) => verdict.name(),
            Outcome::Extra(state) => extras::name(state),
        }
    }
}

/// Findings that explain a miss or an extra.
const EXPLAINING: [Finding; 9] = [
    Finding::StreamLoss,
    Finding::DataLoss,
    Finding::DidUnknown,
    Finding::Unverifiable,
    Finding::PrimaryStreamGap,
    Finding::Nullified,
    Finding::Withdrawn,
    Finding::KnownInvalid,
    Finding::PrimaryDenies,
];

impl Confirmation {
    /// Everything that can be asked for.
    pub fn all() -> impl Iterator<Item = Confirmation> {
        std::iter::once(Confirmation::Open).chain(EXPLAINING.map(Confirmation::Is))
    }

    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Confirmation::Open => "none",
            Confirmation::Is(finding) => finding.name(),
        }
    }
}

/// What is looked for. Every filter that is none lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpsFilter {
    /// Only this outcome; without one, whatever is not on time.
    pub outcome: Option<Outcome>,
    /// Only with this finding.
    pub confirmation: Option<Confirmation>,
    /// Only this part of a chain; with it, misses alone.
    pub link: Option<Link>,
    /// Only this DID.
    pub did: Option<Did>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// First millisecond of the primary's arrival, or the mirror's where the primary has it not, UTC.
    pub from_ms: Option<i64>,
    /// First millisecond after the last one.
    pub to_ms: Option<i64>,
    /// Rows at most.
    pub limit: usize,
}

/// Where a page begins.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// Among the primary's: below this number, or at it from this mirror on.
    Row {
        /// Number of the operation.
        number: u64,
        /// Index of the mirror.
        mirror: usize,
    },
    /// Among those that only mirrors have: of those that came at this instant or before, behind so many.
    Extra {
        /// The mirror's arrival.
        at: Tau,
        /// How many that came at that very instant were listed.
        skip: usize,
    },
}

/// A page of operations and where the next one begins.
#[derive(Clone, Debug, PartialEq)]
pub struct OpsPage {
    /// The rows.
    pub data: Value,
    /// Where the next page begins; none at the end.
    pub next: Option<Position>,
}

/// What is known of one operation of the primary at one mirror, as the API shows it.
#[must_use]
pub fn at_mirror(picture: &Picture, m: usize, number: u64, entry: (&Row, Cell), followers: &mut Followers) -> Value {
    let (row, cell) = entry;
    let mut value = misses::op(picture, m, number, row, cell);
    if let Some(object) = value.as_object_mut() {
        object.insert("mirror".into(), picture.mirrors.get(m).map(|i| i.id.clone()).into());
        object.insert("did".into(), row.did.to_string().into());
        let reason = cell.reason().name();
        object.insert("unknown_reason".into(), (!reason.is_empty()).then_some(reason).into());
        object.insert("delivery".into(), cell.delivery().map(mode).into());
        let mirror_at = cell.delivery().map(|_| picture.at(cell.arrival(row.p)));
        object.insert("mirror_at".into(), mirror_at.into());
        let timed = cell.delivery() == Some(Mode::Live) && !row.is_filled;
        object.insert("raw_lag_ms".into(), timed.then(|| crate::domain::lag::ms(cell.raw_us() as f64)).into());
        object.insert("created_at".into(), rfc3339_ms(row.created_ms).into());
        let is_missed = cell.verdict() == Verdict::Missed;
        let following = is_missed.then(|| followers.of(picture, m, number));
        object.insert("followers".into(), following.into());
        object.insert("is_early".into(), cell.is_early().into());
        object.insert("is_healed".into(), cell.is_healed().into());
        object.insert("is_credited".into(), cell.is_credited().into());
        object.insert("is_altered".into(), cell.is_altered().into());
        object.insert("is_primary_filled".into(), row.is_filled.into());
    }
    value
}

/// How an arrival came, as the API names it.
#[must_use]
pub const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => "live",
        Mode::Filled => "filled",
    }
}

/// A page of operations at these mirrors, which are in rising order, from `position` on; with the arrival of the oldest
/// operation that is held, before which nothing can be listed, and whether some that only mirrors have are not listed.
#[must_use]
pub fn page(picture: &Picture, mirrors: &[usize], filter: &OpsFilter, position: Position) -> OpsPage {
    let mut rows = Vec::new();
    let wants_rows = !matches!(filter.outcome, Some(Outcome::Extra(_)));
    let wants_extras = !matches!(filter.outcome, Some(Outcome::Verdict(_))) && filter.link.is_none();
    let mut next = None;
    if let (true, Position::Row { number, mirror }) = (wants_rows, position) {
        next = of_primary(picture, mirrors, filter, (number, mirror), &mut rows);
    }
    if next.is_none() && wants_extras {
        let from = match position {
            Position::Extra { at, skip } => (at, skip),
            Position::Row { .. } => (Tau::MAX, 0),
        };
        next = extras::list(picture, mirrors, filter, from, &mut rows);
    }
    let held = &picture.capture.held;
    let oldest =
        held.chunks.first().and_then(|chunk| chunk.rows().get(held.base.checked_sub(held.chunk_base)? as usize));
    let data = json!({
        "ops": rows,
        "held_from_at": oldest.map(|row| picture.at(row.p)),
        "extra_truncated": wants_extras && picture.capture.is_extras_cut,
    });
    OpsPage { data, next }
}

/// Adds the primary's operations that pass, from (number, mirror) on; where the page is full, the first that was left out.
fn of_primary(
    picture: &Picture,
    mirrors: &[usize],
    filter: &OpsFilter,
    from: (u64, usize),
    rows: &mut Vec<Value>,
) -> Option<Position> {
    let held = &picture.capture.held;
    let lacking = lacking(picture, mirrors, filter);
    let mut followers = Followers::default();
    for (i, chunk) in held.chunks.iter().enumerate().rev() {
        let first = held.chunk_base + (i * CHUNK) as u64;
        if first > from.0 || lacking.as_ref().is_some_and(|l| !l.contains(&first)) {
            continue;
        }
        let cells: Vec<(usize, &[Cell])> = mirrors.iter().map(|&m| (m, chunk.cells(m))).collect();
        for (place, row) in chunk.rows().iter().enumerate().rev() {
            let number = first + place as u64;
            if number > from.0 || number < held.base || !passes_row(picture, filter, row) {
                continue;
            }
            for &(m, of_mirror) in &cells {
                let Some(&cell) = of_mirror.get(place) else { continue };
                if (number == from.0 && m < from.1) || !passes(picture, filter, m, number, row, cell) {
                    continue;
                }
                if rows.len() == filter.limit {
                    return Some(Position::Row { number, mirror: m });
                }
                rows.push(at_mirror(picture, m, number, (row, cell), &mut followers));
            }
        }
    }
    None
}

/// The chunks, by the number of their first operation, that alone can hold what is looked for; none when all can.
fn lacking(picture: &Picture, mirrors: &[usize], filter: &OpsFilter) -> Option<HashSet<u64>> {
    let is_undelivered = filter.link.is_some()
        || matches!(filter.outcome, Some(Outcome::Verdict(Verdict::Missed | Verdict::Pending | Verdict::Unknown)));
    let chunks = |&m: &usize| picture.capture.held.lacking(m).map(|(first, _): (u64, &Chunk)| first);
    is_undelivered.then(|| mirrors.iter().flat_map(chunks).collect())
}

fn passes_row(picture: &Picture, f: &OpsFilter, row: &Row) -> bool {
    let at_ms = || picture.capture.labels.utc_ms(row.p);
    f.did.is_none_or(|d| row.did == d)
        && f.kind.is_none_or(|k| row.kind == k)
        && f.from_ms.is_none_or(|from| at_ms() >= from)
        && f.to_ms.is_none_or(|to| at_ms() < to)
}

fn passes(picture: &Picture, f: &OpsFilter, m: usize, number: u64, row: &Row, cell: Cell) -> bool {
    let verdict = match f.outcome {
        Some(Outcome::Verdict(v)) => cell.verdict() == v,
        Some(Outcome::Extra(_)) => false,
        // What was an extra and turned out to be the primary's is asked for by its finding.
        None if f.confirmation.is_some_and(|c| c != Confirmation::Open) => true,
        None => !matches!(cell.verdict(), Verdict::OnTime | Verdict::NotEligible),
    };
    verdict && is_confirmed(picture, f, m, &row.key()) && is_linked(picture, f, m, number, cell)
}

/// Whether the finding about the operation is the one that is looked for.
pub(super) fn is_confirmed(picture: &Picture, f: &OpsFilter, m: usize, key: &OpKey) -> bool {
    f.confirmation.is_none_or(|wanted| {
        let finding = picture.capture.finding(SourceIx::mirror(m), key);
        match wanted {
            Confirmation::Open => finding.is_none(),
            Confirmation::Is(wanted) => finding == Some(wanted),
        }
    })
}

fn is_linked(picture: &Picture, f: &OpsFilter, m: usize, number: u64, cell: Cell) -> bool {
    f.link.is_none_or(|link| {
        let follows = || picture.capture.follows(m, number);
        cell.verdict() == Verdict::Missed
            && match link {
                Link::Root => follows().is_none(),
                Link::Follower => follows().is_some(),
                Link::Of(root) => follows() == Some(root),
            }
    })
}
