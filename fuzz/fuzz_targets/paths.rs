#![no_main]

#[path = "../../shared/verifier/tests/differential/topology.rs"]
mod topology;

// A PKI made by the bytes, judged by both path builders and by webpki alone.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    topology::check(bytes);
});
