//! Which changes one reader has been told of: a revision per page, compared with the page when something is due; and where it
//! asked for them, the newest operations.
//!
//! Bounded by the number of pages; however long a reader is not served, it is told the newest once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::ops_feed::{OpsFeed, OpsReader, READERS_MAX as OPS_READERS_MAX, TOPIC as OPS};
use crate::http::{badges, embed, feeds, status};
use crate::publish::{Pages, Published};

/// The code for who comes when as many readers get the operations as may.
pub const TOO_MANY_OPS_READERS: &str = "too_many_ops_readers";
/// Version of the messages.
const PROTOCOL_VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Outbound<'a> {
    /// The first message: what there is.
    Hello { version: u32, snapshot_id: &'a str, topics: BTreeMap<&'a str, u64>, on_request: [&'a str; 1] },
    /// A page has changed.
    Revision { topic: &'a str, revision: u64 },
    /// So many revisions were skipped while the reader was slow.
    Lagged { lagged: u64 },
    /// A topic is not told, for as many readers get it as may.
    Refused { topic: &'static str, code: &'static str, limit: usize },
}

/// Why not everything that was asked for is told.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Unwanted {
    /// The message is none, or names a topic that is none: nothing is changed.
    NotUnderstood,
    /// Everything but the operations is told: too many get those.
    TooManyOpsReaders,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Inbound {
    /// From now on only these topics.
    Subscribe { topics: Vec<String> },
}

/// What is due to a reader.
pub struct Due {
    /// Messages, each with the name of its kind: one per page that changed, then those about operations.
    pub texts: Vec<(&'static str, ByteString)>,
    /// Revisions of pages that the reader will never hear of, because newer ones came.
    pub skipped: u64,
    /// Messages about operations that it will never hear of.
    pub skipped_ops: u64,
}

/// What one reader wants and has been told.
struct Topic {
    page: Arc<Published>,
    told: u64,
    is_wanted: bool,
}

/// See the module's words.
pub struct Notices {
    pages: Arc<Pages>,
    /// What there was when the socket was opened.
    topics: Vec<Topic>,
    feed: Arc<OpsFeed>,
    /// Where it asked for operations.
    ops: Option<OpsReader>,
}

impl Notices {
    /// A reader who wants every topic and has been told nothing. Badges, documents and feeds are for other sites and the
    /// document without scripts says what the overview says: they are no topics.
    pub fn new(pages: Arc<Pages>, feed: Arc<OpsFeed>) -> Self {
        let is_topic = |page: &Arc<Published>| {
            let key = page.spec().key.as_str();
            let is_derived =
                [badges::PREFIX, embed::PREFIX, feeds::PREFIX].iter().any(|prefix| key.starts_with(prefix));
            !is_derived && key != status::KEY
        };
        let topics =
            pages.all().into_iter().filter(is_topic).map(|page| Topic { page, told: 0, is_wanted: true }).collect();
        Notices { pages, topics, feed, ops: None }
    }

    /// Wakes when a page may be due.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.pages.changes()
    }

    /// Wakes when operations may be due; none where they are not wanted.
    pub fn ops_changes(&self) -> Option<watch::Receiver<u64>> {
        self.ops.as_ref().map(OpsReader::changes)
    }

    /// The first message; tells the current revision of every topic.
    pub fn hello(&mut self) -> String {
        let mut topics = BTreeMap::new();
        for topic in &mut self.topics {
            topic.told = topic.page.revision();
            topics.insert(topic.page.spec().key.as_str(), topic.told);
        }
        let snapshot_id = self.pages.snapshot_id();
        text(&Outbound::Hello { version: PROTOCOL_VERSION, snapshot_id, topics, on_request: [OPS] })
    }

    /// What has changed since the reader was last told; it counts as told.
    pub fn due(&mut self) -> Due {
        let mut due = Due { texts: Vec::new(), skipped: 0, skipped_ops: 0 };
        for topic in &mut self.topics {
            let revision = topic.page.revision();
            if topic.is_wanted && revision > topic.told {
                due.skipped = due.skipped.saturating_add(revision - topic.told - 1);
                let notice = text(&Outbound::Revision { topic: &topic.page.spec().key, revision });
                due.texts.push(("revision", notice.into()));
                topic.told = revision;
            }
        }
        if let Some(ops) = &mut self.ops {
            let of_ops = ops.due();
            due.skipped_ops = of_ops.skipped;
            due.texts.extend(of_ops.texts.into_iter().map(|text| (OPS, text)));
        }
        due
    }

    /// Takes a message of the reader.
    ///
    /// # Errors
    /// As [`Notices::want`].
    pub fn subscribe(&mut self, message: &str) -> Result<(), Unwanted> {
        let Ok(Inbound::Subscribe { topics: wanted }) = serde_json::from_str(message) else {
            return Err(Unwanted::NotUnderstood);
        };
        self.want(wanted.iter().map(String::as_str))
    }

    /// From now on only these topics are told.
    ///
    /// # Errors
    /// [`Unwanted`].
    pub fn want<'a>(&mut self, wanted: impl Iterator<Item = &'a str>) -> Result<(), Unwanted> {
        let wanted: Vec<&str> = wanted.take(self.topics.len().saturating_add(2)).collect();
        if !wanted.iter().all(|key| *key == OPS || self.topics.iter().any(|topic| topic.page.spec().key == *key)) {
            return Err(Unwanted::NotUnderstood);
        }
        for topic in &mut self.topics {
            topic.is_wanted = wanted.contains(&topic.page.spec().key.as_str());
        }
        if !wanted.contains(&OPS) {
            self.ops = None;
        } else if self.ops.is_none() {
            self.ops = Some(self.feed.watch().ok_or(Unwanted::TooManyOpsReaders)?);
        }
        Ok(())
    }

    /// Every topic.
    pub fn known(&self) -> Vec<&str> {
        self.topics.iter().map(|topic| topic.page.spec().key.as_str()).chain([OPS]).collect()
    }

    /// What was published at or after an instant (UTC milliseconds) is to be told again.
    pub fn untell_after(&mut self, ms: i64) {
        for topic in &mut self.topics {
            let page = topic.page.load();
            if page.revision > 0 && page.generated_at_ms >= ms {
                topic.told = page.revision - 1;
            }
        }
    }
}

/// How many revisions were skipped, as a message.
pub fn lagged(skipped: u64) -> String {
    text(&Outbound::Lagged { lagged: skipped })
}

/// That the operations are not told, as a message.
pub fn ops_refused() -> String {
    text(&Outbound::Refused { topic: OPS, code: TOO_MANY_OPS_READERS, limit: OPS_READERS_MAX })
}

/// The message as JSON; these plain enums cannot fail to be written.
fn text(message: &Outbound<'_>) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tallies::Tallies;
    use crate::http::tests::Silent;
    use crate::publish::{PageSpec, Update};

    fn pages() -> Arc<Pages> {
        Arc::new(Pages::new(
            "run",
            ["overview", "mirrors"].map(|key| PageSpec {
                key: key.to_owned(),
                self_path: String::new(),
                html_path: String::new(),
                is_bare: true,
            }),
        ))
    }

    fn publish(pages: &Pages, key: &str, n: u32) {
        let data = n.to_string().into_bytes();
        let update = Update { data, window: None, captured_at_ms: 0, now_ms: 0, interval_ms: 1, compute_ms: 0.0 };
        pages.get(key).unwrap().publish(update).unwrap();
    }

    #[test]
    fn the_newest_wins_and_what_was_skipped_is_counted() {
        let pages = pages();
        publish(&pages, "overview", 1);
        let mut notices = Notices::new(Arc::clone(&pages), OpsFeed::new(Arc::new(Silent), Tallies::default()));
        assert_eq!(
            notices.hello(),
            r#"{"type":"hello","version":1,"snapshot_id":"run","topics":{"mirrors":0,"overview":1},"on_request":["ops"]}"#
        );
        assert!(notices.due().texts.is_empty());
        for n in 2..=5 {
            publish(&pages, "overview", n);
        }
        let due = notices.due();
        assert_eq!(due.texts, [("revision", r#"{"type":"revision","topic":"overview","revision":5}"#.into())]);
        assert_eq!(due.skipped, 3);
        assert!(notices.due().texts.is_empty());
        assert_eq!(lagged(3), r#"{"type":"lagged","lagged":3}"#);
    }

    #[test]
    fn a_reader_hears_of_what_it_subscribed_to() {
        let pages = pages();
        let mut notices = Notices::new(Arc::clone(&pages), OpsFeed::new(Arc::new(Silent), Tallies::default()));
        notices.subscribe(r#"{"type":"subscribe","topics":["mirrors"]}"#).unwrap();
        publish(&pages, "overview", 1);
        publish(&pages, "mirrors", 1);
        assert_eq!(notices.due().texts[0].1, r#"{"type":"revision","topic":"mirrors","revision":1}"#);
        for bad in ["", "[]", r#"{"type":"x"}"#, r#"{"type":"subscribe","topics":["x"]}"#] {
            assert_eq!(notices.subscribe(bad), Err(Unwanted::NotUnderstood), "{bad}");
        }
    }

    #[tokio::test]
    async fn operations_are_told_to_who_asks_for_them_and_as_long_as_he_does() {
        let mut notices = Notices::new(pages(), OpsFeed::new(Arc::new(Silent), Tallies::default()));
        assert!(notices.ops_changes().is_none() && notices.known().contains(&"ops"));
        assert!(notices.want(["ops", "overview"].into_iter()).is_ok() && notices.ops_changes().is_some());
        assert!(
            notices.want(["ops", "x"].into_iter()).is_err() && notices.ops_changes().is_some(),
            "nothing is changed"
        );
        assert!(notices.want(["overview"].into_iter()).is_ok() && notices.ops_changes().is_none());
    }
}
