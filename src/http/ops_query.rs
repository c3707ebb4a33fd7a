//! The question for a list of operations: read strictly, and spelt one way.

use actix_web::http::StatusCode;

use super::problem::{Problem, quote};
use super::query::{Params, one_of};
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::op::Kind;
use crate::domain::view::ops::{Confirmation, Link, OpsFilter, Outcome};

/// Most operations on one page.
pub const OPS_LIMIT_MAX: u32 = 1_000;
/// Operations on one page unless asked otherwise.
const OPS_LIMIT_DEFAULT: u32 = 100;
/// Longest cursor in bytes.
const CURSOR_BYTES_MAX: usize = 512;

/// The year 0 begins, milliseconds since 1970.
const INSTANT_MIN_MS: i64 = -62_167_219_200_000;

/// Parameters of a list of operations at one mirror.
const OF_ONE: [&str; 10] =
    ["verdict", "confirmation", "chain", "follows", "did", "kind", "from", "to", "limit", "cursor"];
/// Parameters of a list of operations at all mirrors.
const OF_ALL: [&str; 11] =
    ["mirror", "verdict", "confirmation", "chain", "follows", "did", "kind", "from", "to", "limit", "cursor"];

/// Whose operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the mirror whose address it is.
    Mirror(String),
    /// Those of every mirror, or of one that was named.
    Every(Option<String>),
}

/// A question about operations; checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpsQuery {
    /// Whose; the mirrors exist.
    pub scope: Scope,
    /// What is looked for, and how many.
    pub filter: OpsFilter,
    /// As given out before.
    pub cursor: Option<String>,
}

impl OpsQuery {
    /// Reads the query of `/mirrors/{mirror}/ops`, or of `/ops` where there is none; `is_mirror` tells which mirrors exist.
    ///
    /// # Errors
    /// `bad_verdict`, `bad_confirmation`, `bad_chain`, `bad_cid`, `bad_did`, `bad_kind`, `bad_time`, `bad_limit`, `bad_page`,
    /// `no_such_mirror`, or what [`Params::parse`] finds.
    pub fn parse(mirror: Option<&str>, query: &str, is_mirror: impl Fn(&str) -> bool) -> Result<Self, Problem> {
        let params = if mirror.is_some() { Params::parse(query, &OF_ONE)? } else { Params::parse(query, &OF_ALL)? };
        let scope = match (mirror, params.get("mirror")) {
            (Some(mirror), _) => Scope::Mirror(mirror.to_owned()),
            (None, named) => Scope::Every(named.map(str::to_owned)),
        };
        if let Scope::Every(Some(named)) = &scope
            && !is_mirror(named)
        {
            let detail = format!("{}; see /api/v1/mirrors", quote(named));
            return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_mirror", detail));
        }
        let filter = OpsFilter {
            outcome: params.get("verdict").map(outcome).transpose()?,
            confirmation: params.get("confirmation").map(confirmation).transpose()?,
            link: link(params.get("chain"), params.get("follows"))?,
            did: params.get("did").map(did).transpose()?,
            kind: params.get("kind").map(kind).transpose()?,
            from_ms: params.get("from").map(|text| instant_ms("from", text)).transpose()?,
            to_ms: params.get("to").map(|text| instant_ms("to", text)).transpose()?,
            limit: params.get("limit").map_or(Ok(OPS_LIMIT_DEFAULT), limit)? as usize,
        };
        if let (Some(from_ms), Some(to_ms)) = (filter.from_ms, filter.to_ms)
            && from_ms >= to_ms
        {
            return Err(Problem::bad_query("bad_time", "to", "to must be later than from"));
        }
        let cursor = params.get("cursor").map(cursor).transpose()?;
        Ok(OpsQuery { scope, filter, cursor })
    }

    /// The same question in one spelling: the key of its answer, and the start of its links.
    pub fn canonical(&self, cursor: Option<&str>) -> String {
        let path = match &self.scope {
            Scope::Mirror(id) => format!("/api/v1/mirrors/{id}/ops"),
            Scope::Every(_) => "/api/v1/ops".to_owned(),
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Scope::Every(Some(named)) = &self.scope {
            query.append_pair("mirror", named);
        }
        self.filters(&mut query);
        query.append_pair("limit", &self.filter.limit.to_string());
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        format!("{path}?{}", query.finish())
    }

    /// The same list for people, whose page shows the roots of misses unless asked otherwise.
    pub fn html(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Scope::Mirror(named) | Scope::Every(Some(named)) = &self.scope {
            query.append_pair("mirror", named);
        }
        self.filters(&mut query);
        if self.filter.outcome.is_none() && self.filter.link.is_none() {
            query.append_pair("verdict", "any");
        }
        if self.filter.link.is_none() {
            query.append_pair("chain", "any");
        }
        format!("/misses?{}", query.finish())
    }

    fn filters(&self, query: &mut url::form_urlencoded::Serializer<'_, String>) {
        let f = &self.filter;
        let (chain, follows) = match f.link {
            None => (None, None),
            Some(Link::Root) => (Some("root"), None),
            Some(Link::Follower) => (Some("follower"), None),
            Some(Link::Of(root)) => (None, Some(root.to_string())),
        };
        let time = |ms: Option<i64>| ms.map(crate::domain::time::rfc3339_ms);
        for (name, value) in [
            ("verdict", f.outcome.map(|o| o.name().to_owned())),
            ("confirmation", f.confirmation.map(|c| c.name().to_owned())),
            ("chain", chain.map(str::to_owned)),
            ("follows", follows),
            ("did", f.did.map(|d| d.to_string())),
            ("kind", f.kind.map(|k| k.name().to_owned())),
            ("from", time(f.from_ms)),
            ("to", time(f.to_ms)),
        ] {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        }
    }
}

/// A DID of did:plc.
///
/// # Errors
/// `bad_did`.
pub fn did(text: &str) -> Result<Did, Problem> {
    let bad = || Problem::bad_query("bad_did", "did", "expected did:plc: and 24 characters a–z 2–7");
    Did::parse(text).ok_or_else(bad)
}

/// The CID of an operation.
///
/// # Errors
/// `bad_cid`.
pub fn cid(parameter: &str, text: &str) -> Result<Cid, Problem> {
    let bad = || Problem::bad_query("bad_cid", parameter, "expected bafyrei and 52 characters a–z 2–7");
    Cid::parse(text).ok_or_else(bad)
}

fn outcome(text: &str) -> Result<Outcome, Problem> {
    let found = Outcome::all().find(|o| o.name() == text);
    found.ok_or_else(|| one_of("bad_verdict", "verdict", text, Outcome::all().map(Outcome::name)))
}

fn confirmation(text: &str) -> Result<Confirmation, Problem> {
    let found = Confirmation::all().find(|c| c.name() == text);
    found.ok_or_else(|| one_of("bad_confirmation", "confirmation", text, Confirmation::all().map(Confirmation::name)))
}

fn link(chain: Option<&str>, follows: Option<&str>) -> Result<Option<Link>, Problem> {
    match (chain, follows) {
        (Some(_), Some(_)) => Err(Problem::bad_query("bad_chain", "chain", "chain and follows exclude each other")),
        (Some("root"), None) => Ok(Some(Link::Root)),
        (Some("follower"), None) => Ok(Some(Link::Follower)),
        (Some(other), None) => Err(one_of("bad_chain", "chain", other, ["root", "follower"])),
        (None, Some(root)) => cid("follows", root).map(|root| Some(Link::Of(root))),
        (None, None) => Ok(None),
    }
}

fn kind(text: &str) -> Result<Kind, Problem> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| one_of("bad_kind", "kind", text, Kind::ALL.map(Kind::name)))
}

/// An instant as UTC milliseconds.
///
/// # Errors
/// `bad_time`.
pub fn instant_ms(parameter: &str, text: &str) -> Result<i64, Problem> {
    let read = text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).ok();
    // Earlier ones have no year of four digits, and would be another instant in our own links.
    read.filter(|ms| *ms >= INSTANT_MIN_MS).ok_or_else(|| {
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

/// 400 for a cursor that was never given out.
pub fn bad_cursor() -> Problem {
    Problem::bad_query("bad_page", "cursor", "token is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    const CID: &str = "bafyreibfvkh3n6odvdpwj54j4xxdsgnn4zo5utbyf7z7nfbyikhtygzjcq";

    fn parse(query: &str) -> Result<OpsQuery, Problem> {
        OpsQuery::parse(Some("m"), query, |_| true)
    }

    #[test]
    fn a_full_question_is_read_and_spelt_one_way() {
        let query = format!(
            "limit=5&kind=update&did={DID}&to=2026-11-21T03:00:00%2B01:00&from=2026-11-21T01:00:00Z&verdict=missed\
             &cursor=ab_-9&confirmation=data_loss&follows={CID}"
        );
        let ops = parse(&query).unwrap();
        let f = &ops.filter;
        assert_eq!(f.to_ms, Some(f.from_ms.unwrap() + 3_600_000));
        assert_eq!((f.kind, f.limit, ops.cursor.as_deref()), (Some(Kind::Update), 5, Some("ab_-9")));
        assert_eq!(f.link, Some(Link::Of(Cid::parse(CID).unwrap())));
        let canonical = ops.canonical(ops.cursor.as_deref());
        assert_eq!(parse(canonical.split_once('?').unwrap().1).unwrap(), ops);
        assert_eq!(parse("").unwrap().canonical(None), "/api/v1/mirrors/m/ops?limit=100");
        assert_eq!(parse("chain=root").unwrap().html(), "/misses?mirror=m&chain=root");
    }

    #[test]
    fn every_word_that_is_listed_is_taken_and_told_again() {
        let outcomes = Outcome::all().map(|o| format!("verdict={}", o.name()));
        let confirmations = Confirmation::all().map(|c| format!("confirmation={}", c.name()));
        for query in outcomes.chain(confirmations).chain(["chain=follower".to_owned()]) {
            assert_eq!(parse(&query).unwrap().canonical(None), format!("/api/v1/mirrors/m/ops?{query}&limit=100"));
        }
        assert_eq!((Outcome::all().count(), Confirmation::all().count()), (13, 10));
    }

    #[test]
    fn every_mirror_may_be_asked_for_at_once() {
        let every = |query| OpsQuery::parse(None, query, |m| m == "m1");
        let named = every("mirror=m1&verdict=extra").unwrap();
        assert_eq!(named.canonical(None), "/api/v1/ops?mirror=m1&verdict=extra&limit=100");
        assert_eq!(every("").unwrap().html(), "/misses?verdict=any&chain=any");
        assert_eq!(every("verdict=missed").unwrap().html(), "/misses?verdict=missed&chain=any");
        assert_eq!(every("mirror=m2").unwrap_err().code, "no_such_mirror");
        assert_eq!(parse("mirror=m1").unwrap_err().code, "unknown_parameter");
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
            ("confirmation=corrupt", "bad_confirmation"),
            ("chain=middle", "bad_chain"),
            ("follows=bafy", "bad_cid"),
            ("kind=delete", "bad_kind"),
            ("from=yesterday", "bad_time"),
            ("from=2026-11-21T02:00:00Z&to=2026-11-21T02:00:00Z", "bad_time"),
            ("cursor=a%20b", "bad_page"),
            ("cursor=", "bad_page"),
            ("page=2", "unknown_parameter"),
            ("limit=5&limit=5", "repeated_parameter"),
        ] {
            assert_eq!(parse(query).unwrap_err().code, code, "{query}");
        }
        let both = format!("chain=root&follows={CID}");
        assert_eq!(parse(&both).unwrap_err().code, "bad_chain");
    }
}
