//! What stands around the program: the supervisor that is told how it is, the unit, the metrics and who reads them.

use crate::world::process::{self, Process, write_config};
use crate::world::stalls::Patience;
use crate::world::{PATIENCE, World, skip, test};
use mirrorwatch::ports::notify::Supervisor;
use mirrorwatch::sim::behaviour::Behaviour;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The greatest exposure of the unit by systemd's own measure, in tenths.
const EXPOSURE_MAX: &str = "15";

/// The next message to the supervisor's socket.
async fn told(socket: &UnixDatagram) -> String {
    let socket = socket.try_clone().unwrap();
    let read = move || {
        let mut buffer = [0; 64];
        let bytes = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..bytes].to_vec()).unwrap()
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// Whether anything is told before the socket's time is over.
async fn is_told(socket: &UnixDatagram) -> bool {
    let socket = socket.try_clone().unwrap();
    tokio::task::spawn_blocking(move || socket.recv(&mut [0; 64]).is_ok()).await.unwrap()
}

#[test]
fn a_supervisor_is_told_that_it_is_ready_alive_and_stopping() {
    test(async {
        let mut world = World::new(vec![("faithful", Behaviour::default())]);
        let path = world.dir().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let file = write_config(world.dir(), &world.config);
        let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "400000")];
        let mut process = Process::start_with(&file, Stdio::inherit(), &variables).await;
        assert_eq!(told(&socket).await, "READY=1");
        world.at(process.address);
        world.publish(5).await;
        for _ in 0..3 {
            assert_eq!(told(&socket).await, "WATCHDOG=1");
        }
        process.terminate();
        let mut last = told(&socket).await;
        while last == "WATCHDOG=1" {
            last = told(&socket).await;
        }
        assert_eq!(last, "STOPPING=1");
        assert_eq!(process.exit_code(Duration::from_secs(3)).await, Some(0));
    });
}

/// So long without a sign of life is silence where one is due each 200 ms.
const SILENCE: Duration = Duration::from_secs(2);

#[test]
fn a_supervisor_hears_nothing_while_the_core_is_stuck() {
    test(async {
        let mut world = World::new(vec![("faithful", Behaviour::default())]);
        let path = world.dir().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let variable = |name: &str| match name {
            "NOTIFY_SOCKET" => Some(path.clone().into_os_string()),
            "WATCHDOG_USEC" => Some("400000".into()),
            _ => None,
        };
        let supervisor = Supervisor::from_variables(variable, std::process::id()).unwrap().unwrap();
        world.start_supervised(supervisor).await;
        world.synchronized().await;
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        for _ in 0..3 {
            assert_eq!(told(&socket).await, "WATCHDOG=1");
        }
        let fail = world.fail();
        fail.stick_at("collector", "");
        world.eventually("the core is stuck", async || fail.are_spent().then_some(())).await;
        socket.set_read_timeout(Some(SILENCE)).unwrap();
        let patience = Patience::of(PATIENCE);
        while is_told(&socket).await {
            assert!(!patience.is_over(), "the supervisor is told that a core is alive which is stuck");
        }
        assert_eq!(world.status("/healthz").await, 503, "it runs all the same");
        fail.release();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(told(&socket).await, "WATCHDOG=1", "it is alive again");
        world.stop().await;
    });
}

#[test]
fn the_unit_is_hardened() {
    test(async {
        let printed = process::run(&["print", "unit"]).await;
        assert_eq!(printed.status.code(), Some(0));
        let dir = tempfile::tempdir().unwrap();
        let unit = dir.path().join("mirrorwatch.service");
        std::fs::write(&unit, &printed.stdout).unwrap();
        let threshold = format!("--threshold={EXPOSURE_MAX}");
        let analysed =
            Command::new("systemd-analyze").args(["security", "--offline=true", &threshold]).arg(&unit).output();
        let Ok(analysed) = analysed else {
            return skip("systemd-analyze", "it measures the unit; it is not there");
        };
        let said = String::from_utf8_lossy(&analysed.stdout).into_owned();
        assert!(analysed.status.success() && said.contains("Overall exposure level"), "{said}");
    });
}

#[test]
fn every_file_is_printed_and_needs_no_configuration() {
    test(async {
        for (what, has) in
            [("unit", "[Service]"), ("containerfile", "ENTRYPOINT"), ("grafana", "\"panels\""), ("alerts", "groups:")]
        {
            let printed = process::run(&["print", what]).await;
            assert_eq!(printed.status.code(), Some(0), "{what}");
            assert!(String::from_utf8(printed.stdout).unwrap().contains(has), "{what}");
        }
        let wrong = process::run(&["print", "unti"]).await;
        assert_eq!(wrong.status.code(), Some(64));
        assert_eq!(String::from_utf8(wrong.stderr).unwrap().lines().count(), 1);
    });
}
