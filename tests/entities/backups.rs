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
