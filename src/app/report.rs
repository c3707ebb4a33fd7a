//! `mirrorwatch report`: tells an observer of an event until that says that it has it.

use super::run::{fail, on_system, until_interrupted};
use crate::cli::exit;
use crate::cli::report::Report;
use crate::config::secret_in;
use crate::ports::clock::{Clock, SystemClock};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use std::time::Duration;

/// How often it is tried again after the first time; the number and the first wait are those of gophy's client.
const RETRIES: u32 = 50;
/// The shortest wait, and the longest first one.
const FIRST_WAIT_MS: (f64, f64) = (5.0, 15.0);
/// The longest wait.
const WAIT_MAX_MS: f64 = 30_000.0;
/// Longest time for one answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 4_096;
/// Characters of an answer that are shown.
const SHOWN_CHARS: usize = 200;

/// What came of one try.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Answer {
    /// It is on disk there.
    Acknowledged,
    /// It will not be taken: the exit code and why.
    Refused(u8, String),
    /// It may be taken later.
    Later(String),
}

/// Reports an event, and answers the exit code.
#[must_use]
pub fn report(options: &Report) -> u8 {
    let options = options.clone();
    let token = match options.token_file.as_ref().map(|file| secret_in(&file.to_string_lossy())).transpose() {
        Ok(token) => token,
        Err(why) => return fail(&format!("mirrorwatch: --token-file: {why}"), exit::NO_INPUT),
    };
    on_system(async move {
        tokio::select! {
            code = told(&options, token.as_deref()) => code,
            () = until_interrupted() => fail(&"mirrorwatch: interrupted", exit::UNAVAILABLE),
        }
    })
}

async fn told(options: &Report, token: Option<&str>) -> u8 {
    let clock = match SystemClock::new(0) {
        Ok(clock) => clock,
        Err(error) => return fail(&format!("mirrorwatch: clock: {error}"), exit::SOFTWARE),
    };
    let client = match Client::builder().redirect(Policy::none()).timeout(ANSWER).build() {
        Ok(client) => client,
        Err(error) => return fail(&format!("mirrorwatch: http: {error}"), exit::SOFTWARE),
    };
    // The same at every try: whoever kept it already knows it by that.
    let time = format!("{}000000", clock.utc_ms());
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in
        [("time", &time), ("sender", &options.sender), ("eventtype", &options.event), ("message", &options.message)]
    {
        form.append_pair(name, value);
    }
    let body = form.finish();
    let send = async || {
        let mut request = client.post(options.to.clone()).body(body.clone());
        request = request.header("content-type", "application/x-www-form-urlencoded");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        match request.send().await {
            Ok(response) => answered(response).await,
            Err(error) => Answer::Later(error.without_url().to_string()),
        }
    };
    match until_acknowledged(send, rand::random).await {
        Ok(()) => exit::OK,
        Err((code, why)) => fail(&format!("mirrorwatch: report: {}: {why}", options.to), code),
    }
}

async fn answered(mut response: reqwest::Response) -> Answer {
    let status = response.status();
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    let said = crate::domain::text::printable(String::from_utf8_lossy(&body).trim(), SHOWN_CHARS);
    let why = format!("{status}: {said}");
    match status {
        StatusCode::OK if body == b"ACK" => Answer::Acknowledged,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Answer::Refused(exit::NO_PERMISSION, why),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Answer::Later(why),
        status if status.is_client_error() => Answer::Refused(exit::DATA, why),
        _ => Answer::Later(why),
    }
}

/// Tries until it is acknowledged or refused, [`RETRIES`] times again at most; `random` gives numbers in [0, 1).
async fn until_acknowledged(
    mut send: impl AsyncFnMut() -> Answer,
    mut random: impl FnMut() -> f64,
) -> Result<(), (u8, String)> {
    let mut last = String::new();
    for tries in 0..=RETRIES {
        if tries > 0 {
            tokio::time::sleep(wait(tries, random())).await;
        }
        match send().await {
            Answer::Acknowledged => return Ok(()),
            Answer::Refused(code, why) => return Err((code, why)),
            Answer::Later(why) => last = why,
        }
    }
    Err((exit::UNAVAILABLE, format!("not acknowledged after {} tries; the last: {last}", RETRIES + 1)))
}

/// The wait before the `n`-th retry: full jitter below a bound that doubles.
fn wait(n: u32, random: f64) -> Duration {
    let (low, high) = FIRST_WAIT_MS;
    let high = (high * f64::from(n.saturating_sub(1).min(30)).exp2()).min(WAIT_MAX_MS);
    Duration::from_secs_f64((low + random * (high - low)) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_51_times_with_growing_waits() {
        let (begun, tries) = (Instant::now(), Cell::new(0));
        let mut at = Vec::new();
        let send = async || {
            tries.set(tries.get() + 1);
            Answer::Later("200 OK: NAK".to_owned())
        };
        let waits: Vec<f64> = (1..=RETRIES).map(|n| wait(n, 0.5).as_secs_f64()).collect();
        let error = until_acknowledged(send, || 0.5).await.unwrap_err();
        at.push(begun.elapsed().as_secs_f64());
        assert_eq!((tries.get(), error.0), (51, exit::UNAVAILABLE));
        assert!(error.1.ends_with("after 51 tries; the last: 200 OK: NAK"), "{}", error.1);
        let sum: f64 = waits.iter().sum();
        assert!((at[0] - sum).abs() < 0.2, "{at:?} {sum}");
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn the_first_wait_is_5_to_15_ms_and_none_is_longer_than_30_s() {
        let ms = |n, random| wait(n, random).as_secs_f64() * 1_000.0;
        assert!((ms(1, 0.0) - 5.0).abs() < 1e-6 && (ms(1, 1.0) - 15.0).abs() < 1e-6);
        assert!((ms(2, 1.0) - 30.0).abs() < 1e-6);
        assert!((ms(RETRIES, 1.0) - 30_000.0).abs() < 1e-6 && ms(u32::MAX, 0.0) < 6.0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_is_not_tried_again_and_what_comes_late_is_enough() {
        let tries = Cell::new(0);
        let refused = until_acknowledged(
            async || {
                tries.set(tries.get() + 1);
                Answer::Refused(exit::NO_PERMISSION, "401".to_owned())
            },
            || 0.0,
        );
        assert_eq!((refused.await, tries.get()), (Err((exit::NO_PERMISSION, "401".to_owned())), 1));
        let tries = Cell::new(0);
        let late = until_acknowledged(
            async || {
                tries.set(tries.get() + 1);
                if tries.get() == 3 { Answer::Acknowledged } else { Answer::Later(String::new()) }
            },
            || 0.0,
        );
        assert_eq!((late.await, tries.get()), (Ok(()), 3));
    }
}
