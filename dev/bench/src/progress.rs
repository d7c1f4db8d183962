//! Progress of a measurement.

use std::io::Write;

/// Says on standard error what comes next; the table has standard output to itself.
pub fn progress(what: &str) {
    // Standard error can be closed.
    let _ = writeln!(std::io::stderr(), "… {what}");
}
