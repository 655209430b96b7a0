//! A name means one document after another, and what is told of it is told in order.

use std::collections::BTreeSet;

use serde_json::json;
use syncline_core::{
    entity::{EntityType, Policy, TypeName},
    hook::HookEvent,
};
use syncline_protocol::hooks::Rules;
use syncline_server::HookSettings;
use syncline_store::key::Kind;

use super::{create, dead::letters, delete, generation, hook, says, serve, taken, told, until_told};
use crate::{
    entities::Caller,
    support::{
        client::Client,
        disk::{Disk, count},
        handler::{Handler, Says},
        start_with,
        updates::letter,
        within,
    },
};

/// Goal: nothing of a document is told before the end of the one that had its name. Method: the application fails while one is deleted and
/// the next begins; what it takes then, in order, is written down.
#[tokio::test]
async fn the_next_document_of_a_name_comes_behind_the_end_of_the_last() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(taken()).await;
        let all = HookSettings { events: HookEvent::ALL.into(), ..hook("all", &application) };
        let rules = Rules { attempts: 20, ..all.rules };
        let server = serve(&disk, vec![HookSettings { rules, ..all }]).await;
        create(&server, "plan").await;
        let first = generation(&server).await;
        let events = ["document.created", "document.changed"];
        for event in events {
            assert_eq!(told(&application.asked().await).0, event);
        }
        application.says(says(400));
        delete(&server).await;
        create(&server, "plan").await;
        let second = generation(&server).await;
        assert_ne!(first, second);
        for _ in 0..3 {
            let asked = application.asked().await;
            assert_eq!(told(&asked).0, "document.deleted", "nothing else is told before");
            assert_eq!(asked.json()["data"]["generation"], first);
        }
        application.says(taken());
        let mut rest = Vec::new();
        while rest.last().is_none_or(|(event, _)| event != "document.changed") {
            let asked = application.asked().await;
            rest.push((told(&asked).0, asked.json()["data"]["generation"].clone()));
        }
        rest.retain(|(event, _)| event != "document.deleted");
        assert_eq!(rest, events.map(|event| (event.to_owned(), json!(second))));
        until_told(&disk).await;
        server.shutdown().await;
    })
    .await;
}

/// That a document was deleted outlives the server, too.
#[tokio::test]
async fn a_deletion_is_told_behind_a_start() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(Says::Nothing).await;
        let events = BTreeSet::from([HookEvent::Deleted]);
        let ends = HookSettings { events, ..hook("ends", &application) };
        let server = serve(&disk, vec![ends.clone()]).await;
        create(&server, "plan").await;
        delete(&server).await;
        assert_eq!(count(&disk, Kind::HookEnd), 1, "it goes with the deletion");
        application.asked().await;
        server.shutdown().await;
        application.says(taken());
        let server = serve(&disk, vec![ends]).await;
        assert_eq!(told(&application.asked().await).0, "document.deleted");
        until_told(&disk).await;
        server.shutdown().await;
    })
    .await;
}

/// What could not be told of an entity is listed no more once that is erased.
#[tokio::test]
async fn what_is_erased_is_no_dead_letter() {
    within(async {
        let disk = Disk::new();
        let application = Handler::start(says(400)).await;
        let search = hook("search", &application);
        let search = HookSettings { rules: Rules { attempts: 1, ..search.rules }, ..search };
        let note = EntityType::new(TypeName::new("note").expect("a name"), Policy::Crdt);
        let server = start_with(&disk, |config| {
            (config.hooks, config.types) = (vec![search], vec![note]);
        })
        .await;
        let mut writer = Client::connect(server.addr(), "note/n1").await;
        writer.update(&letter(1, 'a')).await;
        writer.hear_echo(&letter(1, 'a')).await;
        assert_eq!(letters(&server, "search", 1).await[0]["document"], "note/n1");
        create(&server, "plan").await;
        letters(&server, "search", 2).await;
        let ann = Caller::of(&server, "ann");
        ann.ok("POST /sync/v1/erase", json!({ "type": "note", "id": "n1" })).await;
        assert_eq!(letters(&server, "search", 1).await[0]["document"], "plan", "and no other");
        server.shutdown().await;
    })
    .await;
}
