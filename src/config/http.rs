//! `http`: who may ask the server what, and how much.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use sha2::{Digest, Sha256};

use super::problem::quoted;
use super::reader::Reader;
use crate::domain::address::AddressRange;

/// Fewest characters of the admin token.
const TOKEN_CHARS_MIN: usize = 32;
/// Longest admin token file that is read, in bytes.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

/// The HTTP server.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// Threads that answer requests. 1–64; default 1.
    pub workers: usize,
    /// Peers whose `X-Forwarded-For` is believed. Default none.
    pub trusted_proxies: Vec<AddressRange>,
    /// Names accepted in `Host`, in lower case; empty accepts all. Default empty.
    pub allowed_hosts: Vec<String>,
    /// Origins that may read the public API from a browser; `*` is all. Default `*`.
    pub cors_origins: Vec<String>,
    /// Live sockets at once. 0–100,000; default 4,096.
    pub live_sockets: usize,
    /// Live sockets of one address at once (of one /64 in IPv6). 1–100,000; default 64.
    pub live_sockets_per_address: usize,
    /// Detail requests of one address per second. 1–10,000; default 10.
    pub detail_requests_per_second: u32,
    /// Detail requests that one address may make at once after a rest. 1–100,000; default 40.
    pub detail_burst: u32,
    /// Whether loopback peers are exempt from the limits per address. Default true.
    pub exempt_loopback: bool,
    /// SHA-256 of the admin token, read from `adminTokenFile` at the start; `None` (the default) switches the admin
    /// routes off. The token itself is not kept.
    pub admin_token_sha256: Option<[u8; 32]>,
    /// Whether answers tell the version. Default true.
    pub expose_version: bool,
}

impl Http {
    /// The defaults with one worker, and limits that apply to loopback too.
    pub fn for_testing() -> Http {
        Http {
            workers: 1,
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            cors_origins: vec!["*".to_owned()],
            live_sockets: 64,
            live_sockets_per_address: 64,
            detail_requests_per_second: 10,
            detail_burst: 40,
            exempt_loopback: false,
            admin_token_sha256: None,
            expose_version: true,
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Http {
        let workers = r.integer("http.workers", 1, 1..=64) as usize;
        let trusted_proxies = read_proxies(r);
        let allowed_hosts = read_hosts(r);
        let cors_origins = read_origins(r);
        let live_sockets = r.integer("http.liveSockets", 4096, 0..=100_000) as usize;
        Http {
            workers,
            trusted_proxies,
            allowed_hosts,
            cors_origins,
            live_sockets,
            live_sockets_per_address: r.integer("http.liveSocketsPerAddress", 64, 1..=100_000) as usize,
            detail_requests_per_second: r.integer("http.detailRequestsPerSecond", 10, 1..=10_000) as u32,
            detail_burst: r.integer("http.detailBurst", 40, 1..=100_000) as u32,
            exempt_loopback: r.boolean("http.exemptLoopback", true),
            admin_token_sha256: read_token(r),
            expose_version: r.boolean("http.exposeVersion", true),
        }
    }
}

fn read_proxies(r: &mut Reader<'_>) -> Vec<AddressRange> {
    let path = "http.trustedProxies";
    let mut ranges = Vec::new();
    for (index, text) in r.texts(path, "a list of addresses or ranges, as [\"10.0.0.0/8\"]", &[]).iter().enumerate() {
        match text.parse() {
            Ok(range) => ranges.push(range),
            Err(error) => r.problem(
                &format!("{path}[{index}]"),
                format!("{}: {error}; expected ADDRESS or ADDRESS/PREFIX, as \"10.0.0.0/8\"", quoted(text)),
            ),
        }
    }
    ranges
}

fn read_hosts(r: &mut Reader<'_>) -> Vec<String> {
    let path = "http.allowedHosts";
    let mut hosts = Vec::new();
    for (index, text) in r.texts(path, "a list of host names, as [\"watch.example.org\"]", &[]).iter().enumerate() {
        if text.is_empty() || text.contains(['/', '@', '*', ' ']) {
            let why =
                format!("{} is no host name; give it as in a Host header, as \"watch.example.org\"", quoted(text));
            r.problem(&format!("{path}[{index}]"), why);
        }
        hosts.push(text.to_ascii_lowercase());
    }
    hosts
}

fn read_origins(r: &mut Reader<'_>) -> Vec<String> {
    let path = "http.corsOrigins";
    let origins = r.texts(path, "a list of origins, as [\"https://app.example.org\"] or [\"*\"]", &["*"]);
    for (index, text) in origins.iter().enumerate() {
        let is_origin =
            url::Url::parse(text).is_ok_and(|url| url.has_host() && url.origin().ascii_serialization() == *text);
        if text != "*" && !is_origin {
            let why =
                format!("{} is no origin; give scheme and host only, as \"https://app.example.org\"", quoted(text));
            r.problem(&format!("{path}[{index}]"), why);
        }
    }
    origins
}

fn read_token(r: &mut Reader<'_>) -> Option<[u8; 32]> {
    let path = "http.adminTokenFile";
    let Some(file) = r.optional_text(path, "the path of a file that holds the token, or null") else {
        r.note_default(path, "null");
        return None;
    };
    match token_digest(&file) {
        Ok(digest) => Some(digest),
        Err(why) => {
            r.secret_problem(path, why);
            None
        }
    }
}

/// Digest of the token in `file`.
fn token_digest(file: &str) -> Result<[u8; 32], String> {
    secret_in(file).map(|token| Sha256::digest(token.as_bytes()).into())
}

/// The token in `file`, whose last line break does not count. The messages never repeat the token.
///
/// # Errors
/// What is wrong with the file, and how to mend it.
pub fn secret_in(file: &str) -> Result<String, String> {
    // Not every mistake has a path in it: the token itself may have been given instead.
    let shown = if file.contains('/') { file } else { "the file" };
    let hint = "give the path of a file that holds 32 characters or more";
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{shown}: not found; {hint}"),
        kind => format!("{shown}: {kind}; {hint}"),
    };
    // Asked before opening, since opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(file).map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("{shown}: not a file; {hint}"));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o007 != 0 {
        return Err(format!("{shown}: mode {mode:04o} lets others read it; run \"chmod 600 {shown}\""));
    }
    let mut token = String::new();
    let opened = File::open(file).map_err(failed)?;
    opened.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut token).map_err(failed)?;
    let token = token.trim();
    let chars = token.chars().count();
    if chars < TOKEN_CHARS_MIN {
        return Err(format!("{shown}: {chars} characters, need {TOKEN_CHARS_MIN} or more"));
    }
    Ok(token.to_owned())
}
