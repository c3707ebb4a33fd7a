//! What other nodes are told: made of the rows that a transaction keeps, and kept in the same one.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::logux::Json;
use crate::logux::kinds::INTERVAL;
use crate::ports::log_book::LogBook;
use crate::ports::store::{Commit, EventRow, IntervalRow, LogRow, MissRow, Tier};

/// Actions of one transaction; how many more there were is told in one of its own.
const ACTIONS_MAX: usize = 1_000;

/// The actions that tell of what `commit` keeps.
pub(super) fn rows_of(commit: &Commit, book: &LogBook) -> Vec<LogRow> {
    let finals = commit.intervals.iter().filter(|row| row.is_final && row.tier == Tier::Interval);
    let actions = commit.misses.iter().map(|row| (miss(row), row.updated_ms));
    let actions = actions.chain(commit.events.iter().map(|row| (event(row), row.at_ms)));
    let actions = actions.chain(finals.map(|row| (interval(row), commit.heartbeat.utc_ms)));
    let all = commit.misses.len() + commit.events.len();
    let mut rows: Vec<LogRow> =
        actions.take(ACTIONS_MAX).map(|(action, at_ms)| book.own(&Json::from(action), at_ms)).collect();
    if all > ACTIONS_MAX {
        let action = json!({ "type": "mirrorwatch/log/cut", "left_out": all - ACTIONS_MAX });
        rows.push(book.own(&Json::from(action), commit.heartbeat.utc_ms));
    }
    rows
}

fn miss(row: &MissRow) -> Value {
    let step = match (row.healed, &row.confirmation) {
        (true, _) => "healed",
        (false, Some(_)) => "confirmed",
        (false, None) => "opened",
    };
    let noun = if row.verdict == "missed" { "miss" } else { "extra" };
    json!({
        "type": format!("mirrorwatch/{noun}/{step}"),
        "mirror": row.source,
        "did": Did(row.did).to_string(),
        "cid": Cid(row.cid).to_string(),
        "seq": row.seq,
        "verdict": row.verdict,
        "confirmation": row.confirmation,
        "primary_at_ms": row.primary_at_ms,
    })
}

fn event(row: &EventRow) -> Value {
    let noun = match row.kind.split('_').next() {
        Some("link") => "link",
        Some("observer") => "observer",
        _ => "event",
    };
    json!({
        "type": format!("mirrorwatch/{noun}"),
        "kind": row.kind,
        "mirror": row.source,
        "text": row.text,
        "at_ms": row.at_ms,
    })
}

/// Counts and histograms as they are kept, so that the views of several nodes merge exactly.
fn interval(row: &IntervalRow) -> Value {
    json!({
        "type": INTERVAL,
        "mirror": row.source,
        "start_ms": row.start_ms,
        "figures": BASE64.encode(&row.blob),
    })
}
