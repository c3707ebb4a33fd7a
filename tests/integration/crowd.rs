//! A thousand live sockets, of which a hundred never read and a hundred read a byte a second: the others are told of each
//! change at once, the process grows little, and those that do not keep up are let go.

use crate::world::process::{Process, write_config};
use crate::world::stalls::Stalls;
use crate::world::{PATIENCE, World, files, test};
use mirrorwatch::sim::behaviour::Behaviour;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Sockets that read and answer.
const LIVELY: usize = 800;
/// Sockets that never read.
const DEAF: usize = 100;
/// Sockets that read a byte a second.
const SLOW: usize = 100;
/// How much the process may grow.
const GROWTH_KB_MAX: u64 = 40 * 1_024;
/// A process that grows less than this in a second has its usual size.
const STEADY_KB: u64 = 1_024;
/// It is waited for that so long.
const WARM_UP_S_MAX: u32 = 20;
/// A change is heard of this soon, by 99 of 100.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// Who does not keep up is let go this soon.
const DROPPED_WITHIN: Duration = Duration::from_secs(10);
/// What a look at the page comes on top.
const LOOK_SLACK: Duration = Duration::from_secs(2);

/// When each revision of the overview was heard of; by all sockets.
type Heard = Arc<Mutex<BTreeMap<u64, Vec<Instant>>>>;

async fn connect(process: &Process, receive_bytes: Option<u32>) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    let mut stream = socket.connect(process.address).await.unwrap();
    let request = format!(
        "GET /api/v1/live HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        process.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads to the end of the answer's head.
async fn upgraded(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.expect("a socket is let in").unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
}

/// One frame of a server: its kind and what is in it; `None` at the end of the connection.
async fn frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await.ok()? & 0x0f;
    let length = match stream.read_u8().await.ok()? {
        126 => usize::from(stream.read_u16().await.ok()?),
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    Some((kind, payload))
}

/// Reads, answers pings and notes what is told of the overview, until the connection ends.
async fn lively(mut stream: TcpStream, heard: Heard) {
    while let Some((kind, payload)) = frame(&mut stream).await {
        if kind == 9 {
            // A pong whose mask is nought.
            let mut pong = vec![0x8a, 0x80 | payload.len() as u8, 0, 0, 0, 0];
            pong.extend(&payload);
            if stream.write_all(&pong).await.is_err() {
                return;
            }
        }
        let notice: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
        if notice["type"] == "revision" && notice["topic"] == "overview" {
            let revision = notice["revision"].as_u64().unwrap();
            heard.lock().unwrap().entry(revision).or_default().push(Instant::now());
        }
    }
}

/// Reads a byte a second until the connection ends.
async fn slow(mut stream: TcpStream) {
    while stream.read_u8().await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
}

/// Resident memory of the process.
fn resident_kb(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Resident memory once the process has grown to its usual size: at first it fills its own tables and caches.
async fn steady_kb(process: &Process) -> u64 {
    let mut last_kb = 0;
    for _ in 0..WARM_UP_S_MAX {
        let kb = resident_kb(process);
        if kb <= last_kb + STEADY_KB {
            return kb;
        }
        last_kb = kb;
        sleep(Duration::from_secs(1)).await;
    }
    last_kb
}

/// TCP connections that the process holds.
fn connections(process: &Process) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", process.pid())).unwrap();
    let targets = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// Notes when each revision of the overview can first be fetched.
fn look(process: &Process, seen: Arc<Mutex<BTreeMap<u64, Instant>>>) -> JoinHandle<()> {
    let url = format!("http://{}/api/v1/overview", process.address);
    tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        loop {
            let answer = client.get(&url).send().await.unwrap();
            let tag = answer.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned();
            let revision = tag.rsplit('.').next().unwrap().parse().unwrap();
            seen.lock().unwrap().entry(revision).or_insert_with(Instant::now);
            sleep(Duration::from_millis(20)).await;
        }
    })
}

/// The program with the intervals of its pages that it has unless it is told others.
async fn start(world: &World) -> Process {
    let file = write_config(world.dir(), &world.config);
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    config.as_object_mut().unwrap().remove("analytics");
    std::fs::write(&file, config.to_string()).unwrap();
    Process::start(&file).await
}

#[test]
fn a_thousand_live_sockets_hear_of_changes_whoever_else_does_not_read() {
    if !files::are_many() {
        return;
    }
    test(async {
        let mut world = World::new(vec![("faithful", Behaviour::default())]);
        let process = start(&world).await;
        let load = world.babble(Duration::from_millis(100));
        let stalls = Stalls::watch();
        let (before_kb, before) = (steady_kb(&process).await, connections(&process));
        let (heard, seen) = (Heard::default(), Arc::default());
        let looking = look(&process, Arc::clone(&seen));
        let mut deaf = Vec::new();
        let mut readers = Vec::new();
        for n in 0..LIVELY + DEAF + SLOW {
            if n % 10 == 0 {
                deaf.push(connect(&process, Some(1_024)).await);
                continue;
            }
            let mut stream = connect(&process, (n % 10 == 1).then_some(1_024)).await;
            if n % 10 == 1 {
                readers.push(tokio::spawn(slow(stream)));
            } else {
                upgraded(&mut stream).await;
                readers.push(tokio::spawn(lively(stream, Arc::clone(&heard))));
            }
        }
        let most_kb = let_go(&process, before, resident_kb(&process)).await;
        sleep(Duration::from_secs(1)).await;
        looking.abort();
        assert!(most_kb - before_kb.min(most_kb) <= GROWTH_KB_MAX, "from {before_kb} kB to {most_kb} kB");
        let late = delays(&heard.lock().unwrap(), &seen.lock().unwrap(), &stalls);
        let p99 = late[late.len() * 99 / 100];
        eprintln!("crowd: {} notices, p99 {p99:?}, grew from {before_kb} kB to {most_kb} kB", late.len());
        assert!(late.len() >= LIVELY * 10, "{} notices", late.len());
        assert!(p99 <= HEARD_WITHIN, "p99 is {p99:?} of {}", late.len());
        drop(deaf);
        readers.iter().for_each(JoinHandle::abort);
        world.hush(load).await;
    });
}

/// Waits until those that do not keep up are let go; the most memory that was seen, in kB.
async fn let_go(process: &Process, before: usize, mut most_kb: u64) -> u64 {
    let (all_open, stalls, waited_before_ms) = (Instant::now(), Stalls::watch(), process.waited_ms());
    let mut stalled_ms = 0;
    loop {
        most_kb = most_kb.max(resident_kb(process));
        // A look at the page is a connection too.
        if connections(process) <= before + LIVELY + 2 {
            return most_kb;
        }
        let open = connections(process) - before;
        stalled_ms += stalls.take_ms();
        let waited_ms = process.waited_ms().saturating_sub(waited_before_ms);
        // What kept the process from running kept the look at it from running too.
        let allowed = Duration::from_millis(stalled_ms.max(waited_ms));
        let took = all_open.elapsed().saturating_sub(allowed);
        assert!(took <= DROPPED_WITHIN + LOOK_SLACK, "{open} connections are open still (stalls {allowed:?})");
        timeout(Duration::from_millis(100), std::future::pending::<()>()).await.unwrap_err();
    }
}

/// From when a revision could be fetched until each socket heard of it, without what the machine let nobody run; shortest
/// first.
fn delays(heard: &BTreeMap<u64, Vec<Instant>>, seen: &BTreeMap<u64, Instant>, stalls: &Stalls) -> Vec<Duration> {
    let mut delays = Vec::new();
    for (revision, instants) in heard {
        if let Some(begin) = seen.get(revision) {
            let delay = |at: &Instant| {
                let stalled = stalls.between((*begin).into_std(), (*at).into_std());
                at.saturating_duration_since(*begin).saturating_sub(stalled)
            };
            delays.extend(instants.iter().map(delay));
        }
    }
    delays.sort();
    delays
}
