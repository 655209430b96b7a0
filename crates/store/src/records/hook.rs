//! What hooks are to be told. A mark goes with the batch that it tells of, in place of the mark of the commit before, and goes when
//! the hook has taken it, or stays as a dead letter.
//!
//! | bytes | payload |
//! | --- | --- |
//! | 8 | when it happened, in milliseconds since 1970, u64 |
//! | 2, n | the name of the document: length, u16, and UTF-8 |
//! | 4 | how often it was tried in vain, u32 |
//! | 1 | 0: it waits; nothing follows. 1: it is a dead letter |
//! | 8 | when it was tried last, in milliseconds since 1970, u64 |
//! | 1 | why that failed: 1 a status, 2 unreachable, 3 on a private address, 4 late, 5 broken off, 6 not to be read in the store |
//! | 2 | the status, u16; 0 if there is none |
//!
//! Integers are big-endian. A record is one value.

use bytes::Buf;
use syncline_core::{
    hook::{DeadLetter, HookEvent, HookFailure, HookMark, HookMarkId, HookName},
    id::{CommitNumber, RoomName},
    time::WallMs,
};

use crate::{
    batch::Batch,
    envelope::{self, RecordFault},
    key::{Key, Kind, Place},
    port::{ReadError, Store},
};

/// Which of what hooks are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarksOf {
    /// That documents were deleted.
    Ended,
    /// What has happened to documents that there are.
    Alive,
}

/// What hooks are to be told, a portion of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Of each who is told, and of what.
    pub marks: Vec<(HookName, HookMark)>,
    /// Those that cannot be read. `verify` says which they are.
    pub damaged: usize,
    /// Where to go on; none if that was all.
    pub next: Option<Key>,
}

/// Puts what a hook is to be told. Of a commit of a document it takes the place of what was to be told of the commit before.
pub fn put_mark(batch: &mut Batch, hook: &HookName, mark: &HookMark) {
    let before = CommitNumber(mark.id.commit.0.saturating_sub(1));
    if mark.id.event == HookEvent::Changed && mark.dead.is_none() && before.0 > 0 {
        clear_mark(batch, hook, &HookMarkId { commit: before, ..mark.id });
    }
    let key = Key::hook(hook, &mark.id);
    let value = envelope::seal_one(&key, &encode_mark(mark));
    batch.put(key, value);
}

/// Removes what a hook was to be told.
pub fn clear_mark(batch: &mut Batch, hook: &HookName, id: &HookMarkId) {
    batch.delete(Key::hook(hook, id));
}

/// Returns what hooks are to be told, of all tenants, `from` somewhere on, at most `limit`.
///
/// # Errors
/// [`ReadError`] if the store cannot be read.
pub fn marks(store: &dyn Store, of: MarksOf, from: Option<&Key>, limit: usize) -> Result<Marks, ReadError> {
    let prefix = match of {
        MarksOf::Ended => [Kind::HookEnd as u8],
        MarksOf::Alive => [Kind::Hook as u8],
    };
    let page = store.scan(&prefix, from.map_or(&prefix[..], Key::as_bytes), limit)?;
    let last = page.last().filter(|_| page.len() == limit);
    let mut found = Marks { next: last.map(|(key, _)| key.successor()), ..Marks::default() };
    for (key, value) in page {
        let Some(Place::Hook { id, hook }) = key.place() else { continue };
        match envelope::open_one(&key, &value).and_then(|payload| decode_mark(id, payload)) {
            Ok(mark) => found.marks.push((hook, mark)),
            Err(_) => found.damaged += 1,
        }
    }
    Ok(found)
}

const MALFORMED: RecordFault = RecordFault::Malformed { what: "what a hook is to be told" };

fn encode_mark(HookMark { id: _, name, at, attempts, dead }: &HookMark) -> Vec<u8> {
    // A name has 256 bytes at most.
    let length = u16::try_from(name.as_str().len()).unwrap_or(u16::MAX);
    let mut payload = [&at.0.to_be_bytes()[..], &length.to_be_bytes(), name.as_str().as_bytes()].concat();
    payload.extend_from_slice(&attempts.to_be_bytes());
    let Some(DeadLetter { at, failure }) = dead else {
        payload.push(0);
        return payload;
    };
    payload.push(1);
    payload.extend_from_slice(&at.0.to_be_bytes());
    let (why, status) = match failure {
        HookFailure::Status(status) => (1, *status),
        HookFailure::Unreachable => (2, 0),
        HookFailure::Inside => (3, 0),
        HookFailure::Late => (4, 0),
        HookFailure::Broken => (5, 0),
        HookFailure::Unread => (6, 0),
    };
    payload.push(why);
    payload.extend_from_slice(&status.to_be_bytes());
    payload
}

/// Decodes what a hook is to be told.
pub(crate) fn decode_mark(id: HookMarkId, payload: &[u8]) -> Result<HookMark, RecordFault> {
    let mut rest = payload;
    let at = WallMs(rest.try_get_u64().map_err(|_| MALFORMED)?);
    let length = usize::from(rest.try_get_u16().map_err(|_| MALFORMED)?);
    let (name, mut rest) = rest.split_at_checked(length).ok_or(MALFORMED)?;
    let name = std::str::from_utf8(name).ok().and_then(|name| RoomName::new(name).ok()).ok_or(MALFORMED)?;
    let attempts = rest.try_get_u32().map_err(|_| MALFORMED)?;
    let dead = match rest.try_get_u8().map_err(|_| MALFORMED)? {
        0 => None,
        1 => Some(decode_dead(&mut rest)?),
        _ => return Err(MALFORMED),
    };
    if rest.is_empty() { Ok(HookMark { id, name, at, attempts, dead }) } else { Err(MALFORMED) }
}

fn decode_dead(rest: &mut &[u8]) -> Result<DeadLetter, RecordFault> {
    let at = WallMs(rest.try_get_u64().map_err(|_| MALFORMED)?);
    let why = rest.try_get_u8().map_err(|_| MALFORMED)?;
    let status = rest.try_get_u16().map_err(|_| MALFORMED)?;
    let failure = match (why, status) {
        (1, status) => HookFailure::Status(status),
        (2, 0) => HookFailure::Unreachable,
        (3, 0) => HookFailure::Inside,
        (4, 0) => HookFailure::Late,
        (5, 0) => HookFailure::Broken,
        (6, 0) => HookFailure::Unread,
        _ => return Err(MALFORMED),
    };
    Ok(DeadLetter { at, failure })
}

#[cfg(test)]
mod tests {
    use syncline_core::id::{DocumentId, TenantId};

    use super::*;
    use crate::{mem::MemoryStore, records, verify::verify};

    const TENANT: TenantId = TenantId(3);

    fn named(name: &str) -> HookName {
        HookName::new(name).expect("a name")
    }

    fn mark(document: u8, commit: u64, event: HookEvent) -> HookMark {
        let document = DocumentId([document; 16]);
        let id = HookMarkId { tenant: TENANT, document, commit: CommitNumber(commit), event };
        HookMark { id, name: RoomName::new("ü").expect("a name"), at: WallMs(6), attempts: 0, dead: None }
    }

    fn all(store: &MemoryStore, limit: usize) -> Vec<(HookName, HookMark)> {
        let mut found = Vec::new();
        for of in [MarksOf::Alive, MarksOf::Ended] {
            let mut from = None;
            loop {
                let Marks { marks, damaged, next } = marks(store, of, from.as_ref(), limit).expect("read");
                assert!(marks.len() <= limit && damaged == 0);
                found.extend(marks);
                from = next;
                if from.is_none() {
                    break;
                }
            }
        }
        found
    }

    fn begun() -> MemoryStore {
        let mut store = MemoryStore::new();
        let mut batch = Batch::new();
        records::put_tenant(&mut batch, TENANT, &"three".parse().expect("a name"));
        store.commit(batch).expect("stored");
        store
    }

    /// Goal: of a document that changes all the time one mark is stored for each hook, and all are found, in portions of any size.
    #[test]
    fn marks_are_read_as_they_were_put() {
        let mut store = begun();
        let dead = |failure| Some(DeadLetter { at: WallMs(9), failure });
        for commit in 1..=5 {
            let mut batch = Batch::new();
            for hook in ["a", "b"] {
                put_mark(&mut batch, &named(hook), &mark(1, commit, HookEvent::Changed));
            }
            store.commit(batch).expect("stored");
        }
        let mut want =
            vec![(named("a"), mark(1, 5, HookEvent::Changed)), (named("b"), mark(1, 5, HookEvent::Changed))];
        for (document, failure) in [
            (2, HookFailure::Status(500)),
            (3, HookFailure::Unreachable),
            (4, HookFailure::Inside),
            (5, HookFailure::Late),
            (6, HookFailure::Broken),
            (7, HookFailure::Unread),
        ] {
            let mark = mark(document, 1, HookEvent::Created);
            want.push((named("a"), HookMark { attempts: 10, dead: dead(failure), ..mark }));
        }
        want.push((named("a"), mark(1, 0, HookEvent::Deleted)));
        let mut batch = Batch::new();
        want.iter().for_each(|(hook, mark)| put_mark(&mut batch, hook, mark));
        store.commit(batch).expect("stored");
        for limit in 1..=want.len() + 1 {
            assert_eq!(all(&store, limit), want, "{limit} at once");
        }
        let report = verify(&store).expect("read");
        assert_eq!((report.hook_marks, &report.faults[..]), (9, &[][..]));
        let mut batch = Batch::new();
        want.iter().for_each(|(hook, mark)| clear_mark(&mut batch, hook, &mark.id));
        store.commit(batch).expect("stored");
        assert_eq!(all(&store, 3), []);
    }

    /// A dead letter leaves what waits alone.
    #[test]
    fn a_dead_letter_takes_no_place() {
        let mut store = begun();
        let failure = HookFailure::Late;
        let dead = Some(DeadLetter { at: WallMs(9), failure });
        let mut batch = Batch::new();
        put_mark(&mut batch, &named("a"), &mark(1, 1, HookEvent::Changed));
        put_mark(&mut batch, &named("a"), &HookMark { dead, ..mark(1, 2, HookEvent::Changed) });
        store.commit(batch).expect("stored");
        assert_eq!(all(&store, 9).len(), 2);
    }

    #[test]
    fn the_bytes_are_those_that_are_documented() {
        let mark = mark(1, 2, HookEvent::Changed);
        let mut want = vec![0, 0, 0, 0, 0, 0, 0, 6, 0, 2, 0xc3, 0xbc, 0, 0, 0, 10, 0];
        let mark = HookMark { attempts: 10, ..mark };
        assert_eq!(encode_mark(&mark), want);
        assert_eq!(decode_mark(mark.id, &want), Ok(mark.clone()));
        let dead = DeadLetter { at: WallMs(7), failure: HookFailure::Status(500) };
        let mark = HookMark { dead: Some(dead), ..mark };
        want.pop();
        want.extend([1, 0, 0, 0, 0, 0, 0, 0, 7, 1, 1, 244]);
        assert_eq!(encode_mark(&mark), want);
        for end in 0..want.len() {
            assert_eq!(decode_mark(mark.id, &want[..end]), Err(MALFORMED), "cut at {end}");
        }
        assert_eq!(decode_mark(mark.id, &want), Ok(mark.clone()));
        want.push(0);
        assert_eq!(decode_mark(mark.id, &want), Err(MALFORMED), "something follows");
    }

    #[test]
    fn a_damaged_mark_is_found() {
        let mut store = begun();
        let key = Key::hook(&named("a"), &mark(1, 2, HookEvent::Changed).id);
        let mut batch = Batch::new();
        batch.put(key.clone(), envelope::seal_one(&key, &[0; 3]));
        put_mark(&mut batch, &named("b"), &mark(1, 2, HookEvent::Changed));
        store.commit(batch).expect("stored");
        let found = marks(&store, MarksOf::Alive, None, 9).expect("read");
        assert_eq!((found.marks.len(), found.damaged, found.next), (1, 1, None));
        assert_eq!(verify(&store).expect("read").faults.len(), 1);
    }
}
