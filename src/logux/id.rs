//! The name of an action: when it was made, by which node, and a counter; in the spellings of protocols 5 and 7.
//!
//! Kept is the lossless form of 5, `"<ms> <node> <counter>"`. In 7 a counter has no place; one that is not 0 comes from a node
//! that speaks 5, and travels as a suffix of the node's name, `~<counter>`.

use std::fmt;

/// Digits of protocol 7, in the order of their bytes.
const ALPHABET: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
/// The first number that JavaScript does not tell from its neighbour.
const NUMBER_END: u64 = 1 << 53;
/// Longest name of a node, bytes.
pub const NODE_BYTES_MAX: usize = 200;

/// See the module's words.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ActionId {
    /// Milliseconds since 1970, by the clock of the node that made it.
    pub ms: u64,
    /// The node that made it.
    pub node: String,
    /// Tells apart what one node made in one millisecond.
    pub counter: u64,
}

/// Whether a node may have this name: something, without a space, not too long.
#[must_use]
pub fn is_node_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NODE_BYTES_MAX && !name.contains(' ')
}

/// The client that a node's name names: user and client, without the tab.
#[must_use]
pub fn client_of(node: &str) -> &str {
    let end = node.match_indices(':').nth(1).map_or(node.len(), |(at, _)| at);
    node.get(..end).unwrap_or(node)
}

impl ActionId {
    /// The id of these parts, when they can be one.
    #[must_use]
    pub fn new(ms: f64, node: &str, counter: f64) -> Option<ActionId> {
        let is_number = |n: f64| (0.0..NUMBER_END as f64).contains(&n);
        let is_legal = is_number(ms) && is_number(counter) && is_node_name(node);
        is_legal.then(|| ActionId { ms: ms as u64, node: node.to_owned(), counter: counter as u64 })
    }

    /// The id that a text of protocol 7 names; one without a node is `sender`'s.
    #[must_use]
    pub fn from_seven(text: &str, sender: &str) -> Option<ActionId> {
        let (time, name) = text.split_once(' ').unwrap_or((text, sender));
        let ms = from_compat(time)?;
        let (node, counter) = match name.rsplit_once('~') {
            Some((node, digits)) if is_counter(digits) => (node, digits.parse::<u64>().ok()?),
            _ => (name, 0),
        };
        ActionId::new(ms as f64, node, counter as f64)
    }

    /// As protocol 7 writes it.
    #[must_use]
    pub fn to_seven(&self) -> String {
        let suffix = if self.counter == 0 { String::new() } else { format!("~{}", self.counter) };
        format!("{} {}{suffix}", to_compat(self.ms), self.node)
    }

    /// The id that a text in the form that is kept, which is that of protocol 5, names.
    #[must_use]
    pub fn from_five(text: &str) -> Option<ActionId> {
        let mut parts = text.split(' ');
        let (ms, node, counter) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = parts.next().is_none();
        let (ms, counter) = (ms.parse::<u64>().ok()?, counter.parse::<u64>().ok()?);
        is_whole.then_some(())?;
        ActionId::new(ms as f64, node, counter as f64)
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.ms, self.node, self.counter)
    }
}

fn is_counter(digits: &str) -> bool {
    digits.bytes().all(|digit| digit.is_ascii_digit()) && !digits.is_empty() && !digits.starts_with('0')
}

/// A number in base 64, most significant digit first, without padding.
#[must_use]
pub fn to_compat(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(ALPHABET.get((number % 64) as usize).copied().unwrap_or(b'-'));
        number /= 64;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

/// The number that [`to_compat`] wrote; `None` for another character, nothing, or too large a number.
#[must_use]
pub fn from_compat(text: &str) -> Option<u64> {
    let mut number: u64 = 0;
    for digit in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == digit)? as u64;
        number = number.checked_mul(64)?.checked_add(value)?;
    }
    (!text.is_empty() && number < NUMBER_END).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_spellings() {
        // As npm's @logux/core 0.12 has them.
        for (number, text) in [(0, "-"), (1, "0"), (63, "z"), (64, "0-"), (1_700_000_000_000, "NjEtLV-")] {
            assert_eq!(to_compat(number), text);
            assert_eq!(from_compat(text), Some(number));
        }
        let id = ActionId::from_five("1700000000000 10:client:tab 0").unwrap();
        assert_eq!(id.to_seven(), "NjEtLV- 10:client:tab");
        assert_eq!(ActionId::from_five("1 a 7").unwrap().to_seven(), "0 a~7");
        assert_eq!(ActionId::from_seven("0", "a:b").unwrap().to_string(), "1 a:b 0");
        for bad in ["", " a", "0 ", "0 a b", "! a", "zzzzzzzzzz a", "0 ~1"] {
            assert_eq!(ActionId::from_seven(bad, "x"), None, "{bad:?}");
        }
        for bad in ["", "1 a", "1 a 0 0", "-1 a 0", "1.5 a 0", "x a 0", "9007199254740992 a 0"] {
            assert_eq!(ActionId::from_five(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_client_is_user_and_client_without_the_tab() {
        for (node, client) in [("u:c:t", "u:c"), ("u:c:t:x", "u:c"), ("u:c", "u:c"), ("u", "u"), ("", "")] {
            assert_eq!(client_of(node), client);
        }
    }

    proptest! {
        #[test]
        fn no_spelling_loses_anything(ms in 0..NUMBER_END, node in "[a-z:~0-9]{0,5}[a-z]", counter in 0_u64..100) {
            let id = ActionId { ms, node, counter };
            prop_assert_eq!(ActionId::from_five(&id.to_string()), Some(id.clone()));
            prop_assert_eq!(ActionId::from_seven(&id.to_seven(), "other"), Some(id));
        }
    }
}
