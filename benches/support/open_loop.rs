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
    /// Paths with their queries, asked for in turn.
    pub paths: &'static [&'static str],
    /// Requests a second over all connections.
    pub per_second: u32,
    /// How long.
    pub length: Duration,
}

/// Sends everything on schedule; every latency in nanoseconds.
pub fn run(schedule: Schedule) -> Result<Vec<u64>> {
    let total = (schedule.length.as_secs_f64() * f64::from(schedule.per_second)) as u32;
    let requests: Vec<_> = schedule.paths.iter().map(|path| request(schedule.address, path)).collect();
    let lanes: Result<Vec<Lane>> = (0..LANES).map(|_| Lane::open(schedule.address)).collect();
    let begin = Instant::now() + Duration::from_millis(20);
    let at = |i: u32| begin + Duration::from_secs(1) * i / schedule.per_second;
    std::thread::scope(|scope| {
        let requests = &requests;
        let run_lane = |(first, mut lane): (u32, Lane)| {
            scope.spawn(move || {
                let asked = (first..total).step_by(LANES as usize).zip(requests.iter().cycle().skip(first as usize));
                let answer = |(i, request): (u32, &Vec<u8>)| {
                    let (status, latency_ns) = lane.ask(request, at(i))?;
                    if status == 200 {
                        Ok(latency_ns)
                    } else {
                        Err(Error::other(format!("answered {status}, not 200")))
                    }
                };
                asked.map(answer).collect::<Result<Vec<u64>>>()
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

/// What asks for a path.
pub fn request(address: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\r\n").into_bytes()
}

/// One connection.
pub struct Lane {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Lane {
    /// Opens it.
    pub fn open(address: SocketAddr) -> Result<Lane> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(Lane { stream, answer: vec![0; 256 * 1024] })
    }

    /// Sends one request at `at`, or at once when that is over, and reads the whole answer: its status, and how long after
    /// `at` it was there, nanoseconds.
    pub fn ask(&mut self, request: &[u8], at: Instant) -> Result<(u16, u64)> {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        self.stream.write_all(request)?;
        let mut filled = 0;
        let mut whole = None;
        while whole.is_none_or(|(_, whole)| filled < whole) {
            let room = self.answer.get_mut(filled..).unwrap_or_default();
            let count = self.stream.read(room)?;
            if count == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the answer was cut or is too long"));
            }
            filled += count;
            if whole.is_none() {
                whole = begun(self.answer.get(..filled).unwrap_or_default())?;
            }
        }
        let (status, _) = whole.unwrap_or_default();
        Ok((status, at.elapsed().as_nanos() as u64))
    }
}

/// Status and bytes of the answer that begins so; none while its head is not complete.
fn begun(begin: &[u8]) -> Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body_at) = head.parse(begin).map_err(Error::other)? else { return Ok(None) };
    let length = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|h| std::str::from_utf8(h.value).ok()?.parse::<usize>().ok());
    let answer = head.code.zip(length).map(|(status, length)| (status, body_at + length));
    answer.map(Some).ok_or_else(|| Error::other("an answer without content-length"))
}
