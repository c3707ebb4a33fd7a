//! Several observers of the same mirrors, each a process of its own: what one of them alone misses is held against its path,
//! what all of them miss against the mirror, and whoever could not see has no voice.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::HEXLOWER;
use futures_util::{SinkExt, StreamExt};
use mirrorwatch::config::{Config, SourceConfig};
use mirrorwatch::domain::op::OpKey;
use mirrorwatch::domain::time::rfc3339_ms;
use mirrorwatch::domain::vantage::Shown;
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
use crate::world::{PACE, PATIENCE, World, test};

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
    /// Its configuration.
    file: PathBuf,
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
        let vantage = Vantage { process: Process::start(&file).await, file, handed_on: 0 };
        vantage.until("every link is up", |o| is_up(&o["primary"]) && rows(o).iter().all(is_up)).await;
        vantage
    }

    /// Kills it, and starts it again with what it kept.
    async fn start_again(&mut self) {
        self.process.kill();
        self.process = Process::start(&self.file).await;
    }

    async fn get(&self, path: &str) -> Value {
        let answer = reqwest::get(format!("http://{}{path}", self.process.address)).await.unwrap();
        let mut page: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        page["data"].take()
    }

    /// Waits for an event of a differing primary that ends with these words.
    async fn is_told(&self, words: &str) {
        let patience = Patience::of(PATIENCE);
        loop {
            let page = self.get("/api/v1/events").await;
            let is_it = |e: &Value| e["kind"] == "primary_differs" && e["text"].as_str().unwrap().ends_with(words);
            if page["events"].as_array().unwrap().iter().any(is_it) {
                return;
            }
            assert!(!patience.is_over(), "{page:#}");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
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

    /// Hands on an action of this observer that was made `n` ms before now, and waits until it is kept.
    async fn tell(&mut self, node: &str, n: u64, action: &Value) {
        let id = ActionId { ms: self.base_ms as u64 - n, node: node.to_owned(), counter: 0 };
        self.sent += 1;
        let meta = json!({ "id": id.to_seven(), "time": -(n as i64) });
        self.send(&json!(["sync", self.sent, action, meta])).await;
        while self.next("synced").await[1] != self.sent {}
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

/// Operations that were published one after another, and when the last of them was.
struct Published {
    keys: Vec<OpKey>,
    until_ms: i64,
}

impl Published {
    async fn now(world: &mut World, n: usize) -> Published {
        let now = world.now_ms();
        let mut keys = Vec::new();
        for _ in 0..n {
            let op = world.maker().next(now());
            world.hand_out(&op);
            keys.push(op.key);
            tokio::time::sleep(PACE).await;
        }
        Published { keys, until_ms: now() }
    }

    /// The misses of the first `n` of them at a mirror; none where an observer could not see one of them, as when the machine
    /// stopped it.
    fn misses<'a>(&self, row: &'a Value, n: usize, silent: &Value) -> Option<Vec<&'a Value>> {
        let of_key = |key: &OpKey| {
            let cid = key.cid.to_string();
            let miss = row["misses"].as_array().unwrap().iter().find(|miss| miss["cid"] == cid);
            miss.filter(|miss| miss["silent"] == *silent && miss["awaited"] == json!([]))
        };
        self.keys.iter().take(n).map(of_key).collect()
    }
}

/// Two observers that are handed on to a third, and what this one says.
struct Three<'a> {
    handed_on: [&'a mut Vantage; 2],
    page_of: &'a Vantage,
    relay: Relay,
    /// The mirrors: one that is well, and one that loses.
    well: String,
    lossy: String,
}

impl Three<'_> {
    /// What the third says once the figures of all three are final for longer than what was published. Whatever the machine
    /// does meanwhile, nobody innocent is blamed.
    async fn page_behind(&mut self, world: &mut World, published: &Published) -> Value {
        let behind = rfc3339_ms(published.until_ms + 3_000);
        let is_final = |row: &Value| {
            let through = |at: &Value| at["through_at"].as_str().is_some_and(|through| *through > *behind);
            row["vantages"].as_array().is_some_and(|at| at.len() == 3 && at.iter().all(through))
        };
        let patience = Patience::of(2 * PATIENCE);
        loop {
            world.publish_every(5, SLOWLY, None).await;
            for vantage in &mut self.handed_on {
                self.relay.hand_on(vantage).await;
            }
            let page = self.page_of.get("/api/v1/vantages").await;
            let (well, lossy) = (mirror(&page, &self.well), mirror(&page, &self.lossy));
            nobody_innocent_is_blamed(well, lossy);
            if is_final(well) && is_final(lossy) {
                return page;
            }
            assert!(!patience.is_over(), "{page:#}");
        }
    }
}

fn nobody_innocent_is_blamed(well: &Value, lossy: &Value) {
    for (row, counts) in [(well, ["mirror", "paths"]), (lossy, ["path", "paths"])] {
        let blamed = counts.map(|count| row["missed_ops"][count].as_u64().unwrap_or(0));
        assert_eq!(blamed, [0, 0], "{counts:?}: {row:#}");
    }
    for (row, having) in [(well, json!(["a", "b"])), (lossy, json!([]))] {
        let having = having.as_array().unwrap();
        for miss in row["misses"].as_array().into_iter().flatten() {
            assert!(miss["having"].as_array().unwrap().iter().all(|id| having.contains(id)), "{miss:#}");
        }
    }
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
        let relay = Relay::to(&c).await;
        let mut three = Three { handed_on: [&mut a, &mut b], page_of: &c, relay, well, lossy };
        intervals_later(&mut world, 2).await;

        // Again while the machine keeps one of them from seeing all of it.
        let patience = Patience::of(4 * PATIENCE);
        loop {
            world.mirror("spoilt").set(|behaviour| behaviour.drop_next = 3);
            world.mirror("lossy").set(|behaviour| behaviour.drop_next = 2);
            let published = Published::now(&mut world, 3).await;
            let page = three.page_behind(&mut world, &published).await;
            let (well, lossy) = (mirror(&page, &three.well), mirror(&page, &three.lossy));
            let (by_path, by_all) = (published.misses(well, 3, &json!([])), published.misses(lossy, 2, &json!([])));
            if let (Some(by_path), Some(by_all)) = (by_path, by_all) {
                assert_eq!(well["verdict"], "path", "{well:#}");
                assert!(by_path.iter().all(|miss| miss["missing"] == json!(["c"])), "{well:#}");
                assert!(by_path.iter().all(|miss| miss["having"] == json!(["a", "b"])), "{well:#}");
                assert_eq!(lossy["verdict"], "mirror", "{lossy:#}");
                assert!(by_all.iter().all(|miss| miss["missing"] == json!(["a", "b", "c"])), "{lossy:#}");
                break;
            }
            assert!(!patience.is_over(), "{page:#}");
        }

        let patience = Patience::of(4 * PATIENCE);
        loop {
            primary_of_b.cut();
            three.handed_on[1].until("its primary is away", |o| !is_up(&o["primary"])).await;
            world.mirror("lossy").set(|behaviour| behaviour.drop_next = 4);
            let published = Published::now(&mut world, 4).await;
            primary_of_b.lead(world.primary.address());
            three.handed_on[1].until("its primary is back", |o| is_up(&o["primary"])).await;
            let page = three.page_behind(&mut world, &published).await;
            let lossy = mirror(&page, &three.lossy);
            let voiceless = json!([{ "id": "b", "why": "primary_down" }]);
            if let Some(by_two) = published.misses(lossy, 4, &voiceless) {
                assert!(by_two.iter().all(|miss| miss["missing"] == json!(["a", "c"])), "{lossy:#}");
                let decided = |row: &Value| row["figures"][2]["decided"].as_u64().unwrap();
                let of_each: Vec<u64> = lossy["vantages"].as_array().unwrap().iter().map(decided).collect();
                assert_eq!((of_each.len(), decided(lossy)), (3, of_each.iter().sum()), "counts add exactly");
                break;
            }
            assert!(!patience.is_over(), "{page:#}");
        }
    });
}

/// The digest of a block, and its operations one by one, as an observer tells them that was shown these.
fn block_of(keys: impl Iterator<Item = (u16, OpKey)>) -> [Value; 2] {
    let shown = Shown::of(keys.collect()).unwrap();
    let (digest, primary) = (shown.digest(), "wss://primary.example/");
    let xor = HEXLOWER.encode(&digest.xor);
    [
        json!({
            "type": "mirrorwatch/block", "primary": primary, "first_seq": 7_000, "ops": digest.ops, "xor_sha256": xor,
        }),
        json!({ "type": "mirrorwatch/block/ops", "primary": primary, "first_seq": 7_000, "ops": shown.to_text() }),
    ]
}

#[test]
fn what_others_were_shown_differently_is_named_and_kept_over_a_kill() {
    test(async {
        let mut world = World::new(vec![("m", Behaviour::default())]);
        let mut c = Vantage::start(world.dir(), "c", &world.config).await;
        let now = world.now_ms();
        let all: Vec<(u16, OpKey)> = (0..1_000).map(|n| (n, world.maker().next(now()).key)).collect();
        let (_, withheld) = all[500];
        let whole = block_of(all.iter().copied());
        let lacking = block_of(all.iter().copied().filter(|(place, _)| *place != 500));
        let mut relay = Relay::to(&c).await;
        // The first of them contradicts itself.
        for (n, (node, digest, ops)) in
            (1..).zip([("z", &lacking[0], &whole[1]), ("x", &whole[0], &whole[1]), ("y", &lacking[0], &lacking[1])])
        {
            relay.tell(node, 10 * n, digest).await;
            relay.tell(node, 10 * n - 1, ops).await;
        }
        let is_told = |page: &Value| page["primary"]["differing"][0]["operations"]["told_by"] == json!(["x", "y"]);
        let mut blocks = Vec::new();
        for turn in ["heard", "kept"] {
            let patience = Patience::of(PATIENCE);
            let page = loop {
                let page = c.get("/api/v1/vantages").await;
                if is_told(&page) {
                    break page;
                }
                assert!(!patience.is_over(), "{turn}: {page:#}");
                tokio::time::sleep(Duration::from_millis(40)).await;
            };
            let block = &page["primary"]["differing"][0];
            let expected = json!([{
                "shown_to": ["x"], "not_shown_to": ["y"], "is_renumbered": false, "ops": 1,
                "listed": [{
                    "did": withheld.did.to_string(), "cid": withheld.cid.to_string(),
                    "numbers": [{ "seq": 7_500, "vantages": ["x"] }],
                }],
            }]);
            assert_eq!(block["operations"]["parts"], expected, "{block:#}");
            let liar = page["vantages"].as_array().unwrap().iter().find(|v| v["id"] == "z").unwrap();
            assert_eq!(liar["refused"]["contradictory"], 1, "{liar:#}");
            blocks.push(block.clone());
            if turn == "heard" {
                c.is_told("1 operation shown to x, not to y").await;
                c.start_again().await;
            }
        }
        assert_eq!(blocks[0], blocks[1]);
    });
}
