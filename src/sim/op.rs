//! Valid operations: chained, signed, with the CIDs and DIDs that they must have.
//!
//! The keys come from the seed and protect nothing. A made operation keeps every rule of the directory, so that an
//! observer that checks signatures finds nothing to blame. What belongs together by its `prev` – chains, rivals,
//! recoveries – is made in [`family`].

mod family;

pub use family::Contest;

use crate::domain::cid::{Cid, Content};
use crate::domain::did::Did;
use crate::domain::op::{Kind, OpKey};
use data_encoding::BASE64URL_NOPAD;
use k256::ecdsa::signature::Signer;
use k256::ecdsa::{Signature, SigningKey};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Keys that sign everything; few, because making one costs as much as a signature.
const KEYS: usize = 16;
/// DIDs that receive updates at a time; the oldest is left alone when another one is made.
const LIVE_DIDS: usize = 512;
/// Steps from one `seq` to the next: the directory's numbers have gaps, and a mirror finds room there for its inventions.
const SEQ_STEPS: RangeInclusive<u64> = 2..=5;

/// One operation of the simulated directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SimOp {
    /// Identity: the DID, and the CID that `operation` really has.
    pub key: OpKey,
    /// What it does.
    pub kind: Kind,
    /// The directory's own number for it.
    pub seq: u64,
    /// When the directory accepted it, milliseconds since 1970.
    pub created_ms: i64,
    /// The signed operation as JSON, in the key order of the reference server.
    pub operation: String,
    /// The operation of the same DID that it follows.
    pub prev: Option<Cid>,
    /// Operations that a directory nullifies when it accepts this one.
    pub nullifies: Vec<Cid>,
}

impl SimOp {
    /// Whether the DID is made from this very operation.
    #[must_use]
    pub fn is_genesis(&self) -> bool {
        matches!(self.kind, Kind::Genesis | Kind::LegacyCreate)
    }

    /// Other content under the same claim.
    #[must_use]
    pub fn with_other_content(&self) -> SimOp {
        let operation = self.operation.replacen('{', r#"{"note":"altered","#, 1);
        SimOp { operation, ..self.clone() }
    }

    /// The same operation, accepted a minute later.
    #[must_use]
    pub fn with_other_created_at(&self) -> SimOp {
        SimOp { created_ms: self.created_ms + 60_000, ..self.clone() }
    }

    /// The same operation under another DID; nonsense for a genesis.
    #[must_use]
    pub fn with_other_did(&self) -> SimOp {
        let Did(mut bytes) = self.key.did;
        bytes.reverse();
        SimOp { key: OpKey { did: Did(bytes), ..self.key }, ..self.clone() }
    }
}

/// A key and how operations name it.
struct Key {
    secret: SigningKey,
    did_key: String,
}

/// A DID that can still be updated.
struct Account {
    did: Did,
    head: Cid,
    /// Its first rotation key, which signs what follows.
    key: usize,
    updates: u64,
}

/// Makes the operations of one directory; the same seed makes the same ones.
pub struct OpMaker {
    rng: StdRng,
    keys: Vec<Key>,
    accounts: Vec<Account>,
    made: u64,
    seq: u64,
}

impl OpMaker {
    /// A directory that has accepted nothing yet.
    #[must_use]
    pub fn new(seed: u64) -> OpMaker {
        let mut rng = StdRng::seed_from_u64(seed);
        let keys = (0..KEYS).map(|_| Key::random(&mut rng)).collect();
        OpMaker { rng, keys, accounts: Vec::new(), made: 0, seq: 0 }
    }

    /// The next operation of a usual mixture: a quarter new DIDs, few tombstones, fewer legacy creates.
    pub fn next(&mut self, now_ms: i64) -> Arc<SimOp> {
        let kind = match self.rng.random_range(0..1_000) {
            0..250 => Kind::Genesis,
            250..255 => Kind::LegacyCreate,
            255..265 => Kind::Tombstone,
            _ => Kind::Update,
        };
        self.of_kind(kind, now_ms)
    }

    /// The next operation, of this kind; a genesis in its place while there is no DID that could receive it.
    pub fn of_kind(&mut self, kind: Kind, now_ms: i64) -> Arc<SimOp> {
        self.count();
        let account = match kind {
            Kind::Update | Kind::Tombstone if !self.accounts.is_empty() => {
                let index = self.rng.random_range(0..self.accounts.len());
                Some(self.accounts.swap_remove(index))
            }
            _ => None,
        };
        self.make(kind, account, now_ms)
    }

    /// An operation of this account, or a first one of a new DID.
    fn make(&mut self, kind: Kind, account: Option<Account>, now_ms: i64) -> Arc<SimOp> {
        let prev = account.as_ref().map(|account| account.head);
        let (key, kind, operation, cid) = match account {
            Some(account) if kind == Kind::Tombstone => {
                let (operation, cid) = self.sign(tombstone(account.head), account.key);
                (OpKey { did: account.did, cid }, Kind::Tombstone, operation, cid)
            }
            Some(mut account) => {
                let content = self.update(&account);
                let (operation, cid) = self.sign(content, account.key);
                account.head = cid;
                account.updates += 1;
                let did = account.did;
                self.accounts.push(account);
                (OpKey { did, cid }, Kind::Update, operation, cid)
            }
            None => self.create(if kind == Kind::LegacyCreate { kind } else { Kind::Genesis }),
        };
        debug_assert_eq!(key.cid, cid, "an operation is named by its own content");
        Arc::new(SimOp { key, kind, seq: self.seq, created_ms: now_ms, operation, prev, nullifies: Vec::new() })
    }

    /// Takes the next number.
    fn count(&mut self) {
        self.made += 1;
        self.seq += self.rng.random_range(SEQ_STEPS);
    }

    fn create(&mut self, kind: Kind) -> (OpKey, Kind, String, Cid) {
        let key = self.rng.random_range(0..self.keys.len());
        let handle = format!("user{}-{:08x}.test", self.made, self.rng.random::<u32>());
        let content = if kind == Kind::LegacyCreate {
            // The rotation keys of this form are [recoveryKey, signingKey].
            vec![
                entry("type", text("create")),
                entry("signingKey", self.did_key(key + 1)),
                entry("recoveryKey", self.did_key(key)),
                entry("handle", text(handle)),
                entry("service", text("https://pds.test")),
                entry("prev", Content::Null),
            ]
        } else {
            self.state(key, Content::Null, &handle)
        };
        let (operation, cid) = self.sign(content, key);
        let did = Did::of_genesis(cid);
        if self.accounts.len() >= LIVE_DIDS {
            self.accounts.swap_remove(0);
        }
        self.accounts.push(Account { did, head: cid, key, updates: 0 });
        (OpKey { did, cid }, kind, operation, cid)
    }

    fn update(&self, account: &Account) -> Vec<(Cow<'static, str>, Content<'static>)> {
        let handle = format!("user{}-{}.test", self.made, account.updates);
        self.state(account.key, text(account.head.to_string()), &handle)
    }

    /// A `plc_operation` whose rotation keys are `key` and its neighbour.
    fn state(&self, key: usize, prev: Content<'static>, handle: &str) -> Vec<(Cow<'static, str>, Content<'static>)> {
        let pds = vec![
            entry("type", text("AtprotoPersonalDataServer")),
            entry("endpoint", text(format!("https://pds{}.host.test", self.made % 97))),
        ];
        vec![
            entry("type", text("plc_operation")),
            entry("rotationKeys", Content::List(vec![self.did_key(key), self.did_key(key + 1)])),
            entry("verificationMethods", Content::Map(vec![entry("atproto", self.did_key(key + 2))])),
            entry("alsoKnownAs", Content::List(vec![text(format!("at://{handle}"))])),
            entry("services", Content::Map(vec![entry("atproto_pds", Content::Map(pds))])),
            entry("prev", prev),
        ]
    }

    fn did_key(&self, index: usize) -> Content<'static> {
        text(self.keys.get(index % KEYS).map(|key| key.did_key.clone()).unwrap_or_default())
    }

    /// Signs the DAG-CBOR of `entries` and returns the whole operation as JSON, and its CID.
    fn sign(&self, mut entries: Vec<(Cow<'static, str>, Content<'static>)>, key: usize) -> (String, Cid) {
        let unsigned = cbor(&Content::Map(entries.clone()));
        if let Some(key) = self.keys.get(key % KEYS) {
            let signature: Signature = key.secret.sign(&unsigned);
            let bytes = signature.normalize_s().to_bytes();
            entries.push(entry("sig", text(BASE64URL_NOPAD.encode(&bytes))));
        }
        let signed = Content::Map(entries);
        let cid = Cid::of_cbor(&cbor(&signed));
        (serde_json::to_string(&signed).unwrap_or_default(), cid)
    }
}

impl Key {
    fn random(rng: &mut StdRng) -> Key {
        loop {
            let mut bytes = [0; 32];
            rng.fill(&mut bytes);
            // One number in 2^128 is no key of the curve.
            if let Ok(secret) = SigningKey::from_slice(&bytes) {
                // Multicodec of a compressed secp256k1 key, multibase base58btc.
                let mut public = vec![0xe7, 0x01];
                public.extend_from_slice(secret.verifying_key().to_sec1_point(true).as_bytes());
                return Key { secret, did_key: format!("did:key:z{}", bs58::encode(public).into_string()) };
            }
        }
    }
}

fn tombstone(prev: Cid) -> Vec<(Cow<'static, str>, Content<'static>)> {
    vec![entry("type", text("plc_tombstone")), entry("prev", text(prev.to_string()))]
}

fn entry(key: &'static str, value: Content<'static>) -> (Cow<'static, str>, Content<'static>) {
    (Cow::Borrowed(key), value)
}

fn text(value: impl Into<Cow<'static, str>>) -> Content<'static> {
    Content::Text(value.into())
}

#[expect(clippy::expect_used, reason = "what is made here is a tenth of the limit")]
fn cbor(content: &Content<'_>) -> Vec<u8> {
    content.to_cbor().expect("a made operation is small")
}

#[cfg(test)]
mod tests {
    use super::*;
    use k256::ecdsa::VerifyingKey;
    use k256::ecdsa::signature::Verifier;
    use std::collections::HashMap;

    fn field<'a>(content: &'a Content<'_>, key: &str) -> &'a str {
        match content.get(key) {
            Some(Content::Text(text)) => text,
            other => panic!("{key}: {other:?}"),
        }
    }

    fn public_key(did_key: &str) -> VerifyingKey {
        let bytes = bs58::decode(did_key.strip_prefix("did:key:z").unwrap()).into_vec().unwrap();
        assert_eq!(bytes[..2], [0xe7, 0x01]);
        VerifyingKey::from_sec1_bytes(&bytes[2..]).unwrap()
    }

    /// Rotation keys after `op`.
    fn rotation_keys(content: &Content<'_>) -> Vec<String> {
        if field(content, "type") == "create" {
            return vec![field(content, "recoveryKey").to_owned(), field(content, "signingKey").to_owned()];
        }
        let Some(Content::List(keys)) = content.get("rotationKeys") else { panic!("no keys") };
        keys.iter().map(|key| if let Content::Text(key) = key { key.to_string() } else { panic!("no key") }).collect()
    }

    #[test]
    fn every_operation_keeps_the_rules_of_the_directory() {
        let mut maker = OpMaker::new(7);
        let mut heads: HashMap<Did, (Cid, Vec<String>)> = HashMap::new();
        let mut kinds = HashMap::new();
        let mut seq = 0;
        for n in 0..600 {
            let op = if n % 50 == 49 { maker.of_kind(Kind::LegacyCreate, n) } else { maker.next(n) };
            assert!(op.seq > seq);
            seq = op.seq;
            *kinds.entry(op.kind).or_insert(0) += 1;
            assert_eq!(Cid::of_operation(&op.operation).unwrap().0, op.key.cid);
            let content = Content::read(&op.operation).unwrap();
            let signature = BASE64URL_NOPAD.decode(field(&content, "sig").as_bytes()).unwrap();
            let signature = Signature::from_slice(&signature).unwrap();
            assert_eq!(signature.normalize_s(), signature, "low S");
            let Content::Map(mut entries) = content.clone() else { panic!("no object") };
            entries.retain(|(key, _)| key != "sig");
            let unsigned = Content::Map(entries).to_cbor().unwrap();
            let keys = match content.get("prev") {
                Some(Content::Null) => {
                    assert_eq!(Did::of_genesis(op.key.cid), op.key.did);
                    rotation_keys(&content)
                }
                Some(Content::Text(prev)) => {
                    let (head, keys) = heads.remove(&op.key.did).unwrap();
                    assert_eq!(Cid::parse(prev), Some(head));
                    keys
                }
                other => panic!("{other:?}"),
            };
            assert!(keys.iter().any(|key| public_key(key).verify(&unsigned, &signature).is_ok()));
            if op.kind != Kind::Tombstone {
                heads.insert(op.key.did, (op.key.cid, rotation_keys(&content)));
            }
        }
        assert!(Kind::ALL.iter().all(|kind| kinds[kind] > 0), "{kinds:?}");
    }

    #[test]
    fn the_seed_decides_everything() {
        let made = |seed| {
            let mut maker = OpMaker::new(seed);
            (0..20).map(|n| maker.next(n)).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1)[0].key, made(2)[0].key);
    }
}
