//! The fields of a report, from wherever they are taken: the query, a form of either kind, or JSON.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use tokio::time::timeout;

use super::Refused;

/// The fields, in the order of an event's.
const NAMES: [&str; 4] = ["time", "sender", "eventtype", "message"];
/// Bytes of a body at most.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Longest time for a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What was found; the first of a name counts, as in Go.
#[derive(Default)]
struct Found([Option<String>; 4]);

impl Found {
    fn take(&mut self, name: &str, value: String) {
        let slot = NAMES.iter().position(|known| *known == name).and_then(|at| self.0.get_mut(at));
        if let Some(slot) = slot.filter(|slot| slot.is_none()) {
            *slot = Some(value);
        }
    }

    fn take_encoded(&mut self, encoded: &[u8]) {
        for (name, value) in url::form_urlencoded::parse(encoded) {
            self.take(&name, value.into_owned());
        }
    }

    fn take_json(&mut self, body: &[u8]) {
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return };
        for (name, value) in object {
            match value {
                Value::String(text) => self.take(&name, text),
                // Which event and when are often written as numbers.
                Value::Number(number) => self.take(&name, number.to_string()),
                _ => {}
            }
        }
    }

    /// What of a form in parts can be read; a broken one ends where it breaks.
    async fn take_parts(&mut self, boundary: String, body: Bytes) {
        let mut parts = multer::Multipart::new(stream::iter([Ok::<_, std::io::Error>(body)]), boundary);
        while let Ok(Some(part)) = parts.next_field().await {
            let Some(name) = part.name().filter(|_| part.file_name().is_none()).map(str::to_owned) else { continue };
            let Ok(value) = part.bytes().await else { return };
            self.take(&name, String::from_utf8_lossy(&value).into_owned());
        }
    }
}

/// The fields of a request; those that are missing are empty.
pub(super) async fn fields(request: &HttpRequest, payload: web::Payload) -> Result<[String; 4], Refused> {
    let body = match timeout(BODY_TIMEOUT, payload.to_bytes_limited(BODY_BYTES_MAX)).await {
        Ok(Ok(Ok(body))) => body,
        Ok(Ok(Err(_))) => return Err(Refused(StatusCode::BAD_REQUEST, "the body is cut short".to_owned())),
        Ok(Err(_)) => {
            return Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, format!("body: limit {BODY_BYTES_MAX} bytes")));
        }
        Err(_) => return Err(Refused(StatusCode::REQUEST_TIMEOUT, "the body took too long".to_owned())),
    };
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let mut found = Found::default();
    let query = request.query_string().as_bytes();
    match kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => {
            found.take_encoded(&body);
            found.take_encoded(query);
        }
        "multipart/form-data" => {
            found.take_encoded(query);
            if let Ok(boundary) = multer::parse_boundary(kind) {
                found.take_parts(boundary, body).await;
            }
        }
        "application/json" => {
            found.take_json(&body);
            found.take_encoded(query);
        }
        _ => found.take_encoded(query),
    }
    Ok(found.0.map(Option::unwrap_or_default))
}
