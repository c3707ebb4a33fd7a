//! The program as a shell sees it: exit codes, and which stream says what.

use std::process::{Command, Output};

/// Runs the program in an empty directory, with no variables of its own but `environment`.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.json"), dir.path().join("good.json")).unwrap();
    std::os::unix::fs::symlink("good.json", dir.path().join("config.json")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_mirrorwatch"))
        .current_dir(dir.path())
        .env_clear()
        .envs(environment.iter().copied())
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_effective_configuration_is_printed_with_its_origins() {
    let output = run(&["check-config", "--listen", "127.0.0.1:1"], &[("MIRRORWATCH_LOG__FORMAT", "json")]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let printed = text(&output.stdout);
    let starts = [
        "listen = \"127.0.0.1:1\"  (command line)",
        "log.format = \"json\"  (environment MIRRORWATCH_LOG__FORMAT)",
        "rtt.timeoutSeconds = 3  (config.json:",
        "http.adminTokenFile = null  (default)",
    ];
    for start in starts {
        assert!(printed.lines().any(|line| line.starts_with(start)), "no {start} in\n{printed}");
    }
}

/// Arguments, environment, exit code, and how the line begins.
type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

#[test]
fn every_failure_has_its_exit_code_and_its_line() {
    let rows: Vec<Row> = vec![
        (
            &["--confg", "x"],
            &[],
            64,
            "mirrorwatch: unexpected argument \"--confg\"; a similar one exists: \"--config\"\n",
        ),
        (&["check-config", "--listen", "x"], &[], 64, "mirrorwatch: --listen: expected"),
        (
            &["check-config"],
            &[("MIRRORWATCH_LISTEN", "abc")],
            64,
            "mirrorwatch: environment: MIRRORWATCH_LISTEN=\"abc\": expected",
        ),
        (&["check-config", "--config", "absent.json"], &[], 66, "mirrorwatch: config: absent.json: not found;"),
        (&["check-config", "--config", "/dev/null"], &[], 78, "mirrorwatch: config: /dev/null:1:0: the file ends"),
        (&["import"], &[], 64, "mirrorwatch: <DIR>: missing"),
    ];
    for (arguments, environment, code, start) in rows {
        let output = run(arguments, environment);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.starts_with(start) && said.lines().count() == 1, "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_unknown_variable_is_a_warning() {
    let output = run(&["check-config"], &[("MIRRORWATCH_LISTN", "x")]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stderr),
        "mirrorwatch: environment: MIRRORWATCH_LISTN is not known; did you mean MIRRORWATCH_LISTEN?\n"
    );
}
