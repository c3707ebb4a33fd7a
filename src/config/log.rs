//! `log`: what is written to standard error, and in which form.

use super::reader::Reader;
use crate::telemetry;

/// Form of a log line.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The log.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Default text.
    pub format: LogFormat,
    /// Levels and targets, as `info` or `warn,mirrorwatch::actors=debug`. Default `info`. `RUST_LOG` is not consulted.
    pub filter: String,
}

impl Log {
    /// Warnings and errors as text.
    pub fn for_testing() -> Log {
        Log { format: LogFormat::Text, filter: "warn".to_owned() }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Log {
        let format = r.one_of("log.format", &[("text", LogFormat::Text), ("json", LogFormat::Json)], LogFormat::Text);
        let filter = r.text("log.filter", "a level or TARGET=LEVEL, comma-separated", "info");
        if let Err(error) = telemetry::parse_filter(&filter) {
            r.problem("log.filter", error.to_string());
        }
        Log { format, filter }
    }
}
