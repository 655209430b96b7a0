#![no_main]

#[path = "../../crates/protocol/tests/properties/session.rs"]
mod session;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    session::session(bytes);
});
