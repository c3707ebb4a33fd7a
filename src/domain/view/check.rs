//! What a monitor asks of one mirror: its state in one word.

use super::Picture;
use crate::domain::mirror_state::State;
use serde::{Deserialize, Serialize};

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Check {
    /// Stable id.
    pub id: String,
    /// The mirror's state.
    pub state: State,
    /// Since when, RFC 3339.
    pub since_at: String,
    /// Why, in one sentence.
    pub why: String,
    /// Why the observer cannot be believed now; nothing where it can.
    pub observer_flags: Vec<String>,
}

impl Check {
    /// Of mirror `m`; none where there is no such mirror.
    #[must_use]
    pub fn of(picture: &Picture, m: usize) -> Option<Check> {
        let info = picture.mirrors.get(m)?;
        Some(Check {
            id: info.id.clone(),
            state: info.standing.state,
            since_at: picture.at(info.standing.since),
            why: info.standing.why.clone(),
            observer_flags: picture.observer_flags().into_iter().map(str::to_owned).collect(),
        })
    }
}
