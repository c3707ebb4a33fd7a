//! Operations chosen one by one, and what the program found about them.

use super::World;
use mirrorwatch::domain::finding::Finding;
use mirrorwatch::domain::op::OpKey;
use mirrorwatch::domain::source::SourceIx;
use mirrorwatch::domain::verdict::Verdict;
use mirrorwatch::domain::view::Picture;
use mirrorwatch::sim::op::{OpMaker, SimOp};
use std::collections::BTreeMap;
use std::sync::Arc;

impl World {
    /// What makes the operations of this world's directory.
    pub fn maker(&mut self) -> &mut OpMaker {
        &mut self.maker
    }

    /// Has the primary and every mirror take this operation; whether it counts as published says the caller.
    pub fn hand_out(&self, op: &Arc<SimOp>) {
        self.primary.publish(op);
        for (_, server) in &self.mirrors {
            server.publish(op);
        }
    }

    /// The place of a mirror by its id.
    pub fn index(&self, id: &str) -> usize {
        self.mirrors.iter().position(|(name, _)| *name == id).unwrap()
    }
}

/// The keys that a mirror has this verdict about.
pub fn keys(picture: &Picture, mirror: usize, verdict: Verdict) -> Vec<OpKey> {
    let mut keys = Vec::new();
    for chunk in &picture.capture.held.chunks {
        let cells = chunk.rows().iter().zip(chunk.cells(mirror));
        keys.extend(cells.filter(|(_, cell)| cell.verdict() == verdict).map(|(row, _)| row.key()));
    }
    keys
}

/// How many misses and extras of a mirror were explained in which way.
pub fn explained(picture: &Picture, mirror: usize) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for ((source, _), finding) in picture.capture.found.iter() {
        if *source == SourceIx::mirror(mirror) {
            *counts.entry(Finding::name(*finding)).or_default() += 1;
        }
    }
    counts
}

/// What was found about content and order at a mirror, and how often.
pub fn noticed(picture: &Picture, mirror: usize) -> BTreeMap<&'static str, u64> {
    let content = &picture.capture.mirrors[mirror].source.content;
    let counts = Finding::ALL.map(|finding| (finding.name(), content.count(finding)));
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Misses of a mirror that follow from another one.
pub fn followers(picture: &Picture, mirror: usize) -> u64 {
    let numbers = picture.capture.held.base..picture.capture.held.end();
    numbers.filter(|number| picture.capture.follows(mirror, *number).is_some()).count() as u64
}
