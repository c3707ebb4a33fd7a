//! The envelope around every answer's data: `meta` says how old and how final it is, `links` where it and its kin stand.
//!
//! Written by hand around ready JSON, so that the data is serialised once and never parsed again.

use serde::Serialize;

use crate::domain::time::rfc3339_ms;

/// Names the formulas behind the figures; changes only with them.
pub const METHOD_VERSION: &str = "1";
/// Offset of the data in a wrapped body: the length of `{"data":`.
pub const DATA_START: usize = 8;
/// Where the formulas are explained.
const METHODOLOGY_PATH: &str = "/api/v1/methodology";

/// How settled a window's figures are.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowStatus {
    /// Operations of the window are still being judged.
    Provisional,
    /// Everything is judged.
    Final,
    /// Judged, and changed afterwards by late evidence.
    Revised,
}

/// The window that an answer covers: `[from, to)`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct WindowMeta {
    /// First millisecond that belongs to it, UTC.
    pub from_at_ms: i64,
    /// First millisecond that does not, UTC.
    pub to_at_ms: i64,
    /// How settled it is.
    pub status: WindowStatus,
}

/// What `meta` is made from.
pub struct Meta<'a> {
    /// UTC milliseconds at which this body was made.
    pub generated_at_ms: i64,
    /// Names the run.
    pub snapshot_id: &'a str,
    /// Of this address within the run.
    pub revision: u64,
    /// Milliseconds from the capture of the data to the making of the body.
    pub age_ms: i64,
    /// Seconds between computations; `None` where the answer was computed for the request.
    pub recompute_interval_s: Option<f64>,
    /// Milliseconds that the computation took.
    pub compute_ms: f64,
    /// The window, where there is one.
    pub window: Option<WindowMeta>,
}

/// What `links` is made from: paths with their queries.
pub struct Links<'a> {
    /// This answer.
    pub own: &'a str,
    /// The next page of it.
    pub next: Option<&'a str>,
    /// The same view for people.
    pub html: &'a str,
}

#[derive(Serialize)]
struct WindowJson {
    from_at: String,
    to_at: String,
    status: WindowStatus,
}

#[derive(Serialize)]
struct MetaJson<'a> {
    generated_at: String,
    snapshot_id: &'a str,
    revision: u64,
    age_ms: i64,
    recompute_interval_s: Option<f64>,
    compute_ms: f64,
    window: Option<WindowJson>,
    method_version: &'a str,
}

#[derive(Serialize)]
struct LinksJson<'a> {
    #[serde(rename = "self")]
    own: &'a str,
    next: Option<&'a str>,
    html: &'a str,
    methodology: &'a str,
}

/// `{"data":…,"meta":…,"links":…}` around `data`, which must be JSON already.
pub fn wrap(data: &[u8], meta: &Meta<'_>, links: &Links<'_>) -> Vec<u8> {
    let meta_json = MetaJson {
        generated_at: rfc3339_ms(meta.generated_at_ms),
        snapshot_id: meta.snapshot_id,
        revision: meta.revision,
        age_ms: meta.age_ms,
        recompute_interval_s: meta.recompute_interval_s,
        compute_ms: (meta.compute_ms * 1000.0).round() / 1000.0,
        window: meta.window.map(|window| WindowJson {
            from_at: rfc3339_ms(window.from_at_ms),
            to_at: rfc3339_ms(window.to_at_ms),
            status: window.status,
        }),
        method_version: METHOD_VERSION,
    };
    let links_json = LinksJson { own: links.own, next: links.next, html: links.html, methodology: METHODOLOGY_PATH };
    let mut out = Vec::with_capacity(data.len() + 512);
    out.extend_from_slice(b"{\"data\":");
    out.extend_from_slice(data);
    out.extend_from_slice(b",\"meta\":");
    append_json(&mut out, &meta_json);
    out.extend_from_slice(b",\"links\":");
    append_json(&mut out, &links_json);
    out.push(b'}');
    out
}

/// Appends `value`; `null` if it could not be written, which these plain structs never cause.
fn append_json<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// An HTTP date (RFC 9110 §5.6.7) of UTC milliseconds, rounded down to the second.
pub fn http_date(utc_ms: i64) -> String {
    jiff::Timestamp::from_second(utc_ms.div_euclid(1000)).map_or_else(
        |_| "Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
        |at| at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(http_date(784_111_777_999), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_window_is_told_with_its_status() {
        let meta = Meta {
            generated_at_ms: 0,
            snapshot_id: "s",
            revision: 1,
            age_ms: 0,
            recompute_interval_s: None,
            compute_ms: 0.123_456,
            window: Some(WindowMeta { from_at_ms: 0, to_at_ms: 1000, status: WindowStatus::Provisional }),
        };
        let body = wrap(b"[]", &meta, &Links { own: "/a", next: Some("/a?cursor=x"), html: "/" });
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["meta"]["window"]["from_at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(body["meta"]["window"]["status"], "provisional");
        assert_eq!(body["meta"]["compute_ms"], 0.123);
        assert_eq!(body["links"]["next"], "/a?cursor=x");
    }
}
