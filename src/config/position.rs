//! Where each key of a JSON text stands.
//!
//! The parser of the layers keeps values and drops positions; this walks the same text once more and notes, for every
//! key and every element of a list, its line. It runs only on text that the parser has accepted, so that it needs no
//! errors of its own: what it cannot follow, it leaves out.

use std::collections::HashMap;

/// One key or one element of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Path of the object or list that it stands in, empty at the top; as `mirrors[2]`.
    pub container: String,
    /// The key; `None` for an element of a list.
    pub key: Option<String>,
    /// Path of the entry itself, as `mirrors[2].url`.
    pub path: String,
    /// Line of the key or of the element's first character, from 1.
    pub line: u32,
}

/// Entries of one file that are looked at: several times what the largest configuration has.
pub(super) const ENTRIES_MAX: usize = 50_000;
/// Levels that are looked at. No key stands so deep, so that what lies below hangs on a key that is unknown already.
const DEPTH_MAX: usize = 8;
/// Characters of a key in a path; every known key is shorter.
const KEY_CHARS_MAX: usize = 80;

/// The entries of `text`, in the order of the text; the first [`ENTRIES_MAX`] of them.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let mut scanner = Scanner { text, at: 0, line: 1, depth: 0, entries: Vec::new() };
    scanner.value("");
    scanner.entries
}

/// Line of each path; of its last entry where it stands twice.
pub(super) type Lines = HashMap<String, u32>;

/// The lines of `entries`.
pub(super) fn lines(entries: &[Entry]) -> Lines {
    entries.iter().map(|entry| (entry.path.clone(), entry.line)).collect()
}

/// Line of the entry `path`, or of the nearest one around it; `None` when the file says nothing of it.
pub(super) fn line_of(lines: &Lines, path: &str) -> Option<u32> {
    let mut path = path;
    loop {
        if let Some(line) = lines.get(path) {
            return Some(*line);
        }
        path = path.get(..path.rfind(['.', '['])?)?;
    }
}

/// The path of `key` in `container`.
pub(super) fn join(container: &str, key: &str) -> String {
    let end = key.char_indices().nth(KEY_CHARS_MAX).map(|(end, _)| end);
    // A key that is cut here is none of those that are known, and stays so.
    let (key, cut) = end.and_then(|end| key.get(..end)).map_or((key, ""), |key| (key, "…"));
    if container.is_empty() { format!("{key}{cut}") } else { format!("{container}.{key}{cut}") }
}

struct Scanner<'a> {
    text: &'a str,
    /// Byte offset of the next character.
    at: usize,
    /// Line of the next character, from 1.
    line: u32,
    /// Objects and lists around the next character.
    depth: usize,
    entries: Vec<Entry>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
        }
        Some(byte)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.bump();
        }
    }

    /// Passes a string and returns what it says.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.bump();
        loop {
            match self.bump()? {
                b'\\' => {
                    self.bump();
                }
                b'"' => break,
                _ => {}
            }
        }
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }

    /// Passes a value; its depth is bounded by the parser's own limit of 128.
    fn value(&mut self, path: &str) {
        self.skip_space();
        self.depth += 1;
        match self.peek() {
            Some(b'{') => self.object(path),
            Some(b'[') => self.list(path),
            Some(b'"') => {
                self.string();
            }
            _ => {
                while !matches!(self.peek(), None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')) {
                    self.bump();
                }
            }
        }
        self.depth -= 1;
    }

    /// Notes an entry of `container` and passes its value.
    fn entry(&mut self, container: &str, key: Option<String>, index: usize, line: u32) {
        if self.entries.len() >= ENTRIES_MAX {
            self.at = self.text.len();
            return;
        }
        if self.depth > DEPTH_MAX {
            return self.value(container);
        }
        let path = key.as_ref().map_or_else(|| format!("{container}[{index}]"), |key| join(container, key));
        self.entries.push(Entry { container: container.to_owned(), key, path: path.clone(), line });
        self.value(&path);
    }

    fn object(&mut self, container: &str) {
        self.bump();
        loop {
            self.skip_space();
            match self.peek() {
                Some(b',') => {
                    self.bump();
                }
                Some(b'"') => {
                    let line = self.line;
                    let Some(key) = self.string() else { return };
                    self.skip_space();
                    self.bump();
                    self.entry(container, Some(key), 0, line);
                }
                _ => {
                    self.bump();
                    return;
                }
            }
        }
    }

    fn list(&mut self, container: &str) {
        self.bump();
        let mut index = 0_usize;
        loop {
            self.skip_space();
            match self.peek() {
                Some(b',') => {
                    self.bump();
                }
                None | Some(b']') => {
                    self.bump();
                    return;
                }
                Some(_) => {
                    self.entry(container, None, index, self.line);
                    index += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\n  \"listen\": \"127.0.0.1:1\",\n  \"mirrors\": [\n    { \"url\": \"wss://a\" },\n    {\n      \
                        \"na\\u006de\": \"b\\\"}]\",\n      \"url\": \"wss://b\"\n    }\n  ],\n  \"rtt\": {}, \"x\": [1, \
                        [true]]\n}\n";

    #[test]
    fn every_entry_has_its_line() {
        serde_json::from_str::<serde_json::Value>(TEXT).unwrap();
        let found: Vec<(String, u32)> = entries(TEXT).into_iter().map(|entry| (entry.path, entry.line)).collect();
        let expected = [
            ("listen", 2),
            ("mirrors", 3),
            ("mirrors[0]", 4),
            ("mirrors[0].url", 4),
            ("mirrors[1]", 5),
            ("mirrors[1].name", 6),
            ("mirrors[1].url", 7),
            ("rtt", 10),
            ("x", 10),
            ("x[0]", 10),
            ("x[1]", 10),
            ("x[1][0]", 10),
        ];
        assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
    }

    #[test]
    fn an_absent_key_has_the_line_of_what_it_is_missing_from() {
        let lines = lines(&entries(TEXT));
        assert_eq!(line_of(&lines, "mirrors[1].url"), Some(7));
        assert_eq!(line_of(&lines, "mirrors[1].transport"), Some(5));
        assert_eq!(line_of(&lines, "rtt.timeoutSeconds"), Some(10));
        assert_eq!(line_of(&lines, "judging.graceSeconds"), None);
    }

    #[test]
    fn what_is_noted_is_bounded_whatever_the_text() {
        let bytes = |text: &str| entries(text).iter().map(|e| e.path.len() + e.container.len()).sum::<usize>();
        let elements = vec!["1"; 300_000].join(",");
        let long_key = format!("{{\"{}\":[{elements}]}}", "k".repeat(400_000));
        let deep = format!("{}{elements}{}", "{\"k\":[".repeat(60), "]}".repeat(60));
        for text in [long_key, deep] {
            assert!(entries(&text).len() <= ENTRIES_MAX && bytes(&text) < 16 << 20, "{} bytes", bytes(&text));
        }
        let long = entries(&format!("{{\"{}\":{{\"a\":1}}}}", "é".repeat(100)));
        assert_eq!(long[1].path, format!("{}….a", "é".repeat(80)));
    }

    #[test]
    fn damaged_text_ends_the_scan_quietly() {
        for cut in 0..TEXT.len() {
            entries(&TEXT[..cut]);
        }
        entries("{\"a\" \"b\" :: ]]");
    }
}
