//! Operations of one DID that belong together: a chain, two that follow the same one, and a recovery that nullifies.
//!
//! All of them are signed by keys that may sign them, so that only the relation between them is out of the ordinary.

use super::{Account, OpMaker, SimOp, text};
use crate::domain::did::Did;
use crate::domain::op::{Kind, OpKey};
use std::sync::Arc;

/// A DID whose second operation is undone by its owner.
#[derive(Clone, Debug)]
pub struct Contest {
    /// The first operation.
    pub genesis: Arc<SimOp>,
    /// What follows it, signed by the second of its rotation keys.
    pub loser: Arc<SimOp>,
    /// What follows it too, signed by the first of its rotation keys: accepted within 72 h, it nullifies the other one.
    pub recovery: Arc<SimOp>,
}

impl OpMaker {
    /// The next update of this DID; none when it is unknown, left alone or ended.
    pub fn update_of(&mut self, did: Did, now_ms: i64) -> Option<Arc<SimOp>> {
        let index = self.accounts.iter().position(|account| account.did == did)?;
        self.count();
        let account = self.accounts.swap_remove(index);
        Some(self.make(Kind::Update, Some(account), now_ms))
    }

    /// Makes nothing more of this DID.
    pub fn leave_alone(&mut self, did: Did) {
        self.accounts.retain(|account| account.did != did);
    }

    /// A new DID with so many operations, each following the one before it; at least one.
    pub fn chain(&mut self, operations: usize, now_ms: i64) -> Vec<Arc<SimOp>> {
        let genesis = self.of_kind(Kind::Genesis, now_ms);
        let did = genesis.key.did;
        let mut chain = vec![genesis];
        chain.extend((1..operations).map_while(|_| self.update_of(did, now_ms)));
        chain
    }

    /// Another operation in the place of this update: same DID, same `prev`, same number and time, other content, and a
    /// good signature. None for what has no `prev`, and for DIDs that can be updated no more.
    pub fn rival(&mut self, op: &SimOp) -> Option<Arc<SimOp>> {
        let prev = op.prev?;
        let account = self.accounts.iter().find(|account| account.did == op.key.did)?;
        let handle = format!("rival{}-{}.test", self.made, account.updates);
        let key = account.key;
        let (operation, cid) = self.sign(self.state(key, text(prev.to_string()), &handle), key);
        Some(Arc::new(SimOp { key: OpKey { cid, ..op.key }, operation, ..op.clone() }))
    }

    /// A new DID whose second operation its third one nullifies.
    pub fn contest(&mut self, now_ms: i64) -> Contest {
        let genesis = self.of_kind(Kind::Genesis, now_ms);
        let account = self.accounts.pop().filter(|account| account.did == genesis.key.did);
        let key = account.as_ref().map_or(0, |account| account.key);
        let loser = self.after(&genesis, key + 1, key, "loser", now_ms);
        let recovery = self.after(&genesis, key, key, "recovery", now_ms);
        let recovery = SimOp { nullifies: vec![loser.key.cid], ..recovery };
        self.accounts.extend(account.map(|account| Account { head: recovery.key.cid, updates: 1, ..account }));
        Contest { genesis, loser: Arc::new(loser), recovery: Arc::new(recovery) }
    }

    /// An update that follows `genesis`, signed by the key `signer`; its own rotation keys begin with `key`.
    fn after(&mut self, genesis: &SimOp, signer: usize, key: usize, handle: &str, now_ms: i64) -> SimOp {
        self.count();
        let prev = genesis.key.cid;
        let handle = format!("{handle}{}.test", self.made);
        let (operation, cid) = self.sign(self.state(key, text(prev.to_string()), &handle), signer);
        SimOp {
            key: OpKey { cid, ..genesis.key },
            kind: Kind::Update,
            seq: self.seq,
            created_ms: now_ms,
            operation,
            prev: Some(prev),
            nullifies: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;

    #[test]
    fn what_belongs_together_says_so() {
        let mut maker = OpMaker::new(4);
        for n in 0..30 {
            maker.next(n);
        }
        let chain = maker.chain(20, 100);
        assert_eq!(chain.len(), 20);
        for pair in chain.windows(2) {
            assert_eq!((pair[1].prev, pair[1].key.did), (Some(pair[0].key.cid), pair[0].key.did));
            assert!(pair[1].seq > pair[0].seq && pair[1].operation.contains(&pair[0].key.cid.to_string()));
        }
        let last = &chain[19];
        let rival = maker.rival(last).unwrap();
        assert_eq!((rival.prev, rival.seq, rival.key.did), (last.prev, last.seq, last.key.did));
        assert!(rival.key.cid != last.key.cid && Cid::of_operation(&rival.operation).unwrap().0 == rival.key.cid);
        assert!(maker.rival(&chain[0]).is_none(), "a first operation makes its own DID");

        maker.leave_alone(last.key.did);
        assert!(maker.update_of(last.key.did, 150).is_none());

        let contest = maker.contest(200);
        assert_eq!(contest.loser.prev, contest.recovery.prev);
        assert_eq!(contest.recovery.nullifies, [contest.loser.key.cid]);
        let next = maker.update_of(contest.genesis.key.did, 300).unwrap();
        assert_eq!(next.prev, Some(contest.recovery.key.cid));
    }
}
