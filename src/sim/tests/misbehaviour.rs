//! What a server does to operations, frames and pages when it is told to.

use super::*;
use crate::domain::op::Kind;
use crate::sim::behaviour::{Alteration, Delay, Export, Numbering, Style};
use crate::sim::garbage::Garbage;
use crate::sim::server::Outcome;
use futures_util::SinkExt;

#[tokio::test]
async fn pings_are_answered_unless_the_server_is_deaf() {
    let directory = server(Behaviour::default());
    let mut client = open(&directory, "").await;
    client.send(Message::Ping(b"hello".as_slice().into())).await.unwrap();
    assert!(matches!(soon(client.next()).await, Some(Ok(Message::Pong(echo))) if echo == b"hello".as_slice()));
    assert_eq!(directory.received().pings, 1);

    directory.set(|behaviour| behaviour.answers_pings = false);
    let mut client = open(&directory, "").await;
    client.send(Message::Ping(b"hello".as_slice().into())).await.unwrap();
    // What is published afterwards comes, and no pong before it.
    let ops = publish(&directory, &mut OpMaker::new(1), 1);
    let Some(Ok(Message::Text(text))) = soon(client.next()).await else { panic!("no operation") };
    assert_eq!(read(&text, Shape::Sequenced).unwrap().key, ops[0].key);
    assert_eq!(directory.received().pings, 1);
}

#[tokio::test]
async fn operations_are_dropped_delayed_and_overtaken() {
    let directory = server(Behaviour { drop_next: 2, ..Behaviour::default() });
    let mut maker = OpMaker::new(1);
    let mut client = open(&directory, "").await;
    let ops = publish(&directory, &mut maker, 4);
    expect(&mut client, &ops[2..]).await;
    let marked = maker.next(NOW);
    directory.set(|behaviour| {
        behaviour.drop_cids.insert(marked.key.cid);
    });
    assert_eq!(directory.publish(&marked).outcome, Outcome::Dropped);

    let delay = Delay { fixed_ms: 30, jitter_ms: 0, straggler_share: 0.0, straggler_ms: 0, keep_order: false };
    directory.set(|behaviour| {
        *behaviour = Behaviour { delay, numbering: Numbering::Own, ..Behaviour::default() };
    });
    let late = maker.next(NOW);
    assert_eq!(directory.publish(&late).outcome, Outcome::Delivered(Duration::from_millis(30)));
    directory.set(|behaviour| behaviour.delay = Delay::default());
    let early = maker.next(NOW);
    directory.publish(&early);
    let order = [next_frame(&mut client).await.unwrap(), next_frame(&mut client).await.unwrap()];
    assert_eq!(order.map(|op| op.key), [early.key, late.key]);
    assert!(order[0].seq < order[1].seq, "its own numbers rise in its own order");
    assert!(directory.appeared_us().last().is_some_and(|us| (30_000..1_000_000).contains(us)));

    directory.set(|behaviour| behaviour.delay = Delay { keep_order: true, ..delay });
    let slow = maker.next(NOW);
    directory.publish(&slow);
    directory.set(|behaviour| behaviour.delay = Delay { keep_order: true, ..Delay::default() });
    let quick = maker.next(NOW);
    directory.publish(&quick);
    let order = [next_frame(&mut client).await.unwrap().key, next_frame(&mut client).await.unwrap().key];
    assert_eq!(order, [slow.key, quick.key]);
}

#[tokio::test]
async fn the_share_of_drops_is_the_one_asked_for() {
    let directory = server(Behaviour { drop_share: 0.1, ..Behaviour::default() });
    let op = OpMaker::new(1).next(NOW);
    let dropped = (0..4_000).filter(|_| directory.publish(&op).outcome == Outcome::Dropped).count();
    // Five standard deviations.
    assert!((305..=495).contains(&dropped), "{dropped}");
}

#[tokio::test]
async fn operations_are_invented_and_altered() {
    let directory = server(Behaviour { invent_share: 1.0, ..Behaviour::default() });
    let mut maker = OpMaker::new(1);
    let mut client = open(&directory, "").await;
    let genesis = maker.of_kind(Kind::Genesis, NOW);
    let invented = directory.publish(&genesis).invented.unwrap();
    assert_eq!(next_frame(&mut client).await.unwrap().key, genesis.key);
    let extra = next_frame(&mut client).await.unwrap();
    assert_eq!(extra.key, invented);
    let update = maker.of_kind(Kind::Update, NOW);
    assert!(update.seq > extra.seq.unwrap(), "there is room between the directory's numbers");

    for alteration in [Alteration::Content, Alteration::CreatedAt, Alteration::Did] {
        directory.set(|behaviour| {
            (behaviour.invent_share, behaviour.alter_share, behaviour.alterations) = (0.0, 1.0, vec![alteration]);
        });
        assert_eq!(directory.publish(&update).outcome, Outcome::Altered(alteration, Duration::ZERO));
        match (alteration, next_frame(&mut client).await) {
            (Alteration::Content, Err(Reject::CidMismatch(claim))) => assert_eq!(claim.key, update.key),
            (Alteration::CreatedAt, Ok(op)) => {
                assert_eq!((op.key, op.created_ms - update.created_ms), (update.key, 60_000));
            }
            (Alteration::Did, Ok(op)) => {
                assert!(op.key.cid == update.key.cid && op.key.did != update.key.did);
            }
            other => panic!("{other:?}"),
        }
    }
    // A genesis under another DID would be refused for that alone.
    assert_eq!(directory.publish(&genesis).outcome, Outcome::Altered(Alteration::Content, Duration::ZERO));
}

#[tokio::test]
async fn frames_come_in_other_styles_twice_and_broken() {
    let style = Style { sorted_keys: true, offset_time: true, ..Style::default() };
    let (directory, mut maker, ops) = filled(Behaviour { style, ..Behaviour::default() }, 3);
    let mut client = open(&directory, "?cursor=0").await;
    let Message::Text(text) = next(&mut client).await else { panic!("no text") };
    assert!(text.starts_with(r#"{"cid":"#) && text.contains(r#""nullified":false"#) && text.contains("+00:00"));
    assert_eq!(read(&text, Shape::Sequenced).unwrap().key, ops[0].key);
    expect(&mut client, &ops[1..]).await;

    directory.replay(2);
    expect(&mut client, &ops[1..]).await;
    directory.set(|behaviour| behaviour.duplicate_share = 1.0);
    let twice = publish(&directory, &mut maker, 1);
    expect(&mut client, &[twice[0].clone(), twice[0].clone()]).await;
    directory.set(|behaviour| behaviour.duplicate_share = 0.0);

    for garbage in Garbage::ALL {
        directory.send_raw(garbage.frame(&ops[0], 1));
        match next(&mut client).await {
            Message::Text(text) => assert!(text.len() > 262_144 || read(&text, Shape::Sequenced).is_err(), "{text}"),
            other => assert!(matches!(other, Message::Binary(_))),
        }
    }
    directory.set(|behaviour| behaviour.garbage_share = 1.0);
    let beside = publish(&directory, &mut maker, 1);
    expect(&mut client, &beside).await;
    assert!(next(&mut client).await.is_binary());
    // Who connects later sees operations only.
    let mut later = open(&directory, "?cursor=0").await;
    expect(&mut later, &ops).await;
    expect(&mut later, &twice).await;
    expect(&mut later, &beside).await;
}

#[tokio::test]
async fn a_server_can_stall_replay_and_begin_a_new_epoch() {
    let (directory, mut maker, ops) = filled(Behaviour { stalled: true, ..Behaviour::default() }, 3);
    let mut client = open(&directory, "?cursor=0").await;
    assert!(tokio::time::timeout(Duration::from_millis(50), client.next()).await.is_err());
    directory.set(|behaviour| behaviour.stalled = false);
    expect(&mut client, &ops).await;

    directory.set(|behaviour| behaviour.replay_on_connect = 2);
    expect(&mut open(&directory, "").await, &ops[1..]).await;

    directory.set(|behaviour| behaviour.numbering = Numbering::Own);
    directory.begin_again(0);
    publish(&directory, &mut maker, 1);
    assert_eq!(next_frame(&mut client).await.unwrap().seq, Some(1));
    assert_eq!(get(&directory, "/export?after=0").await.2.lines().count(), 1);
}

#[tokio::test]
async fn pages_can_fail_be_absent_or_lag_behind_the_stream() {
    let (directory, _, _) = filled(Behaviour::default(), 3);
    let refusal = Refusal { status: 429, retry_after_s: Some(3) };
    directory.set(|behaviour| behaviour.export = Export::Fail { times: 2, refusal });
    for expected in [429, 429, 200] {
        let (status, head, _) = get(&directory, "/export?after=0").await;
        assert_eq!((status, head.contains("Retry-After: 3")), (expected, expected == 429));
    }
    directory.set(|behaviour| behaviour.export_lag = Duration::from_mins(1));
    assert_eq!(get(&directory, "/export?after=0").await.2, "");
    directory.set(|behaviour| behaviour.export = Export::Absent);
    assert_eq!(get(&directory, "/export?after=0").await.0, 404);
}
