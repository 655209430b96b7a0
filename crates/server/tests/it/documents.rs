//! What clients of one room see of each other, and when.

use bytes::Bytes;
use syncline_protocol::{Request, wire::yjs};
use syncline_store::key::Kind;

use crate::support::{
    client::{Client, Heard},
    disk::{Disk, count},
    start,
    updates::{letter, letters, long_text},
    within,
};

#[tokio::test]
async fn nothing_is_shown_before_it_is_durable() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut writer = Client::connect(server.addr(), "room").await;
        let mut reader = Client::connect(server.addr(), "room").await;
        reader.whole_document().await;

        disk.tell(|disk| disk.hold_commits = true);
        let update = letter(1, 'a');
        writer.update(&update).await;
        disk.until(|disk| disk.commit_waits).await;

        // Presence rests on no commit. It comes after the update and overtakes it, so the update was held back.
        writer.send(presence(1)).await;
        loop {
            match reader.hear().await {
                Heard::Message(Request::Presence { entries }) if entries.len() > 1 => break,
                Heard::Message(Request::Update { update, .. }) => panic!("{update:?} is not durable"),
                Heard::Message(_) => {}
                end => panic!("{end:?}"),
            }
        }
        disk.tell(|disk| disk.hold_commits = false);
        assert_eq!(letters([&reader.hear_update().await]), "a");
        writer.hear_echo(&update).await;
        drop((writer, reader));
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_room_without_a_commit_writes_nothing() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        // What a server keeps for itself.
        let before = disk.memory().live().clone();
        let mut client = Client::connect(server.addr(), "room").await;
        client.whole_document().await;
        client.leave().await;
        server.shutdown().await;
        assert_eq!(*disk.memory().live(), before);
    })
    .await;
}

#[tokio::test]
async fn a_document_outlives_its_server() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut client = Client::connect(server.addr(), "room").await;
        for (id, letter_) in [(1, 'a'), (2, 'b')] {
            let update = letter(id, letter_);
            client.update(&update).await;
            client.hear_echo(&update).await;
        }
        drop(client);
        server.shutdown().await;
        assert_eq!((count(&disk, Kind::Name), count(&disk, Kind::Log)), (1, 2));

        let server = start(&disk).await;
        let mut client = Client::connect(server.addr(), "room").await;
        assert_eq!(letters([&client.whole_document().await]), "ab");
        assert_eq!(count(&disk, Kind::Loading), 0, "a load that ended leaves no mark");
        drop(client);
        server.shutdown().await;
    })
    .await;
}

/// A long message is written in fragments while a client that writes a long one itself reads nothing. If the server
/// stopped reading meanwhile, both would wait for ever.
#[tokio::test]
async fn long_messages_pass_each_other() {
    const LEN: usize = 6 << 20;
    within(async {
        let disk = Disk::new();
        disk.put_document("room", &long_text(1, LEN));
        let server = start(&disk).await;
        let mut client = Client::connect(server.addr(), "room").await;
        client.send(yjs::sync_step1(&[0])).await;
        client.update(&long_text(2, LEN)).await;
        let mut seen = 0;
        while seen < 2 * LEN {
            seen += client.hear_update().await.len();
        }
        drop(client);
        server.shutdown().await;
    })
    .await;
}

/// An awareness message of a client that is there: clock 1, state `{}`.
fn presence(client: u8) -> Bytes {
    yjs::presence(&[1, client, 1, 2, b'{', b'}'])
}
