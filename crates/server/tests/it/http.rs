//! What browsers, probes and scrapers get.

use crate::support::{disk::Disk, raw, start, within};

#[tokio::test]
async fn every_path_is_answered() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let check = async |path: &str, status: u16, body: &str| {
            let answer = raw::get(server.addr(), path, "").await;
            assert_eq!(answer.status, status, "{path}");
            assert!(answer.body.contains(body), "{path}: {}", answer.body);
        };
        check("/", 200, "Syncline").await;
        check("/healthz", 200, "ok").await;
        check("/readyz", 200, "ready").await;
        check("/metrics", 200, "syncline_ready 1").await;
        check("/favicon.ico", 204, "").await;
        check("/nothing", 404, r#""error":"not-found""#).await;
        server.shutdown().await;
    })
    .await;
}
