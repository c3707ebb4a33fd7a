//! `mirrorwatch diff`: two hosts' logs over a range of `createdAt`, operation by operation.
//!
//! Both logs are walked at once, each within its host's request budget; the one that is ahead waits when too much of it
//! is unmatched. What differs is written as soon as it is decided. An interrupted comparison goes on from its state file.

mod output;
mod progress;
mod saved;
mod source;
mod summary;

use super::outside::asking;
use super::run::{fail, on_system, until_interrupted};
use crate::cli::exit;
use crate::cli::hosts::{Diff, When};
use crate::domain::compare_logs::{Comparison, Difference, Line, MARGIN_MS, Outcome, Pair, Range, Side, Walk};
use crate::domain::time::{SECOND, Tau, rfc3339_ms};
use crate::ports::clock::{Clock, SystemClock};
use crate::ports::export::PAGE_OPS_MAX;
use crate::ports::export_error::ExportError;
use output::Output;
use progress::Progress;
use saved::Saved;
use source::Source;
use std::sync::Arc;
use std::time::Duration;

/// Where the range begins unless said otherwise, milliseconds before now.
const FROM_AGO_MS: i64 = 86_400_000;
/// Where it ends unless said otherwise: fresher operations are still on their way.
const TO_AGO_MS: i64 = 60_000;
/// Unmatched operations of the log that is ahead, above which it waits for the other.
const LEAD_MAX: usize = 10_000;
/// How often the state is kept.
const SAVE_EVERY_NS: i64 = 30 * SECOND;
/// Longest pause of a host that is waited for.
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// Why a comparison ended without an answer.
enum Trouble {
    /// A host could not be read; what to tell.
    Host(Side, String),
    /// The state file or the output failed; the exit code and what to tell.
    Local(u8, String),
}

impl From<(u8, String)> for Trouble {
    fn from((code, why): (u8, String)) -> Trouble {
        Trouble::Local(code, why)
    }
}

/// A comparison under way.
struct Session {
    sources: Pair<Source>,
    walks: Pair<Option<Walk>>,
    comparison: Comparison,
    output: Output,
    progress: Progress,
    clock: Arc<dyn Clock>,
    options: Diff,
    saved_at: Tau,
}

/// Compares, and answers the exit code.
#[must_use]
pub fn diff(options: &Diff) -> u8 {
    let options = options.clone();
    on_system(async move {
        let mut session = match Session::new(options) {
            Ok(session) => session,
            Err((code, why)) => return fail(&format!("mirrorwatch: {why}"), code),
        };
        let ended = tokio::select! {
            ended = session.run() => Some(ended),
            () = until_interrupted() => None,
        };
        session.progress.clear();
        match ended {
            Some(Ok(())) => session.conclude(),
            Some(Err(trouble)) => session.give_up(trouble),
            None => session.interrupted(),
        }
    })
}

impl Session {
    fn new(options: Diff) -> Result<Session, (u8, String)> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new(0).map_err(|e| (exit::SOFTWARE, format!("clock: {e}")))?);
        let kept = match &options.resume {
            Some(file) => saved::load(file)?,
            None => None,
        };
        let range = wanted_range(&options, clock.utc_ms()).map_err(|why| (exit::USAGE, why))?;
        let is_resumed = kept.is_some();
        let (walks, comparison) = match kept {
            Some(kept) => {
                let file = options.resume.as_deref().unwrap_or_else(|| "".as_ref());
                kept.check(&options, range).map_err(|why| (exit::USAGE, format!("{}: {why}", file.display())))?;
                (Pair { a: Some(kept.walks.a), b: Some(kept.walks.b) }, kept.comparison)
            }
            None => (Pair::default(), Comparison::new(range)),
        };
        let (export, _) = asking(&clock, PAUSE_MAX, |limits| limits.gate_wait_max = PAUSE_MAX)
            .map_err(|why| (exit::SOFTWARE, why))?;
        let export = Arc::new(export);
        let source = |config| Source::new(Arc::clone(&export), config, options.paging);
        Ok(Session {
            sources: Pair { a: source(&options.a), b: source(&options.b) },
            walks,
            output: Output::new(options.format, is_resumed),
            progress: Progress::new(comparison.range),
            comparison,
            saved_at: clock.now(),
            clock,
            options,
        })
    }

    /// Compares to the end.
    async fn run(&mut self) -> Result<(), Trouble> {
        self.open().await?;
        while self.step().await? {
            self.show_progress();
            if self.clock.now().since(self.saved_at) >= SAVE_EVERY_NS {
                self.save()?;
            }
        }
        let rest = self.comparison.finish();
        Ok(self.write(&rest)?)
    }

    /// Finds where each walk begins, unless it is under way.
    async fn open(&mut self) -> Result<(), Trouble> {
        let (range, now_ms) = (self.comparison.range, self.clock.utc_ms());
        let begin = async |side: Side| match self.walks.of(side) {
            Some(walk) => Ok(walk.clone()),
            None => self.sources.of(side).begin(range, now_ms).await.map_err(|why| Trouble::Host(side, why)),
        };
        let (a, b) = tokio::join!(begin(Side::A), begin(Side::B));
        self.walks = Pair { a: Some(a?), b: Some(b?) };
        Ok(())
    }

    /// Takes the next page of each log that has one and need not wait; whether there was any. Nothing is changed before
    /// all pages of the step are there.
    async fn step(&mut self) -> Result<bool, Trouble> {
        let fetch = async |side: Side| {
            let ask = match self.walks.of(side) {
                Some(walk) if !self.waits(side) => walk.ask(),
                _ => None,
            };
            match ask {
                None => Ok(None),
                Some(ask) => self.sources.of(side).page(ask, PAGE_OPS_MAX, true).await.map(Some),
            }
        };
        let (a, b) = tokio::join!(fetch(Side::A), fetch(Side::B));
        let told = |side| move |error: ExportError| Trouble::Host(side, error.text);
        let pages = [(Side::A, a.map_err(told(Side::A))?), (Side::B, b.map_err(told(Side::B))?)];
        let (mut found, mut is_any, mut trouble) = (Vec::new(), false, None);
        for (side, page) in pages {
            let (Some(page), Some(walk)) = (page, self.walks.of_mut(side)) else { continue };
            is_any = true;
            let lines: Vec<Line> = page.iter().map(|line| Line::read(line)).collect();
            let fresh = match walk.take(&lines, PAGE_OPS_MAX as usize) {
                Ok(fresh) => fresh,
                Err(error) => {
                    trouble = Some(Trouble::Host(side, error.to_string()));
                    continue;
                }
            };
            for why in lines.iter().filter_map(|line| line.item.as_ref().err()) {
                self.comparison.unreadable(side, why);
            }
            found.extend(fresh.into_iter().filter_map(|item| self.comparison.take(side, item)));
        }
        found.extend(self.comparison.decide(&self.reached()));
        self.write(&found)?;
        trouble.map_or(Ok(is_any), Err)
    }

    /// Whether `side` is ahead and has so much unmatched that the other is to catch up first.
    fn waits(&self, side: Side) -> bool {
        let reached = self.reached();
        self.comparison.held(side) > LEAD_MAX && reached.of(side) > reached.of(side.other())
    }

    /// Up to where each log was read.
    fn reached(&self) -> Pair<i64> {
        let of = |walk: &Option<Walk>| walk.as_ref().map_or(i64::MIN, Walk::reached_ms);
        Pair { a: of(&self.walks.a), b: of(&self.walks.b) }
    }

    fn write(&mut self, found: &[Difference]) -> Result<(), (u8, String)> {
        let output = &mut self.output;
        self.progress
            .aside(|| found.iter().try_for_each(|difference| output.difference(difference)))
            .map_err(|e| (exit::IO, format!("standard output: {e}")))
    }

    fn show_progress(&self) {
        let read = |walk: &Option<Walk>| walk.as_ref().map_or(0, |walk| walk.read);
        let read = Pair { a: read(&self.walks.a), b: read(&self.walks.b) };
        let reached = self.reached();
        self.progress.show(reached.a.min(reached.b), &read, self.comparison.tally.differences());
    }

    /// Keeps the state, where a file for it was given.
    fn save(&mut self) -> Result<(), (u8, String)> {
        self.saved_at = self.clock.now();
        let (Some(file), Some(a), Some(b)) = (&self.options.resume, &self.walks.a, &self.walks.b) else {
            return Ok(());
        };
        let walks = Pair { a: a.clone(), b: b.clone() };
        let state = Saved::new(&self.options, walks, self.comparison.clone());
        saved::save(file, &state)
    }

    /// Tells the result; the exit code.
    fn conclude(&mut self) -> u8 {
        let is_partial = |walk: &Walk| walk.crowded || walk.is_disordered();
        let sure = ![&self.walks.a, &self.walks.b].into_iter().flatten().any(is_partial);
        let outcome = self.comparison.outcome(sure);
        let text = summary::text(&self.comparison, &self.options, &self.walks, Some(outcome));
        if let Err(e) = self.output.summary(&text) {
            return fail(&format!("mirrorwatch: standard output: {e}"), exit::IO);
        }
        if let Some(file) = &self.options.resume
            && let Err(why) = saved::remove(file)
        {
            return fail(&format!("mirrorwatch: {why}"), exit::IO);
        }
        match outcome {
            Outcome::Same => exit::OK,
            Outcome::Differs => exit::DIFFERS,
            Outcome::CannotTell => exit::CANNOT_TELL,
        }
    }

    /// Tells why there is no result, and keeps the state for another attempt; the exit code.
    fn give_up(&mut self, trouble: Trouble) -> u8 {
        match trouble {
            Trouble::Local(code, why) => fail(&format!("mirrorwatch: {why}"), code),
            Trouble::Host(side, why) => {
                let host = match side {
                    Side::A => self.options.a.web_address(),
                    Side::B => self.options.b.web_address(),
                };
                fail(&format!("mirrorwatch: cannot tell: {} ({host}): {why}", side.name()), exit::CANNOT_TELL);
                self.stop_here()
            }
        }
    }

    /// Says how to go on after a signal; the exit code.
    fn interrupted(&mut self) -> u8 {
        fail(&"mirrorwatch: interrupted", exit::CANNOT_TELL);
        self.stop_here()
    }

    /// Keeps the state, or concludes up to where both logs were read; says how to go on.
    fn stop_here(&mut self) -> u8 {
        if self.walks.a.is_none() || self.walks.b.is_none() {
            return exit::CANNOT_TELL;
        }
        if let Some(file) = self.options.resume.clone() {
            return match self.save() {
                Ok(()) => {
                    fail(&format!("mirrorwatch: the same command goes on from {}", file.display()), exit::CANNOT_TELL)
                }
                Err((code, why)) => fail(&format!("mirrorwatch: {why}"), code),
            };
        }
        let reached = self.reached();
        let range = self.comparison.range;
        let until_ms = reached.a.min(reached.b).saturating_sub(MARGIN_MS).min(range.to_ms);
        if until_ms <= range.from_ms {
            return fail(
                &"mirrorwatch: nothing was compared yet; with --resume FILE the next time goes on",
                exit::CANNOT_TELL,
            );
        }
        let found = self.comparison.decide_before(until_ms);
        if let Err((code, why)) = self.write(&found) {
            return fail(&format!("mirrorwatch: {why}"), code);
        }
        let text = summary::text(&self.comparison, &self.options, &self.walks, None);
        if let Err(e) = self.output.summary(&text) {
            return fail(&format!("mirrorwatch: standard output: {e}"), exit::IO);
        }
        let (until, to) = (rfc3339_ms(until_ms), rfc3339_ms(range.to_ms));
        fail(&format!("mirrorwatch: compared up to {until}; go on with --from {until} --to {to}"), exit::CANNOT_TELL)
    }
}

/// The range that the options ask for at `now_ms`.
fn wanted_range(options: &Diff, now_ms: i64) -> Result<Range, String> {
    let at = |when: When| match when {
        When::At(ms) => ms,
        When::Ago(ms) => now_ms.saturating_sub(ms),
        When::Start => 0,
    };
    let to_ms = at(options.to.unwrap_or(When::Ago(TO_AGO_MS)));
    let from_ms = at(options.from.unwrap_or(When::Ago(FROM_AGO_MS)));
    if to_ms > now_ms {
        return Err(format!("--to {}: lies in the future", rfc3339_ms(to_ms)));
    }
    if from_ms >= to_ms {
        return Err(format!("--from {}: not before --to {}", rfc3339_ms(from_ms), rfc3339_ms(to_ms)));
    }
    Ok(Range { from_ms, to_ms })
}
