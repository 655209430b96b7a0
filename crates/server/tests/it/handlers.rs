//! Push handlers over real sockets.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_core::{
    entity::{EntityType, Handler as Setting, Policy, RefusalCode, Secret, TypeName},
    time::WallMs,
};
use syncline_protocol::{ledger::Verdict, wire::sync_v1::handler_signature};
use syncline_server::{Config, PushHandler, PushQuestion, Server};

use crate::{
    entities::{Caller, set},
    support::{
        certificates::file,
        chain,
        disk::Disk,
        handler::{Handler, Says},
        start_with, within,
    },
};

fn kind() -> TypeName {
    TypeName::new("order").expect("a name")
}

fn handled(url: String, timeout_ms: Option<u64>, secret: Option<&str>) -> EntityType {
    let secret = secret.map(|secret| Secret::new(secret.to_owned()));
    let handler = Some(Setting { url, timeout_ms, secret });
    EntityType { handler, ..EntityType::new(kind(), Policy::ClientWins) }
}

fn by(handler: &Handler) -> EntityType {
    handled(format!("http://{}/push?of=orders", handler.addr), None, None)
}

async fn serve(disk: &Disk, ty: EntityType) -> (Server, Caller) {
    let server = start_with(disk, |config| config.types = vec![ty]).await;
    let ann = Caller::of(&server, "ann");
    ann.bind("phone").await;
    (server, ann)
}

fn says(verdict: &Value) -> Says {
    Says::This(200, verdict.to_string())
}

fn accepts() -> Says {
    says(&json!({ "accept": true }))
}

fn create(id: &str) -> Value {
    set("order", id, "create", json!({ "total": 24.50 }))
}

/// Pushes one op, and returns what is told of it.
async fn told(ann: &Caller, n: u64, mut op: Value) -> Value {
    op["n"] = n.to_string().into();
    let answer = ann.ok("POST /sync/v1/push", json!({ "device_id": "phone", "ops": [op] })).await;
    answer["results"][0].clone()
}

#[tokio::test]
async fn a_handler_changes_and_refuses_ops() {
    within(async {
        let mut handler = Handler::start(says(&json!({ "accept": true, "set": { "number": "A-1" } }))).await;
        let disk = Disk::new();
        let (server, ann) = serve(&disk, by(&handler)).await;
        let merged = told(&ann, 1, create("o")).await;
        assert_eq!((&merged["status"], &merged["ver"]), (&json!("merged"), &json!("1")));
        assert_eq!(merged["data"], json!({ "number": "A-1", "total": 24.5 }));
        let asked = handler.asked().await;
        assert!(asked.head.starts_with("post /push?of=orders http/1.1\r\n"), "{}", asked.head);
        assert!(asked.head.contains(&format!("host: {}\r\n", handler.addr)), "{}", asked.head);
        assert!(!asked.head.contains("sync-signature"), "there is no secret");
        let question = asked.json();
        assert_eq!((&question["tenant"], &question["server"]), (&json!("default"), &Value::Null));
        assert_eq!((&question["user"], &question["device"]), (&json!("ann"), &json!("phone")));
        let op = &question["op"];
        assert_eq!((&op["n"], &op["op"], &op["id"]), (&json!("1"), &json!("create"), &json!("o")));
        assert_eq!(op["set"], json!({ "total": 24.5 }));

        handler.says(says(&json!({ "accept": false, "code": "forbidden-op", "detail": "it is closed" })));
        let refused = told(&ann, 2, set("order", "o", "update", json!({ "total": 30 }))).await;
        assert_eq!(refused["status"], "rejected");
        let problem = &refused["problem"];
        assert_eq!((&problem["code"], &problem["detail"]), (&json!("forbidden-op"), &json!("it is closed")));
        let question = handler.asked().await.json();
        assert_eq!(question["server"]["data"], json!({ "number": "A-1", "total": 24.5 }));
        assert_eq!(
            ann.push("phone", 2, &[set("order", "o", "update", json!({ "total": 30 }))]).await,
            ["duplicate"]
        );
        assert_eq!(handler.more(), 0, "nothing is asked that has its result");
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_question_is_signed() {
    within(async {
        let mut handler = Handler::start(accepts()).await;
        let disk = Disk::new();
        let ty = handled(format!("http://{}/", handler.addr), None, Some("sesame"));
        let (server, ann) = serve(&disk, ty).await;
        assert_eq!(ann.push("phone", 1, &[create("o")]).await, ["applied"]);
        let asked = handler.asked().await;
        let signed = asked.head.lines().find_map(|line| line.strip_prefix("sync-signature: "));
        let signed = signed.expect("there is a secret");
        let at = signed.strip_prefix("t=").and_then(|rest| rest.split(',').next()).expect("a time");
        let at = WallMs(at.parse().expect("milliseconds"));
        assert_eq!(signed, handler_signature("sesame", at, asked.body.as_bytes()));
        assert_ne!(signed, handler_signature("other", at, asked.body.as_bytes()));
        server.shutdown().await;
    })
    .await;
}

/// Whatever a handler does instead of answering: the op is told to come again, and neither taken nor refused.
#[tokio::test]
async fn without_an_answer_an_op_is_deferred() {
    within(async {
        for says in [
            Says::Nothing,
            Says::Gone,
            Says::This(503, "{\"accept\":true}".into()),
            Says::This(200, "yes".into()),
            Says::This(200, format!("{{\"accept\":true,\"more\":\"{}\"}}", "x".repeat(70_000))),
        ] {
            let is_silent = matches!(says, Says::Nothing);
            let mut handler = Handler::start(says.clone()).await;
            let disk = Disk::new();
            let ty = handled(format!("http://{}/", handler.addr), is_silent.then_some(50), None);
            let (server, ann) = serve(&disk, ty).await;
            let deferred = told(&ann, 1, create("o")).await;
            assert_eq!(deferred["status"], "deferred", "{says:?}");
            let problem = &deferred["problem"];
            assert_eq!(
                (&problem["code"], &problem["retry_after_ms"]),
                (&json!("handler-unavailable"), &json!(2_000))
            );
            // So short a time may be over before it is reached.
            assert!(is_silent || handler.more() == 1, "{says:?}");
            let page = ann.pull("phone", "order", &Value::Null).await;
            assert_eq!(page["scopes"][0]["changes"], json!([]), "{says:?}");
            server.shutdown().await;
        }
    })
    .await;
}

/// A handler is down, and the server is started again meanwhile: the op is taken when the handler is back, once.
#[tokio::test]
async fn what_waited_for_a_handler_is_done_once() {
    within(async {
        let mut handler = Handler::start(Says::Gone).await;
        let disk = Disk::new();
        let (server, ann) = serve(&disk, by(&handler)).await;
        assert_eq!(ann.push("phone", 1, &[create("o")]).await, ["deferred"]);
        handler.asked().await;
        server.shutdown().await;
        handler.says(accepts());
        let (server, ann) = serve(&disk, by(&handler)).await;
        assert_eq!(ann.push("phone", 1, &[create("o")]).await, ["applied"]);
        assert_eq!(ann.push("phone", 1, &[create("o")]).await, ["duplicate"]);
        handler.asked().await;
        assert_eq!(handler.more(), 0);
        let page = ann.pull("phone", "order", &Value::Null).await;
        let changes = page["scopes"][0]["changes"].as_array().expect("a list").clone();
        assert_eq!((changes.len(), &changes[0]["ver"]), (1, &json!("1")));
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_fails_is_left_in_peace() {
    within(async {
        let mut handler = Handler::start(Says::Gone).await;
        let disk = Disk::new();
        let (server, ann) = serve(&disk, by(&handler)).await;
        let ops: Vec<Value> = (0..7).map(|id| create(&format!("o{id}"))).collect();
        assert_eq!(ann.push("phone", 1, &ops).await, ["deferred"; 7]);
        let after = &told(&ann, 7, create("o6")).await["problem"]["retry_after_ms"];
        assert!((2_001..=10_000).contains(&after.as_u64().expect("a number")), "{after}");
        assert_eq!(handler.more(), 5);
        server.shutdown().await;
    })
    .await;
}

/// Types that are declared by request have handlers, too, and so have ops of clients that number nothing.
#[tokio::test]
async fn a_type_that_is_declared_by_request_is_handled() {
    within(async {
        let mut handler = Handler::start(accepts()).await;
        let disk = Disk::new();
        let server = start_with(&disk, |_| {}).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let put = "PUT /sync/v1/types/order";
        let at = |url: String| json!({ "policy": "lww", "handler": { "url": url } });
        let refused = ann.refused(put, at("ftp://erp.example/".into())).await;
        assert_eq!(refused, (422, "validation-failed".into()));
        ann.ok(put, at(format!("http://{}/", handler.addr))).await;
        let mutation = json!({ "temp_id": "m1", "entity_id": "o", "type": "order", "operation": "create", "payload": {} });
        let body = json!({ "device_id": "phone", "last_ack_version": "0", "mutations": [mutation] });
        let answer = ann.ok("POST /sync/v1/reconcile", body).await;
        assert_eq!(answer["applied"][0]["temp_id"], "m1");
        let question = handler.asked().await.json();
        assert_eq!((&question["user"], &question["device"]), (&json!("ann"), &json!("unnumbered:phone")));
        server.shutdown().await;
    })
    .await;
}

/// A handler of the program that embeds the server.
#[derive(Debug)]
struct Clerk;

impl PushHandler for Clerk {
    fn judge<'a>(
        &'a self,
        question: &'a PushQuestion,
    ) -> std::pin::Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(async {
            match question.op.entity.id.as_str() {
                "good" => Verdict::Accept { set: Default::default() },
                "bad" => {
                    Verdict::Refuse { code: RefusalCode::ForbiddenOp, detail: question.user.to_string() }
                }
                other => panic!("{other}"),
            }
        })
    }
}

#[tokio::test]
async fn a_program_judges_ops_itself() {
    within(async {
        let disk = Disk::new();
        let server = start_with(&disk, |config| {
            // What the type says does not count beside it.
            config.types = vec![handled("https://erp.example/".into(), None, None)];
            config.handlers = [(kind(), Arc::new(Clerk) as Arc<dyn PushHandler>)].into();
        })
        .await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        assert_eq!(ann.push("phone", 1, &[create("good")]).await, ["applied"]);
        assert_eq!(told(&ann, 2, create("bad")).await["problem"]["detail"], "ann");
        let panicked = told(&ann, 3, create("worse")).await;
        assert_eq!(panicked["problem"]["code"], "handler-unavailable");
        assert_eq!(ann.push("phone", 4, &[create("good")]).await, ["applied"]);
        server.shutdown().await;
    })
    .await;
}

/// A handler over `https` is asked if its certificate is trusted; else its ops wait, as for any that cannot be reached.
#[tokio::test]
async fn a_handler_speaks_tls() {
    within(async {
        let handler = Handler::start_tls(accepts()).await;
        let url = format!("https://localhost:{}/push", handler.addr.port());
        for (trusted, want) in [("first.pem", "applied"), ("second.pem", "deferred")] {
            let disk = Disk::new();
            let server = start_with(&disk, |config| {
                config.types = vec![handled(url.clone(), None, None)];
                config.trust = Some(file(trusted));
            })
            .await;
            let ann = Caller::of(&server, "ann");
            ann.bind("phone").await;
            assert_eq!(told(&ann, 1, create("o")).await["status"], want, "{trusted}");
            server.shutdown().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_is_nowhere_keeps_the_server_from_starting() {
    let mut config = Config::default();
    config.types = vec![handled("ftp://erp.example/".into(), None, None)];
    let error = Server::start(config, Box::new(Disk::new())).await.expect_err("it could never ask");
    let told = chain(&error);
    assert!(told.contains("type `order`") && told.contains("`http://` or `https://`"), "{told}");
}
