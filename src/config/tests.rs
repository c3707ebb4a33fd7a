//! Every way in which a configuration can be wrong, with the words that it gets.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::*;

/// Loads `text` as `config.json`, beside the `environment`.
fn load_with(text: &str, environment: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), text.as_bytes()).unwrap();
    let environment = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
    load(&Inputs { file: FileChoice::Given(file), environment, ..Inputs::default() })
}

/// The lines that `text` gets, with the directory cut off.
fn complaints(text: &str) -> Vec<String> {
    let lines = load_with(text, &[]).unwrap_err().to_string();
    lines.lines().map(|line| line.replace(line.split("config.json").next().unwrap(), "")).collect()
}

/// The lines that one environment variable gets.
fn environment_complaint(name: &str, value: &str) -> String {
    let error = load_with("{}", &[(name, value)]).unwrap_err();
    assert_eq!(error.exit_code(), 64);
    error.to_string()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row a mistake")]
fn every_mistake_in_the_file_gets_its_one_line() {
    let mirror = |inside: &str| format!("{{\"mirrors\":[\n{{{inside}}}]}}");
    let rows: Vec<(String, &str)> = vec![
        ("{\n\"rtt\": {}\n  \"log\": {}}".into(), "config.json:3:3: expected `,` or `}`; found `\"`"),
        ("{\"rtt\": {\n".into(), "config.json:2:0: the file ends while parsing an object"),
        ("[]".into(), "config.json:1:1: expected an object; begin the file with `{`"),
        ("{\n\n\"mirors\": []}".into(), "config.json:3: unknown key \"mirors\"; did you mean \"mirrors\"?"),
        (
            "{\"judging\": {\n\"gracSeconds\": 1}}".into(),
            "config.json:2: judging: unknown key \"gracSeconds\"; did you mean \"graceSeconds\"?",
        ),
        ("{\"rtt\": {\"color\": 1}}".into(), "config.json:1: rtt: unknown key \"color\"; known here: intervalSeconds, timeoutSeconds"),
        (mirror("\"url\":\"wss://a.example\",\"ulr\":1"), "config.json:2: mirrors[0]: unknown key \"ulr\"; did you mean \"url\"?"),
        ("{\"judging.graceSeconds\": 20}".into(), "config.json:1: unknown key \"judging.graceSeconds\"; known here: analytics, audit, dataDir, http, judging, limits, listen, log, mirrors, nodes, primary, retention, rtt"),
        (
            "{\"dataDir\": \"a\",\n\"dataDir\": \"b\"}".into(),
            "config.json:2: key \"dataDir\" is given twice, first in line 1; remove one",
        ),
        (
            "{\n\"listen\": \"127.0.0.1:80a\"}".into(),
            "config.json:2: listen: expected \"ADDRESS:PORT\", as \"127.0.0.1:7331\"; got \"127.0.0.1:80a\"",
        ),
        ("{\"listen\": 80}".into(), "config.json:1: listen: expected \"ADDRESS:PORT\", as \"127.0.0.1:7331\"; got 80"),
        ("{\"judging\": 5}".into(), "config.json:1: judging: expected an object; got 5"),
        ("{\"mirrors\": {}}".into(), "config.json:1: mirrors: expected a list; got an object"),
        ("{\"mirrors\": [\n\"wss://a.example\"]}".into(), "config.json:2: mirrors[0]: expected an object; got \"wss://a.example\""),
        (mirror("\"name\":\"x\""), "config.json:2: mirrors[0].url: missing; give the address, as \"wss://plc.example.org\""),
        (
            mirror("\"url\":\"http://plc.example.org\""),
            "config.json:2: mirrors[0].url: scheme \"http\" is not a stream; use \"wss://plc.example.org\"",
        ),
        (
            mirror("\"url\":\"ws://plc.example.org\""),
            "config.json:2: mirrors[0].url: unencrypted \"ws://\" is refused; set \"allowPlaintext\": true for this mirror to accept it",
        ),
        (
            mirror("\"url\":\"wss://10.0.0.5\""),
            "config.json:2: mirrors[0].url: \"10.0.0.5\" is a private address; set \"allowPrivate\": true if this is intended",
        ),
        (
            mirror("\"url\":\"wss://localhost\""),
            "config.json:2: mirrors[0].url: \"localhost\" is a loopback address; set \"allowPrivate\": true if this is intended",
        ),
        (
            mirror("\"url\":\"wss://plc.example.org:8443\""),
            "config.json:2: mirrors[0].url: port 8443 is refused; use 443, or set \"allowPrivate\": true to allow any port",
        ),
        (
            mirror("\"url\":\"wss://user:hunter2@plc.example.org\""),
            "config.json:2: mirrors[0].url: must be origin only, as \"wss://host[:port]\"; found user information",
        ),
        (
            mirror("\"url\":\"wss://plc.example.org/export\""),
            "config.json:2: mirrors[0].url: must be origin only, as \"wss://host[:port]\"; found a path",
        ),
        (
            mirror("\"url\":\"wss://plc.example.org#x\""),
            "config.json:2: mirrors[0].url: must be origin only, as \"wss://host[:port]\"; found a fragment",
        ),
        (
            mirror("\"url\":\"plc.example.org\""),
            "config.json:2: mirrors[0].url: expected an address, as \"wss://plc.example.org\"; got \"plc.example.org\"",
        ),
        (
            mirror("\"url\":\"wss://a.example\"},\n{\"url\":\"wss://A.example:443/\",\"name\":\"b\""),
            "config.json:3: mirrors[1].url: same as mirrors[0] (\"wss://a.example\")",
        ),
        (mirror("\"url\":\"wss://plc.directory\""), "config.json:2: mirrors[0].url: same as primary (\"wss://plc.directory\")"),
        (
            mirror("\"url\":\"wss://a.example\",\"name\":\"X\"},\n{\"url\":\"wss://b.example\",\"name\":\"x\""),
            "config.json:3: mirrors[1].name: same as mirrors[0] (\"x\")",
        ),
        (
            mirror("\"url\":\"wss://a.example\",\"id\":\"plc-directory\""),
            "config.json:2: mirrors[0].id: same as primary (\"plc-directory\")",
        ),
        (
            mirror("\"url\":\"wss://a.example\",\"id\":\"A b\""),
            "config.json:2: mirrors[0].id: \"A b\" is no id; use 1 to 64 of a–z, 0–9 and \"-\", as \"plc-example-org\"",
        ),
        (
            mirror("\"url\":\"wss://a.example\",\"transport\":\"strem\""),
            "config.json:2: mirrors[0].transport: expected one of \"auto\", \"stream\", \"export\", \"plcbundle\", \"resolve\"; got \"strem\"; did you mean \"stream\"?",
        ),
        (
            "{\"judging\":{\"graceSeconds\":\"10 minuts\"}}".into(),
            "config.json:1: judging.graceSeconds: expected a number from 1 to 3600; got \"10 minuts\"",
        ),
        ("{\"judging\":{\"graceSeconds\":0.5}}".into(), "config.json:1: judging.graceSeconds: expected a number from 1 to 3600; got 0.5"),
        (
            "{\"judging\":{\"intervalSeconds\":7.5}}".into(),
            "config.json:1: judging.intervalSeconds: expected a whole number from 5 to 3600; got 7.5",
        ),
        (
            "{\"judging\":{\"intervalSeconds\":7}}".into(),
            "config.json:1: judging.intervalSeconds: 7 does not divide an hour of 3600 seconds; use 60, 300 or 600",
        ),
        (
            "{\"judging\":{\n\"graceSeconds\":30,\n\"onTimeSeconds\":60}}".into(),
            "config.json:2: judging.graceSeconds (30) must be at least judging.onTimeSeconds (60)",
        ),
        (
            mirror("\"url\":\"wss://a.example\",\"graceSeconds\":5"),
            "config.json:2: mirrors[0].graceSeconds (5) must be at least judging.onTimeSeconds (10)",
        ),
        (
            mirror("\"url\":\"wss://a.example\",\"onTimeSeconds\":90"),
            "config.json:2: mirrors[0].onTimeSeconds (90) must be at most judging.graceSeconds (60)",
        ),
        (
            "{\"limits\":{\"maxMirrors\":1},\n\"mirrors\":[{\"url\":\"wss://a.example\"},{\"url\":\"wss://b.example\"}]}".into(),
            "config.json:2: mirrors: 2 given, limit 1 (raise limits.maxMirrors)",
        ),
        (
            "{\"analytics\":{\"recomputeIntervalSeconds\":{\"lga\":1}}}".into(),
            "config.json:1: analytics.recomputeIntervalSeconds: unknown recomputer \"lga\"; did you mean \"lag\"? known: overview, coverage, lag, misses, rtt, history, divergence, propagation, stats, vantages",
        ),
        (
            "{\"analytics\":{\"recomputeIntervalSeconds\":{\"lag\":0.01}}}".into(),
            "config.json:1: analytics.recomputeIntervalSeconds.lag: expected a number from 0.1 to 86400; got 0.01",
        ),
        ("{\"audit\":{\"allowRecheck\":\"yes\"}}".into(), "config.json:1: audit.allowRecheck: expected true or false; got \"yes\""),
        ("{\"log\":{\"format\":\"xml\"}}".into(), "config.json:1: log.format: expected one of \"text\", \"json\"; got \"xml\""),
        ("{\"log\":{\"filter\":\"inof\"}}".into(), "config.json:1: log.filter: \"inof\" is no level; did you mean \"info\"?"),
        (
            "{\"http\":{\"trustedProxies\":[\n\"10.0.0.0/33\"]}}".into(),
            "config.json:2: http.trustedProxies[0]: \"10.0.0.0/33\": not a prefix length from 0 to 32; expected ADDRESS or ADDRESS/PREFIX, as \"10.0.0.0/8\"",
        ),
        (
            "{\"http\":{\"corsOrigins\":[\"app.example.org\"]}}".into(),
            "config.json:1: http.corsOrigins[0]: \"app.example.org\" is no origin; give scheme and host only, as \"https://app.example.org\"",
        ),
        (
            "{\"http\":{\"allowedHosts\":[\"https://x\"]}}".into(),
            "config.json:1: http.allowedHosts[0]: \"https://x\" is no host name; give it as in a Host header, as \"watch.example.org\"",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(complaints(&text), [expected], "{text}");
    }
}

#[test]
fn every_mistake_about_nodes_gets_its_line() {
    let node = |inside: &str| format!("{{\"nodes\":{{\"id\":\"n\",{inside}}}}}");
    let rows: Vec<(String, &str)> = vec![
        ("{\"nodes\":{}}".into(), "config.json:1: nodes.id: missing; give this node a name, as \"paris-1\""),
        ("{\"nodes\":[]}".into(), "config.json:1: nodes: expected an object; got a list"),
        (
            "{\"nodes\":{\"id\":\"a b\"}}".into(),
            "config.json:1: nodes.id: \"a b\" is no id; use 1 to 64 of a–z, A–Z, 0–9, \".\", \"_\" and \"-\", as \"paris-1\"",
        ),
        (node("\"tokns\":[]"), "config.json:1: nodes: unknown key \"tokns\"; did you mean \"tokens\"?"),
        (
            node("\"tokens\":[{\"user\":\"server\",\"role\":\"node\",\"sha256\":\"00\"}]"),
            "config.json:1: nodes.tokens[0].sha256: expected the SHA-256 of a token, 64 hexadecimal digits; run \"mirrorwatch token\" to make a token and its hash\nconfig.json:1: nodes.tokens[0].user: \"server\" is no user; use 1 to 64 of a–z, A–Z, 0–9, \".\", \"_\" and \"-\", and not \"server\"",
        ),
        (
            node("\"peers\":[{\"url\":\"ws://a.example\",\"user\":\"a\",\"tokenFile\":\"/none/x\"}]"),
            "config.json:1: nodes.peers[0].url: unencrypted \"ws://\" would show the token to everyone on the way; use \"wss://\"\nconfig.json:1: nodes.peers[0].tokenFile: /none/x: not found; give the path of a file that holds 32 characters or more",
        ),
        (
            node("\"readable\":[\"*a\"]"),
            "config.json:1: nodes.readable[0]: \"*a\" is no type; a \"*\" stands at the end, as \"mirrorwatch/*\"",
        ),
        (
            node("\"announced\":\"alow\""),
            "config.json:1: nodes.announced: expected one of \"refuse\", \"allow\"; got \"alow\"; did you mean \"allow\"?",
        ),
        (
            node("\"defragmentSeconds\":4"),
            "config.json:1: nodes.defragmentSeconds: expected a number from 5 to 86400; got 4",
        ),
        (
            node("\"events\":{\"listen\":\"x\"}"),
            "config.json:1: nodes.events.listen: expected \"ADDRESS:PORT\", as \"127.0.0.1:12345\"; got \"x\"",
        ),
        (
            node("\"events\":{\"listen\":\"0.0.0.0:12345\"}"),
            "config.json:1: nodes.events.listen: 0.0.0.0:12345 can be reached from elsewhere, and nodes.tokens lets nobody in; use 127.0.0.1, or add a token",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(complaints(&text).join("\n"), expected, "{text}");
    }
}

#[test]
fn a_node_that_is_given_its_name_alone_has_the_defaults() {
    let config = load_with("{\"nodes\":{\"id\":\"paris-1\"}}", &[]).unwrap().config;
    assert_eq!(config.nodes, Some(Nodes::for_testing("paris-1")));
    assert_eq!(load_with("{\"nodes\":null}", &[]).unwrap().config.nodes, None);
}

#[test]
fn eighty_mirrors_are_too_many() {
    let mirrors: Vec<String> = (0..80).map(|n| format!("{{\"url\":\"wss://m{n}.example\"}}")).collect();
    let text = format!("{{\n\n\"mirrors\":[{}]}}", mirrors.join(","));
    assert_eq!(complaints(&text), ["config.json:3: mirrors: 80 given, limit 64 (raise limits.maxMirrors)"]);
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let text = "{\n\"listen\": 1,\n\"primary\": {\"url\": \"http://x\"},\n\"mirors\": [],\n\"rtt\": {\"timeoutSeconds\": \"soon\"},\n\
                \"log\": {\"format\": 7}}";
    let environment = [("MIRRORWATCH_HTTP__WORKERS", "none")];
    let error = load_with(text, &environment).unwrap_err();
    assert_eq!(error.exit_code(), 78, "the file is wrong too");
    let lines = error.to_string();
    let expected = [
        ":2: listen: ",
        ":3: primary.url: ",
        ":4: unknown key ",
        ":5: rtt.timeoutSeconds: ",
        ":6: log.format: ",
        "MIRRORWATCH_HTTP__WORKERS=",
    ];
    assert_eq!(lines.lines().count(), expected.len(), "{lines}");
    for (line, expected) in lines.lines().zip(expected) {
        assert!(line.starts_with("mirrorwatch: ") && line.contains(expected), "{line} has no {expected}");
    }
}

#[test]
fn files_that_cannot_be_looked_at_are_refused_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    let refused = |bytes: &[u8]| {
        std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), bytes).unwrap();
        let error = load(&Inputs { file: FileChoice::Given(file.clone()), ..Inputs::default() }).unwrap_err();
        (error.to_string().replace(&format!("{}/", dir.path().display()), ""), error.exit_code())
    };
    let utf8 = refused(b"{\"dataDir\": \"\xff\"}");
    assert_eq!(utf8, ("mirrorwatch: config: config.json: not UTF-8 at byte 13".to_owned(), 78));
    assert!(refused(b"{\0}").0.ends_with("config.json: NUL at byte 1; save the file as UTF-8 text"));
    assert!(refused(&vec![b' '; 1 << 20 | 1]).0.contains("larger than 1 MiB"));
    let directory = load(&Inputs { file: FileChoice::Given(dir.path().into()), ..Inputs::default() }).unwrap_err();
    assert!(directory.to_string().contains("is a directory"), "{directory}");
}

#[test]
fn an_absent_file_is_an_error_only_when_it_was_asked_for() {
    let given = FileChoice::Given(PathBuf::from("config.json.absent"));
    let error = load(&Inputs { file: given, ..Inputs::default() }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "mirrorwatch: config: config.json.absent: not found; copy config.example.json, or leave --config out for the defaults"
    );
    assert_eq!(error.exit_code(), 66);
    let hoped_for = FileChoice::IfThere(PathBuf::from("config.json.absent"));
    assert!(load(&Inputs { file: hoped_for, ..Inputs::default() }).is_ok());
}

#[test]
fn the_token_file_is_judged_and_never_repeated() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let shown = file.display().to_string();
    let text = format!("{{\"http\":{{\"adminTokenFile\":\"{shown}\"}}}}");
    let write = |token: &str, mode: u32| {
        std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), token.as_bytes()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write("hunter2hunte\n", 0o600);
    let complaint = load_with(&text, &[]).unwrap_err().to_string();
    assert!(
        complaint.ends_with(&format!("http.adminTokenFile: {shown}: 12 characters, need 32 or more")),
        "{complaint}"
    );
    assert!(!complaint.contains("hunter2"));
    write(&"k".repeat(40), 0o644);
    let complaint = load_with(&text, &[]).unwrap_err().to_string();
    assert!(
        complaint.ends_with(&format!("{shown}: mode 0644 lets others read it; run \"chmod 600 {shown}\"")),
        "{complaint}"
    );
    write(&"k".repeat(40), 0o600);
    let loaded = load_with(&text, &[]).unwrap();
    assert!(loaded.config.http.admin_token_sha256.is_some());
    assert!(!format!("{loaded:?}").contains("kkkk") && !loaded.report().contains("kkkk"));

    let token = "s3cr3t".repeat(8);
    let complaint = complaints(&format!("{{\"http\":{{\"adminTokenFile\":\"{token}\"}}}}")).concat();
    assert!(complaint.contains("the file: ") && !complaint.contains("s3cr3t"), "{complaint}");
    let complaint = environment_complaint("MIRRORWATCH_HTTP__ADMIN_TOKEN_FILE", &token);
    assert!(!complaint.contains("s3cr3t"), "{complaint}");
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    assert_eq!(
        environment_complaint("MIRRORWATCH_LISTEN", "abc"),
        "mirrorwatch: environment: MIRRORWATCH_LISTEN=\"abc\": expected \"ADDRESS:PORT\" (overrides listen)"
    );
    assert_eq!(
        environment_complaint("MIRRORWATCH_ANALYTICS__RECOMPUTE_INTERVAL_SECONDS__LAG", "soon"),
        "mirrorwatch: environment: MIRRORWATCH_ANALYTICS__RECOMPUTE_INTERVAL_SECONDS__LAG=\"soon\": expected a number from 0.1 \
         to 86400 (overrides analytics.recomputeIntervalSeconds.lag)"
    );
    let secret = environment_complaint("MIRRORWATCH_PRIMARY__URL", "wss://user:hunter2@plc.example.org");
    assert!(secret.contains("found user information") && !secret.contains("hunter2"), "{secret}");
    let mirrors = environment_complaint("MIRRORWATCH_MIRRORS", "wss://a.example,http://b.example");
    assert!(mirrors.contains("scheme \"http\" is not a stream; use \"wss://b.example\""), "{mirrors}");
    let json = environment_complaint("MIRRORWATCH_MIRRORS", "[{\"ulr\":\"x\"");
    assert!(json.starts_with("mirrorwatch: environment: MIRRORWATCH_MIRRORS: expected addresses"), "{json}");
    let key = environment_complaint("MIRRORWATCH_MIRRORS", "[{\"url\":\"wss://a.example\",\"nmae\":\"x\"}]");
    assert!(key.contains("unknown key \"nmae\"; did you mean \"name\"?"), "{key}");
}

#[test]
fn unknown_variables_are_warned_of_and_change_nothing() {
    let variables =
        [("MIRRORWATCH_MIRORS", "x"), ("MIRRORWATCH_LISTEN__X", "y"), ("MIRRORWATCH_JUDGING", "z"), ("HOME", "/")];
    let loaded = load_with("{\"listen\": \"127.0.0.1:9\"}", &variables).unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "mirrorwatch: environment: MIRRORWATCH_MIRORS is not known; did you mean MIRRORWATCH_MIRRORS?",
            "mirrorwatch: environment: MIRRORWATCH_LISTEN__X is not known; it is ignored",
            "mirrorwatch: environment: MIRRORWATCH_JUDGING is not known; it is ignored",
        ]
    );
    assert_eq!(loaded.config.listen.port(), 9);
}

#[test]
fn wrong_arguments_name_the_flag() {
    let error = load(&Inputs { listen: Some("abc".into()), ..Inputs::default() }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "mirrorwatch: --listen: expected \"ADDRESS:PORT\", as \"127.0.0.1:7331\"; got \"abc\""
    );
    assert_eq!(error.exit_code(), 64);
}

#[test]
fn stronger_layers_win_and_the_report_tells_which() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    let text = "{\n\"listen\": \"127.0.0.1:1\",\n\"dataDir\": \"file\",\n\"judging\": {\"graceSeconds\": 90, \"lookBackSeconds\": 3},\n\
                \"mirrors\": [{\"url\": \"wss://a.example\"}]}";
    std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), text.as_bytes()).unwrap();
    let variables = [
        ("MIRRORWATCH_LISTEN", "127.0.0.1:2"),
        ("MIRRORWATCH_DATA_DIR", "123"),
        ("MIRRORWATCH_JUDGING__GRACE_SECONDS", "120"),
        ("MIRRORWATCH_ANALYTICS__RECOMPUTE_INTERVAL_SECONDS__LAG", "2"),
        ("MIRRORWATCH_HTTP__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("MIRRORWATCH_HTTP__EXPOSE_VERSION", "false"),
        ("MIRRORWATCH_LOG__FILTER", ""),
    ];
    let environment = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
    let listen = Some("127.0.0.1:3".to_owned());
    let loaded =
        load(&Inputs { file: FileChoice::IfThere(file.clone()), environment, listen, data_dir: None }).unwrap();
    let config = &loaded.config;
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.data_dir, PathBuf::from("123"));
    assert_eq!(config.judging.grace, Duration::from_mins(2));
    assert_eq!(config.judging.look_back, Duration::from_secs(3), "the file's other keys of a section stay");
    assert_eq!(config.analytics.interval("lag"), Duration::from_secs(2));
    assert_eq!(config.analytics.interval("overview"), Duration::from_secs(1));
    assert_eq!(config.http.trusted_proxies.len(), 2);
    assert!(!config.http.expose_version);
    assert_eq!(config.log.filter, "info", "an empty variable is none");
    let report = loaded.report();
    let shown = file.display();
    for line in [
        "listen = \"127.0.0.1:3\"  (command line)".to_owned(),
        "dataDir = \"123\"  (environment MIRRORWATCH_DATA_DIR)".to_owned(),
        format!("mirrors[0].url = \"wss://a.example\"  ({shown}:5)"),
        "mirrors[0].name = \"a.example\"  (default)".to_owned(),
        "judging.graceSeconds = 120  (environment MIRRORWATCH_JUDGING__GRACE_SECONDS)".to_owned(),
        format!("judging.lookBackSeconds = 3  ({shown}:4)"),
        "judging.onTimeSeconds = 10  (default)".to_owned(),
        "http.trustedProxies = [\"10.0.0.0/8\",\"::1\"]  (environment MIRRORWATCH_HTTP__TRUSTED_PROXIES)".to_owned(),
    ] {
        assert!(report.lines().any(|found| found == line), "{line} is not in\n{report}");
    }
}

#[test]
fn the_environment_can_name_the_mirrors() {
    let loaded = load_with("{\"mirrors\":[]}", &[("MIRRORWATCH_MIRRORS", "wss://a.example, wss://b.example")]).unwrap();
    let ids: Vec<&str> = loaded.config.mirrors.iter().map(|mirror| mirror.id.as_str()).collect();
    assert_eq!(ids, ["a-example", "b-example"]);
    let json = "[{\"url\":\"ws://127.0.0.1:2582\",\"name\":\"x\",\"allowPlaintext\":true,\"allowPrivate\":true}]";
    let loaded = load_with("{}", &[("MIRRORWATCH_MIRRORS", json)]).unwrap();
    assert_eq!(loaded.config.mirrors[0].url.port(), Some(2582));
    assert!(loaded.report().contains("mirrors[0].name = \"x\"  (environment MIRRORWATCH_MIRRORS)"));
}

#[test]
fn one_limit_alone_moves_the_default_of_the_other() {
    let quick = load_with("{\"judging\":{\"graceSeconds\":1}}", &[]).unwrap().config.judging;
    assert_eq!((quick.on_time, quick.grace), (Duration::from_secs(1), Duration::from_secs(1)));
    let slow = load_with("{\"judging\":{\"onTimeSeconds\":120}}", &[]).unwrap().config.judging;
    assert_eq!((slow.on_time, slow.grace), (Duration::from_mins(2), Duration::from_mins(2)));
}

#[test]
fn comments_stand_anywhere() {
    let text = "\u{feff}{\"_comment\": {\"any\": [{\"thing\": 1}]}, \"_comment_listen\": \"x\", \"judging\": {\"_commentary\": 1}, \
                \"mirrors\": [{\"_comment\": 0, \"url\": \"wss://a.example\"}]}";
    assert_eq!(load_with(text, &[]).unwrap().config.mirrors.len(), 1);
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let config = load(&Inputs::default()).unwrap().config;
    assert_eq!(config.listen.to_string(), "127.0.0.1:7331");
    assert_eq!((config.primary.id.as_str(), config.primary.name.as_str()), ("plc-directory", "plc.directory"));
    assert_eq!(config.primary.url.as_str(), "wss://plc.directory/");
    assert_eq!(config.mirrors.len(), 1);
    assert_eq!(config.mirrors[0].url.as_str(), "wss://plc.klbr.net/");
    assert_eq!(config.judging.interval, Duration::from_mins(5));
    assert_eq!(config.retention.daily_days, None);
    assert_eq!(config.limits.held_ops, 2_000_000);
    for name in RECOMPUTERS {
        assert!(config.analytics.recompute_intervals.contains_key(name));
    }
    assert_eq!(config.analytics.interval("another"), Duration::from_secs(30));
}

#[test]
fn the_example_shows_every_key_with_a_comment_and_its_default() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config.example.json");
    let example = load(&Inputs { file: FileChoice::Given(path.clone()), ..Inputs::default() }).unwrap();
    assert_eq!(example.config, load(&Inputs::default()).unwrap().config);
    let text = std::fs::read_to_string(path).unwrap();
    let nodes_comment = text.lines().find(|line| line.contains("_comment_nodes")).unwrap();
    let entries = position::entries(&text);
    let is_there = |wanted: &str| entries.iter().any(|entry| entry.path == wanted);
    for path in known_paths() {
        // A source's own limits would not be the defaults if they were given.
        let is_optional =
            path.starts_with("mirrors[0].") && (path.ends_with("onTimeSeconds") || path.ends_with("graceSeconds"));
        // A node without a name would not be the default either: one comment tells of all that it has.
        if let Some(key) = path.strip_prefix("nodes.") {
            let key = key.rsplit('.').next().unwrap();
            assert!(nodes_comment.contains(key), "{path} is not in the comment on nodes");
            continue;
        }
        assert!(is_optional || is_there(&path), "{path} is not in config.example.json");
        let (container, key) = path.rsplit_once('.').unwrap_or(("", &path));
        // One comment at the list of recomputers serves them all.
        if key == "mirrors[0]" || container.ends_with("recomputeIntervalSeconds") {
            continue;
        }
        let comment = position::join(container, &format!("_comment_{key}"));
        assert!(is_there(&comment), "{path} has no comment in config.example.json");
    }
}
