//! A configuration: it loads, and what is told of it loads again to the same; or each mistake is told in a line, and no
//! line repeats a secret.

use std::ffi::OsString;

use mirrorwatch::config::{ConfigError, FileChoice, Inputs, Loaded, SHOWN_PROBLEMS, Setting, load};
use serde_json::{Map, Value};

use super::reference::assert_line;

/// Separates the file from lines `NAME=VALUE` of the environment.
const SEPARATOR: char = '\u{1e}';
/// Longest line about one mistake, in characters: a variable's value and a part of it, 80 each, all of them escaped, and
/// some words.
const LINE_CHARS_MAX: usize = 1_600;
/// Shortest text that is looked for as a secret, in characters: shorter ones occur by chance.
const SECRET_CHARS_MIN: usize = 6;

thread_local! {
    static SCRATCH: tempfile::TempDir = tempfile::tempdir().expect("a directory");
}

/// A file, and variables of the environment behind a record separator.
pub fn config(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == SEPARATOR as u8).unwrap_or(data.len());
    let (file, rest) = data.split_at(at);
    let rest = String::from_utf8_lossy(rest);
    let variables = rest.lines().filter_map(|line| line.trim_start_matches(SEPARATOR).split_once('='));
    let environment: Vec<(String, String)> = variables.map(|(name, value)| (name.into(), value.into())).collect();
    match loaded(file, &environment) {
        Ok(loaded) => accepted(&loaded),
        Err(error) => refused(&error, &texts_of(file, &environment)),
    }
}

/// Loads these layers, and gives the directory of the file away from what is told.
fn loaded(file: &[u8], environment: &[(String, String)]) -> Result<Loaded, ConfigError> {
    SCRATCH.with(|scratch| {
        let at = scratch.path().join("config.json");
        // A file that is written over is forced to the disk by some file systems, a new one is not.
        let _ = std::fs::remove_file(&at);
        std::fs::write(&at, file).expect("a scratch file");
        let variable = |(name, value): &(String, String)| (OsString::from(name), OsString::from(value));
        let environment = environment.iter().map(variable).collect();
        load(&Inputs { file: FileChoice::Given(at), environment, ..Inputs::default() })
    })
}

fn accepted(loaded: &Loaded) {
    let report = loaded.report();
    assert_eq!(report.lines().count(), loaded.settings.len(), "a setting takes one line");
    report.lines().chain(loaded.warnings.iter().map(String::as_str)).for_each(|line| assert_line(line, usize::MAX));
    let mut root = Value::Object(Map::new());
    for Setting { path, value, .. } in &loaded.settings {
        put(&mut root, path, serde_json::from_str(value).expect("a value is JSON"));
    }
    let again = self::loaded(root.to_string().as_bytes(), &[]).expect("what is told loads again");
    assert_eq!(again.config, loaded.config);
    let values = |loaded: &Loaded| -> Vec<(String, String)> {
        loaded.settings.iter().map(|setting| (setting.path.clone(), setting.value.clone())).collect()
    };
    assert_eq!(values(&again), values(loaded));
}

/// Puts `value` at `path`, as `mirrors[0].url`.
fn put(root: &mut Value, path: &str, value: Value) {
    let mut place = root;
    for step in path.split(['.', '[']) {
        place = if let Some(index) = step.strip_suffix(']') {
            let index: usize = index.parse().expect("a position");
            if !place.is_array() {
                *place = Value::Array(Vec::new());
            }
            let list = place.as_array_mut().expect("a list");
            while list.len() <= index {
                list.push(Value::Null);
            }
            &mut list[index]
        } else {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place.as_object_mut().expect("an object").entry(step).or_insert(Value::Null)
        };
    }
    *place = value;
}

fn refused(error: &ConfigError, texts: &Texts) {
    let told = error.to_string();
    assert!([64, 78].contains(&error.exit_code()), "exit code {}", error.exit_code());
    let lines: Vec<&str> = told.split('\n').collect();
    if let ConfigError::Invalid(problems) = error {
        let expected = if problems.len() > SHOWN_PROBLEMS { SHOWN_PROBLEMS + 1 } else { problems.len() };
        assert!(!problems.is_empty() && lines.len() == expected, "one line a mistake: {told:?}");
    }
    for line in &lines {
        assert!(line.starts_with("mirrorwatch: "), "{line:?}");
        assert_line(line, LINE_CHARS_MAX);
    }
    for secret in texts.secrets() {
        assert!(!told.contains(secret), "the secret {secret:?} is told: {told:?}");
    }
}

/// All texts of a configuration, decoded, those apart that may hold a secret.
#[derive(Default)]
struct Texts {
    all: Vec<String>,
    addresses: Vec<String>,
    token_files: Vec<String>,
}

fn texts_of(file: &[u8], environment: &[(String, String)]) -> Texts {
    let mut texts = Texts::default();
    if let Ok(value) = serde_json::from_slice(file) {
        texts.collect("", &value);
    }
    for (name, value) in environment {
        texts.all.extend([name.clone(), value.clone()]);
        match name.as_str() {
            "MIRRORWATCH_HTTP__ADMIN_TOKEN_FILE" => texts.token_files.push(value.clone()),
            "MIRRORWATCH_PRIMARY__URL" => texts.addresses.push(value.clone()),
            _ => {}
        }
    }
    texts
}

impl Texts {
    fn collect(&mut self, key: &str, value: &Value) {
        match value {
            Value::String(text) => {
                self.all.push(text.clone());
                match key {
                    "url" => self.addresses.push(text.clone()),
                    "adminTokenFile" => self.token_files.push(text.clone()),
                    _ => {}
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(key, item)),
            Value::Object(entries) => {
                for (key, value) in entries {
                    self.all.push(key.clone());
                    self.collect(key, value);
                }
            }
            _ => {}
        }
    }

    /// Passwords and queries of addresses, and what was given in place of the token's file, where the text does not
    /// stand anywhere else.
    fn secrets(&self) -> Vec<&str> {
        let mut secrets = Vec::new();
        for address in &self.addresses {
            let Some((_, rest)) = address.split_once("://") else { continue };
            secrets.extend(rest.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map(|(_, secret)| secret));
            secrets.extend(rest.split_once('?').map(|(_, query)| query.split('#').next().unwrap_or_default()));
        }
        secrets.extend(self.token_files.iter().filter(|file| !file.contains('/')).map(String::as_str));
        let occurrences = |secret: &str| -> usize { self.all.iter().map(|text| text.matches(secret).count()).sum() };
        secrets.retain(|secret| secret.chars().count() >= SECRET_CHARS_MIN && occurrences(secret) == 1);
        secrets
    }
}
