//! Where the facts of each page stand.

use serde_json::Value;

use super::{Row, TableKind};
use crate::domain::time::rfc3339_ms;

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
        TableKind::History => history(data),
        TableKind::Rtt => rtt(data),
        TableKind::Divergence => divergence(data),
        TableKind::Events => list(data, "events").map(|event| whole(event, &["detail"])).collect(),
        TableKind::Ops => beside(data, "ops", &["held_from_at", "extra_truncated"]),
        TableKind::Sessions => below(&without(data, "sessions"), list(data, "sessions").map(flat).collect()),
        TableKind::Compare => compare(data),
        TableKind::Log => log(data),
    }
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

/// A series in columns, turned.
fn history(data: &Value) -> Vec<Row> {
    let times: Vec<i64> = list(data, "t_unix_ms").filter_map(Value::as_i64).collect();
    let entry = |column: &Value, i: usize| column.get(i).cloned().unwrap_or_default();
    let shared = |i: usize, at_ms: i64| {
        Row::from([
            ("at".to_owned(), rfc3339_ms(at_ms).into()),
            ("t_unix_ms".to_owned(), at_ms.into()),
            ("resolution_s".to_owned(), data.get("resolution_s").cloned().unwrap_or_default()),
            ("impaired".to_owned(), data.get("impaired").map(|column| entry(column, i)).unwrap_or_default()),
            ("primary.ops".to_owned(), data.pointer("/primary/ops").map(|column| entry(column, i)).unwrap_or_default()),
        ])
    };
    let mut rows = Vec::new();
    for mirror in list(data, "mirrors") {
        for (i, at_ms) in times.iter().enumerate() {
            let mut row = shared(i, *at_ms);
            for (name, member) in mirror.as_object().into_iter().flatten() {
                let value = if member.is_array() { entry(member, i) } else { member.clone() };
                row.insert(name.clone(), value);
            }
            rows.push(row);
        }
    }
    rows
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

/// One row for each age of each mirror.
fn divergence(data: &Value) -> Vec<Row> {
    let ages: Vec<&Value> = list(data, "age_ge_s").collect();
    let of_mirror = |mirror: &Value| {
        let age = |(i, age): (usize, &&Value)| {
            let mut row = Row::new();
            for (name, member) in mirror.as_object().into_iter().flatten() {
                let value = if member.is_array() { member.get(i).cloned().unwrap_or_default() } else { member.clone() };
                row.insert(name.clone(), value);
            }
            row.insert("age_ge_s".to_owned(), (*age).clone());
            row
        };
        ages.iter().enumerate().map(age).collect::<Vec<_>>()
    };
    list(data, "mirrors").flat_map(of_mirror).collect()
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

fn log(data: &Value) -> Vec<Row> {
    let row = |entry: &Value| {
        let mut row = whole(entry, &["reasons", "action"]);
        row.insert("type".to_owned(), entry.pointer("/action/type").cloned().unwrap_or_default());
        row
    };
    list(data, "actions").map(row).collect()
}
