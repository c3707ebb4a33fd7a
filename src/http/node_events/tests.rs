//! What clients of gophy's monitoring are answered, byte by byte, and what they are not allowed.

use super::{Listener, Shown, app};
use crate::http::HttpOptions;
use crate::http::tests::world::world_with;
use crate::logux::Json;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use futures_util::future::join_all;
use proptest::prelude::*;
use std::sync::Arc;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const EVENT: &str = "time=1700000000000000001&sender=a&eventtype=Event_NodeStarted&message=up";
const MISSING: &str = "All message fields must be non-empty!\n";

/// A listener, and who asks it.
struct Asked {
    listener: Arc<Listener>,
    peer: &'static str,
}

/// An answer: status, type, body, and its `ETag`.
type Got = (u16, String, String, String);

impl Asked {
    fn new(is_local: bool, peer: &'static str) -> Asked {
        Asked::limited(is_local, peer, HttpOptions::default())
    }

    fn limited(is_local: bool, peer: &'static str, options: HttpOptions) -> Asked {
        let world = world_with(options, 0, Arc::new(|| Ok(())));
        Asked { listener: Arc::new(Listener::new(&world.state, is_local)), peer }
    }

    async fn ask(&self, method: Method, uri: &str, headers: &[(&'static str, &str)], body: &str) -> Got {
        let service = init_service(app(&self.listener)).await;
        let mut request = TestRequest::with_uri(uri).method(method).peer_addr(self.peer.parse().unwrap());
        for header in headers {
            request = request.insert_header((header.0, header.1.to_owned()));
        }
        let response = call_service(&service, request.set_payload(body.to_owned()).to_request()).await;
        let status = response.status();
        let header = |name: &str| response.headers().get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff");
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            assert_eq!(header("retry-after"), "5");
        }
        let (kind, etag) = (header("content-type"), header("etag"));
        (status.as_u16(), kind, String::from_utf8(read_body(response).await.to_vec()).unwrap(), etag)
    }

    async fn send(&self, body: &str) -> (u16, String) {
        let got = self.ask(Method::POST, "/send", &[FORM], body).await;
        assert_eq!(got.1, "text/plain; charset=utf-8", "{got:?}");
        (got.0, got.2)
    }

    async fn messages(&self, query: &str) -> (String, String) {
        let got = self.ask(Method::GET, &format!("/messages{query}"), &[], "").await;
        assert_eq!((got.0, got.1.as_str()), (200, "application/json"), "{got:?}");
        (got.2, got.3)
    }
}

const HERE: &str = "127.0.0.1:9";
const ELSEWHERE: &str = "192.0.2.1:9";

#[actix_web::test]
async fn an_event_is_acknowledged_once_it_is_kept_and_kept_once() {
    let asked = Asked::new(true, HERE);
    assert_eq!(asked.messages("").await.0, "{\"messages\":[]}\n");
    for _ in 0..3 {
        assert_eq!(asked.send(EVENT).await, (200, "ACK".to_owned()), "a lost answer is asked for again");
    }
    let one =
        "{\"eventtype\":\"Event_NodeStarted\",\"message\":\"up\",\"sender\":\"a\",\"time\":\"1700000000000000001\"}";
    let (text, etag) = asked.messages("").await;
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed["messages"], serde_json::json!([serde_json::from_str::<serde_json::Value>(one).unwrap()]));
    assert!(
        text.starts_with("{\"messages\":[{\"time\":\"1700000000000000001\",\"sender\":\"a\",\"eventtype\":"),
        "{text}"
    );
    let (status, ..) = asked.ask(Method::GET, "/messages", &[("if-none-match", &etag)], "").await;
    assert_eq!(status, 304);
    asked.send("time=2&sender=b&eventtype=72&message=%3Cscript%3E%26").await;
    let (text, _) = asked.messages(&format!("?after={}", etag.trim_matches('"'))).await;
    assert_eq!(
        text,
        "{\"messages\":[{\"time\":\"2\",\"sender\":\"b\",\"eventtype\":\"72\",\"message\":\"\\u003cscript\\u003e\\u0026\"}]}\n"
    );
    assert!(
        asked.messages("?sender=a").await.0.contains("up") && !asked.messages("?sender=a").await.0.contains("script")
    );
    assert_eq!(asked.ask(Method::GET, "/messages?after=x", &[], "").await.0, 400);
    assert_eq!(asked.ask(Method::PUT, "/messages", &[], "").await.0, 200, "by any method");
    let (status, kind, page, _) = asked.ask(Method::GET, "/anything/else", &[], "").await;
    assert_eq!((status, kind.as_str()), (200, "text/html; charset=utf-8"));
    assert!(page.contains("<h2>Stats from node: b</h2>") && page.contains("Message: &lt;script&gt;&amp;<"), "{page}");
}

#[actix_web::test]
async fn fields_are_taken_from_wherever_go_takes_them() {
    let asked = Asked::new(true, HERE);
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\nmulti\r\n--x--\r\n";
    let kind = ("content-type", "multipart/form-data; boundary=x");
    let query = "/send?time=3&sender=a&eventtype=e";
    assert_eq!(asked.ask(Method::POST, query, &[kind], multipart).await.2, "ACK");
    assert_eq!(asked.ask(Method::POST, &format!("/send?{EVENT}"), &[], "").await.2, "ACK");
    let json = "{\"time\":4,\"sender\":\"a\",\"eventtype\":72,\"message\":\"json\"}";
    assert_eq!(asked.ask(Method::POST, "/send", &[("content-type", "application/json")], json).await.2, "ACK");
    let both = "/send?message=query";
    asked.ask(Method::POST, both, &[FORM], "time=5&sender=a&eventtype=e&message=body").await;
    let (text, _) = asked.messages("").await;
    for found in ["multi", "json", "\"message\":\"body\"", "\"eventtype\":\"72\""] {
        assert!(text.contains(found), "{found}: {text}");
    }
    assert!(!text.contains("query"), "a form comes before the query");
    // What cannot be read is missing.
    for (kind, body) in [
        ("multipart/form-data", multipart),
        ("multipart/form-data; boundary=y", multipart),
        ("application/json", "[1"),
        ("text/plain", EVENT),
    ] {
        let got = asked.ask(Method::POST, "/send", &[("content-type", kind)], body).await;
        assert_eq!((got.0, got.2.as_str()), (400, MISSING), "{kind}");
    }
}

#[actix_web::test]
async fn what_is_wrong_is_told_in_the_words_that_clients_know() {
    let asked = Asked::new(true, HERE);
    for field in ["time=", "sender=", "eventtype=", "message="] {
        let without = EVENT.split('&').filter(|pair| !pair.starts_with(field)).collect::<Vec<_>>().join("&");
        for body in [without.clone(), format!("{without}&{field}")] {
            assert_eq!(asked.send(&body).await, (400, MISSING.to_owned()), "{body}");
        }
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let got = asked.ask(method, &format!("/send?{EVENT}"), &[], "").await;
        assert_eq!(
            (got.0, got.1.as_str(), got.2.as_str()),
            (405, "text/plain; charset=utf-8", "Invalid request method\n")
        );
    }
    let long = format!("{EVENT}{}", "x".repeat(4_097));
    assert_eq!(asked.send(&long).await, (400, "message: limit 4096 bytes\n".to_owned()));
    let (status, text) = asked.send(&format!("{EVENT}{}", "x".repeat(17_000))).await;
    assert_eq!((status, text.as_str()), (413, "body: limit 16384 bytes\n"));
    assert_eq!(asked.messages("").await.0, "{\"messages\":[]}\n", "nothing of that is kept");
}

#[actix_web::test]
async fn without_a_token_this_machine_alone_is_listened_to() {
    let bearer = |token: &str| format!("Bearer {token}");
    for (is_local, peer, token, status) in [
        (true, HERE, "", 200),
        (true, "[::ffff:127.0.0.1]:9", "", 200),
        (false, HERE, "", 401),
        (true, ELSEWHERE, "", 401),
        (false, ELSEWHERE, "", 401),
        (false, ELSEWHERE, "token-a", 200),
        (false, ELSEWHERE, "token-r", 403),
        (false, ELSEWHERE, "token-x", 401),
        (true, HERE, "token-r", 403),
    ] {
        let asked = Asked::new(is_local, peer);
        let token = bearer(token);
        let headers = if token == "Bearer " { vec![FORM] } else { vec![FORM, ("authorization", token.as_str())] };
        let got = asked.ask(Method::POST, "/send", &headers, EVENT).await;
        assert_eq!(got.0, status, "{is_local} {peer} {token}: {}", got.2);
        let reads = asked.ask(Method::GET, "/messages", &headers[1..], "").await.0;
        assert_eq!(reads, if token == "Bearer token-r" { 200 } else { status }, "{is_local} {peer} {token}");
    }
    let asked = Asked::new(false, ELSEWHERE);
    let headers = [FORM, ("authorization", "Bearer token-a")];
    assert_eq!(asked.ask(Method::POST, "/send", &headers, &EVENT.replace("sender=a", "sender=b")).await.0, 403);
}

#[actix_web::test]
async fn pages_of_other_sites_cannot_report_or_read() {
    let asked = Asked::new(true, HERE);
    let cross = ("sec-fetch-site", "cross-site");
    assert_eq!(asked.ask(Method::POST, "/send", &[FORM, cross], EVENT).await.0, 403);
    for (host, status) in [("127.0.0.1:12345", 200), ("localhost", 200), ("[::1]:1", 200), ("evil.example:12345", 421)]
    {
        assert_eq!(asked.ask(Method::GET, "/messages", &[("host", host)], "").await.0, status, "{host}");
        assert_eq!(asked.ask(Method::GET, "/", &[("host", host)], "").await.0, status, "{host}");
    }
}

/// Without a token a name costs nothing: many names are one sender.
#[actix_web::test]
async fn those_without_a_token_that_report_without_end_are_told_to_wait_together_and_the_others_are_not() {
    let asked = Asked::new(true, HERE);
    let mut told_to_wait = 0;
    for n in 0..super::BURST + 100 {
        let (status, text) = asked.send(&format!("time={n}&sender=a{n}&eventtype=e&message=m")).await;
        told_to_wait += usize::from(status == 429);
        assert!(status == 200 || text != "ACK", "an old client tries again");
    }
    assert!(told_to_wait > 0);
    let with_token = [FORM, ("authorization", "Bearer token-a")];
    assert_eq!(asked.ask(Method::POST, "/send", &with_token, EVENT).await.0, 200);
}

#[actix_web::test]
async fn what_is_read_counts_against_the_limit_of_its_reader() {
    let options = HttpOptions {
        detail_burst: 2,
        detail_requests_per_second: 1,
        exempt_loopback: false,
        ..HttpOptions::default()
    };
    for (first, then) in [("/", "/messages"), ("/messages", "/")] {
        let asked = Asked::limited(true, HERE, options.clone());
        for status in [200, 200, 429] {
            assert_eq!(asked.ask(Method::GET, first, &[], "").await.0, status, "{first}");
        }
        assert_eq!(asked.ask(Method::GET, then, &[], "").await.0, 429, "{then}");
    }
}

#[actix_web::test]
async fn what_is_shown_is_made_once_for_all_until_an_event_comes() {
    let asked = Asked::new(true, HERE);
    asked.send(EVENT).await;
    let log = asked.listener.log().ok().unwrap();
    let (all, none) = (|shown: &Shown| shown.messages(0, None).as_ptr(), i64::MAX);
    let many = join_all((0..20).map(|_| asked.listener.shelf.newest(log))).await;
    let first = many[0].as_ref().ok().unwrap();
    let page = first.page().await.unwrap();
    for shown in &many {
        let shown = shown.as_ref().ok().unwrap();
        assert!(Arc::ptr_eq(shown, first), "read once");
        assert_eq!((all(shown), shown.page().await.unwrap().as_ptr()), (all(first), page.as_ptr()), "and written once");
    }
    assert_eq!(first.messages(none, None), "{\"messages\":[]}\n");
    assert_eq!(first.messages(0, Some("a")).as_ptr(), all(first), "those of the one sender are all");
    // Something else is appended.
    let other = log.own(&Json::parse("{\"type\":\"x\"}").unwrap(), 1);
    log.append_rows(vec![other]).await.unwrap();
    assert!(Arc::ptr_eq(&asked.listener.shelf.newest(log).await.unwrap(), first), "that is no event");
    asked.send(&EVENT.replace("sender=a", "sender=b")).await;
    let newer = asked.listener.shelf.newest(log).await.unwrap();
    assert!(newer.etag != first.etag && newer.messages(0, Some("b")).len() < newer.messages(0, None).len());
}

#[actix_web::test]
async fn what_a_reader_has_is_not_sent_again() {
    let asked = Asked::new(true, HERE);
    asked.send(EVENT).await;
    for uri in ["/messages", "/"] {
        let (status, _, _, etag) = asked.ask(Method::GET, uri, &[], "").await;
        assert_eq!((status, etag.is_empty()), (200, false), "{uri}");
        for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let got = asked.ask(Method::GET, uri, &[("if-none-match", &known)], "").await;
            assert_eq!((got.0, got.2.as_str(), &got.3), (304, "", &etag), "{uri} {known}");
        }
        assert_eq!(asked.ask(Method::GET, uri, &[("if-none-match", "\"x\"")], "").await.0, 200, "{uri}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_sent_is_shown_as_it_was(sender in "\\PC{1,16}", message in "\\PC{1,64}") {
        actix_web::rt::System::new().block_on(async {
            let asked = Asked::new(true, HERE);
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("time", "1").append_pair("sender", &sender);
            form.append_pair("eventtype", "e").append_pair("message", &message);
            let (status, text) = asked.send(&form.finish()).await;
            if sender.len() > 64 {
                assert_eq!(status, 400);
                return;
            }
            assert_eq!(text, "ACK");
            let read: serde_json::Value = serde_json::from_str(&asked.messages("").await.0).unwrap();
            assert_eq!((&read["messages"][0]["sender"], &read["messages"][0]["message"]), (&sender.clone().into(), &message.clone().into()));
        });
    }
}
