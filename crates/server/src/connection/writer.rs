//! Writes batches to a socket, in pieces that a slow reader can take one by one.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::SinkExt;
use syncline_core::limits::FRAGMENT_BYTES;
use syncline_protocol::{Batch, Frame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        protocol::frame::{
            Frame as WebSocketFrame,
            coding::{Data, OpCode},
        },
    },
};

/// What is being written to one socket.
///
/// Small frames are fed together and flushed once, which is one system call. A frame longer than [`FRAGMENT_BYTES`]
/// goes out as fragments of that length with a flush after each, so that at most two of them are ever buffered.
#[derive(Debug, Default)]
pub(super) struct Writer {
    batches: VecDeque<Arc<Batch>>,
    /// Bytes of all batches in the queue.
    queued: usize,
    /// The frame of the first batch that comes next, and how much of it has been fed.
    frame: usize,
    offset: usize,
    /// Bytes fed since the last flush ended.
    fed: usize,
}

impl Writer {
    /// Queues a batch.
    pub(super) fn push(&mut self, batch: Arc<Batch>) {
        self.queued += batch.bytes();
        self.batches.push_back(batch);
    }

    /// Feeds a control frame or another message that belongs to no batch. Control frames may come between fragments.
    pub(super) fn feed<S>(
        &mut self,
        ws: &mut WebSocketStream<S>,
        message: Message,
    ) -> Result<(), tungstenite::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.fed += message.len().max(1);
        ws.start_send_unpin(message)
    }

    /// Writes until everything is with the socket. After [`Poll::Pending`] it goes on where it was.
    pub(super) fn poll_written<S>(
        &mut self,
        ws: &mut WebSocketStream<S>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), tungstenite::Error>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            let piece = if self.fed < FRAGMENT_BYTES { self.next_piece() } else { None };
            match piece {
                Some(piece) => self.feed(ws, piece)?,
                None => {
                    ready!(ws.poll_flush_unpin(cx))?;
                    self.fed = 0;
                    if self.batches.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }

    /// Returns whether everything was handed to the socket.
    pub(super) fn is_idle(&self) -> bool {
        self.batches.is_empty() && self.fed == 0
    }

    /// Returns whether another batch may be queued, to be written together with those that wait.
    pub(super) fn has_room(&self) -> bool {
        self.queued < FRAGMENT_BYTES
    }

    fn next_piece(&mut self) -> Option<Message> {
        loop {
            let batch = self.batches.front()?;
            let Some(frame) = batch.frames().get(self.frame) else {
                self.queued -= batch.bytes();
                self.frame = 0;
                self.batches.pop_front();
                continue;
            };
            let (piece, end) = piece(frame, self.offset);
            if end == frame.len() {
                self.frame += 1;
                self.offset = 0;
            } else {
                self.offset = end;
            }
            return Some(piece);
        }
    }
}

/// Returns the piece of `frame` that begins at `offset`, and where it ends.
fn piece(frame: &Frame, offset: usize) -> (Message, usize) {
    if frame.len() <= FRAGMENT_BYTES {
        return (Message::Binary(frame.clone()), frame.len());
    }
    let end = frame.len().min(offset + FRAGMENT_BYTES);
    let data = if offset == 0 { Data::Binary } else { Data::Continue };
    let bytes: Bytes = frame.slice(offset..end);
    let fragment = WebSocketFrame::message(bytes, OpCode::Data(data), end == frame.len());
    (Message::Frame(fragment), end)
}

#[cfg(test)]
mod tests {
    use syncline_core::id::CommitNumber;

    use super::*;

    fn lengths_of_pieces(frames: &[usize]) -> Vec<(usize, bool)> {
        let frames = frames.iter().map(|&len| Bytes::from(vec![7; len])).collect();
        let mut writer = Writer::default();
        writer.push(Batch::new(CommitNumber(0), frames));
        let mut pieces = Vec::new();
        while let Some(piece) = writer.next_piece() {
            pieces.push(match piece {
                Message::Binary(bytes) => (bytes.len(), true),
                Message::Frame(frame) => (frame.payload().len(), frame.header().is_final),
                other => panic!("{other:?} is not data"),
            });
        }
        assert!(writer.is_idle() && writer.has_room());
        pieces
    }

    #[test]
    fn only_long_frames_are_cut() {
        let check = |frames: &[usize], want: &[(usize, bool)]| {
            assert_eq!(lengths_of_pieces(frames), want, "{frames:?}");
        };
        check(&[], &[]);
        check(&[3, 5], &[(3, true), (5, true)]);
        check(&[FRAGMENT_BYTES], &[(FRAGMENT_BYTES, true)]);
        check(&[FRAGMENT_BYTES + 1, 2], &[(FRAGMENT_BYTES, false), (1, true), (2, true)]);
        check(&[2 * FRAGMENT_BYTES], &[(FRAGMENT_BYTES, false), (FRAGMENT_BYTES, true)]);
    }
}
