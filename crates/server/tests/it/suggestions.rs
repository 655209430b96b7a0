//! Who is asked what to make of a conflict, over real sockets.

use serde_json::{Value, json};
use syncline_core::{
    entity::{EntityType, Field, FieldKind, FieldName, Handler as Setting, Policy, Secret, TypeName},
    time::WallMs,
};
use syncline_protocol::wire::sync_v1::handler_signature;
use syncline_server::Server;

use crate::{
    entities::{Caller, set},
    support::{
        disk::Disk,
        handler::{Handler, Says},
        start_with, within,
    },
};

const SUGGEST: &str = "POST /sync/v1/conflicts/cnf_1/suggest";

fn at(handler: &Handler) -> Setting {
    Setting { url: format!("http://{}/merge", handler.addr), timeout_ms: None, secret: None }
}

/// Prices that people decide about, of which one conflict is open.
async fn serve(disk: &Disk, own: Option<Setting>, servers: Option<Setting>) -> (Server, Caller) {
    let price = Field { kind: Some(FieldKind::Number), ..Field::default() };
    let fields = Some([(FieldName::new("price").expect("a name"), price)].into());
    let kind = TypeName::new("product").expect("a name");
    let ty = EntityType { fields, suggest: own, ..EntityType::new(kind, Policy::Manual) };
    let server = start_with(disk, |config| {
        config.types = vec![ty];
        config.suggest = servers;
    })
    .await;
    let ann = Caller::of(&server, "ann");
    ann.bind("phone").await;
    ann.bind("till").await;
    let write = |op: &str, price: f64| set("product", "p", op, json!({ "price": price }));
    assert_eq!(ann.push("phone", 1, &[write("create", 25.00)]).await, ["applied"]);
    assert_eq!(ann.push("till", 1, &[write("update", 22.50)]).await, ["conflict"]);
    (server, ann)
}

fn says(proposal: &Value) -> Says {
    Says::This(200, proposal.to_string())
}

/// What is proposed is kept beside the conflict, also over a restart, and applied by nobody but a person.
#[tokio::test]
async fn a_person_accepts_what_is_proposed() {
    within(async {
        let proposal =
            json!({ "set": { "price": 24 }, "description": "a mean", "impact": "the promotion ends" });
        let mut handler = Handler::start(says(&proposal)).await;
        let disk = Disk::new();
        let (server, ann) = serve(&disk, Some(at(&handler)), None).await;
        let answer = ann.ok(SUGGEST, json!({})).await;
        let conflict = &answer["conflict"];
        assert_eq!((&conflict["state"], &conflict["rev"]), (&json!("open"), &json!(1)));
        let option = &conflict["options"][0];
        assert_eq!((&option["values"], &option["by"]), (&json!({ "price": 24 }), &json!("ann")));
        assert_eq!(
            (&option["description"], &option["impact"]),
            (&proposal["description"], &proposal["impact"])
        );
        let asked = handler.asked().await;
        assert!(asked.head.starts_with("post /merge http/1.1\r\n"), "{}", asked.head);
        let question = asked.json();
        assert_eq!((&question["tenant"], &question["user"]), (&json!("default"), &json!("ann")));
        assert_eq!(question["conflict"]["candidates"][0]["values"], json!({ "price": 22.5 }));
        assert_eq!(question["server"]["data"], json!({ "price": 25 }));
        server.shutdown().await;

        let server = start_with(&disk, |_| {}).await;
        let ann = Caller::of(&server, "ann");
        let again = ann.ok("GET /sync/v1/conflicts/cnf_1", json!({})).await;
        assert_eq!(again, answer);
        let resolve = json!({ "conflict_id": "cnf_1", "resolution_id": "r", "choice": "merged",
            "value": option["values"], "expect": { "conflict_rev": 1, "entity_ver": "1" } });
        let resolved = ann.ok("POST /sync/v1/resolve-conflict", resolve).await;
        assert_eq!(resolved["result"]["data"], Value::Null, "it is as was meant");
        assert_eq!(ann.refused(SUGGEST, json!({})).await, (409, "conflict-already-resolved".into()));
        assert_eq!(handler.more(), 0);
        server.shutdown().await;
    })
    .await;
}

/// Whom the type names is asked instead of whom the server does, and without either nobody can be.
#[tokio::test]
async fn somebody_must_be_there_to_be_asked() {
    within(async {
        let mut handler = Handler::start(says(&json!({}))).await;
        for (own, servers) in [(true, false), (false, true)] {
            let disk = Disk::new();
            let setting = |is_set: bool| is_set.then(|| at(&handler));
            let (server, ann) = serve(&disk, setting(own), setting(servers)).await;
            let answer = ann.ok(SUGGEST, json!({})).await;
            assert_eq!(answer["conflict"]["options"], json!([]), "nothing was proposed");
            assert_eq!(handler.asked().await.json()["conflict"]["conflict_id"], "cnf_1");
            let other = SUGGEST.replace("cnf_1", "cnf_2");
            assert_eq!(ann.refused(&other, json!({})).await, (404, "unknown-conflict".into()));
            server.shutdown().await;
        }
        let disk = Disk::new();
        let (server, ann) = serve(&disk, None, None).await;
        assert_eq!(ann.refused(SUGGEST, json!({})).await, (409, "type-incompatible".into()));
        server.shutdown().await;
    })
    .await;
}

/// What is no proposal, or one that the type does not take, is not kept.
#[tokio::test]
async fn what_is_proposed_must_be_values_of_the_type() {
    within(async {
        for (answer, want) in [
            (says(&json!({ "set": { "price": "free" } })), (422, "validation-failed")),
            (Says::This(200, "24".into()), (503, "handler-unavailable")),
            (Says::This(500, "{}".into()), (503, "handler-unavailable")),
            (Says::Gone, (503, "handler-unavailable")),
        ] {
            let handler = Handler::start(answer.clone()).await;
            let disk = Disk::new();
            let (server, ann) = serve(&disk, Some(at(&handler)), None).await;
            let (status, code) = want;
            assert_eq!(ann.refused(SUGGEST, json!({})).await, (status, code.into()), "{answer:?}");
            let conflict = ann.ok("GET /sync/v1/conflicts/cnf_1", json!({})).await;
            assert_eq!(conflict["conflict"]["options"], json!([]));
            server.shutdown().await;
        }
    })
    .await;
}

/// A secret is shown to nobody, and signs all the same when the type is put again as it was shown.
#[tokio::test]
async fn a_secret_stays_one() {
    within(async {
        let mut handler = Handler::start(says(&json!({}))).await;
        let disk = Disk::new();
        let secret = Some(Secret::new("sesame".to_owned()));
        let (server, ann) = serve(&disk, Some(Setting { secret, ..at(&handler) }), None).await;
        let shown = ann.ok("GET /sync/v1/types/product", json!({})).await;
        assert!(!shown.to_string().contains("sesame"), "{shown}");
        let mut form = shown.clone();
        let members = form.as_object_mut().expect("an object");
        let named = ["type", "name"].map(|member| members.remove(member));
        assert!(named.contains(&Some("product".into())), "{shown}");
        let again = ann.ok("PUT /sync/v1/types/product", form).await;
        assert_eq!(again, shown);
        ann.ok(SUGGEST, json!({})).await;
        let asked = handler.asked().await;
        let signed =
            asked.head.lines().find_map(|line| line.strip_prefix("sync-signature: ")).expect("a secret");
        let at = signed.strip_prefix("t=").and_then(|rest| rest.split(',').next()).expect("a time");
        let at = WallMs(at.parse().expect("milliseconds"));
        assert_eq!(signed, handler_signature("sesame", at, asked.body.as_bytes()));
        server.shutdown().await;
    })
    .await;
}
