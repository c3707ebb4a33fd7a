//! Misses and extras as they are kept, each with what was found about it.

use super::Collector;
use crate::domain::ledger::persist::Prepared;
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use crate::domain::verdict::Verdict;
use crate::ports::store::MissRow;

impl Collector {
    /// The rows of everything that a transaction says about misses and extras.
    pub(super) fn miss_rows(&self, prepared: &Prepared, now: Tau) -> Vec<MissRow> {
        let utc_ms = self.labels.utc_ms(now);
        let of = |m: u16| self.sources.get(usize::from(m) + 1).map_or_else(String::new, |k| k.who.id.clone());
        let found = |m: u16, key: &OpKey| {
            self.ledger.finding(SourceIx::mirror(usize::from(m)), key).map(|f| f.name().to_owned())
        };
        let misses = prepared.misses.iter().map(|(m, row, cell)| MissRow {
            source: of(*m),
            did: row.did.0,
            cid: row.cid.0,
            seq: row.seq().map(|s| s as i64),
            kind: row.kind as u8,
            verdict: cell.verdict().name().to_owned(),
            confirmation: found(*m, &row.key()),
            created_ms: row.created_ms,
            primary_at_ms: self.labels.utc_ms(row.p),
            updated_ms: utc_ms,
            healed: cell.verdict() != Verdict::Missed,
        });
        let extras = prepared.extras.iter().map(|s| MissRow {
            source: of(s.mirror),
            did: s.key.did.0,
            cid: s.key.cid.0,
            seq: None,
            kind: s.kind as u8,
            verdict: "extra".to_owned(),
            confirmation: found(s.mirror, &s.key),
            created_ms: s.created_ms,
            primary_at_ms: self.labels.utc_ms(s.q),
            updated_ms: utc_ms,
            healed: false,
        });
        misses.chain(extras).collect()
    }
}
