use std::collections::BTreeMap;

use super::*;
use crate::domain::node_event;
use crate::logux::kinds::OVERVIEW;

const UTC_MS: i64 = 1_700_000_000_000;
const NUMBER: u64 = 1_000;
const LIMIT: usize = 100;

#[derive(Default)]
struct Seen {
    pages: BTreeMap<String, u64>,
    head: u64,
    hidden: Vec<&'static str>,
}

impl Sight for Seen {
    fn may_read(&self, kind: &str) -> bool {
        !self.hidden.contains(&kind)
    }

    fn revision(&self, channel: &Channel) -> Option<u64> {
        if *channel == Channel::Nodes { Some(self.head) } else { self.pages.get(&channel.name()).copied() }
    }

    fn state(&self, channel: &Channel) -> Option<Shown> {
        let revision = *self.pages.get(&channel.name())?;
        Some(Shown { revision, generated_at: "t".to_owned(), data: Json::from(revision as i64) })
    }
}

fn seen() -> Seen {
    let pages = [("mirrors", 5), ("mirrors/a", 7), ("incidents", 1)];
    Seen { pages: pages.map(|(key, revision)| (key.to_owned(), revision)).into(), head: 50, ..Seen::default() }
}

fn channels() -> Channels {
    Channels::new("me:run:9".to_owned(), "u:c:t", NUMBER)
}

fn entry(node: &str, added: u64, action: &str) -> Entry {
    Entry {
        added,
        id: ActionId { ms: 10 + added, node: node.to_owned(), counter: 0 },
        time_ms: 0,
        subprotocol: None,
        has_more: false,
        from: None,
        action: Json::parse(action).unwrap(),
    }
}

/// What the client gets for an action.
fn asked(channels: &mut Channels, seen: &Seen, action: &str) -> Vec<String> {
    assert!(channels.ask(entry("u:c:t", 0, action)));
    told(channels, seen, None)
}

fn told(channels: &mut Channels, seen: &Seen, rows: Option<&Page>) -> Vec<String> {
    let page = channels.page(LIMIT, UTC_MS, seen, rows);
    page.entries.iter().map(|entry| entry.action.to_text()).collect()
}

fn state(channel: &str, kind: &str, revision: u64) -> String {
    format!(
        r#"{{"type":"mirrorwatch/{kind}","channel":"{channel}","revision":{revision},"generated_at":"t","data":{revision}}}"#
    )
}

const PROCESSED: &str = r#"{"type":"logux/processed","id":"10 u:c:t 0"}"#;

#[test]
fn a_subscription_brings_the_state_its_answer_and_each_newer_state_once() {
    let (mut channels, mut seen) = (channels(), seen());
    let subscribe = r#"{"type":"logux/subscribe","channel":"mirrors"}"#;
    assert_eq!(asked(&mut channels, &seen, subscribe), [state("mirrors", "mirrors", 5), PROCESSED.to_owned()]);
    let number = channels.head(&seen);
    assert_eq!(number, NUMBER + 2, "nothing is due");
    seen.pages.insert("incidents".to_owned(), 2);
    assert_eq!(channels.head(&seen), number, "of what it is not subscribed to it hears nothing");
    seen.pages.insert("mirrors".to_owned(), 9);
    assert_eq!(channels.head(&seen), number + 1);
    let page = channels.page(LIMIT, UTC_MS, &seen, None);
    assert_eq!((page.entries[0].added, page.through), (number + 1, number + 1));
    assert_eq!(page.entries[0].action.to_text(), state("mirrors", "mirrors", 9));
    assert_eq!(channels.head(&seen), page.through);
    assert!(told(&mut channels, &seen, None).is_empty(), "once");

    let unsubscribe = r#"{"type":"logux/unsubscribe","channel":"mirrors"}"#;
    assert_eq!(asked(&mut channels, &seen, unsubscribe), [PROCESSED]);
    seen.pages.insert("mirrors".to_owned(), 10);
    assert!(told(&mut channels, &seen, None).is_empty());
}

#[test]
fn what_the_client_has_already_is_not_sent_again() {
    let seen = seen();
    let mut before = channels();
    let subscribe = r#"{"type":"logux/subscribe","channel":"mirrors/a"}"#;
    assert!(before.ask(entry("u:c:t", 0, subscribe)));
    let page = before.page(LIMIT, UTC_MS, &seen, None);
    assert_eq!(page.entries[0].action.to_text(), state("mirrors/a", "mirror", 7));
    let five = page.entries[1].id.to_string();
    let spelled_anew = page.entries[1].id.to_seven();
    assert!(five.ends_with(" me:run:9 7") && spelled_anew.ends_with(" me:run:9~7"), "{five} {spelled_anew}");
    let since =
        |id: &str| format!(r#"{{"type":"logux/subscribe","channel":"mirrors/a","since":{{"id":"{id}","time":1}}}}"#);
    for id in [&five, &spelled_anew] {
        let mut after = Channels::new("me:run:10".to_owned(), "u:c:t", NUMBER);
        assert_eq!(asked(&mut after, &seen, &since(id)), [PROCESSED], "{id}");
        let newer = Seen { pages: [("mirrors/a".to_owned(), 8)].into(), ..Seen::default() };
        assert_eq!(told(&mut after, &newer, None), [state("mirrors/a", "mirror", 8)], "what is newer comes then");
    }
    for id in ["1 me:other:9 7", "1 me:run:9 6", "1 u:c:t 7", "nonsense", ""] {
        let mut after = Channels::new("me:run:10".to_owned(), "u:c:t", NUMBER);
        let told = asked(&mut after, &seen, &since(id));
        assert_eq!(told, [state("mirrors/a", "mirror", 7), PROCESSED.to_owned()], "{id}");
    }
}

#[test]
fn every_action_is_answered_once_with_the_reason_why_it_is_undone() {
    let mut seen = seen();
    seen.hidden = vec!["mirrorwatch/incidents", OVERVIEW, node_event::KIND];
    let mut channels = channels();
    for (action, reason) in [
        (r#"{"type":"logux/subscribe","channel":"none"}"#, "wrongChannel"),
        (r#"{"type":"logux/subscribe","channel":7}"#, "wrongChannel"),
        (r#"{"type":"logux/subscribe"}"#, "wrongChannel"),
        (r#"{"type":"logux/subscribe","channel":"mirrors/"}"#, "wrongChannel"),
        (r#"{"type":"logux/subscribe","channel":"mirrors/a/readiness"}"#, "wrongChannel"),
        (r#"{"type":"logux/unsubscribe","channel":"none"}"#, "wrongChannel"),
        (r#"{"type":"logux/subscribe","channel":"mirrors/b"}"#, "notFound"),
        (r#"{"type":"logux/subscribe","channel":"incidents"}"#, "denied"),
        (r#"{"type":"logux/subscribe","channel":"nodes"}"#, "denied"),
        (r#"{"type":"mirrorwatch/overview"}"#, "denied"),
        (r#"{"type":"node/event"}"#, "denied"),
        (r#"{"type":"logux/processed","id":"1 u:c:t 0"}"#, "unknownType"),
        (r#"{"type":"likes/add","n":1}"#, "unknownType"),
    ] {
        let undo = format!(r#"{{"type":"logux/undo","id":"10 u:c:t 0","action":{action},"reason":"{reason}"}}"#);
        assert_eq!(asked(&mut channels, &seen, action), [undo]);
    }
    let subscribe = r#"{"type":"logux/subscribe","channel":"mirrors"}"#;
    let more = Entry { has_more: true, ..entry("u:c:t", 0, subscribe) };
    for foreign in [more, entry("u:other:t", 0, subscribe), entry("v:c:t", 0, subscribe), entry("u", 0, subscribe)] {
        let id = foreign.id.to_string();
        assert!(channels.ask(foreign));
        let undo = format!(r#"{{"type":"logux/undo","id":"{id}","action":{subscribe},"reason":"denied"}}"#);
        assert_eq!(told(&mut channels, &seen, None), [undo]);
    }
    assert!(channels.ask(entry("u:c:another", 0, subscribe)));
    assert_eq!(told(&mut channels, &seen, None).len(), 2, "another tab of the client");
}

#[test]
fn what_is_of_other_nodes_is_told_of_the_log() {
    let (mut channels, mut seen) = (channels(), seen());
    let overview = format!(r#"{{"type":"{OVERVIEW}","n":1}}"#);
    let event = format!(r#"{{"type":"{}"}}"#, node_event::KIND);
    let rows = Page {
        entries: vec![
            entry("b", 3, &overview),
            entry("a", 4, &overview),
            entry("node-event", 5, &event),
            entry("u:c:z", 6, &event),
            entry("a", 7, &overview),
        ],
        through: 50,
    };
    let subscribe = r#"{"type":"logux/subscribe","channel":"nodes"}"#;
    assert_eq!(channels.wanted(&seen), None);
    assert!(channels.ask(entry("u:c:t", 0, subscribe)));
    assert_eq!(channels.wanted(&seen), Some(Wanted::Newest));
    let page = channels.page(LIMIT, UTC_MS, &seen, Some(&rows));
    let ids: Vec<String> = page.entries.iter().map(|entry| entry.id.to_string()).collect();
    assert_eq!(ids[..3], ["13 b 0", "15 node-event 0", "17 a 0"], "the last of each node, and no own ones");
    assert_eq!((ids[3].as_str(), ids.len()), ("1700000000000 me:run:9 50", 4));

    seen.head = 60;
    assert_eq!(channels.wanted(&seen), Some(Wanted::After(50)));
    let other = entry("b", 55, r#"{"type":"mirrorwatch/interval"}"#);
    let rows = Page { entries: vec![other, entry("b", 57, &overview)], through: 58 };
    assert_eq!(told(&mut channels, &seen, Some(&rows)), [overview.as_str()]);
    assert_eq!(channels.wanted(&seen), Some(Wanted::After(58)));
    assert!(told(&mut channels, &seen, Some(&Page { entries: Vec::new(), through: 60 })).is_empty());
    assert_eq!(channels.wanted(&seen), None);

    // It comes back and has what is up to 50.
    let since = r#"{"type":"logux/subscribe","channel":"nodes","since":{"id":"1 me:run:9 50","time":1}}"#;
    assert!(channels.ask(entry("u:c:t", 0, since)));
    let rows = Page { entries: vec![entry("a", 50, &overview), entry("b", 57, &overview)], through: 60 };
    let page = channels.page(LIMIT, UTC_MS, &seen, Some(&rows));
    assert_eq!(page.entries.iter().map(|entry| entry.id.ms).collect::<Vec<_>>()[..1], [67]);
    assert_eq!(page.entries.len(), 2);

    assert!(channels.ask(entry("u:c:t", 0, subscribe)));
    assert!(told(&mut channels, &seen, None)[0].ends_with(r#""reason":"error"}"#), "it cannot be read");
}

#[test]
fn what_a_client_asks_and_holds_is_bounded() {
    let (mut channels, seen) = (channels(), seen());
    for n in 0..=SUBSCRIPTIONS_MAX {
        let action = format!(r#"{{"type":"logux/subscribe","channel":"mirrors","filter":{{"n":{n}}}}}"#);
        let told = asked(&mut channels, &seen, &action);
        let is_last = n == SUBSCRIPTIONS_MAX;
        let refused = format!(r#""reason":"error","limit":{SUBSCRIPTIONS_MAX}}}"#);
        assert_eq!(told.last().unwrap().ends_with(&refused), is_last, "{n}: {told:?}");
    }
    let again = r#"{"type":"logux/subscribe","channel":"mirrors","filter":{"n":0}}"#;
    assert_eq!(asked(&mut channels, &seen, again).last().unwrap(), PROCESSED, "one that it has already");
    let long = "x".repeat(FILTER_BYTES_MAX);
    let long = format!(r#"{{"type":"logux/subscribe","channel":"mirrors","filter":"{long}"}}"#);
    assert!(asked(&mut channels, &seen, &long)[0].ends_with(r#""reason":"error","limit":1024}"#));

    let question = || entry("u:c:t", 0, r#"{"type":"a"}"#);
    assert!((0..QUESTIONS_MAX).all(|_| channels.ask(question())) && !channels.ask(question()));
    for _ in 0..QUESTIONS_MAX.div_ceil(LIMIT) {
        assert!(!told(&mut channels, &seen, None).is_empty());
    }
    let large = format!(r#"{{"type":"a","b":"{}"}}"#, "x".repeat(QUESTIONS_BYTES_MAX / 2));
    assert!(channels.ask(entry("u:c:t", 0, &large)) && !channels.ask(entry("u:c:t", 0, &large)));
    assert_eq!(told(&mut channels, &seen, None).len(), 1);
    assert!(channels.ask(entry("u:c:t", 0, &large)), "what is answered makes room");
}

#[test]
fn a_page_is_bounded_and_nothing_of_the_rest_is_lost() {
    let (mut channels, seen) = (channels(), seen());
    for _ in 0..5 {
        assert!(channels.ask(entry("u:c:t", 0, r#"{"type":"a"}"#)));
    }
    let first = channels.page(3, UTC_MS, &seen, None);
    assert_eq!((first.entries.len(), channels.head(&seen)), (3, first.through + 1));
    let second = channels.page(3, UTC_MS, &seen, None);
    assert_eq!((second.entries.len(), channels.head(&seen)), (2, second.through));
    let ids: Vec<u64> = first.entries.iter().chain(&second.entries).map(|entry| entry.id.ms).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "no id comes twice: {ids:?}");
}
