//! The `counts` and `coverage` shapes.

use super::{Picture, put, round6};
use crate::domain::coverage::{ratio, wilson95};
use crate::domain::interval::{Acc, ExtraState};
use crate::domain::ledger::capture::WindowFigures;
use crate::domain::op::Kind;
use crate::domain::sketch::STANDARD_ERROR_RATIO;
use crate::domain::verdict::Verdict;
use serde_json::{Map, Value, json};

/// Operations by outcome.
#[must_use]
pub fn counts(acc: &Acc) -> Value {
    let mut map = Map::new();
    map.insert("eligible".into(), acc.eligible().into());
    map.insert("decided".into(), acc.decided().into());
    for verdict in Verdict::ALL {
        map.insert(verdict.name().into(), acc.verdict(verdict).into());
    }
    map.insert("extra".into(), acc.extra(ExtraState::Extra).into());
    map.insert("extra_pending".into(), acc.extra(ExtraState::Pending).into());
    map.insert("extra_unknown".into(), acc.extra(ExtraState::Unknown).into());
    map.insert("extra_explained".into(), acc.extra(ExtraState::Explained).into());
    let [early, healed, credited] = acc.flags();
    map.insert("early".into(), early.into());
    map.insert("healed".into(), healed.into());
    map.insert("credited".into(), credited.into());
    Value::Object(map)
}

/// `on_time` + late + present, the operations that a mirror is known to have.
#[must_use]
pub fn delivered(acc: &Acc) -> u64 {
    acc.decided() - acc.verdict(Verdict::Missed)
}

/// A share of `of`; only all of them are a whole, also where one in millions lacks.
pub(super) fn share(part: u64, of: u64) -> Option<f64> {
    let rounded = ratio(part, of).map(round6);
    if part < of { rounded.map(|ratio| ratio.min(1.0 - 1e-6)) } else { rounded }
}

/// The shares with their counts.
#[must_use]
pub fn coverage(acc: &Acc) -> Value {
    let (decided, have) = (acc.decided(), delivered(acc));
    let on_time = acc.verdict(Verdict::OnTime);
    let timed = on_time + acc.verdict(Verdict::Late) + acc.verdict(Verdict::Missed);
    let bounds = wilson95(have, decided);
    let mut map = Map::new();
    put(&mut map, "coverage_ratio", share(have, decided), "no_data");
    put(&mut map, "low95_ratio", bounds.map(|b| round6(b.0)), "no_data");
    put(&mut map, "high95_ratio", bounds.map(|b| round6(b.1)), "no_data");
    put(&mut map, "timely_ratio", share(on_time, timed), "no_data");
    put(&mut map, "observed_ratio", share(decided, decided + acc.verdict(Verdict::Unknown)), "no_data");
    let dids = acc.dids.estimate();
    let did_ratio = (dids > 0.0).then(|| round6((1.0 - acc.dids_missed.estimate() / dids).clamp(0.0, 1.0)));
    put(&mut map, "did_coverage_ratio", did_ratio, "no_data");
    map.insert("did_standard_error_ratio".into(), STANDARD_ERROR_RATIO.into());
    map.insert("counts".into(), counts(acc));
    let mut kinds = Map::new();
    for kind in Kind::ALL {
        let (decided, missed) = acc.kind(kind);
        kinds.insert(kind.name().into(), json!({ "decided": decided, "missed": missed }));
    }
    map.insert("by_kind".into(), Value::Object(kinds));
    Value::Object(map)
}

/// The page of one window.
#[must_use]
pub fn page(picture: &Picture, figures: &WindowFigures) -> (Value, i64, i64) {
    let mirrors: Vec<Value> = picture
        .mirrors
        .iter()
        .zip(&figures.interval.mirrors)
        .map(|(info, acc)| json!({ "id": info.id, "coverage": coverage(acc) }))
        .collect();
    (json!({ "primary_ops": figures.interval.primary_ops, "mirrors": mirrors }), figures.from_ms, figures.to_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_millions_is_not_nothing() {
        assert_eq!((share(3_999_999, 4_000_000), share(4_000_000, 4_000_000)), (Some(0.999_999), Some(1.0)));
        assert_eq!((share(1, 3), share(0, 0)), (Some(0.333_333), None));
    }
}
