//! Small documents for other sites: one figure of a mirror as a picture with its words, without scripts.
//!
//! Colours and sizes stand in the served style; a picture says nothing that its sentence does not say.

mod chart;

use std::fmt::Write;

use serde_json::Value;

use crate::domain::text::{html_escaped, is_hidden, one_line};

/// Seconds after which a browser loads the document anew.
const REFRESH_S: u32 = 60;
/// Characters of a name; a longer one is cut.
const NAME_MAX: usize = 60;
/// Characters of a sentence of others; a longer one is cut.
const TEXT_MAX: usize = 300;
/// Age of the first operation that is owed above which freshness is no longer well, seconds.
const STALE_S: f64 = 30.0;

/// What a document shows.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum EmbedKind {
    /// The word of the mirror's state.
    State,
    /// Coverage of 6 h, interval by interval.
    Coverage,
    /// Corrected lag of 6 h, interval by interval.
    Lag,
    /// How far behind it is now.
    Freshness,
}

impl EmbedKind {
    /// Every kind.
    pub const ALL: [EmbedKind; 4] = [EmbedKind::State, EmbedKind::Coverage, EmbedKind::Lag, EmbedKind::Freshness];
    /// Those that are made of the mirror's row of the overview.
    pub const OF_ROW: [EmbedKind; 2] = [EmbedKind::State, EmbedKind::Freshness];
    /// Those that are made of the history of 6 h.
    pub const OF_HISTORY: [EmbedKind; 2] = [EmbedKind::Coverage, EmbedKind::Lag];

    /// The name in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            EmbedKind::State => "state",
            EmbedKind::Coverage => "coverage",
            EmbedKind::Lag => "lag",
            EmbedKind::Freshness => "freshness",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            EmbedKind::State => "state",
            EmbedKind::Coverage => "coverage, 6 h",
            EmbedKind::Lag => "lag, 6 h",
            EmbedKind::Freshness => "freshness",
        }
    }
}

/// A picture and the sentence that says the same.
struct Shown {
    svg: String,
    summary: String,
}

/// The document of a kind that is made of a mirror's row of the overview.
#[must_use]
pub fn of_row(kind: EmbedKind, row: &Value) -> String {
    let (id, name) = (row["id"].as_str().unwrap_or_default(), row["name"].as_str().unwrap_or_default());
    let shown = if kind == EmbedKind::State { state(row) } else { freshness(&row["freshness"]) };
    document(kind, (id, name), &shown)
}

/// The document of a kind that is made of the `data` of the history of 6 h.
#[must_use]
pub fn of_history(kind: EmbedKind, (id, name): (&str, &str), history: &Value) -> String {
    let shown = if kind == EmbedKind::Lag { chart::lag(id, history) } else { chart::coverage(id, history) };
    document(kind, (id, name), &shown)
}

fn document(kind: EmbedKind, (id, name): (&str, &str), shown: &Shown) -> String {
    let name: String = name.chars().filter(|c| !is_hidden(*c)).take(NAME_MAX).collect();
    let (name, id, words) = (html_escaped(&name), html_escaped(id), kind.words());
    let summary = html_escaped(&one_line(&shown.summary, TEXT_MAX));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"refresh\" content=\"{REFRESH_S}\">\n<title>{name}: {words} · mirrorwatch</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"/embed.css\">\n</head>\n<body>\n<figure>\n\
         <figcaption><a href=\"/mirrors/{id}\" target=\"_blank\" rel=\"noopener\">{name}</a> {words}</figcaption>\n\
         {}\n<p>{summary}</p>\n</figure>\n</body>\n</html>\n",
        shown.svg,
    )
}

/// A picture of this size, with its sentence for whoever does not see it.
fn svg(width: u32, height: u32, summary: &str, inside: &str) -> String {
    let summary = html_escaped(&one_line(summary, TEXT_MAX));
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{summary}\"><title>{summary}</title>{inside}</svg>"
    )
}

/// The class of a state's colour.
fn class_of(state: &str) -> &'static str {
    match state {
        "ok" => "well",
        "losing" => "bad",
        "diverged" => "diverged",
        "lagging" | "stalled" | "throttled" => "late",
        _ => "unknown",
    }
}

fn state(row: &Value) -> Shown {
    let state = row["state"].as_str().unwrap_or("unknown");
    let headline = row["headline"].as_str().unwrap_or_default();
    let since = row["since_at"].as_str().unwrap_or_default();
    let summary = format!("{state} since {since}: {headline}");
    // Shape, word and colour: a disc for well, a ring for what is not known, a diamond for the rest.
    let class = class_of(state);
    let shape = match class {
        "well" => "<circle cx=\"30\" cy=\"30\" r=\"18\" class=\"well\"/>".to_owned(),
        "unknown" => "<circle cx=\"30\" cy=\"30\" r=\"15\" class=\"ring\"/>".to_owned(),
        class => format!("<path d=\"M30 8L52 30L30 52L8 30Z\" class=\"{class}\"/>"),
    };
    let word = html_escaped(&one_line(state, NAME_MAX));
    let inside = format!("{shape}<text x=\"66\" y=\"41\" class=\"word\">{word}</text>");
    Shown { svg: svg(360, 60, &summary, &inside), summary }
}

fn freshness(freshness: &Value) -> Shown {
    let (Some(ops), Some(age_s)) = (freshness["head_lag_ops"].as_u64(), freshness["head_age_s"].as_f64()) else {
        let why = freshness["head_lag_ops_reason"].as_str().unwrap_or("no_data").replace('_', " ");
        let summary = format!("How far behind it is cannot be told: {why}.");
        let inside = "<text x=\"8\" y=\"40\" class=\"word\">unknown</text>";
        return Shown { svg: svg(360, 60, &summary, inside), summary };
    };
    let summary = if ops == 0 {
        "Up to date: it has the newest operation of the primary.".to_owned()
    } else {
        format!("{ops} operations behind, the first of them for {age_s:.0} s.")
    };
    let mut inside = String::from("<path d=\"M8 40H352\" class=\"axis\"/>");
    for (at_s, label) in [(1.0, "1 s"), (10.0, "10 s"), (60.0, "1 min"), (3_600.0, "1 h")] {
        let x = chart::log_place(at_s, (0.1, 3_600.0), 344.0) + 8.0;
        // Writing to a string cannot fail.
        let _ = write!(
            inside,
            "<path d=\"M{x:.0} 36V44\" class=\"axis\"/><text x=\"{x:.0}\" y=\"57\" class=\"tick\">{label}</text>"
        );
    }
    let x = chart::log_place(if ops == 0 { 0.0 } else { age_s }, (0.1, 3_600.0), 344.0) + 8.0;
    let class = if age_s > STALE_S { "late" } else { "well" };
    let _ = write!(inside, "<path d=\"M{x:.1} 34L{:.1} 14H{:.1}Z\" class=\"{class}\"/>", x + 9.0, x - 9.0);
    Shown { svg: svg(360, 60, &summary, &inside), summary }
}

#[cfg(test)]
mod tests;
