use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value as Json, json};
use syncline_core::access::{Action, Resource};

use super::*;

const NOW: WallMs = WallMs(1_000_000_000);
const ALGORITHMS: [SigningAlgorithm; 3] =
    [SigningAlgorithm::Hs256, SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];

fn token() -> NewToken {
    NewToken {
        user: "ann".into(),
        issued_at_s: 999_990,
        expires_at_s: 1_000_060,
        grants: vec!["doc:team/*=write".parse().expect("a grant")],
        ..NewToken::default()
    }
}

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm).expect("the system has random bytes")
}

fn verifier(settings: JwtSettings, keys: &Json) -> JwtVerifier {
    JwtVerifier::new(settings, keys.to_string().as_bytes()).expect("a set")
}

fn any(key: &SigningKey) -> JwtVerifier {
    verifier(JwtSettings::default(), &key.public_set().unwrap_or_else(|| key.set()))
}

/// Returns a token with other JSON in the part of this place, and the signature that it had.
fn altered(token: &str, part: usize, alter: impl FnOnce(&mut Json)) -> String {
    let mut parts: Vec<String> = token.split('.').map(ToOwned::to_owned).collect();
    let mut json = serde_json::from_slice(&BASE64URL_NOPAD.decode(parts[part].as_bytes()).unwrap()).unwrap();
    alter(&mut json);
    parts[part] = BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    parts.join(".")
}

#[test]
fn a_token_says_who_may_do_what_until_when() {
    for algorithm in ALGORITHMS {
        let key = key(algorithm);
        let claims = json!({ "territory": "7", "level": 3, "list": [1] });
        let new = NewToken {
            device: Some("phone".into()),
            id: Some("t1".into()),
            claims: claims.as_object().cloned().unwrap(),
            ..token()
        };
        let who = any(&key).verify(&key.sign(&new).unwrap(), NOW).expect("it is good");
        assert_eq!((who.user.as_str(), who.token_id.as_deref()), ("ann", Some("t1")));
        assert_eq!(who.device.as_ref().map(ActorName::as_str), Some("phone"));
        assert_eq!(who.expires_at, Some(WallMs(1_000_060_000)));
        assert_eq!(who.issued_at, Some(WallMs(token().issued_at_s * 1_000)));
        assert!(who.may(Action::Write, Resource::Document("team/plan")));
        assert!(!who.may(Action::Read, Resource::Document("plan")));
        let named: Vec<&str> = who.claims.keys().map(String::as_str).collect();
        assert_eq!(named, ["level", "territory"]);
    }
}

#[test]
fn a_token_says_whose_data_it_is_for() {
    let key = key(SigningAlgorithm::Es256);
    let public = key.public_set().unwrap();
    let check = |claim: Option<&str>, token: NewToken, want: &str| {
        let tenant_claim = claim.map(ToOwned::to_owned);
        let verifier = verifier(JwtSettings { tenant_claim, ..JwtSettings::default() }, &public);
        let who = verifier.verify(&key.sign(&token).unwrap(), NOW).expect("it is good");
        assert_eq!(who.tenant.as_str(), want, "{claim:?} {token:?}");
        assert!(!who.claims.contains_key(claim.unwrap_or("tenant")), "it fills no scope");
    };
    let acme = || NewToken { tenant: Some("acme".into()), ..token() };
    check(None, token(), "default");
    check(None, acme(), "acme");
    check(Some("org"), acme(), "default");
    let org = [("org".to_owned(), json!("acme"))].into_iter().collect();
    check(Some("org"), NewToken { claims: org, ..token() }, "acme");
}

#[test]
fn a_token_was_issued_when_it_says_but_not_later_than_now() {
    let now = NOW.0 / 1_000;
    let check = |iat: Json, want: Option<u64>| {
        assert_eq!(issued_at(&iat, NOW).map(|at| at.0), want, "{iat}");
    };
    check(json!(now + 30), Some((now + 30) * 1_000));
    check(json!(now + 31), None);
    check(json!(12.5), Some(12_500));
    check(json!(-1), Some(0));
    check(json!(1e300), None);
    check(json!("1"), None);
}

#[test]
fn a_token_ends_and_begins_when_it_says() {
    let key = key(SigningAlgorithm::EdDsa);
    let check = |at_s: u64, nbf: Option<u64>, want: Option<Unauthenticated>| {
        let claims = nbf.map(|nbf| ("nbf".to_owned(), nbf.into())).into_iter().collect();
        let signed = key.sign(&NewToken { claims, ..token() }).unwrap();
        let got = any(&key).verify(&signed, WallMs(at_s * 1_000)).err();
        assert_eq!(got, want, "at {at_s}, from {nbf:?}");
    };
    check(1_000_059, None, None);
    check(1_000_060, None, Some(Unauthenticated::Expired));
    check(1_000_000, Some(1_000_030), None);
    check(1_000_000, Some(1_000_031), Some(Unauthenticated::Unknown));
}

/// Tries what is known to fool verifiers: no signature, an algorithm of the forger's choice, a public key as a secret.
#[test]
fn a_forged_token_is_good_for_nothing() {
    for algorithm in ALGORITHMS {
        let (mine, other) = (key(algorithm), key(algorithm));
        let verifier = any(&mine);
        let good = mine.sign(&token()).unwrap();
        assert!(verifier.verify(&good, NOW).is_ok());
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let flipped =
            format!("{signed}.{}{}", if signature.starts_with('A') { "B" } else { "A" }, &signature[1..]);
        let unsigned = altered(&good, 0, |header| header["alg"] = "none".into());
        let (head, _) = unsigned.rsplit_once('.').unwrap();
        let mut forged = vec![
            flipped,
            format!("{signed}."),
            signed.to_owned(),
            format!("{head}."),
            unsigned.clone(),
            altered(&good, 1, |claims| claims["sub"] = "root".into()),
            altered(&good, 1, |claims| claims["exp"] = 2_000_000.into()),
            altered(&good, 0, |header| header["kid"] = "another".into()),
            altered(&good, 0, |header| drop(header.as_object_mut().unwrap().remove("alg"))),
            other.sign(&token()).unwrap(),
            "a.b.c".into(),
            "..".into(),
            "x".repeat(TOKEN_BYTES_MAX + 1),
        ];
        for alg in ["none", "None", "HS256", "HS384", "ES256", "EdDSA", "RS256", "PS256"] {
            let is_own = altered(&good, 0, |header| header["alg"] = alg.into());
            forged
                .extend(Some(is_own).filter(|forged| {
                    *forged != good && !good.starts_with(forged.split('.').next().unwrap())
                }));
        }
        for forged in forged {
            assert_eq!(
                verifier.verify(&forged, NOW),
                Err(Unauthenticated::Unknown),
                "{algorithm:?} {forged}"
            );
        }
        assert_eq!(verifier.verify("", NOW), Err(Unauthenticated::Missing));
    }
}

/// The public half of a key is known to everyone: it must not pass for a secret.
#[test]
fn a_public_key_is_no_secret() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
        let mine = key(algorithm);
        let public = mine.public_set().unwrap();
        for secret in [public["keys"][0]["x"].as_str().unwrap().to_owned(), public.to_string()] {
            let secret = BASE64URL_NOPAD.encode(secret.as_bytes());
            let forger =
                json!({ "kty": "oct", "alg": "HS256", "kid": public["keys"][0]["kid"], "k": secret });
            let forger: SigningKey = serde_json::from_value(forger).unwrap();
            assert_eq!(
                any(&mine).verify(&forger.sign(&token()).unwrap(), NOW),
                Err(Unauthenticated::Unknown)
            );
        }
    }
}

/// What another program has signed with a key of 2,048 bits, which was thrown away.
#[test]
fn a_token_of_an_rsa_key_is_verified() {
    let vector: Json = serde_json::from_str(include_str!("rs256.json")).unwrap();
    let verifier = verifier(JwtSettings::default(), &vector);
    let good = vector["token"].as_str().unwrap();
    assert_eq!(verifier.verify(good, NOW).map(|who| who.user.to_string()), Ok("ann".into()));
    let forged = altered(good, 1, |claims| claims["sub"] = "root".into());
    assert_eq!(verifier.verify(&forged, NOW), Err(Unauthenticated::Unknown));
}

#[test]
fn a_token_is_for_whom_it_names_by_whom_it_should_be() {
    let key = key(SigningAlgorithm::Es256);
    let check = |settings: [Option<&str>; 2], said: [Option<&str>; 2], is_good: bool| {
        let [issuer, audience] = settings.map(|word| word.map(ToOwned::to_owned));
        let verifier =
            verifier(JwtSettings { issuer, audience, ..JwtSettings::default() }, &key.public_set().unwrap());
        let [issuer, audience] = said.map(|word| word.map(ToOwned::to_owned));
        let signed = key.sign(&NewToken { issuer, audience, ..token() }).unwrap();
        assert_eq!(verifier.verify(&signed, NOW).is_ok(), is_good, "{settings:?} {said:?}");
    };
    let (a, b) = (Some("a"), Some("b"));
    check([a, None], [a, None], true);
    check([a, None], [b, None], false);
    check([a, None], [None, None], false);
    check([None, a], [None, a], true);
    check([None, a], [None, b], false);
    check([None, a], [None, None], false);
    check([None, None], [a, None], true);
    check([None, None], [None, a], false);
}

#[test]
fn what_has_no_place_in_a_token_makes_it_good_for_nothing() {
    let key = key(SigningAlgorithm::Hs256);
    let odd =
        [("tenant", json!("a\nb")), ("tenant", json!("")), ("tenant", json!(7)), ("tenant", Json::Null)];
    for (claim, value) in odd.into_iter().chain([("device", json!("not a name"))]) {
        let claims = [(claim.to_owned(), value)].into_iter().collect();
        let signed = key.sign(&NewToken { claims, ..token() }).unwrap();
        assert_eq!(any(&key).verify(&signed, NOW), Err(Unauthenticated::Unknown), "{claim}");
    }
    let nobody = key.sign(&NewToken { user: String::new(), ..token() }).unwrap();
    assert_eq!(any(&key).verify(&nobody, NOW), Err(Unauthenticated::Unknown));
}

#[test]
fn keys_are_of_use_or_refused() {
    let check = |set: Json, want: Option<KeyError>| {
        let got = JwtVerifier::new(JwtSettings::default(), set.to_string().as_bytes()).err();
        assert_eq!(got.is_some(), want.is_some(), "{set}: {got:?}");
        if !matches!(want, Some(KeyError::Form(_))) {
            assert_eq!(got, want, "{set}");
        }
    };
    let secret = |bytes: usize| json!({ "kty": "oct", "k": BASE64URL_NOPAD.encode(&vec![7; bytes]) });
    let rsa = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc" });
    check(json!({ "keys": [secret(32)] }), None);
    check(json!({ "keys": [secret(31)] }), Some(KeyError::ShortSecret));
    check(json!({ "keys": [] }), Some(KeyError::Empty));
    check(json!({ "keys": [rsa, { "kty": "new" }] }), Some(KeyError::Empty));
    check(json!({ "keys": [rsa, { "kty": "new" }, secret(40)] }), None);
    check(json!([secret(32)]), Some(KeyError::Form(String::new())));
    check(json!({ "keys": vec![secret(32); 65] }), Some(KeyError::Many(65)));
    let published = json!({ "keys": [secret(32)] }).to_string();
    assert_eq!(keys::KeySet::parse_public(published.as_bytes()).err(), Some(KeyError::PublicSecret));
    assert!(!format!("{:?}", any(&key(SigningAlgorithm::Hs256))).contains("key"), "secrets stay out of logs");
}
