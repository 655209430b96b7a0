//! What is wrong with an op whose request is well formed.

use syncline_core::entity::NameError;
use syncline_core::limits::FAULTS_TOLD_MAX;

use super::json::{Node, push_step};
use super::read::{Read, text};

/// One fault. Who wrote the op has it back with its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpFault {
    /// Where, as a JSON pointer from the op.
    pub pointer: String,
    /// What is wrong.
    pub reason: FaultReason,
}

/// What may be wrong with a part of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultReason {
    /// It is not the name of an entity, a type, a field or a device.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It is not a number, or one of more than 36 digits or far too large or small.
    #[error("a number has at most 36 digits, the last at most 400 places from the point")]
    Number,
    /// It is not base64 (RFC 4648, with padding).
    #[error("bytes are written in base64")]
    Base64,
    /// An op of this kind needs it.
    #[error("an op of this kind needs it")]
    Missing,
    /// An op of this kind has no use for it, and to leave it out would lose what its author wants.
    #[error("it has no place in an op of this kind")]
    Misplaced,
}

impl FaultReason {
    /// Returns the reason in one word, as clients know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Number => "number",
            Self::Base64 => "base64",
            Self::Missing => "missing",
            Self::Misplaced => "misplaced",
        }
    }
}

/// The faults found so far.
pub(super) struct Faults<'a> {
    op: Node<'a>,
    found: Vec<OpFault>,
}

impl<'a> Faults<'a> {
    pub(super) const fn of(op: Node<'a>) -> Self {
        Self { op, found: Vec::new() }
    }

    pub(super) fn add(&mut self, at: Node<'a>, reason: impl Into<FaultReason>) {
        if self.found.len() < FAULTS_TOLD_MAX {
            let pointer = self.op.pointer(at);
            self.found.push(OpFault { pointer, reason: reason.into() });
        }
    }

    pub(super) fn missing(&mut self, name: &str) {
        let mut pointer = String::new();
        push_step(&mut pointer, name);
        self.found.push(OpFault { pointer, reason: FaultReason::Missing });
    }

    /// Reads a name from a string.
    pub(super) fn name<T>(
        &mut self,
        at: Node<'a>,
        make: fn(&str) -> Result<T, NameError>,
    ) -> Read<Option<T>> {
        let name = text(at)?;
        Ok(self.named(&name, at, make))
    }

    /// Reads a name, which is that of `at` if it is not its value.
    pub(super) fn named<T>(
        &mut self,
        name: &str,
        at: Node<'a>,
        make: fn(&str) -> Result<T, NameError>,
    ) -> Option<T> {
        make(name).map_err(|error| self.add(at, error)).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn into_found(self) -> Vec<OpFault> {
        self.found
    }
}
