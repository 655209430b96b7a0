//! Records come back as they were written, and anything else is found out.

use std::sync::Arc;

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use syncline_core::{
    id::{ClientId, CommitNumber, ConnectionId, TenantName},
    limits::VALUE_BYTES_MAX,
    log::{Author, LogEntry, Maker, Origin},
    time::WallMs,
};

use super::*;
use crate::{batch::Value, envelope::BODY_BYTES_MAX, mem::MemoryStore, port::Store, verify::verify};

const TENANT: TenantId = TenantId::DEFAULT;
const DOCUMENT: DocumentId = DocumentId([0x5a; 16]);

fn entry(update: Vec<u8>) -> LogEntry {
    LogEntry {
        author: Author::default(),
        connection: ConnectionId(3),
        at: WallMs(1_700_000_000_000),
        update: update.into(),
        origins: None,
    }
}

fn record(number: u64, bytes: usize) -> LogRecord {
    LogRecord { number: CommitNumber(number), entries: vec![entry(pattern(bytes))] }
}

fn snapshot(number: u64, bytes: usize) -> Snapshot {
    Snapshot { number: CommitNumber(number), state: pattern(bytes).into() }
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 253) as u8).collect()
}

fn write(store: &mut MemoryStore, build: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    build(&mut batch);
    store.commit(batch).unwrap();
}

fn write_log(store: &mut MemoryStore, numbers: impl IntoIterator<Item = u64>, bytes: usize) {
    for number in numbers {
        write(store, |batch| put_log(batch, TENANT, DOCUMENT, &record(number, bytes)).unwrap());
    }
}

fn write_snapshot(store: &mut MemoryStore, number: u64, bytes: usize) {
    write(store, |batch| put_snapshot(batch, TENANT, DOCUMENT, &snapshot(number, bytes)).unwrap());
}

fn loaded(store: &MemoryStore) -> Loaded {
    load(store, TENANT, DOCUMENT).unwrap()
}

fn corruption(store: &MemoryStore) -> Corruption {
    match load(store, TENANT, DOCUMENT) {
        Err(LoadError::Corrupt { source, .. }) => source,
        other => panic!("expected damage, got {other:?}"),
    }
}

fn numbers(loaded: &Loaded) -> Vec<u64> {
    loaded.log.iter().map(|record| record.number.0).collect()
}

#[test]
fn an_unknown_document_is_empty() {
    assert_eq!(loaded(&MemoryStore::new()), Loaded::default());
}

#[test]
fn a_name_means_the_document_it_was_last_given() {
    let mut store = MemoryStore::new();
    let room = RoomName::new("room").unwrap();
    assert_eq!(name(&store, TENANT, &room).unwrap(), None);
    write(&mut store, |batch| put_name(batch, TENANT, &room, DOCUMENT));
    assert_eq!(name(&store, TENANT, &room).unwrap(), Some(DOCUMENT));
    assert_eq!(name(&store, TenantId(8), &room).unwrap(), None);
    let other = DocumentId([1; 16]);
    write(&mut store, |batch| put_name(batch, TENANT, &room, other));
    assert_eq!(name(&store, TENANT, &room).unwrap(), Some(other));
}

#[test]
fn names_come_in_pages() {
    let mut store = MemoryStore::new();
    let rooms = ["a", "a/1", "a/10", "a/2", "b", "ü"].map(|room| RoomName::new(room).unwrap());
    for room in &rooms {
        write(&mut store, |batch| put_name(batch, TENANT, room, DOCUMENT));
        write(&mut store, |batch| put_name(batch, TenantId(6), room, DOCUMENT));
    }
    let page = |prefix: &str, after: Option<&str>, limit| {
        let after = after.map(|room| RoomName::new(room).unwrap());
        let found = names(&store, TENANT, prefix, after.as_ref(), limit).unwrap();
        found.into_iter().map(|(room, _)| room.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page("", None, 9), ["a", "a/1", "a/10", "a/2", "b", "ü"]);
    assert_eq!(page("", None, 2), ["a", "a/1"]);
    assert_eq!(page("", Some("a/1"), 2), ["a/10", "a/2"]);
    assert_eq!(page("a/", None, 9), ["a/1", "a/10", "a/2"]);
    assert_eq!(page("a/", Some("a/10"), 9), ["a/2"]);
    assert_eq!(page("c", None, 9), Vec::<String>::new());
}

/// Every length around the bounds of a chunk comes back, in as many keys as it needs.
#[test]
fn long_records_are_cut_into_chunks() {
    let check = |bytes: usize, keys: usize| {
        let mut store = MemoryStore::new();
        write_snapshot(&mut store, 5, bytes);
        assert_eq!(store.live().len(), keys, "{bytes} bytes");
        assert!(store.live().values().all(|value| value.len() <= VALUE_BYTES_MAX));
        assert_eq!(loaded(&store).snapshot, Some(snapshot(5, bytes)));

        let entries = |bytes| payload::encode_log(&record(1, bytes).entries).unwrap().len();
        let mut store = MemoryStore::new();
        write_log(&mut store, [1], bytes);
        assert_eq!(store.live().len() > 1, entries(bytes) > BODY_BYTES_MAX);
        assert_eq!(loaded(&store).log, [record(1, bytes)]);
    };
    check(0, 1);
    check(BODY_BYTES_MAX, 1);
    check(BODY_BYTES_MAX + 1, 3);
    check(VALUE_BYTES_MAX, 3);
    check(VALUE_BYTES_MAX + 1, 3);
    check(2 * BODY_BYTES_MAX, 3);
    check(2 * BODY_BYTES_MAX + 1, 4);
    check(1 << 20, 1 + (1_usize << 20).div_ceil(BODY_BYTES_MAX));
}

#[test]
fn a_record_has_a_bound() {
    let slot =
        Slot { kind: Kind::Log, tenant: TENANT, document: DOCUMENT, number: CommitNumber(1), chunk: 0 };
    let longer = vec![0; crate::PAYLOAD_BYTES_MAX + 1];
    assert_eq!(
        envelope::seal(|chunk| Key::record(Slot { chunk, ..slot }), &longer),
        Err(RecordTooLong { bytes: longer.len() })
    );
}

#[test]
fn a_load_gives_the_newest_snapshot_and_what_follows() {
    let mut store = MemoryStore::new();
    write_log(&mut store, 1..=10, 20);
    assert_eq!(numbers(&loaded(&store)), (1..=10).collect::<Vec<_>>());
    write_snapshot(&mut store, 4, 30_000);
    write_snapshot(&mut store, 7, 10);
    let found = loaded(&store);
    assert_eq!((found.snapshot.as_ref().unwrap().number, numbers(&found)), (CommitNumber(7), vec![8, 9, 10]));
    write_snapshot(&mut store, 10, 10);
    assert_eq!(numbers(&loaded(&store)), [0_u64; 0]);
    assert!(verify(&store).unwrap().faults.is_empty());
}

#[test]
fn a_gap_in_the_log_is_damage() {
    let gap =
        |expected, found| Corruption::Gap { expected: CommitNumber(expected), found: CommitNumber(found) };
    let mut store = MemoryStore::new();
    write_log(&mut store, [2, 3], 20);
    assert_eq!(corruption(&store), gap(1, 2));
    write_log(&mut store, [1, 5], 20);
    assert_eq!(corruption(&store), gap(4, 5));
    assert_eq!(verify(&store).unwrap().faults.len(), 1);
    write_snapshot(&mut store, 4, 20);
    assert_eq!(numbers(&loaded(&store)), [5]);
    assert!(verify(&store).unwrap().faults.is_empty());
}

#[test]
fn the_last_numbers_there_are_do_not_overflow() {
    let mut store = MemoryStore::new();
    write_snapshot(&mut store, u64::MAX - 1, 20);
    write_log(&mut store, [u64::MAX], 20);
    assert_eq!(numbers(&loaded(&store)), [u64::MAX]);
    write_snapshot(&mut store, u64::MAX, 20);
    assert_eq!(numbers(&loaded(&store)), [0_u64; 0]);
    assert!(verify(&store).unwrap().faults.is_empty());
    while !delete_covered(&mut store, 10) {}
}

/// Deletes one batch of what is covered; returns whether nothing was left.
fn delete_covered(store: &mut MemoryStore, limit: usize) -> bool {
    let batch = covered(store, TENANT, DOCUMENT, CommitNumber(u64::MAX), limit).unwrap();
    assert!(batch.len() <= limit);
    let done = batch.is_empty();
    store.commit(batch).unwrap();
    done
}

/// Whatever is deleted first, the document loads the same, and nothing counts as damage.
#[test]
fn what_a_snapshot_covers_is_deleted_step_by_step() {
    let mut store = MemoryStore::new();
    write_log(&mut store, 1..=6, 20_000);
    write_snapshot(&mut store, 2, 20_000);
    assert!(covered(&store, TENANT, DocumentId([9; 16]), CommitNumber(9), 10).unwrap().is_empty());
    write_snapshot(&mut store, 4, 20_000);
    let want = loaded(&store);
    assert_eq!(numbers(&want), [5, 6]);
    while !delete_covered(&mut store, 1) {
        assert_eq!(loaded(&store), want);
        assert_eq!(verify(&store).unwrap().faults, []);
    }
    let report = verify(&store).unwrap();
    assert_eq!((report.snapshots, report.log_records, report.garbage_chunks), (1, 2, 0));
}

#[test]
fn commits_above_the_asked_for_are_not_deleted() {
    let mut store = MemoryStore::new();
    write_log(&mut store, 1..=6, 20);
    write_snapshot(&mut store, 4, 20);
    let deleted = |upto| covered(&store, TENANT, DOCUMENT, CommitNumber(upto), 100).unwrap().len();
    assert_eq!([deleted(0), deleted(3), deleted(4), deleted(6)], [0, 3, 4, 4]);
}

#[test]
fn a_snapshot_in_many_batches_counts_with_the_last() {
    let mut store = MemoryStore::new();
    write_log(&mut store, 1..=3, 20);
    write_snapshot(&mut store, 1, 20);
    let whole = snapshot(3, 2 << 20);
    let mut batches = snapshot_batches(TENANT, DOCUMENT, &whole).unwrap();
    assert_eq!(batches.len(), 8);
    let last = batches.pop().unwrap();
    for batch in batches {
        assert!(batch.bytes() <= BATCH_BYTES_MAX + VALUE_BYTES_MAX + 31);
        store.commit(batch).unwrap();
        assert_eq!(loaded(&store).snapshot, Some(snapshot(1, 20)));
        assert_eq!(verify(&store).unwrap().faults, []);
    }
    store.commit(last).unwrap();
    assert_eq!(loaded(&store).snapshot, Some(whole));
}

#[test]
fn an_interrupted_snapshot_is_garbage_and_goes() {
    let mut store = MemoryStore::new();
    write_log(&mut store, 1..=3, 20);
    store.commit(snapshot_batches(TENANT, DOCUMENT, &snapshot(2, 1 << 20)).unwrap().remove(0)).unwrap();
    assert_eq!(numbers(&loaded(&store)), [1, 2, 3]);
    assert!(verify(&store).unwrap().garbage_chunks > 30);
    // A shorter snapshot of the same commit, and then one of a later.
    write_snapshot(&mut store, 2, 100);
    assert_eq!(loaded(&store).snapshot, Some(snapshot(2, 100)));
    assert_eq!(verify(&store).unwrap().faults, []);
    write_snapshot(&mut store, 3, 100);
    while !delete_covered(&mut store, 100) {}
    assert_eq!(store.live().len(), 1);
}

#[test]
fn load_markers_come_and_go() {
    let mut store = MemoryStore::new();
    let other = DocumentId([1; 16]);
    write(&mut store, |batch| {
        put_loading(batch, TENANT, DOCUMENT);
        put_tenant(batch, TenantId(1), &TenantName::new("one").unwrap());
        put_loading(batch, TenantId(1), other);
        put_failed_loads(batch, TENANT, DOCUMENT, 2);
    });
    assert_eq!(loading_documents(&store).unwrap(), [(TENANT, DOCUMENT), (TenantId(1), other)]);
    let found = loaded(&store);
    assert_eq!((found.loading, found.failed_loads), (true, 2));
    assert_eq!(failed_loads(&store, TENANT, DOCUMENT).unwrap(), 2);
    assert_eq!(verify(&store).unwrap().faults, []);
    write(&mut store, |batch| {
        clear_loading(batch, TENANT, DOCUMENT);
        put_failed_loads(batch, TENANT, DOCUMENT, 0);
    });
    assert_eq!(loaded(&store), Loaded::default());
    assert_eq!(loading_documents(&store).unwrap(), [(TenantId(1), other)]);
}

#[test]
fn the_sizes_of_a_document_are_those_of_its_records() {
    let mut store = MemoryStore::new();
    let sizes = |store: &MemoryStore| document_sizes(store, TENANT, DOCUMENT).unwrap();
    assert_eq!(sizes(&store), DocumentSizes::default());
    write_log(&mut store, 1..=200, 100);
    write_log(&mut store, [201], 1 << 20);
    let record_bytes = |bytes| payload::encode_log(&record(1, bytes).entries).unwrap().len() as u64;
    let log_bytes = 200 * record_bytes(100) + record_bytes(1 << 20);
    let want = DocumentSizes { snapshot_bytes: 0, log_bytes, log_records: 201, commits: CommitNumber(201) };
    assert_eq!(sizes(&store), want);
    write_snapshot(&mut store, 150, 50_000);
    assert_eq!(sizes(&store), DocumentSizes { snapshot_bytes: 50_000, ..want });
}

#[test]
fn verify_lists_what_is_wrong() {
    let mut store = MemoryStore::new();
    let room = RoomName::new("room").unwrap();
    let nothing = RoomName::new("nothing").unwrap();
    write_log(&mut store, [1, 2, 4], 20_000);
    write(&mut store, |batch| {
        put_name(batch, TENANT, &room, DOCUMENT);
        put_name(batch, TENANT, &nothing, DocumentId([1; 16]));
        batch.put(Key::from_stored(b"\x09what"), Value::new(vec![1]).unwrap());
        batch.delete(Key::log(TENANT, DOCUMENT, CommitNumber(2), 2));
    });
    let report = verify(&store).unwrap();
    let slot =
        Slot { kind: Kind::Log, tenant: TENANT, document: DOCUMENT, number: CommitNumber(2), chunk: 0 };
    use crate::verify::Fault;
    assert_eq!(
        report.faults,
        [
            Fault::Record { slot, source: RecordFault::ChunkMissing { chunk: 2 } },
            Fault::Gap {
                tenant: TENANT,
                document: DOCUMENT,
                expected: CommitNumber(3),
                found: CommitNumber(4)
            },
            Fault::UnknownKey { key: Key::from_stored(b"\x09what") },
            Fault::NameOfNothing { tenant: TENANT, name: nothing, document: DocumentId([1; 16]) },
        ]
    );
    assert_eq!((report.keys, report.names, report.documents, report.unnamed_documents), (14, 2, 1, 0));
}

#[test]
fn the_checksum_covers_the_key() {
    let mut store = MemoryStore::new();
    write_log(&mut store, [1, 2], 20);
    let second = store.get(&Key::log(TENANT, DOCUMENT, CommitNumber(2), 0)).unwrap().unwrap();
    write(&mut store, |batch| {
        batch.put(Key::log(TENANT, DOCUMENT, CommitNumber(1), 0), Value::new(second).unwrap());
    });
    let want = Corruption::Record { kind: Kind::Log, number: CommitNumber(1), source: RecordFault::Checksum };
    assert_eq!(corruption(&store), want);
}

/// A head may claim what it likes: nothing is allocated by it.
#[test]
fn a_head_without_its_chunks_allocates_nothing() {
    let mut store = MemoryStore::new();
    write_snapshot(&mut store, 1, 16 << 20);
    let head = Key::snapshot(TENANT, DOCUMENT, CommitNumber(1), 0);
    let value = store.get(&head).unwrap().unwrap();
    let mut store = MemoryStore::new();
    write(&mut store, |batch| batch.put(head, Value::new(value).unwrap()));
    let source = RecordFault::ChunkMissing { chunk: 1 };
    assert_eq!(
        corruption(&store),
        Corruption::Record { kind: Kind::Snapshot, number: CommitNumber(1), source }
    );
}

fn any_entry() -> impl Strategy<Value = LogEntry> {
    let text = || proptest::option::of("[a-zü]{0,9}").prop_map(|text| text.map(Arc::<str>::from));
    let update = prop_oneof![4 => vec(any::<u8>(), 0..60), 1 => vec(any::<u8>(), 7_000..15_000)];
    let author = move || (text(), text()).prop_map(|(user, device)| Author { user, device });
    let maker = prop_oneof![
        any::<u64>().prop_map(|client| Maker::Client(ClientId(client))),
        vec(any::<u8>(), 0..20).prop_map(|actor| Maker::Actor(actor.into())),
    ];
    let origin = (maker, any::<u64>(), any::<u64>(), author(), any::<u64>())
        .prop_map(|(maker, start, len, author, at)| Origin { maker, start, len, author, at: WallMs(at) });
    let origins = proptest::option::of(vec(origin, 0..4).prop_map(Arc::from));
    (author(), any::<u64>(), any::<u64>(), update, origins).prop_map(
        |(author, connection, at, update, origins)| {
            let (connection, at, update) = (ConnectionId(connection), WallMs(at), update.into());
            LogEntry { author, connection, at, update, origins }
        },
    )
}

/// A document of a few records: commits from the snapshot on, if there is one.
fn any_document() -> impl Strategy<Value = Loaded> {
    let snapshot = proptest::option::of((1..1_000_u64, vec(any::<u8>(), 0..20_000)));
    (snapshot, vec(vec(any_entry(), 1..4), 0..5)).prop_map(|(snapshot, commits)| {
        let first = snapshot.as_ref().map_or(1, |(number, _)| number + 1);
        let log = (first..).zip(commits);
        Loaded {
            snapshot: snapshot
                .map(|(number, state)| Snapshot { number: CommitNumber(number), state: state.into() }),
            log: log.map(|(number, entries)| LogRecord { number: CommitNumber(number), entries }).collect(),
            ..Loaded::default()
        }
    })
}

fn stored(document: &Loaded) -> MemoryStore {
    let mut store = MemoryStore::new();
    write(&mut store, |batch| {
        for record in &document.log {
            put_log(batch, TENANT, DOCUMENT, record).unwrap();
        }
        if let Some(snapshot) = &document.snapshot {
            put_snapshot(batch, TENANT, DOCUMENT, snapshot).unwrap();
        }
    });
    store
}

proptest! {
    #[test]
    fn documents_come_back(document in any_document()) {
        let store = stored(&document);
        prop_assert_eq!(loaded(&store), document);
        prop_assert_eq!(verify(&store).unwrap().faults, []);
    }

    /// Any change of any value is found out, by a load and by a verification.
    #[test]
    fn changed_bytes_are_found_out(
        document in any_document().prop_filter("something to change", |d| d.snapshot.is_some() || !d.log.is_empty()),
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        change in prop_oneof![Just(Change::Flip), Just(Change::Truncate), Just(Change::Extend), Just(Change::Zero)],
    ) {
        let mut store = stored(&document);
        let keys: Vec<_> = store.live().keys().cloned().collect();
        let key = which.get(&keys).clone();
        let before = store.get(&key).unwrap().unwrap();
        let mut after = before.clone();
        let at = at.index(after.len());
        match change {
            Change::Flip => after[at] ^= 1 << (at % 8),
            Change::Truncate => after.truncate(at),
            Change::Extend => after.push(0),
            Change::Zero => after[at..].fill(0),
        }
        prop_assume!(after != before && after.len() <= VALUE_BYTES_MAX);
        write(&mut store, |batch| batch.put(key, Value::new(after).unwrap()));
        prop_assert!(load(&store, TENANT, DOCUMENT).is_err());
        prop_assert_eq!(verify(&store).unwrap().faults.len(), 1);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(key in vec(any::<u8>(), 0..40), value in vec(any::<u8>(), 0..200)) {
        let _ = decode_log(CommitNumber(1), Bytes::copy_from_slice(&value));
        let _ = decode_named(&value);
        let _ = decode_count(&value);
        let key = Key::from_stored(&key);
        let _ = key.place();
        let _ = envelope::open(&key, &value);
    }

    /// Behind a checksum that matches, as an attacker with the disk would write it.
    #[test]
    fn no_payload_makes_a_load_panic(values in vec((1..3_u64, 0..3_u16, vec(any::<u8>(), 0..200)), 0..6)) {
        let mut store = MemoryStore::new();
        write(&mut store, |batch| {
            for (number, chunk, payload) in values {
                for key in [
                    Key::log(TENANT, DOCUMENT, CommitNumber(number), chunk),
                    Key::snapshot(TENANT, DOCUMENT, CommitNumber(number), chunk),
                    Key::failed_loads(TENANT, DOCUMENT),
                ] {
                    let value = envelope::seal_one(&key, &payload);
                    batch.put(key, value);
                }
            }
        });
        let _ = load(&store, TENANT, DOCUMENT);
        let _ = verify(&store);
        let _ = document_sizes(&store, TENANT, DOCUMENT);
        let _ = covered(&store, TENANT, DOCUMENT, CommitNumber(9), 9);
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Flip,
    Truncate,
    Extend,
    Zero,
}

mod history;
