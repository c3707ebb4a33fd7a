//! Which mirror to use in each region: chosen anew every second from what vantages told, and published.

use super::nodes::overview_of;
use crate::domain::probes::Purpose;
use crate::domain::vantage::region::Regions;
use crate::domain::vantage::{Overview, Told, read};
use crate::domain::view::best;
use crate::http::region_spec;
use crate::logux::kinds::OVERVIEW;
use crate::publish::{Pages, Update, UtcNow};
use crate::recompute::vantages::SharedVantages;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// What a look at the regions needs.
pub(super) struct Chooser {
    /// What vantages told.
    pub told: SharedVantages,
    /// Where we are, where that is known.
    pub region: Option<String>,
    /// Our own pages.
    pub pages: Arc<Pages>,
    /// Those of the regions.
    pub regions: Arc<Pages>,
    /// The present.
    pub now: UtcNow,
}

/// Chooses until `stop`.
pub(super) async fn choose(chooser: Chooser, stop: CancellationToken) {
    let (chooser, chosen) = (Arc::new(chooser), Arc::new(Mutex::new(Regions::default())));
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let (chooser, chosen) = (Arc::clone(&chooser), Arc::clone(&chosen));
        let looking = spawn_blocking(move || chooser.look(&mut chosen.lock().unwrap_or_else(PoisonError::into_inner)));
        if let Err(error) = looking.await {
            tracing::error!(%error, "no mirror was chosen by region");
        }
    }
}

impl Chooser {
    fn look(&self, chosen: &mut Regions) {
        let (now_ms, begun, own) = ((self.now)(), Instant::now(), self.own());
        chosen.step(&self.told.lock().unwrap_or_else(PoisonError::into_inner), own.as_ref(), now_ms);
        let names = || chosen.iter().map(|(name, _)| name);
        self.regions.arrange(names().flat_map(|name| Purpose::ALL.map(|purpose| region_spec(purpose, name))));
        for (name, region) in chosen.iter() {
            for purpose in Purpose::ALL {
                let update = Update {
                    data: best::page_of_region(name, region, purpose).to_string().into_bytes(),
                    window: None,
                    captured_at_ms: now_ms,
                    now_ms,
                    interval_ms: EVERY.as_millis() as i64,
                    compute_ms: begun.elapsed().as_secs_f64() * 1_000.0,
                };
                let published = self.regions.get(&region_spec(purpose, name).key).map(|page| page.publish(update));
                if let Some(Err(error)) = published {
                    tracing::error!(%error, "the mirror to use in a region is not shown");
                }
            }
        }
    }

    /// How everything stands here, in the words in which other nodes are told.
    fn own(&self) -> Option<Overview> {
        let page = self.pages.get("overview").filter(|_| self.region.is_some())?;
        let action = overview_of(&page.load().body.identity, self.region.as_deref())?.to_string();
        match read(OVERVIEW, &action) {
            Ok(Some(Told::Overview(overview))) => Some(overview),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::vantage::Vantages;
    use crate::publish::PageSpec;
    use serde_json::{Value, json};

    #[test]
    fn our_own_region_goes_by_our_own_page_of_now() {
        let overview = PageSpec {
            key: "overview".to_owned(),
            self_path: "/".to_owned(),
            html_path: "/".to_owned(),
            is_bare: false,
        };
        let chooser = Chooser {
            told: Arc::new(Mutex::new(Vantages::new("me"))),
            region: Some("e u".to_owned()),
            pages: Arc::new(Pages::new("run", [overview])),
            regions: Arc::new(Pages::new("run", [])),
            now: Arc::new(|| 1_700_000_000_000),
        };
        let mut chosen = Regions::default();
        chooser.look(&mut chosen);
        assert!(chooser.regions.all().is_empty(), "there is no page of us yet");
        let usable = json!({ "is_eligible": true, "failures": 0, "samples": 20, "left_out": 0, "rtt_ms": 9.5 });
        let row = |id: &str, state: &str| {
            json!({
                "id": id, "name": id, "url": format!("wss://{id}.example"), "state": state, "link": { "state": "synchronized" },
                "headline": "", "purposes": { "stream": usable }, "coverage": { "counts": { "decided": 500 } },
            })
        };
        let mut look = |state: &str| -> Value {
            let data = json!({ "headline": "", "observer": { "state": "ok", "flags": [] }, "mirrors": [row("a", state), row("b", "ok")] });
            let update = Update {
                data: data.to_string().into_bytes(),
                window: None,
                captured_at_ms: 0,
                now_ms: 0,
                interval_ms: 1_000,
                compute_ms: 0.0,
            };
            chooser.pages.get("overview").unwrap().publish(update).unwrap();
            chooser.look(&mut chosen);
            serde_json::from_slice(chooser.regions.get("stream/e u").unwrap().load().data()).unwrap()
        };
        let page = look("ok");
        assert_eq!(
            (&page["mirror"]["id"], &page["rtt_ms"], &page["vantages"]),
            (&json!("a"), &json!(9.5), &json!(["me"]))
        );
        let page = look("diverged");
        assert_eq!((&page["mirror"]["id"], &page["region"]), (&json!("b"), &json!("e u")));
        assert_eq!(page["chosen_because"], "a could not be used any more: it is diverged");
        let page = chooser.regions.get("resolve/e u").unwrap();
        assert_eq!(page.spec().self_path, "/api/v1/best?purpose=resolve&region=e+u");
    }
}
