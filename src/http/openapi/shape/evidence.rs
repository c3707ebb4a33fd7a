//! The evidence about one operation, in one piece that the operator of a host can check.

use super::op::{OpPage, Probe};
use super::text::Instant;
use super::words::{Finding, LogAgreement, LogStanding};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvidencePage {
    /// Form of the bundle.
    #[schema(example = "mirrorwatch-evidence-1")]
    pub format: String,
    /// The operation at every host.
    pub operation: OpPage,
    /// The observer at that time.
    pub observer: EvidenceObserver,
    /// The time that is shown.
    pub around: Around,
    /// How much earlier than the primary a mirror may be, seconds.
    pub look_back_s: f64,
    /// Every link around that time.
    pub links: Vec<EvidenceLink>,
    /// What hosts were asked about the operation and its DID.
    pub probes: Vec<EvidenceProbe>,
    /// How to check it, in words.
    pub how_to_check: Vec<String>,
}

/// The observer around an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceObserver {
    /// Since when it observes.
    pub observing_since_at: Instant,
    /// When the bundle was made.
    pub taken_at: Instant,
    /// Times at which our reading was late.
    pub late_reader: Vec<Stretch>,
    /// Whether the primary's operations come later than usual now.
    pub is_primary_delayed: bool,
    /// Names the run of the program.
    pub run: String,
}

/// A stretch of time that has both ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Around {
    /// Its begin.
    pub from_at: Instant,
    /// Its end.
    pub to_at: Instant,
}

/// A stretch of time; one that goes on has no end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stretch {
    /// Its begin.
    pub from_at: Instant,
    /// Its end.
    #[schema(required)]
    pub to_at: Option<Instant>,
}

/// A host's link around an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceLink {
    /// Stable id.
    pub id: String,
    /// Where it is connected to.
    pub url: String,
    /// How operations are taken from it.
    pub transport: String,
    /// Its on-time limit, seconds; `null` for the primary.
    #[schema(required)]
    pub on_time_s: Option<f64>,
    /// Its grace, seconds; `null` for the primary.
    #[schema(required)]
    pub grace_s: Option<f64>,
    /// Since when it is observed.
    #[schema(required)]
    pub observed_since_at: Option<Instant>,
    /// Until when everything that it published is known to have reached us.
    pub proved_until_at: Instant,
    /// Whether its window is open.
    pub is_open: bool,
    /// When its link was up.
    pub sessions: Vec<Stretch>,
    /// When it was down.
    pub gaps: Vec<Stretch>,
    /// What of that was not filled.
    pub holes: Vec<Stretch>,
    /// What happened.
    pub events: Vec<EvidenceEvent>,
}

/// Something that happened at a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceEvent {
    /// When.
    pub at: Instant,
    /// Stable word.
    pub kind: String,
    /// One line.
    pub text: String,
}

/// A question to a host, and what it was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceProbe {
    /// What it was about.
    pub about: ProbeAbout,
    /// The question and its answer.
    pub probe: Probe,
}

/// What a question was about: an operation at a mirror, or a host's log of the DID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ProbeAbout {
    /// An operation at a mirror.
    Operation(AboutOperation),
    /// A host's log.
    Log(AboutLog),
}

/// A question about an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AboutOperation {
    /// The mirror that has it or lacks it.
    #[schema(required)]
    pub mirror: Option<String>,
    /// What was found.
    #[schema(required)]
    pub finding: Option<Finding>,
    /// Whether it is not looked at again.
    pub is_final: bool,
    /// How often it was looked at.
    pub looks: u64,
}

/// A question about a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AboutLog {
    /// Whose log.
    #[schema(required)]
    pub log_of: Option<String>,
    /// What was answered.
    pub standing: LogStanding,
    /// How it stands to the primary's.
    #[schema(required)]
    pub agreement: Option<LogAgreement>,
}
