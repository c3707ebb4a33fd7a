//! Every quirk of a mirror or of the primary, and what it is called: one table, one row a quirk.
//!
//! All mirrors of a table are watched at once, so that a row also proves that its quirk is laid on no other mirror.

use crate::world::counts::Counts;
use crate::world::script::{explained, keys};
use crate::world::{World, test};
use mirrorwatch::domain::audit_log::LogAgreement;
use mirrorwatch::domain::finding::Finding;
use mirrorwatch::domain::op::Kind;
use mirrorwatch::domain::verdict::Verdict;
use mirrorwatch::sim::behaviour::{Alteration, Behaviour, Export};
use mirrorwatch::sim::history::Lie;
use mirrorwatch::sim::op::{OpMaker, SimOp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Operations of the DID that the quirks are about: one lost, and 20 lost with what follows.
const CHAIN: usize = 21;
const PACE: Duration = Duration::from_millis(40);

/// What a mirror does about one operation of the chain.
#[derive(Clone, Copy)]
enum Deed {
    /// Behaves so while it takes the operation.
    Behave(fn(&mut Behaviour)),
    /// Takes another operation in its place.
    Replace(fn(&mut OpMaker, &SimOp) -> Arc<SimOp>),
    /// Takes another operation besides.
    Publish(fn(&mut OpMaker, &SimOp) -> Arc<SimOp>),
}

/// One quirk and what must be said of it.
struct Quirk {
    id: &'static str,
    /// How the mirror behaves all the time.
    habits: fn() -> Behaviour,
    /// Place in the chain of the operation that it is about.
    place: usize,
    deed: Deed,
    /// Missed operations and extras; everything else is on time.
    missed: u64,
    extra: u64,
    /// How they are explained.
    explained: &'static [(Finding, usize)],
    /// Columns of the mirror's row that count what was wrong with content.
    counted: &'static [(&'static str, u64)],
}

fn altered(b: &mut Behaviour, how: Alteration) {
    (b.alter_share, b.alterations) = (1.0, vec![how]);
}

fn chained() -> Behaviour {
    Behaviour { refuses_orphans: true, ..Behaviour::default() }
}

/// The table of the quirks of streams.
#[rustfmt::skip]
fn quirks() -> Vec<Quirk> {
    use Deed::{Behave, Publish, Replace};
    use Finding::{DataLoss, DidUnknown, KnownInvalid, PrimaryDenies, StreamLoss, Unverifiable};
    let last = CHAIN - 1;
    let row = |id, habits, place, deed, missed, extra, explained, counted| Quirk {
        id, habits, place, deed, missed, extra, explained, counted,
    };
    let plain: fn() -> Behaviour = Behaviour::default;
    vec![
        row("faithful",     plain,   5,    Behave(|_| {}),                                     0,  0, &[],                 &[]),
        row("fjall-fork",   Behaviour::fjall_fork, 5, Behave(|_| {}),                          0,  0, &[],                 &[]),
        row("losing",       plain,   5,    Behave(|b| b.drop_next = 1),                        1,  0, &[(DataLoss, 1)],    &[]),
        row("chained",      chained, 1,    Behave(|b| b.drop_next = 1),                        20, 0, &[(DataLoss, 20)],   &[]),
        row("unknowing",    chained, 0,    Behave(|b| b.drop_next = 1),                        21, 0, &[(DidUnknown, 21)], &[]),
        row("streamless",   plain,   5,    Behave(|b| b.unstreamed_next = 1),                  1,  0, &[(StreamLoss, 1)],  &[]),
        row("corrupting",   plain,   5,    Behave(|b| altered(b, Alteration::Content)),        1,  0, &[(Unverifiable, 1)],                 &[("rejected_frames", 1)]),
        row("misattributing", plain, 5,    Behave(|b| altered(b, Alteration::Did)),            1,  0, &[(DataLoss, 1)],    &[("altered_ops", 1)]),
        row("redating",     plain,   5,    Behave(|b| altered(b, Alteration::CreatedAt)),      0,  0, &[],                 &[("altered_ops", 1)]),
        row("repeating",    plain,   5,    Behave(|b| b.duplicate_share = 1.0),                0,  0, &[],                 &[("duplicate_ops", 1)]),
        row("overtaking",   plain,   5,    Behave(|b| b.overtaken_next = 1),                   0,  0, &[],                 &[]),
        row("inventing",    plain,   5,    Behave(|b| b.invent_share = 1.0),                   0,  1, &[(PrimaryDenies, 1)], &[]),
        row("forking",      plain,   last, Replace(|maker, op| maker.rival(op).unwrap()),      1,  1, &[(DataLoss, 1), (PrimaryDenies, 1)], &[]),
        row("unchecking",   plain,   last, Publish(|_, op| Arc::new(op.with_broken_signature())), 0, 1, &[(KnownInvalid, 1)], &[]),
    ]
}

/// Publishes the chain, each quirk doing its deed at its place.
async fn play(world: &mut World, table: &[Quirk]) {
    let now = world.now_ms();
    let genesis = world.maker().of_kind(Kind::Genesis, now());
    let did = genesis.key.did;
    for place in 0..CHAIN {
        let op = if place == 0 { genesis.clone() } else { world.maker().update_of(did, now()).unwrap() };
        let here = || table.iter().filter(|quirk| quirk.place == place);
        for quirk in here() {
            match quirk.deed {
                Deed::Behave(change) => world.mirror(quirk.id).set(change),
                Deed::Replace(_) => world.mirror(quirk.id).set(|b| b.drop_next = 1),
                Deed::Publish(_) => {}
            }
        }
        world.hand_out(&op);
        for quirk in here() {
            world.mirror(quirk.id).set(|b| {
                // What waits for a later operation goes on waiting.
                *b = (quirk.habits)();
            });
            if let Deed::Publish(make) | Deed::Replace(make) = quirk.deed {
                let own = make(world.maker(), &op);
                world.mirror(quirk.id).publish(&own);
            }
        }
        world.published += 1;
        tokio::time::sleep(PACE).await;
    }
    world.maker().leave_alone(did);
}

#[test]
fn each_quirk_of_a_stream_has_its_name() {
    test(async {
        let table = quirks();
        let mirrors = table.iter().map(|quirk| (quirk.id, (quirk.habits)())).collect();
        let mut world = World::new(mirrors).watched().await;
        // Extras are decided within a range of the primary's own time.
        world.publish_every(30, Duration::from_millis(60), None).await;
        play(&mut world, &table).await;
        world.publish_every(20, Duration::from_millis(60), None).await;
        world.settle().await;
        for quirk in &table {
            let on_time = world.published - quirk.missed;
            let expected = Counts { on_time, missed: quirk.missed, extra: quirk.extra, ..Counts::default() };
            world.expect_within(quirk.id, expected).await;
            if !quirk.explained.is_empty() {
                let expected: BTreeMap<_, _> = quirk.explained.iter().map(|(f, n)| (f.name(), *n)).collect();
                let what = format!("{} is explained as {expected:?}", quirk.id);
                let mirror = world.index(quirk.id);
                let found = async || (explained(&*world.picture().await, mirror) == expected).then_some(());
                world.eventually(&what, found).await;
            }
            let row = world.row(quirk.id).await;
            for column in ["rejected_frames", "altered_ops", "duplicate_ops"] {
                let counted = quirk.counted.iter().find(|c| c.0 == column).map_or(0, |c| c.1);
                assert_eq!(row[column], counted, "{}: {column}: {row}", quirk.id);
            }
        }
        world.stop().await;
    });
}

/// What a mirror's history says in place of the truth.
type Lying = fn(&mut OpMaker, &SimOp) -> Lie;

/// The table of what histories tell otherwise, by the operation that it is told of.
fn histories() -> Vec<(&'static str, Lying, LogAgreement)> {
    vec![
        ("truthful", |_, op| Lie::Instead(op.key.cid, Arc::new(op.clone())), LogAgreement::Same),
        ("never-nullifying", |_, _| Lie::NeverNullified, LogAgreement::NullifiedDiffers),
        ("forgetful", |_, op| Lie::Without(op.key.cid), LogAgreement::Behind),
        ("forked", |maker, op| Lie::Instead(op.key.cid, maker.rival(op).unwrap()), LogAgreement::Fork),
        ("reversed", |_, _| Lie::Reversed, LogAgreement::SameSetOtherOrder),
        ("redated", |_, _| Lie::OtherCreatedAt, LogAgreement::Invalid),
        ("rewritten", |_, op| Lie::Instead(op.key.cid, Arc::new(op.with_other_content())), LogAgreement::Invalid),
    ]
}

#[test]
fn each_other_history_has_its_name() {
    test(async {
        let table = histories();
        let mirrors = table.iter().map(|row| (row.0, Behaviour::default())).collect();
        let mut world = World::new(mirrors);
        world.config.audit.allow_recheck = true;
        let mut world = world.watched().await;
        let now = world.now_ms();
        let contest = world.maker().contest(now());
        let last = world.maker().update_of(contest.genesis.key.did, now()).unwrap();
        for op in [&contest.genesis, &contest.loser, &contest.recovery, &last] {
            world.hand_out(op);
            world.published += 1;
        }
        let did = last.key.did;
        for (id, lie, _) in &table {
            let lie = lie(world.maker(), &last);
            world.mirror(id).set(|b| b.lies = vec![lie]);
        }
        world.maker().leave_alone(did);
        world.publish_every(20, PACE, None).await;
        world.settle().await;
        let report = world.recheck(did).await.unwrap();
        for ((id, _, expected), host) in table.iter().zip(&report.hosts[1..]) {
            assert_eq!(host.agreement, Some(*expected), "{id}: {host:?}");
            // Their streams are faultless.
            world.expect(id, Counts { on_time: world.published, ..Counts::default() }).await;
        }
        assert!(report.hosts[0].lines.iter().map(|l| l.nullified).eq([false, true, false, false]));
        world.stop().await;
    });
}

#[test]
fn what_the_primary_did_is_laid_on_no_mirror() {
    test(async {
        let primary = Behaviour { export: Export::Absent, ..Behaviour::default() };
        let mirrors = ["faithful", "refusing", "losing"].map(|id| (id, Behaviour::default()));
        let mut world = World::with_primary(primary, mirrors.into()).watched().await;
        world.publish_every(30, Duration::from_millis(60), None).await;
        let now = world.now_ms();

        // Its stream skips an operation that its log has; another one that it skips is nullified at once.
        world.primary.set(|b| b.unstreamed_next = 1);
        let gap = world.maker().of_kind(Kind::Genesis, now());
        world.hand_out(&gap);
        let contest = world.maker().contest(now());
        world.hand_out(&contest.genesis);
        world.primary.set(|b| b.unstreamed_next = 1);
        world.hand_out(&contest.loser);
        world.hand_out(&contest.recovery);
        // It publishes what breaks the rules, and takes back what it had published.
        let broken = Arc::new(OpMaker::new(99).of_kind(Kind::Genesis, now()).with_broken_signature());
        world.mirror("refusing").set(|b| b.drop_cids = [broken.key.cid].into());
        world.hand_out(&broken);
        let taken_back = world.maker().of_kind(Kind::Genesis, now());
        world.mirror("losing").set(|b| b.drop_cids = [taken_back.key.cid].into());
        world.hand_out(&taken_back);
        world.published += 4;
        let arrived = async || {
            let picture = world.picture().await;
            keys(&picture, 0, Verdict::Pending).contains(&taken_back.key).then_some(())
        };
        world.eventually("the operation arrived", arrived).await;
        assert!(world.primary.withdraw(taken_back.key.cid));
        world.publish_every(20, Duration::from_millis(60), None).await;
        world.settle().await;

        for mirror in 0..3 {
            let what = format!("mirror {mirror}: the skipped one is credited, the nullified one named");
            let named = async || {
                let found = explained(&*world.picture().await, mirror);
                let is_named = |finding: Finding| found.get(finding.name()) == Some(&1);
                (is_named(Finding::PrimaryStreamGap) && is_named(Finding::Nullified)).then_some(())
            };
            world.eventually(&what, named).await;
        }
        let refused = async || (keys(&*world.picture().await, 1, Verdict::Disputed) == [broken.key]).then_some(());
        world.eventually("the broken one is disputed", refused).await;
        let withdrawn =
            async || (keys(&*world.picture().await, 2, Verdict::Withdrawn) == [taken_back.key]).then_some(());
        world.eventually("the one that was taken back is withdrawn", withdrawn).await;
        for mirror in 0..3 {
            assert!(keys(&*world.picture().await, mirror, Verdict::Missed).is_empty(), "mirror {mirror}");
        }
        world.stop().await;
    });
}
