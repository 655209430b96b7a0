//! The entities of a store that no server has open.

use serde_json::json;
use syncline_core::{
    access::Grants,
    entity::{ActorName, EntityType, Policy, TypeName, UserName},
    time::WallMs,
};
use syncline_protocol::{
    ledger::{
        Answer, DeviceAbout, Input, Write,
        audit::AuditIndex,
        stored::{AUDIT, AUDIT_PAYLOAD, Stored, audit_name},
    },
    wire::sync_v1::Push,
};
use syncline_server::{Audit, OfflineLedger, RenewError, renew_epoch, verify_audit};
use syncline_store::{
    Batch, Key, Store, Value,
    key::ledger_prefix,
    mem::MemoryStore,
    records::ledger::{LedgerShelf, history, put_history},
};

use crate::support::disk::TENANT;

/// A store with a type, a device and two records, of which the second is deleted: 4 entries, 2 of them with values.
fn store() -> MemoryStore {
    let mut store = MemoryStore::new();
    let mut entities = OfflineLedger::open(&mut store, TENANT).expect("it is empty");
    let ty = Box::new(EntityType::new(TypeName::new("note").expect("a name"), Policy::Lww));
    let defined = entities.ask(|request| Input::DefineType { request, ty });
    assert!(matches!(defined, Ok(Answer::TypeDefined { is_new: true })));
    let (actor, user) = (ActorName::new("phone").expect("a name"), UserName::new("ann").expect("a name"));
    let bound = entities.ask(|request| Input::Bind {
        request,
        actor: actor.clone(),
        user: user.clone(),
        about: DeviceAbout::default(),
    });
    assert!(matches!(bound, Ok(Answer::Device { is_new: true, .. })));
    let ops = json!([
        { "n": "1", "type": "note", "id": "a", "op": "create", "set": { "text": "hello" } },
        { "n": "2", "type": "note", "id": "b", "op": "create", "set": { "text": "you" } },
        { "n": "3", "type": "note", "id": "b", "op": "delete", "ctx": { "ver": "1" } },
    ]);
    let body = json!({ "device_id": "phone", "ops": ops }).to_string();
    let Push { clock, ops, .. } = Push::parse(body.as_bytes()).expect("a push");
    let known = |name: &ActorName| entities.ledger().actors().known(name);
    let ops = ops.into_iter().map(|op| op.into_pushed(known, 1)).collect();
    let grants = Grants::everything();
    let pushed = entities.ask(|request| Input::Push { request, actor, user, grants, clock, ops });
    assert!(matches!(pushed, Ok(Answer::Pushed { last_n: 3, .. })), "{pushed:?}");
    store
}

/// All that is stored of the audit, in its order.
fn told(store: &MemoryStore) -> Vec<Write> {
    let things = history(store, TENANT, AUDIT, &audit_name(AuditIndex(0)))
        .map(|thing| thing.expect("the store is read"));
    things.map(|(name, bytes)| Write::from_stored(&name, &bytes).expect("a ledger has written it")).collect()
}

/// The numbers of the entries, or of what lies beside them.
fn indexes(store: &MemoryStore, tag: u8) -> Vec<u64> {
    let names = told(store).into_iter().map(|write| write.to_stored().name);
    let names = names.filter(|name| name[0] == tag);
    names.map(|name| u64::from_be_bytes(name[1..].try_into().expect("a number"))).collect()
}

/// Changes what is stored of an entry, as somebody would who can write to the disk: checksums of the store are right.
fn change(store: &MemoryStore, tag: u8, index: u64, change: impl FnOnce(&mut Option<Write>)) -> MemoryStore {
    let mut store = store.clone();
    let name = [&[tag][..], &index.to_be_bytes()].concat();
    let mut things: Vec<Option<Write>> = told(&store).into_iter().map(Some).collect();
    let is_it =
        |write: &&mut Option<Write>| write.as_ref().is_some_and(|write| write.to_stored().name == name);
    change(things.iter_mut().find(is_it).expect("it is there"));
    let things: Vec<Stored> = things.iter().flatten().map(Write::to_stored).collect();
    let mut batch = Batch::new();
    keys(&store).into_iter().for_each(|key| batch.delete(key));
    let last = things.iter().rev().find(|thing| thing.name[0] == AUDIT).expect("one entry is left");
    let page = things.iter().map(|thing| (&thing.name[..], thing.bytes.as_deref().expect("it is there")));
    put_history(&mut batch, TENANT, &last.name, page).expect("it is short");
    store.commit(batch).expect("the store is in memory");
    store
}

/// The keys under which the audit is.
fn keys(store: &MemoryStore) -> Vec<Key> {
    let prefix = [&ledger_prefix(TENANT)[..], &[AUDIT]].concat();
    let found = store.scan(&prefix, &prefix, 100).expect("the store is read");
    found.into_iter().map(|(key, _)| key).collect()
}

/// Puts bytes under a key of which the checksum of the store is not right.
fn damage(store: &MemoryStore, key: &Key) -> MemoryStore {
    let mut store = store.clone();
    let mut batch = Batch::new();
    batch.put(key.clone(), Value::new(vec![7; 40]).expect("it is short"));
    store.commit(batch).expect("the store is in memory");
    store
}

fn broken_at(store: &MemoryStore) -> Option<u64> {
    verify_audit(store, TENANT).map(|report| panic!("{report:?}")).unwrap_or_else(|error| error.index())
}

#[test]
fn what_is_asked_is_there_when_the_store_is_opened_again() {
    let mut store = store();
    let entities = OfflineLedger::open(&mut store, TENANT).expect("a ledger has written it");
    let ledger = entities.ledger();
    assert_eq!((ledger.types().count(), ledger.records().count()), (1, 2));
    assert_eq!(ledger.records().filter(|(_, record)| record.deleted).count(), 1);
    let end = ledger.heads().audit;
    let report = verify_audit(&store, TENANT).expect("nobody has touched it");
    assert_eq!(
        (report.end, report.end.index.0, report.payloads + report.users),
        (end, 5, indexes(&store, AUDIT_PAYLOAD).len() as u64)
    );
}

/// Each entry is changed, and left out, and what lies beside it is changed: each time the first that is wrong is named.
#[test]
fn the_first_entry_is_named_that_is_not_as_it_was_written() {
    let store = store();
    for index in indexes(&store, AUDIT) {
        let flipped = change(&store, AUDIT, index, |write| {
            let Some(Write::Audit(_, entry)) = write else { panic!("{write:?}") };
            *entry.event.last_mut().expect("an event has bytes") ^= 1;
        });
        assert_eq!(broken_at(&flipped), Some(index), "an event");
        let hash = change(&store, AUDIT, index, |write| {
            let Some(Write::Audit(_, entry)) = write else { panic!("{write:?}") };
            entry.hash[31] ^= 1;
        });
        assert_eq!(broken_at(&hash), Some(index), "a hash");
        assert_eq!(broken_at(&change(&store, AUDIT, index, |write| *write = None)), Some(index), "left out");
    }
    let payloads = indexes(&store, AUDIT_PAYLOAD);
    assert!(payloads.len() >= 2);
    for index in payloads {
        let changed = change(&store, AUDIT_PAYLOAD, index, |write| {
            let Some(Write::AuditPayload(_, payload)) = write else { panic!("{write:?}") };
            payload.values[0] ^= 1;
        });
        assert_eq!(broken_at(&changed), Some(index), "values");
        let erased = change(&store, AUDIT_PAYLOAD, index, |write| *write = None);
        verify_audit(&erased, TENANT).expect("values may be erased");
    }
    // Of a page that is damaged nothing is told, so its first entry is the first that is wrong.
    let pages = keys(&store);
    assert_eq!(pages.len(), 2, "one of the user and the device, one of its ops");
    assert_eq!(
        pages.iter().map(|key| broken_at(&damage(&store, key))).collect::<Vec<_>>(),
        [Some(1), Some(3)]
    );
}

#[test]
fn the_audit_is_read_from_any_entry_on() {
    let store = store();
    let all: Vec<_> = Audit::from(&store, TENANT, AuditIndex(1)).map(|it| it.expect("whole")).collect();
    assert_eq!(all.len(), 5);
    for first in 0..8 {
        let some: Vec<_> =
            Audit::from(&store, TENANT, AuditIndex(first)).map(|it| it.expect("whole")).collect();
        assert_eq!(some, all[all.len().min((first as usize).saturating_sub(1))..]);
    }
}

/// Two restorations of one backup are two lives, and each life comes after those before it.
#[test]
fn a_log_that_is_renewed_has_a_life_that_it_never_had() {
    let mut store = MemoryStore::new();
    assert!(matches!(renew_epoch(&mut store, TENANT, WallMs(5)), Err(RenewError::NoLog)));
    let mut shelf = LedgerShelf::load(&store, TENANT, |_, _| {}).expect("it is empty");
    let mut batch = Batch::new();
    shelf.put(&mut batch, [(&[0, 2][..], Some(&1_u64.to_be_bytes()[..]))], &[]).expect("it is short");
    store.commit(batch).expect("the store is in memory");
    let mut backup = store.clone();
    let renew = |store: &mut MemoryStore, now| {
        let renewed = renew_epoch(store, TENANT, WallMs(now)).expect("it is renewed");
        let opened = OfflineLedger::open(store, TENANT).expect("it is a ledger").ledger().epoch();
        assert_eq!(opened, renewed.after);
        (renewed.before.0, renewed.after.0)
    };
    assert_eq!(renew(&mut store, 1_000), (1, 1_000));
    assert_eq!(renew(&mut store, 900), (1_000, 1_001), "the clock was put back");
    assert_eq!(renew(&mut backup, 2_000), (1, 2_000));
}
