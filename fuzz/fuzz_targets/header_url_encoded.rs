#![no_main]

use alb_mtls_verifier::{HeaderFormat, properties};

libfuzzer_sys::fuzz_target!(|value: &[u8]| properties::header(HeaderFormat::UrlEncoded, value, &[]));
