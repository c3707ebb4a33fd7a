//! An action with what is known of it, as it is kept and as it travels.

use super::id::ActionId;
use super::json::Json;
use super::message::Protocol;

/// An action of a log.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its number in this log; 0 before it is in it.
    pub added: u64,
    /// Its name, the same in every log.
    pub id: ActionId,
    /// When it was made, corrected for the clocks of those that it came through; milliseconds since 1970.
    pub time_ms: i64,
    /// The version of what it means, as its maker said it.
    pub subprotocol: Option<Json>,
    /// Whether its sender said more of it than is taken in.
    pub has_more: bool,
    /// The node that it came from; `None` for what was made here.
    pub from: Option<String>,
    /// What happened: an object with a `type`.
    pub action: Json,
}

impl Entry {
    /// The action's type.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.action.get("type").and_then(Json::as_str).unwrap_or_default()
    }
}

/// An id as it is written in a message.
#[derive(Clone, PartialEq, Debug)]
pub enum WireId {
    /// In 5: of the sender, counter 0; milliseconds since the base time.
    Shift(f64),
    /// In 5: of the sender, with a counter.
    Pair(f64, f64),
    /// In 5: of anyone.
    Triple(f64, String, f64),
    /// In 7.
    Text(String),
}

impl WireId {
    /// Reads one; `None` when it is none of the protocol spoken.
    #[must_use]
    pub fn parse(id: &Json, spoken: Option<Protocol>) -> Option<WireId> {
        let read = match id {
            Json::Number(_) => WireId::Shift(id.as_f64()?),
            // Any name stands for the sender's, which is not known yet.
            Json::String(text) => ActionId::from_seven(text, "sender").map(|_| WireId::Text(text.clone()))?,
            Json::Array(parts) => match parts.as_slice() {
                [shift, counter] => WireId::Pair(shift.as_f64()?, counter.as_f64()?),
                [shift, Json::String(node), counter] => {
                    WireId::Triple(shift.as_f64()?, node.clone(), counter.as_f64()?)
                }
                _ => return None,
            },
            _ => return None,
        };
        spoken.is_none_or(|protocol| read.is_of(protocol)).then_some(read)
    }

    /// Whether it is written as `protocol` writes ids.
    #[must_use]
    pub const fn is_of(&self, protocol: Protocol) -> bool {
        matches!(self, WireId::Text(_)) == matches!(protocol, Protocol::Seven)
    }

    /// The id that it stands for in a connection with `sender`.
    #[must_use]
    pub fn resolve(&self, base_ms: i64, sender: &str) -> Option<ActionId> {
        let at = |shift: f64| (shift + base_ms as f64).trunc();
        match self {
            WireId::Shift(shift) => ActionId::new(at(*shift), sender, 0.0),
            WireId::Pair(shift, counter) => ActionId::new(at(*shift), sender, *counter),
            WireId::Triple(shift, node, counter) => ActionId::new(at(*shift), node, *counter),
            WireId::Text(text) => ActionId::from_seven(text, sender),
        }
    }

    /// How `id` is written by `sender`.
    #[must_use]
    fn write(id: &ActionId, spoken: Protocol, base_ms: i64, sender: &str) -> Json {
        let is_own = id.node == sender;
        match spoken {
            Protocol::Seven => {
                let text = id.to_seven();
                let time = text.split(' ').next().unwrap_or_default();
                Json::text(if is_own && id.counter == 0 { time } else { &text })
            }
            Protocol::Five => {
                let shift = Json::from(id.ms as i64 - base_ms);
                let counter = Json::from(id.counter as i64);
                match (is_own, id.counter) {
                    (true, 0) => shift,
                    (true, _) => Json::Array(vec![shift, counter]),
                    (false, _) => Json::Array(vec![shift, Json::text(&id.node), counter]),
                }
            }
        }
    }
}

/// What is taken in of what a message says of an action.
const TAKEN_IN: [&str; 3] = ["id", "time", "subprotocol"];

/// What a message says of an action. Nothing else that it says is taken in.
#[derive(Clone, PartialEq, Debug)]
pub struct Meta {
    /// Its name.
    pub id: WireId,
    /// When it was made, milliseconds since the base time, by the client's clock.
    pub time: f64,
    /// The version of what it means.
    pub subprotocol: Option<Json>,
    /// Whether there is more, which is not taken in.
    pub has_more: bool,
}

impl Meta {
    /// Reads one; `None` when something is missing.
    #[must_use]
    pub fn parse(meta: &Json) -> Option<Meta> {
        Some(Meta {
            id: WireId::parse(meta.get("id")?, None)?,
            time: meta.get("time")?.as_f64()?,
            subprotocol: meta.get("subprotocol").cloned(),
            has_more: meta.keys().any(|key| !TAKEN_IN.contains(&key)),
        })
    }
}

/// What both sides of a connection agreed on.
#[derive(Clone, PartialEq, Debug)]
pub struct Terms {
    /// The protocol.
    pub protocol: Protocol,
    /// What times are counted from, milliseconds since 1970.
    pub base_ms: i64,
    /// How far the local clock is ahead of the other's, milliseconds.
    pub time_fix_ms: i64,
}

impl Terms {
    /// The entry that a message from `sender` brings; `None` when its id names nothing.
    #[must_use]
    pub fn read(&self, action: Json, meta: &Meta, sender: &str) -> Option<Entry> {
        let time = meta.time + self.base_ms as f64 + self.time_fix_ms as f64;
        Some(Entry {
            added: 0,
            id: meta.id.resolve(self.base_ms, sender)?,
            time_ms: time as i64,
            subprotocol: meta.subprotocol.clone(),
            has_more: meta.has_more,
            from: Some(sender.to_owned()),
            action: respelled(action, |id| ActionId::from_seven(id, sender).map(|id| id.to_string()), self.is_seven()),
        })
    }

    /// The action of an entry and what is said of it, as `sender` writes them.
    #[must_use]
    pub fn write(&self, entry: &Entry, sender: &str) -> (Json, Json) {
        let time = entry.time_ms.saturating_sub(self.time_fix_ms).saturating_sub(self.base_ms);
        let mut meta = vec![
            ("id".to_owned(), WireId::write(&entry.id, self.protocol, self.base_ms, sender)),
            ("time".to_owned(), Json::from(time)),
        ];
        meta.extend(entry.subprotocol.clone().map(|said| ("subprotocol".to_owned(), said)));
        let seven = |id: &str| ActionId::from_five(id).map(|id| id.to_seven());
        (respelled(entry.action.clone(), seven, self.is_seven()), Json::Object(meta))
    }

    fn is_seven(&self) -> bool {
        self.protocol == Protocol::Seven
    }
}

/// An answer names an action inside itself; in 7 that name is spelled anew.
fn respelled(mut action: Json, spell: impl Fn(&str) -> Option<String>, is_seven: bool) -> Json {
    let kind = action.get("type").and_then(Json::as_str);
    if is_seven
        && matches!(kind, Some("logux/processed" | "logux/undo"))
        && let Some(Json::String(id)) = action.get_mut("id")
        && let Some(spelled) = spell(id)
    {
        *id = spelled;
    }
    action
}
