//! What holds before any policy is asked: no record, tombstones, second creations.

use syncline_core::entity::conflict::ConflictKind;
use syncline_core::entity::{Action, Context, Outcome, Policy, RefusalCode};
use syncline_core::limits::CONFLICT_UPDATE_BYTES_MAX;

use super::support::{
    ANN, BOB, CID, POLICIES, SERVER, World, add, entity_type, op, record, set, shown, stamp, tombstone,
    usual_actors, values,
};

/// Writes that every policy but `crdt` knows, and what becomes of them without a record, by an author who saw none and by one
/// who saw one; and on a tombstone, by an author who saw the deletion and by one who did not.
const TABLE: [(&str, &str, &str, &str, &str); 6] = [
    ("create", "applied 7 x", "entity-deleted gone", "entity-deleted gone", "entity-deleted gone"),
    (
        "update",
        "entity-unknown gone",
        "entity-deleted gone",
        "entity-deleted gone",
        "superseded gone auto:op",
    ),
    ("delta", "entity-unknown gone", "entity-deleted gone", "entity-deleted gone", "superseded gone auto:op"),
    ("delete", "applied gone", "applied gone", "applied gone", "applied gone"),
    ("restore", "entity-unknown gone", "entity-deleted gone", "applied 7 x", "entity-deleted gone"),
    ("noop", "applied gone", "applied gone", "applied gone", "applied gone"),
];

fn action(name: &str) -> Action {
    let whole = values(&[("qty", 7.into()), ("name", "x".into())]);
    match name {
        "create" => Action::Create(whole),
        "restore" => Action::Restore(whole),
        "update" => set(&[("qty", 7.into())]),
        "delta" => add("qty", 7),
        "delete" => Action::Delete,
        _ => Action::Noop,
    }
}

#[test]
fn what_is_not_there_comes_back_for_no_one_who_did_not_see_it_go() {
    let actors = usual_actors();
    for (name, policy) in POLICIES.into_iter().filter(|(_, policy)| *policy != Policy::Crdt) {
        let mut ty = entity_type(policy);
        ty.client_create = true;
        for (write, none, gone, seen, unseen) in TABLE {
            let check = |record, vv: &[_], beyond, want: &str| {
                let mut world = World::new(&ty, &actors, record);
                let mut op = op(stamp(ANN, 2, 30), vv, action(write));
                op.context.beyond = beyond;
                let decision = world.push(&op);
                let want = match (policy, write, want) {
                    (Policy::AppendOnly, "restore", "applied 7 x") => "append-only gone",
                    _ => want,
                };
                assert_eq!(shown(&world, &decision), want, "{name} {write}");
            };
            check(None, &[], false, none);
            check(None, &[(BOB, 1)], false, gone);
            check(None, &[], true, gone);
            check(Some(tombstone()), &[(ANN, 1), (BOB, 2)], false, seen);
            check(Some(tombstone()), &[(ANN, 1), (BOB, 1)], false, unseen);
            check(Some(tombstone()), &[], false, unseen);
        }
    }
}

/// What a device pushes for a document that was deleted is not lost with it.
#[test]
fn an_update_of_a_deleted_document_is_kept() {
    let (actors, ty) = (usual_actors(), entity_type(Policy::Crdt));
    let update = Action::Document(vec![1, 2, 3].into());
    let late = op(stamp(ANN, 2, 30), &[(ANN, 1)], update.clone());
    let mut world = World::new(&ty, &actors, Some(tombstone()));
    let decision = world.push(&late);
    assert_eq!(shown(&world, &decision), "superseded gone auto:op");
    assert_eq!(decision.conflict.expect("it is kept").candidates[0].wish, update);
    let mut world = World::new(&ty, &actors, None);
    let decision = world.push(&op(stamp(ANN, 1, 30), &[], update));
    assert!(decision.change.is_some_and(|change| change.document));
}

/// Cid creates what is there already: with the same content, and with another.
#[test]
fn a_second_creation_is_a_write_by_one_who_saw_nothing() {
    let actors = usual_actors();
    let same = [("qty", 95.into()), ("name", "a".into())];
    let other = [("qty", 40.into()), ("name", "c".into())];
    for (name, policy, want_same, want_other) in [
        ("append_only", Policy::AppendOnly, "applied 95 a", "append-only 95 a"),
        ("lww", Policy::Lww, "applied 95 a", "applied 40 c auto:record+record"),
        ("field_merge", Policy::FieldMerge, "applied 95 a", "applied 40 c auto:record+record"),
        ("server_authoritative", Policy::ServerAuthoritative, "applied 95 a", "server-changed 95 a auto:op"),
        ("server_wins", Policy::ServerWins, "applied 95 a", "superseded 95 a auto:op"),
        ("client_wins", Policy::ClientWins, "applied 95 a", "applied 40 c auto:record+record"),
        ("first_write_wins", Policy::FirstWriteWins, "applied 95 a", "already-written 95 a"),
        ("additive", Policy::Additive, "merged 190 a", "merged 135 c auto:record"),
        ("max", Policy::Max, "applied 95 a", "merged 95 c auto:op+record"),
        ("min", Policy::Min, "applied 95 a", "applied 40 c auto:record+record"),
        ("rules", Policy::Rules, "applied 95 a", "conflict 95 a open:op"),
        ("manual", Policy::Manual, "applied 95 a", "conflict 95 a open:op"),
    ] {
        let ty = entity_type(policy);
        for (content, want) in [(&same, want_same), (&other, want_other)] {
            let mut world = World::new(&ty, &actors, Some(record()));
            let decision = world.push(&op(stamp(CID, 1, 30), &[], Action::Create(values(content))));
            assert_eq!(shown(&world, &decision), want, "{name}");
        }
    }
}

#[test]
fn some_things_are_the_servers_to_do() {
    let actors = usual_actors();
    let check = |policy, actor, record, action: Action, want: &str| {
        let ty = entity_type(policy);
        let mut world = World::new(&ty, &actors, record);
        let seen: &[_] = if world.record.is_some() { &[(ANN, 1), (BOB, 1)] } else { &[] };
        let decision = world.push(&op(stamp(actor, 9, 30), seen, action));
        assert_eq!(shown(&world, &decision), want);
    };
    let create = || Action::Create(values(&[("qty", 1.into())]));
    check(Policy::ServerAuthoritative, ANN, None, create(), "forbidden-op gone");
    check(Policy::ServerAuthoritative, SERVER, None, create(), "applied 1 -");
    check(Policy::AppendOnly, ANN, Some(record()), Action::Delete, "append-only 95 a");
    check(Policy::AppendOnly, SERVER, Some(record()), Action::Delete, "applied gone");
    check(Policy::AppendOnly, SERVER, Some(record()), add("qty", 1), "append-only 95 a");
}

/// A restoration carries the whole value, also onto a record that is there.
#[test]
fn a_restoration_replaces_all_fields() {
    let actors = usual_actors();
    let ty = entity_type(Policy::Lww);
    let mut world = World::new(&ty, &actors, Some(record()));
    let restore = op(stamp(ANN, 2, 30), &[(ANN, 1), (BOB, 1)], Action::Restore(values(&[("qty", 1.into())])));
    let decision = world.push(&restore);
    assert_eq!(shown(&world, &decision), "applied 1 -");
}

/// An author who saw more than there is, as after the server was restored from a backup, is not taken for one who saw all.
#[test]
fn who_saw_more_than_there_is_did_not_see_what_is() {
    let actors = usual_actors();
    let ty = entity_type(Policy::ServerWins);
    let mut world = World::new(&ty, &actors, Some(record()));
    let mut ahead = op(stamp(ANN, 2, 30), &[(ANN, 1), (BOB, 1)], set(&[("qty", 7.into())]));
    ahead.context = Context { beyond: true, ..ahead.context };
    let decision = world.push(&ahead);
    assert_eq!(shown(&world, &decision), "superseded 95 a auto:op");
}

/// What was written in a document that was deleted meanwhile is kept, up to a size; the author of more keeps it, being refused.
#[test]
fn an_update_that_lost_to_a_deletion_is_kept() {
    let (ty, actors) = (entity_type(Policy::Crdt), usual_actors());
    let push = |bytes: usize, seen: &[_]| {
        let update = Action::Document(vec![7; bytes].into());
        let decision =
            World::new(&ty, &actors, Some(tombstone())).push(&op(stamp(CID, 1, 40), seen, update.clone()));
        let kept =
            decision.conflict.map(|draft| (draft.kind, draft.open, draft.candidates[0].wish == update));
        (decision.outcome, kept)
    };
    let refused = || (Outcome::Rejected(RefusalCode::EntityDeleted.into()), None);
    let kept = Some((ConflictKind::UpdateDelete, false, true));
    assert_eq!(push(CONFLICT_UPDATE_BYTES_MAX, &[(ANN, 1)]), (Outcome::Superseded, kept));
    assert_eq!(push(CONFLICT_UPDATE_BYTES_MAX + 1, &[(ANN, 1)]), refused());
    assert_eq!(push(2, &[(ANN, 1), (BOB, 2)]), refused(), "its author knew");
}
