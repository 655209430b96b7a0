//! The codes by which a refusal is known, with what HTTP and the client make of each.

/// Why a request or an op is refused, in one word. Codes are added and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "`title` says what each means")]
pub enum Code {
    MalformedRequest,
    ValidationFailed,
    Unauthenticated,
    TokenExpired,
    ForbiddenScope,
    ForbiddenOp,
    DeviceNotBound,
    DeviceRevoked,
    DeviceMismatch,
    SequenceGap,
    SequenceReuse,
    CursorInvalid,
    SchemaUnsupported,
    ProtocolUnsupported,
    PayloadTooLarge,
    TooManyOps,
    RateLimited,
    BacklogFull,
    AppendOnly,
    AlreadyWritten,
    ServerChanged,
    EntityDeleted,
    EntityUnknown,
    TxAborted,
    DependencyFailed,
    HandlerUnavailable,
    ContextUnknown,
    UnknownType,
    UnknownScope,
    UnknownConflict,
    UnknownDevice,
    ConflictAlreadyResolved,
    ConflictStale,
    TypeIncompatible,
    StorageFull,
    ReadOnly,
    Internal,
}

/// What a client does about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Retry {
    /// Nothing: the same would be refused again.
    Never,
    /// Mends the request and sends it at once, once.
    Now,
    /// Sends it again after a while.
    After,
    /// Gets another token first.
    Reauth,
    /// Binds its device first.
    Rebind,
    /// Pulls without a cursor.
    Resync,
    /// Makes a new op on what it has by now.
    Rebase,
    /// Goes on under a new device id.
    Rotate,
    /// Sends it in parts.
    Split,
    /// Asks its user for a newer version.
    Upgrade,
}

impl Retry {
    /// Returns the word as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Now => "now",
            Self::After => "after",
            Self::Reauth => "reauth",
            Self::Rebind => "rebind",
            Self::Resync => "resync",
            Self::Rebase => "rebase",
            Self::Rotate => "rotate",
            Self::Split => "split",
            Self::Upgrade => "upgrade",
        }
    }
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 37] = [
        Self::MalformedRequest,
        Self::ValidationFailed,
        Self::Unauthenticated,
        Self::TokenExpired,
        Self::ForbiddenScope,
        Self::ForbiddenOp,
        Self::DeviceNotBound,
        Self::DeviceRevoked,
        Self::DeviceMismatch,
        Self::SequenceGap,
        Self::SequenceReuse,
        Self::CursorInvalid,
        Self::SchemaUnsupported,
        Self::ProtocolUnsupported,
        Self::PayloadTooLarge,
        Self::TooManyOps,
        Self::RateLimited,
        Self::BacklogFull,
        Self::AppendOnly,
        Self::AlreadyWritten,
        Self::ServerChanged,
        Self::EntityDeleted,
        Self::EntityUnknown,
        Self::TxAborted,
        Self::DependencyFailed,
        Self::HandlerUnavailable,
        Self::ContextUnknown,
        Self::UnknownType,
        Self::UnknownScope,
        Self::UnknownConflict,
        Self::UnknownDevice,
        Self::ConflictAlreadyResolved,
        Self::ConflictStale,
        Self::TypeIncompatible,
        Self::StorageFull,
        Self::ReadOnly,
        Self::Internal,
    ];

    /// Returns the code as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// Returns the HTTP status of a request that is refused so. An op that is refused so leaves its request at 200.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// Returns what a client does about it.
    #[must_use]
    pub const fn retry(self) -> Retry {
        self.row().2
    }

    /// Returns what it means, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().3
    }

    #[rustfmt::skip]
    const fn row(self) -> (&'static str, u16, Retry, &'static str) {
        use Retry::{After, Never, Now, Reauth, Rebase, Rebind, Resync, Rotate, Split, Upgrade};
        match self {
            Self::MalformedRequest => ("malformed-request", 400, Never, "The request cannot be read"),
            Self::ValidationFailed => ("validation-failed", 422, Never, "A value breaks a rule"),
            Self::Unauthenticated => ("unauthenticated", 401, Reauth, "The request names no one"),
            Self::TokenExpired => ("token-expired", 401, Reauth, "The token is no longer good"),
            Self::ForbiddenScope => ("forbidden-scope", 403, Never, "The scope may not be read"),
            Self::ForbiddenOp => ("forbidden-op", 403, Never, "This may not be done"),
            Self::DeviceNotBound => ("device-not-bound", 403, Rebind, "The device is not bound to the user"),
            Self::DeviceRevoked => ("device-revoked", 403, Never, "The device was revoked"),
            Self::DeviceMismatch => ("device-mismatch", 409, Never, "The device is another than the token's, or another user's"),
            Self::SequenceGap => ("sequence-gap", 409, Now, "Ops are missing in between"),
            Self::SequenceReuse => ("sequence-reuse", 409, Rotate, "Another op had the number"),
            Self::CursorInvalid => ("cursor-invalid", 400, Resync, "The cursor is not one of this scope"),
            Self::SchemaUnsupported => ("schema-unsupported", 426, Upgrade, "The schema is too old or too new"),
            Self::ProtocolUnsupported => ("protocol-unsupported", 426, Upgrade, "The protocol is too old or too new"),
            Self::PayloadTooLarge => ("payload-too-large", 413, Split, "The request is too large"),
            Self::TooManyOps => ("too-many-ops", 413, Split, "There are too many ops in one request"),
            Self::RateLimited => ("rate-limited", 429, After, "There are too many requests"),
            Self::BacklogFull => ("backlog-full", 429, After, "Too many ops wait behind one that is deferred"),
            Self::AppendOnly => ("append-only", 409, Never, "Entities of the type are never changed"),
            Self::AlreadyWritten => ("already-written", 409, Never, "Another was first"),
            Self::ServerChanged => ("server-changed", 409, Never, "The record has changed since its author saw it"),
            Self::EntityDeleted => ("entity-deleted", 409, Never, "The entity was deleted"),
            Self::EntityUnknown => ("entity-unknown", 404, Never, "There is no such entity"),
            Self::TxAborted => ("tx-aborted", 409, Never, "Another op of the transaction had no effect"),
            Self::DependencyFailed => ("dependency-failed", 409, After, "An op that it depends on has no effect"),
            Self::HandlerUnavailable => ("handler-unavailable", 503, After, "The handler does not answer"),
            Self::ContextUnknown => ("context-unknown", 409, Rebase, "It comes after an op that is no longer known"),
            Self::UnknownType => ("unknown-type", 404, Never, "There is no such type"),
            Self::UnknownScope => ("unknown-scope", 404, Never, "There is no such scope"),
            Self::UnknownConflict => ("unknown-conflict", 404, Never, "There is no such conflict"),
            Self::UnknownDevice => ("unknown-device", 404, Never, "There is no such device"),
            Self::ConflictAlreadyResolved => ("conflict-already-resolved", 409, Never, "The conflict is closed"),
            Self::ConflictStale => ("conflict-stale", 409, Now, "The conflict has changed"),
            Self::TypeIncompatible => ("type-incompatible", 409, Never, "The change alters what records mean"),
            Self::StorageFull => ("storage-full", 507, After, "There is no room left"),
            Self::ReadOnly => ("read-only", 503, After, "Nothing is written at present"),
            Self::Internal => ("internal", 500, After, "The server is at fault"),
        }
    }
}
