//! Why an action of a client is undone, in the words of npm's `@logux/server`.

use crate::domain::node_event;

/// See the module's words.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Reason {
    /// It may not do that.
    Denied,
    /// Nobody knows such actions.
    UnknownType,
    /// There is no channel of this kind.
    WrongChannel,
    /// There is no such mirror.
    NotFound,
    /// It could not be done, or is over this limit.
    Error(Option<usize>),
}

impl Reason {
    /// Why an action of this type is not for a client to send: types of ours are read here, and not written.
    pub(super) fn of_type(kind: &str) -> Reason {
        let is_ours = kind.starts_with("mirrorwatch/") || kind == node_event::KIND;
        if is_ours { Reason::Denied } else { Reason::UnknownType }
    }

    /// Its word.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Reason::Denied => "denied",
            Reason::UnknownType => "unknownType",
            Reason::WrongChannel => "wrongChannel",
            Reason::NotFound => "notFound",
            Reason::Error(_) => "error",
        }
    }

    /// The limit that it is over.
    pub(super) const fn limit(self) -> Option<usize> {
        match self {
            Reason::Error(limit) => limit,
            _ => None,
        }
    }
}
