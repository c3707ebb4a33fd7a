//! Chains of misses: which misses of a mirror only follow from an earlier one of the same DID.
//!
//! A mirror that lost one operation refuses everything that builds on it. The first loss is the root; the rest follow, and
//! a reader is shown one fault and not twenty.

use super::Picture;
use crate::domain::cid::Cid;
use crate::domain::finding::Finding;
use crate::domain::source::SourceIx;
use crate::domain::verdict::Verdict;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Findings that explain a miss, in the order in which they are shown.
pub const OF_A_MISS: [Finding; 4] =
    [Finding::StreamLoss, Finding::DataLoss, Finding::DidUnknown, Finding::Unverifiable];

/// The misses of one mirror that follow from others, by the root that they follow from.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    followers: HashMap<Cid, u32>,
}

impl Chains {
    /// The chains among the misses that are listed of mirror `m`.
    #[must_use]
    pub fn of(picture: &Picture, m: usize) -> Chains {
        let mut chains = Chains::default();
        for &number in picture.capture.mirrors.get(m).map_or(&[][..], |c| &c.listed) {
            if is_missed(picture, m, number)
                && let Some(root) = picture.capture.follows(m, number)
            {
                *chains.followers.entry(root).or_default() += 1;
            }
        }
        chains
    }

    /// How many misses follow from this one.
    #[must_use]
    pub fn followers(&self, root: &Cid) -> u32 {
        self.followers.get(root).copied().unwrap_or(0)
    }
}

fn is_missed(picture: &Picture, m: usize, number: u64) -> bool {
    let cell = picture.capture.held.find(number).and_then(|(chunk, place)| chunk.cells(m).get(place).copied());
    cell.is_some_and(|cell| cell.verdict() == Verdict::Missed)
}

/// The open misses among `numbers` by what is found about them: roots and followers, and each by its finding.
#[must_use]
pub fn split(picture: &Picture, m: usize, numbers: impl Iterator<Item = u64>) -> Value {
    let (mut roots, mut followers) = (0_u64, 0_u64);
    let mut found = [0_u64; OF_A_MISS.len()];
    let mut unexplained = 0_u64;
    for number in numbers.filter(|&n| is_missed(picture, m, n)) {
        let Some((chunk, place)) = picture.capture.held.find(number) else { continue };
        let Some(row) = chunk.rows().get(place) else { continue };
        if picture.capture.follows(m, number).is_some() {
            followers += 1;
        } else {
            roots += 1;
        }
        let finding = picture.capture.finding(SourceIx::mirror(m), &row.key());
        match OF_A_MISS.iter().zip(&mut found).find(|(of, _)| finding == Some(**of)) {
            Some((_, count)) => *count += 1,
            None => unexplained += 1,
        }
    }
    let mut by: Map<String, Value> =
        OF_A_MISS.iter().zip(found).map(|(of, n)| (of.name().to_owned(), n.into())).collect();
    by.insert("none".into(), unexplained.into());
    json!({ "roots": roots, "followers": followers, "by_confirmation": by })
}
