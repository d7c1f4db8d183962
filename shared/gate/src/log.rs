//! Logs of a program, in the form of decision records.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::audit_record::StandardOutput;
use crate::line::escape_to_ascii;
use crate::log_writer::Importance;

/// Sends what the libraries report at this level and above to standard output.
///
/// A line is a JSON object with `timestamp` (RFC 3339) and `level` at the top, in ASCII like
/// decision records: messages quote what clients and upstreams sent, and terminals act on some
/// characters.
pub fn start_logging(level: LevelFilter) {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(level)
        .with_writer(Log)
        .finish();
    // A second call in one process keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The log of records, from which these lines are not lost before denials when it takes nothing.
struct Log;

impl MakeWriter<'_> for Log {
    type Writer = LineWriter;

    fn make_writer(&self) -> LineWriter {
        LineWriter(Importance::Routine)
    }

    fn make_writer_for(&self, event: &Metadata<'_>) -> LineWriter {
        let is_important = [Level::ERROR, Level::WARN].contains(event.level());
        LineWriter(if is_important {
            Importance::Important
        } else {
            Importance::Routine
        })
    }
}

struct LineWriter(Importance);

impl Write for LineWriter {
    /// Takes whole lines, as the subscriber writes them.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        StandardOutput.write_line(in_ascii(line), self.0);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a line of JSON without its end, with every character that is not ASCII escaped: all of
/// these stand in strings.
fn in_ascii(line: &[u8]) -> String {
    escape_to_ascii(String::from_utf8_lossy(line).trim_end_matches('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_whole() {
        let taken = LineWriter(Importance::Routine).write(b"{}\n");
        assert_eq!(taken.ok(), Some(3));
    }

    #[test]
    fn log_lines_are_ascii_and_read_back_the_same() {
        let message = "\u{202e}evil\u{2066}\u{2028}\u{7f}\u{85}\u{1f600}";
        let line = format!("{}\n", serde_json::json!({ "message": message }));
        let written = in_ascii(line.as_bytes());
        assert!(
            written.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{written}"
        );
        let read: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(read["message"], message);
    }
}
