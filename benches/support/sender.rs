//! Sources that send frames made beforehand, in a child process, so that the time they take is not counted as ours.
//!
//! The child is this very program with an argument. It prints its ports, takes one stream on each, and sends when told.

use super::frames;
use std::io::{BufRead, BufReader, Error, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The argument that makes this program a sender.
const ROLE: &str = "--sender";
/// Frames of one write.
const CHUNK: usize = 64;
/// A mirror has what the primary has sent this many frames before: more than the sockets between hold, so that no mirror is
/// read ahead of the primary, as none is that copies from it.
const HEAD_START: usize = 12_000;

/// What a child is asked to do.
#[derive(Clone, Copy)]
pub struct Task {
    /// Sources; the first is the primary.
    pub sources: usize,
    /// Frames of each.
    pub frames: usize,
    /// Frames a second of each; 0 as fast as they are taken.
    pub per_second: usize,
}

/// A running child; it ends with this.
pub struct Running {
    /// The port of each source.
    pub ports: Vec<u16>,
    stdin: Option<ChildStdin>,
    child: Child,
}

impl Running {
    /// Starts a child and waits until its frames are made.
    pub fn start(task: Task) -> Result<Running> {
        let numbers = [task.sources, task.frames, task.per_second].map(|n| n.to_string());
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .args(numbers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Error::other("the child has no output"))?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let ports: Vec<u16> = line.split_whitespace().filter_map(|p| p.parse().ok()).collect();
        if ports.len() != task.sources {
            return Err(Error::other(format!("the child printed {line:?}")));
        }
        Ok(Running { ports, stdin: child.stdin.take(), child })
    }

    /// Lets it send.
    pub fn go(&mut self) -> Result<()> {
        let stdin = self.stdin.as_mut().ok_or_else(|| Error::other("the child has no input"))?;
        stdin.write_all(b"go\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs as a child when this program was started as one; whether it was.
pub fn is_child() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((ROLE, numbers)) = arguments.split_first().map(|(role, rest)| (role.as_str(), rest)) else {
        return false;
    };
    let numbers: Vec<usize> = numbers.iter().filter_map(|n| n.parse().ok()).collect();
    if let &[sources, frames, per_second] = numbers.as_slice() {
        serve(Task { sources, frames, per_second }).expect("the sender failed");
    }
    true
}

/// Every frame with its WebSocket header, and where each ends.
struct Prepared {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Prepared {
    fn new(task: Task) -> Prepared {
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(task.frames));
        let step_ms = 1_000_usize.checked_div(task.per_second).unwrap_or(1);
        for text in frames::texts(0, task.frames as u64, step_ms as u64) {
            bytes.extend([0x81, 126]);
            bytes.extend((text.len() as u16).to_be_bytes());
            bytes.extend(text.as_bytes());
            ends.push(bytes.len());
        }
        Prepared { bytes, ends }
    }

    fn between(&self, from: usize, to: usize) -> &[u8] {
        let end_of = |n: usize| n.checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or(0);
        self.bytes.get(end_of(from)..end_of(to)).unwrap_or_default()
    }
}

fn serve(task: Task) -> Result<()> {
    let prepared = Prepared::new(task);
    let (mut ports, mut streams) = (Vec::new(), Vec::new());
    for _ in 0..task.sources {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        ports.push(listener.local_addr()?.port().to_string());
        let (to, from) = channel();
        std::thread::spawn(move || accept(&listener, &to));
        streams.push(from);
    }
    println!("{}", ports.join(" "));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    if line.is_empty() {
        return Ok(());
    }
    let taken: Vec<TcpStream> =
        streams.iter().map(Receiver::recv).collect::<std::result::Result<_, _>>().map_err(Error::other)?;
    let sent = if task.per_second == 0 { blast(&prepared, &taken) } else { pace(&prepared, &taken, task.per_second) };
    // Whoever measures ends this process when it has enough; a stream that it closed before is no failure of ours.
    drop(sent);
    std::io::stdin().read_line(&mut line)?;
    Ok(())
}

/// Takes connections; those that ask for the stream are upgraded and handed over, probes are let go.
fn accept(listener: &TcpListener, to: &Sender<TcpStream>) {
    for stream in listener.incoming().flatten() {
        let to = to.clone();
        std::thread::spawn(move || {
            if let Ok(Some(stream)) = upgrade(stream) {
                let _ = to.send(stream);
            }
        });
    }
}

fn upgrade(mut stream: TcpStream) -> Result<Option<TcpStream>> {
    let mut head = String::new();
    let mut lines = BufReader::new(stream.try_clone()?);
    while !head.ends_with("\r\n\r\n") {
        if lines.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let header = |line: &str| {
        line.split_once(": ").filter(|h| h.0.eq_ignore_ascii_case("sec-websocket-key")).map(|h| h.1.trim().to_owned())
    };
    let Some(key) = head.lines().find_map(header) else {
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
        return Ok(None);
    };
    let accept = derive_accept_key(key.as_bytes());
    stream.set_nodelay(true)?;
    stream.write_all(
        format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
            .as_bytes(),
    )?;
    Ok(Some(stream))
}

/// Sends everything as fast as it is taken.
fn blast(prepared: &Prepared, streams: &[TcpStream]) -> Result<()> {
    let (total, ahead) = (prepared.ends.len(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let send = |(i, stream): (usize, &TcpStream)| {
            let (mut stream, ahead) = (stream.try_clone()?, &ahead);
            Ok(scope.spawn(move || -> Result<()> {
                let mut at = 0;
                while at < total {
                    let next = (at + CHUNK).min(total);
                    while i > 0 && ahead.load(Ordering::Acquire) < (next + HEAD_START).min(total) {
                        std::thread::sleep(Duration::from_micros(200));
                    }
                    stream.write_all(prepared.between(at, next))?;
                    at = next;
                    if i == 0 {
                        ahead.store(at, Ordering::Release);
                    }
                }
                Ok(())
            }))
        };
        let running: Result<Vec<_>> = streams.iter().enumerate().map(send).collect();
        for thread in running? {
            thread.join().map_err(|_| Error::other("a sender panicked"))??;
        }
        Ok(())
    })
}

/// Sends each frame to all sources when its time has come.
fn pace(prepared: &Prepared, streams: &[TcpStream], per_second: usize) -> Result<()> {
    let begin = Instant::now();
    let mut at = 0;
    while at < prepared.ends.len() {
        let due = ((begin.elapsed().as_secs_f64() * per_second as f64) as usize).min(prepared.ends.len());
        if due > at {
            for stream in streams {
                let mut stream = stream;
                stream.write_all(prepared.between(at, due))?;
            }
            at = due;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
