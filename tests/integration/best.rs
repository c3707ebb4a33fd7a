//! Which mirror to use, from outside: who is well for long enough is recommended, and left at once when it lies.

use std::time::Duration;

use mirrorwatch::config::Nodes;
use mirrorwatch::sim::behaviour::Behaviour;
use serde_json::Value;

use crate::world::stalls::Patience;
use crate::world::{PATIENCE, World, test};

/// The questions that are answered by a recommendation.
const PAGES: [&str; 3] = ["/api/v1/best", "/api/v1/best?purpose=resolve", "/api/v1/best?region=here"];

/// The pages once both mirrors can be recommended on each.
async fn recommended(world: &World) -> [Value; 3] {
    // It takes a minute of being well.
    let patience = Patience::of(4 * PATIENCE);
    loop {
        let mut pages = PAGES.map(|_| Value::Null);
        for (page, path) in pages.iter_mut().zip(PAGES) {
            *page = world.get(path).await;
        }
        let is_whole = |page: &Value| page["mirror"].is_object() && page["alternatives"][0]["is_eligible"] == true;
        if pages.iter().all(is_whole) {
            return pages;
        }
        assert!(!patience.is_over(), "{pages:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The addresses that are listed.
fn listed(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn a_mirror_that_turns_into_a_liar_is_let_go_at_once() {
    test(async {
        let mut world = World::new(["one", "two"].map(|id| (id, Behaviour::default())).into());
        world.config.nodes = Some(Nodes { region: Some("here".to_owned()), ..Nodes::for_testing("me") });
        world.config.audit.sample_per_minute = 60;
        let mut world = world.watched().await;
        let none = world.get("/api/v1/best").await;
        assert!(none["mirror"].is_null() && listed(&world.text("/mirrorlist.txt").await).is_empty(), "{none}");
        let publisher = world.babble(Duration::from_millis(100));
        let pages = recommended(&world).await;
        for page in &pages {
            assert!(page["rtt_ms"].is_number() && page["next_review_at"].is_string(), "{page:#}");
            assert_eq!(page["alternatives"].as_array().unwrap().len(), 1, "{page:#}");
        }
        let liar = pages[0]["mirror"].clone();
        let honest = pages[0]["alternatives"][0].clone();
        // While we are late ourselves nobody is listed.
        let lists = async || {
            let text = world.text("/mirrorlist.txt").await;
            listed(&text).contains(&honest["url"].as_str().unwrap()).then_some(())
        };
        world.eventually("the honest one is listed", lists).await;

        world.mirror(liar["id"].as_str().unwrap()).set(|b| b.alter_share = 1.0);
        let id = liar["id"].as_str().unwrap();
        world
            .eventually("the liar is found out", async || (world.row(id).await["state"] == "diverged").then_some(()))
            .await;
        let now = world.get("/api/v1/best").await;
        assert_ne!(now["mirror"]["id"], liar["id"], "{now:#}");
        let text = world.text("/mirrorlist.txt").await;
        assert!(!listed(&text).contains(&liar["url"].as_str().unwrap()), "{text}");
        for path in PAGES {
            let page = world
                .eventually(path, async || {
                    let page = world.get(path).await;
                    let of_liar = page["alternatives"].as_array()?.iter().find(|other| other["id"] == liar["id"]);
                    // Each of the pages is made by itself.
                    let is_told = of_liar.is_some_and(|other| other["why"] == "it is diverged");
                    (page["mirror"]["id"] == honest["id"] && is_told).then_some(page)
                })
                .await;
            if path == "/api/v1/best" {
                let because = format!("{id} could not be used any more: it is diverged");
                assert_eq!(page["chosen_because"], because, "{page:#}");
            }
        }
        let lists = async || {
            let text = world.text("/mirrorlist.txt").await;
            let is_said = text.contains(&format!("\n# not listed: {id}: it is diverged\n"));
            (listed(&text) == [honest["url"].as_str().unwrap()] && is_said).then_some(())
        };
        world.eventually("the honest one alone is listed, and why", lists).await;
        world.hush(publisher).await;
        world.stop().await;
    });
}
