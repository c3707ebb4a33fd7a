//! Chains of misses as they are shown: which misses of a mirror only follow from an earlier one of the same DID, and what
//! was found about each.
//!
//! A mirror that lost one operation refuses everything that builds on it. The first loss is the root; the rest follow, and
//! a reader is shown one fault and not twenty.

use super::Picture;
use crate::domain::finding::Finding;
use crate::domain::source::SourceIx;
use crate::domain::verdict::Verdict;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Findings that explain a miss, in the order in which they are shown.
pub const OF_A_MISS: [Finding; 4] =
    [Finding::StreamLoss, Finding::DataLoss, Finding::DidUnknown, Finding::Unverifiable];

/// How many misses follow from each root, by mirror; made when it is first wanted.
#[derive(Debug, Default)]
pub struct Followers(HashMap<usize, HashMap<u64, u32>>);

impl Followers {
    /// How many misses at mirror `m` follow from the miss of this number.
    pub fn of(&mut self, picture: &Picture, m: usize, root: u64) -> u32 {
        let by_root = self.0.entry(m).or_insert_with(|| {
            let mut by_root: HashMap<u64, u32> = HashMap::new();
            for &(_, root) in picture.capture.chains().followers(m) {
                *by_root.entry(root).or_default() += 1;
            }
            by_root
        });
        by_root.get(&root).copied().unwrap_or(0)
    }
}

/// The open misses among `numbers` by what is found about them: roots and followers, and each by its finding.
#[must_use]
pub fn split(picture: &Picture, m: usize, numbers: impl Iterator<Item = u64>) -> Value {
    let (mut roots, mut followers) = (0_u64, 0_u64);
    let mut found = [0_u64; OF_A_MISS.len()];
    let mut unexplained = 0_u64;
    for number in numbers {
        let Some((chunk, place)) = picture.capture.held.find(number) else { continue };
        let (Some(row), Some(cell)) = (chunk.rows().get(place), chunk.cells(m).get(place)) else { continue };
        if cell.verdict() != Verdict::Missed {
            continue;
        }
        if picture.capture.chains().root(m, number).is_some() {
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
