//! What samples of whole histories say about a mirror: how many of its logs are the primary's.

use super::{Picture, put, round6};
use crate::domain::audit_log::LogAgreement;
use crate::domain::sample::Samples;
use serde_json::{Map, Value, json};

/// The figures of the last 24 hours of mirror `m`.
#[must_use]
pub fn figures(picture: &Picture, m: usize) -> Value {
    let figures = picture.samples.get(m).cloned().unwrap_or_default().figures(picture.capture.now);
    let ci = figures.agreement_ci95;
    let mut map = Map::new();
    put(&mut map, "sample_agreement_ratio", figures.agreement_ratio.map(round6), "no_data");
    put(&mut map, "low95_ratio", ci.map(|c| round6(c.0)), "no_data");
    put(&mut map, "high95_ratio", ci.map(|c| round6(c.1)), "no_data");
    map.insert("judged".into(), figures.judged.iter().sum::<u64>().into());
    let by: Map<String, Value> =
        LogAgreement::ALL.iter().zip(figures.judged).map(|(a, n)| (a.name().to_owned(), n.into())).collect();
    map.insert("by_agreement".into(), Value::Object(by));
    map.insert("unanswered".into(), figures.unanswered.into());
    map.insert("unsettled".into(), figures.unsettled.into());
    Value::Object(map)
}

/// The latest samples of mirror `m` in which the logs differed, newest first.
#[must_use]
pub fn differences(picture: &Picture, m: usize) -> Value {
    let of_mirror = picture.samples.get(m);
    let rows = of_mirror
        .into_iter()
        .flat_map(Samples::differences)
        .map(|d| json!({ "did": d.did().to_string(), "agreement": d.agreement.name(), "at": picture.at(d.at) }));
    rows.collect()
}
