//! The merged layers as one tree: what stands at a path, and which layer it comes from.
//!
//! Whether a value is right is no matter of the tree; see the reader.

use ::config::{Value, ValueKind};

use super::position::{Lines, line_of};
use super::problem::Origin;

/// The merged layers, and what is known of where their values stood.
pub(super) struct Layers {
    /// All layers in one tree; [`ValueKind::Table`] at the top.
    pub root: Value,
    /// The file's name, as the user gave it.
    pub file: String,
    /// Where the file's keys stand; empty without a file.
    pub lines: Lines,
    /// Keys that the command line or the environment sets, the stronger one first.
    pub outside: Vec<(String, Origin)>,
}

impl Layers {
    /// No layer but the defaults.
    pub(super) fn none() -> Layers {
        let root = Value::new(None, ValueKind::Table(::config::Map::default()));
        Layers { root, file: String::new(), lines: Lines::new(), outside: Vec::new() }
    }

    /// Walks to `path`.
    pub(super) fn lookup<'p>(&self, path: &'p str) -> Lookup<'_, 'p> {
        let mut value = &self.root;
        let mut passed = 0;
        for step in path.split_inclusive(['.', '[']) {
            let name = step.trim_end_matches(['.', '[']);
            let next = match (&value.kind, name.strip_suffix(']')) {
                (ValueKind::Array(elements), Some(index)) => index.parse::<usize>().ok().and_then(|i| elements.get(i)),
                (ValueKind::Table(table), None) => table.get(name),
                _ => {
                    let container = path.get(..passed).unwrap_or_default().trim_end_matches(['.', '[']);
                    return Lookup::Blocked { container, value };
                }
            };
            match next {
                Some(next) => value = next,
                None => return Lookup::Absent,
            }
            passed += step.len();
        }
        Lookup::Found(value)
    }

    /// Where the value of `path` comes from.
    pub(super) fn origin(&self, path: &str) -> Origin {
        let covers = |key: &str| path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('['));
        if let Some((_, origin)) = self.outside.iter().find(|(key, _)| covers(key)) {
            return origin.clone();
        }
        match line_of(&self.lines, path) {
            Some(line) => Origin::File { file: self.file.clone(), line, column: None },
            None => Origin::Default,
        }
    }
}

/// What stands at a path.
pub(super) enum Lookup<'v, 'p> {
    /// A value.
    Found(&'v Value),
    /// Nothing.
    Absent,
    /// `container`, on the way, is neither an object nor a list.
    Blocked { container: &'p str, value: &'v Value },
}
