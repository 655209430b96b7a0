//! Devices that wait for what others send.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    app::{App, Failure},
    http::Events,
    server::Server,
};

/// How long a pull waits here. Whatever comes ends it at once.
const WAIT_MS: u64 = 50_000;

fn notes() -> Server {
    Server::start(&[("note", json!({ "policy": "lww" })), ("task", json!({ "policy": "lww" }))])
}

#[test]
fn a_pull_that_waits_gets_what_another_sends() {
    let server = notes();
    let mut ann = App::install(&server, "ann", &["note", "task"]);
    let mut bob = App::install(&server, "bob", &["note", "task"]);
    bob.sync(&server).expect("it is online");
    for n in 0..10 {
        let kind = ["note", "task"][n % 2];
        ann.create(kind, &format!("{n}"), json!({ "text": n }));
        let begun = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| ann.push(&server).expect("it is online"));
            assert!(bob.pull_page(&server, WAIT_MS).expect("it is online"));
        });
        assert!(bob.view(kind, &format!("{n}")).is_some(), "the pull ended without what it waited for");
        assert!(begun.elapsed() < Duration::from_millis(WAIT_MS / 2), "the pull waited on");
    }
    ann.sync(&server).expect("it is online");
    assert_eq!(ann.held(), bob.held());
}

/// Takes in what a stream tells of a scope whose cursor the app gave, as it would a page.
fn take(app: &mut App, delta: &Value) {
    let scope = delta["scope"].as_str().expect("a scope");
    assert_eq!(delta["from"], json!(app.scope(scope).cursor), "each event goes on where the last one ended");
    let page =
        json!({ "scope": scope, "reset": null, "changes": delta["changes"], "cursor": delta["cursor"] });
    app.take(&page);
}

#[test]
fn a_live_stream_tells_all_that_another_sends() {
    let server = notes();
    let mut ann = App::install(&server, "ann", &["note", "task"]);
    let mut bob = App::install(&server, "bob", &["note", "task"]);
    ann.create("note", "before", json!({ "text": "before" }));
    bob.sync(&server).expect("it is online");
    ann.push(&server).expect("it is online");
    let cursor = bob.scope("note").cursor.clone().expect("it has read");
    let path = format!("/sync/v1/live?device_id=bob&scope=note&scope=task&cursor={cursor}");
    let mut live = Events::open(server.addr, &bob.user, &path);
    ann.create("note", "n", json!({ "text": "0" }));
    for n in 1..20 {
        ann.update("note", "n", json!({ "text": n.to_string() }));
        ann.push(&server).expect("it is online");
    }
    ann.delete("note", "before");
    ann.push(&server).expect("it is online");
    let is_done = |bob: &App| {
        let text = bob.view("note", "n").map(|note| note["text"].clone());
        text == Some(json!("19")) && bob.view("note", "before").is_none()
    };
    while !is_done(&bob) {
        let (name, delta) = live.next().expect("the stream goes on");
        assert_eq!(name, "delta");
        take(&mut bob, &delta);
    }
    ann.create("task", "t", json!({ "text": "no cursor was given" }));
    ann.push(&server).expect("it is online");
    let (name, poke) = live.next().expect("the stream goes on");
    assert_eq!((name.as_str(), &poke["scope"]), ("poke", &json!("task")));
    // Where the stream has led is where a pull goes on.
    bob.sync(&server).expect("it is online");
    ann.sync(&server).expect("it is online");
    assert_eq!((bob.held(), bob.resets.len()), (ann.held(), 0));
}

#[test]
fn a_device_that_is_revoked_hears_and_says_no_more() {
    let server = notes();
    let mut ann = App::install(&server, "ann", &["note"]);
    let mut bob = App::install(&server, "bob", &["note"]);
    ann.create("note", "n", json!({ "text": "1" }));
    ann.sync(&server).expect("it is online");
    bob.sync(&server).expect("it is online");
    let streams = [&ann, &bob].map(|app| {
        let path = format!("/sync/v1/live?device_id={}&scope=note", app.device);
        Events::open(server.addr, &app.user, &path)
    });
    let [mut anns, mut bobs] = streams;
    server.ok("DELETE /sync/v1/devices/bob", &json!({}));
    bobs.within(Duration::from_secs(1));
    assert_eq!(bobs.next(), None);
    bob.update("note", "n", json!({ "text": "2" }));
    for refused in [bob.push(&server), bob.pull(&server), bob.acknowledge(&server), bob.bind(&server)] {
        let Err(Failure::Refused(problem)) = refused else { panic!("{refused:?}") };
        assert_eq!((&problem["code"], &problem["status"]), (&json!("device-revoked"), &json!(403)));
    }
    assert_eq!(bob.pending(), 1, "its user can still save what it made");
    // Nobody hears of what they wrote themselves.
    let mut eve = App::install(&server, "eve", &["note"]);
    eve.sync(&server).expect("it is online");
    eve.update("note", "n", json!({ "text": "3" }));
    eve.push(&server).expect("it is online");
    assert_eq!(anns.next().map(|(name, _)| name).as_deref(), Some("poke"));
    ann.sync(&server).expect("it is online");
    assert_eq!(ann.view("note", "n").map(|note| note["text"].clone()), Some(json!("3")));
}
