//! A client that speaks the protocol of automerge-repo, frame by frame.

use std::net::SocketAddr;

use automerge::{
    ActorId, AutoCommit, ObjType, ROOT, ReadDoc,
    sync::{Message as SyncMessage, State, SyncDoc},
    transaction::Transactable,
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use syncline_protocol::wire::automerge::{Incoming, Message, decode};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};

/// Names that documents may have.
pub(crate) const DOCUMENT: &str = "4NMNnkMhL8jXrdJ9jamS58PAVdXu";
pub(crate) const OTHER: &str = "2yh5UZx7idRCxjy3C4tiUeBEMQmE";

/// What a frame says beside its type.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Number(u32),
    Texts(&'a [&'a str]),
}

/// Returns a frame.
pub(crate) fn frame(kind: &str, pairs: &[(&str, Value<'_>)]) -> Bytes {
    let mut out = vec![0xb9, 0, pairs.len() as u8 + 1];
    let head = |out: &mut Vec<u8>, major: u8, value: u32| {
        out.push(major << 5 | 26);
        out.extend(value.to_be_bytes());
    };
    let text = |out: &mut Vec<u8>, text: &str| {
        head(out, 3, text.len() as u32);
        out.extend(text.as_bytes());
    };
    text(&mut out, "type");
    text(&mut out, kind);
    for (name, value) in pairs {
        text(&mut out, name);
        match value {
            Value::Text(value) => text(&mut out, value),
            Value::Bytes(bytes) => {
                head(&mut out, 2, bytes.len() as u32);
                out.extend(*bytes);
            }
            Value::Number(number) => head(&mut out, 0, *number),
            Value::Texts(texts) => {
                head(&mut out, 4, texts.len() as u32);
                texts.iter().for_each(|one| text(&mut out, one));
            }
        }
    }
    out.into()
}

/// Returns what every message about a document says.
pub(crate) fn about<'a>(
    sender: &'a str,
    document: &'a str,
    data: &'a [u8],
) -> [(&'static str, Value<'a>); 4] {
    [
        ("senderId", Value::Text(sender)),
        ("targetId", Value::Text("server")),
        ("documentId", Value::Text(document)),
        ("data", Value::Bytes(data)),
    ]
}

/// What a client says of a document that has nothing.
pub(crate) const EMPTY: [u8; 10] = [0x42, 0, 0, 1, 0, 0, 0, 2, 2, 0x84];

/// What a client hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Of this document, what automerge says.
    Sync(String, Bytes),
    Unavailable(String),
    Ephemeral(String, Bytes),
    /// It was let in, or is told what is wrong.
    Other(Bytes),
    /// The socket was closed, with this code.
    Closed(u16),
}

/// One WebSocket, and one document as its client has it.
pub(crate) struct Repo {
    ws: WebSocketStream<TcpStream>,
    name: String,
    doc: AutoCommit,
    state: State,
}

impl Repo {
    /// Connects with what stands behind the path, and says who it is.
    pub(crate) async fn connect(addr: SocketAddr, query: &str, actor: u8) -> Self {
        let tcp = TcpStream::connect(addr).await.expect("the server listens");
        let url = format!("ws://{addr}/automerge{query}");
        let (ws, _response) = client_async(url, tcp).await.expect("the server accepts it");
        let doc = AutoCommit::new().with_actor(ActorId::from([actor; 16]));
        let mut repo = Self { ws, name: format!("peer-{actor}"), doc, state: State::new() };
        let name = repo.name.clone();
        let versions = ("supportedProtocolVersions", Value::Texts(&["1"]));
        repo.send(frame("join", &[("senderId", Value::Text(&name)), versions])).await;
        repo
    }

    /// Sends a frame. Whoever was shut out is not listened to any more.
    pub(crate) async fn send(&mut self, frame: Bytes) {
        let _is_shut_out = self.ws.send(tungstenite::Message::Binary(frame)).await;
    }

    /// Asks for a document as who has nothing.
    pub(crate) async fn ask(&mut self, document: &str) {
        let question = frame("request", &about(&self.name, document, &EMPTY));
        self.send(question).await;
    }

    pub(crate) fn put(&mut self, key: &str, value: &str) {
        self.doc.put(ROOT, key, value).expect("a key of a map");
        self.doc.commit();
    }

    /// Types a text.
    pub(crate) fn type_text(&mut self, key: &str, typed: &str) {
        let text = self.doc.put_object(ROOT, key, ObjType::Text).expect("a key of a map");
        self.doc.splice_text(&text, 0, 0, typed).expect("a text");
        self.doc.commit();
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let (value, _) = self.doc.get(ROOT, key).expect("a map")?;
        value.as_str().map(str::to_owned)
    }

    /// Returns the characters of a text.
    pub(crate) fn string(&self, key: &str) -> Option<String> {
        let (_, id) = self.doc.get(ROOT, key).expect("a map")?;
        self.doc.text(id).ok()
    }

    /// Says what there is to say of the document.
    pub(crate) async fn say(&mut self, kind: &str, document: &str) {
        let message = self.doc.sync().generate_sync_message(&mut self.state);
        if let Some(message) = message {
            let frame = frame(kind, &about(&self.name, document, &message.encode()));
            self.send(frame).await;
        }
    }

    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            match self.ws.next().await {
                Some(Ok(tungstenite::Message::Binary(frame))) => return read(frame),
                Some(Ok(tungstenite::Message::Close(Some(frame)))) => {
                    while let Some(Ok(_)) = self.ws.next().await {}
                    return Heard::Closed(frame.code.into());
                }
                Some(Ok(_)) => {}
                end => panic!("{end:?}: the socket ended without a close frame"),
            }
        }
    }

    /// Listens, and talks about the document, until something is heard.
    pub(crate) async fn hear_until(&mut self, document: &str, is_it: impl Fn(&Self, &Heard) -> bool) {
        loop {
            let heard = self.hear().await;
            if let Heard::Sync(of, data) = &heard
                && of == document
            {
                let message = SyncMessage::decode(data).expect("a message");
                self.doc.sync().receive_sync_message(&mut self.state, message).expect("it is taken in");
                self.say("sync", document).await;
            }
            if is_it(self, &heard) {
                return;
            }
            assert!(!matches!(heard, Heard::Closed(_)), "{heard:?}");
        }
    }

    /// Talks until the server has all that is here, and it is durable.
    pub(crate) async fn settle(&mut self, document: &str) {
        self.say("sync", document).await;
        let heads = self.doc.get_heads();
        self.hear_until(document, |own, _| own.state.their_heads.as_ref() == Some(&heads)).await;
    }
}

fn read(frame: Bytes) -> Heard {
    match decode(&frame).expect("a frame") {
        Incoming::Message { document: Ok(document), message, .. } => match message {
            Message::Sync { data, .. } => Heard::Sync(document, data),
            Message::Unavailable => Heard::Unavailable(document),
            Message::Ephemeral { data, .. } => Heard::Ephemeral(document, data),
        },
        _ => Heard::Other(frame),
    }
}
