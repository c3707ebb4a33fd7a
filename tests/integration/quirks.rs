//! Every quirk of a mirror or of the primary, and what it is called: one table, one row a quirk.
//!
//! All mirrors of a table are watched at once, so that a row also proves that its quirk is laid on no other mirror.

use crate::world::counts::Counts;
use crate::world::script::{explained, followers, keys, noticed};
use crate::world::{World, test};
use mirrorwatch::domain::audit_log::LogAgreement;
use mirrorwatch::domain::finding::Finding;
use mirrorwatch::domain::op::Kind;
use mirrorwatch::domain::verdict::Verdict;
use mirrorwatch::sim::behaviour::{Alteration, Behaviour, Export, Numbering};
use mirrorwatch::sim::history::Lie;
use mirrorwatch::sim::op::{OpMaker, SimOp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Operations of the DID that the quirks are about: the first, and 20 that follow it.
const CHAIN: usize = 21;
/// Place of the operation that a quirk is about, unless it says otherwise: some follow it.
const MIDDLE: usize = 5;
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
    /// Begins anew after it.
    BeginAgain,
}

/// One quirk and what must be said of it; everything that is not missed must be on time.
struct Quirk {
    id: &'static str,
    deed: Deed,
    habits: fn() -> Behaviour,
    place: usize,
    missed: u64,
    /// Misses that follow from another one.
    followers: u64,
    extra: u64,
    /// Extras that are no fault.
    harmless: u64,
    /// How misses and extras are explained.
    explained: &'static [(Finding, u64)],
    /// What is found about content and order.
    content: &'static [(Finding, u64)],
}

/// A quirk of which nothing is to be said but its name.
fn quirk(id: &'static str, deed: Deed) -> Quirk {
    Quirk {
        id,
        deed,
        habits: Behaviour::default,
        place: MIDDLE,
        missed: 0,
        followers: 0,
        extra: 0,
        harmless: 0,
        explained: &[],
        content: &[],
    }
}

impl Quirk {
    fn at(self, place: usize) -> Quirk {
        Quirk { place, ..self }
    }

    fn habits(self, habits: fn() -> Behaviour) -> Quirk {
        Quirk { habits, ..self }
    }

    fn missed(self, missed: u64, explained: &'static [(Finding, u64)]) -> Quirk {
        Quirk { missed, explained, ..self }
    }

    fn followers(self, followers: u64) -> Quirk {
        Quirk { followers, ..self }
    }

    fn extra(self, explained: &'static [(Finding, u64)]) -> Quirk {
        Quirk { extra: 1, explained, ..self }
    }

    fn harmless(self, explained: &'static [(Finding, u64)]) -> Quirk {
        Quirk { harmless: 1, explained, ..self }
    }

    fn content(self, content: &'static [(Finding, u64)]) -> Quirk {
        Quirk { content, ..self }
    }
}

fn altered(b: &mut Behaviour, how: Alteration) {
    (b.alter_share, b.alterations) = (1.0, vec![how]);
}

fn chained() -> Behaviour {
    Behaviour { refuses_orphans: true, ..Behaviour::default() }
}

fn counting() -> Behaviour {
    Behaviour { numbering: Numbering::Own, ..Behaviour::default() }
}

/// The table of the quirks of streams.
fn quirks() -> Vec<Quirk> {
    use Deed::{BeginAgain, Behave, Publish, Replace};
    use Finding::{
        Altered, Corrupt, DataLoss, DidUnknown, Duplicate, Equivocation, KnownInvalid, OrderViolation, PrimaryDenies,
        SeqRegress, StreamLoss, Unverifiable,
    };
    let last = CHAIN - 1;
    vec![
        quirk("faithful", Behave(|_| {})),
        quirk("fjall-fork", Behave(|_| {})).habits(Behaviour::fjall_fork),
        quirk("losing", Behave(|b| b.drop_next = 1)).missed(1, &[(DataLoss, 1)]),
        quirk("chained", Behave(|b| b.drop_next = 1)).habits(chained).at(1).missed(20, &[(DataLoss, 20)]).followers(19),
        quirk("unknowing", Behave(|b| b.drop_next = 1))
            .habits(chained)
            .at(0)
            .missed(21, &[(DidUnknown, 21)])
            .followers(20),
        quirk("streamless", Behave(|b| b.unstreamed_next = 1)).missed(1, &[(StreamLoss, 1)]),
        quirk("corrupting", Behave(|b| altered(b, Alteration::Content)))
            .missed(1, &[(Unverifiable, 1)])
            .content(&[(Corrupt, 1)]),
        quirk("misattributing", Behave(|b| altered(b, Alteration::Did)))
            .missed(1, &[(DataLoss, 1)])
            .content(&[(Altered, 1)]),
        quirk("redating", Behave(|b| altered(b, Alteration::CreatedAt))).content(&[(Altered, 1)]),
        quirk("repeating", Behave(|b| b.duplicate_share = 1.0)).content(&[(Duplicate, 1)]),
        quirk("overtaking", Behave(|b| b.overtaken_next = 1)).content(&[(OrderViolation, 1)]),
        quirk("equivocating", Behave(|b| b.equivocate_next = 1))
            .extra(&[(Unverifiable, 1)])
            .content(&[(Equivocation, 1)]),
        quirk("beginning-again", BeginAgain).habits(counting).content(&[(SeqRegress, 1)]),
        quirk("inventing", Behave(|b| b.invent_share = 1.0)).extra(&[(PrimaryDenies, 1)]),
        quirk("forking", Replace(|maker, op| maker.rival(op).unwrap()))
            .at(last)
            .missed(1, &[])
            .extra(&[(DataLoss, 1), (PrimaryDenies, 1)])
            .content(&[(Equivocation, 1)]),
        quirk("unchecking", Publish(|_, op| Arc::new(op.with_broken_signature())))
            .at(last)
            .harmless(&[(KnownInvalid, 1)])
            .content(&[(Equivocation, 1)]),
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
                Deed::Publish(_) | Deed::BeginAgain => {}
            }
        }
        world.hand_out(&op);
        world.published += 1;
        for quirk in here() {
            world.mirror(quirk.id).set(|b| *b = (quirk.habits)());
            if let Deed::Publish(make) | Deed::Replace(make) = quirk.deed {
                let own = make(world.maker(), &op);
                world.mirror(quirk.id).publish(&own);
            }
        }
        tokio::time::sleep(PACE).await;
        for quirk in here().filter(|quirk| matches!(quirk.deed, Deed::BeginAgain)) {
            world.mirror(quirk.id).begin_again(0);
        }
    }
    world.maker().leave_alone(did);
}

/// Checks a row of the table.
async fn check(world: &World, quirk: &Quirk) {
    let (id, mirror) = (quirk.id, world.index(quirk.id));
    let on_time = world.published - quirk.missed;
    let (missed, extra, extra_explained) = (quirk.missed, quirk.extra, quirk.harmless);
    world.expect_within(id, Counts { on_time, missed, extra, extra_explained, ..Counts::default() }).await;
    let named = |counts: &[(Finding, u64)]| counts.iter().map(|(f, n)| (f.name(), *n)).collect::<BTreeMap<_, _>>();
    let expected = named(quirk.explained);
    let found = async || (explained(&*world.picture().await, mirror) == expected).then_some(());
    world.eventually(&format!("{id} is explained as {expected:?}"), found).await;
    let picture = world.picture().await;
    assert_eq!(noticed(&picture, mirror), named(quirk.content), "{id}");
    assert_eq!(followers(&picture, mirror), quirk.followers, "{id}");
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
            check(&world, quirk).await;
        }
        world.stop().await;
    });
}

/// A name, what the mirror serves for an operation's DID, and what is found.
type History = (&'static str, fn(&mut OpMaker, &SimOp) -> Lie, LogAgreement);

/// The table of what histories tell otherwise, by the operation that it is told of.
fn histories() -> Vec<History> {
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
        for (id, others) in [("faithful", 1), ("refusing", 2), ("losing", 1)] {
            // What was skipped is there, and when is not known.
            let on_time = world.published - others;
            let expected = Counts { on_time, present: 1, others, extra_explained: 1, ..Counts::default() };
            world.expect(id, expected).await;
            assert!(noticed(&*world.picture().await, world.index(id)).is_empty(), "{id}");
        }
        world.stop().await;
    });
}
