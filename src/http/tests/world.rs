//! A small world behind the server: pages that are finished, details that answer with the question.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{test, web};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::openapi::assert_documented;
use super::{DID, NOW_MS};
use crate::domain::did::Did;
use crate::domain::probes::Purpose;
use crate::domain::view::recent::Recent;
use crate::http::detail::{Detail, DetailError, DetailPage, Question, RecentSource, RecheckError};
use crate::http::past::PastQuestion;
use crate::http::{
    Guest, HttpOptions, HttpParts, HttpState, NodesDoor, Readiness, SourceOrigins, Tallies, app, page_specs,
    region_spec, vantages_spec,
};
use crate::ports::fail_point::FailPoints;
use crate::ports::log_book::LogBook;
use crate::ports::memory::Pressure;
use crate::ports::store::SharedStore;
use crate::ports::store::memory::MemoryDisk;
use crate::publish::{Pages, Update, WindowMeta, WindowStatus};

/// Answers with the question; a slow one where asked for.
#[derive(Default)]
pub struct FakeDetail {
    pub computed: AtomicUsize,
    pub rechecked: AtomicUsize,
    delay_ms: u64,
}

impl Detail for FakeDetail {
    fn answer(&self, question: Question) -> BoxFuture<'static, Result<DetailPage, DetailError>> {
        self.computed.fetch_add(1, Ordering::SeqCst);
        let delay = Duration::from_millis(self.delay_ms);
        Box::pin(async move {
            tokio::time::sleep(delay).await;
            let page = |data: serde_json::Value| DetailPage {
                data: data.to_string().into_bytes(),
                next_cursor: None,
                snapshot_id: "run".to_owned(),
                revision: 3,
                window: None,
            };
            match question {
                Question::Ops(query) => match query.cursor.as_deref() {
                    Some("expired") => Err(DetailError::CursorExpired),
                    Some("damaged") => Err(DetailError::BadCursor),
                    Some("broken") => Err(DetailError::Internal("secret".to_owned())),
                    _ => {
                        let scope = format!("{:?}", query.scope);
                        Ok(DetailPage { next_cursor: Some("n1".to_owned()), ..page(json!({ "scope": scope })) })
                    }
                },
                Question::Did(did) if did.to_string() == DID => Ok(page(json!({ "did": DID }))),
                Question::Did(_) => Err(DetailError::NoSuchDid),
                Question::Op(key) | Question::Evidence(key) if key.did.to_string() == DID => {
                    Ok(page(json!({ "cid": key.cid.to_string() })))
                }
                Question::Op(_) | Question::Evidence(_) => Err(DetailError::NoSuchOp),
                Question::Recent => Ok(page(json!({ "ops": [] }))),
                Question::Sessions(id) => Ok(page(json!({ "id": id }))),
                Question::Incident(id) if id == "m1-20231114T000000000Z" => Ok(page(json!({ "id": id }))),
                Question::Incident(_) => Err(DetailError::NoSuchIncident),
                Question::Past(PastQuestion::Windows { query, .. }) if query.from_ms.is_some_and(|ms| ms < 0) => {
                    Err(DetailError::TooManyWindows { asked: 1_001 })
                }
                Question::Past(question) => Ok(page(json!({ "asked": question.path() }))),
                Question::Mirror { id, part } => Ok(page(json!({ "id": id, "part": part.path() }))),
                Question::Compare { a, b, .. } => {
                    let status = WindowStatus::Provisional;
                    let window = Some(WindowMeta { from_at_ms: 0, to_at_ms: 1_000, status });
                    Ok(DetailPage { window, ..page(json!({ "a": a, "b": b })) })
                }
            }
        })
    }

    fn recheck(&self, did: Did) -> BoxFuture<'static, Result<(), RecheckError>> {
        self.rechecked.fetch_add(1, Ordering::SeqCst);
        let is_known = did.to_string() == DID;
        Box::pin(async move { if is_known { Ok(()) } else { Err(RecheckError::Busy) } })
    }

    fn reprobe(&self, mirror: &str) -> Result<(), RecheckError> {
        if mirror == "m1" { Ok(()) } else { Err(RecheckError::FixedTransport) }
    }
}

/// Knows no operations.
pub struct Silent;

impl RecentSource for Silent {
    fn recent(&self) -> BoxFuture<'static, Result<Recent, DetailError>> {
        Box::pin(async { Err(DetailError::Overloaded) })
    }
}

/// A world with finished pages; the parts that a test looks at or turns.
pub struct World {
    pub pages: Arc<Pages>,
    pub state: web::Data<HttpState>,
    pub detail: Arc<FakeDetail>,
    /// Whither the live page may open sockets.
    pub origins: SourceOrigins,
    pub now_ms: Arc<AtomicI64>,
    /// Whether the clock of the runtime still runs by itself.
    pub is_real_time: std::cell::Cell<bool>,
}

impl Detail for Arc<FakeDetail> {
    fn answer(&self, question: Question) -> BoxFuture<'static, Result<DetailPage, DetailError>> {
        (**self).answer(question)
    }
    fn recheck(&self, did: Did) -> BoxFuture<'static, Result<(), RecheckError>> {
        (**self).recheck(did)
    }
    fn reprobe(&self, mirror: &str) -> Result<(), RecheckError> {
        (**self).reprobe(mirror)
    }
}

/// Publishes `data` under `key` at `now_ms`, to be computed again in five seconds.
pub fn publish(pages: &Pages, key: &str, data: &str, now_ms: i64) {
    let update = Update {
        data: data.as_bytes().to_vec(),
        window: None,
        captured_at_ms: now_ms,
        now_ms,
        interval_ms: 5_000,
        compute_ms: 1.0,
    };
    pages.get(key).unwrap().publish(update).unwrap();
}

/// Other nodes may come in; nobody does.
fn nodes() -> NodesDoor {
    let store: SharedStore = Arc::new(std::sync::Mutex::new(Some(Box::new(MemoryDisk::new().open()))));
    NodesDoor {
        node_id: "me".to_owned(),
        subprotocol: 1,
        ping: Duration::from_secs(10),
        timeout: Duration::from_secs(20),
        log: LogBook::open(store, "me", Arc::new(|_| None)).unwrap(),
        admit: Arc::new(|_, _| None),
        holders: Arc::new(|token| {
            let all = || vec!["*".to_owned()];
            let of = |user: &str, writable| (user.to_owned(), Guest { readable: all(), writable });
            match token {
                "token-a" => vec![of("a", all())],
                "token-r" => vec![of("r", Vec::new())],
                _ => Vec::new(),
            }
        }),
        public: Guest { readable: vec!["*".to_owned()], writable: Vec::new() },
        users: ["a", "r"].map(str::to_owned).into(),
        peers: None,
    }
}

pub fn world_with(options: HttpOptions, delay_ms: u64, readiness: Readiness) -> World {
    let mirror_ids = vec!["m1".to_owned(), "m2".to_owned()];
    let pages = Arc::new(Pages::new("run", [page_specs(&mirror_ids), vec![vantages_spec()]].concat()));
    let keys: Vec<String> = pages.all().iter().map(|page| page.spec().key.clone()).collect();
    for key in keys {
        let mut data = json!({ "key": key, "pad": "x".repeat(2000) });
        if key.ends_with("/check") {
            let well = json!({ "id": "m", "state": "ok", "since_at": "", "why": "", "observer_flags": [] });
            data.as_object_mut().unwrap().extend(well.as_object().unwrap().clone());
        }
        publish(&pages, &key, &data.to_string(), NOW_MS);
    }
    let regions = [Purpose::Stream, Purpose::Resolve].map(|purpose| region_spec(purpose, "eu west"));
    let regions = Arc::new(Pages::new("run", regions));
    for page in regions.all() {
        publish(&regions, &page.spec().key, &json!({ "key": page.spec().key }).to_string(), NOW_MS);
    }
    let detail = Arc::new(FakeDetail { delay_ms, ..FakeDetail::default() });
    let now_ms = Arc::new(AtomicI64::new(NOW_MS + 1_500));
    let clock = Arc::clone(&now_ms);
    let origins = SourceOrigins::default();
    let state = web::Data::new(HttpState::new(HttpParts {
        pages: Arc::clone(&pages),
        regions: Arc::clone(&regions),
        recent: Arc::new(Silent),
        source_origins: Arc::clone(&origins),
        primary_id: "p".to_owned(),
        detail: Arc::new(Arc::clone(&detail)),
        health: Arc::new(|| Ok(())),
        readiness,
        utc_now_ms: Arc::new(move || clock.load(Ordering::SeqCst)),
        nodes: Some(nodes()),
        options,
        shutdown: CancellationToken::new(),
        tallies: Tallies::default(),
        pressure: Pressure::default(),
        fail: FailPoints::default(),
    }));
    World { pages, state, detail, origins, now_ms, is_real_time: std::cell::Cell::new(true) }
}

pub fn world() -> World {
    world_with(HttpOptions::default(), 0, Arc::new(|| Ok(())))
}

/// One answer, taken apart.
pub struct Got {
    pub status: u16,
    headers: HashMap<String, String>,
    pub body: web::Bytes,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

pub async fn ask(world: &World, method: Method, uri: &str, headers: &[(&str, &str)]) -> Got {
    ask_with(world, method, uri, headers, "").await
}

/// Asks with a body.
pub async fn ask_with(world: &World, method: Method, uri: &str, headers: &[(&str, &str)], body: &str) -> Got {
    let service = test::init_service(app(&world.state)).await;
    let mut request = test::TestRequest::with_uri(uri).method(method);
    if !body.is_empty() {
        request = request.set_payload(body.to_owned());
    }
    for (name, value) in headers {
        request = request.append_header((*name, *value));
    }
    if !headers.iter().any(|(name, _)| *name == "x-no-peer") {
        request = request.peer_addr("192.0.2.1:4711".parse().unwrap());
    }
    let (asked, path) = (request.to_request(), uri.split('?').next().unwrap().to_owned());
    let method = asked.method().clone();
    let response = test::call_service(&service, asked).await;
    let status = response.status().as_u16();
    let mut held: HashMap<String, String> = HashMap::new();
    for (name, value) in response.headers() {
        let value = value.to_str().unwrap();
        held.entry(name.as_str().to_owned())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    let got = Got { status, headers: held, body: test::read_body(response).await };
    assert_documented(&method, &path, &got);
    got
}

pub async fn get(world: &World, uri: &str) -> Got {
    ask(world, Method::GET, uri, &[]).await
}

pub fn assert_security_headers(got: &Got, uri: &str) {
    assert!(got.header("content-security-policy").starts_with("default-src 'none';"), "{uri}");
    let policy = got.header("content-security-policy");
    if uri.starts_with("/embed/") && got.status < 400 && got.status != 204 {
        assert!(policy.contains("script-src 'none';") && policy.ends_with("frame-ancestors *"), "{uri}");
        assert_eq!(got.header("x-frame-options"), "", "{uri}");
    } else {
        assert!(policy.contains("connect-src 'self';") && policy.contains("frame-ancestors 'none';"), "{uri}");
    }
    assert_eq!(got.header("x-content-type-options"), "nosniff", "{uri}");
    assert_eq!(got.header("referrer-policy"), "no-referrer", "{uri}");
    assert_eq!(got.header("cross-origin-opener-policy"), "same-origin", "{uri}");
    assert_eq!(got.header("permissions-policy"), "camera=(), microphone=(), geolocation=()", "{uri}");
    let is_public = ["/api/", "/badge/", "/embed/", "/feeds/"].iter().any(|prefix| uri.starts_with(prefix));
    let policy = if is_public { "cross-origin" } else { "same-origin" };
    assert_eq!(got.header("cross-origin-resource-policy"), policy, "{uri}");
    assert_eq!(got.header("access-control-allow-origin"), if is_public { "*" } else { "" }, "{uri}");
    assert!(got.header("server").is_empty() && got.header("strict-transport-security").is_empty(), "{uri}");
}

pub fn assert_problem(got: &Got, status: u16, code: &str, uri: &str) {
    assert_eq!((got.status, got.json()["code"].as_str()), (status, Some(code)), "{uri}");
    assert_eq!(got.header("content-type"), "application/problem+json", "{uri}");
    assert_eq!(got.header("cache-control"), "no-store", "{uri}");
    let body = got.json();
    assert_eq!(body["status"], status, "{uri}");
    for member in ["type", "title", "detail", "request_id"] {
        assert!(!body[member].as_str().unwrap().is_empty(), "{uri}: {member}");
    }
    assert_security_headers(got, uri);
}
