//! Answers about any time of the past: what memory holds, with what only the store has.
//!
//! The store is read in pages, off the workers: whoever writes waits for one page at most, and nothing is read for who has
//! gone.

use super::details::{gone, provisional, source};
use crate::domain::interval::{Interval, Status};
use crate::domain::ledger::capture::WindowFigures;
use crate::domain::ledger::saved::{SavedRows, assemble};
use crate::domain::past::{Keeping, Past, Spans, Stretch, TimeRange, first_of, put};
use crate::domain::resolution::Resolution;
use crate::domain::view::{Picture, coverage, history, lag, windows};
use crate::http::detail::DetailError;
use crate::http::past::PastQuestion;
use crate::http::range::Asked;
use crate::ports::store::{IntervalQuery, PrunePlan, SharedStore, Store, StoreError, Tier};
use crate::publish::{WindowMeta, WindowStatus};
use serde_json::Value;
use std::sync::{Arc, PoisonError};
use tokio_util::sync::CancellationToken;

/// What is kept of the past.
#[derive(Clone)]
pub struct Archive {
    /// Where it is kept.
    pub store: SharedStore,
    /// What may be forgotten.
    pub plan: Arc<dyn Fn() -> PrunePlan + Send + Sync>,
}

impl Archive {
    /// The answer to a question about the past, with the time that it covers. Blocks; ends when nobody waits for it any
    /// more, as `left` tells.
    ///
    /// # Errors
    /// [`DetailError`], as the question has it.
    pub(super) fn answer(
        &self,
        picture: &Picture,
        question: &PastQuestion,
        left: &CancellationToken,
    ) -> Result<(Value, WindowMeta), DetailError> {
        let figures = |range| self.figures(picture, range, left);
        match question {
            PastQuestion::Windows { id, query } => {
                let m = mirror(picture, id)?;
                let too_many = |e: windows::TooMany| DetailError::TooManyWindows { asked: e.asked };
                let stretch = query.stretch(&picture.capture).map_err(too_many)?;
                let past = self.past(picture, (&stretch, Some(id)), left)?;
                Ok(shown(picture, &stretch, windows::page(picture, m, &stretch, &past)))
            }
            PastQuestion::MirrorLag { id, asked } => {
                let m = mirror(picture, id)?;
                let figures = match asked {
                    Asked::Window(window) => picture.capture.window(*window),
                    Asked::Range(range) => figures(*range)?,
                };
                let data = lag::mirror(picture, m, &figures).ok_or_else(gone)?;
                Ok((data, window_of(picture, &figures)))
            }
            PastQuestion::Coverage(range) => {
                let figures = figures(*range)?;
                Ok((coverage::page(picture, &figures).0, window_of(picture, &figures)))
            }
            PastQuestion::Lag(range) => {
                let figures = figures(*range)?;
                Ok((lag::page(picture, &figures).0, window_of(picture, &figures)))
            }
            PastQuestion::History(range) => {
                let stretch = history::stretch(&picture.capture, *range, &self.keeping(picture));
                let past = self.past(picture, (&stretch, None), left)?;
                Ok(shown(picture, &stretch, history::of_stretch(picture, &stretch, &past)))
            }
        }
    }

    /// How long spans are kept, and since when memory has any.
    fn keeping(&self, picture: &Picture) -> Keeping {
        let plan = (self.plan)();
        Keeping {
            intervals_from_ms: plan.intervals_before_ms,
            hours_from_ms: plan.hours_before_ms,
            days_from_ms: plan.days_before_ms,
            first_ms: picture.capture.first_ms(),
        }
    }

    /// Since when the store has any span.
    fn first_ms(&self, picture: &Picture) -> Result<Option<i64>, DetailError> {
        let first = |tier: Tier| read(&self.store, |store| store.first_interval_ms(tier));
        let firsts = [first(Tier::Day)?, first(Tier::Hour)?, first(Tier::Interval)?];
        Ok(first_of(firsts, picture.capture.params.interval_ms))
    }

    /// What only the store has of a stretch: of one mirror, or of all. Where memory has all of it, the store is not asked.
    fn past(
        &self,
        picture: &Picture,
        (stretch, source): (&Stretch, Option<&str>),
        left: &CancellationToken,
    ) -> Result<Past, DetailError> {
        let mut past = Past { spans: Spans::new(), keeping: self.keeping(picture) };
        if let Some(beyond) = picture.capture.beyond(stretch) {
            self.read_all(picture, (&beyond, source), left, |number, span| put(&mut past.spans, number, span))?;
            past.keeping.first_ms = past.keeping.first_ms.into_iter().chain(self.first_ms(picture)?).min();
        }
        Ok(past)
    }

    /// The figures of a range, added up.
    fn figures(
        &self,
        picture: &Picture,
        range: TimeRange,
        left: &CancellationToken,
    ) -> Result<WindowFigures, DetailError> {
        let (mut gathered, beyond) = picture.capture.gather(range, &self.keeping(picture));
        for stretch in &beyond {
            self.read_all(picture, (stretch, None), left, |_, span| gathered.add(&span))?;
        }
        Ok(gathered.figures())
    }

    /// Hands over every span of a stretch that the store has, by number, oldest first.
    fn read_all(
        &self,
        picture: &Picture,
        (stretch, source): (&Stretch, Option<&str>),
        left: &CancellationToken,
        mut take: impl FnMut(i64, Interval),
    ) -> Result<(), DetailError> {
        let ids: Vec<String> = picture.mirrors.iter().map(|info| info.id.clone()).collect();
        let interval_ms = picture.capture.params.interval_ms;
        let step_ms = stretch.resolution.step_ms(interval_ms);
        let (from_ms, to_ms) = stretch.bounds_ms(interval_ms);
        let (tier, source) = (tier(stretch.resolution), source.map(str::to_owned));
        let mut rows = SavedRows::default();
        let mut wanted = Some(IntervalQuery { tier, from_ms, to_ms, source, after: None });
        while let Some(query) = wanted {
            if left.is_cancelled() {
                return Err(DetailError::Overloaded);
            }
            let page = read(&self.store, |store| store.intervals_page(&query))?;
            wanted = query.next(&page);
            for row in page {
                rows.add(row.start_ms, row.source, &row.blob);
            }
            // The rows of the last span may go on in the next page.
            let begun = wanted.as_ref().and_then(|next| next.after.as_ref()).map_or(i64::MAX, |after| after.0);
            for saved in rows.take_before(begun) {
                take(saved.start_ms.div_euclid(step_ms), assemble(&saved, &ids));
            }
        }
        if rows.unreadable() > 0 {
            tracing::warn!(rows = rows.unreadable(), "intervals that are kept cannot be read");
        }
        Ok(())
    }
}

/// Reads the store, which is closed only when everything ends.
fn read<T>(store: &SharedStore, work: impl FnOnce(&mut dyn Store) -> Result<T, StoreError>) -> Result<T, DetailError> {
    let mut guard = store.lock().unwrap_or_else(PoisonError::into_inner);
    let store = guard.as_mut().ok_or(DetailError::Overloaded)?;
    work(store.as_mut()).map_err(|error| DetailError::Internal(error.to_string()))
}

const fn tier(resolution: Resolution) -> Tier {
    match resolution {
        Resolution::Interval => Tier::Interval,
        Resolution::Hour => Tier::Hour,
        Resolution::Day => Tier::Day,
    }
}

/// The index of a mirror.
fn mirror(picture: &Picture, id: &str) -> Result<usize, DetailError> {
    source(picture, id)?.mirror_index().ok_or_else(gone)
}

/// A page of a stretch, with its bounds.
fn shown(picture: &Picture, stretch: &Stretch, data: Value) -> (Value, WindowMeta) {
    (data, provisional(stretch.bounds_ms(picture.capture.params.interval_ms)))
}

/// The time of figures, as settled as the least settled of its parts.
fn window_of(picture: &Picture, figures: &WindowFigures) -> WindowMeta {
    let now_ms = picture.capture.labels.utc_ms(picture.capture.now);
    let status = match figures.interval.status {
        // The open interval is no part before its first operation.
        _ if figures.to_ms > now_ms => WindowStatus::Provisional,
        Status::Open | Status::Settling => WindowStatus::Provisional,
        Status::Final => WindowStatus::Final,
        Status::Revised => WindowStatus::Revised,
    };
    WindowMeta { from_at_ms: figures.from_ms, to_at_ms: figures.to_ms, status }
}
