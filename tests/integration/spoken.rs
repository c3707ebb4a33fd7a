//! A mirror that speaks in scripts: how it closes, what its errors say and the kinds of its operations are two hundred of them,
//! and its very name is one. A real browser reads what the server hands out, and runs none.

use crate::browser::{browser, checked};
use crate::world::{World, skip, test};
use futures_util::SinkExt;
use mirrorwatch::config::SourceConfig;
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const ID: &str = "speaking";
/// Bytes that a close frame has for its reason.
const REASON_MAX: usize = 123;
/// Streams, and refused ones, after which each way of speaking was heard.
const TURNS: usize = 6;

/// The scripts; the browser's other test puts them into every answer.
fn scripts() -> Vec<String> {
    serde_json::from_str(include_str!("../browser/scripts.json")).unwrap()
}

/// What it has said so far.
struct Spoken {
    scripts: Vec<String>,
    next: AtomicUsize,
    streams: AtomicUsize,
    refusals: AtomicUsize,
}

impl Spoken {
    fn next(&self) -> &str {
        &self.scripts[self.next.fetch_add(1, Ordering::Relaxed) % self.scripts.len()]
    }

    /// Answers one connection: every second stream is refused, the others carry all scripts and close with one.
    async fn answer(&self, mut stream: TcpStream) {
        let mut head = vec![0; 4_096];
        let bytes = stream.peek(&mut head).await.unwrap_or(0);
        let head = String::from_utf8_lossy(&head[..bytes]).to_ascii_lowercase();
        let turn = self.streams.load(Ordering::Relaxed) + self.refusals.load(Ordering::Relaxed);
        if head.contains("upgrade: websocket") && turn.is_multiple_of(2) {
            self.carry(stream).await;
            self.streams.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let body = self.next();
        // What was asked for is of no interest.
        let _ = stream.read(&mut vec![0; 4_096]).await;
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        if head.contains("upgrade: websocket") {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn carry(&self, stream: TcpStream) {
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
        for script in &self.scripts {
            for frame in frames(script) {
                if socket.send(Message::text(frame.to_string())).await.is_err() {
                    return;
                }
            }
        }
        let mut reason = self.next().to_owned();
        while reason.len() > REASON_MAX {
            reason.pop();
        }
        let _ = socket.close(Some(CloseFrame { code: 1000.into(), reason: reason.into() })).await;
    }
}

/// Frames whose kinds, or whose operations' kinds and fields, are a script.
fn frames(script: &str) -> [Value; 3] {
    let did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    let op = |kind: &str| {
        json!({ "type": "sequenced_op", "seq": 1, "did": did, "cid": script, "createdAt": "2026-11-21T00:00:00.000Z",
                "operation": { "type": kind, "prev": null, "sig": script } })
    };
    let mut keyed = op("plc_operation");
    keyed["operation"][script] = json!(script);
    [json!({ "type": script, "seq": 1 }), op(script), keyed]
}

async fn speaks(listener: TcpListener, spoken: Arc<Spoken>) {
    while let Ok((stream, _)) = listener.accept().await {
        let spoken = Arc::clone(&spoken);
        tokio::spawn(async move { spoken.answer(stream).await });
    }
}

#[test]
fn what_a_mirror_says_in_scripts_is_text_wherever_it_is_served() {
    let chromium = match browser() {
        Ok(chromium) => chromium,
        Err(why) => return skip("browser", &why),
    };
    test(async move {
        let mut world = World::new(vec![("faithful", Behaviour::default())]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut source = SourceConfig::for_testing(ID, listener.local_addr().unwrap().port()).unwrap();
        let scripts = scripts();
        source.name = format!("{} {}", scripts[0], scripts[6]);
        world.config.mirrors.push(source);
        let spoken = Spoken { scripts, next: 0.into(), streams: 0.into(), refusals: 0.into() };
        let spoken = Arc::new(spoken);
        let speaking = tokio::spawn(speaks(listener, Arc::clone(&spoken)));
        world.start().await;
        let load = world.babble(std::time::Duration::from_millis(100));
        let said = async || {
            let (streams, refusals) = (&spoken.streams, &spoken.refusals);
            let turns = streams.load(Ordering::Relaxed).min(refusals.load(Ordering::Relaxed)) * 2;
            (turns >= TURNS).then_some(())
        };
        world.eventually("it has spoken in every way", said).await;
        let all = spoken.scripts.len();
        let refused = async || {
            let row = world.row(ID).await;
            (row["rejected_frames"].as_u64()? >= (all * 3) as u64).then_some(())
        };
        world.eventually("what it sent is refused", refused).await;
        let page = world.get(&format!("/api/v1/mirrors/{ID}")).await.to_string();
        assert!(page.contains("unknown_type") && page.contains("hit"), "{page}");
        let events = world.get("/api/v1/events").await.to_string();
        assert!(events.contains("the server says") && events.contains("hit"), "{events}");
        checked("served", &chromium, &world.base_url()).await;
        world.hush(load).await;
        assert_eq!(world.get("/api/v1/primary").await["received_ops"], world.published);
        speaking.abort();
        world.stop().await;
    });
}
