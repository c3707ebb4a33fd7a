//! Pages as tables: the same figures in rows and columns, for spreadsheets and data frames.
//!
//! One fixed rule makes a table of a page:
//!
//! 1. One fact is one row: a mirror, an operation, an event, an entry of a series at a mirror, an age of a divergence.
//! 2. The name of a column is the path to the member, joined by dots, as `coverage.counts.missed`; units stand in the
//!    names as in the JSON, instants are UTC. The reason of a value that is `null` stands in the column behind it, under its
//!    name and `_reason`, whether the JSON has it there or in `reasons`.
//! 3. Where facts stand below others, as operations below a DID below a mirror, each row has all that stands above it; what has
//!    nothing below itself is a row with the rest empty.
//! 4. Series in columns are turned: an entry is a row. A list that is no list of facts, and an object whose members are not
//!    ours, is one cell of JSON.
//! 5. The columns of a table are always the same and in the same order; new ones are only added.
//!
//! It never rounds, and knows neither formats of numbers nor time zones.

mod columns;
mod shape;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use write::{TableError, csv, ndjson};

/// A page that is a table.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TableKind {
    /// The mirrors of the overview, with the observer's state.
    Overview,
    /// The mirrors.
    Mirrors,
    /// Coverage of each mirror in a window.
    Coverage,
    /// Lag of each mirror in a window.
    Lag,
    /// Misses by mirror, DID and operation.
    Misses,
    /// An interval at a mirror.
    History,
    /// Round trips of each source.
    Rtt,
    /// Operations on one side only, by mirror and age.
    Divergence,
    /// What happened.
    Events,
    /// Operations at mirrors.
    Ops,
    /// When a mirror's link was up.
    Sessions,
    /// What only one of two hosts has.
    Compare,
    /// What mirrors are held to.
    Slo,
    /// Actions of the log that nodes share.
    Log,
    /// Operations by how many mirrors had them within how many seconds.
    Propagation,
    /// Spans in which a mirror was in a bad state.
    Incidents,
    /// A window at one mirror.
    Windows,
    /// A part of the distribution of one mirror's lag.
    LagHistogram,
    /// A step of how far behind one mirror was.
    Freshness,
    /// A step of how far away one mirror was.
    MirrorRtt,
    /// Operations on one side only at one mirror, by age.
    MirrorDivergence,
    /// A window of a mirror at one observer, or at all together.
    Vantages,
}

impl TableKind {
    /// Every kind.
    pub const ALL: [TableKind; 22] = [
        TableKind::Overview,
        TableKind::Mirrors,
        TableKind::Coverage,
        TableKind::Lag,
        TableKind::Misses,
        TableKind::History,
        TableKind::Rtt,
        TableKind::Divergence,
        TableKind::Events,
        TableKind::Ops,
        TableKind::Sessions,
        TableKind::Compare,
        TableKind::Slo,
        TableKind::Log,
        TableKind::Propagation,
        TableKind::Incidents,
        TableKind::Windows,
        TableKind::LagHistogram,
        TableKind::Freshness,
        TableKind::MirrorRtt,
        TableKind::MirrorDivergence,
        TableKind::Vantages,
    ];
}

/// One fact: value by column.
type Row = BTreeMap<String, Value>;

/// Rows and columns.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// One value for each column in each row.
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// The table of a page's `data`; `window` is the begin and the end of the window that its figures cover, where there is
    /// one. What lacks in the data is `null`.
    #[must_use]
    pub fn of(kind: TableKind, data: &Value, window: Option<(&str, &str)>) -> Table {
        let mut rows = shape::rows(kind, data);
        let mut columns = columns::of(kind);
        if let Some((from_at, to_at)) = window {
            for (name, at) in [("window.from_at", from_at), ("window.to_at", to_at)] {
                columns.push(name.to_owned());
                for row in &mut rows {
                    row.insert(name.to_owned(), at.into());
                }
            }
        }
        add_unlisted(&mut columns, &rows);
        let cells = |row: Row| columns.iter().map(|column| row.get(column).cloned().unwrap_or_default()).collect();
        let rows = rows.into_iter().map(cells).collect();
        Table { columns, rows }
    }
}

/// Adds the columns that rows have and the list has not. An object that is `null` is empty in all of its columns, and no
/// column itself.
fn add_unlisted(columns: &mut Vec<String>, rows: &[Row]) {
    let listed: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
    let has_members = |name: &str| {
        let prefix = format!("{name}.");
        listed.range(prefix.as_str()..).next().is_some_and(|next| next.starts_with(&prefix))
    };
    let mut unlisted = BTreeSet::new();
    for (name, value) in rows.iter().flatten() {
        let is_empty_object = value.is_null() && has_members(name);
        if !(listed.contains(name.as_str()) || unlisted.contains(name) || is_empty_object) {
            unlisted.insert(name.clone());
        }
    }
    columns.extend(unlisted);
}

#[cfg(test)]
mod tests;
