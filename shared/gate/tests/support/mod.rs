//! Records of the gate, and the status that it answers with, for its tests.

use std::sync::{Arc, Mutex};

use alb_mtls_gate::{Admission, AuditRecord, AuditSink, MetricsRecord};
use serde_json::Value;

/// Keeps every record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records(pub(crate) Arc<Mutex<Vec<Value>>>);

impl AuditSink for Records {
    fn write(&self, record: &AuditRecord<'_>) {
        self.0.lock().unwrap().push(serde_json::to_value(record).unwrap());
    }

    fn write_metrics(&self, record: &MetricsRecord<'_>) {
        self.0.lock().unwrap().push(serde_json::to_value(record).unwrap());
    }
}

/// Returns the status that a client sees: 200 where the request passes.
pub(crate) fn status(admission: &Admission) -> u16 {
    match admission {
        Admission::Allowed(_) => 200,
        Admission::Answered(answer) => answer.to_response::<String>().status().as_u16(),
    }
}
