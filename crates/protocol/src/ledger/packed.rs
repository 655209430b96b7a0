//! What a ledger holds in memory as the bytes that are stored: a value takes several times as much.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use syncline_core::entity::Record;

use super::message::Kept;
use super::record_bytes;

/// What has a form in which it is stored: records one of their own, all else MessagePack, the fields by their places.
pub trait Packable: Sized {
    /// Returns its bytes.
    fn pack(&self) -> Vec<u8>;

    /// Reads it.
    ///
    /// # Errors
    /// [`rmp_serde::decode::Error`] if the bytes are those of nothing of its kind.
    fn unpack(bytes: &[u8]) -> Result<Self, rmp_serde::decode::Error>;
}

/// A value as bytes that are known to be one.
pub struct Packed<T> {
    bytes: Arc<[u8]>,
    of: PhantomData<fn() -> T>,
}

/// A value, and the bytes that it is stored as.
#[derive(Clone)]
pub struct Written<T> {
    value: Arc<T>,
    packed: Packed<T>,
}

impl<T: Packable> Packed<T> {
    /// Returns the value.
    #[must_use]
    pub fn read(&self) -> T {
        T::unpack(&self.bytes).expect("it was packed, or has been read once")
    }
}

impl<T: Packable> Written<T> {
    /// Writes a value.
    #[must_use]
    pub fn new(value: T) -> Self {
        let packed = Packed { bytes: value.pack().into(), of: PhantomData };
        Self { value: value.into(), packed }
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// As [`Packable::unpack`].
    pub fn from_stored(bytes: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        Ok(Self { value: T::unpack(bytes)?.into(), packed: Packed { bytes: bytes.into(), of: PhantomData } })
    }

    /// Returns the value, to be held by others, too.
    #[must_use]
    pub const fn shared(&self) -> &Arc<T> {
        &self.value
    }

    /// Returns it as it is held in memory.
    #[must_use]
    pub fn packed(&self) -> Packed<T> {
        self.packed.clone()
    }

    /// Returns the bytes that are stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.packed.bytes
    }
}

impl<T> Clone for Packed<T> {
    fn clone(&self) -> Self {
        Self { bytes: Arc::clone(&self.bytes), of: PhantomData }
    }
}

/// Equal values have equal bytes.
impl<T> PartialEq for Packed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<T> Eq for Packed<T> {}

impl<T: Packable + fmt::Debug> fmt::Debug for Packed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

impl<T> Deref for Written<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Written<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Written<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Written<T> {}

impl Packable for Kept {
    fn pack(&self) -> Vec<u8> {
        pack(self)
    }

    fn unpack(bytes: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        rmp_serde::from_slice(bytes)
    }
}

impl Packable for Record {
    fn pack(&self) -> Vec<u8> {
        record_bytes::encode(self)
    }

    fn unpack(bytes: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        record_bytes::decode(bytes).map_err(serde::de::Error::custom)
    }
}

/// Returns the bytes of a thing, its fields by their places.
pub(super) fn pack<T: Serialize>(what: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    rmp_serde::encode::write(&mut bytes, what).expect("a vector takes all that is written to it");
    bytes
}
