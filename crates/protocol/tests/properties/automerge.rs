//! Whatever the bytes, a frame of an Automerge client is read or refused, and so is a message in one.

#![allow(dead_code, reason = "the fuzz target uses a part of this")]

use bytes::Bytes;
use syncline_core::guard::automerge::{scan_chunks, scan_sync_message};
use syncline_protocol::wire::automerge::{Incoming, Inner, Message, decode};

/// Reads bytes as a frame, as a message and as chunks. Panics on a breach; returns whether they are a frame.
pub(crate) fn frame(bytes: &[u8]) -> bool {
    let whole = scan_chunks(bytes).map_or(0, |chunks| chunks.iter().map(|chunk| chunk.bytes.len()).sum());
    assert!(whole == 0 || whole == bytes.len(), "chunks cover all bytes");
    let _ = scan_sync_message(bytes);
    let Ok(incoming) = decode(&Bytes::copy_from_slice(bytes)) else { return false };
    if let Incoming::Message { sender, document: Ok(document), message } = incoming {
        again(sender, document, message);
    }
    true
}

/// What is handed on reads as what came.
fn again(sender: String, document: String, message: Message) {
    let inner = match message.clone() {
        Message::Sync { data, .. } => {
            let _ = scan_sync_message(&data);
            Inner::Sync(data)
        }
        Message::Unavailable => Inner::Unavailable,
        Message::Ephemeral { count, session, data } => {
            Inner::Ephemeral { sender: sender.clone(), count, session, data }
        }
    };
    let message = match message {
        Message::Sync { data, .. } => Message::Sync { data, wants: false },
        other => other,
    };
    let frame = Inner::address(&inner.encode(), &sender, "target", &document);
    assert_eq!(decode(&frame), Ok(Incoming::Message { sender, document: Ok(document), message }));
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn seeds() -> Vec<Vec<u8>> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/automerge");
        std::fs::read_dir(folder)
            .expect("there are seeds")
            .map(|entry| std::fs::read(entry.expect("readable").path()).expect("readable"))
            .collect()
    }

    #[test]
    fn seeds_of_the_fuzz_target() {
        assert!(seeds().iter().filter(|seed| frame(seed)).count() > 8, "most are frames");
    }

    proptest! {
        #[test]
        fn whatever_the_bytes(bytes in vec(any::<u8>(), 0..200)) {
            frame(&bytes);
        }

        #[test]
        fn seeds_with_damage(
            seed in prop::sample::select(seeds()),
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = seed;
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            frame(&bytes);
            frame(&bytes[..cut.index(bytes.len())]);
        }
    }
}
