//! The `lag` shape: percentiles of what arrived, and with loss counted as infinitely late.

use super::Picture;
use crate::domain::interval::Acc;
use crate::domain::lag::{LagHistogram, ms, write_percentiles};
use crate::domain::ledger::capture::WindowFigures;
use crate::domain::verdict::Verdict;
use serde_json::{Map, Value, json};

fn ends(hist: &LagHistogram, out: &mut Map<String, Value>, reasons: &mut Map<String, Value>) {
    let values = [
        ("min_ms", hist.min_us().map(|us| us as f64)),
        ("max_ms", hist.max_us().map(|us| us as f64)),
        ("mean_ms", hist.mean_us()),
    ];
    for (name, us) in values {
        if us.is_none() {
            reasons.insert(name.to_owned(), "no_data".into());
        }
        out.insert(name.to_owned(), us.map_or(Value::Null, |us| ms(us).into()));
    }
}

fn part(hist: &LagHistogram, lost: u64) -> Value {
    let (mut out, mut reasons) = (Map::new(), Map::new());
    out.insert("n".into(), (hist.count() + lost).into());
    write_percentiles(hist, lost, &mut out, &mut reasons);
    if lost == 0 {
        ends(hist, &mut out, &mut reasons);
    }
    out.insert("reasons".into(), Value::Object(reasons));
    Value::Object(out)
}

/// The lag of one mirror; a mirror whose link is down has no lag now: its old percentiles are absent, not stale.
#[must_use]
pub fn lag(acc: &Acc) -> Value {
    let (mut out, mut reasons) = (Map::new(), Map::new());
    out.insert("n".into(), acc.lag.count().into());
    write_percentiles(&acc.lag, 0, &mut out, &mut reasons);
    ends(&acc.lag, &mut out, &mut reasons);
    let correction = acc.correction_us();
    for (name, us) in [("uncertainty_ms", correction.map(|c| c.1)), ("correction_ms", correction.map(|c| c.0))] {
        if us.is_none() {
            reasons.insert(name.to_owned(), "no_data".into());
        }
        out.insert(name.to_owned(), us.map_or(Value::Null, |us| ms(us).into()));
    }
    out.insert("raw".into(), part(&acc.raw, 0));
    out.insert("with_loss".into(), part(&acc.lag, acc.verdict(Verdict::Missed)));
    out.insert("reasons".into(), Value::Object(reasons));
    Value::Object(out)
}

/// The page of mirror `m` in one window: its figures, and the distribution that they are drawn from; none where there is no
/// such mirror.
#[must_use]
pub fn mirror(picture: &Picture, m: usize, figures: &WindowFigures) -> Option<Value> {
    let (info, acc) = (picture.mirrors.get(m)?, figures.interval.mirrors.get(m)?);
    let parts = acc.lag.spread();
    Some(json!({
        "id": info.id,
        "lag": lag(acc),
        "histogram": {
            "from_ms": parts.iter().map(|p| ms(p.from_us as f64)).collect::<Vec<_>>(),
            "to_ms": parts.iter().map(|p| ms(p.to_us as f64)).collect::<Vec<_>>(),
            "count": parts.iter().map(|p| p.count).collect::<Vec<_>>(),
        },
        "lost_ops": acc.verdict(Verdict::Missed),
    }))
}

/// The page of one window.
#[must_use]
pub fn page(picture: &Picture, figures: &WindowFigures) -> (Value, i64, i64) {
    let mirrors: Vec<Value> = picture
        .mirrors
        .iter()
        .zip(&figures.interval.mirrors)
        .map(|(info, acc)| json!({ "id": info.id, "lag": lag(acc) }))
        .collect();
    (json!({ "mirrors": mirrors }), figures.from_ms, figures.to_ms)
}
