//! An open-loop HTTP client: requests are sent at times fixed beforehand, and a latency counts from the time at which its
//! request was to be sent, so that a server that stalls cannot hide it by slowing its client down.
//!
//! One thread and one kept connection a lane, blocking: a sleeping thread is woken within about 60 µs, where a timer of
//! the runtime has a grain of a millisecond, which would hide what is measured.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Connections, and so requests that can be under way.
const LANES: u32 = 16;
/// The longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What is asked for, and how often.
#[derive(Clone, Copy)]
pub struct Schedule {
    /// Who is asked.
    pub address: SocketAddr,
    /// Path and query.
    pub path: &'static str,
    /// Requests a second over all connections.
    pub per_second: u32,
    /// How long.
    pub length: Duration,
}

/// Sends everything on schedule; every latency in nanoseconds.
pub fn run(schedule: Schedule) -> Result<Vec<u64>> {
    let total = (schedule.length.as_secs_f64() * f64::from(schedule.per_second)) as u32;
    let lanes: Result<Vec<Lane>> = (0..LANES).map(|_| Lane::open(schedule.address, schedule.path)).collect();
    let begin = Instant::now() + Duration::from_millis(20);
    let at = |i: u32| begin + Duration::from_secs(1) * i / schedule.per_second;
    std::thread::scope(|scope| {
        let run_lane = |(first, mut lane): (u32, Lane)| {
            scope.spawn(move || {
                let mine = (first..total).step_by(LANES as usize);
                mine.map(|i| lane.ask(at(i))).collect::<Result<Vec<u64>>>()
            })
        };
        let running: Vec<_> = (0..LANES).zip(lanes?).map(run_lane).collect();
        let mut latencies = Vec::with_capacity(total as usize);
        for lane in running {
            latencies.extend(lane.join().map_err(|_| Error::other("a lane panicked"))??);
        }
        Ok(latencies)
    })
}

/// One connection.
struct Lane {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Lane {
    fn open(address: SocketAddr, path: &str) -> Result<Lane> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n\r\n");
        Ok(Lane { stream, request: request.into_bytes(), answer: vec![0; 256 * 1024] })
    }

    /// Sends one request at `at`, or at once when that is over, and reads the whole answer.
    fn ask(&mut self, at: Instant) -> Result<u64> {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        self.stream.write_all(&self.request)?;
        let mut filled = 0;
        let mut whole = None;
        while whole.is_none_or(|whole| filled < whole) {
            let room = self.answer.get_mut(filled..).unwrap_or_default();
            let count = self.stream.read(room)?;
            if count == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the answer was cut or is too long"));
            }
            filled += count;
            if whole.is_none() {
                whole = length_of(self.answer.get(..filled).unwrap_or_default())?;
            }
        }
        Ok(at.elapsed().as_nanos() as u64)
    }
}

/// Bytes of the answer that begins so; none while its head is not complete.
fn length_of(begin: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(begin).map_err(Error::other)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(_) if head.code != Some(200) => {
            Err(Error::other(format!("answered {:?}, not 200", head.code)))
        }
        httparse::Status::Complete(body_at) => {
            let length = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
            let length = length.and_then(|h| std::str::from_utf8(h.value).ok()?.parse::<usize>().ok());
            length.map(|n| Some(body_at + n)).ok_or_else(|| Error::other("an answer without content-length"))
        }
    }
}
