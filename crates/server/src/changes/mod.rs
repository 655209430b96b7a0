//! Which documents have changed: rooms tell of each durable commit, whoever deletes a document tells of that, and readers hear of the
//! documents that they follow.
//!
//! A reader who is slow hears of several commits of one document as one, and if too many documents wait for them, that they have missed
//! some. The newest changes are remembered, so that whoever was away for a moment goes on where they were.
//!
//! Invariants:
//! * nothing is told that is not durable;
//! * a room never waits for a reader, and what waits for one is bounded;
//! * of each change that a reader follows they are told, or of a later one of the same document, or that they have missed some.

mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use syncline_core::{
    id::{CommitNumber, DocumentId, RoomName, TenantId},
    log::{Author, LogRecord},
    time::WallMs,
};
use tokio::sync::Notify;

pub(crate) use self::waiting::Heard;
use self::waiting::Waiting;
use crate::{
    limits::{CHANGE_AUTHORS_MAX, CHANGES_KEPT},
    loader::new_document_id,
};

/// What one commit of a document, or several, have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) name: RoomName,
    pub(crate) document: DocumentId,
    /// The last of the commits.
    pub(crate) commit: CommitNumber,
    /// When that was made.
    pub(crate) at: WallMs,
    /// Who made them, at most [`CHANGE_AUTHORS_MAX`].
    pub(crate) authors: BTreeSet<Author>,
}

/// That there is a document no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) name: RoomName,
    /// Which document; nothing if it is that of an entity, which has but one.
    pub(crate) document: Option<DocumentId>,
    /// When it was deleted.
    pub(crate) at: WallMs,
    /// Who deleted it, if that is known here.
    pub(crate) by: Option<Author>,
}

/// What is told of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Changed(Change),
    Deleted(Gone),
}

/// Numbers the news of one epoch, across its tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    /// Drawn for the epoch: what another one has counted says nothing here.
    epoch: DocumentId,
    number: u64,
}

/// What a reader wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Of one document.
    One(RoomName),
    /// Of all whose names begin so.
    All { prefix: String },
}

/// The news of one epoch.
#[derive(Debug)]
pub(crate) struct Changes {
    epoch: DocumentId,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// The number of the last news.
    last: u64,
    /// The newest ones, in order of their numbers, which have no gaps.
    kept: VecDeque<(TenantId, Arc<News>)>,
    readers: BTreeMap<u64, Reader>,
    last_reader: u64,
}

#[derive(Debug)]
struct Reader {
    tenant: TenantId,
    follow: Follow,
    mailbox: Arc<Mailbox>,
}

/// What waits for one reader.
#[derive(Debug, Default)]
struct Mailbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

/// A reader's end. They are forgotten when it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    changes: Arc<Changes>,
    reader: u64,
    mailbox: Arc<Mailbox>,
}

impl Change {
    /// Returns what a commit changes; nothing if it is empty.
    pub(crate) fn of(name: &RoomName, document: DocumentId, record: &LogRecord) -> Option<Self> {
        let at = record.entries.last()?.at;
        let mut change =
            Self { name: name.clone(), document, commit: record.number, at, authors: BTreeSet::new() };
        record.entries.iter().for_each(|entry| change.name_author(&entry.author));
        Some(change)
    }

    /// Takes in what came behind it.
    pub(crate) fn join(&mut self, later: &Self) {
        if later.document != self.document {
            // The name means another document by now.
            self.clone_from(later);
            return;
        }
        (self.commit, self.at) = (later.commit, later.at);
        later.authors.iter().for_each(|author| self.name_author(author));
    }

    fn name_author(&mut self, author: &Author) {
        if self.authors.len() < CHANGE_AUTHORS_MAX && !self.authors.contains(author) {
            self.authors.insert(author.clone());
        }
    }
}

impl News {
    pub(crate) const fn name(&self) -> &RoomName {
        match self {
            Self::Changed(change) => &change.name,
            Self::Deleted(gone) => &gone.name,
        }
    }
}

impl Follow {
    fn wants(&self, name: &RoomName) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::All { prefix } => name.as_str().starts_with(prefix.as_str()),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (epoch, number) = text.split_once('-').ok_or(())?;
        let epoch = u128::from_str_radix(epoch, 16).map_err(|_| ())?;
        Ok(Self { epoch: DocumentId(epoch.to_be_bytes()), number: number.parse().map_err(|_| ())? })
    }
}

impl Changes {
    /// Begins with nothing.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { epoch: new_document_id(), told: Mutex::default() })
    }

    /// Tells whoever follows the document what has become of it, which is durable.
    pub(crate) fn tell(&self, tenant: TenantId, news: News) {
        let mut told = self.told();
        told.last += 1;
        let position = Position { epoch: self.epoch, number: told.last };
        for reader in told.readers.values() {
            if reader.tenant == tenant && reader.follow.wants(news.name()) {
                reader.mailbox.waiting().take_in(position, &news);
                reader.mailbox.filled.notify_one();
            }
        }
        told.kept.push_back((tenant, Arc::new(news)));
        if told.kept.len() > CHANGES_KEPT {
            told.kept.pop_front();
        }
    }

    /// Listens from now on, or from a position on. Returns where that is, too: behind it everything is heard. Who listens has a place
    /// among those that are shared.
    pub(crate) fn listen(
        self: &Arc<Self>,
        tenant: TenantId,
        follow: Follow,
        after: Option<Position>,
    ) -> (Listener, Position) {
        let mut told = self.told();
        let head = Position { epoch: self.epoch, number: told.last };
        let mailbox = Arc::new(Mailbox::default());
        let begins = after.unwrap_or(head);
        {
            let mut waiting = mailbox.waiting();
            let forgotten = told.last - told.kept.len() as u64;
            if begins.epoch != self.epoch || begins.number < forgotten || begins.number > told.last {
                waiting.miss(head);
            } else {
                for (number, (of, news)) in (forgotten + 1..).zip(&told.kept) {
                    if number > begins.number && *of == tenant && follow.wants(news.name()) {
                        waiting.take_in(Position { epoch: self.epoch, number }, news);
                    }
                }
            }
        }
        told.last_reader += 1;
        let reader = told.last_reader;
        told.readers.insert(reader, Reader { tenant, follow, mailbox: Arc::clone(&mailbox) });
        (Listener { changes: Arc::clone(self), reader, mailbox }, head)
    }

    /// Nothing that runs under the lock leaves the table half changed, so a poisoned one is still whole.
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Waits for the next change. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&self) -> Heard {
        loop {
            // A permit is kept of what comes between the look and the wait.
            let heard = self.mailbox.waiting().next();
            match heard {
                Some(heard) => return heard,
                None => self.mailbox.filled.notified().await,
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.changes.told().readers.remove(&self.reader);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const OURS: TenantId = TenantId(1);
    const THEIRS: TenantId = TenantId(2);

    fn change(name: &str, commit: u64) -> News {
        let (document, authors) = (DocumentId([1; 16]), BTreeSet::from([Author::default()]));
        let name = RoomName::new(name).expect("a name");
        News::Changed(Change { name, document, commit: CommitNumber(commit), at: WallMs(commit), authors })
    }

    fn all(prefix: &str) -> Follow {
        Follow::All { prefix: prefix.into() }
    }

    /// Returns what a reader is told now: names and commits, `missed` where some were, and where they are then.
    fn heard(listener: &Listener) -> (Vec<String>, Option<Position>) {
        let (mut all, mut last) = (Vec::new(), None);
        while let Some(heard) = listener.next().now_or_never() {
            let position = match heard {
                Heard::Told(position, News::Changed(change)) => {
                    all.push(format!("{} {}", change.name, change.commit));
                    position
                }
                Heard::Told(position, News::Deleted(gone)) => {
                    all.push(format!("{} deleted", gone.name));
                    position
                }
                Heard::Missed(position) => {
                    all.push("missed".into());
                    position
                }
            };
            last = Some(position);
        }
        (all, last)
    }

    #[test]
    fn readers_hear_of_what_they_follow() {
        let changes = Changes::new();
        let (plans, _) = changes.listen(OURS, all("plan"), None);
        let one = Follow::One(RoomName::new("plan 1").expect("a name"));
        let (one, _) = changes.listen(OURS, one, None);
        let (theirs, _) = changes.listen(THEIRS, all(""), None);
        for name in ["plan 1", "plan 2", "note"] {
            changes.tell(OURS, change(name, 1));
        }
        assert_eq!(heard(&plans).0, ["plan 1 1", "plan 2 1"]);
        assert_eq!(heard(&one).0, ["plan 1 1"]);
        assert_eq!(heard(&theirs).0, [""; 0]);
        drop((plans, one));
        assert_eq!(changes.told().readers.len(), 1);
    }

    /// Whoever comes again goes on where they were, as long as that is remembered; else they are told so.
    #[test]
    fn a_reader_goes_on_where_they_were() {
        let changes = Changes::new();
        let (reader, begin) = changes.listen(OURS, all(""), None);
        for commit in 1..=3 {
            changes.tell(OURS, change("a", commit));
            changes.tell(THEIRS, change("a", 9));
        }
        assert_eq!(heard(&reader).0, ["a 3"]);
        let again = |after: Position| heard(&changes.listen(OURS, all(""), Some(after)).0);
        let (told, end) = again(begin);
        assert_eq!(told, ["a 3"]);
        assert_eq!(again(end.expect("a position")).0, [""; 0]);
        let position: Position = begin.to_string().parse().expect("as it was written");
        assert_eq!(position, begin);
        let last = changes.told().last;
        for unknown in
            [Position { epoch: DocumentId([7; 16]), ..begin }, Position { number: last + 1, ..begin }]
        {
            assert_eq!(again(unknown).0, ["missed"]);
        }
        for commit in 4..4 + CHANGES_KEPT as u64 {
            changes.tell(THEIRS, change("b", commit));
        }
        let (told, end) = again(begin);
        assert_eq!(told, ["missed"]);
        assert_eq!(again(end.expect("a position")).0, [""; 0]);
    }

    /// A deletion is told, whatever becomes of the name.
    #[test]
    fn a_deletion_is_not_hidden_by_the_next_document() {
        let changes = Changes::new();
        let name = RoomName::new("a").expect("a name");
        let gone = Gone { name, document: Some(DocumentId([1; 16])), at: WallMs(4), by: None };
        let (reader, begin) = changes.listen(OURS, all(""), None);
        for news in [change("a", 3), change("b", 1), News::Deleted(gone), change("a", 1), change("a", 2)] {
            changes.tell(OURS, news);
        }
        let want = ["b 1", "a deleted", "a 2"];
        assert_eq!(heard(&reader).0, want);
        assert_eq!(heard(&changes.listen(OURS, all(""), Some(begin)).0).0, want);
    }
}
