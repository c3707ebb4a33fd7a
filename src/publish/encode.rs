//! One body in the encodings that readers ask for, made once when it is published.
//!
//! Never runs on a request: a compressing middleware would redo the same work for each reader.

use std::io::{self, Write};

use bytes::Bytes;

/// Brotli quality: level 4 costs about as much as gzip and is a little smaller.
const BROTLI_QUALITY: u32 = 4;
/// The least and the largest brotli window as powers of two: 1 KiB, and 4 MiB, the largest that every browser takes.
const BROTLI_LG_WINDOW: (u32, u32) = (10, 22);
/// Brotli's working buffer in bytes.
const BROTLI_BUFFER_BYTES: usize = 4096;

/// A body and its compressed forms. Cloning counts references only.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// As it is.
    pub identity: Bytes,
    /// RFC 1952.
    pub gzip: Bytes,
    /// RFC 7932.
    pub br: Bytes,
}

impl Encoded {
    /// Compresses `identity`; blocks for about 10 ms a megabyte.
    ///
    /// # Errors
    /// What the encoders say; none is known for writing to memory.
    pub fn new(identity: Vec<u8>) -> io::Result<Self> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&identity)?;
        let gzip = gzip.finish()?;
        let mut br = Vec::new();
        {
            let window = lg_window(identity.len());
            let mut writer = brotli::CompressorWriter::new(&mut br, BROTLI_BUFFER_BYTES, BROTLI_QUALITY, window);
            writer.write_all(&identity)?;
            writer.flush()?;
        }
        Ok(Encoded { identity: Bytes::from(identity), gzip: Bytes::from(gzip), br: Bytes::from(br) })
    }

    /// Bytes held in all forms together.
    pub fn total_bytes(&self) -> usize {
        self.identity.len() + self.gzip.len() + self.br.len()
    }
}

/// The window that holds a body of so many bytes: a larger one costs memory and time for each of many small pages, and finds
/// nothing more.
fn lg_window(bytes: usize) -> u32 {
    let (least, largest) = BROTLI_LG_WINDOW;
    (bytes.max(1).ilog2() + 1).clamp(least, largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_holds_the_body_and_has_bounds() {
        for (bytes, window) in [(0, 10), (1_023, 10), (1_024, 11), (65_535, 16), (65_536, 17), (usize::MAX, 22)] {
            assert_eq!(lg_window(bytes), window, "{bytes}");
            assert!(window == 22 || bytes < 1 << window, "{bytes}");
        }
    }

    use std::io::Read;

    #[test]
    fn both_forms_unpack_to_the_same_bytes() {
        let text = b"{\"mirrors\":[1,2,3]}".repeat(500);
        let encoded = Encoded::new(text.clone()).unwrap();
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(&encoded.gzip[..]).read_to_end(&mut out).unwrap();
        assert_eq!(out, text);
        out.clear();
        brotli::Decompressor::new(&encoded.br[..], 4096).read_to_end(&mut out).unwrap();
        assert_eq!(out, text);
        assert!(encoded.gzip.len() < text.len() / 10 && encoded.br.len() < text.len() / 10);
    }
}
