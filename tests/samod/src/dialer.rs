//! How samod reaches a server: a WebSocket without TLS, whose binary messages are those of the protocol.

use std::io;

use futures::{SinkExt, StreamExt, future::BoxFuture};
use samod::{DialError, Dialer, Transport, Url};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message},
};

pub(crate) struct WebSocketDialer(Url);

impl WebSocketDialer {
    pub(crate) fn new(url: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(url.parse()?))
    }
}

impl Dialer for WebSocketDialer {
    type Error = std::convert::Infallible;

    fn url(&self) -> Url {
        self.0.clone()
    }

    fn connect(&self) -> BoxFuture<'static, Result<Transport, DialError<Self::Error>>> {
        let url = self.0.clone();
        Box::pin(async move {
            let (socket, _) = connect_async(url.as_str()).await.map_err(DialError::transient)?;
            let (sink, stream) = socket.split();
            // Pings are answered by tungstenite, and behind a close nothing comes.
            let stream = stream.filter_map(async |message| match message {
                Ok(Message::Binary(bytes)) => Some(Ok(bytes.to_vec())),
                Ok(Message::Text(_)) => Some(Err(io::Error::other("a text is no message"))),
                Ok(_) => None,
                Err(error) => Some(Err(io::Error::other(error))),
            });
            let sink = sink.with(async |bytes: Vec<u8>| Ok::<_, Error>(Message::Binary(bytes.into())));
            Ok(Transport::new(stream.boxed(), Box::pin(sink)))
        })
    }
}
