//! What one side tells the other that it did wrong.

use super::json::Json;

/// An error of the protocol.
#[derive(Clone, PartialEq, Debug)]
pub enum Fault {
    /// The other side speaks too old a protocol.
    WrongProtocol {
        /// The oldest that is understood.
        supported: i64,
        /// What it speaks.
        used: Json,
    },
    /// The other side speaks another version of what the actions mean.
    WrongSubprotocol {
        /// What is understood.
        supported: i64,
        /// What it said, as it said it.
        used: Json,
    },
    /// The token does not prove the user.
    WrongCredentials,
    /// A message of another shape; its text.
    WrongFormat(String),
    /// A message that nobody knows; its name.
    UnknownMessage(String),
}

impl Fault {
    /// The message that tells it.
    #[must_use]
    pub fn message(&self) -> String {
        let used = |supported: i64, used: &Json| {
            let members = [("supported", Json::from(supported)), ("used", used.clone())];
            Json::Object(members.map(|(key, value)| (key.to_owned(), value)).into())
        };
        let (kind, options) = match self {
            Fault::WrongProtocol { supported, used: by } => ("wrong-protocol", Some(used(*supported, by))),
            Fault::WrongSubprotocol { supported, used: by } => ("wrong-subprotocol", Some(used(*supported, by))),
            Fault::WrongCredentials => ("wrong-credentials", None),
            Fault::WrongFormat(text) => ("wrong-format", Some(Json::text(text))),
            Fault::UnknownMessage(name) => ("unknown-message", Some(Json::text(name))),
        };
        Json::Array([Json::text("error"), Json::text(kind)].into_iter().chain(options).collect()).to_text()
    }
}
