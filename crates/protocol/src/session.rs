//! One connection: it parses what comes in and keeps the line alive.

use bytes::Bytes;
use syncline_core::{limits::KEEPALIVE_MS, time::MonotonicMs};

use crate::{CloseReason, Frame, Request, wire::yjs};

/// The machine of one connection.
///
/// It knows no document: whoever drives it passes its [`Request`]s to a room in the order in which they came.
#[derive(Debug)]
pub struct Session {
    /// When something was last written to the client.
    wrote_at: MonotonicMs,
}

impl Session {
    /// Starts a session for a connection that was opened at `now`.
    #[must_use]
    pub fn new(now: MonotonicMs) -> Self {
        Self { wrote_at: now }
    }

    /// Parses one binary frame. A frame may hold several messages; unknown kinds of messages are left out.
    ///
    /// # Errors
    /// [`CloseReason::Malformed`] if the frame does not follow the protocol: close the connection.
    pub fn receive(&mut self, frame: &Bytes) -> Result<Vec<Request>, CloseReason> {
        yjs::decode(frame).map_err(|malformed| CloseReason::Malformed(malformed.reason()))
    }

    /// Notes that something was written to the client at `now`.
    pub fn wrote(&mut self, now: MonotonicMs) {
        self.wrote_at = now;
    }

    /// Returns when [`Session::handle_timeout`] wants to be called next. It changes with [`Session::wrote`].
    #[must_use]
    pub fn poll_timeout(&self) -> MonotonicMs {
        self.wrote_at.after(KEEPALIVE_MS)
    }

    /// Returns what to write at `now`, if the line has been silent for too long.
    pub fn handle_timeout(&mut self, now: MonotonicMs) -> Option<Frame> {
        (now >= self.poll_timeout()).then(|| {
            self.wrote_at = now;
            yjs::empty_presence()
        })
    }
}
