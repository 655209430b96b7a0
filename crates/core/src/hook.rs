//! Hooks: applications elsewhere that are told of what happens to documents.
//!
//! What a hook is to be told is a [`HookMark`], which is stored with what it tells of and goes when the hook has taken it.

use alloc::sync::Arc;
use core::{fmt, str::FromStr};

use crate::{
    id::{CommitNumber, DocumentId, RoomName, TenantId},
    limits::HOOK_NAME_BYTES_MAX,
    time::WallMs,
};

/// The name of a hook: 1 to [`HOOK_NAME_BYTES_MAX`] bytes of `a-z`, `0-9`, `-`, `_` and `.`, so that it can stand in URLs, labels and
/// keys as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HookName(Arc<str>);

/// Why a text is no name of a hook. Whoever wrote it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hook has a name of 1 to {HOOK_NAME_BYTES_MAX} bytes of a-z, 0-9, `-`, `_` and `.`")]
pub struct HookNameError;

impl HookName {
    /// Accepts `name` as the name of a hook.
    ///
    /// # Errors
    /// [`HookNameError`] if it is none.
    pub fn new(name: &str) -> Result<Self, HookNameError> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        let fits = (1..=HOOK_NAME_BYTES_MAX).contains(&name.len());
        if fits && name.bytes().all(is_plain) { Ok(Self(name.into())) } else { Err(HookNameError) }
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for HookName {
    type Err = HookNameError;

    fn from_str(text: &str) -> Result<Self, HookNameError> {
        Self::new(text)
    }
}

/// What has happened to a document. They come in this order: what is told of one document is told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    /// Its first commit.
    Created,
    /// A commit. Of several that come one after another only the last is told.
    Changed,
    /// It was deleted for good.
    Deleted,
}

/// Why a text is no event. Whoever wrote it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is document.created, document.changed or document.deleted")]
pub struct HookEventError;

impl HookEvent {
    /// All events, in order.
    pub const ALL: [Self; 3] = [Self::Created, Self::Changed, Self::Deleted];

    /// Returns what applications call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "document.created",
            Self::Changed => "document.changed",
            Self::Deleted => "document.deleted",
        }
    }
}

impl FromStr for HookEvent {
    type Err = HookEventError;

    fn from_str(text: &str) -> Result<Self, HookEventError> {
        Self::ALL.into_iter().find(|event| event.as_str() == text).ok_or(HookEventError)
    }
}

/// What one mark is about. Of each event of a document there is one at a time, but for the moment in which a newer one takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HookMarkId {
    /// Whose document.
    pub tenant: TenantId,
    /// Which document.
    pub document: DocumentId,
    /// The commit that is told of; 0 of what is deleted.
    pub commit: CommitNumber,
    /// What happened.
    pub event: HookEvent,
}

/// What one hook is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookMark {
    /// What it is about.
    pub id: HookMarkId,
    /// What the document is called.
    pub name: RoomName,
    /// When it happened.
    pub at: WallMs,
    /// How often it was tried in vain, as far as that is stored.
    pub attempts: u32,
    /// That it is not told any more, and why; none as long as it is.
    pub dead: Option<DeadLetter>,
}

/// Why something is not told any more, unless somebody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// When it was tried last.
    pub at: WallMs,
    /// What came of it the last time.
    pub failure: HookFailure,
}

/// Why an application was not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookFailure {
    /// It answers with a status that is not from 200 to 299.
    #[error("it answers with status {0}")]
    Status(u16),
    /// It cannot be reached, or its certificate is not trusted.
    #[error("it cannot be reached")]
    Unreachable,
    /// It is on a loopback or private address and may not be.
    #[error("it is on a loopback or private address")]
    Inside,
    /// It does not answer in time.
    #[error("it does not answer in time")]
    Late,
    /// The request or the answer broke off.
    #[error("the request or the answer broke off")]
    Broken,
    /// It was not asked: the name of the document, or of its tenant, cannot be read in the store.
    #[error("it cannot be read in the store what is to be told")]
    Unread,
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn a_name_can_stand_anywhere() {
        for good in ["a", "search-index_2.b", &"x".repeat(HOOK_NAME_BYTES_MAX)] {
            assert_eq!(HookName::new(good).map(|name| String::from(name.as_str())), Ok(good.into()));
        }
        for bad in ["", "A", "a b", "a/b", "ü", "a\n", &"x".repeat(HOOK_NAME_BYTES_MAX + 1)] {
            assert_eq!(HookName::new(bad), Err(HookNameError), "{bad:?}");
        }
    }

    #[test]
    fn events_are_called_what_they_are_read_as() {
        for event in HookEvent::ALL {
            assert_eq!(event.as_str().parse(), Ok(event));
        }
        assert_eq!("document.moved".parse::<HookEvent>(), Err(HookEventError));
        assert!(HookEvent::Created < HookEvent::Changed && HookEvent::Changed < HookEvent::Deleted);
    }
}
