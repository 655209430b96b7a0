//! Whatever the bytes: no request of `/sync/v1` panics, and what is read is what is written.

#![allow(dead_code, reason = "the fuzz target uses a part of this")]

use syncline_core::clock::ReplicaId;
use syncline_core::entity::{Actors, Epoch, Sequence, Values};
use syncline_protocol::ledger::Cursor;
use syncline_protocol::wire::sync_v1::{
    Ack, Content, CursorOwner, DeviceRequest, Problem, Pull, Push, Pushed, Reconcile, RequestError, Resolve,
    ScopeRequest, Status, Told, read_verdict,
};

/// Reads a body as each request. Panics on a breach; returns whether it is a push with an op.
pub(crate) fn sync_v1(body: &[u8]) -> bool {
    let push = checked(Push::parse(body));
    checked(Pull::parse(body));
    checked(Ack::parse(body));
    checked(Reconcile::parse(body));
    checked(Resolve::parse(body, "ann"));
    checked(DeviceRequest::parse(body));
    checked(ScopeRequest::parse(body));
    // Whatever a handler answers, it is a verdict or none.
    drop(read_verdict(body));
    let word = String::from_utf8_lossy(body);
    let owner = CursorOwner { tenant: "a", scope: "b" };
    assert!(Cursor::open(&word, owner, |_| Some(&[7; 32])).is_err(), "nobody guesses a signature");

    let Some(push) = push else { return false };
    for op in &push.ops {
        assert!(op.faults.len() <= 17, "{:?}", op.faults);
        kept(&op.content);
        let pushed = op.clone().into_pushed(|_| Some(ReplicaId(0)), 1);
        assert_eq!((pushed.numbered, pushed.unreadable), (op.numbered, !op.faults.is_empty()));
    }
    !push.ops.is_empty()
}

fn checked<T>(read: Result<T, RequestError>) -> Option<T> {
    if let Err(error) = &read {
        let problem = Problem::from(error);
        assert!(matches!(problem.status(), 400 | 413), "{error}");
        let whole = format!(r#"{{"device_id":"d","ops":[{}]}}"#, problem.body(Some("t")));
        let shape = Push::parse(whole.as_bytes());
        assert!(matches!(shape, Err(RequestError::Shape { .. })), "a problem is JSON, and no op: {whole}");
    }
    read.ok()
}

/// What an op sets is read again as it is written, to the last digit.
fn kept(content: &Content) {
    let Some(values) = content.action.values() else { return };
    let written = written(values);
    let body =
        format!(r#"{{"device_id":"d","ops":[{{"n":1,"op":"create","type":"t","id":"a","set":{written}}}]}}"#);
    let again = Push::parse(body.as_bytes()).expect("an answer is read");
    assert!(again.ops[0].faults.is_empty(), "it was read before");
    assert_eq!(again.ops[0].content.action.values(), Some(values), "{written}");
}

fn written(values: &Values) -> String {
    let told = Told { data: Some(values), ..Told::bare(1, Status::Applied) };
    let (epoch, fence) = (Epoch(1), Sequence(1));
    let (results, id_map) = (vec![told], Vec::new());
    let pushed = Pushed { epoch, last_n: 1, high_n: 1, done_beyond: Vec::new(), fence, results, id_map };
    let body = pushed.body(&Actors::new());
    let (_, data) = body.split_once(r#""data":"#).expect("it is written");
    data.strip_suffix(r#"}],"id_map":{}}"#).expect("it is the last").to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// JSON that is nearly right.
    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "null|true|false|0|-0\\.0|1e999999999|-?[1-9][0-9]{0,39}(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?",
            "\"[a-z\u{0}-\u{1f}\"\\\\/u0-9é🙂]{0,6}\"",
            any::<String>().prop_map(|text| format!("{text:?}")),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let list = vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(",")));
            let member = ("[a-c]{0,2}|\\\\u006[1-3]", inner).prop_map(|(key, it)| format!("\"{key}\":{it}"));
            let map = vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(", ")));
            prop_oneof![list, map]
        })
    }

    fn member() -> impl Strategy<Value = String> {
        let names = "set|unset|delta|update|was|ctx|hlc|at|deps|tx|refs|schema_v|meta|n|op|type|id|x";
        let right = prop_oneof![
            Just(r#""ctx":{"ver":"7","vv":{"d2":"7"},"hlc":"00000000000a0001"}"#),
            Just(r#""ctx":{"after":"1"}"#),
            Just(r#""deps":["1"]"#),
            Just(r#""refs":[{"type":"t","id":"tmp_1"}]"#),
            Just(r#""at":"2026-01-01T00:00:00Z""#),
            Just(r#""update":"AAE=""#),
            Just(r#""unset":["a"]"#),
        ];
        prop_oneof![
            3 => value().prop_map(|it| format!("\"set\":{{\"a\":{it}}}")),
            2 => right.prop_map(str::to_owned),
            1 => (names, value()).prop_map(|(name, it)| format!("\"{name}\":{it}")),
        ]
    }

    fn op() -> impl Strategy<Value = String> {
        let verbs = "create|update|delete|restore|delta|crdt|noop";
        (0..9_u8, verbs, "[a-z ]{0,3}", vec(member(), 0..3)).prop_map(|(n, verb, id, members)| {
            let members: String = members.iter().map(|member| format!(",{member}")).collect();
            format!(r#"{{"n":"{n}","op":"{verb}","type":"t","id":"{id}"{members}}}"#)
        })
    }

    proptest! {
        #[test]
        fn whatever_the_ops(ops in vec(op(), 0..4)) {
            sync_v1(format!(r#"{{"device_id":"d1","rtt_ms":4,"ops":[{}]}}"#, ops.join(",")).as_bytes());
        }

        #[test]
        fn whatever_is_cut_or_changed(op in op(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut body = format!(r#"{{"device_id":"d1","ops":[{op}]}}"#).into_bytes();
            let at = at.index(body.len());
            sync_v1(&body[..at]);
            body[at] = byte;
            sync_v1(&body);
        }

        #[test]
        fn whatever_the_bytes(body in vec(any::<u8>(), 0..200)) {
            sync_v1(&body);
        }
    }

    /// The seeds of the fuzz target.
    #[test]
    fn seeds_of_the_fuzz_target() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/sync_v1");
        let seeds = std::fs::read_dir(folder)
            .expect("there are seeds")
            .map(|entry| std::fs::read(entry.expect("readable").path()).expect("readable"));
        assert!(seeds.filter(|seed| sync_v1(seed)).count() > 1, "some seeds are pushes");
    }
}
