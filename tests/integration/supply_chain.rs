//! What the program is made of: the bill of materials that the README tells how to make has every part, and what may not
//! be in the tree is not.

use crate::world::skip;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// The commands of the README that write a bill of materials, writing to standard output instead.
fn commands() -> Vec<String> {
    let lines = read("README.md");
    let commands = lines.lines().filter_map(|line| line.split_once(" > sbom"));
    commands.map(|(command, _)| command.to_owned()).collect()
}

/// `name@version` of every component that a command lists; why it cannot be run.
fn components(command: &str) -> Result<BTreeSet<String>, String> {
    let output = Command::new("sh").args(["-c", command]).current_dir(ROOT).output().unwrap();
    if !output.status.success() || output.stdout.is_empty() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let bill: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(bill["bomFormat"], "CycloneDX", "{command}");
    let parts = bill["components"].as_array().unwrap().iter();
    Ok(parts.map(|c| format!("{}@{}", c["name"].as_str().unwrap(), c["version"].as_str().unwrap())).collect())
}

#[test]
fn the_bill_of_materials_names_every_part() {
    let commands = commands();
    let [rust, web] = commands.as_slice() else { panic!("two commands: {commands:?}") };
    for (command, least, expected) in [(rust, 300, "actix-web@"), (web, 20, "preact@")] {
        let found = match components(command) {
            Ok(found) => found,
            Err(why) => return skip("bill-of-materials", &why),
        };
        assert!(found.len() >= least && found.iter().any(|part| part.starts_with(expected)), "{}", found.len());
        if command == rust {
            let lock = read("Cargo.lock");
            let values = |key: &'static str| {
                let begin = format!("{key} = \"");
                lock.lines()
                    .filter_map(move |line| line.strip_prefix(&begin)?.strip_suffix('"').map(str::to_owned))
                    .collect::<Vec<_>>()
            };
            let (names, versions) = (values("name"), values("version"));
            for part in names.iter().zip(&versions).map(|(name, version)| format!("{name}@{version}")) {
                assert!(part.starts_with("mirrorwatch@") || found.contains(&part), "{part} is missing");
            }
        }
    }
}

/// How the check of advisories ends, and what it says, where the database can be fetched or not and tells something or not.
fn advisories(checks: &str, fetches: bool, is_clean: bool) -> (Option<i32>, String) {
    let begin = checks.find("advisories() {").unwrap();
    let end = begin + checks[begin..].find("\n}\n").unwrap() + 3;
    let script = format!(
        "set -euo pipefail\ntimeout() {{ shift; \"$@\"; }}\n\
         cargo() {{ case \"$*\" in 'deny fetch db') {fetches} ;; \
         'deny --locked check --disable-fetch advisories') {is_clean} ;; *) exit 99 ;; esac; }}\n{}advisories\n",
        &checks[begin..end]
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn what_may_not_be_in_the_tree_is_not() {
    let (lock, rules, checks) = (read("Cargo.lock"), read(".deny.toml"), read(".ci/run"));
    for name in ["openssl", "openssl-sys", "native-tls", "actix-governor"] {
        assert!(!lock.contains(&format!("name = \"{name}\"\n")), "{name}");
        assert!(rules.contains(&format!("crate = \"{name}\"")), "{name}");
    }
    for engine in ["fancy-regex", "pcre2", "onig"] {
        assert!(!lock.contains(&format!("name = \"{engine}\"\n")), "{engine}: expressions take linear time here");
    }
    assert!(!lock.contains("name = \"h2\"\nversion = \"0.3"));
    assert!(rules.contains("crate = \"h2@0.3\"") && rules.contains("unknown-registry = \"deny\""));
    assert!(
        checks.contains("npm ci --ignore-scripts")
            && checks.contains("cargo deny --locked check bans licenses sources")
    );
    for (fetches, is_clean, ends_well, told) in
        [(false, false, true, "advisories: not checked"), (true, false, false, ""), (true, true, true, "")]
    {
        let (code, said) = advisories(&checks, fetches, is_clean);
        assert_eq!((code == Some(0), said.contains("advisories")), (ends_well, !told.is_empty()), "{code:?} {said}");
        assert!(said.contains(told), "{said}");
    }
    assert!(checks.contains("\nstep 'dependencies: advisories' advisories\n"));
    let sources: BTreeSet<&str> = lock.lines().filter(|line| line.starts_with("source = ")).collect();
    assert_eq!(sources.len(), 1, "one registry: {sources:?}");
}
