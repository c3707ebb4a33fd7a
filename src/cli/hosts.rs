//! `diff` and `check`: the commands that ask hosts once and answer with an exit code.

use std::path::PathBuf;

use clap::Args;

use super::UsageError;
use crate::config::{SourceConfig, did_you_mean, quoted};

/// Milliseconds in a day, hour, minute and second, by the letter that stands for them.
const SPANS_MS: [(char, i64); 4] = [('d', 86_400_000), ('h', 3_600_000), ('m', 60_000), ('s', 1_000)];
/// Words that may stand for a form of the output.
const FORMATS: [(&str, Format); 4] =
    [("text", Format::Text), ("ndjson", Format::Ndjson), ("csv", Format::Csv), ("json", Format::Json)];
/// Words that may stand for a way of paging.
const PAGINGS: [(&str, Paging); 3] = [("auto", Paging::Auto), ("seq", Paging::Seq), ("time", Paging::Time)];

/// A limit of a range.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Milliseconds since 1970.
    At(i64),
    /// So many milliseconds before now.
    Ago(i64),
    /// Where the logs begin.
    Start,
}

/// How results are written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Ndjson,
    /// RFC 4180.
    Csv,
    /// One JSON object.
    Json,
}

/// How a log is paged.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// By number where the host has numbers, else by time.
    Auto,
    /// By number.
    Seq,
    /// By time.
    Time,
}

/// What to compare, operation by operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// The first log's host.
    pub a: SourceConfig,
    /// The second log's host.
    pub b: SourceConfig,
    /// First `createdAt` of the range; `None` is a day ago.
    pub from: Option<When>,
    /// First `createdAt` after the range; `None` is a minute ago, as fresh operations are on their way.
    pub to: Option<When>,
    /// How logs are paged.
    pub paging: Paging,
    /// Whether counts are given by kind.
    pub by_kind: bool,
    /// How differences are written.
    pub format: Format,
    /// Where the state is kept.
    pub resume: Option<PathBuf>,
}

/// Which host to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The host.
    pub host: SourceConfig,
    /// What it is compared with; `None` is the configuration's primary.
    pub primary: Option<SourceConfig>,
    /// The one DID to compare; `None` takes a few recent ones.
    pub did: Option<String>,
    /// Text or JSON.
    pub format: Format,
}

#[derive(Args)]
pub(super) struct Permissions {
    /// Accept http://, which is not encrypted
    #[arg(long)]
    allow_plaintext: bool,
    /// Accept addresses that are not public, and any port
    #[arg(long)]
    allow_private: bool,
}

#[derive(Args)]
pub(super) struct DiffArguments {
    /// One log's host, as plc.directory
    #[arg(long, value_name = "URL")]
    a: String,
    /// The other log's host
    #[arg(long, value_name = "URL")]
    b: String,
    /// Where the range of createdAt begins: a time, a date, a span before now (90m, 24h, 7d) or "start" [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = from)]
    from: Option<When>,
    /// Where it ends, exclusive [default: 1m, because fresh operations are still on their way]
    #[arg(long, value_name = "TIME", value_parser = to)]
    to: Option<When>,
    /// Count by kind of operation too
    #[arg(long)]
    by_kind: bool,
    /// text, ndjson (one difference a line) or csv; the summary of the last two goes to standard error
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = diff_format)]
    format: Format,
    /// By what the logs are paged: auto, seq (the host's own numbers) or time; only pages by time say what is nullified
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = paging)]
    paging: Paging,
    /// Keep the state in this file, so that the same command goes on where an interrupted one stopped
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    permissions: Permissions,
}

#[derive(Args)]
pub(super) struct CheckArguments {
    /// The host, as plc.example.org; a scheme and a port may be given
    #[arg(value_name = "URL")]
    host: String,
    /// Compare with this host [default: the configuration's primary]
    #[arg(long, value_name = "URL")]
    primary: Option<String>,
    /// Compare this DID [default: five of the last ten minutes]
    #[arg(long, value_name = "DID", value_parser = did)]
    did: Option<String>,
    /// text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = check_format)]
    format: Format,
    #[command(flatten)]
    permissions: Permissions,
}

impl Permissions {
    /// The host that `text` names; what is wrong with it is told of `argument`.
    fn host(&self, argument: &str, text: &str) -> Result<SourceConfig, UsageError> {
        SourceConfig::named(text, self.allow_plaintext, self.allow_private)
            .map_err(|why| UsageError::new(format!("{argument}: {why}")))
    }
}

impl DiffArguments {
    /// # Errors
    /// What is wrong with an address, or with the two together.
    pub(super) fn checked(self) -> Result<Diff, UsageError> {
        let (a, b) = (self.permissions.host("--a", &self.a)?, self.permissions.host("--b", &self.b)?);
        if a.url == b.url {
            return Err(UsageError::new(format!("--b: same as --a ({})", quoted(&a.web_address()))));
        }
        let DiffArguments { from, to, paging, by_kind, format, resume, .. } = self;
        Ok(Diff { a, b, from, to, paging, by_kind, format, resume })
    }
}

impl CheckArguments {
    /// # Errors
    /// What is wrong with an address, or with the two together.
    pub(super) fn checked(self) -> Result<Check, UsageError> {
        let host = self.permissions.host("<URL>", &self.host)?;
        let primary = self.primary.as_deref().map(|text| self.permissions.host("--primary", text)).transpose()?;
        if primary.as_ref().is_some_and(|primary| primary.url == host.url) {
            return Err(UsageError::new(format!("--primary: same as the host ({})", quoted(&host.web_address()))));
        }
        Ok(Check { host, primary, did: self.did, format: self.format })
    }
}

fn from(text: &str) -> Result<When, String> {
    if text == "start" { Ok(When::Start) } else { when(text) }
}

fn to(text: &str) -> Result<When, String> {
    if text == "now" { Ok(When::Ago(0)) } else { when(text) }
}

/// A time, a date, or a span before now.
fn when(text: &str) -> Result<When, String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(When::At(time.as_millisecond()));
    }
    if let Ok(time) = format!("{text}T00:00:00Z").parse::<jiff::Timestamp>() {
        return Ok(When::At(time.as_millisecond()));
    }
    let span = SPANS_MS.iter().find_map(|(letter, ms)| {
        let number: i64 = text.strip_suffix(*letter)?.parse().ok().filter(|n| (0..=1_000_000).contains(n))?;
        Some(When::Ago(number * ms))
    });
    span.ok_or_else(|| "not a time; examples: 2026-11-21T02:00:00Z, 2026-11-21, 24h".to_owned())
}

/// The value that `text` stands for among the first `count` of `words`.
fn word<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Result<T, String> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let meant = did_you_mean(text, known.iter().copied()).map(|word| format!("; did you mean {}?", quoted(word)));
    Err(format!("expected one of {}{}", known.join(", "), meant.unwrap_or_default()))
}

fn diff_format(text: &str) -> Result<Format, String> {
    let known: Vec<_> = FORMATS.into_iter().filter(|(_, format)| *format != Format::Json).collect();
    word(text, &known)
}

fn check_format(text: &str) -> Result<Format, String> {
    let known: Vec<_> =
        FORMATS.into_iter().filter(|(_, format)| matches!(format, Format::Text | Format::Json)).collect();
    word(text, &known)
}

fn paging(text: &str) -> Result<Paging, String> {
    word(text, &PAGINGS)
}

fn did(text: &str) -> Result<String, String> {
    let is_base32 = |c: char| c.is_ascii_lowercase() || ('2'..='7').contains(&c);
    let is_did = text.strip_prefix("did:plc:").is_some_and(|rest| rest.len() == 24 && rest.chars().all(is_base32));
    if is_did { Ok(text.to_owned()) } else { Err("expected did:plc: and 24 characters a–z 2–7".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::super::{Cli, Command, Parsed, parse};
    use super::*;
    use crate::config::FileChoice;
    use std::ffi::OsString;

    fn cli(line: &str) -> Result<Cli, String> {
        let arguments = ["mirrorwatch"].into_iter().chain(line.split_whitespace()).map(OsString::from);
        match parse(arguments).map_err(|error| error.to_string())? {
            Parsed::Do(cli) => Ok(cli),
            Parsed::Show(text) => panic!("{text}"),
        }
    }

    #[test]
    fn a_comparison_has_defaults() {
        let parsed = cli("diff --a plc.directory --b https://plc.wtf").unwrap();
        assert_eq!(parsed.inputs(Vec::new()).file, FileChoice::None);
        let Command::Diff(diff) = parsed.command else { panic!("not a comparison") };
        assert_eq!((diff.a.url.as_str(), diff.b.url.as_str()), ("wss://plc.directory/", "wss://plc.wtf/"));
        assert_eq!((diff.from, diff.to, diff.by_kind, diff.format), (None, None, false, Format::Text));
        assert_eq!((diff.paging, diff.resume), (Paging::Auto, None));
        let line = "diff --a http://127.0.0.1:1 --b http://127.0.0.1:2 --allow-plaintext --allow-private --from start \
                    --to 2026-11-21 --by-kind --format csv --paging time --resume x.json";
        let Command::Diff(diff) = cli(line).unwrap().command else { panic!("not a comparison") };
        assert_eq!((diff.from, diff.to), (Some(When::Start), Some(When::At(1_795_219_200_000))));
        assert_eq!((diff.by_kind, diff.format, diff.paging), (true, Format::Csv, Paging::Time));
        assert_eq!(diff.resume, Some("x.json".into()));
    }

    #[test]
    fn a_look_has_defaults() {
        let parsed = cli("check plc.wtf").unwrap();
        assert_eq!(parsed.inputs(Vec::new()).file, FileChoice::IfThere("config.json".into()));
        let Command::Check(check) = parsed.command else { panic!("not a look") };
        assert_eq!((check.primary, check.did, check.format), (None, None, Format::Text));
        let line = "check plc.wtf --primary plc.directory --format json --did did:plc:6adr3q2labdllanslzhqkqd3";
        let parsed = cli(line).unwrap();
        assert_eq!(parsed.inputs(Vec::new()).file, FileChoice::None, "nothing of it is needed");
        let Command::Check(check) = parsed.command else { panic!("not a look") };
        assert_eq!((check.primary.unwrap().name.as_str(), check.format), ("plc.directory", Format::Json));
    }

    #[test]
    fn times_are_read() {
        assert_eq!(when("2026-11-21T02:00:00Z"), Ok(When::At(1_795_226_400_000)));
        assert_eq!(
            [when("90m"), when("7d"), when("0s")],
            [Ok(When::Ago(5_400_000)), Ok(When::Ago(604_800_000)), Ok(When::Ago(0))]
        );
        assert_eq!((from("start"), to("now")), (Ok(When::Start), Ok(When::Ago(0))));
        for text in ["", "h", "-5m", "1.5h", "start", "2026-13-40", "99999999d"] {
            assert!(when(text).is_err(), "{text}");
        }
    }

    #[test]
    fn wrong_usage_gets_one_line() {
        let rows = [
            ("diff --a x", "mirrorwatch: --b <URL>: missing; see \"mirrorwatch --help\""),
            ("diff --a x.org --b https://x.org", "mirrorwatch: --b: same as --a (\"https://x.org\")"),
            (
                "diff --a http://x.org --b y.org",
                "mirrorwatch: --a: unencrypted \"http://\" is refused; give --allow-plaintext to accept it",
            ),
            (
                "diff --a x.org --b y.org --since 1h",
                "mirrorwatch: unexpected argument \"--since\"; see \"mirrorwatch --help\"",
            ),
            (
                "diff --a x.org --b y.org --form 1h",
                "mirrorwatch: unexpected argument \"--form\"; a similar one exists: \"--from\"",
            ),
            (
                "diff --a x.org --b y.org --from 2026-13-40",
                "mirrorwatch: --from 2026-13-40: not a time; examples: 2026-11-21T02:00:00Z, 2026-11-21, 24h",
            ),
            (
                "diff --a x.org --b y.org --format cvs",
                "mirrorwatch: --format cvs: expected one of text, ndjson, csv; did you mean \"csv\"?",
            ),
            (
                "diff --a x.org --b y.org --config c",
                "mirrorwatch: --config: a comparison of logs reads no configuration; leave --config out",
            ),
            ("check", "mirrorwatch: <URL>: missing; see \"mirrorwatch --help\""),
            ("check x.org --primary x.org", "mirrorwatch: --primary: same as the host (\"https://x.org\")"),
            (
                "check x.org --did did:web:x",
                "mirrorwatch: --did did:web:x: expected did:plc: and 24 characters a–z 2–7",
            ),
            ("check x.org --format csv", "mirrorwatch: --format csv: expected one of text, json"),
            ("chek x.org", "mirrorwatch: unexpected argument \"chek\"; a similar one exists: \"check\""),
        ];
        for (line, expected) in rows {
            assert_eq!(cli(line).unwrap_err(), expected, "{line}");
        }
    }
}
