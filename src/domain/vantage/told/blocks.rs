//! What the primary showed an observer, read from its actions.

use super::{BlockTold, OpsTold, Refused, key_of, parsed};
use crate::domain::vantage::Shown;
use crate::domain::vantage::block::{Digest, SEQS};
use data_encoding::HEXLOWER;
use serde::Deserialize;

#[derive(Deserialize)]
struct BlockAction {
    primary: String,
    first_seq: u64,
    ops: u32,
    xor_sha256: String,
}

#[derive(Deserialize)]
struct BlockOpsAction {
    primary: String,
    first_seq: u64,
    ops: Option<String>,
}

/// Numbers of the primary are below this, as every number of JSON that is told exactly.
const BLOCK_SEQ_END: u64 = 1 << 53;

fn is_block(first_seq: u64) -> bool {
    first_seq < BLOCK_SEQ_END && first_seq.is_multiple_of(SEQS)
}

pub(super) fn block(action: &str) -> Result<BlockTold, Refused> {
    let told: BlockAction = parsed(action)?;
    let xor = HEXLOWER.decode(told.xor_sha256.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    let digest = Digest { ops: told.ops, xor: xor.ok_or(Refused::Malformed)? };
    if !is_block(told.first_seq) || u64::from(told.ops) > SEQS {
        return Err(Refused::Malformed);
    }
    Ok(BlockTold { primary: key_of(&told.primary)?, first_seq: told.first_seq, digest })
}

pub(super) fn block_ops(action: &str) -> Result<OpsTold, Refused> {
    let told: BlockOpsAction = parsed(action)?;
    let ops = told.ops.map(|ops| Shown::parse(&ops).ok_or(Refused::Malformed)).transpose()?;
    if !is_block(told.first_seq) {
        return Err(Refused::Malformed);
    }
    Ok(OpsTold { primary: key_of(&told.primary)?, first_seq: told.first_seq, ops })
}
