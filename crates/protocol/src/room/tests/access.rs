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

/// Ann shows herself; then Bob, whose first entry names her id, or who finds it without a home. What counts is what a third sees.
#[test]
fn a_client_id_is_of_the_user_who_has_claimed_it() {
    let (bob, ann_again, carol) = (ConnectionId(2), ConnectionId(3), ConnectionId(4));
    let of = |user: &str| {
        let author = Author { user: Some(user.into()), ..Author::default() };
        Guest { author, ..Guest::default() }
    };
    let mut world = World::with(&[]);
    world.join_as(carol, of("carol"));
    world.join_as(ALICE, of("ann"));
    let shown = |world: &mut World| {
        world.pass(PRESENCE_TICK_MS);
        let shown = world.read(carol).into_iter().filter_map(|got| match got {
            Got::Presence(entries) => Some(String::from_utf8_lossy(&entries).into_owned()),
            _ => None,
        });
        shown.last()
    };
    let says =
        |shown: &Option<String>, what: &str| shown.as_deref().is_some_and(|shown| shown.contains(what));
    world.flush();
    world.presence(ALICE, 9, 1, r#"{"x":"ann"}"#);
    let first = shown(&mut world);
    assert!(says(&first, "ann"), "{first:?}");

    world.join_as(bob, of("bob"));
    world.presence(bob, 9, 7, r#"{"x":"forged"}"#);
    assert_eq!(shown(&mut world), None, "it lives with someone else");
    world.input(crate::room::Input::Leave { connection: ALICE });
    assert!(says(&shown(&mut world), "null"), "she is gone");
    world.presence(bob, 9, 8, r#"{"x":"forged"}"#);
    assert_eq!(shown(&mut world), None, "it is hers, also while she is away");

    world.join_as(ann_again, of("ann"));
    world.presence(ann_again, 9, 9, r#"{"x":"back"}"#);
    assert!(says(&shown(&mut world), "back"), "another connection of hers takes it over");
    // What nobody has claimed is adopted, and whoever claims it then has it.
    world.presence(bob, 20, 1, r#"{"x":"adopted"}"#);
    assert!(says(&shown(&mut world), "adopted"));
    let ann_third = ConnectionId(5);
    world.join_as(ann_third, of("ann"));
    world.presence(ann_third, 20, 2, r#"{"x":"claimed"}"#);
    assert!(says(&shown(&mut world), "claimed"));
    world.presence(bob, 20, 3, r#"{"x":"late"}"#);
    assert_eq!(shown(&mut world), None);
}
