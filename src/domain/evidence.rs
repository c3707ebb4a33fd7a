//! What hosts were asked and what they answered, as evidence for findings: the latest, by DID and by operation.
//!
//! Bounded: of the mirror that has most, what nothing was asked about for longest is let go first, so that no mirror pushes
//! out what is known about another. What was found without asking anybody is a finding and no evidence. A picture shares it
//! with the writer until one of them changes it.

pub mod saved;

use super::confirm::{Explained, SurveyReport};
use super::did::Did;
use super::finding::{About, Finding, ProbeEvidence};
use super::op::OpKey;
use super::source::SourceIx;
use super::time::Tau;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Findings that are held with their probes, of all mirrors together.
pub const CHECKS_MAX: usize = 16_384;
/// Findings of one DID at one mirror that are held, newest.
const CHECKS_PER_DID: usize = 128;
/// DIDs whose logs at every host are held.
pub const SURVEYS_KEPT: usize = 64;

/// One finding and the probes of the look that it comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct CheckEvidence {
    /// The mirror concerned.
    pub source: SourceIx,
    /// Which operation.
    pub key: OpKey,
    /// What was to be explained.
    pub about: About,
    /// What stands.
    pub finding: Finding,
    /// Whether it will not be asked again.
    pub is_final: bool,
    /// When the last look ended.
    pub at: Tau,
    /// Looks so far.
    pub looks: u32,
    /// What was asked and answered in the last look that brought an answer.
    pub probes: Arc<[ProbeEvidence]>,
    /// Its place in the order of its mirror.
    touched: u64,
}

/// Everything that was asked about a DID.
#[derive(Clone, Debug, Default)]
pub struct DidEvidence {
    checks: Vec<CheckEvidence>,
    survey: Option<Arc<SurveyReport>>,
    surveyed: u64,
}

impl DidEvidence {
    /// Findings about its operations, oldest first.
    #[must_use]
    pub fn checks(&self) -> &[CheckEvidence] {
        &self.checks
    }

    /// Its log at every host, as it was when all were asked last.
    #[must_use]
    pub fn survey(&self) -> Option<&Arc<SurveyReport>> {
        self.survey.as_ref()
    }
}

/// The latest evidence.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    dids: HashMap<Did, Arc<DidEvidence>, foldhash::fast::RandomState>,
    /// Operations of each mirror by when something was asked about them last.
    order: BTreeMap<SourceIx, BTreeMap<u64, OpKey>>,
    /// DIDs with logs by when all hosts were asked last.
    surveyed: BTreeMap<u64, Did>,
    checks: usize,
    clock: u64,
}

impl Evidence {
    /// Everything that was asked about a DID.
    #[must_use]
    pub fn of_did(&self, did: Did) -> Option<&DidEvidence> {
        self.dids.get(&did).map(AsRef::as_ref)
    }

    /// The finding about an operation at a mirror.
    #[must_use]
    pub fn of(&self, source: SourceIx, key: &OpKey) -> Option<&CheckEvidence> {
        self.of_did(key.did)?.checks.iter().find(|c| c.source == source && c.key == *key)
    }

    /// DIDs that there is evidence about.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dids.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dids.is_empty()
    }

    /// Takes what was found at `at`.
    pub fn explained(&mut self, e: &Explained, at: Tau) {
        let probes: Arc<[ProbeEvidence]> = e.probes.as_slice().into();
        let (looks, was_asked) = (u32::from(!probes.is_empty()), !probes.is_empty());
        let before = self.of(e.source, &e.key).cloned();
        if before.is_none() && !was_asked {
            return;
        }
        self.put(CheckEvidence {
            source: e.source,
            key: e.key,
            about: e.about,
            finding: e.finding,
            is_final: e.is_final,
            at,
            looks: before.as_ref().map_or(0, |b| b.looks).saturating_add(looks),
            probes: before.map(|b| b.probes).filter(|_| !was_asked).unwrap_or(probes),
            touched: 0,
        });
    }

    /// Puts a check in, in place of what is held of the same operation at the same mirror.
    fn put(&mut self, mut check: CheckEvidence) {
        self.clock += 1;
        check.touched = self.clock;
        let (source, key) = (check.source, check.key);
        let held = Arc::make_mut(self.dids.entry(key.did).or_default());
        let same_did = held.checks.iter().filter(|c| c.source == source).count();
        let place = match held.checks.iter().position(|c| c.source == source && c.key == key) {
            None if same_did >= CHECKS_PER_DID => held.checks.iter().position(|c| c.source == source),
            place => place,
        };
        let order = self.order.entry(source).or_default();
        order.insert(check.touched, key);
        if let Some(place) = place {
            order.remove(&held.checks.remove(place).touched);
        } else {
            self.checks += 1;
        }
        held.checks.push(check);
        self.bound();
    }

    /// Takes what every host said about a DID.
    pub fn surveyed(&mut self, report: Arc<SurveyReport>) {
        self.clock += 1;
        let did = report.did;
        let held = Arc::make_mut(self.dids.entry(did).or_default());
        held.survey = Some(report);
        let before = std::mem::replace(&mut held.surveyed, self.clock);
        self.surveyed.remove(&before);
        self.surveyed.insert(self.clock, did);
        self.bound();
    }

    fn bound(&mut self) {
        while self.surveyed.len() > SURVEYS_KEPT
            && let Some((_, did)) = self.surveyed.pop_first()
        {
            self.change(did, |held| held.survey = None);
        }
        while self.checks > CHECKS_MAX
            && let Some((_, order)) = self.order.iter_mut().max_by_key(|(_, order)| order.len())
            && let Some((touched, key)) = order.pop_first()
        {
            self.checks -= 1;
            self.change(key.did, |held| held.checks.retain(|c| c.touched != touched));
        }
    }

    /// Takes something away from what is held of a DID, which is let go when nothing is left.
    fn change(&mut self, did: Did, take_away: impl FnOnce(&mut DidEvidence)) {
        let Some(held) = self.dids.get_mut(&did).map(Arc::make_mut) else { return };
        take_away(held);
        if held.checks.is_empty() && held.survey.is_none() {
            self.dids.remove(&did);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cid::Cid;
    use crate::domain::confirm::Why;

    fn explained(did: u32, op: u8, finding: Finding, probes: usize) -> Explained {
        let mut bytes = [0; 15];
        bytes[..4].copy_from_slice(&did.to_be_bytes());
        let probe = ProbeEvidence {
            host: "m".to_owned(),
            url: "u".to_owned(),
            at_ms: 0,
            status: Some(200),
            body_sha256: None,
            error: None,
        };
        Explained {
            source: SourceIx(1),
            key: OpKey { did: Did(bytes), cid: Cid([op; 32]) },
            about: About::Miss,
            finding,
            is_final: false,
            listed: None,
            probes: vec![probe; probes],
        }
    }

    fn report(did: Did) -> Arc<SurveyReport> {
        Arc::new(SurveyReport {
            did,
            why: Why::Sample,
            ended: Tau(0),
            has_measure: true,
            hosts: Vec::new(),
            unsettled: Vec::new(),
            withdrawn: Vec::new(),
        })
    }

    #[test]
    fn the_latest_look_is_shown_with_its_probes() {
        let mut evidence = Evidence::default();
        let first = explained(1, 1, Finding::DataLoss, 2);
        evidence.explained(&first, Tau(5));
        let picture = evidence.clone();
        evidence.explained(&explained(1, 1, Finding::StreamLoss, 1), Tau(6));
        // Given up without asking: what was answered before still stands there.
        evidence.explained(&explained(1, 1, Finding::StreamLoss, 0), Tau(7));
        evidence.explained(&explained(1, 2, Finding::DataLoss, 1), Tau(8));
        evidence.explained(&explained(1, 3, Finding::Unverifiable, 0), Tau(9));
        let check = evidence.of(SourceIx(1), &first.key).unwrap();
        assert_eq!((check.finding, check.at, check.looks, check.probes.len()), (Finding::StreamLoss, Tau(7), 2, 1));
        assert_eq!(evidence.of_did(first.key.did).unwrap().checks().len(), 2);
        assert_eq!(evidence.of(SourceIx(2), &first.key), None);
        assert_eq!(picture.of(SourceIx(1), &first.key).unwrap().finding, Finding::DataLoss);
    }

    #[test]
    fn it_is_bounded_and_no_mirror_pushes_out_what_is_known_of_another() {
        let mut evidence = Evidence::default();
        let other = |did| Explained { source: SourceIx(2), ..explained(did, 1, Finding::DataLoss, 1) };
        for did in 0..100 {
            evidence.explained(&other(did), Tau(5));
        }
        let many = CHECKS_MAX as u32 + 100;
        for did in 0..many {
            evidence.explained(&explained(did, 1, Finding::DataLoss, 1), Tau(5));
            evidence.explained(&explained(0, 1, Finding::DataLoss, 1), Tau(5));
        }
        assert_eq!(evidence.checks, CHECKS_MAX);
        let has = |did| evidence.of(SourceIx(1), &explained(did, 1, Finding::DataLoss, 0).key).is_some();
        assert!(has(0) && !has(1) && !has(200 - 1) && has(201) && has(many - 1));
        assert!((0..100).all(|did| evidence.of(SourceIx(2), &other(did).key).is_some()), "the other mirror's stay");
        for op in 0..=255 {
            evidence.explained(&explained(0, op, Finding::DataLoss, 1), Tau(5));
        }
        let of_did = evidence.of_did(explained(0, 0, Finding::DataLoss, 0).key.did).unwrap();
        assert_eq!(of_did.checks().len(), CHECKS_PER_DID + 1);
        assert!(evidence.of(SourceIx(2), &other(0).key).is_some(), "nor under the same DID");
        assert_eq!(evidence.checks, evidence.dids.values().map(|d| d.checks.len()).sum::<usize>());
        assert_eq!(evidence.checks, evidence.order.values().map(BTreeMap::len).sum::<usize>());
    }

    #[test]
    fn logs_are_kept_of_few_dids() {
        let mut evidence = Evidence::default();
        let did = |n| explained(n, 0, Finding::DataLoss, 0).key.did;
        evidence.surveyed(report(did(0)));
        evidence.explained(&explained(1, 1, Finding::DataLoss, 1), Tau(5));
        evidence.surveyed(report(did(1)));
        for n in 2..2 + SURVEYS_KEPT as u32 {
            evidence.surveyed(report(did(n)));
        }
        assert!(evidence.of_did(did(0)).is_none(), "nothing else was known of it");
        assert!(evidence.of_did(did(1)).is_some_and(|d| d.survey().is_none() && d.checks().len() == 1));
        assert!(evidence.of_did(did(2)).unwrap().survey().is_some());
        assert_eq!((evidence.len(), evidence.surveyed.len()), (SURVEYS_KEPT + 1, SURVEYS_KEPT));
    }
}
