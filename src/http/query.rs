//! Query strings, read strictly: what is unknown or repeated is refused, with the nearest name that is known.
//!
//! A misspelt parameter that is ignored gives a wrong answer that looks right.

use std::borrow::Cow;

use super::problem::{Problem, quote};
use crate::domain::text::printable;
use crate::domain::window_kind::WindowKind;

/// Largest edit distance at which a name is suggested.
const SUGGEST_DISTANCE_MAX: usize = 2;
/// Longest name of a reader's own that a problem points at, in characters.
const NAME_CHARS_MAX: usize = 80;

/// The parameters of one request; each of them known, none of them twice.
#[derive(Debug)]
pub struct Params<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Params<'a> {
    /// Reads `query` (without `?`) against the names that this address knows.
    ///
    /// # Errors
    /// `unknown_parameter`, `repeated_parameter`.
    pub fn parse(query: &'a str, known: &[&str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = url::form_urlencoded::parse(query.as_bytes()).collect();
        // What is told of several mistakes must not depend on their order, or one question has many answers.
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !known.contains(&name.as_ref())) {
            return Err(unknown(name, known));
        }
        if let Some(twins) = pairs.chunk_by(|(a, _), (b, _)| a == b).find(|twins| twins.len() > 1)
            && let Some((name, _)) = twins.first()
        {
            let detail = format!("{} given {} times", quote(name), twins.len());
            return Err(Problem::bad_query("repeated_parameter", name, detail));
        }
        Ok(Params { pairs })
    }

    /// The value of a parameter, where it was given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_ref())
    }

    /// The window, or `default`.
    ///
    /// # Errors
    /// `bad_window` with the closed list.
    pub fn window(&self, default: WindowKind) -> Result<WindowKind, Problem> {
        self.window_of(&WindowKind::ALL, default)
    }

    /// The window out of those that this address knows, or `default`.
    ///
    /// # Errors
    /// `bad_window` with the closed list.
    pub fn window_of(&self, known: &[WindowKind], default: WindowKind) -> Result<WindowKind, Problem> {
        let Some(name) = self.get("window") else {
            return Ok(default);
        };
        let found = known.iter().copied().find(|window| window.name() == name);
        found.ok_or_else(|| one_of("bad_window", "window", name, known.iter().map(|window| window.name())))
    }
}

/// 400 for a value out of a closed list.
pub fn one_of<'a>(
    code: &'static str,
    parameter: &str,
    value: &str,
    allowed: impl IntoIterator<Item = &'a str>,
) -> Problem {
    let allowed: Vec<&str> = allowed.into_iter().collect();
    let detail = format!("{}; allowed: {}", quote(value), allowed.join(", "));
    Problem::bad_query(code, parameter, detail).allowed(allowed)
}

fn unknown(name: &str, known: &[&str]) -> Problem {
    let nearest = known
        .iter()
        .map(|candidate| (strsim::levenshtein(name, candidate), *candidate))
        .filter(|(distance, _)| *distance <= SUGGEST_DISTANCE_MAX)
        .min_by_key(|(distance, _)| *distance);
    let detail = match nearest {
        Some((_, candidate)) => format!("{}; did you mean {}?", quote(name), quote(candidate)),
        None if known.is_empty() => format!("{}; this address takes none", quote(name)),
        None => format!("{}; known: {}", quote(name), known.join(", ")),
    };
    Problem::bad_query("unknown_parameter", &printable(name, NAME_CHARS_MAX), detail).allowed(known.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let error = |query| {
            let problem = Params::parse(query, &["window", "limit"])
                .and_then(|params| params.window(WindowKind::H6).map(|_| ()))
                .unwrap_err();
            (problem.code, problem.detail)
        };
        assert_eq!(error("windw=6h"), ("unknown_parameter", "\"windw\"; did you mean \"window\"?".to_owned()));
        assert_eq!(error("colour=1"), ("unknown_parameter", "\"colour\"; known: window, limit".to_owned()));
        assert_eq!(error("window=6h&window=1h"), ("repeated_parameter", "\"window\" given 2 times".to_owned()));
        assert_eq!(error("window=5y"), ("bad_window", "\"5y\"; allowed: 5m, 15m, 1h, 6h, 24h, 7d, 30d".to_owned()));
        assert_eq!(error("window="), ("bad_window", "\"\"; allowed: 5m, 15m, 1h, 6h, 24h, 7d, 30d".to_owned()));
    }

    #[test]
    fn what_is_right_is_read() {
        let params = Params::parse("window=24h&limit=%31", &["window", "limit"]).unwrap();
        assert_eq!(params.window(WindowKind::H6).unwrap(), WindowKind::H24);
        assert_eq!(params.get("limit"), Some("1"));
        assert_eq!(Params::parse("", &[]).unwrap().window(WindowKind::H6).unwrap(), WindowKind::H6);
    }

    #[test]
    fn distance_is_measured_on_long_names_without_harm() {
        let long = format!("{}=1", "é".repeat(2000));
        assert_eq!(Params::parse(&long, &["window"]).unwrap_err().code, "unknown_parameter");
    }
}
