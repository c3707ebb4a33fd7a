//! The head of a request, looked at before the server parses it: whether it is whole, what is wrong with it, and whether
//! anything but another head can follow.
//!
//! The server answers what it cannot parse by itself, without headers and without words. What it would answer so is
//! found here first, by the same parser and the same rules, so that such an answer looks like all others. Pure: bytes in,
//! a verdict out.

use std::sync::LazyLock;

use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode, Uri, header};

use super::problem::Problem;

/// Longest request target in bytes.
pub const URI_BYTES_MAX: usize = 2_048;
/// Longest head in bytes, from the method to the empty line.
pub const HEAD_BYTES_MAX: usize = 16_384;
/// Most header fields.
pub const FIELDS_MAX: usize = 64;
/// Longest method in bytes; what is longer is none.
const METHOD_BYTES_MAX: usize = 32;
/// Seconds after which an address with too many connections may try again.
const RETRY_AFTER_S: u64 = 10;

/// The method of the request that stands for a refused one. Nobody can ask for it: it is made anew for each process.
static REFUSED: LazyLock<String> = LazyLock::new(|| format!("REFUSED-{:032x}", rand::random::<u128>()));

/// Why a head goes no further.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no head, or one that could be read in two ways.
    Malformed,
    /// The target is longer than [`URI_BYTES_MAX`].
    UriTooLong,
    /// It is longer than [`HEAD_BYTES_MAX`].
    TooLarge,
    /// It has more than [`FIELDS_MAX`] fields.
    TooManyFields,
    /// It was not whole in time.
    Slow,
    /// Its address has too many connections.
    TooManyConnections,
}

/// What follows a head.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next head.
    Head,
    /// A body or a stream: no further head is taken from this connection.
    Stream,
}

/// What the bytes of a connection begin with.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// A part of a head.
    Partial,
    /// A head of so many bytes.
    Whole { bytes: usize, then: Then },
    /// Nothing that is taken.
    Refused(Refusal),
}

impl Refusal {
    const ALL: [Refusal; 6] = [
        Refusal::Malformed,
        Refusal::UriTooLong,
        Refusal::TooLarge,
        Refusal::TooManyFields,
        Refusal::Slow,
        Refusal::TooManyConnections,
    ];

    fn path(self) -> &'static str {
        match self {
            Refusal::Malformed => "/malformed",
            Refusal::UriTooLong => "/uri-too-long",
            Refusal::TooLarge => "/too-large",
            Refusal::TooManyFields => "/too-many-fields",
            Refusal::Slow => "/slow",
            Refusal::TooManyConnections => "/too-many-connections",
        }
    }

    /// A request that the server can parse and answers as refused, in its turn, and then ends the connection.
    pub fn stand_in(self) -> String {
        format!("{} {} HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n", *REFUSED, self.path())
    }

    /// The refusal that a request stands for.
    pub fn of(method: &Method, path: &str) -> Option<Refusal> {
        if method.as_str() != REFUSED.as_str() {
            return None;
        }
        Refusal::ALL.into_iter().find(|refusal| refusal.path() == path)
    }

    /// What the client is told.
    pub fn problem(self) -> Problem {
        let too_large = |detail: String, limit: usize| {
            Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", detail).limit(limit as u64)
        };
        match self {
            Refusal::Malformed => {
                Problem::new(StatusCode::BAD_REQUEST, "bad_request", "the head of the request is not HTTP/1.1")
            }
            Refusal::UriTooLong => {
                let detail = format!("limit {URI_BYTES_MAX} bytes of address");
                Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail).limit(URI_BYTES_MAX as u64)
            }
            Refusal::TooLarge => too_large(format!("limit {HEAD_BYTES_MAX} bytes of head"), HEAD_BYTES_MAX),
            Refusal::TooManyFields => too_large(format!("limit {FIELDS_MAX} header fields"), FIELDS_MAX),
            Refusal::Slow => {
                Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the head of the request took too long")
            }
            Refusal::TooManyConnections => {
                let detail = format!("too many connections from one address; retry in {RETRY_AFTER_S} s");
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_connections", detail)
                    .header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))
            }
        }
    }
}

/// Looks at the bytes that a connection begins with, or goes on with behind a head that nothing follows.
pub fn look(bytes: &[u8]) -> Look {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(bytes);
    if target_bytes(bytes) > URI_BYTES_MAX {
        return Look::Refused(Refusal::UriTooLong);
    }
    match parsed {
        Ok(httparse::Status::Partial) if bytes.len() > HEAD_BYTES_MAX => Look::Refused(Refusal::TooLarge),
        Ok(httparse::Status::Partial) => Look::Partial,
        Ok(httparse::Status::Complete(length)) if length > HEAD_BYTES_MAX => Look::Refused(Refusal::TooLarge),
        Ok(httparse::Status::Complete(length)) => match what_follows(&request) {
            Some(then) => Look::Whole { bytes: length, then },
            None => Look::Refused(Refusal::Malformed),
        },
        Err(httparse::Error::TooManyHeaders) => Look::Refused(Refusal::TooManyFields),
        Err(_) => Look::Refused(Refusal::Malformed),
    }
}

/// Bytes of the request's target as far as they have come; 0 where there is no target yet.
fn target_bytes(bytes: &[u8]) -> usize {
    let begin = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let rest = bytes.get(begin..).unwrap_or_default();
    let Some(space) = rest.iter().take(METHOD_BYTES_MAX + 1).position(|byte| *byte == b' ') else { return 0 };
    let target = rest.get(space + 1..).unwrap_or_default();
    target.iter().position(|byte| matches!(byte, b' ' | b'\r' | b'\n')).unwrap_or(target.len())
}

/// What follows a whole head; `None` for one that the server would refuse, or that could be read in two ways.
fn what_follows(request: &httparse::Request<'_, '_>) -> Option<Then> {
    let method = request.method.filter(|method| method.len() <= METHOD_BYTES_MAX)?;
    request.path?.parse::<Uri>().ok()?;
    let is_1_1 = request.version == Some(1);
    let values = |name: header::HeaderName| {
        let fields = request.headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name.as_str()));
        fields.map(|field| field.value.trim_ascii())
    };
    let one = |name: header::HeaderName| {
        let mut found = values(name);
        let first = found.next();
        found.next().is_none().then_some(first)
    };
    let length = match one(header::CONTENT_LENGTH)? {
        Some(text) => {
            let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
            Some(digits.parse::<u64>().ok()?)
        }
        None => None,
    };
    let coding = one(header::TRANSFER_ENCODING)?;
    let is_coding_right = coding.is_none_or(|coding| coding.eq_ignore_ascii_case(b"chunked") && is_1_1);
    let is_host_right = one(header::HOST)?.is_some() || !is_1_1;
    let is_post_right = is_1_1 || method != "POST" || length.is_some();
    if !is_coding_right || !is_host_right || !is_post_right || (coding.is_some() && length.is_some()) {
        return None;
    }
    let is_upgrade = values(header::UPGRADE).any(|to| to.eq_ignore_ascii_case(b"websocket"));
    let has_more = coding.is_some() || length.is_some_and(|bytes| bytes > 0) || is_upgrade || method == "CONNECT";
    Some(if has_more { Then::Stream } else { Then::Head })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(head: &str) -> Refusal {
        match look(head.as_bytes()) {
            Look::Refused(why) => why,
            other => panic!("{other:?}: {head}"),
        }
    }

    #[test]
    fn heads_are_found_whole_and_what_follows_is_known() {
        let rows = [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", Then::Head),
            ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Then::Head),
            ("GET / HTTP/1.0\r\n\r\n", Then::Head),
            ("GET http://a/x HTTP/1.1\r\nhost: a\r\n\r\n", Then::Head),
            ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", Then::Head),
            ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n", Then::Stream),
            ("POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding:  CHUNKED \r\n\r\n", Then::Stream),
            ("GET / HTTP/1.1\r\nhost: a\r\nupgrade: WebSocket\r\n\r\n", Then::Stream),
            ("CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", Then::Stream),
        ];
        for (head, then) in rows {
            for extra in ["", "GET", "\u{0}\u{1}"] {
                let bytes = [head, extra].concat();
                assert_eq!(look(bytes.as_bytes()), Look::Whole { bytes: head.len(), then }, "{bytes}");
            }
            for cut in 0..head.len() {
                assert_eq!(look(&head.as_bytes()[..cut]), Look::Partial, "{cut} bytes of {head}");
            }
        }
    }

    #[test]
    fn what_is_no_head_or_two_is_refused() {
        for head in [
            "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
            "GET /\u{1} HTTP/1.1\r\n",
            "\u{16}\u{3}\u{1}",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\nname : x\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\n folded: x\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5, 5\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.0\r\n\r\n",
            "GET http://[ HTTP/1.1\r\nhost: a\r\n\r\n",
        ] {
            assert_eq!(refused(head), Refusal::Malformed, "{head}");
        }
    }

    #[test]
    fn limits_are_kept_to_the_byte_and_before_the_head_is_whole() {
        let target = |bytes: usize| format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(bytes - 1));
        assert!(matches!(look(target(URI_BYTES_MAX).as_bytes()), Look::Whole { .. }));
        assert_eq!(refused(&target(URI_BYTES_MAX + 1)), Refusal::UriTooLong);
        assert_eq!(refused(&format!("GET /{}", "x".repeat(URI_BYTES_MAX))), Refusal::UriTooLong);
        let fields = |count: usize| format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(count - 1));
        assert!(matches!(look(fields(FIELDS_MAX).as_bytes()), Look::Whole { .. }));
        assert_eq!(refused(&fields(FIELDS_MAX + 1)), Refusal::TooManyFields);
        let begin = "GET / HTTP/1.1\r\nhost: a\r\nx: ";
        let head = |bytes: usize| format!("{begin}{}\r\n\r\n", "x".repeat(bytes - begin.len() - 4));
        assert!(matches!(look(head(HEAD_BYTES_MAX).as_bytes()), Look::Whole { .. }));
        assert_eq!(refused(&head(HEAD_BYTES_MAX + 1)), Refusal::TooLarge);
        assert_eq!(refused(&format!("{begin}{}", "x".repeat(HEAD_BYTES_MAX))), Refusal::TooLarge);
    }

    #[test]
    fn a_stand_in_is_a_head_that_is_known_again() {
        for refusal in Refusal::ALL {
            let head = refusal.stand_in();
            let mut fields = [httparse::EMPTY_HEADER; 4];
            let mut request = httparse::Request::new(&mut fields);
            assert_eq!(request.parse(head.as_bytes()), Ok(httparse::Status::Complete(head.len())));
            let method = Method::from_bytes(request.method.unwrap().as_bytes()).unwrap();
            assert_eq!(Refusal::of(&method, request.path.unwrap()), Some(refusal));
            assert_eq!(Refusal::of(&Method::GET, request.path.unwrap()), None);
            assert!(matches!(look(head.as_bytes()), Look::Refused(Refusal::Malformed)), "nobody else may send it");
        }
    }
}
