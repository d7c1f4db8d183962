#![no_main]

use alb_mtls_verifier::properties;

libfuzzer_sys::fuzz_target!(|text: &[u8]| properties::bundle(text));
