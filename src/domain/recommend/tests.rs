use super::*;
use proptest::prelude::*;

/// A mirror that has been well for long, and whose probes took so long in the mean.
fn well(mirror: usize, mean_ms: i64) -> Candidate<usize> {
    let record = Record { decided: 1_000, missed: 0, late: 0, p95_us: Some(80_000), uncertainty_us: 5_000 };
    let us = Some(mean_ms * 1_000);
    let figures = Figures { samples: 20, mean_us: us, median_us: us, answered: Some(at(0)), ..Figures::default() };
    Candidate { mirror, state: State::Ok, since: at(-1_000), record, figures, is_comparable: true, unfit: None }
}

fn failing(candidate: Candidate<usize>, failures: u32) -> Candidate<usize> {
    Candidate { figures: Figures { failures, ..candidate.figures }, ..candidate }
}

fn in_state(candidate: Candidate<usize>, state: State) -> Candidate<usize> {
    Candidate { state, ..candidate }
}

fn at(s: i64) -> Tau {
    Tau(s * SECOND)
}

fn mirror(r: &Recommender<usize>) -> Option<usize> {
    r.shown().chosen.as_ref().map(|chosen| chosen.mirror)
}

/// Who is chosen first among these.
fn first(candidates: Vec<Candidate<usize>>) -> Option<usize> {
    let mut r = Recommender::default();
    r.step(at(0), false, candidates);
    mirror(&r)
}

#[test]
fn the_fewest_failures_come_first_then_the_lowest_mean() {
    assert_eq!(first(vec![failing(well(0, 10), 3), well(1, 900), well(2, 901)]), Some(1));
    assert_eq!(first(vec![well(0, 80), well(1, 20), failing(well(2, 5), 3)]), Some(1));
    let unmeasured = Candidate { figures: Figures::default(), ..well(0, 0) };
    assert_eq!(first(vec![unmeasured.clone(), well(1, 50)]), Some(1), "what was not measured is not fast");
    assert_eq!(first(vec![failing(well(0, 5), 3), Candidate { mirror: 1, ..unmeasured }]), Some(1));
    let mut r = Recommender::default();
    r.step(at(0), false, vec![failing(well(0, 10), 1), well(1, 90), in_state(well(2, 1), State::Losing), well(3, 30)]);
    let order: Vec<usize> = r.shown().said.iter().map(|said| said.candidate.mirror).collect();
    assert_eq!(order, [3, 1, 0, 2]);
    assert_eq!(r.shown().said[3].why(), "it is losing");
    assert_eq!(
        r.shown().said[0].why(),
        "0 of 1000 operations missed and 0 late in 6 h; 95 % within 80 ms of the primary, ± 5 ms"
    );
}

#[test]
fn who_is_not_well_is_not_chosen_however_fast_it_is() {
    for state in State::ALL.into_iter().filter(|state| *state != State::Ok) {
        assert_eq!(first(vec![in_state(well(0, 1), state), failing(well(1, 900), 30)]), Some(1), "{state:?}");
        assert_eq!(first(vec![in_state(well(0, 1), state)]), None, "{state:?}");
    }
    let fresh = |s| Candidate { since: at(s), ..well(0, 1) };
    assert_eq!((first(vec![fresh(-59)]), first(vec![fresh(-60)])), (None, Some(0)));
    let judged = |decided| Candidate { record: Record { decided, ..Record::default() }, ..well(0, 1) };
    assert_eq!((first(vec![judged(99)]), first(vec![judged(100)])), (None, Some(0)));
    let unfit = Candidate { unfit: Some("it has no stream".to_owned()), ..well(0, 1) };
    assert_eq!(first(vec![unfit, well(1, 900)]), Some(1));
}

#[test]
fn nobody_is_recommended_without_a_reason_to() {
    let nobody = |is_impaired, candidates: Vec<Candidate<usize>>| {
        let mut r = Recommender::default();
        r.step(at(0), is_impaired, candidates);
        assert_eq!(mirror(&r), None);
        r.shown().nobody
    };
    let losing = || in_state(well(0, 1), State::Losing);
    let unfit = || Candidate { unfit: Some("no".to_owned()), ..well(1, 1) };
    let fresh = || Candidate { since: at(-59), ..well(2, 1) };
    assert_eq!(nobody(false, vec![]), Nobody::NoMirrors);
    assert_eq!(nobody(true, vec![well(0, 1)]), Nobody::ObserverImpaired);
    assert_eq!(nobody(false, vec![losing(), unfit(), fresh()]), Nobody::WarmingUp);
    assert_eq!(nobody(false, vec![losing(), unfit()]), Nobody::NoneServes);
    assert_eq!(nobody(false, vec![losing()]), Nobody::NoneIsWell);
    assert_eq!(Nobody::WarmingUp.text(), "no mirror was well for 60 s and judged by 100 operations yet");
}

#[test]
fn the_chosen_one_is_left_for_a_much_faster_one_behind_twenty_minutes_and_not_before() {
    let mut r = Recommender::default();
    let both = |mean_ms| vec![well(0, 100), well(1, mean_ms)];
    r.step(at(0), false, both(150));
    r.step(at(1_199), false, both(69));
    assert_eq!(mirror(&r), Some(0), "19:59");
    r.step(at(1_200), false, both(70));
    assert_eq!(mirror(&r), Some(0), "70 ms are not less than 0.7 of 100 ms");
    r.step(at(1_201), false, both(69));
    let chosen = r.shown().chosen.clone().unwrap();
    let because = Because::Faster { before: 0, before_us: 100_000, own_us: 69_000 };
    assert_eq!((chosen.mirror, chosen.since, chosen.because.clone()), (1, at(1_201), because));
    assert_eq!(chosen.review(), at(2_401), "the clock begins anew");
    r.step(at(2_400), false, vec![well(0, 1), well(1, 69)]);
    assert_eq!(mirror(&r), Some(1));
    r.step(at(2_401), false, vec![well(0, 1), well(1, 69)]);
    assert_eq!(mirror(&r), Some(0));
}

#[test]
fn only_who_was_measured_often_and_failed_no_more_is_moved_to() {
    let stays = |held: Candidate<usize>, other: Candidate<usize>| {
        let mut r = Recommender::default();
        r.step(at(0), false, vec![held.clone()]);
        r.step(at(5_000), false, vec![held, other]);
        mirror(&r) == Some(0)
    };
    let few = |samples| Candidate { figures: Figures { samples, ..well(1, 10).figures }, ..well(1, 10) };
    assert_eq!((stays(well(0, 100), few(19)), stays(well(0, 100), few(20))), (true, false));
    assert!(stays(well(0, 100), failing(well(1, 10), 3)));
    assert!(!stays(failing(well(0, 100), 3), failing(well(1, 10), 3)));
    assert!(stays(well(0, 100), in_state(well(1, 10), State::Diverged)));
    assert!(stays(failing(well(0, 100), 30), well(1, 70)), "a failure alone is no reason to move");
    let unmeasured = Candidate { figures: Figures::default(), ..well(0, 0) };
    assert!(stays(unmeasured, well(1, 10)));
    let apart = |candidate| Candidate { is_comparable: false, ..candidate };
    assert!(stays(apart(well(0, 100)), well(1, 10)) && stays(well(0, 100), apart(well(1, 10))), "not of one measure");
}

#[test]
fn who_cannot_be_chosen_any_more_is_left_at_once_with_the_reason() {
    for state in State::ALL.into_iter().filter(|state| *state != State::Ok) {
        let mut r = Recommender::default();
        r.step(at(0), false, vec![well(0, 10), well(1, 12)]);
        r.step(at(1), false, vec![in_state(well(0, 10), state), well(1, 12)]);
        let chosen = r.shown().chosen.clone().unwrap();
        let because = Because::Left { before: 0, objection: format!("it is {}", state.name()) };
        assert_eq!((chosen.mirror, chosen.since, chosen.because), (1, at(1), because), "{state:?}");
        assert_eq!(r.shown().said[0].candidate.mirror, 1);
        r.step(at(2), false, vec![well(0, 10), well(1, 12)]);
        assert_eq!(mirror(&r), Some(1), "it is not much faster");
        r.step(at(3), false, vec![well(0, 10)]);
        let chosen = r.shown().chosen.clone().unwrap();
        let objection = "it is not watched any more".to_owned();
        assert_eq!((chosen.mirror, chosen.because), (0, Because::Left { before: 1, objection }));
    }
}

#[test]
fn an_impairment_changes_nobody() {
    let mut r = Recommender::default();
    r.step(at(0), false, vec![well(0, 10), well(1, 12)]);
    let unknown = |m, ms| Candidate { since: at(1), ..in_state(well(m, ms), State::Unknown) };
    r.step(at(1), true, vec![unknown(0, 10), well(1, 12)]);
    assert_eq!(mirror(&r), None);
    r.step(at(2), true, vec![in_state(well(0, 10), State::Losing), well(1, 12)]);
    assert_eq!(mirror(&r), None, "whatever is said while it lasts");
    r.step(at(3), false, vec![unknown(0, 10), unknown(1, 12)]);
    assert_eq!(mirror(&r), None);
    let again = |m, ms| Candidate { since: at(4), ..well(m, ms) };
    r.step(at(4), false, vec![unknown(0, 10), again(1, 12)]);
    assert_eq!(mirror(&r), None, "the other one is well for less than a minute");
    r.step(at(5), false, vec![again(0, 10), again(1, 12)]);
    let chosen = r.shown().chosen.clone().unwrap();
    assert_eq!((chosen.mirror, chosen.since, chosen.because), (0, at(0), Because::First), "as before");
    r.step(at(6), false, vec![in_state(well(0, 10), State::Losing), in_state(well(1, 12), State::Lagging)]);
    r.step(at(7), false, vec![again(0, 10), again(1, 12)]);
    assert_eq!(mirror(&r), None, "the place is lost, and both must be well for a minute");
}

#[test]
fn whether_a_mirror_serves_a_purpose_is_known_or_it_does_not() {
    let answered = |s| Figures { answered: Some(at(s)), ..Figures::default() };
    let failed = Figures { failures: 3, ..Figures::default() };
    let is_unfit = |purpose, transport, figures| unfit(purpose, transport, &figures, at(10_000));
    for transport in Transport::LADDER {
        let told = is_unfit(Purpose::Stream, Some(transport), answered(10_000));
        assert_eq!(told.is_none(), matches!(transport, Transport::Stream | Transport::PlcBundle), "{told:?}");
        assert_eq!(is_unfit(Purpose::Resolve, Some(transport), answered(6_400)), None);
    }
    assert!(is_unfit(Purpose::Stream, None, answered(10_000)).is_some());
    let resolve = |figures| is_unfit(Purpose::Resolve, None, figures).unwrap();
    assert_eq!(resolve(Figures::default()), "no request for the log of a DID was made of it yet");
    assert_eq!(resolve(failed), "no request for the log of a DID was answered by it yet");
    assert_eq!(resolve(answered(6_399)), "no request for the log of a DID was answered by it for 3600 s");
}

/// A step of three mirrors: the state, the mean and the failures of each.
type Step = (bool, Vec<(usize, i64, u32)>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Most of the time all are well.
    let state = prop_oneof![1 => 0_usize..9, 9 => Just(8)];
    let row = (state, 1_i64..200, 0_u32..4);
    prop::collection::vec((prop::bool::weighted(0.1), prop::collection::vec(row, 3)), 1..200)
}

proptest! {
    /// Whatever comes, a minute a step: nobody but who is well is recommended, who can be chosen and is not left without a
    /// reason, and between two moves of choice lie twenty minutes.
    #[test]
    fn only_who_is_well_is_recommended_and_moves_of_choice_are_rare(steps in steps()) {
        let mut r = Recommender::default();
        let mut held: Option<(usize, Tau)> = None;
        for (minute, (is_impaired, rows)) in (0..).zip(&steps) {
            let now = at(minute * 60);
            let candidate = |(m, &(state, mean_ms, failures)): (usize, &(usize, i64, u32))| {
                failing(in_state(well(m, mean_ms), State::ALL[state]), failures)
            };
            let candidates: Vec<Candidate<usize>> = rows.iter().enumerate().map(candidate).collect();
            r.step(now, *is_impaired, candidates.clone());
            let Some(chosen) = &r.shown().chosen else {
                let is_any_well = candidates.iter().any(|c| c.state == State::Ok);
                prop_assert!(*is_impaired || !is_any_well, "somebody can be chosen");
                continue;
            };
            prop_assert!(!is_impaired);
            prop_assert_eq!(candidates[chosen.mirror].state, State::Ok);
            if let Some((before, since)) = held && before != chosen.mirror {
                let was_left = candidates[before].state != State::Ok;
                let had_its_time = now.since(since) >= BETTER_WAIT_NS;
                let is_forced = matches!(chosen.because, Because::Left { .. } | Because::First);
                prop_assert!(was_left || had_its_time || is_forced);
                prop_assert_eq!(chosen.since, now);
                if let Because::Faster { own_us, before_us, .. } = chosen.because {
                    prop_assert!(had_its_time && own_us * 10 < before_us * 7);
                }
            }
            held = Some((chosen.mirror, chosen.since));
        }
    }

    /// For a day the means of two mirrors go up and down around values that are not far apart.
    #[test]
    fn noise_moves_nobody(noise in prop::collection::vec((85_i64..115, 85_i64..115), 1_440)) {
        let mut r = Recommender::default();
        for (minute, (a, b)) in (0..).zip(noise) {
            r.step(at(minute * 60), false, vec![well(0, if minute == 0 { 1 } else { a }), well(1, b)]);
            prop_assert_eq!(mirror(&r), Some(0));
        }
    }
}
