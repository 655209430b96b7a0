//! Questions to handlers, and what they answer.

use syncline_core::entity::{ActorName, RefusalCode, UserName, Value};
use syncline_core::time::WallMs;

use super::super::*;
use super::answers::{actors, field, key, record};
use crate::ledger::{PushOp, Verdict};

fn read(op: &str) -> PushOp {
    let body = format!(r#"{{"device_id":"d1","ops":[{op}]}}"#);
    let push = Push::parse(body.as_bytes()).expect("it is well formed");
    let known = |name: &ActorName| actors().known(name);
    let mut ops = push.ops.into_iter().map(|op| op.into_pushed(known, 1));
    ops.next().expect("there is one")
}

fn question<'a>(op: &'a PushOp, user: &'a UserName, device: &'a ActorName) -> HandlerQuestion<'a> {
    HandlerQuestion { tenant: "default", user, device, op, server: None }
}

/// What a handler reads of an op is what the device has written, whatever the op.
#[test]
fn an_op_is_shown_as_it_was_pushed() {
    let (user, device) = (UserName::new("ann").expect("a name"), ActorName::device("d1").expect("a name"));
    for op in [
        r##""op":"create","set":{"qty":24.50,"note":null}"##,
        r##""op":"update","set":{"qty":1e3},"unset":["note"],"was":{"qty":null,"a":[1,"x"]},"ctx":{"after":"41"}"##,
        r##""op":"update","ctx":{"ver":"7","vv":{"d1":"3","d2":"7"},"hlc":"0194c10000000001"},"deps":["40","41"]"##,
        r##""op":"restore","set":{"a":{"b":true}},"hlc":"0194c10000000001","at":"2026-01-02T03:04:05.678Z""##,
        r##""op":"delta","delta":{"qty":-3.5},"refs":[{"type":"product","id":"p1"}],"schema_v":3,"tx":"ü""##,
        r##""op":"crdt","update":"AAEC""##,
        r##""op":"delete","ctx":{"vv":{}}"##,
    ] {
        let sent = read(&format!(r#"{{"n":"42","type":"work_order","id":"wo_1",{op}}}"#));
        assert!(!sent.unreadable, "{op}");
        let body = question(&sent, &user, &device).body(&actors());
        let head = r#"{"tenant":"default","user":"ann","device":"d1","op":"#;
        let shown = body.strip_prefix(head).and_then(|rest| rest.strip_suffix(r#","server":null}"#));
        let mut again = read(shown.unwrap_or_else(|| panic!("{body}")));
        again.numbered = sent.numbered;
        assert_eq!(again, sent, "{body}");
    }
}

#[test]
fn the_record_is_shown_as_a_pull_has_it() {
    let (user, device) = (UserName::new("ann").expect("a name"), ActorName::device("d1").expect("a name"));
    let sent = read(r#"{"n":"42","type":"work_order","id":"wo_1","op":"delete"}"#);
    let (live, key) = (record(), key());
    let mut gone = live.clone();
    gone.deleted = true;
    for (server, want) in [
        (
            &live,
            r#""server":{"op":"put","type":"work_order","id":"wo_1","epoch":"7","ver":"8","seq":"90011","vv":"#,
        ),
        (
            &gone,
            r#""server":{"op":"delete","type":"work_order","id":"wo_1","epoch":"7","ver":"8","seq":"90011","vv":"#,
        ),
    ] {
        let question = HandlerQuestion { server: Some(server), ..question(&sent, &user, &device) };
        let body = question.body(&actors());
        assert!(body.contains(want) && sent.entity == key, "{body}");
        assert_eq!(body.contains(r#""data":{"a":"x","qty":97}"#), !server.deleted, "{body}");
    }
}

#[test]
fn a_verdict_is_read_or_nothing_is_known() {
    let accept = |set: &[(&str, Value)]| Verdict::Accept {
        set: set.iter().map(|(name, value)| (field(name), value.clone())).collect(),
    };
    let refuse = |code, detail: &str| Verdict::Refuse { code, detail: detail.into() };
    for (body, want) in [
        (r#"{"accept":true}"#, Some(accept(&[]))),
        (
            r#"{"accept":true,"set":{"qty":9,"why":"x"},"more":1}"#,
            Some(accept(&[("qty", 9.into()), ("why", "x".into())])),
        ),
        (r#"{"accept":false}"#, Some(refuse(RefusalCode::ValidationFailed, ""))),
        (
            r#"{"accept":false,"code":"forbidden-op","detail":"no"}"#,
            Some(refuse(RefusalCode::ForbiddenOp, "no")),
        ),
        (r#"{"accept":false,"code":"credit-limit"}"#, Some(refuse(RefusalCode::ValidationFailed, ""))),
        (r#"{"accept":false,"code":"tx-aborted"}"#, Some(refuse(RefusalCode::ValidationFailed, ""))),
        (r#"{"accept":"true"}"#, None),
        (r#"{"accept":true,"set":[]}"#, None),
        (r#"{"accept":true,"set":{"":1}}"#, None),
        (r#"{"accept":true,"accept":false}"#, None),
        ("{}", None),
        ("<html>", None),
        ("", None),
    ] {
        assert_eq!(read_verdict(body.as_bytes()).ok(), want, "{body}");
    }
}

/// The digest was computed by another implementation.
#[test]
fn a_question_is_signed() {
    let signed = handler_signature("sesame", WallMs(1_700_000_000_123), br#"{"a":1}"#);
    assert_eq!(signed, "t=1700000000123,v1=1d4de57cd377d7cc896d6754ef876cc1bb955f6f5a5ef52015a2b0539b425dec");
    let other = handler_signature("sesame", WallMs(1_700_000_000_124), br#"{"a":1}"#);
    assert_ne!(signed[17..], other[17..], "the time is signed, too");
}
