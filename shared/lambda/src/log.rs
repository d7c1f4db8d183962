//! Logs as Lambda's own filters read them.

use std::io::{self, Write};

use alb_mtls_gate::escape_to_ascii;
use tracing::level_filters::LevelFilter;

/// Sends what the libraries report to standard output, a JSON object a line with `timestamp` (RFC 3339) and `level` at
/// the top, in ASCII like decision records: messages quote what clients and upstreams sent, and terminals act on some
/// characters. `AWS_LAMBDA_LOG_LEVEL`, which Lambda sets from the function's logging configuration, says what is kept; without it
/// that is `INFO` and above.
///
/// Source: Lambda developer guide, "Configuring advanced logging controls for Lambda functions".
pub fn start_logging() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").map_or(LevelFilter::INFO, |level| level_filter(&level));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(level)
        .with_writer(|| InAscii(io::stdout()))
        .finish();
    // A second call in one process keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn level_filter(level: &str) -> LevelFilter {
    match level.to_ascii_uppercase().as_str() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

/// Writes lines of JSON, in which all that is not ASCII stands in strings, with every such character escaped.
struct InAscii<W>(W);

impl<W: Write> Write for InAscii<W> {
    /// Takes whole lines, as the subscriber writes them.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_all(line)?;
        Ok(line.len())
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let line = escape_to_ascii(&String::from_utf8_lossy(line));
        self.0.write_all(line.as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_are_ascii_and_read_back_the_same() {
        let mut written = Vec::new();
        let message = "\u{202e}evil\u{2066}\u{2028}\u{7f}\u{85}\u{1f600}";
        let line = format!("{}\n", serde_json::json!({ "message": message }));
        InAscii(&mut written).write_all(line.as_bytes()).unwrap();
        assert!(written.is_ascii() && !written.contains(&0x7f));
        let read: serde_json::Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(read["message"], message);
    }
}
