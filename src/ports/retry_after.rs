//! The `Retry-After` header of an HTTP answer, in both forms that it may have (RFC 9110 §10.2.3).

/// The longest wait that a server may ask for, seconds; more is cut to this, so that no header can silence the observer.
pub const RETRY_AFTER_MAX_S: u32 = 3_600;

/// Seconds to wait according to a `Retry-After` of `value`, read at `utc_ms`; `None` when it is neither a number nor a
/// date. A date that has passed is 0.
#[must_use]
pub fn retry_after_s(value: &str, utc_ms: i64) -> Option<u32> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.parse().map_or(RETRY_AFTER_MAX_S, |s: u32| s.min(RETRY_AFTER_MAX_S)));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    let left_ms = date.timestamp().as_millisecond().saturating_sub(utc_ms).max(0);
    let seconds = left_ms.saturating_add(999).div_euclid(1_000);
    Some(u32::try_from(seconds).unwrap_or(RETRY_AFTER_MAX_S).min(RETRY_AFTER_MAX_S))
}

/// The same, from an answer's headers.
#[must_use]
pub fn retry_after_of(headers: &http::HeaderMap, utc_ms: i64) -> Option<u32> {
    retry_after_s(headers.get(http::header::RETRY_AFTER)?.to_str().ok()?, utc_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_dates_and_nonsense() {
        assert_eq!(retry_after_s(" 300 ", 0), Some(300));
        assert_eq!(retry_after_s("99999999999999999999", 0), Some(RETRY_AFTER_MAX_S));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after_s(date, 784_111_777_000 - 12_500), Some(13));
        assert_eq!(retry_after_s(date, 784_111_777_000 + 5_000), Some(0));
        assert_eq!(retry_after_s(date, 0), Some(RETRY_AFTER_MAX_S));
        for nonsense in ["", "-5", "soon", "1.5"] {
            assert_eq!(retry_after_s(nonsense, 0), None, "{nonsense:?}");
        }
    }
}
