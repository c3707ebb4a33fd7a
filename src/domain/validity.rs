//! Full validation of operations by the rules of did:plc: form, identity, signature, chain, nullification.
//!
//! Pure and strict where two observers must agree, and silent where the public directory itself was not always strict: no
//! operation is called invalid that the directory may rightly have accepted. One operation is checked by [`check_op`], a
//! whole log by [`check_log`], a stream by a [`keeper::Keeper`]. Checking a signature costs a fraction of a millisecond:
//! none of this belongs on a thread that stamps arrivals.

mod chain;
pub mod keeper;
mod key;
mod log;
mod operation;
mod rule;

pub use chain::RECOVERY_WINDOW_MS;
pub use key::{SIGNATURE_BYTES, SigningKey};
pub use log::{Entry, LogCheck, check_log, is_known_invalid};
pub use operation::{Operation, ROTATION_KEYS_MAX};
pub use rule::{Rule, Violation};

use super::cid::Cid;
use super::did::Did;

/// What is known about an operation from elsewhere.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Context<'a> {
    /// Whose operation it is said to be.
    pub did: Did,
    /// The CID that is claimed, where one is.
    pub cid: Option<Cid>,
    /// The rotation keys of the operation that it follows, where that is known; a first operation has its own.
    pub keys: Option<&'a [Option<SigningKey>]>,
}

/// An operation that keeps every rule that could be checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// The operation.
    pub operation: Operation,
    /// The place of its signer among the allowed keys; none where those are not known.
    pub signer: Option<usize>,
}

/// Checks one signed operation, given as JSON, without its log.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_op(operation: &str, context: &Context<'_>) -> Result<Checked, Violation> {
    let operation = Operation::read(operation)?;
    operation.check_identity(context.did, context.cid)?;
    let own = operation.prev.is_none().then_some(operation.rotation_keys.as_slice());
    let signer = own.or(context.keys).map(|keys| operation.signer(keys)).transpose()?;
    Ok(Checked { operation, signer })
}

#[cfg(test)]
mod tests;
