//! Frames as the public directory sends them, without signatures that hold: only form and content are checked here.

use data_encoding::BASE64URL_NOPAD;
use mirrorwatch::domain::cid::Cid;
use mirrorwatch::domain::did::Did;
use mirrorwatch::domain::time::rfc3339_ms;

/// The label of the first frame's creation, milliseconds since 1970.
const CREATED_MS: i64 = 1_750_000_000_000;

/// The `operation` of number `i`: every fourth makes a DID, the others update it. About 640 bytes, as the usual ones.
fn operation(i: u64, genesis: &Cid) -> String {
    let key = |n: u64| format!("did:key:zQ3sh{:044}", u128::from(n) * 982_451_653 + 7_919);
    let prev = if i.is_multiple_of(4) { "null".to_owned() } else { format!("\"{genesis}\"") };
    let mut signature = [0x5a_u8; 64];
    signature.iter_mut().zip(i.to_be_bytes()).for_each(|(to, from)| *to = from);
    format!(
        concat!(
            r#"{{"sig":"{}","prev":{},"type":"plc_operation","services":{{"atproto_pds":{{"type":"AtprotoPersonalDataServer","#,
            r#""endpoint":"https://pds{}.host.bsky.network"}}}},"alsoKnownAs":["at://user{}.bsky.social"],"#,
            r#""rotationKeys":["{}","{}"],"verificationMethods":{{"atproto":"{}"}}}}"#
        ),
        BASE64URL_NOPAD.encode(&signature),
        prev,
        i % 97,
        i,
        key(i % 50),
        key(i % 51),
        key(i)
    )
}

/// The texts of `count` frames from number `first` on, which is a multiple of four; each says that it was created
/// `step_ms` after the one before it. Who sends them at a pace gives the pace, or the primary would seem to fall behind.
pub fn texts(first: u64, count: u64, step_ms: u64) -> impl Iterator<Item = String> {
    let mut genesis = (Cid([0; 32]), Did([0; 15]));
    (first..first + count).map(move |i| {
        let operation = operation(i, &genesis.0);
        let cid = Cid::of_operation(&operation).map(|c| c.0).expect("an operation of our own making has a CID");
        if i.is_multiple_of(4) {
            genesis = (cid, Did::of_genesis(cid));
        }
        let (seq, did, created) = (i + 1, genesis.1, rfc3339_ms(CREATED_MS + (i * step_ms) as i64));
        format!(
            r#"{{"seq":{seq},"type":"sequenced_op","did":"{did}","operation":{operation},"cid":"{cid}","createdAt":"{created}"}}"#
        )
    })
}
