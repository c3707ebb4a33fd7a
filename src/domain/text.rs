//! Text of others on one line of ours: what a terminal, a log or a page may show of it.

use std::borrow::Cow;

/// Whether `c` shows nothing of itself or changes what stands around it: control characters, what has no width, line and
/// paragraph separators, and the marks that turn the direction of text.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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

/// The same without the two that XML has no characters for: what documents and feeds may show.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    printable(text, limit).replace(['\u{fffe}', '\u{ffff}'], " ")
}

/// What a spreadsheet takes for the begin of a formula when a cell begins with it, the wide forms of Japanese keyboards with
/// it; and the mark itself that is put before them, so that taking one mark away always gives what was there.
const FORMULA: [char; 13] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠', '\''];

/// `text` as a cell of a table: what might be taken for a formula has `'` before it.
#[must_use]
pub fn no_formula(text: &str) -> Cow<'_, str> {
    if text.starts_with(FORMULA) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// `text` as it may stand between tags and in attributes of HTML and SVG.
#[must_use]
pub fn html_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
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
        assert_eq!(printable("a\u{200b}b\u{2060}c", 80), "a b c");
        assert_eq!(printable("日本 ok", 5), "日本 ok");
        assert_eq!(one_line("a\u{fffe}b\nc", 80), "a b c");
    }
}
