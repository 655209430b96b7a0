//! What can be wrong with bytes.

/// Why bytes are not the canonical bytes of a value. Whoever sent them is at fault. `at` counts bytes from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end within a value.
    #[error("the bytes end at {at} within a value")]
    End {
        /// Where more was expected.
        at: usize,
    },
    /// A count is larger than the bytes left can hold.
    #[error("a count of {count} at {at} is more than the bytes left can hold")]
    Count {
        /// Where the count ends.
        at: usize,
        /// The count.
        count: u64,
    },
    /// A number has more than 64 bits, or more bytes than it needs.
    #[error("the number at {at} is not in its shortest form, or too large")]
    Number {
        /// Where the number ends.
        at: usize,
    },
    /// A text is not UTF-8.
    #[error("the text before {at} is not utf-8")]
    Text {
        /// Where the text ends.
        at: usize,
    },
    /// Keys or runs do not ascend, or one comes twice.
    #[error("what ends at {at} does not come after what stands before it")]
    Order {
        /// Where the later one ends.
        at: usize,
    },
    /// A field has a value that its type does not take.
    #[error("the value that ends at {at} is out of its range")]
    Range {
        /// Where the value ends.
        at: usize,
    },
    /// A dot of a store is not in its context, or stands in two places.
    #[error("the dot that ends at {at} is not in the context, or not for the first time")]
    Dot {
        /// Where the dot, or the store that holds it, ends.
        at: usize,
    },
    /// The bytes are of a version that this one does not know.
    #[error("the bytes are of version {version}")]
    Version {
        /// The version.
        version: u8,
    },
    /// The bytes are of another type.
    #[error("the bytes are of another type")]
    Type,
    /// Something stands behind the value.
    #[error("{count} bytes stand behind the value")]
    Rest {
        /// How many bytes.
        count: usize,
    },
}
