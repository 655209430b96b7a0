//! How requests to hooks are signed: by Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>).
//!
//! | header | what it holds |
//! | --- | --- |
//! | [`ID`] | `msg_` and 32 hexadecimal digits; the same for each attempt to tell the same |
//! | [`TIMESTAMP`] | when this attempt was made, in seconds since 1970 |
//! | [`SIGNATURE`] | for each secret `v1,` and the base64 of the HMAC-SHA256 over id, `.`, timestamp, `.`, body; with spaces between |

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use syncline_core::{
    hook::{HookMarkId, HookName},
    id::TenantName,
    time::WallMs,
};

/// The header that names what is told.
pub const ID: &str = "webhook-id";

/// The header that says when.
pub const TIMESTAMP: &str = "webhook-timestamp";

/// The header with the signatures.
pub const SIGNATURE: &str = "webhook-signature";

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// Lengths of secrets that Standard Webhooks allows, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What requests to a hook are signed with. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct HookSecret(Vec<u8>);

/// Why a text is no secret, which it does not repeat. Whoever wrote it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret is `whsec_` and the base64 of 24 to 64 bytes, as `echo whsec_$(openssl rand -base64 32)` makes it"
)]
pub struct HookSecretError;

impl HookSecret {
    /// Reads `whsec_` and base64, padded or not.
    ///
    /// # Errors
    /// [`HookSecretError`] if it is none.
    pub fn parse(text: &str) -> Result<Self, HookSecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(HookSecretError)?.trim_end_matches('=');
        let bytes = BASE64_NOPAD.decode(encoded.as_bytes()).map_err(|_| HookSecretError)?;
        if SECRET_BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(HookSecretError) }
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret(..)")
    }
}

/// Returns what a hook knows a message by: the same whenever and however often it is told the same.
#[must_use]
pub fn message_id(hook: &HookName, tenant: &TenantName, id: &HookMarkId) -> String {
    let HookMarkId { tenant: _, document, commit, event } = id;
    let mut hash = Sha256::new();
    for part in [hook.as_str(), tenant.as_str(), event.as_str()] {
        // No name holds a 0.
        hash.update(part);
        hash.update([0]);
    }
    hash.update(document.0);
    hash.update(commit.0.to_be_bytes());
    // Half of it is more than enough.
    format!("msg_{}", HEXLOWER.encode(&hash.finalize()[..16]))
}

/// Returns when an attempt is made, as [`TIMESTAMP`] has it.
#[must_use]
pub fn timestamp(at: WallMs) -> String {
    (at.0 / 1_000).to_string()
}

/// Returns the signatures of a request, one for each secret.
#[must_use]
pub fn signatures(secrets: &[HookSecret], id: &str, timestamp: &str, body: &[u8]) -> String {
    let sign = |HookSecret(secret): &HookSecret| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    };
    secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use syncline_core::{
        hook::HookEvent,
        id::{CommitNumber, DocumentId, TenantId},
    };

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The vector that the libraries of Standard Webhooks are tested with.
    #[test]
    fn a_request_is_signed_as_standard_webhooks_has_it() {
        let published = HookSecret::parse(SECRET).expect("a secret");
        let other = HookSecret::parse(&format!("whsec_{}", BASE64.encode(&[7; 32]))).expect("a secret");
        let at = timestamp(WallMs(1_614_265_330_999));
        let sign = |secrets: &[HookSecret]| {
            signatures(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", &at, b"{\"test\": 2432232314}")
        };
        let want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(std::slice::from_ref(&published)), want);
        assert_eq!(sign(&[other.clone(), published]), format!("{} {want}", sign(&[other])));
    }

    #[test]
    fn a_secret_has_its_form_and_is_not_shown() {
        let of = |bytes: usize| HookSecret::parse(&format!("whsec_{}", BASE64.encode(&vec![1; bytes])));
        for (bytes, good) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
            assert_eq!(of(bytes).is_ok(), good, "{bytes} bytes");
        }
        for bad in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_Mf KQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            let error = HookSecret::parse(bad).expect_err("no secret");
            assert!(!error.to_string().contains("MfKQ"));
        }
        let secret = HookSecret::parse(SECRET).expect("a secret");
        assert_eq!(format!("{secret:?}"), "HookSecret(..)");
    }

    #[test]
    fn a_message_is_known_by_what_it_tells() {
        let (event, tenant, document) = (HookEvent::Changed, TenantId(3), DocumentId([1; 16]));
        let id = HookMarkId { tenant, document, commit: CommitNumber(5), event };
        let named = |hook: &str, tenant: &str, id: &HookMarkId| {
            let (hook, tenant) = (HookName::new(hook).expect("a name"), tenant.parse().expect("a name"));
            message_id(&hook, &tenant, id)
        };
        let first = named("a", "t", &id);
        assert_eq!((first.len(), &first), (36, &named("a", "t", &id)));
        for other in [
            named("b", "t", &id),
            named("a", "u", &id),
            named("a", "t", &HookMarkId { document: DocumentId([2; 16]), ..id }),
            named("a", "t", &HookMarkId { commit: CommitNumber(6), ..id }),
            named("a", "t", &HookMarkId { event: HookEvent::Created, ..id }),
        ] {
            assert_ne!(other, first);
        }
    }
}
