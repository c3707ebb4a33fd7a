//! The last resort: an answer whose code panics is 500 with a number to report, and neither the connection nor any other
//! request is harmed.
//!
//! It stands around everything else, where nothing is left of the request but what was noted before: so it notes what the
//! answer needs.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use actix_http::{Request, Response};
use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::ConnectionType;
use futures_util::FutureExt;

use super::door::Hangup;
use super::guard;
use super::problem::Problem;
use super::state::HttpState;

/// Longest part of a panic's words that is logged, in characters.
const WORDS_MAX: usize = 200;

/// Passes a request on, and answers where that panics. What the code shares with others is behind locks whose poison is
/// passed over, or atomic: a request that breaks off leaves nothing half-done there.
pub(super) fn caught<S>(
    state: &HttpState,
    request: Request,
    service: &S,
) -> impl Future<Output = Result<Response<BoxBody>, Error>> + use<S>
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    let additions = guard::additions(state, request.head());
    let (path, now_ms, tallies) = (request.path().to_owned(), state.now_ms(), state.tallies.clone());
    let hangup = if additions.is_stream { request.conn_data::<Hangup>().cloned() } else { None };
    let begun = catch_unwind(AssertUnwindSafe(|| service.call(request)));
    async move {
        let answered = match begun {
            Ok(answering) => AssertUnwindSafe(answering).catch_unwind().await,
            Err(panic) => Err(panic),
        };
        let panic = match answered {
            Ok(answer) => return answer.map(Response::from),
            Err(panic) => panic,
        };
        tallies.panicked();
        tracing::error!(words = words(&*panic), "the code that answers a request panicked");
        let mut response = Problem::internal().respond_to(&path, now_ms);
        if additions.is_stream {
            response.head_mut().set_connection_type(ConnectionType::Close);
            hangup.iter().for_each(Hangup::hang_up);
        }
        guard::add(response.headers_mut(), additions);
        Ok(response.into())
    }
}

/// What a panic says.
pub(super) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no words").chars().take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::world;
    use actix_service::fn_service;

    async fn breaks_off(_: Request) -> Result<ServiceResponse, Error> {
        tokio::task::yield_now().await;
        panic!("what only the log may say")
    }

    #[actix_web::test]
    async fn one_that_panics_while_it_waits_is_answered_as_well() {
        let world = world();
        let mut request = Request::new();
        request.head_mut().uri = "/api/v1/dids/x".parse().unwrap();
        let answer = caught(&world.state, request, &fn_service(breaks_off)).await.unwrap();
        assert_eq!(answer.status(), 500);
        assert!(answer.headers().contains_key("x-content-type-options"));
        let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap();
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains("\"instance\":\"/api/v1/dids/x\"") && !body.contains("only the log"), "{body}");
        assert_eq!(world.state.tallies.told()["panics"], 1);
    }

    #[test]
    fn words_are_cut() {
        assert_eq!(
            (words(&"x"), words(&"y".repeat(500)).len(), words(&7)),
            ("x".to_owned(), WORDS_MAX, "no words".to_owned())
        );
    }
}
