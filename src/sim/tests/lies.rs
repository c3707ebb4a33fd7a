//! What servers do to order, numbers and histories, and what must be found about it.

use super::*;
use crate::domain::cid::Cid;
use crate::domain::finding::Finding;
use crate::domain::op::Kind;
use crate::domain::verdict::Verdict;
use crate::sim::history::Lie;
use crate::sim::server::{Fate, Outcome};
use crate::sim::truth::{Journal, MirrorTruth};

const LIMIT: Duration = Duration::from_secs(1);

/// CIDs of an audit log and whether each is called nullified, and their times.
async fn audit(directory: &Directory, op: &SimOp) -> Vec<(Cid, bool, i64)> {
    let (status, _, body) = get(directory, &format!("/{}/log/audit", op.key.did)).await;
    assert_eq!(status, 200, "{body}");
    let entries: Vec<&serde_json::value::RawValue> = serde_json::from_str(&body).unwrap();
    let read_one = |raw: &&serde_json::value::RawValue| {
        let op = read(raw.get(), Shape::Legacy).unwrap();
        (op.key.cid, raw.get().contains(r#""nullified":true"#), op.created_ms)
    };
    entries.iter().map(read_one).collect()
}

#[tokio::test]
async fn a_recovery_nullifies_the_loser_and_some_never_learn_of_it() {
    let (knowing, stale) = (server(Behaviour::default()), server(Behaviour::fjall_fork()));
    let contest = OpMaker::new(1).contest(NOW);
    for server in [&knowing, &stale] {
        for op in [&contest.genesis, &contest.loser, &contest.recovery] {
            assert_eq!(server.publish(op).outcome, Outcome::Delivered(Duration::ZERO));
        }
    }
    let flags = async |directory| audit(directory, &contest.loser).await.iter().map(|e| e.1).collect::<Vec<_>>();
    assert_eq!(flags(&knowing).await, [false, true, false]);
    assert_eq!(flags(&stale).await, [false, false, false]);
    let log = async |directory: &Directory| get(directory, &format!("/{}/log", contest.loser.key.did)).await.2;
    assert!(!log(&knowing).await.contains(&contest.loser.operation));
    assert!(log(&stale).await.contains(&contest.loser.operation));
}

#[tokio::test]
async fn histories_can_differ_while_streams_do_not() {
    let directory = server(Behaviour::default());
    let mut maker = OpMaker::new(1);
    let chain = maker.chain(4, NOW);
    chain.iter().for_each(|op| drop(directory.publish(op)));
    let rival = maker.rival(&chain[3]).unwrap();
    let plain: Vec<_> = chain.iter().map(|op| (op.key.cid, false, NOW)).collect();
    let mut reversed = plain.clone();
    reversed.reverse();
    let mut forked = plain.clone();
    forked[3].0 = rival.key.cid;
    for (lie, expected) in [
        (Lie::NeverNullified, plain.clone()),
        (Lie::Without(chain[2].key.cid), vec![plain[0], plain[1], plain[3]]),
        (Lie::Instead(chain[3].key.cid, rival.clone()), forked),
        (Lie::Reversed, reversed),
        (Lie::OtherCreatedAt, plain.iter().map(|e| (e.0, e.1, NOW + 60_000)).collect()),
    ] {
        directory.set(|behaviour| behaviour.lies = vec![lie.clone()]);
        assert_eq!(audit(&directory, &chain[0]).await, expected, "{lie:?}");
        expect(&mut open(&directory, "?cursor=0").await, &chain).await;
    }
    directory.set(|behaviour| behaviour.lies.clear());
    assert!(directory.withdraw(chain[3].key.cid));
    assert_eq!(audit(&directory, &chain[0]).await, plain[..3]);
}

#[tokio::test]
async fn a_stream_can_skip_what_pages_and_logs_show() {
    let (directory, mut maker, _) = filled(Behaviour { unstreamed_next: 1, ..Behaviour::default() }, 0);
    let mut client = open(&directory, "").await;
    let skipped = maker.of_kind(Kind::Genesis, NOW);
    let fate = directory.publish(&skipped);
    assert_eq!(fate.outcome, Outcome::Unstreamed(Duration::ZERO));
    assert_eq!(fate.expected(LIMIT, true).explained, Some(Finding::StreamLoss));
    expect(&mut client, &publish(&directory, &mut maker, 2)).await;
    assert_eq!(get(&directory, "/export?after=0").await.2.lines().count(), 3);
    assert_eq!(audit(&directory, &skipped).await[0].0, skipped.key.cid);
}

#[tokio::test]
async fn a_chain_with_one_lost_operation_loses_all_that_follow() {
    let directory = server(Behaviour { refuses_orphans: true, ..Behaviour::default() });
    let mut maker = OpMaker::new(1);
    let (chain, other) = (maker.chain(20, NOW), maker.chain(2, NOW));
    directory.publish(&chain[0]);
    directory.set(|behaviour| behaviour.drop_next = 1);
    let fates: Vec<Fate> = chain[1..].iter().map(|op| directory.publish(op)).collect();
    assert_eq!(fates[0].outcome, Outcome::Dropped);
    assert!(fates[1..].iter().all(|fate| fate.outcome == Outcome::Refused));
    let expected: Vec<_> = fates.iter().map(|fate| fate.expected(LIMIT, true)).collect();
    assert!(expected.iter().all(|e| e.verdict == Verdict::Missed && e.explained == Some(Finding::DataLoss)));
    assert_eq!(expected.iter().filter(|e| e.follows).count(), 18);
    other.iter().for_each(|op| assert_eq!(directory.publish(op).outcome, Outcome::Delivered(Duration::ZERO)));
    let mut journal = Journal::new(LIMIT);
    fates.iter().for_each(|fate| journal.note(NOW, std::slice::from_ref(fate)));
    let truth = journal.count(NOW, NOW + 1, vec![MirrorTruth::default()]);
    assert_eq!((truth.mirrors[0].dropped, truth.mirrors[0].refused, truth.mirrors[0].missing()), (1, 18, 19));
    // A lost first operation leaves nothing of its DID.
    directory.set(|behaviour| behaviour.drop_next = 1);
    let lost = maker.chain(2, NOW).iter().map(|op| directory.publish(op)).collect::<Vec<_>>();
    assert_eq!(lost[0].expected(LIMIT, false).explained, Some(Finding::DidUnknown));
    assert_eq!(lost[1].outcome, Outcome::Refused);
}

#[tokio::test]
async fn order_and_numbers_can_be_wrong() {
    let directory = server(Behaviour { overtaken_next: 1, ..Behaviour::default() });
    let mut maker = OpMaker::new(1);
    let chain = maker.chain(4, NOW);
    let mut client = open(&directory, "").await;
    let fates: Vec<Fate> = chain.iter().map(|op| directory.publish(op)).collect();
    assert_eq!(fates[0].outcome, Outcome::Overtaken);
    let expected = fates[0].expected(LIMIT, true);
    assert_eq!((expected.verdict, expected.content), (Verdict::OnTime, Some(Finding::OrderViolation)));
    let mut keys = Vec::new();
    for _ in &chain {
        keys.push(next_frame(&mut client).await.unwrap().key);
    }
    assert_eq!(keys, [1, 0, 2, 3].map(|n: usize| chain[n].key));

    directory.set(|behaviour| behaviour.equivocate_next = 1);
    let op = maker.update_of(chain[0].key.did, NOW).unwrap();
    let fate = directory.publish(&op);
    let (first, second) = (next_frame(&mut client).await.unwrap(), next_frame(&mut client).await.unwrap());
    assert_eq!((first.key, Some(second.key), first.seq), (op.key, fate.rival, second.seq));
    assert_eq!(fate.expected(LIMIT, true).content, Some(Finding::Equivocation));
    assert!(second.key.did == op.key.did && second.key.cid != op.key.cid);

    directory.set(|behaviour| behaviour.numbering = crate::sim::behaviour::Numbering::Own);
    directory.begin_again(0);
    let regressed = publish(&directory, &mut maker, 1);
    let frame = next_frame(&mut client).await.unwrap();
    assert!(frame.key == regressed[0].key && frame.seq == Some(1) && first.seq > frame.seq);
}

#[tokio::test]
async fn a_primary_can_publish_what_breaks_the_rules() {
    let directory = server(Behaviour::default());
    let mut maker = OpMaker::new(1);
    let chain = maker.chain(2, NOW);
    let broken = Arc::new(chain[1].with_broken_signature());
    let mut client = open(&directory, "").await;
    for op in [&chain[0], &broken] {
        directory.publish(op);
        assert_eq!(next_frame(&mut client).await.unwrap().key, op.key, "a frame is true to itself");
    }
    assert_eq!(broken.prev, chain[1].prev);
}
