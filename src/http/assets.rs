//! The dashboard's files, embedded in the binary by `build.rs` and rust-embed.
//!
//! Owns the addresses of pages and `/assets/…`: which encoding is sent (all are made when the page is built, none on request), how long a
//! browser may keep it, and the first snapshot that is written into the document so that the first paint has numbers.
//! It never reads the disk, and knows nothing of what the numbers mean. The policy headers are the server's, for all answers.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    IF_NONE_MATCH, VARY,
};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use bytes::Bytes;
use futures_util::future::ready;

use super::guard::policy_with;
use super::page_addresses::PAGES;
use super::problem::Problem;
use super::routes::other_method;
use super::state::HttpState;

const INDEX: &str = "index.html";
const INITIAL_OVERVIEW_MARK: &[u8] = b"<!--initial-overview-->";

#[cfg(feature = "dashboard")]
#[derive(rust_embed::Embed)]
#[folder = "web/dist/"]
struct Dist;

/// Where a page takes its first snapshot from: called once for each request of a page, it returns the JSON bytes of
/// `/api/v1/overview` as they are published now. Put it into the app's data as `web::Data<InitialOverview>`; without it the
/// page fetches its first snapshot itself.
pub struct InitialOverview(Box<dyn Fn() -> Bytes + Send + Sync>);

impl InitialOverview {
    /// `load` must be quick and must not block: one lock-free load and a clone of the bytes.
    pub fn new(load: impl Fn() -> Bytes + Send + Sync + 'static) -> Self {
        Self(Box::new(load))
    }
}

/// An encoding that the build makes, in the order of preference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }
}

/// The same file in one encoding. Each has an `ETag` of its own, for its bytes differ.
struct Representation {
    encoding: Option<Encoding>,
    etag: String,
    body: Bytes,
}

struct Asset {
    content_type: &'static str,
    /// Best first, the file itself last.
    representations: Vec<Representation>,
}

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(read_embedded);

/// Adds the pages, the one of them that may open sockets to the sources, and `/assets/{name}` (GET and HEAD).
pub fn configure(cfg: &mut web::ServiceConfig, state: &web::Data<HttpState>) {
    let read = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    for path in PAGES {
        let page = |request: HttpRequest| ready(document(&request));
        cfg.service(web::resource(path).route(read().to(page)).default_service(other_method(state)));
    }
    let shared = state.clone();
    let live = move |request: HttpRequest| {
        let mut response = document(&request);
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy_with(&shared.source_origins.load()));
        ready(response)
    };
    cfg.service(web::resource("/live").route(read().to(live)).default_service(other_method(state)));
    let shared = state.clone();
    let asset = move |request: HttpRequest, name: web::Path<String>| ready(asset(&request, &name, &shared));
    cfg.service(web::resource("/assets/{name}").route(read().to(asset)).default_service(other_method(state)));
}

/// The document as it was built, without a snapshot in it; `None` when the binary was built without the dashboard.
pub fn index_html() -> Option<Bytes> {
    ASSETS.get(INDEX).and_then(|asset| asset.representations.last()).map(|plain| plain.body.clone())
}

fn document(request: &HttpRequest) -> HttpResponse {
    let Some(document) = ASSETS.get(INDEX) else {
        return HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .body("This mirrorwatch was built without its dashboard. The numbers: /api/v1/overview\n");
    };
    let initial = request.app_data::<web::Data<InitialOverview>>();
    match (initial, index_html()) {
        // No ETag: the snapshot in it is another one with each recompute, so that a copy is never current.
        (Some(initial), Some(html)) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-cache"))
            .content_type(document.content_type)
            .body(with_overview(&html, &(initial.0)())),
        _ => answer(request, document, "no-cache"),
    }
}

fn asset(request: &HttpRequest, name: &str, state: &HttpState) -> HttpResponse {
    match ASSETS.get(&format!("assets/{name}")) {
        // The name holds a hash of the content: a changed file has another name.
        Some(asset) => answer(request, asset, "public, max-age=31536000, immutable"),
        None => Problem::new(StatusCode::NOT_FOUND, "not_found", "no such file").respond(request, state.now_ms()),
    }
}

fn answer(request: &HttpRequest, asset: &Asset, cache_control: &'static str) -> HttpResponse {
    let accepted = accepted(request.headers());
    let wanted = |made: &&Representation| made.encoding.is_none_or(|encoding| accepted.contains(&encoding));
    let Some(chosen) = asset.representations.iter().find(wanted) else {
        return HttpResponse::NotFound().finish();
    };
    let mut response =
        if is_current(request.headers(), &chosen.etag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((CACHE_CONTROL, cache_control));
    response.insert_header((ETAG, chosen.etag.as_str()));
    response.insert_header((VARY, "Accept-Encoding"));
    if is_current(request.headers(), &chosen.etag) {
        return response.finish();
    }
    if let Some(encoding) = chosen.encoding {
        response.insert_header((CONTENT_ENCODING, encoding.token()));
    }
    response.insert_header((CONTENT_TYPE, asset.content_type)).body(chosen.body.clone())
}

/// Which of the made encodings the client takes: named, or covered by `*`, and not with a weight of zero.
fn accepted(headers: &HeaderMap) -> Vec<Encoding> {
    let values: Vec<&str> = headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok()).collect();
    let weight = |token: &str| {
        values.iter().flat_map(|value| value.split(',')).find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(token));
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0_f32));
            is_named.then_some(quality)
        })
    };
    let takes = |encoding: &Encoding| weight(encoding.token()).or_else(|| weight("*")).is_some_and(|q| q > 0.0);
    Encoding::ALL.into_iter().filter(takes).collect()
}

fn is_current(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(
        |candidate| {
            let candidate = candidate.trim();
            candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == etag
        },
    )
}

/// Writes the snapshot into the document as a data block, which the page's policy does not run. `<` is escaped, so that
/// nothing in the data can end the block.
fn with_overview(html: &[u8], json: &[u8]) -> Bytes {
    let mark = html.windows(INITIAL_OVERVIEW_MARK.len()).position(|window| window == INITIAL_OVERVIEW_MARK);
    let Some((head, tail)) = mark.and_then(|at| html.split_at_checked(at)) else {
        return Bytes::copy_from_slice(html);
    };
    let mut page = Vec::with_capacity(html.len() + json.len() + 128);
    page.extend_from_slice(head);
    page.extend_from_slice(br#"<script type="application/json" id="initial-overview">"#);
    for (index, part) in json.split(|byte| *byte == b'<').enumerate() {
        if index > 0 {
            page.extend_from_slice(br"\u003c");
        }
        page.extend_from_slice(part);
    }
    page.extend_from_slice(b"</script>");
    page.extend_from_slice(tail.get(INITIAL_OVERVIEW_MARK.len()..).unwrap_or_default());
    page.into()
}

#[cfg(feature = "dashboard")]
fn read_embedded() -> HashMap<String, Asset> {
    let is_made = |name: &str| Encoding::ALL.iter().any(|encoding| name.ends_with(encoding.suffix()));
    Dist::iter()
        .filter(|name| !is_made(name))
        .map(|name| {
            let variants = Encoding::ALL.into_iter().map(Some).chain([None]);
            let representations = variants.filter_map(|encoding| represent(&name, encoding)).collect();
            (name.to_string(), Asset { content_type: content_type(&name), representations })
        })
        .collect()
}

#[cfg(not(feature = "dashboard"))]
fn read_embedded() -> HashMap<String, Asset> {
    HashMap::new()
}

#[cfg(feature = "dashboard")]
fn represent(name: &str, encoding: Option<Encoding>) -> Option<Representation> {
    let file = Dist::get(&format!("{name}{}", encoding.map_or("", Encoding::suffix)))?;
    let mut etag = String::from("\"");
    for byte in file.metadata.sha256_hash().iter().take(12) {
        // Writing to a string cannot fail.
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    let body = match file.data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Some(Representation { encoding, etag, body })
}

#[cfg(feature = "dashboard")]
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
#[cfg(feature = "dashboard")]
mod tests {
    use actix_web::test::{self, TestRequest};
    use actix_web::{App, dev::ServiceResponse};

    use super::*;
    use crate::http::tests::world;

    async fn get(path: &str, headers: &[(&'static str, &str)]) -> ServiceResponse {
        let app = test::init_service(App::new().configure(|cfg| configure(cfg, &world().state))).await;
        let mut request = TestRequest::get().uri(path);
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        test::call_service(&app, request.to_request()).await
    }

    fn header(response: &ServiceResponse, name: &str) -> String {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    fn script() -> String {
        let html = String::from_utf8(index_html().unwrap().to_vec()).unwrap();
        let from = html.find("/assets/").unwrap();
        html[from..].split('"').next().unwrap().to_owned()
    }

    #[actix_web::test]
    async fn the_document_is_asked_for_again_each_time() {
        let response = get("/", &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(&response, "cache-control"), "no-cache");
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        let etag = header(&response, "etag");
        assert_eq!(get("/", &[("if-none-match", &etag)]).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(get("/", &[("if-none-match", "\"other\"")]).await.status(), StatusCode::OK);
    }

    #[actix_web::test]
    async fn every_page_is_the_one_document() {
        let document = test::read_body(get("/", &[]).await).await;
        for path in [
            "/misses?verdict=missed",
            "/compare?a=primary&b=m",
            "/events",
            "/incidents",
            "/incidents/m-1",
            "/vantages?window=1h",
            "/methodology",
            "/internals",
            "/nodes",
            "/readiness",
            "/live?kind=update",
            "/docs",
            "/docs/errors#bad_window",
            "/mirrors/m",
            "/did/did:plc:x",
            "/op/did:plc:x/bafy",
        ] {
            let response = get(path, &[]).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(test::read_body(response).await, document, "{path}");
        }
    }

    /// What a page may connect to.
    async fn connections(path: &str, origins: &[&str]) -> String {
        let world = world();
        world.origins.store(std::sync::Arc::new(origins.iter().map(|&origin| origin.to_owned()).collect()));
        let got = crate::http::tests::get(&world, path).await;
        assert_eq!(got.status, 200, "{path}");
        let policy = got.header("content-security-policy").to_owned();
        assert!(policy.starts_with("default-src 'none';") && policy.contains("require-trusted-types-for 'script'"));
        policy.split("; ").find_map(|part| part.strip_prefix("connect-src ")).unwrap().to_owned()
    }

    #[actix_web::test]
    async fn the_live_page_alone_may_open_sockets_to_the_sources_and_to_nobody_else() {
        let origins = ["wss://plc.example.org", "ws://127.0.0.1:4000", "wss://[::1]", "wss://a;script-src *"];
        let told = "'self' wss://plc.example.org ws://127.0.0.1:4000";
        assert_eq!(connections("/live", &origins).await, told, "what has no form in a policy is left out");
        assert_eq!(connections("/live?kind=update", &[]).await, "'self'");
        for path in ["/", "/misses", "/mirrors/m1", "/status", "/api/v1/overview"] {
            assert_eq!(connections(path, &origins).await, "'self'", "{path}");
        }
    }

    #[actix_web::test]
    async fn assets_are_immutable_and_compressed_beforehand() {
        let path = script();
        let plain = get(&path, &[]).await;
        assert_eq!(header(&plain, "content-encoding"), "");
        assert_eq!(header(&plain, "cache-control"), "public, max-age=31536000, immutable");
        let brotli = get(&path, &[("accept-encoding", "gzip, deflate, br, zstd")]).await;
        assert_eq!(header(&brotli, "content-encoding"), "br");
        assert_eq!(header(&brotli, "vary"), "Accept-Encoding");
        assert_ne!(header(&brotli, "etag"), header(&plain, "etag"));
        let gzip = get(&path, &[("accept-encoding", "gzip, br;q=0")]).await;
        assert_eq!(header(&gzip, "content-encoding"), "gzip");
        let (plain, brotli) = (test::read_body(plain).await, test::read_body(brotli).await);
        let mut decoded = Vec::new();
        brotli::BrotliDecompress(&mut brotli.as_ref(), &mut decoded).unwrap();
        assert_eq!(decoded, plain);
    }

    #[actix_web::test]
    async fn what_is_not_embedded_is_not_there() {
        for path in ["/assets/none.js", "/assets/..%2Findex.html", "/assets/", "/misses/", "/did", "/op/a", "/x"] {
            assert_eq!(get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[actix_web::test]
    async fn the_first_snapshot_is_in_the_document_and_cannot_leave_its_block() {
        let overview = InitialOverview::new(|| Bytes::from_static(br#"{"name":"</script><script>alert(1)"}"#));
        let app = test::init_service(
            App::new().app_data(web::Data::new(overview)).configure(|cfg| configure(cfg, &world().state)),
        )
        .await;
        let response = test::call_service(&app, TestRequest::get().uri("/").to_request()).await;
        assert_eq!(header(&response, "cache-control"), "no-cache");
        let body = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
        assert!(body.contains(
            r#"<script type="application/json" id="initial-overview">{"name":"\u003c/script>\u003cscript>alert(1)"}</script>"#
        ));
    }

    #[test]
    fn a_weight_of_zero_and_the_star_are_understood() {
        let accepts = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, actix_web::http::header::HeaderValue::from_static(value));
            accepted(&headers)
        };
        assert_eq!(accepts("*"), [Encoding::Brotli, Encoding::Gzip]);
        assert_eq!(accepts("*;q=0, gzip"), [Encoding::Gzip]);
        assert_eq!(accepts("identity"), []);
        assert_eq!(accepts("BR;q=0.1"), [Encoding::Brotli]);
        assert_eq!(accepts("br;q=nonsense"), []);
    }
}
