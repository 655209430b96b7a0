use super::{encode::Inner, *};

const DOCUMENT: &str = "2yh5UZx7idRCxjy3C4tiUeBEMQmE";

/// The frames that one side has sent.
fn recorded(side: &str) -> Vec<Bytes> {
    let lines = include_str!("../../../tests/data/automerge-repo-frames.txt").lines();
    let of_side = lines.filter_map(|line| line.strip_prefix(side)?.strip_prefix(' '));
    of_side.map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex").into()).collect()
}

/// Goal: what clients write is read. Method: each recorded frame of a client's, in order, by its kind.
#[test]
fn recorded_frames_of_clients() {
    let kinds: Vec<&str> = recorded("client")
        .iter()
        .map(|frame| match decode(frame).expect("a real client wrote it") {
            Incoming::Join { sender, speaks_ours } => {
                assert!(speaks_ours && ["alice", "bob"].contains(&&*sender), "{sender}");
                "join"
            }
            Incoming::Message { sender, document, message } => {
                assert!(["alice", "bob"].contains(&&*sender));
                let missing = document == Ok("4NMNnkMhL8jXrdJ9jamS58PAVdXu".into());
                assert!(missing || document == Ok(DOCUMENT.into()), "{document:?}");
                match message {
                    Message::Sync { data, wants } => {
                        syncline_core::guard::automerge::scan_sync_message(&data).expect("honest");
                        if wants { "request" } else { "sync" }
                    }
                    Message::Unavailable => "unavailable",
                    Message::Ephemeral { count, session, data } => {
                        assert_eq!((count, &*session, data.len()), (1, "ylb88kd0jgt", 11));
                        "ephemeral"
                    }
                }
            }
            Incoming::Other => "other",
        })
        .collect();
    assert_eq!(kinds[..4], ["join", "sync", "sync", "sync"]);
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "other").count(),
        1,
        "alice wants to know of others: {kinds:?}"
    );
    assert_eq!(kinds.iter().filter(|kind| **kind == "ephemeral").count(), 2, "bob's, and alice's echo");
}

/// Goal: what we write is what their own server writes. Method: the kinds that both have read the same.
#[test]
fn what_is_written_reads_like_recorded_frames_of_a_server() {
    for frame in recorded("server") {
        let Incoming::Message { sender, document, message } = decode(&frame).expect("a real server wrote it")
        else {
            continue;
        };
        let inner = match message.clone() {
            Message::Sync { data, .. } => Inner::Sync(data),
            Message::Unavailable => Inner::Unavailable,
            Message::Ephemeral { count, session, data } => {
                Inner::Ephemeral { sender: sender.clone(), count, session, data }
            }
        };
        let document = document.expect("a document's name");
        let ours = Inner::address(&inner.encode(), "server-1", "alice", &document);
        let want = Incoming::Message { sender, document: Ok(document), message };
        assert_eq!(decode(&ours), Ok(want));
    }
}

#[test]
fn frames_that_are_none() {
    let check = |frame: &[u8], want: FrameError| {
        assert_eq!(decode(&Bytes::copy_from_slice(frame)), Err(want), "{frame:02x?}");
    };
    check(b"", FrameError::Cbor);
    check(b"\xa1", FrameError::Cbor);
    check(b"\xa0\x00", FrameError::Trailing);
    check(b"\xa0", FrameError::Key { key: "type" });
    check(b"\xa1\x01\x02", FrameError::Cbor);
    check(b"\xa1\x64type\x64join", FrameError::Key { key: "senderId" });
    check(b"\xa2\x64type\x64sync\x68senderId\x61a", FrameError::Key { key: "data" });
    check(b"\xb9\xff\xff", FrameError::Cbor);
    check(&[b"\xb9\xff\xff".to_vec(), b"\x60\x00".repeat(40)].concat(), FrameError::TooMuch);
    check(&[b"\xa1\x61x".to_vec(), vec![0x81; 10_000], vec![0]].concat(), FrameError::TooMuch);
    check(b"\xa1\x61x\x9b\xff\xff\xff\xff\xff\xff\xff\xff", FrameError::Cbor);
    let long = [b"\xa1\x64type\x79\x08\x00".to_vec(), vec![b'a'; 2_048]].concat();
    check(&long, FrameError::TooLong);
}

#[test]
fn what_is_not_known_is_left_out() {
    let check = |frame: &[u8], want: Incoming| {
        assert_eq!(decode(&Bytes::copy_from_slice(frame)), Ok(want), "{frame:02x?}");
    };
    let join = |sender: &str, speaks_ours| Incoming::Join { sender: sender.into(), speaks_ours };
    check(b"\xbf\x64type\x64join\x68senderId\x61a\xff", join("a", true));
    check(
        b"\xa3\x64type\x64join\x68senderId\x61a\x61x\xbf\x61y\x9f\xf7\x01\xff\x61z\x5f\x41a\xff\xff",
        join("a", true),
    );
    let versions = b"\xa3\x64type\x64join\x68senderId\x61a\x78\x19supportedProtocolVersions\x81\x612";
    check(versions, join("a", false));
    check(b"\xa1\x64type\x65leave", Incoming::Other);
}

#[test]
fn a_document_has_a_name_with_a_checksum() {
    let check = |name: &[u8], want: Result<String, String>| {
        let frame = [b"\xa3\x64type\x6fdoc-unavailable\x68senderId\x61a\x6adocumentId", name].concat();
        let Ok(Incoming::Message { document, .. }) = decode(&frame.into()) else { panic!("a message") };
        assert_eq!(document, want);
    };
    check(&[b"\x78\x1c", DOCUMENT.as_bytes()].concat(), Ok(DOCUMENT.into()));
    check(b"\x64made", Err("made".into()));
    let bytes = crate::wire::base58::decode(DOCUMENT, 16).expect("a name");
    check(&[&[0x50], &bytes[..]].concat(), Ok(DOCUMENT.into()));
    check(b"\x40", Err(String::new()));
}
