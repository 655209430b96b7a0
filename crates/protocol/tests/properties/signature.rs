//! Whatever the headers: no signed request panics, and what is taken is of the profile.

#![allow(dead_code, reason = "the fuzz target uses a part of this")]

use syncline_protocol::wire::signature::{Signatures, SignedHead};

/// Reads three lines as the headers of a signed request. Panics on a breach; returns whether they are of the profile.
pub(crate) fn signature(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let (input, signature) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let digest = lines.next();
    let head = SignedHead { method: "POST", path: "/sync/v1/pull", query: None, input, signature, digest };
    let Ok(found) = Signatures::parse(&head) else { return false };
    let both = [&found.own, &found.new].map(|signature| signature.as_ref());
    assert!(both.iter().any(Option::is_some));
    for signature in both.into_iter().flatten() {
        let lasts_ms = signature.expires.0 - signature.created.0;
        assert!((1_000..=60_000).contains(&lasts_ms));
        for covered in ["\"@method\": POST\n", "\"@path\": /sync/v1/pull\n", "\"@query\": ?\n"] {
            assert_eq!(signature.signed.matches(covered).count(), 1, "{signature:?}");
        }
        assert_eq!(signature.signed.contains("\"content-digest\": "), found.body.is_some());
        let params = signature.signed.rsplit_once("\"@signature-params\": ").expect("they are signed").1;
        assert!(input.contains(params), "what is signed is what was sent");
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_holds_what_is_taken_and_what_is_not() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/signature");
        let taken = std::fs::read_dir(folder).expect("the target has a corpus").map(|entry| {
            let path = entry.expect("it can be read").path();
            signature(&std::fs::read(path).expect("it can be read"))
        });
        assert_eq!(taken.filter(|taken| *taken).count(), 3);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in "[ -~]{0,80}\n[ -~]{0,80}\n[ -~]{0,60}") {
            signature(bytes.as_bytes());
        }
    }
}
