//! A badge in the schema of shields.io endpoints.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What shields.io makes a badge of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Badge {
    /// 1.
    pub schema_version: u8,
    /// Name of the mirror and of the figure.
    pub label: String,
    /// The figure.
    pub message: String,
    /// Six hexadecimal digits.
    pub color: String,
}
