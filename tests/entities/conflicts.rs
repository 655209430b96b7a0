//! What users would try: two devices, one record, no network between them.

use serde_json::{Value, json};

use super::{
    app::{App, OpName},
    server::Server,
};

/// Two devices have the same record and write it unseen by each other; the first syncs first.
struct Example {
    form: Value,
    was: Value,
    /// The minutes since each wrote, and what.
    writes: [(u64, Write); 2],
    /// What becomes of the ops.
    statuses: [&'static str; 2],
    /// What all hold in the end.
    record: Value,
}

enum Write {
    Set(Value),
    /// A number that replaces the one that its author saw.
    Count(Value),
    Add(Value),
}

use Write::{Add, Count, Set};

fn write(app: &mut App, was: &Value, minutes_ago: u64, write: &Write) -> OpName {
    app.minutes_ago = minutes_ago;
    match write {
        Set(set) => app.update("item", "i", set.clone()),
        Count(set) => app.make("update", "item", "i", json!({ "set": set, "was": was })),
        Add(delta) => app.add("item", "i", delta.clone()),
    }
}

fn check(example: &Example) -> Vec<Value> {
    let server = Server::start(&[("item", example.form.clone())]);
    let mut apps = ["ann", "bob", "cat"].map(|name| App::install(&server, name, &["item"]));
    apps[0].minutes_ago = 90;
    apps[0].create("item", "i", example.was.clone());
    apps.iter_mut().for_each(|app| app.sync(&server).expect("it is online"));
    let ops: Vec<OpName> = apps
        .iter_mut()
        .zip(&example.writes)
        .map(|(app, (minutes_ago, it))| write(app, &example.was, *minutes_ago, it))
        .collect();
    for _ in 0..2 {
        apps.iter_mut().for_each(|app| app.sync(&server).expect("it is online"));
    }
    let statuses: Vec<&str> = apps.iter().zip(&ops).map(|(app, op)| app.status(*op)).collect();
    assert_eq!(statuses, example.statuses, "{}", example.form);
    for app in &apps {
        assert_eq!(app.view("item", "i"), example.record.as_object().cloned(), "{}", app.device);
        assert_eq!(app.held(), apps[2].held());
    }
    server.conflicts()
}

/// Returns the states of conflicts, with what each keeps that is not in the record.
fn kept(conflicts: &[Value]) -> Vec<Value> {
    conflicts.iter().map(|it| json!([it["state"], it["candidates"][0]["values"]])).collect()
}

#[test]
fn a_quantity_of_95_against_98() {
    let writes = || [(20, Set(json!({ "qty": 95 }))), (10, Set(json!({ "qty": 98 })))];
    let conflicts = check(&Example {
        form: json!({ "policy": "lww" }),
        was: json!({ "qty": 100 }),
        writes: writes(),
        statuses: ["applied", "applied"],
        record: json!({ "qty": 98 }),
    });
    assert_eq!(kept(&conflicts), [json!(["auto", { "qty": 95 }])]);
    let conflicts = check(&Example {
        form: json!({ "policy": "manual" }),
        was: json!({ "qty": 100 }),
        writes: writes(),
        statuses: ["applied", "conflict"],
        record: json!({ "qty": 95 }),
    });
    assert_eq!(kept(&conflicts), [json!(["open", { "qty": 98 }])]);
    let conflicts = check(&Example {
        form: json!({ "policy": "additive" }),
        was: json!({ "qty": 100 }),
        writes: [(20, Count(json!({ "qty": 95 }))), (10, Count(json!({ "qty": 98 })))],
        statuses: ["applied", "merged"],
        record: json!({ "qty": 93 }),
    });
    assert_eq!(conflicts, [Value::Null; 0]);
}

#[test]
fn a_name_against_a_price() {
    let conflicts = check(&Example {
        form: json!({ "policy": "field_merge" }),
        was: json!({ "name": "chair", "price": 40 }),
        writes: [(20, Set(json!({ "name": "armchair" }))), (10, Set(json!({ "price": 45 })))],
        statuses: ["applied", "merged"],
        record: json!({ "name": "armchair", "price": 45 }),
    });
    assert_eq!(conflicts, [Value::Null; 0]);
}

#[test]
fn a_price_of_24_50_before_25_50() {
    for (first_ago, second_ago, statuses) in
        [(20, 10, ["applied", "applied"]), (10, 20, ["applied", "superseded"])]
    {
        let (first, second) = if first_ago > second_ago { (24.5, 25.5) } else { (25.5, 24.5) };
        let conflicts = check(&Example {
            form: json!({ "policy": "lww" }),
            was: json!({ "price": 22.5 }),
            writes: [
                (first_ago, Set(json!({ "price": first }))),
                (second_ago, Set(json!({ "price": second }))),
            ],
            statuses,
            record: json!({ "price": 25.5 }),
        });
        assert_eq!(kept(&conflicts), [json!(["auto", { "price": 24.5 }])]);
    }
}

#[test]
fn twenty_and_fifteen_are_35() {
    let conflicts = check(&Example {
        form: json!({ "policy": "additive" }),
        was: json!({ "qty": 0 }),
        writes: [(20, Add(json!({ "qty": 20 }))), (10, Add(json!({ "qty": 15 })))],
        statuses: ["applied", "merged"],
        record: json!({ "qty": 35 }),
    });
    assert_eq!(conflicts, [Value::Null; 0]);
}

#[test]
fn a_reorder_point_of_50_against_75() {
    for (first, second, status) in [(50, 75, "applied"), (75, 50, "superseded")] {
        check(&Example {
            form: json!({ "policy": "max" }),
            was: json!({ "reorder_point": 20 }),
            writes: [
                (20, Set(json!({ "reorder_point": first }))),
                (10, Set(json!({ "reorder_point": second }))),
            ],
            statuses: ["applied", status],
            record: json!({ "reorder_point": 75 }),
        });
    }
}

#[test]
fn stock_is_never_negative() {
    let conflicts = check(&Example {
        form: json!({ "policy": "additive", "fields": { "qty": { "rule": "additive", "bounds": { "min": 0 } } } }),
        was: json!({ "qty": 10 }),
        writes: [(20, Add(json!({ "qty": -7 }))), (10, Add(json!({ "qty": -5 })))],
        statuses: ["applied", "rejected"],
        record: json!({ "qty": 3 }),
    });
    assert_eq!(conflicts, [Value::Null; 0]);
}

#[test]
fn what_people_decide_reaches_every_device() {
    let server = Server::start(&[("price", json!({ "policy": "manual" }))]);
    let mut apps = ["ann", "bob", "cat"].map(|name| App::install(&server, name, &["price"]));
    apps[0].create("price", "p", json!({ "amount": 24.5 }));
    apps.iter_mut().for_each(|app| app.sync(&server).expect("it is online"));
    for (app, amount) in apps.iter_mut().zip([25.5, 22.5, 21.0]) {
        app.update("price", "p", json!({ "amount": amount }));
    }
    apps.iter_mut().for_each(|app| app.sync(&server).expect("it is online"));
    let conflicts = server.conflicts();
    let [conflict] = conflicts.as_slice() else { panic!("one entity has one open conflict: {conflicts:?}") };
    assert_eq!(conflict["candidates"].as_array().map(Vec::len), Some(2));
    let wish = json!({
        "conflict_id": conflict["conflict_id"], "resolution_id": "r1", "choice": "merged", "value": { "amount": 23 },
        "expect": { "conflict_rev": conflict["rev"], "entity_ver": "2" }, "rationale": "they met in the middle",
    });
    let resolved = server.ok("POST /sync/v1/resolve-conflict", &wish);
    assert_eq!(resolved["conflict"]["state"], "resolved");
    assert_eq!(server.ok("POST /sync/v1/resolve-conflict", &wish)["conflict"], resolved["conflict"]);
    for app in &mut apps {
        app.sync(&server).expect("it is online");
        assert_eq!(app.view("price", "p").map(|price| price["amount"].clone()), Some(json!(23)));
    }
    // What a device writes that has seen the resolution is no conflict with it.
    let op = apps[1].update("price", "p", json!({ "amount": 24 }));
    apps[1].sync(&server).expect("it is online");
    assert_eq!(apps[1].status(op), "applied");
}
