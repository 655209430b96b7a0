//! What a connection may do.

use bytes::Bytes;
use syncline_core::{
    id::ConnectionId,
    limits::{PRESENCE_STATE_BYTES_MAX, PRESENCE_TICK_MS},
    log::Author,
};

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

/// Has someone whose token names a user, and someone without one, show themselves under another name, and compares what is seen.
#[test]
fn a_proved_user_is_seen_under_no_other_name() {
    let check = |user: Option<&str>, claimed: &str, want: &[&str]| {
        let mut world = World::with(&[]);
        let guest = ConnectionId(3);
        let author = Author { user: user.map(Into::into), device: None };
        world.join_as(ALICE, Guest::default());
        world.join_as(guest, Guest { author, ..Guest::default() });
        world.flush();
        world.read(ALICE);
        world.presence(guest, 1, 1, claimed);
        world.flush();
        world.pass(PRESENCE_TICK_MS);
        let seen = |got| match got {
            Got::Presence(entries) => Some(String::from_utf8_lossy(&entries[4..]).into_owned()),
            _ => None,
        };
        let seen: Vec<_> = world.read(ALICE).into_iter().filter_map(seen).collect();
        assert_eq!(seen, want, "{user:?} {claimed}");
    };
    let claimed = r##"{"user":{"name":"bob","color":"#fff"}}"##;
    check(None, claimed, &[claimed]);
    check(Some("ann"), claimed, &[r##"{"user":{"name":"ann","color":"#fff"}}"##]);
    check(Some("ann"), r#"{"cursor":1}"#, &[r#"{"cursor":1}"#]);
    check(Some(&"a".repeat(PRESENCE_STATE_BYTES_MAX)), claimed, &[]);
}
