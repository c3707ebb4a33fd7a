//! The API's own document against the running program: every address answers what its type says, and schemathesis, which
//! makes requests of the document, finds nothing that breaks it.

use crate::world::{World, skip, test};
use mirrorwatch::config::{Nodes, SourceConfig};
use mirrorwatch::domain::view::propagation;
use mirrorwatch::domain::window_kind::WindowKind;
use mirrorwatch::http::openapi::agreement::check;
use mirrorwatch::http::openapi::endpoints;
use mirrorwatch::sim::demo::{DemoOptions, DemoWorld, start};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::time::Duration;

/// Limits that the demo's faults fit into within seconds.
const ON_TIME: Duration = Duration::from_millis(800);
/// Requests of one address and kind that are made up.
const EXAMPLES: &str = "12";
/// What is made up.
const SEED: &str = "1";
/// Most operations that are looked at one by one.
const OPS_MAX: usize = 40;
/// The path of a connection that stays: those have tests of their own.
const STAYING: &str = "/(stream|live|sync|logux)$";

/// The demo's world, with nodes, in which everything may be asked for, once there is something of everything.
async fn demo() -> (World, DemoWorld) {
    let mut world = World::new(Vec::new());
    let options = DemoOptions { rate_per_s: 40.0, seed: 1, on_time_s: ON_TIME.as_secs_f64() };
    let demo = start(&options, world.now_ms()).unwrap();
    let source = |name: &str, url: &str| {
        let port = url.rsplit(':').next().unwrap().parse().unwrap();
        SourceConfig::for_testing(name, port).unwrap()
    };
    world.config.primary = source("primary", &demo.primary_url);
    world.config.mirrors = demo.mirrors.iter().map(|(name, url)| source(name, url)).collect();
    world.config.judging.on_time = ON_TIME;
    world.config.audit.allow_recheck = true;
    world.config.nodes = Some(Nodes::for_testing("here"));
    world.start().await;
    world
        .until("there are misses, extras and lags", |o| {
            let rows = o["mirrors"].as_array()?;
            let sum =
                |name: &str| -> u64 { rows.iter().filter_map(|row| row["coverage"]["counts"][name].as_u64()).sum() };
            let has_lag = |row: &Value| row["lag"]["p95_ms"].is_number();
            (sum("missed") > 0 && sum("extra") > 0 && rows.iter().all(has_lag)).then_some(())
        })
        .await;
    (world, demo)
}

/// Asks, and holds the answer against its type.
async fn agree(world: &World, uri: &str) -> Value {
    let (status, answer) = world.answer(uri).await;
    assert_eq!(status, 200, "{uri}: {answer}");
    if let Err(places) = check(uri.split('?').next().unwrap(), &answer) {
        panic!("{uri} is not what the document says:\n{}", places.join("\n"));
    }
    answer
}

/// The addresses of one path of the document, with everything filled in that it takes.
fn addresses(path: &str, ids: &[String]) -> Vec<String> {
    let windowed = |path: &str| WindowKind::ALL.map(|window| format!("{path}?window={}", window.name())).to_vec();
    match path {
        "/api/v1/compare" => {
            vec![format!("{path}?a=primary&b={}", ids[0]), format!("{path}?a={}&b={}&window=1h", ids[0], ids[1])]
        }
        _ if ["coverage", "lag", "misses", "history"]
            .iter()
            .any(|name| path == format!("/api/v1/analytics/{name}")) =>
        {
            windowed(path)
        }
        "/api/v1/propagation" => propagation::WINDOWS.map(|w| format!("{path}?window={}", w.name())).to_vec(),
        "/api/v1/mirrors/{id}/windows" => {
            ["5m", "1h", "1d"].map(|r| format!("/api/v1/mirrors/{}/windows?resolution={r}", ids[0])).to_vec()
        }
        // Asked for where a mirror is well, and by what is listed.
        "/api/v1/mirrors/{id}/check" | "/api/v1/incidents/{id}" => Vec::new(),
        "/api/v1/log" => vec![path.to_owned(), format!("{path}?limit=1")],
        _ if path.contains("{id}") => {
            ids.iter().map(|id| path.replace("{id}", id).replace("{file}", "coverage.json")).collect()
        }
        _ => vec![path.to_owned()],
    }
}

#[test]
fn every_address_answers_what_the_document_says() {
    test(async {
        let (mut world, demo) = demo().await;
        let overview = agree(&world, "/api/v1/overview").await;
        let rows = overview["data"]["mirrors"].as_array().unwrap();
        let ids: Vec<String> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        let of_ops = ["{did}", "{cid}"];
        for endpoint in endpoints::all().iter().filter(|e| e.method == "get" && e.read_back.is_some()) {
            if of_ops.iter().any(|part| endpoint.path.contains(part)) {
                continue;
            }
            for uri in addresses(endpoint.path, &ids) {
                agree(&world, &uri).await;
            }
        }
        let check = "/api/v1/mirrors/faithful/check";
        world.eventually("a mirror is well", async || (world.status(check).await == 200).then_some(())).await;
        agree(&world, check).await;
        let incidents = agree(&world, "/api/v1/incidents").await;
        for incident in incidents["data"]["incidents"].as_array().unwrap() {
            agree(&world, incident["link_json"].as_str().unwrap()).await;
        }
        let mut listed = Vec::new();
        for verdict in ["missed", "extra", "late", "unknown", "on_time", "pending"] {
            let page = agree(&world, &format!("/api/v1/ops?verdict={verdict}&limit=15")).await;
            listed.extend(page["data"]["ops"].as_array().unwrap().iter().take(OPS_MAX / 5).cloned());
        }
        assert!(listed.iter().any(|op| op["verdict"] == "missed") && listed.iter().any(|op| op["verdict"] == "extra"));
        let mut dids = BTreeSet::new();
        for op in listed.iter().take(OPS_MAX) {
            let (did, cid) = (op["did"].as_str().unwrap(), op["cid"].as_str().unwrap());
            agree(&world, &format!("/api/v1/ops/{did}/{cid}")).await;
            agree(&world, &format!("/api/v1/ops/{did}/{cid}/evidence")).await;
            agree(&world, &format!("/api/v1/dids/{did}")).await;
            dids.insert(did.to_owned());
        }
        let asked = dids.first().unwrap();
        assert_eq!(world.post(&format!("/api/v1/dids/{asked}/recheck")).await, 202);
        world
            .eventually("every host's log is there", async || {
                let page = agree(&world, &format!("/api/v1/dids/{asked}")).await;
                (!page["data"]["survey"].is_null()).then_some(())
            })
            .await;
        demo.stop().await;
        world.stop().await;
    });
}

/// What schemathesis is told: values that are there, and where values that each may stand there exclude each other.
fn settings(overview: &Value, ops: &Value) -> String {
    let ids: Vec<&str> = overview["mirrors"].as_array().unwrap().iter().filter_map(|row| row["id"].as_str()).collect();
    let op = &ops["ops"][0];
    let excluding = [
        "/api/v1/ops",
        "/api/v1/mirrors/{id}/ops",
        "/api/v1/mirrors/{id}/windows",
        "/api/v1/mirrors/{id}/lag",
        "/api/v1/analytics/coverage",
        "/api/v1/analytics/lag",
        "/api/v1/analytics/history",
        "/api/v1/compare",
        "/api/v1/log",
        "/api/v1/best",
    ]
    .map(|path| format!("\"{path}\""))
    .join(", ");
    let readers = json!(["/api/v1/ops/{did}/{cid}", "/api/v1/ops/{did}/{cid}/evidence", "/api/v1/dids/{did}"]);
    format!(
        "[[operations]]\ninclude-path = [{excluding}]\n[operations.checks]\n\
         positive_data_acceptance.expected-statuses = [\"2xx\", \"3xx\", 400, 404, 410]\n\
         [operations.parameters]\nid = {}\na = \"primary\"\n\
         [[operations]]\ninclude-path = {readers}\n[operations.parameters]\ndid = {}\ncid = {}\n\
         [[operations]]\ninclude-path = [\"/api/v1/incidents/{{id}}\"]\n[operations.checks]\n\
         positive_data_acceptance.expected-statuses = [\"2xx\", \"3xx\", 404]\n\
         [[operations]]\ninclude-path-regex = \"(mirrors|badge)/\\\\{{id\\\\}}(/sessions|/readiness|/reprobe|/freshness|/rtt|/divergence|/.file.)?$\"\n\
         [operations.parameters]\nid = {}\n\
         [[operations]]\ninclude-path = [\"/api/v1/mirrors/{{id}}/check\"]\n[operations.checks]\n\
         positive_data_acceptance.expected-statuses = [\"2xx\", \"3xx\", 422, 424]\n\
         [operations.parameters]\nid = {}\n",
        json!(ids[0]),
        op["did"],
        op["cid"],
        json!(ids[0]),
        json!(ids[0]),
    )
}

/// What schemathesis says; none where it is not there.
fn schemathesis(base_url: &str, settings: &std::path::Path) -> Option<Output> {
    let program = std::env::var_os("SCHEMATHESIS").unwrap_or_else(|| "schemathesis".into());
    let document = format!("{base_url}/api/v1/openapi.json");
    let dir = settings.parent().unwrap();
    let mut tool = Command::new(program);
    // One worker: with more of them some interpreters fail by themselves.
    tool.arg("--no-color").arg("--config-file").arg(settings);
    tool.args(["run", &document, "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES]);
    tool.args(["--seed", SEED, "--workers", "1", "--request-timeout", "10", "--continue-on-failure"]);
    tool.args(["--warnings", "off", "--exclude-path-regex", STAYING]);
    tool.current_dir(dir).env("NO_PROXY", "*").output().ok()
}

#[test]
fn requests_made_of_the_document_find_nothing_that_breaks_it() {
    test(async {
        let (mut world, demo) = demo().await;
        let (overview, ops) = (world.get("/api/v1/overview").await, world.get("/api/v1/ops?verdict=missed").await);
        let file = world.dir().join("schemathesis.toml");
        std::fs::write(&file, settings(&overview, &ops)).unwrap();
        let base_url = world.base_url();
        let said = tokio::task::spawn_blocking(move || schemathesis(&base_url, &file)).await.unwrap();
        demo.stop().await;
        world.stop().await;
        let Some(said) = said else {
            return skip("schemathesis", "it makes requests of the API's document; it is not there");
        };
        let text = [said.stdout, said.stderr].concat();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&text));
    });
}
