//! Which mirror to use, from outside: which page is answered to which question, and for how long a copy is good.

use actix_web::http::Method;

use super::NOW_MS;
use super::world::{ask, assert_problem, get, publish, world};

#[actix_web::test]
async fn each_purpose_and_region_has_a_page_of_its_own_that_is_good_for_15_s() {
    let world = world();
    for (uri, key) in [
        ("/api/v1/best", "best"),
        ("/api/v1/best?purpose=stream", "best"),
        ("/api/v1/best?purpose=resolve", "best?purpose=resolve"),
        ("/api/v1/best?region=eu%20west", "stream/eu west"),
        ("/api/v1/best?region=eu+west&purpose=resolve", "resolve/eu west"),
    ] {
        let got = get(&world, uri).await;
        assert_eq!((got.status, got.header("content-type")), (200, "application/json"), "{uri}");
        assert_eq!(got.json()["data"]["key"], key, "{uri}");
        assert_eq!((got.header("etag"), got.header("cache-control")), ("\"run.1\"", "public, max-age=15"), "{uri}");
        let known = ask(&world, Method::GET, uri, &[("if-none-match", "\"run.1\"")]).await;
        assert_eq!((known.status, known.header("cache-control")), (304, "public, max-age=15"), "{uri}");
    }
    let own = get(&world, "/api/v1/best?region=eu+west").await.json()["links"]["self"].clone();
    assert_eq!(own, "/api/v1/best?purpose=stream&region=eu+west");
    let refused = ask(&world, Method::GET, "/api/v1/best", &[("accept", "text/html")]).await;
    assert_problem(&refused, 406, "not_acceptable", "/api/v1/best");
}

#[actix_web::test]
async fn what_is_not_known_is_refused_with_what_is() {
    let world = world();
    for (uri, status, code) in [
        ("/api/v1/best?purpose=", 400, "bad_purpose"),
        ("/api/v1/best?purpose=Stream", 400, "bad_purpose"),
        ("/api/v1/best?purpose=stream&purpose=resolve", 400, "repeated_parameter"),
        ("/api/v1/best?regio=eu", 400, "unknown_parameter"),
        ("/api/v1/best?region=", 404, "no_such_region"),
        ("/api/v1/best?region=eu", 404, "no_such_region"),
        ("/api/v1/best?region=eu%20west%2F..", 404, "no_such_region"),
        ("/mirrorlist.txt?purpose=stream", 400, "unknown_parameter"),
    ] {
        assert_problem(&get(&world, uri).await, status, code, uri);
    }
    let allowed = |uri: &'static str| {
        let world = &world;
        async move { get(world, uri).await.json()["allowed"].clone() }
    };
    assert_eq!(allowed("/api/v1/best?purpose=x").await, serde_json::json!(["stream", "resolve"]));
    assert_eq!(allowed("/api/v1/best?region=x&purpose=resolve").await, serde_json::json!(["eu west"]));
    world.state.regions.arrange([]);
    let nobody = get(&world, "/api/v1/best?region=x").await.json();
    assert_eq!(nobody["detail"], "\"x\"; no observer that is known here names its region");
}

#[actix_web::test]
async fn the_list_is_text_whatever_is_asked_for() {
    let world = world();
    publish(&world.pages, "mirrorlist.txt", "# made\nwss://a.example\n", NOW_MS);
    let got = ask(&world, Method::GET, "/mirrorlist.txt", &[("accept", "application/json")]).await;
    assert_eq!((got.status, got.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert_eq!((&*got.body, got.header("etag")), (&b"# made\nwss://a.example\n"[..], "\"run.2\""));
    assert_eq!(got.header("cache-control"), "public, max-age=15");
    let known = ask(&world, Method::GET, "/mirrorlist.txt", &[("if-none-match", "\"run.2\"")]).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
}
