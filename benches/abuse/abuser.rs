//! What one abuser does.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::client::Client;
use crate::server::{ABUSER, Server};
use crate::wire;

/// One kind of abuse.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Abuse {
    /// One user sends messages as fast as they are taken, up to a number a second.
    Flood,
    /// Sockets that say nothing; each that is closed comes back.
    Silent,
    /// Requests for a WebSocket whose heads come byte by byte; each that is closed comes back.
    SlowHandshakes,
}

/// What an abuser has under way; dropping it ends it.
pub(crate) struct Abuser(
    #[expect(dead_code, reason = "it is held until it is dropped")] JoinSet<io::Result<()>>,
);

/// Messages a second that the flood tries to send.
const FLOOD_PER_S: u32 = 50_000;

/// Connections of the user who floods.
const FLOOD_CONNECTIONS: u32 = 4;

/// The time between two batches of a flood.
const FLOOD_EVERY: Duration = Duration::from_millis(10);

const SILENT: u32 = 5_000;
const HANDSHAKES: u32 = 1_000;

/// The time between two bytes of a slow head.
const BYTE_EVERY: Duration = Duration::from_millis(50);

impl Abuse {
    pub(crate) const ALL: [Self; 3] = [Self::Flood, Self::Silent, Self::SlowHandshakes];

    /// Returns the name of its row.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flood => "one user who sends 50,000 messages a second",
            Self::Silent => "5,000 silent sockets",
            Self::SlowHandshakes => "1,000 slow handshakes",
        }
    }

    /// Begins, with a fraction of what it is.
    ///
    /// # Errors
    ///
    /// Any error of the first connections.
    pub(crate) async fn begin(self, server: &Server, fraction: u32) -> io::Result<Abuser> {
        let (mut tasks, addr) = (JoinSet::new(), server.address());
        match self {
            Self::Flood => {
                let abused = server.as_user(ABUSER);
                for connection in 0..FLOOD_CONNECTIONS {
                    let client = Client::join(&abused, &format!("flood-{connection}")).await?;
                    tasks.spawn(flood(
                        client,
                        u64::from(connection) + 1,
                        FLOOD_PER_S / FLOOD_CONNECTIONS / fraction,
                    ));
                }
            }
            Self::Silent => {
                for _ in 0..SILENT / fraction {
                    tasks.spawn(stay_silent(TcpStream::connect(addr).await?, addr));
                }
            }
            Self::SlowHandshakes => {
                for _ in 0..HANDSHAKES / fraction {
                    tasks.spawn(shake_hands_slowly(addr));
                }
            }
        }
        Ok(Abuser(tasks))
    }
}

async fn flood(mut client: Client, writer: u64, per_s: u32) -> io::Result<()> {
    let batch = u64::from(per_s) * FLOOD_EVERY.as_millis() as u64 / 1_000;
    let (mut ticks, mut sent) = (interval(FLOOD_EVERY), 0);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let mut frames = Vec::new();
                for key in sent..sent + batch {
                    client.write(&mut frames, &wire::insertion(writer, key));
                }
                sent += batch;
                // It waits while the server does not read.
                client.send_frames(&frames).await?;
            }
            message = client.message() => {
                message?;
            }
        }
    }
}

async fn stay_silent(mut socket: TcpStream, addr: SocketAddr) -> io::Result<()> {
    loop {
        // It may be reset in place of a farewell.
        let _ = socket.read(&mut [0]).await;
        socket = TcpStream::connect(addr).await?;
    }
}

async fn shake_hands_slowly(addr: SocketAddr) -> io::Result<()> {
    let head = format!(
        "GET /yjs/slow HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{}",
        "X: y\r\n".repeat(99)
    );
    loop {
        let mut socket = TcpStream::connect(addr).await?;
        let mut ticks = interval(BYTE_EVERY);
        for byte in head.as_bytes() {
            ticks.tick().await;
            if socket.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    }
}
