//! What libFuzzer invents, given to `compose` of tests/fuzz/bodies.rs.

#![no_main]

#[path = "../../tests/fuzz/bodies.rs"]
#[allow(dead_code, reason = "the other bodies are those of other targets")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::compose(bytes));
