//! Views of a small world whose every operation is known: two mirrors, one that loses and one that invents.

mod closely;
mod held_to;
mod standing;

pub(crate) use closely::measured;

use super::compare;
use super::ops::{Confirmation, Link, OpsFilter, OpsPage, Outcome, Position};
use super::{Picture, SourceInfo, did, divergence, evidence, op, ops, overview, sessions};
use crate::domain::cid::Cid;
use crate::domain::confirm::{Explained, HostLog, LogLine, Standing, SurveyReport, Why};
use crate::domain::did::Did;
use crate::domain::evidence::Evidence;
use crate::domain::finding::{About, Finding, ProbeEvidence};
use crate::domain::frame::Claim;
use crate::domain::interval::ExtraState;
use crate::domain::ledger::{ChainOutcome, Ledger, Limits, MirrorParams, Params};
use crate::domain::op::{Kind, Op, OpKey};
use crate::domain::probes::ByPurpose;
use crate::domain::sessions::{Ended, Session};
use crate::domain::source::SourceIx;
use crate::domain::time::{Labels, MS, SECOND, Span, Tau};
use crate::domain::verdict::{Mode, Verdict};
use crate::domain::window_kind::WindowKind;
use serde_json::{Value, json};
use std::sync::Arc;

const UTC0: i64 = 1_700_000_100_000;
const A: SourceIx = SourceIx::mirror(0);
const B: SourceIx = SourceIx::mirror(1);
/// Operations of the primary, one a second.
const OPS: u64 = 200;
/// What A never gets.
const LOST: [u64; 3] = [40, 47, 50];
/// What only B sends: decided as an extra, and still open.
const INVENTED: u64 = 7_770;
const FRESH: u64 = 7_771;

fn at(ms: i64) -> Tau {
    Tau(ms * MS)
}

/// Operation `i`; every seventh is of the same DID.
fn op_at(i: u64, created: Tau) -> Op {
    let mut cid = [0; 32];
    cid[..8].copy_from_slice(&i.to_be_bytes());
    let mut did = [0; 15];
    did[..8].copy_from_slice(&(i % 7).to_be_bytes());
    let key = OpKey { did: Did(did), cid: Cid(cid) };
    Op { key, kind: Kind::Update, created_ms: UTC0 + created.0 / MS - 80, seq: Some(i), prev: None }
}

fn key(i: u64) -> OpKey {
    op_at(i, at(0)).key
}

fn ledger() -> Ledger {
    ledger_that(|_| {})
}

/// The world's ledger, with what was done to it before the first operation.
fn ledger_that(begins: impl FnOnce(&mut Ledger)) -> Ledger {
    let params = Params { look_back_ns: 0, horizon_ns: 86_400 * SECOND, settle_ns: 0, interval_ms: 300_000 };
    let limits = Limits { held_ops: 10_000, unknown_keys_per_mirror: 100, listed_per_mirror: 100 };
    let mirror = MirrorParams { on_time_ns: 10 * SECOND, grace_ns: 60 * SECOND };
    let mut l = Ledger::new(params, limits, Labels { anchor_tau: Tau(0), anchor_utc_ms: UTC0 }, &[mirror; 2]);
    for s in [SourceIx::PRIMARY, A, B] {
        l.open(s, at(0));
    }
    begins(&mut l);
    for i in 0..OPS {
        let p = at(1_000 * i as i64);
        let op = op_at(i, p);
        l.arrive(SourceIx::PRIMARY, &op, p, Mode::Live);
        for s in [SourceIx::PRIMARY, A, B] {
            l.prove(s, p);
        }
        if !LOST.contains(&i) {
            l.arrive(A, &op, p.plus(40 * MS), Mode::Live);
        }
        l.arrive(B, &op, p.plus(90 * MS), Mode::Live);
        for (invented, when) in [(INVENTED, 70), (FRESH, 180)] {
            if i == when {
                l.arrive(B, &op_at(invented, p), p.plus(5 * MS), Mode::Live);
            }
        }
        l.tick(p);
    }
    if l.wants_chain().is_some() {
        l.chain(at(199_500), ChainOutcome::Complete { since: Tau::MIN, earliest: Tau::MIN });
    }
    l.tick(at(199_600));
    l
}

fn info(id: &str) -> SourceInfo {
    SourceInfo {
        id: id.to_owned(),
        name: id.to_owned(),
        url: format!("wss://{id}.example"),
        transport: "stream".to_owned(),
        sessions: vec![
            Session {
                span: Span { from: at(-900_000), to: at(-700_000) },
                ended: Some(Ended::Closed(1000, "ConsumerTooSlow".to_owned())),
                resumed_from: None,
                is_filled: true,
            },
            Session { span: Span { from: at(0), to: Tau::MAX }, ended: None, resumed_from: Some(7), is_filled: false },
        ],
        ..SourceInfo::default()
    }
}

fn probe(host: &str, at_ms: i64) -> ProbeEvidence {
    ProbeEvidence {
        host: host.to_owned(),
        url: format!("https://{host}.example/did/log/audit"),
        at_ms,
        status: Some(200),
        body_sha256: Some("ab".repeat(32)),
        error: None,
    }
}

/// The world's picture: A was asked about one miss, and every host about its DID.
pub(crate) fn picture() -> Picture {
    picture_of(ledger())
}

fn picture_of(mut ledger: Ledger) -> Picture {
    let claim = Claim { key: key(47), seq: None, computed: Cid([9; 32]) };
    ledger.lied(A, &claim, at(150_000));
    ledger.found(A, &key(40), Finding::DataLoss);
    let mut held = Evidence::default();
    let explained = Explained {
        source: A,
        key: key(40),
        about: About::Miss,
        finding: Finding::DataLoss,
        is_final: true,
        listed: None,
        probes: vec![probe("a", UTC0 + 5_000)],
    };
    held.explained(&explained, at(150_000));
    let line = |i| LogLine {
        cid: key(i).cid,
        claimed_cid_matches: true,
        nullified: i == 47,
        created_ms: UTC0,
        prev: None,
        kind: Kind::Update,
    };
    let host = |source, agreement, at_ms| HostLog {
        source,
        standing: Standing::Log,
        lines: vec![line(40), line(47)],
        total: 2,
        agreement,
        probe: Some(probe(if source == A { "a" } else { "primary" }, at_ms)),
    };
    held.surveyed(Arc::new(SurveyReport {
        did: key(40).did,
        why: Why::Request(1),
        ended: at(160_000),
        hosts: vec![
            host(SourceIx::PRIMARY, None, UTC0 + 6_000),
            host(A, Some(crate::domain::audit_log::LogAgreement::Behind), UTC0 + 6_001),
        ],
        has_measure: true,
        unsettled: Vec::new(),
        withdrawn: Vec::new(),
    }));
    Picture {
        capture: ledger.capture(true),
        primary: info("primary"),
        mirrors: vec![info("a"), info("b")],
        started: at(0),
        events: Vec::new(),
        recommended: ByPurpose::default(),
        changes: Arc::default(),
        degraded: Vec::new(),
        internals: Value::Null,
        validity: crate::domain::view::ValidityCounts::default(),
        imported: Arc::default(),
        evidence: Arc::new(held),
        samples: Arc::default(),
        audit_load: crate::domain::confirm::Load::default(),
        impaired_ns: [("net_down", 2_500_000_000)].into(),
        clock_offset_ms: -40,
    }
}

fn top(p: &Picture) -> Position {
    Position::Row { number: p.capture.held.end(), mirror: 0 }
}

fn list(p: &Picture, mirrors: &[usize], mut filter: OpsFilter) -> Vec<Value> {
    filter.limit = 1_000;
    ops::page(p, mirrors, &filter, top(p)).data["ops"].as_array().unwrap().clone()
}

fn cids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|r| r["cid"].as_str().unwrap().to_owned()).collect()
}

fn cid(i: u64) -> String {
    key(i).cid.to_string()
}

#[test]
fn operations_are_found_by_every_filter() {
    let p = picture();
    let missed = |confirmation| OpsFilter {
        outcome: Some(Outcome::Verdict(Verdict::Missed)),
        confirmation,
        ..OpsFilter::default()
    };
    let rows = list(&p, &[0, 1], missed(None));
    assert_eq!(cids(&rows), [cid(50), cid(47), cid(40)]);
    assert_eq!((&rows[2]["confirmation"], &rows[2]["mirror"]), (&json!("data_loss"), &json!("a")));
    assert_eq!((&rows[0]["confirmation"], &rows[0]["mirror_at"]), (&Value::Null, &Value::Null));
    assert_eq!(cids(&list(&p, &[0, 1], missed(Some(Confirmation::Is(Finding::DataLoss))))), [cid(40)]);
    assert_eq!(cids(&list(&p, &[0, 1], missed(Some(Confirmation::Open)))), [cid(50), cid(47)]);
    assert_eq!(list(&p, &[1], missed(None)), Vec::<Value>::new());
    let of_did = OpsFilter { did: Some(key(47).did), ..missed(None) };
    assert_eq!(cids(&list(&p, &[0], of_did)), [cid(47), cid(40)], "40 ≡ 47 (mod 7)");
    let between = OpsFilter { from_ms: Some(UTC0 + 47_000), to_ms: Some(UTC0 + 50_000), ..missed(None) };
    assert_eq!(cids(&list(&p, &[0], between)), [cid(47)]);
    assert_eq!(list(&p, &[0], OpsFilter { kind: Some(Kind::Genesis), ..missed(None) }).len(), 0);
}

#[test]
fn misses_that_follow_are_folded_under_their_root() {
    let p = picture();
    let linked = |link| list(&p, &[0, 1], OpsFilter { link: Some(link), ..OpsFilter::default() });
    let roots = linked(Link::Root);
    assert_eq!(cids(&roots), [cid(50), cid(40)]);
    assert_eq!([&roots[0]["followers"], &roots[1]["followers"]], [&json!(0), &json!(1)]);
    let followers = linked(Link::Follower);
    assert_eq!((cids(&followers), &followers[0]["follows"]), (vec![cid(47)], &json!(cid(40))));
    assert_eq!(cids(&linked(Link::Of(key(40).cid))), [cid(47)]);
    assert_eq!(linked(Link::Of(key(50).cid)), Vec::<Value>::new());
}

#[test]
fn what_only_mirrors_have_is_listed_before_it_is_decided_too() {
    let p = picture();
    let extra = |state| OpsFilter { outcome: Some(Outcome::Extra(state)), ..OpsFilter::default() };
    let decided = list(&p, &[0, 1], extra(ExtraState::Extra));
    assert_eq!((cids(&decided), &decided[0]["verdict"]), (vec![cid(INVENTED)], &json!("extra")));
    let open = list(&p, &[0, 1], extra(ExtraState::Pending));
    assert_eq!((cids(&open), &open[0]["verdict"]), (vec![cid(FRESH)], &json!("extra_pending")));
    assert_eq!((&open[0]["mirror"], &open[0]["primary_at"]), (&json!("b"), &Value::Null));
    assert_eq!(list(&p, &[0], extra(ExtraState::Pending)).len(), 0);
    // Without a verdict: whatever is not on time, the primary's first.
    let all = list(&p, &[0, 1], OpsFilter::default());
    let behind = &all[all.len() - 2..];
    assert_eq!(cids(behind), [cid(FRESH), cid(INVENTED)]);
    assert!(all.iter().all(|r| r["verdict"] != "on_time"));
}

#[test]
fn pages_chain_without_loss_or_repetition() {
    let p = picture();
    let whole = list(&p, &[0, 1], OpsFilter::default());
    for limit in [1, 2, 3, 7] {
        let filter = OpsFilter { limit, ..OpsFilter::default() };
        let (mut rows, mut position) = (Vec::new(), Some(top(&p)));
        while let Some(from) = position {
            let OpsPage { data, next } = ops::page(&p, &[0, 1], &filter, from);
            assert_eq!(data["held_from_at"], p.at(p.capture.held.chunks[0].rows()[0].p), "nothing older can be listed");
            rows.extend(data["ops"].as_array().unwrap().clone());
            assert!(next.is_none_or(|n| n != from), "it goes on");
            position = next;
        }
        assert_eq!(rows, whole, "{limit} a page");
    }
}

#[test]
fn an_operation_is_shown_at_every_host() {
    let p = picture();
    let page = op::page(&p, key(40)).unwrap();
    let hosts = page["hosts"].as_array().unwrap();
    let of = |i: usize, name: &str| hosts[i][name].clone();
    assert_eq!([0, 1, 2].map(|i| of(i, "verdict")), [json!("published"), json!("missed"), json!("on_time")]);
    assert_eq!([0, 1, 2].map(|i| of(i, "offset_ms")), [json!(0.0), Value::Null, json!(90.0)]);
    assert_eq!(of(1, "offset_ms_reason"), "not_delivered");
    assert_eq!((of(1, "confirmation"), of(1, "check")["is_final"].clone()), (json!("data_loss"), json!(true)));
    assert_eq!(of(1, "deadline_at"), "2023-11-14T22:16:40.000Z");
    assert!(hosts.iter().all(|h| h.get("did").is_none()), "what is the same at every host stands once");
    let invented = op::page(&p, key(INVENTED)).unwrap();
    assert_eq!((&invented["is_published"], &invented["seq"]), (&json!(false), &Value::Null));
    assert_eq!(invented["hosts"][0]["verdict"], "not_published");
    assert_eq!(invented["hosts"][1]["verdict"], "not_delivered");
    assert_eq!((&invented["hosts"][2]["verdict"], &invented["hosts"][2]["offset_ms"]), (&json!("extra"), &json!(0.0)));
    assert_eq!(op::page(&p, key(123_456)), None);
    let corrupt = op::page(&p, key(47)).unwrap();
    assert_eq!((&corrupt["findings"][0]["host"], &corrupt["findings"][0]["finding"]), (&json!("a"), &json!("corrupt")));
    assert_eq!(page["findings"], json!([]), "nothing was wrong with the content of this one");
    let other = OpKey { did: Did([9; 15]), ..key(40) };
    assert_eq!(op::page(&p, other), None, "a CID under another DID is another operation");
}

#[test]
fn the_evidence_holds_links_and_probes_around_the_operation() {
    let p = picture();
    let bundle = evidence::page(&p, key(40)).unwrap();
    assert_eq!(bundle["format"], evidence::FORMAT);
    assert_eq!(bundle["operation"], op::page(&p, key(40)).unwrap());
    let a = &bundle["links"][1];
    assert_eq!((&a["id"], &a["url"], &a["grace_s"]), (&json!("a"), &json!("wss://a.example"), &json!(60.0)));
    assert_eq!(a["sessions"], json!([{ "from_at": "2023-11-14T22:15:00.000Z", "to_at": null }]));
    assert_eq!(a["proved_until_at"], "2023-11-14T22:18:19.000Z");
    let probes = bundle["probes"].as_array().unwrap();
    assert_eq!(probes.len(), 3, "the miss's own, and the logs of two hosts");
    assert_eq!((&probes[0]["about"]["finding"], &probes[0]["probe"]["status"]), (&json!("data_loss"), &json!(200)));
    assert_eq!(probes[0]["probe"]["body_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(evidence::page(&p, key(41)).unwrap()["probes"], json!([]));
    assert_eq!(evidence::page(&p, key(123_456)), None);
}

#[test]
fn sessions_are_told_newest_first_with_what_ended_them() {
    let page = sessions::page(&picture(), A).unwrap();
    assert_eq!((&page["id"], &page["connected_ratio"], &page["truncated"]), (&json!("a"), &json!(null), &json!(false)));
    let open = json!({
        "opened_at": "2023-11-14T22:15:00.000Z", "closed_at": null, "closed_at_reason": "still_open", "ended_by": null,
        "code": null, "reason": null, "resumed_from": 7, "is_caught_up": false,
    });
    let closed = json!({
        "opened_at": "2023-11-14T22:00:00.000Z", "closed_at": "2023-11-14T22:03:20.000Z", "ended_by": "source",
        "code": 1000, "reason": "ConsumerTooSlow", "resumed_from": null, "is_caught_up": true,
    });
    assert_eq!(page["sessions"], json!([open, closed]));
    assert_eq!(sessions::page(&picture(), SourceIx(9)), None);
    let one = picture().mirrors[0].sessions[0].clone();
    for (held, shown, is_cut) in [(64, 64, false), (65, 64, true)] {
        let mut of_many = picture();
        of_many.mirrors[0].sessions = vec![one.clone(); held];
        let page = sessions::page(&of_many, A).unwrap();
        assert_eq!((page["sessions"].as_array().unwrap().len(), &page["truncated"]), (shown, &json!(is_cut)), "{held}");
    }
}

#[test]
fn a_did_is_shown_side_by_side() {
    let p = picture();
    let page = did::page(&p, key(40).did);
    let ops = page["ops"].as_array().unwrap();
    assert_eq!((ops.len(), &page["total_ops"]), (28, &json!(28)), "every seventh of {OPS} from 5 on");
    let lost: Vec<String> = ops
        .iter()
        .filter(|o| o["mirrors"]["a"]["verdict"] == "missed")
        .map(|o| o["cid"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(lost, [cid(40), cid(47)]);
    assert!(ops.iter().all(|o| o["mirrors"]["b"]["verdict"] != "missed"));
    let hosts = page["hosts"].as_array().unwrap();
    assert_eq!(hosts.iter().map(|h| h["id"].as_str().unwrap()).collect::<Vec<_>>(), ["primary", "a", "b"]);
    assert_eq!((&hosts[1]["agreement"], &hosts[1]["standing"]), (&json!("behind"), &json!("log")));
    assert_eq!(hosts[1]["latest_probe"]["at"], "2023-11-14T22:15:06.001Z", "the later of two");
    assert_eq!(hosts[2]["latest_probe"], Value::Null);
    assert_eq!((&page["survey"]["is_identical"], &page["survey"]["asked_as"]), (&json!(false), &json!("request")));
    assert_eq!(page["survey"]["hosts"][1]["entries"][1]["is_nullified"], true);
    assert_eq!(page["findings"][0]["cid"], cid(47));
    let invented = did::page(&p, key(INVENTED).did);
    assert_eq!(invented["extras"][0]["cid"], cid(INVENTED));
    let nobody = did::page(&p, Did([9; 15]));
    assert_eq!((&nobody["ops"], &nobody["survey"]), (&json!([]), &Value::Null));
}

#[test]
fn two_hosts_are_compared_without_the_primary() {
    let p = picture();
    let (data, from_ms, to_ms) = compare::page(&p, [A, B], WindowKind::H1);
    assert!(from_ms < UTC0 && UTC0 + 200_000 <= to_ms);
    assert_eq!((&data["a"], &data["b"]), (&json!("a"), &json!("b")));
    assert_eq!((&data["both_ops"], &data["only_a_ops"]), (&json!(OPS - 3), &json!(0)));
    // The three that A lost and the extra that is old enough to be proved; the fresh one may still come.
    assert_eq!((&data["only_b_ops"], &data["pending_ops"]["b"]), (&json!(4), &json!(1)));
    assert_eq!(cids(data["only_b"].as_array().unwrap()), [cid(INVENTED), cid(50), cid(47), cid(40)]);
    assert_eq!(data["lead"]["n"], OPS - 3 - 1, "the last pair is not decided yet");
    let lead = data["lead"]["median_ms"].as_f64().unwrap();
    assert!((49.0..=51.0).contains(&lead), "A is 50 ms ahead: {lead}");
    assert_eq!(data["lead"]["corrected_median_ms_reason"], "no_rtt");
    let (turned, ..) = compare::page(&p, [B, A], WindowKind::H1);
    assert_eq!((&turned["only_a_ops"], &turned["only_b_ops"]), (&json!(4), &json!(0)));
    assert!(turned["lead"]["median_ms"].as_f64().unwrap() < -49.0);
    let (with_primary, ..) = compare::page(&p, [SourceIx::PRIMARY, B], WindowKind::H1);
    assert_eq!((&with_primary["both_ops"], &with_primary["only_a_ops"]), (&json!(OPS), &json!(0)));
    assert_eq!((&with_primary["only_b_ops"], &with_primary["pending_ops"]["b"]), (&json!(1), &json!(1)));
    let (short, ..) = compare::page(&p, [A, B], WindowKind::M5);
    assert_eq!((&short["is_window_held"], &short["truncated"]), (&json!(true), &json!(false)));
}

#[test]
fn divergence_counts_both_directions_by_age() {
    let page = divergence::page(&picture());
    let [a, b] = [0, 1].map(|m| page["mirrors"][m].clone());
    // A lacks three for over a minute; B has two that the primary has not, for 129 s and 19 s.
    assert_eq!(a["missing_ops"], json!([3, 3, 3, 3, 0, 0, 0, 0]));
    assert_eq!(
        (&a["extra_ops"], &b["missing_ops"]),
        (&json!([0, 0, 0, 0, 0, 0, 0, 0]), &json!([0, 0, 0, 0, 0, 0, 0, 0]))
    );
    assert_eq!(b["extra_ops"], json!([2, 2, 2, 1, 0, 0, 0, 0]));
}

#[test]
fn the_overview_splits_misses_by_what_was_found() {
    let (data, ..) = overview::page(&picture());
    let rows = data["mirrors"].as_array().unwrap();
    let a = rows.iter().find(|r| r["id"] == "a").unwrap();
    assert_eq!(
        (&a["misses"]["open"], &a["misses"]["roots"], &a["misses"]["followers"]),
        (&json!(3), &json!(2), &json!(1))
    );
    let by = &a["misses"]["by_confirmation"];
    assert_eq!((&by["data_loss"], &by["none"], &by["stream_loss"]), (&json!(1), &json!(2), &json!(0)));
    assert_eq!(
        (&a["samples"]["judged"], &a["samples"]["sample_agreement_ratio_reason"]),
        (&json!(0), &json!("no_data"))
    );
    assert_eq!((&a["content"]["altered"], &a["content"]["corrupt"]), (&json!(0), &json!(1)));
}
