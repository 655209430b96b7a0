//! Bodies as clients send them.

use syncline_core::clock::{HybridTime, ReplicaId};
use syncline_core::entity::conflict::Choice;
use syncline_core::entity::{Action, ActorName, Claim, Decimal, Epoch, FieldName, RecordVersion, Value};
use syncline_core::time::WallMs;

use super::super::*;
use crate::ledger::{ConflictId, PushSeen};

fn field(name: &str) -> FieldName {
    FieldName::new(name).expect("a name")
}

#[test]
fn a_push_is_read_whole() {
    let body = br#"{"device_id":"d1","client_now":"2026-01-01T00:00:00Z","rtt_ms":40,"from_n":42,"later":[],
        "ops":[{"n":"42","type":"inventory","id":"inv_9","op":"update",
            "ctx":{"ver":"7","vv":{"d2":"7","d3":8,"d4":"0"},"hlc":"00000000000a0001"},
            "set":{"status":"done","price":24.50,"tags":[null,true,{"a":-1e-3}]},"unset":["note"],
            "was":{"status":"open","note":null},"delta":{},"update":null,
            "hlc":"00000000000B0000","at":"1970-01-01T00:00:01.5Z","deps":["41",40],"tx":"t1",
            "refs":[{"type":"product","id":"tmp_p"}],"schema_v":3,"meta":{"x":1}},
        {"n":43,"op":"noop","type":"a b","set":[1e999],"tx":""},
        {"n":44,"op":"crdt","type":"note","id":"n1","update":"AAE=","ctx":{"after":"42"}},
        {"n":45,"op":"delta","type":"inventory","id":"inv_9","delta":{"qty":-3}}]}"#;
    let push = Push::parse(body).expect("it is right");
    assert_eq!(push.clock.now, Some(WallMs(1_767_225_600_000)));
    assert_eq!((push.device.as_str(), push.clock.rtt_ms, push.ops.len()), ("d1", 40, 4));
    let contents: Vec<&Content> = push.ops.iter().map(|op| &op.content).collect();
    assert!(push.ops.iter().all(|op| op.faults.is_empty()));
    let [update, noop, document, delta] = contents[..] else { panic!("{contents:?}") };

    let Action::Update { set, unset } = &update.action else { panic!("{update:?}") };
    assert_eq!(set[&field("price")], Value::Number(Decimal::parse("24.5").expect("a number")));
    assert_eq!(set[&field("tags")].items().map(<[_]>::len), Some(3));
    assert!(unset.contains(&field("note")) && update.was[&field("note")].is_none());
    assert_eq!(update.entity.as_ref().map(ToString::to_string).as_deref(), Some("inventory/inv_9"));
    assert_eq!(update.time.hlc, Some(HybridTime::from_bits(0xb_0000)));
    assert_eq!((update.time.at, update.time.seen), (Some(WallMs(1500)), None));
    assert!(update.deps.iter().eq(&[40, 41]) && update.refs.len() == 1);
    assert_eq!((update.tx.as_deref(), update.schema_v), (Some("t1"), Some(3)));

    assert_eq!((&noop.action, &noop.entity), (&Action::Noop, &None));
    assert!(push.ops[1].numbered.is_noop && !push.ops[0].numbered.is_noop);
    assert_eq!((&document.action, &document.seen), (&Action::Document(vec![0, 1].into()), &Seen::After(42)));
    assert_eq!(delta.action, Action::Delta([(field("qty"), (-3).into())].into()));

    // An actor that the ledger does not know is a stranger; one of which nothing was seen is not.
    let d2 = |name: &ActorName| (name.as_str() == "d2").then_some(ReplicaId(5));
    let pushed = update.clone().into_pushed(push.ops[0].numbered, d2, 1);
    let vv = Some([(ReplicaId(5), 7)].into_iter().collect());
    let hlc = Some(HybridTime::from_bits(0xa_0001));
    let claim = Claim { ver: Some(RecordVersion(7)), vv, strangers: true, hlc };
    assert_eq!((pushed.seen, pushed.schema_v), (PushSeen::Record(claim), 3));
    assert_eq!(delta.clone().into_pushed(push.ops[3].numbered, d2, 1).schema_v, 1);
}

#[test]
fn pulls_and_acks_are_read() {
    let body = br#"{"device_id":"d1","wait_ms":9,"scopes":[
        {"scope":"work_orders","params":{"territory":"7","n":1.50,"b":true},"cursor":null,"priority":1,"have":{"n1":"AA=="}},
        {"scope":"a","cursor":"s1.x","limit":9999},{"scope":"b","limit":0}],"ack":[{"scope":"a","cursor":"s1.y"}]}"#;
    let pull = Pull::parse(body).expect("it is right");
    let limits: Vec<usize> = pull.scopes.iter().map(|scope| scope.limit).collect();
    assert_eq!((limits.as_slice(), pull.wait_ms), (&[500, 1000, 1][..], 9));
    let first = &pull.scopes[0];
    assert!(first.params.iter().map(|(name, it)| format!("{name}={it}")).eq([
        "b=true",
        "n=1.5",
        "territory=7"
    ]));
    assert!(first.cursor.is_none() && first.have.values().eq([&[0_u8][..]]));
    assert_eq!((pull.scopes[1].cursor.as_deref(), pull.acked[0].cursor.as_str()), (Some("s1.x"), "s1.y"));

    let body = br#"{"device_id":"d1","cursors":[{"scope":"a","cursor":"c"}],"results_through":"47",
        "backlog":{"pending":3,"oldest_at":"1970-01-01T00:00:00Z","dead":0}}"#;
    let ack = Ack::parse(body).expect("it is right");
    assert_eq!((ack.cursors.len(), ack.results_through), (1, Some(47)));
    assert_eq!(ack.backlog, Some(Backlog { pending: 3, oldest_at: Some(WallMs(0)), dead: 0 }));
}

#[test]
fn a_reconciliation_has_two_forms() {
    let body = br#"{"device_id":"d1","cursors":[],"results_through":1,"ops":[{"n":1,"op":"noop"}],"scopes":[{"scope":"a"}]}"#;
    let Ok(Reconcile::Union { ack, push, pull }) = Reconcile::parse(body) else { panic!("the long form") };
    assert_eq!((ack.results_through, push.ops.len(), pull.scopes.len()), (Some(1), 1, 1));

    let body = br#"{"device_id":"d1","last_ack_version":12,"mutations":[
        {"temp_id":"tmp_1","entity_id":null,"type":"task","operation":"create","payload":{"a":1},"version":0,
         "occurred_at":"1970-01-01T00:00:01Z","client_mutation_id":"m1"},
        {"entity_id":"t2","type":"task","operation":"delete","payload":{"a":1e999},"version":"3"},
        {"entity_id":"t 3","type":"task","operation":"update","payload":{"":1}}]}"#;
    let Ok(Reconcile::Short(short)) = Reconcile::parse(body) else { panic!("the short form") };
    assert_eq!(short.last_ack, Some(LastAck::Place(12)));
    let [create, delete, update] = &short.mutations[..] else { panic!("{short:?}") };
    let content = &create.content;
    assert_eq!(content.entity.as_ref().map(|entity| entity.id.as_str()), Some("tmp_1"));
    assert_eq!((create.name.as_deref(), content.time.at), (Some("m1"), Some(WallMs(1000))));
    assert_eq!(content.action, Action::Create([(field("a"), 1.into())].into()));
    // What a deletion brings along is not looked at.
    assert_eq!((&delete.content.action, delete.faults.len()), (&Action::Delete, 0));
    assert_eq!((create.faults.len(), update.faults.len()), (0, 2));
    let body = br#"{"device_id":"d1","last_ack_version":"s1.abc"}"#;
    let Ok(Reconcile::Short(short)) = Reconcile::parse(body) else { panic!("the short form") };
    assert_eq!(short.last_ack, Some(LastAck::Checkpoint("s1.abc".into())));
}

#[test]
fn resolutions_are_read() {
    let read = |choice: &str| {
        let body = format!(
            r#"{{"conflict_id":"cnf_7","resolution_id":"r","expect":{{"conflict_rev":2,"entity_ver":"5"}},
                "choice":"{choice}","value":{{"a":1}},"rationale":"so","approve":true}}"#
        );
        let resolve = Resolve::parse(body.as_bytes(), "ann").expect(choice);
        assert_eq!(resolve.conflict, Some(ConflictId { epoch: Epoch(1), n: 7 }));
        let request = resolve.request.expect(choice);
        assert_eq!(
            (request.by.as_str(), request.entity_ver, request.approval),
            ("ann", RecordVersion(5), true)
        );
        request.choice
    };
    assert_eq!(read("server"), Choice::Server);
    assert_eq!(read("candidate:31"), Choice::Candidate(31));
    let set = [(field("a"), 1.into())].into();
    assert_eq!(read("merged"), Choice::Merged(Action::Update { set, unset: Default::default() }));
    let later = ConflictId { epoch: Epoch(9), n: 7 };
    assert_eq!((conflict_id("cnf_9_7"), conflict_name(later).as_str()), (Some(later), "cnf_9_7"));
    let odd = ["cnf_", "cnf_07", "cnf_+7", "7", "cnf_18446744073709551616"];
    let odd_lives = ["cnf_1_7", "cnf_09_7", "cnf_9_07", "cnf_9_", "cnf__7", "cnf_9_7_1", "cnf_9.7"];
    for name in odd.into_iter().chain(odd_lives) {
        assert_eq!(conflict_id(name), None, "{name}");
    }
}

#[test]
fn devices_and_scopes_are_read() {
    let device = DeviceRequest::parse(br#"{"device_id":"d1","name":"Ann's","app":"field/2.6.0","os":"x"}"#);
    let device = device.expect("it is right");
    assert_eq!((device.name.as_deref(), device.app.as_deref()), (Some("Ann's"), Some("field/2.6.0")));
    let scope = ScopeRequest::parse(br#"{"types":["work_order"],"bucket":"territory:{territory}"}"#);
    let scope = scope.expect("it is right");
    assert_eq!((scope.types.len(), scope.bucket.as_deref()), (1, Some("territory:{territory}")));
}
