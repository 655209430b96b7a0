//! The decision table: each policy, each kind of write, by an author who has seen the record as it is and by one who has not.

use syncline_core::entity::{
    Action, DeleteUpdate, EntityType, Fallback, Field, FieldRule, Op, Policy, Ruling, Value,
};

use super::support::{
    ANN, BOB, CID, POLICIES, World, add, entity_type, field, op, record, set, shown, stamp, usual_actors,
    values, with_was,
};

/// The record holds 95 of a. Ann writes; what she has not seen when she is late is that Bob made 95 of 100. What she wrote counts
/// as made after that, or before. `=98!` says from which value she started. In a cell: the outcome, what the record holds
/// then, and who has lost something that is kept (`auto`) or waits for a person (`open`).
const TABLE: &str = "
append_only          qty=98   | append-only 95 a                | append-only 95 a                | append-only 95 a
append_only          delete   | append-only 95 a                | append-only 95 a                | append-only 95 a
append_only          qty+3    | append-only 95 a                | append-only 95 a                | append-only 95 a

lww                  qty=98   | applied 98 a                    | applied 98 a auto:record        | superseded 95 a auto:op
lww                  name=b   | applied 95 b                    | applied 95 b                    | applied 95 b
lww                  both     | applied 98 b                    | applied 98 b auto:record        | merged 95 b auto:op
lww                  unset    | applied - a                     | applied - a auto:record         | superseded 95 a auto:op
lww                  qty=95   | applied 95 a                    | applied 95 a                    | applied 95 a
lww                  qty+3    | applied 98 a                    | validation-failed 95 a          | validation-failed 95 a
lww                  delete   | applied gone                    | applied gone auto:record        | applied gone auto:record

lww/whole            both     | applied 98 b                    | applied 98 b auto:record        | superseded 95 a auto:op
lww/whole            name=b   | applied - b                     | applied - b auto:record         | superseded 95 a auto:op
lww/whole            qty+3    | applied 98 a                    | validation-failed 95 a          | validation-failed 95 a
lww/whole            delete   | applied gone                    | applied gone auto:record        | applied gone auto:record

field_merge          qty=98   | applied 98 a                    | applied 98 a auto:record        | superseded 95 a auto:op
field_merge          name=b   | applied 95 b                    | merged 95 b                     | merged 95 b
field_merge          both     | applied 98 b                    | applied 98 b auto:record        | merged 95 b auto:op
field_merge          qty+3    | applied 98 a                    | validation-failed 95 a          | validation-failed 95 a
field_merge          delete   | applied gone                    | applied gone auto:record        | applied gone auto:record
field_merge/keep     delete   | applied gone                    | superseded 95 a auto:op         | superseded 95 a auto:op
field_merge/asks     delete   | applied gone                    | conflict 95 a open:op           | conflict 95 a open:op
field_merge/server   qty=98   | applied 98 a                    | superseded 95 a auto:op         | superseded 95 a auto:op
field_merge/server   both     | applied 98 b                    | merged 95 b auto:op             | merged 95 b auto:op
field_merge/client   qty=98   | applied 98 a                    | applied 98 a auto:record        | applied 98 a auto:record
field_merge/additive qty=98   | applied 98 a                    | validation-failed 95 a          | validation-failed 95 a
field_merge/additive qty=98!  | applied 98 a                    | merged 93 a                     | merged 93 a
field_merge/additive qty+3    | applied 98 a                    | merged 98 a                     | merged 98 a
field_merge/additive unset    | validation-failed 95 a          | validation-failed 95 a          | validation-failed 95 a
field_merge/max      qty=98   | applied 98 a                    | applied 98 a auto:record        | applied 98 a auto:record
field_merge/max      qty=90   | superseded 95 a auto:op         | superseded 95 a auto:op         | superseded 95 a auto:op
field_merge/min      qty=90   | applied 90 a                    | applied 90 a auto:record        | applied 90 a auto:record
field_merge/min      qty=98   | superseded 95 a auto:op         | superseded 95 a auto:op         | superseded 95 a auto:op
field_merge/manual   qty=98   | applied 98 a                    | conflict 95 a open:op           | conflict 95 a open:op
field_merge/manual   both     | applied 98 b                    | conflict 95 b open:op           | conflict 95 b open:op
field_merge/manual   name=b   | applied 95 b                    | merged 95 b                     | merged 95 b

server_authoritative qty=98   | applied 98 a                    | server-changed 95 a auto:op     | server-changed 95 a auto:op
server_authoritative name=b   | applied 95 b                    | server-changed 95 a auto:op     | server-changed 95 a auto:op
server_authoritative qty+3    | applied 98 a                    | server-changed 95 a auto:op     | server-changed 95 a auto:op
server_authoritative delete   | applied gone                    | server-changed 95 a auto:op     | server-changed 95 a auto:op

server_wins          qty=98   | applied 98 a                    | superseded 95 a auto:op         | superseded 95 a auto:op
server_wins          name=b   | applied 95 b                    | superseded 95 a auto:op         | superseded 95 a auto:op
server_wins          qty+3    | applied 98 a                    | superseded 95 a auto:op         | superseded 95 a auto:op
server_wins          delete   | applied gone                    | superseded 95 a auto:op         | superseded 95 a auto:op

client_wins          qty=98   | applied 98 a                    | applied 98 a auto:record        | applied 98 a auto:record
client_wins          name=b   | applied 95 b                    | applied 95 b                    | applied 95 b
client_wins          qty+3    | applied 98 a                    | merged 98 a                     | merged 98 a
client_wins          delete   | applied gone                    | applied gone auto:record        | applied gone auto:record

first_write_wins     qty=98   | applied 98 a                    | already-written 95 a            | already-written 95 a
first_write_wins     name=b   | applied 95 b                    | already-written 95 a            | already-written 95 a
first_write_wins     delete   | applied gone                    | already-written 95 a            | already-written 95 a

additive             qty=98   | applied 98 a                    | validation-failed 95 a          | validation-failed 95 a
additive             qty=98!  | applied 98 a                    | merged 93 a                     | merged 93 a
additive             qty+3    | applied 98 a                    | merged 98 a                     | merged 98 a
additive             name=b   | applied 95 b                    | applied 95 b                    | applied 95 b
additive             both     | applied 98 b                    | validation-failed 95 a          | validation-failed 95 a
additive             unset    | validation-failed 95 a          | validation-failed 95 a          | validation-failed 95 a
additive             delete   | applied gone                    | applied gone auto:record        | applied gone auto:record

max                  qty=98   | applied 98 a                    | applied 98 a auto:record        | applied 98 a auto:record
max                  qty=90   | superseded 95 a auto:op         | superseded 95 a auto:op         | superseded 95 a auto:op
max                  qty=95   | applied 95 a                    | applied 95 a                    | applied 95 a
max                  qty+3    | validation-failed 95 a          | validation-failed 95 a          | validation-failed 95 a
max                  name=b   | applied 95 b                    | applied 95 b                    | applied 95 b
max                  delete   | applied gone                    | applied gone auto:record        | applied gone auto:record
min                  qty=90   | applied 90 a                    | applied 90 a auto:record        | applied 90 a auto:record
min                  qty=98   | superseded 95 a auto:op         | superseded 95 a auto:op         | superseded 95 a auto:op
min                  delete   | applied gone                    | applied gone auto:record        | applied gone auto:record

rules                qty=98   | applied 98 a                    | conflict 95 a open:op           | conflict 95 a open:op
rules                delete   | applied gone                    | conflict 95 a open:op           | conflict 95 a open:op
rules/veto           qty=98   | validation-failed 95 a          | validation-failed 95 a          | validation-failed 95 a
rules/escalate       qty=98   | conflict 95 a open:op           | conflict 95 a open:op           | conflict 95 a open:op
rules/take server    qty=98   | applied 98 a                    | superseded 95 a auto:op         | superseded 95 a auto:op
rules/take server    delete   | applied gone                    | superseded 95 a auto:op         | superseded 95 a auto:op
rules/take client    qty=98   | applied 98 a                    | applied 98 a auto:record        | applied 98 a auto:record
rules/take client    delete   | applied gone                    | applied gone auto:record        | applied gone auto:record
rules/take lww       qty=98   | applied 98 a                    | applied 98 a auto:record        | superseded 95 a auto:op
rules/take lww       delete   | applied gone                    | applied gone auto:record        | applied gone auto:record
rules/compute 97     qty=98   | applied 98 a                    | merged 97 a auto:op+record      | merged 97 a auto:op+record
rules/compute 97     delete   | applied gone                    | merged 97 a auto:op+record      | merged 97 a auto:op+record
rules/else server    qty=98   | applied 98 a                    | superseded 95 a auto:op         | superseded 95 a auto:op
rules/else client    qty=98   | applied 98 a                    | applied 98 a auto:record        | applied 98 a auto:record
rules/else lww       qty=98   | applied 98 a                    | applied 98 a auto:record        | superseded 95 a auto:op
rules/else lww       delete   | applied gone                    | applied gone auto:record        | applied gone auto:record

manual               qty=98   | applied 98 a                    | conflict 95 a open:op           | conflict 95 a open:op
manual               name=b   | applied 95 b                    | conflict 95 a open:op           | conflict 95 a open:op
manual               qty=95   | applied 95 a                    | applied 95 a                    | applied 95 a
manual               delete   | applied gone                    | conflict 95 a open:op           | conflict 95 a open:op

crdt                 document | applied 95 a                    | merged 95 a                     | merged 95 a
crdt                 qty=98   | validation-failed 95 a          | validation-failed 95 a          | validation-failed 95 a
crdt                 delete   | applied gone                    | applied gone auto:record        | applied gone auto:record
lww                  document | validation-failed 95 a          | validation-failed 95 a          | validation-failed 95 a
";

#[test]
fn each_cell_is_as_the_table_says() {
    let mut policies = Vec::new();
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [head, equal, later, earlier] = cells[..] else { panic!("four columns: {line}") };
        let (policy, write) = head.rsplit_once(' ').expect("a policy and a write");
        let policy = policy.trim();
        policies.push(policy.split('/').next().expect("a name"));
        let seen = [(ANN, 1), (BOB, 1)];
        let missed = [(ANN, 1)];
        let beyond = [(ANN, 1), (CID, 5)];
        for ms in [15, 30] {
            check(policy, write, true, op(stamp(ANN, 2, ms), &seen, action(write)), equal);
        }
        for seen in [&missed[..], &beyond] {
            check(policy, write, false, op(stamp(ANN, 2, 30), seen, action(write)), later);
            check(policy, write, false, op(stamp(ANN, 2, 15), seen, action(write)), earlier);
        }
    }
    for (name, _) in POLICIES {
        assert!(policies.contains(&name), "{name} is not in the table");
    }
}

fn check(policy: &str, write: &str, is_equal: bool, op: Op, want: &str) {
    let (ty, ruling) = parsed(policy);
    let actors = usual_actors();
    let mut before = record();
    if ty.whole {
        // Bob could only write it all.
        let stamp = before.stamp();
        before.fields.values_mut().for_each(|slot| slot.stamp = stamp);
    }
    let mut world = World { ruling, ..World::new(&ty, &actors, Some(before)) };
    let op = if write.ends_with('!') {
        with_was(op, &[("qty", if is_equal { 95 } else { 100 }.into())])
    } else {
        op
    };
    let decision = world.push(&op);
    assert_eq!(shown(&world, &decision), want, "{policy} {write} {op:?}");
}

fn action(write: &str) -> Action {
    let quantity = |text: &str| Value::from(text.trim_end_matches('!').parse::<i64>().expect("a number"));
    match write {
        "delete" => Action::Delete,
        "both" => set(&[("qty", 98.into()), ("name", "b".into())]),
        "name=b" => set(&[("name", "b".into())]),
        "unset" => Action::Update { set: values(&[]), unset: [field("qty")].into() },
        "qty+3" => add("qty", 3),
        "document" => Action::Document(vec![0, 0].into()),
        _ => set(&[("qty", quantity(write.strip_prefix("qty=").expect("a write")))]),
    }
}

fn parsed(policy: &str) -> (EntityType, Option<Ruling>) {
    let (name, detail) = policy.split_once('/').unwrap_or((policy, ""));
    let (_, policy) = POLICIES.into_iter().find(|(known, _)| *known == name).expect("a policy");
    let mut ty = entity_type(policy);
    let mut ruling = None;
    let mut rule = None;
    match detail {
        "" => {}
        "whole" => ty.whole = true,
        "keep" => ty.delete_update = DeleteUpdate::Keep,
        "asks" => ty.delete_update = DeleteUpdate::Manual,
        "server" => rule = Some(FieldRule::Server),
        "client" => rule = Some(FieldRule::Client),
        "additive" => rule = Some(FieldRule::Additive),
        "max" => rule = Some(FieldRule::Max),
        "min" => rule = Some(FieldRule::Min),
        "manual" => rule = Some(FieldRule::Manual),
        "veto" => ruling = Some(Ruling::Veto),
        "escalate" => ruling = Some(Ruling::Escalate),
        "take server" => ruling = Some(Ruling::Server),
        "take client" => ruling = Some(Ruling::Client),
        "take lww" => ruling = Some(Ruling::Lww),
        "compute 97" => ruling = Some(Ruling::Compute(values(&[("qty", 97.into())]))),
        "else server" => ty.fallback = Some(Fallback::Server),
        "else client" => ty.fallback = Some(Fallback::Client),
        "else lww" => ty.fallback = Some(Fallback::Lww),
        _ => panic!("{detail}?"),
    }
    if policy == Policy::FieldMerge {
        ty.fields = Some([(field("qty"), Field { rule, ..Field::default() })].into());
    }
    ty.check().expect("the type means something");
    (ty, ruling)
}
