//! What other nodes are told: made of the rows that a transaction keeps, and kept in the same one.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::vantage::Blind;
use crate::logux::Json;
use crate::logux::kinds::INTERVAL;
use crate::ports::log_book::LogBook;
use crate::ports::store::{Commit, EventRow, IntervalRow, LogRow, MissRow, Tier};

/// Actions of one transaction; how many more there were is told in one of its own.
const ACTIONS_MAX: usize = 1_000;

/// What was not seen of a mirror between two instants, UTC milliseconds.
pub(super) type BlindFn<'a> = dyn Fn(&str, i64, i64) -> Option<Blind> + 'a;

/// The actions that tell of what `commit` keeps; its intervals are `interval_ms` long.
pub(super) fn rows_of(commit: &Commit, book: &LogBook, interval_ms: i64, blind: &BlindFn<'_>) -> Vec<LogRow> {
    let url = |id: &str| commit.sources.iter().find(|source| source.id == id).map(|source| source.url.as_str());
    let interval = |row: &IntervalRow| {
        let end_ms = row.start_ms + interval_ms;
        let blind = blind(&row.source, row.start_ms, end_ms);
        interval(row, url(&row.source), (end_ms, commit.heartbeat.utc_ms), blind)
    };
    let is_told = |row: &&IntervalRow| row.is_final && row.tier == Tier::Interval;
    let finals = commit.intervals.iter().filter(is_told);
    let all = commit.misses.len() + commit.events.len() + finals.clone().count();
    let misses = |is_healed: bool| {
        let rows = commit.misses.iter().filter(move |row| row.healed == is_healed);
        rows.map(|row| (miss(row, url(&row.source)), row.updated_ms))
    };
    // What is cut is never told again: a miss that healed would be held against the mirror, figures would be waited for.
    let actions = misses(true).chain(finals.map(|row| (interval(row), commit.heartbeat.utc_ms)));
    let actions = actions.chain(misses(false)).chain(commit.events.iter().map(|row| (event(row), row.at_ms)));
    let mut rows: Vec<LogRow> =
        actions.take(ACTIONS_MAX).map(|(action, at_ms)| book.own(&Json::from(action), at_ms)).collect();
    if all > ACTIONS_MAX {
        let action = json!({ "type": "mirrorwatch/log/cut", "left_out": all - ACTIONS_MAX });
        rows.push(book.own(&Json::from(action), commit.heartbeat.utc_ms));
    }
    rows
}

fn miss(row: &MissRow, url: Option<&str>) -> Value {
    let step = match (row.healed, &row.confirmation) {
        (true, _) => "healed",
        (false, Some(_)) => "confirmed",
        (false, None) => "opened",
    };
    let noun = if row.verdict == "extra" { "extra" } else { "miss" };
    json!({
        "type": format!("mirrorwatch/{noun}/{step}"),
        "mirror": row.source,
        "url": url,
        "did": Did(row.did).to_string(),
        "cid": Cid(row.cid).to_string(),
        "seq": row.seq,
        "verdict": row.verdict,
        "confirmation": row.confirmation,
        "primary_at_ms": row.primary_at_ms,
        "told_ms": row.updated_ms,
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

/// Counts and histograms as they are kept, so that the views of several nodes merge exactly. When it is told, by the clock that
/// all its times are of, lets others find out how wrong that is.
fn interval(row: &IntervalRow, url: Option<&str>, (end_ms, told_ms): (i64, i64), blind: Option<Blind>) -> Value {
    json!({
        "type": INTERVAL,
        "mirror": row.source,
        "url": url,
        "start_ms": row.start_ms,
        "end_ms": end_ms,
        "blind": blind.map(Blind::name),
        "told_ms": told_ms,
        "figures": BASE64.encode(&row.blob),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::store::memory::MemoryDisk;
    use crate::ports::store::{Heartbeat, SourceRow};
    use std::sync::{Arc, Mutex};

    fn miss(verdict: &str, confirmation: Option<&str>, healed: bool) -> MissRow {
        MissRow {
            source: "m".to_owned(),
            did: [7; 15],
            cid: [8; 32],
            seq: Some(9),
            kind: 0,
            verdict: verdict.to_owned(),
            confirmation: confirmation.map(str::to_owned),
            created_ms: 1,
            primary_at_ms: 2,
            updated_ms: 3,
            healed,
        }
    }

    fn happened(kind: &str) -> EventRow {
        EventRow { id: 1, at_ms: 4, kind: kind.to_owned(), source: None, text: "t".to_owned(), detail: None }
    }

    fn interval(is_final: bool, tier: Tier) -> IntervalRow {
        IntervalRow { tier, start_ms: 0, source: "m".to_owned(), is_final, blob: vec![1, 2, 3] }
    }

    #[test]
    fn every_step_of_a_miss_every_event_and_what_is_final_is_told() {
        let book =
            LogBook::open(Arc::new(Mutex::new(Some(Box::new(MemoryDisk::new().open())))), "me", Arc::new(|_| None))
                .unwrap();
        let heartbeat = Heartbeat { tau_ns: 0, utc_ms: 5, boot_id: String::new(), anchor_tau_ns: 0, anchor_utc_ms: 0 };
        let mut commit = Commit {
            misses: vec![
                miss("missed", None, false),
                miss("missed", Some("data_loss"), false),
                miss("late", Some("data_loss"), true),
                miss("extra", None, false),
            ],
            events: vec![happened("link_synchronized"), happened("observer_down"), happened("config_reloaded")],
            intervals: vec![
                interval(true, Tier::Interval),
                interval(false, Tier::Interval),
                interval(true, Tier::Hour),
            ],
            sources: vec![SourceRow {
                id: "m".to_owned(),
                url: "wss://m.example/".to_owned(),
                state: vec![],
                cursor: None,
            }],
            ..Commit::of(heartbeat)
        };
        let blind = |id: &str, from_ms, to_ms| (id == "m" && (from_ms, to_ms) == (0, 300)).then_some(Blind::LinkDown);
        let rows = rows_of(&commit, &book, 300, &blind);
        let kinds: Vec<&str> = rows.iter().filter_map(|row| row.kind.strip_prefix("mirrorwatch/")).collect();
        assert_eq!(
            kinds,
            ["miss/healed", "interval", "miss/opened", "miss/confirmed", "extra/opened", "link", "observer", "event"]
        );
        assert!(rows.windows(2).all(|pair| pair[0].ms < pair[1].ms), "no id comes twice");
        let figures: Value = serde_json::from_str(&rows[1].action).unwrap();
        assert_eq!(BASE64.decode(figures["figures"].as_str().unwrap().as_bytes()).unwrap(), [1, 2, 3]);
        assert_eq!((&figures["url"], &figures["end_ms"]), (&"wss://m.example/".into(), &300.into()));
        assert_eq!(figures["blind"], "link_down");
        let healed: Value = serde_json::from_str(&rows[0].action).unwrap();
        assert_eq!((&healed["url"], &healed["verdict"]), (&"wss://m.example/".into(), &"late".into()));

        commit.misses = vec![miss("missed", None, false); ACTIONS_MAX + 5];
        commit.misses.push(miss("late", None, true));
        let rows = rows_of(&commit, &book, 300, &blind);
        assert_eq!((rows.len(), rows[ACTIONS_MAX].kind.as_str()), (ACTIONS_MAX + 1, "mirrorwatch/log/cut"));
        let cut: Value = serde_json::from_str(&rows[ACTIONS_MAX].action).unwrap();
        assert_eq!(cut["left_out"], 10, "misses and events");
        let kinds = [&rows[0], &rows[1], &rows[2], &rows[ACTIONS_MAX - 1]].map(|row| row.kind.as_str());
        let opened = "mirrorwatch/miss/opened";
        assert_eq!(kinds, ["mirrorwatch/miss/healed", "mirrorwatch/interval", opened, opened]);
    }
}
