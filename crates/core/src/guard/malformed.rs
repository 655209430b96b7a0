//! Why bytes are refused.

use crate::{id::ClientId, limits::CLOCK_MAX, limits::VALUE_DEPTH_MAX};

/// Why a scanner refuses bytes. The peer that sent them is at fault.
///
/// `at` is the offset of the fault in the scanned bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The bytes end in the middle of something.
    #[error("ends early: {needed} more bytes needed at byte {at}, {left} left")]
    Truncated {
        /// Where the missing thing begins.
        at: usize,
        /// Its length in bytes.
        needed: u64,
        /// Bytes that there are.
        left: usize,
    },
    /// More than the bytes left could hold is announced.
    #[error("{declared} entries declared at byte {at}, but {left} bytes left")]
    Count {
        /// Where the count is.
        at: usize,
        /// The count.
        declared: u64,
        /// Bytes after it.
        left: usize,
    },
    /// A number has more than 53 bits, or is written in more than 10 bytes.
    #[error("number too large at byte {at}")]
    Number {
        /// Where it begins.
        at: usize,
    },
    /// A text is not UTF-8.
    #[error("invalid utf-8 at byte {at}")]
    Utf8 {
        /// The first byte that is not.
        at: usize,
    },
    /// There are bytes after the end.
    #[error("{left} bytes too many at byte {at}")]
    Trailing {
        /// Where the end should have been.
        at: usize,
        /// Bytes after it.
        left: usize,
    },
    /// There are more bytes than offsets can address.
    #[error("{bytes} bytes are too many to scan")]
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// Values are nested deeper than [`VALUE_DEPTH_MAX`].
    #[error("value nested deeper than {VALUE_DEPTH_MAX} at byte {at}")]
    Depth {
        /// Where the first container too deep begins.
        at: usize,
    },
    /// A byte does not begin a value of lib0's `Any`.
    #[error("unknown value tag {tag} at byte {at}")]
    ValueTag {
        /// Where the byte is.
        at: usize,
        /// The byte.
        tag: u8,
    },
    /// A text is not JSON.
    #[error("invalid json at byte {at}")]
    Json {
        /// The first byte that does not belong.
        at: usize,
    },
    /// A text is JSON, with a number that yrs cannot hold, or an unpaired surrogate.
    #[error("json value not representable at byte {at}")]
    JsonValue {
        /// Where the value is.
        at: usize,
    },
    /// A client is named twice where once is the rule.
    #[error("client {client} named twice, again at byte {at}")]
    DuplicateClient {
        /// Where the second time is.
        at: usize,
        /// The client.
        client: ClientId,
    },
    /// A client is listed without structs.
    #[error("client without structs at byte {at}")]
    EmptySection {
        /// Where its section begins.
        at: usize,
    },
    /// A struct or a deleted range has length zero.
    #[error("zero length at byte {at}")]
    ZeroLength {
        /// Where it begins.
        at: usize,
    },
    /// A clock is beyond [`CLOCK_MAX`].
    #[error("clock {clock} beyond {CLOCK_MAX} at byte {at}")]
    Clock {
        /// Where the clock, or the struct that ends there, begins.
        at: usize,
        /// The clock.
        clock: u64,
    },
    /// A struct has content that only documents born before yjs 13 hold (`ContentJSON`, reference 2).
    #[error("legacy json content at byte {at}")]
    LegacyContent {
        /// Where the struct begins.
        at: usize,
    },
    /// A struct is of no known kind.
    #[error("unknown struct {info:#04x} at byte {at}")]
    StructKind {
        /// Where the struct begins.
        at: usize,
        /// Its first byte.
        info: u8,
    },
    /// A parent is neither a root name nor an id.
    #[error("unknown parent form {form} at byte {at}")]
    ParentForm {
        /// Where the form is.
        at: usize,
        /// The form.
        form: u64,
    },
    /// A shared type is of no kind that both yjs and yrs read alike.
    #[error("unknown type {type_ref} at byte {at}")]
    TypeRef {
        /// Where its number is.
        at: usize,
        /// The number.
        type_ref: u8,
    },
    /// A weak link has flags that nobody writes.
    #[error("unknown weak link flags {flags:#04x} at byte {at}")]
    WeakLinkFlags {
        /// Where the flags are.
        at: usize,
        /// The flags.
        flags: u8,
    },
    /// The options of a subdocument are not an object. yjs throws on `null`.
    #[error("subdocument options are not an object at byte {at}")]
    SubdocumentOptions {
        /// Where they begin.
        at: usize,
    },
    /// The deleted ranges of a client are not sorted, or overlap.
    #[error("deleted ranges out of order at byte {at}")]
    DeleteOrder {
        /// Where the range begins that is out of order.
        at: usize,
    },
    /// A sync message or a chunk of Automerge's begins with nothing that either begins with, or is of a kind that is not
    /// taken.
    #[error("unknown kind {kind:#04x} at byte {at}")]
    Kind {
        /// Where the kind is.
        at: usize,
        /// The kind.
        kind: u8,
    },
    /// Hashes are not in order.
    #[error("hashes out of order at byte {at}")]
    HashOrder {
        /// Where the first of them is.
        at: usize,
    },
    /// A Bloom filter has other parameters than Automerge's (10 bits an entry, 7 probes).
    #[error("bloom filter with {bits} bits an entry and {probes} probes at byte {at}")]
    Bloom {
        /// Where it begins.
        at: usize,
        /// Bits an entry.
        bits: u64,
        /// Probes.
        probes: u64,
    },
    /// Packed bytes do not unpack, or unpack to more than is allowed.
    #[error("packed bytes that cannot be unpacked at byte {at}")]
    Packed {
        /// Where they begin.
        at: usize,
    },
    /// Columns stand for more rows than is allowed: a few bytes can stand for any number of them.
    #[error("{rows} rows at byte {at}")]
    Rows {
        /// Where the column ends that goes too far.
        at: usize,
        /// Rows so far.
        rows: u64,
    },
    /// Columns are out of order, or packed where they may not be.
    #[error("unexpected column {column} at byte {at}")]
    Column {
        /// Where it is announced.
        at: usize,
        /// Its specification.
        column: u64,
    },
    /// The id of an actor is longer than anyone's.
    #[error("actor id of {bytes} bytes at byte {at}")]
    ActorId {
        /// Where it begins.
        at: usize,
        /// Its length.
        bytes: u64,
    },
    /// An Automerge document has so many changes by so many actors that clocks take more memory than its length allows.
    #[error("{changes} changes by {actors} actors are too many for a document of that length at byte {at}")]
    Clocks {
        /// Where the document begins.
        at: usize,
        /// Rows of changes.
        changes: u64,
        /// How many actors there are.
        actors: u64,
    },
}

impl Malformed {
    /// Returns a short word for close reasons and metrics, the same in every version.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Count { .. } => "count",
            Self::Number { .. } => "number",
            Self::Utf8 { .. } => "utf-8",
            Self::Trailing { .. } => "trailing-bytes",
            Self::TooLong { .. } => "too-long",
            Self::Depth { .. } => "depth",
            Self::ValueTag { .. } => "value-tag",
            Self::Json { .. } => "json",
            Self::JsonValue { .. } => "json-value",
            Self::DuplicateClient { .. } => "duplicate-client",
            Self::EmptySection { .. } => "empty-section",
            Self::ZeroLength { .. } => "zero-length",
            Self::Clock { .. } => "clock",
            Self::LegacyContent { .. } => "legacy-content",
            Self::StructKind { .. } => "struct-kind",
            Self::ParentForm { .. } => "parent-form",
            Self::TypeRef { .. } => "type-ref",
            Self::WeakLinkFlags { .. } => "weak-link-flags",
            Self::SubdocumentOptions { .. } => "subdocument-options",
            Self::DeleteOrder { .. } => "delete-order",
            Self::Kind { .. } => "kind",
            Self::HashOrder { .. } => "hash-order",
            Self::Bloom { .. } => "bloom",
            Self::Packed { .. } => "packed",
            Self::Rows { .. } => "rows",
            Self::Column { .. } => "column",
            Self::ActorId { .. } => "actor-id",
            Self::Clocks { .. } => "clocks",
        }
    }
}
