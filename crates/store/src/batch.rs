//! What is written together: a batch of puts and deletes, atomic and durable as one.

use syncline_core::limits::VALUE_BYTES_MAX;

use crate::key::Key;

/// A value that every engine takes: at most [`VALUE_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(Vec<u8>);

impl Value {
    /// Accepts `bytes` as a value.
    ///
    /// # Errors
    /// [`ValueTooLong`] if there are more than [`VALUE_BYTES_MAX`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, ValueTooLong> {
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(ValueTooLong { bytes: bytes.len() });
        }
        Ok(Self(bytes))
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the bytes, without copying them.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A value has more than [`VALUE_BYTES_MAX`] bytes. The caller is at fault: larger things go in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value has at most {VALUE_BYTES_MAX} bytes (got {bytes})")]
pub struct ValueTooLong {
    /// Its length.
    pub bytes: usize,
}

/// One step of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The key holds this value from now on.
    Put(Key, Value),
    /// The same for a key that holds nothing yet, which spares the engine from reading what it held: see
    /// [`Batch::put_new`].
    PutNew(Key, Value),
    /// The key holds nothing from now on.
    Delete(Key),
}

impl Operation {
    /// Returns the key that the operation touches.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(key, _) | Self::PutNew(key, _) | Self::Delete(key) => key,
        }
    }

    /// Returns what the key holds after the operation.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Put(_, value) | Self::PutNew(_, value) => Some(value),
            Self::Delete(_) => None,
        }
    }

    fn bytes(&self) -> usize {
        self.key().as_bytes().len() + self.value().map_or(0, |value| value.0.len())
    }
}

/// Puts and deletes that become durable together or not at all. A later operation on a key wins over an earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    operations: Vec<Operation>,
    bytes: usize,
}

impl Batch {
    /// Returns a batch of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `value` under `key`, over whatever it held.
    pub fn put(&mut self, key: Key, value: Value) {
        self.push(Operation::Put(key, value));
    }

    /// Writes `value` under `key`, which the caller knows to hold nothing.
    ///
    /// An engine undoes it by deleting the key. Were something there, it would be lost if the commit failed; so it
    /// is only for keys that are written once, such as those of log records.
    pub fn put_new(&mut self, key: Key, value: Value) {
        self.push(Operation::PutNew(key, value));
    }

    /// Removes `key`, if it holds anything.
    pub fn delete(&mut self, key: Key) {
        self.push(Operation::Delete(key));
    }

    /// Moves the operations of `other` behind those of this batch.
    pub fn append(&mut self, other: Self) {
        self.operations.extend(other.operations);
        self.bytes += other.bytes;
    }

    /// Returns the operations in order.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Returns the operations in order, without copying them.
    #[must_use]
    pub fn into_operations(self) -> Vec<Operation> {
        self.operations
    }

    /// Returns how many operations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Returns whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Returns the bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn push(&mut self, operation: Operation) {
        self.bytes += operation.bytes();
        self.operations.push(operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_a_bound() {
        assert_eq!(Value::new(vec![0; VALUE_BYTES_MAX]).unwrap().into_bytes().len(), VALUE_BYTES_MAX);
        assert_eq!(
            Value::new(vec![0; VALUE_BYTES_MAX + 1]),
            Err(ValueTooLong { bytes: VALUE_BYTES_MAX + 1 })
        );
    }

    #[test]
    fn a_batch_knows_its_size() {
        let mut batch = Batch::new();
        assert!(batch.is_empty());
        batch.put(Key::from_stored(b"abc"), Value::new(vec![0; 10]).unwrap());
        let mut other = Batch::new();
        other.delete(Key::from_stored(b"de"));
        other.put_new(Key::from_stored(b"f"), Value::new(vec![]).unwrap());
        batch.append(other);
        assert_eq!((batch.len(), batch.bytes()), (3, 16));
    }
}
