#![no_main]

use alb_mtls_http::{HeaderFormat, properties};

// Client-Cert, then the lines of Client-Cert-Chain.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let value = lines.next().unwrap_or_default();
    let chain: Vec<&[u8]> = lines.collect();
    properties::header(HeaderFormat::RFC9440, value, &chain);
});
