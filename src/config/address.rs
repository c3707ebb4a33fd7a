//! A host that is given on the command line, judged as one of the configuration's sources.
//!
//! `https://`, `wss://` and a bare name mean the same; so do `http://` and `ws://`, which need leave like addresses that
//! are not public do.

use url::{Host, Url};

use super::problem::quoted;
use super::source::{SourceConfig, Transport, url_problems};

impl SourceConfig {
    /// The host that `text` names, with these permissions.
    ///
    /// # Errors
    /// Everything that speaks against it, in one line, in the words of the command line.
    pub fn named(text: &str, allow_plaintext: bool, allow_private: bool) -> Result<SourceConfig, String> {
        let spelled = match text.split_once("://") {
            None => format!("wss://{text}"),
            Some(("https", rest)) => format!("wss://{rest}"),
            Some(("http", rest)) => format!("ws://{rest}"),
            Some(_) => text.to_owned(),
        };
        let Some(url) = Url::parse(&spelled).ok().filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))
        else {
            return Err(format!("expected an address, as \"https://plc.example.org\"; got {}", quoted(text)));
        };
        let problems = url_problems(&url, allow_plaintext, allow_private);
        if !problems.is_empty() {
            return Err(in_words_of_the_command_line(&problems.join("; ")));
        }
        let name = url.host_str().unwrap_or_default().to_owned();
        Ok(SourceConfig {
            id: String::new(),
            name,
            url,
            transport: Transport::Auto,
            allow_plaintext,
            allow_private,
            on_time: None,
            grace: None,
        })
    }

    /// The address as people know it: `https://HOST[:PORT]`, or `http://…`.
    #[must_use]
    pub fn web_address(&self) -> String {
        let rest = self.url.as_str().trim_end_matches('/');
        match rest.split_once("://") {
            Some(("wss", rest)) => format!("https://{rest}"),
            Some((_, rest)) => format!("http://{rest}"),
            None => rest.to_owned(),
        }
    }
}

/// Whether what is sent to `url` stays on this machine: a loopback address, or its usual name.
#[must_use]
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// `problem` with the permissions named as options and not as keys.
#[must_use]
pub fn in_words_of_the_command_line(problem: &str) -> String {
    problem
        .replace(
            "\"ws://\" is refused; set \"allowPlaintext\": true for this mirror",
            "\"http://\" is refused; give --allow-plaintext",
        )
        .replace("set \"allowPrivate\": true", "give --allow-private")
        .replace("is not a stream; use \"wss://", "is not known; use \"https://")
        .replace("\"wss://", "\"https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_may_be_spelled_in_every_usual_way() {
        for text in
            ["plc.example.org", "https://plc.example.org", "wss://plc.example.org/", "https://plc.example.org:443"]
        {
            let host = SourceConfig::named(text, false, false).unwrap();
            assert_eq!(
                (host.url.as_str(), host.web_address().as_str()),
                ("wss://plc.example.org/", "https://plc.example.org"),
                "{text}"
            );
        }
        let local = SourceConfig::named("http://127.0.0.1:2582", true, true).unwrap();
        assert_eq!(
            (local.url.as_str(), local.web_address().as_str()),
            ("ws://127.0.0.1:2582/", "http://127.0.0.1:2582")
        );
    }

    #[test]
    fn this_machine_is_known_by_its_addresses_and_its_name() {
        let is_here = |text: &str| is_this_machine(&Url::parse(text).unwrap());
        for here in ["ws://127.0.0.1:1", "http://127.9.9.9", "https://[::1]", "http://localhost:8080/x"] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in ["ws://192.0.2.1", "http://[2001:db8::1]", "http://localhost.example.org", "http://0.0.0.0"] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn what_is_refused_is_explained_in_options() {
        let rows = [
            ("", "expected an address, as \"https://plc.example.org\"; got \"\""),
            ("http://plc.example.org", "unencrypted \"http://\" is refused; give --allow-plaintext to accept it"),
            ("127.0.0.1", "\"127.0.0.1\" is a loopback address; give --allow-private if this is intended"),
            (
                "https://plc.example.org:8443",
                "port 8443 is refused; use 443, or give --allow-private to allow any port",
            ),
            ("ftp://plc.example.org", "scheme \"ftp\" is not known; use \"https://plc.example.org\""),
            ("plc.example.org/x", "must be origin only, as \"https://host[:port]\"; found a path"),
        ];
        for (text, expected) in rows {
            assert_eq!(SourceConfig::named(text, false, false).unwrap_err(), expected, "{text}");
        }
    }
}
