//! Sections of the table.

use alb_mtls_gate::{AuditRecord, AuditSink, to_line};

pub(crate) mod anchors;
pub(crate) mod decide;
pub(crate) mod edge;
pub(crate) mod functions;
pub(crate) mod load_balancer;
#[cfg(feature = "openssl")]
pub(crate) mod openssl_peer;
pub(crate) mod revocation;
pub(crate) mod verify;
pub(crate) mod webpki_peer;

/// Sink that makes the text of each record and drops it.
#[derive(Debug)]
struct TextSink;

impl AuditSink for TextSink {
    fn write(&self, record: &AuditRecord<'_>) {
        std::hint::black_box(to_line(record));
    }
}
