#![no_main]

use alb_mtls_verifier::properties;

libfuzzer_sys::fuzz_target!(|file: &[u8]| properties::revocation_lists(file));
