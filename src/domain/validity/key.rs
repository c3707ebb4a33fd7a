//! Keys that sign operations, and what they say about a signature.

use k256::ecdsa::signature::Verifier;

/// Bytes of a raw signature: `r` and `s`, 32 each.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of a compressed point.
const POINT_BYTES: usize = 33;
/// Multicodec of a compressed point of secp256k1.
const K256_CODE: [u8; 2] = [0xe7, 0x01];
/// Multicodec of a compressed point of P-256.
const P256_CODE: [u8; 2] = [0x80, 0x24];
/// A `did:key` of these kinds has 57 characters; longer ones are not decoded, for that costs the square of the length.
const CHARACTERS_MAX: usize = 80;

#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
enum Curve {
    K256,
    P256,
}

/// A `did:key` of secp256k1 or P-256 whose point lies on its curve.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct SigningKey {
    curve: Curve,
    point: [u8; POINT_BYTES],
}

/// What a key says about a signature.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// This key made it, in low-S form.
    Made,
    /// This key made it, or whoever turned it into its high-S form.
    MadeHighS,
    /// This key did not make it.
    NotMade,
}

impl SigningKey {
    /// Reads `did:key:z…`; `None` for other kinds of keys, and for bytes that are no point.
    #[must_use]
    pub fn parse(text: &str) -> Option<SigningKey> {
        let encoded = text.strip_prefix("did:key:z").filter(|_| text.len() <= CHARACTERS_MAX)?;
        let mut bytes = [0; 2 + POINT_BYTES];
        if bs58::decode(encoded).onto(&mut bytes).ok()? != bytes.len() {
            return None;
        }
        let (code, point) = bytes.split_first_chunk()?;
        let point: [u8; POINT_BYTES] = point.try_into().ok()?;
        let (curve, is_point) = match *code {
            K256_CODE => (Curve::K256, k256::ecdsa::VerifyingKey::from_sec1_bytes(&point).is_ok()),
            P256_CODE => (Curve::P256, p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).is_ok()),
            _ => return None,
        };
        is_point.then_some(SigningKey { curve, point })
    }

    /// Whether it made this signature of `message`, hashed with SHA-256.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Verdict {
        let (is_made, is_low) = match self.curve {
            Curve::K256 => self.verify_k256(message, signature),
            Curve::P256 => self.verify_p256(message, signature),
        };
        match (is_made, is_low) {
            (true, true) => Verdict::Made,
            (true, false) => Verdict::MadeHighS,
            (false, _) => Verdict::NotMade,
        }
    }

    /// Whether the low-S form of the signature is right, and whether the signature has that form.
    fn verify_k256(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> (bool, bool) {
        use k256::ecdsa::{Signature, VerifyingKey};
        let (Ok(key), Ok(signature)) = (VerifyingKey::from_sec1_bytes(&self.point), Signature::from_slice(signature))
        else {
            return (false, false);
        };
        let low = signature.normalize_s();
        (key.verify(message, &low).is_ok(), low == signature)
    }

    /// The same on the other curve.
    fn verify_p256(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> (bool, bool) {
        use p256::ecdsa::{Signature, VerifyingKey};
        let (Ok(key), Ok(signature)) = (VerifyingKey::from_sec1_bytes(&self.point), Signature::from_slice(signature))
        else {
            return (false, false);
        };
        let low = signature.normalize_s();
        (key.verify(message, &low).is_ok(), low == signature)
    }
}

/// Whether `text` is written as a `did:key` of any kind: the prefix, `z`, and characters of base58btc.
pub(super) fn is_did_key(text: &str) -> bool {
    let is_base58 = |byte: u8| byte.is_ascii_alphanumeric() && !matches!(byte, b'0' | b'O' | b'I' | b'l');
    text.strip_prefix("did:key:z").is_some_and(|encoded| !encoded.is_empty() && encoded.bytes().all(is_base58))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of the public test logs.
    const K256: &str = "did:key:zQ3shwPdax6jKMbhtzbueGwSjc7RnjsmPcNB1vQUpbKUCN1t1";
    const P256: &str = "did:key:zDnaet3CLvFwasyRn1qaCJec6XDqh2pXE4fUoJpG19H9xauUf";

    #[test]
    fn only_points_of_the_two_curves_are_keys() {
        assert_eq!(SigningKey::parse(K256).unwrap().curve, Curve::K256);
        assert_eq!(SigningKey::parse(P256).unwrap().curve, Curve::P256);
        let encode = |code: [u8; 2], point: &[u8]| {
            format!("did:key:z{}", bs58::encode([&code[..], point].concat()).into_string())
        };
        let good = SigningKey::parse(K256).unwrap().point;
        assert!(SigningKey::parse(&encode(K256_CODE, &good)).is_some());
        for bad in [
            String::new(),
            K256.replace("did:key:z", "did:key:"),
            K256.replace("did:key:", "did:web:"),
            K256.replace('z', "0"),
            format!("{K256} "),
            // ed25519, a point that is cut, one with a byte more, and an x that no point of the curve has.
            "did:key:z6Mkv27QFRPfbqu3SVsnuRVAP2cHfZTBy4ymcu7XYUjPfdUX".to_owned(),
            encode(K256_CODE, &good[..32]),
            encode(K256_CODE, &[&good[..], &[0]].concat()),
            encode(K256_CODE, &[&[2][..], &[0xff; 32]].concat()),
            format!("did:key:z{}", "1".repeat(100_000)),
        ] {
            assert_eq!(SigningKey::parse(&bad), None, "{bad:.80}");
        }
    }

    #[test]
    fn any_kind_of_did_key_is_written_as_one() {
        assert!(is_did_key(K256) && is_did_key("did:key:z6Mkv27QFRPfbqu3SVsnuRVAP2cHfZTBy4ymcu7XYUjPfdUX"));
        for bad in
            ["", "did:key:z", "did:key:Q3sh", "did:key:z0", "did:key:z6Mkv\n", "zQ3shwPdax6jKMbhtzbueGwSjc7Rnjsm"]
        {
            assert!(!is_did_key(bad), "{bad:?}");
        }
    }
}
