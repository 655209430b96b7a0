//! Who is asked, how often, and for how long an answer counts.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use syncline_core::access::Grants;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// An application that allows reading, and counts the checks that it is asked about.
async fn application() -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let url = format!("http://{}/rights", listener.local_addr().expect("it listens"));
    let (questions, checks) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, all) = (Arc::clone(&questions), Arc::clone(&checks));
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let mut question = Vec::new();
            let mut asked = None;
            while asked.is_none() {
                tcp.read_buf(&mut question).await.expect("a question is sent");
                let body = question.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
                asked = body.and_then(|at| serde_json::from_slice::<Json>(&question[at..]).ok());
            }
            let asked = asked.expect("it was read");
            let list = asked["checks"].as_array().expect("a list");
            let allowed: Vec<_> = list.iter().map(|check| check["action"] == "read").collect();
            counted.fetch_add(1, Ordering::Relaxed);
            all.fetch_add(list.len(), Ordering::Relaxed);
            let body = json!({ "allowed": allowed }).to_string();
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            tcp.write_all(answer.as_bytes()).await.expect("it is read");
        }
    });
    (url, questions, checks)
}

fn webhook(url: &str, ttl_ms: u64, stale_ms: u64) -> Webhook {
    let asked = Handler { url: url.into(), timeout_ms: None, secret: None };
    let settings = WebhookSettings { asked, ttl_ms: Some(ttl_ms), stale_ms: Some(stale_ms) };
    let trust = Trust::load(None).expect("nothing is added");
    Webhook::new(&settings, trust, Clock::start()).expect("it is an address")
}

fn who(user: &str) -> Identity {
    Identity::of(UserName::new(user).expect("a name"), Grants::default())
}

fn checks(names: &[&str]) -> Vec<Check> {
    names.iter().map(|name| Check::new(Action::Read, Resource::Document(name))).collect()
}

#[tokio::test]
async fn each_thing_is_asked_once_while_it_counts() {
    let (url, questions, asked) = application().await;
    let webhook = webhook(&url, 3_600_000, 0);
    let ann = who("ann");
    let both = checks(&["a", "b"]);
    let many = join_all((0..20).map(|_| webhook.decide(&ann, &both))).await;
    assert!(many.iter().all(|decided| decided.as_ref().is_ok_and(|decided| decided.grants.len() == 2)));
    let count = || (questions.load(Ordering::Relaxed), asked.load(Ordering::Relaxed));
    assert_eq!(count(), (1, 2), "twenty who ask at once are one");
    let more = webhook.decide(&ann, &checks(&["a", "c"])).await.expect("it is answered");
    assert_eq!((more.grants.len(), count()), (2, (2, 3)), "only what is new");
    let write = [Check::new(Action::Write, Resource::Document("a"))];
    let denied = webhook.decide(&ann, &write).await.expect("it is answered");
    assert!(denied.grants.is_empty());
    webhook.decide(&who("bob"), &checks(&["a"])).await.expect("it is answered");
    assert_eq!(count(), (4, 5), "another user is another question");
    let names: Vec<String> = (0..=WEBHOOK_CHECKS_MAX).map(|n| format!("d{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = webhook.decide(&ann, &checks(&names)).await.expect("it is answered");
    assert_eq!((all.grants.len(), count().0), (names.len(), 6), "in parts");
    assert_eq!(webhook.forget(&ann.tenant, Some(&ann.user), Some("doc:a")), 2);
    webhook.decide(&ann, &checks(&["a", "b"])).await.expect("it is answered");
    assert_eq!(count().0, 7, "what was forgotten is asked again");
}

/// Where nobody answers, what counts still counts for a while, and nothing else is allowed.
#[tokio::test]
async fn without_an_answer_only_what_was_allowed_shortly_before_is() {
    let (url, questions, _) = application().await;
    let mut webhook = webhook(&url, 0, 3_600_000);
    webhook.lasting.fresh_ms = 0;
    let ann = who("ann");
    webhook.decide(&ann, &checks(&["a"])).await.expect("it is answered");
    let write = [Check::new(Action::Write, Resource::Document("a"))];
    webhook.decide(&ann, &write).await.expect("it is answered");
    assert_eq!(questions.load(Ordering::Relaxed), 2);

    let gone = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let nowhere = format!("http://{}/", gone.local_addr().expect("it listens"));
    drop(gone);
    let trust = Trust::load(None).expect("nothing is added");
    webhook.web = Web::new(Target::parse(&nowhere, true).expect("an address"), trust, None, webhook.clock);
    let stale = webhook.decide(&ann, &checks(&["a"])).await.expect("it still counts");
    assert_eq!(stale.grants.len(), 1);
    assert!(stale.again > webhook.clock.monotonic(), "it is asked again, but not at once");
    let denied = webhook.decide(&ann, &write).await.expect("a refusal counts as well");
    assert!(denied.grants.is_empty());
    assert!(webhook.decide(&ann, &checks(&["a", "b"])).await.is_err(), "the whole is not known");
    webhook.lasting.stale_ms = 0;
    assert!(webhook.decide(&ann, &checks(&["a"])).await.is_err(), "it is too old");
}

#[test]
fn a_question_says_who_and_what() {
    let device = Some(ActorName::device("phone").expect("a name"));
    let claims = [("area".to_owned(), Value::from(7)), ("team".to_owned(), "red".into())].into();
    let ann = Identity { device, claims, ..who("ann") };
    let checks = [
        Check::new(Action::Write, Resource::Document("team/*")),
        Check::new(Action::Read, Resource::Type("price")),
    ];
    let question = Who::of(&ann).question(&checks.iter().collect::<Vec<_>>());
    let want = json!({
        "tenant": "default", "user": "ann", "device": "phone", "claims": { "area": 7, "team": "red" },
        "checks": [
            { "resource": "doc:team/*", "action": "write" }, { "resource": "type:price", "action": "read" },
        ],
    });
    assert_eq!(serde_json::from_str::<Json>(&question).expect("it is JSON"), want);
}
