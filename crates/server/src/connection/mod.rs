//! One WebSocket as a task: what comes in goes to the room, what the room says goes out.

mod bearers;
mod closing;
mod documents;
mod line;
mod run;
mod socket;
mod telling;
mod throttle;
mod writer;

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use syncline_core::limits::{FRAGMENT_BYTES, MESSAGE_BYTES_MAX};
use syncline_protocol::{CloseReason, Dialect, Session};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::OwnedSemaphorePermit,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

pub(crate) use self::telling::tell;
use self::{
    bearers::Bearers,
    documents::Documents,
    run::{Connection, Guests},
    socket::Socket,
};
use crate::{
    access::Proof,
    epoch::Epoch,
    limits::{READ_BUFFER_BYTES, WRITE_BUFFER_BYTES_MAX},
    shared::Shared,
    tenants::Tenant,
    upgrade::Shown,
};

/// A connection that was upgraded and has not joined a room yet.
pub(crate) struct Arrival {
    pub(crate) shared: Arc<Shared>,
    pub(crate) epoch: Arc<Epoch>,
    /// Whose documents may be opened; nobody's until a good token says.
    pub(crate) tenant: Option<Tenant>,
    /// Where it comes from.
    pub(crate) client: Option<IpAddr>,
    /// Who has shown a token already; nobody if none is asked for, or it is shown later.
    pub(crate) shown: Option<Shown>,
    /// What the head of the request has to prove of those who show a token later.
    pub(crate) proof: Option<Proof>,
    /// The machine, or why the connection is closed at once.
    pub(crate) session: Result<Session, CloseReason>,
    /// Given back when the first room has taken the connection in, or at once if it names its rooms later.
    pub(crate) handshake: Option<OwnedSemaphorePermit>,
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
    let Arrival { shared, epoch, tenant, client, shown, proof, session, handshake } = arrival;
    let socket = Socket::new(socket, &shared.inbound);
    let mut ws = WebSocketStream::from_raw_socket(socket, Role::Server, Some(websocket_config())).await;
    let end = match session {
        Ok(session) => {
            let many = session.dialect() == Dialect::Hocuspocus;
            let mut documents = Documents::new(&epoch, many);
            let bearers = Bearers::of(&shared.gate, &epoch.tenants, tenant, shown, proof);
            let guests = Guests { shared: &shared, bearers, handshake: handshake.filter(|_| !many) };
            let connection = Connection::new(&epoch, &mut ws, session, &mut documents, guests);
            let ran = AssertUnwindSafe(connection.run(epoch.halt.wait())).catch_unwind().await;
            documents.end().await;
            ran.unwrap_or(End::Close(CloseReason::Internal))
        }
        Err(reason) => End::Close(reason),
    };
    if let End::Close(reason) = end {
        epoch.metrics.closed(reason);
        let client = client.map(tracing::field::display);
        tracing::debug!(client, code = reason.code(), reason = reason.text(), "connection closed");
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
