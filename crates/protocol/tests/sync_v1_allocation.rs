//! The memory that a request takes is bounded by its body: at most 160 bytes for each of its bytes, and 64 KiB, at its peak.
//! All but objects of a few bytes stay far below: the map that an object becomes begins with room for 11 members.
//!
//! The counter is for the whole process, so this is a test binary of its own with one test.

use peak_alloc::PeakAlloc;
use syncline_protocol::wire::sync_v1::{Push, Reconcile};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Most bytes that a request may take for each byte of its body.
const FACTOR: usize = 160;

/// Bytes that any request may take.
const BASE: usize = 64 << 10;

/// Bytes of each body.
const BODY: usize = 256 << 10;

/// `head`, `entry` with its number as often as it fits, with commas between, and `tail`.
fn repeated(head: &str, entry: impl Fn(usize) -> String, tail: &str) -> String {
    let mut body = head.to_owned();
    for at in 0.. {
        if body.len() > BODY {
            break;
        }
        if at > 0 {
            body.push(',');
        }
        body += &entry(at);
    }
    body + tail
}

#[test]
fn a_request_takes_memory_in_proportion_to_its_body() {
    let check = |what: &str, accepted: bool, body: String| {
        HEAP.reset_peak_usage();
        let before = HEAP.current_usage();
        let push = Push::parse(body.as_bytes()).is_ok();
        let reconcile = Reconcile::parse(body.as_bytes()).is_ok();
        let peak = HEAP.peak_usage().saturating_sub(before);
        assert_eq!((push, reconcile), (accepted, accepted), "{what}");
        println!("{what}: {peak} bytes, {:.1} for each of the body", peak as f64 / body.len() as f64);
        assert!(peak <= FACTOR * body.len() + BASE, "{what}: {peak} bytes for {}", body.len());
    };
    let op =
        |rest: &str| format!(r#"{{"device_id":"d","ops":[{{"n":1,"op":"update","type":"t","id":"a",{rest}"#);
    let zero = |_| "0".to_owned();
    check("items", true, repeated(&op(r#""set":{"a":["#), zero, "]}}]}"));
    check("nested items", true, repeated(&op(r#""set":{"a":["#), |_| "[]".into(), "]}}]}"));
    check("empty maps", true, repeated(&op(r#""set":{"a":["#), |_| "{}".into(), "]}}]}"));
    check("small maps", true, repeated(&op(r#""set":{"a":["#), |_| r#"{"":0}"#.into(), "]}}]}"));
    check("fields", true, repeated(&op(r#""set":{"#), |at| format!(r#""{at:x}":0"#), "}}]}"));
    check("bad fields", true, repeated(&op(r#""set":{"#), |at| format!(r#""\u0000{at:x}":0"#), "}}]}"));
    check("bad numbers", true, repeated(&op(r#""set":{"a":["#), |_| "1e999".into(), "]}}]}"));
    check("what is ignored", true, repeated(&op(r#""meta":["#), zero, "]}]}"));
    check("dependencies", true, repeated(&op(r#""deps":["#), |at| at.to_string(), "]}]}"));
    let refs = |at| format!(r#"{{"type":"t","id":"{at}"}}"#);
    check("references", true, repeated(&op(r#""refs":["#), refs, "]}]}"));
    check("a vector", true, repeated(&op(r#""ctx":{"vv":{"#), |at| format!(r#""{at:x}":1"#), "}}}]}"));
    check("escapes", true, repeated(&op(r#""set":{"a":""#), |_| "\\u0001".into(), "\"}}]}"));
    check("digits", true, op(&format!(r#""set":{{"a":{}}}}}]}}"#, "9".repeat(BODY))));
    check("an exponent", true, op(&format!(r#""set":{{"a":1e{}}}}}]}}"#, "9".repeat(BODY))));
    check(
        "ops",
        false,
        repeated(r#"{"device_id":"d","ops":["#, |at| format!(r#"{{"n":{at},"op":"noop"}}"#), "]}"),
    );
    check("depth", false, "[".repeat(BODY));
    check("keys", false, repeated("{", |_| r#""a":0"#.into(), "}"));
    check("nothing", false, repeated("[", zero, ""));
}
