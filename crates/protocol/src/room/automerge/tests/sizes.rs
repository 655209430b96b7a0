//! How long documents may be, and when a log is folded.

use super::*;

/// Goal: a snapshot is much shorter than its changes, and still not all of them are taken up again for each few that come.
#[test]
fn a_log_is_folded_as_often_as_the_document_grows_by_a_part() {
    const LOG_BYTES_MIN: usize = 2_000;
    let limits = RoomLimits { compact_log_bytes_min: LOG_BYTES_MIN, ..RoomLimits::default() };
    let mut world = World::within(&limits, &[ALICE]);
    for round in 0..800 {
        world.clients.get_mut(&ALICE).expect("a client").put("count", round);
        while world.say(ALICE, false) || world.under_way.is_some() {
            world.flush();
            world.commit();
            while world.read(ALICE) {}
        }
    }
    let bytes: usize =
        world.stored.iter().flat_map(|record| &record.entries).map(|entry| entry.update.len()).sum();
    assert!(bytes > 30 * LOG_BYTES_MIN, "{bytes} bytes were stored");
    assert!((8..=20).contains(&world.folds), "{} folds", world.folds);
}

/// Who writes more than the document may have is closed, and nobody who says only what they have, or may only read.
#[test]
fn an_automerge_document_is_no_longer_than_it_may_be() {
    let mut world = World::of_bytes(400, &[ALICE, BOB]);
    world.clients.get_mut(&ALICE).expect("alice").put("a", 1);
    world.settle();
    let heads = world.heads(BOB);
    let alice = world.clients.get_mut(&ALICE).expect("alice");
    (0..40).for_each(|value| alice.put("a", value));
    world.say(ALICE, false);
    world.flush();
    assert_eq!(world.closed, [(ALICE, CloseReason::OverQuota("document-bytes"))]);
    assert_eq!((world.on_disk().heads(), world.heads(BOB)), (heads.clone(), heads));

    world.join(ALICE, Access::ReadOnly);
    world.settle();
    assert_eq!(world.closed.len(), 1);
}

/// The same when the tenant has as much stored as it may, until there is room again.
#[test]
fn nothing_new_is_taken_in_for_a_tenant_that_is_full() {
    let mut world = World::with(&[ALICE]);
    world.clients.get_mut(&ALICE).expect("alice").put("a", 1);
    world.settle();
    let heads = world.heads(ALICE);
    world.room.set_storage_full(true);
    let copy = world.clients.get_mut(&ALICE).expect("alice").doc.fork();
    world.clients.insert(BOB, Client { doc: copy, ..Client::new(BOB) });
    world.join(BOB, Access::ReadWrite);
    world.settle();
    assert_eq!(world.closed, []);
    world.clients.get_mut(&BOB).expect("bob").put("b", 1);
    world.say(BOB, false);
    world.flush();
    assert_eq!(world.closed, [(BOB, CloseReason::OverQuota("tenant-stored-bytes"))]);
    assert_eq!(world.on_disk().heads(), heads);

    world.room.set_storage_full(false);
    world.join(BOB, Access::ReadWrite);
    world.settle();
    assert_eq!((world.heads(ALICE), world.on_disk().heads()), (world.heads(BOB), world.heads(BOB)));
}
