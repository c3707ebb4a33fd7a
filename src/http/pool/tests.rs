//! The pool under many askers.

use super::*;
use futures_util::future::join_all;

/// Counts its computations and those running at once; can be told to fail or panic.
#[derive(Default)]
pub struct FakeDetail {
    pub computed: AtomicUsize,
    running: AtomicUsize,
    running_max: AtomicUsize,
}

impl Detail for Arc<FakeDetail> {
    fn ops(&self, query: OpsQuery) -> BoxFuture<'static, Result<DetailPage, DetailError>> {
        let fake = Arc::clone(self);
        Box::pin(async move {
            fake.computed.fetch_add(1, Ordering::SeqCst);
            let running = fake.running.fetch_add(1, Ordering::SeqCst) + 1;
            fake.running_max.fetch_max(running, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            fake.running.fetch_sub(1, Ordering::SeqCst);
            Ok(DetailPage {
                data: format!("{{\"limit\":{}}}", query.limit).into_bytes(),
                next_cursor: Some("next1".to_owned()),
                snapshot_id: "run".to_owned(),
                revision: 7,
            })
        })
    }

    fn did(&self, did: String) -> BoxFuture<'static, Result<DetailPage, DetailError>> {
        Box::pin(async move {
            assert!(!did.ends_with('a'), "on purpose");
            Err(DetailError::NoSuchDid)
        })
    }
}

fn pool() -> (Arc<FakeDetail>, Pool) {
    let fake = Arc::new(FakeDetail::default());
    let pool = Pool::new(Arc::new(Arc::clone(&fake)), Arc::new(|| 1_000));
    (fake, pool)
}

fn ops(limit: u32) -> OpsQuery {
    OpsQuery { limit, ..OpsQuery::parse("m", "").unwrap() }
}

#[tokio::test]
async fn ten_thousand_who_ask_the_same_cost_one_computation() {
    let (fake, pool) = pool();
    let answers = join_all((0..10_000).map(|_| pool.ops(ops(100)))).await;
    assert!(answers.iter().all(Result::is_ok));
    let computed = fake.computed.load(Ordering::SeqCst);
    assert!((1..=3).contains(&computed), "{computed}");
}

#[tokio::test]
async fn different_questions_run_two_at_a_time_and_the_queue_is_bounded() {
    let (fake, pool) = pool();
    let answers = join_all((1..=500).map(|limit| pool.ops(ops(limit)))).await;
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer.as_ref().map_err(|error| &**error), Err(DetailError::Overloaded)))
        .count();
    assert_eq!(answered + refused, 500);
    assert_eq!(fake.running_max.load(Ordering::SeqCst), RUNNING_MAX);
    assert!((WAITING_MAX..=WAITING_MAX + RUNNING_MAX).contains(&answered), "{answered}");
    assert_eq!(pool.waiting.load(Ordering::SeqCst), 0, "every place in the queue was given back");
    assert!(pool.ops(ops(999)).await.is_ok(), "it recovers");
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_next_question_is_answered() {
    let (_, pool) = pool();
    let error = pool.did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".to_owned()).await.unwrap_err();
    assert!(matches!(*error, DetailError::Internal(_)));
    let error = pool.did("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb".to_owned()).await.unwrap_err();
    assert!(matches!(*error, DetailError::NoSuchDid));
    let answer = pool.ops(ops(5)).await.unwrap();
    assert_eq!(answer.etag, "\"run.7.1000\"");
    assert_eq!(answer.next.as_deref(), Some("/api/v1/mirrors/m/ops?limit=5&cursor=next1"));
    let body: serde_json::Value = serde_json::from_slice(&answer.body.identity).unwrap();
    assert_eq!(body["data"]["limit"], 5);
    assert_eq!(body["links"]["next"], "/api/v1/mirrors/m/ops?limit=5&cursor=next1");
    assert_eq!(body["links"]["self"], "/api/v1/mirrors/m/ops?limit=5");
}
