//! Evidence as it is kept, and back.

use super::Collector;
use super::save::encode;
use crate::domain::cid::Cid;
use crate::domain::did::Did;
use crate::domain::evidence::saved::{SavedCheck, SavedSurvey};
use crate::domain::evidence::{CHECKS_MAX, Evidence, SURVEYS_KEPT};
use crate::domain::op::OpKey;
use crate::domain::source::SourceIx;
use crate::domain::time::Labels;
use crate::ports::store::EvidenceRow;
use serde::Deserialize;
use std::collections::BTreeSet;

/// What is new since it was kept last; what the evidence itself let go meanwhile is not kept.
#[derive(Debug, Default)]
pub(super) struct Unkept {
    checks: BTreeSet<(SourceIx, OpKey)>,
    surveys: BTreeSet<Did>,
}

impl Unkept {
    pub(super) fn check(&mut self, source: SourceIx, key: OpKey, evidence: &Evidence) {
        self.checks.insert((source, key));
        if self.checks.len() > CHECKS_MAX {
            self.checks.retain(|(source, key)| evidence.of(*source, key).is_some());
        }
    }

    pub(super) fn survey(&mut self, did: Did, evidence: &Evidence) {
        self.surveys.insert(did);
        if self.surveys.len() > SURVEYS_KEPT {
            self.surveys.retain(|did| evidence.of_did(*did).is_some_and(|d| d.survey().is_some()));
        }
    }
}

/// The evidence of a run before, for the sources of these ids in the order of their numbers, and rows that cannot be read.
pub(super) fn restored(rows: Vec<EvidenceRow>, labels: &Labels, ids: &[String]) -> (Evidence, usize) {
    let mut evidence = Evidence::default();
    let mut unreadable = 0;
    for row in rows {
        let (did, at) = (Did(row.did), labels.tau(row.at_ms));
        if row.source.is_empty() {
            match decode::<SavedSurvey>(&row.blob) {
                Some(saved) => evidence.restore_survey(did, at, saved, ids),
                None => unreadable += 1,
            }
            continue;
        }
        // A mirror that is not watched any more has no page.
        let Some(place) = ids.iter().position(|id| *id == row.source) else { continue };
        match decode::<SavedCheck>(&row.blob) {
            Some(saved) => {
                evidence.restore_check(SourceIx(place as u16), OpKey { did, cid: Cid(row.cid) }, at, saved);
            }
            None => unreadable += 1,
        }
    }
    (evidence, unreadable)
}

fn decode<T: for<'de> Deserialize<'de>>(blob: &[u8]) -> Option<T> {
    serde_ipld_dagcbor::from_slice(blob).ok()
}

impl Collector {
    /// The rows of everything that is new.
    pub(super) fn evidence_rows(&mut self) -> Vec<EvidenceRow> {
        let Unkept { checks, surveys } = std::mem::take(&mut self.audit.unkept);
        let (evidence, labels) = (&self.audit.evidence, self.labels);
        let ids: Vec<String> = self.sources.iter().map(|k| k.who.id.clone()).collect();
        let check = |(source, key): (SourceIx, OpKey)| {
            let (held, id) = (evidence.of(source, &key)?, ids.get(usize::from(source.0))?);
            let blob = encode(&SavedCheck::of(held));
            let (did, cid) = (key.did.0, key.cid.0);
            Some(EvidenceRow { source: id.clone(), did, cid, at_ms: labels.utc_ms(held.at), blob })
        };
        let survey = |did: Did| {
            let report = evidence.of_did(did)?.survey()?;
            let blob = encode(&SavedSurvey::of(report, &ids));
            let at_ms = labels.utc_ms(report.ended);
            Some(EvidenceRow { source: String::new(), did: did.0, cid: [0; 32], at_ms, blob })
        };
        checks.into_iter().filter_map(check).chain(surveys.into_iter().filter_map(survey)).collect()
    }
}
