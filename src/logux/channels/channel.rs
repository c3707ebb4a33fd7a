//! Which channels there are, and what comes in them.

use std::collections::BTreeMap;

use crate::domain::node_event;
use crate::logux::entry::Entry;
use crate::logux::json::Json;
use crate::logux::kinds::{INCIDENTS, MIRROR, MIRRORS, OVERVIEW};

/// Longest name of a channel, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// What a client can subscribe to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Channel {
    /// The page of all mirrors.
    Mirrors,
    /// The page of the mirror of this id.
    Mirror(String),
    /// The page of incidents.
    Incidents,
    /// Of the log that nodes share: how everything stands at each, and their events.
    Nodes,
}

impl Channel {
    /// The channel that an action names; `None` where it names none, or none of ours.
    #[must_use]
    pub fn of(action: &Json) -> Option<Channel> {
        match action.get("channel")?.as_str()? {
            name if name.len() > NAME_BYTES_MAX => None,
            "mirrors" => Some(Channel::Mirrors),
            "incidents" => Some(Channel::Incidents),
            "nodes" => Some(Channel::Nodes),
            name => {
                let id = name.strip_prefix("mirrors/").filter(|id| !id.is_empty() && !id.contains('/'))?;
                Some(Channel::Mirror(id.to_owned()))
            }
        }
    }

    /// Its name, which is the key of its page too, where it has one.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Channel::Mirrors => "mirrors".to_owned(),
            Channel::Mirror(id) => format!("mirrors/{id}"),
            Channel::Incidents => "incidents".to_owned(),
            Channel::Nodes => "nodes".to_owned(),
        }
    }

    /// The types of its actions.
    #[must_use]
    pub const fn kinds(&self) -> &'static [&'static str] {
        match self {
            Channel::Mirrors => &[MIRRORS],
            Channel::Mirror(_) => &[MIRROR],
            Channel::Incidents => &[INCIDENTS],
            Channel::Nodes => &[OVERVIEW, node_event::KIND],
        }
    }
}

/// The state of `nodes`: of each node the last overview of these, and all else, by number.
pub(super) fn newest(rows: &[Entry]) -> impl Iterator<Item = &Entry> {
    let overviews = rows.iter().filter(|entry| entry.kind() == OVERVIEW);
    let last: BTreeMap<&str, u64> = overviews.map(|entry| (entry.id.node.as_str(), entry.added)).collect();
    let is_last = move |entry: &&Entry| entry.kind() != OVERVIEW || last.get(&*entry.id.node) == Some(&entry.added);
    rows.iter().filter(is_last)
}
