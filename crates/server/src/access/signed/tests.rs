//! Whose signature of what is good, and when.

use axum::http::HeaderValue;
use data_encoding::BASE64;
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};
use syncline_protocol::wire::signature::content_digest;

use super::*;

const NOW_S: u64 = 1_763_760_000;
const BODY: &[u8] = br#"{"device_id":"phone","scopes":[]}"#;

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed has 32 bytes")
}

fn key(seed: u8) -> DeviceKey {
    DeviceKey(pair(seed).public_key().as_ref().try_into().expect("a key has 32 bytes"))
}

/// A request as it is sent.
#[derive(Clone, Debug)]
struct Sent {
    method: String,
    target: String,
    input: String,
    signature: String,
    digest: String,
    body: Vec<u8>,
}

/// Signs a request by hand, as a client would.
fn sent(seed: u8, created_s: u64, nonce: &str) -> Sent {
    let digest = content_digest(BODY);
    let params = format!(
        "(\"@method\" \"@path\" \"@query\" \"content-digest\");created={created_s};expires={};nonce=\"{nonce}\";\
         alg=\"ed25519\";keyid=\"phone\";tag=\"syncline\"",
        created_s + 60
    );
    let signed = format!(
        "\"@method\": POST\n\"@path\": /sync/v1/pull\n\"@query\": ?\n\"content-digest\": {digest}\n\
         \"@signature-params\": {params}"
    );
    let bytes = pair(seed).sign(signed.as_bytes());
    Sent {
        method: "POST".into(),
        target: "/sync/v1/pull".into(),
        input: format!("sig={params}"),
        signature: format!("sig=:{}:", BASE64.encode(bytes.as_ref())),
        digest,
        body: BODY.to_vec(),
    }
}

/// Has a server that remembers look at a request of the only device, which has the key of seed 1.
fn look(signers: &Signers, sent: &Sent, now_s: u64) -> Result<(), NotSigned> {
    let method = Method::from_bytes(sent.method.as_bytes()).map_err(|_| NotSigned::Headers)?;
    let uri: Uri = sent.target.parse().map_err(|_| NotSigned::Headers)?;
    let mut headers = HeaderMap::new();
    for (name, text) in
        [("signature-input", &sent.input), ("signature", &sent.signature), ("content-digest", &sent.digest)]
    {
        headers.insert(name, HeaderValue::from_str(text).map_err(|_| NotSigned::Headers)?);
    }
    let head = Head { method: &method, uri: &uri, headers: &headers };
    let found = head.signatures()?.ok_or(NotSigned::Headers)?;
    let own = found.own.ok_or(NotSigned::Headers)?;
    let key = (own.device.as_str() == "phone").then(|| key(1));
    signers.check_own(&TenantName::default(), &own, key, WallMs(now_s * 1_000))?;
    let digest = found.body.expect("all of these cover a body");
    if !digest.is_of(&sent.body) {
        return Err(NotSigned::Body);
    }
    Ok(())
}

fn fresh() -> Signers {
    Signers::new(WallMs(0))
}

/// The vector of docs/security.md: an implementation that finds this signature has found the profile.
#[test]
fn the_vector_of_the_documents_is_signed_so() {
    let sent = sent(1, NOW_S, "9j2kR0_5pXwQ-7aZ");
    assert_eq!(
        data_encoding::BASE64URL_NOPAD.encode(&key(1).0),
        "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"
    );
    assert_eq!(sent.digest, "sha-256=:C97yTjnjWQAPvA6V8Qbgh0G/fMLl4GPA4tWBhXuib4c=:");
    assert_eq!(
        sent.signature,
        "sig=:0Voy+4eheBXSonE1RlegnDTQulqptcraBqIr95qkNbf6+OR2jLTr8ZSExJhlh2VyROMmTC+EFzTPq7EmXkEjCw==:"
    );
    assert_eq!(look(&fresh(), &sent, NOW_S), Ok(()));
}

#[test]
fn a_signature_is_good_once_and_for_its_time() {
    let signers = fresh();
    let first = sent(1, NOW_S, "the-first-of-them");
    assert_eq!(look(&signers, &first, NOW_S), Ok(()));
    assert_eq!(look(&signers, &first, NOW_S), Err(NotSigned::Replayed));
    assert_eq!(look(&signers, &first, NOW_S + 59), Err(NotSigned::Replayed));
    let expired = Err(NotSigned::Signature(SignatureError::Expired));
    assert_eq!(look(&signers, &first, NOW_S + 60), expired);
    assert_eq!(look(&signers, &first, NOW_S), expired, "the clock was set back");
    let second = sent(1, NOW_S + 60, "the-second-of-them");
    assert_eq!(look(&signers, &second, NOW_S + 60), Ok(()));

    let future = sent(1, NOW_S + 31, "the-future-of-them");
    assert_eq!(look(&fresh(), &future, NOW_S), Err(NotSigned::Signature(SignatureError::Future)));
    let restarted = Signers::new(WallMs(NOW_S * 1_000));
    assert_eq!(look(&restarted, &first, NOW_S + 1), Err(NotSigned::Signature(SignatureError::Early)));
}

#[test]
fn a_signature_by_another_key_or_of_another_request_is_none() {
    let good = sent(1, NOW_S, "one-of-a-request");
    let check = |change: fn(&mut Sent)| {
        let mut other = good.clone();
        change(&mut other);
        assert!(look(&fresh(), &other, NOW_S).is_err(), "{other:?}");
    };
    check(|sent| *sent = self::sent(2, NOW_S, "one-of-a-request"));
    check(|sent| sent.method = "PUT".into());
    check(|sent| sent.target = "/sync/v1/push".into());
    check(|sent| sent.target = "/sync/v1/pull?".to_owned() + "x");
    check(|sent| sent.target = "/sync/v1/%70ull".into());
    check(|sent| sent.body.push(b' '));
    check(|sent| sent.digest = content_digest(b"{}"));
    check(|sent| sent.input = sent.input.replace("phone", "other"));
    check(|sent| sent.input = sent.input.replace("sig=", "new="));
    assert_eq!(look(&fresh(), &good, NOW_S), Ok(()));
}

proptest! {
    /// Whatever byte of a signed request is altered, it is refused. Queries `?` and none are one.
    #[test]
    fn any_altered_byte_is_noticed(part in 0..6_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut sent = sent(1, NOW_S, "9j2kR0_5pXwQ-7aZ");
        let altered = |text: &mut String| {
            let mut bytes = text.clone().into_bytes();
            let at = at.index(bytes.len());
            let is_other = std::mem::replace(&mut bytes[at], byte) != byte;
            String::from_utf8(bytes).map(|altered| *text = altered).is_ok() && is_other
        };
        let is_altered = match part {
            0 => altered(&mut sent.method),
            1 => altered(&mut sent.target) && !sent.target.contains('#'),
            2 => altered(&mut sent.input),
            3 => altered(&mut sent.signature),
            4 => altered(&mut sent.digest),
            _ => {
                let at = at.index(sent.body.len());
                std::mem::replace(&mut sent.body[at], byte) != byte
            }
        };
        prop_assume!(is_altered);
        prop_assert!(look(&fresh(), &sent, NOW_S).is_err(), "{:?}", sent);
    }
}
