//! The overview as a document without scripts: the same verdicts, for text browsers, mail and machines with nothing else.

use super::{at, percent::percent};
use crate::domain::text::{html_escaped, printable};
use serde_json::Value;
use std::fmt::Write;

/// Seconds after which a browser that understands it loads the document anew.
const REFRESH_S: u32 = 30;
const DASH: &str = "—";
/// Characters of a text of others; a longer one is cut.
const TEXT_MAX: usize = 400;

/// The document, made of the overview's `data`.
#[must_use]
pub fn document(overview: &Value, as_of: &str) -> String {
    let headline = shown(overview["headline"].as_str().unwrap_or("No snapshot yet."));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"refresh\" content=\"{REFRESH_S}\">\n<title>{headline} · mirrorwatch</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"/status.css\">\n</head>\n<body>\n<h1>{headline}</h1>\n"
    );
    let (observer, primary) = (&overview["observer"], &overview["primary"]);
    let flags: Vec<&str> = observer["flags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let why = if flags.is_empty() { String::new() } else { format!(" ({})", flags.join(", ")) };
    // Writing to a string cannot fail.
    let _ = writeln!(
        html,
        "<p>Observer: {}{}. Primary {}: {}, {} operations a second. As of {}.</p>",
        word(&observer["state"]),
        shown(&why.replace('_', " ")),
        shown(primary["name"].as_str().unwrap_or(DASH)),
        word(at(primary, "/link/state")),
        number(&primary["rate_ops_per_s"]),
        shown(as_of),
    );
    html.push_str("<div>\n<table>\n<thead>\n<tr>");
    for column in ["Mirror", "State", "Coverage, 6 h", "Missed", "Late", "Extra", "Lag p95, 1 h", "What it says"] {
        let _ = write!(html, "<th scope=\"col\">{column}</th>");
    }
    html.push_str("</tr>\n</thead>\n<tbody>\n");
    for row in overview["mirrors"].as_array().into_iter().flatten() {
        mirror(&mut html, row);
    }
    html.push_str(
        "</tbody>\n</table>\n</div>\n<p>Unknown is a verdict of its own: no mirror is blamed for what this observer or the \
         primary did. <a href=\"/\">The page</a> · <a href=\"/methodology\">how the numbers are made</a> · \
         <a href=\"/api/v1/overview\">JSON</a></p>\n</body>\n</html>\n",
    );
    html
}

fn mirror(html: &mut String, row: &Value) {
    let (coverage, lag) = (&row["coverage"], &row["lag"]);
    let counts = &coverage["counts"];
    let decided = counts["decided"].as_u64().unwrap_or(0);
    let share = coverage["coverage_ratio"].as_f64().map_or(DASH.to_owned(), |ratio| shown(&percent(ratio, decided)));
    let p95 = lag["p95_ms"].as_f64().map_or(DASH.to_owned(), |ms| format!("{ms:.1} ms"));
    let id = shown(row["id"].as_str().unwrap_or_default());
    let _ = writeln!(
        html,
        "<tr><th scope=\"row\"><a href=\"/mirrors/{id}\">{}</a></th><td>{}</td><td>{share}</td><td>{} of {}</td>\
         <td>{}</td><td>{}</td><td>{p95}</td><td>{}</td></tr>",
        shown(row["name"].as_str().unwrap_or_default()),
        word(&row["state"]),
        number(&counts["missed"]),
        number(&counts["decided"]),
        number(&counts["late"]),
        number(&counts["extra"]),
        shown(row["headline"].as_str().unwrap_or_default()),
    );
}

fn number(value: &Value) -> String {
    match value {
        Value::Number(n) => n.to_string(),
        _ => DASH.to_owned(),
    }
}

/// A text of others, as it may stand in the document.
fn shown(text: &str) -> String {
    html_escaped(&printable(text, TEXT_MAX))
}

/// A word of an enumeration as people write it.
fn word(value: &Value) -> String {
    shown(&value.as_str().unwrap_or(DASH).replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_says_what_the_overview_says_and_takes_no_markup_from_anybody() {
        let overview = json!({
            "headline": "<b>1 & 2</b>",
            "observer": { "state": "impaired", "flags": ["primary_down"] },
            "primary": { "name": "p", "link": { "state": "catching_up" }, "rate_ops_per_s": 1.5 },
            "mirrors": [
                { "id": "a", "name": "\"><script>alert(1)</script>", "state": "losing", "headline": "it's so\u{202e}\n",
                  "coverage": { "coverage_ratio": 0.999_99, "counts": { "missed": 3, "decided": 300_000, "late": 0, "extra": 1 } },
                  "lag": { "p95_ms": null } },
            ],
        });
        let html = document(&overview, "2026-11-21T00:00:00.000Z");
        assert!(html.contains("<h1>&lt;b&gt;1 &amp; 2&lt;/b&gt;</h1>"), "{html}");
        assert!(html.contains("Observer: impaired (primary down). Primary p: catching up, 1.5 operations"), "{html}");
        assert!(html.contains("<td>99.999 %</td><td>3 of 300000</td><td>0</td><td>1</td><td>—</td>"), "{html}");
        assert!(!html.contains("<script") && html.contains("<td>it&#39;s so  </td>"), "{html}");
        assert_eq!(html.matches("<tr>").count(), 2);
    }

    #[test]
    fn two_hundred_scripts_add_nothing_to_the_document_but_text() {
        let scripts: Vec<String> = serde_json::from_str(include_str!("../../../tests/browser/scripts.json")).unwrap();
        let of = |text: &str| {
            let row = json!({ "id": text, "name": text, "state": text, "headline": text, "coverage": {}, "lag": {} });
            let overview = json!({
                "headline": text, "observer": { "state": text, "flags": [text] },
                "primary": { "name": text, "link": { "state": text } }, "mirrors": [row],
            });
            document(&overview, text)
        };
        let marks = |html: &str| ['<', '>', '"', '\''].map(|mark| html.matches(mark).count());
        let plain = of("plain");
        for script in &scripts {
            let spoken = of(script);
            assert_eq!(marks(&spoken), marks(&plain), "{spoken}");
            assert!(!spoken.replace('\n', "").contains(crate::domain::text::is_hidden), "{spoken}");
        }
    }

    #[test]
    fn nothing_known_is_no_failure() {
        let html = document(&Value::Null, "");
        assert!(html.contains("<h1>No snapshot yet.</h1>") && html.ends_with("</html>\n"), "{html}");
        let least = json!({ "mirrors": [{ "coverage": { "coverage_ratio": 0.000_1, "counts": { "decided": 300 } } }] });
        assert!(document(&least, "").contains("<td>&lt; 1 %</td>"));
    }
}
