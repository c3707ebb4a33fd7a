use super::*;
use crate::domain::audit_log::LogAgreement;
use crate::domain::audit_log::tests::chain;
use crate::domain::cid::Cid;

const P: SourceIx = SourceIx::PRIMARY;
const M1: SourceIx = SourceIx(1);
const M2: SourceIx = SourceIx(2);
const MINUTE: i64 = 60 * SECOND;

fn confirm() -> Confirm {
    Confirm::new(ConfirmOptions { sources: 3, gap_ns: SECOND, grace_ns: MINUTE })
}

fn probe(ask: &Ask, now: Tau) -> ProbeEvidence {
    ProbeEvidence {
        host: ask.host.0.to_string(),
        url: ask.page.path(ask.did),
        at_ms: now.0 / 1_000_000,
        status: None,
        body_sha256: None,
        error: None,
    }
}

/// Lets everything happen until `until`, with hosts that answer at once; what was asked when, and what was told.
fn run(c: &mut Confirm, until: Tau, answer: impl Fn(&Ask, Tau) -> Reply) -> (Vec<(i64, Ask)>, Vec<Told>) {
    let (mut asked, mut told) = (Vec::new(), Vec::new());
    while let Some(at) = c.wake_at().map(|at| at.max(Tau(0))).filter(|at| *at <= until) {
        let (asks, more) = c.next(at);
        told.extend(more);
        for ask in asks {
            // What is to be checked breaks the rules in here.
            told.extend(c.answered(ask.host, answer(&ask, at), &ask.check, &probe(&ask, at), at));
            asked.push((at.0 / SECOND, ask));
        }
    }
    (asked, told)
}

fn explained(told: &[Told]) -> Vec<(Finding, bool)> {
    let of = |t: &Told| match t {
        Told::Explained(e) => Some((e.finding, e.is_final)),
        Told::Surveyed(_) => None,
    };
    told.iter().filter_map(of).collect()
}

#[test]
fn one_request_explains_all_misses_of_a_did() {
    let log = chain(21);
    let mut c = confirm();
    for entry in &log[1..] {
        assert!(c.add(M1, entry.key(), About::Miss).is_empty());
        assert!(c.add(M1, entry.key(), About::Miss).is_empty(), "not twice");
    }
    let (asked, told) =
        run(&mut c, Tau(MINUTE - 1), |ask, _| Reply::Log(if ask.host == P { log.clone() } else { log[..1].to_vec() }));
    assert_eq!(asked.iter().map(|a| a.1.host).collect::<Vec<_>>(), [M1, P]);
    assert_eq!(explained(&told), vec![(Finding::DataLoss, false); 20]);
    let Told::Explained(first) = &told[0] else { panic!() };
    assert_eq!(first.probes.iter().map(|p| p.host.as_str()).collect::<Vec<_>>(), ["1", "0"]);
    assert_eq!(first.listed.map(|op| op.key), Some(log[1].key()));
}

#[test]
fn a_loss_is_looked_at_again_on_time_and_finally_stands() {
    let log = chain(3);
    let mut c = confirm();
    c.add(M1, log[2].key(), About::Miss);
    let answer = |ask: &Ask, _| Reply::Log(if ask.host == P { log.clone() } else { log[..2].to_vec() });
    let (asked, told) = run(&mut c, Tau(24 * 60 * MINUTE), answer);
    let at_mirror: Vec<i64> = asked.iter().filter(|a| a.1.host == M1).map(|a| a.0).collect();
    assert_eq!(at_mirror, [0, 60, 600, 3_600, 21_600]);
    let all = explained(&told);
    assert_eq!(all.iter().map(|e| e.1).collect::<Vec<_>>(), [false, false, false, false, true]);
    assert!(all.iter().all(|e| e.0 == Finding::DataLoss));
    assert_eq!((c.wake_at(), c.load().cases), (None, vec![0, 0, 0]));
    assert!(c.add(M1, log[2].key(), About::Miss).is_empty() && c.wake_at().is_some(), "it can come back");
}

#[test]
fn a_mirror_that_catches_up_is_found_to_have_lost_nothing() {
    let log = chain(3);
    let mut c = confirm();
    c.add(M1, log[2].key(), About::Miss);
    let (asked, told) = run(&mut c, Tau(24 * 60 * MINUTE), |ask, at| {
        let has_it = ask.host == P || at > Tau(5 * MINUTE);
        Reply::Log(if has_it { log.clone() } else { log[..2].to_vec() })
    });
    let loss = (Finding::DataLoss, false);
    assert_eq!(explained(&told), [loss, loss, (Finding::StreamLoss, true)]);
    assert_eq!(asked.len(), 5);
}

#[test]
fn a_look_that_fails_takes_nothing_back_and_a_primary_that_fails_blames_nobody() {
    let log = chain(3);
    let mut c = confirm();
    c.add(M1, log[2].key(), About::Miss);
    let (_, told) = run(&mut c, Tau(24 * 60 * MINUTE), |ask, at| match ask.host {
        P if at > Tau(5 * MINUTE) => Reply::Failed,
        P => Reply::Log(log.clone()),
        _ => Reply::Log(log[..2].to_vec()),
    });
    assert!(explained(&told).iter().all(|e| e.0 == Finding::DataLoss));

    let mut c = confirm();
    c.add(M1, log[2].key(), About::Miss);
    let (_, told) = run(&mut c, Tau(24 * 60 * MINUTE), |ask, _| match ask.host {
        P => Reply::Busy { retry_after_s: Some(10) },
        _ => Reply::Log(log[..2].to_vec()),
    });
    let all = explained(&told);
    assert_eq!(all.len(), 5);
    assert!(all.iter().all(|e| e.0 == Finding::Unverifiable), "{all:?}");
}

#[test]
fn a_host_that_answered_logs_means_the_did_with_its_404() {
    let (log, other) = (chain(3), chain(1));
    let mut c = confirm();
    c.add(M1, log[2].key(), About::Miss);
    let answer = |ask: &Ask, _| match ask.host {
        P => Reply::Log(log.clone()),
        _ => Reply::Unknown { is_sure: false },
    };
    let (_, told) = run(&mut c, Tau(MINUTE - 1), answer);
    assert_eq!(explained(&told), [(Finding::Unverifiable, false)]);
    c.survey(other[0].did, Why::Sample, Vec::new(), Tau(MINUTE - 1)).unwrap();
    let (asks, _) = c.next(Tau(MINUTE - 1));
    for ask in asks {
        c.answered(ask.host, Reply::Log(other.clone()), &[], &probe(&ask, Tau(0)), Tau(MINUTE - 1));
    }
    let (_, told) = run(&mut c, Tau(3 * MINUTE), answer);
    assert_eq!(explained(&told), [(Finding::DidUnknown, false)]);
}

#[test]
fn what_there_is_no_room_for_is_unverifiable_and_counted_and_hurts_no_other_mirror() {
    let did = chain(1)[0].did;
    let unique = |n: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        OpKey { did, cid: Cid(bytes) }
    };
    let mut c = confirm();
    for n in 0..CASES_MAX {
        assert!(c.add(M1, unique(n), About::Miss).is_empty());
    }
    let told = c.add(M1, unique(CASES_MAX), About::Miss);
    assert_eq!(explained(&told), [(Finding::Unverifiable, true)]);
    assert!(c.add(M2, unique(1), About::Miss).is_empty());
    assert_eq!((c.load().let_go, c.load().cases), (vec![0, 1, 0], vec![0, CASES_MAX, 1]));
    // What was looked at once gives way to what was not.
    let failing = |_: &Ask, _| Reply::Failed;
    let (_, told) = run(&mut c, Tau(10 * SECOND), failing);
    assert_eq!(told.len(), CASES_MAX + 1);
    let told = c.add(M1, unique(CASES_MAX), About::Miss);
    assert_eq!(explained(&told), [(Finding::Unverifiable, true)]);
    let Told::Explained(ended) = &told[0] else { panic!() };
    assert_ne!(ended.key, unique(CASES_MAX), "the new one stays");
    assert_eq!(c.load().cases, [0, CASES_MAX, 1]);
}

#[test]
fn extras_that_a_mirror_makes_up_leave_room_for_its_misses() {
    let did = chain(1)[0].did;
    let unique = |n: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        OpKey { did, cid: Cid(bytes) }
    };
    let mut c = confirm();
    for n in 0..EXTRA_CASES_MAX {
        assert!(c.add(M1, unique(n), About::Extra).is_empty());
    }
    assert_eq!(explained(&c.add(M1, unique(EXTRA_CASES_MAX), About::Extra)), [(Finding::Unverifiable, true)]);
    assert!(c.add(M1, unique(EXTRA_CASES_MAX + 1), About::Miss).is_empty());
    assert!(c.add(M2, unique(0), About::Extra).is_empty(), "nor does it take another's");
    assert_eq!((c.load().let_go, c.load().cases), (vec![0, 1, 0], vec![0, EXTRA_CASES_MAX + 1, 1]));
    run(&mut c, Tau(8 * 60 * MINUTE), |_: &Ask, _| Reply::Log(chain(1)));
    assert_eq!(c.load().cases, [0, 0, 0]);
    assert!(c.add(M1, unique(EXTRA_CASES_MAX), About::Extra).is_empty(), "there is room again");
}

#[test]
fn an_extra_leads_to_the_primary_and_is_credited_with_what_it_lists() {
    let log = chain(3);
    let mut c = confirm();
    c.add(M1, log[2].key(), About::Extra);
    c.add(M2, log[2].key(), About::Extra);
    let (asked, told) = run(&mut c, Tau(MINUTE), |_, _| Reply::Log(log.clone()));
    assert_eq!(asked.iter().map(|a| a.1.host).collect::<Vec<_>>(), [P], "one request for both");
    assert_eq!(explained(&told), [(Finding::PrimaryStreamGap, true); 2]);
    // What the primary listed once and lists no more was withdrawn.
    c.add(M1, log[2].key(), About::Extra);
    let (_, told) = run(&mut c, Tau(MINUTE), |_, _| Reply::Log(log[..2].to_vec()));
    assert_eq!(explained(&told), [(Finding::Withdrawn, true)]);
}

#[test]
fn an_extra_that_the_primary_denies_is_checked_by_its_content() {
    let log = chain(3);
    let mut c = confirm();
    c.add(M1, log[2].key(), About::Extra);
    let (asked, told) =
        run(&mut c, Tau(MINUTE), |ask, _| Reply::Log(if ask.host == P { log[..2].to_vec() } else { log.clone() }));
    let checks: Vec<_> = asked.iter().map(|a| (a.1.host, a.1.check.clone())).collect();
    assert_eq!(checks, [(P, Vec::new()), (M1, vec![log[2].key()])]);
    assert_eq!(explained(&told), [(Finding::KnownInvalid, true)]);
}

#[test]
fn samples_keep_within_the_budget_and_find_what_differs() {
    let log = chain(3);
    let mut other = log.clone();
    other[1].nullified = true;
    let mut c = confirm();
    c.survey(log[0].did, Why::Sample, Vec::new(), Tau(0)).unwrap();
    (0..100).for_each(|n| drop(c.add(M1, OpKey { cid: Cid([n; 32]), did: Did([n; 15]) }, About::Miss)));
    let (asked, told) = run(&mut c, Tau(5 * MINUTE), |ask, _| match ask.host {
        M1 if ask.did != log[0].did => Reply::Failed,
        M2 => Reply::Log(other.clone()),
        _ => Reply::Log(log.clone()),
    });
    for host in [P, M1, M2] {
        let at: Vec<i64> = asked.iter().filter(|a| a.1.host == host).map(|a| a.0).collect();
        assert!(at.windows(2).all(|pair| pair[1] > pair[0]), "{host:?}: {at:?}");
    }
    let found = told.iter().find_map(|t| match t {
        Told::Surveyed(report) => report.hosts[2].agreement,
        Told::Explained(_) => None,
    });
    assert_eq!(found, Some(LogAgreement::NullifiedDiffers));
}

#[test]
fn requests_are_answered_first_and_are_bounded() {
    let log = chain(3);
    let mut c = confirm();
    (0..100).for_each(|n| drop(c.add(M1, OpKey { cid: Cid([n; 32]), did: Did([n; 15]) }, About::Miss)));
    for n in 0..SURVEYS_MAX {
        c.survey(log[0].did, Why::Request(n as u64), Vec::new(), Tau(0)).unwrap();
    }
    assert_eq!(c.survey(log[0].did, Why::Request(99), Vec::new(), Tau(0)), Err(Full));
    assert!(c.survey(log[0].did, Why::Sample, Vec::new(), Tau(0)).is_ok(), "people keep no sample out");
    let (asks, _) = c.next(Tau(0));
    assert!(asks.len() == 3 && asks.iter().all(|a| a.did == log[0].did));
    let mut reports = 0;
    for ask in asks {
        reports += c.answered(ask.host, Reply::Log(log.clone()), &[], &probe(&ask, Tau(0)), Tau(0)).len();
    }
    assert_eq!(reports, SURVEYS_MAX + 1, "one request a host for all of them");
    // One that a silent host keeps waiting ends by itself.
    c.survey(log[0].did, Why::Request(7), Vec::new(), Tau(SECOND)).unwrap();
    c.next(Tau(SECOND));
    let (_, told) = c.next(Tau(30 * SECOND));
    assert!(matches!(&told[..], [Told::Surveyed(r)] if r.why == Why::Request(7)));
}
