//! Builds the dashboard with Node when the feature `dashboard` is on, so that `src/http/assets.rs` can embed `web/dist`.
//!
//! The page is built only when its sources differ from those of the last build: a stamp of their contents is kept beside
//! `node_modules`, shared by every profile and target directory. A lock keeps two builds apart. Nothing here is needed
//! with `--no-default-features --features simulator`.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

/// What the page is made from, below `web/`.
const SOURCES: [&str; 7] =
    ["src", "index.html", "package.json", "package-lock.json", "vite.config.ts", "tsconfig.json", ".npmrc"];
const OLDEST_NODE: u32 = 20;
const REMEDY: &str = "install Node 20+ or build with --no-default-features --features simulator";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_DASHBOARD").is_none() {
        return ExitCode::SUCCESS;
    }
    let web = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("web");
    for source in SOURCES {
        println!("cargo::rerun-if-changed=web/{source}");
    }
    // A file that is missing makes cargo run this again, so that a deleted page comes back.
    println!("cargo::rerun-if-changed=web/dist/index.html");
    match build(&web) {
        Ok(stamp) => {
            // A new page means a new crate: what is embedded is named by this.
            println!("cargo::rustc-env=PAGE_STAMP={stamp}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Brings `web/dist` up to date and returns the stamp of its sources.
fn build(web: &Path) -> Result<String, String> {
    let _lock = lock(&web.join("package.json"))?;
    let sources = Sources::read(web)?;
    let stamp_path = web.join("node_modules").join(".mirrorwatch-page");
    let page = web.join("dist").join("index.html");
    if page.is_file() && fs::read_to_string(&stamp_path).is_ok_and(|kept| kept == sources.stamp) {
        return Ok(sources.stamp);
    }
    require_node()?;
    if modules_are_old(web) {
        npm(web, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    }
    npm(web, &["run", "build"])?;
    // As old as its sources: a page newer than this run would make cargo run it once more, and compile the crate twice.
    File::options()
        .write(true)
        .open(&page)
        .and_then(|file| file.set_modified(sources.newest))
        .map_err(|error| format!("the dashboard was built, but {} is missing: {error}", page.display()))?;
    File::create(&stamp_path)
        .and_then(|mut file| file.write_all(sources.stamp.as_bytes()))
        .map_err(|error| format!("{}: {error}", stamp_path.display()))?;
    Ok(sources.stamp)
}

/// Waits until no other build of the page runs on this checkout.
fn lock(path: &Path) -> Result<File, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.lock().map_err(|error| format!("{}: cannot lock: {error}", path.display()))?;
    Ok(file)
}

struct Sources {
    /// Hash of names and contents, in hexadecimal.
    stamp: String,
    newest: SystemTime,
}

impl Sources {
    fn read(web: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        for source in SOURCES {
            collect(&web.join(source), &mut files).map_err(|error| format!("web/{source}: {error}"))?;
        }
        files.sort();
        let mut hasher = DefaultHasher::new();
        let mut newest = SystemTime::UNIX_EPOCH;
        for path in files {
            let describe = |error| format!("{}: {error}", path.display());
            path.strip_prefix(web).unwrap_or(&path).hash(&mut hasher);
            fs::read(&path).map_err(describe)?.hash(&mut hasher);
            newest = newest.max(fs::metadata(&path).and_then(|meta| meta.modified()).map_err(describe)?);
        }
        Ok(Self { stamp: format!("{:016x}", hasher.finish()), newest })
    }
}

/// All files at or below `path` that go into the page; its unit tests do not.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else if !path.to_string_lossy().contains(".test.") {
        files.push(path.to_owned());
    }
    Ok(())
}

/// `npm ci` leaves a copy of the lock file in `node_modules`; older than the lock file itself, it is of other packages.
fn modules_are_old(web: &Path) -> bool {
    let modified = |path: PathBuf| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let installed = modified(web.join("node_modules").join(".package-lock.json"));
    installed.is_none() || installed < modified(web.join("package-lock.json"))
}

fn require_node() -> Result<(), String> {
    let output = Command::new("node")
        .arg("--version")
        .output()
        .map_err(|error| format!("the dashboard is built with Node, which did not start ({error}); {REMEDY}"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= OLDEST_NODE) {
        Ok(())
    } else {
        Err(format!("the dashboard needs Node {OLDEST_NODE} or newer, found \"{version}\"; {REMEDY}"))
    }
}

fn npm(web: &Path, arguments: &[&str]) -> Result<(), String> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let shown = arguments.join(" ");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(web)
        .output()
        .map_err(|error| format!("npm {shown}: npm did not start ({error}); {REMEDY}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n");
    Err(format!("npm {shown} failed in web/ ({}); its last words:\n{tail}", output.status))
}
