//! What a device is told of its own writes where it listens.

use syncline_core::entity::{Claim, RecordVersion};

use super::support::*;
use super::*;

/// Pulls a type as a device that listens, and returns what is told by id, how much was left out, and where to go on.
fn listen(bench: &mut Bench, device: &str, from: Option<Cursor>) -> (Vec<String>, usize, Cursor) {
    bench.bind(device);
    let (request, actor) = (bench.request(), ActorName::device(device).expect("a name"));
    let scope = Scope::of_type(entity("note/a").kind);
    let asked = PullScope { scope, cursor: from, count_max: 10, without_own: true };
    bench.handle(Input::Pull { request, actor, user: user(), scopes: vec![asked] });
    let Answer::Pulled(pulled) = &bench.answers[&request] else { panic!("it is a pull") };
    let page = &pulled.scopes[0];
    let id = |change: &PullChange| match change {
        PullChange::Put(key, _) | PullChange::Document(key, _) => key.id.to_string(),
        PullChange::Delete(key, _) => format!("-{}", key.id),
        PullChange::Evict(key) => format!("!{}", key.id),
    };
    (page.changes.iter().map(id).collect(), page.own, page.cursor)
}

fn seen(ver: u64, op: PushOp) -> PushOp {
    PushOp { seen: PushSeen::Record(Claim { ver: Some(RecordVersion(ver)), ..Claim::default() }), ..op }
}

/// Goal: nothing is echoed that the author knows, and nothing else is left out. Each kind of change once, for its author and
/// for another device.
#[test]
fn a_device_that_listens_hears_what_others_wrote() {
    let mut bench = Bench::new(vec![a_type("note", Policy::Lww)], Settings::default());
    bench.push("d1", &[create(1, "note/a", &[("x", 1.into()), ("y", 1.into())])]);
    let (told, own, d1) = listen(&mut bench, "d1", None);
    assert_eq!((told, own), (vec!["a".to_owned()], 0), "a full pass tells all, or it would be dropped");
    let (.., d2) = listen(&mut bench, "d2", None);

    bench.push("d1", &[create(2, "note/b", &[]), seen(1, update(3, "note/a", &[("x", 2.into())]))]);
    let (told, own, d1) = listen(&mut bench, "d1", Some(d1));
    assert_eq!((told, own), (vec![], 2));
    assert_eq!(d1.pos, bench.ledger.head(), "the cursor moves past it");
    let (told, own, d2) = listen(&mut bench, "d2", Some(d2));
    assert_eq!((told, own), (vec!["b".to_owned(), "a".to_owned()], 0));

    // Late, and applied: the author has not heard of the other field.
    bench.push("d2", &[seen(2, update(1, "note/a", &[("y", 3.into())]))]);
    assert_eq!(bench.words("d1", &[seen(2, update(4, "note/a", &[("x", 4.into())]))]), ["applied"]);
    let (told, own, d1) = listen(&mut bench, "d1", Some(d1));
    assert_eq!((told, own), (vec!["a".to_owned()], 0));

    assert_eq!(bench.words("d1", &[seen(4, op(5, "note/a", Action::Delete))]), ["applied"]);
    let (told, own, _) = listen(&mut bench, "d1", Some(d1));
    assert_eq!((told, own), (vec![], 1), "it knows what it has deleted");
    let (told, own, _) = listen(&mut bench, "d2", Some(d2));
    assert_eq!((told, own), (vec!["-a".to_owned()], 0));
}
