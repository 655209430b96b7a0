//! Rules of types, as clients meet them.

use serde_json::json;
use syncline_core::entity::{EntityType, Policy, Rule, TypeName, Verdict};
use syncline_server::{Config, Server};

use super::{Caller, set};
use crate::support::{chain, disk::Disk, start_with, within};

/// What the rules of a type say is told over HTTP, and a type whose rules mean nothing keeps the server from starting.
#[tokio::test]
async fn rules_veto_and_escalate() {
    within(async {
        let rule = |when: &str, verdict| Rule { when: when.into(), verdict };
        let rules = vec![
            rule("op.set.price < 0.0", Verdict::Veto("nothing costs less than nothing".into())),
            rule("op.set.price > server.price * 2.0", Verdict::Escalate),
        ];
        let ruled = |rules| EntityType {
            rules,
            ..EntityType::new(TypeName::new("offer").expect("a name"), Policy::Rules)
        };
        let disk = Disk::new();
        let server = start_with(&disk, |config| config.types = vec![ruled(rules)]).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        assert_eq!(
            ann.push("phone", 1, &[set("offer", "o", "create", json!({ "price": 10 }))]).await,
            ["applied"]
        );
        let fresh = async |n: u64, ver: u64, price: i64| {
            let mut op = set("offer", "o", "update", json!({ "price": price }));
            (op["n"], op["ctx"]) = (n.to_string().into(), json!({ "ver": ver.to_string() }));
            let told = ann.ok("POST /sync/v1/push", json!({ "device_id": "phone", "ops": [op] })).await;
            told["results"][0].clone()
        };
        let vetoed = fresh(2, 1, -1).await;
        assert_eq!(
            (&vetoed["status"], &vetoed["problem"]["code"]),
            (&json!("rejected"), &json!("validation-failed"))
        );
        assert_eq!(vetoed["problem"]["detail"], "nothing costs less than nothing");
        assert_eq!(fresh(3, 1, 15).await["status"], "applied");
        let asked = fresh(4, 2, 99).await;
        assert_eq!(
            (&asked["status"], &asked["server"]["data"]),
            (&json!("conflict"), &json!({ "price": 15 }))
        );
        let (_, open) = ann.ask("GET /sync/v1/conflicts?state=open", json!({})).await;
        assert_eq!(open["conflicts"][0]["conflict_id"], asked["conflict_id"]);
        server.shutdown().await;

        let wrong = ruled(vec![rule("op.set.price > sever.price", Verdict::Escalate)]);
        let mut config = Config::default();
        config.types = vec![wrong];
        let error = Server::start(config, Box::new(Disk::new())).await.expect_err("it cannot judge");
        let told = chain(&error);
        assert!(told.contains("type `offer`") && told.contains("rules know no `sever`"), "{told}");
    })
    .await;
}
