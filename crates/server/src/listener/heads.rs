//! Heads of requests that come in small pieces are read a few times a second, however many pieces there are.
//!
//! Each piece that is read wakes a task, which looks at the whole head again. Thousands who send a head byte by byte would have
//! nearly nothing done but that. What waits unread costs the kernel's buffer and nothing else, and the deadline of a head runs on.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::StatusCode,
    response::Response,
};
use hyper::body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Duration, Sleep, sleep},
};

use crate::limits::{HEAD_PIECE_BYTES, HEAD_PIECE_EVERY_MS, HEAD_PIECES_AT_ONCE};

/// Returns a stream that is read without haste while it carries a head, and what tells it when that is.
pub(crate) fn unhurried<S>(stream: S) -> (Unhurried<S>, Turns) {
    pausing(stream, Duration::from_millis(HEAD_PIECE_EVERY_MS))
}

fn pausing<S>(stream: S, every: Duration) -> (Unhurried<S>, Turns) {
    let turns = Turns(Arc::new(AtomicU64::new(0)));
    (Unhurried { stream, every, turns: turns.clone(), turn: 0, pieces: 0, pause: None }, turns)
}

/// Whose turn it is on a connection: theirs to send a head, where the number is even, or ours to answer.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<AtomicU64>);

impl Turns {
    /// A head has come, and is being answered.
    pub(super) fn begin(&self) -> Turn {
        self.0.fetch_add(1, Ordering::Relaxed);
        Turn(Some(self.clone()))
    }
}

/// The time in which one request is answered; its end lets the next head come.
#[derive(Debug)]
pub(super) struct Turn(Option<Turns>);

impl Turn {
    /// Lasts until the answer is sent, or for as long as the connection if it is no longer one for HTTP.
    pub(super) fn last(mut self, response: Response) -> Response {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.0 = None;
            return response;
        }
        response.map(|body| Body::new(Answer { body, _turn: self }))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = &self.0 {
            turns.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The body of an answer.
struct Answer {
    body: Body,
    _turn: Turn,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose small pieces are read a few times a second while it carries the head of a request.
#[derive(Debug)]
pub(crate) struct Unhurried<S> {
    stream: S,
    /// How long one piece waits behind another.
    every: Duration,
    turns: Turns,
    /// The turn in which the pieces were counted.
    turn: u64,
    pieces: u32,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Unhurried<S> {
    /// Waits until a piece of a head may be read.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let turn = self.turns.0.load(Ordering::Relaxed);
        if turn != self.turn {
            (self.turn, self.pieces, self.pause) = (turn, 0, None);
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    fn count(&mut self, bytes: usize) {
        let is_head = self.turn.is_multiple_of(2);
        if !is_head || bytes >= HEAD_PIECE_BYTES {
            return;
        }
        self.pieces = self.pieces.saturating_add(1);
        if self.pieces >= HEAD_PIECES_AT_ONCE {
            self.pause = Some(Box::pin(sleep(self.every)));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unhurried<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_patience(cx));
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        self.count(buf.filled().len() - before);
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unhurried<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// No test waits for so long.
    const NEVER: Duration = Duration::from_secs(3_600);

    const AT_ONCE: usize = HEAD_PIECES_AT_ONCE as usize;

    struct Line {
        there: DuplexStream,
        here: Unhurried<DuplexStream>,
        turns: Turns,
    }

    impl Line {
        fn new(every: Duration) -> Self {
            let (there, here) = duplex(4 * HEAD_PIECE_BYTES);
            let (here, turns) = pausing(here, every);
            Self { there, here, turns }
        }

        /// Sends a piece, and returns how many bytes are read at once, if any are.
        async fn send(&mut self, bytes: usize) -> Option<usize> {
            self.there.write_all(&vec![b'x'; bytes]).await.expect("the other end is open");
            self.read().now_or_never()
        }

        async fn read(&mut self) -> usize {
            self.here.read(&mut [0; 4 * HEAD_PIECE_BYTES]).await.expect("the other end is open")
        }

        /// Sends single bytes, each of which is read at once.
        async fn drip(&mut self, bytes: usize) {
            for _ in 0..bytes {
                assert_eq!(self.send(1).await, Some(1));
            }
        }
    }

    /// The first are read at once, so that nobody who sends a head in a few of them waits.
    #[tokio::test]
    async fn pieces_of_a_head_wait_and_are_read_as_one() {
        let mut line = Line::new(NEVER);
        line.drip(AT_ONCE).await;
        for _ in 0..40 {
            assert_eq!(line.send(1).await, None);
        }
        line.here.pause = Some(Box::pin(sleep(Duration::from_millis(1))));
        assert_eq!(line.read().await, 40);
        assert_eq!(line.send(1).await, None);
    }

    /// Long heads come in many pieces that are large.
    #[tokio::test]
    async fn large_pieces_are_read_at_once() {
        let mut line = Line::new(NEVER);
        for _ in 0..4 * AT_ONCE {
            assert_eq!(line.send(HEAD_PIECE_BYTES).await, Some(HEAD_PIECE_BYTES));
        }
    }

    /// Bodies may be slow, and the next head has its pieces again.
    #[tokio::test]
    async fn a_body_is_read_as_it_comes_until_the_answer_is_sent() {
        let mut line = Line::new(NEVER);
        line.drip(AT_ONCE).await;
        let answer = line.turns.begin().last(Response::new(Body::from("told")));
        assert_eq!(answer.size_hint().exact(), Some(4));
        line.drip(10 * AT_ONCE).await;
        assert_eq!(to_bytes(answer.into_body(), 4).await.expect("it is whole").as_ref(), b"told");
        line.drip(AT_ONCE).await;
        assert_eq!(line.send(1).await, None);
    }

    /// Messages of a WebSocket are small, and nobody who types is to wait.
    #[tokio::test]
    async fn what_is_no_longer_http_is_read_as_it_comes() {
        let mut line = Line::new(NEVER);
        let mut upgraded = Response::new(Body::empty());
        *upgraded.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        drop(line.turns.begin().last(upgraded));
        line.drip(100 * AT_ONCE).await;
    }
}
