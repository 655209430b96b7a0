//! Values that stand on their own: versioned, and marked with their type.

use alloc::vec::Vec;

use super::{Codec, DecodeError, Reader};

/// The version of all formats here. A decoder takes this one only.
pub const VERSION: u8 = 1;

/// A value that travels and is stored on its own.
pub trait Wire: Codec {
    /// Appends the tag of the type, and of the types that its layout depends on.
    fn write_tag(out: &mut Vec<u8>);

    /// Returns the canonical bytes: version, tag, value.
    #[must_use]
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::from([VERSION]);
        Self::write_tag(&mut out);
        self.encode(&mut out);
        out
    }

    /// Returns the value whose canonical bytes these are.
    ///
    /// # Errors
    /// [`DecodeError::Version`] and [`DecodeError::Type`] if the bytes are of something else; [`DecodeError::Rest`] if
    /// there are more; the others if the value is malformed.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != VERSION {
            return Err(DecodeError::Version { version });
        }
        let mut tag = Vec::new();
        Self::write_tag(&mut tag);
        if reader.take(tag.len())? != tag {
            return Err(DecodeError::Type);
        }
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}
