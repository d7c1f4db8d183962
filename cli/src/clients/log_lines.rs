//! Decision records among the lines of a log, however the log was got out of CloudWatch.

use std::io::{self, BufRead, Read};

use alb_mtls_verifier::Timestamp;
use serde::Deserialize;

/// Fields of a decision record that the inventory uses.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    timestamp: String,
    pub(super) decision: String,
    #[serde(default)]
    pub(super) client: Option<Client>,
}

/// The client of a decision record.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Client {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) serial_number: String,
    #[serde(default)]
    pub(super) alternative_names: Vec<serde_json::Map<String, serde_json::Value>>,
    pub(super) certificate_sha256: String,
    not_after: String,
    pub(super) anchor_id: String,
    pub(super) anchor: String,
}

/// A record whose times can be read.
#[derive(Debug)]
pub(super) struct ReadRecord {
    pub(super) at: Timestamp,
    pub(super) was_allowed: bool,
    /// The client and when its certificate expires.
    pub(super) client: Option<(Client, Timestamp)>,
}

/// Number of lines of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LogLines {
    pub(super) records: u64,
    /// Decision records that are cut off or changed, and lines too long to read.
    pub(super) unreadable: u64,
    pub(super) other: u64,
}

/// A log event has at most 1 MiB; an export may put many into one line.
const MAX_LINE: u64 = 64 * 1024 * 1024;

impl LogLines {
    /// Reads all lines, and hands over each record.
    pub(super) fn read(mut input: impl BufRead, mut take: impl FnMut(&ReadRecord)) -> io::Result<Self> {
        let mut counts = Self::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            if (&mut input).take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                return Ok(counts);
            }
            if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE {
                counts.unreadable += 1;
                skip_line(&mut input)?;
                continue;
            }
            let text = String::from_utf8_lossy(&line);
            let texts = records_in(&text);
            if texts.is_empty() {
                counts.other += 1;
            }
            for text in texts {
                match text.as_deref().and_then(read_record) {
                    Some(record) => {
                        counts.records += 1;
                        take(&record);
                    }
                    None => counts.unreadable += 1,
                }
            }
        }
    }
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(());
        }
        let (used, ended) = match available.iter().position(|byte| *byte == b'\n') {
            Some(position) => (position + 1, true),
            None => (available.len(), false),
        };
        input.consume(used);
        if ended {
            return Ok(());
        }
    }
}

/// Returns the JSON of each decision record in a line, `None` for one that is cut off.
fn records_in(line: &str) -> Vec<Option<String>> {
    if holds_record(line, "\\\"") {
        // A JSON string within JSON: the output of `aws logs filter-log-events`, or lines of it.
        line.match_indices("\"{\\\"")
            .map(|(position, _)| line.get(position..).and_then(first_string))
            .filter(|text| text.as_deref().is_none_or(|text| holds_record(text, "\"")))
            .collect()
    } else if holds_record(line, "\"\"") {
        // A field of CSV: an export of Logs Insights.
        vec![
            line.find('{')
                .and_then(|start| line.get(start..))
                .map(|rest| rest.replace("\"\"", "\"")),
        ]
    } else if holds_record(line, "\"") {
        // The record itself, perhaps with a time and the name of the log stream before it.
        vec![
            line.find('{')
                .and_then(|start| line.get(start..))
                .map(str::to_owned),
        ]
    } else {
        Vec::new()
    }
}

/// Returns true if the line contains `"message":"decision"`, with quotes written as `quote`.
fn holds_record(line: &str, quote: &str) -> bool {
    ["", " "]
        .iter()
        .any(|space| line.contains(&format!("{quote}message{quote}:{space}{quote}decision{quote}")))
}

fn first_string(text: &str) -> Option<String> {
    serde_json::Deserializer::from_str(text)
        .into_iter::<String>()
        .next()?
        .ok()
}

/// Reads a record at the start of the text and ignores the rest.
fn read_record(text: &str) -> Option<ReadRecord> {
    let record: Record = serde_json::Deserializer::from_str(text)
        .into_iter()
        .next()?
        .ok()?;
    let client = match record.client {
        None => None,
        Some(client) => {
            let not_after = Timestamp::parse_rfc3339(&client.not_after).ok()?;
            Some((client, not_after))
        }
    };
    Some(ReadRecord {
        at: Timestamp::parse_rfc3339(&record.timestamp).ok()?,
        was_allowed: record.decision == "allowed",
        client,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"timestamp":"2026-11-22T05:29:00Z","level":"INFO","message":"decision","decision":"denied","path":"/\"{x}"}"#;

    fn count(text: &str) -> (u64, u64, u64) {
        let lines = LogLines::read(text.as_bytes(), |_| {}).unwrap();
        (lines.records, lines.unreadable, lines.other)
    }

    #[test]
    fn finds_records_in_every_form_of_log() {
        let quoted = serde_json::to_string(RECORD).unwrap();
        let doubled = RECORD.replace('"', "\"\"");
        for line in [
            RECORD.to_owned(),
            format!("2026-11-22T05:29:00.123Z {RECORD}"),
            format!("2026-11-22T05:29:00.123000+00:00 2026/11/22/[$LATEST]0123456789abcdef {RECORD}\r"),
            format!("            \"message\": {quoted},"),
            format!("{{\"timestamp\":1,\"message\":{quoted},\"ingestionTime\":2}}"),
            format!("2026-11-22 05:29:00.123,\"{doubled}\""),
            RECORD.replace(':', ": ").replace("T05: 29: 00Z", "T05:29:00Z"),
        ] {
            assert_eq!(count(&format!("{line}\n")), (1, 0, 0), "{line}");
        }
        let both = format!("{{\"events\":[{{\"message\":{quoted}}},{{\"message\":{quoted}}}]}}\n");
        assert_eq!(count(&both), (2, 0, 0));
    }

    #[test]
    fn counts_what_is_cut_off_and_what_is_something_else() {
        let (half, _) = RECORD.split_at(RECORD.len() - 5);
        assert_eq!(count(half), (0, 1, 0));
        let quoted = serde_json::to_string(RECORD).unwrap();
        let (half, _) = quoted.split_at(quoted.len() - 5);
        assert_eq!(count(&format!("{{\"message\":{half}")), (0, 1, 0));
        assert_eq!(count(&RECORD.replace("2026-11", "2026-13")), (0, 1, 0));
        assert_eq!(count("\"message\": \"decision\",\n"), (0, 1, 0));
        for other in [
            "",
            "START RequestId: 1 Version: $LATEST\n",
            "{\"message\":\"started\",\"decision\":\"none\"}\n",
            "a decision was made {\n",
            "\u{0}\u{fffd}\n",
        ] {
            assert_eq!(count(other), (0, 0, u64::from(!other.is_empty())), "{other:?}");
        }
        assert_eq!(LogLines::read(&b"\xff\xfe\n"[..], |_| {}).unwrap().other, 1);
    }
}
