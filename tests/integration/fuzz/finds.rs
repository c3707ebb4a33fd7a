//! What the search found, each in words of its own beside its file in the corpus.

use mirrorwatch::config::{ConfigError, FileChoice, Inputs, SHOWN_PROBLEMS, load};
use mirrorwatch::domain::compare_plc::{Refusal, URL_CHARS_MAX, parse_snapshot};
use mirrorwatch::domain::frame::{FormCache, Shape, parse};
use mirrorwatch::domain::op::Kind;
use mirrorwatch::domain::text::printable;
use mirrorwatch::http::ops_query::OpsQuery;
use mirrorwatch::sim::behaviour::Style;
use mirrorwatch::sim::op::OpMaker;

/// What loading this file gives.
fn refusal(text: &str, environment: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    std::fs::write(&file, text).unwrap();
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let inputs = Inputs { file: FileChoice::Given(file), environment, ..Inputs::default() };
    match load(&inputs) {
        Ok(loaded) => loaded.report() + &loaded.warnings.join("\n"),
        Err(error @ (ConfigError::Invalid(_) | ConfigError::NotText { .. })) => error.to_string(),
        Err(error) => panic!("{error}"),
    }
}

/// `frame/seq-largest`: a numbered frame in the usual layout was given its number once its content was known, also where
/// a bundle's server sent it.
#[test]
fn a_bundle_has_no_numbers_however_often_it_is_read() {
    let text = OpMaker::new(7).of_kind(Kind::Genesis, 1_763_700_000_000).stream_text(5, Style::default());
    let mut forms = FormCache::new(16, [1, 2]);
    for _ in 0..3 {
        assert_eq!(parse(&text, Shape::Bundled, &mut forms).unwrap().op.seq, None);
        assert_eq!(parse(&text, Shape::Sequenced, &mut forms).unwrap().op.seq, Some(5));
    }
}

/// `close_reason/body-marks`: separators of lines and marks of direction came through.
#[test]
fn what_is_hidden_is_hidden_everywhere() {
    for mark in ['\u{61c}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{85}', '\u{7f}', '\0'] {
        assert_eq!(printable(&format!("a{mark}b"), 80), "a b");
        let shown = refusal(&format!("{{\"listen\":\"{}\"}}", serde_escaped(mark)), &[]);
        assert!(!shown.contains(mark) && shown.contains("expected \"ADDRESS:PORT\""), "{shown:?}");
    }
}

fn serde_escaped(mark: char) -> String {
    format!("\\u{:04x}", u32::from(mark))
}

/// `config/marks`: the effective configuration was printed with what a terminal does not show, or obeys.
#[test]
fn the_effective_configuration_shows_every_character() {
    let told = refusal(r#"{"dataDir":"a\u202e\u0007\u007f\u2028b"}"#, &[]);
    assert!(told.contains(r#"dataDir = "a\u202e\u0007\u007f\u2028b"  ("#), "{told}");
    let told = refusal("{}", &[("MIRRORWATCH_\u{202e}\u{1b}[31m", "1")]);
    assert!(told.contains("environment: MIRRORWATCH_  [31m is not known"), "{told:?}");
}

/// `config/bom`: the two limits were told in the order in which they were read.
#[test]
fn settings_are_told_in_one_order() {
    let places = |text: &str| {
        let told = refusal(text, &[]);
        ["judging.onTimeSeconds", "judging.graceSeconds", "judging.lookBackSeconds"].map(|key| told.find(key).unwrap())
    };
    for text in ["{}", r#"{"judging":{"onTimeSeconds":20}}"#, r#"{"judging":{"graceSeconds":20}}"#] {
        assert!(places(text).is_sorted(), "{text}");
    }
}

/// `config/environment-value-told-twice`: an address that is none was told beside its variable and again behind it.
#[test]
fn the_value_of_a_variable_is_told_once() {
    let told = refusal("{}", &[("MIRRORWATCH_MIRRORS", "plc example")]);
    let expected = "mirrorwatch: environment: MIRRORWATCH_MIRRORS=\"plc example\": expected an address, as \"wss://plc.example.org\" (overrides mirrors[0].url)";
    assert_eq!(told, expected);
    let told = refusal(r#"{"primary":{"url":"plc example"}}"#, &[]);
    assert!(told.ends_with("expected an address, as \"wss://plc.example.org\"; got \"plc example\""), "{told}");
}

/// A file of nothing but mirrors, of a long key above many elements, or of nothing but mistakes, kept the start busy with
/// the square of its length in time or memory, and all of it was told.
#[test]
fn a_large_file_of_mistakes_is_told_soon_and_in_short() {
    let mirrors = format!("{{\"mirrors\":[{}]}}", vec!["{}"; 40_000].join(","));
    let told = refusal(&mirrors, &[]);
    assert!(told.ends_with("mirrors: 40000 given, limit 1024") && told.lines().count() == 1, "{told:.300}");
    let told = refusal(&format!("{{\"{}\":[{}]}}", "k".repeat(400_000), vec!["1"; 300_000].join(",")), &[]);
    assert!(told.ends_with("50000 keys and elements or more; check that this is the right file"), "{told:.300}");
    let keys = format!("{{{}}}", (0..40_000).map(|key| format!("\"{key}\":1")).collect::<Vec<_>>().join(","));
    let told = refusal(&keys, &[]);
    assert!(told.ends_with("and 39800 more problems"), "{told:.300}");
    assert_eq!(told.lines().count(), SHOWN_PROBLEMS + 1);
}

/// `query/repeated-and-unknown`: which of two mistakes was told depended on their order.
#[test]
fn mistakes_in_a_query_are_told_alike_in_any_order() {
    let problem = |query: &str| OpsQuery::parse(None, query, |_| true).unwrap_err();
    for query in
        ["limit=5&colour=1&limit=6&size=2", "limit=5&limit=6&size=2&colour=1", "size=2&limit=6&colour=1&limit=5"]
    {
        assert_eq!(problem(query).detail, problem("colour=1").detail, "{query}");
    }
    assert_eq!(problem("limit=6&kind=x&limit=5").code, "repeated_parameter");
    let marks = problem("%e2%80%ae%0a=1");
    assert_eq!(marks.extras.errors[0].pointer, "query:  ");
}

/// `import/no-mirrors` and `import/long-url`: a snapshot of nothing counted as known, and an address could be as long as
/// the file.
#[test]
fn an_old_file_of_nothing_is_named_and_an_address_is_bounded() {
    let of = |url: &str| format!(r#"{{"mirrors":{{"{url}":{{"missed":1,"ops":1,"primaryOps":1}}}}}}"#);
    let refusal = |text: String| parse_snapshot(1_763_790_000_000, text.as_bytes()).err();
    assert_eq!(refusal(r#"{"mirrors":{}}"#.to_owned()), Some(Refusal::NoMirrors));
    assert_eq!(refusal(of("wss://a.example")), None);
    assert!(matches!(refusal(of(&"a".repeat(URL_CHARS_MAX + 1))), Some(Refusal::LongUrl { chars: 2_049, .. })));
}

/// `query/time-far`: an instant before the year 0 was taken, and was another one in the links to the next page.
#[test]
fn an_instant_without_a_year_of_four_digits_is_refused() {
    let read = |query: &str| OpsQuery::parse(None, query, |_| true);
    assert_eq!(read("from=-009999-01-02T01:59:59Z").unwrap_err().code, "bad_time");
    let first = read("from=0000-01-01T00:00:00Z").unwrap();
    assert_eq!(first.canonical(None), "/api/v1/ops?from=0000-01-01T00%3A00%3A00.000Z&limit=100");
}
