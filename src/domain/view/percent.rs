//! Shares as people read them: the same digits as on the page (`web/src/format.ts`).

/// More decimals say nothing: the pages round shares to six digits.
const DECIMALS_MAX: u32 = 4;

/// A share of one of `n` observations, with no more digits than they bear, rounded to the nearest; one that is not whole never
/// reads 100 %, and one that is not nothing never 0 %.
#[must_use]
pub fn percent(ratio: f64, n: u64) -> String {
    if ratio >= 1.0 {
        return "100 %".to_owned();
    }
    if ratio <= 0.0 {
        return "0 %".to_owned();
    }
    let decimals = n.checked_ilog10().unwrap_or(0).saturating_sub(2).min(DECIMALS_MAX);
    let scale = 10_u64.pow(decimals);
    let steps = snapped(ratio * 100.0 * scale as f64).round() as u64;
    let text = |steps: u64| match decimals {
        0 => format!("{steps} %"),
        _ => format!("{}.{:0width$} %", steps / scale, steps % scale, width = decimals as usize),
    };
    match steps {
        0 => format!("< {}", text(1)),
        _ => text(steps.min(100 * scale - 1)),
    }
}

/// Cut to the twelve digits that a product of two can carry, so that no binary neighbour decides: 0.58 is exactly 58 %.
fn snapped(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_read_as_on_the_page() {
        for (ratio, n, text) in [
            (0.999_81, 21_480, "99.98 %"),
            (299.0 / 300.0, 300, "99 %"),
            (0.999_999, 21_480, "99.99 %"),
            (0.9, 7, "90 %"),
            (1.0, 3, "100 %"),
            (0.0, 300, "0 %"),
            (0.000_1, 300, "< 1 %"),
            (0.991_15, 10_000, "99.12 %"),
            (0.29, 10_000, "29.00 %"),
            (0.58, 100, "58 %"),
            (0.58, 1_000, "58.0 %"),
            (0.123_456_789, 10_000_000, "12.3457 %"),
            (0.5, 0, "50 %"),
        ] {
            assert_eq!(percent(ratio, n), text, "{ratio} of {n}");
        }
    }

    /// The same in whole numbers.
    fn exact(have: u64, n: u64) -> String {
        let decimals = (n.to_string().len() - 1).saturating_sub(2).min(4);
        let scale = 10_u64.pow(decimals as u32);
        let steps = (200 * have * scale + n) / (2 * n);
        let digits = |steps: u64| {
            let text = format!("{steps:0width$}", width = decimals + 1);
            let (whole, rest) = text.split_at(text.len() - decimals);
            if rest.is_empty() { format!("{whole} %") } else { format!("{whole}.{rest} %") }
        };
        match have {
            0 => "0 %".to_owned(),
            _ if have == n => "100 %".to_owned(),
            _ if steps == 0 => format!("< {}", digits(1)),
            _ => digits(steps.min(100 * scale - 1)),
        }
    }

    proptest! {
        #[test]
        fn no_binary_fraction_decides(n in prop_oneof![1..2_000_u64, 1..500_000_u64], part in 0.0..=1.0_f64) {
            let have = (n as f64 * part).round() as u64;
            prop_assert_eq!(percent(have as f64 / n as f64, n), exact(have, n), "{} of {}", have, n);
        }
    }

    #[test]
    fn every_share_of_few() {
        for n in 1..=400 {
            for have in 0..=n {
                assert_eq!(percent(have as f64 / n as f64, n), exact(have, n), "{have} of {n}");
            }
        }
    }
}
