//! The y-websocket dialect (y-protocols 1.0.7).

use bytes::Bytes;

use crate::{Frame, Request};

/// Stub.
#[derive(Debug)]
pub struct Malformed;
impl Malformed {
    /// Reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        "frame"
    }
}

/// Parses one frame.
///
/// # Errors
/// If it does not follow the protocol.
pub fn decode(_frame: &Bytes) -> Result<Vec<Request>, Malformed> {
    Ok(vec![])
}

/// An awareness message without entries: clients take it as a sign of life.
#[must_use]
pub fn empty_presence() -> Frame {
    Bytes::from_static(&[1, 1, 0])
}
