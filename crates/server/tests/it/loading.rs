//! Loads: shared by all who wait for them, and contained if they fail.

use syncline_server::Server;

use crate::support::{
    client::Client,
    disk::Disk,
    start, start_with,
    updates::{letter, letters},
    within,
};

#[tokio::test]
async fn all_who_join_meanwhile_wait_for_one_load() {
    within(async {
        let disk = Disk::new();
        disk.put_document("room", &letter(1, 'a'));
        let server = start(&disk).await;
        disk.tell(|disk| disk.hold_names = true);

        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(Client::connect(server.addr(), "room").await);
        }
        let gone = clients.remove(0);
        disk.until(|disk| disk.name_waits).await;
        drop(gone);
        disk.tell(|disk| disk.hold_names = false);

        for client in &mut clients {
            assert_eq!(letters([&client.whole_document().await]), "a");
        }
        assert_eq!(disk.until(|_| true).await.names_read, 1);
        drop(clients);
        server.shutdown().await;
    })
    .await;
}

/// With no memory at all a room unloads as soon as nobody is in it. The next one to join loads it again.
#[tokio::test]
async fn rooms_unload_when_memory_is_short() {
    within(async {
        let disk = Disk::new();
        let server = start_with(&disk, |config| config.memory_bytes = 0).await;
        let mut client = Client::connect(server.addr(), "room").await;
        let update = letter(1, 'a');
        client.update(&update).await;
        client.hear_echo(&update).await;
        client.leave().await;

        // The room may not have noticed yet, and then it is joined as it is.
        let mut loads = 1;
        while loads < 3 {
            let mut client = Client::connect(server.addr(), "room").await;
            assert_eq!(letters([&client.whole_document().await]), "a");
            client.leave().await;
            loads = disk.until(|_| true).await.names_read;
        }
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_document_that_does_not_load_is_quarantined_alone() {
    within(async {
        let disk = Disk::new();
        disk.put_document("broken", b"no update");
        disk.put_document("sound", &letter(1, 'a'));
        let server = start(&disk).await;
        assert_eq!(close_code(&server, "broken").await, 1011);
        assert_eq!(close_code(&server, "broken").await, 1011);
        assert_eq!(close_code(&server, "broken").await, 4423);
        server.shutdown().await;

        let server = start(&disk).await;
        assert_eq!(close_code(&server, "broken").await, 4423, "a restart forgets nothing");
        let mut client = Client::connect(server.addr(), "sound").await;
        assert_eq!(letters([&client.whole_document().await]), "a");
        client.leave().await;
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn three_starts_that_find_a_load_unfinished_quarantine() {
    within(async {
        let disk = Disk::new();
        let document = disk.put_document("room", &letter(1, 'a'));
        for _ in 0..3 {
            disk.put_loading(document);
            start(&disk).await.shutdown().await;
        }
        let server = start(&disk).await;
        assert_eq!(close_code(&server, "room").await, 4423);
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_load_that_succeeds_forgives() {
    within(async {
        let disk = Disk::new();
        let document = disk.put_document("room", &letter(1, 'a'));
        for _ in 0..4 {
            disk.put_loading(document);
            let server = start(&disk).await;
            let mut client = Client::connect(server.addr(), "room").await;
            assert_eq!(letters([&client.whole_document().await]), "a");
            client.leave().await;
            server.shutdown().await;
        }
    })
    .await;
}

async fn close_code(server: &Server, room: &str) -> u16 {
    Client::connect(server.addr(), room).await.hear_close().await.0
}
