//! What a connection may do in a room.

/// What a connection may do in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// It may read and change the document.
    #[default]
    ReadWrite,
    /// It may read the document, show its presence and send messages that are kept nowhere.
    Comment,
    /// It may read the document, and is neither seen nor heard.
    ReadOnly,
}
