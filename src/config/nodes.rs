//! `nodes`: the log that several observers share; nothing of it is there while the key is null.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use super::address::is_this_machine;
use super::http::secret_in;
use super::problem::quoted;
use super::reader::{Reader, json};

/// Longest name of a node or a user, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Longest name of a region or a type, in characters.
const WORD_CHARS_MAX: usize = 128;
/// Tokens at most.
const TOKENS_MAX: usize = 256;
/// Peers at most.
const PEERS_MAX: usize = 64;
/// Where a peer answers, unless its address says otherwise.
const SYNC_PATH: &str = "/api/v1/sync";

/// What a token lets its user do.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum NodeRole {
    /// Read what is `readable`.
    Reader,
    /// Read everything, write what is `writable`.
    Node,
    /// Read and write everything.
    Admin,
}

/// Someone who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeToken {
    /// The part of a node's name before the first colon.
    pub user: String,
    /// What it may do.
    pub role: NodeRole,
    /// SHA-256 of the token; the token itself is known to its user alone.
    pub sha256: [u8; 32],
}

/// A node to connect to.
#[derive(Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where it is.
    pub url: Url,
    /// Our user there.
    pub user: String,
    /// Our token there.
    pub token: String,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("url", &self.url.as_str()).field("user", &self.user).finish_non_exhaustive()
    }
}

/// This node among others.
#[derive(Clone, Debug, PartialEq)]
pub struct Nodes {
    /// Its name.
    pub id: String,
    /// Where on earth it is, in its operator's words.
    pub region: Option<String>,
    /// Where others reach it; `None` where they cannot.
    pub address: Option<Url>,
    /// The version of what actions mean. Default 1.
    pub subprotocol: u32,
    /// So long after the last message received a sign of life is asked for. 1–3600 s; default 10 s.
    pub ping: Duration,
    /// So long an answer may take. 1–3600 s; default 20 s.
    pub timeout: Duration,
    /// Who may come in. Default nobody.
    pub tokens: Vec<NodeToken>,
    /// Whom to connect to. Default nobody.
    pub peers: Vec<Peer>,
    /// Whether nodes that others announce may become peers. Default false.
    pub is_announced_allowed: bool,
    /// Between two looks for nodes that cannot be reached through others. 5–86,400 s; default 600 s.
    pub defragment: Duration,
    /// Types that a reader may read, each with `*` for any rest. Default all.
    pub readable: Vec<String>,
    /// Types that a node may write, likewise. Default all.
    pub writable: Vec<String>,
    /// Where events of nodes are taken in. Default nowhere.
    pub events: Option<SocketAddr>,
}

impl Nodes {
    /// A node of this name that lets nobody in.
    pub fn for_testing(id: &str) -> Nodes {
        Nodes {
            id: id.to_owned(),
            region: None,
            address: None,
            subprotocol: 1,
            ping: Duration::from_secs(10),
            timeout: Duration::from_secs(20),
            tokens: Vec::new(),
            peers: Vec::new(),
            is_announced_allowed: false,
            defragment: Duration::from_mins(10),
            readable: vec!["*".to_owned()],
            writable: vec!["*".to_owned()],
            events: None,
        }
    }

    /// Reads it; `None` when it is not given.
    pub(super) fn read(r: &mut Reader<'_>) -> Option<Nodes> {
        // Asked for also where nothing is given, so that the keys are known.
        let is_given = r.is_given("nodes");
        let silent = r.settings.len();
        let problems = r.problems.len();
        let nodes = Nodes {
            id: read_id(r, is_given),
            region: r.optional_text("nodes.region", "a short text, as \"eu\", or null"),
            address: read_address(r),
            subprotocol: r.integer("nodes.subprotocol", 1, 0..=1_000_000) as u32,
            ping: r.seconds("nodes.pingSeconds", 10.0, 1.0..=3_600.0),
            timeout: r.seconds("nodes.timeoutSeconds", 20.0, 1.0..=3_600.0),
            tokens: read_tokens(r),
            peers: read_peers(r),
            is_announced_allowed: r.one_of("nodes.announced", &[("refuse", false), ("allow", true)], false),
            defragment: r.seconds("nodes.defragmentSeconds", 600.0, 5.0..=86_400.0),
            readable: read_types(r, "nodes.readable"),
            writable: read_types(r, "nodes.writable"),
            events: read_events(r),
        };
        if is_given {
            if let Some(listen) = nodes.events.filter(|listen| !listen.ip().is_loopback() && nodes.tokens.is_empty()) {
                let why = format!("{listen} can be reached from elsewhere, and nodes.tokens lets nobody in");
                r.problem("nodes.events.listen", format!("{why}; use 127.0.0.1, or add a token"));
            }
            return Some(nodes);
        }
        // Of null nobody expects keys.
        r.settings.truncate(silent);
        r.problems.truncate(problems);
        r.note_default("nodes", "null");
        None
    }
}

fn read_id(r: &mut Reader<'_>, is_given: bool) -> String {
    let (path, advice) = ("nodes.id", "use 1 to 64 of a–z, A–Z, 0–9, \".\", \"_\" and \"-\", as \"paris-1\"");
    let Some(id) = r.optional_text(path, "a name, as \"paris-1\"") else {
        if is_given && r.is_sound(&["nodes", path]) {
            r.problem(path, "missing; give this node a name, as \"paris-1\"");
        }
        return String::new();
    };
    if !is_name(&id) {
        r.problem(path, format!("{} is no id; {advice}", quoted(&id)));
    }
    id
}

fn is_name(text: &str) -> bool {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.chars().all(is_legal)
}

fn read_address(r: &mut Reader<'_>) -> Option<Url> {
    let path = "nodes.address";
    let text = r.optional_text(path, "the address of this node for others, as \"wss://watch.example.org\", or null")?;
    url_of(r, path, &text)
}

/// The address of a node: `wss`, or `ws` on this machine; its path is the usual one unless given.
fn url_of(r: &mut Reader<'_>, path: &str, text: &str) -> Option<Url> {
    let Some(mut url) = Url::parse(text).ok().filter(Url::has_host) else {
        r.problem(path, format!("expected an address, as \"wss://watch.example.org\"; got {}", quoted(text)));
        return None;
    };
    let why = match url.scheme() {
        "wss" => None,
        "ws" if is_this_machine(&url) => None,
        "ws" => Some("unencrypted \"ws://\" would show the token to everyone on the way; use \"wss://\"".to_owned()),
        other => Some(format!("scheme {} is no node; use \"wss://watch.example.org\"", quoted(other))),
    };
    let has_secret = !url.username().is_empty() || url.password().is_some();
    let why = why
        .or_else(|| has_secret.then(|| "must be without user information; the token is in \"tokenFile\"".to_owned()));
    if let Some(why) = why {
        r.secret_problem(path, why);
        return None;
    }
    if url.path() == "/" {
        url.set_path(SYNC_PATH);
    }
    Some(url)
}

fn read_tokens(r: &mut Reader<'_>) -> Vec<NodeToken> {
    let count = list_len(r, "nodes.tokens", TOKENS_MAX);
    let mut tokens: Vec<NodeToken> = Vec::new();
    for n in 0..count.max(1) {
        let path = format!("nodes.tokens[{n}]");
        let user_path = format!("{path}.user");
        let user = r.optional_text(&user_path, "a name, as \"peer-a\"");
        let role = r.one_of(
            &format!("{path}.role"),
            &[("reader", NodeRole::Reader), ("node", NodeRole::Node), ("admin", NodeRole::Admin)],
            NodeRole::Reader,
        );
        let sha256 = read_sha256(r, &format!("{path}.sha256"), n < count);
        if n >= count {
            break;
        }
        match &user {
            None => r.problem(&user_path, "missing; name whom this token lets in, as \"peer-a\""),
            Some(user) if user == "server" || !is_name(user) => {
                let why = "is no user; use 1 to 64 of a–z, A–Z, 0–9, \".\", \"_\" and \"-\", and not \"server\"";
                r.problem(&user_path, format!("{} {why}", quoted(user)));
            }
            Some(_) => {}
        }
        if let (Some(user), Some(sha256)) = (user, sha256) {
            tokens.push(NodeToken { user, role, sha256 });
        }
    }
    tokens
}

fn read_sha256(r: &mut Reader<'_>, path: &str, is_needed: bool) -> Option<[u8; 32]> {
    let advice = "run \"mirrorwatch token\" to make a token and its hash";
    let settings = r.settings.len();
    let text = r.optional_text(path, "64 hexadecimal digits");
    // Also the hash of a token is nobody's business.
    r.settings.truncate(settings);
    let digest = text.as_ref().and_then(|text| {
        data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok())
    });
    match (&text, digest) {
        (Some(_), None) => {
            r.secret_problem(path, format!("expected the SHA-256 of a token, 64 hexadecimal digits; {advice}"));
        }
        (None, _) if is_needed && r.is_sound(&[path]) => r.secret_problem(path, format!("missing; {advice}")),
        (Some(_), Some(_)) => r.note(path, "\"…\""),
        (None, _) => {}
    }
    digest
}

fn read_peers(r: &mut Reader<'_>) -> Vec<Peer> {
    let count = list_len(r, "nodes.peers", PEERS_MAX);
    let mut peers = Vec::new();
    for n in 0..count.max(1) {
        let path = |key: &str| format!("nodes.peers[{n}].{key}");
        let (url_path, user_path, file_path) = (path("url"), path("user"), path("tokenFile"));
        let url = r.optional_text(&url_path, "the address of a node, as \"wss://watch.example.org\"");
        let user = r.optional_text(&user_path, "our name there, as \"paris\"");
        let file = r.optional_text(&file_path, "the path of a file that holds our token there");
        if n >= count {
            break;
        }
        for (path, is_there) in [(&url_path, url.is_some()), (&user_path, user.is_some()), (&file_path, file.is_some())]
        {
            if !is_there && r.is_sound(&[path]) {
                r.problem(path, "missing; a peer has \"url\", \"user\" and \"tokenFile\"");
            }
        }
        if let Some(user) = user.as_ref().filter(|user| !is_name(user)) {
            r.problem(
                &user_path,
                format!("{} is no user; use 1 to 64 of a–z, A–Z, 0–9, \".\", \"_\" and \"-\"", quoted(user)),
            );
        }
        let url = url.and_then(|text| url_of(r, &url_path, &text));
        let token = file.and_then(|file| match secret_in(&file) {
            Ok(token) => Some(token),
            Err(why) => {
                r.secret_problem(&file_path, why);
                None
            }
        });
        if let (Some(url), Some(user), Some(token)) = (url, user, token) {
            peers.push(Peer { url, user, token });
        }
    }
    peers
}

fn list_len(r: &mut Reader<'_>, path: &str, max: usize) -> usize {
    let count = r.list_len(path);
    if count.is_none_or(|count| count == 0) {
        r.note_default(path, "[]");
    }
    let count = count.unwrap_or(0);
    if count > max {
        r.problem(path, format!("{count} given, limit {max}"));
    }
    count.min(max)
}

fn read_types(r: &mut Reader<'_>, path: &str) -> Vec<String> {
    let types = r.texts(path, "a list of types, as [\"mirrorwatch/*\"]", &["*"]);
    for (n, text) in types.iter().enumerate() {
        let is_legal = (1..=WORD_CHARS_MAX).contains(&text.len()) && !text.trim_end_matches('*').contains('*');
        if !is_legal {
            let why = format!("{} is no type; a \"*\" stands at the end, as \"mirrorwatch/*\"", quoted(text));
            r.problem(&format!("{path}[{n}]"), why);
        }
    }
    types
}

fn read_events(r: &mut Reader<'_>) -> Option<SocketAddr> {
    let path = "nodes.events.listen";
    let text = if r.is_given("nodes.events") {
        r.optional_text(path, "\"ADDRESS:PORT\", as \"127.0.0.1:12345\"")
    } else {
        r.note_default("nodes.events", "null");
        r.is_given(path);
        None
    }?;
    let address = text.parse().ok();
    if address.is_none() {
        r.problem(
            path,
            format!("expected {}, as {}; got {}", json("ADDRESS:PORT"), json("127.0.0.1:12345"), quoted(&text)),
        );
    }
    address
}
