//! The end of a connection: say why, and let the client hear it.

use futures_util::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Duration, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, Utf8Bytes, protocol::CloseFrame},
};

use super::{End, socket::Socket};
use crate::limits::CLOSE_MS_MAX;

/// Closes the connection as `end` says, and drops it when the client has answered or had its time.
pub(super) async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocketStream<Socket<S>>, end: End) {
    // Whether the client hears it in time changes nothing for us.
    let _ = timeout(Duration::from_millis(CLOSE_MS_MAX), async {
        match end {
            End::Lost => return,
            End::ByClient => {}
            End::Close(reason) => {
                let frame = CloseFrame { code: reason.code().into(), reason: Utf8Bytes::from(reason.text()) };
                if futures_util::SinkExt::send(&mut ws, Message::Close(Some(frame))).await.is_err() {
                    return;
                }
            }
        }
        // Reading answers a client that closed, and waits for the answer of one that did not. A socket that is
        // dropped with unread bytes resets the connection, and the client might never see why it was closed.
        while let Some(Ok(_)) = ws.next().await {}
        discard_rest(&mut ws).await;
    })
    .await;
}

/// Throws away what a client is still sending that was closed in the middle of a message, which cannot be parsed.
async fn discard_rest<S: AsyncRead + AsyncWrite + Unpin>(ws: &mut WebSocketStream<Socket<S>>) {
    let socket = ws.get_mut();
    socket.stop_charging();
    if socket.shutdown().await.is_ok() {
        let _ = tokio::io::copy(socket, &mut tokio::io::sink()).await;
    }
}
