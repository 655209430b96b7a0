//! What the server logs.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;

use super::{app::App, server::Server};

/// Values that stand in no log.
const CANARY: &str = "c4nary-of-a-value";
const UNKNOWN: &str = "c4nary-of-a-token";

/// A frame that ends a WebSocket.
const CLOSE: &[u8] = &[0x88, 0x80, 0, 0, 0, 0];

/// Asks for a WebSocket with a token in its URL, and sends an update that no decoder takes.
fn knock(server: &Server, token: &str) {
    let mut tcp = TcpStream::connect(server.addr).expect("the server listens");
    let head = format!(
        "GET /yjs/room?token={token} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.addr
    );
    tcp.write_all(head.as_bytes()).expect("it is taken");
    // A masked frame whose mask is 0 (RFC 6455 section 5.2).
    let frame = [&[0x82, 0x80 | CANARY.len() as u8, 0, 0, 0, 0], CANARY.as_bytes()].concat();
    tcp.write_all(&[&frame[..], CLOSE].concat()).expect("it is taken");
    let _ = tcp.read_to_end(&mut Vec::new());
}

/// Everything is logged that can be, and whoever reads it learns who was there, but no token and nothing that anyone wrote.
#[test]
fn nothing_secret_is_logged() {
    let server = Server::start_guarded_logging(&[("note", json!({ "policy": "manual" }))]);
    let token = server.token("ann", &["*=write"]);
    let mut apps = ["phone", "pad"].map(|device| App::install_by(&server, device, &token, &["note"]));
    apps[0].create("note", "n", json!({ "text": "first" }));
    for app in &mut apps {
        app.sync(&server).expect("it is online");
    }
    for app in &mut apps {
        app.update("note", "n", json!({ "text": format!("{CANARY} {}", app.device) }));
        app.sync(&server).expect("it is online");
    }
    assert_eq!(server.conflicts().len(), 1, "two wrote");
    let bare = token.strip_prefix("Bearer ").expect("it is shown so");
    for token in [bare, UNKNOWN] {
        knock(&server, token);
    }
    server.kill();
    let log = fs::read_to_string(server.log()).expect("it has logged");
    let told: Vec<&str> = log.lines().filter(|line| line.contains("pad")).collect();
    assert!(!told.is_empty(), "{log}");
    let signature = bare.rsplit('.').next().expect("a token has parts");
    for secret in [CANARY, UNKNOWN, bare, signature] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
