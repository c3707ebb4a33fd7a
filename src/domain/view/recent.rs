//! The newest operations of the primary as they come, with each mirror's arrival.

use super::{Picture, label, round6};
use crate::domain::lag::ms;
use crate::domain::ledger::recent::{Pace, RecentOp, RecentOps};
use crate::domain::time::rfc3339_ms;
use crate::domain::verdict::{Cell, Mode};
use serde_json::{Map, Value, json};

/// Operations that are told of.
pub const OPS_MAX: usize = 200;

/// The newest operations, and whose arrivals they have.
#[derive(Clone, Debug)]
pub struct Recent {
    /// They.
    pub ops: RecentOps,
    /// Ids of the primary and the mirrors, in the order of the configuration.
    pub ids: Vec<String>,
}

/// The newest operations of a picture.
#[must_use]
pub fn of(picture: &Picture) -> Recent {
    let ids = picture.sources().filter_map(|s| Some(picture.source(s)?.0.id.clone())).collect();
    Recent { ops: RecentOps::of(&picture.capture, OPS_MAX), ids }
}

/// How fast operations come from each source, the primary first.
#[must_use]
pub fn hosts(recent: &Recent) -> Value {
    let host = |(id, pace): (&String, &Pace)| {
        let rate = pace.rate_per_s.map(round6);
        json!({ "id": id, "rate_ops_per_s": rate, "live_ops_total": pace.live_ops })
    };
    recent.ids.iter().zip(&recent.ops.paces).map(host).collect()
}

/// One operation. `verdicts` and `offsets_ms` are in the order of the mirrors: where it stands at each, and how much later than
/// the primary's its arrival came, as measured; `null` where there is none, or where one of the two was filled in afterwards.
/// `unknown_reasons` say why a verdict is unknown.
#[must_use]
pub fn op(recent: &Recent, op: &RecentOp) -> Value {
    let row = &op.row;
    let offset = |cell: &Cell| {
        let is_timed = cell.delivery() == Some(Mode::Live) && !row.is_filled;
        is_timed.then(|| ms(cell.raw_us() as f64))
    };
    let reason = |cell: &Cell| Some(cell.reason().name()).filter(|name| !name.is_empty());
    let mut map = Map::new();
    map.insert("number".into(), op.number.into());
    map.insert("seq".into(), row.seq().into());
    map.insert("did".into(), row.did.to_string().into());
    map.insert("cid".into(), row.cid.to_string().into());
    map.insert("kind".into(), row.kind.name().into());
    map.insert("created_at".into(), rfc3339_ms(row.created_ms).into());
    map.insert("primary_at".into(), label(&recent.ops.labels, row.p).into());
    map.insert("is_primary_filled".into(), row.is_filled.into());
    map.insert("verdicts".into(), op.cells.iter().map(|cell| cell.verdict().name()).collect());
    map.insert("offsets_ms".into(), op.cells.iter().map(offset).collect());
    map.insert("unknown_reasons".into(), op.cells.iter().map(reason).collect());
    Value::Object(map)
}

/// When it was looked at.
#[must_use]
pub fn at(recent: &Recent) -> String {
    label(&recent.ops.labels, recent.ops.now)
}

/// All of it, newest first.
#[must_use]
pub fn page(recent: &Recent) -> Value {
    json!({
        "at": at(recent),
        "mirrors": recent.ids.get(1..).unwrap_or_default(),
        "hosts": hosts(recent),
        "ops": recent.ops.ops.iter().rev().map(|one| op(recent, one)).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::did::Did;
    use crate::domain::op::{Kind, OpKey};
    use crate::domain::ring::Row;
    use crate::domain::time::{Labels, Tau};
    use crate::domain::verdict::{Reason, Verdict};

    #[test]
    fn an_arrival_is_told_where_both_were_live() {
        let labels = Labels { anchor_tau: Tau(0), anchor_utc_ms: 1_700_000_000_000 };
        let row = Row::new(OpKey { did: Did([1; 15]), cid: Cid([2; 32]) }, Kind::Update, Tau(5_000_000), 7, Some(9));
        let delivered = |mode, us| Cell::new(Verdict::OnTime).with_delivery(mode, us);
        let cells = vec![
            delivered(Mode::Live, -1_500),
            delivered(Mode::Filled, 40),
            Cell::new(Verdict::Pending),
            Cell::new(Verdict::Pending).with_verdict(Verdict::Unknown, Reason::LinkDown),
        ];
        let live = RecentOp { number: 3, row, cells };
        let mut filled = RecentOp { number: 4, row, cells: vec![delivered(Mode::Live, 1)] };
        filled.row.is_filled = true;
        let paces = vec![Pace { rate_per_s: Some(1.0 / 3.0), live_ops: 2 }, Pace { rate_per_s: None, live_ops: 0 }];
        let ops = RecentOps { now: Tau(6_000_000), labels, ops: vec![live, filled], paces };
        let page = page(&Recent { ops, ids: vec!["p".to_owned(), "a".to_owned()] });
        assert_eq!(page["mirrors"], json!(["a"]));
        assert_eq!(page["hosts"][0], json!({ "id": "p", "rate_ops_per_s": 0.333_333, "live_ops_total": 2 }));
        let (newest, older) = (&page["ops"][0], &page["ops"][1]);
        assert_eq!((&newest["number"], &newest["offsets_ms"]), (&json!(4), &json!([null])), "newest first");
        assert_eq!(older["offsets_ms"], json!([-1.5, null, null, null]));
        assert_eq!(older["verdicts"], json!(["on_time", "on_time", "pending", "unknown"]));
        assert_eq!(older["unknown_reasons"], json!([null, null, null, "link_down"]));
        assert_eq!(newest["unknown_reasons"], json!([null]));
        assert_eq!((&older["seq"], &older["primary_at"]), (&json!(9), &json!("2023-11-14T22:13:20.005Z")));
    }
}
