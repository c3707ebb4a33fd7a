//! Disks that fail: measuring goes on, what is wrong is told with its beginning, and everything is kept when it is over.

use super::crashes::told::linked;
use super::crashes::{END, Run, START, collector, truths};
use crate::actors::message::{Flush, Leave, SourceEvent};
use crate::domain::link::LinkState;
use crate::domain::mirror_state::State;
use crate::domain::source::SourceIx;
use crate::domain::time::{SECOND, Tau};
use crate::domain::verdict::Verdict;
use crate::ports::store::Store;
use crate::ports::store::memory::Fault;
use actix::{Actor, Context, Handler};

/// The fault begins in the transaction that is under way then.
const FROM: Tau = Tau(START.0 + 4 * SECOND);
/// It ends then; what waited must be kept 30 s later.
const UNTIL: Tau = Tau(START.0 + 15 * SECOND);

fn events(run: &Run, kind: &str) -> Vec<String> {
    run.collector.events.latest().iter().filter(|e| e.kind == kind).map(|e| e.text.clone()).collect()
}

#[actix::test]
async fn each_fault_is_told_with_its_beginning_and_everything_is_kept_after_it() {
    let truths = truths(11);
    let mut whole = Run::new();
    whole.play(&truths, None, END, Tau::MAX).await;
    let expected = whole.outcome();
    for (fault, class, text) in [
        (
            Fault::NoSpace,
            "disk_full",
            "no space left in memory (12 kB free); measuring goes on, saving is paused; free 50 MB",
        ),
        (Fault::ReadOnly, "read_only", "read-only file system; measuring goes on, saving is retried; check the disk"),
        (Fault::Io, "io", "commit failed: I/O error; measuring goes on, saving is retried; check the disk"),
    ] {
        let mut run = Run::new();
        run.play(&truths, None, FROM, Tau::MAX).await;
        assert_eq!(run.collector.saver.degraded(), Vec::<String>::new());
        let kept = run.disk.commits();
        run.disk.fail_at(3, fault);
        run.play(&truths, None, FROM.plus(SECOND), Tau::MAX).await;
        let told = run.collector.saver.degraded();
        assert!(told.len() == 1 && told[0].starts_with(&format!("{class} since 2023-11-14T22:15:0")), "{told:?}");
        assert!(told[0].contains(text), "{told:?}");
        if fault != Fault::Io {
            run.play(&truths, None, UNTIL, Tau::MAX).await;
            assert_eq!(run.collector.saver.degraded(), told, "since it began");
            assert_eq!(run.disk.commits(), kept, "nothing was kept meanwhile");
        }
        assert_eq!(events(&run, "state_degraded").len(), 1, "told once");
        run.disk.heal();
        let healed = run.disk.commits();
        run.play(&truths, None, UNTIL.max(FROM).plus(2 * SECOND), Tau::MAX).await;
        assert!(run.collector.saver.degraded().is_empty() && run.disk.commits() > healed, "{class}");
        assert_eq!(events(&run, "state_recovered"), ["saving works again"]);
        run.play(&truths, None, END, Tau::MAX).await;
        let outcome = run.outcome();
        assert_eq!((outcome.verdicts == expected.verdicts, outcome.intervals), (true, expected.intervals.clone()));
        // And it is on disk, all of it.
        let again = Run { collector: collector(&run.disk, &run.clock, false), ..run };
        assert_eq!(again.outcome().intervals, expected.intervals, "{class}");
    }
}

#[actix::test]
async fn a_journal_that_waits_too_long_is_let_go_and_the_next_start_knows() {
    let truths = truths(12);
    let mut run = Run::new();
    run.collector.saver.waiting_bytes_max = 1_500;
    run.play(&truths, None, FROM, Tau::MAX).await;
    run.disk.fail_at(3, Fault::NoSpace);
    run.play(&truths, None, END, UNTIL).await;
    assert!(!events(&run, "journal_dropped").is_empty());
    let shown = run.finals();
    let missed = |run: &Run| -> u64 {
        let of = |f: &super::crashes::Figures| f.0[Verdict::Missed as usize];
        run.outcome().intervals.values().flat_map(|(_, mirrors)| mirrors.iter().map(of).collect::<Vec<_>>()).sum()
    };
    let before = missed(&run);
    run.disk.crash();
    let again = Run { collector: collector(&run.disk, &run.clock, true), ..run };
    assert!(missed(&again) <= before, "a restart behind the loss blames nobody for it");
    for (k, figures) in &shown {
        assert_eq!(again.finals().get(k), Some(figures), "interval {k} was shown as final");
    }
    assert!(again.disk.open().load().unwrap().segments.len() > 2);
}

#[actix::test]
async fn an_orderly_end_behind_a_failed_transaction_keeps_what_came_since_too() {
    let truths = truths(13);
    let mut run = Run::new();
    run.play(&truths, None, FROM, Tau::MAX).await;
    run.disk.fail_at(3, Fault::ReadOnly);
    run.play(&truths, None, UNTIL, Tau::MAX).await;
    assert!(!run.collector.saver.degraded().is_empty(), "what failed is seconds old");
    run.disk.heal();
    let Run { collector: ending, clock, disk } = run;
    let ending = ending.start();
    ending.send(Flush).await.unwrap();
    let received = |collector: &super::Collector| {
        let capture = collector.ledger.capture(false);
        (capture.primary.received, capture.mirrors.iter().map(|m| m.source.received).collect::<Vec<_>>())
    };
    let again = collector(&disk, &clock, false);
    let mut whole = Run::new();
    whole.play(&truths, None, UNTIL, Tau::MAX).await;
    assert_eq!(received(&again), received(&whole.collector));
}

#[actix::test]
async fn what_an_orderly_end_does_to_the_links_changes_no_state() {
    let truths = truths(14);
    for is_told in [true, false] {
        let mut run = Run::new();
        run.play(&truths, None, END, Tau::MAX).await;
        let state = |run: &Run| run.collector.standings.of(SourceIx::mirror(0)).state;
        run.collector.watch_states(END);
        assert_eq!(state(&run), State::Ok);
        if is_told {
            Handler::handle(&mut run.collector, Leave, &mut Context::new());
        }
        run.collector.apply(SourceIx::PRIMARY, SourceEvent::Closed);
        run.collector.apply(SourceIx::PRIMARY, linked(LinkState::Disconnected));
        run.collector.watch_states(END.plus(2 * SECOND));
        assert_eq!(state(&run), if is_told { State::Ok } else { State::Unknown });
    }
}
