//! All observers, as the actions in the log tell of them; ours is one of them.

use super::block::{Digest, SEQS};
use super::told::{Refused, Told, read};
use super::{HORIZON_MS, Vantage};
use std::collections::{BTreeMap, BTreeSet};

/// Observers at most; actions of one more are refused until another has been silent for [`HORIZON_MS`].
pub const VANTAGES_MAX: usize = 16;
/// Longest name of an observer, in characters.
const NAME_CHARS_MAX: usize = 128;
/// How far into the future a clock of another may be, milliseconds.
pub(super) const AHEAD_MS: i64 = 600_000;
/// Between two looks for what is too old.
const FORGET_EVERY_MS: i64 = 60_000;
/// Blocks that are listed of those that differ, newest.
const DIFFERING_MAX: usize = 20;

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

/// A block that an observer told of for the first time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockNews {
    /// The address of the primary.
    pub primary: String,
    /// Its first number.
    pub first_seq: u64,
    /// What it came to there.
    pub digest: Digest,
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
        format!("{} showed different operations in {}–{last}: {}", self.primary, self.first_seq, shown.join("; "))
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
    /// Actions of nobody whom there is room for, by reason.
    refused: BTreeMap<Refused, u64>,
    forgot_ms: i64,
}

impl Vantages {
    /// Nobody has told anything; `own` is our name.
    #[must_use]
    pub fn new(own: &str) -> Vantages {
        let all = BTreeMap::from([(own.to_owned(), Vantage::default())]);
        Vantages { own: own.to_owned(), all, refused: BTreeMap::new(), forgot_ms: i64::MIN }
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
    /// were shown differently comes back.
    pub fn take(&mut self, heard: &Heard<'_>, now_ms: i64) -> Option<Compared> {
        if heard.time_ms <= now_ms - HORIZON_MS {
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
        let compared = news.map(|news| self.compare(&news.primary, news.first_seq))?;
        (compared.shown.len() > 1).then_some(compared)
    }

    fn vantage_mut(&mut self, heard: &Heard<'_>) -> Result<&mut Vantage, Refused> {
        // Under our name only what never left us is ours.
        if heard.node == self.own && heard.via.is_some() {
            return Err(Refused::OurName);
        }
        let is_known = self.all.contains_key(heard.node);
        if !is_known && (heard.node.is_empty() || heard.node.chars().count() > NAME_CHARS_MAX) {
            return Err(Refused::Malformed);
        }
        if !is_known && self.all.len() >= VANTAGES_MAX {
            return Err(Refused::TooMany);
        }
        Ok(self.all.entry(heard.node.to_owned()).or_default())
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
    fn compare(&self, primary: &str, first_seq: u64) -> Compared {
        let key = (primary.to_owned(), first_seq);
        let mut shown: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        for (id, vantage) in &self.all {
            if let Some(digest) = vantage.blocks.get(&key) {
                shown.entry(*digest).or_default().push(id.clone());
            }
        }
        Compared { primary: key.0, first_seq, shown: shown.into_iter().collect() }
    }

    /// Whether observers were shown the same by their primaries.
    #[must_use]
    pub fn same_primary(&self) -> SamePrimary {
        let mut told: BTreeMap<(u64, &str), (usize, BTreeSet<Digest>)> = BTreeMap::new();
        for ((primary, first_seq), digest) in self.all.values().flat_map(|vantage| &vantage.blocks) {
            let (times, digests) = told.entry((*first_seq, primary)).or_default();
            *times += 1;
            digests.insert(*digest);
        }
        let compared = told.values().filter(|(times, _)| *times > 1).count();
        let differing: Vec<_> = told.iter().rev().filter(|(_, (_, digests))| digests.len() > 1).collect();
        let listed = differing.iter().take(DIFFERING_MAX).map(|((seq, primary), _)| self.compare(primary, *seq));
        SamePrimary { compared, differing: differing.len(), listed: listed.collect() }
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
