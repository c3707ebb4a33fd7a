//! Takes typed values out of the merged layers, one key at a time, and never stops at the first mistake.
//!
//! The reader is the only place that knows a key's kind, bounds and default while it is read; asking it for a key is
//! also what makes the key known, so that the list of known keys, the effective settings and the checks cannot differ.
//! A value that is refused is noted as a [`Problem`] and answered by its default, which no one sees: a configuration
//! with problems is never used.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::time::Duration;

use ::config::{Value, ValueKind};

use super::problem::{Origin, Problem, did_you_mean, quoted};
use super::tree::{Layers, Lookup};
use crate::domain::text::is_hidden;

/// One effective setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key, as `mirrors[0].url`.
    pub path: String,
    /// Its value as JSON.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Reads a configuration key by key.
pub(super) struct Reader<'a> {
    layers: &'a Layers,
    /// Everything that was wrong so far.
    pub problems: Vec<Problem>,
    /// Every key that was asked for, in that order.
    pub settings: Vec<Setting>,
    /// Every path that was asked for, given or not.
    pub known: BTreeSet<String>,
    /// Paths that were found to be of the wrong kind, so that each is reported once.
    unsound: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    /// A reader of `layers`.
    pub(super) fn new(layers: &'a Layers) -> Reader<'a> {
        Reader { layers, problems: Vec::new(), settings: Vec::new(), known: BTreeSet::new(), unsound: BTreeSet::new() }
    }

    /// Notes that what stands at `path` is refused because of `why`.
    pub(super) fn problem(&mut self, path: &str, why: impl Into<String>) {
        self.unsound.insert(path.to_owned());
        let value = match self.layers.lookup(path) {
            Lookup::Found(value) | Lookup::Blocked { value, .. } => is_shown(value).then(|| describe(value)),
            Lookup::Absent => None,
        };
        let (origin, path) = (self.layers.origin(path), path.to_owned());
        self.problems.push(Problem { origin, path, value, why: why.into(), found: String::new() });
    }

    /// Like [`Self::problem`], for a value that may be a secret: no message shows it.
    pub(super) fn secret_problem(&mut self, path: &str, why: impl Into<String>) {
        self.problem(path, why);
        if let Some(problem) = self.problems.last_mut() {
            problem.value = None;
        }
    }

    /// Notes that what stands at `path` is not what was `expected`.
    pub(super) fn unexpected(&mut self, path: &str, expected: &str) {
        if let Some(value) = self.find(path) {
            self.refuse(path, value, expected, None);
        }
    }

    /// Whether nothing was wrong with any of `paths` so far.
    pub(super) fn is_sound(&self, paths: &[&str]) -> bool {
        !paths.iter().any(|path| self.unsound.contains(*path))
    }

    /// Whether some layer sets `path` to anything but null.
    pub(super) fn is_given(&mut self, path: &str) -> bool {
        self.find(path).is_some_and(|value| !matches!(value.kind, ValueKind::Nil))
    }

    /// Number of elements of the list at `path`; `None` when no layer sets it, or when it is no list (a problem).
    pub(super) fn list_len(&mut self, path: &str) -> Option<usize> {
        let value = self.find(path)?;
        if let ValueKind::Array(elements) = &value.kind {
            return Some(elements.len());
        }
        self.refuse(path, value, "a list", None);
        None
    }

    /// A text that must not be empty; `default` when none is given.
    pub(super) fn text(&mut self, path: &str, expected: &str, default: &str) -> String {
        self.optional_text(path, expected).unwrap_or_else(|| {
            self.note_default(path, &json(default));
            default.to_owned()
        })
    }

    /// A text that must not be empty, noted as a setting when given.
    pub(super) fn optional_text(&mut self, path: &str, expected: &str) -> Option<String> {
        let value = self.find(path)?;
        match &value.kind {
            ValueKind::Nil => None,
            ValueKind::String(text) if !text.is_empty() => {
                self.note(path, &json(text));
                Some(text.clone())
            }
            _ => {
                self.refuse(path, value, expected, None);
                None
            }
        }
    }

    /// A text that `parse` understands, described to the user as `expected`, with an `example`.
    pub(super) fn parsed<T>(
        &mut self,
        path: &str,
        (expected, example): (&str, &str),
        default: T,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T
    where
        T: ToString,
    {
        if let Some(value) = self.find(path) {
            if let ValueKind::String(text) = &value.kind
                && let Some(parsed) = parse(text)
            {
                self.note(path, &json(text));
                return parsed;
            }
            self.refuse(path, value, expected, Some(example));
        }
        self.note_default(path, &json(&default.to_string()));
        default
    }

    /// One word of a closed list; the first is the default.
    pub(super) fn one_of<T: Copy>(&mut self, path: &str, words: &[(&str, T)], default: T) -> T {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        if let Some(value) = self.find(path) {
            let text = as_text(value);
            if let Some((name, chosen)) = words.iter().find(|(name, _)| text == Some(*name)) {
                self.note(path, &json(name));
                return *chosen;
            }
            let expected = format!("one of {}", names.iter().map(|n| quoted(n)).collect::<Vec<_>>().join(", "));
            self.refuse(path, value, &expected, None);
            let meant = text.and_then(|text| did_you_mean(text, names.iter().copied()));
            if let (Some(meant), Some(problem)) = (meant, self.problems.last_mut()) {
                problem.found = format!("{}; did you mean {}?", problem.found, quoted(meant));
            }
        }
        self.note_default(path, &json(names.first().copied().unwrap_or_default()));
        default
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, path: &str, default: bool) -> bool {
        if let Some(value) = self.find(path) {
            let found = as_boolean(value, self.is_environment(path));
            if let Some(found) = found {
                self.note(path, &found.to_string());
                return found;
            }
            self.refuse(path, value, "true or false", None);
        }
        self.note_default(path, &default.to_string());
        default
    }

    /// Whether `path` is given as true, without a word on what else it may be.
    pub(super) fn is_true(&mut self, path: &str) -> bool {
        let is_environment = self.is_environment(path);
        self.find(path).and_then(|value| as_boolean(value, is_environment)).unwrap_or(false)
    }

    /// A list of texts, comma-separated in the environment.
    pub(super) fn texts(&mut self, path: &str, expected: &str, default: &[&str]) -> Vec<String> {
        if let Some(value) = self.find(path) {
            let found: Option<Vec<String>> = match &value.kind {
                ValueKind::Array(elements) => elements.iter().map(|e| as_text(e).map(str::to_owned)).collect(),
                ValueKind::String(text) if self.is_environment(path) => {
                    Some(text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
                }
                _ => None,
            };
            if let Some(found) = found {
                self.note(path, &json_list(found.iter().map(String::as_str)));
                return found;
            }
            self.refuse(path, value, expected, None);
        }
        self.note_default(path, &json_list(default.iter().copied()));
        default.iter().map(|text| (*text).to_owned()).collect()
    }

    /// A whole number within `bounds`.
    pub(super) fn integer(&mut self, path: &str, default: u64, bounds: RangeInclusive<u64>) -> u64 {
        let (low, high) = (*bounds.start(), *bounds.end());
        if let Some(value) = self.find(path) {
            let number = self.as_number(path, value);
            if let Some(number) = number.filter(|n| n.fract() == 0.0 && *n >= low as f64 && *n <= high as f64) {
                self.note(path, &number.to_string());
                return number as u64;
            }
            self.refuse(path, value, &format!("a whole number from {low} to {high}"), None);
        }
        self.note_default(path, &default.to_string());
        default
    }

    /// A number within `bounds`.
    pub(super) fn number(&mut self, path: &str, default: f64, bounds: RangeInclusive<f64>) -> f64 {
        self.optional_number(path, bounds).unwrap_or_else(|| {
            self.note_default(path, &default.to_string());
            default
        })
    }

    /// A number within `bounds`, noted as a setting when given.
    pub(super) fn optional_number(&mut self, path: &str, bounds: RangeInclusive<f64>) -> Option<f64> {
        let value = self.find(path)?;
        if matches!(value.kind, ValueKind::Nil) && !self.is_environment(path) {
            return None;
        }
        let number = self.as_number(path, value).filter(|number| bounds.contains(number));
        if let Some(number) = number {
            self.note(path, &number.to_string());
        } else {
            let expected = format!("a number from {} to {}", bounds.start(), bounds.end());
            self.refuse(path, value, &expected, None);
        }
        number
    }

    /// A span given in seconds, within `bounds`.
    pub(super) fn seconds(&mut self, path: &str, default: f64, bounds: RangeInclusive<f64>) -> Duration {
        Duration::from_secs_f64(self.number(path, default, bounds))
    }

    /// Notes an effective value that no layer gives.
    pub(super) fn note_default(&mut self, path: &str, value: &str) {
        self.settings.push(Setting { path: path.to_owned(), value: value.to_owned(), origin: Origin::Default });
    }

    /// Notes an effective value that some layer gives.
    pub(super) fn note(&mut self, path: &str, value: &str) {
        let origin = self.layers.origin(path);
        self.settings.push(Setting { path: path.to_owned(), value: value.to_owned(), origin });
    }

    fn is_environment(&self, path: &str) -> bool {
        matches!(self.layers.origin(path), Origin::Environment { .. })
    }

    /// Notes that `value` is not what was `expected`.
    fn refuse(&mut self, path: &str, value: &Value, expected: &str, example: Option<&str>) {
        self.unsound.insert(path.to_owned());
        let example = example.map(|example| format!(", as {}", quoted(example))).unwrap_or_default();
        let shown = describe(value);
        self.problems.push(Problem {
            origin: self.layers.origin(path),
            path: path.to_owned(),
            why: format!("expected {expected}"),
            found: format!("{example}; got {shown}"),
            value: is_shown(value).then_some(shown),
        });
    }

    /// The value at `path`; a problem when something on the way to it is no object.
    fn find(&mut self, path: &str) -> Option<&'a Value> {
        self.known.insert(path.to_owned());
        match self.layers.lookup(path) {
            Lookup::Found(value) => Some(value),
            Lookup::Absent => None,
            Lookup::Blocked { container, value } => {
                if self.is_sound(&[container]) {
                    self.refuse(container, value, "an object", None);
                }
                None
            }
        }
    }

    fn as_number(&self, path: &str, value: &Value) -> Option<f64> {
        match &value.kind {
            ValueKind::I64(number) => Some(*number as f64),
            ValueKind::U64(number) => Some(*number as f64),
            ValueKind::Float(number) => Some(*number),
            ValueKind::String(text) if self.is_environment(path) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// The text of a string value.
fn as_text(value: &Value) -> Option<&str> {
    match &value.kind {
        ValueKind::String(text) => Some(text),
        _ => None,
    }
}

/// The truth that a value states; in the environment as a word or a digit.
fn as_boolean(value: &Value, is_environment: bool) -> Option<bool> {
    match &value.kind {
        ValueKind::Boolean(found) => Some(*found),
        ValueKind::String(text) if is_environment => match text.as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a message beside a variable's name can show the value.
fn is_shown(value: &Value) -> bool {
    !matches!(value.kind, ValueKind::Array(_) | ValueKind::Table(_))
}

/// A value in a message's words.
fn describe(value: &Value) -> String {
    match &value.kind {
        ValueKind::Nil => "null".to_owned(),
        ValueKind::Array(_) => "a list".to_owned(),
        ValueKind::Table(_) => "an object".to_owned(),
        ValueKind::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// `text` as a JSON string that shows all its characters.
pub(super) fn json(text: &str) -> String {
    escaped(&serde_json::Value::from(text).to_string())
}

fn json_list<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    escaped(&texts.collect::<serde_json::Value>().to_string())
}

/// The same JSON, with the characters escaped that JSON lets stand and a terminal does not show.
fn escaped(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        // None of them takes more than one unit of UTF-16.
        if is_hidden(c) {
            // Writing into a string cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}
