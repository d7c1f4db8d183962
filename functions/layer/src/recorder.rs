//! Decision records that no function waits for.

use std::sync::Arc;

use alb_mtls_gate::{AuditRecord, AuditSink, MetricsRecord, StandardOutput, to_line};
use tokio::runtime::Handle;
use tokio::sync::RwLock;

/// Held for reading by all that is to be finished before the gate may end.
pub(crate) type UnderWay = Arc<RwLock<()>>;

/// Writes each record as soon as the event that it is about is on its way to the function, which runs meanwhile: whoever
/// reads the log is woken by it, and would have the processor first.
#[derive(Clone, Debug)]
pub(crate) struct AfterTheEvent(pub(crate) UnderWay);

impl AuditSink for AfterTheEvent {
    fn write(&self, record: &AuditRecord<'_>) {
        let (line, importance) = (to_line(record), record.importance());
        match (Handle::try_current(), Arc::clone(&self.0).try_read_owned()) {
            (Ok(executor), Ok(under_way)) => {
                // Its turn comes when the task that judges has written the event, or waits for something itself.
                executor.spawn(async move {
                    StandardOutput.write_line(line, importance);
                    drop(under_way);
                });
            }
            _ => StandardOutput.write_line(line, importance),
        }
    }

    fn write_metrics(&self, metrics: &MetricsRecord<'_>) {
        StandardOutput.write_metrics(metrics);
    }
}
