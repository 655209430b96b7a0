//! What could not be told is kept, for operators.

use serde_json::{Value, json};
use syncline_core::hook::HookEvent;
use syncline_protocol::hooks::Rules;
use syncline_server::{HookSettings, Server};
use syncline_store::key::Kind;

use super::{changed, create, delete, edit, hook, says, serve, taken, told, until_counted, until_told};
use crate::{
    entities::Caller,
    support::{
        disk::{Disk, count},
        handler::Handler,
        within,
    },
};

/// Waits until a hook has so many dead letters, and returns them.
pub(super) async fn letters(server: &Server, hook: &str, many: usize) -> Vec<Value> {
    loop {
        let listed =
            Caller::of(server, "ann").ok(&format!("GET /docs/v1/hooks/{hook}/dead"), json!({})).await;
        let dead = listed["dead"].as_array().expect("a list").clone();
        if dead.len() == many {
            return dead;
        }
    }
}

/// It is listed, outlives the server, and is told once more or dropped as an operator says.
#[tokio::test]
async fn what_cannot_be_told_is_kept_for_operators() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(says(400)).await;
        let search = hook("search", &application);
        let server = serve(&disk, vec![search.clone()]).await;
        create(&server, "plan").await;
        let dead = letters(&server, "search", 1).await;
        let letter = &dead[0];
        for (member, want) in [
            ("type", json!("document.changed")),
            ("document", json!("plan")),
            ("commit", json!(1)),
            ("attempts", json!(3)),
            ("status", json!(400)),
            ("why", json!("it answers with status 400")),
        ] {
            assert_eq!(letter[member], want, "{member}");
        }
        let mut asked = Vec::new();
        for _ in 0..3 {
            asked.push(application.asked().await);
        }
        assert!(asked.iter().all(|asked| asked.header("webhook-id") == letter["id"]));
        for line in [
            "syncline_hook_failed_total{hook=\"search\"} 3",
            "syncline_hook_buried_total{hook=\"search\"} 1",
            "syncline_hook_dead_letters{hook=\"search\"} 1",
        ] {
            until_counted(&server, line).await;
        }
        create(&server, "note").await;
        let both = letters(&server, "search", 2).await;
        assert_eq!(both[0], *letter, "the oldest first");
        server.shutdown().await;
        while application.more() > 0 {}

        application.says(taken());
        let server = serve(&disk, vec![search]).await;
        assert_eq!(letters(&server, "search", 2).await, both);
        assert_eq!(application.more(), 0, "nobody has asked for it");
        let ann = Caller::of(&server, "ann");
        let none = ann.ok("POST /docs/v1/hooks/search/retry?id=msg_0", json!({})).await;
        assert_eq!(none, json!({ "count": 0 }));
        let id = letter["id"].as_str().expect("a text");
        let retried = ann.ok(&format!("POST /docs/v1/hooks/search/retry?id={id}"), json!({})).await;
        assert_eq!(retried, json!({ "count": 1 }));
        let again = application.asked().await;
        assert_eq!((again.header("webhook-id"), told(&again)), (id, changed("plan", 1)));
        assert_eq!(letters(&server, "search", 1).await, both[1..]);
        let dropped = ann.ok("DELETE /docs/v1/hooks/search/dead", json!({})).await;
        assert_eq!(dropped, json!({ "count": 1 }));
        until_told(&disk).await;
        assert_eq!(letters(&server, "search", 0).await, [Value::Null; 0]);
        assert_eq!(application.more(), 0);
        server.shutdown().await;
    })
    .await;
}

/// A change that is told takes the place of a dead letter of the same document, and a deletion takes both away.
#[tokio::test]
async fn a_dead_letter_goes_with_what_it_tells_of() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(says(400)).await;
        let search = hook("search", &application);
        let server = serve(&disk, vec![search]).await;
        create(&server, "plan").await;
        let first = letters(&server, "search", 1).await;
        edit(&server, "plan").await;
        let mut second = letters(&server, "search", 1).await;
        while second == first {
            second = letters(&server, "search", 1).await;
        }
        assert_eq!((&second[0]["commit"], count(&disk, Kind::Hook)), (&json!(2), 1));
        delete(&server).await;
        assert_eq!(letters(&server, "search", 0).await, [Value::Null; 0]);
        until_told(&disk).await;
        while application.more() > 0 {}
        server.shutdown().await;
    })
    .await;
}

/// That a document was deleted is kept, too, though nothing else of it is.
#[tokio::test]
async fn what_was_deleted_can_be_a_dead_letter() {
    within(async {
        let disk = Disk::new();
        let application = Handler::start(says(400)).await;
        let rules = Rules { attempts: 1, ..hook("search", &application).rules };
        let events = [HookEvent::Deleted].into();
        let search = HookSettings { events, rules, ..hook("search", &application) };
        let server = serve(&disk, vec![search.clone()]).await;
        create(&server, "plan").await;
        delete(&server).await;
        let dead = letters(&server, "search", 1).await;
        assert_eq!((&dead[0]["type"], &dead[0]["commit"]), (&json!("document.deleted"), &Value::Null));
        server.shutdown().await;
        let server = serve(&disk, vec![search]).await;
        assert_eq!(letters(&server, "search", 1).await, dead);
        server.shutdown().await;
    })
    .await;
}
