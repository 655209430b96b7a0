//! A client that speaks the Hocuspocus protocol, frame by frame.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use syncline_core::guard::Reader;
use syncline_protocol::wire::{hocuspocus::addressed, yjs};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// As provider 4.8 says who it is, after the token.
const VERSION: &[u8] = b"\x054.8.0";

/// One WebSocket with many documents.
pub(crate) struct Socket {
    ws: WebSocketStream<TcpStream>,
}

/// What a client hears of a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Step1,
    Step2(Bytes),
    Update(Bytes),
    Denied,
    Scope(String),
    Saved,
    Refused,
    /// The document was closed, for this reason.
    Ended(String),
    Other,
    /// The socket was closed, with this code.
    Closed(u16),
}

impl Socket {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let tcp = TcpStream::connect(addr).await.expect("the server listens");
        let (ws, _response) =
            client_async(format!("ws://{addr}/hocuspocus"), tcp).await.expect("the server accepts it");
        Self { ws }
    }

    /// Says who it is, as a provider of version 4 or an older one does.
    pub(crate) async fn auth(&mut self, document: &str, token: &str, modern: bool) {
        let version: &[u8] = if modern { VERSION } else { &[] };
        let token = [&[2, 0, token.len() as u8], token.as_bytes(), version].concat();
        self.send(document, &token).await;
    }

    pub(crate) async fn sync(&mut self, document: &str) {
        self.send(document, &yjs::sync_step1(&[0])).await;
    }

    pub(crate) async fn update(&mut self, document: &str, update: &[u8]) {
        self.send(document, &yjs::update(update)).await;
    }

    pub(crate) async fn answer(&mut self, document: &str, update: &[u8]) {
        self.send(document, &yjs::sync_step2(update)).await;
    }

    pub(crate) async fn send(&mut self, document: &str, message: &[u8]) {
        let frame = addressed(document.as_bytes(), message);
        self.ws.send(Message::Binary(frame)).await.expect("the server reads");
    }

    /// Waits for the next message, and tells which document it is about.
    pub(crate) async fn hear(&mut self) -> (String, Heard) {
        loop {
            match self.ws.next().await {
                Some(Ok(Message::Binary(frame))) => return read(&frame),
                Some(Ok(Message::Close(Some(frame)))) => {
                    while let Some(Ok(_)) = self.ws.next().await {}
                    return (String::new(), Heard::Closed(frame.code.into()));
                }
                Some(Ok(_)) => {}
                end => panic!("{end:?}: the socket ended without a close frame"),
            }
        }
    }

    /// Waits for something of one document, and returns it with all that came before.
    pub(crate) async fn hear_until(
        &mut self,
        document: &str,
        is_it: impl Fn(&Heard) -> bool,
    ) -> Vec<(String, Heard)> {
        let mut all = Vec::new();
        loop {
            let (of, heard) = self.hear().await;
            let found = of == document && is_it(&heard);
            all.push((of, heard));
            if found {
                return all;
            }
        }
    }

    /// Asks for the whole document, answers the question that comes in return, and returns the document.
    pub(crate) async fn whole_document(&mut self, document: &str) -> Bytes {
        self.sync(document).await;
        let mut heard = self.hear_until(document, |heard| matches!(heard, Heard::Step2(_))).await;
        let Some((_, Heard::Step2(update))) = heard.pop() else { panic!("it was heard") };
        self.answer(document, &[0, 0]).await;
        self.hear_until(document, |heard| *heard == Heard::Saved).await;
        update
    }
}

fn read(frame: &Bytes) -> (String, Heard) {
    let mut reader = Reader::new(frame);
    let address = reader.var_string().expect("an address").to_owned();
    let kind = reader.var_uint().expect("a kind");
    let buf = |reader: &mut Reader<'_>| Bytes::copy_from_slice(reader.buf().expect("a body"));
    let heard = match kind {
        0 => match reader.var_uint().expect("a step") {
            0 => Heard::Step1,
            1 => Heard::Step2(buf(&mut reader)),
            _ => Heard::Update(buf(&mut reader)),
        },
        2 => match reader.var_uint().expect("a kind of auth") {
            1 => Heard::Denied,
            _ => Heard::Scope(reader.var_string().expect("a scope").to_owned()),
        },
        7 => Heard::Ended(reader.var_string().expect("a reason").to_owned()),
        8 if frame.last() == Some(&1) => Heard::Saved,
        8 => Heard::Refused,
        _ => Heard::Other,
    };
    (address, heard)
}
