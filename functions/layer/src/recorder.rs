//! Decision records that no function waits for.

use std::sync::Arc;

use alb_mtls_gate::{AuditRecord, AuditSink, MetricsRecord, StandardOutput, to_line};
use tokio::runtime::Handle;
use tokio::sync::RwLock;

/// Lock that everything which has to finish before the gate ends keeps for reading.
pub(crate) type UnderWay = Arc<RwLock<()>>;

/// Sink that writes each record as soon as its event is on its way to the function. The function
/// runs meanwhile: the reader of the log, woken by a record, would take the processor first.
#[derive(Clone, Debug)]
pub(crate) struct AfterTheEvent(pub(crate) UnderWay);

impl AuditSink for AfterTheEvent {
    fn write(&self, record: &AuditRecord<'_>) {
        let (line, importance) = (to_line(record), record.importance());
        match (Handle::try_current(), Arc::clone(&self.0).try_read_owned()) {
            (Ok(executor), Ok(under_way)) => {
                // Its turn comes when the task that judges has written the event, or waits for
                // something itself.
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
