//! What is replaced again and again does not pile up.

use serde_json::{Value, json};
use syncline_store::{Store as _, key::ledger_prefix};

use super::{Caller, serve, set};
use crate::support::{
    disk::{Disk, TENANT},
    within,
};

/// The bytes of what the ledger keeps but for history, whose names begin with 128 or more.
fn kept_bytes(disk: &Disk) -> usize {
    let prefix = ledger_prefix(TENANT);
    let found = disk.memory().scan(&prefix, &prefix, 100_000).expect("the disk is read");
    let kept = found.iter().filter(|(key, _)| key.as_bytes()[prefix.len()] < 128);
    kept.map(|(_, value)| value.len()).sum()
}

/// A record is changed often while others stay, through a restart; in the end all is there, and not much more.
#[tokio::test]
async fn pages_are_rewritten_while_the_server_runs() {
    within(async {
        let disk = Disk::new();
        let long = |n: u64| format!("{n}{}", "x".repeat(40_000));
        let mut server = serve(&disk).await;
        Caller::of(&server, "ann").bind("phone").await;
        for n in 1..=120_u64 {
            if n == 60 {
                server.shutdown().await;
                server = serve(&disk).await;
            }
            let ann = Caller::of(&server, "ann");
            let changed = match n {
                1 => set("note", "hot", "create", json!({ "text": long(n) })),
                _ if n % 2 == 0 => set("note", &format!("n{n}"), "create", json!({ "n": n })),
                _ => json!({ "type": "note", "id": "hot", "op": "update", "ctx": { "ver": n.div_ceil(2).saturating_sub(1).to_string() },
                    "set": { "text": long(n) } }),
            };
            assert_eq!(ann.push("phone", n, &[changed]).await, ["applied"], "{n}");
        }
        assert!(kept_bytes(&disk) < 1_400_000, "{} bytes of 2,400,000 that were written", kept_bytes(&disk));
        server.shutdown().await;
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        let (mut told, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let page = &ann.pull("phone", "note", &cursor).await["scopes"][0];
            told.extend(page["changes"].as_array().expect("a list").iter().cloned());
            cursor = page["cursor"].clone();
            if page["has_more"] == false {
                break;
            }
        }
        assert_eq!(told.len(), 61);
        let hot = told.iter().find(|change| change["id"] == "hot").expect("it is told");
        assert_eq!((&hot["ver"], &hot["data"]["text"]), (&json!("60"), &json!(long(119))));
        let again = set("note", "n2", "create", json!({ "n": 2 }));
        assert_eq!(ann.push("phone", 2, &[again]).await, ["duplicate"], "results are still known");
        server.shutdown().await;
    })
    .await;
}
