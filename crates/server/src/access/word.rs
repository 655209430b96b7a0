//! Words that stand for somebody, of which only the hash is kept: whoever reads the memory of the server, or its logs, can open nothing
//! with it.

use data_encoding::BASE64URL_NOPAD;
use ring::digest::{SHA256, digest};

/// The SHA-256 of a word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WordHash([u8; 32]);

impl WordHash {
    pub(super) fn of(word: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, word.as_bytes()).as_ref());
        Self(hash)
    }
}

/// Makes a word of random bytes: 43 characters that a URL can carry.
pub(super) fn word(random: [u8; 32]) -> (String, WordHash) {
    let word = BASE64URL_NOPAD.encode(&random);
    let hash = WordHash::of(&word);
    (word, hash)
}
