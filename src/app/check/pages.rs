//! The pages that a host serves: its health, its log in both forms, and the newest operation in it.

use super::host::Host;
use super::report::{Feature, Newest, Skew, State};
use crate::domain::compare_logs::{Item, Line};
use crate::domain::frame::parse_created_ms;
use crate::domain::time::rfc3339_ms;
use crate::ports::export::Answer;
use crate::telemetry::Capped;
use serde_json::Value;

/// How far back the newest operation is looked for, milliseconds, one after the other.
const LOOK_BACK_MS: [i64; 3] = [2 * 60_000, 60 * 60_000, 86_400_000];
/// Pages that are read after one another to come to the end of a log.
const PAGES_MAX: usize = 3;
/// Operations on one page.
const PAGE_OPS: usize = 1_000;

/// What a host says of its health.
pub(super) struct Health {
    pub(super) feature: Feature,
    pub(super) clock: Option<Skew>,
    said: Value,
}

impl Health {
    /// The newest number that it names.
    pub(super) fn latest_seq(&self) -> Option<u64> {
        let latest = self.said.get("latest_seq")?;
        latest.as_u64().or_else(|| latest.as_str()?.parse().ok())
    }

    /// The newest `createdAt` that it names.
    fn latest_at(&self) -> Option<i64> {
        ["latest_at", "lastCommittedOpTime"].iter().find_map(|key| parse_created_ms(self.said.get(*key)?.as_str()?))
    }
}

/// Asks for `/_health`.
pub(super) async fn health(host: &Host) -> Health {
    let answer = host.ask("/_health").await;
    let clock = answer.clock_skew_ms().map(|(ahead_ms, uncertainty_ms)| Skew { ahead_ms, uncertainty_ms });
    let (state, says, said) = match answer.ok() {
        Err(error) => (State::No, error.text, Value::Null),
        Ok(body) => {
            let said = serde_json::from_slice(&body).unwrap_or_default();
            (State::Yes, Capped(String::from_utf8_lossy(&body).trim()).to_string(), said)
        }
    };
    Health { feature: Feature { name: "health", title: "/_health", state, says }, clock, said }
}

/// The operations of a page, or why there is none.
fn items(answer: Answer) -> Result<Vec<Line>, String> {
    answer.page().map(|page| page.lines.iter().map(|line| Line::read(line)).collect()).map_err(|error| error.text)
}

/// Asks for the log by number.
pub(super) async fn by_number(host: &Host) -> Feature {
    let (state, says) = match items(host.ask("/export?after=0&count=1").await) {
        Err(why) => (State::No, why),
        Ok(lines) => match lines.first() {
            None => (State::Unknown, "the log is empty".to_owned()),
            Some(Line { seq: Some(seq), .. }) => (State::Yes, format!("begins with {seq}")),
            Some(_) => (State::No, "its lines have no numbers".to_owned()),
        },
    };
    Feature { name: "export_by_number", title: "/export by number", state, says }
}

/// What the log by time tells.
pub(super) struct ByTime {
    pub(super) feature: Feature,
    /// The operations that came last, in their order.
    pub(super) recent: Vec<Item>,
}

/// Asks for the log by time, and goes to its end.
pub(super) async fn by_time(host: &Host) -> ByTime {
    let feature = |state, says| Feature { name: "export_by_time", title: "/export by time", state, says };
    let mut recent = Vec::new();
    for back_ms in LOOK_BACK_MS {
        let mut after_ms = host.now_ms() - back_ms;
        for _ in 0..PAGES_MAX {
            let path = format!("/export?after={}&count={PAGE_OPS}", rfc3339_ms(after_ms));
            let lines = match items(host.ask(&path).await) {
                Err(why) => return ByTime { feature: feature(State::No, why), recent },
                Ok(lines) => lines,
            };
            let read: Vec<Item> = lines.iter().filter_map(|line| line.item.clone().ok().flatten()).collect();
            if let (Some(line), true) = (lines.first(), read.is_empty()) {
                let why = line.item.as_ref().err().map_or("no operation", String::as_str);
                return ByTime { feature: feature(State::Unknown, format!("its lines cannot be read: {why}")), recent };
            }
            recent.extend(&read);
            match read.last() {
                Some(last) if lines.len() >= PAGE_OPS && last.created_ms > after_ms => after_ms = last.created_ms,
                _ => break,
            }
        }
        if !recent.is_empty() {
            break;
        }
    }
    let says = if recent.is_empty() { "nothing in the last day" } else { "" };
    ByTime { feature: feature(State::Yes, says.to_owned()), recent }
}

/// The newest operation, by whatever tells it.
pub(super) async fn newest(host: &Host, by_time: &ByTime, health: &Health) -> Option<Newest> {
    let mut created_ms = by_time.recent.iter().map(|item| item.created_ms).max().or_else(|| health.latest_at());
    if let (None, Some(latest)) = (created_ms, health.latest_seq()) {
        let path = format!("/export?after={}&count=10", latest.saturating_sub(1));
        let lines = items(host.ask(&path).await).unwrap_or_default();
        created_ms = lines.iter().filter_map(|line| Some(line.item.as_ref().ok()?.as_ref()?.created_ms)).max();
    }
    created_ms.map(|created_ms| Newest { created_ms, age_ms: host.now_ms().saturating_sub(created_ms) })
}

/// The operations that a numbered log ends with, where the host tells its newest number.
pub(super) async fn last_by_number(host: &Host, health: &Health) -> Vec<Item> {
    let Some(latest) = health.latest_seq() else { return Vec::new() };
    let after = latest.saturating_sub(PAGE_OPS as u64);
    let lines = items(host.ask(&format!("/export?after={after}&count={PAGE_OPS}")).await).unwrap_or_default();
    lines.into_iter().filter_map(|line| line.item.ok().flatten()).collect()
}
