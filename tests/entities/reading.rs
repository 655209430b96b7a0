//! How devices read: pages, scopes, cursors.

use serde_json::json;

use super::{app::App, server::Server};

/// Records of the long story.
const MANY: usize = 2_500;

fn notes() -> Server {
    Server::start(&[("note", json!({ "policy": "lww" }))])
}

/// While a device reads 2,500 records in pages, two others write behind it, before it, and across its place.
///
/// Each page is compared with the checksum by the app itself, wherever the server gives one.
#[test]
fn a_long_pass_ends_whole_while_others_write() {
    let server = notes();
    let mut writers = ["ann", "bob"].map(|name| App::install(&server, name, &["note"]));
    let [ann, bob] = &mut writers;
    ann.batch = 500;
    for n in 0..MANY {
        ann.create("note", &format!("n{n}"), json!({ "text": format!("note {n}") }));
    }
    ann.sync(&server).expect("it is online");
    bob.pull(&server).expect("it is online");
    let mut reader = App::install(&server, "reader", &["note"]);
    reader.page = 100;
    let mut pages = 0;
    while !reader.pull_page(&server, 0).expect("it is online") {
        // The first half of the pages goes on from one record to the next; each record that changes comes once more.
        let (behind, ahead) = (pages * 100, MANY - 1 - pages * 7);
        ann.update("note", &format!("n{behind}"), json!({ "text": "behind" }));
        ann.delete("note", &format!("n{ahead}"));
        ann.push(&server).expect("it is online");
        bob.create("note", &format!("new{pages}"), json!({ "text": "new" }));
        bob.update("note", &format!("n{}", behind + 1), json!({ "text": "behind" }));
        bob.update("note", &format!("n{}", ahead - 1), json!({ "text": "ahead" }));
        bob.push(&server).expect("it is online");
        pages += 1;
    }
    assert!(pages >= MANY / 100 - 1, "{pages} pages");
    // As many were created as were deleted.
    let checksum = reader.rows.checksum("note");
    assert_eq!(checksum["count"], MANY.to_string());
    for app in [ann, bob] {
        app.sync(&server).expect("it is online");
        assert_eq!((app.rows.checksum("note"), app.held()), (checksum.clone(), reader.held()));
    }
}

fn territories() -> Server {
    let server =
        Server::start(&[("visit", json!({ "policy": "lww", "buckets": ["territory:{territory}"] }))]);
    server.put("scopes/near", &json!({ "types": ["visit"], "bucket": "territory:{territory}" }));
    server
}

#[test]
fn what_leaves_a_scope_is_forgotten_and_not_deleted() {
    let server = territories();
    let mut office = App::install(&server, "office", &["visit"]);
    let mut van = App::install(&server, "van", &["near"]);
    van.scope("near").params = json!({ "territory": "7" });
    for (id, territory) in [("a", "7"), ("b", "7"), ("c", "8")] {
        office.create("visit", id, json!({ "territory": territory }));
    }
    office.sync(&server).expect("it is online");
    van.sync(&server).expect("it is online");
    assert_eq!(van.rows.live("near").len(), 2);

    office.update("visit", "a", json!({ "territory": "8" }));
    office.delete("visit", "b");
    office.sync(&server).expect("it is online");
    van.sync(&server).expect("it is online");
    let [a, b] = ["a", "b"].map(|id| van.rows.row(&("visit".into(), id.into())));
    assert!(a.is_none(), "nothing is known of what is elsewhere: {a:?}");
    assert!(b.is_some_and(|row| row.data.is_none()), "what was deleted is known to be: {b:?}");
    assert!(office.view("visit", "a").is_some());
    assert_eq!(van.resets, [""; 0]);

    van.scope("near").params = json!({ "territory": "8" });
    van.sync(&server).expect("it is online");
    assert_eq!(van.resets, ["scope_changed"]);
    assert_eq!(van.held()["near"], office.held()["visit"]);
    // What it made for a place that it has not read about stays until the server has it.
    van.update("visit", "a", json!({ "note": "done" }));
    van.scope("near").params = json!({ "territory": "9" });
    van.pull(&server).expect("it is online");
    assert_eq!(van.view("visit", "a").map(|visit| visit["note"].clone()), Some(json!("done")));
    van.sync(&server).expect("it is online");
    assert_eq!((van.view("visit", "a"), van.rows.live("near").len()), (None, 0));
    office.sync(&server).expect("it is online");
    assert_eq!(office.view("visit", "a").map(|visit| visit["note"].clone()), Some(json!("done")));
}

#[test]
fn a_scope_whose_type_is_sorted_anew_begins_again() {
    let server = territories();
    let mut van = App::install(&server, "van", &["near", "visit"]);
    van.scope("near").params = json!({ "territory": "7" });
    van.create("visit", "a", json!({ "territory": "7", "region": "north" }));
    van.sync(&server).expect("it is online");
    server.put("types/visit", &json!({ "policy": "lww", "buckets": ["region:{region}"] }));
    van.sync(&server).expect("it is online");
    assert_eq!((van.rows.live("near").len(), van.rows.live("visit").len()), (0, 1));
    assert_eq!(van.resets, ["scope_changed"]);
}

#[test]
fn a_device_without_a_cursor_reads_everything_again() {
    let server = notes();
    let mut apps = ["ann", "bob"].map(|name| App::install(&server, name, &["note"]));
    let [ann, bob] = &mut apps;
    for id in ["a", "b", "c"] {
        ann.create("note", id, json!({ "text": id }));
    }
    ann.sync(&server).expect("it is online");
    bob.sync(&server).expect("it is online");
    let token = bob.scope("note").cursor.clone().expect("it has read");
    let last = token.char_indices().next_back().expect("a token is a text").0;
    let changed = if token.ends_with('A') { "B" } else { "A" };
    let damaged =
        [format!("{}{changed}", &token[..last]), token[..last].to_owned(), "s1.".into(), "?".into()];
    let lost = damaged.map(Some).into_iter().chain([None]);
    for (at, cursor) in lost.enumerate() {
        ann.delete("note", ["a", "b", "c", "d0", "d1"][at]);
        ann.create("note", &format!("d{at}"), json!({ "text": "new" }));
        ann.sync(&server).expect("it is online");
        let resets = bob.resets.len();
        bob.scope("note").cursor.clone_from(&cursor);
        bob.update("note", "d0", json!({ "seen": at }));
        bob.sync(&server).expect("it is online");
        ann.sync(&server).expect("it is online");
        assert_eq!(bob.held(), ann.held(), "{cursor:?}");
        let told = bob.resets[resets..].first().map(String::as_str);
        assert_eq!(told, cursor.is_some().then_some("cursor-invalid"), "{cursor:?}");
    }
}

/// Whoever may not read a type any more forgets it, and keeps what it has made itself until the server has refused it; nothing
/// is deleted, and the grant brings all of it back.
#[test]
fn a_grant_that_is_taken_away_evicts() {
    let server =
        Server::start_guarded(&[("note", json!({ "policy": "lww" })), ("price", json!({ "policy": "lww" }))]);
    let (all, some) = (["type:*=write"], ["type:note=write"]);
    let mut office = App::install_by(&server, "office", &server.token("ann", &all), &["note", "price"]);
    let mut van = App::install_by(&server, "van", &server.token("bob", &all), &["note", "price"]);
    for kind in ["note", "price"] {
        office.create(kind, "a", json!({ "text": kind }));
    }
    office.sync(&server).expect("it is online");
    van.sync(&server).expect("it is online");
    assert_eq!(van.held(), office.held());

    van.user = server.token("bob", &some);
    van.update("price", "a", json!({ "text": "cheaper" }));
    van.update("note", "a", json!({ "text": "seen" }));
    van.sync(&server).expect("it is online");
    van.sync(&server).expect("it is online");
    let dead: Vec<&str> = van.dead.iter().map(|dead| dead.code.as_str()).collect();
    assert_eq!((dead, van.resets.as_slice()), (vec!["forbidden-op"], &["scope_changed".to_owned()][..]));
    assert_eq!((van.rows.live("price").len(), van.rows.live("note").len()), (0, 1));
    office.sync(&server).expect("it is online");
    assert_eq!(office.view("price", "a").map(|price| price["text"].clone()), Some(json!("price")));
    assert_eq!(office.view("note", "a").map(|note| note["text"].clone()), Some(json!("seen")));

    van.user = server.token("bob", &all);
    van.sync(&server).expect("it is online");
    assert_eq!(van.held(), office.held());
}
