//! The public test logs of the method, which are not part of this project: read from the directory that
//! `MIRRORWATCH_INTEROP` names, or from `../shared/interop` beside the package, where one is there.

use super::*;
use crate::domain::frame::{DEFAULT_FORMS, FormCache, Shape, parse, parse_created_ms};
use serde_json::Value;
use serde_json::value::RawValue;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where they are; says so, past the harness, where they are not.
fn directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/interop");
    let named = std::env::var_os("MIRRORWATCH_INTEROP").map(PathBuf::from);
    if let Some(named) = &named {
        assert!(named.join("valid").is_dir(), "MIRRORWATCH_INTEROP: no directory `valid` in {}", named.display());
    }
    let found = named.or_else(|| Some(beside())).filter(|directory| directory.join("valid").is_dir());
    if found.is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: no public test logs at hand; MIRRORWATCH_INTEROP names their directory"
        );
    }
    found
}

/// The logs in a directory by name.
fn logs(directory: &Path) -> Vec<(String, Vec<Value>)> {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
    };
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut logs: Vec<_> = files.filter(is_json).map(read).collect();
    logs.sort_by(|a: &(String, _), b| a.0.cmp(&b.0));
    logs
}

fn check(log: &[Value]) -> LogCheck {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let entry = |entry: &Value| Entry {
        did: Did::parse(&text(entry, "did")).unwrap(),
        cid: Some(Cid::parse(&text(entry, "cid")).unwrap()),
        operation: entry["operation"].to_string().into(),
        created_ms: parse_created_ms(&text(entry, "createdAt")).unwrap(),
        nullified: entry["nullified"].as_bool().unwrap(),
    };
    let entries: Vec<Entry<'_>> = log.iter().map(entry).collect();
    check_log(entries[0].did, &entries)
}

/// What each public invalid log is wrong in, by its name without `log_invalid_`.
const EXPECTED: &[(&str, &str)] = &[
    ("nullification_reused_key", "weaker_signer"),
    ("nullification_too_slow", "recovery_too_late"),
    ("sig_b64_newline", "sig_encoding"),
    ("sig_b64_padding_bits", "sig_encoding"),
    ("sig_b64_padding_chars", "sig_encoding"),
    // DER of a signature with small numbers, which happens to fill 64 bytes.
    ("sig_der", "bad_signature"),
    ("sig_k256_high_s", "sig_high_s"),
    ("sig_p256_high_s", "sig_high_s"),
    ("update_nullified", "prev_nullified"),
    ("update_tombstoned", "prev_tombstoned"),
];

#[test]
fn the_public_logs_are_judged_as_their_names_say() {
    let Some(directory) = directory() else { return };
    let (valid, invalid) = (logs(&directory.join("valid")), logs(&directory.join("invalid")));
    assert!(valid.len() >= 10 && invalid.len() >= EXPECTED.len(), "{} and {} logs", valid.len(), invalid.len());
    for (name, log) in &valid {
        let check = check(log);
        assert!(check.is_valid(), "{name}: {:?}", check.violations);
        assert!(check.signers.iter().all(Option::is_some), "{name}");
    }
    for (name, log) in &invalid {
        let check = check(log);
        let rules: Vec<&str> = check.violations.iter().map(|(_, violation)| violation.rule.name()).collect();
        let expected = EXPECTED.iter().find(|(suffix, _)| name.ends_with(suffix));
        match expected {
            Some((_, rule)) => assert_eq!(rules, [*rule], "{name}: {:?}", check.violations),
            None => assert!(!rules.is_empty(), "{name}"),
        }
    }
}

#[test]
fn the_public_logs_are_read_as_their_lines_say() {
    let Some(directory) = directory() else { return };
    let mut forms = FormCache::new(DEFAULT_FORMS, [3, 4]);
    let mut read = 0;
    for file in std::fs::read_dir(directory.join("valid")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for line in serde_json::from_str::<Vec<&RawValue>>(&text).unwrap() {
            let claimed: Value = serde_json::from_str(line.get()).unwrap();
            let key = parse(line.get(), Shape::Legacy, &mut forms).unwrap().op.key;
            let told = (key.did.to_string(), key.cid.to_string());
            assert_eq!(told, (claimed["did"].as_str().unwrap().into(), claimed["cid"].as_str().unwrap().into()));
            assert_eq!(Cid::of_operation(&claimed["operation"].to_string()).unwrap().0, key.cid, "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 20, "{read} lines");
}
