//! What the sources promise about themselves: the direction of dependency, what the pure half never names, and a few
//! habits that no linter checks. Each rule is a pure function of a file's text, with an example that breaks it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Most lines of a source file before its tests.
const LINES_MAX: usize = 400;

/// Which modules at the top each module may name: `main -> app -> {http, recompute, actors} -> {ports, publish} ->
/// domain`, with the configuration and the log's helpers beside them. `app` wires everything and is bound by nothing.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("logux", &["domain"]),
    ("publish", &["domain", "ports", "config", "telemetry"]),
    ("ports", &["domain", "logux", "publish", "config", "telemetry"]),
    ("actors", &["domain", "logux", "ports", "publish", "config", "telemetry"]),
    ("recompute", &["domain", "ports", "publish", "config", "telemetry"]),
    ("http", &["domain", "logux", "ports", "publish", "config", "telemetry"]),
    ("sim", &["domain", "ports", "config", "telemetry"]),
    ("config", &["domain", "telemetry", "cli"]),
    ("telemetry", &["domain", "config"]),
    ("cli", &["config", "domain"]),
    ("main", &["app", "cli", "config", "telemetry"]),
];

/// What the pure half never names: runtimes, files, sockets, clocks and the process around it.
const IMPURE: &[&str] = &[
    "actix",
    "actix_rt",
    "actix_web",
    "tokio",
    "tokio_util",
    "tokio_tungstenite",
    "reqwest",
    "rusqlite",
    "rand::rng",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
];

/// The file of the pure half that is about addresses, and may therefore name their types.
const ADDRESSES: &str = "src/domain/address.rs";
/// The property tests of the ledger.
const HISTORIES: &str = "src/domain/ledger/property";

/// One file of the project.
struct Source {
    /// Path below the project's directory, with `/`.
    path: String,
    text: String,
}

/// All text files of the project, without what is made or fetched.
fn project() -> Vec<Source> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the sources are not where they are expected");
    sources
}

fn collect(root: &Path, dir: &Path, sources: &mut Vec<Source>) {
    const MADE: [&str; 6] = ["target", "node_modules", "dist", "data", ".git", "corpus"];
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            if !MADE.contains(&entry.file_name().to_str().unwrap()) {
                collect(root, &path, sources);
            }
        } else if kind.is_file()
            && entry.file_name() != ".git"
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push(Source { path, text });
        }
    }
}

/// The Rust files of the library and the program, without those that hold tests alone.
fn rust_sources() -> Vec<Source> {
    let is_test = |path: &str| path.ends_with("/tests.rs") || path.contains("/tests/");
    let is_rust = |path: &str| Path::new(path).extension().is_some_and(|extension| extension == "rs");
    let is_wanted = |path: &str| path.starts_with("src/") && is_rust(path) && !is_test(path);
    project().into_iter().filter(|source| is_wanted(&source.path)).collect()
}

/// What stands before the tests of a file.
fn before_tests(text: &str) -> &str {
    let start = text.match_indices("#[cfg(test)]").find(|(at, mark)| {
        let next = text[at + mark.len()..].trim_start();
        next.starts_with("mod ") && next.lines().next().is_some_and(|line| line.trim_end().ends_with('{'))
    });
    start.map_or(text, |(at, _)| &text[..at])
}

/// The code of a file: no tests, no comments.
fn code(text: &str) -> String {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let before_comment = |line: &'_ str| line.split(" // ").next().unwrap_or_default().to_owned();
    before_tests(text).lines().filter(is_code).map(before_comment).collect::<Vec<_>>().join("\n")
}

/// All paths that the `use` declarations of `code` bring in, groups written out: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line_start = code[..at].rfind('\n').map_or(0, |end| end + 1);
        let before = code[line_start..at].trim();
        if before.is_empty() || before.starts_with("pub") {
            let tree: String = code[at + 4..].split(';').next().unwrap_or_default().split_whitespace().collect();
            expand("", &tree, &mut found);
        }
    }
    found
}

fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let (mut depth, mut start) = (0, 0);
    let mut branches = Vec::new();
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                branches.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    branches.push(&tree[start..]);
    for branch in branches.into_iter().filter(|branch| !branch.is_empty()) {
        match branch.split_once('{') {
            Some((head, rest)) => expand(&format!("{prefix}{head}"), rest.strip_suffix('}').unwrap_or(rest), found),
            None => found.push(format!("{prefix}{branch}")),
        }
    }
}

/// The modules at the top that `code` names from `root` (`crate` in the library, `mirrorwatch` in the program).
fn modules_named(code: &str, root: &str) -> Vec<String> {
    let marker = format!("{root}::");
    let name =
        |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned();
    let imported: Vec<String> = imports(code);
    let from_imports = imported.iter().filter_map(|path| path.strip_prefix(&marker)).map(name);
    let inline = code.match_indices(&marker).map(|(at, _)| name(&code[at + marker.len()..]));
    let all: BTreeSet<String> = from_imports.chain(inline).filter(|module| !module.is_empty()).collect();
    all.into_iter().collect()
}

/// The module at the top that a file belongs to.
fn module_of(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    inside.split(['/', '.']).next().unwrap_or_default()
}

/// Names in the wrong direction.
fn direction(path: &str, text: &str) -> Vec<String> {
    let module = module_of(path);
    let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == module) else { return Vec::new() };
    let root = if module == "main" { "mirrorwatch" } else { "crate" };
    let is_module = |name: &str| name == "app" || name == "sim" || MAY_NAME.iter().any(|(module, _)| *module == name);
    let wrong = |name: &String| name != module && is_module(name) && !allowed.contains(&name.as_str());
    modules_named(&code(text), root).into_iter().filter(wrong).map(|name| format!("{path} names {name}")).collect()
}

/// What a file of the pure half names and must not.
fn impurities(path: &str, text: &str) -> Vec<String> {
    // Histories of faults are tests alone: they read which history to play from the environment.
    if path.starts_with(HISTORIES) {
        return Vec::new();
    }
    let code = code(text);
    let imported = imports(&code);
    let is_named = |name: &str| {
        let begins = |path: &String| path == name || path.starts_with(&format!("{name}::"));
        let inline = code.match_indices(&format!("{name}::")).any(|(at, _)| !code[..at].ends_with(is_word));
        imported.iter().any(begins) || inline
    };
    let mut found: Vec<String> = IMPURE
        .iter()
        .filter(|name| !(path == ADDRESSES && **name == "std::net"))
        .filter(|name| is_named(name))
        .map(|name| format!("{path} names {name}"))
        .collect();
    for word in ["Instant::now", "SystemTime", "Timestamp::now", "TcpStream", "TcpListener", "UdpSocket", "async fn"] {
        if code.contains(word) {
            found.push(format!("{path} names {word}"));
        }
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

/// Addresses of actors that stand in another file than the actor.
fn foreign_addresses(files: &[(&str, &str)]) -> Vec<String> {
    let mut home: BTreeMap<String, &str> = BTreeMap::new();
    let codes: Vec<(&str, String)> = files.iter().map(|(path, text)| (*path, code(text))).collect();
    for (path, code) in &codes {
        for (at, mark) in code.match_indices(" Actor for ") {
            let name: String = code[at + mark.len()..].chars().take_while(|c| c.is_alphanumeric()).collect();
            home.insert(name, path);
        }
    }
    let mut found = Vec::new();
    for (path, code) in &codes {
        for (name, owner) in home.iter().filter(|(_, owner)| *owner != path) {
            if code.contains(&format!("Addr<{name}>")) {
                found.push(format!("{path} names the address of {name}, which lives in {owner}: take a Recipient"));
            }
        }
    }
    found
}

/// Words that the text of the project never has. They are put together here, so that this file has none of them.
fn banned_words() -> Vec<String> {
    let words = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("todo", "!("),
        ("unimplemented", "!("),
        ("registry.", "npmjs"),
        ("registry.", "yarnpkg"),
        ("static.", "crates.io"),
        ("index.", "crates.io"),
        ("files.", "pythonhosted"),
    ];
    words.iter().map(|(head, tail)| format!("{head}{tail}")).collect()
}

/// Unfinished work, hosts of package registries and paths of one machine, by line.
fn banned_text(path: &str, text: &str) -> Vec<String> {
    let machine = format!("/{}/", "work");
    let is_foreign = |line: &str| {
        let path_of_machine =
            line.match_indices(&machine).any(|(at, _)| !line[..at].ends_with(|c: char| is_word(c) || c == '.'));
        path_of_machine || banned_words().iter().any(|word| line.contains(word.as_str()))
    };
    let lines = text.lines().enumerate().filter(|(_, line)| is_foreign(line));
    lines.map(|(index, line)| format!("{path}:{}: {}", index + 1, line.trim())).collect()
}

fn none(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn dependencies_point_one_way() {
    none(&rust_sources().iter().flat_map(|source| direction(&source.path, &source.text)).collect::<Vec<_>>());
    assert_eq!(direction("src/http/routes.rs", "use crate::{domain::lag, actors::message::Tick};").len(), 1);
    assert_eq!(direction("src/http.rs", "fn f() { crate::recompute::run() }").len(), 1);
    assert_eq!(direction("src/domain/lag.rs", "pub use crate::config::Judging;").len(), 1);
    assert_eq!(direction("src/main.rs", "use mirrorwatch::{app, domain};").len(), 1);
    assert_eq!(
        direction(
            "src/ports/dial.rs",
            "use crate::domain::op;\n// use crate::app;\n#[cfg(test)]\nmod tests {\nuse crate::app; }"
        )
        .len(),
        0
    );
}

#[test]
fn the_pure_half_is_pure() {
    let is_pure = |source: &Source| ["domain", "logux"].contains(&module_of(&source.path));
    let domain: Vec<Source> = rust_sources().into_iter().filter(is_pure).collect();
    assert!(!domain.is_empty());
    none(&domain.iter().flat_map(|source| impurities(&source.path, &source.text)).collect::<Vec<_>>());
    let path = "src/domain/lag.rs";
    for broken in [
        "use std::{fmt, fs::File};",
        "use tokio::sync::mpsc;",
        "fn f() { std::env::var(\"X\"); }",
        "use std::net::IpAddr;",
        "use std::time::{Duration, Instant};",
    ] {
        assert!(!impurities(path, broken).is_empty(), "{broken}");
    }
    assert!(impurities(ADDRESSES, "use std::net::IpAddr;").is_empty());
    assert!(!impurities(ADDRESSES, "use std::net::TcpStream;").is_empty());
    assert!(impurities(path, "use std::time::Duration;\n/// Not tokio::spawn.\nfn instant() {}").is_empty());
}

#[test]
fn actors_hold_recipients_never_addresses_of_each_other() {
    let sources = rust_sources();
    let actors = sources.iter().filter(|source| module_of(&source.path) == "actors");
    let actors: Vec<(&str, &str)> = actors.map(|source| (source.path.as_str(), source.text.as_str())).collect();
    none(&foreign_addresses(&actors));
    let broken = [
        ("a.rs", "impl Actor for Collector {}"),
        ("b.rs", "struct X { to: Addr<Collector>, me: Addr<X> } impl Actor for X {}"),
    ];
    assert_eq!(foreign_addresses(&broken).len(), 1);
}

#[test]
fn the_simulator_is_named_by_the_demo_alone() {
    let names_it = |text: &str| modules_named(&code(text), "crate").iter().any(|name| name == "sim");
    for source in rust_sources().iter().filter(|source| !["sim", "lib"].contains(&module_of(&source.path))) {
        let is_demo = source.path.starts_with("src/app") && source.path.contains("demo");
        assert!(is_demo || !names_it(&source.text), "{} names the simulator", source.path);
    }
    assert!(names_it("use crate::{app, sim::Directory};") && !names_it("use crate::simple;"));
}

#[test]
fn files_stay_short_and_say_what_they_own() {
    let mut found = Vec::new();
    for Source { path, text } in &rust_sources() {
        let lines = before_tests(text).lines().count();
        if lines > LINES_MAX {
            found.push(format!("{path} has {lines} lines before its tests, limit {LINES_MAX}"));
        }
        if !text.starts_with("//!") {
            found.push(format!("{path} does not begin with what it owns (//!)"));
        }
        if path.ends_with("/mod.rs") {
            found.push(format!("{path}: use NAME.rs beside NAME/"));
        }
    }
    none(&found);
    let counted = before_tests("a\n#[cfg(test)]\nmod faults;\nb\n#[cfg(test)]\nmod tests {\nc\n}\n");
    assert_eq!(counted.lines().count(), 4, "only a module that stands in the file itself ends the count");
}

#[test]
fn the_text_is_finished_and_names_no_machine() {
    // What a lock file says is not written by hand.
    let written = project().into_iter().filter(|source| source.path != "Cargo.lock");
    none(&written.flat_map(|source| banned_text(&source.path, &source.text)).collect::<Vec<_>>());
    for word in banned_words() {
        assert_eq!(banned_text("x", &format!("a\n// {word}: b")).len(), 1, "{word}");
    }
    assert_eq!(banned_text("x", &format!("see {}", ["", "work", "x"].join("/"))).len(), 1);
    assert!(banned_text("x", "https://example.org/work/x and frame/work/x").is_empty());
}
