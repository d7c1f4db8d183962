//! What is being done, for whoever waits.

use std::io::Write;

/// Says on standard error what comes next; the table has standard output to itself.
pub fn progress(what: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "… {what}");
}
