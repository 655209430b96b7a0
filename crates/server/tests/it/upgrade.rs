//! Who may open a WebSocket, and to which room.

use syncline_server::{Server, StartError};

use crate::support::{
    client::Client,
    disk::Disk,
    raw::{self, WEBSOCKET},
    start, start_with,
    updates::{letter, letters},
    within,
};

#[tokio::test]
async fn the_rules_of_the_handshake() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let check = async |path: &str, headers: &str, status: u16, error: &str| {
            let answer = raw::get(server.addr(), path, headers).await;
            assert_eq!((answer.status, answer.body.contains(error)), (status, true), "{path}: {answer:?}");
        };
        check("/yjs/room", WEBSOCKET, 101, "").await;
        check("/yjs/", WEBSOCKET, 404, "not-found").await;
        check("/yjs", WEBSOCKET, 404, "not-found").await;
        check("/yjs/%0A", WEBSOCKET, 400, "control characters").await;
        check(&format!("/yjs/{}", "x".repeat(257)), WEBSOCKET, 400, "at most 256 bytes (got 257)").await;
        check(&format!("/yjs/{}", "x".repeat(256)), WEBSOCKET, 101, "").await;

        check("/yjs/room", "", 426, "upgrade-required").await;
        check("/yjs/room", &WEBSOCKET.replace("13", "8"), 426, "upgrade-required").await;
        let refused = raw::get(server.addr(), "/yjs/room", "").await;
        assert!(refused.head.contains("\r\nupgrade: websocket\r\n"), "{}", refused.head);
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn pages_of_other_origins_are_kept_out() {
    within(async {
        let disk = Disk::new();
        let origin = "https://notes.example".parse().unwrap();
        let server = start_with(&disk, |config| config.allow_origins.push(origin)).await;
        let own = format!("http://{}", server.addr());
        let check = async |origin: &str, status: u16| {
            let headers = format!("{WEBSOCKET}Origin: {origin}\r\n");
            assert_eq!(raw::get(server.addr(), "/yjs/room", &headers).await.status, status, "{origin}");
        };
        check(&own, 101).await;
        check("http://localhost:5173", 101).await;
        check("http://[::1]:5173", 101).await;
        check("https://notes.example", 101).await;
        check("https://evil.example", 403).await;
        check("http://notes.example", 403).await;
        check("http://localhost.evil.example", 403).await;
        check("null", 403).await;
        check(&format!("{own}\r\nOrigin: https://evil.example"), 403).await;
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn one_room_has_one_name_however_it_is_escaped() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut writer = Client::connect(server.addr(), "a%2Fb%20%C3%BC").await;
        let update = letter(1, 'a');
        writer.update(&update).await;
        writer.hear_echo(&update).await;

        let mut reader = Client::connect(server.addr(), "a/b%20%c3%bc?param=1").await;
        assert_eq!(letters([&reader.whole_document().await]), "a");
        drop((writer, reader));
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn connections_are_counted() {
    within(async {
        let disk = Disk::new();
        let server = start_with(&disk, |config| config.connections_max = 1).await;
        let first = Client::connect(server.addr(), "room").await;
        let refused = raw::get(server.addr(), "/yjs/room", WEBSOCKET).await;
        assert_eq!(refused.status, 503);
        assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);

        first.leave().await;
        while raw::get(server.addr(), "/yjs/room", WEBSOCKET).await.status != 101 {}
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn without_authentication_other_machines_are_kept_out() {
    let disk = Disk::new();
    let mut config = syncline_server::Config::default();
    config.listen = "0.0.0.0:0".parse().unwrap();
    let refused = Server::start(config.clone(), Box::new(disk.clone())).await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, StartError::NotLoopback { .. }), "{refused}");

    config.insecure_listen_anywhere = true;
    Server::start(config, Box::new(disk)).await.unwrap().shutdown().await;
}
