//! `/llms.txt`: what this is and how to read it, in one short text for machines that read texts.
//!
//! The addresses are those of the API's own description, the formulas those of the methodology: nothing is said twice.

use std::fmt::Write;
use std::sync::LazyLock;

use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::fixed::{self, Fixed};
use super::openapi::document;
use super::problem::Problem;
use super::state::HttpState;
use crate::domain::view::methodology;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

const ABOUT: &str = "\
# mirrorwatch

> Watches the did:plc directory (the primary) and its mirrors, all at once, and judges every operation at every mirror: on time, \
late, missed, extra, or unknown. It says how complete, how late and how truthful each mirror is, with the evidence.

## The promise

A mirror is never blamed for what the observer or the primary did. A miss needs a proof that everything the mirror sent reached \
us; without one the verdict is `unknown`, which is a verdict of its own. Do not read `unknown`, `pending` or `null` as a failure \
of the mirror, and do not read a missing figure as 0.

## How to read the numbers

- Begin with `/api/v1/overview`: one sentence, whether the observer can be believed, and every mirror, worst first.
- Answers are `{\"data\", \"meta\", \"links\"}`. Units stand in the names (`_ms`, `_s`, `_ratio` from 0 to 1, `_ops`, `_bytes`); instants \
are RFC 3339 in UTC. A value that cannot be told is `null` beside its reason.
- Quote a share with its counts, its interval of confidence (`low95_ratio`, `high95_ratio`) and `observed_ratio`; a lag smaller \
than `uncertainty_ms` is about zero. `meta.window` says which time is meant; windows are 5m 15m 1h 6h 24h 7d 30d.
- Tables are CSV and NDJSON too: by `.csv` or `.ndjson` at the end of the path, or by `Accept`.
- `links.html` is the same view for people: give it to them. Send the `ETag` back as `If-None-Match`; `Cache-Control` says when \
there is something new. Lists lead on by `links.next`.
- Errors are `application/problem+json`: `detail` and `allowed` say what to ask instead.
";

/// The text with what stands around it.
static SERVED: LazyLock<Option<Fixed>> = LazyLock::new(|| Fixed::new(text().into_bytes(), TEXT));

/// Answers with the text.
///
/// # Errors
/// 400 for a parameter.
pub fn answer(request: &HttpRequest, _: &HttpState) -> Result<HttpResponse, Problem> {
    fixed::answer(SERVED.as_ref(), request)
}

fn text() -> String {
    let described = document::document();
    let mut text = ABOUT.to_owned();
    for (tag, about) in document::TAGS {
        let of_tag =
            described.pointer("/paths").and_then(Value::as_object).into_iter().flatten().flat_map(|(path, methods)| {
                methods.as_object().into_iter().flatten().map(move |(method, told)| (path, method, told))
            });
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## {about}\n\n");
        for (path, method, told) in
            of_tag.filter(|(_, _, told)| told.pointer("/tags/0").is_some_and(|held| held == tag))
        {
            let summary = told["summary"].as_str().unwrap_or_default();
            let _ = writeln!(text, "- [{} {path}]({path}): {summary}", method.to_uppercase());
        }
    }
    text.push_str("\n## Formulas\n\n");
    for (id, formula, meaning) in methodology::formulas() {
        let _ = writeln!(text, "- `{id}` = {formula}. {meaning}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_and_every_formula_is_in_it_and_it_stays_short() {
        let text = text();
        for path in document::document()["paths"].as_object().unwrap().keys() {
            assert!(text.contains(&format!(" {path}]({path}): ")), "{path}");
        }
        for (id, ..) in methodology::formulas() {
            assert!(text.contains(&format!("\n- `{id}` = ")), "{id}");
        }
        assert!(text.starts_with("# mirrorwatch\n\n> ") && text.contains("A mirror is never blamed"));
        assert!(text.len() < 24_000 && text.lines().all(|line| line.len() < 700), "{} bytes", text.len());
    }
}
