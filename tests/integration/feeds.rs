//! The live notices as server-sent events, over real sockets: what a reader is told, when it comes back, and at the end.

use crate::world::{World, test};
use mirrorwatch::sim::behaviour::Behaviour;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for an event: pages change at least once in a few seconds.
const EVENT_WITHIN: Duration = Duration::from_secs(20);

/// One event.
#[derive(Debug)]
struct Event {
    id: Option<String>,
    name: String,
    data: Value,
}

/// Reads events one by one.
struct Events {
    response: Response,
    rest: String,
}

impl Events {
    async fn open(request: RequestBuilder) -> Events {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events { response, rest: String::new() }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.rest = rest;
                let field = |name: &str| block.lines().find_map(|l| l.strip_prefix(name)).map(ToOwned::to_owned);
                let Some(data) = field("data: ") else { continue };
                let name = field("event: ").expect("an event has a name");
                return Some(Event { id: field("id: "), name, data: serde_json::from_str(&data).unwrap() });
            }
            let chunk = timeout(EVENT_WITHIN, self.response.chunk()).await.expect("no event in time").ok()??;
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn of(&mut self, topic: &str) -> Event {
        loop {
            let event = self.next().await.expect("it goes on");
            if event.data["topic"] == topic {
                return event;
            }
        }
    }
}

#[test]
fn a_reader_is_told_of_changes_and_comes_back_without_a_loss() {
    test(async {
        let mut world = World::new(vec![("faithful", Behaviour::default())]).watched().await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/api/v1/stream", world.base_url());
        let mut events = Events::open(client.get(&url)).await;
        let hello = events.next().await.unwrap();
        assert_eq!((hello.name.as_str(), &hello.data["type"]), ("hello", &"hello".into()));
        let known = hello.data["topics"]["overview"].as_u64().unwrap();
        world.publish(5).await;
        let notice = events.of("overview").await;
        assert!(notice.name == "revision" && notice.data["revision"].as_u64().unwrap() > known, "{notice:?}");
        let id = notice.id.unwrap();
        drop(events);

        // What changes while it is away it is told at once when it comes back.
        world.publish(5).await;
        world.settle().await;
        let mut again = Events::open(client.get(&url).header("last-event-id", &id)).await;
        assert_eq!(again.next().await.unwrap().name, "hello");
        let missed = again.of("overview").await;
        assert!(missed.data["revision"].as_u64() > notice.data["revision"].as_u64(), "{missed:?}");

        // Only what it wants, and no topic that is none.
        let mut few = Events::open(client.get(format!("{url}?topics=overview,events"))).await;
        assert_eq!(few.next().await.unwrap().name, "hello");
        world.publish(3).await;
        for _ in 0..3 {
            let topic = few.next().await.unwrap().data["topic"].clone();
            assert!(topic == "overview" || topic == "events", "{topic}");
        }
        let refused = client.get(format!("{url}?topics=overview,none")).send().await.unwrap();
        assert_eq!(refused.status(), 400);
        let problem: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
        assert_eq!(problem["code"], "bad_topics");
        assert!(problem["allowed"].as_array().unwrap().contains(&"overview".into()), "{problem}");
        let refused = client.get(&url).header("accept", "application/json").send().await.unwrap();
        assert_eq!(refused.status(), 406);

        // At the end every reader is told so.
        world.stop().await;
        let mut last = None;
        while let Some(event) = again.next().await {
            last = Some(event);
        }
        assert_eq!(last.unwrap().name, "bye");
    });
}
