//! The codes by which a refusal is known, with what HTTP and the client make of each.

macro_rules! codes {
    ($($name:ident, $word:literal, $status:literal, $retry:ident, $title:literal;)*) => {
        /// Why a request or an op is refused, in one word. Codes are added and never change their meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!($title, ".")] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word, the HTTP status, what a client does, and the title.
            const fn row(self) -> (&'static str, u16, Retry, &'static str) {
                match self {
                    $(Self::$name => ($word, $status, Retry::$retry, $title),)*
                }
            }
        }
    };
}

#[rustfmt::skip]
codes! {
    MalformedRequest, "malformed-request", 400, Never, "The request cannot be read";
    ValidationFailed, "validation-failed", 422, Never, "A value breaks a rule";
    Unauthenticated, "unauthenticated", 401, Reauth, "The request names no one";
    TokenExpired, "token-expired", 401, Reauth, "The token is no longer good";
    SignatureRequired, "signature-required", 401, Sign, "The device has to sign its requests";
    SignatureInvalid, "signature-invalid", 401, Sign, "The signature is not good";
    ForbiddenScope, "forbidden-scope", 403, Never, "The scope may not be read";
    ForbiddenOp, "forbidden-op", 403, Never, "This may not be done";
    DeviceNotBound, "device-not-bound", 403, Rebind, "The device is not bound to the user";
    DeviceRevoked, "device-revoked", 403, Never, "The device was revoked";
    DeviceMismatch, "device-mismatch", 409, Never, "The device is another than the token's, or another user's";
    SequenceGap, "sequence-gap", 409, Now, "Ops are missing in between";
    SequenceReuse, "sequence-reuse", 409, Rotate, "Another op had the number";
    CursorInvalid, "cursor-invalid", 400, Resync, "The cursor is not one of this scope";
    SchemaUnsupported, "schema-unsupported", 426, Upgrade, "The schema is too old or too new";
    ProtocolUnsupported, "protocol-unsupported", 426, Upgrade, "The protocol is too old or too new";
    PayloadTooLarge, "payload-too-large", 413, Split, "The request is too large";
    TooManyOps, "too-many-ops", 413, Split, "There are too many ops in one request";
    RateLimited, "rate-limited", 429, After, "There are too many requests";
    BacklogFull, "backlog-full", 429, After, "Too many ops wait behind one that is deferred";
    AppendOnly, "append-only", 409, Never, "Entities of the type are never changed";
    AlreadyWritten, "already-written", 409, Never, "Another was first";
    ServerChanged, "server-changed", 409, Never, "The record has changed since its author saw it";
    EntityDeleted, "entity-deleted", 409, Never, "The entity was deleted";
    EntityUnknown, "entity-unknown", 404, Never, "There is no such entity";
    TxAborted, "tx-aborted", 409, Never, "Another op of the transaction had no effect";
    DependencyFailed, "dependency-failed", 409, After, "An op that it depends on has no effect";
    HandlerUnavailable, "handler-unavailable", 503, After, "The handler does not answer";
    ContextUnknown, "context-unknown", 409, Rebase, "It comes after an op that is no longer known";
    UnknownType, "unknown-type", 404, Never, "There is no such type";
    UnknownScope, "unknown-scope", 404, Never, "There is no such scope";
    UnknownConflict, "unknown-conflict", 404, Never, "There is no such conflict";
    UnknownDevice, "unknown-device", 404, Never, "There is no such device";
    ConflictAlreadyResolved, "conflict-already-resolved", 409, Never, "The conflict is closed";
    ConflictStale, "conflict-stale", 409, Now, "The conflict has changed";
    TypeIncompatible, "type-incompatible", 409, Never, "The type does not allow that";
    StorageFull, "storage-full", 507, After, "There is no room left";
    ReadOnly, "read-only", 503, After, "Nothing is written at present";
    Internal, "internal", 500, After, "The server is at fault";
}

impl Code {
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
    /// Signs it, with the key of its device and by the server's clock.
    Sign,
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
            Self::Sign => "sign",
            Self::Rebind => "rebind",
            Self::Resync => "resync",
            Self::Rebase => "rebase",
            Self::Rotate => "rotate",
            Self::Split => "split",
            Self::Upgrade => "upgrade",
        }
    }
}
