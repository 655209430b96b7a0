//! An answer that is written while it is read.

use std::{io, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use syncline_core::limits::WRITE_STALL_MS_MAX;
use tokio::{sync::mpsc, time::timeout};

/// Where the pieces of an answer go. Dropped before its end it has the answer break off, so that nobody takes it for whole.
pub(super) struct Outlet {
    pieces: mpsc::Sender<Option<Bytes>>,
    /// How long a piece may wait for its place.
    stall: Duration,
}

/// Nobody takes the answer any more, or too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not read")]
pub(super) struct Unread;

/// Returns the two ends of an answer of which so many pieces wait for its reader.
pub(super) fn outlet(pieces_max: usize) -> (Outlet, Body) {
    outlet_within(Duration::from_millis(WRITE_STALL_MS_MAX), pieces_max)
}

fn outlet_within(stall: Duration, pieces_max: usize) -> (Outlet, Body) {
    let (sender, receiver) = mpsc::channel(pieces_max);
    let pieces = stream::unfold(Some(receiver), async |receiver| {
        let mut receiver: mpsc::Receiver<Option<Bytes>> = receiver?;
        match receiver.recv().await {
            Some(Some(piece)) => Some((Ok(piece), Some(receiver))),
            Some(None) => None,
            None => Some((Err(io::Error::other("the answer was not finished")), None)),
        }
    });
    // Whoever has asked behind the last one asks once more.
    (Outlet { pieces: sender, stall }, Body::from_stream(pieces.fuse()))
}

/// Finishes an answer when it is written, unless that is over before: then it breaks off, and nobody is waited for who does not read.
pub(super) async fn finished<E: From<Unread>>(
    written: impl Future<Output = Result<Outlet, E>>,
    over: impl Future<Output = E>,
) -> Result<(), E> {
    let whole = async { Ok(written.await?.finish().await?) };
    tokio::select! {
        biased;
        over = over => Err(over),
        whole = whole => whole,
    }
}

impl Outlet {
    /// Waits until a piece has its place. Whoever reads takes some in [`WRITE_STALL_MS_MAX`], or is given up.
    pub(super) async fn send(&self, piece: impl Into<Bytes>) -> Result<(), Unread> {
        self.put(Some(piece.into())).await
    }

    /// Ends the answer.
    pub(super) async fn finish(self) -> Result<(), Unread> {
        self.put(None).await
    }

    async fn put(&self, piece: Option<Bytes>) -> Result<(), Unread> {
        let sent = timeout(self.stall, self.pieces.send(piece)).await;
        sent.map_err(|_stalled| Unread)?.map_err(|_gone| Unread)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn what_is_not_finished_breaks_off() {
        for is_finished in [true, false] {
            let (outlet, body) = outlet(4);
            outlet.send("a").await.expect("it has room");
            outlet.send("b").await.expect("it has room");
            if is_finished {
                outlet.finish().await.expect("it has room");
            } else {
                drop(outlet);
            }
            let read = to_bytes(body, usize::MAX).await;
            assert_eq!(read.ok(), is_finished.then(|| Bytes::from("ab")));
        }
    }

    /// Goal: whoever reads nothing holds up no end. Method: all is written, and its end finds no place, when it is over.
    #[tokio::test]
    async fn who_does_not_read_holds_up_no_end() {
        #[derive(Debug, PartialEq, Eq)]
        enum Ended {
            Over,
            Unread,
        }
        impl From<Unread> for Ended {
            fn from(Unread: Unread) -> Self {
                Self::Unread
            }
        }
        let (outlet, body) = outlet_within(Duration::from_millis(1), 1);
        let (done, is_written) = tokio::sync::oneshot::channel();
        let written = async {
            outlet.send("a").await?;
            done.send(()).expect("it is waited for");
            Ok(outlet)
        };
        let over = async {
            is_written.await.expect("it is written");
            Ended::Over
        };
        assert_eq!(finished(written, over).await, Err(Ended::Over));
        assert!(to_bytes(body, usize::MAX).await.is_err(), "it broke off");
    }

    #[tokio::test]
    async fn who_does_not_read_is_given_up() {
        let (outlet, body) = outlet_within(Duration::from_millis(1), 1);
        assert_eq!(outlet.send("a").await, Ok(()));
        assert_eq!(outlet.send("b").await, Err(Unread));
        drop(body);
        assert_eq!(outlet.send("c").await, Err(Unread));
    }
}
