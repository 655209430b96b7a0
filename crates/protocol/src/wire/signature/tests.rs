//! What is a signature of the profile, and what it covers. Whether it is by a key is tested where keys are.

use data_encoding::BASE64;
use proptest::prelude::*;

use super::*;

/// The example of docs/security.md.
const INPUT: &str = "sig=(\"@method\" \"@path\" \"@query\" \"content-digest\");created=1763760000;expires=1763760060;\
    nonce=\"9j2kR0_5pXwQ-7aZ\";alg=\"ed25519\";keyid=\"phone\";tag=\"syncline\"";
const BODY: &[u8] = b"{\"device_id\":\"phone\",\"scopes\":[]}";

fn signature(n: u8) -> String {
    format!("=:{}:", BASE64.encode(&[n; 64]))
}

fn parse(input: &str, signature: &str, digest: Option<&str>) -> Result<Signatures, SignatureError> {
    let head =
        SignedHead { method: "POST", path: "/sync/v1/pull", query: Some("x=%41"), input, signature, digest };
    Signatures::parse(&head)
}

fn own(input: &str) -> Result<Signature, SignatureError> {
    let digest = content_digest(BODY);
    parse(input, &format!("sig{}", signature(1)), Some(&digest)).map(|found| found.own.expect("it is there"))
}

#[test]
fn the_example_is_of_the_profile() {
    let found = own(INPUT).expect("it is good");
    assert_eq!(found.device.as_str(), "phone");
    assert_eq!((found.created, found.expires), (WallMs(1_763_760_000_000), WallMs(1_763_760_060_000)));
    assert_eq!((found.nonce.as_str(), found.bytes), ("9j2kR0_5pXwQ-7aZ", [1; 64]));
    let params = INPUT.strip_prefix("sig=").expect("it begins so");
    let digest = content_digest(BODY);
    let want = format!(
        "\"@method\": POST\n\"@path\": /sync/v1/pull\n\"@query\": ?x=%41\n\"content-digest\": {digest}\n\
         \"@signature-params\": {params}"
    );
    assert_eq!(found.signed, want);
}

#[test]
fn what_is_not_of_the_profile_is_refused() {
    use SignatureError::{Base64, Components, Digest, Labels, Parameters, Window};
    let check = |from: &str, to: &str, want: SignatureError| {
        assert!(INPUT.contains(from), "{from}");
        assert_eq!(own(&INPUT.replacen(from, to, 1)), Err(want), "{from} -> {to}");
    };
    check("sig=", "sig1=", Labels);
    check("sig=", "Sig=", Labels);
    check("sig=", "sig =", Labels);
    check("\"@method\" ", "", Components);
    check("\"@query\"", "\"@query\" \"@query\"", Components);
    check("\"@query\"", "\"@query\";sf", Components);
    check("\"@query\"", "\"@target-uri\"", Components);
    check("\"@query\"", "\"@query\" \"authorization\"", Components);
    check("\"@path\" ", "\"@path\"  ", Components);
    check(";created=1763760000", "", Parameters);
    check("created=1763760000", "created=01763760000", Parameters);
    check("created=1763760000", "created=+1763760000", Parameters);
    check("created=1763760000", "created=1763760000.5", Parameters);
    check("created=1763760000", "created=9999999999999", Parameters);
    check("ed25519", "rsa-v1_5-sha256", Parameters);
    check("\"ed25519\"", "ed25519", Parameters);
    check(";tag=\"syncline\"", "", Parameters);
    check("tag=\"syncline\"", "tag=\"other\"", Parameters);
    check(";alg", "; alg", Parameters);
    check(";alg", ";context=1;alg", Parameters);
    check(";alg=\"ed25519\"", ";alg=\"ed25519\";alg=\"ed25519\"", Parameters);
    check("keyid=\"phone\"", "keyid=\"srv:eu\"", Parameters);
    check("keyid=\"phone\"", "keyid=\"\"", Parameters);
    check("9j2kR0_5pXwQ-7aZ", "9j2kR0_5pXwQ-7a", Parameters);
    check("9j2kR0_5pXwQ-7aZ", "9j2kR0_5pXwQ-7a\\\"", Parameters);
    check("expires=1763760060", "expires=1763760061", Window);
    check("expires=1763760060", "expires=1763760000", Window);
    check("expires=1763760060", "expires=1763759999", Window);

    let digest = content_digest(BODY);
    let good = format!("sig{}", signature(1));
    let refused = |input: &str, signature: &str, digest: Option<&str>| parse(input, signature, digest).err();
    assert_eq!(refused(INPUT, &good, None), Some(Digest));
    assert_eq!(refused(INPUT, &good, Some(&digest.replace("256", "512"))), Some(Digest));
    assert_eq!(refused(INPUT, &good, Some(&format!("{digest}, {digest}"))), Some(Digest));
    assert_eq!(refused(INPUT, "sig=:AAAA:", Some(&digest)), Some(Base64));
    assert_eq!(refused(INPUT, &good.replace(':', ""), Some(&digest)), Some(Base64));
    assert_eq!(refused(INPUT, &format!("new{}", signature(1)), Some(&digest)), Some(Labels));
    assert_eq!(refused(INPUT, &format!("{good}, {good}"), Some(&digest)), Some(Labels));
    assert_eq!(refused(INPUT, &format!("{good}, new{}", signature(2)), Some(&digest)), Some(Labels));
    assert_eq!(refused(&format!("{INPUT}, {INPUT}"), &good, Some(&digest)), Some(Labels));
    let both = format!("{INPUT}, {}", INPUT.replacen("sig", "new", 1));
    let found = parse(&both, &format!("{good}, new{}", signature(2)), Some(&digest)).expect("both are good");
    assert_eq!(found.new.map(|new| new.bytes), Some([2; 64]));
    let uncovered = both.replacen(" \"content-digest\"", "", 1);
    let signed = format!("{good}, new{}", signature(2));
    assert_eq!(refused(&uncovered, &signed, Some(&digest)), Some(Components), "both cover the body");
}

#[test]
fn a_signature_is_good_for_a_while() {
    let check = |now_s: u64, since_s: u64, want| {
        let found = own(INPUT).expect("it is good");
        assert_eq!(
            found.check_time(WallMs(now_s * 1_000), WallMs(since_s * 1_000)),
            want,
            "{now_s} {since_s}"
        );
    };
    let created = 1_763_760_000;
    check(created, 0, Ok(()));
    check(created - 30, 0, Ok(()));
    check(created - 31, 0, Err(SignatureError::Future));
    check(created + 59, 0, Ok(()));
    check(created + 60, 0, Err(SignatureError::Expired));
    check(created + 5, created - 1, Ok(()));
    check(created + 5, created, Err(SignatureError::Early));
}

proptest! {
    /// A change of one byte of the headers is refused, or changes what is signed, or the signature.
    #[test]
    fn no_byte_of_the_headers_counts_for_nothing(at in 0..INPUT.len(), byte in 0x20_u8..0x7f) {
        let mut input = INPUT.as_bytes().to_vec();
        prop_assume!(input[at] != byte);
        input[at] = byte;
        let input = String::from_utf8(input).expect("it is ASCII");
        let before = own(INPUT).expect("it is good");
        prop_assert!(own(&input).map_or(true, |after| after.signed != before.signed));
    }
}
