//! The headers of signed requests, read strictly: what another program would write otherwise is refused.

use data_encoding::BASE64;
use syncline_core::entity::ActorName;

use super::SIGNED_S_MAX;

/// Longest `Signature-Input`, in bytes: two signatures by devices with the longest names.
const INPUT_BYTES_MAX: usize = 1_024;

/// Fewest and most characters of a nonce.
const NONCE_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// Most digits of a time in seconds.
const TIME_DIGITS_MAX: usize = 12;

const COMPONENTS: [&str; 4] = ["@method", "@path", "@query", BODY];
const BODY: &str = "content-digest";

/// Why a signature is none. The device is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There are other labels than the two, or not the same in both headers.
    #[error("the labels are `sig`, `new` or both, and the same in `Signature-Input` and `Signature`")]
    Labels,
    /// Other components are covered.
    #[error(
        "it covers \"@method\", \"@path\" and \"@query\", and \"content-digest\" if there is a body, and nothing else"
    )]
    Components,
    /// There are other parameters.
    #[error(
        "its parameters are created, expires, nonce, alg=\"ed25519\", keyid with the device, and tag=\"syncline\", each once"
    )]
    Parameters,
    /// It is not good for from 1 to 60 s.
    #[error("`expires` is from 1 to {SIGNED_S_MAX} s behind `created`")]
    Window,
    /// `Signature` is no base64 of 64 bytes.
    #[error("`Signature` is base64 of 64 bytes between two colons")]
    Base64,
    /// `Content-Digest` is missing, or is none of the body.
    #[error("`Content-Digest` is `sha-256=:`, base64 of the SHA-256 of the body as it is sent, and `:`")]
    Digest,
    /// It has ended.
    #[error("it has expired")]
    Expired,
    /// It was made in the future.
    #[error("it is of the future: `created` is more than 30 s ahead of the server")]
    Future,
    /// A server that was here before may have seen it.
    #[error("it was made before this server started: make another one")]
    Early,
}

/// What `Signature-Input` says of one label.
pub(super) struct Member<'a> {
    pub(super) is_new: bool,
    pub(super) components: Vec<&'a str>,
    pub(super) covers_body: bool,
    /// All that follows the `=` behind the label.
    pub(super) params: &'a str,
    pub(super) created_s: u64,
    pub(super) expires_s: u64,
    pub(super) nonce: &'a str,
    pub(super) device: ActorName,
}

/// Returns whether a label is the one of a key that is to be.
fn label(text: &str) -> Result<bool, SignatureError> {
    match text {
        "sig" => Ok(false),
        "new" => Ok(true),
        _ => Err(SignatureError::Labels),
    }
}

/// Reads `Signature-Input`. No value that is allowed holds a comma.
pub(super) fn members(input: &str) -> Result<Vec<Member<'_>>, SignatureError> {
    if input.len() > INPUT_BYTES_MAX {
        return Err(SignatureError::Parameters);
    }
    let mut found: Vec<Member<'_>> = Vec::new();
    for text in input.split(", ") {
        let (name, params) = text.split_once('=').ok_or(SignatureError::Labels)?;
        let is_new = label(name)?;
        if found.iter().any(|known| known.is_new == is_new) {
            return Err(SignatureError::Labels);
        }
        found.push(member(is_new, params)?);
    }
    Ok(found)
}

fn member(is_new: bool, params: &str) -> Result<Member<'_>, SignatureError> {
    let inner = params.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (list, rest) = inner.ok_or(SignatureError::Components)?;
    let components: Vec<&str> = list.split(' ').map(component).collect::<Result<_, _>>()?;
    let once = |name: &str| components.iter().filter(|known| **known == name).count();
    let covers_body = once(BODY) == 1;
    if COMPONENTS.iter().any(|name| once(name) != 1 && (*name != BODY || once(name) > 1)) {
        return Err(SignatureError::Components);
    }
    let [mut created, mut expires, mut nonce, mut alg, mut keyid, mut tag] = [None; 6];
    for parameter in rest.strip_prefix(';').ok_or(SignatureError::Parameters)?.split(';') {
        let (name, value) = parameter.split_once('=').ok_or(SignatureError::Parameters)?;
        let place = match name {
            "created" => &mut created,
            "expires" => &mut expires,
            "nonce" => &mut nonce,
            "alg" => &mut alg,
            "keyid" => &mut keyid,
            "tag" => &mut tag,
            _ => return Err(SignatureError::Parameters),
        };
        if place.replace(value).is_some() {
            return Err(SignatureError::Parameters);
        }
    }
    if alg != Some("\"ed25519\"") || tag != Some("\"syncline\"") {
        return Err(SignatureError::Parameters);
    }
    let device = ActorName::device(quoted(keyid)?).map_err(|_| SignatureError::Parameters)?;
    let nonce = quoted(nonce)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !NONCE_LENGTHS.contains(&nonce.len()) || !nonce.bytes().all(is_plain) {
        return Err(SignatureError::Parameters);
    }
    let (created_s, expires_s) = (seconds(created)?, seconds(expires)?);
    if expires_s <= created_s || expires_s - created_s > SIGNED_S_MAX {
        return Err(SignatureError::Window);
    }
    Ok(Member { is_new, components, covers_body, params, created_s, expires_s, nonce, device })
}

fn component(text: &str) -> Result<&'static str, SignatureError> {
    let name = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let known = COMPONENTS.into_iter().find(|known| Some(*known) == name);
    known.ok_or(SignatureError::Components)
}

fn quoted(value: Option<&str>) -> Result<&str, SignatureError> {
    let text = value.and_then(|value| value.strip_prefix('"')?.strip_suffix('"'));
    text.ok_or(SignatureError::Parameters)
}

fn seconds(value: Option<&str>) -> Result<u64, SignatureError> {
    let text = value.ok_or(SignatureError::Parameters)?;
    let is_number = (1..=TIME_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
    if !is_number || (text.starts_with('0') && text.len() > 1) {
        return Err(SignatureError::Parameters);
    }
    text.parse().map_err(|_| SignatureError::Parameters)
}

/// Reads `Signature`: what is under `sig`, and under `new`.
pub(super) fn signatures(text: &str) -> Result<[Option<[u8; 64]>; 2], SignatureError> {
    let mut found = [None; 2];
    if text.len() > 2 * 128 {
        return Err(SignatureError::Base64);
    }
    for text in text.split(", ") {
        let (name, value) = text.split_once('=').ok_or(SignatureError::Labels)?;
        let place = &mut found[usize::from(label(name)?)];
        if place.replace(bytes(value).ok_or(SignatureError::Base64)?).is_some() {
            return Err(SignatureError::Labels);
        }
    }
    Ok(found)
}

/// Reads `Content-Digest`.
pub(super) fn digest(text: &str) -> Result<[u8; 32], SignatureError> {
    let value = text.strip_prefix("sha-256=").filter(|value| value.len() <= 64);
    value.and_then(bytes).ok_or(SignatureError::Digest)
}

/// Reads base64 between colons, of which each value has one form only.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let inner = text.strip_prefix(':')?.strip_suffix(':')?;
    BASE64.decode(inner.as_bytes()).ok()?.try_into().ok()
}
