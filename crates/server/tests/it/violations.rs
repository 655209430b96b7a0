//! Clients that break the protocol are told so, alone.

use bytes::Bytes;
use futures_util::SinkExt;
use syncline_core::limits::MESSAGE_BYTES_MAX;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{
    client::Client,
    disk::Disk,
    start,
    updates::{letter, letters},
    within,
};

#[tokio::test]
async fn a_violation_closes_the_connection_and_no_other() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut honest = Client::connect(server.addr(), "room").await;
        let check = async |message: Message, code: u16, text: &str| {
            let mut client = Client::connect(server.addr(), "room").await;
            client.ws.send(message.clone()).await.unwrap();
            let (found, reason) = client.hear_close().await;
            assert_eq!((found, reason.contains(text)), (code, true), "{message:?}: {reason}");
        };
        check(Message::text("hello"), 4400, "malformed: text frame").await;
        check(Message::binary(Bytes::from_static(&[0, 2, 9])), 4400, "malformed").await;
        check(Message::binary(Bytes::from_static(&[0, 2, 3, 1, 1, 1])), 4422, "bad-update").await;

        let update = letter(1, 'a');
        honest.update(&update).await;
        honest.hear_echo(&update).await;
        assert_eq!(letters([&honest.whole_document().await]), "a");
        honest.leave().await;
        server.shutdown().await;
    })
    .await;
}

/// The head of a frame says how long it is, so the rest need not come. What does come is read and thrown away: a socket
/// that is dropped with unread bytes is reset, and the client would not see why it was closed.
#[tokio::test]
async fn a_message_that_is_too_long_is_refused_at_its_head() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut client = Client::connect(server.addr(), "room").await;
        let length = MESSAGE_BYTES_MAX as u64 + 1;
        let mut head = vec![0x82, 0xff];
        head.extend(length.to_be_bytes());
        head.extend([0; 4]);
        let socket = client.ws.get_mut();
        socket.write_all(&head).await.unwrap();
        socket.write_all(&vec![7; 1 << 20]).await.unwrap();
        assert_eq!(client.hear_close().await, (4413, "too-large".into()));
        drop(client);
        server.shutdown().await;
    })
    .await;
}
