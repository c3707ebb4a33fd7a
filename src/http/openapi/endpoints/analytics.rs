//! Figures by window.

use super::super::endpoint::Endpoint;
use super::super::shape::coverage::CoveragePage;
use super::super::shape::divergence::DivergencePage;
use super::super::shape::history::HistoryPage;
use super::super::shape::lag::LagPage;
use super::super::shape::misses::MissesPage;
use super::super::shape::propagation::PropagationPage;
use super::super::shape::rtt::RttPage;
use super::super::shape::slo::SloPage;
use crate::domain::view::propagation;
use crate::domain::window_kind::WindowKind;

/// The addresses.
pub(super) fn all() -> Vec<Endpoint> {
    let of_window = [
        Endpoint::page::<CoveragePage>("/api/v1/analytics/coverage", "coverage", "Shares and counts of every mirror")
            .windowed(WindowKind::H6)
            .ranged(),
        Endpoint::page::<LagPage>(
            "/api/v1/analytics/lag",
            "lag",
            "Percentiles of every mirror: corrected, raw, and with loss as infinitely late",
        )
        .windowed(WindowKind::H1)
        .ranged(),
        Endpoint::page::<MissesPage>(
            "/api/v1/analytics/misses",
            "misses",
            "Misses by DID, worst first, with exact totals",
        )
        .windowed(WindowKind::H6),
        Endpoint::page::<HistoryPage>("/api/v1/analytics/history", "history", "One entry an interval, in columns")
            .windowed(WindowKind::H6)
            .ranged()
            .about("Of a range the entries are intervals, hours or days: the shortest that are kept and not more than 300."),
    ];
    let of_now = [
        Endpoint::page::<RttPage>("/api/v1/analytics/rtt", "rtt", "Round trips to every host"),
        Endpoint::page::<DivergencePage>(
            "/api/v1/analytics/divergence",
            "divergence",
            "Operations on one side only, by age, in both directions",
        ),
    ];
    let spread = Endpoint::page::<PropagationPage>(
        "/api/v1/propagation",
        "propagation",
        "The share of the operations that one, two, … all mirrors had within so many seconds",
    )
    .windowed_of(&propagation::WINDOWS, WindowKind::H1);
    let held_to = Endpoint::page::<SloPage>(
        "/api/v1/slo",
        "slo",
        "What mirrors are held to, how much of their budgets is left, and how fast it is being spent",
    )
    .about("One in 1,000 decided operations of 30 days may be missed, one in 100 late or missed.");
    let all = of_window.into_iter().chain(of_now).chain([spread, held_to]);
    all.map(|endpoint| endpoint.tabular().tag("analytics")).collect()
}
