//! A query string: a question in one spelling, or a problem with a stable code; the same whatever the order of the
//! parameters and however their characters are written.

use mirrorwatch::domain::window_kind::WindowKind;
use mirrorwatch::http::ops_query::{OPS_LIMIT_MAX, OpsQuery};
use mirrorwatch::http::problem::Problem;
use mirrorwatch::http::query::Params;

use super::reference::assert_line;

/// The mirror that there is.
const MIRROR: &str = "m1";
/// Every code that a query string can get.
const CODES: [&str; 12] = [
    "unknown_parameter",
    "repeated_parameter",
    "bad_window",
    "bad_verdict",
    "bad_confirmation",
    "bad_chain",
    "bad_cid",
    "bad_did",
    "bad_kind",
    "bad_time",
    "bad_limit",
    "bad_page",
];
/// Longest detail, in characters: a value of 80, each character escaped at worst, and the list of what is allowed.
const DETAIL_CHARS_MAX: usize = 1_200;

/// What stands behind the `?` of a list of operations, and of a page with windows.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for mirror in [Some(MIRROR), None] {
        let read = |text: &str| OpsQuery::parse(mirror, text, |id| id == MIRROR);
        let verdict = read(text);
        for spelling in spellings(text) {
            assert_eq!(read(&spelling), verdict, "spelt {spelling:?}");
        }
        match verdict {
            Ok(question) => canonical(&question, read),
            Err(problem) => told(&problem),
        }
    }
    let window = |text: &str| Params::parse(text, &["window"]).and_then(|params| params.window(WindowKind::H6));
    let verdict = window(text);
    assert!(spellings(text).iter().all(|spelling| window(spelling) == verdict));
    match verdict {
        Ok(kind) => assert_eq!(WindowKind::parse(kind.name()), Some(kind)),
        Err(problem) => told(&problem),
    }
}

/// The same parameters in other orders and with all their characters escaped.
fn spellings(text: &str) -> Vec<String> {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    let escape = |text: &String| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let write = |pairs: &[(String, String)]| {
        let pairs: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        pairs.join("&")
    };
    let mut sorted = pairs.clone();
    sorted.sort();
    let reversed: Vec<(String, String)> = pairs.iter().rev().cloned().collect();
    let mut parts: Vec<&str> = text.split('&').collect();
    parts.reverse();
    vec![write(&pairs), write(&sorted), write(&reversed), parts.join("&")]
}

fn canonical(question: &OpsQuery, read: impl Fn(&str) -> Result<OpsQuery, Problem>) {
    assert!((1..=OPS_LIMIT_MAX as usize).contains(&question.filter.limit));
    for link in [question.canonical(question.cursor.as_deref()), question.html()] {
        assert!(link.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>".contains(&byte)), "{link}");
    }
    let link = question.canonical(question.cursor.as_deref());
    let (_, query) = link.split_once('?').expect("a link has a query");
    let again = read(query).expect("our own link is understood");
    assert_eq!((&again, again.canonical(again.cursor.as_deref())), (question, link.clone()), "one spelling");
}

fn told(problem: &Problem) {
    let expected = if problem.code == "no_such_mirror" { 404 } else { 400 };
    assert!(CODES.contains(&problem.code) || expected == 404, "{}", problem.code);
    assert_eq!(problem.status.as_u16(), expected);
    assert_line(&problem.detail, DETAIL_CHARS_MAX);
    for pointed in &problem.extras.errors {
        assert_line(&pointed.pointer, 100);
        assert_line(&pointed.detail, DETAIL_CHARS_MAX);
    }
}
