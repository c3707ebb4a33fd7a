//! Ten thousand different questions at once: pages answer as promptly as ever, and what is measured is what was measured
//! without them.

use crate::world::stalls::Stalls;
use crate::world::{World, test};
use mirrorwatch::sim::behaviour::Behaviour;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Questions, each another one.
const QUESTIONS: u64 = 10_000;
/// Connections that ask them.
const CONNECTIONS: u64 = 64;
/// 99 of 100 pages are answered within this.
const READ_WITHIN: Duration = Duration::from_millis(500);
/// Looks at pages while the questions are asked; a machine that answers them faster leaves time for fewer.
const READS_MIN: usize = 50;
/// Pages that are finished before they are asked for.
const PAGES: [&str; 6] = [
    "/api/v1/overview",
    "/api/v1/analytics/coverage?window=6h",
    "/api/v1/analytics/lag?window=1h",
    "/api/v1/mirrors",
    "/api/v1/events",
    "/status",
];

/// Asks until all questions are asked; how often each status was the answer.
async fn ask(base_url: String, next: Arc<AtomicU64>) -> BTreeMap<u16, u64> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut answers = BTreeMap::new();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= QUESTIONS {
            return answers;
        }
        let (second, thousandth) = (n / 1_000, n % 1_000);
        let url =
            format!("{base_url}/api/v1/ops?verdict=any&from=2020-01-01T00:00:{second:02}.{thousandth:03}Z&limit=20");
        let answer = client.get(url).send().await.unwrap();
        *answers.entry(answer.status().as_u16()).or_default() += 1;
        answer.bytes().await.unwrap();
    }
}

/// Reads pages until every question was asked; how long each took without what the machine let nobody run, shortest first.
async fn read(base_url: &str, next: &AtomicU64) -> Vec<Duration> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let stalls = Stalls::watch();
    let mut took = Vec::new();
    while next.load(Ordering::Relaxed) < QUESTIONS {
        for page in PAGES {
            let begun = Instant::now();
            let answer = client.get(format!("{base_url}{page}")).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{page}");
            answer.bytes().await.unwrap();
            let ended = Instant::now();
            took.push((ended - begun).saturating_sub(stalls.between(begun, ended)));
        }
    }
    took.sort();
    took
}

#[test]
fn ten_thousand_questions_stall_no_page_and_cost_no_mirror_anything() {
    test(async {
        let mut world = World::new(["one", "two"].map(|id| (id, Behaviour::default())).into());
        let _process = world.start_process().await;
        world.synchronized().await;
        world.publish(50).await;
        let load = world.babble(Duration::from_millis(20));
        let next = Arc::new(AtomicU64::new(0));
        let asking: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(ask(world.base_url(), Arc::clone(&next)))).collect();
        let took = read(&world.base_url(), &next).await;
        let mut answers = BTreeMap::new();
        for asking in asking {
            for (status, count) in asking.await.unwrap() {
                *answers.entry(status).or_insert(0) += count;
            }
        }
        let p99 = took[took.len() * 99 / 100];
        eprintln!("storm: {answers:?}, {} pages, p99 {p99:?}", took.len());
        assert_eq!(answers.values().sum::<u64>(), QUESTIONS, "{answers:?}");
        assert!(answers.keys().all(|status| [200, 503].contains(status)) && answers.contains_key(&200), "{answers:?}");
        assert!(took.len() >= READS_MIN && p99 <= READ_WITHIN, "p99 of {} pages is {p99:?}", took.len());
        world.hush(load).await;
        world.settle().await;
        assert_eq!(world.get("/api/v1/primary").await["received_ops"], world.published);
        for id in ["one", "two"] {
            let counts = world.counts(id).await;
            let blamed = (counts.missed, counts.late, counts.extra, counts.unknown);
            assert_eq!(blamed, (0, 0, 0, 0), "{id}: {counts:?}");
            assert_eq!(counts.delivered() + counts.not_eligible, world.published, "{id}: {counts:?}");
        }
    });
}
