//! What is known of tenants, and what of it is stored.

use syncline_core::id::{DocumentId, RoomName};
use syncline_store::{
    Key,
    committer::Committer,
    mem::{Failure, MemoryStore},
};

use super::*;
use crate::{
    clock::Clock,
    entities,
    epoch::Epoch,
    halt::Halt,
    memory::MemoryBudget,
    metrics::{Metrics, Moment},
    quota::{Quota, Usage},
};

fn named(text: &str) -> TenantName {
    TenantName::new(text).expect("a name")
}

fn storage(store: MemoryStore) -> (Committer, Storage, Arc<Halt>) {
    let committer = Committer::start(Box::new(store), ()).expect("a thread");
    let halt = Arc::new(Halt::new());
    let storage = Storage::new(committer.handle(), Arc::clone(&halt));
    (committer, storage, halt)
}

fn room(tenant: &Tenant, name: &str) -> Batch {
    let mut batch = Batch::new();
    let name = RoomName::new(name).expect("a name");
    records::put_name(&mut batch, tenant.id(), &name, DocumentId([7; 16]));
    batch
}

async fn keys(storage: &Storage) -> Vec<Key> {
    let read =
        storage.read(|store| store.scan(&[], &[], 100)).await.expect("it is open").expect("it is read");
    read.into_iter().map(|(key, _)| key).collect()
}

/// A place is taken while somebody is there, and for good with the first thing that is stored.
#[tokio::test]
async fn tenants_are_bounded_and_only_what_is_stored_stays() {
    let (_committer, storage, _) = storage(MemoryStore::new());
    let bound = TenantBound::new(2);
    let tenants = Tenants::new(&bound);
    let [acme, other] = ["acme", "other"].map(|name| tenants.of(&named(name)).expect("there is room"));
    assert_eq!((acme.id(), other.id()), (TenantId(1), TenantId(2)));
    assert_eq!(tenants.of(&named("acme")), Ok(acme.clone()), "it is the same one");
    assert_eq!(tenants.of(&named("third")), Err(TooManyTenants));
    assert!(tenants.of(&TenantName::default()).is_ok_and(|tenant| tenant.is_stored()));
    drop(other);
    assert_eq!(tenants.known_as(&named("other")), None);
    let third = tenants.of(&named("third")).expect("a place was given back");
    assert_eq!(third.id(), TenantId(3), "no number is given twice");
    assert_eq!(keys(&storage).await, [], "nobody has written");

    acme.commit(&storage, room(&acme, "plan")).await.expect("stored");
    drop((acme, third));
    let acme = tenants.known_as(&named("acme")).expect("it stays");
    assert!(acme.is_stored() && tenants.stored().len() == 2);
    let both = [Key::name(acme.id(), &RoomName::new("plan").expect("a name")), Key::tenant_name(acme.id())];
    assert_eq!(keys(&storage).await, both);

    // The next epoch knows what is stored, and gives no number that this one gave.
    let next = Tenants::new(&bound);
    next.load(&storage).await.expect("read");
    assert_eq!(next.known_as(&named("acme")).map(|tenant| tenant.id()), Some(TenantId(1)));
    assert_eq!(next.of(&named("fourth")).map(|tenant| tenant.id()), Ok(TenantId(4)));
    // The next process knows only what is stored.
    let again = Tenants::new(&TenantBound::new(2));
    again.load(&storage).await.expect("read");
    assert_eq!(again.of(&named("fourth")).map(|tenant| tenant.id()), Ok(TenantId(2)));
}

/// Goal: nothing is stored of a tenant without its name, whenever the process ends. Method: the name goes with each batch until one
/// is durable, so two under way bring it both; and a commit that fails leaves neither.
#[tokio::test]
async fn a_tenant_is_stored_with_its_first_batch_or_not_at_all() {
    let (_committer, storage, _) = storage(MemoryStore::new());
    let tenants = Tenants::new(&TenantBound::new(9));
    let acme = tenants.of(&named("acme")).expect("there is room");
    let (first, second) = (acme.commit(&storage, room(&acme, "a")), acme.commit(&storage, room(&acme, "b")));
    // As if the other had been lost.
    second.await.expect("stored");
    assert!(keys(&storage).await.contains(&Key::tenant_name(acme.id())));
    first.await.expect("stored");
    acme.commit(&storage, room(&acme, "c")).await.expect("stored");
    assert_eq!(keys(&storage).await.len(), 4);

    let mut store = MemoryStore::new();
    store.fail_next_commit(Failure::BeforeSync);
    let (_committer, storage, halt) = self::storage(store);
    let tenants = Tenants::new(&TenantBound::new(9));
    let acme = tenants.of(&named("acme")).expect("there is room");
    assert!(acme.commit(&storage, room(&acme, "a")).await.is_err() && !acme.is_stored());
    assert!(halt.is_set(), "the epoch ends, and the next reads what there is");
}

/// A ledger that holds nothing is closed when nobody uses it, so that its tenant gives its place back; one that holds something is not.
#[tokio::test]
async fn only_what_holds_nothing_is_closed() {
    let (committer, storage, _) = storage(MemoryStore::new());
    let clock = Clock::start();
    let (memory, metrics) = (MemoryBudget::new(usize::MAX), Arc::new(Metrics::new()));
    let settings = TenantSettings::of_tests(clock);
    let epoch =
        Epoch::new(clock, &committer.handle(), &memory, &metrics, &settings, &Usage::new(&Quota::default()));
    let acme = epoch.tenants.of(&named("acme")).expect("there is room");
    let (table, task) =
        entities::open(&epoch, &acme, &settings.ledgers, &Signals::default()).await.expect("it is empty");
    let user = table.clone();
    assert!(!task.is_left(), "somebody uses it");
    drop(user);
    assert!(task.is_left());
    acme.commit(&storage, room(&acme, "plan")).await.expect("stored");
    assert!(!task.is_left(), "it holds something");
    drop(task);
    epoch.end().await;
}

/// Goal: to look over all tenants costs the memory of one. Method: a ledger that nobody has asked for is looked over, and ends; one that
/// somebody has asked for stays.
#[tokio::test]
async fn what_is_only_looked_over_is_closed_again() {
    let (committer, storage, _) = storage(MemoryStore::new());
    let clock = Clock::start();
    let (memory, metrics) = (MemoryBudget::new(usize::MAX), Arc::new(Metrics::new()));
    let (settings, usage) = (TenantSettings::of_tests(clock), Usage::new(&Quota::default()));
    let epoch = || Epoch::new(clock, &committer.handle(), &memory, &metrics, &settings, &usage);
    let first = epoch();
    let acme = first.tenants.of(&named("acme")).expect("there is room");
    acme.commit(&storage, room(&acme, "plan")).await.expect("stored");
    first.ledger(&acme).await.expect("it is opened, and stored");
    first.end().await;

    let second = epoch();
    second.tenants.load(&storage).await.expect("read");
    let acme = second.tenants.of(&named("acme")).expect("it is known");
    let is_open = || second.ledgers.now_open(acme.id()).is_some();
    let closed = async {
        Ledgers::look_over_one(&second, &acme).await.expect("the store is open");
        while is_open() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), closed).await.expect("it is closed again");
    second.ledger(&acme).await.expect("it is opened");
    Ledgers::look_over_one(&second, &acme).await.expect("the store is open");
    // What was removed when it was opened has been told by then.
    second.ledgers.signals(acme.id()).expect("it is open").swept().await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(is_open(), "somebody has asked for it");
    second.end().await;
}

/// However many tenants there are, labels name so many.
#[test]
fn metrics_name_the_first_tenants_and_count_the_others_as_one() {
    let tenants = Tenants::new(&TenantBound::new(99));
    let devices = (0..70).map(|at| {
        let tenant = tenants.of(&named(&format!("tenant {at:02}"))).expect("there is room");
        (tenant, Vec::new())
    });
    let (metrics, devices) = (Metrics::new(), devices.collect::<Vec<_>>());
    metrics.sync.note_devices(&devices);
    let moment =
        Moment { connections: 0, rooms: 0, memory_bytes: 0, inbound_bytes: 0, stored_bytes: 0, ready: true };
    let text = metrics.encode(moment);
    let has = |name: &str| text.contains(&format!("tenant=\"{name}\""));
    assert!(has("tenant 00") && has("tenant 63") && !has("tenant 64") && has("(others)"));
    metrics.sync.note_devices(&devices[1..2]);
    let text = metrics.encode(moment);
    assert!(text.contains("tenant 01") && !text.contains("tenant 00") && !text.contains("(others)"));
}
