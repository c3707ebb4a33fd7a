//! What is said of mirrors as a whole: what went wrong when, and which to use.

use super::{UTC0, at, picture};
use crate::domain::incident::{Told, What};
use crate::domain::mirror_state::{Standing, State};
use crate::domain::probes::{Figures, Purpose};
use crate::domain::recommend::{Because, Candidate, Chosen, Nobody, Recommendation, Record, Said};
use crate::domain::view::{Picture, best, incidents, overview};
use serde_json::json;
use std::sync::Arc;

fn told(event_id: u64, at_ms: i64, mirror: &str, from: State, to: State) -> Told {
    let (mirror, why) = (mirror.to_owned(), format!("is {}", to.name()));
    let what = What::Changed { mirror, from, to, why, untold: 0, unseen_since_ms: None };
    Told { event_id: Some(event_id), at_ms: UTC0 + at_ms, what }
}

/// Mirror `m` is shown in this state, since then.
fn stands(p: &mut Picture, m: usize, state: State, since_ms: i64) {
    let since = p.capture.labels.tau(UTC0 + since_ms);
    p.mirrors[m].standing = Standing { state, since, why: format!("is {}", state.name()) };
}

#[test]
fn incidents_are_listed_newest_first_and_each_has_its_page() {
    let mut p = picture();
    let mut changes = vec![
        told(1, 10_000, "a", State::Ok, State::Losing),
        told(2, 20_000, "b", State::Ok, State::Lagging),
        told(3, 50_000, "b", State::Lagging, State::Ok),
        told(4, 60_000, "gone", State::Ok, State::Stalled),
    ];
    changes.reverse();
    p.changes = Arc::new(changes.into_iter().map(Arc::new).collect());
    stands(&mut p, 0, State::Losing, 10_000);
    stands(&mut p, 1, State::Ok, 50_000);
    let page = incidents::page(&p);
    assert_eq!((&page["open"], &page["open_by_mirror"]), (&json!(1), &json!({ "a": 1, "b": 0 })));
    let rows = page["incidents"].as_array().unwrap();
    let told: Vec<_> = rows.iter().map(|r| (r["mirror"].as_str().unwrap(), r["phase"].as_str().unwrap())).collect();
    assert_eq!(told, [("gone", "interrupted"), ("b", "ended"), ("a", "open")], "who is not watched is not blamed");
    assert_eq!((&rows[2]["ended_at"], &rows[2]["ended_at_reason"]), (&json!(null), &json!("still_open")));
    assert_eq!((&rows[1]["bad_s"], &rows[2]["bad_s"]), (&json!(30.0), &json!(180.0)), "whole minutes while it goes on");
    assert_eq!(rows[2]["headline"], "a is losing since 2023-11-14T22:15:10.000Z; at worst losing: is losing");
    assert_eq!((&rows[2]["link_misses"], &rows[2]["link_mirror"]), (&json!("/misses?mirror=a"), &json!("/mirrors/a")));
    let id = rows[1]["id"].as_str().unwrap();
    assert_eq!(id, "b-20231114T221520000Z");
    let one = incidents::detail(&p, id).unwrap();
    assert_eq!((one["changes"].as_array().unwrap().len(), &one["changes"][1]["to"]), (2, &json!("ok")));
    assert_eq!(incidents::detail(&p, "b-20231114T221520001Z"), None);
}

#[test]
fn an_incident_whose_end_was_not_told_agrees_with_what_is_shown_now() {
    let mut p = picture();
    p.changes = Arc::new([Arc::new(told(1, 10_000, "a", State::Ok, State::Losing))].into());
    let mut row = |state, since_ms| {
        stands(&mut p, 0, state, since_ms);
        let page = incidents::page(&p);
        assert_eq!(page["open"], page["open_by_mirror"]["a"]);
        (page["open"].clone(), page["incidents"][0].clone())
    };
    let (open, ended) = row(State::Ok, 40_000);
    assert_eq!((open, &ended["phase"], &ended["bad_s"]), (json!(0), &json!("ended"), &json!(30.0)));
    assert_eq!(ended["ended_at"], "2023-11-14T22:15:40.000Z");
    let (open, interrupted) = row(State::Disconnected, 70_000);
    assert_eq!((open, &interrupted["phase"], &interrupted["bad_s"]), (json!(0), &json!("interrupted"), &json!(60.0)));
    assert_eq!(interrupted["interruptions"][0]["state"], "disconnected");
    let (open, still) = row(State::Losing, 10_000);
    assert_eq!((open, &still["phase"], &still["bad_s"]), (json!(1), &json!("open"), &json!(180.0)));
}

#[test]
fn one_mirror_is_recommended_with_its_reasons_or_none_with_another() {
    let mut p = picture();
    let page = best::page(&p, Purpose::Stream);
    assert_eq!((&page["mirror"], &page["mirror_reason"]), (&json!(null), &json!("no_mirrors")));
    let said = |mirror, state, objection: Option<&str>| Said {
        candidate: Candidate {
            mirror,
            state,
            since: at(0),
            record: Record::default(),
            figures: Figures::default(),
            is_comparable: true,
            unfit: None,
        },
        objection: objection.map(str::to_owned),
    };
    p.recommended.stream = Recommendation {
        chosen: Some(Chosen { mirror: 1, since: at(5_000), because: Because::First }),
        nobody: Nobody::WarmingUp,
        said: vec![said(1, State::Ok, None), said(0, State::Losing, Some("it is losing"))],
    };
    let page = best::page(&p, Purpose::Stream);
    let why = "0 of 0 operations missed and 0 late in 6 h; lag not known yet";
    assert_eq!((&page["mirror"]["id"], &page["why"]), (&json!("b"), &json!(why)));
    assert_eq!(page["since_at"], p.at(at(5_000)));
    assert_eq!(page["candidates"][1], json!({ "id": "a", "is_eligible": false, "why": "it is losing" }));
    let rows = overview::page(&p).0["mirrors"].clone();
    let marked: Vec<_> =
        rows.as_array().unwrap().iter().filter(|r| r["is_recommended"] == true).map(|r| &r["id"]).collect();
    assert_eq!(marked, ["b"]);
    assert_eq!(best::page(&p, Purpose::Resolve)["mirror_reason"], "no_mirrors", "a choice of its own");
}
