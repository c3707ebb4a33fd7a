//! The addresses of one mirror looked at closely: its past in columns, the distribution of its lag, how fresh and how far away
//! it is, what it has and lacks.

use actix_web::{HttpRequest, Resource, web};

use super::detail::Question;
use super::details::detail;
use super::ops_query::instant_ms;
use super::past::PastQuestion;
use super::problem::Problem;
use super::query::{Params, one_of};
use super::range;
use super::routes::known_mirror;
use super::state::HttpState;
use crate::domain::resolution::Resolution;
use crate::domain::view::table::TableKind;
use crate::domain::view::windows::WindowsQuery;
use crate::domain::window_kind::WindowKind;
use crate::publish::Form;

/// What of a mirror is asked for that is of now and of the last hours.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum MirrorPart {
    /// How far behind it is.
    Freshness,
    /// How far away it is.
    Rtt,
    /// What it has and lacks, by age.
    Divergence,
}

impl MirrorPart {
    /// Which table it makes.
    pub(super) const fn table(self) -> TableKind {
        match self {
            MirrorPart::Freshness => TableKind::Freshness,
            MirrorPart::Rtt => TableKind::MirrorRtt,
            MirrorPart::Divergence => TableKind::MirrorDivergence,
        }
    }

    /// The end of its address.
    pub const fn path(&self) -> &'static str {
        match self {
            MirrorPart::Freshness => "freshness",
            MirrorPart::Rtt => "rtt",
            MirrorPart::Divergence => "divergence",
        }
    }
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
        let id = known_mirror(request, state)?.to_owned();
        Ok(Question::Past(PastQuestion::Windows { id, query }))
    })
}

/// `/mirrors/{id}/lag`.
pub fn lag(state: &web::Data<HttpState>, form: Option<Form>) -> Resource {
    detail("/api/v1/mirrors/{id}/lag", form, state, |request, state| {
        let params = Params::parse(request.query_string(), &["window", "from", "to"])?;
        let asked = range::asked(&params, WindowKind::H1, state.now_ms())?;
        let id = known_mirror(request, state)?.to_owned();
        Ok(Question::Past(PastQuestion::MirrorLag { id, asked }))
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
    known_mirror(request, state).map(|id| Question::Mirror { id: id.to_owned(), part })
}

fn resolution(text: &str) -> Result<Resolution, Problem> {
    Resolution::parse(text)
        .ok_or_else(|| one_of("bad_resolution", "resolution", text, Resolution::ALL.map(Resolution::name)))
}
