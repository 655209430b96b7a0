//! Why a connection is closed, and what each dialect calls it.

/// Why the server closes a connection.
///
/// y-websocket 3.1 and later takes 4400 to 4499 as permanent and retries everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// A frame does not follow the protocol. The word says which rule it broke.
    Malformed(&'static str),
    /// The token is missing, wrong or of no use for this document.
    Unauthorized,
    /// The client does what it may not.
    Forbidden,
    /// So much came in before the client said who it is that the connection is given up.
    TooManyPending,
    /// A message, or the document with it, is longer than allowed.
    TooLarge,
    /// What is stored would be more than a quota allows. The word is the setting that says how much.
    OverQuota(&'static str),
    /// A quota allows no more at present. The word is the setting that says how much.
    Busy(&'static str),
    /// An update that no honest editor makes. The word says why.
    BadUpdate(&'static str),
    /// The document could not be loaded twice and waits for its operator.
    Quarantined,
    /// The document was deleted, or the entity that it is; or what the connection sends is of one that was.
    Deleted,
    /// The document is of another kind than the protocol: a Yjs document, or an Automerge document.
    OtherKind,
    /// The server is overloaded.
    Overloaded,
    /// The connection took nothing of what was written to it for too long.
    Stalled,
    /// The store failed; nothing is shown or taken in until it is open again.
    StoreDown,
    /// The server is stopping.
    Shutdown,
    /// The server is at fault.
    Internal,
}

impl CloseReason {
    /// Returns the WebSocket close code (RFC 6455 section 7.4).
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Malformed(_) => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden => 4403,
            Self::TooManyPending => 4205,
            Self::TooLarge | Self::OverQuota(_) => 4413,
            Self::BadUpdate(_) => 4422,
            Self::OtherKind => 4409,
            Self::Deleted => 4410,
            Self::Quarantined => 4423,
            Self::Busy(_) | Self::Overloaded | Self::Stalled | Self::StoreDown => 1013,
            Self::Shutdown => 1012,
            Self::Internal => 1011,
        }
    }

    /// Returns the text of the close frame: a stable word in kebab case, with the rule that was broken if there is one.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Malformed(rule) => format!("malformed: {rule}"),
            Self::Unauthorized => "unauthorized".into(),
            Self::Forbidden => "forbidden".into(),
            Self::TooManyPending => "too-many-pending".into(),
            Self::TooLarge => "too-large".into(),
            Self::OverQuota(setting) => format!("over-quota: {setting}"),
            Self::Busy(setting) => format!("quota-used-up: {setting}"),
            Self::BadUpdate(rule) => format!("bad-update: {rule}"),
            Self::Quarantined => "quarantined".into(),
            Self::Deleted => "deleted".into(),
            Self::OtherKind => "other-kind: this protocol is not the one of the document".into(),
            Self::Overloaded => "overloaded".into(),
            Self::Stalled => "stalled".into(),
            Self::StoreDown => "store-down".into(),
            Self::Shutdown => "shutdown".into(),
            Self::Internal => "internal".into(),
        }
    }
}
