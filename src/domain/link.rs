//! The connection to one source as a state machine: events in, effects out. No socket and no clock is known here.
//!
//! A link always means to be connected; it differs only in what it waits for. A dead connection ends it at once, and so
//! does a close; what follows is a wait with full jitter that doubles from half a second to a minute.

use super::time::{MS, SECOND, Tau};
use serde::{Deserialize, Serialize};

/// The class of what fails through a fault of ours: no files or memory left, a part that panicked.
pub const OURS: &str = "local";

/// The first wait's upper bound.
pub const BACKOFF_MIN_NS: i64 = 500 * MS;
/// The longest wait's upper bound.
pub const BACKOFF_MAX_NS: i64 = 60 * SECOND;
/// Doublings of the wait that are left after a short connection that brought operations.
const ATTEMPTS_AFTER_HEARD: u32 = 1;
/// A connection that lived this long begins the waits anew.
const LASTING_NS: i64 = 5 * SECOND;
/// A connection that ends this soon after its upgrade without a single operation was none: an acknowledged ping only shows
/// that the machine is there.
const EMPTY_NS: i64 = 2 * SECOND;
/// Upgrades in a row that were followed by nothing before a source counts as not offering a stream.
const EMPTY_UPGRADES_MAX: u32 = 2;

/// A source that breaks the protocol so often within [`FAULTS_NS`] is left alone for [`PENALTY_NS`].
const FAULTS_MAX: usize = 3;
/// See [`FAULTS_MAX`].
const FAULTS_NS: i64 = 60 * SECOND;
/// See [`FAULTS_MAX`].
const PENALTY_NS: i64 = 600 * SECOND;

/// What the API calls `link.state`.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Not started yet, or stopped.
    #[default]
    Disconnected,
    /// Between two attempts.
    Waiting,
    /// Resolving, connecting, shaking hands.
    Connecting,
    /// The stream is open, the gap before it is being filled.
    CatchingUp,
    /// The stream is open and nothing is missing before it.
    Synchronized,
    /// The source offers no stream; asked again now and then.
    Unsupported,
}

impl LinkState {
    /// Whether operations can arrive.
    #[must_use]
    pub const fn is_up(self) -> bool {
        matches!(self, LinkState::CatchingUp | LinkState::Synchronized)
    }
}

/// What kind of failure ended or prevented a connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkError {
    /// Stable word: `dns`, `tcp`, `tls`, `http`, `ws`, `timeout`, `refused`, `false_101`, `dead`, `export`, `protocol`.
    pub class: String,
    /// One line for people.
    pub text: String,
    /// When.
    pub at: Tau,
}

/// How a connection was closed by the other side.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LinkClose {
    /// WebSocket close code; 1006 when the connection ended without one.
    pub code: u16,
    /// The reason that was given.
    pub reason: String,
    /// When.
    pub at: Tau,
}

/// Something that happened to the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkEvent {
    /// The link shall connect.
    Start,
    /// The wait is over.
    Waited,
    /// The upgrade succeeded; nothing was read yet.
    Upgraded,
    /// The first byte came, or the first ping was acknowledged. `has_gap` tells whether something before it must be filled.
    Opened {
        /// Whether there is a gap to fill.
        has_gap: bool,
    },
    /// The gap before the stream is filled, or nothing will fill it.
    CaughtUp,
    /// The connection could not be made.
    Failed {
        /// Stable word of [`LinkError::class`].
        class: &'static str,
        /// One line for people.
        text: String,
        /// How long the source asked us to stay away, nanoseconds.
        retry_after_ns: Option<i64>,
        /// The source answered that it offers no stream.
        is_unsupported: bool,
    },
    /// The other side closed, or the connection broke.
    Closed {
        /// WebSocket close code, 1006 without one.
        code: u16,
        /// The reason that was given.
        reason: String,
    },
    /// The other side broke the protocol, and nothing that follows can be read.
    Broken {
        /// One line for people.
        text: String,
    },
    /// Bytes that we sent stay without acknowledgement.
    Dead {
        /// One line for people.
        text: String,
    },
    /// What ended the connection is a fault of ours.
    Ours {
        /// One line for people.
        text: String,
    },
    /// The link shall end.
    Stop,
}

/// What is to be done.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum LinkEffect {
    /// Connect now.
    Dial,
    /// Say [`LinkEvent::Waited`] after this many nanoseconds.
    Wait(i64),
    /// Fill the gap before the stream.
    Fill,
    /// The window is not open any more.
    Gap,
    /// Nothing.
    None,
}

/// The bound of the longest wait, nanoseconds.
#[derive(Copy, Clone, Debug)]
struct LongestWait(i64);

impl Default for LongestWait {
    fn default() -> LongestWait {
        LongestWait(BACKOFF_MAX_NS)
    }
}

/// One source's link.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The state.
    pub state: LinkState,
    /// Since when.
    pub since: Tau,
    /// The latest failure.
    pub last_error: Option<LinkError>,
    /// The latest close by the other side.
    pub last_close: Option<LinkClose>,
    /// Connections that followed a lost one.
    pub reconnects: u64,
    longest_wait: LongestWait,
    attempts: u32,
    empty_upgrades: u32,
    /// When the protocol was broken of late, oldest first.
    faults: Vec<Tau>,
    upgraded_at: Option<Tau>,
    opened_at: Option<Tau>,
    was_open: bool,
    has_heard: bool,
    is_stopped: bool,
}

impl Link {
    /// A link that was not started yet.
    #[must_use]
    pub fn new(now: Tau) -> Link {
        Link { since: now, ..Link::default() }
    }

    /// One whose waits have at most this bound, nanoseconds, where that is less than [`BACKOFF_MAX_NS`].
    #[must_use]
    pub fn waiting_at_most(longest_ns: i64) -> Link {
        Link { longest_wait: LongestWait(longest_ns.min(BACKOFF_MAX_NS)), ..Link::default() }
    }

    /// Takes an event at `now`; `jitter` is a fresh random number in [0, 1).
    pub fn on(&mut self, event: LinkEvent, now: Tau, jitter: f64) -> LinkEffect {
        if self.is_stopped {
            return LinkEffect::None;
        }
        match event {
            LinkEvent::Start | LinkEvent::Waited => {
                self.enter(LinkState::Connecting, now);
                LinkEffect::Dial
            }
            LinkEvent::Upgraded => {
                self.upgraded_at = Some(now);
                LinkEffect::None
            }
            LinkEvent::Opened { has_gap } => self.opened(has_gap, now),
            LinkEvent::CaughtUp => {
                if self.state == LinkState::CatchingUp {
                    self.enter(LinkState::Synchronized, now);
                }
                LinkEffect::None
            }
            LinkEvent::Failed { class, text, retry_after_ns, is_unsupported } => {
                self.last_error = Some(LinkError { class: class.to_owned(), text, at: now });
                let wait = self.backoff(jitter).max(retry_after_ns.unwrap_or(0));
                self.enter(if is_unsupported { LinkState::Unsupported } else { LinkState::Waiting }, now);
                LinkEffect::Wait(wait)
            }
            LinkEvent::Closed { code, reason } => self.closed(code, reason, now, jitter),
            LinkEvent::Broken { text } => self.broken(text, now, jitter),
            LinkEvent::Dead { text } => self.gone("dead", text, now, jitter),
            LinkEvent::Ours { text } => self.gone(OURS, text, now, jitter),
            LinkEvent::Stop => {
                self.is_stopped = true;
                self.lost(LinkState::Disconnected, now);
                LinkEffect::Gap
            }
        }
    }

    fn gone(&mut self, class: &str, text: String, now: Tau, jitter: f64) -> LinkEffect {
        self.last_error = Some(LinkError { class: class.to_owned(), text, at: now });
        self.lost(LinkState::Waiting, now);
        LinkEffect::Wait(self.backoff(jitter))
    }

    /// Whether it is down, and what failed last is a fault of ours and not of the source.
    #[must_use]
    pub fn is_down_by_us(&self) -> bool {
        let closed_at = self.last_close.as_ref().map(|close| close.at);
        let is_ours = |error: &LinkError| error.class == OURS && closed_at.is_none_or(|at| at <= error.at);
        !self.state.is_up() && self.last_error.as_ref().is_some_and(is_ours)
    }

    /// The source sent something on the present connection.
    pub fn heard(&mut self) {
        self.has_heard = true;
        self.empty_upgrades = 0;
    }

    /// Whether the stream was opened on the present connection.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.opened_at.is_some()
    }

    fn opened(&mut self, has_gap: bool, now: Tau) -> LinkEffect {
        if self.opened_at.is_some() {
            return LinkEffect::None;
        }
        self.opened_at = Some(now);
        self.reconnects += u64::from(self.was_open);
        self.was_open = true;
        self.enter(if has_gap { LinkState::CatchingUp } else { LinkState::Synchronized }, now);
        if has_gap { LinkEffect::Fill } else { LinkEffect::None }
    }

    fn closed(&mut self, code: u16, reason: String, now: Tau, jitter: f64) -> LinkEffect {
        let is_empty = !self.has_heard && self.upgraded_at.is_some_and(|at| now.since(at) < EMPTY_NS);
        self.last_close = Some(LinkClose { code, reason, at: now });
        let mut next = LinkState::Waiting;
        if is_empty {
            self.empty_upgrades += 1;
            let text = "ws: the upgrade was accepted and the connection closed before the first byte".to_owned();
            self.last_error = Some(LinkError { class: "false_101".to_owned(), text, at: now });
            if self.empty_upgrades >= EMPTY_UPGRADES_MAX {
                next = LinkState::Unsupported;
            }
        }
        self.lost(next, now);
        LinkEffect::Wait(self.backoff(jitter))
    }

    fn broken(&mut self, text: String, now: Tau, jitter: f64) -> LinkEffect {
        self.faults.retain(|at| now.since(*at) < FAULTS_NS);
        self.faults.push(now);
        let is_penalty = self.faults.len() >= FAULTS_MAX;
        let text = if is_penalty {
            self.faults.clear();
            format!(
                "{text}; {FAULTS_MAX} such errors within {} s, retry in {} s",
                FAULTS_NS / SECOND,
                PENALTY_NS / SECOND
            )
        } else {
            text
        };
        self.last_close = Some(LinkClose { code: 1006, reason: text.clone(), at: now });
        self.last_error = Some(LinkError { class: "protocol".to_owned(), text, at: now });
        self.lost(LinkState::Waiting, now);
        let wait = self.backoff(jitter);
        LinkEffect::Wait(if is_penalty { PENALTY_NS } else { wait })
    }

    fn lost(&mut self, next: LinkState, now: Tau) {
        if self.opened_at.is_some_and(|at| now.since(at) >= LASTING_NS) {
            self.attempts = 0;
        } else if self.has_heard {
            // A source that serves and closes soon is asked again soon, but not without any pause.
            self.attempts = self.attempts.min(ATTEMPTS_AFTER_HEARD);
        }
        (self.opened_at, self.upgraded_at, self.has_heard) = (None, None, false);
        self.enter(next, now);
    }

    fn enter(&mut self, state: LinkState, now: Tau) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }

    /// The next wait: uniform below a bound that doubles with each attempt ("full jitter").
    fn backoff(&mut self, jitter: f64) -> i64 {
        let bound = self.longest_wait.0.min(BACKOFF_MIN_NS << self.attempts.min(16));
        self.attempts = self.attempts.saturating_add(1);
        (bound as f64 * jitter.clamp(0.0, 1.0)) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed() -> LinkEvent {
        LinkEvent::Closed { code: 1000, reason: "ConsumerTooSlow".to_owned() }
    }

    #[test]
    fn a_connection_opens_fills_and_is_synchronized() {
        let mut l = Link::default();
        assert_eq!(l.on(LinkEvent::Start, Tau(0), 0.5), LinkEffect::Dial);
        l.on(LinkEvent::Upgraded, Tau(1), 0.5);
        assert_eq!((l.state, l.is_open()), (LinkState::Connecting, false));
        assert_eq!(l.on(LinkEvent::Opened { has_gap: true }, Tau(2), 0.5), LinkEffect::Fill);
        assert_eq!(l.on(LinkEvent::Opened { has_gap: true }, Tau(3), 0.5), LinkEffect::None, "once a connection");
        l.on(LinkEvent::CaughtUp, Tau(4), 0.5);
        assert_eq!((l.state, l.since, l.reconnects), (LinkState::Synchronized, Tau(4), 0));
    }

    #[test]
    fn waits_double_with_full_jitter_and_start_anew_after_a_lasting_connection() {
        let mut l = Link::default();
        let fail = |l: &mut Link| {
            l.on(
                LinkEvent::Failed { class: "tcp", text: String::new(), retry_after_ns: None, is_unsupported: false },
                Tau(0),
                1.0,
            )
        };
        let waits: Vec<_> = (0..9).map(|_| fail(&mut l)).collect();
        assert_eq!(waits[..3], [LinkEffect::Wait(500 * MS), LinkEffect::Wait(SECOND), LinkEffect::Wait(2 * SECOND)]);
        assert_eq!(waits[8], LinkEffect::Wait(BACKOFF_MAX_NS));
        let mut short = Link::waiting_at_most(3 * SECOND);
        let waits: Vec<_> = (0..9).map(|_| fail(&mut short)).collect();
        assert_eq!(waits[2..4], [LinkEffect::Wait(2 * SECOND), LinkEffect::Wait(3 * SECOND)]);
        assert_eq!(waits[8], LinkEffect::Wait(3 * SECOND));
        l.on(LinkEvent::Waited, Tau(0), 0.0);
        l.on(LinkEvent::Opened { has_gap: false }, Tau(0), 0.0);
        assert_eq!(l.on(closed(), Tau(LASTING_NS), 1.0), LinkEffect::Wait(500 * MS));
        assert_eq!(l.last_close.as_ref().map(|c| c.reason.as_str()), Some("ConsumerTooSlow"));
    }

    #[test]
    fn an_upgrade_followed_by_nothing_is_told_at_once_and_believed_the_second_time() {
        let mut l = Link::default();
        for expected in [LinkState::Waiting, LinkState::Unsupported] {
            l.on(LinkEvent::Start, Tau(0), 0.5);
            l.on(LinkEvent::Upgraded, Tau(1), 0.5);
            l.on(LinkEvent::Opened { has_gap: false }, Tau(1), 0.5);
            l.on(LinkEvent::Closed { code: 1006, reason: String::new() }, Tau(2), 0.5);
            assert_eq!((l.state, l.last_error.as_ref().unwrap().class.as_str()), (expected, "false_101"));
        }
        l.on(LinkEvent::Start, Tau(3), 0.5);
        l.on(LinkEvent::Upgraded, Tau(4), 0.5);
        l.heard();
        l.on(LinkEvent::Closed { code: 1006, reason: String::new() }, Tau(5), 0.5);
        assert_eq!(l.state, LinkState::Waiting, "a source that said something offers a stream");
    }

    #[test]
    fn a_source_that_keeps_breaking_the_protocol_is_left_alone_for_a_while() {
        let mut l = Link::default();
        let broken = |l: &mut Link, s: i64| {
            l.on(LinkEvent::Waited, Tau(s * SECOND), 0.0);
            l.on(LinkEvent::Broken { text: "ws: reserved bits".to_owned() }, Tau(s * SECOND), 1.0)
        };
        assert_eq!(broken(&mut l, 0), LinkEffect::Wait(500 * MS));
        assert_eq!(broken(&mut l, 20), LinkEffect::Wait(SECOND));
        assert_eq!(broken(&mut l, 60), LinkEffect::Wait(2 * SECOND), "the first one is a minute ago");
        assert_eq!(broken(&mut l, 79), LinkEffect::Wait(600 * SECOND));
        let error = l.last_error.clone().unwrap();
        let text = "ws: reserved bits; 3 such errors within 60 s, retry in 600 s";
        assert_eq!((error.class.as_str(), error.text.as_str(), l.state), ("protocol", text, LinkState::Waiting));
        assert_eq!(broken(&mut l, 679), LinkEffect::Wait(8 * SECOND), "afterwards it begins anew");
    }

    #[test]
    fn retry_after_is_honoured_and_a_stopped_link_stays_stopped() {
        let mut l = Link::default();
        let event = LinkEvent::Failed {
            class: "http",
            text: "http: 429".to_owned(),
            retry_after_ns: Some(300 * SECOND),
            is_unsupported: false,
        };
        assert_eq!(l.on(event, Tau(0), 0.1), LinkEffect::Wait(300 * SECOND));
        assert_eq!(l.on(LinkEvent::Stop, Tau(1), 0.1), LinkEffect::Gap);
        assert_eq!(l.on(LinkEvent::Waited, Tau(2), 0.1), LinkEffect::None);
    }
}
