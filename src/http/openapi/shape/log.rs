//! The log that nodes share.

use super::text::Instant;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A page of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    /// The actions.
    pub data: Actions,
    /// When the answer was made.
    pub meta: LogMeta,
    /// Where it and the next page stand.
    pub links: LogLinks,
}

/// Actions by their numbers, which only grow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Actions {
    /// Those that are asked for; the page may be shorter than its limit and not the last.
    pub actions: Vec<Action>,
    /// The number up to which was looked.
    pub through: i64,
    /// The highest number that there is.
    pub head: i64,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Action {
    /// Its number.
    pub added: i64,
    /// Its id in the Logux protocol: milliseconds, node, counter.
    pub id: String,
    /// When it happened, milliseconds since 1970.
    pub time: i64,
    /// Why it is kept.
    pub reasons: Vec<String>,
    /// The node that it came from; `null` for our own.
    #[schema(required)]
    pub from: Option<String>,
    /// The action; its members depend on its `type`.
    #[schema(value_type = Object)]
    pub action: serde_json::Value,
}

/// When a page of the log was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogMeta {
    /// When.
    pub generated_at: Instant,
}

/// Where a page of the log and the next one stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLinks {
    /// This page.
    #[serde(rename = "self")]
    #[schema(format = "uri-reference")]
    pub own: String,
    /// The next one; `null` at the end.
    #[schema(required, format = "uri-reference")]
    pub next: Option<String>,
}
