//! Several observers of the same mirrors, each a process of its own: what one of them alone misses is held against its path,
//! what all of them miss against the mirror, and whoever could not see has no voice.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::HEXLOWER;
use futures_util::{SinkExt, StreamExt};
use mirrorwatch::config::{Config, SourceConfig};
use mirrorwatch::logux::ActionId;
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

use crate::world::process::{Process, write_config};
use crate::world::stalls::Patience;
use crate::world::{PATIENCE, World, test};

/// The token by which logs are handed on.
const TOKEN: &str = "token-of-the-relay";
/// Between two operations while something is waited for.
const SLOWLY: Duration = Duration::from_millis(100);

/// A path to a server, which may come to lead elsewhere or nowhere.
struct Route {
    port: u16,
    /// Where new connections lead, and what cuts those that there are.
    now: Arc<Mutex<(Option<SocketAddr>, CancellationToken)>>,
}

impl Route {
    async fn to(server: SocketAddr) -> Route {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let route = Route {
            port: listener.local_addr().unwrap().port(),
            now: Arc::new(Mutex::new((Some(server), CancellationToken::new()))),
        };
        let now = Arc::clone(&route.now);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (to, cut) = now.lock().unwrap().clone();
                let Some(to) = to else { continue };
                tokio::spawn(async move {
                    let passing = async {
                        let mut far = TcpStream::connect(to).await?;
                        copy_bidirectional(&mut near, &mut far).await
                    };
                    tokio::select! {
                        () = cut.cancelled() => {}
                        _ = passing => {}
                    }
                });
            }
        });
        route
    }

    /// Leads new connections there; those that there are go on.
    fn lead(&self, server: SocketAddr) {
        self.now.lock().unwrap().0 = Some(server);
    }

    /// Ends every connection, and leads nowhere.
    fn cut(&self) {
        std::mem::take(&mut *self.now.lock().unwrap()).1.cancel();
    }
}

/// An observer.
struct Vantage {
    process: Process,
    /// How much of its log was handed on.
    handed_on: i64,
}

impl Vantage {
    /// Starts it and waits until all of its links are up.
    async fn start(dir: &Path, id: &str, config: &Config) -> Vantage {
        let dir = dir.join(id);
        std::fs::create_dir(&dir).unwrap();
        let config = Config { data_dir: dir.join("data"), ..config.clone() };
        let file = write_config(&dir, &config);
        let mut value: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let sha256 = HEXLOWER.encode(&Sha256::digest(TOKEN.as_bytes()));
        value["nodes"] = json!({ "id": id, "tokens": [{ "user": "relay", "role": "node", "sha256": sha256 }] });
        #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
        std::fs::write(&file, value.to_string()).unwrap();
        let vantage = Vantage { process: Process::start(&file).await, handed_on: 0 };
        vantage.until("every link is up", |o| is_up(&o["primary"]) && rows(o).iter().all(is_up)).await;
        vantage
    }

    async fn get(&self, path: &str) -> Value {
        let answer = reqwest::get(format!("http://{}{path}", self.process.address)).await.unwrap();
        let mut page: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        page["data"].take()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        let patience = Patience::of(PATIENCE);
        loop {
            let overview = self.get("/api/v1/overview").await;
            if is_so(&overview) {
                return;
            }
            assert!(!patience.is_over(), "{what}: {overview}");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }
}

fn rows(page: &Value) -> &Vec<Value> {
    page["mirrors"].as_array().unwrap()
}

fn is_up(row: &Value) -> bool {
    row["link"]["state"] == "synchronized"
}

/// A node that hands on to an observer what others logged.
struct Relay {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The time from which the times of this connection are counted.
    base_ms: i64,
    sent: u64,
}

impl Relay {
    async fn to(vantage: &Vantage) -> Relay {
        let (socket, _) = connect_async(format!("ws://{}/api/v1/sync", vantage.process.address)).await.unwrap();
        let mut relay = Relay { socket, base_ms: 0, sent: 0 };
        relay.send(&json!(["connect", 7, "relay:1", 0, { "token": TOKEN }])).await;
        let connected = relay.next("connected").await;
        relay.base_ms = connected[3][1].as_i64().unwrap();
        relay
    }

    async fn send(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message of this type.
    async fn next(&mut self, kind: &str) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.unwrap().unwrap().unwrap();
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            match message[0].as_str().unwrap() {
                "error" => panic!("{message}"),
                "ping" => self.send(&json!(["pong", self.sent])).await,
                "sync" => self.send(&json!(["synced", message[1]])).await,
                other if other == kind => return message,
                _ => {}
            }
        }
    }

    /// Hands on what is new in the log, and waits until it is kept.
    async fn hand_on(&mut self, from: &mut Vantage) {
        loop {
            let path = format!("/api/v1/log?after={}&limit=50&type=mirrorwatch/*", from.handed_on);
            let page = from.get(&path).await;
            let mut message = vec![json!("sync"), json!(0)];
            for action in page["actions"].as_array().unwrap() {
                let id = ActionId::from_five(action["id"].as_str().unwrap()).unwrap();
                let time = action["time"].as_i64().unwrap() - self.base_ms;
                message.extend([action["action"].clone(), json!({ "id": id.to_seven(), "time": time })]);
            }
            if message.len() > 2 {
                self.sent += 1;
                message[1] = self.sent.into();
                self.send(&message.into()).await;
                while self.next("synced").await[1] != self.sent {}
            }
            from.handed_on = page["through"].as_i64().unwrap();
            if page["through"] == page["head"] {
                return;
            }
        }
    }
}

/// Publishes slowly until `n` more intervals have begun.
async fn intervals_later(world: &mut World, n: i64) {
    let (now, interval_ms) = (world.now_ms(), world.config.judging.interval.as_millis() as i64);
    let until = now() / interval_ms + n;
    while now() / interval_ms < until {
        world.publish_every(1, SLOWLY, None).await;
    }
}

fn mirror<'a>(page: &'a Value, url: &str) -> &'a Value {
    let of_url = |row: &&Value| url.trim_end_matches('/').ends_with(row["url"].as_str().unwrap());
    rows(page).iter().find(of_url).unwrap_or(&Value::Null)
}

#[test]
fn a_bad_path_is_no_fault_of_the_mirror_and_a_loss_that_all_see_is() {
    test(async {
        let behaviour = Behaviour::default;
        let mut world = World::new(vec![("well", behaviour()), ("spoilt", behaviour()), ("lossy", behaviour())]);
        let route = Route::to(world.mirror("well").address()).await;
        let primary_of_b = Route::to(world.primary.address()).await;
        let source = |id: &str, port| SourceConfig::for_testing(id, port).unwrap();
        let lossy = world.mirror("lossy").address().port();
        world.config.mirrors = vec![source("well", route.port), source("lossy", lossy)];
        let [well, lossy] = [0, 1].map(|n| world.config.mirrors[n].url.to_string());
        let config = world.config.clone();

        let mut a = Vantage::start(world.dir(), "a", &config).await;
        let apart = Config { primary: source("primary", primary_of_b.port), ..config.clone() };
        let mut b = Vantage::start(world.dir(), "b", &apart).await;
        // From here on, the way to the mirror loses what this server does not send.
        route.lead(world.mirror("spoilt").address());
        let c = Vantage::start(world.dir(), "c", &config).await;
        intervals_later(&mut world, 2).await;

        world.mirror("spoilt").set(|behaviour| behaviour.drop_next = 3);
        world.mirror("lossy").set(|behaviour| behaviour.drop_next = 2);
        world.publish(3).await;
        intervals_later(&mut world, 2).await;

        primary_of_b.cut();
        b.until("its primary is away", |o| !is_up(&o["primary"])).await;
        world.mirror("lossy").set(|behaviour| behaviour.drop_next = 4);
        world.publish(4).await;
        primary_of_b.lead(world.primary.address());
        b.until("its primary is back", |o| is_up(&o["primary"])).await;

        let mut relay = Relay::to(&c).await;
        let patience = Patience::of(2 * PATIENCE);
        let page = loop {
            world.publish_every(5, SLOWLY, None).await;
            relay.hand_on(&mut a).await;
            relay.hand_on(&mut b).await;
            let page = c.get("/api/v1/vantages").await;
            let counts = [&well, &lossy].map(|url| mirror(&page, url)["missed_ops"].clone());
            let is_told = counts.iter().all(|counts| counts["awaited"] == 0);
            if is_told && counts[0]["path"] == 3 && counts[1]["mirror"] == 6 {
                break page;
            }
            assert!(!patience.is_over(), "{page:#}");
        };

        let (well, lossy) = (mirror(&page, &well), mirror(&page, &lossy));
        assert_eq!((&well["verdict"], &well["missed_ops"]["mirror"]), (&json!("path"), &json!(0)), "{well:#}");
        for miss in well["misses"].as_array().unwrap() {
            assert_eq!((&miss["missing"], &miss["having"]), (&json!(["c"]), &json!(["a", "b"])), "{miss:#}");
        }
        assert_eq!((&lossy["verdict"], &lossy["missed_ops"]["path"]), (&json!("mirror"), &json!(0)), "{lossy:#}");
        let voiceless = json!([{ "id": "b", "why": "primary_down" }]);
        let misses = lossy["misses"].as_array().unwrap();
        let (by_two, by_three): (Vec<&Value>, Vec<_>) = misses.iter().partition(|miss| miss["silent"] == voiceless);
        assert_eq!((by_two.len(), by_three.len()), (4, 2), "{lossy:#}");
        assert!(by_two.iter().all(|miss| miss["missing"] == json!(["a", "c"])), "{lossy:#}");
        assert!(by_three.iter().all(|miss| miss["missing"] == json!(["a", "b", "c"])), "{lossy:#}");

        let decided = |row: &Value| row["figures"][2]["decided"].as_u64().unwrap();
        let of_each: Vec<u64> = lossy["vantages"].as_array().unwrap().iter().map(decided).collect();
        assert_eq!((of_each.len(), decided(lossy)), (3, of_each.iter().sum()), "counts add exactly");
    });
}
