//! Whether the process may open as many files as its configuration lets it: each dashboard holds one.

use nix::sys::resource::{Resource, getrlimit};

/// Files that are not dashboards: the database, the sources, the log, and whoever asks for a page.
const OTHERS: u64 = 124;

/// Open files that this process may have; none when the system does not say.
pub(super) fn limit() -> Option<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft)
}

/// What to tell when fewer dashboards than `wanted` can be open.
pub(super) fn warning(wanted: usize, limit: Option<u64>) -> Option<String> {
    let limit = limit?;
    let dashboards = limit.saturating_sub(OTHERS);
    (dashboards < wanted as u64).then(|| {
        format!("limit: {limit} open files allows {dashboards} dashboards; wanted {wanted} (LimitNOFILE=16384)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_low_a_limit_is_told_with_what_it_allows() {
        assert_eq!(
            warning(4_096, Some(1_024)).unwrap(),
            "limit: 1024 open files allows 900 dashboards; wanted 4096 (LimitNOFILE=16384)"
        );
        assert_eq!(warning(4_096, Some(16_384)), None);
        assert_eq!(warning(64, None), None);
        assert!(limit().is_some_and(|n| n > 0));
    }
}
