//! The newest operations as they come, over real sockets: what the WebSocket and the stream of events tell is the same, and is
//! what the mirrors did.

use crate::world::{World, test};
use futures_util::{SinkExt, StreamExt};
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longest wait for a message: one comes every second.
const MESSAGE_WITHIN: Duration = Duration::from_secs(10);
/// Longest wait for what the messages come to.
const WITHIN: Duration = Duration::from_secs(30);
const SUBSCRIBE: &str = r#"{"type":"subscribe","topics":["ops"]}"#;

async fn watching(world: &World) -> Socket {
    let url = format!("{}/api/v1/live", world.base_url().replace("http://", "ws://"));
    let (mut socket, _) = connect_async(url).await.unwrap();
    let hello = next(&mut socket).await;
    assert_eq!((&hello["type"], &hello["on_request"]), (&json!("hello"), &json!(["ops"])), "{hello}");
    socket.send(Message::text(SUBSCRIBE)).await.unwrap();
    socket
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        let message = timeout(MESSAGE_WITHIN, socket.next()).await.expect("a message in time").unwrap().unwrap();
        if let Message::Text(text) = message {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// What a reader knows by now: the operations by number.
#[derive(Default)]
struct Known(BTreeMap<u64, Value>);

impl Known {
    fn take(&mut self, message: &Value) {
        assert_eq!(message["type"], "ops", "{message}");
        if message["is_whole"] == true {
            self.0.clear();
        }
        for op in message["ops"].as_array().unwrap() {
            self.0.insert(op["number"].as_u64().unwrap(), op.clone());
        }
    }

    /// How many operations stand so at the mirror of this place.
    fn count(&self, mirror: usize, verdict: &str) -> usize {
        self.0.values().filter(|op| op["verdicts"][mirror] == verdict).count()
    }

    fn is_settled(&self, ops: usize) -> bool {
        self.0.len() == ops && self.count(0, "pending") + self.count(1, "pending") == 0
    }
}

#[test]
fn operations_are_told_as_they_come_with_each_mirrors_arrival() {
    test(async {
        let mirrors = vec![("faithful", Behaviour::default()), ("dropping", Behaviour::default())];
        let mut world = World::new(mirrors).watched().await;
        let mut socket = watching(&world).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut events = client.get(format!("{}/api/v1/stream?topics=ops", world.base_url())).send().await.unwrap();

        world.publish(3).await;
        world.mirror("dropping").set(|b| b.drop_next = 1);
        world.publish(5).await;
        world.settle().await;
        let ops = usize::try_from(world.published).unwrap();
        let mut known = Known::default();
        timeout(WITHIN, async {
            while !known.is_settled(ops) {
                let message = next(&mut socket).await;
                assert_eq!(message["mirrors"], json!(["faithful", "dropping"]));
                known.take(&message);
            }
        })
        .await
        .expect("everything is told and decided");
        assert_eq!((known.count(0, "missed"), known.count(1, "missed")), (0, 1), "the one that was dropped");
        for op in known.0.values() {
            let [first, second] = [&op["offsets_ms"][0], &op["offsets_ms"][1]];
            assert!(first.as_f64().is_some_and(|ms| ms.abs() < 5_000.0), "{op}");
            assert_eq!(second.is_null(), op["verdicts"][1] == "missed", "{op}");
            assert!(op["seq"].is_u64() && op["did"].as_str().unwrap().starts_with("did:plc:"), "{op}");
        }

        // The stream of events tells the same, and so does the answer that is fetched.
        let (mut same, mut rest) = (Known::default(), String::new());
        timeout(WITHIN, async {
            while same.0 != known.0 {
                let chunk = events.chunk().await.unwrap().expect("it goes on");
                rest.push_str(std::str::from_utf8(&chunk).unwrap());
                while let Some((block, after)) = rest.split_once("\n\n") {
                    let data = block.lines().find_map(|line| line.strip_prefix("data: "));
                    let is_ops = block.lines().any(|line| line == "event: ops");
                    if let Some(data) = data.filter(|_| is_ops) {
                        same.take(&serde_json::from_str(data).unwrap());
                    }
                    rest = after.to_owned();
                }
            }
        })
        .await
        .expect("both tell the same");
        let fetched = world.get("/api/v1/ops/recent").await;
        let fetched: Vec<&Value> = fetched["ops"].as_array().unwrap().iter().collect();
        assert_eq!(fetched, known.0.values().rev().collect::<Vec<_>>(), "newest first");
        world.stop().await;
    });
}

#[test]
fn messages_are_few_and_a_reader_that_does_not_read_is_told_what_it_lost() {
    test(async {
        let mut world = World::new(vec![("faithful", Behaviour::default())]).watched().await;
        let (mut slow, mut quick) = (watching(&world).await, watching(&world).await);
        next(&mut slow).await;
        let load = world.babble(Duration::from_millis(5));
        // One reads on, the other does not: it does not answer the ping behind the first message either.
        let (mut messages, mut ops) = (0, 0);
        let reading = async {
            loop {
                let message = next(&mut quick).await;
                messages += 1;
                ops += message["ops"].as_array().unwrap().len();
            }
        };
        assert!(timeout(Duration::from_secs(4), reading).await.is_err());
        assert!((4..=20).contains(&messages), "about four a second: {messages}");
        assert!(ops > 100, "{ops}");
        let mut lagged = None;
        timeout(WITHIN, async {
            while lagged.is_none() {
                let message = next(&mut slow).await;
                lagged = message["lagged"].as_u64();
            }
        })
        .await
        .expect("it is told");
        assert!(lagged.is_some_and(|n| n >= 2), "{lagged:?}");
        let whole = next(&mut slow).await;
        assert_eq!((&whole["is_whole"], whole["ops"].as_array().unwrap().len()), (&json!(true), 200));
        world.hush(load).await;
        sleep(Duration::from_millis(10)).await;
        world.stop().await;
    });
}
