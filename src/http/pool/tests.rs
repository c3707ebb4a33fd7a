//! The pool under many askers.

use super::super::detail::RecheckError;
use super::super::ops_query::OpsQuery;
use super::*;
use crate::domain::did::Did;
use crate::publish::WindowStatus;
use futures_util::future::join_all;

/// Counts its computations and those running at once; can be told to fail or panic.
#[derive(Default)]
pub struct FakeDetail {
    pub computed: AtomicUsize,
    running: AtomicUsize,
    running_max: AtomicUsize,
}

impl Detail for Arc<FakeDetail> {
    fn answer(&self, question: Question) -> BoxFuture<'static, Result<DetailPage, DetailError>> {
        let fake = Arc::clone(self);
        Box::pin(async move {
            let query = match question {
                Question::Ops(query) => query,
                Question::Did(did) => {
                    assert_ne!(did, Did([0; 15]), "on purpose");
                    return Err(DetailError::NoSuchDid);
                }
                _ => return Err(DetailError::NoSuchOp),
            };
            fake.computed.fetch_add(1, Ordering::SeqCst);
            let running = fake.running.fetch_add(1, Ordering::SeqCst) + 1;
            fake.running_max.fetch_max(running, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            fake.running.fetch_sub(1, Ordering::SeqCst);
            Ok(DetailPage {
                data: format!("{{\"limit\":{}}}", query.filter.limit).into_bytes(),
                next_cursor: Some("next1".to_owned()),
                snapshot_id: "run".to_owned(),
                revision: 7,
                window: Some(WindowMeta { from_at_ms: 0, to_at_ms: 1_000, status: WindowStatus::Final }),
            })
        })
    }

    fn recheck(&self, _: Did) -> BoxFuture<'static, Result<(), RecheckError>> {
        Box::pin(async { Ok(()) })
    }

    fn reprobe(&self, _: &str) -> Result<(), RecheckError> {
        Ok(())
    }
}

fn pool() -> (Arc<FakeDetail>, Pool) {
    let fake = Arc::new(FakeDetail::default());
    let pool = Pool::new(Arc::new(Arc::clone(&fake)), Arc::new(|| 1_000));
    (fake, pool)
}

fn ops(limit: usize) -> Question {
    let mut query = OpsQuery::parse(Some("m"), "", |_| true).unwrap();
    query.filter.limit = limit;
    Question::Ops(query)
}

#[tokio::test]
async fn ten_thousand_who_ask_the_same_cost_one_computation() {
    let (fake, pool) = pool();
    let answers = join_all((0..10_000).map(|_| pool.answer(ops(100)))).await;
    assert!(answers.iter().all(Result::is_ok));
    let computed = fake.computed.load(Ordering::SeqCst);
    assert!((1..=3).contains(&computed), "{computed}");
}

#[tokio::test]
async fn different_questions_run_two_at_a_time_and_the_queue_is_bounded() {
    let (fake, pool) = pool();
    let answers = join_all((1..=500).map(|limit| pool.answer(ops(limit)))).await;
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer.as_ref().map_err(|error| &**error), Err(DetailError::Overloaded)))
        .count();
    assert_eq!(answered + refused, 500);
    assert_eq!(fake.running_max.load(Ordering::SeqCst), RUNNING_MAX);
    assert!((WAITING_MAX..=WAITING_MAX + RUNNING_MAX).contains(&answered), "{answered}");
    assert_eq!(pool.waiting.load(Ordering::SeqCst), 0, "every place in the queue was given back");
    assert!(pool.answer(ops(999)).await.is_ok(), "it recovers");
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_next_question_is_answered() {
    let (_, pool) = pool();
    let error = pool.answer(Question::Did(Did([0; 15]))).await.unwrap_err();
    assert!(matches!(*error, DetailError::Internal(_)));
    let error = pool.answer(Question::Did(Did([1; 15]))).await.unwrap_err();
    assert!(matches!(*error, DetailError::NoSuchDid));
    let answer = pool.answer(ops(5)).await.unwrap();
    assert_eq!(answer.etag, "\"run.7.1000\"");
    assert_eq!(answer.next.as_deref(), Some("/api/v1/mirrors/m/ops?limit=5&cursor=next1"));
    let body: serde_json::Value = serde_json::from_slice(&answer.body.identity).unwrap();
    assert_eq!(body["data"]["limit"], 5);
    assert_eq!(body["meta"]["window"]["to_at"], "1970-01-01T00:00:01.000Z");
    assert_eq!(body["links"]["next"], "/api/v1/mirrors/m/ops?limit=5&cursor=next1");
    assert_eq!(body["links"]["self"], "/api/v1/mirrors/m/ops?limit=5");
}
