//! Temporary ids are replaced wherever they stand.

use syncline_core::entity::Reference;

use super::support::*;
use super::*;

fn bench() -> Bench {
    let field = FieldName::new("product").expect("a name");
    let product = a_type("product", Policy::Lww);
    let refs = vec![Reference { field, target: product.name.clone(), on_delete: Default::default() }];
    let order = EntityType { refs, ..a_type("order", Policy::Lww) };
    let handled = a_type("handled", Policy::Lww);
    let settings = Settings { handled: [handled.name.clone()].into(), ..Settings::default() };
    Bench::new(vec![product, order, handled], settings)
}

fn id_map(bench: &mut Bench, ops: &[PushOp]) -> BTreeMap<EntityKey, EntityId> {
    let request = bench.send("d1", ops);
    match &bench.answers[&request] {
        Answer::Pushed { id_map, .. } => id_map.clone(),
        other => panic!("{other:?}"),
    }
}

/// In one push and in later ones, across a crash, in entities, references and fields; told again with a retry.
#[test]
fn an_entity_is_found_by_the_id_that_it_was_made_with() {
    let mut bench = bench();
    let ops = [
        create(1, "product/tmp_p", &[("name", "a".into())]),
        create(2, "order/o1", &[("product", "tmp_p".into())]),
        after(1, update(3, "product/tmp_p", &[("name", "b".into())])),
    ];
    let map = id_map(&mut bench, &ops);
    let id = map[&entity("product/tmp_p")].clone();
    assert!(!id.is_temporary());
    let product = EntityKey { id: id.clone(), ..entity("product/x") };
    let refers = values(&[("product", id.as_str().into())]);
    assert_eq!(bench.data(&product), Some(values(&[("name", "b".into())])));
    assert_eq!(bench.data(&entity("order/o1")), Some(refers.clone()));
    bench.crash();
    let mut later = create(4, "order/o2", &[("product", "tmp_p".into())]);
    later.refs = [entity("product/tmp_p")].into();
    assert_eq!(
        bench.words("d1", &[later, update(5, "product/tmp_p", &[("name", "c".into())])]),
        ["applied"; 2]
    );
    assert_eq!(bench.data(&entity("order/o2")), Some(refers));
    assert_eq!(bench.data(&product), Some(values(&[("name", "c".into())])));
    assert_eq!(id_map(&mut bench, &ops), map, "a retry is told the same");
    let told = bench.push("d1", &ops);
    assert_eq!(result(&told[0]).entity, product);
    assert_eq!(bench.words("d2", &[create(1, "product/tmp_p", &[])]), ["applied"]);
    assert_eq!(bench.data(&product), Some(values(&[("name", "c".into())])), "another device means another");
}

/// Ids that devices made up look like any others.
#[test]
fn an_id_is_new() {
    let mut bench = bench();
    bench.push("d1", &[create(1, "product/s1.0.2", &[("v", 1.into())])]);
    let map = id_map(&mut bench, &[create(2, "product/tmp_p", &[("v", 2.into())])]);
    let id = map[&entity("product/tmp_p")].clone();
    assert_eq!(id.as_str(), "s1.0.2.1");
    assert_eq!(bench.data(&entity("product/s1.0.2")), Some(values(&[("v", 1.into())])));
}

#[test]
fn what_was_never_made_is_not_referred_to() {
    let mut bench = bench();
    let failed = "dependency-failed";
    let dangling = create(1, "order/o1", &[("product", "tmp_p".into())]);
    assert_eq!(bench.words("d1", &[dangling, update(2, "product/tmp_p", &[])]), [failed, "entity-unknown"]);
    let refused = create(3, "what/tmp_w", &[]);
    assert_eq!(bench.words("d1", &[refused, update(4, "what/tmp_w", &[])]), ["unknown-type", failed]);
}

/// The creation of what a field refers to is waited for, also when it comes in an earlier request and the server fell over.
#[test]
fn what_is_deferred_holds_up_what_refers_to_it() {
    let mut bench = bench();
    let first = create(1, "handled/tmp_h", &[]);
    let request = bench.send("d1", std::slice::from_ref(&first));
    bench.answer(Verdict::Unavailable { retry_after_ms: 1 });
    assert_eq!(bench.pushed(request).iter().map(word).collect::<Vec<_>>(), ["deferred: handler-unavailable"]);
    bench.crash();
    let mut names = create(2, "order/o1", &[]);
    names.refs = [entity("handled/tmp_h")].into();
    let mut depends = create(4, "order/o2", &[]);
    depends.deps = [1].into();
    let ops = [
        names,
        update(3, "handled/tmp_h", &[]),
        depends,
        after(1, update(5, "handled/tmp_h", &[])),
        create(6, "order/o3", &[]),
    ];
    let waits = "deferred: dependency-failed";
    assert_eq!(bench.words("d1", &ops), [waits, waits, waits, waits, "applied"]);
    let Some(Answer::Pushed { last_n: 0, high_n: 6, done_beyond, .. }) =
        bench.answers.values().last().cloned()
    else {
        panic!("all is answered")
    };
    assert_eq!(done_beyond, [6]);
    let all: Vec<PushOp> = [first].into_iter().chain(ops).collect();
    let request = bench.send("d1", &all);
    bench.answer(Verdict::Refuse { code: RefusalCode::ForbiddenOp, detail: "no".into() });
    let told = bench.pushed(request);
    let failed = "dependency-failed";
    let words: Vec<_> = told.iter().map(word).collect();
    assert_eq!(words, ["forbidden-op", failed, failed, failed, failed, "duplicate"]);
    assert_eq!(result(&told[0]).detail.as_deref(), Some("no"));
}
