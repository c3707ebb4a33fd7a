//! Base32 in lower case without padding, the alphabet of DIDs and CIDs.
//!
//! Decoding is strict: another character, another length or a trailing bit that is not zero is refused, so that each
//! value has one spelling only.

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Above every digit, and no two digits together reach it.
const NOT_A_DIGIT: u8 = 32;

/// Decodes `text` into exactly `out`; false when it is not the one spelling of a value of that length.
pub(crate) fn decode(text: &[u8], out: &mut [u8]) -> bool {
    if text.len() != encoded_len(out.len()) {
        return false;
    }
    // Eight characters make five bytes; `seen` gathers every digit, so that one test finds a wrong character.
    let mut seen = 0;
    let mut bits_of = |characters: &[u8]| {
        let bits = characters.iter().fold(0_u64, |bits, &character| {
            let digit = digit(character);
            seen |= digit;
            (bits << 5) | u64::from(digit & 31)
        });
        bits << (64 - 5 * characters.len())
    };
    // Whole groups have a length that the compiler knows, and so no loop.
    let (groups, rest) = text.as_chunks::<8>();
    let (whole, last) = out.split_at_mut(5 * groups.len());
    for (group, bytes) in groups.iter().zip(whole.as_chunks_mut::<5>().0) {
        let [b0, b1, b2, b3, b4, ..] = bits_of(group).to_be_bytes();
        *bytes = [b0, b1, b2, b3, b4];
    }
    let mut spare_bits = 0;
    if !rest.is_empty() {
        let bits = bits_of(rest);
        last.iter_mut().zip(bits.to_be_bytes()).for_each(|(to, from)| *to = from);
        spare_bits = bits << (8 * last.len());
    }
    seen < NOT_A_DIGIT && spare_bits == 0
}

/// Encodes `bytes` into `out` from its start and returns what was written; `out` must hold [`encoded_len`] bytes.
pub(crate) fn encode<'o>(bytes: &[u8], out: &'o mut [u8]) -> &'o str {
    let mut bits: u32 = 0;
    let mut held = 0;
    let mut written = 0;
    let mut slots = out.iter_mut();
    let mut put = |index: u32| {
        if let (Some(slot), Some(character)) = (slots.next(), ALPHABET.get((index & 31) as usize)) {
            *slot = *character;
            written += 1;
        }
    };
    for &byte in bytes {
        bits = (bits << 8) | u32::from(byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            put(bits >> held);
        }
    }
    if held > 0 {
        put(bits << (5 - held));
    }
    out.get(..written).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
}

/// Characters that `bytes` bytes take.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

/// Value of one character; [`NOT_A_DIGIT`] for one outside the alphabet.
const fn digit(character: u8) -> u8 {
    #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
    DIGITS[character as usize]
}

const DIGITS: [u8; 256] = {
    let mut digits = [NOT_A_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks it")]
        {
            digits[ALPHABET[value] as usize] = value as u8;
        }
        value += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_agree_and_other_spellings_are_refused() {
        for length in [0, 1, 4, 5, 15, 36] {
            let bytes: Vec<u8> = (0..length).map(|n| (n * 37 + 11) as u8).collect();
            let mut text = vec![0; encoded_len(bytes.len())];
            let text = encode(&bytes, &mut text).to_owned();
            let mut back = vec![0; bytes.len()];
            assert!(decode(text.as_bytes(), &mut back));
            assert_eq!(back, bytes);
            if length > 0 {
                assert!(!decode(text.to_uppercase().as_bytes(), &mut back));
                assert!(!decode(format!("{text}a").as_bytes(), &mut back));
                assert!(!decode(format!("1{}", &text[1..]).as_bytes(), &mut back));
            }
        }
        // RFC 4648, section 10, in lower case and without padding.
        assert_eq!(encode(b"foobar", &mut [0; 10]), "mzxw6ytboi");
        // The last character of one byte has two spare bits.
        assert!(decode(b"me", &mut [0]));
        assert!(!decode(b"mf", &mut [0]));
    }
}
