//! The log: one object a line whatever others say, with its time and level, and no secret in it.

use crate::world::PATIENCE;
use crate::world::process::command;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Instant;

const SECRET: &str = "a-secret-of-more-than-thirty-two-characters";
/// Refusals after which enough was said.
const LINES: usize = 3;
/// How the program tells of one, up to where the words of the source begin.
const REFUSED: &str = "http: 400 — the server says \" [2J  {";

/// A source that refuses with words that would forge a line, clear a terminal and turn the writing.
fn hostile() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let body = "\u{1b}[2J\r\n{\"level\":\"ERROR\",\"forged\":true}\n\u{202e}<script>alert(1)</script>";
            let mut head = [0; 4_096];
            let _ = stream.read(&mut head);
            let head = format!("HTTP/1.1 400 Bad\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    port
}

#[test]
fn the_log_is_one_object_a_line_whatever_others_say() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, SECRET).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = serde_json::json!({
        "listen": "127.0.0.1:0", "dataDir": dir.path().join("data"), "mirrors": [], "http": { "adminTokenFile": token },
        "primary": { "url": format!("ws://127.0.0.1:{}", hostile()), "allowPlaintext": true, "allowPrivate": true },
        "log": { "format": "json", "filter": "debug" },
    });
    let file = dir.path().join("config.json");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut child =
        command(&["--config", file.to_str().unwrap()]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (told, lines) = std::sync::mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
    let deadline = Instant::now() + PATIENCE;
    let mut about_the_source = 0;
    while about_the_source < LINES {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left).unwrap_or_else(|_| panic!("{about_the_source} refusals in {PATIENCE:?}"));
        let object: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no object: {line}"));
        assert!(object["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
        assert!(["ERROR", "WARN", "INFO", "DEBUG"].contains(&object["level"].as_str().unwrap()), "{line}");
        assert!(object["forged"].is_null() && !line.contains(SECRET), "{line}");
        assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line}");
        let is_refusal =
            object["state"] == "Waiting" && object["error"].as_str().is_some_and(|e| e.starts_with(REFUSED));
        about_the_source += usize::from(is_refusal);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
