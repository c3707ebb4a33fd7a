//! Forms of operations whose content was hashed before.
//!
//! Every source sends the same operations, often byte for byte. Hashing the content costs about 2 µs, finding a form
//! that was hashed before a tenth of that. Forms are found by 128 bits of a keyed hash, whose seeds no source can
//! know; what a form is remembered as never depends on who sent it.
//!
//! Two generations bound it: when the young one is full it becomes the old one, and the old one is let go.

use super::reject::Reject;
use crate::domain::cid::{Cid, Content};
use crate::domain::op::Kind;
use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use hashbrown::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Forms in one generation unless said otherwise: what a table of 65,536 places holds without growing.
pub const DEFAULT_FORMS: usize = 57_344;

/// What the content of an operation says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Form {
    /// Recomputed from the content.
    pub cid: Cid,
    /// What the operation does; a genesis or a legacy create is the one whose `prev` is null.
    pub kind: Kind,
    /// What its `prev` names; none for null and for what is no CID.
    pub prev: Option<Cid>,
}

impl Form {
    /// Reads a signed operation's JSON and hashes it.
    ///
    /// # Errors
    /// A [`Reject`] when it is no operation.
    pub fn read(operation: &str) -> Result<Form, Reject> {
        let content = Content::read(operation)?;
        if !matches!(content, Content::Map(_)) {
            return Err(Reject::BadOperation("not an object"));
        }
        let cbor = content.to_cbor()?;
        let Some(Content::Text(name)) = content.get("type") else {
            return Err(Reject::BadOperation("no type"));
        };
        let kind = match (name.as_ref(), content.get("prev")) {
            ("plc_operation", Some(Content::Null)) => Kind::Genesis,
            ("plc_operation", Some(Content::Text(_))) => Kind::Update,
            ("plc_tombstone", Some(Content::Text(_))) => Kind::Tombstone,
            ("create", Some(Content::Null)) => Kind::LegacyCreate,
            ("plc_operation" | "plc_tombstone" | "create", None) => {
                return Err(Reject::BadOperation("no prev"));
            }
            ("plc_operation" | "plc_tombstone" | "create", _) => {
                return Err(Reject::BadOperation("prev of another type"));
            }
            (other, _) => return Err(Reject::unknown_type(other)),
        };
        let prev = match content.get("prev") {
            Some(Content::Text(prev)) => Cid::parse(prev),
            _ => None,
        };
        Ok(Form { cid: Cid::of_cbor(&cbor), kind, prev })
    }
}

/// 128 bits of keyed hash of a form's bytes.
type FormHash = (u64, u64);
/// The keys of the table are hashes already: half of one is hash enough.
type Forms = HashMap<FormHash, Form, BuildHasherDefault<FirstHalf>>;

/// Bounded memory of forms.
pub struct FormCache {
    seeds: [(u64, SharedSeed); 2],
    young: Forms,
    old: Forms,
    forms_per_generation: usize,
    hits: u64,
    misses: u64,
}

impl FormCache {
    /// A memory of at most twice `forms_per_generation` forms, about 90 bytes each; `seeds` must be random and secret.
    #[must_use]
    pub fn new(forms_per_generation: usize, seeds: [u64; 2]) -> FormCache {
        FormCache {
            seeds: seeds.map(|seed| (seed, SharedSeed::from_u64(!seed))),
            young: Forms::default(),
            old: Forms::default(),
            forms_per_generation: forms_per_generation.max(1),
            hits: 0,
            misses: 0,
        }
    }

    /// The form of a signed operation's JSON, read only when its bytes were not seen lately.
    ///
    /// # Errors
    /// A [`Reject`] when it is no operation; these are not remembered.
    pub(super) fn form(&mut self, operation: &str) -> Result<Form, Reject> {
        let hash = self.hash(operation.as_bytes());
        if let Some(form) = self.find(hash) {
            return Ok(form);
        }
        self.misses += 1;
        let form = Form::read(operation)?;
        self.insert(hash, form);
        Ok(form)
    }

    /// The form of these very bytes, when they were read lately.
    pub(super) fn remembered(&mut self, operation: &str) -> Option<Form> {
        self.find(self.hash(operation.as_bytes()))
    }

    /// Looks in both generations; what is still in use moves to the young one.
    fn find(&mut self, hash: FormHash) -> Option<Form> {
        let young = self.young.get(&hash).copied();
        let found = young.or_else(|| self.old.get(&hash).copied())?;
        self.hits += 1;
        if young.is_none() {
            self.insert(hash, found);
        }
        Some(found)
    }

    fn insert(&mut self, hash: FormHash, form: Form) {
        if self.young.len() >= self.forms_per_generation {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(hash, form);
    }

    /// Forms remembered now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forms found and forms read since the start.
    #[must_use]
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits, self.misses)
    }

    fn hash(&self, bytes: &[u8]) -> FormHash {
        let [first, second] = &self.seeds;
        let half = |(seed, shared): &(u64, SharedSeed)| {
            let mut hasher = FoldHasher::with_seed(*seed, shared);
            hasher.write(bytes);
            hasher.finish()
        };
        (half(first), half(second))
    }
}

/// Takes the first `u64` of a key as its hash.
#[derive(Default)]
struct FirstHalf {
    first: Option<u64>,
}

impl Hasher for FirstHalf {
    fn finish(&self) -> u64 {
        self.first.unwrap_or_default()
    }

    fn write_u64(&mut self, half: u64) {
        self.first.get_or_insert(half);
    }

    fn write(&mut self, bytes: &[u8]) {
        // Never reached for a pair of u64; kept right for any other key.
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(n: usize) -> String {
        format!(r#"{{"type":"plc_tombstone","prev":"p{n}","sig":"s"}}"#)
    }

    #[test]
    fn memory_is_bounded_and_recent_forms_stay() {
        let mut cache = FormCache::new(10, [1, 2]);
        let favourite = operation(0);
        for n in 0..1_000 {
            cache.form(&operation(n)).unwrap();
            assert_eq!(cache.form(&favourite).unwrap(), Form::read(&favourite).unwrap());
            assert!(cache.len() <= 20);
        }
        // Each was read once, the favourite too, though a hundred generations passed.
        assert_eq!(cache.hits_and_misses(), (1_000, 1_000));
    }

    #[test]
    fn what_is_no_operation_is_refused_every_time_and_not_kept() {
        let mut cache = FormCache::new(10, [1, 2]);
        for bad in [
            "[]",
            "1.5",
            r#"{"type":"plc_operation"}"#,
            r#"{"type":"plc_operation","prev":1}"#,
            r#"{"type":"create","prev":"x"}"#,
            r#"{"prev":null}"#,
        ] {
            for _ in 0..2 {
                assert_eq!(cache.form(bad).unwrap_err().name(), "bad_operation", "{bad}");
            }
        }
        assert_eq!(cache.form(r#"{"type":"x","prev":null}"#), Err(Reject::unknown_type("x")));
        assert!(cache.is_empty());
    }
}
