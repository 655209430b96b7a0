//! A day without a network.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::{
    app::{App, OpName},
    server::Server,
};

const SCOPES: [&str; 5] = ["order", "product", "quote", "stock", "visit"];

fn start() -> Server {
    Server::start(&[
        ("product", json!({ "policy": "lww" })),
        ("order", json!({ "policy": "lww", "refs": [{ "field": "product", "type": "product" }] })),
        (
            "stock",
            json!({ "policy": "additive", "fields": { "qty": { "rule": "additive", "bounds": { "min": 0 } } } }),
        ),
        ("quote", json!({ "policy": "manual" })),
        ("visit", json!({ "policy": "append_only" })),
    ])
}

/// What both had in the morning.
fn open_shop(server: &Server) -> (App, App) {
    let mut office = App::install(server, "office", &SCOPES);
    office.minutes_ago = 600;
    office.create("product", "chair", json!({ "name": "chair", "price": 40 }));
    office.create("product", "table", json!({ "name": "table", "price": 90 }));
    office.create("product", "shelf", json!({ "name": "shelf", "price": 60 }));
    office.create("stock", "chairs", json!({ "qty": 20 }));
    office.create("quote", "q1", json!({ "amount": 500 }));
    office.create("visit", "v1", json!({ "note": "they want a lamp" }));
    let mut van = App::install(server, "van", &SCOPES);
    office.sync(server).expect("the office is online");
    van.sync(server).expect("the van is still online");
    (office, van)
}

/// What the office does while the van is away.
fn work_in_the_office(office: &mut App) {
    office.minutes_ago = 300;
    office.update("product", "chair", json!({ "price": 42 }));
    office.update("product", "table", json!({ "price": 95 }));
    office.delete("product", "shelf");
    office.add("stock", "chairs", json!({ "qty": -15 }));
    office.update("quote", "q1", json!({ "amount": 480 }));
}

/// Orders of `product`, by reference.
fn order(van: &mut App, id: &str, product: &str) -> OpName {
    let refs = json!([{ "type": "product", "id": product }]);
    van.make("create", "order", id, json!({ "set": { "product": product, "count": 1 }, "refs": refs }))
}

/// What the van does without a network, and what is to become of it.
fn work_in_the_van(van: &mut App) -> Vec<(OpName, &'static str)> {
    van.minutes_ago = 200;
    let mut done = vec![
        (van.create("product", "tmp_lamp", json!({ "name": "lamp" })), "applied"),
        (van.update("product", "tmp_lamp", json!({ "price": 15 })), "applied"),
        (order(van, "tmp_first", "tmp_lamp"), "applied"),
        (order(van, "tmp_second", "chair"), "applied"),
        (van.update("order", "tmp_second", json!({ "count": 4 })), "applied"),
        (van.update("product", "chair", json!({ "price": 45 })), "applied"),
        (van.update("product", "chair", json!({ "name": "armchair" })), "applied"),
        (van.update("product", "shelf", json!({ "price": 55 })), "superseded"),
        (van.add("stock", "chairs", json!({ "qty": 15 })), "merged"),
        (van.add("stock", "chairs", json!({ "qty": -30 })), "rejected"),
        (van.add("stock", "chairs", json!({ "qty": -2 })), "applied"),
        (van.update("quote", "q1", json!({ "amount": 450 })), "conflict"),
        (van.create("visit", "v2", json!({ "note": "they took it" })), "applied"),
        (van.update("visit", "v1", json!({ "note": "nothing" })), "rejected"),
        (van.create("invoice", "i1", json!({ "amount": 15 })), "rejected"),
        (order(van, "tmp_third", "tmp_nothing"), "rejected"),
        (van.update("order", "tmp_third", json!({ "count": 9 })), "rejected"),
        (van.create("product", "mistake", json!({ "name": "?" })), "applied"),
        (van.delete("product", "mistake"), "applied"),
        (order(van, "tmp_fourth", "tmp_lamp"), "applied"),
        (van.delete("order", "tmp_first"), "applied"),
        (van.update("product", "tmp_lamp", json!({ "price": 16 })), "applied"),
    ];
    // Made before the office changed the price, and sent after that.
    van.minutes_ago = 400;
    done.push((van.update("product", "table", json!({ "price": 80 })), "superseded"));
    done
}

#[test]
fn nothing_of_a_day_offline_is_lost_without_a_trace() {
    let server = start();
    let (mut office, mut van) = open_shop(&server);
    work_in_the_office(&mut office);
    office.sync(&server).expect("the office is online");
    let ops = work_in_the_van(&mut van);
    assert_eq!((ops.len(), van.pending()), (23, 23));
    let seen = van.view("order", "tmp_second").expect("its user sees it");
    assert_eq!(seen["count"], 4);

    van.sync(&server).expect("the van is back");
    office.sync(&server).expect("the office is online");
    let mut new = App::install(&server, "new", &SCOPES);
    new.sync(&server).expect("a third is online");
    assert_eq!((van.held(), van.held()), (office.held(), new.held()));
    assert_eq!(van.pending(), 0);
    for (op, want) in &ops {
        assert_eq!(van.status(*op), *want, "op {op}: {}", van.result(*op));
    }
    check_records(&office, &van);
    check_traces(&server, &van, &ops);
}

/// The handler of orders is down: what needs it waits, what does not goes on, and its user may give up.
#[test]
fn what_is_put_off_waits_or_is_given_up() {
    let server = start();
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!("http://{}/", nobody.expect("a port that nobody listens on any more"));
    server.put("types/product", &json!({ "policy": "lww", "handler": { "url": url } }));
    let (mut van, mut office) =
        (App::install(&server, "van", &SCOPES), App::install(&server, "office", &SCOPES));
    let lamp = van.create("product", "tmp_lamp", json!({ "name": "lamp" }));
    let order = order(&mut van, "tmp_first", "tmp_lamp");
    let visit = van.create("visit", "v1", json!({ "note": "they want a lamp" }));
    for _ in 0..2 {
        van.sync(&server).expect("the van is online");
        assert_eq!([lamp, order, visit].map(|op| van.status(op)), ["pending", "pending", "applied"]);
        assert!(van.view("product", "tmp_lamp").is_some(), "its user sees it all the same");
    }
    van.give_up(lamp);
    van.sync(&server).expect("the van is online");
    assert_eq!((van.status(order), van.pending()), ("rejected", 0));
    let dead: Vec<(OpName, &str)> = van.dead.iter().map(|dead| (dead.op, dead.code.as_str())).collect();
    assert_eq!(dead, [(lamp, "given-up"), (order, "dependency-failed")]);
    office.sync(&server).expect("the office is online");
    assert_eq!((van.held(), van.rows.live("visit").len()), (office.held(), 1));
}

fn check_records(office: &App, van: &App) {
    let field = |kind, id, name| {
        office.view(kind, id).map_or(Value::Null, |data: serde_json::Map<_, _>| data[name].clone())
    };
    assert_eq!(
        (field("product", "chair", "price"), field("product", "chair", "name")),
        (json!(45), json!("armchair"))
    );
    assert_eq!(field("product", "table", "price"), 95);
    assert_eq!(field("stock", "chairs", "qty"), 20 - 15 + 15 - 2);
    assert_eq!(field("quote", "q1", "amount"), 480);
    assert_eq!(office.view("product", "shelf"), None);
    let lamp = office.rows.live("product").into_iter().find(|(_, row)| row.1["name"] == "lamp");
    let ((_, lamp), _) = lamp.expect("what was created offline is there");
    assert!(!lamp.starts_with("tmp_"), "{lamp}");
    assert_eq!(van.view("product", "tmp_lamp").map(|data| data["price"].clone()), Some(json!(16)));
    let products = office.rows.live("order").into_values().map(|(_, data)| data["product"].clone());
    let mut products: Vec<Value> = products.collect();
    products.sort_by_key(Value::to_string);
    let mut want = [json!("chair"), json!(lamp)];
    want.sort_by_key(Value::to_string);
    assert_eq!(products, want);
}

/// What had no effect is in a conflict or in the dead letters, and so is what was replaced unseen.
fn check_traces(server: &Server, van: &App, ops: &[(OpName, &str)]) {
    let conflicts = server.conflicts();
    let kept = |id: &Value| conflicts.iter().find(|conflict| conflict["conflict_id"] == *id);
    let lost = ops.iter().filter(|(_, status)| ["superseded", "conflict"].contains(status));
    for (op, _) in lost {
        let conflict =
            kept(&van.result(*op)["conflict_id"]).unwrap_or_else(|| panic!("op {op} has left no trace"));
        assert_eq!(conflict["candidates"][0]["device"], "van", "{conflict}");
    }
    let values: Vec<&Value> = conflicts.iter().map(|conflict| &conflict["candidates"][0]["values"]).collect();
    for value in
        [json!({ "price": 42 }), json!({ "price": 55 }), json!({ "price": 80 }), json!({ "amount": 450 })]
    {
        assert!(values.contains(&&value), "{value} is lost: {values:?}");
    }
    let dead: Vec<(OpName, &str)> = van.dead.iter().map(|dead| (dead.op, dead.code.as_str())).collect();
    let codes =
        ["validation-failed", "append-only", "unknown-type", "dependency-failed", "dependency-failed"];
    let rejected = ops.iter().filter(|(_, status)| *status == "rejected").map(|(op, _)| *op);
    assert_eq!(dead, rejected.zip(codes).collect::<Vec<_>>());
}
