//! Bodies that are refused, and ops that are.

use super::super::*;

/// A push of one op that has these members besides `n`.
fn push(members: &str) -> Result<Push, RequestError> {
    Push::parse(format!(r#"{{"device_id":"d1","ops":[{{"n":"1",{members}}}]}}"#).as_bytes())
}

fn pointer<T>(read: Result<T, RequestError>) -> String {
    match read.err() {
        Some(RequestError::Shape { pointer, .. } | RequestError::Json(JsonError::Duplicate { pointer })) => {
            pointer
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn a_body_of_another_shape_is_refused_where_it_differs() {
    let update = r#""op":"update","type":"t","id":"a""#;
    for (members, want) in [
        ("", "/ops/0/op"),
        (r#""op":"upsert","type":"t","id":"a""#, "/ops/0/op"),
        (r#""op":"update","id":"a""#, "/ops/0/type"),
        (r#""op":"update","type":"t""#, "/ops/0/id"),
        (r#""op":"update","type":"t","id":7"#, "/ops/0/id"),
        (&format!(r#"{update},"set":[]"#), "/ops/0/set"),
        (&format!(r#"{update},"set":{{"a":1,"a":1}}"#), "/ops/0/set/a"),
        (&format!(r#"{update},"unset":{{}}"#), "/ops/0/unset"),
        (&format!(r#"{update},"unset":["a",1]"#), "/ops/0/unset/1"),
        (&format!(r#"{update},"update":1"#), "/ops/0/update"),
        (&format!(r#"{update},"ctx":{{"ver":-1}}"#), "/ops/0/ctx/ver"),
        (&format!(r#"{update},"ctx":{{"ver":9007199254740992}}"#), "/ops/0/ctx/ver"),
        (&format!(r#"{update},"ctx":{{"ver":"18446744073709551616"}}"#), "/ops/0/ctx/ver"),
        (&format!(r#"{update},"ctx":{{"ver":"07"}}"#), "/ops/0/ctx/ver"),
        (&format!(r#"{update},"ctx":{{"ver":1.0}}"#), "/ops/0/ctx/ver"),
        (&format!(r#"{update},"ctx":{{"ver":1e999999999}}"#), "/ops/0/ctx/ver"),
        (&format!(r#"{update},"ctx":{{"vv":{{"d/2":"x"}}}}"#), "/ops/0/ctx/vv/d~12"),
        (&format!(r#"{update},"ctx":{{"after":""}}"#), "/ops/0/ctx/after"),
        (&format!(r#"{update},"hlc":"123""#), "/ops/0/hlc"),
        (&format!(r#"{update},"hlc":"+123456789012345""#), "/ops/0/hlc"),
        (&format!(r#"{update},"at":"yesterday""#), "/ops/0/at"),
        (&format!(r#"{update},"deps":["1",true]"#), "/ops/0/deps/1"),
        (&format!(r#"{update},"tx":"""#), "/ops/0/tx"),
        (&format!(r#"{update},"refs":[{{"type":"t"}}]"#), "/ops/0/refs/0/id"),
        (&format!(r#"{update},"schema_v":4294967296"#), "/ops/0/schema_v"),
    ] {
        let members = if members.is_empty() { r#""x":1"# } else { members };
        assert_eq!(pointer(push(members)), want, "{members}");
    }
}

#[test]
fn an_envelope_of_another_shape_is_refused() {
    for (body, want) in [
        ("[]", ""),
        ("{}", "/device_id"),
        (r#"{"device_id":"srv:eu"}"#, "/device_id"),
        (r#"{"device_id":"a b"}"#, "/device_id"),
        (r#"{"device_id":null}"#, "/device_id"),
        (r#"{"device_id":"d","client_now":5}"#, "/client_now"),
        (r#"{"device_id":"d","rtt_ms":-1}"#, "/rtt_ms"),
        (r#"{"device_id":"d","ops":{}}"#, "/ops"),
        (r#"{"device_id":"d","ops":[1]}"#, "/ops/0"),
        (r#"{"device_id":"d","from_n":"2","ops":[{"n":"1","op":"noop"}]}"#, "/from_n"),
    ] {
        assert_eq!(pointer(Push::parse(body.as_bytes())), want, "{body}");
    }
    for (body, want) in [
        (r#"{"device_id":"d","scopes":[{}]}"#, "/scopes/0/scope"),
        (r#"{"device_id":"d","scopes":[{"scope":"a b"}]}"#, "/scopes/0/scope"),
        (r#"{"device_id":"d","scopes":[{"scope":"a","cursor":1}]}"#, "/scopes/0/cursor"),
        (r#"{"device_id":"d","scopes":[{"scope":"a","params":{"x":[]}}]}"#, "/scopes/0/params/x"),
        (r#"{"device_id":"d","scopes":[{"scope":"a","have":{"x":"?"}}]}"#, "/scopes/0/have/x"),
        (r#"{"device_id":"d","scopes":[{"scope":"a","have":{"x y":""}}]}"#, "/scopes/0/have/x y"),
        (r#"{"device_id":"d","ack":[{"scope":"a"}]}"#, "/ack/0/cursor"),
        (&format!(r#"{{"device_id":"d","scopes":[{}1]}}"#, "1,".repeat(100)), "/scopes"),
    ] {
        assert_eq!(pointer(Pull::parse(body.as_bytes())), want, "{body}");
    }
    for (body, want) in [
        (r#"{"device_id":"d","mutations":[{}]}"#, "/mutations/0/type"),
        (r#"{"device_id":"d","mutations":[{"type":"t","operation":"create"}]}"#, "/mutations/0/entity_id"),
        (
            r#"{"device_id":"d","mutations":[{"type":"t","entity_id":"a","operation":"noop"}]}"#,
            "/mutations/0/operation",
        ),
        (r#"{"device_id":"d","last_ack_version":[]}"#, "/last_ack_version"),
        (r#"{"mutations":[]}"#, "/device_id"),
    ] {
        assert_eq!(pointer(Reconcile::parse(body.as_bytes())), want, "{body}");
    }
    let resolve = |choice: &str| {
        let body = r#"{"conflict_id":"cnf_1","resolution_id":"r","expect":{"conflict_rev":2,"entity_ver":"5"},"choice":"#;
        pointer(Resolve::parse(format!("{body}{choice}}}").as_bytes(), "ann"))
    };
    assert_eq!(resolve(r#""candidate:-1""#), "/choice");
    assert_eq!(resolve(r#""merged""#), "/value");
    assert_eq!(resolve(r#""server","approve":1"#), "/approve");
    assert_eq!(pointer(ScopeRequest::parse(br#"{"types":[]}"#)), "/types");
    assert_eq!(pointer(ScopeRequest::parse(b"{}")), "/types");
    assert_eq!(pointer(DeviceRequest::parse(br#"{"device_id":"d","app":""}"#)), "/app");
}

/// What is wrong with one op is told of that op, and the others are taken.
#[test]
fn what_only_one_op_has_wrong_is_its_result() {
    let long = "9".repeat(37);
    for (members, want) in [
        (r#""op":"create","type":"a b","id":"x""#, ["/type", "name"]),
        (r#""op":"create","type":"t","id":"""#, ["/id", "name"]),
        (r#""op":"update","type":"t","id":"x","set":{"\u0000":1}"#, ["/set/\0", "name"]),
        (r#""op":"update","type":"t","id":"x","unset":[""]"#, ["/unset/0", "name"]),
        (r#""op":"update","type":"t","id":"x","set":{"a":[{"b":1e999999999}]}"#, ["/set/a/0/b", "number"]),
        (&format!(r#""op":"update","type":"t","id":"x","was":{{"a":{long}}}"#), ["/was/a", "number"]),
        (r#""op":"delta","type":"t","id":"x","delta":{"a":"1"}"#, ["/delta/a", "number"]),
        (r#""op":"crdt","type":"t","id":"x""#, ["/update", "missing"]),
        (r#""op":"crdt","type":"t","id":"x","update":"A""#, ["/update", "base64"]),
        (r#""op":"update","type":"t","id":"x","delta":{"a":1}"#, ["/delta", "misplaced"]),
        (r#""op":"delete","type":"t","id":"x","set":{"a":1}"#, ["/set", "misplaced"]),
        (r#""op":"create","type":"t","id":"x","unset":["a"]"#, ["/unset", "misplaced"]),
        (r#""op":"update","type":"t","id":"x","ctx":{"vv":{"a b":1}}"#, ["/ctx/vv/a b", "name"]),
        (r#""op":"update","type":"t","id":"x","refs":[{"type":"t","id":"/"}]"#, ["/refs/0/id", "name"]),
    ] {
        let push = push(members).expect(members);
        let faults = &push.ops[0].faults;
        let found: Vec<_> =
            faults.iter().map(|fault| [fault.pointer.as_str(), fault.reason.as_str()]).collect();
        assert_eq!(found, [want], "{members}");
    }
    let names: Vec<String> = (0..100).map(|n| format!("\"\\u00{:02x}{n}\":1", n % 32)).collect();
    let many = push(&format!(r#""op":"create","type":"t","id":"x","set":{{{}}}"#, names.join(",")));
    let many = many.expect("its shape is right");
    assert_eq!(many.ops[0].faults.len(), 16);
    // What is right still says what others depend on.
    let members = r#""op":"create","type":"t","id":"x","tx":"t1","deps":["3"],"set":{"a":1e999}"#;
    let op = push(members).expect("its shape is right").ops.remove(0);
    assert_eq!((op.content.tx.as_deref(), op.content.deps.len()), (Some("t1"), 1));
    let pushed = op.into_pushed(|_| None, 1);
    assert!(pushed.unreadable && pushed.entity.id.as_str() == "x" && pushed.action.values().is_some());
}

#[test]
fn a_push_has_bounds() {
    let ops = |count: usize| {
        let ops: Vec<String> = (1..=count).map(|n| format!(r#"{{"n":{n},"op":"noop"}}"#)).collect();
        Push::parse(format!(r#"{{"device_id":"d","ops":[{}]}}"#, ops.join(",")).as_bytes())
    };
    assert_eq!(ops(1000).map(|push| push.ops.len()), Ok(1000));
    assert_eq!(ops(1001), Err(RequestError::TooManyOps { count: 1001, max: 1000 }));
}
