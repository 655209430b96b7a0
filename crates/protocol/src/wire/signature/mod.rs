//! Requests that a device has signed: one profile of HTTP Message Signatures (RFC 9421), with `Content-Digest` (RFC 9530).
//!
//! | header | what it holds |
//! | --- | --- |
//! | `Signature-Input` | a label, `=`, the components that are covered in parentheses, and parameters; or two such, with `, ` between |
//! | `Signature` | for each label, `=:`, the base64 of the 64 bytes of an Ed25519 signature, `:` |
//! | `Content-Digest` | `sha-256=:`, the base64 of the SHA-256 of the body as it is sent, `:` |
//!
//! There are two labels: `sig` is by the key that a device has, `new` by one that it is to have. The components are `"@method"`,
//! `"@path"` and `"@query"`, and `"content-digest"` if there is a body, in any order and no others, with one space between. The
//! parameters are all of these, in any order, each once:
//!
//! | parameter | what it is |
//! | --- | --- |
//! | `created`, `expires` | seconds since 1970: from 1 to 60 of them lie between |
//! | `nonce` | in quotes, 16 to 64 of `A-Z a-z 0-9 _ -`, and another one each time |
//! | `alg` | `"ed25519"` |
//! | `keyid` | in quotes, the id of the device |
//! | `tag` | `"syncline"` |
//!
//! What is signed is a line for each component, its name in quotes, `: ` and its value, and then `"@signature-params": ` and what
//! follows the label in `Signature-Input`; line feeds stand between them. The value of `@method` is as it is sent, that of `@path`
//! is the path as it is sent, that of `@query` is `?` and what follows it, and that of `content-digest` is the header's.
//!
//! Nothing here knows a key or a clock: whoever has them says whether a signature is one, and what time it is.

mod parse;
#[cfg(test)]
mod tests;

use sha2::{Digest as _, Sha256};
use syncline_core::{entity::ActorName, time::WallMs};

use self::parse::Member;
pub use self::parse::SignatureError;

/// Longest time for which a signature is good, in seconds.
pub const SIGNED_S_MAX: u64 = 60;

/// How far the clock of a device may be ahead, in milliseconds.
pub const SIGNED_SKEW_MS: u64 = 30_000;

/// What of a request a signature may cover, and the headers that carry it. None of it was looked at.
#[derive(Clone, Copy, Debug)]
pub struct SignedHead<'a> {
    /// As it is sent.
    pub method: &'a str,
    /// As it is sent, without the query.
    pub path: &'a str,
    /// Without the `?`; none if there was none.
    pub query: Option<&'a str>,
    /// `Signature-Input`.
    pub input: &'a str,
    /// `Signature`.
    pub signature: &'a str,
    /// `Content-Digest`.
    pub digest: Option<&'a str>,
}

/// The signatures of a request, of which it is not known yet whether they are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatures {
    /// By the key that a device has.
    pub own: Option<Signature>,
    /// By the key that a device is to have.
    pub new: Option<Signature>,
    /// What the body is, if they cover it. If not there may be none.
    pub body: Option<BodyDigest>,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Whose key it claims to be by.
    pub device: ActorName,
    /// When it was made.
    pub created: WallMs,
    /// From when on it is good for nothing.
    pub expires: WallMs,
    /// What no other signature of the device has.
    pub nonce: String,
    /// The signature.
    pub bytes: [u8; 64],
    /// What it is a signature of.
    pub signed: String,
}

/// SHA-256 of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest([u8; 32]);

impl Signatures {
    /// Reads the signatures of a request.
    ///
    /// # Errors
    /// [`SignatureError`] if they are not of the profile, byte for byte.
    pub fn parse(head: &SignedHead<'_>) -> Result<Self, SignatureError> {
        let mut found = Self { own: None, new: None, body: None };
        let members = parse::members(head.input)?;
        let covers = members.iter().any(|member| member.covers_body);
        if covers {
            let digest = head.digest.ok_or(SignatureError::Digest)?;
            found.body = Some(BodyDigest(parse::digest(digest)?));
        }
        for member in members {
            if member.covers_body != covers {
                return Err(SignatureError::Components);
            }
            let place = if member.is_new { &mut found.new } else { &mut found.own };
            *place = Some(signature(head, member, &parse::signatures(head.signature)?)?);
        }
        let signed = parse::signatures(head.signature)?;
        if signed[0].is_some() != found.own.is_some() || signed[1].is_some() != found.new.is_some() {
            return Err(SignatureError::Labels);
        }
        Ok(found)
    }
}

fn signature(
    head: &SignedHead<'_>,
    member: Member<'_>,
    signed: &[Option<[u8; 64]>; 2],
) -> Result<Signature, SignatureError> {
    let mut text = String::new();
    for component in &member.components {
        let value = match *component {
            "@method" => head.method,
            "@path" => head.path,
            "@query" => "?",
            _ => head.digest.unwrap_or_default(),
        };
        text.extend(["\"", component, "\": ", value]);
        if *component == "@query" {
            text.push_str(head.query.unwrap_or_default());
        }
        text.push('\n');
    }
    text.extend(["\"@signature-params\": ", member.params]);
    Ok(Signature {
        device: member.device,
        created: WallMs(member.created_s.saturating_mul(1_000)),
        expires: WallMs(member.expires_s.saturating_mul(1_000)),
        nonce: member.nonce.to_owned(),
        bytes: signed[usize::from(member.is_new)].ok_or(SignatureError::Labels)?,
        signed: text,
    })
}

impl Signature {
    /// Checks that it is good at `now`, for whoever knows all nonces of signatures that were made behind `since`.
    ///
    /// # Errors
    /// [`SignatureError`]: it has ended, is of the future, or may have been seen by a server before this one.
    pub fn check_time(&self, now: WallMs, since: WallMs) -> Result<(), SignatureError> {
        if self.expires <= now {
            Err(SignatureError::Expired)
        } else if self.created.0 > now.0.saturating_add(SIGNED_SKEW_MS) {
            Err(SignatureError::Future)
        } else if self.created <= since {
            Err(SignatureError::Early)
        } else {
            Ok(())
        }
    }
}

impl BodyDigest {
    /// Returns whether this is the body.
    #[must_use]
    pub fn is_of(&self, body: &[u8]) -> bool {
        Sha256::digest(body)[..] == self.0
    }
}

/// Returns what `Content-Digest` says of a body.
#[must_use]
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", data_encoding::BASE64.encode(&Sha256::digest(body)))
}
