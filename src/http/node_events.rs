//! Events that nodes report of themselves, on a listener of their own: `POST /send` and `GET /messages` as gophy's monitoring
//! has them, and a page on every other path.
//!
//! An event is acknowledged when it is on disk. Without a token only this machine is listened to; with one, its user and the
//! sender must be the same.

mod form;
mod shown;

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{App, Error, HttpRequest, HttpResponse, web};
use bytes::Bytes;

use super::guard::{fixed_headers, without_port};
use super::limit::ClientLimit;
use super::negotiate;
use super::nodes::Guest;
use super::problem::Problem;
use super::state::HttpState;
use crate::domain::node_event::{self, NodeEvent};
use crate::ports::log_book::LogBook;
use shown::{Shelf, Shown};

/// Events of a sender with a token a second, steadily, and of all together that have none.
const PER_SECOND: u32 = 50;
/// The same, at once.
const BURST: u32 = 500;
/// Whose events are of no known sender; no sender has this name.
const NO_TOKEN: &str = "";
/// When to try again what could not be kept, seconds.
const RETRY_AFTER_S: u64 = 5;
const TEXT: &str = "text/plain; charset=utf-8";
/// What is answered when an event is on disk.
const ACK: &str = "ACK";

/// What the handlers know; one for all workers, for the rate is a sender's.
pub(super) struct Listener {
    state: web::Data<HttpState>,
    /// Whether nobody but this machine reaches it.
    is_local: bool,
    senders: ClientLimit,
    shelf: Shelf,
}

/// Something else than what was asked for: a status and a line for whoever asked.
struct Refused(StatusCode, String);

impl Refused {
    fn respond(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.0);
        match self.0 {
            StatusCode::UNAUTHORIZED => {
                response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                response.insert_header((header::RETRY_AFTER, RETRY_AFTER_S));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                response.insert_header((header::ALLOW, HeaderValue::from_static("POST")));
            }
            _ => {}
        }
        response.content_type(TEXT).body(format!("{}\n", self.1))
    }
}

impl Listener {
    pub(super) fn new(state: &web::Data<HttpState>, is_local: bool) -> Listener {
        Listener {
            state: state.clone(),
            is_local,
            senders: ClientLimit::new(PER_SECOND, BURST, false),
            shelf: Shelf::default(),
        }
    }

    fn log(&self) -> Result<&LogBook, Refused> {
        let nodes = self.state.nodes.as_ref();
        nodes
            .map(|nodes| &nodes.door.log)
            .ok_or_else(|| Refused(StatusCode::NOT_FOUND, "there are no nodes".to_owned()))
    }

    /// Whom the token of a request lets in, and whether it brings one.
    fn holders(&self, request: &HttpRequest) -> (bool, Vec<(String, Guest)>) {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token =
            given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let nodes = self.state.nodes.as_ref();
        let holders =
            token.zip(nodes).map(|((_, token), nodes)| (nodes.door.holders)(token.trim())).unwrap_or_default();
        (given.is_some(), holders)
    }

    /// Lets in this machine, and whoever has a token; `is_right` looks at whom a token lets in. Says whether there is one.
    fn admit(&self, request: &HttpRequest, is_right: impl Fn(&str, &Guest) -> bool) -> Result<bool, Refused> {
        let (is_given, holders) = self.holders(request);
        let client: IpAddr = self.state.client(request);
        if !is_given && self.is_local && client.to_canonical().is_loopback() {
            return Ok(false);
        }
        if holders.is_empty() {
            return Err(Refused(StatusCode::UNAUTHORIZED, "send the token of nodes.tokens as a bearer".to_owned()));
        }
        let is_let_in = holders.iter().any(|(user, guest)| is_right(user, guest));
        is_let_in.then_some(true).ok_or_else(|| {
            Refused(
                StatusCode::FORBIDDEN,
                format!("the token is not the sender's, or may not do this ({})", node_event::KIND),
            )
        })
    }

    /// Refuses what a page of another site has its readers' browsers send, under whatever name it calls this machine.
    fn check_site(&self, request: &HttpRequest) -> Result<(), Refused> {
        let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
        if !matches!(site, None | Some(b"same-origin" | b"none")) {
            return Err(Refused(StatusCode::FORBIDDEN, "not from a page of another site".to_owned()));
        }
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
        let name = without_port(host);
        let is_address =
            name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() || name == "localhost" || host.is_empty();
        let is_known = self.state.options.allowed_hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
        if is_address || is_known || !self.is_local {
            return Ok(());
        }
        Err(Refused(StatusCode::MISDIRECTED_REQUEST, "that host is not served here".to_owned()))
    }

    async fn send(&self, request: &HttpRequest, payload: web::Payload) -> Result<HttpResponse, Refused> {
        if request.method() != Method::POST {
            return Err(Refused(StatusCode::METHOD_NOT_ALLOWED, "Invalid request method".to_owned()));
        }
        self.check_site(request)?;
        let fields = form::fields(request, payload).await?;
        let event = NodeEvent::new(fields).map_err(|error| Refused(StatusCode::BAD_REQUEST, error.to_string()))?;
        let has_token = self.admit(request, |user, guest| user == event.sender && guest.may_write(node_event::KIND))?;
        // Without one a sender is whoever it says to be.
        self.senders.take_of(if has_token { &event.sender } else { NO_TOKEN }).map_err(too_many)?;
        let row = LogBook::reported(&event, self.state.now_ms());
        self.log()?.append_rows(vec![row]).await.map_err(|error| unavailable(&error))?;
        Ok(HttpResponse::Ok().content_type(TEXT).body(ACK))
    }

    /// The newest events, for whoever may read them; within the limits of what costs work.
    async fn read(&self, request: &HttpRequest) -> Result<Arc<Shown>, Refused> {
        self.check_site(request)?;
        self.admit(request, |_, guest| guest.may_read(node_event::KIND))?;
        self.state.limit.take(self.state.client(request)).map_err(too_many)?;
        self.shelf.newest(self.log()?).await.map_err(|error| unavailable(&error))
    }

    async fn messages(&self, request: &HttpRequest) -> Result<HttpResponse, Refused> {
        let shown = self.read(request).await?;
        let (after, sender) = asked(request.query_string())?;
        Ok(answer(request, &shown, "application/json", || shown.messages(after, sender.as_deref())))
    }

    async fn page(&self, request: &HttpRequest) -> Result<HttpResponse, Refused> {
        let shown = self.read(request).await?;
        let page = shown.page().await.map_err(|error| unavailable(&error))?;
        Ok(answer(request, &shown, "text/html; charset=utf-8", || page))
    }
}

/// 200, or 304 where the request names what is shown.
fn answer(request: &HttpRequest, shown: &Shown, media: &'static str, body: impl FnOnce() -> Bytes) -> HttpResponse {
    let etag = (header::ETAG, shown.etag.clone());
    if negotiate::has_already(request.headers(), &shown.etag) {
        return HttpResponse::NotModified().insert_header(etag).finish();
    }
    HttpResponse::Ok().insert_header(etag).content_type(media).body(body())
}

fn too_many(problem: Problem) -> Refused {
    Refused(problem.status, problem.detail)
}

fn unavailable(error: &dyn std::fmt::Display) -> Refused {
    tracing::warn!(%error, "events of nodes cannot be kept or read");
    Refused(StatusCode::SERVICE_UNAVAILABLE, "it cannot be kept or read now; try again".to_owned())
}

/// `after` and `sender` of a query; what else there is is not looked at, as gophy does.
fn asked(query: &str) -> Result<(i64, Option<String>), Refused> {
    let (mut after, mut sender) = (0, None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "after" => {
                let expected = || Refused(StatusCode::BAD_REQUEST, "after: expected the number in an ETag".to_owned());
                after = value.parse().map_err(|_| expected())?;
            }
            "sender" => sender = Some(value.into_owned()),
            _ => {}
        }
    }
    Ok((after, sender))
}

/// The addresses of the listener.
pub(super) fn app(
    listener: &Arc<Listener>,
) -> App<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()> + use<>,
> {
    let (send, messages, page) = (Arc::clone(listener), Arc::clone(listener), Arc::clone(listener));
    App::new()
        .service(web::resource("/send").to(move |request: HttpRequest, payload: web::Payload| {
            let listener = Arc::clone(&send);
            async move { listener.send(&request, payload).await.unwrap_or_else(|refused| refused.respond()) }
        }))
        .service(web::resource("/messages").to(move |request: HttpRequest| {
            let listener = Arc::clone(&messages);
            async move { listener.messages(&request).await.unwrap_or_else(|refused| refused.respond()) }
        }))
        .default_service(web::to(move |request: HttpRequest| {
            let listener = Arc::clone(&page);
            async move { listener.page(&request).await.unwrap_or_else(|refused| refused.respond()) }
        }))
        .wrap_fn(|request, service| {
            let answer = service.call(request);
            async move {
                let mut response = answer.await?;
                for (name, value) in fixed_headers() {
                    response.headers_mut().insert(name, value);
                }
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                Ok(response)
            }
        })
}

#[cfg(test)]
mod tests;
