//! Many documents as lines of JSON: out of a server or a data folder, and into one.
//!
//! * `line`: how they are written and read; `intake`: what becomes of them, and the sum.
//! * `stored`: what a document holds, as the store has it.
//! * `export`, `import`: over HTTP; `outlet`: an answer that is written while it is read; `places`, `window`: how many, and how
//!   much of one, may be under way.
//! * `offline`: in a data folder that no server has open.

mod export;
mod import;
mod intake;
mod line;
mod offline;
mod outlet;
mod stored;
#[cfg(test)]
mod tests;
mod window;

pub(super) use self::{export::export, import::import};
pub use self::{
    intake::{DocumentsImported, Existing, ImportedLine, NotTaken, Taken},
    line::NoExport,
    offline::{DocumentsExported, ExportedLine, OfflineDocuments, OfflineDocumentsError},
};
