//! What is new, over a WebSocket.

use std::{net::SocketAddr, sync::Arc};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message},
};

use super::{Caller, serve, set};
use crate::support::{
    bearers::{self, Bearers},
    disk::Disk,
    raw, start_with, within,
};

/// Asks for a WebSocket; returns the status if there is none.
async fn open(addr: SocketAddr, query: &str) -> Result<WebSocketStream<TcpStream>, u16> {
    let tcp = TcpStream::connect(addr).await.expect("the server listens");
    match client_async(format!("ws://{addr}/sync/v1/ws?{query}"), tcp).await {
        Ok((ws, _response)) => Ok(ws),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// Returns the next event, or the code with which the server closes.
async fn next(ws: &mut WebSocketStream<TcpStream>) -> Result<Value, u16> {
    loop {
        match ws.next().await.expect("the server closes first").expect("frames are good") {
            Message::Text(text) => return Ok(serde_json::from_str(&text).expect("JSON")),
            Message::Close(frame) => return Err(frame.expect("the server says why").code.into()),
            _ => {}
        }
    }
}

/// It tells what a stream of server-sent events tells, until its device is revoked or the server stops.
#[tokio::test]
async fn a_socket_tells_what_is_new_until_its_device_is_revoked() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "local");
        ann.bind("phone").await;
        ann.bind("till").await;
        ann.bind("desk").await;
        let create = |id: &str| set("note", id, "create", json!({ "text": id }));
        ann.push("phone", 1, &[create("a")]).await;
        let cursor = ann.pull("till", "note", &Value::Null).await["scopes"][0]["cursor"].clone();
        ann.push("phone", 2, &[create("b")]).await;
        let word = cursor.as_str().expect("a word");
        let query = format!("device_id=till&scope=note&scope=stock&cursor={word}");
        let mut till = open(server.addr(), &query).await.expect("it is let in");
        let mut desk = open(server.addr(), "device_id=desk&scope=stock").await.expect("it is let in");
        let plain = raw::get(server.addr(), "/sync/v1/ws?device_id=phone&scope=stock", "").await;
        assert_eq!(plain.status, 426);
        let delta = next(&mut till).await.expect("what the client lacks");
        assert_eq!((&delta["event"], &delta["from"]), (&json!("delta"), &cursor));
        assert_eq!(delta["changes"][0]["id"], "b");
        ann.push("phone", 3, &[create("c")]).await;
        let after = next(&mut till).await.expect("what comes");
        assert_eq!((&after["from"], &after["changes"][0]["id"]), (&delta["cursor"], &json!("c")));
        ann.push("phone", 4, &[set("stock", "s", "create", json!({ "count": 1 }))]).await;
        let poke = json!({ "event": "poke", "scope": "stock", "head": "4" });
        assert_eq!(next(&mut till).await, Ok(poke.clone()));
        ann.ok("DELETE /sync/v1/devices/till", json!({})).await;
        assert_eq!(next(&mut till).await, Err(4403));
        assert_eq!(next(&mut desk).await, Ok(poke));
        let (closed, ()) = tokio::join!(next(&mut desk), server.shutdown());
        assert_eq!(closed, Err(1012));
    })
    .await;
}

/// Who may not listen is told so before there is a socket. In the URL a token counts for sockets alone.
#[tokio::test]
async fn a_socket_is_for_those_who_may_listen() {
    within(async {
        let disk = Disk::new();
        let bearers = Arc::new(Bearers::default());
        bearers.put("s3cret/", bearers::of("ann", &["type:*=read", "scope:*=read"]));
        let server = start_with(&disk, |config| config.authenticator = Some(bearers)).await;
        let addr = server.addr();
        let refused = async |query: &str| open(addr, query).await.map(drop);
        assert_eq!(refused("device_id=till&scope=note").await, Err(401));
        assert_eq!(refused("device_id=till&scope=note&token=other").await, Err(401));
        assert_eq!(refused("device_id=till&token=s3cret%2F").await, Err(400));
        let token = "Authorization: Bearer s3cret/\r\n";
        raw::send(addr, "POST /sync/v1/devices", token, r#"{"device_id":"till"}"#).await;
        assert_eq!(refused("device_id=till&scope=note&token=s3cret%2F").await, Err(404), "no such scope");
        let status = async |path: &str, headers: &str| raw::get(addr, path, headers).await.status;
        assert_eq!(status("/sync/v1/types?token=s3cret%2F", "").await, 401);
        assert_eq!(status("/sync/v1/types", token).await, 200);
        let strange = format!("{}{token}Origin: https://evil.example\r\n", raw::WEBSOCKET);
        assert_eq!(status("/sync/v1/ws?device_id=till&scope=note", &strange).await, 403);
        server.shutdown().await;
    })
    .await;
}
