#![no_main]

#[path = "../../crates/protocol/tests/properties/signature.rs"]
mod signature;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    signature::signature(bytes);
});
