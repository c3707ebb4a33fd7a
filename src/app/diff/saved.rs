//! The state file of a comparison: written whole or not at all, and refused when it is of another comparison.

use crate::cli::exit;
use crate::cli::hosts::{Diff, When};
use crate::domain::compare_logs::{Comparison, Pair, Range, Walk};
use crate::domain::time::rfc3339_ms;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The form of the file.
const VERSION: u32 = 1;
/// Largest file that is read: both sides full of unmatched operations.
const BYTES_MAX: u64 = 256 << 20;

/// What the file holds.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    version: u32,
    a: String,
    b: String,
    pub(super) walks: Pair<Walk>,
    pub(super) comparison: Comparison,
}

impl Saved {
    pub(super) fn new(options: &Diff, walks: Pair<Walk>, comparison: Comparison) -> Saved {
        Saved { version: VERSION, a: options.a.web_address(), b: options.b.web_address(), walks, comparison }
    }

    /// Whether it is the state of the comparison that is asked for. A limit that is relative to now was fixed when the
    /// comparison began.
    ///
    /// # Errors
    /// In what it is another one.
    pub(super) fn check(&self, options: &Diff, wanted: Range) -> Result<(), String> {
        for (name, kept, asked) in
            [("--a", &self.a, options.a.web_address()), ("--b", &self.b, options.b.web_address())]
        {
            if *kept != asked {
                return Err(format!("is the state of a comparison with {name} {kept}; give another file to --resume"));
            }
        }
        let range = self.comparison.range;
        let limits =
            [("--from", options.from, range.from_ms, wanted.from_ms), ("--to", options.to, range.to_ms, wanted.to_ms)];
        for (name, given, kept, asked) in limits {
            if matches!(given, Some(When::At(_) | When::Start)) && kept != asked {
                let kept = rfc3339_ms(kept);
                return Err(format!("is the state of a comparison with {name} {kept}; give another file to --resume"));
            }
        }
        Ok(())
    }
}

/// Reads the state; `None` where the file is not there yet.
///
/// # Errors
/// The exit code and what to tell: it cannot be read, or is no state.
pub(super) fn load(file: &Path) -> Result<Option<Saved>, (u8, String)> {
    let told = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let opened = match File::open(file) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err((exit::IO, told(&e))),
        Ok(opened) => opened,
    };
    let size = opened.metadata().map_err(|e| (exit::IO, told(&e)))?.len();
    if size > BYTES_MAX {
        return Err((exit::DATA, told(&format!("{size} bytes, limit {BYTES_MAX}: no state of a comparison"))));
    }
    let read: Result<Saved, _> = serde_json::from_reader(std::io::BufReader::new(opened));
    match read {
        Ok(saved) if saved.version == VERSION => Ok(Some(saved)),
        Ok(saved) => Err((exit::DATA, told(&format!("written in form {}; this is form {VERSION}", saved.version)))),
        Err(e) if e.is_io() => Err((exit::IO, told(&e))),
        Err(e) => {
            let why = format!("no state of a comparison ({e}); remove it, or give another file to --resume");
            Err((exit::DATA, told(&why)))
        }
    }
}

/// Keeps the state: a reader finds the old file or the new one, never a part.
///
/// # Errors
/// The exit code and what to tell.
pub(super) fn save(file: &Path, state: &Saved) -> Result<(), (u8, String)> {
    let told = |code| move |e: std::io::Error| (code, format!("{}: {e}", file.display()));
    let beside = beside(file);
    let mut out = File::create(&beside).map_err(told(exit::CANNOT_CREATE))?;
    let bytes = serde_json::to_vec(state).map_err(|e| (exit::SOFTWARE, format!("{}: {e}", file.display())))?;
    let written = out.write_all(&bytes).and_then(|()| out.sync_all());
    written.and_then(|()| std::fs::rename(&beside, file)).map_err(told(exit::IO))
}

/// Removes the state of a comparison that is over; none may have been kept.
///
/// # Errors
/// What to tell.
pub(super) fn remove(file: &Path) -> Result<(), String> {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(format!("{}: {e}", file.display())),
        _ => Ok(()),
    }
}

/// The file that is written before it takes the place of `file`.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::hosts::{Format, Paging};
    use crate::config::SourceConfig;
    use crate::domain::compare_logs::Ask;

    const RANGE: Range = Range { from_ms: 1_000, to_ms: 2_000 };

    fn options() -> Diff {
        let host = |name| SourceConfig::named(name, false, false).unwrap();
        Diff {
            a: host("a.example.org"),
            b: host("b.example.org"),
            from: None,
            to: None,
            paging: Paging::Auto,
            by_kind: false,
            format: Format::Text,
            resume: None,
        }
    }

    fn state() -> Saved {
        let walk = |seq| Walk::new(Ask::AfterSeq(seq), RANGE, i64::MAX);
        Saved::new(&options(), Pair { a: walk(1), b: walk(2) }, Comparison::new(RANGE))
    }

    #[test]
    fn a_state_comes_back_and_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        assert!(load(&file).unwrap().is_none());
        save(&file, &state()).unwrap();
        save(&file, &state()).unwrap();
        let kept = load(&file).unwrap().unwrap();
        assert_eq!((kept.walks, kept.comparison), (state().walks, state().comparison));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        remove(&file).unwrap();
        remove(&file).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_comparison_is_refused() {
        let state = state();
        let elsewhere = Range { from_ms: 1_500, to_ms: 2_500 };
        assert_eq!(state.check(&options(), elsewhere), Ok(()), "limits that are relative to now move");
        let given = Diff { from: Some(When::At(1_500)), ..options() };
        assert!(state.check(&given, elsewhere).unwrap_err().contains("with --from 1970-01-01T00:00:01.000Z"));
        let swapped = Diff { a: options().b, b: options().a, ..options() };
        assert!(state.check(&swapped, RANGE).unwrap_err().contains("with --a https://a.example.org"));
    }

    #[test]
    fn what_is_no_state_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        #[expect(clippy::disallowed_methods, reason = "scratch of a test")]
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write("{}");
        assert!(matches!(load(&file), Err((exit::DATA, why)) if why.contains("no state of a comparison")));
        let text = serde_json::to_string(&state()).unwrap();
        write(&text.replace("\"version\":1", "\"version\":2"));
        assert!(matches!(load(&file), Err((exit::DATA, why)) if why.contains("written in form 2; this is form 1")));
        assert!(matches!(load(dir.path()), Err((exit::IO, _))));
        assert!(matches!(save(&dir.path().join("absent/x"), &state()), Err((exit::CANNOT_CREATE, _))));
    }
}
