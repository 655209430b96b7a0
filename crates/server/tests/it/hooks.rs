//! Applications are told of documents: what is durable, when it is quiet, once they can be reached, and nobody else.

mod dead;
mod names;
mod reach;

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use syncline_core::{
    access::Identity,
    entity::{EntityType, Policy, Secret, TypeName},
    hook::{HookEvent, HookName},
    id::TenantName,
};
use syncline_protocol::{
    hooks::{Debounce, Rules},
    wire::hook::{HookSecret, signatures},
};
use syncline_server::{Config, HookSettings, Server};
use syncline_store::{
    key::{Kind, Place},
    mem::Failure,
};

use crate::{
    entities::Caller,
    support::{
        bearers::{Bearers, of},
        client::Client,
        disk::{Disk, Watched, count},
        handler::{Asked, Handler, Says},
        raw, start_with,
        updates::letter,
        within,
    },
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const PLAN: &str = "/docs/v1/documents/plan";

const HOUR: u64 = 3_600_000;

/// A hook that tells an application of all that changes, at once, and goes on at once where that fails.
fn hook(name: &str, application: &Handler) -> HookSettings {
    HookSettings {
        name: HookName::new(name).expect("a name"),
        url: format!("http://{}/hooks?of=syncline", application.addr),
        secrets: vec![Secret::new(SECRET.into())],
        documents: vec!["*".into()],
        events: [HookEvent::Changed].into(),
        tenants: Some([TenantName::default()].into()),
        rules: Rules { debounce: Debounce { quiet_ms: 0, longest_ms: 0 }, attempts: 3, retry_ms: 1 },
        timeout_ms: None,
        allow_private: true,
    }
}

/// The same that waits for an hour.
fn patient(hook: HookSettings) -> HookSettings {
    let debounce = Debounce { quiet_ms: HOUR, longest_ms: HOUR };
    HookSettings { rules: Rules { debounce, ..hook.rules }, ..hook }
}

async fn serve(disk: &Disk, hooks: Vec<HookSettings>) -> Server {
    start_with(disk, |config| config.hooks = hooks).await
}

fn taken() -> Says {
    Says::This(204, String::new())
}

fn says(status: u16) -> Says {
    Says::This(status, String::new())
}

async fn create(server: &Server, name: &str) {
    let seed = json!({ "json": { "text": "a" } });
    Caller::of(server, "ann").ok(&format!("PUT /docs/v1/documents/{name}"), seed).await;
}

/// Makes a commit of its own.
async fn edit(server: &Server, name: &str) {
    let edits = json!([{ "op": "splice", "path": "/text", "at": 0, "insert": "x" }]);
    Caller::of(server, "ann").ok(&format!("PATCH /docs/v1/documents/{name}"), edits).await;
}

async fn delete(server: &Server) {
    assert_eq!(raw::send(server.addr(), &format!("DELETE {PLAN}"), "", "").await.status, 204);
}

/// Returns whose marks there are.
fn marks(disk: &Disk) -> Vec<String> {
    let memory = disk.memory();
    let marks = memory.live().keys().filter_map(|key| match key.place() {
        Some(Place::Hook { hook, .. }) => Some(hook.as_str().to_owned()),
        _ => None,
    });
    let mut marks: Vec<_> = marks.collect();
    marks.sort();
    marks
}

/// Waits until nothing is left that a hook is to be told of.
async fn until_told(disk: &Disk) {
    while count(disk, Kind::Hook) + count(disk, Kind::HookEnd) > 0 {
        tokio::task::yield_now().await;
    }
}

/// Waits until so many marks of documents are left.
async fn until_marks(disk: &Disk, many: usize) {
    while count(disk, Kind::Hook) != many {
        tokio::task::yield_now().await;
    }
}

/// Waits until the metrics have a line.
async fn until_counted(server: &Server, line: &str) {
    let mut metrics = String::new();
    while !metrics.lines().any(|found| found == line) {
        metrics = raw::get(server.addr(), "/metrics", "").await.body;
        assert!(!metrics.contains("whsec"));
    }
}

/// Returns what was told: the event, the document and the commit.
fn told(asked: &Asked) -> (String, String, Option<u64>) {
    let body = asked.json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&body["type"]), text(&body["data"]["document"]), body["data"]["commit"].as_u64())
}

/// Returns which document `plan` is, as the first part of its `ETag`.
async fn generation(server: &Server) -> String {
    let head = raw::get(server.addr(), PLAN, "").await.head;
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: \"")).expect("it has a revision");
    tag.split_once('-').expect("it has two parts").0.to_owned()
}

fn changed(name: &str, commit: u64) -> (String, String, Option<u64>) {
    ("document.changed".into(), name.into(), Some(commit))
}

#[tokio::test]
async fn a_change_is_told_signed_and_forgotten() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(says(202)).await;
        let mut search = hook("search", &application);
        let newer = format!("whsec_{}", "QUFB".repeat(8));
        search.secrets.push(Secret::new(newer.clone()));
        let server = serve(&disk, vec![search]).await;
        create(&server, "plan").await;
        let asked = application.asked().await;
        assert!(asked.head.starts_with("post /hooks?of=syncline http/1.1\r\n"), "{}", asked.head);
        assert_eq!(asked.header("content-type"), "application/json");
        let body = asked.json();
        let at = body["timestamp"].as_str().expect("a time");
        let generation = generation(&server).await;
        let data = json!({ "tenant": "default", "document": "plan", "generation": generation, "commit": 1 });
        assert_eq!(body, json!({ "type": "document.changed", "timestamp": at, "data": data }));
        let listed = Caller::of(&server, "ann").ok("GET /docs/v1/documents", json!({})).await;
        assert_eq!(listed["documents"][0]["edited_at"], at);

        let (id, sent) = (asked.header("webhook-id"), asked.header("webhook-timestamp"));
        assert!(id.starts_with("msg_") && sent.parse::<u64>().is_ok_and(|seconds| seconds > 1_600_000_000));
        let secrets = [SECRET, &newer].map(|text| HookSecret::parse(text).expect("a secret"));
        let want = signatures(&secrets, id, sent, asked.body.as_bytes());
        assert_eq!(asked.header("webhook-signature"), want);
        until_told(&disk).await;
        for line in
            ["syncline_hook_delivered_total{hook=\"search\"} 1", "syncline_hook_waiting{hook=\"search\"} 0"]
        {
            until_counted(&server, line).await;
        }
        server.shutdown().await;
    })
    .await;
}

/// Goal: of many changes one is told, and it outlives the server. Method: the hook waits for an hour, so that nothing is told before the
/// server starts anew; then it is at once.
#[tokio::test]
async fn of_many_changes_the_last_is_told() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(taken()).await;
        let search = patient(hook("search", &application));
        let server = serve(&disk, vec![search.clone()]).await;
        create(&server, "plan").await;
        for _ in 0..4 {
            edit(&server, "plan").await;
        }
        create(&server, "note").await;
        assert_eq!(count(&disk, Kind::Hook), 2, "one of each document");
        server.shutdown().await;
        assert_eq!(application.more(), 0);

        let server = serve(&disk, vec![search]).await;
        let all = [application.asked().await, application.asked().await].map(|asked| told(&asked));
        assert_eq!(BTreeSet::from(all), BTreeSet::from([changed("plan", 5), changed("note", 1)]));
        until_told(&disk).await;
        server.shutdown().await;
        assert_eq!(application.more(), 0);
    })
    .await;
}

/// Goal: whenever the server is killed, the newest durable commit is told. Method: a server is started on what each commit left behind.
#[tokio::test]
async fn whenever_the_server_is_killed_what_is_durable_is_told() {
    within(async {
        let (disk, mut application) = (Disk::new(), Handler::start(taken()).await);
        let search = patient(hook("search", &application));
        let watched = Watched::over(&disk);
        let images = watched.images();
        let mut config = Config::default();
        config.hooks = vec![search.clone()];
        let server = Server::start(config, Box::new(watched)).await.expect("loopback has a free port");
        create(&server, "plan").await;
        for _ in 0..3 {
            edit(&server, "plan").await;
        }
        server.shutdown().await;
        assert_eq!(application.more(), 0);
        let mut commits = BTreeSet::new();
        let images = std::mem::take(&mut *images.lock().expect("nobody panics"));
        for image in images {
            let disk = Disk::holding(image);
            if count(&disk, Kind::Log) == 0 {
                continue;
            }
            let newest = count(&disk, Kind::Log) as u64;
            let server = serve(&disk, vec![search.clone()]).await;
            assert_eq!(told(&application.asked().await), changed("plan", newest));
            until_told(&disk).await;
            server.shutdown().await;
            commits.insert(newest);
        }
        assert_eq!(commits, (1..=4).collect());
        assert_eq!(application.more(), 0);
    })
    .await;
}

/// Goal: nothing is told that is not durable. Method: a commit waits, and fails; the first that the application hears of is another one.
#[tokio::test]
async fn nothing_is_told_before_it_is_durable() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(taken()).await;
        let mut search = hook("search", &application);
        search.events.insert(HookEvent::Created);
        let server = serve(&disk, vec![search]).await;
        let mut writer = Client::connect(server.addr(), "lost").await;
        writer.whole_document().await;
        disk.tell(|disk| disk.hold_commits = true);
        writer.update(&letter(1, 'a')).await;
        disk.until(|disk| disk.commit_waits).await;
        assert_eq!(application.more(), 0);
        disk.fail_next_commit(Failure::BeforeWrite);
        disk.tell(|disk| disk.hold_commits = false);
        assert_eq!(writer.hear_close().await.0, 1013);
        raw::until_status(server.addr(), "/readyz", 200).await;
        create(&server, "kept").await;
        let created = ("document.created".to_owned(), "kept".to_owned(), Some(1));
        assert_eq!(told(&application.asked().await), created);
        assert_eq!(told(&application.asked().await), changed("kept", 1), "behind its creation");
        server.shutdown().await;
    })
    .await;
}

/// An attempt to tell the same has the same id and the same body.
#[tokio::test]
async fn what_was_not_taken_is_told_again() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(says(500)).await;
        let server = serve(&disk, vec![hook("search", &application)]).await;
        create(&server, "plan").await;
        let first = application.asked().await;
        application.says(Says::Gone);
        let second = application.asked().await;
        application.says(taken());
        let third = application.asked().await;
        for again in [second, third] {
            assert_eq!((again.header("webhook-id"), &again.body), (first.header("webhook-id"), &first.body));
        }
        until_told(&disk).await;
        server.shutdown().await;
    })
    .await;
}

/// Whoever does not answer holds up neither documents, nor other hooks, nor the end of the server.
#[tokio::test]
async fn a_hook_that_says_nothing_delays_nobody() {
    within(async {
        let disk = Disk::new();
        let silent = Handler::start(Says::Nothing).await;
        let mut application = Handler::start(taken()).await;
        let hooks = vec![hook("a", &silent), hook("b", &application)];
        let server = serve(&disk, hooks).await;
        for number in 0..20 {
            let name = format!("plan{number}");
            create(&server, &name).await;
            assert_eq!(told(&application.asked().await), changed(&name, 1));
        }
        server.shutdown().await;
        let waiting = marks(&disk).into_iter().filter(|hook| hook == "a").count();
        assert_eq!(waiting, 20, "the silent one is told another time");
    })
    .await;
}

/// Status 410 says that nothing more is wanted, until the server starts again.
#[tokio::test]
async fn an_application_that_wants_nothing_more_is_left_alone() {
    within(async {
        let disk = Disk::new();
        let mut gone = Handler::start(says(410)).await;
        let mut application = Handler::start(taken()).await;
        let hooks = vec![hook("a", &gone), hook("b", &application)];
        let server = serve(&disk, hooks.clone()).await;
        create(&server, "plan").await;
        gone.asked().await;
        application.asked().await;
        let ann = Caller::of(&server, "ann");
        let unwanted = async || {
            let listed = ann.ok("GET /docs/v1/hooks", json!({})).await;
            listed["hooks"].as_array().expect("a list").iter().map(|hook| hook["unwanted"] == true).collect()
        };
        let mut told_so: Vec<bool> = unwanted().await;
        while told_so != [true, false] {
            told_so = unwanted().await;
        }
        create(&server, "note").await;
        assert_eq!(told(&application.asked().await), changed("note", 1));
        assert_eq!(gone.more(), 0);
        server.shutdown().await;

        gone.says(taken());
        let server = serve(&disk, hooks).await;
        let all = [gone.asked().await, gone.asked().await].map(|asked| told(&asked));
        assert_eq!(BTreeSet::from(all), BTreeSet::from([changed("note", 1), changed("plan", 1)]));
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn nothing_of_another_tenant_is_told() {
    within(async {
        let disk = Disk::new();
        let (mut own, mut all) = (Handler::start(taken()).await, Handler::start(taken()).await);
        let of_own = HookSettings {
            tenants: Some([TenantName::new("acme").expect("a name")].into()),
            ..hook("own", &own)
        };
        let of_all = HookSettings { tenants: None, ..hook("all", &all) };
        let bearers = Arc::new(Bearers::default());
        for tenant in ["acme", "beta"] {
            let tenant_name = TenantName::new(tenant).expect("a name");
            bearers.put(tenant, Identity { tenant: tenant_name, ..of("ann", &["*=admin"]) });
        }
        let server = start_with(&disk, |config| {
            config.authenticator = Some(bearers);
            config.hooks = vec![of_own, patient(of_all)];
        })
        .await;
        let seed = json!({ "json": { "text": "a" } });
        for tenant in ["beta", "acme"] {
            Caller::bearing(&server, tenant).ok(&format!("PUT {PLAN}"), seed.clone()).await;
        }
        assert_eq!(own.asked().await.json()["data"]["tenant"], "acme");
        let hooks_of = async |tenant: &str| {
            let listed = Caller::bearing(&server, tenant).ok("GET /docs/v1/hooks", json!({})).await;
            listed["hooks"].as_array().expect("a list").iter().map(|hook| hook["name"].to_string()).collect()
        };
        let (of_acme, of_beta): (Vec<String>, Vec<String>) = (hooks_of("acme").await, hooks_of("beta").await);
        assert_eq!((of_acme.len(), of_beta), (2, vec!["\"all\"".to_owned()]));
        let foreign = Caller::bearing(&server, "beta").ask("GET /docs/v1/hooks/own/dead", json!({})).await;
        assert_eq!((foreign.0, &foreign.1["error"]), (404, &json!("unknown-hook")));
        server.shutdown().await;

        // What waits for a hook that is of one tenant only from now on is told of that one.
        let of_all = HookSettings {
            tenants: Some([TenantName::new("beta").expect("a name")].into()),
            ..hook("all", &all)
        };
        let server = serve(&disk, vec![of_all]).await;
        assert_eq!(all.asked().await.json()["data"]["tenant"], "beta");
        until_told(&disk).await;
        server.shutdown().await;
        assert_eq!((own.more(), all.more()), (0, 0));
    })
    .await;
}

/// Of a document that is gone nothing is told but that it is, and nothing is left.
#[tokio::test]
async fn what_is_deleted_or_erased_leaves_no_mark() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(taken()).await;
        let changes = patient(hook("changes", &application));
        let all = HookSettings { events: HookEvent::ALL.into(), ..patient(hook("all", &application)) };
        let note = EntityType::new(TypeName::new("note").expect("a name"), Policy::Crdt);
        let start = async |hooks: Vec<HookSettings>| {
            let types = vec![note.clone()];
            start_with(&disk, |config| (config.hooks, config.types) = (hooks, types)).await
        };
        let server = start(vec![changes, all.clone()]).await;
        create(&server, "plan").await;
        assert_eq!(told(&application.asked().await).0, "document.created");
        edit(&server, "plan").await;
        until_marks(&disk, 2).await;
        delete(&server).await;
        let deleted = ("document.deleted".to_owned(), "plan".to_owned(), None);
        assert_eq!(told(&application.asked().await), deleted);
        until_told(&disk).await;

        let mut writer = Client::connect(server.addr(), "note/n1").await;
        writer.update(&letter(1, 'a')).await;
        writer.hear_echo(&letter(1, 'a')).await;
        assert_eq!(told(&application.asked().await).0, "document.created");
        until_marks(&disk, 2).await;
        let ann = Caller::of(&server, "ann");
        ann.ok("POST /sync/v1/erase", json!({ "type": "note", "id": "n1" })).await;
        server.shutdown().await;
        let server = start(vec![all]).await;
        assert_eq!(count(&disk, Kind::Hook), 0);
        create(&server, "other").await;
        assert_eq!(told(&application.asked().await).1, "other", "and nothing of before");
        server.shutdown().await;
    })
    .await;
}

/// What waits for a hook that the settings do not name any more is forgotten.
#[tokio::test]
async fn a_hook_that_is_gone_leaves_nothing() {
    within(async {
        let disk = Disk::new();
        let application = Handler::start(taken()).await;
        let narrow =
            HookSettings { documents: vec!["team/*".into()], ..patient(hook("narrow", &application)) };
        let hooks = vec![patient(hook("a", &application)), patient(hook("narrow", &application))];
        let server = serve(&disk, hooks).await;
        create(&server, "plan").await;
        assert_eq!(count(&disk, Kind::Hook), 2);
        server.shutdown().await;
        let server = serve(&disk, vec![narrow]).await;
        until_told(&disk).await;
        create(&server, "note").await;
        assert_eq!(count(&disk, Kind::Hook), 0);
        server.shutdown().await;
    })
    .await;
}

/// Marks of two hooks are of one each.
#[tokio::test]
async fn a_mark_is_of_one_hook() {
    within(async {
        let disk = Disk::new();
        let application = Handler::start(taken()).await;
        let team = HookSettings { documents: vec!["team/*".into()], ..patient(hook("team", &application)) };
        let server = serve(&disk, vec![team, patient(hook("all", &application))]).await;
        create(&server, "plan").await;
        create(&server, "team%2Fplan").await;
        server.shutdown().await;
        assert_eq!(marks(&disk), ["all", "all", "team"]);
    })
    .await;
}
