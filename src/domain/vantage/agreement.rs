//! Whom a miss is held against: the mirror that all miss it at, or the path of the one that misses it.

use super::told::{Blind, Refused};

/// Why an observer says nothing of an operation.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Silence {
    /// It could not see then.
    Blind(Blind),
    /// It did not watch the mirror then.
    NotWatching,
    /// Not all that it misses is known.
    Untold,
    /// It tells of a miss, and its own figures of that time of none.
    Contradictory,
}

impl Silence {
    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Silence::Blind(blind) => blind.name(),
            Silence::NotWatching => "not_watching",
            Silence::Untold => "untold",
            Silence::Contradictory => Refused::Contradictory.name(),
        }
    }
}

/// What one observer says of an operation at a mirror.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Vote {
    /// The mirror did not deliver it there.
    Missing,
    /// The mirror delivered it there.
    Has,
    /// Its figures of that time are not final yet.
    Awaited,
    /// It has no voice, and why.
    Silent(Silence),
}

/// Whose doing it is that an operation is missed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Blame {
    /// All that observed miss it.
    Mirror,
    /// One of them does.
    Path,
    /// Several do, not all.
    Paths,
    /// One alone observed.
    Alone,
    /// The figures of some are not final yet.
    Awaited,
    /// Nobody who misses it could see.
    Nobody,
}

impl Blame {
    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Blame::Mirror => "mirror",
            Blame::Path => "path",
            Blame::Paths => "paths",
            Blame::Alone => "alone",
            Blame::Awaited => "awaited",
            Blame::Nobody => "nobody",
        }
    }

    /// One sentence.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Blame::Mirror => "missed at every vantage that observed: the mirror's doing",
            Blame::Path => "missed at one vantage of those that observed: that path's doing",
            Blame::Paths => "missed at some vantages of those that observed: those paths' doing",
            Blame::Alone => "one vantage alone observed: mirror and path cannot be told apart",
            Blame::Awaited => "not every vantage has told of that time yet",
            Blame::Nobody => "no vantage that misses it could see then",
        }
    }
}

/// What all observers say of one operation at one mirror; observers as numbers, in the order in which they were asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Agreement {
    /// Those that miss it.
    pub missing: Vec<usize>,
    /// Those that have it.
    pub having: Vec<usize>,
    /// Those that are waited for.
    pub awaited: Vec<usize>,
    /// Those without a voice.
    pub silent: Vec<(usize, Silence)>,
}

impl Agreement {
    /// Of these votes.
    #[must_use]
    pub fn of(votes: impl Iterator<Item = Vote>) -> Agreement {
        let mut all = Agreement::default();
        for (vantage, vote) in votes.enumerate() {
            match vote {
                Vote::Missing => all.missing.push(vantage),
                Vote::Has => all.having.push(vantage),
                Vote::Awaited => all.awaited.push(vantage),
                Vote::Silent(why) => all.silent.push((vantage, why)),
            }
        }
        all
    }

    /// Those that observed.
    #[must_use]
    pub fn observing(&self) -> usize {
        self.missing.len() + self.having.len()
    }

    /// Missing by observing; none where nobody did.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        crate::domain::coverage::ratio(self.missing.len() as u64, self.observing() as u64)
    }

    fn has_untold(&self) -> bool {
        self.silent.iter().any(|(_, why)| *why == Silence::Untold)
    }

    /// Whose doing it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match (self.missing.len(), self.observing()) {
            _ if !self.awaited.is_empty() => Blame::Awaited,
            (0, _) => Blame::Nobody,
            (_, 1) => Blame::Alone,
            // One that watched may have it: not all that could see are known to miss it.
            (missing, observing) if missing == observing && self.has_untold() => Blame::Awaited,
            (missing, observing) if missing == observing => Blame::Mirror,
            (1, _) => Blame::Path,
            _ => Blame::Paths,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_miss_is_the_mirrors_and_what_one_misses_is_its_paths() {
        let blame = |votes: &[Vote]| Agreement::of(votes.iter().copied()).blame();
        let (missing, has, silent) = (Vote::Missing, Vote::Has, Vote::Silent(Silence::Blind(Blind::PrimaryDown)));
        assert_eq!(blame(&[missing, missing, missing]), Blame::Mirror);
        assert_eq!(blame(&[missing, missing, silent]), Blame::Mirror);
        assert_eq!(blame(&[has, missing, has]), Blame::Path);
        assert_eq!(blame(&[has, missing, missing]), Blame::Paths);
        assert_eq!(blame(&[silent, missing]), Blame::Alone);
        assert_eq!(blame(&[missing, missing, Vote::Awaited]), Blame::Awaited);
        assert_eq!((blame(&[has, silent]), blame(&[])), (Blame::Nobody, Blame::Nobody));
        let two_of_three = Agreement::of([missing, has, silent, missing].into_iter());
        assert_eq!((two_of_three.observing(), two_of_three.ratio()), (3, Some(2.0 / 3.0)));
        assert_eq!(Agreement::of([silent].into_iter()).ratio(), None);
    }
}
