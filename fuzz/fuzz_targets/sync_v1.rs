#![no_main]

#[path = "../../crates/protocol/tests/properties/sync_v1.rs"]
mod sync_v1;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    sync_v1::sync_v1(bytes);
});
