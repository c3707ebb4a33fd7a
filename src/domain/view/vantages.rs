//! What several observers saw, merged: each mirror's figures with those of every observer beside them, whom its misses are
//! held against, and whether all were shown the same by the primary.

use super::coverage::share;
use super::{put, round6};
use crate::domain::coverage::wilson95;
use crate::domain::lag::{ms, write_percentiles};
use crate::domain::op::OpKey;
use crate::domain::time::rfc3339_ms;
use crate::domain::vantage::{
    Agreement, Blame, Differing, Figures, Operations, Part, Refused, SamePrimary, Seen, Sum, Vantage, Vantages, WINDOWS,
};
use crate::domain::verdict::Verdict;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Mirrors that are shown, ours first.
const SHOWN_MAX: usize = 64;
/// Missed operations of one mirror that observers are compared on, newest.
const COMPARED_MAX: usize = 1_000;
/// Missed operations that are listed of one mirror, newest.
const LISTED_MAX: usize = 20;

/// Figures by window, in the order of [`WINDOWS`].
type Windows = [Figures; WINDOWS.len()];

/// The page at `now_ms`.
#[must_use]
pub fn page(all: &Vantages, now_ms: i64) -> Value {
    let observers: Vec<(&str, &Vantage)> = all.iter().collect();
    let own = observers.iter().find(|(id, _)| *id == all.own()).map(|(_, v)| v);
    let is_ours = |key: &&str| own.is_some_and(|v| v.row(key).is_some() || v.seen(key).is_some());
    let (ours, others): (Vec<&str>, Vec<&str>) = all.mirrors().into_iter().partition(is_ours);
    let keys: Vec<&str> = ours.into_iter().chain(others).collect();
    let shown = keys.iter().take(SHOWN_MAX);
    let mirrors: Vec<Value> = shown.map(|key| mirror(key, all.own(), &observers, now_ms)).collect();
    json!({
        "own": all.own(),
        "vantages": observers.iter().map(|(id, v)| vantage(id, *id == all.own(), v, now_ms)).collect::<Vec<_>>(),
        "mirrors": mirrors,
        "mirrors_left_out": keys.len().saturating_sub(SHOWN_MAX),
        "primary": primary(&all.same_primary()),
        "refused": refused(all.refused()),
    })
}

fn refused(counts: &BTreeMap<Refused, u64>) -> Value {
    let count = |why| Value::from(counts.get(&why).copied().unwrap_or(0));
    Refused::ALL.map(|why| (why.name().to_owned(), count(why))).into_iter().collect()
}

fn vantage(id: &str, is_own: bool, v: &Vantage, now_ms: i64) -> Value {
    let overview = v.overview.as_ref();
    let state = match overview {
        _ if v.told_ms == 0 => "no_data",
        _ if v.is_quiet(now_ms) => "silent",
        None => "no_data",
        Some((_, overview)) => &overview.state,
    };
    let mut map = Map::new();
    map.insert("id".into(), id.into());
    map.insert("is_own".into(), is_own.into());
    map.insert("region".into(), overview.and_then(|(_, o)| o.region.clone()).into());
    map.insert("via".into(), v.via.clone().into());
    map.insert("state".into(), state.into());
    map.insert("flags".into(), overview.map_or_else(|| json!([]), |(_, o)| json!(o.flags)));
    map.insert("headline".into(), overview.map(|(_, o)| o.headline.clone()).into());
    map.insert("primary".into(), overview.and_then(|(_, o)| o.primary.clone()).into());
    put(&mut map, "told_at", (v.told_ms > 0).then(|| rfc3339_ms(v.told_ms)), "no_data");
    put(&mut map, "overview_age_s", overview.map(|(at_ms, _)| (now_ms - at_ms).max(0) / 1_000), "no_data");
    map.insert("let_go".into(), v.let_go.into());
    map.insert("refused".into(), refused(&v.refused()));
    Value::Object(map)
}

/// One mirror at all observers that tell of it.
fn mirror(key: &str, own: &str, observers: &[(&str, &Vantage)], now_ms: i64) -> Value {
    let ops = missed(key, observers);
    let agreements: Vec<(&OpKey, i64, Agreement)> = ops
        .iter()
        .map(|(at_ms, op)| {
            let votes = observers.iter().map(|(_, v)| v.vote(key, op, at_ms.0, now_ms));
            (op, at_ms.0, Agreement::of(votes))
        })
        .collect();
    let windows: Vec<Option<Windows>> = observers.iter().map(|(_, v)| Some(v.seen(key)?.windows(now_ms))).collect();
    let mut sums: [Sum; WINDOWS.len()] = Default::default();
    for of_one in windows.iter().flatten() {
        sums.iter_mut().zip(of_one).for_each(|(sum, figures)| sum.add(figures));
    }
    let rows = observers.iter().zip(&windows).enumerate();
    let is_told = |(_, ((_, v), windows)): &(usize, (&(&str, &Vantage), &Option<Windows>))| {
        windows.is_some() || v.row(key).is_some()
    };
    let vantages: Vec<Value> = rows
        .filter(is_told)
        .map(|(n, (&(id, v), windows))| of_vantage(key, (n, id, v), windows.as_ref(), &agreements))
        .collect();
    let ours = observers.iter().find(|(id, _)| *id == own).and_then(|(_, v)| v.row(key));
    let known = ours.or_else(|| observers.iter().find_map(|(_, v)| v.row(key)));
    let blames = blames(&agreements);
    json!({
        "url": key,
        "name": known.map(|row| row.name.clone()),
        "id": ours.map(|row| row.id.clone()),
        "verdict": verdict(&blames).name(),
        "why": why(&blames),
        "missed_ops": Value::Object(blames.iter().map(|(blame, n)| (blame.name().to_owned(), (*n).into())).collect()),
        "figures": figures(&sums.map(|sum| sum.figures())),
        "vantages": vantages,
        "misses": agreements.iter().take(LISTED_MAX).map(|miss| listed(miss, observers)).collect::<Vec<_>>(),
        "truncated": agreements.len() > LISTED_MAX,
    })
}

/// The operations that some observer misses at the mirror, newest first.
fn missed(key: &str, observers: &[(&str, &Vantage)]) -> BTreeSet<(Reverse<i64>, OpKey)> {
    let mut first: BTreeMap<OpKey, i64> = BTreeMap::new();
    for (op, at_ms) in observers.iter().filter_map(|(_, v)| v.seen(key)).flat_map(Seen::misses) {
        first.entry(*op).and_modify(|known_ms| *known_ms = at_ms.min(*known_ms)).or_insert(at_ms);
    }
    let all: BTreeSet<(Reverse<i64>, OpKey)> = first.into_iter().map(|(op, at_ms)| (Reverse(at_ms), op)).collect();
    all.into_iter().take(COMPARED_MAX).collect()
}

/// How many operations are held against whom.
fn blames(agreements: &[(&OpKey, i64, Agreement)]) -> [(Blame, u64); 6] {
    let count = |blame| agreements.iter().filter(|(.., agreement)| agreement.blame() == blame).count() as u64;
    [Blame::Mirror, Blame::Paths, Blame::Path, Blame::Alone, Blame::Awaited, Blame::Nobody].map(|b| (b, count(b)))
}

/// The gravest that anything is held against; nobody where nothing is missed.
fn verdict(blames: &[(Blame, u64)]) -> Blame {
    blames.iter().find(|(_, n)| *n > 0).map_or(Blame::Nobody, |(blame, _)| *blame)
}

fn why(blames: &[(Blame, u64)]) -> String {
    let told: Vec<String> =
        blames.iter().filter(|(_, n)| *n > 0).map(|(blame, n)| format!("{n} {}", blame.text())).collect();
    if told.is_empty() { "no vantage misses an operation".to_owned() } else { told.join("; ") }
}

/// A mirror at one observer.
fn of_vantage(
    key: &str,
    (n, id, v): (usize, &str, &Vantage),
    windows: Option<&Windows>,
    agreements: &[(&OpKey, i64, Agreement)],
) -> Value {
    let row = v.row(key);
    let missing = |blames: &[Blame]| {
        let is_here = |(.., a): &&(&OpKey, i64, Agreement)| a.missing.contains(&n) && blames.contains(&a.blame());
        agreements.iter().filter(is_here).count()
    };
    let through = v.seen(key).and_then(Seen::through_ms);
    let mut map = Map::new();
    map.insert("id".into(), id.into());
    map.insert("mirror".into(), row.map(|row| row.id.clone()).into());
    put(&mut map, "state", row.map(|row| row.state.name()), "no_data");
    put(&mut map, "link", row.map(|row| row.link.clone()), "no_data");
    map.insert("headline".into(), row.map(|row| row.headline.clone()).into());
    put(&mut map, "through_at", through.map(rfc3339_ms), "no_data");
    map.insert("missed_by_mirror_ops".into(), missing(&[Blame::Mirror]).into());
    map.insert("missed_by_path_ops".into(), missing(&[Blame::Path, Blame::Paths]).into());
    map.insert("figures".into(), figures(windows.unwrap_or(&Default::default())));
    Value::Object(map)
}

fn listed((op, at_ms, agreement): &(&OpKey, i64, Agreement), observers: &[(&str, &Vantage)]) -> Value {
    let name = |n: &usize| observers.get(*n).map(|(id, _)| *id);
    let names = |of: &[usize]| of.iter().filter_map(name).collect::<Vec<_>>();
    let silent = agreement.silent.iter().filter_map(|(n, why)| Some(json!({ "id": name(n)?, "why": why.name() })));
    json!({
        "did": op.did,
        "cid": op.cid,
        "primary_at": rfc3339_ms(*at_ms),
        "blame": agreement.blame().name(),
        "agreement_ratio": agreement.ratio().map(round6),
        "missing": names(&agreement.missing),
        "having": names(&agreement.having),
        "awaited": names(&agreement.awaited),
        "silent": silent.collect::<Vec<_>>(),
    })
}

/// Figures by window.
fn figures(windows: &Windows) -> Value {
    let of = |(window, f): (crate::domain::window_kind::WindowKind, &Figures)| {
        let (decided, missed) = (f.decided(), f.verdict(Verdict::Missed));
        let bounds = wilson95(decided - missed, decided);
        let mut map = Map::new();
        map.insert("window".into(), window.name().into());
        map.insert("decided".into(), decided.into());
        for verdict in [Verdict::OnTime, Verdict::Late, Verdict::Present, Verdict::Missed, Verdict::Unknown] {
            map.insert(verdict.name().into(), f.verdict(verdict).into());
        }
        map.insert("extra".into(), f.extra().into());
        put(&mut map, "coverage_ratio", share(decided - missed, decided), "no_data");
        put(&mut map, "low95_ratio", bounds.map(|b| round6(b.0)), "no_data");
        put(&mut map, "high95_ratio", bounds.map(|b| round6(b.1)), "no_data");
        map.insert("lag".into(), lag(f));
        Value::Object(map)
    };
    WINDOWS.into_iter().zip(windows).map(of).collect()
}

fn lag(f: &Figures) -> Value {
    let (mut map, mut reasons) = (Map::new(), Map::new());
    map.insert("n".into(), f.lag.count().into());
    write_percentiles(&f.lag, 0, &mut map, &mut reasons);
    if f.uncertainty_us().is_none() {
        reasons.insert("uncertainty_ms".into(), "no_data".into());
    }
    map.insert("uncertainty_ms".into(), f.uncertainty_us().map(ms).into());
    map.insert("reasons".into(), Value::Object(reasons));
    Value::Object(map)
}

/// Whether all were shown the same.
fn primary(same: &SamePrimary) -> Value {
    let (state, text) = match same {
        SamePrimary { compared: 0, .. } => ("not_compared", "no block was seen whole at two vantages yet".to_owned()),
        SamePrimary { compared, differing: 0, .. } => {
            ("same", format!("every vantage was shown the same operations in {compared} blocks that two or more saw"))
        }
        SamePrimary { compared, differing, .. } => {
            ("differs", format!("vantages were shown different operations in {differing} of {compared} blocks"))
        }
    };
    json!({
        "state": state,
        "text": text,
        "compared_blocks": same.compared,
        "differing_blocks": same.differing,
        "differing": same.listed.iter().map(|block| json!({
            "primary": block.primary,
            "first_seq": block.first_seq,
            "text": block.text(),
            "shown": block.shown.iter().map(|(digest, who)| json!({
                "ops": digest.ops,
                "xor_sha256": data_encoding::HEXLOWER.encode(&digest.xor),
                "vantages": who,
            })).collect::<Vec<_>>(),
            "operations": operations(&block.operations),
        })).collect::<Vec<_>>(),
    })
}

/// How the operations of a block differ.
fn operations(of: &Operations) -> Value {
    let numbers = |(seq, who): &(u64, Vec<String>)| json!({ "seq": seq, "vantages": who });
    let op = |op: &Differing| {
        let numbers: Vec<Value> = op.numbers.iter().map(numbers).collect();
        json!({ "did": op.key.did, "cid": op.key.cid, "numbers": numbers })
    };
    let part = |part: &Part| {
        json!({
            "shown_to": part.shown_to,
            "not_shown_to": part.not_shown_to,
            "is_renumbered": part.is_renumbered,
            "ops": part.ops,
            "listed": part.listed.iter().map(op).collect::<Vec<_>>(),
        })
    };
    json!({
        "told_by": of.told_by,
        "not_held_by": of.not_held_by,
        "awaited_from": of.awaited_from,
        "parts": of.difference.parts.iter().map(part).collect::<Vec<_>>(),
        "left_out_ops": of.difference.left_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::vantage::tests::{NOW_MS, of_two};

    #[test]
    fn the_path_that_loses_is_blamed_and_figures_are_sums() {
        let page = page(&of_two(), NOW_MS);
        let mirror = &page["mirrors"][0];
        assert_eq!((&mirror["url"], &mirror["name"], &mirror["id"]), (&json!("m.example"), &json!("M"), &json!("m")));
        assert_eq!((&mirror["verdict"], &mirror["missed_ops"]["path"]), (&json!("path"), &json!(1)));
        assert_eq!(mirror["why"], "1 missed at one vantage of those that observed: that path's doing");
        let miss = &mirror["misses"][0];
        assert_eq!((&miss["missing"], &miss["having"]), (&json!(["a"]), &json!(["b"])));
        assert_eq!((&miss["blame"], &miss["agreement_ratio"]), (&json!("path"), &json!(0.5)));
        let [a, b] = [0, 1].map(|n| &mirror["vantages"][n]);
        assert_eq!((&a["missed_by_path_ops"], &b["missed_by_path_ops"]), (&json!(1), &json!(0)));
        let of = |value: &Value| [&value["figures"][0]["decided"], &value["figures"][0]["lag"]["n"]].map(Value::as_u64);
        assert_eq!((of(a), of(b)), ([Some(1_006), Some(1_000)], [Some(1_005), Some(1_000)]));
        assert_eq!(of(mirror), [Some(2_011), Some(2_000)]);
        let p999 = |value: &Value| value["figures"][2]["lag"]["p999_ms"].clone();
        assert!(p999(a).is_null() && p999(mirror).is_null(), "neither has enough above it");
        assert_eq!(mirror["figures"][0]["lag"]["p99_ms"], a["figures"][0]["lag"]["p99_ms"], "both are alike");
        assert_eq!((&page["primary"]["state"], &page["primary"]["compared_blocks"]), (&json!("differs"), &json!(1)));
        assert_eq!(page["primary"]["differing"][0]["shown"][0]["vantages"], json!(["b"]));
        assert_eq!(
            page["primary"]["differing"][0]["operations"],
            json!({ "told_by": [], "not_held_by": [], "awaited_from": ["a", "b"], "parts": [], "left_out_ops": 0 })
        );
    }

    #[test]
    fn our_mirrors_come_first_and_a_flood_of_others_is_cut() {
        let page = page(&crate::domain::vantage::tests::of_many(), NOW_MS);
        let mirrors = page["mirrors"].as_array().unwrap();
        assert_eq!((mirrors.len(), &page["mirrors_left_out"]), (SHOWN_MAX, &json!(1)));
        assert_eq!((&mirrors[0]["url"], &mirrors[1]["url"]), (&json!("m.example"), &json!("a0.example")));
    }

    #[test]
    fn who_is_silent_is_told_and_nothing_is_blamed_without_a_miss() {
        let later = page(&of_two(), NOW_MS + crate::domain::vantage::QUIET_MS + 1);
        assert!(later["vantages"].as_array().unwrap().iter().all(|v| v["state"] == "silent"), "{later}");
        let nobody = page(&Vantages::new("a"), NOW_MS);
        let own = &nobody["vantages"][0];
        assert_eq!((&own["id"], &own["is_own"], &own["state"]), (&json!("a"), &json!(true), &json!("no_data")));
        assert_eq!((&nobody["mirrors"], &nobody["primary"]["state"]), (&json!([]), &json!("not_compared")));
    }
}
