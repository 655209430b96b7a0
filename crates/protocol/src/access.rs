//! What a connection may do in a room.

/// What a connection may do in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// It may read and change the document.
    #[default]
    ReadWrite,
    /// It may read the document and show its presence.
    ReadOnly,
}
