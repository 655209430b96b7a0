//! Documents: what the engine knows of a document's inside.
//!
//! [`YjsDocument`] holds a Yjs document on yrs. It takes updates in three steps: the [guard](crate::guard) proves the
//! bytes harmless; an index of all structs finds the part that can be integrated now and how deep it nests; and only that
//! part goes into yrs, contained, and a large one in slices, so that neither its time by the byte nor its stack grows with
//! the update. What yrs does not keep as it was is put back into whatever it encodes. So the document never holds anything that waits for something else, and whatever it
//! reports as integrated can be stored, sent on and loaded again.
//!
//! [`AutomergeDocument`] holds an Automerge document on automerge, and the dialogue with each peer. The guard looks first here,
//! too; what it cannot see, panics of automerge among it, is contained: a document on which it panics is built anew.

#[cfg(feature = "automerge")]
mod any;
mod authorship;
#[cfg(feature = "automerge")]
mod automerge;
mod compact;
mod contain;
mod contains;
mod content;
mod contest;
mod edit;
mod engine;
mod formats;
mod history;
mod index;
mod markdown;
mod merge;
mod originals;
mod range_set;
mod ranges;
mod read;
mod restore;
mod same;
mod slices;
mod splice;
mod subdocument;
#[cfg(test)]
mod tests;
mod yjs;

#[cfg(feature = "automerge")]
pub use any::{AnyDocument, Hand};
pub use authorship::{Authorship, AuthorshipError};
#[cfg(feature = "automerge")]
pub use automerge::{AutomergeDocument, AutomergeError, AutomergePeer, Received};
pub use compact::{CompactError, compact};
pub use content::{Change, ItemsChange, TextChange};
pub use edit::{DocumentEdit, EditError};
pub use engine::Document;
pub use history::{WorkSession, Written, WrittenRange, work_sessions};
pub use markdown::MarkdownError;
pub use merge::MergeError;
pub use read::ReadError;
pub use restore::WriteError;
pub use splice::merge_in_order;
pub use yjs::{Applied, ApplyError, Broken, DiffError, ReplayError, YjsDocument};
