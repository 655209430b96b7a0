//! The rules that make sled safe, and what a data folder survives.

use proptest::prelude::*;
use syncline_core::{
    id::{CommitNumber, DocumentId, TenantId},
    limits::VALUE_BYTES_MAX,
};
use tempfile::TempDir;

use super::{
    counters::Counters,
    engine::{Disk, write_durably},
    *,
};
use crate::{
    batch::Value,
    conformance::{self, Subject},
    testing::steps,
};

struct OnDisk {
    folder: TempDir,
    store: Option<SledStore>,
}

impl OnDisk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Some(SledStore::open(folder.path()).unwrap());
        Self { folder, store }
    }

    fn sled(&mut self) -> &mut SledStore {
        self.store.as_mut().unwrap()
    }

    fn close(&mut self) {
        self.store = None;
    }

    fn open(&mut self) -> Result<&mut SledStore, OpenError> {
        self.close();
        Ok(self.store.insert(SledStore::open(self.folder.path())?))
    }

    /// Names what is in the data folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Subject for OnDisk {
    fn store(&mut self) -> &mut dyn Store {
        self.sled()
    }

    fn restart(&mut self) {
        self.open().unwrap();
    }

    fn fail_next_commit(&mut self, n: usize) {
        let steps = [Step::Apply, Step::Flush, Step::Sync];
        self.sled().fail_next_commit(steps[n % steps.len()]);
    }
}

fn log_key(n: u64) -> Key {
    Key::log(TenantId(0), DocumentId([1; 16]), CommitNumber(n), 0)
}

fn put(key: Key, bytes: usize) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, Value::new(vec![7; bytes]).unwrap());
    batch
}

fn held(store: &SledStore, n: u64) -> bool {
    store.get(&log_key(n)).unwrap().is_some()
}

#[test]
fn sled_conforms() {
    conformance::check(OnDisk::new);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn sled_is_a_map(steps in steps(20)) {
        conformance::replay(&mut OnDisk::new(), &steps);
    }
}

/// Power loss is survived only if each sync has exactly one batch; see [`write_durably`]. A fake records the calls.
#[test]
fn a_commit_is_one_batch_one_flush_and_one_sync() {
    #[derive(Default)]
    struct Calls(Vec<&'static str>);
    impl Disk for Calls {
        fn settle(&mut self) -> Result<(), EngineError> {
            self.0.push("settle");
            Ok(())
        }
        fn apply(&mut self, batch: &Batch, _: Counters) -> Result<(), EngineError> {
            assert_eq!(batch.len(), 3);
            self.0.push("apply");
            Ok(())
        }
        fn flush(&mut self) -> Result<(), EngineError> {
            self.0.push("flush");
            Ok(())
        }
        fn sync(&mut self) -> Result<(), EngineError> {
            self.0.push("sync");
            Ok(())
        }
    }
    let mut batch = put(log_key(1), 1);
    batch.append(put(log_key(2), 1));
    batch.append(put(log_key(3), 1));
    let mut calls = Calls::default();
    write_durably(&mut calls, &batch, Counters::default()).unwrap();
    assert_eq!(calls.0, ["settle", "apply", "flush", "sync"]);
}

/// Whatever else of sled's writes, or may write, must not come back into this engine.
#[test]
fn nothing_else_of_sled_is_called() {
    let sources = [
        include_str!("mod.rs"),
        include_str!("engine.rs"),
        include_str!("handle.rs"),
        include_str!("counters.rs"),
        include_str!("folder.rs"),
    ];
    let code: String =
        sources.iter().flat_map(|source| source.lines()).fold(String::new(), |mut code, line| {
            // Documentation may name what code may not.
            code.push_str(line.split("//").next().unwrap_or_default());
            code.push('\n');
            code
        });
    let calls = |name: &str| code.matches(&format!(".{name}(")).count();
    assert_eq!(calls("apply_batch"), 1, "batches are applied in one place");
    for name in [
        "flush_async",
        "generate_id",
        "open_tree",
        "drop_tree",
        "transaction",
        "compare_and_swap",
        "update_and_fetch",
        "fetch_and_update",
        "merge",
        "pop_min",
        "pop_max",
        "import",
        "clear",
        "flush_every_ms(Some",
    ] {
        assert_eq!(calls(name), 0, "{name} writes on its own");
    }
    for receiver in ["db", "tree", "self.0", "handle"] {
        for name in ["insert", "remove"] {
            assert!(!code.contains(&format!("{receiver}.{name}(")), "{receiver}.{name} writes on its own");
        }
    }
}

#[test]
fn a_data_folder_has_one_owner() {
    let mut first = OnDisk::new();
    let second = SledStore::open(first.folder.path());
    assert!(matches!(second, Err(OpenError::Locked { .. })));
    first.close();
    SledStore::open(first.folder.path()).unwrap();
}

#[test]
fn a_data_folder_is_made_with_its_parents() {
    let parent = TempDir::new().unwrap();
    let path = parent.path().join("a/b");
    SledStore::open(&path).unwrap().commit(put(log_key(1), 1)).unwrap();
    assert!(held(&SledStore::open(&path).unwrap(), 1));
}

/// A crash during a vacuum, before the rename: the new folder is garbage and the old one counts.
#[test]
fn an_engine_folder_that_current_does_not_name_is_garbage() {
    let mut disk = OnDisk::new();
    disk.sled().commit(put(log_key(1), 100)).unwrap();
    disk.close();
    let folder = disk.folder.path().to_owned();
    fs::create_dir_all(folder.join("db-000002/blobs")).unwrap();
    fs::write(folder.join("db-000002/db"), b"half a copy").unwrap();
    fs::write(folder.join("CURRENT.new"), b"db-0000").unwrap();
    fs::create_dir(folder.join("db-2")).unwrap();
    fs::write(folder.join("notes.txt"), b"not ours").unwrap();
    assert!(held(disk.open().unwrap(), 1));
    let kept = ["CURRENT", "CURRENT.new", "LOCK", "db-000001", "db-2", "notes.txt"];
    assert_eq!(disk.names(), kept, "only engine folders are removed");
}

/// A crash during a vacuum, after the rename: the new folder counts and the old one is garbage.
#[test]
fn the_engine_folder_that_current_names_counts() {
    let mut disk = OnDisk::new();
    disk.sled().commit(put(log_key(1), 100)).unwrap();
    disk.close();
    let folder = disk.folder.path().to_owned();
    let other = OnDisk::new();
    let mut other = other;
    other.sled().commit(put(log_key(2), 100)).unwrap();
    other.close();
    fs::rename(other.folder.path().join("db-000001"), folder.join("db-000002")).unwrap();
    fs::write(folder.join("CURRENT"), b"db-000002\n").unwrap();
    let store = disk.open().unwrap();
    assert!(held(store, 2) && !held(store, 1));
    assert_eq!(disk.names(), ["CURRENT", "LOCK", "db-000002"]);
}

/// A crash during the very first start leaves a folder that was never named, under a CURRENT that says so.
#[test]
fn an_interrupted_first_start_begins_again() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("CURRENT"), b"none\n").unwrap();
    fs::create_dir(folder.path().join("db-000001")).unwrap();
    let mut store = SledStore::open(folder.path()).unwrap();
    store.commit(put(log_key(1), 1)).unwrap();
    assert_eq!(fs::read(folder.path().join("CURRENT")).unwrap(), b"db-000001\n");
}

#[test]
fn a_damaged_data_folder_is_refused_and_left_alone() {
    type Damage = fn(&Path) -> io::Result<()>;
    let check = |damage: Damage, want: fn(&OpenError) -> bool| {
        let mut disk = OnDisk::new();
        for n in 1..200 {
            disk.sled().commit(put(log_key(n), 1_000)).unwrap();
        }
        disk.close();
        damage(disk.folder.path()).unwrap();
        let names = disk.names();
        let error = disk.open().map(drop).unwrap_err();
        assert!(want(&error), "{error:?}");
        assert_eq!(disk.names(), names);
    };
    check(
        |path| fs::remove_file(path.join("CURRENT")),
        |error| matches!(error, OpenError::CurrentMissing { .. }),
    );
    check(
        |path| fs::write(path.join("CURRENT"), b"../elsewhere\n"),
        |error| matches!(error, OpenError::CurrentMalformed { .. }),
    );
    check(
        |path| fs::remove_dir_all(path.join("db-000001")),
        |error| matches!(error, OpenError::Missing { .. }),
    );
    check(
        |path| fs::remove_file(path.join("db-000001/db")),
        |error| matches!(error, OpenError::Missing { .. }),
    );
    check(
        |path| fs::remove_file(path.join("db-000001/conf")),
        |error| matches!(error, OpenError::Missing { .. }),
    );
    check(|path| fs::write(path.join("db-000001/db"), b""), |error| matches!(error, OpenError::Blank { .. }));
    check(
        |path| fs::write(path.join("db-000001/snap.FFFFFFFFFFFFFFFF"), [1; 100]),
        |error| matches!(error, OpenError::Corrupt { .. }),
    );
}

/// sled would take the file for its newest checkpoint and call the database corrupt.
#[test]
fn a_checkpoint_that_was_not_finished_is_no_damage() {
    let mut disk = OnDisk::new();
    disk.sled().commit(put(log_key(1), 100)).unwrap();
    disk.close();
    let unfinished = disk.folder.path().join("db-000001/snap.00000000FFFFFFFF.generating");
    for bytes in [&b""[..], b"half a checkpoint"] {
        fs::write(&unfinished, bytes).unwrap();
        assert!(held(disk.open().unwrap(), 1));
        disk.close();
        assert!(!unfinished.exists());
    }
}

#[test]
fn a_vacuum_shrinks_the_disk_and_keeps_what_lives() {
    let mut disk = OnDisk::new();
    let filled = (0..FILLS_MAX).find(|&fill| {
        fill_and_delete(disk.sled(), fill);
        disk.sled().stats().unwrap().disk_bytes > VACUUM_DISK_BYTES_MIN
    });
    let last = (filled.unwrap() + 1) * FILLED_KEYS;
    let Vacuumed { before, after } = disk.sled().vacuum().unwrap();
    assert!(after.disk_bytes < before.disk_bytes / 4, "{before:?} {after:?}");
    assert_eq!((before.live_keys, before.live_bytes), (after.live_keys, after.live_bytes));
    assert_eq!(disk.names(), ["CURRENT", "LOCK", "db-000002"]);
    assert!((1..=last).all(|n| held(disk.sled(), n) == (n % 100 == 0)));
    disk.sled().commit(put(log_key(last + 1), 1)).unwrap();
    let store = disk.open().unwrap();
    assert!(held(store, last + 1) && held(store, 100));
    assert_eq!(store.stats().unwrap().live_keys, last / 100 + 1);
    assert!(store.vacuum_at_open().is_none());
}

#[test]
fn files_far_larger_than_what_lives_are_rewritten_at_start_up() {
    let mut disk = OnDisk::new();
    let vacuumed = (0..FILLS_MAX).find_map(|fill| {
        fill_and_delete(disk.sled(), fill);
        let store = disk.open().unwrap();
        let Stats { live_bytes, disk_bytes, .. } = store.stats().unwrap();
        let is_large = disk_bytes >= VACUUM_DISK_BYTES_MIN && disk_bytes / VACUUM_RATIO > live_bytes;
        assert!(!is_large, "{disk_bytes} bytes for {live_bytes}");
        store.vacuum_at_open().cloned()
    });
    let Vacuumed { before, after } = vacuumed.unwrap().unwrap();
    assert!(after.disk_bytes < before.disk_bytes / 4, "{before:?} {after:?}");
    assert!(held(disk.sled(), 100));
}

/// How often a store is filled and emptied until its files are large: sled gives free space at the end of its file
/// back when its threads get to it, so once may not be enough.
const FILLS_MAX: u64 = 20;

/// Keys of one such filling.
const FILLED_KEYS: u64 = 3_000;

/// Puts 20 MB in [`FILLED_KEYS`] keys, other ones for each `fill`, and deletes all but every hundredth.
fn fill_and_delete(store: &mut SledStore, fill: u64) {
    let first = fill * FILLED_KEYS;
    for page in 0..FILLED_KEYS / 100 {
        let mut batch = Batch::new();
        for n in 1..=100 {
            let key = log_key(first + page * 100 + n);
            batch.put_new(key, Value::new(vec![n as u8; VALUE_BYTES_MAX]).unwrap());
        }
        store.commit(batch).unwrap();
    }
    for page in 0..FILLED_KEYS / 100 {
        let mut batch = Batch::new();
        for n in 1..100 {
            batch.delete(log_key(first + page * 100 + n));
        }
        store.commit(batch).unwrap();
    }
}

/// A process that ends while latched is a crash: what was acknowledged is there, the failed batch may be.
#[test]
fn an_end_without_reopening_keeps_what_was_acknowledged() {
    for step in [Step::Apply, Step::Flush, Step::Sync] {
        let mut disk = OnDisk::new();
        for n in 1..=50 {
            disk.sled().commit(put(log_key(n), 500)).unwrap();
        }
        disk.sled().fail_next_commit(step);
        disk.sled().commit(put(log_key(51), 500)).unwrap_err();
        // sled's own lock stays with the memory that is left behind: what comes next must be another folder.
        disk.close();
        let copy = TempDir::new().unwrap();
        copy_tree(disk.folder.path(), copy.path());
        let store = SledStore::open(copy.path()).unwrap();
        assert!((1..=50).all(|n| held(&store, n)), "{step:?}");
    }
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy_tree(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn a_reopening_that_fails_may_be_tried_again() {
    let mut disk = OnDisk::new();
    disk.sled().commit(put(log_key(1), 10)).unwrap();
    disk.sled().fail_next_commit(Step::Sync);
    disk.sled().commit(put(log_key(2), 10)).unwrap_err();
    let (engine, away) = (disk.folder.path().join("db-000001"), disk.folder.path().join("away"));
    fs::rename(&engine, &away).unwrap();
    for _ in 0..2 {
        assert!(matches!(disk.sled().reopen(), Err(VacuumError::Engine { .. })));
        assert!(matches!(disk.sled().get(&log_key(1)), Err(ReadError::Latched)));
    }
    fs::rename(&away, &engine).unwrap();
    disk.sled().reopen().unwrap();
    assert!(held(disk.sled(), 1) && !held(disk.sled(), 2));
    assert_eq!(disk.names(), ["CURRENT", "LOCK", "db-000002"]);
}

/// Flips bits all over the files. Opening may fail or succeed, and so may reading; neither may panic or hang.
#[test]
fn flipped_bits_never_panic() {
    let mut disk = OnDisk::new();
    for n in 1..300 {
        disk.sled().commit(put(log_key(n), 200)).unwrap();
    }
    disk.close();
    let length = fs::metadata(disk.folder.path().join("db-000001/db")).unwrap().len() as usize;
    for at in (0..length).step_by(length / 40) {
        let copy = TempDir::new().unwrap();
        copy_tree(disk.folder.path(), copy.path());
        let path = copy.path().join("db-000001/db");
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        if let Ok(store) = SledStore::open(copy.path()) {
            let _ = store.scan(b"", b"", usize::MAX);
        }
    }
}
