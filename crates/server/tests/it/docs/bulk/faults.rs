//! What goes wrong with exports and imports of documents: bad lines, cut bodies, a store that fails, too many at once.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_core::{
    access::Identity,
    id::{RoomName, TenantName},
    log::{Author, Engine},
    rate::Allowance,
};
use syncline_server::OfflineDocuments;
use syncline_store::{Batch, Key, Store, Value as StoredValue, mem::Failure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{FIRST, IMPORT, document, end, export, exported, holds, import, lines, names, sum};
use crate::{
    entities::Caller,
    support::{
        automerge::{DOCUMENT, OTHER},
        bearers::{Bearers, of},
        disk::{Disk, TENANT},
        raw, start, start_with,
        told::Told,
        updates::{letter, long_text},
        within,
    },
};

/// More bytes than a line may have.
const TOO_LONG: usize = (64 << 20) / 3 * 4 + (2 << 20);

/// One bad line is told of and stops no other, wherever it is and however long.
#[tokio::test]
async fn a_bad_line_stops_no_other() {
    within(async {
        let disk = Disk::new();
        let unlimited = Allowance { messages: None, bytes: None };
        let server = start_with(&disk, |config| config.quota.tenant = unlimited).await;
        disk.put_document_of(Engine::Automerge, OTHER, &[]);
        let automerge = |name: &str, state: &str| {
            format!("{}\n", json!({ "name": name, "kind": "automerge", "state": state }))
        };
        let unreadable =
            json!({ "name": "lost", "kind": "yjs", "commit": 1, "error": "broken", "message": "-" });
        let text = [
            FIRST.to_owned(),
            document("a", &letter(1, 'a')),
            "no JSON\n\n".to_owned(),
            document("bad", b"no update"),
            document(OTHER, &letter(1, 'a')),
            automerge("plan", "AAAA"),
            automerge(DOCUMENT, "AAAA"),
            document("a\u{7}", &letter(1, 'a')),
            format!("{unreadable}\n"),
            "x".repeat(TOO_LONG) + "\n",
            document("z", &letter(1, 'z')),
            end(9),
        ];
        let (results, told) = import(&server, "", "", text.concat().as_bytes()).await;
        let told_of = |result: &Value| {
            let word = result["result"].as_str().or(result["error"].as_str()).unwrap_or_default().to_owned();
            (result["line"].as_u64().expect("a number"), result["name"].clone(), word)
        };
        let want = [
            (2, json!("a"), "created"),
            (3, Value::Null, "bad-request"),
            (5, json!("bad"), "refused-update"),
            (6, json!(OTHER), "other-kind"),
            (7, json!("plan"), "bad-request"),
            (8, json!(DOCUMENT), "refused-update"),
            (9, Value::Null, "bad-name"),
            (10, json!("lost"), "unreadable"),
            (11, Value::Null, "too-large"),
            (12, json!("z"), "created"),
        ];
        let want: Vec<_> = want.into_iter().map(|(line, name, word)| (line, name, word.to_owned())).collect();
        assert_eq!(results.iter().map(told_of).collect::<Vec<_>>(), want);
        assert_eq!(told, sum([2, 0, 0, 0, 8]));
        assert_eq!(holds(&server, "z").await, json!({ "t": "z" }));
        server.shutdown().await;
    })
    .await;
}

/// What came of an export that was cut off is there, and it is told that it is not whole. All of it may be sent again.
#[tokio::test]
async fn a_cut_off_import_is_told_and_sent_again() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let text = exported(&[("a", &letter(1, 'a')), ("b", &letter(1, 'b')), ("c", &letter(1, 'c'))]);
        let (results, told) =
            import(&server, "", "", &text.as_bytes()[..text.len() - end(3).len() - 9]).await;
        assert_eq!(
            (&told["whole"], &told["error"], &told["created"]),
            (&json!(false), &json!("cut-off"), &json!(2))
        );
        assert_eq!((results.len(), &results[2]["error"]), (3, &json!("bad-request")), "half a line");
        let missing = text.replacen(&document("b", &letter(1, 'b')), "", 1);
        assert_eq!(
            import(&server, "", "", missing.as_bytes()).await.1["error"],
            "cut-off",
            "a line is missing"
        );
        assert_eq!(import(&server, "", "", text.as_bytes()).await.1, sum([0, 0, 3, 0, 0]));
        for other in ["", "{}", "{\"format\":\"syncline-documents\",\"version\":2}", &*document("a", b"x")] {
            let (status, answer) =
                raw::send_lines(server.addr(), "POST /docs/v1/import", "", other.as_bytes()).await;
            assert_eq!((status, answer.contains("\"bad-request\"")), (400, true), "{other}: {answer}");
        }
        server.shutdown().await;
    })
    .await;
}

/// A document that cannot be read is a line of its own, and is not taken for one.
#[tokio::test]
async fn a_document_that_cannot_be_read_ends_no_export() {
    within(async {
        let (disk, other) = (Disk::new(), Disk::new());
        disk.put_document("a", &letter(1, 'a'));
        disk.put_document("broken", b"no update");
        let suspect = disk.put_document("suspect", &letter(1, 's'));
        disk.put_loading(suspect);
        disk.put_document("z", &letter(1, 'z'));
        let server = start(&disk).await;
        let text = export(&server, "", "").await;
        let told = lines(&text);
        assert_eq!(names(&text), ["a", "broken", "suspect", "z"]);
        assert_eq!((&told[2]["error"], &told[2]["state"]), (&json!("broken"), &Value::Null));
        assert_eq!(told[5], json!({ "end": true, "documents": 3, "unreadable": 1 }));
        server.shutdown().await;
        let empty = start(&other).await;
        let (results, told) = import(&empty, "", "", text.as_bytes()).await;
        assert_eq!((&results[1]["error"], told), (&json!("unreadable"), sum([3, 0, 0, 0, 1])));
        empty.shutdown().await;
    })
    .await;
}

/// Whoever cannot be found, as the record of its name is damaged, is a line, too, and the others are exported.
#[tokio::test]
async fn a_damaged_name_ends_no_export() {
    within(async {
        let disk = Disk::new();
        for name in ["a", "lost", "z"] {
            disk.put_document(name, &letter(1, 'a'));
        }
        let mut damage = Batch::new();
        let key = Key::name(TENANT, &RoomName::new("lost").expect("a name"));
        damage.put(key, StoredValue::new(vec![0; 20]).expect("it is short"));
        disk.memory().commit(damage).expect("no failure is set");
        let server = start(&disk).await;
        let told = lines(&export(&server, "", "").await);
        let lost = json!({ "name": "lost", "error": "broken", "message": "the document cannot be read" });
        assert_eq!((&told[0]["documents"], &told[2]), (&json!(3), &lost));
        assert_eq!((&told[1]["name"], &told[3]["name"]), (&json!("a"), &json!("z")));
        assert_eq!(told[4], json!({ "end": true, "documents": 2, "unreadable": 1 }));
        server.shutdown().await;

        let mut offline = OfflineDocuments::open(&mut *disk.memory(), TENANT, Author::default())
            .map(|documents| {
                let mut out = Vec::new();
                let exported = documents.export("", None, &mut out, |_| {}).expect("it goes on");
                assert_eq!((exported.documents, exported.unreadable), (2, 1));
                lines(&String::from_utf8(out).expect("text"))
            })
            .expect("memory is read");
        assert_eq!(offline.remove(2), lost);
    })
    .await;
}

/// Nothing is told to be there that is not durable: what the store did not take is taken when it is sent again.
#[tokio::test]
async fn what_is_told_is_durable() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let text = exported(&[("a", &letter(1, 'a')), ("b", &letter(1, 'b'))]);
        disk.fail_next_commit(Failure::BeforeSync);
        let (results, told) = import(&server, "", "", text.as_bytes()).await;
        assert!(results.iter().all(|result| result["result"].is_null()), "{results:?}");
        assert_eq!((&told["created"], &told["error"]), (&json!(0), &json!("unavailable")));
        raw::until_status(server.addr(), "/readyz", 200).await;
        assert_eq!(import(&server, "", "", text.as_bytes()).await.1, sum([2, 0, 0, 0, 0]));
        server.shutdown().await;
    })
    .await;
}

/// An export that cannot be finished does not end as one that is: who reads it notices, even without a look at the last line.
#[tokio::test]
async fn an_export_that_breaks_off_looks_so() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        bearers.set("ann", &["*=admin"]);
        bearers.set("bob", &["doc:*=read"]);
        for at in 0..4 {
            disk.put_document(&format!("long/{at}"), &long_text(1, 16 << 20));
        }
        let server = start_with(&disk, |config| config.authenticator = Some(bearers)).await;
        let mut tcp = TcpStream::connect(server.addr()).await.expect("the server listens");
        let head = format!("GET /docs/v1/export HTTP/1.1\r\nHost: {}\r\n", server.addr());
        let head = format!("{head}Authorization: Bearer bob\r\nConnection: close\r\n\r\n");
        tcp.write_all(head.as_bytes()).await.expect("the server reads");
        let mut read = vec![0; 1 << 10];
        tcp.read_exact(&mut read).await.expect("it begins");
        // Far more is to come than sockets hold.
        let ann = Caller::bearing(&server, "ann");
        ann.ok("POST /auth/v1/revocations", json!({ "user": "bob" })).await;
        let mut rest = Vec::new();
        // A connection that is cut is an error, or an end.
        let _ = tcp.read_to_end(&mut rest).await;
        let tail = String::from_utf8_lossy(&rest[rest.len().saturating_sub(200)..]).into_owned();
        assert!(!tail.contains("\"end\":true") && !tail.ends_with("0\r\n\r\n"), "{tail}");
        server.shutdown().await;
    })
    .await;
}

/// What a slow reader has the server hold counts as memory, and no longer than it is held.
#[tokio::test]
async fn an_export_counts_as_memory() {
    const BYTES: usize = 16 << 20;
    within(async {
        let disk = Disk::new();
        disk.put_document("long", &long_text(1, BYTES));
        let server = start(&disk).await;
        let memory = async || {
            let text = raw::get(server.addr(), "/metrics", "").await.body;
            let line = text.lines().find_map(|line| line.strip_prefix("syncline_documents_bytes "));
            line.expect("it is there").parse::<usize>().expect("a number")
        };
        let mut tcp = TcpStream::connect(server.addr()).await.expect("the server listens");
        let head = format!("GET /docs/v1/export HTTP/1.1\r\nHost: {}\r\n\r\n", server.addr());
        tcp.write_all(head.as_bytes()).await.expect("the server reads");
        while memory().await < BYTES {}
        drop(tcp);
        while memory().await > 0 {}
        server.shutdown().await;
    })
    .await;
}

/// Of the places one user has two and one tenant half: nobody keeps all others out.
#[tokio::test]
async fn one_user_and_one_tenant_have_a_share_of_the_places() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        for user in ["ann", "bob", "cleo"] {
            bearers.set(user, &["doc:*=write"]);
        }
        let acme = TenantName::new("acme").expect("a name");
        bearers.put("eve", Identity { tenant: acme, ..of("eve", &["doc:*=write"]) });
        let server = start_with(&disk, |config| config.authenticator = Some(bearers)).await;
        let addr = server.addr();
        let bearing = |user: &str| format!("Authorization: Bearer {user}\r\n");
        let mut under_way = Vec::new();
        for (at, user) in ["ann", "ann", "bob", "bob"].into_iter().enumerate() {
            let mut told = Told::begin(addr, IMPORT, &bearing(user), FIRST.as_bytes()).await;
            told.send(document(&format!("a{at}"), &letter(1, 'a')).as_bytes()).await;
            told.line().await;
            under_way.push(told);
        }
        for (user, whose) in [("ann", "of one user"), ("bob", "of one user"), ("cleo", "of one tenant")] {
            let refused = raw::get(addr, "/docs/v1/export", &bearing(user)).await;
            assert_eq!(refused.status, 429, "{refused:?}");
            assert!(refused.body.contains("\"too-many-connections\""), "{refused:?}");
            assert!(refused.body.contains(whose) && refused.head.contains("retry-after: 1"), "{refused:?}");
        }
        assert_eq!(raw::get(addr, "/docs/v1/export", &bearing("eve")).await.status, 200);
        // Whoever ends one may begin another.
        drop(under_way.pop());
        while raw::get(addr, "/docs/v1/export", &bearing("cleo")).await.status != 200 {}
        server.shutdown().await;
    })
    .await;
}

/// Where there is one tenant only, it has all of the places.
#[tokio::test]
async fn one_tenant_alone_has_all_places() {
    within(async {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        let users = ["ann", "bob", "cleo", "dan"];
        users.iter().for_each(|user| bearers.set(user, &["doc:*=write"]));
        bearers.set("eve", &["doc:*=write"]);
        let server = start_with(&disk, |config| {
            config.authenticator = Some(bearers);
            config.tenants_max = 0;
        })
        .await;
        let bearing = |user: &str| format!("Authorization: Bearer {user}\r\n");
        let mut under_way = Vec::new();
        for (at, user) in users.into_iter().chain(users).enumerate() {
            let mut told = Told::begin(server.addr(), IMPORT, &bearing(user), FIRST.as_bytes()).await;
            told.send(document(&format!("a{at}"), &letter(1, 'a')).as_bytes()).await;
            told.line().await;
            under_way.push(told);
        }
        let refused = raw::get(server.addr(), "/docs/v1/export", &bearing("eve")).await;
        assert_eq!((refused.status, refused.body.contains("\"overloaded\"")), (503, true), "{refused:?}");
        drop(under_way);
        server.shutdown().await;
    })
    .await;
}

/// So many may be under way, and each gives its place back.
#[tokio::test]
async fn so_many_are_under_way() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let mut under_way = Vec::new();
        for at in 0..8 {
            let mut told = Told::begin(server.addr(), IMPORT, "", FIRST.as_bytes()).await;
            told.send(document(&format!("a{at}"), &letter(1, 'a')).as_bytes()).await;
            told.line().await;
            under_way.push(told);
        }
        let refused = raw::get(server.addr(), "/docs/v1/export", "").await;
        assert_eq!((refused.status, refused.body.contains("\"overloaded\"")), (503, true), "{refused:?}");
        let refused = raw::send_lines(server.addr(), "POST /docs/v1/import", "", FIRST.as_bytes()).await;
        assert_eq!(refused.0, 503);
        drop(under_way.pop());
        raw::until_status(server.addr(), "/docs/v1/export?prefix=none", 200).await;
        server.shutdown().await;
    })
    .await;
}
