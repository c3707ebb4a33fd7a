//! What holds whatever is seen: random histories of facts, a step a second.

use super::*;
use proptest::prelude::*;

const HOUR: i64 = 3_600;

/// A mirror of a primary that sends an operation a second, for which all is well, `s` seconds after the start.
fn well(s: i64) -> Facts {
    let seen = Seen {
        is_proved: true,
        received: s as u64,
        primary_sent: s as u64,
        primary_rate_per_s: Some(1.0),
        decided: 900,
        is_judged: true,
        ..Seen::default()
    };
    Facts { now: Tau(s * SECOND), link: LinkFact::Up, seen, ..Facts::default() }
}

/// The states after each step.
fn states(machine: &mut Machine, facts: impl IntoIterator<Item = Facts>) -> Vec<State> {
    let shown = |f: Facts| {
        let before = machine.standing().clone();
        let change = machine.step(&f);
        let after = machine.standing().clone();
        assert_eq!(change.as_ref().map(|c| (c.from, c.to)).is_some(), before.state != after.state, "{f:?}");
        assert!(!after.why.is_empty());
        after.state
    };
    facts.into_iter().map(shown).collect()
}

fn transitions(states: &[State]) -> usize {
    states.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// A machine that has shown `ok` for a while, and the second it is at.
fn settled() -> (Machine, i64) {
    let mut machine = Machine::new(Tau(0));
    assert_eq!(states(&mut machine, (0..10).map(well)).last(), Some(&State::Ok));
    (machine, 10)
}

/// The states while `change` is applied to a well mirror for so many seconds.
fn while_so(change: impl Fn(i64, &mut Facts), seconds: i64) -> (Machine, Vec<State>) {
    let (mut machine, from) = settled();
    let facts = (from..from + seconds).map(|s| {
        let mut f = well(s);
        change(s - from, &mut f);
        f
    });
    let states = states(&mut machine, facts);
    (machine, states)
}

fn owes(f: &mut Facts, ops: u64, for_s: i64) {
    f.seen.owed_ops = ops;
    f.seen.owed_since = (ops > 0).then(|| f.now.plus(-for_s * SECOND));
}

#[test]
fn each_state_begins_and_ends_where_it_is_said() {
    let (_, seen) = while_so(|s, f| owes(f, 40, if s < 60 { 31 } else { 9 }), 100);
    let at = |state| seen.iter().position(|&s| s == state);
    assert_eq!(at(State::Lagging), Some(10), "30 s for 10 s");
    assert_eq!(seen.iter().rposition(|&s| s == State::Lagging), Some(74), "10 s for 15 s");
    let silent = |s: i64, f: &mut Facts| {
        f.seen.received = if s < 100 { 5 } else { 6 };
        owes(f, (s + 1) as u64, 1);
    };
    let (_, seen) = while_so(silent, 110);
    assert_eq!(seen.iter().position(|&s| s == State::Stalled), Some(60));
    assert_eq!(seen.iter().rposition(|&s| s == State::Stalled), Some(99), "something came");
    let losing = |s: i64, f: &mut Facts| (f.seen.open_misses, f.seen.missed) = if s < 100 { (3, 3) } else { (3, 0) };
    let (_, seen) = while_so(losing, 1_200);
    assert_eq!((seen[0], seen.iter().rposition(|&s| s == State::Losing)), (State::Losing, Some(899)));
    let (_, seen) = while_so(|_, f| (f.seen.open_misses, f.seen.missed) = (2, 2), 100);
    assert!(seen.iter().all(|&s| s == State::Ok), "two are not many");
    let (_, seen) = while_so(|_, f| (f.seen.open_misses, f.seen.missed, f.seen.decided) = (3, 3, 3_000), 100);
    assert!(seen.iter().all(|&s| s == State::Ok), "0.1 % is not more than 0.1 %");
    let found = |_, f: &mut Facts| f.seen.divergence = Some((Divergence::Content(Finding::Corrupt), Tau(SECOND)));
    let (machine, seen) = while_so(found, 100);
    assert_eq!(
        (seen[0], machine.standing().why.as_str()),
        (State::Diverged, "sent content under a CID that is not its own")
    );
    let mut machine = machine;
    assert_eq!(states(&mut machine, [well(86_402)]), [State::Ok], "a day is over");
}

#[test]
fn a_rare_operation_makes_a_stall_last_longer() {
    let silent = |s: i64, f: &mut Facts| {
        (f.seen.received, f.seen.primary_rate_per_s) = (5, Some(0.1));
        f.seen.primary_sent = (s / 10) as u64;
        owes(f, (s / 10 + 1) as u64, 1);
    };
    let (_, seen) = while_so(silent, 300);
    assert_eq!(seen.iter().position(|&s| s == State::Stalled), Some(200), "20 operations at 0.1/s");
}

#[test]
fn a_primary_that_sends_nothing_makes_no_state_worse() {
    let (_, seen) = while_so(
        |_, f| {
            (f.seen.received, f.seen.primary_sent, f.seen.primary_rate_per_s) = (10, 10, Some(0.0));
            (f.seen.decided, f.seen.is_judged) = (0, false);
        },
        12 * HOUR,
    );
    assert!(seen.iter().all(|&s| s == State::Ok));
    // One operation after hours: the silence before it is no stall.
    let (_, seen) = while_so(
        |s, f| {
            let burst = if s < HOUR { 0 } else { 8 };
            (f.seen.received, f.seen.primary_sent, f.seen.primary_rate_per_s) = (10, 10 + burst, Some(5.0));
            owes(f, burst, s - HOUR);
        },
        HOUR + 20,
    );
    assert!(seen.iter().all(|&s| s == State::Ok), "{:?}", seen.last());
    // Misses are not forgotten because nothing happens.
    let (_, seen) = while_so(
        |s, f| {
            (f.seen.open_misses, f.seen.missed) = (5, 5);
            if s > 10 {
                (f.seen.missed, f.seen.decided) = (0, 0);
            }
        },
        4 * HOUR,
    );
    assert!(seen.iter().all(|&s| s == State::Losing));
}

/// What one side of a threshold looks like, and the other.
type Noise = fn(bool, &mut Facts);

#[test]
fn noise_at_a_threshold_turns_it_now_and_then_at_most() {
    let coin = |s: i64, salt: i64| (s.wrapping_mul(6_364_136_223_846_793_005) + salt) >> 40 & 1 == 1;
    let noises: [(&str, Noise, i64); 6] = [
        ("age", |b, f| owes(f, 9, if b { 31 } else { 9 }), 25),
        ("around 30 s", |b, f| owes(f, 9, if b { 31 } else { 29 }), 25),
        ("misses", |b, f| (f.seen.open_misses, f.seen.missed) = if b { (3, 3) } else { (2, 1) }, 900),
        ("link", |b, f| f.link = if b { LinkFact::Down } else { LinkFact::Up }, 5),
        ("observer", |b, f| f.impaired = b.then_some(Impaired::LateReader), 5),
        (
            "silence",
            |b, f| {
                f.seen.received = if b { 1 } else { 2 };
                owes(f, 9, 1);
            },
            60,
        ),
    ];
    for (what, noise, least_s) in noises {
        for salt in 0..20 {
            let (_, seen) = while_so(|s, f| noise(coin(s, salt), f), HOUR);
            let most = 2 * (HOUR / least_s) as usize + 2;
            assert!(transitions(&seen) <= most, "{what}: {} of {most}", transitions(&seen));
        }
        // Held for the whole time it takes, then let go for the whole time: that is what each bound is about.
        let (_, seen) = while_so(|s, f| noise(s / 1_000 % 2 == 0, f), HOUR);
        assert!(transitions(&seen) <= 8, "{what}");
    }
}

#[test]
fn a_restart_finds_the_state_again_or_says_what_changed() {
    let lagging = |s: i64| {
        let mut f = well(s);
        owes(&mut f, 100, 100);
        f
    };
    let (mut machine, from) = settled();
    states(&mut machine, (from..100).map(lagging));
    let (left, since) = (machine.left(), machine.standing().since);
    assert_eq!(left.state, State::Lagging);
    let starting = |s: i64| Facts { link: LinkFact::New, impaired: Some(Impaired::PrimaryDown), ..lagging(s) };
    let mut again = Machine::resume(Tau(110 * SECOND), left);
    let mut step = |f: Facts| (again.step(&f), again.standing().clone());
    for s in 110..120 {
        let (change, standing) = step(starting(s));
        assert_eq!((change, standing.state), (None, State::Unknown), "nothing is known and nothing is announced");
    }
    let (change, standing) = step(lagging(120));
    assert_eq!((change, standing.state, standing.since), (None, State::Lagging, since));
    // The next run finds it well, and says so once.
    let mut again = Machine::resume(Tau(200 * SECOND), Resumed { holds: [false; 3], ..left });
    assert_eq!(again.left().since, since, "not found yet, and not lost");
    let change = again.step(&well(200)).unwrap();
    assert_eq!((change.from, change.to), (State::Lagging, State::Ok));
    assert_eq!(again.standing().since, Tau(200 * SECOND));
    // One that is never found again becomes unknown, and that is said.
    let mut again = Machine::resume(Tau(200 * SECOND), left);
    let changes: Vec<Change> = (200..400).filter_map(|s| again.step(&starting(s))).collect();
    assert_eq!(changes.iter().map(|c| (c.from, c.to)).collect::<Vec<_>>(), [(State::Lagging, State::Unknown)]);
}

/// What may happen from one second to the next, as numbers to choose from.
fn event() -> impl Strategy<Value = (u8, u8, u8, u64, i64, u64, u64)> {
    (0..12u8, 0..8u8, 0..16u8, 0..3u64, 0..60i64, 0..6u64, 0..4u64)
}

/// A history of any facts at all, each lasting for some seconds.
fn facts(events: &[(u8, u8, u8, u64, i64, u64, u64)]) -> Vec<Facts> {
    let mut all = Vec::new();
    let mut received = 0;
    for &(impaired, link, flags, came, age_s, open, missed) in events {
        for _ in 0..=age_s {
            let s = all.len() as i64;
            let mut f = well(s);
            received += came;
            f.seen.received = received;
            f.impaired = [Some(Impaired::PrimaryDown), Some(Impaired::NetDown), Some(Impaired::LateReader)]
                .get(usize::from(impaired))
                .copied()
                .flatten();
            f.link = *[LinkFact::Down, LinkFact::New, LinkFact::Unsupported, LinkFact::Ours]
                .get(usize::from(link))
                .unwrap_or(&LinkFact::Up);
            f.is_primary_delayed = flags & 3 == 3;
            f.is_throttled = flags == 4;
            f.seen.is_proved = flags != 5;
            f.seen.is_judged = flags & 8 == 0;
            (f.seen.open_misses, f.seen.missed) = (open, missed);
            if flags == 6 {
                f.seen.divergence = Some((Divergence::Log(LogAgreement::Fork), f.now));
            }
            owes(&mut f, came.abs_diff(2), age_s);
            all.push(f);
        }
    }
    all
}

#[test]
fn a_stall_is_worse_than_being_behind_and_ends_where_too_much_comes() {
    let silent = |s: i64, f: &mut Facts| {
        f.seen.received = 5;
        owes(f, (s + 1) as u64, s);
        f.is_throttled = (80..90).contains(&s);
    };
    let (_, seen) = while_so(silent, 140);
    assert_eq!((seen[59], seen[60], seen[79]), (State::Lagging, State::Stalled, State::Stalled));
    assert_eq!((seen[80], seen[89], seen[90]), (State::Throttled, State::Throttled, State::Lagging));
    assert_eq!(seen[139], State::Lagging, "its silence begins anew");
}

proptest! {
    #[test]
    fn nobody_is_blamed_while_nobody_can_know(events in prop::collection::vec(event(), 1..60)) {
        let mut machine = Machine::new(Tau(0));
        for f in facts(&events) {
            machine.step(&f);
            let state = machine.standing().state;
            prop_assert!(f.impaired.is_none() || !state.is_bad(), "{state:?} of {f:?}");
            let is_down = f.link != LinkFact::Up;
            let late = matches!(state, State::Lagging | State::Stalled);
            prop_assert!(!late || !is_down && f.seen.is_proved && !f.is_primary_delayed, "{state:?} of {f:?}");
            prop_assert!(f.link != LinkFact::Ours || state == State::Unknown, "{state:?} of {f:?}");
            prop_assert!(f.link != LinkFact::Down || matches!(state, State::Unknown | State::Disconnected));
        }
    }

    #[test]
    fn the_worst_that_holds_is_shown(events in prop::collection::vec(event(), 1..40), with in event()) {
        let mut machine = Machine::new(Tau(0));
        states(&mut machine, facts(&events));
        let s = facts(&events).len() as i64;
        // Long enough for everything to recover, then all at once.
        let end = s + 10;
        states(&mut machine, (s..end).map(well));
        let before = machine.standing().state;
        let mut f = well(end);
        f.seen.divergence = Some((Divergence::Content(Finding::Altered), f.now));
        (f.seen.open_misses, f.seen.missed, f.is_throttled) = (9, 9, with.0 % 2 == 0);
        prop_assert_eq!(states(&mut machine, [f]), [State::Diverged]);
        prop_assert!(machine.standing().state <= before);
        f.seen.divergence = None;
        f.now = Tau((end + 1) * SECOND);
        prop_assert_eq!(states(&mut machine, [f]), [State::Losing]);
    }

    #[test]
    fn the_same_facts_give_the_same_states_and_a_restart_announces_nothing_of_its_own(
        events in prop::collection::vec(event(), 1..40)
    ) {
        let history = facts(&events);
        let (mut a, mut b) = (Machine::new(Tau(0)), Machine::new(Tau(0)));
        prop_assert_eq!(states(&mut a, history.clone()), states(&mut b, history.clone()));
        prop_assert_eq!(&a, &b);
        // Killed and started at once, with nothing changed: the same state since the same instant.
        let last = history[history.len() - 1];
        let mut again = Machine::resume(last.now, a.left());
        let follow = |m: &mut Machine| {
            let steps = 1..=300;
            let held = |s: i64| {
                let primary_sent = last.seen.primary_sent + s as u64;
                Facts { now: last.now.plus(s * SECOND), seen: Seen { primary_sent, ..last.seen }, ..last }
            };
            let changes: Vec<Change> = steps.filter_map(|s| m.step(&held(s))).collect();
            (changes, m.standing().state)
        };
        let (went_on, resumed) = (follow(&mut a), follow(&mut again));
        prop_assert_eq!(went_on.1, resumed.1);
        prop_assert!(resumed.0.len() <= went_on.0.len() + 1, "{:?} and {:?}", went_on, resumed);
    }

    #[test]
    fn whatever_is_seen_it_does_not_flap(events in prop::collection::vec(event(), 60)) {
        let mut machine = Machine::new(Tau(0));
        let all = facts(&events).into_iter().map(|mut f| {
            // What changes with every step by itself: the notices of others.
            f.is_throttled = false;
            f.seen.divergence = None;
            if matches!(f.link, LinkFact::Unsupported | LinkFact::New | LinkFact::Ours) {
                f.link = LinkFact::Up;
            }
            f
        });
        let seen = states(&mut machine, all);
        prop_assert!(transitions(&seen) <= seen.len() / 2 + 2);
        for minute in seen.chunks(60) {
            prop_assert!(transitions(minute) <= 48, "{}", transitions(minute));
        }
    }
}
