//! `primary` and `mirrors`: whom to watch, and how they may be reached.
//!
//! An address is refused here when it could not be what the user means, or when reaching it needs a permission that the
//! source does not give. Names are not resolved: what they resolve to is judged again by whoever dials.

use std::fmt;
use std::time::Duration;

use url::{Host, Url};

use super::judging::{GRACE_S, Judging, ON_TIME_S};
use super::limits::MIRRORS_MAX;
use super::problem::quoted;
use super::reader::{Reader, json};
use crate::domain::address::private_kind;

/// Longest name or id of a source, in characters.
const NAME_CHARS_MAX: usize = 64;

/// How operations are taken from a source.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The stream where there is one, else what the source offers.
    Auto,
    /// `/export/stream` alone.
    Stream,
    /// `/export`, polled.
    Export,
    /// A plcbundle server.
    PlcBundle,
    /// Only `/{did}` is served: operations are looked up.
    Resolve,
}

/// The words for [`Transport`] in the file.
const TRANSPORTS: [(&str, Transport); 5] = [
    ("auto", Transport::Auto),
    ("stream", Transport::Stream),
    ("export", Transport::Export),
    ("plcbundle", Transport::PlcBundle),
    ("resolve", Transport::Resolve),
];

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = TRANSPORTS.iter().find(|(_, transport)| transport == self).map_or("auto", |(word, _)| word);
        f.write_str(word)
    }
}

/// The primary or a mirror.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceConfig {
    /// Stable slug that addresses and saved data use: `a–z 0–9 -`, 1–64 characters. Default: the name's slug.
    pub id: String,
    /// What people read, 1–64 characters. Default: the host.
    pub name: String,
    /// `ws` or `wss`, host and port; no path, query, fragment or user information.
    pub url: Url,
    /// Default auto.
    pub transport: Transport,
    /// Whether `ws://` is accepted. Default false.
    pub allow_plaintext: bool,
    /// Whether addresses that are not public, and ports other than the scheme's own, are accepted. Default false.
    pub allow_private: bool,
    /// D for this mirror; `None` takes the common one.
    pub on_time: Option<Duration>,
    /// G for this mirror; `None` takes the common one.
    pub grace: Option<Duration>,
}

impl SourceConfig {
    /// A source on a local port, reached over `ws://127.0.0.1:PORT`, by its stream.
    pub fn for_testing(name: &str, port: u16) -> Result<SourceConfig, url::ParseError> {
        Ok(SourceConfig {
            id: slug(name),
            name: name.to_owned(),
            url: Url::parse(&format!("ws://127.0.0.1:{port}"))?,
            transport: Transport::Stream,
            allow_plaintext: true,
            allow_private: true,
            on_time: None,
            grace: None,
        })
    }

    /// The on-time limit that applies to this source.
    pub fn on_time(&self, judging: &Judging) -> Duration {
        self.on_time.unwrap_or(judging.on_time)
    }

    /// The grace that applies to this source.
    pub fn grace(&self, judging: &Judging) -> Duration {
        self.grace.unwrap_or(judging.grace)
    }

    /// Reads the primary; its address has a default.
    pub(super) fn read_primary(r: &mut Reader<'_>) -> Option<SourceConfig> {
        read(r, "primary", "wss://plc.directory")
    }

    /// Reads all mirrors and compares them with each other and with the primary; `None` stands for one that has no
    /// usable address, so that positions stay those of the file.
    pub(super) fn read_mirrors(r: &mut Reader<'_>, primary: Option<&SourceConfig>) -> Vec<Option<SourceConfig>> {
        let (count, default_url) = match r.list_len("mirrors") {
            Some(count) => (count, ""),
            None => (1, "wss://plc.klbr.net"),
        };
        if count == 0 {
            r.note("mirrors", "[]");
        }
        let mut seen: Vec<(String, SourceConfig)> =
            primary.map(|primary| ("primary".to_owned(), primary.clone())).into_iter().collect();
        let mut mirrors = Vec::new();
        if count > MIRRORS_MAX {
            // Each is compared with all others, so that looking at any of them could take long.
            r.problem("mirrors", format!("{count} given, limit {MIRRORS_MAX}"));
            return Vec::new();
        }
        for index in 0..count {
            let path = format!("mirrors[{index}]");
            let mut mirror = read(r, &path, default_url);
            let on_time = r.optional_number(&format!("{path}.onTimeSeconds"), ON_TIME_S);
            let grace = r.optional_number(&format!("{path}.graceSeconds"), GRACE_S);
            if let Some(mirror) = &mut mirror {
                mirror.on_time = on_time.map(Duration::from_secs_f64);
                mirror.grace = grace.map(Duration::from_secs_f64);
                refuse_twins(r, &path, mirror, &seen);
                seen.push((path, mirror.clone()));
            }
            mirrors.push(mirror);
        }
        mirrors
    }
}

/// Notes each mirror whose grace is shorter than its on-time limit, where one of the two is its own.
pub(super) fn check_limits(r: &mut Reader<'_>, mirrors: &[Option<SourceConfig>], judging: &Judging) {
    for (index, mirror) in mirrors.iter().enumerate() {
        let Some(mirror) = mirror.as_ref().filter(|m| m.on_time.is_some() || m.grace.is_some()) else { continue };
        let key_of = |is_own: bool, key: &str| {
            if is_own { format!("mirrors[{index}].{key}") } else { format!("judging.{key}") }
        };
        let on_time_key = key_of(mirror.on_time.is_some(), "onTimeSeconds");
        let grace_key = key_of(mirror.grace.is_some(), "graceSeconds");
        let (on_time, grace) = (mirror.on_time(judging), mirror.grace(judging));
        if grace < on_time && r.is_sound(&[&on_time_key, &grace_key]) {
            let (on_time_s, grace_s) = (on_time.as_secs_f64(), grace.as_secs_f64());
            // Said of the mirror's own key: the common one may be right for all others.
            let own = if mirror.grace.is_some() { &grace_key } else { &on_time_key };
            let why = if mirror.grace.is_some() {
                format!("({grace_s}) must be at least {on_time_key} ({on_time_s})")
            } else {
                format!("({on_time_s}) must be at most {grace_key} ({grace_s})")
            };
            r.problem(own, why);
        }
    }
}

/// Reads what the primary and a mirror have in common; `None` when there is no usable address.
fn read(r: &mut Reader<'_>, path: &str, default_url: &str) -> Option<SourceConfig> {
    let at = |key: &str| format!("{path}.{key}");
    let permissions = (r.is_true(&at("allowPlaintext")), r.is_true(&at("allowPrivate")));
    let url = read_url(r, path, default_url, permissions);
    let host = url.as_ref().and_then(Url::host_str).unwrap_or("source").to_owned();
    let name = r.text(&at("name"), "a name of 1 to 64 characters", &host);
    if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        r.problem(&at("name"), format!("{} is no name of 1 to {NAME_CHARS_MAX} printable characters", quoted(&name)));
    }
    let id = r.text(&at("id"), "an id of a–z, 0–9 and \"-\"", &slug(&name));
    if id != slug(&id) || id.len() > NAME_CHARS_MAX || id.is_empty() {
        let why = format!(
            "{} is no id; use 1 to {NAME_CHARS_MAX} of a–z, 0–9 and \"-\", as \"plc-example-org\"",
            quoted(&id)
        );
        r.problem(&at("id"), why);
    }
    let transport = r.one_of(&at("transport"), &TRANSPORTS, Transport::Auto);
    let allow_plaintext = r.boolean(&at("allowPlaintext"), false);
    let allow_private = r.boolean(&at("allowPrivate"), false);
    Some(SourceConfig { id, name, url: url?, transport, allow_plaintext, allow_private, on_time: None, grace: None })
}

fn read_url(r: &mut Reader<'_>, source: &str, default: &str, (plaintext, private): (bool, bool)) -> Option<Url> {
    let path = &format!("{source}.url");
    let expected = "an address, as \"wss://plc.example.org\"";
    let text = match r.optional_text(path, expected) {
        Some(text) => text,
        None if default.is_empty() => {
            if r.is_sound(&[source, path]) {
                r.problem(path, "missing; give the address, as \"wss://plc.example.org\"");
            }
            return None;
        }
        None => {
            r.note_default(path, &json(default));
            default.to_owned()
        }
    };
    let Ok(url) = Url::parse(&text) else {
        r.unexpected(path, expected);
        return None;
    };
    let problems = url_problems(&url, plaintext, private);
    for why in &problems {
        r.problem(path, if source == "primary" { why.replace("this mirror", "the primary") } else { why.clone() });
    }
    problems.is_empty().then_some(url)
}

/// Everything that speaks against `url` as the address of a source.
pub(super) fn url_problems(url: &Url, plaintext: bool, private: bool) -> Vec<String> {
    let mut problems = Vec::new();
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "wss" => {}
        "ws" if plaintext => {}
        "ws" => problems.push(
            "unencrypted \"ws://\" is refused; set \"allowPlaintext\": true for this mirror to accept it".to_owned(),
        ),
        other => {
            let host = if host.is_empty() { "plc.example.org" } else { host };
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            problems.push(format!(
                "scheme {} is not a stream; use {}",
                quoted(other),
                quoted(&format!("wss://{host}{port}"))
            ));
            return problems;
        }
    }
    let extra = [
        (!url.username().is_empty() || url.password().is_some(), "user information"),
        (!matches!(url.path(), "" | "/"), "a path"),
        (url.query().is_some(), "a query"),
        (url.fragment().is_some(), "a fragment"),
    ];
    for (_, what) in extra.iter().filter(|(found, _)| *found) {
        problems.push(format!("must be origin only, as \"wss://host[:port]\"; found {what}"));
    }
    if private {
        return problems;
    }
    let kind = match url.host() {
        Some(Host::Ipv4(address)) => private_kind(address.into()),
        Some(Host::Ipv6(address)) => private_kind(address.into()),
        Some(Host::Domain(name)) => is_local_name(name).then_some("a loopback"),
        None => None,
    };
    if let Some(kind) = kind {
        problems.push(format!("{} is {kind} address; set \"allowPrivate\": true if this is intended", quoted(host)));
    } else if let Some(port) = url.port().filter(|port| *port != 443) {
        problems.push(format!("port {port} is refused; use 443, or set \"allowPrivate\": true to allow any port"));
    }
    problems
}

/// Whether a name means this machine wherever it is asked for (RFC 6761).
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Notes when `source` has the address, the name or the id of one seen before.
fn refuse_twins(r: &mut Reader<'_>, path: &str, source: &SourceConfig, seen: &[(String, SourceConfig)]) {
    let keys = |s: &SourceConfig| [("url", endpoint(s)), ("name", s.name.to_lowercase()), ("id", s.id.clone())];
    for (position, (key, value)) in keys(source).into_iter().enumerate() {
        let is_twin = |earlier: &SourceConfig| keys(earlier).get(position).is_some_and(|(_, other)| *other == value);
        if let Some((twin, earlier)) = seen.iter().find(|(_, earlier)| is_twin(earlier)) {
            let shown = if key == "url" { earlier.url.as_str().trim_end_matches('/') } else { &value };
            r.problem(&format!("{path}.{key}"), format!("same as {twin} ({})", quoted(shown)));
            return;
        }
    }
}

/// What two addresses of one server have in common: host and port, whatever the scheme.
fn endpoint(source: &SourceConfig) -> String {
    let host = source.url.host_str().unwrap_or_default().trim_end_matches('.');
    format!("{host}:{}", source.url.port_or_known_default().unwrap_or(443))
}

/// `name` in lower case with everything but letters and digits of ASCII turned into single dashes.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_stable() {
        assert_eq!(slug("plc.klbr.net"), "plc-klbr-net");
        assert_eq!(slug("  My Mirror (EU) "), "my-mirror-eu");
        assert_eq!(slug("日本"), "");
    }

    #[test]
    fn addresses_are_judged_with_the_permissions_of_their_source() {
        let rows = [
            ("wss://plc.klbr.net", false, false, 0),
            ("wss://plc.klbr.net:443/", false, false, 0),
            ("wss://plc.klbr.net:8443", false, false, 1),
            ("wss://plc.klbr.net:8443", false, true, 0),
            ("ws://plc.klbr.net", false, false, 1),
            ("ws://plc.klbr.net", true, false, 0),
            ("ws://127.0.0.1:2582", true, false, 1),
            ("ws://127.0.0.1:2582", false, false, 2),
            ("ws://127.0.0.1:2582", true, true, 0),
            ("wss://[::1]", false, false, 1),
            ("wss://0x7f.1", false, false, 1),
            ("wss://2130706433", false, false, 1),
            ("wss://[::ffff:10.0.0.1]", false, false, 1),
            ("wss://localhost", false, false, 1),
            ("wss://LOCALHOST.", false, false, 1),
            ("wss://a.localhost", false, false, 1),
            ("wss://localhost.example.org", false, false, 0),
            ("wss://u@plc.klbr.net/x?y#z", false, false, 4),
            ("https://plc.klbr.net", false, false, 1),
        ];
        for (url, plaintext, private, expected) in rows {
            let found = url_problems(&Url::parse(url).unwrap(), plaintext, private);
            assert_eq!(found.len(), expected, "{url}: {found:?}");
        }
    }
}
