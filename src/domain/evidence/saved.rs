//! The form in which evidence is kept: hosts by their ids, because their numbers change with the configuration, and instants
//! as labels beside it.

use super::{CheckEvidence, Evidence};
use crate::domain::audit_log::LogAgreement;
use crate::domain::cid::Cid;
use crate::domain::confirm::{HostLog, LogLine, Standing, SurveyReport, Why};
use crate::domain::did::Did;
use crate::domain::finding::{About, Finding, ProbeEvidence};
use crate::domain::op::{Kind, OpKey};
use crate::domain::source::SourceIx;
use crate::domain::time::Tau;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One finding with its probes; the mirror, the operation and the instant stand beside it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SavedCheck {
    about: About,
    finding: Finding,
    is_final: bool,
    looks: u32,
    probes: Vec<ProbeEvidence>,
}

/// What every host said about a DID; the DID and the instant stand beside it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SavedSurvey {
    is_sample: bool,
    has_measure: bool,
    hosts: Vec<SavedHost>,
    unsettled: Vec<String>,
    withdrawn: Vec<[u8; 32]>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct SavedHost {
    id: String,
    standing: Standing,
    lines: Vec<SavedLine>,
    total: usize,
    agreement: Option<LogAgreement>,
    probe: Option<ProbeEvidence>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct SavedLine {
    cid: [u8; 32],
    is_cid_true: bool,
    is_nullified: bool,
    created_ms: i64,
    prev: Option<[u8; 32]>,
    kind: Kind,
}

impl SavedCheck {
    /// A finding as it is kept.
    #[must_use]
    pub fn of(check: &CheckEvidence) -> SavedCheck {
        SavedCheck {
            about: check.about,
            finding: check.finding,
            is_final: check.is_final,
            looks: check.looks,
            probes: check.probes.to_vec(),
        }
    }
}

impl SavedSurvey {
    /// What every host said, as it is kept; `ids` are those of the sources in the order of their numbers.
    #[must_use]
    pub fn of(report: &SurveyReport, ids: &[String]) -> SavedSurvey {
        let id = |source: SourceIx| ids.get(usize::from(source.0)).cloned().unwrap_or_default();
        let line = |l: &LogLine| SavedLine {
            cid: l.cid.0,
            is_cid_true: l.claimed_cid_matches,
            is_nullified: l.nullified,
            created_ms: l.created_ms,
            prev: l.prev.map(|prev| prev.0),
            kind: l.kind,
        };
        let host = |h: &HostLog| SavedHost {
            id: id(h.source),
            standing: h.standing,
            lines: h.lines.iter().map(line).collect(),
            total: h.total,
            agreement: h.agreement,
            probe: h.probe.clone(),
        };
        SavedSurvey {
            is_sample: report.why == Why::Sample,
            has_measure: report.has_measure,
            hosts: report.hosts.iter().map(host).collect(),
            unsettled: report.unsettled.iter().map(|s| id(*s)).collect(),
            withdrawn: report.withdrawn.iter().map(|key| key.cid.0).collect(),
        }
    }

    /// The same for the sources of these ids; a host that is not among them any more is left out.
    fn report(self, did: Did, ended: Tau, ids: &[String]) -> SurveyReport {
        let source = |id: &String| {
            let place = ids.iter().position(|known| known == id)?;
            u16::try_from(place).ok().map(SourceIx)
        };
        let line = |l: SavedLine| LogLine {
            cid: Cid(l.cid),
            claimed_cid_matches: l.is_cid_true,
            nullified: l.is_nullified,
            created_ms: l.created_ms,
            prev: l.prev.map(Cid),
            kind: l.kind,
        };
        let host = |h: SavedHost| {
            Some(HostLog {
                source: source(&h.id)?,
                standing: h.standing,
                lines: h.lines.into_iter().map(line).collect(),
                total: h.total,
                agreement: h.agreement,
                probe: h.probe,
            })
        };
        SurveyReport {
            did,
            // Whoever asked does not wait any more.
            why: if self.is_sample { Why::Sample } else { Why::Request(0) },
            ended,
            hosts: self.hosts.into_iter().filter_map(host).collect(),
            has_measure: self.has_measure,
            unsettled: self.unsettled.iter().filter_map(source).collect(),
            withdrawn: self.withdrawn.into_iter().map(|cid| OpKey { did, cid: Cid(cid) }).collect(),
        }
    }
}

impl Evidence {
    /// Takes back a finding that a run before kept; those of a mirror in the order of their instants.
    pub fn restore_check(&mut self, source: SourceIx, key: OpKey, at: Tau, saved: SavedCheck) {
        let SavedCheck { about, finding, is_final, looks, probes } = saved;
        let probes: Arc<[ProbeEvidence]> = probes.into();
        self.put(CheckEvidence { source, key, about, finding, is_final, at, looks, probes, touched: 0 });
    }

    /// Takes back what every host said about a DID; `ids` are those of the sources in the order of their numbers.
    pub fn restore_survey(&mut self, did: Did, at: Tau, saved: SavedSurvey, ids: &[String]) {
        self.surveyed(Arc::new(saved.report(did, at, ids)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> OpKey {
        OpKey { did: Did([n; 15]), cid: Cid([n; 32]) }
    }

    fn host(source: u16) -> HostLog {
        let line = LogLine {
            cid: Cid([7; 32]),
            claimed_cid_matches: false,
            nullified: true,
            created_ms: -5,
            prev: Some(Cid([8; 32])),
            kind: Kind::Tombstone,
        };
        HostLog {
            source: SourceIx(source),
            standing: Standing::Damaged,
            lines: vec![line; 3],
            total: 300,
            agreement: Some(LogAgreement::Fork),
            probe: None,
        }
    }

    #[test]
    fn what_hosts_said_comes_back_to_the_same_hosts_wherever_they_stand_then() {
        let report = SurveyReport {
            did: key(1).did,
            why: Why::Request(9),
            ended: Tau(4),
            hosts: vec![host(0), host(1), host(2)],
            has_measure: true,
            unsettled: vec![SourceIx(2), SourceIx(1)],
            withdrawn: vec![key(1)],
        };
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let blob = serde_ipld_dagcbor::to_vec(&SavedSurvey::of(&report, &ids(&["p", "gone", "b"]))).unwrap();
        let saved: SavedSurvey = serde_ipld_dagcbor::from_slice(&blob).unwrap();
        let mut evidence = Evidence::default();
        evidence.restore_survey(report.did, Tau(5), saved, &ids(&["p", "b", "new"]));
        let again = evidence.of_did(report.did).unwrap().survey().unwrap();
        let expected = SurveyReport {
            why: Why::Request(0),
            ended: Tau(5),
            hosts: vec![host(0), host(1)],
            unsettled: vec![SourceIx(1)],
            ..report
        };
        assert_eq!(**again, expected);
    }

    #[test]
    fn a_finding_comes_back_whole() {
        let probe = ProbeEvidence {
            host: "m".to_owned(),
            url: "u".to_owned(),
            at_ms: 3,
            status: None,
            body_sha256: None,
            error: Some("timeout".to_owned()),
        };
        let saved = SavedCheck {
            about: About::Extra,
            finding: Finding::PrimaryDenies,
            is_final: true,
            looks: 3,
            probes: vec![probe; 2],
        };
        let blob = serde_ipld_dagcbor::to_vec(&saved).unwrap();
        let mut evidence = Evidence::default();
        evidence.restore_check(SourceIx(1), key(2), Tau(5), serde_ipld_dagcbor::from_slice(&blob).unwrap());
        let check = evidence.of(SourceIx(1), &key(2)).unwrap();
        assert_eq!((SavedCheck::of(check), check.at), (saved, Tau(5)));
    }
}
