//! What a room takes in of deleted documents of its name: nothing.

use super::*;
use crate::room::Absorbed;

/// Whoever still has the old document brings it back when they sync, or types in it: both are refused whole. Whoever has not may
/// write, and is known as one who has when the document is deleted.
#[test]
fn a_deleted_document_does_not_come_back() {
    let mut world = World::with(&[ALICE, BOB]);
    let (old, new) = (client(), Doc::with_client_id(8));
    let (first, second) = (typed(&old, "old"), typed(&old, "er"));
    let writer = |update: &Bytes| {
        let mut document = YjsDocument::default();
        document.apply(update).expect("it is one");
        document.writers()
    };
    world.room.set_former(writer(&first));
    world.absorb(1, &first);
    world.flush();
    assert_eq!(world.absorbed(), [(1, Absorbed::Refused { reason: "deleted" })]);
    // What rests on it is refused as itself, and not as a gap: nobody is asked for the rest.
    for (connection, update) in [(ALICE, first.clone()), (BOB, second)] {
        world.update(connection, &update);
        assert_eq!(world.read(connection), [Got::Closed(CloseReason::Deleted)]);
    }
    assert!(world.under_way.is_none(), "nothing is stored");

    world.join(ALICE);
    let mine = typed(&new, "new");
    world.update(ALICE, &mine);
    world.flush();
    world.commit();
    assert_eq!(world.room.document().text("t").ok().flatten().as_deref(), Some("new"));
    let all = writer(&first).union(&writer(&mine)).copied().collect();
    assert_eq!(world.room.former(), syncline_core::log::Former::Clients(all));
}
