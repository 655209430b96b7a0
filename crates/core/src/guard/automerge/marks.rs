//! How many marks there are in a chunk, and how many names are open at a time.
//!
//! ```text
//! op         a row of the columns of ops: 21 and 23 are its id in a document, 42 its action, a5 the name of a mark
//! action 7   a mark: with a name it begins, without one that ends which the op before it by id has begun
//! ```
//!
//! After `legacy/mod.rs` of automerge 0.12. In a document the ops of a text stand in its order, and so do the places where its marks begin and end.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::{
    chunk::{ChunkKind, columns_of_ops},
    columns::Rows,
    leb128::Leb128,
};
use crate::guard::Malformed;

const ID_ACTOR_COLUMN: u64 = 0x21;
const ID_COUNTER_COLUMN: u64 = 0x23;
const ACTION_COLUMN: u64 = 0x42;
const MARK_NAME_COLUMN: u64 = 0xa5;
const MARK: u64 = 7;

/// The marks of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// How many begin.
    pub(crate) begun: u64,
    /// A number for each name.
    pub(crate) names: BTreeSet<u64>,
    /// How many names are open, summed over the places where one begins or ends; of a document.
    pub(crate) entries: u64,
}

impl Marks {
    /// Adds those of another chunk, without what becomes of them together.
    pub(crate) fn add(&mut self, other: &Self) {
        self.begun += other.begun;
        self.names.extend(&other.names);
    }
}

/// Returns the marks of a chunk that was accepted before. Nothing in it may be packed.
///
/// # Errors
/// [`Malformed`] if it is no such chunk.
pub(crate) fn marks_in(kind: ChunkKind, chunk: &[u8]) -> Result<Marks, Malformed> {
    let columns = columns_of_ops(kind, chunk)?;
    let column = |wanted: u64| {
        let found = columns.iter().find(|(spec, _)| *spec == wanted);
        found.map_or(Leb128::new(&[], 0), |(_, data)| data.clone())
    };
    let mut marks = Marks::default();
    let names = column(MARK_NAME_COLUMN);
    if names.is_empty() {
        return Ok(marks);
    }
    let mut names = Rows::new(names, Leb128::prefixed);
    let mut actions = Rows::new(column(ACTION_COLUMN), Leb128::uleb);
    let mut actors = Rows::new(column(ID_ACTOR_COLUMN), Leb128::uleb);
    let mut counters = Rows::new(column(ID_COUNTER_COLUMN), Leb128::sleb);
    let (mut open, mut counter) = (Open::default(), 0_i64);
    while let Some(action) = actions.next_row()? {
        let (name, actor) = (names.next_row()?.flatten(), actors.next_row()?.flatten());
        counter = counter.wrapping_add(counters.next_row()?.flatten().unwrap_or(0));
        if action != Some(MARK) {
            continue;
        }
        if let Some(name) = name {
            let name = number(name);
            marks.begun += 1;
            marks.names.insert(name);
            open.begin((actor, counter), name);
        }
        marks.entries += open.names.len() as u64;
        if name.is_none() {
            // The op after that which has begun it.
            open.end((actor, counter.wrapping_sub(1)));
        }
    }
    Ok(marks)
}

fn number(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// An actor, as a column names it, and a counter.
type OpId = (Option<u64>, i64);

/// The marks that are open.
#[derive(Default)]
struct Open {
    marks: BTreeMap<OpId, u64>,
    /// By name how many.
    names: BTreeMap<u64, u64>,
}

impl Open {
    fn begin(&mut self, id: OpId, name: u64) {
        if self.marks.insert(id, name).is_none() {
            *self.names.entry(name).or_default() += 1;
        }
    }

    fn end(&mut self, id: OpId) {
        let Some(name) = self.marks.remove(&id) else { return };
        if let Entry::Occupied(mut open) = self.names.entry(name) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}
