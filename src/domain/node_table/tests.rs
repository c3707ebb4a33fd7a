//! Every rule with its scenario.

mod announcing;
mod choosing;
mod fragments;
mod testing;

use super::*;
use crate::domain::time::SECOND;
use constants::Constants;
use uplink::End;

/// An instant, in seconds.
fn at(s: i64) -> Tau {
    Tau(s * SECOND)
}

fn minutes(m: i64) -> Tau {
    at(60 * m)
}

/// Our node with these in its configuration, which lets announced ones in.
fn table(initial: &[&str]) -> NodeTable {
    let own = Own { node_id: "me".to_owned(), address: Some("me.example".to_owned()) };
    let initial: Vec<String> = initial.iter().map(|address| (*address).to_owned()).collect();
    NodeTable::new(own, &initial, true, Constants::default(), 7, at(0))
}

fn set(table: &mut NodeTable, address: &str, failures: u32, rtt_ms: Option<i64>) {
    let node = table.node_mut(address).unwrap();
    node.connection_failures = failures;
    if let Some(ms) = rtt_ms {
        (0..20).for_each(|_| node.measured(ms * 1_000, 20));
    }
}

fn inbound(node_id: &str) -> Inbound {
    Inbound { node_id: node_id.to_owned(), address: Some(format!("{node_id}.example")), is_lasting: true }
}

fn answered(node_id: &str, rtt_us: i64, times: usize) -> Tested {
    Tested::Answered { node_id: node_id.to_owned(), rtts_us: vec![rtt_us; times] }
}

/// All ticks up to `to`, with a sign of life each second where it `lives`.
fn pass(table: &mut NodeTable, from: Tau, to: Tau, lives: bool) -> Vec<(Tau, Effect)> {
    let mut done = Vec::new();
    let mut now = from;
    while now <= to {
        if lives {
            table.uplink_heard(now);
        }
        done.extend(table.tick(now).into_iter().map(|effect| (now, effect)));
        now = now.plus(SECOND);
    }
    done
}

/// Connects to the one that it wants, which is called as its address without the rest.
fn connect(table: &mut NodeTable, now: Tau) -> String {
    let wanted = table.tick(now).into_iter().find_map(|effect| match effect {
        Effect::Connect(address) => Some(address),
        _ => None,
    });
    let address = wanted.expect("it wants one");
    let node_id = address.split('.').next().unwrap().to_owned();
    let effects = table.uplink_opened(&address, &node_id, now);
    assert_eq!(effects, []);
    address
}

fn wanted(effects: &[Effect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Connect(address) = effect { Some(address.as_str()) } else { None })
        .collect()
}

/// Who is told of whom, in order.
fn told(effects: &[Effect]) -> Vec<(Link, String)> {
    let told = |effect: &Effect| match effect {
        Effect::Send(link, Message { says: Says::DistantNode { node_id, .. }, .. }) => {
            Some((link.clone(), node_id.clone()))
        }
        _ => None,
    };
    effects.iter().filter_map(told).collect()
}

fn message(node_id: &str, ms: i64, says: Says) -> Message {
    Message { id: MessageId { ms, node_id: node_id.to_owned() }, says }
}

fn distant(node_id: &str) -> Says {
    Says::DistantNode { node_id: node_id.to_owned(), address: Some(format!("{node_id}.example")) }
}

#[test]
fn the_constants_are_those_of_the_rules() {
    let c = Constants::default();
    assert_eq!((c.max_ping_count, c.max_test_failures, c.failure_step, c.success_step), (20, 5, 3, 1));
    let seconds = [c.clean_interval_ns, c.connect_wait_ns, c.timeout_ns, c.ping_interval_ns].map(|ns| ns / SECOND);
    assert_eq!(seconds, [5, 3, 7, 2]);
    let spans = [
        c.better_primary_wait_ns,
        c.purge_node_wait_ns,
        c.retest_wait_period_ns,
        c.message_duplicate_expire_ns,
        c.defrag_wait_period_ns,
    ];
    assert_eq!(spans.map(|ns| ns / SECOND / 60), [20, 60, 10, 5, 10]);
    assert_eq!(c.better_primary_latency_permille, 700);
}
