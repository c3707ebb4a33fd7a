//! Comparing two hosts' logs, operation by operation, without either in memory.
//!
//! Both logs are walked in the order of `createdAt` ([`Walk`], page by page), and their lines are matched by (DID, CID)
//! ([`Comparison`]): what matches is let go at once, so that only what one side has and the other does not have yet is
//! held. Numbers (`seq`) are each host's own: they page its log and are never compared.
//!
//! Nothing here asks a host; whoever does hands pages in and gets differences out, and can stop and go on with what
//! serde makes of these types.

mod comparison;
mod line;
mod seek;
mod tally;
mod walk;

pub use comparison::{Comparison, Difference, HELD_MAX, HORIZON_MS, Outcome};
pub use line::{Item, Line};
pub use seek::Seek;
pub use tally::{Count, KINDS, Tally, kind_name};
pub use walk::{Ask, MARGIN_MS, Paging, Walk, WalkError};

use serde::{Deserialize, Serialize};

/// One of the two logs.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl Side {
    /// Both, in order.
    pub const BOTH: [Side; 2] = [Side::A, Side::B];

    /// `a` or `b`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Side::A => "a",
            Side::B => "b",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// A value for each side.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Pair<T> {
    /// That of the first.
    pub a: T,
    /// That of the second.
    pub b: T,
}

impl<T> Pair<T> {
    /// The value of `side`.
    pub fn of(&self, side: Side) -> &T {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// The value of `side`, to change.
    pub fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }
}

/// The half-open range `[from, to)` of `createdAt`, milliseconds since 1970.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Range {
    /// The first millisecond that belongs to it.
    pub from_ms: i64,
    /// The first that does not.
    pub to_ms: i64,
}

impl Range {
    /// Whether `at_ms` lies in it.
    #[must_use]
    pub const fn contains(&self, at_ms: i64) -> bool {
        self.from_ms <= at_ms && at_ms < self.to_ms
    }
}

#[cfg(test)]
mod property;
