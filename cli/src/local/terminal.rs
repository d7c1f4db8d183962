//! Log lines of the local load balancer.

use std::io::{self, Write};

use clap::builder::styling::AnsiColor;
use local_alb::{Record, RequestRecord};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::console::Colours;

pub(super) async fn print(mut records: UnboundedReceiver<Record>) {
    let colours = Colours::of_stdout();
    while let Some(record) = records.recv().await {
        let line = line(&record, colours);
        // A closed terminal does not stop the load balancer.
        let _ = writeln!(io::stdout(), "{line}");
    }
}

fn line(record: &Record, colours: Colours) -> String {
    match record {
        Record::Connection { client, problem } => {
            let verdict = colours.paint(AnsiColor::Red.on_default(), "---");
            format!("{verdict} {client}: {}", printable(problem))
        }
        Record::HealthCheck { target_group, result } => {
            let (verdict, detail) = match result {
                Ok(status) => (verdict(*status, colours), String::new()),
                Err(problem) => (
                    colours.paint(AnsiColor::Red.on_default(), "---"),
                    format!(": {}", printable(problem)),
                ),
            };
            format!("{verdict} health check of {target_group}{detail}")
        }
        Record::Request(request) => request_line(request, colours),
        // The library may learn to tell more than this version knows of.
        _ => format!("{record:?}"),
    }
}

fn request_line(request: &RequestRecord, colours: Colours) -> String {
    let certificates = match request.certificates {
        0 => "no certificate".to_owned(),
        1 => "1 certificate".to_owned(),
        several => format!("{several} certificates"),
    };
    let detail = match (&request.target_group, &request.problem) {
        (_, Some(problem)) => format!(": {}", printable(problem)),
        (Some(target_group), None) => format!(", by {target_group}"),
        (None, None) => String::new(),
    };
    format!(
        "{} {} {} ({certificates}) in {:.1} ms{detail}",
        verdict(request.status, colours),
        request.method,
        printable(&request.target),
        request.duration.as_secs_f64() * 1000.0,
    )
}

fn verdict(status: u16, colours: Colours) -> String {
    let colour = match status {
        200..=399 => AnsiColor::Green,
        400..=499 => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    colours.paint(colour.on_default(), &status.to_string())
}

/// Escapes control characters in text from outside, so that it cannot control the terminal.
fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn request(status: u16, problem: Option<&str>) -> Record {
        Record::Request(RequestRecord {
            client: ([127, 0, 0, 1], 50_000).into(),
            certificates: 2,
            method: "GET".to_owned(),
            target: "/a?b=c".to_owned(),
            target_group: Some("respond".to_owned()),
            status,
            problem: problem.map(str::to_owned),
            duration: Duration::from_micros(1_250),
        })
    }

    #[test]
    fn a_request_is_one_line_without_colours_in_a_pipe() {
        assert_eq!(
            line(&request(200, None), Colours::Never),
            "200 GET /a?b=c (2 certificates) in 1.2 ms, by respond"
        );
    }

    #[test]
    fn the_verdict_has_a_colour_on_a_terminal() {
        for (status, colour) in [(200, "32"), (401, "33"), (502, "31")] {
            let line = line(&request(status, None), Colours::Always);
            assert!(
                line.starts_with(&format!("\u{1b}[{colour}m{status}\u{1b}[0m ")),
                "{line:?}"
            );
        }
    }

    #[test]
    fn what_a_function_says_cannot_command_the_terminal() {
        let line = line(&request(502, Some("a\nb\u{1b}[2J\u{9b}c")), Colours::Never);
        assert!(line.ends_with("ms: a\\nb\\u{1b}[2J\\u{9b}c"), "{line:?}");
    }
}
