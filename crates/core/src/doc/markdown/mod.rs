//! Rich text as Markdown: `CommonMark` 0.31.2 with the tables, task lists and `~~` of GitHub.
//!
//! Three shapes are read: XML as y-prosemirror writes it for `ProseMirror` and Tiptap ([`prosemirror`]), texts with the formats of
//! Quill ([`quill`]), and texts of Automerge with the blocks of `@automerge/prosemirror` (`automerge`). All become [`Block`]s, which
//! [`write`] writes down; [`inline`] is about what stands in a line.
//!
//! Whoever reads the Markdown reads the characters that the document has: what Markdown would take for something else is escaped. What
//! has no form in Markdown, as underlines, is left out, and nodes that are not known are what they hold.

#[cfg(feature = "automerge")]
mod automerge;
mod inline;
mod prosemirror;
mod quill;
#[cfg(test)]
mod tests;
mod write;

use std::{collections::BTreeSet, sync::Arc};

use yrs::{Out, ReadTxn};

#[cfg(feature = "automerge")]
use super::{AutomergeDocument, edit::entry_at};
use super::{
    content::{Content, Items, content_of},
    read::ReadError,
    yjs::{Broken, YjsDocument},
};

/// Longest Markdown that is written, in bytes: as long as a document may be.
const BYTES_MAX: usize = crate::limits::DOCUMENT_BYTES_MAX;

/// Longest address of a link, in bytes; what has a longer one is no link. Each line of a text may be one.
const LINK_BYTES_MAX: usize = 2_048;

/// Longest name of the language of code, in bytes; code with a longer one has none. Each line of a text may begin code.
const LANGUAGE_BYTES_MAX: usize = 64;

/// Lists and quotes in each other. What lies deeper is written as what it holds: each level makes all lines in it longer.
const DEPTH_MAX: usize = 32;

/// Why a document is not written as Markdown. Whoever asks is at fault, but for the last.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarkdownError {
    /// The document does not have the root type that is named.
    #[error("the document has no root type `{root}`")]
    NoRoot {
        /// Its name.
        root: String,
    },
    /// The root type that is named is neither a text nor XML.
    #[error("the root type `{root}` is no rich text")]
    NotRich {
        /// Its name.
        root: String,
    },
    /// No root type is named, and there is not exactly one that is rich text.
    #[error("name the root type that is wanted: {} are rich text", .roots.len())]
    Ambiguous {
        /// Those that are rich text.
        roots: BTreeSet<String>,
    },
    /// The Markdown is longer than a document may be.
    #[error("the Markdown is too long")]
    TooLong,
    /// The document is not read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// One part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Block {
    Paragraph(Vec<Inline>),
    /// From 1 to 6.
    Heading(u8, Vec<Inline>),
    Code {
        /// As it stands in the document, if that is short.
        language: Option<Arc<str>>,
        text: String,
    },
    Rule,
    Quote(Vec<Block>),
    List {
        /// The first number, if items are numbered.
        first: Option<u32>,
        items: Vec<Item>,
    },
    /// Rows of cells; the first is the head.
    Table(Vec<Vec<Vec<Inline>>>),
}

/// An item of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Item {
    /// Whether it is done, if it is a task.
    is_done: Option<bool>,
    blocks: Vec<Block>,
}

/// What stands in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Inline {
    Text(String, Marks),
    /// The line ends, the paragraph goes on.
    Break,
    Image {
        url: String,
        alt: String,
        title: String,
    },
}

/// How characters look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Marks {
    /// As it stands in the document: many runs may have it, and none a copy.
    link: Option<Arc<str>>,
    bold: bool,
    italic: bool,
    strike: bool,
    code: bool,
}

impl YjsDocument {
    /// Returns a root type as Markdown: an XML fragment, or a text. If none is named, the only one that is rich text.
    ///
    /// # Errors
    /// [`MarkdownError`] says which root type cannot be written, or that the Markdown would have more than
    /// [`DOCUMENT_BYTES_MAX`](crate::limits::DOCUMENT_BYTES_MAX) bytes.
    pub fn markdown(&self, root: Option<&str>) -> Result<String, MarkdownError> {
        self.check_formats()?;
        let found = self.contained().read(|txn| match root {
            Some(root) => {
                let found = txn.get(root).ok_or_else(|| MarkdownError::NoRoot { root: root.to_owned() })?;
                let blocks = blocks_of(found, txn);
                blocks.ok_or_else(|| MarkdownError::NotRich { root: root.to_owned() })
            }
            None => {
                let roots = txn.root_refs();
                only_one(roots.filter_map(|(name, root)| Some((name.to_owned(), blocks_of(root, txn)?))))
            }
        });
        write::write(&found.map_err(|failed| ReadError::from(Broken::from(failed)))??)
    }
}

#[cfg(feature = "automerge")]
impl AutomergeDocument {
    /// Returns a text as Markdown: that of the entry with a name, or at a JSON pointer (RFC 6901). If none is named, the only entry that is
    /// a text.
    ///
    /// # Errors
    /// [`MarkdownError`] says which text cannot be written, or that the Markdown would have more than
    /// [`DOCUMENT_BYTES_MAX`](crate::limits::DOCUMENT_BYTES_MAX) bytes.
    pub fn markdown(&self, root: Option<&str>) -> Result<String, MarkdownError> {
        let entries = self.rich_entries()?;
        let text = |content: &Content| match content {
            Content::Text(runs) => Some(automerge::blocks(runs)),
            _ => None,
        };
        let blocks = match root {
            Some(root) => {
                let found = entry_at(&entries, root)
                    .ok_or_else(|| MarkdownError::NoRoot { root: root.to_owned() })?;
                text(found).ok_or_else(|| MarkdownError::NotRich { root: root.to_owned() })?
            }
            None => only_one(entries.iter().filter_map(|(name, entry)| Some((name.clone(), text(entry)?))))?,
        };
        write::write(&blocks)
    }
}

fn only_one(rich: impl Iterator<Item = (String, Vec<Block>)>) -> Result<Vec<Block>, MarkdownError> {
    let mut rich: Vec<_> = rich.collect();
    match rich.pop() {
        Some((_, blocks)) if rich.is_empty() => Ok(blocks),
        last => Err(MarkdownError::Ambiguous {
            roots: rich.into_iter().chain(last).map(|(name, _)| name).collect(),
        }),
    }
}

/// Reads rich text; nothing if it is none.
fn blocks_of<T: ReadTxn>(root: Out, txn: &T) -> Option<Vec<Block>> {
    match content_of(root, txn) {
        Content::Text(runs) => Some(quill::blocks(&runs)),
        Content::Items(Items::Fragment, children) => Some(prosemirror::blocks(&children)),
        Content::Items(Items::Array, _)
        | Content::Map(_)
        | Content::Element { .. }
        | Content::XmlText { .. }
        | Content::Value(_)
        | Content::Opaque => None,
        #[cfg(feature = "automerge")]
        Content::Special(_) => None,
    }
}

/// Returns a link if its address may stand in one, and is no longer than [`LINK_BYTES_MAX`].
fn link(address: &Arc<str>) -> Option<Arc<str>> {
    let is_short = address.len() <= LINK_BYTES_MAX;
    (is_short && harmless(address).is_some()).then(|| Arc::clone(address))
}

/// Returns the language of code, if it has a name, and one that is no longer than [`LANGUAGE_BYTES_MAX`].
fn language(name: &Arc<str>) -> Option<Arc<str>> {
    (1..=LANGUAGE_BYTES_MAX).contains(&name.len()).then(|| Arc::clone(name))
}

/// Returns an address that may stand in a link: a relative one, or one of a kind that does nothing but lead somewhere.
fn harmless(url: &str) -> Option<&str> {
    const SCHEMES: [&str; 5] = ["http", "https", "mailto", "tel", "ftp"];
    let url = url.trim_matches(|char: char| char.is_whitespace() || char.is_control());
    let before = url.split(['/', '?', '#']).next().unwrap_or_default();
    // Browsers leave out control characters wherever they stand.
    let scheme = before.split_once(':').map(|(scheme, _)| scheme.replace(char::is_control, ""));
    let is_harmless =
        scheme.is_none_or(|scheme| SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(&scheme)));
    is_harmless.then_some(url)
}
