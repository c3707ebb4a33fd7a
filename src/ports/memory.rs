//! How much of the memory that this process may use is used, by its control group (version 2), and what follows from that.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where control groups are.
const ROOT: &str = "/sys/fs/cgroup";
/// Readers are given up from this share on, percent.
pub const READERS_PERCENT: u32 = 85;
/// Gaps are not filled from this share on, percent. Measuring is given up last: never by us.
pub const FILLS_PERCENT: u32 = 95;

/// The control groups of a process, its own first.
#[derive(Clone, Debug, Default)]
pub struct Memory(Vec<PathBuf>);

impl Memory {
    /// Those of this process; none where there are no such groups.
    #[must_use]
    pub fn of_this_process() -> Memory {
        let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
        let path = groups.lines().find_map(|line| line.strip_prefix("0::/"));
        path.map_or_else(Memory::default, |path| Memory::within(Path::new(ROOT), path))
    }

    /// The group `path` below `root` and those that it lies in.
    #[must_use]
    pub fn within(root: &Path, path: &str) -> Memory {
        let own = root.join(path);
        Memory(own.ancestors().take_while(|group| group.starts_with(root)).map(Path::to_path_buf).collect())
    }

    /// The largest used share of all limits, percent; none where nothing is limited. What the kernel can let go of at once is
    /// not counted as used.
    #[must_use]
    pub fn used_percent(&self) -> Option<u32> {
        self.0.iter().filter_map(|group| share(group)).max()
    }
}

/// The used share of one group's limit, percent.
fn share(group: &Path) -> Option<u32> {
    let number = |name: &str| read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
    let (limit, current) = (number("memory.max").filter(|limit| *limit > 0)?, number("memory.current")?);
    let stat = read_to_string(group.join("memory.stat")).unwrap_or_default();
    let idle = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse().ok()).unwrap_or(0);
    let percent = u128::from(current.saturating_sub(idle)) * 100 / u128::from(limit);
    Some(u32::try_from(percent).unwrap_or(u32::MAX))
}

/// How short memory is, for whoever can do with less; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Pressure(Arc<AtomicU32>);

impl Pressure {
    /// So many percent are used.
    pub fn set(&self, percent: u32) {
        self.0.store(percent, Ordering::Relaxed);
    }

    /// Whether the oldest live sockets are closed and new ones refused.
    #[must_use]
    pub fn drops_readers(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= READERS_PERCENT
    }

    /// Whether filling of gaps waits.
    #[must_use]
    pub fn stops_fills(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= FILLS_PERCENT
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "scratch of a test")]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_limit_counts_without_what_can_be_let_go() {
        let root = tempfile::tempdir().unwrap();
        let write = |group: &str, name: &str, text: &str| {
            std::fs::create_dir_all(root.path().join(group)).unwrap();
            std::fs::write(root.path().join(group).join(name), text).unwrap();
        };
        let memory = Memory::within(root.path(), "slice/unit");
        assert_eq!((memory.0.len(), memory.used_percent()), (3, None), "no limit anywhere");
        write("slice/unit", "memory.max", "max\n");
        write("slice/unit", "memory.current", "100\n");
        assert_eq!(memory.used_percent(), None);
        write("slice", "memory.max", "1000\n");
        write("slice", "memory.current", "900\n");
        write("slice", "memory.stat", "anon 500\ninactive_file 100\n");
        assert_eq!(memory.used_percent(), Some(80));
        write("slice/unit", "memory.max", "110\n");
        assert_eq!(memory.used_percent(), Some(90));
        assert_eq!(Memory::default().used_percent(), None);
    }

    #[test]
    fn readers_are_given_up_before_fills() {
        let pressure = Pressure::default();
        let follows = |percent| {
            pressure.set(percent);
            (pressure.drops_readers(), pressure.stops_fills())
        };
        assert_eq!([84, 85, 94, 95].map(follows), [(false, false), (true, false), (true, false), (true, true)]);
    }
}
