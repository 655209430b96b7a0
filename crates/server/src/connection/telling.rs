//! A WebSocket on which only the server speaks.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{SinkExt, Stream, StreamExt};
use syncline_core::limits::WRITE_STALL_MS_MAX;
use syncline_protocol::CloseReason;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Duration, MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::{End, closing, socket::Socket, throttle::Throttle, websocket_config};
use crate::{clock::until, limits::LIVE_HEARTBEAT_MS, quota::Payer, shared::Shared};

/// Sends texts as they come, until one is missing for a reason, it is `over` or the client closes. What the client sends is not looked at.
pub(crate) async fn tell<S: AsyncRead + AsyncWrite + Unpin + Send>(
    socket: S,
    shared: &Shared,
    payer: Payer,
    over: impl Future<Output = ()> + Send,
    texts: impl Stream<Item = Result<String, CloseReason>> + Send,
) {
    let socket = Socket::new(socket, &shared.inbound);
    let mut ws = WebSocketStream::from_raw_socket(socket, Role::Server, Some(websocket_config())).await;
    let end = tokio::select! {
        biased;
        // Whoever reads nothing does not put it off.
        () = over => End::Close(CloseReason::Unauthorized),
        end = run(&mut ws, shared, payer, texts) => end,
    };
    if let End::Close(reason) = end {
        shared.metrics.closed(reason);
    }
    closing::close(ws, end).await;
}

async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    ws: &mut WebSocketStream<Socket<S>>,
    shared: &Shared,
    payer: Payer,
    texts: impl Stream<Item = Result<String, CloseReason>>,
) -> End {
    let mut texts = pin!(texts);
    let mut pings = interval(Duration::from_millis(LIVE_HEARTBEAT_MS));
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let clock = shared.clock;
    let mut throttle = Throttle::new(&shared.quota, &shared.pace, &shared.metrics, clock.monotonic());
    throttle.paid_by(payer);
    // Pings since the client was last heard of.
    let mut unheard = 0;
    loop {
        let waits = throttle.waits(clock.monotonic());
        let message = tokio::select! {
            text = texts.next() => match text {
                Some(Ok(text)) => Message::text(text),
                Some(Err(reason)) => return End::Close(reason),
                None => return End::Close(CloseReason::Internal),
            },
            _ = pings.tick() => {
                if unheard >= 2 {
                    return End::Lost;
                }
                unheard += 1;
                Message::Ping(Bytes::new())
            }
            () = until(Some(clock.instant(throttle.ready_at()))), if waits => {
                unheard = 0;
                continue;
            }
            received = ws.next(), if !waits => match received {
                Some(Ok(Message::Close(_))) => return End::ByClient,
                Some(Ok(_)) => {
                    unheard = 0;
                    drop(ws.get_mut().take_charge());
                    throttle.spend(clock.monotonic(), 1, ws.get_mut().take_unmetered());
                    continue;
                }
                Some(Err(_)) | None => return End::Lost,
            },
        };
        let sent = tokio::select! {
            sent = timeout(Duration::from_millis(WRITE_STALL_MS_MAX), ws.send(message)) => sent,
            // Whoever reads nothing does not hold up the end of the server.
            () = shared.stopping.cancelled() => return End::Close(CloseReason::Shutdown),
        };
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Lost,
            Err(_) => return End::Close(CloseReason::Stalled),
        }
    }
}
