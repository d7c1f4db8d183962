#![no_main]

use alb_mtls_verifier::properties;

// What we read of a certificate against what webpki reads of it.
libfuzzer_sys::fuzz_target!(|der: &[u8]| properties::certificate(der));
