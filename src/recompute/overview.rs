//! The overview and the small pages that change with it: primary, observer, events, internals, methodology.

use super::{ComputeError, Draft, Recompute, draft, windowed};
use crate::domain::probes::Purpose;
use crate::domain::view::badge::{Badge, BadgeKind};
use crate::domain::view::check::Check;
use crate::domain::view::embed::{self, EmbedKind};
use crate::domain::view::feed::{Feed, FeedKind};
use crate::domain::view::{Picture, best, event, incidents, internals, methodology, mirror, overview, status};
use serde_json::Value;

/// Recomputes the first page that a person sees.
#[derive(Debug)]
pub struct Overview;

impl Recompute<Picture> for Overview {
    fn name(&self) -> &'static str {
        "overview"
    }

    fn compute(&self, picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
        let page = overview::page(picture);
        let mut drafts = badges(&page.0)?;
        drafts.extend(embeds(&page.0));
        drafts.extend(feeds(picture)?);
        drafts.extend(checks(picture)?);
        let document = status::document(&page.0, &picture.at(picture.capture.now));
        drafts.push(Draft { key: "status".to_owned(), data: document.into_bytes(), window: None });
        drafts.extend([
            draft("primary".to_owned(), &mirror::primary(picture))?,
            draft("observer".to_owned(), &overview::observer(picture))?,
            draft("events".to_owned(), &event::events(picture))?,
            draft("incidents".to_owned(), &incidents::page(picture))?,
            draft("best".to_owned(), &best::page(picture, Purpose::Stream))?,
            draft("best?purpose=resolve".to_owned(), &best::page(picture, Purpose::Resolve))?,
            Draft { key: "mirrorlist.txt".to_owned(), data: best::list(picture).into_bytes(), window: None },
            draft("internals".to_owned(), &internals::page(picture))?,
            draft("methodology".to_owned(), &methodology::page(picture))?,
            // What it leads to is there by the time that it is: pages are published in this order.
            windowed("overview".to_owned(), &page)?,
        ]);
        Ok(drafts)
    }
}

/// What monitors ask of every mirror.
fn checks(picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
    let checks = (0..picture.mirrors.len()).filter_map(|m| Check::of(picture, m));
    checks.map(|check| draft(format!("mirrors/{}/check", check.id), &check)).collect()
}

/// The documents for other sites that show how a mirror is now.
fn embeds(overview: &Value) -> Vec<Draft> {
    let rows = overview["mirrors"].as_array().into_iter().flatten();
    let of = |row: &Value| {
        let id = row["id"].as_str().unwrap_or_default().to_owned();
        EmbedKind::OF_ROW.map(|kind| {
            let document = embed::of_row(kind, row);
            Draft { key: format!("embed/{id}/{}", kind.name()), data: document.into_bytes(), window: None }
        })
    };
    rows.flat_map(of).collect()
}

/// The feeds of what happened.
fn feeds(picture: &Picture) -> Result<Vec<Draft>, ComputeError> {
    let mut drafts = Vec::new();
    for kind in FeedKind::ALL {
        let feed = Feed::of(kind, picture);
        let key = |format: &str| format!("feeds/{}.{format}", kind.name());
        drafts.push(Draft { key: key("atom"), data: feed.atom().into_bytes(), window: None });
        drafts.push(draft(key("json"), &feed.json())?);
    }
    Ok(drafts)
}

/// The badges of every mirror of the overview.
fn badges(overview: &Value) -> Result<Vec<Draft>, ComputeError> {
    let mut drafts = Vec::new();
    for row in overview["mirrors"].as_array().into_iter().flatten() {
        let id = row["id"].as_str().unwrap_or_default();
        for kind in BadgeKind::ALL {
            let badge = Badge::of(kind, row);
            let key = |format: &str| format!("badge/{id}/{}.{format}", kind.name());
            drafts.push(Draft { key: key("svg"), data: badge.svg().into_bytes(), window: None });
            drafts.push(draft(key("json"), &badge.json())?);
        }
    }
    Ok(drafts)
}
