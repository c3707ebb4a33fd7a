//! Bytes that no message explains: endless fragments, floods of pings.

use crate::ports::stream_reader::{Arrived, Payload};

/// Bytes around a message that are not counted: its head and its share of the encryption.
const AROUND_BYTES: u64 = 128;
/// Fewer bytes than these are not worth telling: the rest of a message that is under way.
const TOLD_FROM_BYTES: u64 = 512 * 1024;

/// Counts them.
#[derive(Debug, Default)]
pub(super) struct Noise {
    /// Bytes read by the last look.
    seen: u64,
    /// Bytes that no message has explained so far.
    unexplained: u64,
}

impl Noise {
    /// How many bytes brought nothing, when `read` were read in all and these messages came since the last look.
    pub(super) fn of(&mut self, read: u64, messages: &[Arrived]) -> u64 {
        let explained: u64 = messages.iter().map(|m| len(&m.payload) + AROUND_BYTES).sum();
        self.unexplained = (self.unexplained + read.saturating_sub(self.seen)).saturating_sub(explained);
        self.seen = read;
        if self.unexplained < TOLD_FROM_BYTES {
            return 0;
        }
        std::mem::take(&mut self.unexplained)
    }
}

fn len(payload: &Payload) -> u64 {
    match payload {
        Payload::Text(text) => text.len() as u64,
        Payload::Binary(bytes) => *bytes as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Tau;

    #[test]
    fn messages_explain_their_bytes_and_the_rest_is_told_in_lumps() {
        let mut noise = Noise::default();
        let message = Arrived { at: Tau(0), payload: Payload::Binary(100_000) };
        assert_eq!(noise.of(65_536, &[]), 0, "the rest of the message may follow");
        assert_eq!(noise.of(100_014, std::slice::from_ref(&message)), 0);
        for looks in 1..8 {
            assert_eq!(noise.of(100_014 + looks * 65_536, &[]), 0);
        }
        assert_eq!(noise.of(100_014 + 8 * 65_536, &[]), 524_288);
        assert_eq!(noise.of(100_014 + 8 * 65_536, &[]), 0, "told once");
    }
}
