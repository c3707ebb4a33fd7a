//! Operations of the primary that break the rules: a mirror that refuses one is right to.

use super::Ledger;
use crate::domain::op::OpKey;
use crate::domain::verdict::{Reason, Verdict};

impl Ledger {
    /// The operation breaks the rules: mirrors that have not delivered it become `disputed` where they would be missed, now
    /// or when they are judged. Nothing changes where it was delivered, and nothing when the operation is not held.
    pub fn dispute(&mut self, key: &OpKey) {
        let Some(number) = self.ring.find(&key.cid) else { return };
        let Some(row) = self.ring.row_mut(number).filter(|row| row.did == key.did && !row.is_disputed) else { return };
        row.is_disputed = true;
        let row = *row;
        self.journal.moved(number, &row);
        for m in 0..self.mirrors.len() {
            let Some(cell) = self.ring.cell(number, m) else { continue };
            if cell.verdict() == Verdict::Missed && cell.delivery().is_none() {
                self.set_cell(number, m, cell.with_verdict(Verdict::Disputed, Reason::None));
            }
        }
    }
}
