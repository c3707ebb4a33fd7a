//! Whether the process may open as many files as its configuration lets it: each dashboard holds one. However many readers
//! come, the files of the sources and the database are left to them.

use crate::domain::time::{SECOND, Tau};
use nix::sys::resource::{Resource, getrlimit};

/// Files that are not dashboards: the database, the sources, the log, and whoever asks for a page.
const OTHERS: u64 = 124;

/// Between two looks at how many files are open, nanoseconds.
const LOOK_EVERY_NS: i64 = 2 * SECOND;
/// Files of those that are not readers' which may be open before people are told.
const OTHERS_USED: u64 = 16;

/// Sources that [`OTHERS`] has room for.
const SOURCES: u64 = 16;
/// Files of a source: its stream and the copy that is pinged through, a page, a round trip.
const OF_SOURCE: u64 = 4;

/// Files that readers leave to the rest: never more than half of all.
fn kept_back(limit: u64, sources: usize) -> u64 {
    (OTHERS + OF_SOURCE * (sources as u64).saturating_sub(SOURCES)).min(limit / 2)
}

/// Connections of readers that may be open at once; none when the system sets no limit.
pub(super) fn connections_max(limit: Option<u64>, sources: usize) -> Option<usize> {
    limit.and_then(|limit| usize::try_from(limit - kept_back(limit, sources)).ok())
}

/// Open files that this process has. Counting them takes one: when there is none left, all are open.
fn open(limit: u64) -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(limit, |files| files.count() as u64)
}

/// Looks now and then whether readers have taken nearly all that they may.
pub(super) struct OpenFiles {
    limit: Option<u64>,
    sources: usize,
    looked_at: Tau,
    is_short: bool,
}

impl OpenFiles {
    pub(super) fn new(sources: usize) -> OpenFiles {
        OpenFiles { limit: limit(), sources, looked_at: Tau::MIN, is_short: false }
    }

    /// What people are to be told at `now`, if anything: the kind of event, and its words.
    pub(super) fn look(&mut self, now: Tau) -> Option<(&'static str, String)> {
        let limit = self.limit?;
        if self.looked_at > Tau::MIN && now.since(self.looked_at) < LOOK_EVERY_NS {
            return None;
        }
        self.looked_at = now;
        self.judge(limit, open(limit))
    }

    fn judge(&mut self, limit: u64, open: u64) -> Option<(&'static str, String)> {
        let left = kept_back(limit, self.sources).saturating_sub(OTHERS_USED);
        let is_short = open + left >= limit;
        if std::mem::replace(&mut self.is_short, is_short) == is_short {
            return None;
        }
        Some(if is_short {
            let text = format!("{open} of {limit} files are open: new readers wait; measuring and saving go on");
            ("files_short", text)
        } else {
            ("files_enough", format!("{open} of {limit} files are open: readers are taken again"))
        })
    }
}

/// Open files that this process may have; none when the system does not say.
pub(super) fn limit() -> Option<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft)
}

/// What to tell when fewer dashboards than `wanted` can be open.
pub(super) fn warning(wanted: usize, limit: Option<u64>, sources: usize) -> Option<String> {
    let limit = limit?;
    let dashboards = limit - kept_back(limit, sources);
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
            warning(4_096, Some(1_024), 3).unwrap(),
            "limit: 1024 open files allows 900 dashboards; wanted 4096 (LimitNOFILE=16384)"
        );
        assert_eq!(warning(4_096, Some(16_384), 3), None);
        assert_eq!(warning(64, None, 3), None);
        assert!(limit().is_some_and(|n| n > 0));
    }

    #[test]
    fn readers_leave_files_to_the_rest_and_a_shortage_is_told_once() {
        assert_eq!(
            (connections_max(Some(1_024), 3), connections_max(Some(100), 3), connections_max(None, 3)),
            (Some(900), Some(50), None)
        );
        assert_eq!(connections_max(Some(1_024), 65), Some(900 - 49 * 4), "each of many sources has its files");
        let mut files = OpenFiles { limit: Some(1_024), sources: 3, looked_at: Tau::MIN, is_short: false };
        assert_eq!(files.judge(1_024, 900), None);
        let (kind, text) = files.judge(1_024, 916).unwrap();
        assert_eq!((kind, files.judge(1_024, 1_024)), ("files_short", None));
        assert_eq!(text, "916 of 1024 files are open: new readers wait; measuring and saving go on");
        assert_eq!(files.judge(1_024, 100).unwrap().0, "files_enough");
        assert!(open(7) > 2, "standard streams at least");
        assert!(OpenFiles::new(3).look(Tau(0)).is_none_or(|told| told.0 == "files_short"));
    }
}
