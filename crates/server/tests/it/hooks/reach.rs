//! How an application is reached, and how it is left in peace.

use std::time::{Duration, Instant};

use syncline_core::id::RoomName;
use syncline_protocol::hooks::Rules;
use syncline_server::{Config, HookError, HookSettings, Server, StartError};
use syncline_store::{Batch, Key, Store, Value};

use super::{changed, create, dead::letters, hook, patient, serve, taken, told, until_told};
use crate::support::{
    certificates::file,
    disk::{Disk, TENANT},
    handler::{Handler, Says},
    start_with, within,
};

/// An address inside is refused at the start, and a name that leads inside when it is asked for.
#[tokio::test]
async fn a_hook_leads_inside_only_if_it_may() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(taken()).await;
        let outside = HookSettings { allow_private: false, ..hook("search", &application) };
        let config = |hook: HookSettings| {
            let mut config = Config::default();
            config.hooks = vec![hook];
            config
        };
        let refused = Server::start(config(outside.clone()), Box::new(disk.clone())).await;
        let Err(StartError::Hook { name, source }) = refused else { panic!("it is inside") };
        assert_eq!((name.as_str(), source), ("search", HookError::Inside));

        let url = format!("http://localhost:{}/", application.addr.port());
        let named = HookSettings { url, rules: Rules { attempts: 1, ..outside.rules }, ..outside };
        let server = serve(&disk, vec![named]).await;
        create(&server, "plan").await;
        let letters = letters(&server, "search", 1).await;
        assert_eq!(letters[0]["why"], "it is on a loopback or private address");
        assert_eq!(application.more(), 0);
        server.shutdown().await;
    })
    .await;
}

/// A certificate that is not trusted is as nobody there.
#[tokio::test]
async fn a_hook_speaks_tls() {
    within(async {
        for trusted in [true, false] {
            let disk = Disk::new();
            let mut application = Handler::start_tls(taken()).await;
            let url = format!("https://localhost:{}/", application.addr.port());
            let search = hook("search", &application);
            let rules = Rules { attempts: 1, ..search.rules };
            let server = start_with(&disk, |config| {
                config.hooks = vec![HookSettings { url, rules, ..search }];
                config.trust = Some(file(if trusted { "first.pem" } else { "second.pem" }));
            })
            .await;
            create(&server, "plan").await;
            if trusted {
                assert_eq!(told(&application.asked().await), changed("plan", 1));
                until_told(&disk).await;
            } else {
                assert_eq!(letters(&server, "search", 1).await[0]["why"], "it cannot be reached");
                assert_eq!(application.more(), 0);
            }
            server.shutdown().await;
        }
    })
    .await;
}

/// An application that asks for it is told nothing for a while: of no document.
#[tokio::test]
async fn retry_after_is_kept() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(Says::Later(429, 1)).await;
        let server = serve(&disk, vec![hook("search", &application)]).await;
        create(&server, "plan").await;
        application.asked().await;
        let asked = Instant::now();
        application.says(taken());
        create(&server, "note").await;
        application.asked().await;
        // The answer was read a little later than the question.
        assert!(asked.elapsed() >= Duration::from_millis(950), "{:?}", asked.elapsed());
        application.asked().await;
        until_told(&disk).await;
        server.shutdown().await;
    })
    .await;
}

/// Goal: a damaged name holds up nothing but what is to be told of it. Method: five names are damaged, more than there are requests at a
/// time, and one is not.
#[tokio::test]
async fn a_damaged_name_silences_nobody() {
    within(async {
        let disk = Disk::new();
        let mut application = Handler::start(taken()).await;
        let search = hook("search", &application);
        let server = serve(&disk, vec![patient(search.clone())]).await;
        let damaged = ["a", "b", "c", "d", "e"];
        for name in damaged.into_iter().chain(["plan"]) {
            create(&server, name).await;
        }
        server.shutdown().await;
        let mut batch = Batch::new();
        for name in damaged {
            let key = Key::name(TENANT, &RoomName::new(name).expect("a name"));
            batch.put(key, Value::new(vec![7; 3]).expect("it is short"));
        }
        disk.memory().commit(batch).expect("no failure is set");
        let server = serve(&disk, vec![search]).await;
        assert_eq!(told(&application.asked().await), changed("plan", 1));
        let dead = letters(&server, "search", damaged.len()).await;
        assert!(
            dead.iter().all(|letter| letter["why"] == "it cannot be read in the store what is to be told")
        );
        server.shutdown().await;
        assert_eq!(application.more(), 0);
    })
    .await;
}
