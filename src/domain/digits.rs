//! Large numbers for people.

/// `n` with `separator` between groups of three digits, as `81,200,113`.
#[must_use]
pub fn in_groups(n: u64, separator: &str) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push_str(separator);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_threes() {
        let shown: Vec<_> = [0, 999, 1_000, 812_345, 81_200_113].map(|n| in_groups(n, ",")).into();
        assert_eq!(shown, ["0", "999", "1,000", "812,345", "81,200,113"]);
    }
}
