//! What is served is described, and what is described is served.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{PLAN, splice};
use crate::{
    entities::Caller,
    support::{disk::Disk, raw, start, within},
};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Goal: no path is described that is not served, and none is served with a method that is not described.
#[tokio::test]
async fn what_is_described_is_what_is_served() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        let described = ann.ok("GET /docs/v1/openapi.json", Value::Null).await;
        let paths = described["paths"].as_object().expect("paths");
        assert_eq!(paths.len(), 18);
        for (path, operations) in paths {
            let path = path.replace("{name}", "nowhere").replace("{version}", "1").replace("{hook}", "none");
            for method in METHODS {
                let answer = raw::send(server.addr(), &format!("{method} {path}"), "", "{}").await;
                let is_described = operations.get(method.to_ascii_lowercase()).is_some();
                assert_eq!(answer.status != 405, is_described, "{method} {path}: {answer:?}");
                let is_known =
                    ["unknown-document", "unknown-hook"].iter().any(|code| answer.body.contains(code));
                assert!(answer.status != 404 || is_known, "{method} {path}: {answer:?}");
            }
        }
        server.shutdown().await;
    })
    .await;
}

/// Goal: whoever reads the description knows what may be answered. Method: what the other tests of these paths are answered is asked for
/// once more, and each status is looked up.
#[tokio::test]
async fn answers_are_described() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        let described = ann.ok("GET /docs/v1/openapi.json", Value::Null).await;
        let seed = json!({ "json": { "text": "ab" } });
        let edits = json!([{ "op": "sing", "path": "/text" }]);
        let version = json!({ "name": "good" });
        for (request, headers, body, status) in [
            ("GET ", "", Value::Null, 404),
            ("PUT ", "", json!({}), 400),
            ("PUT ", "", seed.clone(), 201),
            ("PUT ", "", seed, 200),
            ("GET ", "", Value::Null, 200),
            ("GET ", "If-None-Match: *\r\n", Value::Null, 304),
            ("GET ?format=markdown", "", Value::Null, 200),
            ("GET ?format=markdown&root=nothing", "", Value::Null, 404),
            ("GET ?format=verse", "", Value::Null, 400),
            ("GET ?commit=9", "", Value::Null, 410),
            ("GET ?version=9", "", Value::Null, 404),
            ("PATCH ", "", splice(1, 0, "x"), 200),
            ("POST /branches", "", json!({ "name": "draft" }), 201),
            ("POST /branches", "", json!({ "name": "draft" }), 409),
            ("POST /branches", "", json!({ "name": "other", "commit": 0 }), 422),
            ("GET /branches", "", Value::Null, 200),
            ("POST /merge", "", json!({ "from": "draft" }), 200),
            ("POST /merge?dry_run=true", "", json!({ "from": "draft" }), 200),
            ("PATCH ", "", splice(9, 0, "x"), 422),
            ("PATCH ", "", edits, 400),
            ("PATCH ", "If-Match: \"other\"\r\n", splice(0, 0, "x"), 412),
            ("GET /events?after=0", "", Value::Null, 200),
            ("GET /events?after=x", "", Value::Null, 400),
            ("POST /copy", "", json!({ "to": "copied" }), 201),
            ("POST /copy", "", json!({ "to": "copied" }), 200),
            ("POST /copy", "", json!({}), 400),
            ("POST /copy", "", json!({ "to": "other", "commit": 9 }), 410),
            ("POST /copy", "", json!({ "to": "other", "commit": 0 }), 422),
            ("GET /history", "", Value::Null, 200),
            ("GET /history?pause=long", "", Value::Null, 400),
            ("GET /authors", "", Value::Null, 200),
            ("GET /diff?from=1", "", Value::Null, 200),
            ("GET /diff", "", Value::Null, 400),
            ("POST /restore", "", json!({ "commit": 1 }), 200),
            ("POST /restore", "", json!({ "commit": 9 }), 410),
            ("POST /restore", "", json!({}), 400),
            ("POST /restore", "If-Match: \"other\"\r\n", json!({ "commit": 1 }), 412),
            ("POST /versions", "", version, 201),
            ("POST /versions", "", json!({ "name": "" }), 400),
            ("GET /versions", "", Value::Null, 200),
            ("GET /versions/first", "", Value::Null, 400),
            ("DELETE /versions/1", "", Value::Null, 204),
            ("DELETE /versions/1", "", Value::Null, 404),
            ("DELETE ", "If-Match: \"other\"\r\n", Value::Null, 412),
            ("DELETE ", "", Value::Null, 204),
            ("DELETE ", "", Value::Null, 404),
        ] {
            check(server.addr(), &described, (request, headers, &body), status).await;
        }
        server.shutdown().await;
    })
    .await;
}

/// The same of hooks.
#[tokio::test]
async fn answers_about_hooks_are_described() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        let described = ann.ok("GET /docs/v1/openapi.json", Value::Null).await;
        for (request, status) in [
            ("GET /hooks", 200),
            ("GET /hooks/none/dead", 404),
            ("DELETE /hooks/none/dead", 404),
            ("DELETE /hooks/none/dead?id", 404),
            ("POST /hooks/none/retry?di=msg_0", 400),
        ] {
            let (method, path) = request.split_once(' ').expect("method and path");
            let answer = raw::send(server.addr(), &format!("{method} /docs/v1{path}"), "", "").await;
            assert_eq!(answer.status, status, "{request}: {answer:?}");
            let path = path.replace("none", "{hook}");
            let path = format!("/docs/v1{}", path.split('?').next().unwrap_or_default());
            let told = &described["paths"][path][method.to_ascii_lowercase()]["responses"];
            assert!(told[status.to_string()].is_object(), "{request}: {status} is not described");
        }
        server.shutdown().await;
    })
    .await;
}

/// Asks for something of the document, and looks up what was answered.
async fn check(
    addr: SocketAddr,
    described: &Value,
    (request, headers, body): (&str, &str, &Value),
    status: u16,
) {
    let (method, rest) = request.split_once(' ').expect("method and path");
    let answer = raw::send(addr, &format!("{method} {PLAN}{rest}"), headers, &body.to_string()).await;
    assert_eq!(answer.status, status, "{request}: {answer:?}");
    let described = &described["paths"][path_of(rest)][method.to_ascii_lowercase()];
    let told = &described["responses"][status.to_string()];
    assert!(told.is_object(), "{request}: {status} is not described");
    let has_tag = answer.head.lines().any(|line| line.starts_with("etag: "));
    assert_eq!(told["headers"]["ETag"].is_object(), has_tag, "{request}: {answer:?}");
    let kind = answer.head.lines().find_map(|line| line.strip_prefix("content-type: "));
    let forms = &told["content"];
    let is_known = kind.is_none_or(|kind| forms[kind.split(';').next().unwrap_or_default()].is_object());
    assert!(is_known, "{request}: {kind:?} is not described");
}

/// Returns how the description calls a path behind that of a document.
fn path_of(rest: &str) -> String {
    let path = rest.split('?').next().unwrap_or_default();
    let path = if path.starts_with("/versions/") { "/versions/{version}" } else { path };
    format!("/docs/v1/documents/{{name}}{path}")
}

/// A body that is too long is refused as such, wherever one is taken.
#[tokio::test]
async fn a_body_is_no_longer_than_it_may_be() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "ab" } })).await;
        let described = ann.ok("GET /docs/v1/openapi.json", Value::Null).await;
        let long = " ".repeat((8 << 20) + 1);
        for request in ["PUT ", "PATCH ", "POST /versions"] {
            let (method, path) = request.split_once(' ').expect("method and path");
            let answer = raw::send(server.addr(), &format!("{method} {PLAN}{path}"), "", &long).await;
            let is_refused = answer.body.contains("\"too-large\"");
            assert_eq!((answer.status, is_refused), (413, true), "{request}: {answer:?}");
            let told = &described["paths"][path_of(path)][method.to_ascii_lowercase()]["responses"]["413"];
            let forms = &told["content"];
            assert!(forms["application/json"].is_object(), "{request}: {told}");
            assert!(forms["application/problem+json"].is_object(), "a signature is refused so: {told}");
        }
        server.shutdown().await;
    })
    .await;
}

/// Goal: clients that are made of the description see all that is told of a difference.
#[tokio::test]
async fn what_differs_is_described_by_its_kind() {
    within(async {
        let disk = Disk::new();
        let server = start(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.ok(&format!("PUT {PLAN}"), json!({ "json": { "text": "ab", "list": [1], "map": { "a": 1 } } }))
            .await;
        let edits = json!([
            { "op": "splice", "path": "/text", "at": 1, "remove": 1, "insert": "c" },
            { "op": "add", "path": "/list/-", "value": 2 },
            { "op": "replace", "path": "/map/a", "value": 2 },
        ]);
        ann.ok(&format!("PATCH {PLAN}"), edits).await;
        let described = ann.ok("GET /docs/v1/openapi.json", Value::Null).await;
        let kinds = described["components"]["schemas"]["Change"]["oneOf"].as_array().expect("kinds");
        let told = ann.ok(&format!("GET {PLAN}/diff?from=1"), Value::Null).await;
        let changes = told["changes"].as_array().expect("changes");
        assert!(changes.len() >= 3, "{told}");
        for change in changes {
            let is_of = |kind: &&Value| kind["properties"]["kind"]["const"] == change["kind"];
            let kind = kinds.iter().find(is_of).unwrap_or_else(|| panic!("no kind of {change}"));
            let known: Vec<&String> = kind["properties"].as_object().expect("members").keys().collect();
            let seen: Vec<&String> = change.as_object().expect("members").keys().collect();
            assert_eq!(seen, known, "{change}");
        }
        server.shutdown().await;
    })
    .await;
}
