//! What is not ready-made: one mirror's operations by filter, and one DID. The port that answers, and the reading of
//! the questions; the bound on the work is [`super::pool`]'s.

use futures_util::future::BoxFuture;

use super::problem::{Problem, quote};
use super::query::{Params, one_of};
use crate::domain::op::Kind;

/// Most operations on one page.
pub const OPS_LIMIT_MAX: u32 = 1_000;
/// Operations on one page unless asked otherwise.
const OPS_LIMIT_DEFAULT: u32 = 100;
/// Longest cursor in bytes.
const CURSOR_BYTES_MAX: usize = 512;

/// Every outcome of an operation at a mirror that can be asked for.
pub const VERDICTS: [&str; 12] = [
    "on_time",
    "late",
    "present",
    "missed",
    "pending",
    "unknown",
    "withdrawn",
    "disputed",
    "not_eligible",
    "extra",
    "extra_pending",
    "extra_unknown",
];

/// Parameters of `/mirrors/{id}/ops`.
pub const OPS_PARAMETERS: [&str; 7] = ["verdict", "did", "kind", "from", "to", "limit", "cursor"];

/// A question about one mirror's operations; checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpsQuery {
    /// Id of a mirror that exists.
    pub mirror: String,
    /// One of [`VERDICTS`].
    pub verdict: Option<String>,
    /// A DID in canonical form.
    pub did: Option<String>,
    /// What the operations do.
    pub kind: Option<Kind>,
    /// First millisecond, UTC, of the primary's arrival.
    pub from_ms: Option<i64>,
    /// First millisecond past it.
    pub to_ms: Option<i64>,
    /// 1–1000.
    pub limit: u32,
    /// As given out before.
    pub cursor: Option<String>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailPage {
    /// The `data` member as JSON.
    pub data: Vec<u8>,
    /// Where the next page begins; letters, digits, `-` and `_` only. `None` at the end.
    pub next_cursor: Option<String>,
    /// The run that answered.
    pub snapshot_id: String,
    /// The revision within the run that all pages of one listing agree on.
    pub revision: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum DetailError {
    /// Nothing is known of the DID.
    #[error("no operation of this DID was seen")]
    NoSuchDid,
    /// The cursor was never given out.
    #[error("the cursor is damaged")]
    BadCursor,
    /// The cursor's revision is gone.
    #[error("the cursor has expired")]
    CursorExpired,
    /// Too much to do.
    #[error("overloaded")]
    Overloaded,
    /// Anything else; the words go to the log.
    #[error("{0}")]
    Internal(String),
}

/// Answers questions from the truth. Implementations may take their time but must not block the runtime.
pub trait Detail: Send + Sync + 'static {
    /// One mirror's operations, newest first.
    fn ops(&self, query: OpsQuery) -> BoxFuture<'static, Result<DetailPage, DetailError>>;

    /// Everything known of one DID, at every source.
    fn did(&self, did: String) -> BoxFuture<'static, Result<DetailPage, DetailError>>;
}

impl OpsQuery {
    /// Reads the query of `/mirrors/{mirror}/ops`.
    ///
    /// # Errors
    /// `bad_verdict`, `bad_did`, `bad_kind`, `bad_time`, `bad_limit`, `bad_page`, or what [`Params::parse`] finds.
    pub fn parse(mirror: &str, query: &str) -> Result<Self, Problem> {
        let params = Params::parse(query, &OPS_PARAMETERS)?;
        let verdict = params.get("verdict").map(verdict).transpose()?;
        let did = params.get("did").map(did).transpose()?;
        let kind = params.get("kind").map(kind).transpose()?;
        let from_ms = params.get("from").map(|text| instant_ms("from", text)).transpose()?;
        let to_ms = params.get("to").map(|text| instant_ms("to", text)).transpose()?;
        if let (Some(from_ms), Some(to_ms)) = (from_ms, to_ms)
            && from_ms >= to_ms
        {
            return Err(Problem::bad_query("bad_time", "to", "to must be later than from"));
        }
        let limit = params.get("limit").map_or(Ok(OPS_LIMIT_DEFAULT), limit)?;
        let cursor = params.get("cursor").map(cursor).transpose()?;
        Ok(OpsQuery { mirror: mirror.to_owned(), verdict, did, kind, from_ms, to_ms, limit, cursor })
    }

    /// The same question in one spelling: the key of its answer, and the start of its links.
    pub fn canonical(&self, cursor: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let mut append = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        };
        let time = |ms: Option<i64>| ms.map(crate::domain::time::rfc3339_ms);
        append("verdict", self.verdict.as_deref());
        append("did", self.did.as_deref());
        append("kind", self.kind.map(Kind::name));
        append("from", time(self.from_ms).as_deref());
        append("to", time(self.to_ms).as_deref());
        append("limit", Some(&self.limit.to_string()));
        append("cursor", cursor);
        format!("/api/v1/mirrors/{}/ops?{}", self.mirror, query.finish())
    }
}

/// A DID of did:plc.
///
/// # Errors
/// `bad_did`.
pub fn did(text: &str) -> Result<String, Problem> {
    let is_did = text
        .strip_prefix("did:plc:")
        .is_some_and(|id| id.len() == 24 && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')));
    if is_did {
        return Ok(text.to_owned());
    }
    Err(Problem::bad_query("bad_did", "did", "expected did:plc: and 24 characters a–z 2–7"))
}

fn verdict(text: &str) -> Result<String, Problem> {
    if VERDICTS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(one_of("bad_verdict", "verdict", text, VERDICTS))
}

fn kind(text: &str) -> Result<Kind, Problem> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| one_of("bad_kind", "kind", text, Kind::ALL.map(Kind::name)))
}

fn instant_ms(parameter: &str, text: &str) -> Result<i64, Problem> {
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).map_err(|_| {
        let detail = format!("{}: expected an instant, as 2026-11-21T02:00:00Z", quote(text));
        Problem::bad_query("bad_time", parameter, detail)
    })
}

fn limit(text: &str) -> Result<u32, Problem> {
    let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|limit| is_plain && (1..=OPS_LIMIT_MAX).contains(limit))
        .ok_or_else(|| Problem::bad_query("bad_limit", "limit", "expected 1–1000").limit(u64::from(OPS_LIMIT_MAX)))
}

fn cursor(text: &str) -> Result<String, Problem> {
    let is_ours = !text.is_empty()
        && text.len() <= CURSOR_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if is_ours { Ok(text.to_owned()) } else { Err(bad_cursor()) }
}

fn bad_cursor() -> Problem {
    Problem::bad_query("bad_page", "cursor", "token is damaged")
}

impl From<&DetailError> for Problem {
    fn from(error: &DetailError) -> Self {
        use actix_web::http::StatusCode;
        match error {
            DetailError::NoSuchDid => Problem::new(StatusCode::NOT_FOUND, "no_such_did", error.to_string()),
            DetailError::BadCursor => bad_cursor(),
            DetailError::CursorExpired => Problem::new(StatusCode::GONE, "page_expired", "start again without it"),
            DetailError::Overloaded => {
                Problem::unavailable("overloaded", "too many questions at once; retry in 1 s", 1)
            }
            DetailError::Internal(words) => {
                tracing::error!(error = %words, "detail failed");
                Problem::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

    #[test]
    fn a_full_question_is_read_and_spelt_one_way() {
        let query = format!(
            "limit=5&kind=update&did={DID}&to=2026-11-21T03:00:00%2B01:00&from=2026-11-21T01:00:00Z&verdict=missed&cursor=ab_-9"
        );
        let ops = OpsQuery::parse("m", &query).unwrap();
        assert_eq!(ops.to_ms, Some(ops.from_ms.unwrap() + 3_600_000));
        assert_eq!((ops.kind, ops.limit, ops.cursor.as_deref()), (Some(Kind::Update), 5, Some("ab_-9")));
        let canonical = ops.canonical(ops.cursor.as_deref());
        let again = OpsQuery::parse("m", canonical.split_once('?').unwrap().1).unwrap();
        assert_eq!(again, ops);
        assert_eq!(OpsQuery::parse("m", "").unwrap().canonical(None), "/api/v1/mirrors/m/ops?limit=100");
    }

    #[test]
    fn every_wrong_value_has_its_code() {
        for (query, code) in [
            ("limit=1e9", "bad_limit"),
            ("limit=0", "bad_limit"),
            ("limit=1001", "bad_limit"),
            ("limit=%2B5", "bad_limit"),
            ("limit=-1", "bad_limit"),
            ("limit=", "bad_limit"),
            ("did=did:plc:short", "bad_did"),
            ("did=did:web:example.org", "bad_did"),
            ("did=did:plc:EWVI7NXZYOUN6ZHXRHS64OIZ", "bad_did"),
            ("verdict=lost", "bad_verdict"),
            ("kind=delete", "bad_kind"),
            ("from=yesterday", "bad_time"),
            ("from=2026-11-21T02:00:00Z&to=2026-11-21T02:00:00Z", "bad_time"),
            ("cursor=a%20b", "bad_page"),
            ("cursor=", "bad_page"),
            ("page=2", "unknown_parameter"),
            ("limit=5&limit=5", "repeated_parameter"),
        ] {
            assert_eq!(OpsQuery::parse("m", query).unwrap_err().code, code, "{query}");
        }
    }
}
