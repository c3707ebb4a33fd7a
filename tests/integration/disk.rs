//! A disk that is full while the program runs: it goes on measuring, says so, and catches up when there is room again.

use crate::world::counts::Counts;
use crate::world::{World, skip, test};
use mirrorwatch::sim::behaviour::Behaviour;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Room on the disk: enough to start, soon filled.
const SIZE: &str = "size=6m";

/// A file system of its own, taken away at the end.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Option<Disk> {
        std::fs::create_dir(at).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(at).output();
        done.is_ok_and(|out| out.status.success()).then(|| Disk(at.to_path_buf()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let free = nix::sys::statvfs::statvfs(&self.0).unwrap();
        let bytes = free.blocks_available() * free.fragment_size();
        // What does not fit is not needed: the disk is full then.
        drop(std::fs::write(self.ballast(), vec![1; bytes as usize]));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

#[test]
fn a_full_disk_is_told_and_measuring_goes_on() {
    test(async {
        let mut world = World::new(["faithful", "dropping"].map(|id| (id, Behaviour::default())).into());
        let Some(disk) = Disk::mount(&world.dir().join("disk")) else {
            skip("a full disk: no file system can be mounted here (needs root)");
            return;
        };
        world.config.data_dir = disk.0.join("data");
        world.start().await;
        world.synchronized().await;
        world.publish(20).await;
        assert_eq!(world.status("/readyz").await, 200);

        let load = world.babble(Duration::from_millis(5));
        disk.fill();
        world
            .eventually("it says that it is not ready", async || (world.status("/readyz").await == 503).then_some(()))
            .await;
        let overview = world.get_bare("/api/v1/overview").await;
        assert_eq!(world.status("/healthz").await, 200);
        let told = |o: &serde_json::Value| o["observer"]["degraded"][0].as_str().map(str::to_owned);
        let told = world.until("the page says what is wrong", told).await;
        assert!(told.starts_with("disk_full since 2"), "{told}");
        let was = overview["data"]["primary"]["received_ops"].as_u64().unwrap();
        world.mirror("dropping").set(|b| b.drop_next = 7);
        world
            .until("operations are taken in", |o| (o["primary"]["received_ops"].as_u64()? > was + 100).then_some(()))
            .await;

        std::fs::remove_file(disk.ballast()).unwrap();
        world.eventually("it is ready again", async || (world.status("/readyz").await == 200).then_some(())).await;
        world.hush(load).await;
        world.settle().await;
        let published = world.published;
        for (id, missed) in [("faithful", 0), ("dropping", 7)] {
            let counts: Counts = world.counts(id).await;
            assert_eq!((counts.missed, counts.unknown, counts.extra), (missed, 0, 0), "{id}: {counts:?}");
            assert_eq!(counts.delivered() + missed, published, "{id}: {counts:?}");
        }
        world.stop().await;
        world.start().await;
        world.synchronized().await;
        assert_eq!(world.counts("dropping").await.missed, 7, "what was kept late is kept");
        world.stop().await;
    });
}
