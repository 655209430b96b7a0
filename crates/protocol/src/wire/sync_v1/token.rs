//! Cursors as clients see them: a word that they keep and give back, and that nobody else can make.
//!
//! `s1.` and then, in base64url without padding (RFC 4648), 67 bytes, integers with their highest byte first:
//!
//! | bytes | |
//! | --- | --- |
//! | 1 | version of this layout: 1 |
//! | 1 | number of the key |
//! | 8 | epoch |
//! | 8 | SHA-256 of the tenant's name, its first bytes |
//! | 8 | the same of the scope's name |
//! | 8 | the same of the buckets that the scope stands for |
//! | 1 | flags: 1 if this is within a full pass; all others are 0 |
//! | 8 | the place read up to |
//! | 8 | the end of the log when the pass began; 0 outside of one |
//! | 16 | HMAC-SHA-256 (RFC 2104) of all that, its first bytes |

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use syncline_core::entity::{Epoch, Sequence};

use crate::ledger::{Cursor, ShortHash};

const PREFIX: &str = "s1.";
const VERSION: u8 = 1;
const FULL_PASS: u8 = 1;
const BODY_BYTES: usize = 51;
const MAC_BYTES: usize = 16;
const TOKEN_BYTES: usize = BODY_BYTES + MAC_BYTES;

/// Whose cursor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorOwner<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The scope.
    pub scope: &'a str,
}

/// A key that cursors are signed with.
#[derive(Clone, Copy)]
pub struct CursorKey<'a> {
    /// Its number: keys are replaced, and older cursors still name the older one.
    pub number: u8,
    /// The key; 32 random bytes.
    pub secret: &'a [u8],
}

/// Why a word is not a cursor. Who sent it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// It does not look like one.
    #[error("the text is not a cursor")]
    Form,
    /// It names a key that is not known.
    #[error("the key {number} of the cursor is not known")]
    Key {
        /// The number of the key.
        number: u8,
    },
    /// It was not made by a server, or was changed.
    #[error("the signature of the cursor is wrong")]
    Signature,
    /// It is that of another tenant.
    #[error("the cursor is that of another tenant")]
    Tenant,
    /// It is that of another scope.
    #[error("the cursor is that of another scope")]
    Scope,
}

impl Cursor {
    /// Returns the word for a client. The same cursor has the same word.
    #[must_use]
    pub fn seal(&self, owner: CursorOwner<'_>, key: CursorKey<'_>) -> String {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.extend([VERSION, key.number]);
        bytes.extend(self.epoch.0.to_be_bytes());
        bytes.extend(ShortHash::of(owner.tenant).0);
        bytes.extend(ShortHash::of(owner.scope).0);
        bytes.extend(self.buckets.0);
        bytes.push(if self.full_pass.is_some() { FULL_PASS } else { 0 });
        bytes.extend(self.pos.0.to_be_bytes());
        bytes.extend(self.full_pass.unwrap_or_default().0.to_be_bytes());
        let mac = mac(key.secret, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac[..MAC_BYTES]);
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))
    }

    /// Reads a word that a client gives back. `secret` returns the key of a number.
    ///
    /// # Errors
    /// [`CursorError`] says why it is not a cursor of `owner`.
    pub fn open<'a>(
        word: &str,
        owner: CursorOwner<'_>,
        secret: impl FnOnce(u8) -> Option<&'a [u8]>,
    ) -> Result<Self, CursorError> {
        let bytes = bytes(word).ok_or(CursorError::Form)?;
        let (body, signature) = bytes.split_at(BODY_BYTES);
        let number = body[1];
        let secret = secret(number).ok_or(CursorError::Key { number })?;
        mac(secret, body).verify_truncated_left(signature).map_err(|_| CursorError::Signature)?;
        let eight = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&body[at..at + 8]);
            eight
        };
        if ShortHash(eight(10)) != ShortHash::of(owner.tenant) {
            return Err(CursorError::Tenant);
        }
        if ShortHash(eight(18)) != ShortHash::of(owner.scope) {
            return Err(CursorError::Scope);
        }
        if body[0] != VERSION || body[34] > FULL_PASS {
            return Err(CursorError::Form);
        }
        let began = Sequence(u64::from_be_bytes(eight(43)));
        Ok(Self {
            epoch: Epoch(u64::from_be_bytes(eight(2))),
            buckets: ShortHash(eight(26)),
            pos: Sequence(u64::from_be_bytes(eight(35))),
            full_pass: (body[34] == FULL_PASS).then_some(began),
        })
    }
}

fn bytes(word: &str) -> Option<[u8; TOKEN_BYTES]> {
    let text = word.strip_prefix(PREFIX)?;
    // Decoded only if it has the right length, so that a long word costs nothing.
    let is_long_enough = BASE64URL_NOPAD.decode_len(text.len()) == Ok(TOKEN_BYTES);
    let bytes = if is_long_enough { BASE64URL_NOPAD.decode(text.as_bytes()).ok()? } else { return None };
    bytes.try_into().ok()
}

fn mac(secret: &[u8], body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWNER: CursorOwner<'static> = CursorOwner { tenant: "acme", scope: "work_orders" };

    fn secret(number: u8) -> Option<&'static [u8]> {
        [&b"an older secret"[..], b"a newer secret"].get(usize::from(number)).copied()
    }

    fn key(number: u8) -> CursorKey<'static> {
        CursorKey { number, secret: secret(number).expect("there is one") }
    }

    fn cursor() -> impl Strategy<Value = Cursor> {
        let parts = any::<(u64, [u8; 8], u64, Option<u64>)>();
        parts.prop_map(|(epoch, buckets, pos, full_pass)| Cursor {
            epoch: Epoch(epoch),
            buckets: ShortHash(buckets),
            pos: Sequence(pos),
            full_pass: full_pass.map(Sequence),
        })
    }

    /// The bytes are a format: clients keep them across versions of the server.
    #[test]
    fn a_cursor_has_the_bytes_of_the_vector() {
        let cursor = Cursor {
            epoch: Epoch(7),
            buckets: ShortHash::of_all(["territory:7"]),
            pos: Sequence(90_011),
            full_pass: Some(Sequence(90_412)),
        };
        assert_eq!(
            cursor.seal(OWNER, key(1)),
            "s1.AQEAAAAAAAAAB4IrM62HwUigfnrM_WKHJomdfW2VtTdyQwEAAAAAAAFfmwAAAAAAAWEss0Bonr4o-3Txtl-FKmS_3w"
        );
        assert_ne!(ShortHash::of_all(["ab", "c"]), ShortHash::of_all(["a", "bc"]));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let long = "s1.".to_owned() + &"A".repeat(1 << 20);
        for word in ["", "s1.", "s2.AAAA", "s1.====", "s1.é", long.as_str()] {
            assert_eq!(Cursor::open(word, OWNER, secret), Err(CursorError::Form), "{word:.9}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(cursor in cursor(), number in 0..2_u8) {
            let word = cursor.seal(OWNER, key(number));
            prop_assert_eq!(word.len(), 93);
            prop_assert_eq!(Cursor::open(&word, OWNER, secret), Ok(cursor));
            prop_assert_eq!(Cursor::open(&word, OWNER, |_| None), Err(CursorError::Key { number }));
            prop_assert_eq!(Cursor::open(&word, OWNER, |_| Some(b"other")), Err(CursorError::Signature));
            let other = CursorOwner { tenant: "b", ..OWNER };
            prop_assert_eq!(Cursor::open(&word, other, secret), Err(CursorError::Tenant));
            let other = CursorOwner { scope: "b", ..OWNER };
            prop_assert_eq!(Cursor::open(&word, other, secret), Err(CursorError::Scope));
        }

        /// One flipped bit of the bytes, or one other character of the word, and it is no cursor.
        #[test]
        fn what_was_changed_is_refused(cursor in cursor(), at in 0..TOKEN_BYTES, bit in 0..8, c in "[A-Za-z0-9_-]") {
            let word = cursor.seal(OWNER, key(0));
            let mut bytes = BASE64URL_NOPAD.decode(&word.as_bytes()[3..]).expect("it is base64");
            bytes[at] ^= 1_u8 << bit;
            let flipped = format!("s1.{}", BASE64URL_NOPAD.encode(&bytes));
            prop_assert!(Cursor::open(&flipped, OWNER, secret).is_err());
            let mut changed = word.clone();
            changed.replace_range(at..=at, &c);
            prop_assert_eq!(Cursor::open(&changed, OWNER, secret).is_ok(), changed == word);
        }

        #[test]
        fn no_word_is_too_odd(word in "\\PC{0,99}", near in "s1\\.[A-Za-z0-9_-]{88,92}") {
            prop_assert!(Cursor::open(&word, OWNER, secret).is_err());
            prop_assert!(Cursor::open(&near, OWNER, secret).is_err());
        }
    }
}
