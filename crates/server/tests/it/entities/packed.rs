//! Bodies and answers that are packed with zstd.

use async_compression::tokio::bufread::{ZstdDecoder, ZstdEncoder};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::{Caller, serve, set};
use crate::support::{disk::Disk, raw, within};

const MIB: usize = 1 << 20;

async fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    ZstdEncoder::new(bytes).read_to_end(&mut packed).await.expect("that it packs");
    packed
}

async fn unpack(bytes: &[u8]) -> String {
    let mut text = String::new();
    ZstdDecoder::new(bytes).read_to_string(&mut text).await.expect("that it unpacks");
    text
}

/// Returns a frame (RFC 8878, 3.1.1) that holds `bytes` as they are, and says that it takes a window of 2^`window_log` bytes.
fn frame(window_log: u8, bytes: &[u8]) -> Vec<u8> {
    let header = u32::try_from(bytes.len()).expect("a few bytes") << 3 | 1;
    let magic = [0x28, 0xb5, 0x2f, 0xfd, 0, (window_log - 10) << 3];
    [&magic[..], &header.to_le_bytes()[..3], bytes].concat()
}

async fn post(caller: &Caller, path: &str, coding: &str, body: &[u8]) -> (u16, Value) {
    let headers = format!("{}Content-Encoding: {coding}\r\n", caller.headers);
    let answer = raw::send_bytes(caller.addr, &format!("POST /sync/v1/{path}"), &headers, body).await;
    (answer.status, serde_json::from_str(&answer.body).expect("JSON"))
}

#[tokio::test]
async fn answers_are_packed_and_bodies_unpacked() {
    within(async {
        let (disk, other) = (Disk::new(), Disk::new());
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let create = json!({ "n": "1", "type": "note", "id": "a", "op": "create", "set": { "text": "x".repeat(5_000) } });
        let push = json!({ "device_id": "phone", "ops": [create] }).to_string();
        let packed = pack(push.as_bytes()).await;
        assert!(packed.len() < 1_000);
        let (status, answer) = post(&ann, "push", "zstd", &packed).await;
        assert_eq!((status, &answer["results"][0]["status"]), (200, &json!("applied")));
        // Of several frames the bodies follow each other.
        let (head, tail) = push.as_bytes().split_at(100);
        let frames = [pack(head).await, frame(23, tail)].concat();
        let (status, answer) = post(&ann, "push", "ZSTD", &frames).await;
        assert_eq!((status, &answer["results"][0]["status"]), (200, &json!("duplicate")));

        let wanted = "Accept-Encoding: gzip, zstd\r\n";
        let (head, export) = raw::fetch(ann.addr, "/sync/v1/export", wanted).await;
        assert!(head.contains("content-encoding: zstd\r\n") && export.len() < 2_000, "{head}");
        let (_, plain) = raw::fetch(ann.addr, "/sync/v1/export", "").await;
        assert_eq!(unpack(&export).await.into_bytes(), plain);
        server.shutdown().await;

        let empty = serve(&other).await;
        let eve = Caller::of(&empty, "eve");
        for (imported, unchanged) in [(1, 0), (0, 1)] {
            let (status, answer) = post(&eve, "import", "zstd", &export).await;
            let told = (status, &answer["imported"], &answer["unchanged"]);
            assert_eq!(told, (200, &json!(imported), &json!(unchanged)));
        }
        empty.shutdown().await;
    })
    .await;
}

/// What is small and becomes large is refused where it passes the bounds, and so is what says that it takes much memory; what is
/// cut is no body.
#[tokio::test]
async fn what_is_packed_too_well_is_refused() {
    within(async {
        let disk = Disk::new();
        let server = serve(&disk).await;
        let ann = Caller::of(&server, "ann");
        ann.bind("phone").await;
        let check = async |path: &str, coding: &str, body: &[u8], want: (u16, &str)| {
            let (status, answer) = post(&ann, path, coding, body).await;
            assert_eq!((status, answer["code"].as_str().unwrap_or_default()), want, "{path}: {answer}");
        };
        let bomb = pack(&vec![b' '; 64 * MIB]).await;
        assert!(bomb.len() < 16 << 10, "{} bytes", bomb.len());
        let body = json!({ "device_id": "phone", "ops": [] }).to_string();
        let whole = pack(set("note", "a", "create", json!({ "text": "x" })).to_string().as_bytes()).await;
        let too_large = (413, "payload-too-large");
        for path in ["push", "import"] {
            check(path, "zstd", &bomb, too_large).await;
            check(path, "zstd", &frame(27, body.as_bytes()), too_large).await;
            check(path, "zstd", &frame(24, body.as_bytes()), too_large).await;
        }
        check("push", "zstd", &frame(23, body.as_bytes()), (200, "")).await;
        check("import", "zstd", &frame(23, body.as_bytes()), (400, "malformed-request")).await;
        check("import", "zstd", &whole[..whole.len() - 1], (400, "malformed-request")).await;
        check("import", "zstd", b"no frame", (400, "malformed-request")).await;
        server.shutdown().await;
    })
    .await;
}
