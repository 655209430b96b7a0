//! What is told to others: the audit and the outbox of a disk are whole, and say what the rest of it says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use syncline_core::entity::conflict::ConflictState;

use super::audit::{AuditEntry, AuditFault, AuditHead, AuditIndex, AuditPayload, Audited};
use super::disk::{Disk, Server};
use super::*;

fn entries(disk: &Disk) -> BTreeMap<AuditIndex, AuditEntry> {
    let entry = |write: &Write| match write {
        Write::Audit(index, entry) => Some((*index, (**entry).clone())),
        _ => None,
    };
    disk.pick(entry).collect()
}

fn payloads(disk: &Disk) -> BTreeMap<AuditIndex, AuditPayload> {
    let payload = |write: &Write| match write {
        Write::AuditPayload(index, payload) => Some((*index, (**payload).clone())),
        _ => None,
    };
    disk.pick(payload).collect()
}

fn events(disk: &Disk) -> BTreeMap<EventIndex, DomainEvent> {
    let event = |write: &Write| match write {
        Write::Event(index, event) => Some((*index, (**event).clone())),
        _ => None,
    };
    disk.pick(event).collect()
}

pub(super) fn check(disk: &Disk, ledger: &Ledger) -> Result<(), TestCaseError> {
    let (entries, payloads) = (entries(disk), payloads(disk));
    let end = AuditHead::default().verify(entries.iter().map(|(&index, entry)| (index, entry)));
    prop_assert_eq!(end, Ok(ledger.heads().audit));
    let mut ops = 0;
    for (index, entry) in &entries {
        let event = entry.event().expect("it was written");
        let payload = payloads.get(index);
        prop_assert_eq!(event.payload, payload.map(AuditPayload::digest));
        let Audited::Op { entity, changed, .. } = event.what else { continue };
        ops += 1;
        prop_assert_eq!(changed.is_some(), payload.is_some());
        let Some(record) = ledger.record(&entity).filter(|record| changed == Some((record.ver, record.seq)))
        else {
            continue;
        };
        let written = record.fields.iter().filter(|(_, slot)| slot.ver == record.ver);
        let written = written.map(|(name, slot)| (name.clone(), slot.value.clone())).collect();
        prop_assert_eq!(payload.and_then(AuditPayload::values), Some(written));
    }
    let results = |pick: &dyn Fn(&Outcome) -> bool| {
        disk.count(|write| matches!(write, Write::Result(_, kept) if pick(&kept.result.outcome)))
    };
    prop_assert_eq!(ops, results(&|_| true));

    let events = events(disk);
    let indexes: Vec<u64> = events.keys().map(|index| index.0).collect();
    prop_assert_eq!(indexes, (1..=ledger.heads().events.0).collect::<Vec<_>>());
    let named = |name: &str| events.values().filter(|event| event.what.name() == name).count();
    prop_assert_eq!(named("sync_failed"), results(&|outcome| matches!(outcome, Outcome::Rejected(_))));
    prop_assert_eq!(named("sync_conflict_detected"), ledger.conflicts().count());
    let is_settled = |state| matches!(state, ConflictState::Resolved | ConflictState::Expired);
    let closed = ledger.conflicts().filter(|(_, conflict)| is_settled(conflict.state()));
    prop_assert_eq!(named("sync_conflict_resolved"), closed.count());
    let synced = events.values().filter_map(|event| match event.what {
        Happened::DataSynchronized { ops, .. } => Some(ops),
        _ => None,
    });
    prop_assert_eq!(synced.sum::<u64>(), ops as u64);
    Ok(())
}

fn bind(server: &mut Server, device: usize) {
    let (request, about) = (RequestId(0), DeviceAbout::default());
    server.ask(Input::Bind { request, actor: name(device), user: user(), about });
}

/// Each entry in turn is changed, left out, or put in twice.
#[test]
fn a_chain_that_was_changed_is_noticed() {
    let mut server = Server::new(types());
    (0..2).for_each(|device| bind(&mut server, device));
    let whole: Vec<_> = entries(&server.disk).into_iter().collect();
    let verify = |entries: &[(AuditIndex, AuditEntry)]| {
        AuditHead::default().verify(entries.iter().map(|(index, entry)| (*index, entry)))
    };
    assert_eq!(verify(&whole), Ok(server.ledger.heads().audit));
    for at in 0..whole.len() {
        let index = at as u64 + 1;
        let mut changed = whole.clone();
        changed[at].1.event[3] ^= 1;
        assert_eq!(verify(&changed), Err(AuditFault::Changed { index }));
        // Who computes the hash of what they have changed is betrayed by the next.
        let before = at.checked_sub(1).map_or([0; 32], |before| whole[before].1.hash);
        let hash = |event: &[u8]| Sha256::digest([&before[..], &index.to_be_bytes(), event].concat());
        assert_eq!(hash(&whole[at].1.event)[..], whole[at].1.hash);
        changed[at].1.hash = hash(&changed[at].1.event).into();
        let betrayed = verify(&changed);
        assert_eq!(betrayed.err(), (index < 3).then_some(AuditFault::Changed { index: index + 1 }));
        let mut without = whole.clone();
        without.remove(at);
        let missed = Err(AuditFault::Gap { found: index + 1, expected: index });
        let last = verify(&whole[..at]);
        assert_eq!(verify(&without), if index == 3 { last } else { missed });
        let mut twice = whole.clone();
        twice.insert(at, whole[at].clone());
        assert_eq!(verify(&twice), Err(AuditFault::Gap { found: index, expected: index + 1 }));
    }
}

/// Nothing is told twice of one binding, and without salt no value is kept.
#[test]
fn devices_are_told_of_once() {
    let mut server = Server::new(types());
    bind(&mut server, 0);
    bind(&mut server, 0);
    server.restart(types(), Epoch(1));
    bind(&mut server, 0);
    server.ask(Input::Revoke { request: RequestId(0), actor: name(0), user: None });
    let told: Vec<_> = events(&server.disk).into_values().map(|event| event.what.name()).collect();
    assert_eq!(told, ["device_bound", "device_revoked"]);
    check(&server.disk, &server.ledger).expect("it is whole");
    assert!(payloads(&server.disk).is_empty());
}
