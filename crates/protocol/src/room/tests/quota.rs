//! What a room does not store.

use super::*;
use crate::room::Absorbed;

impl World {
    fn of_bytes(document_bytes_max: usize) -> Self {
        let limits = RoomLimits { document_bytes_max, ..RoomLimits::default() };
        let room = Room::load_with(Now::default(), &Loaded::default(), &limits).expect("nothing to load");
        Self { room, ..Self::new() }
    }
}

/// Who writes more than the document may have is told so and by which setting; others go on, and whoever repeats what the document
/// holds is let be.
#[test]
fn a_document_is_no_longer_than_it_may_be() {
    let mut world = World::of_bytes(60);
    world.join(ALICE);
    world.join(BOB);
    let doc = client();
    let first = typed(&doc, "0123456789");
    world.update(ALICE, &first);
    world.flush();
    world.commit();
    world.read(ALICE);
    world.update(ALICE, &typed(&doc, &"x".repeat(60)));
    assert_eq!(world.read(ALICE), [Got::Closed(CloseReason::OverQuota("document-bytes"))]);

    world.update(BOB, &first);
    world.update(BOB, &Bytes::from_static(&[0, 0]));
    world.flush();
    assert!(!world.read(BOB).iter().any(|got| matches!(got, Got::Closed(_))));
}

/// The same when the tenant has as much stored as it may, until there is room again.
#[test]
fn nothing_new_is_taken_in_for_a_tenant_that_is_full() {
    let mut world = World::with(&[ALICE, BOB]);
    let doc = client();
    let first = typed(&doc, "a");
    world.update(ALICE, &first);
    world.flush();
    world.commit();
    world.room.set_storage_full(true);
    world.update(ALICE, &first);
    world.absorb(1, &first);
    let second = typed(&doc, "b");
    world.absorb(2, &second);
    world.flush();
    assert_eq!(world.absorbed(), [(1, Absorbed::Known), (2, Absorbed::Refused { reason: "storage-full" })]);
    world.read(BOB);
    world.update(BOB, &second);
    assert_eq!(world.read(BOB), [Got::Closed(CloseReason::OverQuota("tenant-stored-bytes"))]);

    world.room.set_storage_full(false);
    world.update(ALICE, &second);
    world.flush();
    world.commit();
    assert_eq!(world.room.stats().updates, 2);
    assert!(!world.read(ALICE).iter().any(|got| matches!(got, Got::Closed(_))));
}
