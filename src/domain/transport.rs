//! How operations are taken from a source, and the ladder by which `auto` finds out: results of probes in, a choice with its
//! explanation out. Nothing here asks a host.
//!
//! The rungs are tried from the top: the first one that serves is taken. What is definitely not offered leads onwards, and
//! so does what cannot be told now; but a choice below a rung that could not be told is looked at again soon, and only a
//! source of which every rung is definitely not offered is unsupported.

use super::time::SECOND;
use std::fmt;
use std::fmt::Write;

/// Between two looks at a source whose choice is sure, nanoseconds.
pub const REPROBE_NS: i64 = 86_400 * SECOND;
/// The same for a choice below a rung that could not be told.
pub const REPROBE_UNSURE_NS: i64 = 300 * SECOND;
/// The first wait after a ladder that came to nothing.
const RETRY_MIN_NS: i64 = 2 * SECOND;
/// The longest such wait; also between two looks at a source that serves nothing.
const RETRY_MAX_NS: i64 = 300 * SECOND;

/// How operations are taken from a source.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Transport {
    /// `/export/stream`.
    #[default]
    Stream,
    /// `/ws` of a plcbundle server.
    PlcBundle,
    /// `/export`, polled.
    Export,
    /// `/{did}/log/audit`, asked about a sample of operations.
    Resolve,
}

impl Transport {
    /// The ladder, from the top.
    pub const LADDER: [Transport; 4] = [Transport::Stream, Transport::PlcBundle, Transport::Export, Transport::Resolve];

    /// The word in the configuration and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Stream => "stream",
            Transport::PlcBundle => "plcbundle",
            Transport::Export => "export",
            Transport::Resolve => "resolve",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is told of the way in which operations are taken from a source.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Taken {
    /// How.
    pub transport: Transport,
    /// Why so, for people.
    pub reason: String,
    /// How finely instants are told, nanoseconds: the time between two looks. None where each arrival has its own.
    pub resolution_ns: Option<i64>,
    /// Share of the primary's operations that is looked for; none where all are.
    pub sampling_ratio: Option<f64>,
}

/// What probing one rung came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It serves; how that was seen.
    Serves(String),
    /// It is definitely not offered; how that was seen.
    Absent(String),
    /// It cannot be told now, and why.
    Unclear(String),
}

impl Outcome {
    fn text(&self) -> &str {
        match self {
            Outcome::Serves(text) | Outcome::Absent(text) | Outcome::Unclear(text) => text,
        }
    }
}

/// What an HTTP status in place of what was asked for says about a rung.
#[must_use]
pub fn of_status(status: u16, text: String) -> Outcome {
    match status {
        501 => Outcome::Absent(text),
        408 | 429 | 500.. => Outcome::Unclear(text),
        _ => Outcome::Absent(text),
    }
}

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Probe this rung.
    Probe(Transport),
    /// Take operations this way.
    Use {
        /// It.
        transport: Transport,
        /// Why, for people.
        reason: String,
        /// When to look again, nanoseconds from now.
        again_ns: i64,
    },
    /// Nothing serves; look again after this many nanoseconds.
    Unsupported {
        /// Why, for people.
        reason: String,
        /// When to look again, nanoseconds from now.
        again_ns: i64,
    },
    /// It could not be told; look again after this many nanoseconds.
    Retry {
        /// Why, for people.
        reason: String,
        /// When to look again, nanoseconds from now.
        again_ns: i64,
    },
}

impl Next {
    /// What a climb found, for people; none while it goes on, and where nothing could be told.
    #[must_use]
    pub fn found(&self) -> Option<String> {
        match self {
            Next::Use { transport, reason, .. } => Some(format!("{transport}: {reason}")),
            Next::Unsupported { reason, .. } => Some(reason.clone()),
            Next::Probe(_) | Next::Retry { .. } => None,
        }
    }
}

/// One climb down the ladder after the other.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    results: Vec<(Transport, Outcome)>,
    up: Option<(Transport, String)>,
    retries: u32,
}

impl Ladder {
    /// Begins at the top again. The rung that is `up` serves, as was seen when it was taken: a probe beside it, which may
    /// fail for reasons of our own or be one connection too many for the host, could tell nothing better.
    pub fn begin(&mut self, up: Option<(Transport, String)>) -> Next {
        self.results.clear();
        self.up = up;
        self.next()
    }

    /// Takes the outcome of the rung that was to be probed.
    pub fn probed(&mut self, transport: Transport, outcome: Outcome) -> Next {
        self.results.push((transport, outcome));
        self.next()
    }

    fn next(&mut self) -> Next {
        if let Some((transport, Outcome::Serves(how))) = self.results.last() {
            let (transport, how) = (*transport, how.clone());
            self.retries = 0;
            let again_ns = if self.is_sure() { REPROBE_NS } else { REPROBE_UNSURE_NS };
            return Next::Use { transport, reason: self.reason(&how), again_ns };
        }
        if let Some(next) = Transport::LADDER.get(self.results.len()) {
            if let Some((up, how)) = self.up.take_if(|up| up.0 == *next) {
                return self.probed(up, Outcome::Serves(how));
            }
            return Next::Probe(*next);
        }
        let reason = self.reason("");
        if self.is_sure() {
            return Next::Unsupported { reason, again_ns: RETRY_MAX_NS };
        }
        let again_ns = RETRY_MAX_NS.min(RETRY_MIN_NS << self.retries.min(8));
        self.retries += 1;
        Next::Retry { reason, again_ns }
    }

    /// How the last rung was seen to serve, or what it said.
    #[must_use]
    pub fn how(&self) -> &str {
        self.results.last().map_or("", |r| r.1.text())
    }

    /// Whether this rung was probed and could not be told.
    #[must_use]
    pub fn is_unclear(&self, transport: Transport) -> bool {
        self.results.iter().any(|r| r.0 == transport && matches!(r.1, Outcome::Unclear(_)))
    }

    fn is_sure(&self) -> bool {
        !self.results.iter().any(|r| matches!(r.1, Outcome::Unclear(_)))
    }

    /// How the rung serves, and what the rungs above it said.
    fn reason(&self, how: &str) -> String {
        let mut text = how.to_owned();
        for (transport, outcome) in self.results.iter().filter(|r| !matches!(r.1, Outcome::Serves(_))) {
            let separator = if text.is_empty() { "" } else { "; " };
            // Writing into a string cannot fail.
            let _ = write!(text, "{separator}no {transport}: {}", outcome.text());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absent(text: &str) -> Outcome {
        Outcome::Absent(text.to_owned())
    }

    #[test]
    fn the_first_rung_that_serves_is_taken_and_the_others_are_explained() {
        let mut ladder = Ladder::default();
        assert_eq!(ladder.begin(None), Next::Probe(Transport::Stream));
        assert_eq!(ladder.probed(Transport::Stream, absent("a false 101")), Next::Probe(Transport::PlcBundle));
        assert_eq!(ladder.probed(Transport::PlcBundle, absent("http: 404")), Next::Probe(Transport::Export));
        let serves = Outcome::Serves("/export answers by number".to_owned());
        assert_eq!(
            ladder.probed(Transport::Export, serves.clone()),
            Next::Use {
                transport: Transport::Export,
                reason: "/export answers by number; no stream: a false 101; no plcbundle: http: 404".to_owned(),
                again_ns: REPROBE_NS,
            }
        );
        assert_eq!(ladder.begin(None), Next::Probe(Transport::Stream), "every climb begins at the top");
        assert!(matches!(ladder.probed(Transport::Stream, serves), Next::Use { transport: Transport::Stream, .. }));
    }

    #[test]
    fn the_rung_that_is_up_is_not_probed_and_nothing_below_it_is_taken() {
        let mut ladder = Ladder::default();
        let up = |transport| Some((transport, "it is open".to_owned()));
        let next = ladder.begin(up(Transport::Stream));
        assert!(matches!(next, Next::Use { transport: Transport::Stream, again_ns: REPROBE_NS, .. }), "{next:?}");
        assert_eq!(ladder.how(), "it is open");
        assert_eq!(ladder.begin(up(Transport::Export)), Next::Probe(Transport::Stream), "a better one may have come");
        ladder.probed(Transport::Stream, Outcome::Unclear("tcp: refused".to_owned()));
        let next = ladder.probed(Transport::PlcBundle, absent("http: 404"));
        assert!(matches!(next, Next::Use { transport: Transport::Export, .. }), "{next:?}");
        assert!(ladder.is_unclear(Transport::Stream) && !ladder.is_unclear(Transport::PlcBundle));
        assert_eq!(ladder.begin(None), Next::Probe(Transport::Stream));
    }

    #[test]
    fn unsupported_is_only_what_definitely_serves_nothing() {
        let climb = |ladder: &mut Ladder, outcomes: [Outcome; 4]| {
            ladder.begin(None);
            Transport::LADDER.into_iter().zip(outcomes).map(|(t, o)| ladder.probed(t, o)).last().unwrap()
        };
        let mut ladder = Ladder::default();
        let none = || absent("http: 404");
        assert!(matches!(climb(&mut ladder, [none(), none(), none(), none()]), Next::Unsupported { .. }));
        let unclear = || Outcome::Unclear("tcp: refused".to_owned());
        let waits: Vec<i64> = (0..10)
            .map(|_| match climb(&mut ladder, [none(), unclear(), none(), none()]) {
                Next::Retry { again_ns, .. } => again_ns,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((waits[0], waits[1], waits[9]), (RETRY_MIN_NS, 2 * RETRY_MIN_NS, RETRY_MAX_NS));
    }

    #[test]
    fn a_choice_below_what_could_not_be_told_is_looked_at_again_soon() {
        let mut ladder = Ladder::default();
        ladder.begin(None);
        ladder.probed(Transport::Stream, of_status(503, "http: 503".to_owned()));
        ladder.probed(Transport::PlcBundle, of_status(404, "http: 404".to_owned()));
        let next = ladder.probed(Transport::Export, Outcome::Serves("it answers".to_owned()));
        assert!(matches!(next, Next::Use { again_ns: REPROBE_UNSURE_NS, .. }), "{next:?}");
    }

    #[test]
    fn statuses_are_told_apart() {
        for (status, is_absent) in [(200, true), (302, true), (400, true), (404, true), (426, true), (501, true)] {
            assert_eq!(matches!(of_status(status, String::new()), Outcome::Absent(_)), is_absent, "{status}");
        }
        for status in [408, 429, 500, 502, 503] {
            assert!(matches!(of_status(status, String::new()), Outcome::Unclear(_)), "{status}");
        }
    }
}
