//! The formulas behind the figures, by id, in words that the page shows.

use super::Picture;
use serde_json::{Value, json};

/// (id, formula, meaning) of every figure.
const FORMULAS: [(&str, &str, &str); 31] = [
    (
        "coverage",
        "(on_time + late + present) / (on_time + late + present + missed)",
        "Share of the decided operations that the mirror has. Undecided and unknown ones are in neither part.",
    ),
    (
        "timely",
        "on_time / (on_time + late + missed)",
        "Share of the operations with known timing that came within the on-time limit.",
    ),
    (
        "observed",
        "decided / (decided + unknown)",
        "How much of the time we were able to judge this mirror; printed with coverage.",
    ),
    (
        "did_coverage",
        "1 − |DIDs with a miss| / |DIDs with a decided operation|",
        "By a mergeable sketch; its standard error stands beside it.",
    ),
    ("confidence", "Wilson 95 %", "Interval of confidence of a share; 0 of n missing means at most 3/n."),
    (
        "lag",
        "(a_mirror − a_primary) − (rtt_mirror − rtt_primary) / 2",
        "Signed; only pairs whose both arrivals were live and whose timing nothing voided.",
    ),
    ("uncertainty", "(rtt_mirror + rtt_primary) / 2", "A lag smaller than this is drawn as about zero."),
    (
        "with_loss",
        "percentiles with every missed operation counted as infinitely late",
        "A mirror cannot improve its p99 by dropping slow operations.",
    ),
    ("percentile", "needs n·(1−q) ≥ 5", "Otherwise null with the reason low_n."),
    (
        "rtt",
        "minimum of the last 10 minutes to the address the stream is connected to",
        "TCP connect (SYN to SYN-ACK); the live socket's own estimate stands beside it under its own name.",
    ),
    (
        "freshness",
        "head_lag_ops = operations newer than the newest one the mirror has; head_age_s = age of the first of them",
        "Null while the mirror's window does not reach now.",
    ),
    (
        "missed",
        "not delivered although the mirror's observation window covers [p − look-back, deadline] and is proved through it",
        "Never while we or the primary were not looking: that is unknown.",
    ),
    (
        "late",
        "grace ≥ arrival at the mirror − arrival at the primary > on-time limit",
        "Delivered, and counted in coverage; the limits of each mirror stand among the parameters.",
    ),
    (
        "rate",
        "live arrivals at the primary's stream in the last 60 s / 60 s",
        "Over a shorter time while the observation is younger than that.",
    ),
    (
        "connected",
        "time with the link up / time watched, without what we or the primary were impaired in, last 6 h",
        "What we could not have seen is in neither part.",
    ),
    (
        "extra",
        "only the mirror has it after the grace, the primary's window covers it and its /export does not have it",
        "Next to any hole it is extra_unknown.",
    ),
    (
        "state",
        "unsupported, unknown (observer or primary impaired) or disconnected where so; else the worst of: diverged (a finding of content, number or log within 24 h) > losing (3 open misses and more than 0.1 % \
         of 15 min; over after 15 min without another) > stalled (owes operations, none came for max(60 s, 20 / rate) while \
         the primary sent 5) > throttled > lagging (head_age_s > 30 for 10 s; over below 10 for 15 s)",
        "Link and observer come first, because without them nothing can be seen; in lists a disconnected mirror stands between \
         stalled and throttled. Only what was published while the mirror was watched is owed; who is throttled is not stalled.",
    ),
    (
        "propagation",
        "for k = 1 … N mirrors, the share of the operations whose k-th smallest lag is at most t; what was missed never comes",
        "Only operations whose lags are known at all N are counted; the window ends a grace before now.",
    ),
    ("divergence", "operations on one side only for at least 1 s … 6 h of proved observation", "Both directions."),
    (
        "chain",
        "root = the earliest of an unbroken run of misses of one DID at one mirror; the others of the run follow",
        "One operation lost, and all that builds on it refused, reads as one fault.",
    ),
    (
        "compare",
        "only_a = a has it, b has it not, and b's observation window covers [arrival − look-back, arrival + grace]",
        "Two hosts beside each other without the primary as their judge; what may still come is pending, what we did not see is unknown.",
    ),
    (
        "lead",
        "arrival at b − arrival at a, of operations that both brought live",
        "Positive where a is ahead; corrected_median_ms takes half the difference of the round trips off.",
    ),
    (
        "sample_agreement",
        "logs that are the primary's / logs that were compared, last 24 h",
        "Whole logs: coverage may be perfect and a history another. Every other DID is drawn evenly among those with an \
         operation in the last hour, the others among all with an operation that is held (revision_horizon_s at most). It \
         says nothing of DIDs that published nothing since. With its Wilson interval.",
    ),
    (
        "incident",
        "from a mirror being found lagging, stalled, losing or diverged until it is found well; bad_s without interruptions",
        "While the observer or the primary is impaired, the link is down, or a start has not found yet how the mirror does, \
         nothing can be said: that interrupts an incident, and begins none.",
    ),
    (
        "error_budget",
        "1 − faults / (operations × (1 − target)), last 30 d; operations: those decided; faults of coverage: \
         missed, target 99.9 %; of on_time: late and missed, target 99 %",
        "The share of the faults there is room for that is left; negative where more is spent. What is unknown or came without \
         a timing spends nothing.",
    ),
    (
        "burn_rate",
        "(faults / operations of a window) / (1 − target)",
        "1 uses the budget of 30 d up in 30 d. Alarms: page at 14.4 in 1 h and 5 min, or 6 in 6 h and 15 min; ticket at 3 in \
         24 h and 1 h, or 1 in 7 d and 6 h; from 3 faults in the longer one on.",
    ),
    (
        "readiness",
        "not ready where one fails, ready where all hold: state ok; 1,000 operations decided in 24 h, and 90 % of decided and \
         unknown ones; both error budgets not used up; head_age_s ≤ 30, or neither lagging nor stalled; no false content and no contradicting log within 24 h",
        "What cannot be told fails nothing and leaves it open.",
    ),
    (
        "vantage_merge",
        "counts of a mirror at all vantages are added, histograms of lag merged; percentiles are of the merged histogram",
        "Never a mean of percentiles. An operation counts once for each vantage that judged it; a lag is corrected for each \
         vantage's own distance. Only intervals that are final are in it.",
    ),
    (
        "agreement",
        "vantages that miss an operation / vantages that observed it; all of two or more: the mirror's doing, fewer: those paths'",
        "A vantage whose link to the mirror or to the primary was down in that interval, also where the gap was filled, that \
         did not watch then, that did not tell all it misses, or whose own figures deny it, has no voice; before all have \
         told of the interval nothing is said.",
    ),
    (
        "same_primary",
        "count and XOR of SHA-256(DID, CID) over each 1,000 numbers of the primary that two vantages saw whole are equal",
        "A block is told 60 s after the first operation behind it, and only where no hole touches it. Where two differ, both \
         tell its operations; those that do not come to the digest are refused. Who was shown what says not whose doing it is.",
    ),
    (
        "recommended",
        "of the mirrors that serve the purpose, are well for a minute and judged by 100 operations in 6 h: the fewest failures \
         (+3 a failed probe, −1 a good one, 30 at most), then the lowest mean of 20 latencies; left at once when that is over, \
         for another behind 20 min and below 0.7 of its mean",
        "Probes: connects to its stream; requests for logs of DIDs. A failed one counts where the primary answered before and \
         after it, and none while our link to it is down or our reader is late. A region: the mean of its vantages that can be believed.",
    ),
];

/// Every formula: its id, the formula, and what it means.
pub fn formulas() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    FORMULAS.into_iter()
}

/// The page, with the parameters in force.
#[must_use]
pub fn page(picture: &Picture) -> Value {
    let p = &picture.capture.params;
    let formulas: Vec<Value> = FORMULAS.iter().map(|f| json!({ "id": f.0, "formula": f.1, "meaning": f.2 })).collect();
    let mirrors: Vec<Value> = picture
        .mirrors
        .iter()
        .zip(&picture.capture.mirrors)
        .map(|(i, m)| json!({ "id": i.id, "on_time_s": m.params.on_time_ns as f64 / 1e9, "grace_s": m.params.grace_ns as f64 / 1e9 }))
        .collect();
    json!({
        "formulas": formulas,
        "parameters": {
            "look_back_s": p.look_back_ns as f64 / 1e9,
            "revision_horizon_s": p.horizon_ns as f64 / 1e9,
            "settle_s": p.settle_ns as f64 / 1e9,
            "interval_s": p.interval_ms / 1_000,
            "mirrors": mirrors,
        },
        "are_extras_confirmed_by_export": !picture.capture.primary_has_no_export,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digits::in_groups;
    use crate::domain::mirror_state::LAGGING_NS;
    use crate::domain::slo::{ALARMS, FAULTS_MIN, Slo};
    use crate::domain::time::SECOND;
    use crate::domain::view::readiness::{DECIDED_MIN, OBSERVED_MIN_PERCENT};

    fn text(id: &str) -> String {
        let (_, formula, meaning) = formulas().find(|f| f.0 == id).unwrap();
        format!("{formula} {meaning}")
    }

    #[test]
    fn sentences_have_the_numbers_that_decide() {
        let percent = |slo: Slo| format!("target {} %", 100.0 * slo.target_ratio());
        let objectives = [Slo::Coverage, Slo::OnTime].map(|slo| (text("error_budget"), percent(slo)));
        let alarms = ALARMS.map(|alarm| {
            let long = alarm.long.name().replace(char::is_alphabetic, "");
            (text("burn_rate"), format!("{} in {long} ", alarm.burn_rate))
        });
        let faults = (text("burn_rate"), format!("from {FAULTS_MIN} faults"));
        let readiness = [
            format!("{} operations decided", in_groups(DECIDED_MIN, ",")),
            format!("{OBSERVED_MIN_PERCENT} % of decided and unknown"),
            format!("head_age_s ≤ {}", LAGGING_NS / SECOND),
        ];
        let readiness = readiness.map(|words| (text("readiness"), words));
        for (text, words) in objectives.into_iter().chain(alarms).chain([faults]).chain(readiness) {
            assert!(text.contains(&words), "{words}: {text}");
        }
    }

    #[test]
    fn what_samples_are_drawn_from_is_said() {
        let (_, _, meaning) = formulas().find(|f| f.0 == "sample_agreement").unwrap();
        for words in ["in the last hour", "an operation that is held", "nothing of DIDs that published nothing since"] {
            assert!(meaning.contains(words), "{meaning}");
        }
    }
}
