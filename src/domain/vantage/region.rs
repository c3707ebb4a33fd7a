//! Which mirror to use in a region: what the vantages that are there found each for itself, taken together.
//!
//! A mirror that is not well at one of them is not recommended; one that some cannot tell of is judged by the others. Its
//! latency is the mean of theirs. Whoever is impaired, or has told nothing for a while, has no say.

use super::{MirrorRow, Overview, Usable, Vantages};
use crate::domain::mirror_state::State;
use crate::domain::probes::{ByPurpose, Figures, Purpose};
use crate::domain::recommend::{Candidate, Recommender, Record};
use crate::domain::time::{MS, Tau};
use std::collections::BTreeMap;

/// An overview that is older than this says nothing of now, milliseconds: three of them were not told.
pub const OUTDATED_MS: i64 = 180_000;

/// Regions that are remembered; beyond them those in which no vantage is any more are forgotten.
const REGIONS_MAX: usize = 64;

/// What is chosen in each region, by its name.
#[derive(Clone, Debug, Default)]
pub struct Regions {
    by_name: BTreeMap<String, Region>,
}

/// One region.
#[derive(Clone, Debug, Default)]
pub struct Region {
    /// Who is chosen for what, by the address of the mirror.
    pub recommenders: ByPurpose<Recommender<String>>,
    /// The vantages that have a say now.
    pub vantages: Vec<String>,
    /// Each mirror as a vantage calls it, by its address.
    pub rows: BTreeMap<String, MirrorRow>,
}

impl Regions {
    /// Takes what vantages tell now; ours stands at present as `own` says.
    pub fn step(&mut self, all: &Vantages, own: Option<&Overview>, now_ms: i64) {
        let told = all.iter().filter_map(|(id, vantage)| match own.filter(|_| id == all.own()) {
            Some(own) => Some((id, now_ms, own)),
            None => vantage.overview.as_ref().map(|(at_ms, overview)| (id, *at_ms, overview)),
        });
        let mut by_region: BTreeMap<&str, Vec<(&str, i64, &Overview)>> = BTreeMap::new();
        for told in told {
            if let Some(region) = told.2.region.as_deref().filter(|region| !region.is_empty()) {
                by_region.entry(region).or_default().push(told);
            }
        }
        for name in by_region.keys() {
            self.by_name.entry((*name).to_owned()).or_default();
        }
        if self.by_name.len() > REGIONS_MAX {
            self.by_name.retain(|name, _| by_region.contains_key(name.as_str()));
        }
        for (name, region) in &mut self.by_name {
            region.step(by_region.get(name.as_str()).map_or(&[], Vec::as_slice), all.own(), now_ms);
        }
    }

    /// Every region by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Region)> {
        self.by_name.iter().map(|(name, region)| (name.as_str(), region))
    }
}

impl Region {
    /// `own` is our name: what we call a mirror goes before what others do.
    fn step(&mut self, told: &[(&str, i64, &Overview)], own: &str, now_ms: i64) {
        let is_believed =
            |(_, at_ms, overview): &&(&str, i64, &Overview)| can_see(overview) && (now_ms - at_ms).abs() <= OUTDATED_MS;
        let believed: Vec<_> = told.iter().filter(is_believed).collect();
        self.vantages = believed.iter().map(|(id, ..)| (*id).to_owned()).collect();
        let mut by_mirror: BTreeMap<&str, Vec<(&str, &MirrorRow)>> = BTreeMap::new();
        for (id, _, overview) in &believed {
            for row in &overview.mirrors {
                by_mirror.entry(&row.key).or_default().push((id, row));
            }
        }
        let is_impaired = believed.is_empty();
        if !is_impaired {
            let row = |rows: &[(&str, &MirrorRow)]| {
                let of_us = rows.iter().find(|(id, _)| *id == own);
                of_us.or_else(|| rows.first()).map(|(_, row)| (*row).clone())
            };
            self.rows = by_mirror.iter().filter_map(|(key, rows)| Some(((*key).to_owned(), row(rows)?))).collect();
        }
        for purpose in Purpose::ALL {
            let candidates =
                by_mirror.iter().map(|(key, rows)| candidate(key, purpose, rows, believed.len())).collect();
            self.recommenders.of_mut(purpose).step(Tau(now_ms * MS), is_impaired, candidates);
        }
    }
}

/// Whether what it tells of mirrors can be believed. A primary that is late itself, and a reader of its own that was late
/// for a moment, take nothing from that: a mirror that it cannot judge then is unknown in its own row.
fn can_see(overview: &Overview) -> bool {
    let is_harmless = |flag: &String| flag == "primary_delay" || flag == "late_reader";
    let is_little = !overview.flags.is_empty() && overview.flags.iter().all(is_harmless);
    overview.state == "ok" || overview.state == "impaired" && is_little
}

/// A mirror at those of `believed` vantages that tell of it.
fn candidate(key: &str, purpose: Purpose, rows: &[(&str, &MirrorRow)], believed: usize) -> Candidate<String> {
    let bad = rows.iter().find(|(_, row)| !matches!(row.state, State::Ok | State::Unknown));
    let usable: Vec<(&MirrorRow, Usable)> =
        rows.iter().filter_map(|(_, row)| Some((*row, row.purposes.of(purpose).filter(|u| u.is_eligible)?))).collect();
    let is_known = rows.iter().any(|(_, row)| row.state == State::Ok);
    let state = bad.map_or(if is_known { State::Ok } else { State::Unknown }, |(_, row)| row.state);
    let unfit = usable.is_empty().then(|| "no vantage of the region found that it can be used".to_owned());
    Candidate {
        mirror: key.to_owned(),
        state,
        // Each vantage has waited until it was well for a while.
        since: Tau::MIN,
        record: usable.iter().fold(Record::default(), |sum, (row, _)| added(sum, &row.record)),
        figures: mean(&usable.iter().map(|(_, usable)| usable.figures).collect::<Vec<_>>()),
        // The means of different vantages cannot be compared.
        is_comparable: usable.len() == believed,
        unfit,
    }
}

/// Counts add up; of lags the worst stands, because percentiles have no mean.
fn added(sum: Record, more: &Record) -> Record {
    Record {
        decided: sum.decided + more.decided,
        missed: sum.missed + more.missed,
        late: sum.late + more.late,
        p95_us: sum.p95_us.max(more.p95_us),
        uncertainty_us: sum.uncertainty_us.max(more.uncertainty_us),
    }
}

/// The mean over vantages: of failures rounded up, of latencies only where all measured; of samples the fewest.
fn mean(all: &[Figures]) -> Figures {
    let n = all.len().max(1);
    let latency = |of: fn(&Figures) -> Option<i64>| {
        all.iter().map(of).sum::<Option<i64>>().filter(|_| !all.is_empty()).map(|us| us / n as i64)
    };
    Figures {
        failures: all.iter().map(|f| f.failures).sum::<u32>().div_ceil(n as u32),
        samples: all.iter().map(|f| f.samples).min().unwrap_or(0),
        mean_us: latency(|f| f.mean_us),
        median_us: latency(|f| f.median_us),
        answered: None,
        left_out: all.iter().map(|f| f.left_out).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::vantage::Heard;
    use serde_json::{Value, json};

    const NOW_MS: i64 = 1_700_000_000_000;

    fn usable(mean_ms: f64, failures: u32) -> Value {
        json!({ "is_eligible": true, "failures": failures, "samples": 20, "left_out": 0, "rtt_ms": mean_ms, "rtt_median_ms": mean_ms })
    }

    fn row(url: &str, state: &str, stream: &Value) -> Value {
        json!({
            "id": url, "name": url, "url": format!("wss://{url}"), "state": state, "link": { "state": "synchronized" },
            "headline": "", "purposes": { "stream": stream, "resolve": { "is_eligible": false } },
            "coverage": { "counts": { "decided": 500, "missed": 1, "late": 2 } }, "lag": { "p95_ms": mean_lag(url), "uncertainty_ms": 3.0 },
        })
    }

    fn mean_lag(url: &str) -> f64 {
        if url == "x" { 70.0 } else { 90.0 }
    }

    fn overview(region: &str, state: &str, mirrors: &[Value]) -> Value {
        json!({
            "type": "mirrorwatch/overview", "headline": "", "region": region,
            "observer": { "state": state, "flags": [] }, "mirrors": mirrors,
        })
    }

    fn hear(all: &mut Vantages, node: &str, age_ms: i64, action: &Value) {
        let via = (node != all.own()).then_some("hub");
        let (kind, action) = ("mirrorwatch/overview", action.to_string());
        all.take(&Heard { node, via, kind, time_ms: NOW_MS - age_ms, action: &action }, NOW_MS);
    }

    fn chosen(regions: &Regions, name: &str, purpose: Purpose) -> Option<String> {
        let (_, region) = regions.iter().find(|(known, _)| *known == name)?;
        Some(region.recommenders.of(purpose).shown().chosen.as_ref()?.mirror.clone())
    }

    fn stepped(all: &Vantages) -> Regions {
        let mut regions = Regions::default();
        regions.step(all, None, NOW_MS);
        regions
    }

    #[test]
    fn a_region_has_the_mean_of_its_vantages_and_no_other() {
        let mut all = Vantages::new("me");
        hear(
            &mut all,
            "a",
            0,
            &overview("eu", "ok", &[row("x", "ok", &usable(10.0, 0)), row("y", "ok", &usable(30.0, 0))]),
        );
        hear(
            &mut all,
            "b",
            0,
            &overview("eu", "ok", &[row("x", "ok", &usable(90.0, 0)), row("y", "ok", &usable(40.0, 0))]),
        );
        hear(
            &mut all,
            "c",
            0,
            &overview("us", "ok", &[row("x", "ok", &usable(1.0, 0)), row("y", "ok", &usable(500.0, 0))]),
        );
        let regions = stepped(&all);
        assert_eq!(chosen(&regions, "eu", Purpose::Stream).as_deref(), Some("y"));
        assert_eq!(chosen(&regions, "us", Purpose::Stream).as_deref(), Some("x"));
        assert_eq!(chosen(&regions, "eu", Purpose::Resolve), None);
        assert_eq!(chosen(&regions, "asia", Purpose::Stream), None);
        let (_, eu) = regions.iter().find(|(name, _)| *name == "eu").unwrap();
        let said = eu.recommenders.stream.shown().of(&"y".to_owned()).unwrap();
        assert_eq!((said.candidate.figures.mean_us, said.candidate.record.decided), (Some(35_000), 1_000));
        assert_eq!((said.candidate.record.p95_us, &eu.vantages), (Some(90_000), &vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn failures_are_a_mean_that_is_rounded_up() {
        let figures = |failures, mean_us| Figures { failures, mean_us, samples: failures, ..Figures::default() };
        let of = mean(&[figures(3, Some(10)), figures(1, Some(21)), figures(0, Some(2))]);
        assert_eq!((of.failures, of.samples, of.mean_us), (2, 0, Some(11)));
        assert_eq!(mean(&[figures(0, Some(10)), figures(0, None)]).mean_us, None, "one of them did not measure");
        assert_eq!(mean(&[]), Figures::default());
    }

    #[test]
    fn who_is_bad_at_one_vantage_is_not_recommended_and_who_cannot_tell_has_no_say() {
        let mut all = Vantages::new("me");
        let not_yet = json!({ "is_eligible": false, "failures": 0, "samples": 3, "left_out": 0 });
        let (x, y) = (row("x", "ok", &usable(10.0, 0)), row("y", "ok", &usable(30.0, 0)));
        hear(&mut all, "a", 0, &overview("eu", "ok", &[x.clone(), y]));
        hear(&mut all, "b", 0, &overview("eu", "ok", &[row("x", "unknown", &not_yet)]));
        assert_eq!(chosen(&stepped(&all), "eu", Purpose::Stream).as_deref(), Some("x"));
        for state in State::ALL.map(State::name).into_iter().filter(|state| !["ok", "unknown"].contains(state)) {
            hear(&mut all, "b", 0, &overview("eu", "ok", &[row("x", state, &usable(1.0, 0))]));
            assert_eq!(chosen(&stepped(&all), "eu", Purpose::Stream).as_deref(), Some("y"), "{state}");
        }
        hear(&mut all, "b", 0, &overview("eu", "impaired", &[row("x", "losing", &usable(1.0, 0))]));
        assert_eq!(chosen(&stepped(&all), "eu", Purpose::Stream).as_deref(), Some("x"), "an impaired vantage");
    }

    #[test]
    fn who_is_outdated_or_impaired_does_not_count_and_the_place_is_kept() {
        let mut all = Vantages::new("me");
        hear(&mut all, "a", OUTDATED_MS, &overview("eu", "ok", &[row("x", "ok", &usable(10.0, 0))]));
        hear(&mut all, "b", OUTDATED_MS + 1, &overview("us", "ok", &[row("x", "ok", &usable(10.0, 0))]));
        let mut regions = stepped(&all);
        assert_eq!(chosen(&regions, "eu", Purpose::Stream).as_deref(), Some("x"));
        assert_eq!(chosen(&regions, "us", Purpose::Stream), None);
        regions.step(&all, None, NOW_MS + 1);
        assert_eq!(chosen(&regions, "eu", Purpose::Stream), None);
        hear(
            &mut all,
            "a",
            0,
            &overview("eu", "ok", &[row("w", "ok", &usable(1.0, 0)), row("x", "ok", &usable(10.0, 0))]),
        );
        regions.step(&all, None, NOW_MS);
        assert_eq!(chosen(&regions, "eu", Purpose::Stream).as_deref(), Some("x"), "as before");
    }

    #[test]
    fn what_is_measured_by_some_alone_moves_nobody_and_is_no_fault_of_theirs() {
        let mut all = Vantages::new("me");
        let early = json!({ "is_eligible": false, "failures": 0, "samples": 3, "left_out": 0 });
        let y = |mean_ms| row("y", "ok", &usable(mean_ms, 0));
        hear(&mut all, "a", 0, &overview("eu", "ok", &[y(5.0), row("x", "ok", &early)]));
        hear(&mut all, "b", 0, &overview("eu", "ok", &[y(80.0), row("x", "unknown", &early)]));
        let mut regions = Regions::default();
        regions.step(&all, None, NOW_MS);
        assert_eq!(chosen(&regions, "eu", Purpose::Stream).as_deref(), Some("y"));
        // The first is near to everything: a mean of it alone is not faster than one of both.
        let later_ms = NOW_MS + 1_201_000;
        let mut told = |id: &str, mirrors: &[Value]| {
            let (kind, action) = ("mirrorwatch/overview", overview("eu", "ok", mirrors).to_string());
            all.take(&Heard { node: id, via: Some("hub"), kind, time_ms: later_ms, action: &action }, later_ms);
        };
        told("a", &[y(5.0), row("x", "ok", &usable(5.0, 0))]);
        told("b", &[y(80.0), row("x", "unknown", &early)]);
        regions.step(&all, None, later_ms);
        assert_eq!(chosen(&regions, "eu", Purpose::Stream).as_deref(), Some("y"));
    }

    #[test]
    fn a_late_primary_or_reader_takes_nobodys_say_and_a_lost_primary_does() {
        for (flags, is_believed) in [
            (json!(["primary_delay", "late_reader"]), true),
            (json!(["late_reader", "primary_down"]), false),
            (json!(["something_new"]), false),
        ] {
            let mut all = Vantages::new("me");
            let mut told = overview("eu", "impaired", &[row("x", "ok", &usable(10.0, 0))]);
            told["observer"]["flags"] = flags.clone();
            hear(&mut all, "a", 0, &told);
            assert_eq!(chosen(&stepped(&all), "eu", Purpose::Stream).is_some(), is_believed, "{flags}");
        }
    }

    #[test]
    fn we_call_a_mirror_by_our_own_name_for_it() {
        let mut all = Vantages::new("me");
        let named = |name: &str| {
            let mut row = row("x", "ok", &usable(10.0, 0));
            row["name"] = json!(name);
            overview("eu", "ok", &[row])
        };
        hear(&mut all, "a", 0, &named("evil"));
        hear(&mut all, "me", 0, &named("ours"));
        let regions = stepped(&all);
        assert_eq!(regions.iter().next().unwrap().1.rows["x"].name, "ours");
    }

    #[test]
    fn regions_are_remembered_within_a_bound() {
        let (mut all, mut regions) = (Vantages::new("me"), Regions::default());
        for n in 0..=REGIONS_MAX {
            assert_eq!(regions.iter().count(), n);
            hear(&mut all, "a", 0, &overview(&format!("r{n}"), "ok", &[]));
            regions.step(&all, None, NOW_MS);
        }
        assert_eq!(regions.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["r64"]);
    }

    #[test]
    fn our_own_word_is_of_now_and_an_old_action_lacks_figures() {
        let mut all = Vantages::new("me");
        hear(
            &mut all,
            "me",
            50_000,
            &overview("eu", "ok", &[row("x", "ok", &usable(10.0, 0)), row("y", "ok", &usable(30.0, 0))]),
        );
        let now = overview("eu", "ok", &[row("x", "diverged", &usable(10.0, 0)), row("y", "ok", &usable(30.0, 0))])
            .to_string();
        let Ok(Some(super::super::Told::Overview(own))) = super::super::read("mirrorwatch/overview", &now) else {
            panic!()
        };
        let mut regions = stepped(&all);
        assert_eq!(chosen(&regions, "eu", Purpose::Stream).as_deref(), Some("x"));
        regions.step(&all, Some(&own), NOW_MS);
        assert_eq!(chosen(&regions, "eu", Purpose::Stream).as_deref(), Some("y"));

        let mut old = row("x", "ok", &json!(null));
        for member in ["purposes", "coverage", "lag"] {
            old.as_object_mut().unwrap().remove(member);
        }
        let mut odd = row("z", "ok", &json!({ "is_eligible": 1, "failures": -3, "samples": "many" }));
        (odd["coverage"], odd["lag"]) = (json!([]), json!({ "p95_ms": -4, "uncertainty_ms": 1e300 }));
        hear(&mut all, "old", 0, &overview("old", "ok", &[old, odd]));
        assert!(all.iter().all(|(_, vantage)| vantage.refused.is_empty()));
        assert_eq!(chosen(&stepped(&all), "old", Purpose::Stream), None);
    }
}
