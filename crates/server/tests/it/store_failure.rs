//! A commit that fails: everyone is sent away, nothing is shown, and the store is opened again.

use syncline_store::mem::Failure;

use crate::support::{
    client::Client,
    disk::Disk,
    raw::{self, WEBSOCKET},
    start,
    updates::{letter, letters},
    within,
};

#[tokio::test]
async fn a_failed_commit_closes_every_room_until_the_store_is_open_again() {
    within(async {
        for failure in [Failure::BeforeWrite, Failure::BeforeSync, Failure::AfterSync] {
            let disk = Disk::new();
            let server = start(&disk).await;
            let addr = server.addr();
            let mut writer = Client::connect(addr, "room").await;
            let mut other = Client::connect(addr, "other").await;
            other.whole_document().await;
            let kept = letter(1, 'a');
            writer.update(&kept).await;
            writer.hear_echo(&kept).await;

            disk.tell(|disk| disk.stay_down = true);
            disk.fail_next_commit(failure);
            writer.update(&letter(2, 'b')).await;
            assert_eq!(writer.hear_close().await, (1013, "store-down".into()), "{failure:?}");
            assert_eq!(other.hear_close().await, (1013, "store-down".into()), "{failure:?}");

            disk.until(|disk| disk.reopens_failed > 0).await;
            assert_eq!(raw::get(addr, "/readyz", "").await.status, 503);
            assert_eq!(raw::get(addr, "/healthz", "").await.status, 200);
            assert_eq!(raw::get(addr, "/yjs/room", WEBSOCKET).await.status, 503);

            disk.tell(|disk| disk.stay_down = false);
            raw::until_status(addr, "/readyz", 200).await;
            let mut client = Client::connect(addr, "room").await;
            assert_eq!(letters([&client.whole_document().await]), "a", "{failure:?}");
            let again = letter(2, 'b');
            client.update(&again).await;
            client.hear_echo(&again).await;
            client.leave().await;
            server.shutdown().await;
        }
    })
    .await;
}

/// The failure interrupts a load, whose mark stays in the store. The document is not to blame.
#[tokio::test]
async fn a_failure_during_a_load_does_not_count_against_the_document() {
    within(async {
        let disk = Disk::new();
        disk.put_document("room", &letter(1, 'a'));
        let server = start(&disk).await;
        let addr = server.addr();
        for _ in 0..4 {
            disk.fail_next_commit(Failure::BeforeSync);
            assert_eq!(Client::connect(addr, "room").await.hear_close().await.0, 1013);
            raw::until_status(addr, "/readyz", 200).await;
        }
        let mut client = Client::connect(addr, "room").await;
        assert_eq!(letters([&client.whole_document().await]), "a");
        client.leave().await;
        server.shutdown().await;
    })
    .await;
}
