use super::*;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::interval::Acc;
use crate::domain::op::Kind;
use crate::domain::rtt::Correction;
use crate::domain::verdict::{Cell, Reason, Verdict};
use data_encoding::{BASE64, HEXLOWER};
use proptest::prelude::*;
use serde_json::{Value, json};

/// When everything is heard.
pub const NOW_MS: i64 = 1_700_000_000_000;
const STEP_MS: i64 = 300_000;
const MIRROR: &str = "wss://m.example/";
const KEY: &str = "m.example";

/// The interval that ends `n` intervals before now.
fn start(n: i64) -> i64 {
    NOW_MS - (n + 1) * STEP_MS
}

fn key(n: u8) -> OpKey {
    OpKey { did: Did([n; 15]), cid: Cid([n; 32]) }
}

fn acc(present: usize, missed: usize, unknown: usize) -> Acc {
    let mut acc = Acc::default();
    for (verdict, n) in [(Verdict::Present, present), (Verdict::Missed, missed), (Verdict::Unknown, unknown)] {
        let cell = Cell::new(Verdict::Pending).with_verdict(verdict, Reason::None);
        (0..n).for_each(|_| acc.add(Kind::Update, &Did([1; 15]), cell));
    }
    acc
}

fn interval(n: i64, acc: &Acc) -> Value {
    let figures = BASE64.encode(&serde_ipld_dagcbor::to_vec(acc).unwrap());
    json!({
        "type": "mirrorwatch/interval", "mirror": "m", "url": MIRROR,
        "start_ms": start(n), "end_ms": start(n) + STEP_MS, "figures": figures,
    })
}

fn miss(step: &str, n: u8, at_ms: i64) -> Value {
    let OpKey { did, cid } = key(n);
    json!({
        "type": format!("mirrorwatch/miss/{step}"), "mirror": "m", "url": MIRROR, "did": did.to_string(),
        "cid": cid.to_string(), "verdict": if step == "healed" { "late" } else { "missed" }, "primary_at_ms": at_ms,
    })
}

fn overview(state: &str) -> Value {
    json!({
        "type": "mirrorwatch/overview", "headline": "h", "region": "eu", "primary": { "url": "wss://p.example" },
        "observer": { "state": "ok", "flags": [] },
        "mirrors": [{ "id": "m", "name": "M", "url": MIRROR, "state": state, "link": { "state": "synchronized" }, "headline": "x" }],
    })
}

fn block(first_seq: u64, ops: u32, first: u8) -> Value {
    let mut xor = [0; 32];
    xor[0] = first;
    json!({
        "type": "mirrorwatch/block", "primary": "wss://p.example/", "first_seq": first_seq, "ops": ops,
        "xor_sha256": HEXLOWER.encode(&xor),
    })
}

fn shown(ops: impl IntoIterator<Item = u8>) -> Shown {
    Shown::of(ops.into_iter().map(|n| (u16::from(n), key(n))).collect()).unwrap()
}

/// The digest of these operations, and they one by one.
fn block_ops(first_seq: u64, shown: &Shown) -> [Value; 2] {
    let (digest, primary) = (shown.digest(), "wss://p.example/");
    let mut told = block(first_seq, digest.ops, 0);
    told["xor_sha256"] = HEXLOWER.encode(&digest.xor).into();
    let ops =
        json!({ "type": "mirrorwatch/block/ops", "primary": primary, "first_seq": first_seq, "ops": shown.to_text() });
    [told, ops]
}

/// Two observers of one mirror at which `a` misses an operation that `b` has.
pub fn of_two() -> Vantages {
    let mut all = Vantages::new("a");
    for (node, missed) in [("a", 1), ("b", 0)] {
        hear(&mut all, node, &overview("ok"));
        let mut acc = acc(5, missed, 0);
        for us in 0..1_000 {
            let cell = Cell::new(Verdict::Pending).with_verdict(Verdict::OnTime, Reason::None);
            acc.add(Kind::Update, &Did([1; 15]), cell);
            acc.sample(us * 100, Some(Correction { correction_us: 0, uncertainty_us: 1_000 }));
        }
        hear(&mut all, node, &interval(1, &acc));
        hear(&mut all, node, &block(5_000, 9, u8::from(missed > 0)));
    }
    hear(&mut all, "a", &miss("opened", 1, start(1) + 1_000));
    all
}

/// We watch one mirror, and another observer as many as it may.
pub fn of_many() -> Vantages {
    let mut all = Vantages::new("a");
    hear(&mut all, "a", &overview("ok"));
    for n in 0..MIRRORS_MAX {
        let mut action = interval(1, &acc(1, 0, 0));
        action["url"] = format!("wss://a{n}.example").into();
        hear(&mut all, "b", &action);
    }
    all
}

/// Hears an action at `NOW_MS`; of our own where `node` is `a`.
fn hear(all: &mut Vantages, node: &str, action: &Value) -> Option<Compared> {
    hear_at(all, node, action, NOW_MS)
}

fn hear_at(all: &mut Vantages, node: &str, action: &Value, time_ms: i64) -> Option<Compared> {
    hear_via(all, node, (node != "a").then_some("hub:1"), action, time_ms)
}

fn hear_via(all: &mut Vantages, node: &str, via: Option<&str>, action: &Value, time_ms: i64) -> Option<Compared> {
    let kind = action["type"].as_str().unwrap();
    all.take(&Heard { node, via, kind, time_ms, action: &action.to_string() }, NOW_MS)
}

fn vantage<'a>(all: &'a Vantages, id: &str) -> &'a Vantage {
    all.iter().find(|(known, _)| *known == id).unwrap().1
}

fn vote(all: &Vantages, id: &str, n: u8, at_ms: i64) -> Vote {
    vantage(all, id).vote(KEY, &key(n), at_ms, NOW_MS)
}

fn refused(all: &Vantages, id: &str, why: Refused) -> u64 {
    vantage(all, id).refused().get(&why).copied().unwrap_or(0)
}

#[test]
fn windows_have_what_is_final_in_them_and_an_amendment_replaces_what_was_told() {
    let mut all = Vantages::new("a");
    for (n, present) in [(0, 3), (11, 5), (12, 7), (80, 11), (300, 13)] {
        hear(&mut all, "a", &interval(n, &acc(present, 0, 0)));
    }
    let decided = |all: &Vantages| vantage(all, "a").seen(KEY).unwrap().windows(NOW_MS).map(|f| f.decided());
    assert_eq!(decided(&all), [8, 15, 26], "what is older than a day is in none");
    hear(&mut all, "a", &interval(0, &acc(3, 1, 0)));
    assert_eq!(decided(&all), [9, 16, 27]);
}

#[test]
fn whoever_could_not_see_has_no_voice() {
    let mut all = Vantages::new("a");
    let at_ms = start(1) + 1_000;
    hear(&mut all, "a", &miss("opened", 1, at_ms));
    assert_eq!(vote(&all, "a", 1, at_ms), Vote::Awaited, "its figures are not final");
    hear(&mut all, "a", &interval(1, &acc(5, 1, 0)));
    assert_eq!(vote(&all, "a", 1, at_ms), Vote::Missing);

    hear(&mut all, "b", &overview("ok"));
    assert_eq!(vote(&all, "b", 1, at_ms), Vote::Awaited);
    hear(&mut all, "b", &interval(1, &acc(6, 0, 0)));
    assert_eq!(vote(&all, "b", 1, at_ms), Vote::Has);
    hear(&mut all, "b", &interval(1, &acc(5, 1, 0)));
    assert_eq!(vote(&all, "b", 1, at_ms), Vote::Silent(Silence::Untold), "it misses something that it did not tell of");
    hear(&mut all, "b", &miss("opened", 2, at_ms));
    assert_eq!(vote(&all, "b", 1, at_ms), Vote::Has, "it was another operation");
    hear(&mut all, "b", &interval(1, &acc(5, 0, 1)));
    assert_eq!(vote(&all, "b", 1, at_ms), Vote::Silent(Silence::Untold));

    for (blind, why) in [("primary_down", Blind::PrimaryDown), ("link_down", Blind::LinkDown), ("began", Blind::Began)]
    {
        let mut action = interval(1, &acc(5, 1, 0));
        action["blind"] = blind.into();
        hear(&mut all, "a", &action);
        assert_eq!(vote(&all, "a", 1, at_ms), Vote::Silent(Silence::Blind(why)));
    }
    let mut beside = interval(0, &acc(6, 0, 0));
    beside["blind"] = "link_down".into();
    hear(&mut all, "c", &interval(1, &acc(6, 0, 0)));
    hear(&mut all, "c", &beside);
    assert_eq!(vote(&all, "c", 1, at_ms), Vote::Has);
    assert_eq!(vote(&all, "c", 1, start(0) - 1_000), Vote::Silent(Silence::Blind(Blind::LinkDown)), "clocks differ");
    assert_eq!(vote(&all, "c", 1, start(2)), Vote::Silent(Silence::NotWatching), "it told of later times");
}

#[test]
fn who_tells_nothing_any_more_is_not_waited_for() {
    let mut all = Vantages::new("a");
    let at_ms = NOW_MS - 10_000;
    hear_at(&mut all, "b", &overview("ok"), NOW_MS - QUIET_MS);
    assert_eq!(vote(&all, "b", 1, at_ms), Vote::Awaited);
    let mut all = Vantages::new("a");
    hear_at(&mut all, "b", &overview("ok"), NOW_MS - QUIET_MS - 1);
    assert_eq!(vote(&all, "b", 1, at_ms), Vote::Silent(Silence::NotWatching));
}

#[test]
fn a_miss_that_is_healed_is_none() {
    let mut all = Vantages::new("a");
    hear(&mut all, "b", &miss("opened", 1, NOW_MS));
    hear(&mut all, "b", &miss("confirmed", 1, NOW_MS));
    assert_eq!(vantage(&all, "b").seen(KEY).unwrap().misses().count(), 1);
    hear(&mut all, "b", &miss("healed", 1, NOW_MS));
    assert_eq!(vantage(&all, "b").seen(KEY).unwrap().misses().count(), 0);
}

#[test]
fn what_the_primary_shows_is_compared_by_block() {
    let mut all = Vantages::new("a");
    assert_eq!(hear(&mut all, "a", &block(5_000, 9, 1)), None);
    assert_eq!(hear(&mut all, "b", &block(5_000, 9, 1)), None);
    assert_eq!((all.same_primary().compared, all.same_primary().differing), (1, 0));
    let told = hear(&mut all, "c", &block(5_000, 8, 2)).unwrap();
    assert_eq!(
        told.text(),
        "p.example showed different operations in 5000–5999: c saw 8 operations (…02000000); a, b saw 9 operations (…01000000)"
    );
    assert_eq!(hear(&mut all, "c", &block(5_000, 8, 2)), None, "it is told once");
    hear(&mut all, "c", &block(5_000, 9, 1));
    assert_eq!(refused(&all, "c", Refused::Contradictory), 1, "nobody takes back what was shown");
    let same = all.same_primary();
    assert_eq!((same.compared, same.differing, same.listed), (1, 1, vec![told]));
}

#[test]
fn what_is_known_of_a_difference_comes_with_the_operations_of_both() {
    let mut all = Vantages::new("a");
    let ([whole, whole_ops], [lacking, lacking_ops]) =
        (block_ops(5_000, &shown(0..9)), block_ops(5_000, &shown((0..9).filter(|n| *n != 4))));
    hear(&mut all, "a", &whole);
    assert_eq!(all.wanted("p.example"), None);
    assert!(!hear(&mut all, "b", &lacking).unwrap().is_explained());
    assert_eq!(all.wanted("p.example"), Some((5_000, shown(0..9).digest())));
    assert_eq!(all.wanted("else.example"), None);
    assert_eq!(hear(&mut all, "b", &lacking_ops), None, "ours is not known");
    let told = hear(&mut all, "a", &whole_ops).unwrap();
    assert!(told.is_explained() && told.text().ends_with("): 1 operation shown to a, not to b"), "{}", told.text());
    assert_eq!(told.operations.difference.parts[0].listed[0].key, key(4));
    assert_eq!(told.operations.difference.parts[0].listed[0].numbers, [(5_004, vec!["a".to_owned()])]);
    assert_eq!((hear(&mut all, "a", &whole_ops), all.wanted("p.example")), (None, None), "it is told once");
    assert_eq!(all.same_primary().listed, [told]);
}

#[test]
fn operations_that_are_not_what_was_told_of_them_are_not_believed() {
    let mut all = Vantages::new("a");
    let [honest, honest_ops] = block_ops(5_000, &shown(0..9));
    let [other, other_ops] = block_ops(5_000, &shown(1..9));
    hear(&mut all, "a", &honest);
    hear(&mut all, "a", &honest_ops);
    hear(&mut all, "b", &other);
    assert_eq!(hear(&mut all, "b", &honest_ops), None);
    assert_eq!(refused(&all, "b", Refused::Contradictory), 1);
    assert_eq!(all.same_primary().listed[0].operations.told_by, ["a"]);
    assert!(hear(&mut all, "b", &other_ops).is_some());
    // They say themselves what they come to.
    hear(&mut all, "c", &other_ops);
    hear(&mut all, "c", &honest);
    assert_eq!(refused(&all, "c", Refused::Contradictory), 1);
    assert_eq!(all.same_primary().listed[0].shown[0].1, ["b", "c"]);
}

#[test]
fn evidence_outlives_whoever_gave_it_and_comes_back_from_the_log() {
    let mut all = Vantages::new("a");
    let (mine, theirs) = (block_ops(5_000, &shown(0..9)), block_ops(5_000, &shown(1..9)));
    for (node, told) in [("a", &mine), ("b", &theirs)] {
        for action in told {
            hear(&mut all, node, action);
        }
    }
    let before = all.same_primary();
    let later_ms = NOW_MS + 2 * HORIZON_MS;
    let own = overview("ok").to_string();
    let kind = "mirrorwatch/overview";
    all.take(&Heard { node: "a", via: None, kind, time_ms: later_ms, action: &own }, later_ms);
    assert_eq!((all.iter().len(), all.same_primary()), (1, before.clone()));

    let mut again = Vantages::new("a");
    for (node, [_, ops]) in [("a", &mine), ("b", &theirs)] {
        assert_eq!(hear_at(&mut again, node, ops, NOW_MS - 2 * HORIZON_MS), None, "it is no news");
    }
    assert_eq!((again.iter().len(), again.same_primary()), (1, before.clone()));
    let mut forged = Vantages::new("a");
    for node in ["a", "b"] {
        let [_, ops] = if node == "a" { &mine } else { &theirs };
        hear_via(&mut forged, node, Some("b"), ops, NOW_MS - 2 * HORIZON_MS);
    }
    assert_eq!(forged.same_primary(), SamePrimary::default(), "under our name nothing comes from others");
}

#[test]
fn what_others_make_up_hides_nothing_that_we_were_shown() {
    let mut all = Vantages::new("a");
    hear(&mut all, "a", &block(5_000, 9, 1));
    hear(&mut all, "b", &block(5_000, 9, 2));
    for n in 0..EVIDENT_BLOCKS_MAX as u64 {
        hear(&mut all, "b", &block(1_000_000 + n * 1_000, 9, 1));
        hear(&mut all, "c", &block(1_000_000 + n * 1_000, 9, 2));
    }
    let same = all.same_primary();
    assert_eq!((same.differing, same.listed.len()), (EVIDENT_BLOCKS_MAX + 1, EVIDENT_BLOCKS_MAX));
    assert_eq!((same.listed[0].first_seq, same.listed[1].first_seq), (5_000, 1_019_000));
}

#[test]
fn a_miss_that_its_own_figures_deny_has_no_voice() {
    let mut all = Vantages::new("a");
    let at_ms = start(1) + 1_000;
    hear(&mut all, "a", &interval(1, &acc(6, 0, 0)));
    hear(&mut all, "a", &miss("opened", 1, at_ms));
    assert_eq!(vote(&all, "a", 1, at_ms), Vote::Silent(Silence::Contradictory));
    assert_eq!(refused(&all, "a", Refused::Contradictory), 1);
    hear(&mut all, "a", &interval(1, &acc(5, 1, 0)));
    assert_eq!((vote(&all, "a", 1, at_ms), refused(&all, "a", Refused::Contradictory)), (Vote::Missing, 0), "amended");
    // The other way round, and at an edge: clocks and roundings differ.
    hear(&mut all, "b", &miss("opened", 1, start(0) + 500));
    hear(&mut all, "b", &interval(0, &acc(6, 0, 0)));
    assert_eq!(refused(&all, "b", Refused::Contradictory), 1);
    hear(&mut all, "b", &interval(1, &acc(5, 1, 0)));
    assert_eq!((vote(&all, "b", 1, at_ms), refused(&all, "b", Refused::Contradictory)), (Vote::Missing, 0));
}

#[test]
fn nobody_introduces_all_observers_that_there_is_room_for() {
    let mut all = Vantages::new("a");
    for n in 0..VANTAGES_MAX {
        // Another tab is the same user.
        hear_via(&mut all, &format!("n{n}"), Some(&format!("liar:{n}")), &overview("ok"), NOW_MS);
    }
    let refused = |all: &Vantages| all.refused()[&Refused::TooMany] as usize;
    assert_eq!((all.iter().len(), refused(&all)), (1 + INTRODUCED_MAX, VANTAGES_MAX - INTRODUCED_MAX));
    hear_via(&mut all, "honest", Some("honest:1"), &overview("ok"), NOW_MS);
    hear_via(&mut all, "honest", Some("liar:1"), &overview("ok"), NOW_MS);
    assert_eq!((all.iter().len(), refused(&all)), (2 + INTRODUCED_MAX, VANTAGES_MAX - INTRODUCED_MAX));
}

#[test]
fn what_is_wrong_is_counted_and_harms_nobody() {
    let mut all = Vantages::new("a");
    hear(&mut all, "b", &interval(1, &acc(6, 0, 0)));
    let before = all.clone();
    let mut overlapping = interval(1, &acc(1, 0, 0));
    overlapping["start_ms"] = (start(1) + 1).into();
    let mut lying = acc(0, 0, 0);
    lying.sample(5, Some(Correction { correction_us: 0, uncertainty_us: 0 }));
    let mut odd = overview("ok");
    odd["mirrors"][0]["state"] = "marvellous".into();
    let mut many = overview("ok");
    many["mirrors"] = vec![many["mirrors"][0].clone(); MIRRORS_MAX + 1].into();
    let mut nowhere = miss("opened", 1, NOW_MS);
    nowhere["url"] = "nowhere".into();
    let mut endless = interval(2, &acc(1, 0, 0));
    endless["end_ms"] = i64::MAX.into();
    let mut huge = overview("ok");
    huge["headline"] = "x".repeat(told::ACTION_BYTES_MAX).into();
    for (action, why) in [
        (json!({ "type": "mirrorwatch/overview" }), Refused::Malformed),
        (json!({ "type": "mirrorwatch/interval", "figures": 7 }), Refused::Malformed),
        (odd, Refused::Malformed),
        (many, Refused::TooMany),
        (nowhere, Refused::Malformed),
        (endless, Refused::Malformed),
        (overlapping, Refused::Contradictory),
        (interval(2, &lying), Refused::Contradictory),
        (interval(-3, &acc(1, 0, 0)), Refused::Future),
        (miss("opened", 1, i64::MAX), Refused::Future),
        (block(5_001, 9, 1), Refused::Malformed),
        (block(5_000, 1_001, 1), Refused::Malformed),
        (block_ops(5_001, &shown(0..1))[1].clone(), Refused::Malformed),
        (
            json!({ "type": "mirrorwatch/block/ops", "primary": "wss://p", "first_seq": 0, "ops": "x" }),
            Refused::Malformed,
        ),
        (huge, Refused::Huge),
    ] {
        let count = refused(&all, "b", why);
        assert_eq!(hear(&mut all, "b", &action), None);
        assert_eq!(refused(&all, "b", why), count + 1, "{why:?}: {}", &action.to_string()[..60]);
    }
    hear_at(&mut all, "b", &overview("ok"), NOW_MS + table::AHEAD_MS + 1);
    assert_eq!(refused(&all, "b", Refused::Future), 3);
    assert_eq!(hear(&mut all, "b", &json!({ "type": "else" })), None);
    assert_eq!(vantage(&all, "b").bytes, vantage(&before, "b").bytes);
    assert!(vantage(&all, "b").overview.is_none());

    let action = overview("ok").to_string();
    let forged = Heard { node: "a", via: Some("b"), kind: "mirrorwatch/overview", time_ms: NOW_MS, action: &action };
    all.take(&forged, NOW_MS);
    assert!(vantage(&all, "a").overview.is_none() && all.refused()[&Refused::OurName] == 1);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut all = Vantages::new("a");
    for n in 0..=VANTAGES_MAX {
        hear_via(&mut all, &format!("n{n}"), Some(&format!("n{n}")), &overview("ok"), NOW_MS);
    }
    assert_eq!((all.iter().len(), all.refused()[&Refused::TooMany]), (VANTAGES_MAX, 2));
    let mut all = Vantages::new("a");
    for n in 0..=MIRRORS_MAX {
        let mut action = interval(1, &acc(1, 0, 0));
        action["url"] = format!("wss://m{n}.example").into();
        hear(&mut all, "b", &action);
    }
    assert_eq!((all.mirrors().len(), refused(&all, "b", Refused::TooMany)), (MIRRORS_MAX, 1));
    for n in 0..=MISSES_MAX as i64 {
        let mut action = miss("opened", 1, NOW_MS - n);
        action["url"] = "wss://m0.example".into();
        action["did"] = Did([n as u8; 15]).to_string().into();
        hear(&mut all, "b", &action);
    }
    let b = vantage(&all, "b");
    assert_eq!((b.seen("m0.example").unwrap().misses().count(), b.let_go), (MISSES_MAX, 1));
    for n in 0..=BLOCKS_MAX as u64 {
        hear(&mut all, "b", &block(n * block::SEQS, 1, 1));
    }
    let b = vantage(&all, "b");
    assert_eq!((b.blocks.len(), b.blocks.contains_key(&("p.example".to_owned(), 0))), (BLOCKS_MAX, false));
}

#[test]
fn an_observer_with_too_many_figures_keeps_the_newest() {
    let mut b = Vantage::default();
    let mut acc = acc(0, 0, 0);
    for us in 0..2_000 {
        let cell = Cell::new(Verdict::Pending).with_verdict(Verdict::OnTime, Reason::None);
        acc.add(Kind::Update, &Did([1; 15]), cell);
        acc.sample(us * us * us, Some(Correction { correction_us: 0, uncertainty_us: 0 }));
    }
    let figures = Figures::of(&acc).unwrap();
    let fit = (BYTES_MAX / figures.bytes()) as i64;
    for n in 0..fit + 3 {
        let start_ms = NOW_MS - 80_000_000 + n * 1_000;
        let span = told::Span {
            mirror: KEY.to_owned(),
            start_ms,
            end_ms: start_ms + 1_000,
            blind: None,
            told_ms: None,
            figures: figures.clone(),
        };
        b.take(Told::Span(span), NOW_MS, NOW_MS).unwrap();
    }
    assert!(b.bytes <= BYTES_MAX && b.let_go == 3, "{} {}", b.bytes, b.let_go);
    assert_eq!(b.seen(KEY).unwrap().through_ms(), Some(NOW_MS - 80_000_000 + (fit + 3) * 1_000));
    b.forget(NOW_MS + HORIZON_MS);
    assert_eq!((b.bytes, b.mirrors.len()), (0, 0));
}

proptest! {
    #[test]
    fn no_bytes_of_another_do_harm(blob in prop::collection::vec(any::<u8>(), 0..200), at in any::<i64>(), from in any::<i64>()) {
        let mut all = Vantages::new("a");
        let mut action = interval(1, &acc(1, 0, 0));
        action["figures"] = BASE64.encode(&blob).into();
        hear(&mut all, "b", &action);
        action["start_ms"] = from.into();
        action["end_ms"] = at.into();
        hear(&mut all, "b", &action);
        hear_at(&mut all, "b", &interval(1, &acc(1, 1, 0)), at.clamp(-1 << 60, 1 << 60));
        hear(&mut all, "b", &miss("opened", 1, at.clamp(-1 << 60, 1 << 60)));
        for (_, vantage) in all.iter() {
            let _ = vantage.vote(KEY, &key(1), from.clamp(-1 << 60, 1 << 60), NOW_MS);
            vantage.seen(KEY).map(|seen| seen.windows(NOW_MS));
        }
    }
}

#[test]
fn what_an_observer_with_a_wrong_clock_tells_is_moved_to_ours() {
    const HOUR_MS: i64 = 3_600_000;
    for ahead_ms in [HOUR_MS, -HOUR_MS, 0] {
        let mut all = Vantages::new("a");
        for n in 0..3 {
            let mut told = interval(n, &acc(9, 1, 0));
            for member in ["start_ms", "end_ms"] {
                told[member] = (told[member].as_i64().unwrap() + ahead_ms).into();
            }
            // The way took some milliseconds more or less.
            told["told_ms"] = (NOW_MS + ahead_ms - n).into();
            hear(&mut all, "b", &told);
        }
        let mut missed = miss("opened", 1, start(1) + 10 + ahead_ms);
        missed["told_ms"] = (NOW_MS + ahead_ms).into();
        hear(&mut all, "b", &missed);
        assert_eq!(vantage(&all, "b").refused().values().sum::<u64>(), 0, "{ahead_ms}");
        let through_ms = vantage(&all, "b").seen(KEY).unwrap().through_ms().unwrap();
        assert!((through_ms - start(0) - STEP_MS).abs() < 100, "{ahead_ms}: {through_ms}");
        assert_eq!(vote(&all, "b", 1, start(1) + 10), Vote::Missing, "{ahead_ms}");
    }
}
