//! What a start makes of what was kept: rows become what the ledger takes, and what is lost of them is found out.

use super::save::{JOURNAL_ROW, LEDGER_ROW, SourceState, WINDOW_ROW};
use super::standing::SavedStanding;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::fill::Anchor;
use crate::domain::ledger::Saved;
use crate::domain::ledger::loss::Loss;
use crate::domain::ledger::restore::LedgerState;
use crate::domain::ledger::saved::SavedRows;
use crate::domain::op::OpKey;
use crate::domain::sample::Samples;
use crate::domain::window::Windows;
use crate::ports::store::{EventRow, EvidenceRow, Loaded, Segment, SessionRow, Tier};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// What stands for the newest operation of a segment that is not needed any more.
pub(super) const FORGOTTEN: i64 = i64::MIN;

/// What the collector itself takes of what was kept, beside the ledger.
#[derive(Clone, Debug)]
pub struct KeptRows {
    /// Link sessions, oldest first.
    pub sessions: Vec<SessionRow>,
    /// Evidence, by source and time.
    pub evidence: Vec<EvidenceRow>,
    /// Through when everything was kept, UTC milliseconds; before everything when that is not known.
    pub saved_ms: i64,
}

impl Default for KeptRows {
    fn default() -> KeptRows {
        KeptRows { sessions: Vec::new(), evidence: Vec::new(), saved_ms: i64::MIN }
    }
}

/// What a start gets back.
#[derive(Debug, Default)]
pub struct Restored {
    /// For the ledger.
    pub saved: Saved,
    /// Where each source is resumed, by id.
    pub anchors: HashMap<String, Anchor>,
    /// The largest segment id.
    pub last_segment: i64,
    /// Events, oldest first.
    pub events: Vec<EventRow>,
    /// Refused frames by source id and reason.
    pub rejects: HashMap<String, BTreeMap<String, u64>>,
    /// Segments that are kept: id and newest operation named.
    pub kept_segments: Vec<(i64, i64)>,
    /// Sessions and evidence.
    pub kept: KeptRows,
    /// Samples by source id.
    pub samples: HashMap<String, Samples>,
    /// States of mirrors by source id.
    pub standings: HashMap<String, SavedStanding>,
    /// Rows that could not be read.
    pub unreadable: usize,
}

impl Restored {
    fn is_empty(&self, segments: &[Segment]) -> bool {
        segments.is_empty() && self.saved.windows.is_empty() && self.saved.counters.is_empty()
    }

    /// Lets go what is told in instants of a clock that is not known any more; totals and intervals stay.
    fn forget_instants(&mut self) {
        self.saved.state = None;
        self.saved.windows.clear();
        let counters = std::mem::take(&mut self.saved.counters);
        self.saved.counters = counters.into_iter().map(|(id, c)| (id, c.without_instants())).collect();
    }
}

/// The place of the first segment behind the last one that is lost; none when all are there. They are numbered without a
/// gap, and `kept_ids` are the first and the last that the last transaction knew.
fn behind_holes(segments: &[Segment], kept_ids: Option<(i64, i64)>) -> Option<usize> {
    let first = kept_ids.map_or_else(|| segments.first().map(|s| s.id), |ids| Some(ids.0))?;
    let mut expected = kept_ids.map_or_else(|| segments.last().map(|s| s.id), |ids| Some(ids.1))?;
    let mut place = segments.len();
    for segment in segments.iter().rev() {
        if segment.id != expected {
            break;
        }
        (place, expected) = (place - 1, expected - 1);
    }
    (expected >= first).then_some(place)
}

fn take_segments(r: &mut Restored, segments: Vec<Segment>) {
    let believed_from = r.saved.loss.map_or(0, |loss| loss.believed_from);
    let mut newest = -1;
    for (i, s) in segments.iter().enumerate() {
        newest = newest.max(s.last_op);
        r.kept_segments.push((s.id, if i < believed_from { FORGOTTEN } else { newest }));
    }
    r.saved.segments = segments.into_iter().map(|s| s.blob).collect();
}

/// Makes of what was kept what the ledger takes; `is_rebooted` when the machine was started anew since.
#[must_use]
pub fn restore(loaded: Loaded, is_rebooted: bool) -> Restored {
    let mut r = Restored::default();
    r.saved.is_rebooted = is_rebooted;
    r.last_segment = loaded.segments.iter().map(|s| s.id).chain(loaded.damaged_segments).max().unwrap_or(0);
    r.events = loaded.events;
    let saved_ms = loaded.heartbeat.as_ref().map_or(i64::MIN, |beat| beat.utc_ms);
    r.kept = KeptRows { sessions: loaded.sessions, evidence: loaded.evidence, saved_ms };
    let has_clock = loaded.heartbeat.is_some();
    let mut kept_ids = None;
    for row in loaded.sources {
        let is_read = if row.id == LEDGER_ROW {
            decode::<LedgerState>(&row.state).map(|s| r.saved.state = Some(s)).is_some()
        } else if row.id == JOURNAL_ROW {
            decode::<(i64, i64)>(&row.state).map(|ids| kept_ids = Some(ids)).is_some()
        } else if let Some(id) = row.id.strip_suffix(WINDOW_ROW) {
            decode::<Windows>(&row.state).map(|w| r.saved.windows.insert(id.to_owned(), w)).is_some()
        } else {
            decode::<SourceState>(&row.state).map(|s| take_source(&mut r, row.id, s)).is_some()
        };
        r.unreadable += usize::from(!is_read);
    }
    r.last_segment = r.last_segment.max(kept_ids.map_or(0, |ids| ids.1));
    let believed_from = behind_holes(&loaded.segments, kept_ids);
    let is_whole = believed_from.is_none() && !loaded.is_recovered && (has_clock || r.is_empty(&loaded.segments));
    if !is_whole || (r.saved.state.is_none() && !loaded.segments.is_empty()) {
        let believed_from = if has_clock { believed_from.unwrap_or(0) } else { loaded.segments.len() };
        r.saved.loss = Some(Loss { believed_from });
    }
    if !has_clock {
        r.forget_instants();
    }
    take_segments(&mut r, loaded.segments);
    let [mut intervals, mut hours, mut days] = [SavedRows::default(), SavedRows::default(), SavedRows::default()];
    for row in loaded.intervals {
        let of_tier = match row.tier {
            Tier::Interval => &mut intervals,
            Tier::Hour => &mut hours,
            Tier::Day => &mut days,
        };
        of_tier.add(row.start_ms, row.source, &row.blob);
    }
    r.saved.intervals = intervals.take_before(i64::MAX);
    r.saved.hours = hours.take_before(i64::MAX);
    r.saved.days = days.take_before(i64::MAX);
    r.unreadable += [intervals, hours, days].iter().map(SavedRows::unreadable).sum::<usize>();
    r
}

fn take_source(r: &mut Restored, id: String, state: SourceState) {
    if let Some((seq, did, cid)) = state.anchor {
        r.anchors.insert(id.clone(), Anchor { seq, key: OpKey { did: Did(did), cid: Cid(cid) } });
    }
    r.rejects.insert(id.clone(), state.rejects);
    r.samples.insert(id.clone(), state.samples);
    r.standings.extend(state.standing.map(|standing| (id.clone(), standing)));
    r.saved.counters.insert(id, state.counters);
}

fn decode<T: for<'de> Deserialize<'de>>(blob: &[u8]) -> Option<T> {
    serde_ipld_dagcbor::from_slice(blob).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(ids: &[i64]) -> Vec<Segment> {
        ids.iter().map(|&id| Segment { id, first_op: id, last_op: id, blob: Vec::new() }).collect()
    }

    #[test]
    fn a_journal_is_believed_behind_its_last_hole() {
        for (ids, kept, place) in [
            (vec![], None, None),
            (vec![], Some((5, 4)), None),
            (vec![], Some((4, 4)), Some(0)),
            (vec![3, 4, 5], None, None),
            (vec![3, 4, 5], Some((3, 5)), None),
            (vec![3, 5], None, Some(1)),
            (vec![3, 5, 6, 8, 9], None, Some(3)),
            (vec![4, 5], Some((3, 5)), Some(0)),
            (vec![3, 4], Some((3, 5)), Some(2)),
            (vec![3, 4, 5], Some((5, 5)), None),
        ] {
            assert_eq!(behind_holes(&segments(&ids), kept), place, "{ids:?} {kept:?}");
        }
    }
}
