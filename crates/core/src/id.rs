//! Names and numbers of things. Each is its own type, made by whoever owns the thing.

use alloc::sync::Arc;
use core::{fmt, str::FromStr};

use crate::limits::{ROOM_NAME_BYTES_MAX, TENANT_NAME_BYTES_MAX};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A tenant of the server, as keys of the store have it. A store gives each once, and never to another.
    TenantId(u32)
}
number! {
    /// A connection, numbered by the process that accepted it; not reused within that process.
    ConnectionId(u64)
}
number! {
    /// A commit of one document, counted from 1 without gaps; 0 is the document before its first.
    CommitNumber(u64)
}
number! {
    /// A Yjs client id: a number of at most 53 bits that one editing session chose for itself.
    ClientId(u64)
}

impl TenantId {
    /// The tenant that is always there: of whoever names none.
    pub const DEFAULT: Self = Self(0);
}

impl CommitNumber {
    /// Returns the number of the commit after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Identifies one generation of a document for ever, whatever its name; drawn by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(pub [u8; 16]);

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The name of a room: UTF-8 of 1 to [`ROOM_NAME_BYTES_MAX`] bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// Accepts `name` as the name of a room.
    ///
    /// # Errors
    /// [`RoomNameError`] says which rule it breaks.
    pub fn new(name: &str) -> Result<Self, RoomNameError> {
        if name.is_empty() {
            return Err(RoomNameError::Empty);
        }
        if name.len() > ROOM_NAME_BYTES_MAX {
            return Err(RoomNameError::TooLong { bytes: name.len() });
        }
        if name.chars().any(char::is_control) {
            return Err(RoomNameError::ControlCharacter);
        }
        Ok(Self(name.into()))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not a room name. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomNameError {
    /// The name has no characters.
    #[error("a room name may not be empty")]
    Empty,
    /// The name is longer than [`ROOM_NAME_BYTES_MAX`].
    #[error("a room name has at most {ROOM_NAME_BYTES_MAX} bytes (got {bytes})")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The name holds a control character (Unicode category Cc).
    #[error("a room name may not hold control characters")]
    ControlCharacter,
}

/// The name of a tenant: UTF-8 of 1 to [`TENANT_NAME_BYTES_MAX`] bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantName(Arc<str>);

impl TenantName {
    /// What the tenant is called of whoever names none.
    pub const DEFAULT: &str = "default";

    /// Accepts `name` as the name of a tenant.
    ///
    /// # Errors
    /// [`TenantNameError`] says which rule it breaks.
    pub fn new(name: &str) -> Result<Self, TenantNameError> {
        if name.is_empty() {
            return Err(TenantNameError::Empty);
        }
        if name.len() > TENANT_NAME_BYTES_MAX {
            return Err(TenantNameError::TooLong { bytes: name.len() });
        }
        if name.chars().any(char::is_control) {
            return Err(TenantNameError::ControlCharacter);
        }
        Ok(Self(name.into()))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is the tenant of whoever names none.
    #[must_use]
    pub fn is_default(&self) -> bool {
        &*self.0 == Self::DEFAULT
    }
}

impl Default for TenantName {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TenantName {
    type Err = TenantNameError;

    fn from_str(text: &str) -> Result<Self, TenantNameError> {
        Self::new(text)
    }
}

/// Why a text is no name of a tenant. Whoever wrote it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TenantNameError {
    /// The name has no characters.
    #[error("the name of a tenant may not be empty")]
    Empty,
    /// The name is longer than [`TENANT_NAME_BYTES_MAX`].
    #[error("the name of a tenant has at most {TENANT_NAME_BYTES_MAX} bytes (got {bytes})")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The name holds a control character (Unicode category Cc).
    #[error("the name of a tenant may not hold control characters")]
    ControlCharacter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_name_has_bounds() {
        let check = |name: &str, want: Result<(), RoomNameError>| {
            assert_eq!(RoomName::new(name).map(|_| ()), want, "{name:?}");
        };
        check("notes/2026 #1?", Ok(()));
        check("ünïcode 🙂", Ok(()));
        check("", Err(RoomNameError::Empty));
        check(&"x".repeat(ROOM_NAME_BYTES_MAX), Ok(()));
        check(&"x".repeat(ROOM_NAME_BYTES_MAX + 1), Err(RoomNameError::TooLong { bytes: 257 }));
        check("a\nb", Err(RoomNameError::ControlCharacter));
        check("a\u{85}b", Err(RoomNameError::ControlCharacter));
    }

    #[test]
    fn a_tenant_name_has_bounds() {
        let check = |name: &str, want: Result<(), TenantNameError>| {
            assert_eq!(TenantName::new(name).map(|_| ()), want, "{name:?}");
        };
        check("Ünïcode & Söhne", Ok(()));
        check("", Err(TenantNameError::Empty));
        check(&"x".repeat(TENANT_NAME_BYTES_MAX), Ok(()));
        check(&"x".repeat(TENANT_NAME_BYTES_MAX + 1), Err(TenantNameError::TooLong { bytes: 257 }));
        check("a\0b", Err(TenantNameError::ControlCharacter));
        assert!(TenantName::default().is_default() && !TenantName::new("Default").unwrap().is_default());
    }
}
