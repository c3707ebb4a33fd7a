//! The log: one object a line whatever others say, with its time and level, and no secret in it.

use crate::world::process::command;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

const SECRET: &str = "a-secret-of-more-than-thirty-two-characters";
/// Lines after which enough was said.
const LINES: usize = 3;

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
    let mut about_the_source = 0;
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        let object: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no object: {line}"));
        assert!(object["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
        assert!(["ERROR", "WARN", "INFO", "DEBUG"].contains(&object["level"].as_str().unwrap()), "{line}");
        assert!(object["forged"].is_null() && !line.contains(SECRET), "{line}");
        assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line}");
        about_the_source += usize::from(line.contains("400"));
        if about_the_source >= LINES {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(about_the_source, LINES, "its refusals are told");
}
