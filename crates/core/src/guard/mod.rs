//! Scanners that prove bytes harmless before any decoder sees them.
//!
//! A decoder that recurses over its input ends the process when the input is deep enough, and one that allocates
//! what the input declares can be made to allocate anything. The scanners here do neither: they are iterative, check
//! each length against the bytes left, and keep at most a small multiple of the input. What passes is a proof of
//! form, given by type: a [`ScannedUpdate`] exists only for bytes that [`scan_update`] has accepted.
//!
//! | bytes | scanner | layout |
//! | --- | --- | --- |
//! | Yjs V1 update | [`scan_update`] | `update.rs`, `structs.rs` |
//! | Yjs state vector | [`scan_state_vector`] | `state_vector.rs` |
//! | awareness message | [`scan_awareness`] | `awareness.rs` |
//! | lib0 `Any` | [`scan_any`] | `value.rs` |
//! | JSON text | [`scan_json`] | `json.rs` |
//! | numbers, texts, byte strings | [`Reader`] | `lib0.rs` |
//! | Automerge sync message | `automerge::scan_sync_message` | `automerge/message.rs` |
//! | Automerge chunks | `automerge::scan_chunks` | `automerge/chunk.rs`, `automerge/columns.rs` |
//!
//! Of an update that is accepted the guard promises that yrs 0.28 decodes it without error, panic or deep recursion,
//! and that what yrs writes of it is accepted again and has the [same shape](ScannedUpdate::same_shape). Which contents
//! yrs writes with other values than it read is said by their [`Fidelity`].
//!
//! It promises nothing that depends on the document: whether ids that an update names exist there, how deeply its
//! types would nest, whether an item's parent is a type, or that one id means one content. [`ClientBuckets`] is the
//! exception: it bounds how many client ids of one document share their low bits.
//!
//! Of Automerge's bytes it promises less: that lengths are true, that what is packed unpacks to a bounded length, and that
//! columns stand for a bounded number of rows. A panic of automerge that is left is contained: see `doc::AutomergeDocument`.
//!
//! Nor does it bound what applying costs. yrs recurses over clients that wait for each other and decodes a whole update
//! at once; so a document gives it large updates in slices, in an order in which nothing waits. What a document may not
//! hold at all it refuses itself: see `doc::ApplyError`.
//!
//! Invariants:
//! * no scanner panics, recurses, or loops without consuming input;
//! * no scanner allocates what the input only declares;
//! * nothing that yjs 13.5 or later, or yrs, writes as an update is refused, but what [`Malformed`] says of
//!   [legacy content](Malformed::LegacyContent), of [types](Malformed::TypeRef) and of
//!   [JSON that yrs cannot hold](Malformed::JsonValue).

#[cfg(feature = "automerge")]
pub mod automerge;
mod awareness;
pub mod clients;
mod json;
mod lib0;
mod malformed;
mod state_vector;
mod structs;
mod update;
mod value;

pub use awareness::{AwarenessEntry, scan_awareness};
pub use clients::{ClientBuckets, CrowdedClients};
pub use json::{JsonRules, JsonSink, scan_json, scan_json_into};
pub use lib0::{NUMBER_MAX, Reader, write_buf, write_string, write_var_uint};
pub use malformed::Malformed;
pub use state_vector::scan_state_vector;
pub use structs::{Beginning, Id, Parent, Struct, StructKind, WeakLink};
pub use update::{DeleteRange, ScannedUpdate, Section, Structs, scan_update};
pub use value::{Fidelity, scan_any};

#[cfg(all(test, feature = "yjs"))]
pub(crate) use value::tests::js;
