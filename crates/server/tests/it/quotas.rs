//! How much anyone may use.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use serde_json::json;
use syncline_core::rate::{Allowance, Rate};
use syncline_server::Server;

use crate::{
    entities::Caller,
    support::{
        automerge::{DOCUMENT, OTHER, Repo},
        bearers::Bearers,
        client::Client,
        disk::Disk,
        raw, start_with,
        updates::{letter, letters},
        within,
    },
};

/// What a bucket holds, and what flows into it in a second.
const RATE: Rate = Rate { burst: 4, per_second: 20 };

/// Messages that are sent at once.
const FLOOD: u32 = 12;

/// The least time in which they can be taken in, in milliseconds: what is beyond the bucket has to flow into it, but for the last
/// one, which the bucket may owe.
const FLOOD_MS_MIN: u128 = (FLOOD as u128 - RATE.burst as u128 - 1) * 1_000 / RATE.per_second as u128;

fn messages(rate: Rate) -> Allowance {
    Allowance { messages: Some(rate), bytes: None }
}

fn flood() -> Vec<Bytes> {
    (1..).zip('a'..).take(FLOOD as usize).map(|(client, text)| letter(client, text)).collect()
}

/// Returns how often a limit held someone up.
async fn limited(server: &Server, limit: &str) -> u64 {
    let line = format!("syncline_limited_total{{limit=\"{limit}\"}} ");
    let text = raw::get(server.addr(), "/metrics", "").await.body;
    let count = text.lines().find_map(|found| found.strip_prefix(&line));
    count.map_or(0, |count| count.parse().expect("a counter is a number"))
}

/// Goal: who sends too fast is not read for a while, and loses nothing by it. Method: more messages at once than the bucket holds;
/// all are echoed, and not before the time in which they may come.
#[tokio::test]
async fn whoever_sends_too_fast_is_read_slower_and_loses_nothing() {
    within(async {
        let disk = Disk::new();
        let server = start_with(&disk, |config| config.quota.connection = messages(RATE)).await;
        let mut client = Client::connect(server.addr(), "room").await;
        let begun = Instant::now();
        for update in flood() {
            client.update(&update).await;
        }
        let mut heard = Vec::new();
        while letters(&heard).len() < FLOOD as usize {
            heard.push(client.hear_update().await);
        }
        assert!(begun.elapsed().as_millis() >= FLOOD_MS_MIN, "{:?}", begun.elapsed());
        assert!(limited(&server, "connection-rate").await > 0);

        let mut other = Client::connect(server.addr(), "room").await;
        assert_eq!(letters([&other.whole_document().await]).len(), FLOOD as usize);
        drop((client, other));
        server.shutdown().await;
    })
    .await;
}

/// A message that is not whole yet counts, too: its bytes stop the reading in the middle of it.
#[tokio::test]
async fn a_long_message_is_read_in_pieces() {
    within(async {
        const BYTES: usize = 40_000;
        let disk = Disk::new();
        let bytes = Some(Rate { burst: 1_000, per_second: 100_000 });
        let server = start_with(&disk, |config| {
            config.quota.connection = Allowance { messages: None, bytes };
        })
        .await;
        let mut client = Client::connect(server.addr(), "room").await;
        let begun = Instant::now();
        // An unknown kind of message: it is left out.
        client.send(vec![99; BYTES].into()).await;
        let update = letter(1, 'a');
        client.update(&update).await;
        client.hear_echo(&update).await;
        assert!(begun.elapsed().as_millis() >= 300, "{:?}", begun.elapsed());
        drop(client);
        server.shutdown().await;
    })
    .await;
}

/// All connections of a user have one bucket, whatever their number; another user has another.
#[tokio::test]
async fn connections_of_one_user_share_their_rate() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.set("ann", &["doc:*=write"]);
        bearers.set("bob", &["doc:*=write"]);
        let known = Arc::clone(&bearers);
        let server = start_with(&disk, |config| {
            config.authenticator = Some(known);
            config.quota.user = messages(RATE);
        })
        .await;
        let begun = Instant::now();
        let mut clients = Vec::new();
        for update in flood() {
            let mut client = Client::connect(server.addr(), "room?token=ann").await;
            client.update(&update).await;
            clients.push((client, update));
        }
        let mut bob = Client::connect(server.addr(), "other?token=bob").await;
        bob.update(&letter(1, 'b')).await;
        bob.hear_echo(&letter(1, 'b')).await;
        for (client, update) in &mut clients {
            client.update(update).await;
            client.update(update).await;
            client.hear_echo(update).await;
            client.hear_echo(update).await;
        }
        // Each connection may have read one message that the bucket owed; all the others came in time.
        assert!(begun.elapsed().as_millis() >= FLOOD_MS_MIN, "{:?}", begun.elapsed());
        assert!(limited(&server, "user-rate").await > 0);
        drop((clients, bob));
        server.shutdown().await;
    })
    .await;
}

/// Goal: what is short and takes long counts as more than it is long. Method: a text of 1 KB, and one of 4 KB, with an op for each
/// letter, where 200 KB may come at once.
#[tokio::test]
async fn ops_count_as_more_than_their_bytes() {
    within(async {
        let disk = Disk::new();
        let rate = Rate { burst: 200_000, per_second: 200_000 };
        let bytes = Allowance { messages: None, bytes: Some(rate) };
        let server = start_with(&disk, |config| config.quota.connection = bytes).await;
        for (actor, document, letters, is_limited) in [(1, DOCUMENT, 1_000, false), (2, OTHER, 4_000, true)] {
            let mut ann = Repo::connect(server.addr(), "", actor).await;
            ann.type_text("text", &"a".repeat(letters));
            ann.settle(document).await;
            assert_eq!(limited(&server, "connection-rate").await > 0, is_limited);
        }
        server.shutdown().await;

        let server = start_with(&Disk::new(), |config| config.quota.tenant = bytes).await;
        let ann = Caller::of(&server, "ann");
        for (document, letters, next) in [(DOCUMENT, 1_000, 200), (OTHER, 4_000, 429)] {
            let seed = json!({ "kind": "automerge", "json": { "text": "a".repeat(letters) } });
            assert_eq!(ann.ask(&format!("PUT /docs/v1/documents/{document}"), seed).await.0, 201);
            assert_eq!(ann.ask("GET /docs/v1/documents", json!({})).await.0, next);
        }
        server.shutdown().await;
    })
    .await;
}

/// Over HTTP whoever comes too fast is told when to come again, and with what the limit is set.
#[tokio::test]
async fn requests_beyond_the_rate_are_refused() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.set("ann", &["*=admin"]);
        bearers.set("bob", &["*=admin"]);
        let known = Arc::clone(&bearers);
        let server = start_with(&disk, |config| {
            config.authenticator = Some(known);
            config.quota.user = messages(Rate { burst: 2, per_second: 1 });
        })
        .await;
        let [ann, bob] = ["ann", "bob"].map(|token| Caller::bearing(&server, token));
        let types = "GET /sync/v1/types";
        assert_eq!(ann.ask(types, json!({})).await.0, 200);
        assert_eq!(ann.ask(types, json!({})).await.0, 200);
        let token = "Authorization: Bearer ann\r\n";
        let refused = raw::get(server.addr(), "/sync/v1/types", token).await;
        assert_eq!((refused.status, refused.body.contains("rate-limited")), (429, true), "{refused:?}");
        assert!(refused.body.contains("user-messages-per-second"), "{}", refused.body);
        assert!(refused.head.contains("application/problem+json"), "{}", refused.head);
        assert!(refused.head.contains("\r\nretry-after: 1\r\n"), "{}", refused.head);
        let refused = raw::send(server.addr(), "POST /auth/v1/tickets", token, "").await;
        assert_eq!((refused.status, refused.body.contains("too-many-requests")), (429, true), "{refused:?}");
        assert!(refused.head.contains("\r\nretry-after: 1\r\n"), "{}", refused.head);
        assert_eq!(bob.ask(types, json!({})).await.0, 200, "another user has another bucket");
        assert!(limited(&server, "user-rate").await >= 2);
        server.shutdown().await;
    })
    .await;
}
