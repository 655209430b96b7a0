//! Names and numbers of entities and of what happens to them.

use alloc::format;
use alloc::sync::Arc;
use core::fmt;

use crate::limits::{ENTITY_ID_BYTES_MAX, FIELD_NAME_BYTES_MAX, TYPE_NAME_BYTES_MAX, USER_NAME_BYTES_MAX};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// How often a record has changed, deletion and restoration included; 0 is the record before its creation.
    RecordVersion
}
number! {
    /// A place in the log of one tenant shard, counted from 1 without gaps; 0 is the place before the first.
    Sequence
}
number! {
    /// A life of the log: it changes when a backup is restored or another server takes over, never with a restart.
    Epoch
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts a text as such a name.
            ///
            /// # Errors
            /// [`NameError`] says which rule it breaks.
            pub fn new(text: &str) -> Result<Self, NameError> {
                $check(text)?;
                Ok(Self(text.into()))
            }

            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        #[cfg(feature = "serde")]
        crate::entity::text::as_text!($name, $name::new);
    };
}

name! {
    /// The id of an entity within its type: 1 to 128 of the characters `A-Z a-z 0-9 _ . : -`.
    EntityId,
    |text| plain(text, ENTITY_ID_BYTES_MAX, b"_.:-")
}
name! {
    /// The name of a type of entities: 1 to 64 of the characters `A-Z a-z 0-9 _ . -`.
    TypeName,
    |text| plain(text, TYPE_NAME_BYTES_MAX, b"_.-")
}
name! {
    /// The name of a field: 1 to 128 bytes of UTF-8 without control characters.
    FieldName,
    |text| free(text, FIELD_NAME_BYTES_MAX)
}
name! {
    /// Who owns devices, as authentication names them: 1 to 256 bytes of UTF-8 without control characters.
    UserName,
    |text| free(text, USER_NAME_BYTES_MAX)
}
name! {
    /// Who writes: a device, or the server in a region (`srv:<region>`). The characters of an [`EntityId`].
    ActorName,
    |text| plain(text, ENTITY_ID_BYTES_MAX, b"_.:-")
}

impl ActorName {
    const SERVER: &str = "srv:";
    const UNNUMBERED: &str = "unnumbered:";

    /// Accepts a text as the name of a device.
    ///
    /// # Errors
    /// [`NameError::Reserved`] if it would pass for a server, or for what stands for a device; the others as for [`new`](Self::new).
    pub fn device(text: &str) -> Result<Self, NameError> {
        let is_reserved = [Self::SERVER, Self::UNNUMBERED].iter().any(|prefix| text.starts_with(prefix));
        if is_reserved { Err(NameError::Reserved) } else { Self::new(text) }
    }

    /// Returns the name under which a server numbers what a device sends without numbers.
    ///
    /// # Errors
    /// [`NameError::TooLong`] if the name of the device leaves no room.
    pub fn unnumbered(&self) -> Result<Self, NameError> {
        Self::new(&format!("{}{}", Self::UNNUMBERED, self.0))
    }

    /// Returns the device that sends what this writes: itself, unless it stands for one.
    #[must_use]
    pub fn sender(&self) -> Self {
        Self(self.0.strip_prefix(Self::UNNUMBERED).unwrap_or(&self.0).into())
    }

    /// Returns whether this is a server: what it writes is not subject to what clients may not do.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.0.starts_with(Self::SERVER)
    }
}

impl TypeName {
    /// Returns the text, which is not copied.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl EntityId {
    /// Returns whether a server is to replace this id by one of its own making.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.0.starts_with("tmp_")
    }
}

/// Which entity: its type, and its id within the type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EntityKey {
    /// Its type.
    pub kind: TypeName,
    /// Its id within the type.
    pub id: EntityId,
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// Why a text is not a name. Whoever sent it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is empty.
    #[error("a name may not be empty")]
    Empty,
    /// The text is too long.
    #[error("a name has at most {max} bytes (got {bytes})")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The greatest allowed.
        max: usize,
    },
    /// A character is not allowed in such a name.
    #[error("a name holds a character that it may not hold")]
    Character,
    /// The name is kept for servers.
    #[error("names of devices may not begin with `srv:` or `unnumbered:`")]
    Reserved,
}

fn plain(text: &str, bytes_max: usize, others: &[u8]) -> Result<(), NameError> {
    bounded(text, bytes_max)?;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
    if text.bytes().all(is_allowed) { Ok(()) } else { Err(NameError::Character) }
}

fn free(text: &str, bytes_max: usize) -> Result<(), NameError> {
    bounded(text, bytes_max)?;
    if text.chars().any(char::is_control) { Err(NameError::Character) } else { Ok(()) }
}

const fn bounded(text: &str, bytes_max: usize) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty),
        bytes if bytes > bytes_max => Err(NameError::TooLong { bytes, max: bytes_max }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_bounds() {
        let long = "x".repeat(128);
        for (text, want) in [
            ("wo_1", Ok(())),
            ("A.b:c-d", Ok(())),
            ("", Err(NameError::Empty)),
            ("a b", Err(NameError::Character)),
            ("ü", Err(NameError::Character)),
            (&long, Ok(())),
            (&(long.clone() + "x"), Err(NameError::TooLong { bytes: 129, max: 128 })),
        ] {
            assert_eq!(EntityId::new(text).map(|_| ()), want, "{text}");
        }
        assert_eq!(TypeName::new("a:b"), Err(NameError::Character));
        assert_eq!(FieldName::new("Preis in €").map(|name| name.as_str().len()), Ok(12));
        assert_eq!(FieldName::new("a\u{7}"), Err(NameError::Character));
    }

    #[test]
    fn no_device_passes_for_a_server() {
        assert_eq!(ActorName::device("srv:eu"), Err(NameError::Reserved));
        assert!(ActorName::new("srv:eu").is_ok_and(|name| name.is_server()));
        assert!(ActorName::device("srv").is_ok_and(|name| !name.is_server()));
        let phone = ActorName::device("phone").expect("a name");
        let shadow = phone.unnumbered().expect("it is short");
        assert_eq!(ActorName::device(shadow.as_str()), Err(NameError::Reserved));
        assert!(!shadow.is_server());
    }
}
