//! A range of time of a request's own: `from` and `to` in place of `window`.

use actix_web::guard::GuardContext;

use super::ops_query::instant_ms;
use super::problem::Problem;
use super::query::Params;
use crate::domain::past::{DAY_MS, RANGE_DAYS_MAX, TimeRange, ceil};
use crate::domain::time::rfc3339_ms;
use crate::domain::window_kind::WindowKind;

/// The time that figures are asked of.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Back from now.
    Window(WindowKind),
    /// From one instant to another.
    Range(TimeRange),
}

impl Asked {
    /// As it stands in a query.
    pub fn query(&self) -> String {
        match self {
            Asked::Window(window) => format!("window={}", window.name()),
            Asked::Range(range) => query(range),
        }
    }

    /// The same time in the address of a page.
    pub fn html_query(&self) -> String {
        match self {
            Asked::Window(window) => format!("range={}", window.name()),
            Asked::Range(range) => format!("range=custom&{}", query(range)),
        }
    }
}

fn query(range: &TimeRange) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("from", &rfc3339_ms(range.from_ms)).append_pair("to", &rfc3339_ms(range.to_ms)).finish()
}

/// Whether a request names a range, or a part of one.
pub fn is_named(context: &GuardContext<'_>) -> bool {
    let query = context.head().uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| matches!(&*name, "from" | "to"))
}

/// The time that `window`, or `from` and `to` name; `default` where none of them is given.
///
/// # Errors
/// `bad_window`, and as [`range`].
pub fn asked(params: &Params<'_>, default: WindowKind, now_ms: i64) -> Result<Asked, Problem> {
    if params.get("from").or_else(|| params.get("to")).is_none() {
        return params.window(default).map(Asked::Window);
    }
    range(params, now_ms).map(Asked::Range)
}

/// The range that `from` and `to` name.
///
/// # Errors
/// `bad_time` where it is empty or begins later than `now_ms`; `missing_parameter`, `range_too_long`, `window_and_range`.
pub fn range(params: &Params<'_>, now_ms: i64) -> Result<TimeRange, Problem> {
    if params.get("window").is_some() {
        return Err(Problem::bad_query("window_and_range", "window", "give either window, or from and to"));
    }
    let instant = |name: &'static str| {
        let missing = || Problem::bad_query("missing_parameter", name, format!("{name}: from and to belong together"));
        instant_ms(name, params.get(name).ok_or_else(missing)?)
    };
    let range = TimeRange { from_ms: instant("from")?, to_ms: instant("to")? };
    let length_ms = range.to_ms - range.from_ms;
    if length_ms <= 0 {
        return Err(Problem::bad_query("bad_time", "to", "to must be later than from"));
    }
    if range.from_ms >= now_ms {
        return Err(Problem::bad_query("bad_time", "from", "from lies in the future"));
    }
    let days = ceil(length_ms, DAY_MS) / DAY_MS;
    if days > RANGE_DAYS_MAX {
        let detail = format!("{days} days; at most {RANGE_DAYS_MAX} in one answer");
        return Err(Problem::bad_query("range_too_long", "from", detail).limit(RANGE_DAYS_MAX.unsigned_abs()));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn read(query: &str) -> Result<Asked, (&'static str, String)> {
        let params = Params::parse(query, &["window", "from", "to"]).unwrap();
        asked(&params, WindowKind::H6, NOW_MS).map_err(|problem| (problem.code, problem.detail))
    }

    #[test]
    fn a_range_is_read_and_written_as_the_same() {
        let range = Asked::Range(TimeRange { from_ms: NOW_MS - 3_600_000, to_ms: NOW_MS });
        let text = "from=2023-11-14T21%3A13%3A20.000Z&to=2023-11-14T22%3A13%3A20.000Z";
        assert_eq!((range.query(), read(text)), (text.to_owned(), Ok(range)));
        assert_eq!(read("from=2023-11-14T22:13:20%2B01:00&to=2023-11-14T22:13:20Z"), Ok(range));
        assert_eq!(range.html_query(), format!("range=custom&{text}"));
        assert_eq!(read(""), Ok(Asked::Window(WindowKind::H6)));
        assert_eq!(read("window=30d").unwrap().html_query(), "range=30d");
    }

    #[test]
    fn what_is_wrong_with_a_range_is_named() {
        let error = |query: &str| read(query).unwrap_err();
        let from = "from=2023-11-14T00:00:00Z";
        assert_eq!(error(from), ("missing_parameter", "to: from and to belong together".to_owned()));
        assert_eq!(error("to=2023-11-14T00:00:00Z").0, "missing_parameter");
        assert_eq!(error(&format!("{from}&to=2023-11-14T01:00:00Z&window=6h")).0, "window_and_range");
        assert_eq!(
            error(&format!("{from}&to=2023-11-14T00:00:00Z")),
            ("bad_time", "to must be later than from".to_owned())
        );
        assert_eq!(error(&format!("{from}&to=yesterday")).0, "bad_time");
        let future = "from=2023-11-14T22:13:20Z&to=2023-11-15T00:00:00Z";
        assert_eq!(error(future), ("bad_time", "from lies in the future".to_owned()));
        let long = "from=2022-10-10T00:00:00Z&to=2023-11-14T00:00:00.001Z";
        assert_eq!(error(long), ("range_too_long", "401 days; at most 400 in one answer".to_owned()));
        assert!(read("from=2022-10-10T00:00:00Z&to=2023-11-14T00:00:00Z").is_ok());
    }
}
