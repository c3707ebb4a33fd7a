//! The figures of the program as tables: what CSV and NDJSON say is what the JSON says, in every table, of one revision.

use crate::world::{World, test};
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::{Value, json};

/// Every table; where its facts are, and how many rows it has at least.
const TABLES: [(&str, &str, usize); 21] = [
    ("/api/v1/overview", "/mirrors", 2),
    ("/api/v1/mirrors", "/mirrors", 2),
    ("/api/v1/analytics/coverage?window=1h", "/mirrors", 2),
    ("/api/v1/analytics/lag?window=6h", "/mirrors", 2),
    ("/api/v1/analytics/misses?window=6h", "", 3),
    ("/api/v1/analytics/history?window=1h", "", 2),
    ("/api/v1/analytics/rtt", "", 3),
    ("/api/v1/analytics/divergence", "", 2),
    ("/api/v1/events", "/events", 2),
    ("/api/v1/mirrors/two/ops?verdict=missed", "/ops", 3),
    ("/api/v1/ops?verdict=on_time&limit=7", "/ops", 7),
    ("/api/v1/mirrors/one/sessions", "/sessions", 1),
    ("/api/v1/propagation?window=1h", "", 2),
    ("/api/v1/incidents", "/incidents", 0),
    ("/api/v1/slo", "", 4),
    ("/api/v1/mirrors/two/windows?resolution=1h", "", 168),
    ("/api/v1/mirrors/one/lag?window=1h", "", 1),
    ("/api/v1/mirrors/one/freshness", "", 1),
    ("/api/v1/mirrors/one/rtt", "", 1),
    ("/api/v1/mirrors/two/divergence", "", 8),
    ("/api/v1/compare?a=primary&b=two&window=1h", "/only_a", 3),
];

struct Got {
    etag: String,
    link: Option<String>,
    text: String,
}

async fn get(base: &str, uri: &str, accept: &str) -> Got {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{base}{uri}")).header("accept", accept).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{uri} {accept}");
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (etag, link) = (header("etag").unwrap(), header("link"));
    Got { etag, link, text: answer.text().await.unwrap() }
}

/// JSON, CSV and NDJSON of the same revision.
async fn of_one_revision(world: &World, uri: &str) -> (Value, Got, Got) {
    let base = world.base_url();
    world
        .eventually("three forms of one revision", async || {
            let json = get(&base, uri, "application/json").await;
            let csv = get(&base, uri, "text/csv").await;
            let ndjson = get(&base, uri, "application/x-ndjson").await;
            let tag = json.etag.trim_end_matches('"');
            let is_one = csv.etag == format!("{tag}.csv\"") && ndjson.etag == format!("{tag}.ndjson\"");
            is_one.then(|| (serde_json::from_str(&json.text).unwrap(), csv, ndjson))
        })
        .await
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The rows of a CSV as objects of texts.
fn rows(csv: &str) -> Vec<Value> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names = reader.headers().unwrap().clone();
    let object = |row: csv::StringRecord| names.iter().zip(row.iter()).map(|(n, c)| (n.to_owned(), c.into())).collect();
    reader.records().map(|row| Value::Object(object(row.unwrap()))).collect()
}

/// The member that a column's name is the path to.
fn member<'a>(fact: &'a Value, column: &str) -> Option<&'a Value> {
    let pointer = format!("/{}", column.replace('.', "/"));
    let (path, name) = pointer.rsplit_once('/').unwrap();
    let reason = || fact.pointer(&format!("{path}/reasons/{}", name.strip_suffix("_reason")?));
    fact.pointer(&pointer).or_else(reason)
}

#[test]
fn tables_say_what_the_json_says() {
    test(async {
        let mut world = World::new(["one", "two"].map(|id| (id, Behaviour::default())).into()).watched().await;
        world.publish(40).await;
        world.mirror("two").set(|b| b.drop_next = 3);
        world.publish(5).await;
        world.settle().await;
        world
            .until("the misses are told", |overview| {
                let rows = overview["mirrors"].as_array()?;
                rows.iter().any(|row| row["coverage"]["counts"]["missed"] == 3).then_some(())
            })
            .await;
        for (uri, facts, least) in TABLES {
            let (json, csv, ndjson) = of_one_revision(&world, uri).await;
            let (cells, data) = (rows(&csv.text), &json["data"]);
            let lines: Vec<Value> = ndjson.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert!(cells.len() >= least && cells.len() == lines.len(), "{uri}: {} rows", cells.len());
            for (cell, line) in cells.iter().zip(&lines) {
                for (name, value) in line.as_object().unwrap() {
                    let shown = cell[name].as_str().unwrap();
                    let shown = if value.is_string() { shown.strip_prefix('\'').unwrap_or(shown) } else { shown };
                    assert_eq!(shown, text(value), "{uri} {name}");
                }
            }
            let list = if facts.is_empty() { &[][..] } else { data.pointer(facts).unwrap().as_array().unwrap() };
            for (fact, line) in list.iter().zip(&lines) {
                let named = line.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
                let found: Vec<_> =
                    named.filter_map(|(name, value)| Some((name, value, member(fact, name)?))).collect();
                assert!(found.len() >= 3, "{uri}: {line}");
                for (name, value, expected) in found {
                    assert_eq!(value, expected, "{uri} {name}");
                }
            }
            let next = json["links"]["next"].as_str().map(|next| format!("<{next}>; rel=\"next\""));
            assert_eq!(csv.link, next, "{uri}");
            assert_totals(uri, data, &lines);
        }
        world.stop().await;
    });
}

/// Sums of a table are those of the page.
fn assert_totals(uri: &str, data: &Value, lines: &[Value]) {
    let sum = |name: &str| lines.iter().filter_map(|line| line[name].as_u64()).sum::<u64>();
    if uri.contains("/history") {
        for column in ["missed", "decided", "on_time"] {
            let of_page = data["mirrors"].as_array().unwrap().iter().flat_map(|m| m[column].as_array().unwrap());
            assert_eq!(sum(column), of_page.filter_map(Value::as_u64).sum::<u64>(), "{column}");
        }
        assert_eq!(sum("missed"), 3);
    }
    if uri.contains("/windows") {
        for column in ["missed", "decided", "lag_n"] {
            let of_page = data[column].as_array().unwrap().iter().filter_map(Value::as_u64);
            assert_eq!(sum(column), of_page.sum::<u64>(), "{column}");
        }
        assert_eq!(sum("missed"), 3);
    }
    if uri.contains("/lag?window=1h") {
        assert_eq!(json!(sum("count")), data["lag"]["n"]);
        assert!(lines.iter().all(|line| line["lag.p50_ms"] == data["lag"]["p50_ms"]));
    }
    if uri.contains("/analytics/divergence") {
        let of_page = data["mirrors"].as_array().unwrap().iter().flat_map(|m| m["missing_ops"].as_array().unwrap());
        assert_eq!(sum("missing_ops"), of_page.filter_map(Value::as_u64).sum::<u64>());
    }
    if uri.contains("/analytics/rtt") {
        assert_eq!(
            (&lines[0]["id"], &lines[0]["rtt.tcp_ms"]),
            (&data["primary"]["id"], &data["primary"]["rtt"]["tcp_ms"])
        );
    }
    if uri.contains("/misses") {
        let listed = lines.iter().filter(|line| !line["cid"].is_null());
        assert!(listed.clone().all(|line| line["mirror.id"] == "two" && line["verdict"] == "missed"));
        assert_eq!(json!(listed.count()), data["mirrors"][1]["missed"]);
    }
    if uri.contains("/compare") {
        assert!(lines.iter().all(|line| line["both_ops"] == data["both_ops"]));
        assert_eq!(lines[0]["only_ops"], data["only_a_ops"]);
    }
}
