//! The protocol, message by message.

use std::sync::Arc;

use super::effect::{Close, Effect, State};
use super::local_pair::{LocalPair, options};
use super::message::Protocol;
use super::node::{Node, Now, Page};
use super::options::{Rights, Role};
use super::{ActionId, Entry, Json};

const UTC_MS: i64 = 1_700_000_000_000;

fn at(tick_ms: u64) -> Now {
    Now { tick_ms, utc_ms: UTC_MS + tick_ms as i64 }
}

fn server() -> Node {
    let mut node = Node::new(options(Role::Server, "hub:s:1"));
    node.on_open(at(0));
    node
}

fn sent(effects: &[Effect]) -> Vec<&str> {
    let text = |effect: &'_ Effect| matches!(effect, Effect::Send(_));
    effects
        .iter()
        .filter(|effect| text(effect))
        .map(|effect| match effect {
            Effect::Send(text) => text.as_str(),
            _ => "",
        })
        .collect()
}

fn closed(effects: &[Effect]) -> Option<Close> {
    effects.iter().find_map(|effect| match effect {
        Effect::Close(why) => Some(*why),
        _ => None,
    })
}

fn entry(added: u64, node: &str, counter: u64) -> Entry {
    Entry {
        added,
        id: ActionId { ms: UTC_MS as u64 + added, node: node.to_owned(), counter },
        time_ms: UTC_MS + added as i64,
        subprotocol: None,
        has_more: false,
        from: None,
        action: Json::parse("{\"type\":\"a\"}").unwrap(),
    }
}

#[test]
fn both_protocols_are_let_in_at_one_address() {
    for (version, answer, ready) in
        [("5", "5", None), ("7", "7", Some("[\"ready\",0]")), ("8", "7", Some("[\"ready\",0]"))]
    {
        let mut node = server();
        let effects = node.on_message(&format!("[\"connect\",{version},\"u:c:t\",0,{{\"token\":\"secret\"}}]"), at(7));
        let connected =
            format!("[\"connected\",{answer},\"hub:s:1\",[1700000000007,1700000000007],{{\"subprotocol\":1}}]");
        assert_eq!(sent(&effects), [connected.as_str()].into_iter().chain(ready).collect::<Vec<_>>());
        assert!(effects.contains(&Effect::LetIn("u:c:t".to_owned())));
    }
}

#[test]
fn whoever_is_not_let_in_is_told_why() {
    for (connect, want) in [
        ("4,\"u:c:t\",0,{\"token\":\"secret\"}", r#"["error","wrong-protocol",{"supported":5,"used":4}]"#),
        ("7,\"u:c:t\",0,{\"token\":\"guess\"}", r#"["error","wrong-credentials"]"#),
        ("7,\"u:c:t\",0", r#"["error","wrong-credentials"]"#),
        ("7,\"a b\",0,{\"token\":\"secret\"}", r#"["error","wrong-credentials"]"#),
        ("7,\"u\",0,{\"token\":1}", r#"["error","wrong-credentials"]"#),
        (
            "7,\"u\",0,{\"token\":\"secret\",\"subprotocol\":2}",
            r#"["error","wrong-subprotocol",{"supported":1,"used":2}]"#,
        ),
        ("5,\"u\",0,{\"subprotocol\":[2,1]}", r#"["error","wrong-subprotocol",{"supported":1,"used":[2,1]}]"#),
        ("5,\"u\",0,{\"subprotocol\":\"0.9.1\"}", r#"["error","wrong-subprotocol",{"supported":1,"used":"0.9.1"}]"#),
    ] {
        let effects = server().on_message(&format!("[\"connect\",{connect}]"), at(1));
        assert_eq!(sent(&effects), [want]);
        assert_eq!(closed(&effects), Some(Close::Refused), "{connect}");
    }
    for said in ["1", "[1,9]", "\"1.2.3\""] {
        let text = format!("[\"connect\",7,\"u\",0,{{\"token\":\"secret\",\"subprotocol\":{said}}}]");
        assert_eq!(closed(&server().on_message(&text, at(1))), None, "{said}");
    }
}

#[test]
fn what_comes_early_waits_within_bounds() {
    let mut node = server();
    assert!(node.on_message("[\"ping\",3]", at(1)).is_empty());
    let effects = node.on_message("[\"connect\",7,\"u\",0,{\"token\":\"secret\"}]", at(2));
    assert_eq!(sent(&effects).last(), Some(&"[\"pong\",0]"));

    let mut node = server();
    let closed_at = (0..100).find(|_| closed(&node.on_message("[\"ping\",3]", at(1))) == Some(Close::TooMuch));
    assert_eq!(closed_at, Some(64));
    let mut node = server();
    let large = format!("[\"sync\",1,{{\"type\":\"{}\"}},{{\"id\":1,\"time\":1}}]", "x".repeat(600_000));
    assert_eq!(closed(&node.on_message(&large, at(1))), None);
    assert_eq!(closed(&node.on_message(&large, at(1))), Some(Close::TooMuch));

    // An id as in 7 from a node that then says it speaks 5.
    let mut node = server();
    let text = "[\"sync\",1,{\"type\":\"a\"},{\"id\":\"0\",\"time\":1}]";
    assert!(node.on_message(text, at(1)).is_empty());
    let effects = node.on_message("[\"connect\",5,\"u\",0,{\"token\":\"secret\"}]", at(2));
    let want = Json::Array(vec![Json::text("error"), Json::text("wrong-format"), Json::text(text)]).to_text();
    assert_eq!(sent(&effects).last(), Some(&want.as_str()));
}

#[test]
fn what_is_received_is_confirmed_when_it_is_kept() {
    let mut node = server();
    node.on_message("[\"connect\",5,\"u:c:t\",0,{\"token\":\"secret\"}]", at(0));
    let text = "[\"sync\",9,{\"type\":\"a\"},{\"id\":5,\"time\":6,\"reasons\":[\"r\"],\"subprotocol\":1},{\"type\":\"b\"},{\"id\":[7,\"n\",2],\"time\":8}]";
    let effects = node.on_message(text, at(1));
    let [Effect::Keep(kept)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(kept[0].id.to_string(), "1700000000005 u:c:t 0");
    assert_eq!((kept[0].time_ms, &kept[0].subprotocol), (UTC_MS + 6, &Some(Json::from(1))));
    assert_eq!(kept[1].id.to_string(), "1700000000007 n 2");
    // A mark behind it waits too.
    assert_eq!(node.on_message("[\"ping\",20]", at(2)), [Effect::Send("[\"pong\",0]".to_owned())]);
    let effects = node.on_kept(true);
    assert_eq!(effects, [Effect::Received(9), Effect::Send("[\"synced\",9]".to_owned()), Effect::Received(20)]);
    node.on_message(text, at(1));
    assert_eq!(closed(&node.on_kept(false)), Some(Close::NotKept));
}

#[test]
fn what_may_not_be_written_is_confirmed_and_not_kept_and_what_may_not_be_read_is_not_sent() {
    let mut told = options(Role::Server, "hub:s:1");
    told.head = 2;
    told.authenticate = Arc::new(|_| {
        Some(Rights { in_filter: Arc::new(|_| false), out_filter: Arc::new(|e| e.added != 2), ..Rights::all() })
    });
    let mut node = Node::new(told);
    node.on_open(at(0));
    let effects = node.on_message("[\"connect\",7,\"u:c:t\",0]", at(0));
    assert_eq!(effects.last(), Some(&Effect::Read { after: 0, limit: 100 }));
    let effects = node.on_page(Page { entries: vec![entry(1, "hub:s:1", 0), entry(2, "x", 3)], through: 2 });
    assert_eq!(sent(&effects), ["[\"sync\",1,{\"type\":\"a\"},{\"id\":\"NjEtLV0\",\"time\":1}]", "[\"ready\",2]"]);
    let effects = node.on_message("[\"sync\",4,{\"type\":\"a\"},{\"id\":\"0\",\"time\":0}]", at(1));
    assert_eq!(effects, [Effect::Received(4), Effect::Send("[\"synced\",4]".to_owned())]);
}

#[test]
fn ids_travel_as_the_protocol_spells_them() {
    for (version, want) in [
        (
            "5",
            r#"["sync",3,{"type":"a"},{"id":1,"time":1},{"type":"a"},{"id":[2,4],"time":2},{"type":"a"},{"id":[3,"x",5],"time":3}]"#,
        ),
        (
            "7",
            r#"["sync",3,{"type":"a"},{"id":"NjEtLV0","time":1},{"type":"a"},{"id":"NjEtLV1 hub:s:1~4","time":2},{"type":"a"},{"id":"NjEtLV2 x~5","time":3}]"#,
        ),
    ] {
        let mut told = options(Role::Server, "hub:s:1");
        told.head = 3;
        let mut node = Node::new(told);
        node.on_open(at(0));
        node.on_message(&format!("[\"connect\",{version},\"u\",0,{{\"token\":\"secret\"}}]"), at(0));
        let entries = vec![entry(1, "hub:s:1", 0), entry(2, "hub:s:1", 4), entry(3, "x", 5)];
        assert_eq!(sent(&node.on_page(Page { entries, through: 3 }))[0], want);
    }
}

#[test]
fn an_answer_names_its_action_as_the_receiver_spells_it() {
    let mut told = options(Role::Server, "hub:s:1");
    told.head = 1;
    let mut node = Node::new(told);
    node.on_open(at(0));
    node.on_message("[\"connect\",7,\"u\",0,{\"token\":\"secret\"}]", at(0));
    let mut answer = entry(1, "hub:s:1", 0);
    answer.action = Json::parse(r#"{"type":"logux/processed","id":"1700000000000 u:c:t 0"}"#).unwrap();
    let effects = node.on_page(Page { entries: vec![answer], through: 1 });
    assert!(sent(&effects)[0].contains(r#"{"type":"logux/processed","id":"NjEtLV- u:c:t"}"#), "{effects:?}");
    let text = r#"["sync",1,{"type":"logux/undo","id":"NjEtLV- u:c:t"},{"id":"0","time":0}]"#;
    let effects = node.on_message(text, at(1));
    let [Effect::Keep(kept)] = effects.as_slice() else { panic!() };
    assert_eq!(kept[0].action.get("id").and_then(Json::as_str), Some("1700000000000 u:c:t 0"));
}

#[test]
fn a_clock_that_is_an_hour_wrong_is_corrected() {
    for protocol in [Protocol::Five, Protocol::Seven] {
        let mut pair = LocalPair::new(protocol);
        pair.client.ahead_ms = 3_600_000;
        pair.connect();
        pair.settle();
        pair.add(false, "mine");
        pair.settle();
        pair.add(true, "theirs");
        pair.settle();
        let (of_client, of_server) = (&pair.server.log[0], &pair.client.log[1]);
        assert_eq!((of_client.kind(), of_client.time_ms), ("mine", UTC_MS));
        assert_eq!((of_server.kind(), of_server.time_ms), ("theirs", UTC_MS + 3_600_000));
        assert_eq!(of_client.id, pair.client.log[0].id, "an id is never corrected");
    }
}

#[test]
fn batches_and_few_of_them_unconfirmed() {
    let mut pair = LocalPair::new(Protocol::Seven);
    (0..1_050).for_each(|_| pair.add(true, "a"));
    pair.connect();
    // The client takes in nothing yet.
    pair.deliver(true);
    while pair.server.work() {}
    let syncs = |pair: &LocalPair| pair.server.said.iter().filter(|text| text.starts_with("[\"sync\"")).count();
    assert_eq!(syncs(&pair), 4);
    assert!(!pair.server.said.iter().any(|text| text.starts_with("[\"ready\"")));
    pair.settle();
    assert_eq!(syncs(&pair), 11);
    assert_eq!(pair.client.log.len(), 1_050);
    assert_eq!(pair.server.said.iter().filter(|text| *text == "[\"ready\",1050]").count(), 1);
    assert_eq!(pair.client.node.state(), State::Synchronized);
}

#[test]
fn nothing_that_came_from_the_other_side_goes_back_to_it() {
    let mut pair = LocalPair::new(Protocol::Seven);
    pair.connect();
    pair.add(false, "a");
    pair.settle();
    pair.add(true, "b");
    pair.settle();
    pair.cut();
    pair.connect();
    pair.settle();
    let synced = |side: &super::local_pair::Side| side.said.iter().filter(|text| text.starts_with("[\"sync\"")).count();
    assert_eq!((synced(&pair.client), synced(&pair.server)), (1, 1));
}

#[test]
fn what_is_sent_beside_the_log_moves_no_mark() {
    let mut pair = LocalPair::new(Protocol::Seven);
    pair.add(true, "a");
    pair.connect();
    pair.settle();
    let marks = (pair.client.received, pair.client.sent, pair.server.sent);
    let effects = pair.server.node.send_beside(&entry(9, "hub:s:1", 0));
    pair.server.take(effects);
    pair.settle();
    assert_eq!(pair.client.log.len(), 2, "this client keeps all that comes");
    assert_eq!((pair.client.received, pair.client.sent, pair.server.sent), marks);
    assert_eq!(pair.client.node.state(), State::Synchronized);
    assert!(pair.client.said.contains(&"[\"synced\",0]".to_owned()));
    assert_eq!(Node::new(options(Role::Client, "a:b:c")).send_beside(&entry(9, "x", 0)), [], "to nobody");
}

#[test]
fn signs_of_life() {
    let mut node = server();
    assert_eq!(node.next_at_ms(), Some(10_000));
    assert!(node.on_time(at(10_000)).is_empty(), "nobody is there to be asked");
    assert_eq!(closed(&node.on_time(at(20_000))), Some(Close::Timeout));

    let mut node = server();
    node.on_message("[\"connect\",7,\"u\",0,{\"token\":\"secret\"}]", at(0));
    // What is sent delays nothing.
    node.on_grown(5);
    node.on_page(Page { entries: vec![entry(5, "x", 0)], through: 5 });
    assert_eq!(sent(&node.on_time(at(10_000))), ["[\"ping\",5]"]);
    node.on_message("[\"pong\",0]", at(11_000));
    assert_eq!(node.next_at_ms(), Some(21_000));
    assert_eq!(sent(&node.on_time(at(21_000))), ["[\"ping\",5]"]);
    node.on_message("[\"headers\",{}]", at(30_000));
    assert_eq!(closed(&node.on_time(at(41_000))), Some(Close::Timeout), "only an answer is an answer");
    assert_eq!(node.state(), State::Disconnected);
}

#[test]
fn an_error_of_the_other_side_ends_nothing() {
    let mut node = server();
    let effects = node.on_message("[\"error\",\"wrong-format\",\"x\"]", at(0));
    assert_eq!(effects, [Effect::Told { kind: "wrong-format".to_owned(), options: Some(Json::text("x")) }]);
    assert_eq!(closed(&node.on_message("[\"connect\",7,\"u\",0,{\"token\":\"secret\"}]", at(1))), None);
    assert_eq!(closed(&node.destroy()), Some(Close::Destroyed));
    assert!(node.on_message("[\"ping\",1]", at(2)).is_empty());
}
