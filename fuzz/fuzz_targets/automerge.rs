#![no_main]

#[path = "../../crates/protocol/tests/properties/automerge.rs"]
mod automerge;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    automerge::frame(bytes);
});
