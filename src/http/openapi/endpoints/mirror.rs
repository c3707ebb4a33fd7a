//! One mirror, looked at closely.

use super::super::endpoint::Endpoint;
use super::super::parameter::{Parameter, one_of, put};
use super::super::shape::divergence::MirrorDivergencePage;
use super::super::shape::lag::MirrorLagPage;
use super::super::shape::trail::{FreshnessPage, MirrorRttPage};
use super::super::shape::windows::WindowsPage;
use crate::domain::resolution::Resolution;
use crate::domain::window_kind::WindowKind;
use serde_json::json;

/// The addresses.
pub(super) fn all() -> Vec<Endpoint> {
    let endpoints = [
        windows(),
        Endpoint::detail::<MirrorLagPage>(
            "/api/v1/mirrors/{id}/lag",
            "mirror_lag",
            "The distribution of one mirror's lag",
        )
        .windowed(WindowKind::H1)
        .ranged(),
        Endpoint::detail::<FreshnessPage>(
            "/api/v1/mirrors/{id}/freshness",
            "mirror_freshness",
            "How far behind one mirror is, now and in the last hours",
        ),
        Endpoint::detail::<MirrorRttPage>(
            "/api/v1/mirrors/{id}/rtt",
            "mirror_rtt",
            "How far away one mirror is, now and in the last hours",
        ),
        Endpoint::detail::<MirrorDivergencePage>(
            "/api/v1/mirrors/{id}/divergence",
            "mirror_divergence",
            "What one mirror has and lacks, by age, and what was found about its content",
        ),
    ];
    endpoints.into_iter().map(|endpoint| endpoint.of_mirror().tabular().tag("analytics")).collect()
}

fn windows() -> Endpoint {
    let mut resolution = one_of(Resolution::ALL.map(Resolution::name));
    put(&mut resolution, "default", Resolution::Interval.name());
    let instant = json!({ "type": "string", "format": "date-time" });
    Endpoint::detail::<WindowsPage>(
        "/api/v1/mirrors/{id}/windows",
        "mirror_windows",
        "What happened at one mirror in each window of a range, in columns",
    )
    .with(Parameter::query("resolution", "Length of a window; `5m` is one interval of judging.", &resolution))
    .with(Parameter::query("from", "An instant of the first window.", &instant))
    .with(Parameter::query("to", "The end of the last window, later than `from`.", &instant))
    .about(
        "The range is widened to whole windows and ends with the open one. Without `from` it has 72 windows of `5m`, 168 \
         of `1h` or 90 of `1d`; it may have 1,000. Where nothing is known of a window the columns are `null` and the reasons say \
         why: `retention` where it is older than what is kept, `before_first_start`, or `no_data`.",
    )
    .problem(400, &["bad_resolution", "bad_time", "too_many_windows"])
}
