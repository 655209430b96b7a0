//! Where only a URL, or only the name of a subprotocol, can carry what says who someone is.

use std::{net::SocketAddr, sync::Arc};

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use syncline_server::Server;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    client_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};

use crate::{
    entities::Caller,
    support::{
        bearers::{Bearers, of},
        client::Client,
        disk::Disk,
        raw, start, start_with,
        updates::letter,
        within,
    },
};

async fn serve(disk: &Disk) -> Server {
    let bearers = Arc::new(Bearers::default());
    bearers.set("ann.token", &["doc:*=write", "type:*=admin"]);
    bearers.set("s3cret+/=", &["doc:*=write"]);
    bearers.put("eve", of("eve", &[]));
    start_with(disk, |config| config.authenticator = Some(bearers)).await
}

/// Buys a ticket.
async fn ticket(server: &Server, token: &str) -> String {
    let bought = Caller::bearing(server, token).ask("POST /auth/v1/tickets", json!({})).await;
    assert_eq!(bought.0, 201, "{bought:?}");
    assert!(bought.1["expires_at"].is_string());
    bought.1["ticket"].as_str().expect("a word").to_owned()
}

/// Writes a letter, if whoever is behind `path` may.
async fn writes(addr: SocketAddr, path: &str) -> bool {
    can_write(Client::connect(addr, path).await).await
}

async fn can_write(mut client: Client) -> bool {
    let update = letter(1, 'a');
    let is_in = !client.is_closed_at_once().await;
    if is_in {
        client.update(&update).await;
        client.hear_echo(&update).await;
    }
    is_in
}

#[tokio::test]
async fn a_ticket_opens_one_socket() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let addr = server.addr();
        let [first, second, third] = [
            ticket(&server, "ann.token").await,
            ticket(&server, "ann.token").await,
            ticket(&server, "ann.token").await,
        ];
        assert!(writes(addr, &format!("a?ticket={first}")).await);
        assert!(!writes(addr, &format!("a?ticket={first}")).await, "it was used");
        assert!(writes(addr, &format!("b?token={second}")).await);
        assert!(!writes(addr, &format!("b?token={second}")).await, "it was used");
        let forged = BASE64URL_NOPAD.encode(&[7; 32]);
        assert!(!writes(addr, &format!("c?token={forged}")).await);
        assert!(!writes(addr, "c?ticket=ann.token").await, "a token is no ticket");

        let caller = Caller::bearing(&server, "ann.token");
        caller.ok("PUT /sync/v1/types/note", json!({ "policy": "lww" })).await;
        caller.bind("phone").await;
        let live = format!("/sync/v1/ws?device_id=phone&scope=note&token={third}");
        assert_eq!(raw::head(addr, &upgrade(addr, &live)).await.0, 101);
        assert_eq!(raw::head(addr, &upgrade(addr, &live)).await.0, 401, "it was used");
        server.shutdown().await;
    })
    .await;
}

fn upgrade(addr: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n{}\r\n", raw::WEBSOCKET)
}

/// A ticket is looked at nowhere but in the URLs of sockets, and what it stands for may do what its bearer may.
#[tokio::test]
async fn a_ticket_is_good_for_nothing_else() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let addr = server.addr();
        let word = ticket(&server, "ann.token").await;
        let by_ticket = Caller::bearing(&server, &word);
        assert_eq!(by_ticket.ask("POST /auth/v1/tickets", json!({})).await.0, 401);
        assert_eq!(by_ticket.ask("GET /sync/v1/types", json!({})).await.0, 401);
        let path = format!("/sync/v1/types?token={word}");
        assert_eq!(raw::head(addr, &upgrade(addr, &path)).await.0, 401);
        assert!(writes(addr, &format!("a?ticket={word}")).await, "it was not used up by that");
        assert!(!writes(addr, &format!("a?ticket={}", ticket(&server, "eve").await)).await);

        let nobody = Caller::bearing(&server, "nobody").ask("POST /auth/v1/tickets", json!({})).await;
        assert_eq!((nobody.0, &nobody.1["error"]), (401, &json!("unauthorized")));
        for _ in 1..64 {
            ticket(&server, "ann.token").await;
        }
        let more = Caller::bearing(&server, "ann.token").ask("POST /auth/v1/tickets", json!({})).await;
        assert_eq!((more.0, &more.1["error"]), (429, &json!("too-many-tickets")));
        server.shutdown().await;

        let open = start(&Disk::new()).await;
        let (status, answer): (u16, Value) =
            Caller::of(&open, "ann").ask("POST /auth/v1/tickets", json!({})).await;
        assert_eq!((status, &answer["error"]), (404, &json!("not-found")), "no token is asked for");
        open.shutdown().await;
    })
    .await;
}

/// Connects with these subprotocols. Returns the socket and the subprotocol that the server chose.
async fn offering(addr: SocketAddr, offers: &str) -> (Client, Option<HeaderValue>) {
    let tcp = TcpStream::connect(addr).await.expect("the server listens");
    let mut request = format!("ws://{addr}/yjs/a").into_client_request().expect("a request");
    request.headers_mut().insert("sec-websocket-protocol", offers.parse().expect("a header"));
    let (ws, answer) = client_async(request, tcp).await.expect("the server accepts it");
    (Client { ws }, answer.headers().get("sec-websocket-protocol").cloned())
}

#[tokio::test]
async fn a_subprotocol_carries_a_token() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let addr = server.addr();
        let encoded = BASE64URL_NOPAD.encode(b"s3cret+/=");
        for (token, good) in [("ann.token", true), (&encoded, true), ("nobody", false)] {
            let (client, chosen) = offering(addr, &format!("syncline.bearer.{token}, yjs")).await;
            assert_eq!(
                (can_write(client).await, chosen),
                (good, Some(HeaderValue::from_static("yjs"))),
                "{token}"
            );
        }
        let word = ticket(&server, "ann.token").await;
        let (client, _) = offering(addr, &format!("yjs, syncline.bearer.{word}")).await;
        assert!(!can_write(client).await, "this is no URL");

        let caller = Caller::bearing(&server, "ann.token");
        caller.ok("PUT /sync/v1/types/note", json!({ "policy": "lww" })).await;
        caller.bind("phone").await;
        let live = upgrade(addr, "/sync/v1/ws?device_id=phone&scope=note");
        for (token, status) in [("ann.token", 101), ("nobody", 401)] {
            let header = format!("Sec-WebSocket-Protocol: syncline.bearer.{token}\r\n\r\n");
            let answer = raw::head(addr, &live.replacen("\r\n\r\n", &format!("\r\n{header}"), 1)).await;
            assert_eq!((answer.0, answer.1.contains("bearer.")), (status, false), "{}", answer.1);
        }
        server.shutdown().await;
    })
    .await;
}
