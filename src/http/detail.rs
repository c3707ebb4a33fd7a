//! What is not ready-made: lists of operations, one operation, one DID, two hosts beside each other. The port that answers;
//! the bound on the work is [`super::pool`]'s.

use actix_web::http::StatusCode;
use futures_util::future::BoxFuture;

use super::mirror_parts::MirrorPart;
use super::ops_query::{OpsQuery, bad_cursor};
use super::past::PastQuestion;
use super::problem::Problem;
use crate::domain::did::Did;
use crate::domain::op::OpKey;
use crate::domain::view::recent::Recent;
use crate::domain::view::windows::WINDOWS_MAX;
use crate::domain::window_kind::WindowKind;
use crate::publish::WindowMeta;

/// A question; checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A list of operations, newest first.
    Ops(OpsQuery),
    /// Everything known of one DID, at every source.
    Did(Did),
    /// One operation at every source.
    Op(OpKey),
    /// The evidence for what is said about one operation.
    Evidence(OpKey),
    /// The newest operations.
    Recent,
    /// When the link of a mirror of this id was up.
    Sessions(String),
    /// The incident of this id.
    Incident(String),
    /// One mirror, looked at closely.
    Mirror {
        /// Its id; it exists.
        id: String,
        /// What of it.
        part: MirrorPart,
    },
    /// About a time of the reader's own.
    Past(PastQuestion),
    /// Two hosts beside each other; both exist and differ.
    Compare {
        /// Id of the first.
        a: String,
        /// Id of the second.
        b: String,
        /// The time that is compared.
        window: WindowKind,
    },
}

impl Question {
    /// Path and query of its answer, or of the page behind `cursor`.
    pub fn path(&self, cursor: Option<&str>) -> String {
        match self {
            Question::Ops(query) => query.canonical(cursor),
            Question::Did(did) => format!("/api/v1/dids/{did}"),
            Question::Op(key) => format!("/api/v1/ops/{}/{}", key.did, key.cid),
            Question::Evidence(key) => format!("/api/v1/ops/{}/{}/evidence", key.did, key.cid),
            Question::Recent => "/api/v1/ops/recent".to_owned(),
            Question::Sessions(id) => format!("/api/v1/mirrors/{id}/sessions"),
            Question::Incident(id) => format!("/api/v1/incidents/{id}"),
            Question::Mirror { id, part } => format!("/api/v1/mirrors/{id}/{}", part.path()),
            Question::Past(question) => question.path(),
            Question::Compare { a, b, window } => format!("/api/v1/compare?a={a}&b={b}&window={}", window.name()),
        }
    }

    /// The key of its answer, and its own address.
    pub fn own(&self) -> String {
        match self {
            Question::Ops(query) => self.path(query.cursor.as_deref()),
            _ => self.path(None),
        }
    }

    /// The same view for people.
    pub fn html(&self) -> String {
        match self {
            Question::Ops(query) => query.html(),
            Question::Did(did) => format!("/did/{did}"),
            Question::Op(key) | Question::Evidence(key) => format!("/op/{}/{}", key.did, key.cid),
            Question::Recent => "/live".to_owned(),
            Question::Past(question) => question.html(),
            Question::Incident(id) => format!("/incidents/{id}"),
            Question::Sessions(id) | Question::Mirror { id, .. } => format!("/mirrors/{id}"),
            Question::Compare { a, b, window } => format!("/compare?a={a}&b={b}&window={}", window.name()),
        }
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailPage {
    /// The `data` member as JSON.
    pub data: Vec<u8>,
    /// Where the next page begins; letters, digits, `-` and `_` only. `None` at the end.
    pub next_cursor: Option<String>,
    /// The run that answered.
    pub snapshot_id: String,
    /// The revision within the run that all pages of one listing agree on.
    pub revision: u64,
    /// The window that the figures cover, where there is one.
    pub window: Option<WindowMeta>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum DetailError {
    /// Nothing is known of the DID.
    #[error("no operation of this DID was seen")]
    NoSuchDid,
    /// Nothing is known of the operation.
    #[error("this operation was not seen, or is not held any more")]
    NoSuchOp,
    /// The cursor was never given out.
    #[error("the cursor is damaged")]
    BadCursor,
    /// The cursor's revision is gone.
    #[error("the cursor has expired")]
    CursorExpired,
    /// Nothing is known of the incident.
    #[error("there is no such incident, or it is not kept any more; see /api/v1/incidents")]
    NoSuchIncident,
    /// More windows than one answer has.
    #[error("{asked} windows; at most {WINDOWS_MAX} in one answer")]
    TooManyWindows {
        /// How many were asked for.
        asked: i64,
    },
    /// Too much to do.
    #[error("overloaded")]
    Overloaded,
    /// Anything else; the words go to the log.
    #[error("{0}")]
    Internal(String),
}

/// Why a host is not asked.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecheckError {
    /// The operator does not want it.
    #[error("checks on request are off here; the operator allows them with audit.allowRecheck")]
    NotEnabled,
    /// Too many are under way, or none can be begun now.
    #[error("too many checks are under way; retry in 5 s")]
    Busy,
    /// The configuration leaves nothing to choose.
    #[error("this mirror's transport is fixed by the configuration; \"auto\" chooses it by looking")]
    FixedTransport,
}

/// Answers questions from the truth. Implementations may take their time but must not block the runtime.
pub trait Detail: Send + Sync + 'static {
    /// The answer.
    fn answer(&self, question: Question) -> BoxFuture<'static, Result<DetailPage, DetailError>>;

    /// Has every host asked about a DID; ready when that has begun.
    fn recheck(&self, did: Did) -> BoxFuture<'static, Result<(), RecheckError>>;

    /// Has the way chosen anew in which the operations of this mirror are taken.
    ///
    /// # Errors
    /// [`RecheckError`]: it is fixed, or cannot be begun now.
    fn reprobe(&self, mirror: &str) -> Result<(), RecheckError>;
}

/// Tells the newest operations. Asked a few times a second while somebody watches them, so it must cost little.
pub trait RecentSource: Send + Sync + 'static {
    /// They, as they are now.
    fn recent(&self) -> BoxFuture<'static, Result<Recent, DetailError>>;
}

impl From<&DetailError> for Problem {
    fn from(error: &DetailError) -> Self {
        match error {
            DetailError::NoSuchDid => Problem::new(StatusCode::NOT_FOUND, "no_such_did", error.to_string()),
            DetailError::NoSuchOp => Problem::new(StatusCode::NOT_FOUND, "no_such_op", error.to_string()),
            DetailError::NoSuchIncident => Problem::new(StatusCode::NOT_FOUND, "no_such_incident", error.to_string()),
            DetailError::BadCursor => bad_cursor(),
            DetailError::CursorExpired => Problem::new(StatusCode::GONE, "page_expired", "start again without it"),
            DetailError::TooManyWindows { .. } => {
                Problem::bad_query("too_many_windows", "from", error.to_string()).limit(WINDOWS_MAX.unsigned_abs())
            }
            DetailError::Overloaded => {
                Problem::unavailable("overloaded", "too many questions at once; retry in 1 s", 1)
            }
            DetailError::Internal(words) => {
                tracing::error!(error = %words, "detail failed");
                Problem::internal()
            }
        }
    }
}

impl From<RecheckError> for Problem {
    fn from(error: RecheckError) -> Self {
        match error {
            RecheckError::NotEnabled => Problem::new(StatusCode::NOT_FOUND, "not_enabled", error.to_string()),
            RecheckError::FixedTransport => Problem::new(StatusCode::CONFLICT, "fixed_transport", error.to_string()),
            RecheckError::Busy => Problem::unavailable("overloaded", error.to_string(), 5),
        }
    }
}
