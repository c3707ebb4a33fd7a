//! Wrong usage in one line of this program's own form, in place of the several lines that clap would print.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use thiserror::Error;

use crate::config::quoted;

/// Why the arguments cannot be followed; the program then ends with [`super::exit::USAGE`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("mirrorwatch: {0}")]
pub struct UsageError(String);

impl UsageError {
    /// An error with the given words.
    pub(super) fn new(why: impl Into<String>) -> UsageError {
        UsageError(why.into())
    }
}

/// The same error in our words.
pub(super) fn from_clap(error: &clap::Error) -> UsageError {
    let context = |kind: ContextKind| error.get(kind).and_then(first_text);
    let argument = context(ContextKind::InvalidArg).or_else(|| context(ContextKind::InvalidSubcommand));
    let argument = argument.unwrap_or_default();
    // clap names an option together with its value: `--config <FILE>`.
    let flag = argument.split_once(" <").map_or(argument.as_str(), |(flag, _)| flag);
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    UsageError(match error.kind() {
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => {
            let suggested = |kind: ContextKind| error.get(kind).and_then(last_text);
            let similar = suggested(ContextKind::SuggestedArg).or_else(|| suggested(ContextKind::SuggestedSubcommand));
            let advice = similar.map_or("see \"mirrorwatch --help\"".to_owned(), |similar| {
                format!("a similar one exists: {}", quoted(&similar))
            });
            format!("unexpected argument {}; {advice}", quoted(flag))
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("{flag}: needs a value"),
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("{flag} {}: {why}", quoted(&value).trim_matches('"'))
        }
        ErrorKind::MissingRequiredArgument => format!("{argument}: missing; see \"mirrorwatch --help\""),
        ErrorKind::ArgumentConflict => format!("{flag}: given more than once"),
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        _ => {
            let text = error.to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    })
}

/// The text of a piece of context, or the first of several.
fn first_text(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        _ => None,
    }
}

/// The same with the last of several: clap lists suggestions with the most similar one at the end.
fn last_text(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::Strings(texts) => texts.last().cloned(),
        other => first_text(other),
    }
}
