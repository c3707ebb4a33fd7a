//! Shares and how sure they are.

/// The 95 % quantile of the normal distribution, two-sided.
const Z: f64 = 1.959_963_985;

/// Wilson's 95 % interval of `k` of `n`, as ratios; none when `n` is 0.
///
/// Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927).
#[must_use]
pub fn wilson95(k: u64, n: u64) -> Option<(f64, f64)> {
    if n == 0 {
        return None;
    }
    let (k, n) = (k as f64, n as f64);
    let p = k / n;
    let z2 = Z * Z;
    let centre = p + z2 / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    let (low, high) = ((centre - spread) / scale, (centre + spread) / scale);
    Some((if k == 0.0 { 0.0 } else { low.max(0.0) }, if (k - n).abs() < 0.5 { 1.0 } else { high.min(1.0) }))
}

/// `k / n`; none when `n` is 0.
#[must_use]
pub fn ratio(k: u64, n: u64) -> Option<f64> {
    (n > 0).then(|| k as f64 / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_share_and_known_values() {
        let (low, high) = wilson95(21_476, 21_480).unwrap();
        assert!((low - 0.999_52).abs() < 1e-5 && (high - 0.999_93).abs() < 1e-5, "{low} {high}");
        assert!(wilson95(300, 300).unwrap().1 >= 1.0);
        assert!(wilson95(0, 5).unwrap().0 <= 0.0);
        assert_eq!((wilson95(0, 0), ratio(1, 0), ratio(1, 4)), (None, None, Some(0.25)));
    }
}
