//! Looks back on a document: who worked on it when, and who wrote what is there.

use std::collections::BTreeSet;

use yrs::{
    ArrayRef, IdSet, Map, MapRef, Out, ReadTxn, Snapshot, StateVector, Text, TextRef, TransactionMut,
    branch::{Branch, BranchPtr},
};

use super::{
    authorship::Authorship,
    content::escaped,
    ranges::Ranges,
    read::{items_of, typed},
    restore::WriteError,
    yjs::{Broken, YjsDocument},
};
use crate::{
    id::{ClientId, CommitNumber},
    limits::TOLD_PATH_BYTES_MAX,
    log::{Author, LogEntry, LogRecord, Maker},
    time::WallMs,
};

/// A time in which a document was worked on without a longer pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkSession {
    /// The first commit of it.
    pub first: CommitNumber,
    /// The last commit of it, which names the document as the session left it.
    pub last: CommitNumber,
    /// When the first update came.
    pub from: WallMs,
    /// When the last one came.
    pub to: WallMs,
    /// Everyone who wrote, in order.
    pub authors: BTreeSet<Author>,
    /// How many updates were made.
    pub updates: u64,
    /// How long these are together, in bytes.
    pub bytes: u64,
}

/// Groups what a log holds into sessions: one ends where nobody wrote anything for more than `pause_ms`. A clock that went
/// back ends none.
#[must_use]
pub fn work_sessions<'a>(log: impl IntoIterator<Item = &'a LogRecord>, pause_ms: u64) -> Vec<WorkSession> {
    let mut sessions: Vec<WorkSession> = Vec::new();
    for record in log {
        for entry in &record.entries {
            match sessions.last_mut() {
                Some(session) if entry.at.0.saturating_sub(session.to.0) <= pause_ms => {
                    session.take(record.number, entry);
                }
                _ => sessions.push(WorkSession::begun(record.number, entry)),
            }
        }
    }
    sessions
}

impl WorkSession {
    fn begun(number: CommitNumber, entry: &LogEntry) -> Self {
        let mut session = Self {
            first: number,
            last: number,
            from: entry.at,
            to: entry.at,
            authors: BTreeSet::new(),
            updates: 0,
            bytes: 0,
        };
        session.take(number, entry);
        session
    }

    fn take(&mut self, number: CommitNumber, entry: &LogEntry) {
        self.last = number;
        self.to = self.to.max(entry.at);
        self.authors.insert(entry.author.clone());
        self.updates += 1;
        self.bytes += entry.update.len() as u64;
    }
}

/// A stretch of a text that was written at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenRange {
    /// Which text, as a JSON pointer (RFC 6901) whose first part names the root type.
    pub path: String,
    /// Where it begins, in UTF-16 code units.
    pub at: u32,
    /// What it says.
    pub text: String,
    /// Who wrote it, and when; nothing if that was before the history begins.
    pub written: Option<Written>,
}

/// Who wrote something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Who.
    pub author: Author,
    /// When the server took it in.
    pub at: WallMs,
    /// In which commit.
    pub commit: CommitNumber,
}

impl YjsDocument {
    /// Returns who wrote what stands in each text of the document, in order; neighbours by one author in one commit are one
    /// range. Things that are no characters are passed over, and so are texts whose path is longer than
    /// [`TOLD_PATH_BYTES_MAX`] and what is in arrays that cannot be read.
    ///
    /// # Errors
    /// [`WriteError`] if the document cannot be copied.
    pub fn written_by(&self, authorship: &Authorship) -> Result<Vec<WrittenRange>, WriteError> {
        let mut copy = self.without_formats()?;
        let (ranges, _) = copy
            .contained_mut()
            .write(|txn| {
                let names: Vec<String> = txn.root_refs().map(|(name, _)| name.to_owned()).collect();
                let mut walk = TextWalk { authorship, all: everything(txn), ranges: Ranges::default() };
                for name in names {
                    if let Some(root) = txn.get(&name) {
                        walk.visit(txn, &format!("/{}", escaped(&name)), typed(root, txn));
                    }
                }
                walk.ranges.into_vec()
            })
            .map_err(Broken::from)?;
        Ok(ranges)
    }
}

/// Returns a snapshot of all that was ever there: of what is deleted a copy has nothing that could be seen. With the deletions yrs would
/// walk over all of them for each text.
fn everything(txn: &TransactionMut<'_>) -> Snapshot {
    Snapshot::new(txn.state_vector(), IdSet::default())
}

struct TextWalk<'a> {
    authorship: &'a Authorship,
    all: Snapshot,
    ranges: Ranges,
}

impl TextWalk<'_> {
    fn visit(&mut self, txn: &mut TransactionMut<'_>, path: &str, shared: Out) {
        if path.len() > TOLD_PATH_BYTES_MAX {
            return;
        }
        match shared {
            Out::YText(text) => self.text(txn, path, &text),
            Out::YXmlText(text) => self.text(txn, path, &TextRef::from(branch_of(&text))),
            Out::YArray(array) => self.items(txn, path, &array),
            Out::YXmlFragment(fragment) => self.items(txn, path, &ArrayRef::from(branch_of(&fragment))),
            Out::YXmlElement(element) => self.items(txn, path, &ArrayRef::from(branch_of(&element))),
            Out::YMap(map) => self.entries(txn, path, &map),
            Out::Any(_) | Out::YDoc(_) | Out::YWeakLink(_) | Out::UndefinedRef(_) => {}
        }
    }

    fn items(&mut self, txn: &mut TransactionMut<'_>, path: &str, array: &ArrayRef) {
        for (place, item) in items_of(array, txn).into_iter().flatten().enumerate() {
            self.visit(txn, &format!("{path}/{place}"), item);
        }
    }

    fn entries(&mut self, txn: &mut TransactionMut<'_>, path: &str, map: &MapRef) {
        let mut entries: Vec<(String, Out)> =
            map.iter(txn).map(|(name, value)| (name.to_owned(), value)).collect();
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (name, value) in entries {
            self.visit(txn, &format!("{path}/{}", escaped(&name)), value);
        }
    }

    /// Against a document with nothing in it every piece is new, and yrs tells its id.
    fn text(&mut self, txn: &mut TransactionMut<'_>, path: &str, text: &TextRef) {
        self.ranges.begin();
        let nothing = Snapshot::new(StateVector::default(), IdSet::default());
        let pieces = text.diff_range(txn, Some(&self.all), Some(&nothing), |change| change.id);
        let mut at = 0;
        for piece in pieces {
            let (Out::Any(yrs::Any::String(chars)), Some(id)) = (&piece.insert, piece.ychange) else {
                at += 1;
                continue;
            };
            at = self.piece(path, at, ClientId(id.client.get()), id.clock, chars);
        }
    }

    /// Cuts one piece where its author changes. Returns where it ends.
    fn piece(&mut self, path: &str, mut at: u32, client: ClientId, mut clock: u32, chars: &str) -> u32 {
        let (mut rest, maker) = (chars, Maker::Client(client));
        while !rest.is_empty() {
            let (written, len) = self.authorship.of(&maker, clock.into());
            let (text, units) = units(rest, u32::try_from(len).unwrap_or(u32::MAX));
            rest = &rest[text.len()..];
            self.ranges.push(path, at, units, text, written);
            (at, clock) = (at + units, clock + units);
        }
        at
    }
}

/// Returns the beginning of a text of at most so many UTF-16 code units, at least one character, and how many it has.
fn units(text: &str, most: u32) -> (&str, u32) {
    let mut units = 0;
    for (at, char) in text.char_indices() {
        if units > 0 && units + char.len_utf16() as u32 > most {
            return (&text[..at], units);
        }
        units += char.len_utf16() as u32;
    }
    (text, units)
}

fn branch_of(shared: &impl AsRef<Branch>) -> BranchPtr {
    BranchPtr::from(shared.as_ref())
}
