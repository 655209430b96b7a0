//! The list of rooms: what is in it, when it is told, and to whom.

use std::net::SocketAddr;

use bytes::Bytes;
use serde_json::{Value, json};
use syncline_core::limits::COMPACT_LOG_BYTES_MIN;
use syncline_store::{key::Kind, mem::Failure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    client::Client,
    disk::{Disk, count},
    raw, start, start_with,
    updates::{letter, long_text},
    within,
};

/// Returns the frame with which a client says who is there.
fn user(client: u8, name: &str, color: &str) -> Bytes {
    let state = json!({ "user": { "name": name, "color": color } }).to_string();
    let mut update = vec![1, client, 1, u8::try_from(state.len()).expect("a short name")];
    update.extend(state.bytes());
    let mut frame = vec![1, u8::try_from(update.len()).expect("a short name")];
    frame.extend(update);
    frame.into()
}

async fn list(addr: SocketAddr) -> Value {
    let answer = raw::get(addr, "/rooms", "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).expect("the list is JSON")
}

/// Asks for the list until it is what the test waits for.
async fn until(addr: SocketAddr, holds: impl Fn(&Value) -> bool) -> Value {
    loop {
        let list = list(addr).await;
        if holds(&list) {
            return list;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_list_says_who_is_where() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let empty = list(server.addr()).await;
        assert_eq!((&empty["total"], &empty["rooms"]), (&json!(0), &json!([])));

        let mut ada = Client::connect(server.addr(), "notes").await;
        ada.send(user(1, "Ada\u{202e}", "#30BCED")).await;
        let mut eve = Client::connect(server.addr(), "notes").await;
        eve.send(user(2, "Eve", "red;position:fixed")).await;
        let people = json!([{ "name": "Ada", "color": "#30bced" }, { "name": "Eve", "color": null }]);
        let unwritten = until(server.addr(), |list| list["rooms"][0]["people"] == people).await;
        assert_eq!(unwritten["rooms"][0]["edited"], Value::Null);
        assert_eq!(unwritten["rooms"][0]["connections"], json!(2));

        let update = letter(1, 'a');
        ada.update(&update).await;
        ada.hear_echo(&update).await;
        let written = until(server.addr(), |list| list["rooms"][0]["edited"].is_number()).await;
        assert_eq!(written["rooms"][0]["bytes"], json!(update.len()));
        assert_eq!((&written["total"], &written["complete"]), (&json!(1), &json!(true)));

        eve.leave().await;
        until(server.addr(), |list| list["rooms"][0]["people"] == json!([people[0]])).await;
        ada.leave().await;
        let left = until(server.addr(), |list| list["rooms"][0]["connections"] == 0).await;
        assert_eq!(left["rooms"][0]["people"], json!([]));
        server.shutdown().await;
    })
    .await;
}

/// Goal: what was stored by an earlier life of the server is listed without anyone opening it.
#[tokio::test]
async fn stored_rooms_are_listed() {
    const ROOMS: usize = 300;
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        for room in 0..ROOMS {
            let mut client = Client::connect(server.addr(), &format!("room-{room}")).await;
            let update = long_text(1, 100 + room);
            client.update(&update).await;
            client.hear_update().await;
            client.leave().await;
        }
        server.shutdown().await;

        let server = start(&disk).await;
        let stored = until(server.addr(), |list| list["complete"] == true).await;
        assert_eq!(stored["total"], json!(ROOMS));
        let rooms = stored["rooms"].as_array().unwrap();
        assert_eq!(rooms.len(), 200, "the list has a bound");
        assert!(rooms.iter().all(|room| room["edited"].is_number() && room["bytes"].as_u64() > Some(100)));
        assert!(rooms.is_sorted_by_key(|room| std::cmp::Reverse(room["edited"].as_u64())));
        server.shutdown().await;
    })
    .await;
}

/// Goal: compaction does not forget when a document was edited. Method: a log that is folded whole, and a new life.
#[tokio::test]
async fn a_folded_log_leaves_the_time_of_the_last_edit() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut client = Client::connect(server.addr(), "long").await;
        client.update(&long_text(1, COMPACT_LOG_BYTES_MIN)).await;
        client.hear_update().await;
        let folded = || count(&disk, Kind::Snapshot) > 0 && count(&disk, Kind::Log) == 0;
        while !folded() {
            tokio::task::yield_now().await;
        }
        let told = list(server.addr()).await["rooms"][0]["edited"].clone();
        assert!(told.is_number());
        client.leave().await;
        server.shutdown().await;

        let server = start(&disk).await;
        let stored = until(server.addr(), |list| list["complete"] == true).await;
        assert_eq!(stored["rooms"][0]["edited"], told, "as found in the store");
        let reader = Client::connect(server.addr(), "long").await;
        let opened = until(server.addr(), |list| list["rooms"][0]["connections"] == 1).await;
        assert_eq!(opened["rooms"][0]["edited"], told, "as the room was loaded");
        drop(reader);
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn listeners_hear_of_changes_until_the_server_stops() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let addr = server.addr();
        let mut listener = TcpStream::connect(addr).await.unwrap();
        let request = format!("GET /rooms/events HTTP/1.1\r\nHost: {addr}\r\n\r\n");
        listener.write_all(request.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let mut until = async |word: &str| {
            while !String::from_utf8_lossy(&heard).contains(word) {
                let read = listener.read_buf(&mut heard).await.unwrap();
                assert!(read > 0, "{word} did not come: {}", String::from_utf8_lossy(&heard));
            }
        };
        until("content-type: text/event-stream").await;
        until("\"rooms\":[]").await;
        let mut writer = Client::connect(addr, "new").await;
        writer.update(&letter(1, 'a')).await;
        until("\"name\":\"new\"").await;
        drop(writer);

        let (_, rest) = tokio::join!(server.shutdown(), async {
            let mut rest = Vec::new();
            listener.read_to_end(&mut rest).await.map(|_| rest)
        });
        let rest = rest.expect("the answer ends in order");
        assert!(rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    })
    .await;
}

#[tokio::test]
async fn pages_of_strangers_do_not_read_the_list() {
    within(async {
        let disk = Disk::new();
        let origin = "https://notes.example".parse().unwrap();
        let server = start_with(&disk, |config| config.allow_origins.push(origin)).await;
        let addr = server.addr();
        let own = addr.to_string();
        let check = async |host: &str, headers: &str, status: u16| {
            for path in ["/rooms", "/rooms/events"] {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
                let answer = raw::head(addr, &request).await;
                assert_eq!(answer.0, status, "{request}");
                assert!(!answer.1.contains("access-control"), "{}", answer.1);
            }
        };
        check(&own, "", 200).await;
        check("localhost:5173", "Sec-Fetch-Site: same-origin\r\n", 200).await;
        check("[::1]:80", "Sec-Fetch-Site: none\r\n", 200).await;
        check("192.168.1.2", "", 200).await;
        check("notes.example", "", 200).await;
        check(&own, "Origin: https://notes.example\r\n", 200).await;

        // Somebody else's name for this machine.
        check("evil.example", "Sec-Fetch-Site: same-origin\r\n", 403).await;
        check("localhost.evil.example", "", 403).await;
        check("notes.example.evil.example", "", 403).await;
        check("", "", 403).await;
        check(&own, "Origin: https://evil.example\r\n", 403).await;
        check(&own, "Origin: null\r\n", 403).await;
        check(&own, "Sec-Fetch-Site: cross-site\r\n", 403).await;
        check(&own, "Sec-Fetch-Site: same-site\r\n", 403).await;
        check(&own, "Origin: http://localhost\r\nOrigin: https://evil.example\r\n", 403).await;
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn there_is_no_list_while_the_store_is_down() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut client = Client::connect(server.addr(), "room").await;
        disk.tell(|disk| disk.stay_down = true);
        disk.fail_next_commit(Failure::BeforeWrite);
        client.update(&letter(1, 'a')).await;
        client.hear_close().await;
        raw::until_status(server.addr(), "/rooms", 503).await;
        disk.tell(|disk| disk.stay_down = false);
        raw::until_status(server.addr(), "/rooms", 200).await;
        server.shutdown().await;
    })
    .await;
}
