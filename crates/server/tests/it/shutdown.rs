//! Stopping: what was taken in is stored and acknowledged, and nobody can hold it up.

use std::time::{Duration, Instant};

use syncline_protocol::{Request, wire::yjs};
use syncline_store::key::Kind;

use crate::support::{
    client::{Client, Heard},
    disk::{Disk, count},
    raw, start, start_with,
    updates::letter,
    within,
};

#[tokio::test]
async fn what_was_taken_in_is_stored_and_acknowledged_first() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut client = Client::connect(server.addr(), "room").await;
        client.whole_document().await;
        disk.tell(|disk| disk.hold_commits = true);
        let (first, second) = (letter(1, 'a'), letter(2, 'b'));
        client.update(&first).await;
        disk.until(|disk| disk.commit_waits).await;
        client.update(&second).await;
        // Its echo says that the room has taken in what came before it.
        hear_presence(&mut client).await;

        let stopping = tokio::spawn(server.shutdown());
        disk.tell(|disk| disk.hold_commits = false);
        client.hear_echo(&first).await;
        client.hear_echo(&second).await;
        assert_eq!(client.hear_close().await, (1012, "shutdown".into()));
        stopping.await.unwrap();
        assert_eq!((count(&disk, Kind::Log), count(&disk, Kind::Loading)), (2, 0));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_holds_up_nothing() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut silent = Client::connect(server.addr(), "room").await;
        silent.whole_document().await;
        let begun = Instant::now();
        server.shutdown().await;
        assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
        assert_eq!(silent.hear_close().await.0, 1012);
    })
    .await;
}

#[tokio::test]
async fn a_second_server_may_have_the_port_at_once() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let addr = server.addr();
        assert_eq!(raw::get(addr, "/readyz", "").await.status, 200);
        server.shutdown().await;
        let again = start_with(&disk, |config| config.listen = addr).await;
        assert_eq!(raw::get(addr, "/readyz", "").await.status, 200);
        again.shutdown().await;
    })
    .await;
}

/// Sends presence and waits for its echo.
async fn hear_presence(client: &mut Client) {
    client.send(yjs::presence(&[1, 9, 1, 2, b'{', b'}'])).await;
    loop {
        match client.hear().await {
            Heard::Message(Request::Presence { entries }) if entries.len() > 1 => return,
            Heard::Message(_) => {}
            end => panic!("{end:?}"),
        }
    }
}
