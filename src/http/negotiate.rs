//! What a request accepts: media type, encoding, and whether it has the page already.
//!
//! Pure functions of the request's headers. What cannot be parsed counts as not said.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// An encoding in which a page is kept ready.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
}

impl Coding {
    /// The value of `Content-Encoding`, where there is one.
    pub const fn header(self) -> Option<HeaderValue> {
        match self {
            Coding::Identity => None,
            Coding::Gzip => Some(HeaderValue::from_static("gzip")),
            Coding::Brotli => Some(HeaderValue::from_static("br")),
        }
    }
}

/// The best encoding by `Accept-Encoding` (RFC 9110 §12.5.3); brotli before gzip before identity among equals. Identity
/// where nothing fits: better an answer than none.
pub fn coding(headers: &HeaderMap) -> Coding {
    let (mut br, mut gzip, mut identity, mut any) = (None, None, None, None);
    for (name, q) in elements(headers, &header::ACCEPT_ENCODING) {
        let slot = if name.eq_ignore_ascii_case("br") {
            &mut br
        } else if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            &mut gzip
        } else if name.eq_ignore_ascii_case("identity") {
            &mut identity
        } else if name == "*" {
            &mut any
        } else {
            continue;
        };
        *slot = Some(q);
    }
    let br = br.or(any).unwrap_or(0);
    let gzip = gzip.or(any).unwrap_or(0);
    // Identity is acceptable unless it is excluded, but anything named outright is preferred.
    let identity = identity.unwrap_or(u16::from(any != Some(0)));
    if br > 0 && br >= gzip && br >= identity {
        Coding::Brotli
    } else if gzip > 0 && gzip >= identity {
        Coding::Gzip
    } else {
        Coding::Identity
    }
}

/// Whether `Accept` allows `application/json`.
pub fn accepts_json(headers: &HeaderMap) -> bool {
    accepts(headers, "application/json")
}

/// Whether `Accept` allows `media`, in lower case.
pub fn accepts(headers: &HeaderMap, media: &str) -> bool {
    quality(headers, media) > 0
}

/// Which of these media types, in lower case, `Accept` prefers: among equals the first. None where it allows none.
pub fn preferred(headers: &HeaderMap, offered: &[&str]) -> Option<usize> {
    let mut best: Option<(u16, usize)> = None;
    for (i, media) in offered.iter().enumerate() {
        let q = quality(headers, media);
        if q > best.map_or(0, |(held, _)| held) {
            best = Some((q, i));
        }
    }
    best.map(|(_, i)| i)
}

/// The weight of `media` in thousandths: the most specific range that fits decides (RFC 9110 §12.5.1).
fn quality(headers: &HeaderMap, media: &str) -> u16 {
    let family = media.split_once('/').map_or("", |(family, _)| family);
    let is_family = |range: &str| range.strip_suffix("/*").is_some_and(|of| of.eq_ignore_ascii_case(family));
    let mut best: Option<(u8, u16)> = None;
    let mut said = false;
    for (range, q) in elements(headers, &header::ACCEPT) {
        said = true;
        let specificity = match range {
            "*/*" => 1,
            range if is_family(range) => 2,
            range if range.eq_ignore_ascii_case(media) => 3,
            _ => continue,
        };
        if best.is_none_or(|(held, held_q)| specificity > held || (specificity == held && q > held_q)) {
            best = Some((specificity, q));
        }
    }
    best.map_or(if said { 0 } else { 1000 }, |(_, q)| q)
}

/// Whether `If-None-Match` names `etag` or `*`. RFC 9110 §13.1.2 asks for the weak comparison here: a cache on the way
/// may have put `W/` before our strong tag.
pub fn has_already(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get_all(header::IF_NONE_MATCH).any(|value| {
        // The usual case, without parsing.
        value == etag
            || value.to_str().is_ok_and(|list| {
                // No tag of ours holds a comma, so a split cannot make one up.
                list.split(',')
                    .map(str::trim)
                    .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
            })
    })
}

/// Every element of a comma-separated header with its weight in thousandths, other parameters left out.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = (&'a str, u16)> {
    headers.get_all(name).filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).filter_map(
        |element| {
            let mut parts = element.split(';').map(str::trim);
            let name = parts.next().filter(|name| !name.is_empty())?;
            let q = parts
                .filter_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")))
                .map(weight)
                .next()
                .unwrap_or(1000);
            Some((name, q))
        },
    )
}

/// A quality value in thousandths; what is no number counts as 0.
fn weight(q: &str) -> u16 {
    q.parse::<f32>().map_or(0, |q| (q.clamp(0.0, 1.0) * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !value.is_empty() {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn encodings() {
        for (accept, expected) in [
            ("", Coding::Identity),
            ("gzip", Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Brotli),
            ("br;q=0.5, gzip;q=0.8", Coding::Gzip),
            ("br;q=0, gzip;q=0", Coding::Identity),
            ("*", Coding::Brotli),
            ("*;q=0.1, br;q=0", Coding::Gzip),
            ("identity", Coding::Identity),
            ("identity;q=0.5, gzip;q=0.2", Coding::Identity),
            ("GZIP;Q=1", Coding::Gzip),
            ("gzip;q=nonsense", Coding::Identity),
            ("zstd", Coding::Identity),
            (";;,,;", Coding::Identity),
        ] {
            assert_eq!(coding(&map(header::ACCEPT_ENCODING, accept)), expected, "{accept}");
        }
    }

    #[test]
    fn media_types() {
        for (accept, expected) in [
            ("", true),
            ("*/*", true),
            ("application/json", true),
            ("application/*;q=0.1", true),
            ("text/html, application/json;q=0.9", true),
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("text/html", false),
            ("application/json;q=0, */*", false),
            ("*/*;q=0", false),
            ("application/json;charset=utf-8", true),
        ] {
            assert_eq!(accepts_json(&map(header::ACCEPT, accept)), expected, "{accept}");
        }
    }

    #[test]
    fn the_heaviest_of_what_is_offered_and_the_first_of_equals() {
        let offered = ["application/json", "text/csv", "application/x-ndjson"];
        for (accept, expected) in [
            ("", Some(0)),
            ("*/*", Some(0)),
            ("text/csv", Some(1)),
            ("text/*", Some(1)),
            ("TEXT/CSV; charset=utf-8", Some(1)),
            ("application/*", Some(0)),
            ("application/x-ndjson, application/json", Some(0)),
            ("application/x-ndjson, application/json;q=0.9", Some(2)),
            ("text/csv;q=0.2, application/x-ndjson;q=0.3", Some(2)),
            ("text/csv;q=0, */*;q=0.1", Some(0)),
            ("application/json;q=0, */*;q=0.1", Some(1)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(0)),
            ("text/html", None),
            ("text/csv;q=0", None),
            ("*/*;q=0", None),
        ] {
            assert_eq!(preferred(&map(header::ACCEPT, accept), &offered), expected, "{accept}");
        }
    }

    #[test]
    fn conditional_requests() {
        let etag = HeaderValue::from_static("\"a.1\"");
        for (condition, expected) in [
            ("", false),
            ("\"a.1\"", true),
            ("W/\"a.1\"", true),
            ("\"x\", \"a.1\" , \"y\"", true),
            ("*", true),
            ("\"a.10\"", false),
            ("a.1", false),
        ] {
            assert_eq!(has_already(&map(header::IF_NONE_MATCH, condition), &etag), expected, "{condition}");
        }
    }
}
