#![no_main]

#[path = "../../crates/core/tests/properties/mod.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::awareness(bytes);
});
