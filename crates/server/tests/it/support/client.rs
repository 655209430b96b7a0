//! A client that speaks the y-websocket protocol.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use syncline_protocol::{Request, wire::yjs};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use super::updates;

/// One WebSocket in a room.
pub(crate) struct Client {
    pub(crate) ws: WebSocketStream<TcpStream>,
}

/// What a client hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A message of the protocol. Servers and clients send the same ones.
    Message(Request),
    /// The server closed, with this code and text.
    Closed(u16, String),
    /// The socket ended without a close frame.
    Lost,
}

impl Client {
    /// Connects to a room; `path` is what follows `/yjs/`, as it stands in the request.
    pub(crate) async fn connect(addr: SocketAddr, path: &str) -> Self {
        let tcp = TcpStream::connect(addr).await.expect("the server listens");
        let (ws, _response) =
            client_async(format!("ws://{addr}/yjs/{path}"), tcp).await.expect("the server accepts it");
        Self { ws }
    }

    pub(crate) async fn send(&mut self, frame: Bytes) {
        self.ws.send(Message::Binary(frame)).await.expect("the server reads");
    }

    /// Sends an update.
    pub(crate) async fn update(&mut self, update: &Bytes) {
        self.send(yjs::update(update)).await;
    }

    /// Waits for the next message of the protocol, or for the end.
    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            match self.ws.next().await {
                // The word that it may not write.
                Some(Ok(Message::Binary(frame))) if frame.starts_with(&[2, 0]) => {}
                Some(Ok(Message::Binary(frame))) => {
                    let mut requests = yjs::decode(&frame).expect("a server sends valid frames");
                    assert_eq!(requests.len(), 1, "a client reads one message a frame: {frame:?}");
                    return Heard::Message(requests.remove(0));
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Heard::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Heard::Lost,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Waits for the next update, that of an answer to a sync request included.
    pub(crate) async fn hear_update(&mut self) -> Bytes {
        loop {
            match self.hear().await {
                Heard::Message(Request::Update { update, .. }) => return update,
                Heard::Message(_) => {}
                end => panic!("{end:?} instead of an update"),
            }
        }
    }

    /// Waits for the first thing that the server says. Returns whether that is that the client is not let in.
    pub(crate) async fn is_closed_at_once(&mut self) -> bool {
        match self.hear().await {
            Heard::Message(_) => false,
            end => {
                assert_eq!(end, Heard::Closed(4401, "unauthorized".into()));
                true
            }
        }
    }

    /// Waits for an update to be echoed, which says that it is durable.
    pub(crate) async fn hear_echo(&mut self, of: &Bytes) {
        let mut heard = Vec::new();
        let want = updates::letters([of]);
        while !want.chars().all(|letter| updates::letters(&heard).contains(letter)) {
            heard.push(self.hear_update().await);
        }
    }

    /// Waits for the end: with the code and the text with which the server closes, unless the socket was lost before that was read.
    pub(crate) async fn hear_end(&mut self) -> Option<(u16, String)> {
        loop {
            match self.hear().await {
                Heard::Message(_) => {}
                Heard::Closed(code, text) => return Some((code, text)),
                Heard::Lost => return None,
            }
        }
    }

    /// Waits for the server to close, and answers.
    pub(crate) async fn hear_close(&mut self) -> (u16, String) {
        loop {
            match self.hear().await {
                Heard::Message(_) => {}
                Heard::Closed(code, text) => {
                    while let Some(Ok(_)) = self.ws.next().await {}
                    return (code, text);
                }
                Heard::Lost => panic!("the socket ended without a close frame"),
            }
        }
    }

    /// Asks for the whole document and returns the answer.
    pub(crate) async fn whole_document(&mut self) -> Bytes {
        self.send(yjs::sync_step1(&[0])).await;
        loop {
            match self.hear().await {
                Heard::Message(Request::Update { update, answer: true }) => return update,
                Heard::Message(_) => {}
                end => panic!("{end:?} instead of the document"),
            }
        }
    }

    /// Leaves, and waits for the server to notice.
    pub(crate) async fn leave(mut self) {
        self.ws.close(None).await.expect("the server reads");
        while let Some(Ok(_)) = self.ws.next().await {}
    }
}
