//! One WebSocket as a task: what comes in goes to the room, what the room says goes out.

mod closing;
mod line;
mod run;
mod socket;
mod writer;

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use syncline_core::{
    id::ConnectionId,
    limits::{FRAGMENT_BYTES, MESSAGE_BYTES_MAX},
    log::Author,
};
use syncline_protocol::CloseReason;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::OwnedSemaphorePermit,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

use self::{run::Connection, socket::Socket};
use crate::{
    epoch::Epoch,
    inbound::InboundBudget,
    limits::{READ_BUFFER_BYTES, WRITE_BUFFER_BYTES_MAX},
    outbox::SharedOutbox,
    registry::{Registry, RoomKey},
    room::{Join, ToRoom},
};

/// A connection that was upgraded and has not joined its room yet.
pub(crate) struct Arrival {
    pub(crate) connection: ConnectionId,
    pub(crate) author: Author,
    pub(crate) room: RoomKey,
    pub(crate) epoch: Arc<Epoch>,
    pub(crate) inbound: Arc<InboundBudget>,
    /// Given back when the room has taken the connection in.
    pub(crate) handshake: OwnedSemaphorePermit,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The socket is of no further use.
    Lost,
    /// The client closed.
    ByClient,
    /// We close.
    Close(CloseReason),
}

/// Serves a connection from the end of its handshake to the end of its socket.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(socket: S, arrival: Arrival) {
    let Arrival { connection, author, room: key, epoch, inbound, handshake } = arrival;
    let socket = Socket::new(socket, &inbound);
    let mut ws = WebSocketStream::from_raw_socket(socket, Role::Server, Some(websocket_config())).await;
    let outbox = Arc::new(SharedOutbox::default());
    let join = Join { connection, author, outbox: Arc::clone(&outbox), handshake: Some(handshake) };
    let end = match Registry::join(&epoch, &key, join).await {
        Ok(room) => {
            let connection_task = Connection::new(connection, &epoch, &mut ws, outbox, room.clone());
            let ran = AssertUnwindSafe(connection_task.run(epoch.halt.wait())).catch_unwind().await;
            // A room that is gone has nobody to forget.
            let _ = room.send(ToRoom::Leave { connection }).await;
            ran.unwrap_or(End::Close(CloseReason::Internal))
        }
        Err(_closed) if epoch.halt.is_set() => End::Close(CloseReason::StoreDown),
        Err(_closed) => End::Close(CloseReason::Shutdown),
    };
    if let End::Close(reason) = end {
        epoch.metrics.closed(reason);
        let room = key.name.as_str();
        tracing::debug!(%connection, room, code = reason.code(), reason = reason.text(), "connection closed");
    }
    closing::close(ws, end).await;
}

fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(FRAGMENT_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}
