//! Signed operations made for tests: content as JSON values, signed by any key, put into logs.

use super::super::{Entry, LogCheck, Violation, check_log};
use crate::domain::cid::{Cid, Content};
use crate::domain::did::Did;
use data_encoding::BASE64URL_NOPAD;
use k256::ecdsa::signature::Signer;
use serde_json::{Value, json};

/// Of the making, milliseconds since 1970.
pub(in super::super) const DAY_0_MS: i64 = 1_750_000_000_000;
pub(in super::super) const SECOND_MS: i64 = 1_000;

/// A key of either curve.
pub(in super::super) enum Key {
    K256(k256::ecdsa::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl Key {
    /// The secp256k1 key of this number.
    pub(in super::super) fn k(n: u8) -> Key {
        Key::K256(k256::ecdsa::SigningKey::from_slice(&[n; 32]).unwrap())
    }

    /// The P-256 key of this number.
    pub(in super::super) fn p(n: u8) -> Key {
        Key::P256(p256::ecdsa::SigningKey::from_slice(&[n; 32]).unwrap())
    }

    pub(in super::super) fn did_key(&self) -> String {
        let bytes = match self {
            Key::K256(key) => [&[0xe7, 0x01][..], key.verifying_key().to_sec1_point(true).as_bytes()].concat(),
            Key::P256(key) => [&[0x80, 0x24][..], key.verifying_key().to_sec1_point(true).as_bytes()].concat(),
        };
        format!("did:key:z{}", bs58::encode(bytes).into_string())
    }

    /// The raw signature of `message` in low-S form.
    pub(in super::super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Key::K256(key) => {
                let signature: k256::ecdsa::Signature = key.sign(message);
                signature.normalize_s().to_bytes().to_vec()
            }
            Key::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.normalize_s().to_bytes().to_vec()
            }
        }
    }

    /// The same signature in its other form: `s` replaced by the order of the curve less `s`.
    pub(in super::super) fn sign_high_s(&self, message: &[u8]) -> Vec<u8> {
        let low = self.sign(message);
        match self {
            Key::K256(_) => {
                let (r, s) = k256::ecdsa::Signature::from_slice(&low).unwrap().split_scalars();
                k256::ecdsa::Signature::from_scalars(r, -s).unwrap().to_bytes().to_vec()
            }
            Key::P256(_) => {
                let (r, s) = p256::ecdsa::Signature::from_slice(&low).unwrap().split_scalars();
                p256::ecdsa::Signature::from_scalars(r, -s).unwrap().to_bytes().to_vec()
            }
        }
    }
}

/// An unsigned `plc_operation` with these rotation keys, told from others by `handle`.
pub(in super::super) fn op(prev: Option<Cid>, keys: &[&Key], handle: &str) -> Value {
    json!({
        "type": "plc_operation",
        "rotationKeys": keys.iter().map(|key| key.did_key()).collect::<Vec<_>>(),
        "verificationMethods": { "atproto": Key::k(99).did_key() },
        "alsoKnownAs": [format!("at://{handle}.test")],
        "services": { "atproto_pds": { "type": "AtprotoPersonalDataServer", "endpoint": "https://pds.test" } },
        "prev": prev.map(|cid| cid.to_string()),
    })
}

/// An unsigned tombstone.
pub(in super::super) fn tombstone(prev: Cid) -> Value {
    json!({ "type": "plc_tombstone", "prev": prev.to_string() })
}

/// An unsigned `create`.
pub(in super::super) fn create(recovery: &Key, signing: &Key) -> Value {
    json!({
        "type": "create", "signingKey": signing.did_key(), "recoveryKey": recovery.did_key(),
        "handle": "old.test", "service": "https://pds.test", "prev": null,
    })
}

/// The DAG-CBOR that is signed.
pub(in super::super) fn unsigned_cbor(unsigned: &Value) -> Vec<u8> {
    Content::read(&unsigned.to_string()).unwrap().to_cbor().unwrap()
}

/// The signed operation as JSON.
pub(in super::super) fn sign(unsigned: &Value, key: &Key) -> String {
    with_sig(unsigned, &BASE64URL_NOPAD.encode(&key.sign(&unsigned_cbor(unsigned))))
}

/// The operation with whatever stands for its signature.
pub(in super::super) fn with_sig(unsigned: &Value, sig: &str) -> String {
    let mut signed = unsigned.clone();
    signed["sig"] = sig.into();
    signed.to_string()
}

pub(in super::super) fn cid_of(operation: &str) -> Cid {
    Cid::of_operation(operation).unwrap().0
}

/// A log under construction; its clock goes on by a second with each entry.
pub(in super::super) struct Log {
    pub(in super::super) did: Did,
    pub(in super::super) entries: Vec<Entry<'static>>,
    pub(in super::super) now_ms: i64,
}

impl Log {
    /// A log that begins with this signed first operation.
    pub(in super::super) fn new(genesis: String) -> Log {
        let mut log = Log { did: Did::of_genesis(cid_of(&genesis)), entries: Vec::new(), now_ms: DAY_0_MS };
        log.push(genesis);
        log
    }

    /// Appends a signed operation; its CID.
    pub(in super::super) fn push(&mut self, operation: String) -> Cid {
        let cid = cid_of(&operation);
        self.entries.push(Entry {
            did: self.did,
            cid: Some(cid),
            operation: operation.into(),
            created_ms: self.now_ms,
            nullified: false,
        });
        self.now_ms += SECOND_MS;
        cid
    }

    /// The CID of an entry.
    pub(in super::super) fn cid(&self, place: usize) -> Cid {
        self.entries[place].cid.unwrap()
    }

    /// Marks entries as nullified.
    pub(in super::super) fn nullified(&mut self, places: &[usize]) {
        places.iter().for_each(|place| self.entries[*place].nullified = true);
    }

    pub(in super::super) fn check(&self) -> LogCheck {
        check_log(self.did, &self.entries)
    }

    /// The places and names of the rules that the log breaks.
    pub(in super::super) fn broken(&self) -> Vec<(usize, &'static str)> {
        self.check().violations.iter().map(|(place, Violation { rule, .. })| (*place, rule.name())).collect()
    }
}
