//! Errors: RFC 9457 problem details.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was wrong with a request, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetails {
    /// Where the problem is explained.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/docs/errors#bad_window")]
    pub kind: String,
    /// The status in words.
    #[schema(example = "Bad Request")]
    pub title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What was wrong with this request.
    #[schema(example = "\"5y\"; allowed: 5m, 15m, 1h, 6h, 24h, 7d, 30d")]
    pub detail: String,
    /// Path of the request.
    #[schema(format = "uri-reference")]
    pub instance: String,
    /// Stable identifier of the problem; new ones may be added.
    #[schema(example = "bad_window")]
    pub code: String,
    /// Names this answer in our log.
    pub request_id: String,
    /// The limit that was passed, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limit: Option<u64>,
    /// Everything that is allowed in this place, where that is a short list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allowed: Option<Vec<String>>,
    /// Which parts of the request were wrong, where that can be pointed at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub errors: Option<Vec<WrongPart>>,
}

/// One wrong part of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WrongPart {
    /// `query:NAME`, `path:NAME` or `header:NAME`.
    #[schema(example = "query:window")]
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}
