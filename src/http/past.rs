//! Questions about a time of the reader's own: one mirror's past in columns or as a distribution, the figures of all mirrors.

use actix_web::{HttpRequest, Resource, guard, web};

use super::detail::Question;
use super::details::detail;
use super::problem::Problem;
use super::query::Params;
use super::range::{self, Asked};
use super::routes::API;
use super::state::HttpState;
use crate::domain::past::TimeRange;
use crate::domain::time::rfc3339_ms;
use crate::domain::view::table::TableKind;
use crate::domain::view::windows::WindowsQuery;
use crate::publish::Form;

/// A question whose answer may lie farther back than memory goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PastQuestion {
    /// What happened at a mirror in each of many windows.
    Windows {
        /// Its id; it exists.
        id: String,
        /// Which windows.
        query: WindowsQuery,
    },
    /// The distribution of a mirror's lag.
    MirrorLag {
        /// Its id; it exists.
        id: String,
        /// In which time.
        asked: Asked,
    },
    /// Shares and counts of all mirrors.
    Coverage(TimeRange),
    /// Percentiles of all mirrors.
    Lag(TimeRange),
    /// One entry an interval, an hour or a day, of all mirrors.
    History(TimeRange),
}

impl PastQuestion {
    /// Path and query of its answer, in one spelling.
    pub fn path(&self) -> String {
        let of_all = |name: &str, range: &TimeRange| format!("{API}analytics/{name}?{}", Asked::Range(*range).query());
        match self {
            PastQuestion::Windows { id, query } => format!("{API}mirrors/{id}/{}", windows_path(query)),
            PastQuestion::MirrorLag { id, asked } => format!("{API}mirrors/{id}/lag?{}", asked.query()),
            PastQuestion::Coverage(range) => of_all("coverage", range),
            PastQuestion::Lag(range) => of_all("lag", range),
            PastQuestion::History(range) => of_all("history", range),
        }
    }

    /// The same view for people.
    pub fn html(&self) -> String {
        match self {
            PastQuestion::Windows { id, .. } => format!("/mirrors/{id}"),
            PastQuestion::MirrorLag { id, asked } => format!("/mirrors/{id}?{}", asked.html_query()),
            PastQuestion::Coverage(range) | PastQuestion::Lag(range) | PastQuestion::History(range) => {
                format!("/?{}", Asked::Range(*range).html_query())
            }
        }
    }

    /// Which table it makes.
    pub(super) const fn table(&self) -> TableKind {
        match self {
            PastQuestion::Windows { .. } => TableKind::Windows,
            PastQuestion::MirrorLag { .. } => TableKind::LagHistogram,
            PastQuestion::Coverage(_) => TableKind::Coverage,
            PastQuestion::Lag(_) => TableKind::Lag,
            PastQuestion::History(_) => TableKind::History,
        }
    }
}

fn windows_path(query: &WindowsQuery) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("resolution", query.resolution.name());
    for (name, at_ms) in [("from", query.from_ms), ("to", query.to_ms)] {
        if let Some(at_ms) = at_ms {
            pairs.append_pair(name, &rfc3339_ms(at_ms));
        }
    }
    format!("windows?{}", pairs.finish())
}

/// Any range of what the finished pages of this key have of windows, where they are such figures. Where no range is named,
/// those pages answer.
pub fn figures(key: &str, form: Option<Form>, state: &web::Data<HttpState>) -> Option<Resource> {
    let read: fn(&HttpRequest, &HttpState) -> Result<Question, Problem> = match key {
        "analytics/coverage" => |request, state| question(PastQuestion::Coverage, request, state),
        "analytics/lag" => |request, state| question(PastQuestion::Lag, request, state),
        "analytics/history" => |request, state| question(PastQuestion::History, request, state),
        _ => return None,
    };
    Some(detail(&format!("{API}{key}"), form, state, read).guard(guard::fn_guard(range::is_named)))
}

fn question(of: fn(TimeRange) -> PastQuestion, request: &HttpRequest, state: &HttpState) -> Result<Question, Problem> {
    let params = Params::parse(request.query_string(), &["window", "from", "to"])?;
    range::range(&params, state.now_ms()).map(|range| Question::Past(of(range)))
}
