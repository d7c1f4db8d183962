#![no_main]

use alb_mtls_http::{HeaderFormat, properties};

libfuzzer_sys::fuzz_target!(|value: &[u8]| properties::header(HeaderFormat::BASE64_ENCODED, value, &[]));
