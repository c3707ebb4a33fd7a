//! All observers, as the actions in the log tell of them; ours is one of them.

use super::block::{Digest, SEQS};
use super::evidence::{BLOCKS_MAX, Evidence, Operations};
use super::shown::Shown;
use super::told::{BLOCK_OPS, Refused, Told, read};
use super::{HORIZON_MS, Vantage};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Observers at most; actions of one more are refused until another has been silent for [`HORIZON_MS`].
pub const VANTAGES_MAX: usize = 16;
/// Observers that one user of our log may make known: one that hands on what all told has no need of more, and one that makes
/// them up leaves room for others.
pub const INTRODUCED_MAX: usize = 12;
/// Longest name of an observer, in characters.
const NAME_CHARS_MAX: usize = 128;
/// How far into the future a clock of another may be, milliseconds.
pub(super) const AHEAD_MS: i64 = 600_000;
/// Between two looks for what is too old.
const FORGET_EVERY_MS: i64 = 60_000;

/// An action as it stands in the log.
#[derive(Copy, Clone, Debug)]
pub struct Heard<'a> {
    /// The node in its id.
    pub node: &'a str,
    /// Who handed it to us; none for our own.
    pub via: Option<&'a str>,
    /// Its type.
    pub kind: &'a str,
    /// When it was made, UTC milliseconds.
    pub time_ms: i64,
    /// What it says, as JSON.
    pub action: &'a str,
}

/// What an observer told of a block for the first time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct BlockNews {
    /// The address of the primary.
    pub primary: String,
    /// Its first number.
    pub first_seq: u64,
    /// What its operations come to, and they, where it holds them still; none where it told a digest alone.
    pub ops: Option<(Digest, Option<Shown>)>,
}

/// A block of which observers were shown different operations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compared {
    /// The address of the primary.
    pub primary: String,
    /// Its first number.
    pub first_seq: u64,
    /// Each digest with those that told it.
    pub shown: Vec<(Digest, Vec<String>)>,
    /// Its operations.
    pub operations: Operations,
}

impl Compared {
    /// One sentence.
    #[must_use]
    pub fn text(&self) -> String {
        let of = |(digest, who): &(Digest, Vec<String>)| {
            let [a, b, c, d, ..] = digest.xor;
            format!("{} saw {} operations (…{a:02x}{b:02x}{c:02x}{d:02x})", who.join(", "), digest.ops)
        };
        let shown: Vec<String> = self.shown.iter().map(of).collect();
        let last = self.first_seq + SEQS - 1;
        let difference = self.operations.difference.text().map_or(String::new(), |text| format!(": {text}"));
        let shown = shown.join("; ");
        format!("{} showed different operations in {}–{last}: {shown}{difference}", self.primary, self.first_seq)
    }

    /// Whether more is known than digests.
    #[must_use]
    pub fn is_explained(&self) -> bool {
        !self.operations.difference.parts.is_empty()
    }
}

/// Whether observers were shown the same.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SamePrimary {
    /// Blocks that two observers or more told of.
    pub compared: usize,
    /// Those of them that differ.
    pub differing: usize,
    /// The newest of those.
    pub listed: Vec<Compared>,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Vantages {
    own: String,
    all: BTreeMap<String, Vantage>,
    evidence: Evidence,
    /// Actions of nobody whom there is room for, by reason.
    refused: BTreeMap<Refused, u64>,
    forgot_ms: i64,
}

impl Vantages {
    /// Nobody has told anything; `own` is our name.
    #[must_use]
    pub fn new(own: &str) -> Vantages {
        let all = BTreeMap::from([(own.to_owned(), Vantage::default())]);
        let evidence = Evidence::new(own);
        Vantages { own: own.to_owned(), all, evidence, refused: BTreeMap::new(), forgot_ms: i64::MIN }
    }

    /// Our name.
    #[must_use]
    pub fn own(&self) -> &str {
        &self.own
    }

    /// Every observer by its name, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Vantage)> {
        self.all.iter().map(|(id, vantage)| (id.as_str(), vantage))
    }

    /// Actions that were not taken in and belong to no observer, by reason.
    #[must_use]
    pub fn refused(&self) -> &BTreeMap<Refused, u64> {
        &self.refused
    }

    /// Every mirror that somebody told of, by its address.
    #[must_use]
    pub fn mirrors(&self) -> BTreeSet<&str> {
        self.all.values().flat_map(Vantage::mirrors).collect()
    }

    /// Takes in an action; what is wrong with it is counted, what is too old to be shown is not looked at. A block that others
    /// were shown differently comes back, once when that is known, and whenever more is known of its operations.
    pub fn take(&mut self, heard: &Heard<'_>, now_ms: i64) -> Option<Compared> {
        if heard.time_ms <= now_ms - HORIZON_MS {
            self.take_old(heard);
            return None;
        }
        self.forget(now_ms);
        let read = read(heard.kind, heard.action);
        if let Ok(None) = read {
            return None;
        }
        let news = match self.vantage_mut(heard) {
            Ok(vantage) => {
                let taken = read.and_then(|told| match told {
                    Some(told) => take(vantage, told, heard, now_ms),
                    None => Ok(None),
                });
                taken.unwrap_or_else(|why| {
                    *vantage.refused.entry(why).or_default() += 1;
                    None
                })
            }
            Err(why) => {
                *self.refused.entry(why).or_default() += 1;
                None
            }
        };
        let BlockNews { primary, first_seq, ops } = news?;
        let place = (first_seq, primary);
        let is_of_ops = ops.is_some();
        if let Some((digest, ops)) = ops {
            let taken = self.evidence.take(heard.node, &place, digest, ops);
            if let Err(why) = taken {
                *self.vantage_mut(heard).ok()?.refused.entry(why).or_default() += 1;
            }
            taken.ok().filter(|is_new| *is_new)?;
        }
        let compared = self.compare(&place);
        (compared.shown.len() > 1 && (!is_of_ops || compared.is_explained())).then_some(compared)
    }

    /// What was told of operations of a block is evidence however old it is.
    fn take_old(&mut self, heard: &Heard<'_>) {
        let told = if heard.kind == BLOCK_OPS { read(heard.kind, heard.action) } else { Ok(None) };
        if let Ok(Some(Told::Ops(told))) = told
            && let Some(ops) = told.ops
            && self.misnamed(heard).is_none()
        {
            // Where there is no room for it, or it contradicts what was told since, it is no loss.
            let _ = self.evidence.take(heard.node, &(told.first_seq, told.primary), ops.digest(), Some(ops));
        }
    }

    /// Why nothing is taken in under this name.
    fn misnamed(&self, heard: &Heard<'_>) -> Option<Refused> {
        // Under our name only what never left us is ours.
        if heard.node == self.own && heard.via.is_some() {
            return Some(Refused::OurName);
        }
        (heard.node.is_empty() || heard.node.chars().count() > NAME_CHARS_MAX).then_some(Refused::Malformed)
    }

    fn vantage_mut(&mut self, heard: &Heard<'_>) -> Result<&mut Vantage, Refused> {
        if let Some(why) = self.misnamed(heard) {
            return Err(why);
        }
        if !self.all.contains_key(heard.node) {
            let user = heard.via.and_then(|via| via.split(':').next()).map(str::to_owned);
            let introduced = self.all.values().filter(|known| user.is_some() && known.introduced_by == user).count();
            if self.all.len() >= VANTAGES_MAX || introduced >= INTRODUCED_MAX {
                return Err(Refused::TooMany);
            }
            let vantage = Vantage { introduced_by: user, ..Vantage::default() };
            self.all.insert(heard.node.to_owned(), vantage);
        }
        self.all.get_mut(heard.node).ok_or(Refused::TooMany)
    }

    fn forget(&mut self, now_ms: i64) {
        if now_ms.saturating_sub(self.forgot_ms) < FORGET_EVERY_MS {
            return;
        }
        self.forgot_ms = now_ms;
        self.all.values_mut().for_each(|vantage| vantage.forget(now_ms));
        let own = &self.own;
        self.all.retain(|id, vantage| id == own || vantage.told_ms > now_ms - HORIZON_MS);
    }

    /// What observers were shown in a block.
    fn compare(&self, place: &(u64, String)) -> Compared {
        let (first_seq, primary) = place;
        let key = (primary.clone(), *first_seq);
        let kept = self.evidence.digests().filter(|(of, ..)| *of == place).map(|(_, id, digest)| (id, digest));
        let mut told: BTreeMap<&str, Digest> = kept.collect();
        told.extend(self.all.iter().filter_map(|(id, vantage)| Some((id.as_str(), *vantage.blocks.get(&key)?))));
        let mut shown: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        for (id, digest) in &told {
            shown.entry(*digest).or_default().push((*id).to_owned());
        }
        let operations = self.evidence.operations(place, &told.into_keys().collect());
        Compared { primary: key.0, first_seq: *first_seq, shown: shown.into_iter().collect(), operations }
    }

    /// Every digest, by block and observer.
    fn digests(&self) -> BTreeMap<(u64, &str), BTreeMap<&str, Digest>> {
        let mut all: BTreeMap<(u64, &str), BTreeMap<&str, Digest>> = BTreeMap::new();
        for (id, vantage) in &self.all {
            for ((primary, first_seq), digest) in &vantage.blocks {
                all.entry((*first_seq, primary)).or_default().insert(id, *digest);
            }
        }
        // Of observers that are forgotten, too.
        for ((first_seq, primary), id, digest) in self.evidence.digests() {
            all.entry((*first_seq, primary)).or_default().insert(id, digest);
        }
        all
    }

    /// The newest block of our primary of which another told a different digest, and whose operations we have not told: its
    /// first number, and what they come to. `primary` is its address as in [`super::source_key`].
    #[must_use]
    pub fn wanted(&self, primary: &str) -> Option<(u64, Digest)> {
        let own = &self.all.get(&self.own)?.blocks;
        let is_wanted = |(key, digest): &(&(String, u64), &Digest)| {
            let is_differing =
                self.all.values().any(|other| other.blocks.get(*key).is_some_and(|told| told != *digest));
            key.0 == primary && is_differing && self.evidence.lacks_ours(&(key.1, key.0.clone()))
        };
        own.iter().filter(is_wanted).map(|(key, digest)| (key.1, *digest)).max_by_key(|(first_seq, _)| *first_seq)
    }

    /// Whether observers were shown the same by their primaries.
    #[must_use]
    pub fn same_primary(&self) -> SamePrimary {
        let mut told: Vec<_> = self.digests().into_iter().filter(|(_, told)| told.len() > 1).collect();
        let compared = told.len();
        told.retain(|(_, told)| told.values().collect::<BTreeSet<_>>().len() > 1);
        // What we were shown ourselves is not made up.
        told.sort_unstable_by_key(|((seq, _), told)| Reverse((told.contains_key(self.own.as_str()), *seq)));
        let listed =
            told.iter().take(BLOCKS_MAX).map(|((seq, primary), _)| self.compare(&(*seq, (*primary).to_owned())));
        SamePrimary { compared, differing: told.len(), listed: listed.collect() }
    }
}

fn take(vantage: &mut Vantage, told: Told, heard: &Heard<'_>, now_ms: i64) -> Result<Option<BlockNews>, Refused> {
    if heard.time_ms > now_ms + AHEAD_MS {
        return Err(Refused::Future);
    }
    let news = vantage.take(told, heard.time_ms, now_ms)?;
    if heard.time_ms >= vantage.told_ms {
        vantage.told_ms = heard.time_ms;
        vantage.via = heard.via.map(str::to_owned);
    }
    Ok(news)
}
