//! Saved state that is damaged, newer, linked or in company, as an operator meets it: what the program says, where, what it
//! keeps, and the code with which it refuses.

use crate::world::counts::Counts;
use crate::world::process::{self, Process, write_config};
use crate::world::stalls::Stalls;
use crate::world::{World, test};
use mirrorwatch::sim::behaviour::Behaviour;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const DATABASE: &str = "mirrorwatch.db";
/// From the start of the process to its page, whatever it has to recover.
const START_WITHIN: Duration = Duration::from_secs(2);
/// How often a start may be tried before it counts as slow.
const TRIES: u32 = 3;
const DROPPED: u64 = 4;

/// Does harm to a data directory.
type Harm = fn(&Path);

/// Harm, and the code and the words with which the program then refuses to start.
type Refusal = (Box<dyn Fn(&Path)>, i32, &'static str);

/// A data directory in which a run was, as it stopped.
struct Kept {
    world: World,
    config: PathBuf,
    template: PathBuf,
    data: PathBuf,
    before: Vec<Counts>,
}

impl Kept {
    async fn new() -> Kept {
        let mut world = World::new(["faithful", "dropping"].map(|id| (id, Behaviour::default())).into());
        let mut process = world.start_process().await;
        world.synchronized().await;
        world.publish(300).await;
        world.mirror("dropping").set(|b| b.drop_next = DROPPED as u32);
        world.publish(100).await;
        world.settle().await;
        let before = counts(&world).await;
        assert_eq!(before.iter().map(|c| c.missed).sum::<u64>(), DROPPED);
        process.terminate();
        assert_eq!(process.exit_code(Duration::from_secs(3)).await, Some(0));
        let (data, template) = (world.config.data_dir.clone(), world.dir().join("template"));
        fs::rename(&data, &template).unwrap();
        Kept { config: write_config(world.dir(), &world.config), world, template, data, before }
    }

    /// The data directory as it was, and then harmed.
    fn harmed(&self, harm: impl Fn(&Path)) {
        let _ = fs::remove_dir_all(&self.data);
        fs::create_dir(&self.data).unwrap();
        for entry in fs::read_dir(&self.template).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), self.data.join(entry.file_name())).unwrap();
        }
        harm(&self.data);
    }

    /// Harms it and starts on it; what standard error says. The machine may be slow once, but not each time.
    async fn harmed_and_started(&mut self, what: &str, harm: impl Fn(&Path)) -> (Process, String) {
        for tries_left in (0..TRIES).rev() {
            self.harmed(&harm);
            let (mut process, said, took) = self.started().await;
            if took <= START_WITHIN {
                return (process, said);
            }
            assert!(tries_left > 0, "{what}: the start took {took:?}");
            process.kill();
        }
        unreachable!("the last try returns or fails");
    }

    /// Starts on it; what standard error says, and how long that took without what the machine made it wait.
    async fn started(&mut self) -> (Process, String, Duration) {
        let log = self.world.dir().join("stderr");
        let (begun, stalls) = (Instant::now(), Stalls::watch());
        let process = Process::start_logged(&self.config, &log).await;
        let took = begun.elapsed().saturating_sub(Duration::from_millis(process.waited_ms() + stalls.take_ms()));
        self.world.ask(&process);
        (process, fs::read_to_string(log).unwrap(), took)
    }

    /// What it says when it does not start, and its code.
    async fn refused(&self) -> (Option<i32>, String) {
        let output = process::run(&["--config", self.config.to_str().unwrap()]).await;
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

async fn counts(world: &World) -> Vec<Counts> {
    let mut all = Vec::new();
    for (id, _) in &world.mirrors {
        all.push(world.counts(id).await);
    }
    all
}

fn file(dir: &Path) -> fs::File {
    OpenOptions::new().read(true).write(true).open(dir.join(DATABASE)).unwrap()
}

fn size(dir: &Path) -> u64 {
    fs::metadata(dir.join(DATABASE)).unwrap().len()
}

fn garbage(len: u64) -> Vec<u8> {
    (0..len).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as u8 | 1).collect()
}

fn flip_bits(dir: &Path) {
    let (db, bytes) = (file(dir), size(dir));
    for place in (4_096..bytes).step_by(9_973) {
        let mut byte = [0];
        db.read_exact_at(&mut byte, place).unwrap();
        db.write_all_at(&[byte[0] ^ (1 << (place % 8))], place).unwrap();
    }
}

/// What is done to the database, and whether anything of it can be read then.
const HARMS: [(&str, bool, Harm); 9] = [
    ("truncated to half", true, |dir| file(dir).set_len(size(dir) / 2 / 4_096 * 4_096).unwrap()),
    ("truncated within a page", true, |dir| file(dir).set_len(size(dir) * 4 / 5 / 4_096 * 4_096 + 77).unwrap()),
    ("bits flipped", true, flip_bits),
    ("pages of zeroes", true, |dir| file(dir).write_all_at(&[0; 16_384], size(dir) / 2 / 4_096 * 4_096).unwrap()),
    ("the first page garbage", true, |dir| file(dir).write_all_at(&garbage(4_096), 0).unwrap()),
    ("empty", false, |dir| file(dir).set_len(0).unwrap()),
    ("zeroes", false, |dir| file(dir).write_all_at(&vec![0; size(dir) as usize], 0).unwrap()),
    ("garbage", false, |dir| file(dir).write_all_at(&garbage(size(dir)), 0).unwrap()),
    ("a directory", false, |dir| {
        fs::remove_file(dir.join(DATABASE)).unwrap();
        fs::create_dir(dir.join(DATABASE)).unwrap();
    }),
];

#[test]
fn a_damaged_database_is_moved_aside_and_told_everywhere() {
    test(async {
        let mut kept = Kept::new().await;
        for (what, is_readable, harm) in HARMS {
            let (mut process, said) = kept.harmed_and_started(what, harm).await;
            let text = if is_readable { "damaged (" } else { "unreadable (" };
            let line = said.lines().find(|l| l.contains(&format!("state: {DATABASE}")) && l.contains(text));
            let line = line.unwrap_or_else(|| panic!("{what}: {said}"));
            let told = line[line.find("state: ").unwrap()..].trim_end_matches(" kind=state");
            assert!(told.contains("in quarantine/mirrorwatch.db.2"), "{what}: {told}");
            assert!(fs::read_dir(kept.data.join("quarantine")).unwrap().count() > 0, "{what}");
            let events = kept.world.events("state").await;
            assert!(events.iter().any(|e| e["text"] == told), "{what}: {events:?}");
            let internals = kept.world.get("/api/v1/internals").await;
            let notes = internals["state"]["notes"].as_array().unwrap();
            assert!(notes.iter().any(|n| n == told), "{what}: {notes:?}");
            let restarted = &kept.world.get("/api/v1/overview").await["observer"]["totals_restarted_at"];
            assert_eq!(restarted.is_string(), !is_readable, "{what}: {restarted}");
            assert!(is_readable || told.contains("lifetime totals start again at 2"), "{what}: {told}");
            kept.world.synchronized().await;
            for (now, before) in counts(&kept.world).await.iter().zip(&kept.before) {
                assert_eq!(now.eligible, now.states(), "{what}: {now:?}");
                let is_blamed = now.missed > before.missed || now.extra > before.extra;
                assert!(!is_blamed && now.eligible <= before.eligible, "{what}: {now:?}, before {before:?}");
            }
            process.kill();
            // Once more, with the remains: nothing to tell but that totals began anew.
            let (mut process, said, _) = kept.started().await;
            assert!(!said.contains(DATABASE), "{what}: {said}");
            let again = &kept.world.get("/api/v1/overview").await["observer"]["totals_restarted_at"];
            assert_eq!(again.is_string(), !is_readable, "{what}: the mark stays");
            process.kill();
        }
    });
}

#[test]
fn what_is_sound_is_taken_as_it_is_and_foreign_files_are_named_once() {
    test(async {
        let mut kept = Kept::new().await;
        let foreign = |dir: &Path| drop(fs::File::create(dir.join("totals.json")).unwrap());
        let (mut process, said) = kept.harmed_and_started("sound", foreign).await;
        assert_eq!(counts(&kept.world).await, kept.before);
        assert_eq!(said.lines().filter(|l| l.contains("1 foreign file ignored: totals.json")).count(), 1, "{said}");
        assert_eq!(kept.world.events("state").await.len(), 1);
        kept.world.kept().await;
        process.kill();
        let (_process, ..) = kept.started().await;
        let down = kept.world.events("observer_down").await;
        let text = down[0]["text"].as_str().unwrap();
        assert!(
            text.starts_with("state: ended without a goodbye; the ") && text.ends_with("\"observer down\""),
            "{text}"
        );
    });
}

#[test]
fn what_cannot_be_used_is_refused_and_left_as_it_is() {
    test(async {
        let kept = Kept::new().await;
        let newer = |dir: &Path| {
            let db = rusqlite::Connection::open(dir.join(DATABASE)).unwrap();
            db.execute("UPDATE meta SET value = '2.3' WHERE key = 'program'", []).unwrap();
            db.pragma_update(None, "user_version", 7).unwrap();
        };
        let linked = |name: &'static str| {
            move |dir: &Path| {
                let target = dir.join("elsewhere");
                if dir.join(name).exists() {
                    fs::rename(dir.join(name), &target).unwrap();
                } else {
                    drop(fs::File::create(&target).unwrap());
                }
                std::os::unix::fs::symlink(&target, dir.join(name)).unwrap();
            }
        };
        let rows: [Refusal; 6] = [
            (Box::new(newer), 65, "state: written by version 2.3 (schema 7); this is "),
            (Box::new(linked(DATABASE)), 77, "mirrorwatch.db: is a symbolic link, not a plain file; remove it"),
            (Box::new(linked("mirrorwatch.db-wal")), 77, "mirrorwatch.db-wal: is a symbolic link, not a plain file"),
            (Box::new(linked("mirrorwatch.lock")), 77, "mirrorwatch.lock: is a symbolic link, not a plain file"),
            (Box::new(linked("quarantine")), 77, "quarantine: is a symbolic link, not a plain file; remove it"),
            (
                Box::new(|dir: &Path| {
                    fs::remove_dir_all(dir).unwrap();
                    drop(fs::File::create(dir).unwrap());
                }),
                73,
                ": not a directory; move it away or set dataDir",
            ),
        ];
        for (harm, code, text) in rows {
            let _ = fs::remove_file(&kept.data);
            kept.harmed(&harm);
            let before = fs::read(kept.data.join(DATABASE)).ok();
            let (found, said) = kept.refused().await;
            assert_eq!(found, Some(code), "{text}: {said}");
            assert!(said.starts_with("mirrorwatch: state: ") && said.contains(text), "{text}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(fs::read(kept.data.join(DATABASE)).ok() == before, "{text}: changed");
            assert!(!kept.data.join("quarantine").is_dir(), "{text}");
        }
    });
}
