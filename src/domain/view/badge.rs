//! Badges: one figure of a mirror as a small picture, and as JSON in the schema of shields.io endpoints.
//!
//! They say what the mirror's row of the overview says, in few characters.

use super::{at, percent::percent};
use crate::domain::text::{html_escaped, is_hidden};
use serde_json::{Value, json};
use std::fmt::Write;

/// Characters of a label; a longer name is cut.
const LABEL_MAX: usize = 60;
/// Estimated width of a character, in tenths of a pixel; the text is stretched to what was estimated.
const CHAR_WIDTH: usize = 68;
/// Space around a text, in tenths of a pixel.
const PADDING: usize = 100;
/// Age of the first operation that is owed above which freshness is amber, seconds.
const STALE_S: f64 = 30.0;
/// Lag above which it is amber, milliseconds.
const LATE_MS: f64 = 10_000.0;

const WELL: &str = "0f6e8c";
const LATE: &str = "a85a00";
const BAD: &str = "b3261e";
const DIVERGED: &str = "a1006b";
const UNKNOWN: &str = "5f6b7a";

/// What a badge shows.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum BadgeKind {
    /// The word of the mirror's state.
    State,
    /// Coverage of 6 h.
    Coverage,
    /// The corrected lag of 1 h that 95 % stay below.
    LagP95,
    /// How far behind it is now.
    Freshness,
}

impl BadgeKind {
    /// Every kind.
    pub const ALL: [BadgeKind; 4] = [BadgeKind::State, BadgeKind::Coverage, BadgeKind::LagP95, BadgeKind::Freshness];

    /// The name in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            BadgeKind::State => "state",
            BadgeKind::Coverage => "coverage",
            BadgeKind::LagP95 => "lag-p95",
            BadgeKind::Freshness => "freshness",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            BadgeKind::State => "state",
            BadgeKind::Coverage => "coverage 6 h",
            BadgeKind::LagP95 => "lag p95",
            BadgeKind::Freshness => "freshness",
        }
    }
}

/// One badge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Badge {
    label: String,
    message: String,
    color: &'static str,
}

impl Badge {
    /// The badge of a mirror, from its row of the overview.
    #[must_use]
    pub fn of(kind: BadgeKind, row: &Value) -> Badge {
        let (message, color) = match kind {
            BadgeKind::State => state(row["state"].as_str().unwrap_or("unknown")),
            BadgeKind::Coverage => coverage(&row["coverage"]),
            BadgeKind::LagP95 => lag(at(row, "/lag/p95_ms")),
            BadgeKind::Freshness => freshness(&row["freshness"]),
        };
        let name = row["name"].as_str().unwrap_or_default();
        let name: String = name.chars().filter(|c| !is_hidden(*c)).take(LABEL_MAX).collect();
        Badge { label: format!("{name} {}", kind.words()), message, color }
    }

    /// For shields.io.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "schemaVersion": 1, "label": self.label, "message": self.message, "color": self.color })
    }

    /// The picture, with its text for whoever does not see it.
    #[must_use]
    pub fn svg(&self) -> String {
        let (label, message) = (html_escaped(&self.label), html_escaped(&self.message));
        let (left, right) = (width(&self.label), width(&self.message));
        let total = left + right;
        let mut svg = String::new();
        let written = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"20\" viewBox=\"0 0 {total} 200\" role=\"img\" \
             aria-label=\"{label}: {message}\"><title>{label}: {message}</title>\
             <rect width=\"{total}\" height=\"200\" rx=\"30\" fill=\"#{}\"/>\
             <path d=\"M30 0H{left}V200H30A30 30 0 0 1 0 170V30A30 30 0 0 1 30 0\" fill=\"#3b4351\"/>\
             <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"110\">\
             <text x=\"{}\" y=\"140\" textLength=\"{}\">{label}</text>\
             <text x=\"{}\" y=\"140\" textLength=\"{}\">{message}</text></g></svg>",
            total.div_ceil(10),
            self.color,
            left / 2,
            left - PADDING,
            left + right / 2,
            right - PADDING,
        );
        debug_assert!(written.is_ok());
        svg
    }
}

fn width(text: &str) -> usize {
    text.chars().count() * CHAR_WIDTH + PADDING
}

fn state(word: &str) -> (String, &'static str) {
    let color = match word {
        "ok" => WELL,
        "losing" => BAD,
        "diverged" => DIVERGED,
        "lagging" | "stalled" | "throttled" => LATE,
        _ => UNKNOWN,
    };
    (word.to_owned(), color)
}

/// The share as the page shows it.
fn coverage(coverage: &Value) -> (String, &'static str) {
    let Some(ratio) = coverage["coverage_ratio"].as_f64() else { return unknown() };
    let decided = at(coverage, "/counts/decided").as_u64().unwrap_or(0);
    let color = if ratio >= 0.999 {
        WELL
    } else if ratio >= 0.99 {
        LATE
    } else {
        BAD
    };
    (percent(ratio, decided), color)
}

fn lag(p95_ms: &Value) -> (String, &'static str) {
    let Some(ms) = p95_ms.as_f64() else { return unknown() };
    let text = if ms.abs() < 1_000.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1e3) };
    (text, if ms > LATE_MS { LATE } else { WELL })
}

fn freshness(freshness: &Value) -> (String, &'static str) {
    let (Some(ops), Some(age_s)) = (freshness["head_lag_ops"].as_u64(), freshness["head_age_s"].as_f64()) else {
        return unknown();
    };
    if ops == 0 {
        return ("up to date".to_owned(), WELL);
    }
    (format!("{ops} ops, {age_s:.0} s behind"), if age_s > STALE_S { LATE } else { WELL })
}

fn unknown() -> (String, &'static str) {
    ("unknown".to_owned(), UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Value {
        json!({
            "name": "a<b>&\"'\u{202e}\n.example", "state": "losing",
            "coverage": { "coverage_ratio": 0.999_99, "counts": { "missed": 1, "decided": 100_000 } },
            "lag": { "p95_ms": 83.4 }, "freshness": { "head_lag_ops": 12, "head_age_s": 31.2 },
        })
    }

    fn message(kind: BadgeKind, row: &Value) -> (String, &'static str) {
        let badge = Badge::of(kind, row);
        (badge.message, badge.color)
    }

    #[test]
    fn each_figure_is_said_in_few_words() {
        let row = row();
        assert_eq!(message(BadgeKind::State, &row), ("losing".to_owned(), BAD));
        assert_eq!(message(BadgeKind::Coverage, &row), ("99.999 %".to_owned(), WELL));
        assert_eq!(message(BadgeKind::LagP95, &row), ("83 ms".to_owned(), WELL));
        assert_eq!(message(BadgeKind::Freshness, &row), ("12 ops, 31 s behind".to_owned(), LATE));
        let none = json!({ "name": "a", "coverage": { "coverage_ratio": null }, "lag": {}, "freshness": {} });
        for kind in BadgeKind::ALL {
            assert_eq!(message(kind, &none), unknown(), "{kind:?}");
        }
        let share = |ratio: f64, missed: u64, decided: u64| {
            coverage(&json!({ "coverage_ratio": ratio, "counts": { "missed": missed, "decided": decided } })).0
        };
        assert_eq!(share(1.0, 0, 5), "100 %");
        assert_eq!(share(0.999_999_9, 1, 10_000_000), "99.9999 %", "a miss is never 100 %");
        assert_eq!((share(0.9, 1, 10), share(0.58, 42, 100)), ("90 %".into(), "58 %".into()));
    }

    #[test]
    fn what_others_chose_is_text_and_nothing_else() {
        let badge = Badge::of(BadgeKind::State, &row());
        let svg = badge.svg();
        assert!(svg.contains("aria-label=\"a&lt;b&gt;&amp;&quot;&#39;.example state: losing\""), "{svg}");
        assert!(svg.contains("<title>a&lt;b&gt;&amp;&quot;&#39;.example state: losing</title>"), "{svg}");
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
        assert!(!svg.contains("style=") && !svg.contains('\u{202e}') && !svg.contains('\n'), "{svg}");
        assert_eq!(badge.json()["label"], "a<b>&\"'.example state");
        let long = Badge::of(BadgeKind::State, &json!({ "name": "x".repeat(10_000) }));
        assert_eq!(long.label.chars().count(), LABEL_MAX + " state".len());
    }

    #[test]
    fn two_hundred_scripts_add_nothing_to_the_picture_but_text() {
        let scripts: Vec<String> = serde_json::from_str(include_str!("../../../tests/browser/scripts.json")).unwrap();
        let svg = |kind, name: &str| Badge::of(kind, &json!({ "name": name, "state": "losing" })).svg();
        let marks = |svg: &str| ['<', '>', '"', '\''].map(|mark| svg.matches(mark).count());
        for (script, kind) in scripts.iter().flat_map(|script| BadgeKind::ALL.map(|kind| (script, kind))) {
            let (plain, spoken) = (svg(kind, "plain"), svg(kind, script));
            assert_eq!(marks(&spoken), marks(&plain), "{spoken}");
            assert!(!spoken.contains(is_hidden), "{spoken}");
        }
    }
}
