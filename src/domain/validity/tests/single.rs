//! Rules that one operation keeps or breaks by itself.

use super::make::{cid_of, create, tombstone, unsigned_cbor, with_sig};
use super::*;
use crate::domain::op::Kind;
use data_encoding::{BASE64URL, BASE64URL_NOPAD};
use serde_json::{Value, json};

fn genesis() -> Value {
    op(None, &[&Key::k(1), &Key::p(2)], "a")
}

/// The rule that a genesis breaks, checked under the CID and the DID that it really has.
fn broken(operation: &str) -> Option<&'static str> {
    let cid = Cid::of_operation(operation).map_or(Cid([0; 32]), |(cid, _)| cid);
    let context = Context { did: Did::of_genesis(cid), cid: Some(cid), keys: None };
    check_op(operation, &context).err().map(|violation| violation.rule.name())
}

/// The rule that a genesis with this change breaks, signed after the change.
fn changed(change: impl FnOnce(&mut Value)) -> Option<&'static str> {
    let mut operation = genesis();
    change(&mut operation);
    broken(&sign(&operation, &Key::k(1)))
}

#[test]
fn every_kind_is_valid_when_a_key_of_it_signed() {
    let signer = |operation: &str, keys: Option<&[Option<SigningKey>]>| {
        let cid = cid_of(operation);
        let checked = check_op(operation, &Context { did: Did::of_genesis(cid), cid: None, keys }).unwrap();
        assert_eq!(checked.operation.cid, cid);
        (checked.operation.kind, checked.signer)
    };
    for (key, place) in [(Key::k(1), 0), (Key::p(2), 1)] {
        let operation = sign(&genesis(), &key);
        assert_eq!(signer(&operation, None), (Kind::Genesis, Some(place)));
        let keys = [Key::k(1), Key::p(2)].map(|key| SigningKey::parse(&key.did_key()));
        let prev = cid_of(&operation);
        let update = sign(&op(Some(prev), &[&Key::k(1)], "b"), &key);
        assert_eq!(signer(&update, Some(&keys)), (Kind::Update, Some(place)));
        assert_eq!(signer(&update, None), (Kind::Update, None), "whose keys are not known is not checked");
        assert_eq!(signer(&sign(&tombstone(prev), &key), Some(&keys)), (Kind::Tombstone, Some(place)));
    }
    // The keys of the old form are [recovery, signing].
    let old = create(&Key::p(3), &Key::k(4));
    assert_eq!(signer(&sign(&old, &Key::p(3)), None), (Kind::LegacyCreate, Some(0)));
    assert_eq!(signer(&sign(&old, &Key::k(4)), None), (Kind::LegacyCreate, Some(1)));
}

#[test]
fn what_the_directory_takes_is_not_called_invalid() {
    assert_eq!(changed(|_| {}), None);
    // Rotation keys twice, as many as ten, a key of another kind for verifying, and nothing at all where nothing need be.
    assert_eq!(changed(|o| o["rotationKeys"] = json!([Key::k(1).did_key(), Key::k(1).did_key()])), None);
    assert_eq!(changed(|o| o["rotationKeys"] = (1..=10).map(|n| Key::k(n).did_key()).collect()), None);
    let ed25519 = "did:key:z6Mkv27QFRPfbqu3SVsnuRVAP2cHfZTBy4ymcu7XYUjPfdUX";
    assert_eq!(changed(|o| o["verificationMethods"]["x"] = ed25519.into()), None);
    assert_eq!(changed(|o| o["alsoKnownAs"] = json!(["", "", "no uri"])), None);
    assert_eq!(changed(|o| (o["verificationMethods"], o["services"]) = (json!({}), json!({}))), None);
    let mut old = create(&Key::k(1), &Key::k(2));
    old["note"] = "the old form was never closed".into();
    assert_eq!(broken(&sign(&old, &Key::k(1))), None);
}

#[test]
fn form() {
    for (text, rule) in [("[]", "bad_form"), ("{", "bad_form"), (r#"{"type":1.5}"#, "bad_form")] {
        assert_eq!(broken(text), Some(rule), "{text}");
    }
    assert_eq!(broken(&sign(&genesis(), &Key::k(1)).replacen('{', r#"{"type":"plc_operation","#, 1)), Some("bad_form"));
    assert_eq!(broken(&with_sig(&genesis(), &"A".repeat(7_500))), Some("too_large"));
    assert_eq!(changed(|o| o["type"] = "plc_update".into()), Some("unknown_type"));
    let fields: Vec<String> = genesis().as_object().unwrap().keys().cloned().collect();
    for field in &fields {
        assert_eq!(changed(|o| drop(o.as_object_mut().unwrap().remove(field))), Some("missing_field"), "{field}");
        assert_eq!(changed(|o| o[field] = 1.into()), Some("bad_field"), "{field}");
    }
    assert_eq!(broken(&genesis().to_string()), Some("missing_field"), "no signature");
    assert_eq!(changed(|o| o["rotationKeys"] = json!([1])), Some("bad_field"));
    assert_eq!(changed(|o| o["alsoKnownAs"] = json!([null])), Some("bad_field"));
    assert_eq!(changed(|o| o["verificationMethods"]["x"] = 1.into()), Some("bad_field"));
    assert_eq!(changed(|o| o["services"]["x"] = json!({ "type": "T" })), Some("bad_field"));
    assert_eq!(changed(|o| o["note"] = "x".into()), Some("unknown_field"));
    let mut tombstone = tombstone(cid_of(&sign(&genesis(), &Key::k(1))));
    tombstone["rotationKeys"] = json!([]);
    assert_eq!(broken(&sign(&tombstone, &Key::k(1))), Some("unknown_field"));
    for field in ["signingKey", "recoveryKey", "handle", "service"] {
        let mut old = create(&Key::k(1), &Key::k(2));
        old.as_object_mut().unwrap().remove(field);
        assert_eq!(broken(&sign(&old, &Key::k(1))), Some("missing_field"), "{field}");
    }
}

#[test]
fn prev_is_null_or_a_cid_as_the_type_asks() {
    assert_eq!(changed(|o| o["prev"] = "".into()), Some("bad_prev"));
    assert_eq!(changed(|o| o["prev"] = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".into()), Some("bad_prev"));
    let prev = cid_of(&sign(&genesis(), &Key::k(1)));
    let mut grave = tombstone(prev);
    grave["prev"] = Value::Null;
    assert_eq!(broken(&sign(&grave, &Key::k(1))), Some("bad_prev"));
    let mut old = create(&Key::k(1), &Key::k(2));
    old["prev"] = prev.to_string().into();
    assert_eq!(broken(&sign(&old, &Key::k(1))), Some("bad_prev"));
}

#[test]
fn keys() {
    assert_eq!(
        changed(|o| o["rotationKeys"] = (1..=11).map(|n| Key::k(n).did_key()).collect()),
        Some("too_many_rotation_keys")
    );
    for bad in ["", "did:key:zQ3sh", "did:key:z6Mkv27QFRPfbqu3SVsnuRVAP2cHfZTBy4ymcu7XYUjPfdUX"] {
        assert_eq!(
            changed(|o| o["rotationKeys"] = json!([Key::k(1).did_key(), bad])),
            Some("bad_rotation_key"),
            "{bad}"
        );
    }
    let bare = "zQ3shwPdax6jKMbhtzbueGwSjc7RnjsmPcNB1vQUpbKUCN1t1";
    assert_eq!(changed(|o| o["verificationMethods"]["x"] = bare.into()), Some("bad_verification_method"));
    // A key of the old form that is none signs nothing, and the other one still does.
    let mut old = create(&Key::k(1), &Key::k(2));
    old["recoveryKey"] = "none".into();
    assert_eq!(broken(&sign(&old, &Key::k(2))), None);
    assert_eq!(broken(&sign(&old, &Key::k(1))), Some("bad_signature"));
}

#[test]
fn the_signature_has_one_spelling() {
    for key in [Key::k(1), Key::p(2)] {
        let message = unsigned_cbor(&genesis());
        let raw = key.sign(&message);
        let text = BASE64URL_NOPAD.encode(&raw);
        let rule = |sig: &str| broken(&with_sig(&genesis(), sig));
        assert_eq!(rule(&text), None);
        assert_eq!(rule(&BASE64URL.encode(&raw)), Some("sig_encoding"), "padding");
        assert_eq!(rule(&format!("{text}\n")), Some("sig_encoding"), "a line's end");
        assert_eq!(rule(&format!(" {text}")), Some("sig_encoding"));
        assert_eq!(rule(&text.replacen(|c: char| c != '+', "+", 1)), Some("sig_encoding"), "the other alphabet");
        // The last of 86 characters carries two bits of the signature and four that must be zero.
        let (head, last) = text.split_at(85);
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
        assert_eq!(rule(&format!("{head}{next}")), Some("sig_encoding"), "stray bits");
        assert_eq!(rule(&BASE64URL_NOPAD.encode(&raw[..63])), Some("sig_length"));
        assert_eq!(rule(&BASE64URL_NOPAD.encode(&[&raw[..], &[0]].concat())), Some("sig_length"));
        assert_eq!(rule(""), Some("sig_length"));
        assert_eq!(rule(&BASE64URL_NOPAD.encode(&key.sign_high_s(&message))), Some("sig_high_s"));
    }
}

#[test]
fn only_an_allowed_key_signs_and_only_what_is_there() {
    assert_eq!(broken(&sign(&genesis(), &Key::k(3))), Some("bad_signature"), "a key of nobody");
    assert_eq!(broken(&sign(&genesis(), &Key::k(99))), Some("bad_signature"), "the key for verifying");
    let other = sign(&op(None, &[&Key::k(1), &Key::p(2)], "b"), &Key::k(1));
    let other: Value = serde_json::from_str(&other).unwrap();
    assert_eq!(broken(&with_sig(&genesis(), other["sig"].as_str().unwrap())), Some("bad_signature"));
    assert_eq!(broken(&with_sig(&genesis(), &"A".repeat(86))), Some("bad_signature"), "zeros are no signature");
    let hashed_with_null = {
        let mut unsigned = genesis();
        unsigned["sig"] = Value::Null;
        BASE64URL_NOPAD.encode(&Key::k(1).sign(&unsigned_cbor(&unsigned)))
    };
    assert_eq!(broken(&with_sig(&genesis(), &hashed_with_null)), Some("bad_signature"));
    assert_eq!(changed(|o| o["rotationKeys"] = json!([])), Some("bad_signature"), "nobody may sign");
}

#[test]
fn the_claims_are_compared_with_the_content() {
    let operation = sign(&genesis(), &Key::k(1));
    let cid = cid_of(&operation);
    let did = Did::of_genesis(cid);
    let rule = |did, cid| check_op(&operation, &Context { did, cid, keys: None }).err().map(|v| v.rule.name());
    assert_eq!(rule(did, Some(cid)), None);
    assert_eq!(rule(did, None), None);
    assert_eq!(rule(did, Some(Cid([7; 32]))), Some("cid_mismatch"));
    assert_eq!(rule(Did([7; 15]), Some(cid)), Some("did_mismatch"));
    // A CID without the key of `prev` is another one.
    let without = operation.replace(r#""prev":null,"#, "");
    assert_ne!(without, operation);
    assert_eq!(rule(did, Some(cid_of(&without))), Some("cid_mismatch"));
}
