//! The head of a request, looked at before the server parses it: whether it is whole, what is wrong with it, and whether
//! anything but another head can follow.
//!
//! The server answers what it cannot parse by itself, without headers and without words. What it would answer so is
//! found here first, by the same parser and the same rules, so that such an answer looks like all others. Pure: bytes in,
//! a verdict out.

use std::sync::LazyLock;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri, header};

use super::problem::Problem;

/// Longest request target in bytes.
pub const URI_BYTES_MAX: usize = 2_048;
/// Longest head in bytes, from the method to the empty line.
pub const HEAD_BYTES_MAX: usize = 16_384;
/// Most header fields.
pub const FIELDS_MAX: usize = 64;
/// Longest body in bytes, whatever the address.
pub const BODY_BYTES_MAX: usize = 4_096;
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
    /// The body that it announces is longer than [`BODY_BYTES_MAX`].
    BodyTooLarge,
    /// It announces a body without its length.
    NoLength,
    /// It was not whole in time.
    Slow,
    /// Its address has too many connections.
    TooManyConnections,
}

/// What follows a head.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// So many bytes of body, and then the next head.
    Body(usize),
    /// A stream: no further head is taken from this connection.
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
    const ALL: [Refusal; 8] = [
        Refusal::Malformed,
        Refusal::UriTooLong,
        Refusal::TooLarge,
        Refusal::TooManyFields,
        Refusal::BodyTooLarge,
        Refusal::NoLength,
        Refusal::Slow,
        Refusal::TooManyConnections,
    ];

    fn path(self) -> &'static str {
        match self {
            Refusal::Malformed => "/malformed",
            Refusal::UriTooLong => "/uri-too-long",
            Refusal::TooLarge => "/too-large",
            Refusal::TooManyFields => "/too-many-fields",
            Refusal::BodyTooLarge => "/body-too-large",
            Refusal::NoLength => "/no-length",
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
            Refusal::BodyTooLarge => {
                let detail = format!("limit {BODY_BYTES_MAX}");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).limit(BODY_BYTES_MAX as u64)
            }
            Refusal::NoLength => {
                Problem::new(StatusCode::LENGTH_REQUIRED, "length_required", "send the body with its content-length")
            }
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
            Ok(then) => Look::Whole { bytes: length, then },
            Err(why) => Look::Refused(why),
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

/// What follows a whole head, unless the server would refuse it or it could be read in two ways.
fn what_follows(request: &httparse::Request<'_, '_>) -> Result<Then, Refusal> {
    let method = request.method.filter(|method| method.len() <= METHOD_BYTES_MAX).ok_or(Refusal::Malformed)?;
    request.path.and_then(|path| path.parse::<Uri>().ok()).ok_or(Refusal::Malformed)?;
    let is_1_1 = request.version == Some(1);
    let length = one(request, &header::CONTENT_LENGTH)?.map(length_in).transpose()?;
    let coding = one(request, &header::TRANSFER_ENCODING)?;
    let has_host = one(request, &header::HOST)?.is_some();
    let is_coding_right = coding.is_none_or(|coding| coding.eq_ignore_ascii_case(b"chunked") && is_1_1);
    if !is_coding_right || (coding.is_some() && length.is_some()) || (is_1_1 && !has_host) {
        return Err(Refusal::Malformed);
    }
    if coding.is_some() || (method == "POST" && !is_1_1 && length.is_none()) {
        return Err(Refusal::NoLength);
    }
    if fields(request, &header::UPGRADE).any(|to| to.eq_ignore_ascii_case(b"websocket")) || method == "CONNECT" {
        return Ok(Then::Stream);
    }
    match usize::try_from(length.unwrap_or(0)) {
        Ok(length) if length <= BODY_BYTES_MAX => Ok(Then::Body(length)),
        _ => Err(Refusal::BodyTooLarge),
    }
}

/// The values of a field.
fn fields<'a>(request: &'a httparse::Request<'_, '_>, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let same = request.headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name.as_str()));
    same.map(|field| field.value.trim_ascii())
}

/// The value of a field that may stand there once.
fn one<'a>(request: &'a httparse::Request<'_, '_>, name: &'a HeaderName) -> Result<Option<&'a [u8]>, Refusal> {
    let mut found = fields(request, name);
    let first = found.next();
    if found.next().is_some() { Err(Refusal::Malformed) } else { Ok(first) }
}

fn length_in(text: &[u8]) -> Result<u64, Refusal> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or(Refusal::Malformed)
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
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", Then::Body(0)),
            ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Then::Body(0)),
            ("GET / HTTP/1.0\r\n\r\n", Then::Body(0)),
            ("GET http://a/x HTTP/1.1\r\nhost: a\r\n\r\n", Then::Body(0)),
            ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", Then::Body(0)),
            ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n", Then::Body(12)),
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
            "GET http://[ HTTP/1.1\r\nhost: a\r\n\r\n",
        ] {
            assert_eq!(refused(head), Refusal::Malformed, "{head}");
        }
    }

    #[test]
    fn bodies_have_a_length_and_a_limit() {
        let post = |fields: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n");
        let most = post("content-length: 4096");
        assert_eq!(look(most.as_bytes()), Look::Whole { bytes: most.len(), then: Then::Body(BODY_BYTES_MAX) });
        assert_eq!(refused(&post("content-length: 4097")), Refusal::BodyTooLarge);
        assert_eq!(refused(&post("content-length: 18446744073709551615")), Refusal::BodyTooLarge);
        assert_eq!(refused(&post("Transfer-Encoding:  CHUNKED ")), Refusal::NoLength);
        assert_eq!(refused("POST / HTTP/1.0\r\n\r\n"), Refusal::NoLength);
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
