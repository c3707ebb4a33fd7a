//! `report`: what a node tells an observer of itself.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::UsageError;
use crate::config::{is_this_machine, quoted};
use crate::domain::node_event::NodeEvent;

/// The path at which events are taken in.
const SEND_PATH: &str = "/send";

/// An event, and whom to tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Where events are taken in.
    pub to: Url,
    /// Who reports it.
    pub sender: String,
    /// Which of its events.
    pub event: String,
    /// In words.
    pub message: String,
    /// File that holds the sender's token.
    pub token_file: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct ReportArguments {
    /// Where an observer takes events in
    #[arg(long, value_name = "URL", help = "Where an observer takes events in, as http://127.0.0.1:12345")]
    to: String,
    /// Who reports it
    #[arg(long, value_name = "NAME")]
    sender: String,
    /// File that holds the sender's token; needed unless the observer is on this machine
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Which event, by a name of the node's own
    event: String,
    /// What happened, in words
    message: String,
}

impl ReportArguments {
    pub(super) fn checked(self) -> Result<Report, UsageError> {
        let ReportArguments { to, sender, token_file, event, message } = self;
        let to = address(&to, token_file.is_some()).map_err(|why| UsageError::new(format!("--to: {why}")))?;
        let fields = ["0".to_owned(), sender.clone(), event.clone(), message.clone()];
        NodeEvent::new(fields).map_err(|error| UsageError::new(format!("report: {error}")))?;
        Ok(Report { to, sender, event, message, token_file })
    }
}

fn address(text: &str, has_token: bool) -> Result<Url, String> {
    let expected = || format!("expected an address, as http://127.0.0.1:12345; got {}", quoted(text));
    let mut url = Url::parse(text).ok().filter(Url::has_host).ok_or_else(expected)?;
    match url.scheme() {
        "https" => {}
        "http" if !has_token || is_this_machine(&url) => {}
        "http" => {
            return Err("unencrypted http:// would show the token to everyone on the way; use https://".to_owned());
        }
        _ => return Err(expected()),
    }
    if url.path() == "/" {
        url.set_path(SEND_PATH);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(to: &str, token_file: Option<&str>, message: &str) -> Result<Report, String> {
        let arguments = ReportArguments {
            to: to.to_owned(),
            sender: "s".to_owned(),
            token_file: token_file.map(PathBuf::from),
            event: "e".to_owned(),
            message: message.to_owned(),
        };
        arguments.checked().map_err(|error| error.to_string())
    }

    #[test]
    fn the_address_is_completed_and_a_token_travels_in_secret_alone() {
        assert_eq!(checked("http://127.0.0.1:12345", None, "m").unwrap().to.as_str(), "http://127.0.0.1:12345/send");
        assert_eq!(checked("https://a.example/x/send", Some("t"), "m").unwrap().to.path(), "/x/send");
        assert!(checked("http://[::1]:1", Some("t"), "m").is_ok());
        assert!(checked("http://a.example", Some("t"), "m").unwrap_err().contains("use https://"));
        for wrong in ["a.example", "ftp://a.example", ""] {
            assert!(
                checked(wrong, None, "m").unwrap_err().starts_with("mirrorwatch: --to: expected an address"),
                "{wrong}"
            );
        }
        assert_eq!(
            checked("http://localhost", None, "").unwrap_err(),
            "mirrorwatch: report: All message fields must be non-empty!"
        );
    }
}
