//! Devices and servers that come back from old backups.

use serde_json::json;

use super::{app::App, server::Server};

fn start() -> (Server, App, App) {
    let counted = json!({ "qty": { "rule": "additive" } });
    let server = Server::start(&[
        ("note", json!({ "policy": "lww" })),
        ("stock", json!({ "policy": "additive", "fields": counted })),
    ]);
    let mut phone = App::install(&server, "phone", &["note", "stock"]);
    let mut till = App::install(&server, "till", &["note", "stock"]);
    phone.create("stock", "s", json!({ "qty": 100 }));
    phone.create("note", "n", json!({ "text": "first" }));
    phone.sync(&server).expect("it is online");
    till.sync(&server).expect("it is online");
    (server, phone, till)
}

/// The backup was made when two ops had their numbers, of which the first had arrived. Meanwhile the device went on, so that
/// its numbers are taken.
#[test]
fn a_device_from_an_old_backup_goes_on_under_a_new_id() {
    let (server, mut phone, mut till) = start();
    phone.add("stock", "s", json!({ "qty": -1 }));
    phone.create("note", "tmp_a", json!({ "text": "a" }));
    let sent = phone.freeze();
    phone.send(&server, &sent).expect("it arrives, and the answer is lost");
    let mut restored = phone.clone();
    phone.sync(&server).expect("it is online");
    phone.add("stock", "s", json!({ "qty": -10 }));
    phone.update("note", "n", json!({ "text": "second" }));
    phone.sync(&server).expect("it is online");

    restored.add("stock", "s", json!({ "qty": -2 }));
    restored.update("note", "tmp_a", json!({ "text": "b" }));
    restored.freeze();
    restored.add("stock", "s", json!({ "qty": -4 }));
    restored.sync(&server).expect("it goes on");
    assert_eq!((restored.device.as_str(), restored.pending()), ("phone-again", 0));
    assert!(restored.dead.is_empty(), "{:?}", restored.dead);
    till.sync(&server).expect("it is online");
    assert_eq!(till.held(), restored.held());
    assert_eq!(till.view("stock", "s").map(|stock| stock["qty"].clone()), Some(json!(100 - 1 - 10 - 2 - 4)));
    let notes = till.rows.live("note").into_values().map(|(_, note)| note["text"].clone());
    let mut notes: Vec<String> = notes.map(|text| text.to_string()).collect();
    notes.sort();
    assert_eq!(notes, [r#""b""#, r#""second""#]);
}

/// A pull shows it, too: before it sends anything, the device learns that its numbers are taken.
#[test]
fn a_device_from_an_old_backup_learns_it_from_a_pull() {
    let (server, mut phone, till) = start();
    let mut restored = phone.clone();
    phone.update("note", "n", json!({ "text": "second" }));
    phone.sync(&server).expect("it is online");
    restored.pull(&server).expect("it is online");
    assert_eq!(restored.device, "phone-again");
    restored.update("note", "n", json!({ "text": "third" }));
    restored.sync(&server).expect("it is online");
    phone.sync(&server).expect("it is online");
    assert_eq!(phone.held(), restored.held());
    drop(till);
}

/// Devices have sent and seen what the backup does not hold, and one was bound after it was made. What they had no answer to
/// comes again; what they knew to be stored is lost with the data, and nobody goes on showing it.
#[test]
fn a_server_from_an_old_backup_leaves_nobody_stuck() {
    let (mut server, mut phone, mut till) = start();
    server.kill();
    let backup = server.back_up();
    server.restart();
    let mut van = App::install(&server, "van", &["note", "stock"]);
    let goes_on = |app: &mut App, server: &Server| {
        let id = format!("of-{}", app.device);
        app.create("note", &id, json!({ "text": "lost" }));
        app.add("stock", "s", json!({ "qty": -1 }));
        app.update("note", "n", json!({ "text": app.device }));
        app.sync(server).expect("it is online");
    };
    for app in [&mut phone, &mut till, &mut van] {
        goes_on(app, &server);
    }
    phone.delete("note", "n");
    phone.sync(&server).expect("it is online");
    till.add("stock", "s", json!({ "qty": -20 }));
    let sent = till.freeze();
    till.send(&server, &sent).expect("it arrives, and the answer is lost");
    van.update("note", "n", json!({ "text": "offline" }));
    phone.update("note", "of-phone", json!({ "text": "of what is lost" }));

    server.kill();
    server.restore(&backup);
    server.command(&["epoch", "renew"]);
    server.restart();
    for _ in 0..2 {
        for app in [&mut phone, &mut till, &mut van] {
            app.sync(&server).expect("nobody is stuck");
        }
    }
    let mut new = App::install(&server, "new", &["note", "stock"]);
    new.sync(&server).expect("it is online");
    for app in [&phone, &till, &van] {
        assert_eq!((app.held(), app.pending()), (new.held(), 0), "{}", app.device);
        assert_eq!(app.resets, ["epoch", "epoch"], "{}", app.device);
    }
    assert_eq!(new.view("stock", "s").map(|stock| stock["qty"].clone()), Some(json!(100 - 20)));
    assert_eq!(new.view("note", "n").map(|note| note["text"].clone()), Some(json!("offline")));
    let dead: Vec<&str> = phone.dead.iter().map(|dead| dead.code.as_str()).collect();
    assert_eq!((dead, till.dead.len(), van.dead.len()), (vec!["entity-deleted"], 0, 0));
    for app in [&mut phone, &mut till, &mut van] {
        goes_on(app, &server);
    }
    phone.sync(&server).expect("it is online");
    till.sync(&server).expect("it is online");
    assert_eq!((phone.held(), till.held()), (van.held(), van.held()));
    assert_eq!(van.view("stock", "s").map(|stock| stock["qty"].clone()), Some(json!(100 - 20 - 3)));
}
