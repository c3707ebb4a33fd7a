//! Makes inputs from those of a corpus: changes what JSON, queries and lines are made of, puts poison in, and mends the
//! identity of operations now and then, so that changed ones are accepted too.

use super::properties::{Entries, cid_of};
use mirrorwatch::domain::did::Did;

/// Most changes of one input.
const CHANGES_MAX: u64 = 4;
/// Largest input that is made, bytes.
const BYTES_MAX: usize = 64 << 10;

/// What readers stumble over.
const POISON: &[&str] = &[
    "null",
    "true",
    "0",
    "-0",
    "-1",
    "1e999",
    "1.5",
    "1e3",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551616",
    "01",
    "\"\"",
    "\"__proto__\"",
    "\"constructor\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"\u{202e}\"",
    "\"\u{2028}\"",
    "\"\u{feff}\"",
    "\"\u{7f}\"",
    "\"\u{85}\"",
    "\"é\"",
    "\"\\\"\"",
    "\"<script>alert(1)</script>\"",
    "[]",
    "{}",
    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
    "{\"a\":1,\"a\":2}",
    "{\"\":{}}",
    "\"2026-02-29T00:00:00Z\"",
    "\"2026-06-30T23:59:60.000Z\"",
    "\"-009999-01-01T00:00:00Z\"",
    "\"9999-12-31T23:59:59.999Z\"",
    "\"0000-01-01T00:00:00.000+00:00\"",
    "\"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa\"",
    "\"did:web:example.org\"",
    "\"wss://user:hunter2hunter2@plc.example.org\"",
    "\"ws://127.0.0.1:2582\"",
    "\"wss://[::1]?token=hunter2hunter2\"",
    "\"hunter2hunter2hunter2\"",
    "\"nullified\"",
    "\"created_at\"",
    "\"sequenced_op\"",
    "\"identity\"",
    "\"plc_tombstone\"",
    "&",
    "=",
    "%00",
    "%e2%80%ae",
    "%ff",
    "+",
    "&limit=5",
    "&window=5y",
    "&chain=root",
    "&from=2026-11-21T02:00:00Z",
    "&to=-009999-01-02T01:59:59Z",
    "\n",
    "\u{1e}",
    ",",
    ":",
];

/// A seeded maker of inputs.
pub(super) struct Mutator {
    state: u64,
    seeds: Vec<Vec<u8>>,
}

impl Mutator {
    pub(super) fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Mutator {
        Mutator { state: seed, seeds }
    }

    /// The next input.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut input = self.seed();
        for _ in 0..=self.below(CHANGES_MAX) {
            input = match self.below(3) {
                0 => self.change_bytes(input),
                _ => self.change_tokens(&input),
            };
            input.truncate(BYTES_MAX);
        }
        if self.below(2) == 0
            && let Ok(text) = std::str::from_utf8(&input)
            && let Some(mended) = mended(text)
        {
            return mended.into_bytes();
        }
        input
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.seeds.len() as u64) as usize;
        self.seeds[at].clone()
    }

    /// A number below `limit`, by `SplitMix64`.
    fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    fn change_bytes(&mut self, mut input: Vec<u8>) -> Vec<u8> {
        let at = self.below(input.len() as u64 + 1) as usize;
        let other = self.below(256) as u8;
        match self.below(4) {
            0 => input.insert(at, other),
            1 => input.truncate(at),
            2 if at < input.len() => input[at] ^= 1 << (other % 8),
            3 if at < input.len() => {
                input.remove(at);
            }
            _ => input.push(other),
        }
        input
    }

    fn change_tokens(&mut self, input: &[u8]) -> Vec<u8> {
        let mut tokens: Vec<Vec<u8>> = tokens(input).into_iter().map(<[u8]>::to_vec).collect();
        let count = tokens.len() as u64;
        let (at, to) = (self.below(count) as usize, self.below(count) as usize);
        let length = 1 + self.below(5) as usize;
        let end = (at + length).min(tokens.len());
        match self.below(7) {
            _ if tokens.is_empty() => tokens.push(self.poison()),
            0 => tokens[at] = self.poison(),
            1 => tokens.insert(at, self.poison()),
            2 => drop(tokens.drain(at..end)),
            3 => {
                let copy = tokens[at..end].to_vec();
                tokens.splice(to..to, copy);
            }
            4 => tokens.swap(at, to),
            5 => {
                let other = self.seed();
                let others = self::tokens(&other);
                let from = self.below(others.len() as u64) as usize;
                let part = others.iter().skip(from).take(length).map(|token| token.to_vec());
                tokens.splice(at..at, part.collect::<Vec<_>>());
            }
            _ => self.change_member(&mut tokens, at),
        }
        tokens.concat()
    }

    /// Writes the member of an object that begins at or after `at` twice, or wraps its value in lists.
    fn change_member(&mut self, tokens: &mut Vec<Vec<u8>>, at: usize) {
        let Some(colon) = (at..tokens.len()).find(|place| tokens[*place] == b":") else { return };
        let (mut depth, mut end) = (0_i32, colon + 1);
        while end < tokens.len() {
            match tokens[end].as_slice() {
                b"{" | b"[" => depth += 1,
                b"}" | b"]" | b"," if depth == 0 => break,
                b"}" | b"]" => depth -= 1,
                _ => {}
            }
            end += 1;
        }
        if self.below(2) == 0 {
            let mut copy = tokens[colon.saturating_sub(1)..end].to_vec();
            copy.push(b",".to_vec());
            tokens.splice(colon.saturating_sub(1)..colon.saturating_sub(1), copy);
        } else {
            let levels = 1 + self.below(20) as usize;
            tokens.insert(end, b"]".repeat(levels));
            tokens.insert(colon + 1, b"[".repeat(levels));
        }
    }

    fn poison(&mut self) -> Vec<u8> {
        POISON[self.below(POISON.len() as u64) as usize].as_bytes().to_vec()
    }
}

/// Strings, words and single other bytes.
fn tokens(input: &[u8]) -> Vec<&[u8]> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+%".contains(byte) || *byte >= 0x80;
    let mut tokens = Vec::new();
    let mut rest = input;
    while let Some(first) = rest.first() {
        let length = match first {
            b'"' => {
                let mut escaped = true;
                let end = rest.iter().position(|byte| {
                    let ends = *byte == b'"' && !escaped;
                    // The first one begins it.
                    escaped = *byte == b'\\' && !escaped;
                    ends
                });
                end.map_or(rest.len(), |end| end + 1)
            }
            byte if is_word(byte) => rest.iter().position(|byte| !is_word(byte)).unwrap_or(rest.len()),
            _ => 1,
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// A frame, or a list of entries, with CIDs that are those of the content, and with the DID of a first operation.
fn mended(text: &str) -> Option<String> {
    if let Ok(items) = serde_json::from_str::<Vec<Box<serde_json::value::RawValue>>>(text) {
        let items: Option<Vec<String>> = items.iter().map(|item| mended_one(item.get())).collect();
        return Some(format!("[{}]", items?.join(",")));
    }
    mended_one(text)
}

fn mended_one(text: &str) -> Option<String> {
    let entries = Entries::read(text)?;
    let (cid, _) = cid_of(entries.raw("operation")?)?;
    let is_first = Entries::read(entries.raw("operation")?)?.raw("prev") == Some("null");
    let mut mended = text.replace(entries.raw("cid")?, &format!("\"{cid}\""));
    if is_first {
        mended = mended.replace(entries.raw("did")?, &format!("\"{}\"", Did::of_genesis(cid)));
    }
    Some(mended)
}
