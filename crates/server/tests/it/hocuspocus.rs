//! Many documents on one socket: what is acknowledged when, and what ends with whom.

use std::sync::Arc;

use syncline_store::mem::Failure;

use crate::support::{
    bearers::Bearers,
    client::Client,
    disk::Disk,
    hocuspocus::{Heard, Socket},
    raw, start, start_with,
    updates::{letter, letters},
    within,
};

const SAVED: fn(&Heard) -> bool = |heard| *heard == Heard::Saved;

#[tokio::test]
async fn an_update_is_called_saved_when_it_is_durable() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut socket = Socket::connect(server.addr()).await;
        let mut reader = Client::connect(server.addr(), "d").await;
        reader.whole_document().await;
        socket.whole_document("e").await;

        disk.tell(|disk| disk.hold_commits = true);
        socket.update("d", &letter(1, 'a')).await;
        disk.until(|disk| disk.commit_waits).await;
        // Another document on the same socket is not held up, and comes after what it overtook.
        socket.sync("e").await;
        let heard = socket.hear_until("e", |heard| matches!(heard, Heard::Step2(_))).await;
        assert!(heard.iter().all(|(_, heard)| !SAVED(heard)), "{heard:?}");
        disk.tell(|disk| disk.hold_commits = false);
        socket.hear_until("d", SAVED).await;
        assert_eq!(letters([&reader.hear_update().await]), "a");
        drop((socket, reader));
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_failed_commit_held_is_not_called_saved_and_not_lost() {
    within(async {
        for failure in [Failure::BeforeWrite, Failure::BeforeSync, Failure::AfterSync] {
            let disk = Disk::new();
            let server = start(&disk).await;
            let mut socket = Socket::connect(server.addr()).await;
            socket.whole_document("d").await;
            disk.fail_next_commit(failure);
            socket.update("d", &letter(1, 'a')).await;
            let heard = socket.hear_until("", |heard| matches!(heard, Heard::Closed(_))).await;
            assert_eq!(heard.last(), Some(&(String::new(), Heard::Closed(1013))), "{failure:?}");
            assert!(heard.iter().all(|(_, heard)| !SAVED(heard)), "{heard:?}");
            drop(socket);

            raw::until_status(server.addr(), "/readyz", 200).await;
            let mut socket = Socket::connect(server.addr()).await;
            assert_eq!(letters([&socket.whole_document("d").await]), "", "{failure:?}");
            // The client still has it, and answers the question that comes with the answer.
            socket.sync("d").await;
            socket.answer("d", &letter(1, 'a')).await;
            socket.hear_until("d", SAVED).await;
            drop(socket);
            server.shutdown().await;

            let server = start(&disk).await;
            let mut socket = Socket::connect(server.addr()).await;
            assert_eq!(letters([&socket.whole_document("d").await]), "a", "{failure:?}");
            drop(socket);
            server.shutdown().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_bad_update_ends_its_document_for_who_understands_and_else_the_socket() {
    within(async {
        let server = start(&Disk::new()).await;
        let mut modern = Socket::connect(server.addr()).await;
        modern.auth("d", "", true).await;
        modern.whole_document("e").await;
        modern.update("d", &[9, 9]).await;
        let heard = modern.hear_until("d", |heard| matches!(heard, Heard::Ended(_))).await;
        assert!(
            matches!(&heard.last().unwrap().1, Heard::Ended(reason) if reason.starts_with("bad-update: ")),
            "{heard:?}"
        );
        modern.update("e", &letter(1, 'a')).await;
        modern.hear_until("e", SAVED).await;
        modern.auth("d", "", true).await;
        assert_eq!(letters([&modern.whole_document("d").await]), "");

        let mut older = Socket::connect(server.addr()).await;
        older.auth("d", "", false).await;
        older.update("d", &[9, 9]).await;
        let heard = older.hear_until("", |heard| matches!(heard, Heard::Closed(_))).await;
        assert_eq!(heard.last().unwrap().1, Heard::Closed(4422));
        drop((modern, older));
        server.shutdown().await;
    })
    .await;
}

fn two_tokens() -> Arc<Bearers> {
    let bearers = Bearers::default();
    bearers.set("writer", &["doc:team/*=write"]);
    bearers.set("reader", &["doc:team/*=comment"]);
    bearers.set("lister", &["server=read"]);
    Arc::new(bearers)
}

#[tokio::test]
async fn a_token_opens_its_rooms_and_no_others_over_every_protocol() {
    within(async {
        let server = start_with(&Disk::new(), |config| config.authenticator = Some(two_tokens())).await;
        let addr = server.addr();
        let mut socket = Socket::connect(addr).await;
        socket.sync("team/plan").await;
        socket.auth("other/plan", "writer", true).await;
        assert_eq!(socket.hear().await, ("other/plan".into(), Heard::Denied), "nothing else comes first");
        socket.auth("team/plan", "writer", true).await;
        assert_eq!(socket.hear().await, ("team/plan".into(), Heard::Scope("read-write".into())));
        socket.hear_until("team/plan", |heard| matches!(heard, Heard::Step2(_))).await;
        socket.answer("team/plan", &letter(1, 'a')).await;
        socket.hear_until("team/plan", SAVED).await;

        let mut reader = Socket::connect(addr).await;
        reader.auth("team/plan", "reader", true).await;
        assert_eq!(letters([&reader.whole_document("team/plan").await]), "a");
        reader.update("team/plan", &letter(2, 'b')).await;
        reader.hear_until("team/plan", |heard| *heard == Heard::Refused).await;
        reader.sync("team/plan").await;
        reader.answer("team/plan", &letter(1, 'a')).await;
        reader.hear_until("team/plan", SAVED).await;

        let mut allowed = Client::connect(addr, "team/plan?token=writer").await;
        assert_eq!(letters([&allowed.whole_document().await]), "a");
        for path in ["team/plan", "team/plan?token=write", "other/plan?token=writer"] {
            let closed = Client::connect(addr, path).await.hear_close().await;
            assert_eq!(closed, (4401, "unauthorized".into()), "{path}");
        }
        for (headers, status) in
            [("", 401), ("Authorization: Bearer writer\r\n", 401), ("Authorization: Bearer lister\r\n", 200)]
        {
            assert_eq!(raw::get(addr, "/rooms", headers).await.status, status, "{headers}");
        }
        drop((socket, reader, allowed));
        server.shutdown().await;
    })
    .await;
}
