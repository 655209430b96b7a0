//! The stream below a WebSocket, which counts what passes through it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    inbound::{BudgetSpent, Charge, InboundBudget},
    limits::UNCHARGED_MESSAGE_BYTES,
};

/// A stream that charges the bytes of the message being received to the server's budget while they come in, and counts
/// the bytes that it was able to hand on.
///
/// Without the charge a thousand clients that never finish their message would hold sixty gigabytes.
pub(super) struct Socket<S> {
    stream: S,
    /// Bytes received since the last whole message. A read may bring the beginning of the next one; that it is not
    /// charged to it makes a difference of at most one read buffer.
    received: usize,
    charge: Charge,
    charging: bool,
    written: u64,
    /// Bytes received since they were last taken for how fast the client goes on.
    unmetered: u64,
}

impl<S> Socket<S> {
    pub(super) fn new(stream: S, budget: &Arc<InboundBudget>) -> Self {
        Self { stream, received: 0, charge: Charge::new(budget), charging: true, written: 0, unmetered: 0 }
    }

    /// Returns the charge of the message that was just received whole.
    pub(super) fn take_charge(&mut self) -> Charge {
        self.received = 0;
        self.charge.detach()
    }

    /// Returns how many bytes were received since this was last asked.
    pub(super) fn take_unmetered(&mut self) -> u64 {
        std::mem::take(&mut self.unmetered)
    }

    /// Charges nothing more: what is still received is thrown away.
    pub(super) fn stop_charging(&mut self) {
        self.charging = false;
        drop(self.charge.detach());
    }

    /// Returns how many bytes the stream below has taken so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    fn received(&mut self, bytes: usize) -> io::Result<()> {
        self.received += bytes;
        self.unmetered += bytes as u64;
        if self.charging && self.received > UNCHARGED_MESSAGE_BYTES {
            self.charge.raise_to(self.received).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// Returns whether a read failed because the server's budget is spent.
pub(super) fn is_budget_spent(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|source| source.is::<BudgetSpent>())
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let bytes = buf.filled().len() - before;
        Poll::Ready(self.received(bytes))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_message_is_charged_while_it_comes_in() {
        let budget = InboundBudget::new(3_000);
        let (mut client, server) = duplex(1 << 20);
        let mut socket = Socket::new(server, &budget);
        let mut buffer = vec![0; 4_096];

        client.write_all(&[0; 500]).await.unwrap();
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 500);
        assert_eq!(budget.used(), 0, "a small message is free");

        client.write_all(&[0; 1_000]).await.unwrap();
        assert_eq!(socket.read(&mut buffer).await.unwrap(), 1_000);
        assert_eq!(budget.used(), 1_500);
        let charge = socket.take_charge();

        client.write_all(&[0; 2_000]).await.unwrap();
        let refused = socket.read(&mut buffer).await.unwrap_err();
        assert!(is_budget_spent(&refused));
        drop(charge);
        assert_eq!(budget.used(), 0);
    }
}
