//! Our node as the client of npm's `@logux/server`, over a real socket: it is let in with its token, its actions are answered
//! under the ids that it gave them, and what a channel sends comes.
//!
//! Where Node or `web/node_modules` is not found, the test says so and passes; under CI it fails then.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use mirrorwatch::logux::message::Protocol;
use mirrorwatch::logux::options::Rights;
use mirrorwatch::logux::subprotocol::Subprotocol;
use mirrorwatch::logux::{ActionId, Close, Effect, Entry, Json, Node, Now, Options, Page, Role, State};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::world::{PATIENCE, skip, test};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nodes/server.mjs");
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web/node_modules/@logux/server");
const NODE_ID: &str = "paris:1:1";
/// The time of our first action, UTC milliseconds.
const UTC_MS: u64 = 1_700_000_000_000;

/// The server as a process; it is killed when this is dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    async fn start() -> Server {
        let mut child = Command::new("node").arg(SCRIPT).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::task::spawn_blocking(move || lines.next()).await.unwrap().unwrap().unwrap();
        Server { child, port: line.strip_prefix("port ").unwrap().parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Our node, its socket, and all that came.
struct Uplink {
    node: Node,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    began: Instant,
    log: Vec<Entry>,
    came: Vec<Entry>,
    told: Vec<String>,
    closed: Option<Close>,
}

impl Uplink {
    async fn open(port: u16, token: &str) -> Uplink {
        let (socket, _) = connect_async(format!("ws://127.0.0.1:{port}")).await.unwrap();
        let node = Node::new(Options {
            node_id: NODE_ID.to_owned(),
            role: Role::Client,
            speaks: Protocol::Five,
            subprotocol: Subprotocol::parse(&Json::from(1)).unwrap(),
            token: Some(token.to_owned()),
            authenticate: Arc::new(|_| Some(Rights::all())),
            ping_ms: 10_000,
            timeout_ms: 20_000,
            last_sent: 0,
            last_received: 0,
            head: 0,
        });
        let (log, came, told) = (Vec::new(), Vec::new(), Vec::new());
        let mut uplink = Uplink { node, socket, began: Instant::now(), log, came, told, closed: None };
        let effects = uplink.node.on_open(uplink.now());
        uplink.run(effects).await;
        uplink
    }

    fn now(&self) -> Now {
        let tick_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        Now { tick_ms, utc_ms: (UTC_MS + tick_ms) as i64 }
    }

    async fn run(&mut self, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send(text) => self.socket.send(Message::text(text)).await.unwrap(),
                Effect::Keep(entries) => {
                    self.came.extend(entries);
                    effects.extend(self.node.on_kept(true));
                }
                Effect::Read { after, limit } => {
                    let behind = self.log.iter().filter(|entry| entry.added > after);
                    let entries: Vec<Entry> = behind.take(limit).cloned().collect();
                    let through = entries.last().map_or(after, |entry| entry.added);
                    effects.extend(self.node.on_page(Page { entries, through }));
                }
                Effect::Told { kind, .. } => self.told.push(kind),
                Effect::Close(why) => self.closed = Some(why),
                Effect::LetIn(_) | Effect::Sent(_) | Effect::Received(_) | Effect::State(_) => {}
            }
        }
    }

    /// Takes what comes until it is so, or until the other side has ended the connection.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Uplink) -> bool) {
        while !is_so(self) {
            let next = timeout(PATIENCE, self.socket.next()).await;
            match next.unwrap_or_else(|_| panic!("waited for {what}: {:?} {:?}", self.came, self.told)) {
                Some(Ok(Message::Text(text))) => {
                    let effects = self.node.on_message(&text, self.now());
                    self.run(effects).await;
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return assert!(is_so(self), "it ended before {what}: {:?}", self.told),
            }
        }
    }

    /// Sends an action and waits for its answer: what came since, as texts.
    async fn ask(&mut self, action: &str) -> Vec<String> {
        let (added, known) = (self.log.len() as u64 + 1, self.came.len());
        let id = ActionId { ms: UTC_MS + added, node: NODE_ID.to_owned(), counter: 0 };
        let answered = id.to_string();
        self.log.push(Entry {
            added,
            id,
            time_ms: self.now().utc_ms,
            subprotocol: None,
            has_more: false,
            from: None,
            action: Json::parse(action).unwrap(),
        });
        let effects = self.node.on_grown(added);
        self.run(effects).await;
        let is_answer = |entry: &Entry| entry.action.get("id").and_then(Json::as_str) == Some(&answered);
        self.until("an answer", |uplink| uplink.came.iter().any(is_answer)).await;
        self.came[known..].iter().map(|entry| entry.action.to_text()).collect()
    }
}

#[test]
fn the_official_server_lets_our_node_in_and_answers_it() {
    if !Path::new(PACKAGE).exists() {
        return skip("node", "web/node_modules is not there");
    }
    test(async {
        let server = Server::start().await;
        let mut uplink = Uplink::open(server.port, "token-p").await;
        uplink.until("it is synchronized", |uplink| uplink.node.state() == State::Synchronized).await;
        assert!(uplink.node.remote_node_id().unwrap().starts_with("server:"));
        let answer = |n: u64| format!("{{\"id\":\"{} {NODE_ID} 0\",\"type\":\"logux/processed\"}}", UTC_MS + n);
        assert_eq!(uplink.ask(r#"{"type":"test/add"}"#).await, [answer(1)]);
        let state = r#"{"type":"test/number","n":7}"#.to_owned();
        assert_eq!(uplink.ask(r#"{"type":"logux/subscribe","channel":"numbers/7"}"#).await, [state, answer(2)]);
        let undone = uplink.ask(r#"{"type":"test/none"}"#).await;
        assert!(undone.len() == 1 && undone[0].contains(r#""reason":"unknownType""#), "{undone:?}");
        uplink.until("all is confirmed", |uplink| uplink.node.state() == State::Synchronized).await;
        assert_eq!(uplink.closed, None);
        assert_eq!(uplink.told, ["debug"], "on this machine it tells developers of what it does not know");

        let mut stranger = Uplink::open(server.port, "guess").await;
        stranger.until("it is told", |stranger| stranger.told == ["wrong-credentials"]).await;
    });
}
