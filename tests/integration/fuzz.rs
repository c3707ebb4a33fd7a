//! Whatever the world sends: every file of the corpus, and inputs made from it, are put to the properties of each way in.
//!
//! The properties and the corpus are those of `tests/fuzz`, where cargo-fuzz searches by coverage. Here a mutator that
//! knows the shapes takes a bounded number of steps from a fixed seed; `MIRRORWATCH_SWEEP` gives each way in a minute. An
//! input that breaks a property is kept below the target directory; once its cause is mended it goes into the corpus
//! under a name that says what it found.

mod finds;
mod mutator;
#[path = "../fuzz/properties/lib.rs"]
mod properties;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mutator::Mutator;

/// Files of one target; cargo-fuzz would leave thousands.
const FILES_MAX: usize = 40;
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 16 << 10;
/// How long one target is searched in the sweep.
const SWEEP: Duration = Duration::from_mins(1);
/// Where the ordinary search begins.
const SEED: u64 = 0x6d69_7272_6f72;

/// The corpus of a target, by name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!((5..=FILES_MAX).contains(&files.len()), "{} files in {}", files.len(), dir.display());
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Puts the corpus of `target` and inputs made from it to `property`.
fn search(target: &str, property: fn(&[u8]), steps: u64) {
    let corpus = corpus(target);
    for (path, input) in &corpus {
        assert!(input.len() as u64 <= FILE_BYTES_MAX, "{} is large", path.display());
        assert!(catch_unwind(|| property(input)).is_ok(), "{} breaks the property", path.display());
    }
    let is_sweep = std::env::var_os("MIRRORWATCH_SWEEP").is_some();
    let (began, seeds) = (Instant::now(), corpus.into_iter().map(|(_, input)| input).collect());
    let mut mutator = Mutator::new(if is_sweep { rand::random() } else { SEED }, seeds);
    let mut step = 0;
    while if is_sweep { began.elapsed() < SWEEP } else { step < steps } {
        let input = mutator.next();
        if catch_unwind(AssertUnwindSafe(|| property(&input))).is_err() {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{target}-{step}"));
            std::fs::write(&kept, &input).unwrap();
            panic!("step {step} breaks the property with {}: {:?}", kept.display(), String::from_utf8_lossy(&input));
        }
        step += 1;
    }
    // Told with --nocapture.
    println!("{target}: {step} inputs in {} ms", began.elapsed().as_millis());
}

/// Names of what lies in a directory of `tests/fuzz`, without what follows a point.
fn names(dir: &str) -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(dir);
    let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<String> = std::fs::read_dir(dir).unwrap().map(|entry| name(entry.unwrap().path())).collect();
    names.sort();
    names
}

#[test]
fn every_way_in_has_its_target_its_corpus_and_its_search() {
    let read = |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (package, searches) = (read("tests/fuzz/Cargo.toml"), read("tests/integration/fuzz.rs"));
    let targets = names("fuzz_targets");
    assert_eq!(targets, names("corpus"));
    assert_eq!(targets.len(), package.matches("[[bin]]").count());
    for target in targets {
        assert!(package.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
        assert!(
            read(&format!("tests/fuzz/fuzz_targets/{target}.rs")).contains(&format!("_properties::{target}(data)"))
        );
        assert!(searches.contains(&format!("search(\"{target}\", properties::{target}, ")), "{target} is not searched");
    }
}

#[test]
fn a_frame_says_what_it_holds_or_why_not() {
    search("frame", properties::frame, 8_000);
}

#[test]
fn an_export_line_is_judged_as_a_frame_is() {
    search("export_line", properties::export_line, 2_000);
}

#[test]
fn an_audit_log_is_read_whole_and_in_order_or_named() {
    search("audit_log", properties::audit_log, 5_000);
}

#[test]
fn an_end_of_a_stream_is_told_in_one_harmless_line() {
    search("close_reason", properties::close_reason, 20_000);
}

#[test]
fn a_configuration_loads_as_told_or_every_mistake_is_a_line() {
    search("config", properties::config, 800);
}

#[test]
fn a_query_has_one_answer_in_any_order() {
    search("query", properties::query, 6_000);
}

#[test]
fn an_old_file_harms_none_beside_it() {
    search("import", properties::import, 600);
}

#[test]
fn a_node_is_told_what_it_said_wrong_and_keeps_nothing_of_a_stranger() {
    search("logux", properties::logux, 8_000);
}
