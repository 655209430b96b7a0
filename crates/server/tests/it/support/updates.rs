//! Yjs updates of one character, written by hand.

use bytes::Bytes;
use syncline_core::doc::YjsDocument;
use yrs::{Doc, Text, Transact};

/// Returns the first update of a client: it inserts `letter` into the root text "t", beside whatever is there.
pub(crate) fn letter(client: u64, letter: char) -> Bytes {
    let mut update = vec![1, 1];
    push_var_uint(&mut update, client);
    update.extend([0, 4, 1, 1, b't', 1, u8::try_from(letter).expect("ASCII"), 0]);
    update.into()
}

/// Returns the first update of a client: it inserts `len` letters into the root text "t".
pub(crate) fn long_text(client: u64, len: usize) -> Bytes {
    text(client, &"x".repeat(len))
}

/// Returns the first update of a client: it inserts a text of ASCII into the root text "t".
pub(crate) fn text(client: u64, text: &str) -> Bytes {
    let mut update = vec![1, 1];
    push_var_uint(&mut update, client);
    update.extend([0, 4, 1, 1, b't']);
    push_var_uint(&mut update, text.len() as u64);
    update.extend_from_slice(text.as_bytes());
    update.push(0);
    update.into()
}

/// Returns an update with so many embeds in the root text "t", and as many formats around all of them.
pub(crate) fn formats(many: u32) -> Bytes {
    let doc = Doc::with_client_id(7);
    let text = doc.get_or_insert_text("t");
    let mut txn = doc.transact_mut();
    for _ in 0..many {
        text.insert_embed(&mut txn, 0, yrs::Any::from(7));
    }
    for number in 0..many {
        text.format(&mut txn, 0, many, [(format!("m{number}").into(), true.into())].into());
    }
    txn.encode_update_v1().into()
}

/// Returns the letters of the root text "t" in a document of these updates, sorted.
pub(crate) fn letters<'a>(updates: impl IntoIterator<Item = &'a Bytes>) -> String {
    let mut document = YjsDocument::default();
    for update in updates {
        assert!(!document.apply(update).expect("a server sends valid updates").gap);
    }
    let text = document.text("t").expect("the document is whole").unwrap_or_default();
    let mut letters: Vec<char> = text.chars().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

fn push_var_uint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
