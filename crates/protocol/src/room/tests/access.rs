//! What a connection may do.

use bytes::Bytes;
use syncline_core::{id::ConnectionId, limits::PRESENCE_TICK_MS};

use super::{ALICE, Got, World, client, typed};
use crate::{Access, Dialect, Request, room::Guest};

/// Has someone with each access show themselves, say something and write, and compares what another sees of it.
#[test]
fn whoever_may_only_read_is_neither_seen_nor_heard() {
    let check = |access, want: [bool; 3]| {
        let mut world = World::with(&[]);
        let guest = ConnectionId(3);
        let hears = Guest { dialect: Dialect::Hocuspocus, ..Guest::default() };
        world.join_as(ALICE, hears);
        world.join_as(guest, Guest { access, dialect: Dialect::Hocuspocus, ..Guest::default() });
        world.flush();
        world.read(ALICE);
        world.presence(guest, 1, 1, "{}");
        world.request(guest, Request::Stateless { payload: Bytes::from_static(b"here") });
        world.update(guest, &typed(&client(), "a"));
        world.flush();
        if world.under_way.is_some() {
            world.commit();
        }
        world.pass(PRESENCE_TICK_MS);
        let heard = world.read(ALICE);
        let has = |is: fn(&Got) -> bool| heard.iter().any(is);
        let got = [
            has(|got| matches!(got, Got::Presence(_))),
            has(|got| matches!(got, Got::Text(_))),
            has(|got| matches!(got, Got::Update(_))),
        ];
        assert_eq!(got, want, "{access:?}: {heard:?}");
    };
    check(Access::ReadWrite, [true, true, true]);
    check(Access::Comment, [true, true, false]);
    check(Access::ReadOnly, [false, false, false]);
}
