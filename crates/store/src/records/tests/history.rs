//! What was comes back, page by page.

use super::*;
use crate::records::changes::tests::change;

fn made(number: u64, entries: &[(u64, usize)]) -> LogRecord {
    let entries = entries.iter().map(|&(at, bytes)| LogEntry { at: WallMs(at), ..entry(pattern(bytes)) });
    LogRecord { number: CommitNumber(number), entries: entries.collect() }
}

fn keep(store: &mut MemoryStore, log: &[LogRecord]) {
    for batch in history_batches(TENANT, DOCUMENT, log).unwrap() {
        store.commit(batch).unwrap();
    }
}

fn read(store: &MemoryStore, mut after: u64, upto: u64) -> Vec<LogRecord> {
    let mut records: Vec<LogRecord> = Vec::new();
    while let Some(page) =
        history_page(store, TENANT, DOCUMENT, CommitNumber(after), CommitNumber(upto)).unwrap()
    {
        after = page.records.last().unwrap().number.0;
        records.extend(page.records);
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_commit_of_a_history_comes_back(
        commits in vec(vec((0..9u64, 0..30_000usize), 1..4), 0..24),
        first in 1..1000u64,
    ) {
        let mut store = MemoryStore::new();
        let log: Vec<_> = (first..).zip(&commits).map(|(number, entries)| made(number, entries)).collect();
        keep(&mut store, &log);
        prop_assert_eq!(read(&store, 0, u64::MAX), log.clone());
        prop_assert_eq!(verify(&store).unwrap().faults, []);
        // A page behind what counts is not read.
        if let Some(last) = log.last() {
            prop_assert!(read(&store, 0, last.number.0 - 1).len() < log.len());
        }
    }
}

#[test]
fn a_page_takes_less_than_its_log() {
    let mut store = MemoryStore::new();
    let log: Vec<_> = (1..=1_000).map(|number| made(number, &[(number, 25)])).collect();
    keep(&mut store, &log);
    let stored: usize = store.live().values().map(|value| value.len()).sum();
    assert!(stored < 1_000 * 30, "{stored} bytes for 1,000 updates of 25");
}

#[test]
fn changes_of_automerge_take_up_what_they_say() {
    let mut store = MemoryStore::new();
    let (mut log, mut follows) = (Vec::new(), Vec::new());
    for number in 1..=1_000_u64 {
        let (hash, change) = change(&follows, &number.to_be_bytes());
        follows = vec![hash];
        log.push(LogRecord { number: CommitNumber(number), entries: vec![entry(change)] });
    }
    keep(&mut store, &log);
    let stored: usize = store.live().values().map(|value| value.len()).sum();
    assert!(stored < 1_000 * 12, "{stored} bytes for 1,000 changes of 8");
    assert_eq!(read(&store, 0, u64::MAX), log);
    assert_eq!(verify(&store).unwrap().faults, []);
}

#[test]
fn what_a_broken_compaction_left_goes() {
    let mut store = MemoryStore::new();
    keep(&mut store, &[made(1, &[(1, 5)]), made(2, &[(2, 5)])]);
    keep(&mut store, &[made(3, &[(3, 50_000)]), made(4, &[(4, 50_000)])]);
    let batch = stale_history(&store, TENANT, DOCUMENT, CommitNumber(2), 500).unwrap();
    store.commit(batch).unwrap();
    assert_eq!(read(&store, 0, u64::MAX).len(), 2);
}

#[test]
fn a_base_takes_the_place_of_what_it_covers() {
    let mut store = MemoryStore::new();
    assert_eq!(history_base(&store, TENANT, DOCUMENT).unwrap(), None);
    keep(&mut store, &[made(1, &[(1, 5)])]);
    keep(&mut store, &[made(2, &[(2, 5)])]);
    keep(&mut store, &[made(3, &[(3, 5)])]);
    for base in [snapshot(1, 10), snapshot(2, 100_000)] {
        for batch in base_batches(TENANT, DOCUMENT, &base).unwrap() {
            store.commit(batch).unwrap();
        }
    }
    loop {
        let batch = dropped_history(&store, TENANT, DOCUMENT, 2).unwrap();
        if batch.is_empty() {
            break;
        }
        store.commit(batch).unwrap();
    }
    assert_eq!(history_base(&store, TENANT, DOCUMENT).unwrap(), Some(snapshot(2, 100_000)));
    assert_eq!(read(&store, 0, u64::MAX), [made(3, &[(3, 5)])]);
    assert_eq!(newest_and_rest(&store), 1);
}

fn newest_and_rest(store: &MemoryStore) -> usize {
    let heads = store.live().keys().filter(|key| match key.place() {
        Some(Place::Record(slot)) => slot.kind == Kind::HistoryBase && slot.chunk == 0,
        _ => false,
    });
    heads.count()
}

#[test]
fn versions_are_kept_by_number() {
    let mut store = MemoryStore::new();
    let version = |number, bytes| Version {
        number,
        commit: CommitNumber(9),
        name: "before the 🙂 meeting".to_owned(),
        entry: entry(pattern(bytes)),
    };
    for kept in [version(1, 10), version(2, 200_000)] {
        for batch in version_batches(TENANT, DOCUMENT, &kept).unwrap() {
            store.commit(batch).unwrap();
        }
    }
    assert_eq!(version_numbers(&store, TENANT, DOCUMENT).unwrap(), [1, 2]);
    assert_eq!(super::super::version(&store, TENANT, DOCUMENT, 2).unwrap(), Some(version(2, 200_000)));
    assert_eq!(super::super::version(&store, TENANT, DOCUMENT, 3).unwrap(), None);
    assert_eq!(verify(&store).unwrap().faults, []);
    let batch = version_records(&store, TENANT, DOCUMENT, 1, 500).unwrap();
    store.commit(batch).unwrap();
    assert_eq!(version_numbers(&store, TENANT, DOCUMENT).unwrap(), [2]);
}

/// Goal: no bytes in the place of a page make reading panic or allocate by what they claim.
#[test]
fn damaged_pages_are_found() {
    let page = |payload: &[u8]| decode_page(CommitNumber(u64::MAX), payload.to_vec().into());
    let claims = [&[0; 24][..], &u32::MAX.to_be_bytes(), &[1, 2, 3]].concat();
    for payload in [&[][..], &[0; 23], &[0; 28], &claims] {
        assert!(page(payload).is_err());
        assert!(decode_version(1, payload.to_vec().into()).is_err());
    }
}
