//! Text of others on one line of ours: what a terminal, a log or a page may show of it.

/// Whether `c` shows nothing of itself and changes what stands around it: control characters, line and paragraph
/// separators, and the marks that turn the direction of text.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` on one line: cut at `limit` characters, with a blank for every character that [`is_hidden`].
#[must_use]
pub fn printable(text: &str, limit: usize) -> String {
    let mut shown: String = text.chars().take(limit).map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    if text.chars().nth(limit).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_stays_one_line_and_is_cut() {
        let long = "é".repeat(200);
        assert_eq!(printable(&long, 80).chars().count(), 81);
        assert_eq!(printable("a\u{202e}b\r\nc", 80), "a b  c");
        assert_eq!(printable("a\u{2028}b\u{61c}c\u{feff}", 80), "a b c ");
        assert_eq!(printable("日本 ok", 5), "日本 ok");
    }
}
