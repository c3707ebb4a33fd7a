//! Which source something came from.

use serde::{Deserialize, Serialize};

/// The number of a source: 0 is the primary, 1 + i is mirror i of the configuration.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct SourceIx(pub u16);

impl SourceIx {
    /// The primary.
    pub const PRIMARY: SourceIx = SourceIx(0);

    /// The source of mirror `index`.
    #[must_use]
    pub const fn mirror(index: usize) -> SourceIx {
        SourceIx(index as u16 + 1)
    }

    /// The index among the mirrors; none for the primary.
    #[must_use]
    pub const fn mirror_index(self) -> Option<usize> {
        if self.0 == 0 { None } else { Some(self.0 as usize - 1) }
    }
}
