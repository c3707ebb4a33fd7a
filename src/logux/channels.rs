//! Channels, as npm's `@logux/client` subscribes to them: which there are, what one client is subscribed to, and what it is
//! to be told next.
//!
//! An action of a client is a question. Each is answered once, by `logux/processed` or `logux/undo`, and nothing of it is
//! kept. What is sent has numbers of its own, made when it is sent, so that of a state only the newest is; the answer to a
//! subscription carries, as the counter of its id, the revision that the client then has, which it brings back as `since`.

mod channel;
mod reason;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::entry::Entry;
use super::id::{ActionId, client_of};
use super::json::Json;
use super::node::Page;
pub use channel::Channel;
use reason::Reason;

/// Subscriptions of one connection at most; two of one channel with different filters are two.
pub const SUBSCRIPTIONS_MAX: usize = 64;
/// Actions of a client that wait for their answers; what comes then is not taken.
const QUESTIONS_MAX: usize = 256;
/// Bytes of them.
const QUESTIONS_BYTES_MAX: usize = 4 << 20;
/// Longest filter of a subscription, in bytes.
const FILTER_BYTES_MAX: usize = 1_024;

/// The state of a channel.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    /// Which one of its states; they are told apart within one run, and grow.
    pub revision: u64,
    /// When it was made, as in the API.
    pub generated_at: String,
    /// As the page of the same name has it.
    pub data: Json,
}

/// What a client can see.
pub trait Sight {
    /// Whether it may read actions of this type.
    fn may_read(&self, kind: &str) -> bool;
    /// The revision of a channel now, of `nodes` the last number of the log; `None` where there is no such channel.
    fn revision(&self, channel: &Channel) -> Option<u64>;
    /// The state of a channel that is a page; `None` where there is none.
    fn state(&self, channel: &Channel) -> Option<Shown>;
}

/// What of the log the next page needs.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The newest of each type of [`Channel::kinds`].
    Newest,
    /// What comes behind this number.
    After(u64),
}

#[derive(Default)]
struct Subscription {
    /// The revision that the client has.
    told: u64,
    filters: BTreeSet<String>,
}

/// See the module's words.
pub struct Channels {
    /// Our name in this connection: `node:run:connection`.
    node_id: String,
    /// The other side's user and client.
    client: String,
    subscriptions: BTreeMap<Channel, Subscription>,
    questions: VecDeque<(Entry, usize)>,
    questions_bytes: usize,
    /// Of what was sent last.
    number: u64,
    /// The time in our last id.
    last_ms: u64,
}

impl Channels {
    /// A connection to `remote` in which we are `node_id`; what is sent has numbers behind `number`.
    #[must_use]
    pub fn new(node_id: String, remote: &str, number: u64) -> Channels {
        Channels {
            node_id,
            client: client_of(remote).to_owned(),
            subscriptions: BTreeMap::new(),
            questions: VecDeque::new(),
            questions_bytes: 0,
            number,
            last_ms: 0,
        }
    }

    /// Takes an action that is to be answered; `false` when too many wait.
    #[must_use]
    pub fn ask(&mut self, question: Entry) -> bool {
        let bytes = question.action.to_text().len();
        if self.questions.len() >= QUESTIONS_MAX || self.questions_bytes + bytes > QUESTIONS_BYTES_MAX {
            return false;
        }
        self.questions_bytes += bytes;
        self.questions.push_back((question, bytes));
        true
    }

    /// The number up to which there is something to be sent: behind [`Channels::page`]'s last while something is due.
    #[must_use]
    pub fn head(&self, sight: &impl Sight) -> u64 {
        let is_new =
            |(channel, held): (&Channel, &Subscription)| sight.revision(channel).is_some_and(|now| now > held.told);
        let is_due = !self.questions.is_empty() || self.subscriptions.iter().any(is_new);
        self.number + u64::from(is_due)
    }

    /// What [`Channels::page`] needs of the log.
    #[must_use]
    pub fn wanted(&self, sight: &impl Sight) -> Option<Wanted> {
        if self.questions.iter().any(|(question, _)| Channel::of(&question.action) == Some(Channel::Nodes)) {
            return Some(Wanted::Newest);
        }
        let held = self.subscriptions.get(&Channel::Nodes)?;
        (sight.revision(&Channel::Nodes)? > held.told).then_some(Wanted::After(held.told))
    }

    /// What is to be sent next: answers in the order of the questions, each state before its answer, then what is new. About
    /// `limit` entries; `rows` are what [`Channels::wanted`] asked for, `None` where they could not be read.
    pub fn page(&mut self, limit: usize, utc_ms: i64, sight: &impl Sight, rows: Option<&Page>) -> Page {
        let mut entries = Vec::new();
        while entries.len() < limit
            && let Some((question, bytes)) = self.questions.pop_front()
        {
            self.questions_bytes -= bytes;
            self.answer(question, sight, rows, (utc_ms, &mut entries));
        }
        // What was read is for the questions: the next page has what is new.
        if entries.is_empty() {
            self.tell_news(limit, sight, rows, (utc_ms, &mut entries));
        }
        for entry in &mut entries {
            self.number += 1;
            entry.added = self.number;
        }
        // Whoever asked has heard of a number: it is used up also where nothing came of it.
        self.number += u64::from(entries.is_empty());
        Page { entries, through: self.number }
    }

    fn answer(
        &mut self,
        question: Entry,
        sight: &impl Sight,
        rows: Option<&Page>,
        (utc_ms, out): (i64, &mut Vec<Entry>),
    ) {
        let done = match question.kind() {
            _ if question.has_more || client_of(&question.id.node) != self.client => Err(Reason::Denied),
            "logux/subscribe" => self.subscribe(&question.action, sight, rows, (utc_ms, &mut *out)),
            "logux/unsubscribe" => self.unsubscribe(&question.action),
            kind => Err(Reason::of_type(kind)),
        };
        let id = ("id".to_owned(), Json::String(question.id.to_string()));
        let (counter, action) = match done {
            Ok(revision) => (revision, vec![("type".to_owned(), Json::text("logux/processed")), id]),
            Err(reason) => {
                let mut undo = vec![
                    ("type".to_owned(), Json::text("logux/undo")),
                    id,
                    ("action".to_owned(), question.action),
                    ("reason".to_owned(), Json::text(reason.name())),
                ];
                undo.extend(reason.limit().map(|limit| ("limit".to_owned(), Json::from(limit as i64))));
                (0, undo)
            }
        };
        out.push(self.own(action, counter, utc_ms));
    }

    /// The revision that the client has when it is answered.
    fn subscribe(
        &mut self,
        action: &Json,
        sight: &impl Sight,
        rows: Option<&Page>,
        (utc_ms, out): (i64, &mut Vec<Entry>),
    ) -> Result<u64, Reason> {
        let channel = Channel::of(action).ok_or(Reason::WrongChannel)?;
        if !channel.kinds().iter().any(|kind| sight.may_read(kind)) {
            return Err(Reason::Denied);
        }
        sight.revision(&channel).ok_or(Reason::NotFound)?;
        let filter = filter_of(action);
        if filter.len() > FILTER_BYTES_MAX {
            return Err(Reason::Error(Some(FILTER_BYTES_MAX)));
        }
        let is_held = self.subscriptions.get(&channel).is_some_and(|held| held.filters.contains(&filter));
        let held = self.subscriptions.values().map(|held| held.filters.len()).sum::<usize>();
        if !is_held && held >= SUBSCRIPTIONS_MAX {
            return Err(Reason::Error(Some(SUBSCRIPTIONS_MAX)));
        }
        let since = action.get("since").and_then(|since| self.revision_in(since)).unwrap_or(0);
        let told = if channel == Channel::Nodes {
            let rows = rows.ok_or(Reason::Error(None))?;
            out.extend(self.readable(channel::newest(&rows.entries), since, sight));
            rows.through
        } else {
            self.show(&channel, since, sight, (utc_ms, out))
        };
        let held = self.subscriptions.entry(channel).or_default();
        held.filters.insert(filter);
        // What comes between two answers of one page is new to both.
        held.told = told;
        Ok(told)
    }

    fn unsubscribe(&mut self, action: &Json) -> Result<u64, Reason> {
        let channel = Channel::of(action).ok_or(Reason::WrongChannel)?;
        if let Some(held) = self.subscriptions.get_mut(&channel) {
            held.filters.remove(&filter_of(action));
            if held.filters.is_empty() {
                self.subscriptions.remove(&channel);
            }
        }
        Ok(0)
    }

    fn tell_news(
        &mut self,
        limit: usize,
        sight: &impl Sight,
        rows: Option<&Page>,
        (utc_ms, out): (i64, &mut Vec<Entry>),
    ) {
        let held: Vec<(Channel, u64)> =
            self.subscriptions.iter().map(|(channel, held)| (channel.clone(), held.told)).collect();
        for (channel, told) in held {
            if out.len() >= limit {
                return;
            }
            let now = if channel == Channel::Nodes {
                let Some(rows) = rows else { continue };
                out.extend(self.readable(rows.entries.iter(), told, sight));
                rows.through
            } else {
                self.show(&channel, told, sight, (utc_ms, &mut *out))
            };
            if let Some(held) = self.subscriptions.get_mut(&channel) {
                held.told = now;
            }
        }
    }

    /// Sends the state of a page that is not the one of `told`; the revision that the client has then.
    fn show(&mut self, channel: &Channel, told: u64, sight: &impl Sight, (utc_ms, out): (i64, &mut Vec<Entry>)) -> u64 {
        let Some(shown) = sight.state(channel).filter(|shown| shown.revision > told) else { return told };
        let kind = channel.kinds().first().copied().unwrap_or_default();
        let action = [
            ("type", Json::text(kind)),
            ("channel", Json::String(channel.name())),
            ("revision", Json::from(shown.revision as i64)),
            ("generated_at", Json::String(shown.generated_at)),
            ("data", shown.data),
        ];
        let action = action.map(|(key, value)| (key.to_owned(), value)).into();
        out.push(self.own(action, shown.revision, utc_ms));
        shown.revision
    }

    /// The entries of the log behind `told` that the client may read, without its own.
    fn readable<'a>(&self, rows: impl Iterator<Item = &'a Entry>, told: u64, sight: &impl Sight) -> Vec<Entry> {
        let is_told = |entry: &&Entry| {
            let is_known = Channel::Nodes.kinds().contains(&entry.kind()) && sight.may_read(entry.kind());
            is_known && entry.added > told && client_of(&entry.id.node) != self.client
        };
        rows.filter(is_told).cloned().collect()
    }

    /// An action of ours; no id comes twice, for each connection has a name of its own.
    fn own(&mut self, action: Vec<(String, Json)>, counter: u64, utc_ms: i64) -> Entry {
        self.last_ms = u64::try_from(utc_ms).unwrap_or(0).max(self.last_ms + 1);
        Entry {
            added: 0,
            id: ActionId { ms: self.last_ms, node: self.node_id.clone(), counter },
            time_ms: utc_ms,
            subprotocol: None,
            has_more: false,
            from: None,
            action: Json::Object(action),
        }
    }

    /// The revision that an answer of this run, in this connection or another, told; `None` of any other id.
    fn revision_in(&self, since: &Json) -> Option<u64> {
        let text = since.get("id")?.as_str()?;
        let id = ActionId::from_five(text).or_else(|| ActionId::from_seven(text, ""))?;
        (client_of(&id.node) == client_of(&self.node_id)).then_some(id.counter)
    }
}

/// What tells subscriptions of one channel apart.
fn filter_of(action: &Json) -> String {
    action.get("filter").map(Json::to_text).unwrap_or_default()
}
