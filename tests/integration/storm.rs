//! Ten thousand different questions at once: pages are answered all the while, and what is measured is what was measured
//! without them. How long a page takes meanwhile is for the bench of readers.

use crate::world::{World, test};
use mirrorwatch::sim::behaviour::Behaviour;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Questions, each another one.
const QUESTIONS: u64 = 10_000;
/// Connections that ask them: more than may wait for an answer, so that most are told to come back.
const CONNECTIONS: u64 = 256;
/// Those who read pages meanwhile.
const READERS: usize = 4;
/// Pages that they read at least.
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
async fn ask(client: reqwest::Client, base_url: String, next: Arc<AtomicU64>) -> BTreeMap<u16, u64> {
    let mut answers = BTreeMap::new();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= QUESTIONS {
            return answers;
        }
        let (second, thousandth) = (n / 1_000, n % 1_000);
        let url = format!("{base_url}/api/v1/ops?from=2020-01-01T00:00:{second:02}.{thousandth:03}Z&limit=20");
        let answer = client.get(url).send().await.unwrap();
        *answers.entry(answer.status().as_u16()).or_default() += 1;
        answer.bytes().await.unwrap();
    }
}

/// Reads pages until every question was asked; how many.
async fn read(client: reqwest::Client, base_url: String, next: Arc<AtomicU64>) -> usize {
    let mut read = 0;
    while next.load(Ordering::Relaxed) < QUESTIONS {
        for page in PAGES {
            let answer = client.get(format!("{base_url}{page}")).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{page}");
            answer.bytes().await.unwrap();
            read += 1;
        }
    }
    read
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
        // Made before anything is asked: a connection that says nothing for seconds is given up.
        let [client, reader] = [(); 2].map(|()| reqwest::Client::builder().no_proxy().build().unwrap());
        let asking: Vec<_> =
            (0..CONNECTIONS).map(|_| tokio::spawn(ask(client.clone(), world.base_url(), Arc::clone(&next)))).collect();
        let reading: Vec<_> =
            (0..READERS).map(|_| tokio::spawn(read(reader.clone(), world.base_url(), Arc::clone(&next)))).collect();
        let mut pages = 0;
        for reading in reading {
            pages += reading.await.unwrap();
        }
        let mut answers = BTreeMap::new();
        for asking in asking {
            for (status, count) in asking.await.unwrap() {
                *answers.entry(status).or_insert(0) += count;
            }
        }
        assert_eq!(answers.values().sum::<u64>(), QUESTIONS, "{answers:?}");
        assert_eq!(answers.keys().collect::<Vec<_>>(), [&200, &503], "{answers:?}");
        assert!(pages >= READS_MIN, "{pages} pages");
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
