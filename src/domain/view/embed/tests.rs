//! Documents are well formed whatever others are called, have no script and no style in them, and say what the figures say.

use super::{EmbedKind, of_history, of_row};
use proptest::prelude::*;
use serde_json::{Value, json};

fn row() -> Value {
    json!({
        "id": "a", "name": "a.example", "state": "losing", "since_at": "2026-11-21T00:00:00.000Z",
        "headline": "3 of 100 operations missed in 6 h", "freshness": { "head_lag_ops": 12, "head_age_s": 31.2 },
    })
}

fn history() -> Value {
    json!({
        "t_unix_ms": [0, 1, 2, 3], "impaired": [false, true, false, false],
        "mirrors": [
            { "id": "b", "coverage_ratio": [0.5], "decided": [9], "missed": [9], "lag_p50_ms": [1.0], "lag_p95_ms": [1.0] },
            { "id": "a", "coverage_ratio": [1.0, null, 0.9954, 0.9999], "decided": [100, 0, 500, 50_000],
              "missed": [0, 0, 3, 1], "lag_p50_ms": [12.0, null, -3.0, 40.0], "lag_p95_ms": [80.0, null, null, 2_500.0] },
        ],
    })
}

fn made(kind: EmbedKind) -> String {
    if EmbedKind::OF_ROW.contains(&kind) {
        of_row(kind, &row())
    } else {
        of_history(kind, ("a", "a.example"), &history())
    }
}

/// The picture as a reader of XML has it, and the text below it.
fn parts(html: &str) -> (String, String) {
    assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">") && html.ends_with("</html>\n"), "{html}");
    for never in ["<script", "<style", "<iframe", "href=\"http", "href=\"j"] {
        assert!(!html.to_lowercase().contains(never), "{never}: {html}");
    }
    let (at, end) = (html.find("<svg").unwrap(), html.find("</svg>").unwrap() + 6);
    let svg = &html[at..end];
    let document = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    let title =
        root.children().find(|child| child.has_tag_name("title")).unwrap().text().unwrap_or_default().to_owned();
    assert_eq!(root.attribute("aria-label"), Some(title.as_str()));
    for node in root.descendants() {
        assert!(node.attributes().all(|a| a.name() != "style" && !a.name().starts_with("on") && a.value() != "NaN"));
        assert!(node.attributes().all(|a| !a.value().contains("NaN") && !a.value().contains("inf")), "{svg}");
    }
    (svg.to_owned(), title)
}

#[test]
fn each_document_says_what_the_figures_say() {
    for (kind, sentence) in [
        (EmbedKind::State, "losing since 2026-11-21T00:00:00.000Z: 3 of 100 operations missed in 6 h"),
        (EmbedKind::Coverage, "4 of 50600 operations missed; the worst of 3 intervals has 99 %."),
        (EmbedKind::Lag, "Median 40 ms, 95 % below 2.5 s, corrected for distance."),
        (EmbedKind::Freshness, "12 operations behind, the first of them for 31 s."),
    ] {
        let html = made(kind);
        let (svg, title) = parts(&html);
        assert_eq!(title, sentence, "{kind:?}");
        assert!(html.contains(&format!("<p>{sentence}</p>")), "{html}");
        assert!(html.contains("<a href=\"/mirrors/a\" target=\"_blank\" rel=\"noopener\">a.example</a>"), "{html}");
        match kind {
            EmbedKind::State => assert!(svg.contains("class=\"bad\"") && svg.contains(">losing<")),
            EmbedKind::Coverage => {
                let classes = ["well", "unknown", "nines2", "nines3"]
                    .map(|class| svg.matches(&format!("class=\"{class}\"")).count());
                assert_eq!((classes, svg.matches("class=\"impaired\"").count()), ([1; 4], 1), "{svg}");
            }
            EmbedKind::Lag => assert_eq!(svg.matches("class=\"line\"").count(), 2, "no line over what is not known"),
            EmbedKind::Freshness => assert!(svg.contains("class=\"late\"")),
        }
    }
}

#[test]
fn what_is_not_known_is_said() {
    let none =
        json!({ "id": "a", "name": "a", "freshness": { "head_lag_ops": null, "head_lag_ops_reason": "link_down" } });
    assert_eq!(parts(&of_row(EmbedKind::Freshness, &none)).1, "How far behind it is cannot be told: link down.");
    assert!(parts(&of_row(EmbedKind::State, &none)).0.contains("class=\"ring\""));
    for kind in EmbedKind::OF_HISTORY {
        assert!(
            parts(&of_history(kind, ("x", "x"), &history())).1.ends_with("yet."),
            "{kind:?}: another mirror's figures"
        );
        parts(&of_history(kind, ("x", "x"), &Value::Null));
    }
    let well = json!({ "id": "a", "name": "a", "state": "ok", "freshness": { "head_lag_ops": 0, "head_age_s": 0.0 } });
    assert!(parts(&of_row(EmbedKind::Freshness, &well)).1.starts_with("Up to date"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn names_and_figures_of_any_kind_are_text_and_places(
        name in any::<String>(),
        state in any::<String>(),
        values in proptest::collection::vec(proptest::option::of(-1e15_f64..1e15), 0..80),
    ) {
        let row = json!({ "id": name, "name": name, "state": state, "headline": name, "since_at": state,
            "freshness": { "head_lag_ops": 3, "head_age_s": values.first() } });
        let history = json!({ "mirrors": [{ "id": name, "coverage_ratio": values, "missed": values, "decided": values,
            "lag_p50_ms": values, "lag_p95_ms": values }], "impaired": [true] });
        for kind in EmbedKind::OF_ROW {
            parts(&of_row(kind, &row));
        }
        for kind in EmbedKind::OF_HISTORY {
            parts(&of_history(kind, (&name, &name), &history));
        }
    }
}
