//! The types of actions of ours that have a treatment of their own.

/// How everything stands at a node; once a minute.
pub const OVERVIEW: &str = "mirrorwatch/overview";
/// The figures of one source in one interval that is final.
pub const INTERVAL: &str = "mirrorwatch/interval";
/// The page of all mirrors, to who is subscribed to it.
pub const MIRRORS: &str = "mirrorwatch/mirrors";
/// The page of one mirror, likewise.
pub const MIRROR: &str = "mirrorwatch/mirror";
/// The page of incidents, likewise.
pub const INCIDENTS: &str = "mirrorwatch/incidents";
/// What the primary showed in a block of its numbers.
pub const BLOCK: &str = "mirrorwatch/block";
/// The operations of such a block, where another was shown something else.
pub const BLOCK_OPS: &str = "mirrorwatch/block/ops";
/// Rows of [`BLOCK_OPS`] that are kept, newest; each has up to 66 kB.
pub const BLOCK_OPS_ROWS_MAX: usize = 200;

/// Whether `kind` is what `pattern` means: itself, or anything that begins as it does before its `*`.
#[must_use]
pub fn is_of(pattern: &str, kind: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == kind, |begin| kind.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn a_star_is_any_rest() {
        assert!(is_of("*", "a") && is_of("a/*", "a/b") && is_of("a", "a"));
        assert!(!is_of("a/*", "a") && !is_of("a", "a/b") && !is_of("", "a"));
    }
}
