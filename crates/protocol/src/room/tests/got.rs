//! What clients make of what is written to them.

use bytes::Bytes;
use syncline_core::guard::Reader;

use crate::CloseReason;

/// A message as a client reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    Step1,
    Step2(Bytes),
    Update(Bytes),
    Presence(Bytes),
    /// A word of the dialect: it may not, a text, or an update was refused.
    Denied,
    Text(Bytes),
    Refused,
    /// So many updates are durable.
    Durable(u32),
    Kept(u64),
    Closed(CloseReason),
}

impl From<&Bytes> for Got {
    fn from(frame: &Bytes) -> Self {
        let mut reader = Reader::new(frame);
        let kind = (reader.u8().unwrap(), frame[1]);
        let body = |at| Bytes::copy_from_slice(Reader::new(&frame[at..]).buf().unwrap());
        match kind {
            (0, 0) => Self::Step1,
            (0, 1) => Self::Step2(body(2)),
            (0, 2) => Self::Update(body(2)),
            (1, _) => Self::Presence(body(1)),
            (2, 0) => Self::Denied,
            (5, _) => Self::Text(body(1)),
            (8, 0) => Self::Refused,
            other => panic!("no such message: {other:?}"),
        }
    }
}
