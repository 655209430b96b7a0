//! Values in, bodies out: letter for letter, since clients compare them to what the contract shows.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use syncline_core::clock::{Dot, HybridTime, ReplicaId, VectorClock};
use syncline_core::entity::conflict::{Candidate, Choice, Conflict, ConflictKind, Draft, Origin, Request};
use syncline_core::entity::{
    Action, ActorName, Actors, EntityId, EntityKey, Epoch, FieldName, FieldRule, Outcome, Policy, Record,
    RecordVersion, RefusalCode, Sequence, Slot, Stamp, TypeName, Value, Values,
};
use syncline_core::time::WallMs;

use super::super::*;
use crate::ledger::audit::{AuditEntry, AuditEvent, AuditIndex, AuditPayload, Audited};
use crate::ledger::{
    self, Comment, ConflictId, ContentHash, Health, OpResult, Proposal, RecordState, Reset, UserNumber,
};

/// "d2" came first, so that numbers and names have different orders.
pub(super) fn actors() -> Actors {
    let mut actors = Actors::new();
    for name in ["d2", "d1"] {
        actors.number(&ActorName::new(name).expect("a name"));
    }
    actors
}

pub(super) fn field(name: &str) -> FieldName {
    FieldName::new(name).expect("a name")
}

pub(super) fn key() -> EntityKey {
    EntityKey {
        kind: TypeName::new("work_order").expect("a name"),
        id: EntityId::new("wo_1").expect("an id"),
    }
}

fn values() -> Values {
    [(field("qty"), Value::from(97)), (field("a"), "x".into())].into()
}

fn stamp() -> Stamp {
    Stamp { hlc: HybridTime::from_bits(0x194_c100), dot: Dot::new(ReplicaId(0), 7) }
}

fn state() -> RecordState {
    let vv: VectorClock = [(ReplicaId(0), 7), (ReplicaId(1), 40)].into_iter().collect();
    let Stamp { hlc, dot } = stamp();
    RecordState { epoch: Epoch(7), ver: RecordVersion(8), vv, dot, hlc, seq: Sequence(90_011) }
}

pub(super) fn record() -> Record {
    let state = state();
    let slot = |value| Slot { value, stamp: stamp(), ver: state.ver, others: VectorClock::new() };
    let mut fields: BTreeMap<FieldName, Slot> =
        values().into_iter().map(|(name, value)| (name, slot(Some(value)))).collect();
    fields.insert(field("gone"), slot(None));
    let RecordState { epoch, ver, vv, dot, hlc, seq } = state;
    Record { epoch, ver, seq, vv, dot, hlc, deleted: false, fields, schema_v: 3 }
}

fn conflict() -> Conflict {
    let set = [(field("qty"), Value::from(1))].into();
    let wish = Action::Update { set, unset: [field("a")].into() };
    let draft = Draft {
        kind: ConflictKind::ConcurrentUpdate,
        open: true,
        fields: [field("qty")].into(),
        base: [(field("qty"), None)].into(),
        standing: [(field("qty"), Some(Value::from(97)))].into(),
        candidates: vec![Candidate { origin: Origin::Op, stamp: stamp(), wish }],
        others: Default::default(),
    };
    Conflict::new(draft, key(), Policy::Manual, WallMs(1000))
}

const STATE: &str = r#""vv":{"d1":"40","d2":"7"},"dot":["d2","7"],"hlc":"000000000194c100""#;

fn pushed<'a>(results: Vec<Told<'a>>) -> Pushed<'a> {
    let id_map = vec![(EntityId::new("tmp_abc").expect("an id"), EntityId::new("INV-42").expect("an id"))];
    let (epoch, fence) = (Epoch(7), Sequence(90_415));
    Pushed { epoch, last_n: 41, high_n: 44, done_beyond: vec![43, 44], fence, results, id_map }
}

fn pulled<'a>(scopes: Vec<ScopePage<'a>>) -> Pulled<'a> {
    Pulled {
        epoch: Epoch(7),
        as_of: Sequence(90_412),
        server_hlc: stamp().hlc,
        last_n: 41,
        high_n: 41,
        scopes,
        results: Vec::new(),
        conflicts_open: 3,
        poll_after_ms: Some(900_000),
        upgrade: Some(UpgradeHint { min: "2.4.0", recommended: "2.6.0", deadline: Some(WallMs(0)) }),
    }
}

#[test]
fn results_say_what_the_contract_shows() {
    let (key, data, state, actors) = (key(), values(), state(), actors());
    let fields: BTreeSet<FieldName> = [field("price")].into();
    let combined: BTreeMap<_, _> = [(field("qty"), (FieldRule::Additive, Value::from(97)))].into();
    let bare = |status| Told::bare(42, status);
    let check = |told: Told<'_>, want: &str| {
        let body = pushed(vec![told]).body(&actors);
        let want = format!(
            r#"{{"epoch":"7","last_n":"41","high_n":"44","done_beyond":["43","44"],"fence":"90415","results":[{want}],"id_map":{{"tmp_abc":"INV-42"}}}}"#
        );
        assert_eq!(body, want);
    };
    let named = Told { entity: Some(&key), record: Some(&state), ..bare(Status::Applied) };
    let head = format!(r#""type":"work_order","id":"wo_1","epoch":"7","ver":"8",{STATE},"seq":"90011""#);
    check(named.clone(), &format!(r#"{{"n":"42","status":"applied",{head}}}"#));
    let again = Status::Duplicate(Some(Box::new(named)));
    check(
        bare(again),
        &format!(r#"{{"n":"42","status":"duplicate","of":{{"n":"42","status":"applied",{head}}}}}"#),
    );
    check(bare(Status::Duplicate(None)), r#"{"n":"42","status":"duplicate","of":null}"#);
    check(
        Told { data: Some(&data), combined: Some(&combined), ..bare(Status::Merged) },
        r#"{"n":"42","status":"merged","fields":{"qty":{"rule":"additive","value":97}},"data":{"a":"x","qty":97}}"#,
    );
    check(
        Told { data: Some(&data), by: Some(stamp()), ..bare(Status::Superseded) },
        r#"{"n":"42","status":"superseded","by":{"dot":["d2","7"],"hlc":"000000000194c100"},"data":{"a":"x","qty":97}}"#,
    );
    let kind = ConflictKind::ConcurrentUpdate;
    let collision = Some(Collision { id: ConflictId { epoch: Epoch(1), n: 1 }, kind, fields: &fields });
    check(
        Told { data: Some(&data), collision, ..bare(Status::Conflict) },
        r#"{"n":"42","status":"conflict","conflict_id":"cnf_1","kind":"concurrent_update","fields":["price"],"server":{"ver":"0","data":{"a":"x","qty":97}},"data":{"a":"x","qty":97}}"#,
    );
    let late = Problem { retry_after_ms: Some(2000), ..Problem::new(Code::HandlerUnavailable) };
    check(
        bare(Status::Deferred(late)),
        r#"{"n":"42","status":"deferred","problem":{"code":"handler-unavailable","retry":"after","retry_after_ms":2000}}"#,
    );
    let fault = OpFault { pointer: "/id".into(), reason: FaultReason::Missing };
    let refused = || bare(Status::Rejected(Problem::new(Code::ValidationFailed)));
    let again = bare(Status::Duplicate(Some(Box::new(refused()))));
    let Status::Duplicate(Some(of)) = again.with_faults(std::slice::from_ref(&fault)).status else {
        panic!("it had its result")
    };
    assert_eq!(*of, refused().with_faults(std::slice::from_ref(&fault)));
    assert_eq!(bare(Status::Applied).with_faults(std::slice::from_ref(&fault)).status, Status::Applied);
    check(
        refused().with_faults(&[fault]),
        r#"{"n":"42","status":"rejected","problem":{"code":"validation-failed","retry":"never","errors":[{"pointer":"/id","code":"missing","detail":"an op of this kind needs it"}]}}"#,
    );
}

#[test]
fn results_are_told_as_the_ledger_has_them() {
    let (key, kind) = (key(), ConflictKind::ConcurrentUpdate);
    let fields: BTreeSet<FieldName> = [field("price")].into();
    let combined: BTreeMap<_, _> = [(field("qty"), (FieldRule::Additive, Value::from(97)))].into();
    let result = |outcome, is_duplicate| OpResult {
        n: 42,
        entity: key.clone(),
        outcome,
        is_duplicate,
        record: None,
        data: None,
        combined: combined.clone(),
        detail: Some("why".into()),
        conflict: Some(ledger::Collision {
            id: ConflictId { epoch: Epoch(1), n: 1 },
            kind,
            fields: fields.clone(),
        }),
        superseded_by: Some(stamp()),
    };
    let rejected = result(Outcome::Rejected(RefusalCode::EntityDeleted.into()), false);
    let told = Told::of(&rejected, Some(&key));
    assert_eq!(told.status, Status::Rejected(Problem::new(Code::EntityDeleted).because("why")));
    assert_eq!((told.combined, told.by), (Some(&combined), Some(stamp())));
    let again = result(Outcome::Conflict, true);
    let Status::Duplicate(Some(of)) = Told::of(&again, None).status else { panic!("it had its result") };
    assert_eq!(of.collision.map(|collision| collision.id), Some(ConflictId { epoch: Epoch(1), n: 1 }));
}

#[test]
fn pages_say_what_the_contract_shows() {
    let (key, record) = (key(), record());
    let page = ScopePage {
        scope: "work_orders",
        reset: Some(Reset::ScopeChanged),
        changes: vec![
            Change::Put(&key, &record),
            Change::Delete(&key, &record),
            Change::Evict(&key, EvictReason::Scope),
            Change::Document { key: &key, record: &record, update: &[0, 1, 255], state_vector: &[] },
        ],
        cursor: "s1.x",
        has_more: false,
        checksum: Some((1203, 0x9f3c)),
        progress: Some((1, 2)),
    };
    let head = format!(r#""type":"work_order","id":"wo_1","epoch":"7","ver":"8","seq":"90011",{STATE}"#);
    let changes = [
        format!(r#"{{"op":"put",{head},"schema_v":3,"data":{{"a":"x","qty":97}}}}"#),
        format!(r#"{{"op":"delete",{head}}}"#),
        r#"{"op":"evict","type":"work_order","id":"wo_1","reason":"scope"}"#.to_owned(),
        format!(r#"{{"op":"crdt",{head},"update":"AAH/","state_vector":"","data":{{"a":"x","qty":97}}}}"#),
    ];
    let scope = format!(
        r#"{{"scope":"work_orders","reset":{{"reason":"scope_changed"}},"changes":[{}],"cursor":"s1.x","has_more":false,"up_to_date":true,"checksum":{{"count":"1203","sum":"0000000000009f3c"}},"progress":{{"done":1,"total":2}}}}"#,
        changes.join(",")
    );
    let want = format!(
        r#"{{"epoch":"7","as_of":"90412","server_hlc":"000000000194c100","last_n":"41","high_n":"41","scopes":[{scope}],"results":[],"conflicts_open":3,"hints":{{"poll_after_ms":900000,"upgrade":{{"min":"2.4.0","recommended":"2.6.0","deadline":"1970-01-01T00:00:00.000Z"}}}}}}"#
    );
    let pull = pulled(vec![page]);
    assert_eq!(pull.body(&actors()), want);

    let ack = Acknowledged { acked: vec![("work_orders", Sequence(5))], floor: Sequence(4) };
    let acked = r#"{"acked":[{"scope":"work_orders","pos":"5"}],"floor":"4"}"#;
    assert_eq!(ack.body(), acked);
    let lost = Told::bare(9, Status::Superseded);
    let reconciled = Reconciled { ack, push: pushed(vec![lost]), pull };
    let body = reconciled.body(&actors());
    assert!(body.starts_with(&format!(r#"{{"ack":{acked},"push":{{"epoch""#)), "{body}");
    let tail =
        r#""applied":[],"conflicts":[{"n":"9","status":"superseded"}],"rejected":[],"checkpoint":"s1.x"}"#;
    assert!(body.ends_with(tail), "{body}");
    let told = Told::bare(9, Status::Applied);
    let mutation = ToldMutation { name: Some("m1"), temp_id: Some("tmp_1"), told };
    let short = ShortReconciled {
        mutations: vec![mutation],
        reset: None,
        changes: vec![],
        checkpoint: "s1.y",
        has_more: true,
    };
    assert_eq!(
        short.body(&actors()),
        r#"{"applied":[{"client_mutation_id":"m1","temp_id":"tmp_1","n":"9","status":"applied"}],"conflicts":[],"rejected":[],"changes":[],"checkpoint":"s1.y","has_more":true}"#
    );
}

#[test]
fn conflicts_are_shown_whole() {
    let (mut conflict, actors) = (conflict(), actors());
    let candidate = r#"{"source":"op","device":"d2","dot":["d2","7"],"hlc":"000000000194c100","values":{"qty":1},"unset":["a"]}"#;
    let shown = |rev: u8, state: &str, resolution: &str| {
        format!(
            r#"{{"conflict_id":"cnf_3","rev":{rev},"state":"{state}","type":"work_order","entity_id":"wo_1","kind":"concurrent_update","policy":"manual","detected_at":"1970-01-01T00:00:01.000Z","fields":["qty"],"base":{{"qty":null}},"server":{{"qty":97}},"candidates":[{candidate}],"candidates_beyond":0,"others":[],"assignee":null,"deadline":null,"resolution":{resolution}}}"#
        )
    };
    let open = shown(1, "open", "null");
    let list = conflicts_body([(ConflictId { epoch: Epoch(1), n: 3 }, &conflict)], Some("c"), &actors);
    assert_eq!(list, format!(r#"{{"conflicts":[{open}],"cursor":"c"}}"#));
    let problem = Problem::new(Code::ConflictStale);
    let body = unresolved_body(&problem, (ConflictId { epoch: Epoch(1), n: 3 }, &conflict), &actors, None);
    assert!(
        body.ends_with(&format!(r#""code":"conflict-stale","retry":"now","conflict":{open}}}"#)),
        "{body}"
    );

    let request = Request {
        resolution_id: "r".into(),
        conflict_rev: 1,
        entity_ver: RecordVersion(8),
        choice: Choice::Candidate(0),
        rationale: "so".into(),
        by: "ann".into(),
        approval: true,
    };
    conflict.resolve(request, &record(), WallMs(2000)).expect("it is open");
    let resolution = r#"{"method":"person","at":"1970-01-01T00:00:02.000Z","id":"r","choice":"candidate:0","rationale":"so","by":"ann","approval":true,"values":{"qty":1},"unset":["a"]}"#;
    let body = resolved_body(ConflictId { epoch: Epoch(1), n: 3 }, &conflict, None, &actors);
    assert_eq!(body, format!(r#"{{"conflict":{},"result":null}}"#, shown(2, "resolved", resolution)));
    let set = [(field("qty"), Value::from(7))].into();
    let proposal = Some(Proposal { set, description: "a mean".into(), impact: "none".into() });
    let comment = Comment { by: "ann".into(), text: "hm".into(), at: WallMs(0), proposal: None };
    let said = [comment.clone(), Comment { proposal, ..comment }];
    let body = conflict_body(ConflictId { epoch: Epoch(1), n: 3 }, &conflict, &said, &actors);
    let options = r#""options":[{"values":{"qty":7},"description":"a mean","impact":"none","by":"ann","at":"1970-01-01T00:00:00.000Z"}]"#;
    let comments = r#""comments":[{"by":"ann","text":"hm","at":"1970-01-01T00:00:00.000Z"}]"#;
    let head = shown(2, "resolved", resolution);
    let head = head.strip_suffix('}').expect("an object");
    assert_eq!(body, format!(r#"{{"conflict":{head},{options},{comments}}}}}"#));
}

#[test]
fn devices_types_and_scopes_are_shown() {
    let device = DeviceView {
        id: "d1",
        user: "ann",
        name: None,
        app: Some("field/2.6.0"),
        public_key: None,
        bound_at: WallMs(0),
        revoked_at: None,
        last_seen: None,
        backlog: Some(Backlog { pending: 3, oldest_at: None, dead: 0 }),
        health: Health::Lagging,
    };
    let shown = r#"{"id":"d1","user":"ann","bound":true,"bound_at":"1970-01-01T00:00:00.000Z","health":"lagging","last_seen":null,"backlog":{"pending":3,"oldest_at":null,"dead":0},"app":"field/2.6.0"}"#;
    assert_eq!(devices_body([device]), format!(r#"{{"devices":[{shown}]}}"#));
    assert_eq!(
        device.bound_body(),
        r#"{"device_id":"d1","bound":true,"bound_at":"1970-01-01T00:00:00.000Z"}"#
    );
    let (pos, head) = (Sequence(5), Sequence(9));
    let entity = key();
    let status = StatusAnswer {
        device,
        scopes: vec![ScopeStatus { scope: "a", pos, head, last_pull_at: None, needs_resync: true }],
        results_unacked: 1,
        conflicts_open: 3,
        limits: &[("push_ops", 1000)],
        server_time: WallMs(1),
        record: Some(RecordStatus {
            entity: &entity,
            ver: RecordVersion(8),
            last_synced_at: None,
            pending: 0,
        }),
    };
    assert_eq!(
        status.body(),
        format!(
            r#"{{"device":{shown},"scopes":[{{"scope":"a","pos":"5","head":"9","lag":"4","last_pull_at":null,"needs_resync":true}}],"results_unacked":1,"conflicts":{{"open":3}},"limits":{{"push_ops":1000}},"server_time":"1970-01-01T00:00:00.001Z","protocol":{{"min":1,"max":1}},"record":{{"type":"work_order","id":"wo_1","ver":"8","etag":"\"8\"","last_synced_at":null,"pending":0}}}}"#
        )
    );
    let types = types_body([("task", r#"{"policy":"lww"}"#), ("note", r#"{"policy":"crdt","fields":{}}"#)]);
    assert_eq!(
        types,
        r#"{"types":[{"type":"task","policy":"lww"},{"type":"note","policy":"crdt","fields":{}}]}"#
    );
    let scope = ScopeRequest { types: vec![entity.kind], bucket: Some("t:{t}".into()) };
    assert_eq!(
        scopes_body([("mine", &scope)]),
        r#"{"scopes":[{"scope":"mine","types":["work_order"],"bucket":"t:{t}"}]}"#
    );
    assert_eq!(type_body("a", r#"{"policy":"lww"}"#), r#"{"type":"a","policy":"lww"}"#);
    assert_eq!(
        scope_body("a", &ScopeRequest { bucket: None, ..scope }),
        r#"{"scope":"a","types":["work_order"]}"#
    );
}

#[test]
fn the_audit_is_given_away_with_what_its_hashes_cover() {
    let what = Audited::Op {
        actor: ActorName::new("d1").expect("a name"),
        user: Some(UserNumber(AuditIndex(3))),
        n: 40,
        content: ContentHash([0xc0; 8]),
        entity: key(),
        outcome: Outcome::Rejected(RefusalCode::EntityDeleted.into()),
        changed: Some((RecordVersion(8), Sequence(9))),
    };
    let written: BTreeMap<_, _> = values().into_iter().map(|(name, value)| (name, Some(value))).collect();
    let written = rmp_serde::to_vec_named(&written).expect("written");
    let payload = AuditPayload { salt: [0; 16], values: written.clone() };
    let event = AuditEvent { at: WallMs(1), what, payload: Some([0xab; 32]) };
    let event = rmp_serde::to_vec_named(&event).expect("written");
    let line = |event: &[u8], payload: Option<&AuditPayload>| {
        let entry = AuditEntry { event: event.to_vec(), hash: [0x1f; 32] };
        audit_line(AuditIndex(7), &entry, &[0; 32], payload, |user| user.erased_name())
    };
    let (ab, hash, zeros) = ("ab".repeat(32), "1f".repeat(32), "00".repeat(32));
    let end =
        |bytes: &[u8]| format!(r#""bytes":"{}","hash":"{hash}","previous":"{zeros}""#, BASE64.encode(bytes));
    assert_eq!(
        line(&event, Some(&payload)),
        format!(
            r#"{{"index":"7","at":"1970-01-01T00:00:00.001Z","event":{{"kind":"op","device":"d1","user":"erased:3","n":"40","content":"c0c0c0c0c0c0c0c0","type":"work_order","id":"wo_1","status":"rejected","code":"entity-deleted","ver":"8","seq":"9","payload":"{ab}"}},{},"payload":{{"salt":"AAAAAAAAAAAAAAAAAAAAAA==","bytes":"{}","values":{{"a":"x","qty":97}}}}}}"#,
            end(&event),
            BASE64.encode(&written),
        )
    );
    assert_eq!(line(&[9], None), format!(r#"{{"index":"7","at":null,"event":null,{}}}"#, end(&[9])));
}

#[test]
fn events_say_what_the_contract_shows() {
    let (key, actors, conflict) = (key(), actors(), conflict());
    let changes = [Change::Evict(&key, EvictReason::Permission)];
    let scope = "a";
    for (event, name, want) in [
        (LiveEvent::Poke { scope, head: Sequence(9) }, "poke", r#"{"scope":"a","head":"9"}"#),
        (
            LiveEvent::Delta { scope, from: "s1.x", changes: &changes, cursor: "s1.y" },
            "delta",
            r#"{"scope":"a","from":"s1.x","changes":[{"op":"evict","type":"work_order","id":"wo_1","reason":"permission"}],"cursor":"s1.y"}"#,
        ),
        (LiveEvent::Result(Told::bare(9, Status::Applied)), "result", r#"{"n":"9","status":"applied"}"#),
        (
            LiveEvent::Resync { scope, reason: Reset::Expired, cursor: None },
            "resync",
            r#"{"scope":"a","reason":"expired","cursor":null}"#,
        ),
    ] {
        assert_eq!((event.name(), event.data(&actors).as_str()), (name, want));
    }
    let event = LiveEvent::Conflict(ConflictId { epoch: Epoch(1), n: 1 }, &conflict);
    let body = conflict_body(ConflictId { epoch: Epoch(1), n: 1 }, &conflict, &[], &actors);
    let data = event.data(&actors);
    let data = data.strip_suffix('}').expect("an object");
    assert_eq!(format!(r#"{{"conflict":{data},"options":[],"comments":[]}}}}"#), body);
}
