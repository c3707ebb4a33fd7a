//! The habits of the software that real mirrors run, each as a whole.
//!
//! What was measured with the real servers, or read in their sources, and nothing that would be a fault of one server only.

use super::{Behaviour, CursorFault, Delay, Export, Hangup, Health, Numbering, Refusal, Style, Upgrade, Wire};
use crate::sim::history::Lie;
use std::time::Duration;

const NOT_FOUND: Upgrade = Upgrade::Refuse(Refusal { status: 404, retry_after_s: None });

/// What a server that polls the directory each `period_ms` adds to every operation.
const fn polled(period_ms: u64) -> Delay {
    let half = period_ms / 2;
    Delay { fixed_ms: half, jitter_ms: half, straggler_share: 0.0, straggler_ms: 0, keep_order: true }
}

impl Behaviour {
    /// Allegedly's fork on a fjall database: the directory's numbers, sorted keys with `nullified:false`, status 400 before
    /// the upgrade for a cursor in the future or too old, deaf to pings and closes, `/export` by number only. What was
    /// nullified later it keeps as it was.
    #[must_use]
    pub fn fjall_fork() -> Behaviour {
        Behaviour {
            style: Style { sorted_keys: true, ..Style::default() },
            cursor_fault: CursorFault::BadRequest,
            answers_pings: false,
            export_by_time: false,
            health: Health::LatestSeq,
            upgrade_elsewhere: NOT_FOUND,
            lies: vec![Lie::NeverNullified],
            ..Behaviour::default()
        }
    }

    /// Allegedly: a stream that is promised by a 101 and ends at once, numbers of its own, `/export` in both forms, a poll
    /// each 600 ms. What was nullified later it keeps as it was.
    #[must_use]
    pub fn allegedly() -> Behaviour {
        Behaviour {
            delay: polled(600),
            numbering: Numbering::Own,
            upgrade: Upgrade::FalseAccept(Hangup::Eof),
            health: Health::LatestAt,
            upgrade_elsewhere: NOT_FOUND,
            lies: vec![Lie::NeverNullified],
            ..Behaviour::default()
        }
    }

    /// A plcbundle server: `/ws` without numbers, which begins with what is in its mempool; `/status`, and neither
    /// `/export` nor `/_health`; a poll each second, and two pings of its own in it.
    #[must_use]
    pub fn plcbundle() -> Behaviour {
        Behaviour {
            delay: polled(1_000),
            numbering: Numbering::Own,
            style: Style { wire: Wire::Bundle, ..Style::default() },
            replay_on_connect: 100,
            pings_every: Some(Duration::from_millis(500)),
            export: Export::Absent,
            health: Health::Absent,
            upgrade_elsewhere: NOT_FOUND,
            ..Behaviour::default()
        }
    }

    /// The official replica: no stream and no `/export`, logs and documents only, 410 after a tombstone.
    #[must_use]
    pub fn plc_replica() -> Behaviour {
        Behaviour {
            upgrade: NOT_FOUND,
            upgrade_elsewhere: NOT_FOUND,
            export: Export::Absent,
            tombstone_status: 410,
            health: Health::LastCommitted,
            ..Behaviour::default()
        }
    }

    /// The plc-mirror family: documents only.
    #[must_use]
    pub fn plc_mirror() -> Behaviour {
        Behaviour { audit: Export::Absent, has_logs: false, health: Health::Absent, ..Behaviour::plc_replica() }
    }
}
