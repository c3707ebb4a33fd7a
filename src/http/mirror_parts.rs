//! One mirror looked at closely: its past in columns, the distribution of its lag, how fresh and how far away it is, what it
//! has and lacks.

use actix_web::{HttpRequest, Resource, web};

use super::detail::Question;
use super::details::detail;
use super::ops_query::instant_ms;
use super::problem::Problem;
use super::query::{Params, one_of};
use super::routes::known_mirror;
use super::state::HttpState;
use crate::domain::resolution::Resolution;
use crate::domain::time::rfc3339_ms;
use crate::domain::view::table::TableKind;
use crate::domain::view::windows::WindowsQuery;
use crate::domain::window_kind::WindowKind;
use crate::publish::Form;

/// What of a mirror is asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum MirrorPart {
    /// What happened in each of many windows.
    Windows(WindowsQuery),
    /// The distribution of its lag in one window.
    Lag(WindowKind),
    /// How far behind it is.
    Freshness,
    /// How far away it is.
    Rtt,
    /// What it has and lacks, by age.
    Divergence,
}

impl MirrorPart {
    /// Which table it makes.
    pub(super) const fn table(&self) -> TableKind {
        match self {
            MirrorPart::Windows(_) => TableKind::Windows,
            MirrorPart::Lag(_) => TableKind::LagHistogram,
            MirrorPart::Freshness => TableKind::Freshness,
            MirrorPart::Rtt => TableKind::MirrorRtt,
            MirrorPart::Divergence => TableKind::MirrorDivergence,
        }
    }

    /// The end of its address, with its query in one spelling.
    pub fn path(&self) -> String {
        match self {
            MirrorPart::Windows(query) => windows_path(query),
            MirrorPart::Lag(window) => format!("lag?window={}", window.name()),
            MirrorPart::Freshness => "freshness".to_owned(),
            MirrorPart::Rtt => "rtt".to_owned(),
            MirrorPart::Divergence => "divergence".to_owned(),
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

/// `/mirrors/{id}/windows`.
pub fn windows(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    detail("/api/v1/mirrors/{id}/windows", form, state, |request, state| {
        let params = Params::parse(request.query_string(), &["resolution", "from", "to"])?;
        let query = WindowsQuery {
            resolution: params.get("resolution").map_or(Ok(Resolution::Interval), resolution)?,
            from_ms: params.get("from").map(|text| instant_ms("from", text)).transpose()?,
            to_ms: params.get("to").map(|text| instant_ms("to", text)).transpose()?,
        };
        if query.from_ms.zip(query.to_ms).is_some_and(|(from_ms, to_ms)| from_ms >= to_ms) {
            return Err(Problem::bad_query("bad_time", "to", "to must be later than from"));
        }
        question(request, state, MirrorPart::Windows(query))
    })
}

/// `/mirrors/{id}/lag`.
pub fn lag(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    detail("/api/v1/mirrors/{id}/lag", form, state, |request, state| {
        let window = Params::parse(request.query_string(), &["window"])?.window(WindowKind::H1)?;
        question(request, state, MirrorPart::Lag(window))
    })
}

/// `/mirrors/{id}/freshness`.
pub fn freshness(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    detail("/api/v1/mirrors/{id}/freshness", form, state, |request, state| plain(request, state, MirrorPart::Freshness))
}

/// `/mirrors/{id}/rtt`.
pub fn rtt(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    detail("/api/v1/mirrors/{id}/rtt", form, state, |request, state| plain(request, state, MirrorPart::Rtt))
}

/// `/mirrors/{id}/divergence`.
pub fn divergence(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    detail("/api/v1/mirrors/{id}/divergence", form, state, |request, state| {
        plain(request, state, MirrorPart::Divergence)
    })
}

fn plain(request: &HttpRequest, state: &HttpState, part: MirrorPart) -> Result<Question, Problem> {
    Params::parse(request.query_string(), &[])?;
    question(request, state, part)
}

fn question(request: &HttpRequest, state: &HttpState, part: MirrorPart) -> Result<Question, Problem> {
    known_mirror(request, state).map(|id| Question::Mirror { id: id.to_owned(), part })
}

fn resolution(text: &str) -> Result<Resolution, Problem> {
    Resolution::parse(text)
        .ok_or_else(|| one_of("bad_resolution", "resolution", text, Resolution::ALL.map(Resolution::name)))
}
