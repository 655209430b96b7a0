//! Handlers judge ops before they take effect.

use syncline_core::entity::Handler;
use syncline_core::limits::HANDLER_ASKS_MAX;

use super::support::*;
use super::*;

fn bench() -> Bench {
    let handler = Some(Handler { url: "https://example.org/".into(), timeout_ms: None, secret: None });
    let handled = EntityType { handler, ..a_type("handled", Policy::ClientWins) };
    Bench::new(vec![handled, a_type("text", Policy::Lww)], Settings::default())
}

fn words(bench: &Bench, request: RequestId) -> Vec<&'static str> {
    bench.pushed(request).iter().map(word).collect()
}

fn accept(set: &[(&str, Value)]) -> Verdict {
    Verdict::Accept { set: values(set) }
}

#[test]
fn a_handler_takes_changes_or_refuses_an_op() {
    let mut bench = bench();
    let ops = [
        create(1, "handled/a", &[("v", 1.into())]),
        create(2, "handled/b", &[("v", 1.into())]),
        create(3, "handled/c", &[("v", 1.into())]),
        update(4, "handled/none", &[]),
        create(5, "text/a", &[]),
    ];
    let request = bench.send("d1", &ops);
    assert_eq!(bench.asks.len(), 1, "the ops of a device keep their order");
    bench.answer(accept(&[]));
    bench.answer(accept(&[("v", 2.into()), ("by", "h".into())]));
    assert!(!bench.answers.contains_key(&request));
    bench.answer(Verdict::Refuse { code: RefusalCode::ValidationFailed, detail: "why".into() });
    assert!(bench.asks.is_empty(), "what changes nothing is not asked about");
    let want = ["applied", "merged", "validation-failed", "entity-unknown", "applied"];
    assert_eq!(words(&bench, request), want);
    let told = bench.pushed(request);
    assert_eq!(result(&told[1]).data, Some(values(&[("by", "h".into()), ("v", 2.into())])));
    assert_eq!(result(&told[2]).detail.as_deref(), Some("why"));
    assert_eq!(bench.words("d1", &ops), ["duplicate"; 5]);
    assert!(bench.asks.is_empty());
    let request = bench.send("d1", &[op(6, "handled/a", Action::Delete)]);
    bench.answer(accept(&[("v", 1.into())]));
    assert_eq!(words(&bench, request), ["validation-failed"], "a deletion takes no values");
}

/// Other devices go on meanwhile; the same device waits its turn.
#[test]
fn only_the_device_that_asked_waits() {
    let mut bench = bench();
    let first = bench.send("d1", &[create(1, "handled/a", &[("v", 1.into())])]);
    let second = bench.send("d1", &[create(1, "handled/a", &[("v", 1.into())]), create(2, "text/a", &[])]);
    assert_eq!(bench.words("d2", &[create(1, "text/b", &[])]), ["applied"]);
    assert!(!bench.answers.contains_key(&second));
    assert_eq!(bench.asks.len(), 1, "nothing is asked twice");
    bench.answer(accept(&[]));
    assert_eq!(words(&bench, first), ["applied"]);
    assert_eq!(words(&bench, second), ["duplicate", "applied"]);
}

/// A verdict is about the record that the handler saw. It is asked again, and at last given up.
#[test]
fn a_record_that_changed_meanwhile_is_judged_again() {
    for changes in 0..4_usize {
        let mut bench = bench();
        let made = bench.send("d1", &[create(1, "handled/a", &[("v", 0.into())])]);
        bench.answer(accept(&[]));
        assert_eq!(words(&bench, made), ["applied"]);
        let mine = bench.send("d1", &[after(1, update(2, "handled/a", &[("v", 1.into())]))]);
        for change in 0..changes.min(3) {
            let n = change as u64 + 1;
            let theirs = bench.send("d2", &[update(n, "handled/a", &[("w", (n as i64).into())])]);
            let (ask, ..) = bench.asks.pop().expect("theirs");
            bench.handle(Input::Answered { ask, verdict: accept(&[]) });
            assert_eq!(words(&bench, theirs), ["applied"]);
            let shown = bench.asks[0].2.clone().expect("there is one");
            bench.answer(accept(&[]));
            let now = bench.ledger.record(&entity("handled/a")).expect("there is one");
            assert_eq!(now.ver.0, shown.ver.0 + 1);
        }
        if changes < 3 {
            assert_eq!(bench.asks.len(), 1);
            bench.answer(accept(&[]));
            assert_eq!(words(&bench, mine), ["applied"]);
        } else {
            assert_eq!(words(&bench, mine), ["deferred: handler-unavailable"]);
        }
    }
}

/// A crash while a handler thinks: the op was not taken, what came before it was.
#[test]
fn a_crash_loses_no_op() {
    let mut bench = bench();
    let ops = [create(1, "text/a", &[]), create(2, "handled/a", &[("v", 1.into())])];
    bench.send("d1", &ops);
    let (ask, ..) = bench.asks[0].clone();
    bench.crash();
    bench.handle(Input::Answered { ask, verdict: accept(&[]) });
    assert_eq!(bench.data(&entity("handled/a")), None, "nobody has asked that in this life");
    let request = bench.send("d1", &ops);
    bench.answer(accept(&[]));
    assert_eq!(words(&bench, request), ["duplicate", "applied"]);
}

/// Of creations of one entity the one with the greatest number counts, in whatever order they are decided.
#[test]
fn a_creation_that_is_refused_late_holds_up_nothing() {
    for crashes in [false, true] {
        let mut bench = bench();
        let first = create(1, "handled/a", &[("v", 1.into())]);
        let request = bench.send("d1", std::slice::from_ref(&first));
        bench.answer(Verdict::Unavailable { retry_after_ms: 1 });
        assert_eq!(words(&bench, request), ["deferred: handler-unavailable"]);
        let second = bench.send("d1", &[create(2, "handled/a", &[("v", 2.into())])]);
        bench.answer(accept(&[]));
        assert_eq!(words(&bench, second), ["applied"]);
        let other = bench.send("d1", &[after(2, update(3, "handled/a", &[("v", 3.into())]))]);
        bench.answer(accept(&[]));
        assert_eq!(words(&bench, other), ["applied"], "the first is still deferred");
        let request = bench.send("d1", &[first]);
        bench.answer(Verdict::Refuse { code: RefusalCode::ValidationFailed, detail: String::new() });
        assert_eq!(words(&bench, request), ["validation-failed"]);
        if crashes {
            bench.crash();
        }
        let third = bench.send("d1", &[after(2, update(4, "handled/a", &[("v", 4.into())]))]);
        bench.answer(accept(&[]));
        assert_eq!(words(&bench, third), ["applied"]);
        // One that is refused, and the last, does.
        let fourth = bench.send("d1", &[create(5, "handled/b", &[])]);
        bench.answer(Verdict::Refuse { code: RefusalCode::ValidationFailed, detail: String::new() });
        assert_eq!(words(&bench, fourth), ["validation-failed"]);
        if crashes {
            bench.crash();
        }
        assert_eq!(bench.words("d1", &[update(6, "handled/b", &[])]), ["dependency-failed"]);
    }
}

#[test]
fn questions_are_bounded() {
    let mut bench = bench();
    for device in 0..HANDLER_ASKS_MAX {
        bench.send(&format!("d{device}"), &[create(1, &format!("handled/{device}"), &[])]);
    }
    assert_eq!(bench.words("more", &[create(1, "handled/more", &[])]), ["deferred: handler-unavailable"]);
    bench.answer(accept(&[]));
    let request = bench.send("more", &[create(1, "handled/more", &[])]);
    assert!(!bench.answers.contains_key(&request), "there is room again");
}

/// What a handler is shown is durable.
#[test]
fn a_question_waits_for_what_it_rests_on() {
    let mut bench = bench();
    bench.bind("d1");
    let mut ledger = bench.ledger;
    let ops = vec![create(1, "text/a", &[]), create(2, "handled/a", &[])];
    ledger.handle(Now::default(), push_of(RequestId(1), "d1", ops));
    let Some(Effect::Commit { commit, batch, .. }) = ledger.poll_effect() else { panic!("it commits first") };
    assert!(batch.iter().any(|write| matches!(write, Write::Result(..))));
    assert_eq!(ledger.poll_effect(), None);
    ledger.handle(Now::default(), Input::Committed(commit));
    assert!(matches!(ledger.poll_effect(), Some(Effect::Ask { .. })));
}
