//! Operations that break the rules and are otherwise whole: their CIDs, and the DIDs of first ones, are what their content
//! makes them, so that only who checks signatures finds anything wrong.

use super::op::SimOp;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::op::OpKey;

const SIG: &str = r#""sig":""#;

impl SimOp {
    /// The same operation with a signature that no key made. Nothing that its maker makes later follows it.
    #[must_use]
    pub fn with_broken_signature(&self) -> SimOp {
        let operation = match self.operation.split_once(SIG) {
            Some((head, sig)) => {
                let other = if sig.starts_with('A') { 'B' } else { 'A' };
                let rest = sig.chars().skip(1).collect::<String>();
                format!("{head}{SIG}{other}{rest}")
            }
            None => self.operation.clone(),
        };
        let cid = Cid::of_operation(&operation).map_or(self.key.cid, |(cid, _)| cid);
        let did = if self.is_genesis() { Did::of_genesis(cid) } else { self.key.did };
        SimOp { key: OpKey { did, cid }, operation, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::op::Kind;
    use crate::domain::validity::{Context, Rule, check_op};
    use crate::sim::op::OpMaker;

    #[test]
    fn only_the_signature_is_wrong() {
        let mut maker = OpMaker::new(3);
        for kind in [Kind::Genesis, Kind::LegacyCreate] {
            let op = maker.of_kind(kind, 0);
            let check = |op: &SimOp| {
                check_op(&op.operation, &Context { did: op.key.did, cid: Some(op.key.cid), keys: None })
                    .map_err(|v| v.rule)
            };
            assert!(check(&op).is_ok());
            assert_eq!(check(&op.with_broken_signature()), Err(Rule::BadSignature));
        }
    }
}
