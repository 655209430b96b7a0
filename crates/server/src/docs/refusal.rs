//! Why a request for a document is refused.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use syncline_core::doc::{Broken, EditError, MarkdownError, MergeError, ReadError, WriteError};

use super::bulk::NotTaken;
use crate::{
    access::{TooManyDocumentTokens, Unauthenticated, Undecided},
    history::{PastError, Unread},
    hooks::NotAsked,
    http::{problem, too_many},
    limits::{ROOMS_FULL_RETRY_MS, SYNC_BODY_BYTES_MAX},
    quota::{Limit, TooFast, UsedUp},
    registry::NotOpened,
    storage::StoreDown,
    tenants::TooManyTenants,
};

/// Who comes too fast.
const TOO_MANY: &str = "too-many-requests";

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("pages of this origin may not ask; an operator can allow it with --allow-origin")]
    Origin,
    #[error("{0}; send a token as `Authorization: Bearer TOKEN`")]
    Unauthenticated(Unauthenticated),
    #[error(transparent)]
    TooFast(#[from] TooFast),
    #[error(transparent)]
    TooManyRooms(NotOpened),
    #[error("as many connections are open as may be; an operator sets how many by {}", .0.settings())]
    TooManyConnections(Limit),
    #[error("as many streams of events{} are open as may be; come again", .0.whose())]
    TooManyFeeds(UsedUp),
    #[error("as many exports and imports{} are under way as may be; come again", .0.whose())]
    TooManyBulk(UsedUp),
    #[error(transparent)]
    TooManyTenants(#[from] TooManyTenants),
    #[error("a document has a name of 1 to 256 bytes without control characters")]
    Name,
    #[error("there is no such document, or you may not do this with it")]
    Absent,
    /// It is of a kind with which this cannot be done.
    #[error("{0}")]
    OtherKind(&'static str),
    #[error("it is the document of an entity: erase that with POST /sync/v1/erase, or delete it with an op")]
    Entity,
    #[error("a document of this name was deleted, and the name is not used again")]
    Deleted,
    #[error("there is a document of this name already")]
    Taken,
    #[error("neither of the two documents began as a branch of the other")]
    Unrelated,
    #[error("there is no such version")]
    NoVersion,
    #[error("there is no such hook, or you may not do this with it")]
    NoHook,
    #[error("a body has at most {SYNC_BODY_BYTES_MAX} bytes")]
    TooLarge,
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    Impossible(String),
    /// It cannot be read in this form.
    #[error("{0}")]
    TooRich(String),
    #[error("the document has changed since the revision in `If-Match`")]
    Changed,
    #[error("the document breaks its rules with this change: {0}")]
    Refused(&'static str),
    #[error("{0}")]
    NotKept(PastError),
    #[error("the store is not open; come again")]
    StoreDown,
    #[error(transparent)]
    TooManyTokens(#[from] TooManyDocumentTokens),
    #[error("it cannot be found out now what you may do; come again")]
    Undecided,
    #[error("the document cannot be read")]
    Broken,
    #[error("the history is too long to be read at once")]
    TooLong,
}

impl Refusal {
    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Origin => (StatusCode::FORBIDDEN, "origin-not-allowed"),
            Self::Unauthenticated(Unauthenticated::Unavailable) | Self::StoreDown | Self::Undecided => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            Self::TooFast(_) => (StatusCode::TOO_MANY_REQUESTS, TOO_MANY),
            Self::TooManyTokens(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-tokens"),
            Self::TooManyRooms(_) => (StatusCode::TOO_MANY_REQUESTS, "tenant-rooms"),
            Self::TooManyConnections(_)
            | Self::TooManyFeeds(UsedUp::User | UsedUp::Tenant)
            | Self::TooManyBulk(UsedUp::User | UsedUp::Tenant) => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-connections")
            }
            Self::TooManyFeeds(UsedUp::All) | Self::TooManyBulk(UsedUp::All) => {
                (StatusCode::SERVICE_UNAVAILABLE, "overloaded")
            }
            Self::Refused("storage-full") => (StatusCode::INSUFFICIENT_STORAGE, "storage-full"),
            Self::TooLarge | Self::TooRich(_) | Self::Refused("too-large") => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too-large")
            }
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::TooManyTenants(_) => (StatusCode::INSUFFICIENT_STORAGE, "too-many-tenants"),
            Self::Name => (StatusCode::BAD_REQUEST, "bad-name"),
            Self::Absent => (StatusCode::NOT_FOUND, "unknown-document"),
            Self::OtherKind(_) => (StatusCode::CONFLICT, "other-kind"),
            Self::Taken => (StatusCode::CONFLICT, "name-taken"),
            Self::Unrelated => (StatusCode::CONFLICT, "not-a-branch"),
            Self::Entity => (StatusCode::CONFLICT, "is-entity"),
            Self::Deleted => (StatusCode::GONE, "deleted"),
            Self::NoVersion => (StatusCode::NOT_FOUND, "unknown-version"),
            Self::NoHook => (StatusCode::NOT_FOUND, "unknown-hook"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "bad-request"),
            Self::Impossible(_) => (StatusCode::UNPROCESSABLE_ENTITY, "impossible-edit"),
            Self::Changed => (StatusCode::PRECONDITION_FAILED, "changed"),
            Self::Refused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "refused-update"),
            Self::NotKept(_) => (StatusCode::GONE, "not-kept"),
            Self::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "broken"),
            Self::TooLong => (StatusCode::INSUFFICIENT_STORAGE, "history-too-long"),
        }
    }
}

impl Refusal {
    /// Returns what is told of it where it is about one of many documents.
    pub(super) fn told(&self) -> NotTaken {
        let (_, code) = self.status();
        NotTaken { code, message: self.to_string() }
    }

    /// Returns whether whatever else the sender wants now would be refused the same way.
    pub(super) const fn is_of_all(&self) -> bool {
        matches!(self, Self::StoreDown | Self::Undecided | Self::Unauthenticated(_))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Self::TooFast(too_fast) = &self {
            return too_many(TOO_MANY, too_fast);
        }
        let (status, error) = self.status();
        let mut response = problem(status, error, &self.to_string());
        if let Self::TooManyRooms(_) = &self {
            let after_s = ROOMS_FULL_RETRY_MS.div_ceil(1_000);
            response.headers_mut().insert(header::RETRY_AFTER, after_s.into());
        }
        response
    }
}

impl From<Undecided> for Refusal {
    fn from(_: Undecided) -> Self {
        Self::Undecided
    }
}

impl From<StoreDown> for Refusal {
    fn from(_: StoreDown) -> Self {
        Self::StoreDown
    }
}

impl From<NotAsked> for Refusal {
    fn from(error: NotAsked) -> Self {
        match error {
            NotAsked::NoHook => Self::NoHook,
            NotAsked::Down => Self::StoreDown,
        }
    }
}

impl From<NotOpened> for Refusal {
    fn from(error: NotOpened) -> Self {
        match error {
            NotOpened::Closed => Self::StoreDown,
            NotOpened::TooMany => Self::TooManyRooms(error),
        }
    }
}

impl From<Unread> for Refusal {
    fn from(error: Unread) -> Self {
        match error {
            Unread::Down(_) => Self::StoreDown,
            Unread::Past(error) => error.into(),
        }
    }
}

impl From<PastError> for Refusal {
    fn from(error: PastError) -> Self {
        match error {
            PastError::NotKept { .. } => Self::NotKept(error),
            PastError::TooLong => Self::TooLong,
            PastError::Damaged(_) | PastError::Update(_) | PastError::Unloadable(_) | PastError::Gap(_) => {
                tracing::error!(%error, "the history of a document cannot be read");
                Self::Broken
            }
        }
    }
}

impl From<Broken> for Refusal {
    fn from(Broken: Broken) -> Self {
        Self::Broken
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Formats | ReadError::Ops => Self::TooRich(error.to_string()),
            _ => Self::Broken,
        }
    }
}

impl From<MergeError> for Refusal {
    fn from(error: MergeError) -> Self {
        if let MergeError::Read(error) = error {
            return error.into();
        }
        tracing::error!(%error, "a branch cannot be merged");
        Self::Broken
    }
}

impl From<EditError> for Refusal {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Write(error) => error.into(),
            EditError::Path { .. } => Self::Malformed(error.to_string()),
            _ => Self::Impossible(error.to_string()),
        }
    }
}

impl From<MarkdownError> for Refusal {
    fn from(error: MarkdownError) -> Self {
        match error {
            MarkdownError::NoRoot { .. } => Self::Absent,
            MarkdownError::NotRich { .. } | MarkdownError::Ambiguous { .. } => {
                Self::Malformed(error.to_string())
            }
            MarkdownError::TooLong => Self::TooRich(error.to_string()),
            MarkdownError::Read(error) => error.into(),
            _ => Self::Broken,
        }
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Unwritable => Self::Impossible(error.to_string()),
            WriteError::Read(_) | WriteError::Long => Self::TooRich(error.to_string()),
            _ => Self::Broken,
        }
    }
}
