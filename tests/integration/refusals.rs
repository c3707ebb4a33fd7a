//! Every wrong configuration, variable and argument that is documented, given to the program itself: its words, whole, and
//! its exit code.

use crate::world::process::command;
use crate::world::skip;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A file of a test, with what is said of it.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Desk {
        Desk { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// What the program says and how it ends, in this directory.
    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = command(arguments);
        command.current_dir(self.dir.path()).envs(environment.iter().copied()).output().unwrap()
    }

    /// What is said of a configuration, and the exit code.
    fn config(&self, text: &[u8]) -> (Option<i32>, String) {
        self.write("config.json", text, 0o600);
        said(&self.run(&["check-config"], &[]))
    }
}

/// Exit code and standard error of a run that says nothing on standard output.
fn said(output: &Output) -> (Option<i32>, String) {
    assert!(output.stdout.is_empty() || output.status.success(), "a refusal is for standard error");
    (output.status.code(), String::from_utf8(output.stderr.clone()).unwrap())
}

fn mirror(inside: &str) -> String {
    format!("{{\"mirrors\":[\n{{\"url\":\"wss://a.example\"}},\n{{{inside}}}]}}")
}

#[test]
fn every_wrong_configuration_is_refused_in_one_line_with_78() {
    let desk = Desk::new();
    let rows: Vec<(String, &str)> = vec![
        ("{\n\"rtt\": {}\n  \"log\": {}}".into(), "3:3: expected `,` or `}`; found `\"`"),
        ("{\"rtt\": {\n".into(), "2:0: the file ends while parsing an object"),
        ("{\n\n\"mirors\": []}".into(), "3: unknown key \"mirors\"; did you mean \"mirrors\"?"),
        (
            "{\n\"listen\": \"127.0.0.1:80a\"}".into(),
            "2: listen: expected \"ADDRESS:PORT\", as \"127.0.0.1:7331\"; got \"127.0.0.1:80a\"",
        ),
        (
            mirror("\"url\":\"http://plc.example.org\""),
            "3: mirrors[1].url: scheme \"http\" is not a stream; use \"wss://plc.example.org\"",
        ),
        (
            mirror("\"url\":\"ws://plc.example.org\""),
            "3: mirrors[1].url: unencrypted \"ws://\" is refused; set \"allowPlaintext\": true for this mirror to accept it",
        ),
        (
            mirror("\"url\":\"wss://10.0.0.5\""),
            "3: mirrors[1].url: \"10.0.0.5\" is a private address; set \"allowPrivate\": true if this is intended",
        ),
        (
            mirror("\"url\":\"wss://u:p@plc.example.org\""),
            "3: mirrors[1].url: must be origin only, as \"wss://host[:port]\"; found user information",
        ),
        (
            mirror("\"url\":\"wss://plc.example.org/export\""),
            "3: mirrors[1].url: must be origin only, as \"wss://host[:port]\"; found a path",
        ),
        (
            mirror("\"url\":\"wss://plc.example.org/#x\""),
            "3: mirrors[1].url: must be origin only, as \"wss://host[:port]\"; found a fragment",
        ),
        (
            mirror("\"url\":\"wss://A.example:443\",\"name\":\"b\""),
            "3: mirrors[1].url: same as mirrors[0] (\"wss://a.example\")",
        ),
        (mirror("\"url\":\"wss://plc.directory\""), "3: mirrors[1].url: same as primary (\"wss://plc.directory\")"),
        (
            "{\"judging\":{\"graceSeconds\":\"10 minuts\"}}".into(),
            "1: judging.graceSeconds: expected a number from 1 to 3600; got \"10 minuts\"",
        ),
        (
            "{\"judging\":{\n\"graceSeconds\":30,\n\"onTimeSeconds\":60}}".into(),
            "2: judging.graceSeconds (30) must be at least judging.onTimeSeconds (60)",
        ),
        (
            format!(
                "{{\"mirrors\":[{}]}}",
                (0..80).map(|n| format!("{{\"url\":\"wss://m{n}.example\"}}")).collect::<Vec<_>>().join(",")
            ),
            "1: mirrors: 80 given, limit 64 (raise limits.maxMirrors)",
        ),
    ];
    for (text, why) in rows {
        assert_eq!(
            desk.config(text.as_bytes()),
            (Some(78), format!("mirrorwatch: config: config.json:{why}\n")),
            "{text}"
        );
        let started = said(&desk.run(&["--data-dir", "data"], &[]));
        assert_eq!(
            started,
            (Some(78), format!("mirrorwatch: config: config.json:{why}\n")),
            "the same when it is to run"
        );
    }
    assert!(!desk.path("data").exists(), "nothing is made for a configuration that is refused");
}

#[test]
fn files_that_are_no_configuration_at_all_are_refused_as_a_whole() {
    let desk = Desk::new();
    let giant = vec![b' '; (1 << 20) + 1];
    let rows: [(&[u8], &str); 3] = [
        (b"{\"dataDir\": \"\xff\"}", "not UTF-8 at byte 13"),
        (b"{\"dataDir\": \"\0\"}", "NUL at byte 13; save the file as UTF-8 text"),
        (&giant, "larger than 1 MiB; a configuration is smaller: check that this is the right file"),
    ];
    for (bytes, why) in rows {
        assert_eq!(desk.config(bytes), (Some(78), format!("mirrorwatch: config: config.json: {why}\n")));
    }
    let absent =
        "mirrorwatch: config: gone.json: not found; copy config.example.json, or leave --config out for the defaults\n";
    assert_eq!(said(&desk.run(&["--config", "gone.json"], &[])), (Some(66), absent.to_owned()));
}

#[test]
fn a_token_that_is_short_or_lies_open_is_refused_and_never_shown() {
    let desk = Desk::new();
    for (token, mode, why) in [
        ("hunter2hunte", 0o600, "12 characters, need 32 or more"),
        ("hunter2hunter2hunter2hunter2hunter2hunter2", 0o644, "mode 0644 lets others read it; run \"chmod 600 TOKEN\""),
    ] {
        let file = desk.write("token", token.as_bytes(), mode);
        let file = file.to_str().unwrap();
        let (code, line) = desk.config(format!("{{\"http\":{{\"adminTokenFile\":\"{file}\"}}}}").as_bytes());
        let why = why.replace("TOKEN", file);
        assert_eq!(
            (code, line.as_str()),
            (Some(78), &*format!("mirrorwatch: config: config.json:1: http.adminTokenFile: {file}: {why}\n"))
        );
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let desk = Desk::new();
    let text = "{\n\"listen\": 1,\n\"primary\": {\"url\": \"http://x\"},\n\"mirors\": [],\n\"log\": {\"format\": 7}}";
    let (code, lines) = desk.config(text.as_bytes());
    let places: Vec<&str> = lines.lines().filter_map(|line| line.split(": ").nth(2)).collect();
    assert_eq!(code, Some(78));
    assert_eq!(places, ["config.json:2", "config.json:3", "config.json:4", "config.json:5"], "{lines}");
}

#[test]
fn what_a_user_wrote_cannot_steer_his_terminal() {
    let desk = Desk::new();
    let long = "x".repeat(500);
    for value in ["\\u001b[2J\\u0007", "\\u202egro.elpmaxe", "\\u2066a\\u2069", &long] {
        let (code, line) = desk.config(format!("{{\"listen\": \"{value}\"}}").as_bytes());
        assert_eq!((code, line.lines().count()), (Some(78), 1));
        let is_plain = |c: char| {
            c == '\n'
                || (!c.is_control()
                    && !('\u{202a}'..='\u{202e}').contains(&c)
                    && !('\u{2066}'..='\u{2069}').contains(&c))
        };
        assert!(line.chars().all(is_plain) && line.chars().count() < 250, "{line}");
    }
}

/// Arguments, environment, and what is said.
type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn every_wrong_variable_and_argument_is_refused_in_one_line_with_64() {
    let desk = Desk::new();
    desk.write("config.json", b"{}", 0o600);
    let rows: [Row; 7] = [
        (
            &[],
            &[("MIRRORWATCH_LISTEN", "abc")],
            "environment: MIRRORWATCH_LISTEN=\"abc\": expected \"ADDRESS:PORT\" (overrides listen)",
        ),
        (&["--confg"], &[], "unexpected argument \"--confg\"; a similar one exists: \"--config\""),
        (&["--config"], &[], "--config: needs a value"),
        (&["--listen", "abc"], &[], "--listen: expected \"ADDRESS:PORT\", as \"127.0.0.1:7331\"; got \"abc\""),
        (
            &["diff", "--a", "a.example", "--b", "b.example", "--from", "2026-13-40"],
            &[],
            "--from 2026-13-40: not a time; examples: 2026-11-21T02:00:00Z, 2026-11-21, 24h",
        ),
        (&["chek"], &[], "unexpected argument \"chek\"; a similar one exists: \"check\""),
        (&["demo", "--rate", "many"], &[], "--rate many: expected a number from 0.1 to 10000; example: 20"),
    ];
    for (arguments, environment, why) in rows {
        let all = if arguments.first().is_none_or(|first| first.starts_with("--")) {
            [&["check-config"], arguments].concat()
        } else {
            arguments.to_vec()
        };
        assert_eq!(said(&desk.run(&all, environment)), (Some(64), format!("mirrorwatch: {why}\n")), "{arguments:?}");
    }
    let warned = said(&desk.run(&["check-config"], &[("MIRRORWATCH_MIRORS", "x")]));
    let warning = "mirrorwatch: environment: MIRRORWATCH_MIRORS is not known; did you mean MIRRORWATCH_MIRRORS?\n";
    assert_eq!(warned, (Some(0), warning.to_owned()), "a warning is no refusal");
}

/// Runs the program as nobody, who may not do what root may; says why it cannot.
fn as_nobody(desk: &Desk, arguments: &[&str]) -> Result<Output, String> {
    let program = desk.path("mirrorwatch");
    std::fs::copy(env!("CARGO_BIN_EXE_mirrorwatch"), &program).unwrap();
    std::fs::set_permissions(desk.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]).arg(&program);
    let output = command.env_clear().env("PATH", "/usr/bin").args(arguments).current_dir(desk.dir.path()).output();
    match output {
        Ok(output) if String::from_utf8_lossy(&output.stderr).starts_with("setpriv: ") => {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
        Ok(output) => Ok(output),
        Err(error) => Err(format!("setpriv: {error}")),
    }
}

/// A port below the first that everyone may have.
fn is_low_port_free_for_all() -> bool {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    first.trim().parse().unwrap_or(1024) <= 443
}

#[test]
fn what_is_not_permitted_ends_with_77() {
    let desk = Desk::new();
    desk.write("config.json", b"{\"mirrors\":[]}", 0o644);
    std::fs::create_dir(desk.path("root")).unwrap();
    let root = desk.path("root");
    let output = match as_nobody(&desk, &["--data-dir", root.to_str().unwrap(), "--listen", "127.0.0.1:0"]) {
        Ok(output) => output,
        Err(why) => return skip("nobody", &why),
    };
    let (code, line) = said(&output);
    let start = format!(
        "mirrorwatch: state: {}: not writable by uid 65534 (owner root, mode 0755); run \"chown ",
        root.display()
    );
    assert!(code == Some(77) && line.starts_with(&start) && line.lines().count() == 1, "{code:?} {line}");
    if is_low_port_free_for_all() {
        return;
    }
    let open = desk.path("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let output = as_nobody(&desk, &["--data-dir", open.to_str().unwrap(), "--listen", "127.0.0.1:443"]).unwrap();
    let (code, said) = said(&output);
    let line = said.lines().last().unwrap_or_default();
    assert_eq!(
        (code, line),
        (Some(77), "mirrorwatch: listen: 127.0.0.1:443: permission denied; use a port ≥ 1024 or a proxy"),
        "{said}"
    );
}

#[test]
fn too_few_open_files_are_warned_of() {
    let desk = Desk::new();
    let config = desk.write(
        "config.json",
        b"{\"mirrors\":[],\"primary\":{\"url\":\"ws://127.0.0.1:9\",\"allowPlaintext\":true,\"allowPrivate\":true}}",
        0o600,
    );
    let line =
        format!("ulimit -n 1024; exec {} --config {} --listen 127.0.0.1:0 2>&1", program().display(), config.display());
    let mut child = Command::new("sh")
        .args(["-c", &line])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(desk.dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let warned = lines
        .map_while(Result::ok)
        .take_while(|line| !line.starts_with("mirrorwatch: http://"))
        .any(|line| line.contains("limit: 1024 open files allows 900 dashboards; wanted 4096 (LimitNOFILE=16384)"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(warned);
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_mirrorwatch"))
}
