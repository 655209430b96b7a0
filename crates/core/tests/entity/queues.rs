//! What a client merges before it sends it, and which ops wait.

use std::collections::BTreeSet;

use proptest::prelude::*;
use syncline_core::entity::queue::{
    Enqueued, Fate, Linked, Pending, PendingKey, Seen, Standing, enqueue, standing,
};
use syncline_core::entity::{
    Action, Claim, Context, EntityId, EntityKey, Op, Policy, Record, Stamp, TypeName, Value,
};

use super::support::{ANN, World, add, at, entity_type, field, record, set, stamp, usual_actors, values};

fn key(id: &str) -> EntityKey {
    EntityKey { kind: TypeName::new("task").expect("a name"), id: EntityId::new(id).expect("an id") }
}

fn pending(n: u64, id: &str, action: Action) -> Pending {
    Pending {
        key: PendingKey(n),
        entity: key(id),
        action,
        seen: Seen::Record(Claim::default()),
        was: Default::default(),
        hlc: at(n),
        deps: BTreeSet::new(),
        refs: BTreeSet::new(),
        tx: None,
        frozen: false,
    }
}

fn put(queue: &mut Vec<Pending>, op: Pending) -> Enqueued {
    enqueue(queue, op, true, |a, b| Some([a.as_ref(), b.as_ref()].concat().into()))
}

#[test]
fn two_ops_become_one_where_the_table_says() {
    let one = || values(&[("qty", 1.into()), ("name", "a".into())]);
    let document = |bytes: &[u8]| Action::Document(bytes.to_vec().into());
    let unset = |name: &str| Action::Update { set: values(&[]), unset: [field(name)].into() };
    let rows: [(Action, Action, Option<Option<Action>>); 14] = [
        (
            Action::Create(one()),
            set(&[("qty", 2.into())]),
            Some(Some(Action::Create(values(&[("qty", 2.into()), ("name", "a".into())])))),
        ),
        (Action::Create(one()), unset("name"), Some(Some(Action::Create(values(&[("qty", 1.into())]))))),
        (Action::Create(one()), Action::Delete, Some(None)),
        (set(&[("qty", 1.into())]), set(&[("qty", 2.into())]), Some(Some(set(&[("qty", 2.into())])))),
        (set(&[("qty", 1.into())]), unset("qty"), Some(Some(unset("qty")))),
        (unset("qty"), set(&[("qty", 1.into())]), Some(Some(set(&[("qty", 1.into())])))),
        (set(&[("qty", 1.into())]), Action::Delete, Some(Some(Action::Delete))),
        (Action::Delete, Action::Create(one()), Some(Some(Action::Restore(one())))),
        (add("qty", 2), add("qty", -5), Some(Some(add("qty", -3)))),
        (document(&[1]), document(&[2]), Some(Some(document(&[1, 2])))),
        (set(&[("qty", 1.into())]), add("qty", 1), None),
        (add("qty", 1), set(&[("qty", 1.into())]), None),
        (add("qty", 1), Action::Delete, None),
        (Action::Delete, set(&[("qty", 1.into())]), None),
    ];
    for (first, second, want) in rows {
        let shown = format!("{first:?} then {second:?}");
        let mut queue = vec![pending(1, "t", first)];
        let enqueued = put(&mut queue, pending(2, "t", second));
        let want_enqueued = match &want {
            None => Enqueued::Appended,
            Some(None) => Enqueued::Annulled(PendingKey(1)),
            Some(Some(_)) => Enqueued::Into(PendingKey(1)),
        };
        assert_eq!(enqueued, want_enqueued, "{shown}");
        if let Some(want) = want {
            let left: Vec<Action> = queue.into_iter().map(|op| op.action).collect();
            assert_eq!(left, want.into_iter().collect::<Vec<_>>(), "{shown}");
        }
    }
}

/// Nothing changes what was sent, what belongs to a transaction, or the order that ops rest on.
#[test]
fn some_ops_stay_as_they_are() {
    let first = || pending(1, "t", set(&[("qty", 1.into())]));
    let between = || pending(2, "other", Action::Create(values(&[])));
    let second = || pending(3, "t", set(&[("qty", 2.into())]));
    let check = |first: Pending, second: Pending, may: bool, want| {
        let mut queue = vec![first, between()];
        assert_eq!(enqueue(&mut queue, second, may, |_, _| None), want);
    };
    check(first(), second(), true, Enqueued::Into(PendingKey(1)));
    check(first(), second(), false, Enqueued::Appended);
    check(Pending { frozen: true, ..first() }, second(), true, Enqueued::Appended);
    check(Pending { tx: Some(1), ..first() }, second(), true, Enqueued::Appended);
    check(first(), Pending { tx: Some(1), ..second() }, true, Enqueued::Appended);
    check(first(), Pending { deps: [PendingKey(2)].into(), ..second() }, true, Enqueued::Appended);
    check(first(), Pending { deps: [PendingKey(1)].into(), ..second() }, true, Enqueued::Into(PendingKey(1)));
    check(first(), Pending { refs: [key("other")].into(), ..second() }, true, Enqueued::Appended);
    // What others refer to is created, and then deleted.
    let named = Pending { refs: [key("t")].into(), ..between() };
    let mut queue = vec![pending(1, "t", Action::Create(values(&[]))), named];
    assert_eq!(put(&mut queue, pending(3, "t", Action::Delete)), Enqueued::Appended);
}

/// The value that an author started from is that of the server, not one that was never sent.
#[test]
fn what_was_there_first_is_told() {
    let was = |value: i64| [(field("qty"), Some(Value::from(value)))].into();
    let mut queue = vec![Pending { was: was(5), ..pending(1, "t", set(&[("qty", 6.into())])) }];
    put(&mut queue, Pending { was: was(6), ..pending(2, "t", set(&[("qty", 7.into())])) });
    assert_eq!(queue[0].was, was(5));
    let mut queue = vec![pending(1, "t", set(&[("qty", 6.into())]))];
    put(&mut queue, Pending { was: was(6), ..pending(2, "t", set(&[("qty", 7.into())])) });
    assert!(queue[0].was.is_empty());
}

fn writes() -> impl Strategy<Value = Vec<Action>> {
    let write = prop_oneof![
        (0..3_i64).prop_map(|value| set(&[("qty", value.into())])),
        (0..3_i64).prop_map(|value| set(&[("name", value.into())])),
        Just(Action::Update { set: values(&[]), unset: [field("qty")].into() }),
        (-3..3_i64).prop_map(|amount| add("sum", amount)),
        Just(Action::Delete),
        (0..3_i64).prop_map(|value| Action::Create(values(&[("qty", value.into())]))),
    ];
    prop::collection::vec(write, 1..8)
}

/// Sends a queue to a server on which nobody else writes.
fn sent(queue: Vec<Pending>, start: Option<Record>) -> World<'static> {
    let actors = Box::leak(Box::new(usual_actors()));
    let ty = Box::leak(Box::new(entity_type(Policy::Lww)));
    let mut world = World::new(ty, actors, start);
    for (at_op, pending) in queue.into_iter().enumerate() {
        let n = at_op as u64 + 2;
        let vv = world.record.as_ref().map(|record| record.vv.clone()).unwrap_or_default();
        let stamp = Stamp { hlc: at(100 + n), ..stamp(ANN, n, 0) };
        world.push(&Op {
            stamp,
            context: Context { vv, beyond: false },
            action: pending.action,
            was: pending.was,
        });
    }
    world
}

proptest! {
    /// Where nobody else writes, a queue does the same merged as it does op by op. (A client makes ops that fit what it has.)
    #[test]
    fn merging_changes_no_result(writes in writes(), is_there in any::<bool>()) {
        let start = is_there.then(record);
        let (mut plain, mut merged) = (Vec::new(), Vec::new());
        let mut lives = is_there;
        let mut ended = false;
        for (at, action) in writes.into_iter().enumerate() {
            let fits = match action {
                // What comes back after a deletion that was sent comes as a restoration; here none is.
                Action::Create(_) => !lives && (!ended || merged.iter().any(|op: &Pending| op.action == Action::Delete)),
                _ => lives,
            };
            if !fits {
                continue;
            }
            ended |= action == Action::Delete;
            lives = action != Action::Delete;
            let op = pending(at as u64, "t", action.clone());
            let as_sent = match action {
                Action::Create(values) if ended => Action::Restore(values),
                other => other,
            };
            plain.push(Pending { action: as_sent, ..op.clone() });
            put(&mut merged, op);
        }
        prop_assert!(merged.len() <= plain.len());
        prop_assert_eq!(sent(merged, start.clone()).data(), sent(plain, start).data());
    }
}

#[test]
fn an_op_waits_for_what_it_rests_on_and_for_nothing_else() {
    let linked = |n, id: &str, creates| Linked {
        n,
        entity: key(id),
        creates,
        deps: BTreeSet::new(),
        refs: BTreeSet::new(),
        tx: None,
    };
    let check = |op: &Linked, earlier: &[(Linked, Fate)], want| {
        assert_eq!(standing(op, earlier.iter().map(|(op, fate)| (op, *fate))), want, "{op:?} {earlier:?}");
    };
    let op = linked(9, "t", false);
    let naming = Linked { deps: [3].into(), ..op.clone() };
    let referring = Linked { refs: [key("p")].into(), ..op.clone() };
    let member = Linked { tx: Some(1), ..op.clone() };
    for (fate, want) in [
        (Fate::Done, Standing::Free),
        (Fate::Deferred, Standing::Waits { on: 3 }),
        (Fate::Rejected, Standing::Fails { with: 3 }),
    ] {
        check(&naming, &[(linked(3, "x", false), fate)], want);
        check(&referring, &[(linked(3, "p", true), fate)], want);
        check(&op, &[(linked(3, "t", true), fate)], want);
        check(&member, &[(Linked { tx: Some(1), ..linked(3, "x", false) }, fate)], want);
        // Another update of the record, of what it refers to, or of anything else is nothing to wait for.
        check(&op, &[(linked(3, "t", false), fate)], Standing::Free);
        check(&referring, &[(linked(3, "p", false), fate)], Standing::Free);
        check(&op, &[(linked(3, "x", true), fate)], Standing::Free);
    }
    let mended = [(linked(3, "t", true), Fate::Rejected), (linked(5, "t", true), Fate::Done)];
    check(&op, &mended, Standing::Free);
    check(&linked(5, "t", true), &mended[..1], Standing::Free);
    check(&Linked { deps: [9].into(), ..op.clone() }, &[], Standing::Misnamed);
    check(&naming, &[], Standing::Free);
    let both = [(linked(2, "t", true), Fate::Deferred), (linked(3, "x", false), Fate::Rejected)];
    check(&naming, &both, Standing::Fails { with: 3 });
}
