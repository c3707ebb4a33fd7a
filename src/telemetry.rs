//! The log: one subscriber on standard error, for people or for machines.
//!
//! Form and filter come from the configuration alone; `RUST_LOG` is not consulted, so that a forgotten variable cannot
//! silence a service. What a source or a visitor sent goes into a log line only through [`Capped`].

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{DefaultFields, FmtSpan};

use crate::config::{Log, LogFormat, did_you_mean, quoted};
use crate::domain::text::is_hidden;

/// Most bytes of one foreign value in a log line.
pub const FIELD_BYTES_MAX: usize = 200;

/// The words that stand for a level.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Why there is no log.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// A bare word that is no level. It would be taken for the name of a module, and let everything of it through.
    #[error("{} is no level; {advice}", quoted(.word))]
    NoLevel {
        /// The word.
        word: String,
        /// What it may be instead.
        advice: String,
    },
    /// A part of the filter that cannot be understood.
    #[error("{}: {reason}; use a level, or TARGET=LEVEL, comma-separated", quoted(.part))]
    BadPart {
        /// The part.
        part: String,
        /// What the parser said.
        reason: String,
    },
    /// The log that should be changed is there no more.
    #[error("the log is gone")]
    Gone,
    /// Another subscriber was installed before.
    #[error("the log is already set up")]
    AlreadySet,
}

/// Reads a filter such as `info` or `warn,mirrorwatch::actors=debug`.
///
/// # Errors
/// [`TelemetryError::NoLevel`] and [`TelemetryError::BadPart`], for the first part that is wrong.
pub fn parse_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    for part in filter.split(',').map(str::trim) {
        let is_bare = !part.contains(['=', '[', ':']);
        if is_bare && !LEVELS.contains(&part.to_ascii_lowercase().as_str()) {
            let advice = match did_you_mean(part, LEVELS) {
                Some(meant) => format!("did you mean {}?", quoted(meant)),
                None => format!("use one of {}, or TARGET=LEVEL", LEVELS.join(", ")),
            };
            return Err(TelemetryError::NoLevel { word: part.to_owned(), advice });
        }
        if let Err(error) = part.parse::<tracing_subscriber::filter::Directive>() {
            return Err(TelemetryError::BadPart { part: part.to_owned(), reason: error.to_string() });
        }
    }
    EnvFilter::builder()
        .parse(filter)
        .map_err(|error| TelemetryError::BadPart { part: filter.to_owned(), reason: error.to_string() })
}

/// Changes what the running log lets through.
#[derive(Clone)]
pub struct LogControl(Arc<dyn Fn(EnvFilter) -> Result<(), TelemetryError> + Send + Sync>);

impl LogControl {
    /// Lets through what `filter` says from now on.
    ///
    /// # Errors
    /// The filter is wrong, or the log is gone; the one before stands.
    pub fn set_filter(&self, filter: &str) -> Result<(), TelemetryError> {
        (self.0)(parse_filter(filter)?)
    }
}

/// Installs the log for the whole process.
///
/// # Errors
/// The filter is wrong, or a subscriber is there already.
pub fn init(log: &Log) -> Result<LogControl, TelemetryError> {
    let filter = parse_filter(&log.filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::NONE)
        .fmt_fields(DefaultFields::new())
        .with_ansi(std::io::stderr().is_terminal());
    let already = |_| TelemetryError::AlreadySet;
    match log.format {
        LogFormat::Text => {
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            builder.try_init().map_err(already)?;
            Ok(LogControl(Arc::new(move |filter| handle.reload(filter).map_err(|_| TelemetryError::Gone))))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_current_span(false).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.try_init().map_err(already)?;
            Ok(LogControl(Arc::new(move |filter| handle.reload(filter).map_err(|_| TelemetryError::Gone))))
        }
    }
}

/// A foreign text in a log line: what shows nothing of itself or turns what stands around it escaped, at most [`FIELD_BYTES_MAX`] bytes and
/// an ellipsis. Nothing is allocated until the line is really written.
#[derive(Copy, Clone, Debug)]
pub struct Capped<'a>(pub &'a str);

impl fmt::Display for Capped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = FIELD_BYTES_MAX;
        for c in self.0.chars() {
            let is_hidden = is_hidden(c);
            let bytes = if is_hidden { c.escape_default().len() } else { c.len_utf8() };
            let Some(rest) = left.checked_sub(bytes) else { return f.write_str("…") };
            left = rest;
            if is_hidden {
                write!(f, "{}", c.escape_default())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_understood_or_refused_with_advice() {
        for filter in ["info", "OFF", "warn,mirrorwatch::actors=debug", "mirrorwatch=trace,info", "actix_web=off"] {
            assert!(parse_filter(filter).is_ok(), "{filter}");
        }
        let message = |filter: &str| parse_filter(filter).unwrap_err().to_string();
        assert_eq!(message("inof"), r#""inof" is no level; did you mean "info"?"#);
        assert!(message("mirrorwatch").contains("or TARGET=LEVEL"));
        assert!(message("warn,mirrorwatch=loud").starts_with(r#""mirrorwatch=loud": "#));
        assert!(parse_filter("").is_err());
    }

    #[test]
    fn foreign_text_is_escaped_and_capped() {
        assert_eq!(Capped("a\nb\u{1b}[0m\u{202e}c").to_string(), "a\\nb\\u{1b}[0m\\u{202e}c");
        let long = "é".repeat(300);
        let shown = Capped(&long).to_string();
        assert_eq!(shown, format!("{}…", "é".repeat(100)));
        assert_eq!(Capped("short").to_string(), "short");
    }

    #[test]
    fn two_hundred_scripts_stay_on_one_line_and_turn_nothing() {
        let scripts: Vec<String> = serde_json::from_str(include_str!("../tests/browser/scripts.json")).unwrap();
        assert_eq!(scripts.len(), 200);
        for script in scripts {
            let shown = Capped(&format!("{script}\n{script}")).to_string();
            assert!(!shown.contains(is_hidden) && shown.len() <= FIELD_BYTES_MAX + "…".len(), "{shown}");
        }
    }
}
