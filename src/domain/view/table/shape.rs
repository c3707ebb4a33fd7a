//! Where the facts of each page stand.

use serde_json::Value;

use super::{Row, TableKind};
use crate::domain::time::rfc3339_ms;

/// The columns of an age at one mirror; what was found one by one is no row of it.
pub(super) const OF_AN_AGE: &str =
    "id age_ge_s missing_ops extra_ops altered_ops extra_truncated open_misses dids_affected";

/// The path of a member.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The rows of a page's data.
pub(super) fn rows(kind: TableKind, data: &Value) -> Vec<Row> {
    match kind {
        TableKind::Overview => overview(data),
        TableKind::Mirrors | TableKind::Lag => list(data, "mirrors").map(flat).collect(),
        TableKind::Coverage => beside(data, "mirrors", &["primary_ops"]),
        TableKind::Misses => misses(data),
        TableKind::History => dated(by_mirror(data, "t_unix_ms")),
        TableKind::Rtt => rtt(data),
        TableKind::Divergence => by_mirror(data, "age_ge_s"),
        TableKind::Events => list(data, "events").map(|event| whole(event, &["detail"])).collect(),
        TableKind::Ops => beside(data, "ops", &["held_from_at", "extra_truncated"]),
        TableKind::Sessions => below(&without(data, "sessions"), list(data, "sessions").map(flat).collect()),
        TableKind::Compare => compare(data),
        TableKind::Slo => slo(data),
        TableKind::Log => log(data),
        TableKind::Propagation => propagation(data),
        TableKind::Incidents => beside(data, "incidents", &["truncated"]),
        TableKind::Windows => dated(turned(&flat(data), count(data, "t_unix_ms"))),
        TableKind::LagHistogram => columns_below(data, "histogram", "count"),
        TableKind::Freshness | TableKind::MirrorRtt => dated(columns_below(data, "series", "t_unix_ms")),
        TableKind::MirrorDivergence => mirror_divergence(data),
        TableKind::Vantages => vantages(data),
    }
}

/// A row for each window of a mirror: of all observers together, then of each.
fn vantages(data: &Value) -> Vec<Row> {
    let named = |value: &Value, names: &[&str]| -> Row {
        names.iter().map(|name| ((*name).to_owned(), value.get(name).cloned().unwrap_or_default())).collect()
    };
    let windows = |value: &Value| list(value, "figures").map(flat).collect::<Vec<Row>>();
    let mut rows = Vec::new();
    for mirror in list(data, "mirrors") {
        let above = under("mirror", named(mirror, &["url", "name", "id", "verdict", "why"]));
        rows.extend(below(&above, windows(mirror)));
        for vantage in list(mirror, "vantages") {
            let told = ["id", "state", "link", "missed_by_mirror_ops", "missed_by_path_ops", "through_at"];
            let beside = under("vantage", named(vantage, &told));
            rows.extend(below(&above, below(&beside, windows(vantage))));
        }
    }
    rows
}

/// The elements of a list.
fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// An object as a row.
fn flat(value: &Value) -> Row {
    let mut row = Row::new();
    flatten("", value, &mut row);
    row
}

/// An object as a row in which these members are cells, whatever they are.
fn whole(value: &Value, kept: &[&str]) -> Row {
    let mut row = Row::new();
    for (name, member) in value.as_object().into_iter().flatten() {
        if kept.contains(&name.as_str()) {
            row.insert(name.clone(), member.clone());
        } else {
            flatten(name, member, &mut row);
        }
    }
    row
}

/// An object as a row, but for a list of facts in it.
fn without(value: &Value, name: &str) -> Row {
    let mut row = whole(value, &[name]);
    row.remove(name);
    row
}

fn flatten(path: &str, value: &Value, row: &mut Row) {
    let Value::Object(members) = value else {
        row.insert(path.to_owned(), value.clone());
        return;
    };
    for (name, member) in members {
        match (name.as_str(), member) {
            ("reasons", Value::Object(reasons)) => {
                row.extend(reasons.iter().map(|(of, why)| (join(path, &format!("{of}_reason")), why.clone())));
            }
            _ => flatten(&join(path, name), member, row),
        }
    }
}

/// A row whose columns stand below a path.
fn under(path: &str, row: Row) -> Row {
    row.into_iter().map(|(name, value)| (join(path, &name), value)).collect()
}

/// Each row with all that stands above it; what stands above alone where there is no row.
fn below(above: &Row, rows: Vec<Row>) -> Vec<Row> {
    if rows.is_empty() {
        return vec![above.clone()];
    }
    let with = |mut row: Row| {
        row.extend(above.clone());
        row
    };
    rows.into_iter().map(with).collect()
}

/// The rows of a list, each with these members of what the list stands in.
fn beside(data: &Value, name: &str, members: &[&str]) -> Vec<Row> {
    let shared: Row =
        members.iter().map(|member| ((*member).to_owned(), data.get(member).cloned().unwrap_or_default())).collect();
    let rows: Vec<Row> = list(data, name).map(flat).collect();
    if rows.is_empty() { rows } else { below(&shared, rows) }
}

fn overview(data: &Value) -> Vec<Row> {
    let state = data.pointer("/observer/state").cloned().unwrap_or_default();
    let with = |mirror: &Value| {
        let mut row = flat(mirror);
        row.insert("observer.state".to_owned(), state.clone());
        row
    };
    list(data, "mirrors").map(with).collect()
}

fn misses(data: &Value) -> Vec<Row> {
    let of_did = |did: &Value| {
        let above = under("did", without(did, "ops"));
        below(&above, list(did, "ops").map(flat).collect())
    };
    let of_mirror = |mirror: &Value| {
        let above = under("mirror", without(mirror, "dids"));
        below(&above, list(mirror, "dids").flat_map(of_did).collect())
    };
    list(data, "mirrors").flat_map(of_mirror).collect()
}

/// How many entries a column has.
fn count(data: &Value, column: &str) -> usize {
    list(data, column).count()
}

/// What stands in columns, turned: the n-th entry of each, with what is no column in every row.
fn turned(columns: &Row, entries: usize) -> Vec<Row> {
    let entry = |member: &Value, i: usize| match member {
        Value::Array(column) => column.get(i).cloned().unwrap_or_default(),
        other => other.clone(),
    };
    (0..entries).map(|i| columns.iter().map(|(name, member)| (name.clone(), entry(member, i))).collect()).collect()
}

/// The columns of every mirror, turned, each with those that stand above all; `index` is one of those.
fn by_mirror(data: &Value, index: &str) -> Vec<Row> {
    let shared = turned(&without(data, "mirrors"), count(data, index));
    let of_mirror = |mirror: &Value| {
        let mut rows = turned(&flat(mirror), shared.len());
        rows.iter_mut().zip(&shared).for_each(|(row, shared)| row.extend(shared.clone()));
        rows
    };
    list(data, "mirrors").flat_map(of_mirror).collect()
}

/// The columns of a member, turned, each row with all that stands beside that member; `index` is one of the columns.
fn columns_below(data: &Value, member: &str, index: &str) -> Vec<Row> {
    let columns = data.get(member).unwrap_or(&Value::Null);
    below(&without(data, member), turned(&flat(columns), count(columns, index)))
}

/// Rows with their instants in words.
fn dated(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        let at = row.get("t_unix_ms").and_then(Value::as_i64).map(rfc3339_ms);
        row.insert("at".to_owned(), at.into());
    }
    rows
}

/// One row for each instant of each number of mirrors.
fn propagation(data: &Value) -> Vec<Row> {
    let mut above = without(data, "by_mirrors");
    let instants: Row = ["at_s", "mean_mirror_ratio"].into_iter().filter_map(|name| above.remove_entry(name)).collect();
    let of_number = |curve: &Value| {
        let mut columns = under("by_mirrors", flat(curve));
        columns.extend(instants.clone());
        turned(&columns, count(data, "at_s"))
    };
    below(&above, list(data, "by_mirrors").flat_map(of_number).collect())
}

/// One row for each age.
fn mirror_divergence(data: &Value) -> Vec<Row> {
    let mut columns = flat(data);
    columns.retain(|name, _| OF_AN_AGE.split_whitespace().any(|kept| kept == name));
    turned(&columns, count(data, "age_ge_s"))
}

fn rtt(data: &Value) -> Vec<Row> {
    let row = |role: &str, source: &Value| {
        let mut row = flat(source);
        row.insert("role".to_owned(), role.into());
        row
    };
    let primary = data.get("primary").map(|source| row("primary", source));
    primary.into_iter().chain(list(data, "mirrors").map(|source| row("mirror", source))).collect()
}

/// Two sides, each with what it alone has.
fn compare(data: &Value) -> Vec<Row> {
    const OF_A_SIDE: [&str; 8] =
        ["a", "b", "only_a", "only_b", "only_a_ops", "only_b_ops", "pending_ops", "unknown_ops"];
    let mut shared = whole(data, &OF_A_SIDE);
    shared.retain(|name, _| !OF_A_SIDE.contains(&name.as_str()));
    let side = |side: &str| {
        let mut above = shared.clone();
        let members = [
            ("host", format!("/{side}")),
            ("only_ops", format!("/only_{side}_ops")),
            ("pending_ops", format!("/pending_ops/{side}")),
            ("unknown_ops", format!("/unknown_ops/{side}")),
        ];
        above.insert("side".to_owned(), side.into());
        above.extend(members.map(|(name, at)| (name.to_owned(), data.pointer(&at).cloned().unwrap_or_default())));
        below(&above, list(data, &format!("only_{side}")).map(flat).collect())
    };
    ["a", "b"].into_iter().flat_map(side).collect()
}

fn slo(data: &Value) -> Vec<Row> {
    let of_mirror =
        |mirror: &Value| below(&without(mirror, "objectives"), list(mirror, "objectives").map(flat).collect());
    list(data, "mirrors").flat_map(of_mirror).collect()
}

fn log(data: &Value) -> Vec<Row> {
    let row = |entry: &Value| {
        let mut row = whole(entry, &["reasons", "action"]);
        row.insert("type".to_owned(), entry.pointer("/action/type").cloned().unwrap_or_default());
        row
    };
    list(data, "actions").map(row).collect()
}
