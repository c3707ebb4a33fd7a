//! The habits of each software as its client meets them.

use super::*;
use crate::domain::op::Kind;
use futures_util::SinkExt;

fn refused(result: Result<Client, Error>) -> u16 {
    match result {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

async fn health(directory: &Directory) -> serde_json::Value {
    serde_json::from_str(&get(directory, "/_health").await.2).unwrap()
}

/// Publishes, and waits until the server shows all of it.
async fn filled_up(behaviour: Behaviour, count: usize) -> (Directory, OpMaker, Vec<Arc<SimOp>>) {
    let (directory, maker, ops) = filled(behaviour, count);
    soon(async {
        while directory.last_seq() == 0 || directory.appeared_us().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    (directory, maker, ops)
}

#[tokio::test]
async fn the_fjall_fork_sorts_refuses_early_and_hears_nothing() {
    let (directory, mut maker, ops) = filled(Behaviour::fjall_fork(), 4);
    let mut client = open(&directory, "?cursor=0").await;
    let Message::Text(text) = next(&mut client).await else { panic!("no text") };
    let keys: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(text.starts_with(r#"{"cid":"#) && keys["nullified"] == false, "{text}");
    expect(&mut client, &ops[1..]).await;

    directory.set(|behaviour| behaviour.oldest_cursor = ops[1].seq);
    for cursor in [ops[0].seq, ops[3].seq + 1] {
        assert_eq!(refused(try_open(&directory, &format!("?cursor={cursor}")).await), 400);
    }
    assert_eq!(health(&directory).await["latest_seq"], ops[3].seq);
    assert_eq!(get(&directory, "/export?after=2023-01-01T00:00:00.000Z").await.0, 400);
    assert_eq!(get(&directory, "/export?after=0").await.2.lines().count(), 4);

    // Neither a pong nor the echo of a close: what comes is the next operation.
    client.send(Message::Ping(b"hello".as_slice().into())).await.unwrap();
    client.send(Message::Close(None)).await.unwrap();
    let more = publish(&directory, &mut maker, 1);
    let Some(Ok(Message::Text(text))) = soon(client.next()).await else { panic!("no operation") };
    assert_eq!(read(&text, Shape::Sequenced).unwrap().key, more[0].key);
    assert_eq!((directory.received().pings, directory.received().open_streams), (0, 1));
}

#[tokio::test]
async fn allegedly_promises_a_stream_and_serves_pages_in_both_forms() {
    let (directory, _, ops) = filled_up(Behaviour::allegedly(), 3).await;
    assert_eq!(ending(&mut try_open(&directory, "").await.unwrap()).await, None);
    let by_seq = get(&directory, "/export?after=0").await.2;
    let seqs: Vec<_> = by_seq.lines().map(|line| read(line, Shape::Sequenced).unwrap().seq).collect();
    assert_eq!(seqs, [Some(1), Some(2), Some(3)], "numbers of its own");
    let time = crate::domain::time::rfc3339_ms(ops[0].created_ms);
    let by_time = get(&directory, &format!("/export?after={time}")).await.2;
    for (line, op) in by_time.lines().zip(&ops[1..]) {
        let line_keys: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let mut keys: Vec<_> = line_keys.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["cid", "createdAt", "did", "nullified", "operation"]);
        assert_eq!(read(line, Shape::Legacy).unwrap().key, op.key);
    }
    assert_eq!(by_time.lines().count(), 2);
    assert_eq!(health(&directory).await["latest_at"], crate::domain::time::rfc3339_ms(ops[2].created_ms));
}

#[tokio::test]
async fn a_plcbundle_server_replays_its_mempool_without_numbers() {
    let (directory, mut maker, ops) = filled_up(Behaviour { replay_on_connect: 2, ..Behaviour::plcbundle() }, 3).await;
    assert_eq!(refused(try_open(&directory, "").await), 404);
    let connect = async |query: &str| soon(connect_async(format!("{}/ws{query}", directory.url()))).await.unwrap().0;
    let bundle = async |client: &mut Client| match next(client).await {
        Message::Text(text) => {
            let mut frame: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
            assert!(!frame.contains_key("seq") && !frame.contains_key("type") && !frame.contains_key("createdAt"));
            let created = frame.remove("created_at").unwrap();
            frame.insert("createdAt".to_owned(), created);
            read(&serde_json::to_string(&frame).unwrap(), Shape::Legacy).unwrap().key
        }
        other => panic!("{other:?}"),
    };
    let mut replayed = connect("").await;
    assert!(matches!(soon(replayed.next()).await, Some(Ok(Message::Text(_)))), "operations come first");
    assert!(matches!(soon(replayed.next()).await, Some(Ok(Message::Text(_)))));
    assert!(matches!(soon(replayed.next()).await, Some(Ok(Message::Ping(_)))), "it pings by itself");
    let mut replayed = connect("").await;
    let mut from_record = connect("?cursor=1").await;
    let mut ahead = connect("?cursor=9").await;
    for op in &ops[1..] {
        assert_eq!(bundle(&mut replayed).await, op.key);
        assert_eq!(bundle(&mut from_record).await, op.key);
    }
    directory.set(|behaviour| behaviour.delay = Default::default());
    let new = publish(&directory, &mut maker, 1);
    for client in [&mut replayed, &mut from_record, &mut ahead] {
        assert_eq!(bundle(client).await, new[0].key);
    }
    let (status, _, body) = get(&directory, "/status").await;
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &said["mempool"]["count"]), (200, &4.into()));
    for absent in ["/_health", "/export", "/export?after=0"] {
        assert_eq!(get(&directory, absent).await.0, 404, "{absent}");
    }
    assert_eq!(get(&directory, &format!("/{}/log/audit", ops[0].key.did)).await.0, 200);
}

#[tokio::test]
async fn a_replica_has_logs_and_documents_only() {
    let directory = server(Behaviour::plc_replica());
    let mut maker = OpMaker::new(1);
    let alive = maker.of_kind(Kind::Genesis, NOW);
    directory.publish(&alive);
    for path in ["/export/stream", "/ws"] {
        let answer = soon(connect_async(format!("{}{path}", directory.url()))).await.map(|(client, _)| client);
        assert_eq!(refused(answer), 404, "{path}");
    }
    assert_eq!(get(&directory, "/export").await.0, 404);
    let did = alive.key.did;
    let (status, head, body) = get(&directory, &format!("/{did}")).await;
    assert!(status == 200 && head.contains("application/did+json") && body.contains(&did.to_string()));
    let tombstone = maker.of_kind(Kind::Tombstone, NOW + 1);
    directory.publish(&tombstone);
    for gone in ["", "/data"] {
        assert_eq!(get(&directory, &format!("/{did}{gone}")).await.0, 410, "{gone}");
    }
    assert_eq!(get(&directory, &format!("/{did}/log/last")).await.2, tombstone.operation);
    let log: Vec<serde_json::Value> = serde_json::from_str(&get(&directory, &format!("/{did}/log")).await.2).unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(health(&directory).await["lastCommittedOpTime"], crate::domain::time::rfc3339_ms(NOW + 1));
    // The reference server says 404 there, and the mirrors that have documents only have no logs.
    directory.set(|behaviour| *behaviour = Behaviour::default());
    assert_eq!(get(&directory, &format!("/{did}")).await.0, 404);
    directory.set(|behaviour| *behaviour = Behaviour::plc_mirror());
    for absent in ["/log", "/log/last", "/log/audit"] {
        assert_eq!(get(&directory, &format!("/{did}{absent}")).await.0, 404, "{absent}");
    }
}
