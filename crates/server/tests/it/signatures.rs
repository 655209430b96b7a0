//! Devices with keys: what they have not signed is nobody's.

use std::{net::SocketAddr, sync::Arc};

use serde_json::{Value, json};
use syncline_core::{
    access::Identity,
    entity::{ActorName, EntityType, Handler as Asked, Policy, Secret, TypeName},
};
use syncline_server::{Config, DeviceBinding, Server};

use crate::{
    entities::Caller,
    support::{
        bearers::{Bearers, of},
        client::Client,
        disk::Disk,
        handler::{Handler, Says},
        hocuspocus::{Heard, Socket},
        raw,
        signer::{Signer, headers, headers_of},
        start_with, within,
    },
};

const BIND: &str = "POST /sync/v1/devices";
const PULL: &str = "POST /sync/v1/pull";
const KEY: &str = "PUT /sync/v1/devices/phone/key";

fn pull() -> Value {
    json!({ "device_id": "phone", "scopes": [] })
}

/// Starts a server with an `admin`, and `ann`, who has a token for all of her devices and one for her `phone`.
async fn serve_with(disk: &Disk, set: impl FnOnce(&mut Config)) -> Server {
    let bearers = Arc::new(Bearers::default());
    bearers.set("admin", &["*=admin"]);
    let may = ["type:*=write", "doc:*=write"];
    bearers.set("ann", &may);
    let device = ActorName::device("phone").expect("a device");
    let may = ["type:*=write", "doc:*=write", "server=read"];
    bearers.put("phone", Identity { device: Some(device), ..of("ann", &may) });
    start_with(disk, |config| {
        config.authenticator = Some(bearers);
        config.types = vec![EntityType::new(TypeName::new("note").expect("a name"), Policy::Lww)];
        set(config);
    })
    .await
}

async fn serve(disk: &Disk) -> Server {
    serve_with(disk, |_| {}).await
}

/// Asks with a signature, and returns the status and the code.
async fn signed(caller: &Caller, signer: &Signer, request: &str, body: &Value) -> (u16, String) {
    with(caller, &signer.headers(request, body), request, body).await
}

async fn with(caller: &Caller, headers: &str, request: &str, body: &Value) -> (u16, String) {
    let (status, answer) = caller.ask_with(headers, request, body.clone()).await;
    let code = answer["code"].as_str().or(answer["error"].as_str());
    (status, code.unwrap_or_default().to_owned())
}

/// Binds the phone with the key of a signer.
async fn register(caller: &Caller, signer: &Signer) {
    let body = json!({ "device_id": "phone", "public_key": signer.key() });
    let (status, answer) = caller.ask_with(&headers(BIND, &body, &[("new", signer)]), BIND, body).await;
    assert_eq!((status, &answer["public_key"]), (201, &json!(signer.key())), "{answer}");
}

fn refused(code: &str) -> (u16, String) {
    (401, code.to_owned())
}

#[tokio::test]
async fn a_device_with_a_key_speaks_by_its_signature_alone() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let (ann, phone) = (Caller::bearing(&server, "ann"), Signer::new("phone", 1));
        register(&ann, &phone).await;
        assert_eq!(signed(&ann, &phone, PULL, &pull()).await, (200, String::new()));
        for (request, body) in [
            (BIND, json!({ "device_id": "phone" })),
            ("POST /sync/v1/push", json!({ "device_id": "phone", "ops": [] })),
            (PULL, pull()),
            ("POST /sync/v1/ack", json!({ "device_id": "phone", "cursors": [] })),
            ("POST /sync/v1/reconcile", json!({ "device_id": "phone", "mutations": [] })),
            ("GET /sync/v1/live?device_id=phone&scope=note", json!({})),
            ("GET /sync/v1/ws?device_id=phone&scope=note", json!({})),
            ("GET /sync/v1/status?device_id=phone", json!({})),
        ] {
            assert_eq!(ann.refused(request, body.clone()).await, refused("signature-required"), "{request}");
            let stranger = Signer::new("phone", 2);
            assert_eq!(
                signed(&ann, &stranger, request, &body).await,
                refused("signature-invalid"),
                "{request}"
            );
        }
        let other = Signer::new("pad", 1);
        assert_eq!(signed(&ann, &other, PULL, &pull()).await, refused("signature-invalid"), "no such device");

        // The key is stored, and what was signed is no use to a server that has forgotten it.
        let seen = phone.headers(PULL, &pull());
        assert_eq!(with(&ann, &seen, PULL, &pull()).await.0, 200);
        assert_eq!(with(&ann, &seen, PULL, &pull()).await, refused("signature-invalid"), "replayed");
        let push = "POST /sync/v1/push";
        assert_eq!(
            with(&ann, &phone.headers(push, &pull()), PULL, &pull()).await,
            refused("signature-invalid")
        );
        server.shutdown().await;
        let server = serve(&disk).await;
        let ann = Caller::bearing(&server, "ann");
        assert_eq!(ann.refused(PULL, pull()).await, refused("signature-required"));
        assert_eq!(signed(&ann, &phone, PULL, &pull()).await.0, 200);

        // Who has lost a device shuts it out without its key, which is good for nothing then.
        assert_eq!(ann.ask("DELETE /sync/v1/devices/phone", json!({})).await.0, 200);
        assert_eq!(signed(&ann, &phone, PULL, &pull()).await, refused("signature-invalid"));
        assert_eq!(ann.refused(PULL, pull()).await, (403, "device-revoked".to_owned()));
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_altered_on_its_way_is_refused() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let (addr, ann, phone) = (server.addr(), Caller::bearing(&server, "ann"), Signer::new("phone", 1));
        register(&ann, &phone).await;
        let send = async |body: &[u8], headers: String| {
            let headers = format!("Authorization: Bearer ann\r\n{headers}");
            raw::send_bytes(addr, PULL, &headers, body).await.status
        };
        let body = pull().to_string();
        let good = || phone.headers(PULL, &pull());
        assert_eq!(send(body.as_bytes(), good()).await, 200);
        assert_eq!(send(body.replace("phone", "PHONE").as_bytes(), good()).await, 401);
        assert_eq!(send(&[body.as_bytes(), b" "].concat(), good()).await, 401);
        assert_eq!(send(body.as_bytes(), good().replace("Content-Digest", "X-Content-Digest")).await, 401);
        assert_eq!(send(body.as_bytes(), good().replace("expires=", "expires=9")).await, 401);
        let twice = good();
        assert_eq!(send(body.as_bytes(), format!("{twice}{twice}")).await, 401, "each header once");
        let uncovered = "Signature-Input: sig=(\"@method\" \"@path\" \"@query\")";
        let bare = good()
            .replace("Signature-Input: sig=(\"@method\" \"@path\" \"@query\" \"content-digest\")", uncovered);
        assert_eq!(send(body.as_bytes(), bare).await, 401, "the body is covered");

        // What is signed is what is sent, packed or not.
        let packed = gzip(body.as_bytes());
        let headers = headers_of(PULL, &packed, &[("sig", &phone)]);
        assert_eq!(send(&packed, format!("Content-Encoding: gzip\r\n{headers}")).await, 200);
        let headers = headers_of(PULL, body.as_bytes(), &[("sig", &phone)]);
        assert_eq!(send(&packed, format!("Content-Encoding: gzip\r\n{headers}")).await, 401);
        server.shutdown().await;
    })
    .await;
}

/// Packs bytes without making them smaller: one stored block (RFC 1951 section 3.2.4), and a checksum.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let crc = bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    });
    let length = u16::try_from(bytes.len()).expect("a short text");
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let lengths = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    let tail = [(!crc).to_le_bytes(), u32::from(length).to_le_bytes()].concat();
    [&head[..], &lengths, bytes, &tail].concat()
}

#[tokio::test]
async fn a_key_is_replaced_by_the_key_before_or_by_an_administrator() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let [ann, admin] = ["ann", "admin"].map(|token| Caller::bearing(&server, token));
        let [first, second, third] = [1, 2, 3].map(|seed| Signer::new("phone", seed));
        let body = |signer: &Signer| json!({ "public_key": signer.key() });
        let put = async |caller: &Caller, key: &Signer, signers: &[(&str, &Signer)]| {
            let body = body(key);
            with(caller, &headers(KEY, &body, signers), KEY, &body).await
        };
        assert_eq!(put(&ann, &first, &[("new", &first)]).await, (403, "device-not-bound".to_owned()));
        ann.bind("phone").await;
        assert_eq!(ann.refused(KEY, body(&first)).await, refused("signature-invalid"), "it is proved");
        assert_eq!(put(&ann, &first, &[("new", &second)]).await, refused("signature-invalid"));
        assert_eq!(put(&ann, &first, &[("new", &first)]).await.0, 200);

        assert_eq!(put(&ann, &second, &[("new", &second)]).await, refused("signature-required"));
        let with_third = [("sig", &third), ("new", &second)];
        assert_eq!(put(&ann, &second, &with_third).await, refused("signature-invalid"));
        let bind = json!({ "device_id": "phone", "public_key": second.key() });
        let stolen = headers(BIND, &bind, &[("new", &second)]);
        assert_eq!(with(&ann, &stolen, BIND, &bind).await, refused("signature-required"));
        assert_eq!(put(&ann, &second, &[("sig", &first), ("new", &second)]).await.0, 200);
        assert_eq!(signed(&ann, &first, PULL, &pull()).await, refused("signature-invalid"));
        assert_eq!(signed(&ann, &second, PULL, &pull()).await.0, 200);

        assert_eq!(put(&admin, &third, &[("new", &third)]).await.0, 200);
        assert_eq!(signed(&ann, &third, PULL, &pull()).await.0, 200);
        let odd = json!({ "public_key": "AAAA" });
        assert_eq!(ann.refused(KEY, odd).await, (400, "malformed-request".to_owned()));
        let listed = admin.ok("GET /sync/v1/devices", json!({})).await;
        assert_eq!(listed["devices"][0]["public_key"], json!(third.key()));
        server.shutdown().await;
    })
    .await;
}

/// A token that names a device is of no use without the key of that device: not for documents either, nor for tickets.
#[tokio::test]
async fn a_stolen_token_of_a_device_with_a_key_opens_nothing() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let (addr, token) = (server.addr(), Caller::bearing(&server, "phone"));
        let phone = Signer::new("phone", 1);
        let ticket = "POST /auth/v1/tickets";
        assert_eq!(token.ask(ticket, json!({})).await.0, 201, "it has no key yet");
        assert_eq!(token.ask("GET /rooms", json!({})).await.0, 200);
        register(&token, &phone).await;
        assert_eq!(with(&token, "", ticket, &json!({})).await, refused("signature-required"));
        assert_eq!(token.refused("GET /sync/v1/types", json!({})).await, refused("signature-required"));
        assert_eq!(token.ask("GET /rooms", json!({})).await.0, 401);
        let list =
            format!("Authorization: Bearer phone\r\n{}", headers_of("GET /rooms", b"", &[("sig", &phone)]));
        assert_eq!(raw::get(addr, "/rooms", &list).await.status, 200);
        assert!(Client::connect(addr, "d?token=phone").await.is_closed_at_once().await);
        let mut socket = Socket::connect(addr).await;
        socket.auth("d", "phone", true).await;
        socket.hear_until("d", |heard| *heard == Heard::Denied).await;

        // A browser signs for a ticket, and opens the socket with that.
        let buy = async || {
            let headers = phone.headers(ticket, &json!({}));
            let (status, bought) = token.ask_with(&headers, ticket, json!({})).await;
            assert_eq!(status, 201, "{bought}");
            bought["ticket"].as_str().expect("a word").to_owned()
        };
        let word = buy().await;
        assert!(!Client::connect(addr, &format!("d?ticket={word}")).await.is_closed_at_once().await);
        let live = format!("/sync/v1/ws?device_id=phone&scope=note&ticket={}", buy().await);
        assert_eq!(raw::head(addr, &upgrade(addr, &live, "")).await.0, 101);

        // Whoever writes headers signs the head of the upgrade.
        let path = "/sync/v1/ws?device_id=phone&scope=note";
        let sign = |path: &str| headers_of(&format!("GET {path}"), b"", &[("sig", &phone)]);
        let bearer = format!("Authorization: Bearer phone\r\n{}", sign(path));
        assert_eq!(raw::head(addr, &upgrade(addr, path, &bearer)).await.0, 101);
        assert_eq!(raw::head(addr, &upgrade(addr, path, &bearer)).await.0, 401, "replayed");
        server.shutdown().await;
    })
    .await;
}

fn upgrade(addr: SocketAddr, path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n{}{headers}\r\n", raw::WEBSOCKET)
}

#[tokio::test]
async fn where_keys_are_required_a_device_without_one_does_nothing() {
    within(async {
        let disk = Disk::new();
        let server = serve_with(&disk, |config| config.devices.keys_required = true).await;
        let (ann, phone) = (Caller::bearing(&server, "ann"), Signer::new("phone", 1));
        assert_eq!(ann.refused(BIND, json!({ "device_id": "phone" })).await, refused("signature-required"));
        assert_eq!(ann.refused(PULL, pull()).await, refused("signature-required"));
        register(&ann, &phone).await;
        assert_eq!(signed(&ann, &phone, PULL, &pull()).await.0, 200);
        server.shutdown().await;
    })
    .await;
}

#[tokio::test]
async fn a_device_is_bound_by_who_it_is_shown_to_be_of() {
    within(async {
        let disk = Disk::new();
        let server = serve_with(&disk, |config| config.devices.binding = DeviceBinding::Claim).await;
        let [ann, token] = ["ann", "phone"].map(|token| Caller::bearing(&server, token));
        let (pad, phone) = (json!({ "device_id": "pad" }), json!({ "device_id": "phone" }));
        let mismatch = (409, "device-mismatch".to_owned());
        assert_eq!(ann.refused(BIND, phone.clone()).await, mismatch);
        assert_eq!(token.refused(BIND, pad.clone()).await, mismatch);
        assert_eq!(token.ask(BIND, phone.clone()).await.0, 201);
        server.shutdown().await;

        let mut verifier = Handler::start(Says::This(200, String::new())).await;
        let url = format!("http://{}/devices", verifier.addr);
        let asked = Asked { url, timeout_ms: None, secret: Some(Secret::new("sesame".to_owned())) };
        let binding = DeviceBinding::Http { verifier: asked, ttl_ms: None };
        let disk = Disk::new();
        let server = serve_with(&disk, |config| config.devices.binding = binding).await;
        let ann = Caller::bearing(&server, "ann");
        assert_eq!(ann.ask(BIND, phone.clone()).await.0, 201);
        let question = verifier.asked().await;
        assert!(question.head.contains("sync-signature: t="), "{question:?}");
        let want = json!({ "tenant": "default", "user": "ann", "device": "phone", "key": null });
        assert_eq!(question.json(), want);
        verifier.says(Says::This(403, String::new()));
        assert_eq!(ann.ask(BIND, phone.clone()).await.0, 200, "the answer is remembered");
        assert_eq!(ann.refused(BIND, pad.clone()).await, mismatch);
        verifier.says(Says::Gone);
        assert_eq!(ann.refused(BIND, pad).await, mismatch, "so is a refusal");
        let third = json!({ "device_id": "third" });
        assert_eq!(ann.refused(BIND, third).await, (503, "handler-unavailable".to_owned()));
        server.shutdown().await;
    })
    .await;
}
