//! The columns of every table, in their order: what is promised even where there is no row.

use super::TableKind;

/// Names below a path, with blanks between them. A name that ends in `?` has a column for the reason behind it.
type Part = (&'static str, &'static str);

const IDENTITY: Part = ("", "id name url transport transport_reason resolution_ms sampling_ratio");
const LINK: Part = (
    "link",
    "state since_at connected_ratio? last_error.class last_error.text last_error.at last_close.code last_close.reason \
     last_close.at reconnects cursor? last_op_at?",
);
const COVERAGE: [Part; 6] = [
    (
        "coverage",
        "coverage_ratio? low95_ratio? high95_ratio? timely_ratio? observed_ratio? did_coverage_ratio? \
         did_standard_error_ratio",
    ),
    (
        "coverage.counts",
        "eligible decided on_time late present missed pending unknown withdrawn disputed not_eligible extra extra_pending \
         extra_unknown extra_explained early healed credited",
    ),
    ("coverage.by_kind.genesis", "decided missed"),
    ("coverage.by_kind.update", "decided missed"),
    ("coverage.by_kind.tombstone", "decided missed"),
    ("coverage.by_kind.legacy_create", "decided missed"),
];
const LAG: [Part; 3] = [
    (
        "lag",
        "n p50_ms? p75_ms? p90_ms? p95_ms? p99_ms? p999_ms? min_ms? max_ms? mean_ms? uncertainty_ms? correction_ms?",
    ),
    ("lag.raw", "n p50_ms? p75_ms? p90_ms? p95_ms? p99_ms? p999_ms? min_ms? max_ms? mean_ms?"),
    ("lag.with_loss", "n p50_ms? p75_ms? p90_ms? p95_ms? p99_ms? p999_ms? min_ms? max_ms? mean_ms?"),
];
const RTT: Part = ("rtt", "tcp_ms? tcp_info_ms? samples peer? measured_at?");
const FOUND: &str = "stream_loss data_loss did_unknown unverifiable none";
const USABLE: &str = "is_eligible failures samples left_out rtt_ms? rtt_median_ms?";
const MIRROR: [Part; 11] = [
    ("freshness", "head_lag_ops? head_age_s?"),
    ("", "received_ops duplicate_ops altered_ops dropped_by_us_ops rejected_frames dids_affected open_misses"),
    ("misses", "roots followers open truncated"),
    ("misses.by_confirmation", FOUND),
    ("content", "corrupt altered order_violation equivocation duplicate seq_regress"),
    ("samples", "sample_agreement_ratio? low95_ratio? high95_ratio? judged unanswered unsettled"),
    ("samples.by_agreement", "same behind same_set_other_order nullified_differs fork invalid"),
    ("throttle", "is_throttled since_at times paused_s foreign_ops"),
    ("", "state since_at headline is_recommended"),
    ("purposes.stream", USABLE),
    ("purposes.resolve", USABLE),
];
const MISSES: [Part; 4] = [
    ("mirror", "id missed explained.roots explained.followers dids_affected truncated"),
    ("mirror.explained.by_confirmation", FOUND),
    ("did", "did missed late first_at last_at"),
    ("", "cid seq kind verdict confirmation follows primary_at"),
];
const HISTORY: Part = (
    "",
    "id at t_unix_ms resolution_s impaired status primary.ops eligible decided on_time late present missed pending unknown \
     extra coverage_ratio lag_p50_ms lag_p95_ms reason",
);
const WINDOWS: [Part; 2] = [
    (
        "",
        "id at t_unix_ms resolution resolution_s is_impaired status primary_ops eligible decided on_time late present \
         missed pending unknown withdrawn disputed not_eligible extra extra_pending extra_unknown healed",
    ),
    (
        "",
        "coverage_ratio timely_ratio observed_ratio ratio_reason lag_n lag_p5_ms lag_p50_ms lag_p95_ms lag_p99_ms \
         lag_min_ms lag_max_ms lag_uncertainty_ms lag_reason",
    ),
];
const PROPAGATION: [Part; 3] = [
    ("", "at_s mean_mirror_ratio"),
    ("by_mirrors", "mirrors op_ratio never_ops p50_ms? p75_ms? p90_ms? p95_ms? p99_ms? p999_ms?"),
    ("", "mirrors left_out_mirrors ops_in_window ops_used ops_left_out sampled_every reason"),
];
const INCIDENTS: Part = (
    "",
    "id mirror phase is_open started_at ended_at? state worst_state bad_s headline interruptions changes_not_listed \
     link_json link_html link_mirror link_misses truncated",
);
const FRESHNESS: [Part; 2] = [
    ("", "id at t_unix_ms resolution_s kept_s head_lag_ops head_age_s reason"),
    ("freshness", "head_lag_ops? head_age_s?"),
];
const MIRROR_RTT: [Part; 3] = [
    (
        "",
        "id at t_unix_ms resolution_s kept_s tcp_min_ms tcp_max_ms tcp_samples tcp_info_min_ms tcp_info_max_ms \
         primary_tcp_min_ms correction_ms? uncertainty_ms?",
    ),
    RTT,
    ("primary_rtt", RTT.1),
];
const SLO: [Part; 2] = [
    ("", "id slo target_ratio ops fault_ops good_ratio? allowed_ops budget_left_ratio? is_met? alarm"),
    ("burn_rates", "5m? 15m? 1h? 6h? 24h? 7d? 30d?"),
];
const OPS: [Part; 2] = [
    (
        "",
        "mirror did cid seq kind verdict unknown_reason confirmation follows followers delivery primary_at mirror_at \
         raw_lag_ms created_at is_early is_healed is_credited is_altered is_primary_filled",
    ),
    ("", "held_from_at extra_truncated"),
];
const SESSIONS: Part =
    ("", "id name connected_ratio? truncated opened_at closed_at? ended_by code reason resumed_from is_caught_up");
const COMPARE: [Part; 4] = [
    ("", "side host only_ops pending_ops unknown_ops both_ops"),
    ("lead", "n p25_ms? median_ms? p75_ms? corrected_median_ms? uncertainty_ms?"),
    ("", "held_from_at is_window_held truncated"),
    ("", "did cid kind at"),
];
const VANTAGES: [Part; 3] = [
    ("mirror", "url name id verdict why"),
    ("vantage", "id state link missed_by_mirror_ops missed_by_path_ops through_at"),
    (
        "",
        "window decided on_time late present missed unknown extra coverage_ratio? low95_ratio? high95_ratio? lag.n lag.p50_ms? \
         lag.p75_ms? lag.p90_ms? lag.p95_ms? lag.p99_ms? lag.p999_ms? lag.uncertainty_ms?",
    ),
];

/// The columns of a kind of table, in their order.
pub(super) fn of(kind: TableKind) -> Vec<String> {
    let id: &[Part] = &[("", "id")];
    let observer: &[Part] = &[("observer", "state")];
    match kind {
        TableKind::Mirrors => expand(&[&[IDENTITY, LINK], &COVERAGE, &LAG, &[RTT], &MIRROR]),
        TableKind::Overview => expand(&[&[IDENTITY, LINK], &COVERAGE, &LAG, &[RTT], &MIRROR, observer]),
        TableKind::Coverage => expand(&[id, &[("", "primary_ops")], &COVERAGE]),
        TableKind::Lag => expand(&[id, &LAG]),
        TableKind::Misses => expand(&[&MISSES]),
        TableKind::History => expand(&[&[HISTORY]]),
        TableKind::Rtt => expand(&[&[("", "role id"), RTT]]),
        TableKind::Divergence => expand(&[&[("", "id age_ge_s missing_ops extra_ops altered_ops extra_truncated")]]),
        TableKind::Events => expand(&[&[("", "id at kind source text detail")]]),
        TableKind::Ops => expand(&[&OPS]),
        TableKind::Sessions => expand(&[&[SESSIONS]]),
        TableKind::Compare => expand(&[&COMPARE]),
        TableKind::Propagation => expand(&[&PROPAGATION]),
        TableKind::Incidents => expand(&[&[INCIDENTS]]),
        TableKind::Windows => expand(&[&WINDOWS]),
        TableKind::LagHistogram => expand(&[&[("", "id from_ms to_ms count lost_ops")], &LAG]),
        TableKind::Freshness => expand(&[&FRESHNESS]),
        TableKind::MirrorRtt => expand(&[&MIRROR_RTT]),
        TableKind::MirrorDivergence => expand(&[&[("", super::shape::OF_AN_AGE)]]),
        TableKind::Vantages => expand(&[&VANTAGES]),
        TableKind::Slo => expand(&[&SLO]),
        TableKind::Log => expand(&[&[("", "added id time from type reasons action")]]),
    }
}

fn expand(parts: &[&[Part]]) -> Vec<String> {
    let mut columns = Vec::new();
    for (path, names) in parts.iter().copied().flatten() {
        for name in names.split_whitespace() {
            let (name, has_reason) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
            let column = super::shape::join(path, name);
            let reason = has_reason.then(|| format!("{column}_reason"));
            columns.push(column);
            columns.extend(reason);
        }
    }
    columns
}
