//! What happened, as feeds for readers of news: Atom (RFC 4287) and JSON Feed 1.1.
//!
//! An entry has the same id for ever: it is made of what the event is, not of where it stands. Addresses are relative,
//! because the one that reads knows better under which name this program is reached.

use std::fmt::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Picture;
use super::event::Event;
use crate::domain::incident::STATE_CHANGED;
use crate::domain::text::{html_escaped, one_line};
use crate::domain::time::rfc3339_ms;

/// Entries of a feed at most, the newest.
pub const ENTRIES_MAX: usize = 100;
/// Characters of a title; a longer one is cut.
const TITLE_MAX: usize = 160;
/// Characters of a text; a longer one is cut.
const TEXT_MAX: usize = 2_000;

/// Which feed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum FeedKind {
    /// Everything that happened.
    Events,
    /// Changes of the state of mirrors.
    Incidents,
}

impl FeedKind {
    /// Every feed.
    pub const ALL: [FeedKind; 2] = [FeedKind::Events, FeedKind::Incidents];

    /// The name in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FeedKind::Events => "events",
            FeedKind::Incidents => "incidents",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            FeedKind::Events => "mirrorwatch: what happened",
            FeedKind::Incidents => "mirrorwatch: states of mirrors",
        }
    }

    fn has(self, event: &Event) -> bool {
        self == FeedKind::Events || event.kind == STATE_CHANGED
    }
}

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    id: String,
    at: String,
    title: String,
    text: String,
    kind: String,
    /// Id of the source that it is about.
    source: Option<String>,
    /// Where it is shown.
    href: String,
}

/// One feed, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Feed {
    kind: FeedKind,
    id: String,
    updated_at: String,
    entries: Vec<Entry>,
}

impl Feed {
    /// The feed of what the picture has.
    #[must_use]
    pub fn of(kind: FeedKind, picture: &Picture) -> Feed {
        let of = &picture.primary.url;
        let entries: Vec<Entry> = picture
            .events
            .iter()
            .filter(|event| kind.has(event))
            .take(ENTRIES_MAX)
            .map(|e| entry(picture, e))
            .collect();
        let newest = entries.first().map_or_else(|| picture.at(picture.started), |entry| entry.at.clone());
        Feed { kind, id: urn(&[of, kind.name()]), updated_at: newest, entries }
    }

    /// As Atom.
    #[must_use]
    pub fn atom(&self) -> String {
        let name = self.kind.name();
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\">\n\
             <title>{}</title>\n<id>{}</id>\n<updated>{}</updated>\n<author><name>mirrorwatch</name></author>\n\
             <link rel=\"self\" type=\"application/atom+xml\" href=\"/feeds/{name}.atom\"/>\n\
             <link rel=\"alternate\" type=\"text/html\" href=\"/events\"/>\n",
            html_escaped(self.kind.title()),
            self.id,
            self.updated_at,
        );
        for entry in &self.entries {
            // Writing to a string cannot fail.
            let _ = write!(
                xml,
                "<entry>\n<title>{}</title>\n<id>{}</id>\n<updated>{}</updated>\n\
                 <link rel=\"alternate\" type=\"text/html\" href=\"{}\"/>\n<category term=\"{}\"/>\n",
                html_escaped(&entry.title),
                entry.id,
                entry.at,
                html_escaped(&entry.href),
                html_escaped(&entry.kind),
            );
            if let Some(source) = &entry.source {
                let _ = writeln!(xml, "<category term=\"{}\" scheme=\"/api/v1/mirrors\"/>", html_escaped(source));
            }
            let _ = write!(xml, "<content type=\"text\">{}</content>\n</entry>\n", html_escaped(&entry.text));
        }
        xml.push_str("</feed>\n");
        xml
    }

    /// As JSON Feed.
    #[must_use]
    pub fn json(&self) -> Value {
        let item = |entry: &Entry| {
            let tags: Vec<&str> = [Some(entry.kind.as_str()), entry.source.as_deref()].into_iter().flatten().collect();
            json!({
                "id": entry.id,
                "url": entry.href,
                "title": entry.title,
                "content_text": entry.text,
                "date_published": entry.at,
                "tags": tags,
            })
        };
        json!({
            "version": "https://jsonfeed.org/version/1.1",
            "title": self.kind.title(),
            "home_page_url": "/events",
            "feed_url": format!("/feeds/{}.json", self.kind.name()),
            "language": "en",
            "authors": [{ "name": "mirrorwatch" }],
            "items": self.entries.iter().map(item).collect::<Vec<_>>(),
        })
    }
}

fn entry(picture: &Picture, event: &Event) -> Entry {
    let at = rfc3339_ms(event.at_ms);
    let source = event.source.clone();
    let about = source.as_ref().map_or_else(String::new, |id| format!("{id}: "));
    let is_mirror = |id: &String| picture.mirrors.iter().any(|mirror| mirror.id == *id);
    let href =
        source.as_ref().filter(|id| is_mirror(id)).map_or_else(|| "/events".to_owned(), |id| format!("/mirrors/{id}"));
    let number = event.id.to_string();
    let of: [&str; 5] = [&picture.primary.url, &number, &at, &event.kind, source.as_deref().unwrap_or_default()];
    Entry {
        id: urn(&of),
        title: one_line(&format!("{about}{}", event.text), TITLE_MAX),
        text: one_line(&event.text, TEXT_MAX),
        kind: one_line(&event.kind, TITLE_MAX),
        at,
        source: source.map(|id| one_line(&id, TITLE_MAX)),
        href,
    }
}

/// A name that these parts alone have: a UUID of version 8, from their hash.
fn urn(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut uuid = u128::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
    uuid = (uuid & !(0xf << 76)) | (0x8 << 76);
    uuid = (uuid & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{uuid:032x}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    format!("urn:uuid:{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::view::tests::picture;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn event(id: u64, kind: &str, source: Option<&str>, text: &str) -> Event {
        let source = source.map(str::to_owned);
        Event {
            id,
            at_ms: 1_700_000_000_000 + id as i64,
            kind: kind.to_owned(),
            source,
            text: text.to_owned(),
            detail: None,
        }
    }

    fn feed(kind: FeedKind, events: Vec<Event>) -> Feed {
        let mut picture = picture();
        picture.events = events.into_iter().map(Arc::new).collect();
        Feed::of(kind, &picture)
    }

    /// What RFC 4287 asks of a feed (§4.1.1, §4.1.2), looked for by a reader of XML.
    fn assert_atom(xml: &str) -> Vec<(String, String)> {
        const ATOM: &str = "http://www.w3.org/2005/Atom";
        let document = roxmltree::Document::parse(xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
        let root = document.root_element();
        assert_eq!((root.tag_name().name(), root.tag_name().namespace()), ("feed", Some(ATOM)));
        let one = |of: roxmltree::Node<'_, '_>, name: &str| {
            let found: Vec<_> = of.children().filter(|child| child.has_tag_name((ATOM, name))).collect();
            assert_eq!(found.len(), 1, "{name} once: {xml}");
            found[0].text().unwrap_or_default().to_owned()
        };
        let is_instant = |text: &str| text.parse::<jiff::Timestamp>().is_ok();
        assert!(!one(root, "title").is_empty() && one(root, "id").starts_with("urn:uuid:"));
        assert!(is_instant(&one(root, "updated")) && root.children().any(|c| c.has_tag_name((ATOM, "author"))));
        let links: Vec<_> = root.children().filter(|c| c.has_tag_name((ATOM, "link"))).collect();
        assert!(links.iter().any(|link| link.attribute("rel") == Some("self")), "§4.1.1: should have one");
        let entries = root.children().filter(|child| child.has_tag_name((ATOM, "entry")));
        let read = |entry: roxmltree::Node<'_, '_>| {
            assert!(is_instant(&one(entry, "updated")) && entry.children().any(|c| c.has_tag_name((ATOM, "link"))));
            let _title = one(entry, "title");
            (one(entry, "id"), one(entry, "content"))
        };
        entries.map(read).collect()
    }

    #[test]
    fn feeds_are_what_their_formats_ask_for() {
        let hostile = "]]><script>alert('1')</script> &amp; \u{202e}\u{0}\u{fffe}\u{ffff} \"q\"";
        let events = vec![
            event(3, "state_changed", Some("a"), "ok → losing: 3 open misses"),
            event(2, "link_closed", Some("no-mirror"), hostile),
            event(1, "observer_down", None, ""),
        ];
        let all = feed(FeedKind::Events, events.clone());
        let read = assert_atom(&all.atom());
        assert_eq!(read.len(), 3);
        assert_eq!(read[0].1, "ok → losing: 3 open misses");
        assert!(read[1].1.starts_with("]]><script>alert('1')</script> &amp; "), "{read:?}");
        assert!(all.atom().contains("href=\"/mirrors/a\"") && !all.atom().contains("href=\"/mirrors/no-mirror\""));
        let ids: std::collections::BTreeSet<_> = read.iter().map(|entry| &entry.0).collect();
        assert_eq!(ids.len(), 3);

        let json = all.json();
        assert_eq!(json["version"], "https://jsonfeed.org/version/1.1");
        assert_eq!(json["items"].as_array().unwrap().len(), 3);
        for (item, (id, content)) in json["items"].as_array().unwrap().iter().zip(&read) {
            assert_eq!(
                (item["id"].as_str(), item["content_text"].as_str()),
                (Some(id.as_str()), Some(content.as_str()))
            );
            assert!(item["date_published"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        }
        let incidents = feed(FeedKind::Incidents, events.clone());
        assert_eq!(incidents.json()["items"].as_array().unwrap().len(), 1);
        assert_ne!(incidents.id, all.id);

        // Another event before it changes no entry's id, and nothing new changes nothing.
        let later: Vec<Event> = [event(4, "x", None, "new")].into_iter().chain(events.clone()).collect();
        assert_eq!(feed(FeedKind::Events, later).entries[1..], all.entries);
        assert_eq!(feed(FeedKind::Events, events), all);
    }

    #[test]
    fn a_feed_is_bounded_and_may_be_empty() {
        let many = (0..500).rev().map(|id| event(id, "x", None, &"y".repeat(5_000))).collect();
        let feed_of_many = feed(FeedKind::Events, many);
        assert_eq!(feed_of_many.entries.len(), ENTRIES_MAX);
        assert!(feed_of_many.atom().len() < ENTRIES_MAX * (TEXT_MAX + 1_000));
        assert!(assert_atom(&feed(FeedKind::Incidents, Vec::new()).atom()).is_empty());
        assert_eq!(urn(&["a", "b"]), urn(&["a", "b"]));
        assert_ne!(urn(&["a", "b"]), urn(&["ab", ""]));
        let uuid = urn(&["a"]);
        assert_eq!((uuid.len(), &uuid[23..24]), (45, "8"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn whatever_others_write_is_text(kind in "\\PC{0,20}", text in any::<String>(), source in proptest::option::of("\\PC{0,9}")) {
            let feed = feed(FeedKind::Events, vec![event(1, &kind, source.as_deref(), &text)]);
            prop_assert_eq!(assert_atom(&feed.atom()).len(), 1);
        }
    }
}
