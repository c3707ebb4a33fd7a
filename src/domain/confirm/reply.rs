//! What a host's answer about a DID means, before anything is concluded from it.
//!
//! A host that does not know a DID and a host that has no such page both answer 404: they are told apart by the body,
//! or by what the host answered before. Nothing is read as an answer that could be a failure on the way.

use crate::domain::audit_log::{self, LogEntry, LogError};
use crate::domain::cid::Cid;
use crate::domain::did::Did;

/// Which page of a host is asked for.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Page {
    /// `/{did}/log/audit`: everything, with what was nullified.
    Audit,
    /// `/{did}/log/last`: the last operation alone.
    Last,
}

impl Page {
    /// Its path for a DID.
    #[must_use]
    pub fn path(self, did: Did) -> String {
        match self {
            Page::Audit => format!("/{did}/log/audit"),
            Page::Last => format!("/{did}/log/last"),
        }
    }
}

/// What came back from a request.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Heard<'a> {
    /// A whole answer.
    Answer {
        /// Its status.
        status: u16,
        /// Its `Retry-After`, seconds.
        retry_after_s: Option<u32>,
        /// Its body.
        body: &'a [u8],
    },
    /// An answer beyond the limit of bytes.
    TooLarge,
    /// Nothing was sent: the host asked for a pause that is not over, seconds.
    Paused(u32),
    /// No connection, or no whole answer.
    Nothing,
}

/// What a host said.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// Its log; whether that is sound is for the reader to see.
    Log(Vec<LogEntry>),
    /// A log with entries that cannot be read.
    Damaged,
    /// Its last operation.
    Last(Cid),
    /// 404.
    Unknown {
        /// Whether the DID is meant, and not the page.
        is_sure: bool,
    },
    /// 410: it was there and is no more.
    Gone,
    /// An answer that says nothing about the DID.
    Unusable,
    /// No answer, or one about the host's own trouble.
    Failed,
    /// It wants to be asked later.
    Busy {
        /// After so many seconds; none when it does not say.
        retry_after_s: Option<u32>,
    },
}

impl Reply {
    /// Whether whoever asks the host for the log of a DID was served: a 404 that is about the DID is an answer. Nothing where
    /// it only wants to be asked less.
    #[must_use]
    pub const fn is_served(&self) -> Option<bool> {
        match self {
            Reply::Log(_) | Reply::Last(_) | Reply::Unknown { is_sure: true } | Reply::Gone => Some(true),
            Reply::Damaged | Reply::Unknown { is_sure: false } | Reply::Unusable | Reply::Failed => Some(false),
            Reply::Busy { .. } => None,
        }
    }

    /// Reads what came back; with the words for people when it is of no use.
    #[must_use]
    pub fn read(did: Did, page: Page, heard: Heard<'_>) -> (Reply, Option<String>) {
        match heard {
            Heard::Answer { status: 200, body, .. } => match page {
                Page::Audit => log(body),
                Page::Last => audit_log::parse_last(body).map_or_else(
                    || (Reply::Unusable, Some("no operation".to_owned())),
                    |(cid, _)| (Reply::Last(cid), None),
                ),
            },
            Heard::Answer { status: 404, body, .. } => (Reply::Unknown { is_sure: speaks_of(did, body) }, None),
            Heard::Answer { status: 410, .. } => (Reply::Gone, None),
            Heard::Answer { status: 429, retry_after_s, .. } => (Reply::Busy { retry_after_s }, None),
            Heard::Answer { status: 503, retry_after_s: Some(s), .. } | Heard::Paused(s) => {
                (Reply::Busy { retry_after_s: Some(s) }, None)
            }
            // Not implemented is an answer about the page; the others are about the host's state now.
            Heard::Answer { status: 408 | 500 | 502..=599, .. } | Heard::Nothing => (Reply::Failed, None),
            Heard::Answer { .. } | Heard::TooLarge => (Reply::Unusable, None),
        }
    }
}

/// How far behind a DID the page that was asked for is named where a body echoes its path, however it is escaped.
const ECHO_BYTES: usize = 10;

/// Whether the body of a 404 is about the DID. One that names the path that was asked for says that there is no such page,
/// as frameworks do by themselves.
#[must_use]
pub fn speaks_of(did: Did, body: &[u8]) -> bool {
    let (text, did) = (String::from_utf8_lossy(body), did.to_string());
    let is_echo = |(at, _): (usize, &str)| {
        let behind = text.as_bytes().get(at + did.len()..).unwrap_or_default();
        behind.get(..ECHO_BYTES).unwrap_or(behind).windows(3).any(|word| word == b"log")
    };
    let mut named = text.match_indices(did.as_str()).peekable();
    named.peek().is_some() && !named.any(is_echo)
}

fn log(body: &[u8]) -> (Reply, Option<String>) {
    match audit_log::parse(body) {
        Ok(log) => (Reply::Log(log), None),
        Err(e @ LogError::BadEntries { .. }) => (Reply::Damaged, Some(e.to_string())),
        Err(e) => (Reply::Unusable, Some(e.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit_log::tests::{entry_text, operation};

    fn read(page: Page, status: u16, retry_after_s: Option<u32>, body: &str) -> Reply {
        Reply::read(Did([3; 15]), page, Heard::Answer { status, retry_after_s, body: body.as_bytes() }).0
    }

    #[test]
    fn a_page_that_is_not_there_is_told_from_a_did_that_is_not() {
        let did = Did([3; 15]);
        for about_the_did in [
            format!("{{\"message\":\"DID not registered: {did}\"}}"),
            format!("{did} not found"),
            format!("{{\"error\":\"NotFound\",\"did\":\"{did}\"}}"),
        ] {
            assert!(speaks_of(did, about_the_did.as_bytes()), "{about_the_did}");
        }
        for about_the_page in [
            String::new(),
            "404 page not found".to_owned(),
            format!("<pre>Cannot GET /{did}/log/audit</pre>"),
            format!(
                "{{\"message\":\"Route GET:/{did}/log/audit not found\",\"error\":\"Not Found\",\"statusCode\":404}}"
            ),
            format!("{{\"message\":\"The route {did}\\/log\\/audit could not be found.\"}}"),
            format!("no page &#x2F;{did}&#x2F;log&#x2F;last"),
            format!("{{\"detail\":\"{did} is not there\",\"instance\":\"/{did}/log/audit\"}}"),
            format!("DID not registered: {}", Did([4; 15])),
        ] {
            assert!(!speaks_of(did, about_the_page.as_bytes()), "{about_the_page}");
            assert_eq!(read(Page::Audit, 404, None, &about_the_page), Reply::Unknown { is_sure: false });
        }
    }

    #[test]
    fn each_answer_is_what_it_says_and_no_more() {
        let did = Did([3; 15]);
        let text = format!("[{}]", entry_text(did, &operation(0, None), false, 1));
        assert!(matches!(read(Page::Audit, 200, None, &text), Reply::Log(log) if log.len() == 1));
        assert_eq!(read(Page::Audit, 200, None, "[]"), Reply::Log(Vec::new()));
        assert_eq!(read(Page::Audit, 200, None, "[1]"), Reply::Damaged);
        assert_eq!(read(Page::Audit, 200, None, "<html>"), Reply::Unusable);
        assert!(matches!(read(Page::Last, 200, None, &operation(0, None)), Reply::Last(_)));
        assert_eq!(read(Page::Last, 200, None, "[]"), Reply::Unusable);
        let named = format!("{{\"message\":\"DID not registered: {did}\"}}");
        assert_eq!(read(Page::Audit, 404, None, &named), Reply::Unknown { is_sure: true });
        assert_eq!(read(Page::Audit, 404, None, "404 page not found"), Reply::Unknown { is_sure: false });
        assert_eq!(read(Page::Audit, 410, None, ""), Reply::Gone);
        assert_eq!(read(Page::Audit, 429, None, ""), Reply::Busy { retry_after_s: None });
        assert_eq!(read(Page::Audit, 503, Some(7), ""), Reply::Busy { retry_after_s: Some(7) });
        for status in [408, 500, 502, 503, 504] {
            assert_eq!(read(Page::Audit, status, None, &named), Reply::Failed, "{status}");
        }
        for status in [204, 302, 400, 401, 405, 501] {
            assert_eq!(read(Page::Audit, status, None, &text), Reply::Unusable, "{status}");
        }
        let of = |heard| Reply::read(did, Page::Audit, heard).0;
        assert_eq!(of(Heard::Paused(3)), Reply::Busy { retry_after_s: Some(3) });
        assert_eq!((of(Heard::TooLarge), of(Heard::Nothing)), (Reply::Unusable, Reply::Failed));
    }
}
