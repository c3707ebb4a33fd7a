//! What is wrong with a configuration, in the words that a user reads.
//!
//! A problem is one line: where the value stands, which key it is, why it is refused and how to mend it. Values are
//! quoted with control and direction characters escaped, cut at [`SHOWN_CHARS`], and without anything that may be a
//! secret. Nothing here decides what is wrong; the files of the single concerns do.

use std::fmt;

use thiserror::Error;

use crate::cli::exit;
use crate::domain::text::is_hidden;

/// Longest part of a user's value that a message repeats, in characters.
pub const SHOWN_CHARS: usize = 80;

/// Problems that are told one by one; more are counted.
pub const SHOWN_PROBLEMS: usize = 200;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File {
        /// The file as the user named it.
        file: String,
        /// Line of the key, from 1.
        line: u32,
        /// Column in bytes from 1, known for syntax errors alone.
        column: Option<u32>,
    },
    /// An environment variable.
    Environment {
        /// The variable's name, as `MIRRORWATCH_LISTEN`.
        variable: String,
    },
    /// An argument of the program, as `--listen`.
    CommandLine {
        /// The flag.
        flag: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { file, line, column: None } => write!(f, "{file}:{line}"),
            Origin::File { file, line, column: Some(column) } => write!(f, "{file}:{line}:{column}"),
            Origin::Environment { variable } => write!(f, "environment {variable}"),
            Origin::CommandLine { .. } => f.write_str("command line"),
        }
    }
}

/// One thing that is wrong, where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the offending value comes from.
    pub origin: Origin,
    /// The key, as `mirrors[2].url`; empty when the file as a whole is meant.
    pub path: String,
    /// The offending value, quoted and safe to show; shown beside an environment variable's name.
    pub value: Option<String>,
    /// Why it is refused, and how to mend it.
    pub why: String,
    /// What a file's or an argument's message adds: an example, and the value that was found.
    pub found: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { origin, path, why, found, value } = self;
        // A remark in brackets belongs to the key itself.
        let colon = if why.starts_with('(') { "" } else { ":" };
        match origin {
            Origin::Environment { variable } => {
                write!(f, "mirrorwatch: environment: {variable}")?;
                if let Some(value) = value {
                    write!(f, "={value}")?;
                }
                write!(f, "{colon} {why} (overrides {path})")
            }
            Origin::CommandLine { flag } => write!(f, "mirrorwatch: {flag}: {why}{found}"),
            Origin::Default => write!(f, "mirrorwatch: config: {path}{colon} {why}{found}"),
            Origin::File { .. } if path.is_empty() => write!(f, "mirrorwatch: config: {origin}: {why}{found}"),
            Origin::File { .. } => write!(f, "mirrorwatch: config: {origin}: {path}{colon} {why}{found}"),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file that was asked for does not exist.
    #[error("mirrorwatch: config: {file}: not found; copy config.example.json, or leave --config out for the defaults")]
    NotFound {
        /// The file as the user named it.
        file: String,
    },
    /// The file is there and cannot be read.
    #[error("mirrorwatch: config: {file}: {reason}; check the file and who may read it")]
    Unreadable {
        /// The file as the user named it.
        file: String,
        /// What the system said, in its own words.
        reason: String,
        /// Whether it was a matter of permission.
        is_permission: bool,
    },
    /// The file is not text that could be looked at, as a whole.
    #[error("mirrorwatch: config: {file}: {why}")]
    NotText {
        /// The file as the user named it.
        file: String,
        /// Too large, not UTF-8, holding NUL, or no file.
        why: String,
    },
    /// Everything that is wrong with the values, at once: one line each, [`SHOWN_PROBLEMS`] of them at most.
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
}

/// One line for each of the first problems, and one that counts the rest.
fn lines(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(SHOWN_PROBLEMS).map(ToString::to_string).collect();
    if let Some(more) = problems.len().checked_sub(SHOWN_PROBLEMS).filter(|more| *more > 0) {
        lines.push(format!("mirrorwatch: config: and {more} more problems"));
    }
    lines.join("\n")
}

impl ConfigError {
    /// The program's exit code for this: 66 for an absent file, 77 for one that may not be read, 64 when only the
    /// command line or the environment is wrong, else 78.
    pub fn exit_code(&self) -> u8 {
        match self {
            ConfigError::Unreadable { is_permission: true, .. } => exit::NO_PERMISSION,
            ConfigError::NotFound { .. } | ConfigError::Unreadable { .. } => exit::NO_INPUT,
            ConfigError::NotText { .. } => exit::CONFIG,
            ConfigError::Invalid(problems) => {
                let outside = |p: &Problem| matches!(p.origin, Origin::Environment { .. } | Origin::CommandLine { .. });
                if problems.iter().all(outside) { exit::USAGE } else { exit::CONFIG }
            }
        }
    }

    /// For an I/O error met on the file `file`, which the user did ask for.
    pub(super) fn from_io(file: &str, error: &std::io::Error) -> ConfigError {
        let file = file.to_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound => ConfigError::NotFound { file },
            kind => ConfigError::Unreadable {
                file,
                reason: kind.to_string(),
                is_permission: kind == std::io::ErrorKind::PermissionDenied,
            },
        }
    }
}

/// `value` in double quotes, fit for one line of a terminal: control and text-direction characters escaped, cut at
/// [`SHOWN_CHARS`], user information and the query of an address replaced by `***`.
pub fn quoted(value: &str) -> String {
    let value = without_secrets(value);
    let mut out = String::from("\"");
    for (count, c) in value.chars().enumerate() {
        if count == SHOWN_CHARS {
            out.push('…');
            break;
        }
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.extend(c.escape_default()),
            c if is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `value` without what may be a password or a token: the user information and the query of an address.
fn without_secrets(value: &str) -> String {
    let mut shown = value.to_owned();
    if let Some(at) = shown.rfind('@') {
        let start = shown.find("//").filter(|start| *start < at).map_or(0, |start| start + 2);
        shown.replace_range(start..at, "***");
    }
    if let (true, Some(query)) = (shown.contains("//"), shown.find('?')) {
        shown.truncate(query);
        shown.push_str("?***");
    }
    shown
}

/// The one of `known` that `word` was probably meant to be: at an edit distance of at most 2, letters' case set aside.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (lower, chars) = (word.to_lowercase(), word.chars().count());
    known
        .into_iter()
        // A word is at least as far as it is longer; measuring takes the product of both lengths.
        .filter(|candidate| candidate.chars().count().abs_diff(chars) <= 2)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= 2 && *distance < chars)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_escaped_and_cut() {
        assert_eq!(quoted("10 minuts"), r#""10 minuts""#);
        assert_eq!(quoted("a\n\u{1b}[31m\"b\\"), r#""a\n\u{1b}[31m\"b\\""#);
        assert_eq!(quoted("\u{202e}gro"), r#""\u{202e}gro""#);
        assert_eq!(quoted(&"x".repeat(200)), format!("\"{}…\"", "x".repeat(80)));
    }

    #[test]
    fn secrets_are_not_repeated() {
        assert_eq!(quoted("wss://user:hunter2@plc.example.org"), r#""wss://***@plc.example.org""#);
        assert_eq!(quoted("user:hunter2@plc.example.org"), r#""***@plc.example.org""#);
        assert_eq!(quoted("wss://user:p//x@plc.example.org"), r#""wss://***@plc.example.org""#);
        assert_eq!(quoted("wss://plc.example.org/?token=hunter2"), r#""wss://plc.example.org/?***""#);
    }

    #[test]
    fn near_words_are_proposed_and_far_ones_are_not() {
        let known = ["mirrors", "listen", "id"];
        assert_eq!(did_you_mean("mirors", known), Some("mirrors"));
        assert_eq!(did_you_mean("LISTEN", known), Some("listen"));
        assert_eq!(did_you_mean("lsiten", known), Some("listen"));
        assert_eq!(did_you_mean("xy", known), None);
        assert_eq!(did_you_mean("retention", known), None);
    }
}
