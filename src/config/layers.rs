//! Where a configuration comes from: a file, the environment and the command line, laid over each other.
//!
//! Defaults are the lowest layer and live with their keys; this owns the others. Keys are compared with the known ones
//! here, layer by layer, because after merging nobody could tell where an unknown one stood.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use ::config::{Case, Environment, FileFormat, Value};

use super::position::{ENTRIES_MAX, Entry, Lines, entries, line_of, lines};
use super::problem::{ConfigError, Origin, Problem, did_you_mean, quoted};
use super::tree::Layers;
use super::{RECOMPUTERS, SHOWN_CHARS, known_paths};
use crate::domain::text::{is_hidden, printable};

/// Largest configuration file, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
/// What the names of all environment variables of this program begin with.
const PREFIX: &str = "MIRRORWATCH_";

/// Which file to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FileChoice {
    /// None at all.
    #[default]
    None,
    /// This one, if it exists.
    IfThere(PathBuf),
    /// This one; it is an error when it does not exist.
    Given(PathBuf),
}

/// What a configuration is made from, apart from the defaults; weakest first.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The file.
    pub file: FileChoice,
    /// All environment variables; those of other programs are passed over.
    pub environment: Vec<(OsString, OsString)>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

/// The merged layers with what was wrong with single layers.
pub(super) struct Merged {
    pub layers: Layers,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
}

/// Reads all layers and merges them.
pub(super) fn merge(inputs: &Inputs) -> Result<Merged, ConfigError> {
    let known = Known::new();
    let mut merged = Merged { layers: Layers::none(), problems: Vec::new(), warnings: Vec::new() };
    let mut builder = ::config::Config::builder();
    if let Some((file, text)) = read_file(&inputs.file)? {
        merged.layers.file.clone_from(&file);
        match syntax_problem(&file, &text) {
            None => {
                let entries = entries(&text);
                let origin = |line| Origin::File { file: file.clone(), line, column: None };
                if entries.len() >= ENTRIES_MAX {
                    let why = format!("{ENTRIES_MAX} keys and elements or more; check that this is the right file");
                    return Err(ConfigError::NotText { file, why });
                }
                merged.problems.extend(known.compare(&entries, origin));
                merged.layers.lines = lines(&entries);
                builder = builder.add_source(::config::File::from_str(&text, FileFormat::Json));
            }
            Some(problem) => merged.problems.push(problem),
        }
    }
    let flags = [
        ("listen", "--listen", inputs.listen.clone()),
        ("dataDir", "--data-dir", inputs.data_dir.as_ref().map(|dir| dir.to_string_lossy().into_owned())),
    ];
    let flags = flags.map(|(path, flag, value)| value.map(|value| (path, flag, value)));
    for (path, flag, _) in flags.iter().flatten() {
        merged.layers.outside.push(((*path).to_owned(), Origin::CommandLine { flag }));
    }
    let mut variables = known.environment(&inputs.environment, &mut merged);
    let mirrors = variables.remove(&variable("mirrors")).and_then(|text| mirrors_of(&text, &known, &mut merged));
    let environment = Environment::with_prefix("MIRRORWATCH")
        .prefix_separator("_")
        .separator("__")
        .convert_case(Case::Camel)
        .source(Some(variables.into_iter().collect()));
    builder = builder.add_source(environment);
    let unusable = |error: ::config::ConfigError| ConfigError::NotText {
        file: merged.layers.file.clone(),
        why: error.to_string(),
    };
    if let Some(mirrors) = mirrors {
        builder = builder.set_override("mirrors", mirrors).map_err(unusable)?;
    }
    for (path, _, value) in flags.into_iter().flatten() {
        builder = builder.set_override(path, value).map_err(unusable)?;
    }
    merged.layers.root = builder.build().map_err(unusable)?.cache;
    Ok(merged)
}

/// Name and text of the file, if there is one to read.
fn read_file(choice: &FileChoice) -> Result<Option<(String, String)>, ConfigError> {
    let (path, must_exist) = match choice {
        FileChoice::None => return Ok(None),
        FileChoice::IfThere(path) => (path, false),
        FileChoice::Given(path) => (path, true),
    };
    let file = path.strip_prefix("./").unwrap_or(path).display().to_string();
    let not_text = |why: String| ConfigError::NotText { file: file.clone(), why };
    let opened = match File::open(path) {
        Err(error) if !must_exist && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| ConfigError::from_io(&file, &error))?,
    };
    let mut bytes = Vec::new();
    let read = opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| ConfigError::from_io(&file, &error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(not_text(
            "larger than 1 MiB; a configuration is smaller: check that this is the right file".to_owned(),
        ));
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(not_text(format!("NUL at byte {at}; save the file as UTF-8 text")));
    }
    match String::from_utf8(bytes) {
        // Some editors begin UTF-8 with a byte order mark, which is no JSON.
        Ok(text) => Ok(Some((file, text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))),
        Err(error) => Err(not_text(format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()))),
    }
}

/// One character of the file, fit for a terminal.
fn shown(c: char) -> String {
    if is_hidden(c) { c.escape_default().to_string() } else { c.to_string() }
}

/// What keeps `text` from being one JSON object.
fn syntax_problem(file: &str, text: &str) -> Option<Problem> {
    let problem = |line: usize, column: usize, why: String| Problem {
        origin: Origin::File { file: file.to_owned(), line: line as u32, column: Some(column as u32) },
        path: String::new(),
        value: None,
        why,
        found: String::new(),
    };
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(_)) => None,
        Ok(_) => Some(problem(1, 1, "expected an object; begin the file with `{`".to_owned())),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let message = error.to_string();
            let why = message.rsplit_once(" at line ").map_or(message.as_str(), |(why, _)| why);
            let rest = text.lines().nth(line.saturating_sub(1)).and_then(|l| l.get(column.saturating_sub(1)..));
            Some(match rest.and_then(|rest| rest.chars().next()) {
                Some(found) if !error.is_eof() => problem(line, column, format!("{why}; found `{}`", shown(found))),
                _ => problem(line, column, why.replace("EOF while", "the file ends while")),
            })
        }
    }
}

/// The mirrors that the environment names: a JSON list as in the file, or addresses with commas between them.
fn mirrors_of(text: &str, known: &Known, merged: &mut Merged) -> Option<Value> {
    let variable = variable("mirrors");
    let json = if text.trim_start().starts_with('[') {
        text.to_owned()
    } else {
        let addresses = text.split(',').map(str::trim).filter(|address| !address.is_empty());
        let mirrors = addresses.map(|address| serde_json::json!({ "url": address }));
        mirrors.collect::<serde_json::Value>().to_string()
    };
    match serde_json::from_str::<Value>(&json) {
        Ok(value) => {
            let inside = entries(&format!("{{\"mirrors\":{json}}}"));
            let origin = |_| Origin::Environment { variable: variable.clone() };
            merged.problems.extend(known.compare(&inside, origin));
            Some(value)
        }
        Err(error) => {
            merged.problems.push(Problem {
                origin: Origin::Environment { variable },
                path: "mirrors".to_owned(),
                value: None,
                why: format!("expected addresses with commas between them, or a JSON list; {error}"),
                found: String::new(),
            });
            None
        }
    }
}

/// The name of the environment variable that sets `path`.
pub(super) fn variable(path: &str) -> String {
    let mut name = String::from(PREFIX);
    for c in path.chars() {
        match c {
            '.' => name.push_str("__"),
            c if c.is_ascii_uppercase() => name.extend(['_', c]),
            c => name.push(c.to_ascii_uppercase()),
        }
    }
    name
}

/// The keys that exist, written without the positions in lists: `mirrors[].url`.
struct Known {
    keys: BTreeSet<String>,
}

impl Known {
    fn new() -> Known {
        let mut keys = BTreeSet::new();
        for path in known_paths() {
            let path = pattern(&path);
            for (end, _) in path.match_indices(['.', '[']) {
                keys.extend(path.get(..end).map(str::to_owned));
            }
            keys.insert(path);
        }
        Known { keys }
    }

    /// The names that are known directly in `container`, a pattern.
    fn names_in<'k>(&'k self, container: &'k str) -> impl Iterator<Item = &'k str> {
        self.keys.iter().filter_map(move |key| {
            let name = if container.is_empty() { key } else { key.strip_prefix(container)?.strip_prefix('.')? };
            (!name.contains(['.', '['])).then_some(name)
        })
    }

    /// Problems with the keys of one layer: unknown ones and ones that are given twice.
    fn compare(&self, entries: &[Entry], origin: impl Fn(u32) -> Origin) -> Vec<Problem> {
        let mut problems = Vec::new();
        // Below these nothing is looked at: comments, and what hangs on an unknown key.
        let mut closed: BTreeSet<&str> = BTreeSet::new();
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for entry in entries {
            let Some(key) = &entry.key else {
                if closed.contains(entry.container.as_str()) {
                    closed.insert(&entry.path);
                }
                continue;
            };
            if closed.contains(entry.container.as_str()) || key.starts_with("_comment") {
                closed.insert(&entry.path);
                continue;
            }
            let container = pattern(&entry.container);
            let mut note = |why: String| {
                let (origin, path) = (origin(entry.line), entry.container.clone());
                problems.push(Problem { origin, path, value: None, why, found: String::new() });
            };
            if !self.names_in(&container).any(|name| name == key) {
                closed.insert(&entry.path);
                note(self.unknown(&container, key));
            } else if let Some(first) = seen.insert(&entry.path, entry.line) {
                note(format!("key {} is given twice, first in line {first}; remove one", quoted(key)));
            }
        }
        problems
    }

    fn unknown(&self, container: &str, key: &str) -> String {
        let meant = did_you_mean(key, self.names_in(container)).map(|meant| format!("did you mean {}?", quoted(meant)));
        if container == "analytics.recomputeIntervalSeconds" {
            let meant = meant.map(|meant| format!("{meant} ")).unwrap_or_default();
            return format!("unknown recomputer {}; {meant}known: {}", quoted(key), RECOMPUTERS.join(", "));
        }
        let names = || self.names_in(container).collect::<Vec<_>>().join(", ");
        let advice = meant.unwrap_or_else(|| format!("known here: {}", names()));
        format!("unknown key {}; {advice}", quoted(key))
    }

    /// The variables that set something, by name; notes their origin, and a warning for each one that is not known.
    fn environment(&self, all: &[(OsString, OsString)], merged: &mut Merged) -> BTreeMap<String, String> {
        let is_section = |path: &str| path != "mirrors" && self.names_in(path).next().is_some();
        let settable = self.keys.iter().filter(|key| !key.contains('[') && !is_section(key));
        let paths: BTreeMap<String, &String> = settable.map(|key| (variable(key), key)).collect();
        let mut found = BTreeMap::new();
        for (name, value) in all {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            match (paths.get(name), value.to_str()) {
                (None, _) => {
                    let meant = did_you_mean(name, paths.keys().map(String::as_str));
                    let name = printable(name, SHOWN_CHARS);
                    let advice = meant.map_or("it is ignored".to_owned(), |meant| format!("did you mean {meant}?"));
                    merged.warnings.push(format!("mirrorwatch: environment: {name} is not known; {advice}"));
                }
                (Some(path), None) => merged.problems.push(Problem {
                    origin: Origin::Environment { variable: name.to_owned() },
                    path: (*path).clone(),
                    value: None,
                    why: "not UTF-8".to_owned(),
                    found: String::new(),
                }),
                // An empty variable is how many a script unsets one.
                (Some(_), Some("")) => {}
                (Some(path), Some(value)) => {
                    let origin = Origin::Environment { variable: name.to_owned() };
                    merged.layers.outside.push(((*path).clone(), origin));
                    found.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        found
    }
}

/// `path` without the positions in lists.
fn pattern(path: &str) -> String {
    let mut is_inside = false;
    let keep = |c: &char| {
        let is_digit_inside = is_inside && c.is_ascii_digit();
        is_inside = *c == '[' || is_digit_inside;
        !is_digit_inside
    };
    path.chars().filter(keep).collect()
}

/// Orders problems as a reader of the file meets them, then those of the environment and the command line.
pub(super) fn in_reading_order(problems: &mut [Problem], lines: &Lines) {
    problems.sort_by_key(|problem| match &problem.origin {
        Origin::File { line, .. } => (0, *line),
        Origin::Default => (1, line_of(lines, &problem.path).unwrap_or(0)),
        Origin::Environment { .. } => (2, 0),
        Origin::CommandLine { .. } => (3, 0),
    });
}
