//! OpenSSL and pyca/cryptography, through a Python program that reads cases and writes verdicts.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Peer, Verdict};
use crate::scene::Case;
use crate::values::NOW;

const PROGRAM: &str = include_str!("python/peers.py");

/// Running Python program.
#[derive(Debug)]
pub(crate) struct Python {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum PythonError {
    #[error(
        "cannot start `{python}` with OpenSSL and pyca/cryptography: {source}; `make test` installs them into .venv"
    )]
    Start { python: String, source: io::Error },
    #[error("cannot ask OpenSSL and pyca/cryptography: {0}")]
    Io(#[from] io::Error),
    #[error("the answer `{answer}` is not a pair of verdicts: {source}")]
    Answer {
        answer: String,
        source: serde_json::Error,
    },
}

/// Case in the program's form: DER in Base64.
#[derive(Serialize)]
struct Question {
    time: i64,
    anchors: Vec<String>,
    presented: Vec<String>,
    lists: Option<Vec<String>>,
}

/// Reasons of a rejection; `None` if the case is accepted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    openssl: Option<String>,
    pyca: Option<String>,
}

impl Python {
    pub(crate) fn start(python: &Path) -> Result<Self, PythonError> {
        let failed = |source| PythonError::Start {
            python: python.display().to_string(),
            source,
        };
        let mut process = Command::new(python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(failed(io::Error::other("it has no pipes")));
        };
        let mut this = Self {
            process,
            input: Some(input),
            output: BufReader::new(output),
        };
        // The first line names the versions, and shows that both libraries are there.
        this.line()?;
        Ok(this)
    }

    /// Hands over a case; its answer is read later, in the same order.
    pub(crate) fn ask(&mut self, case: &Case) -> Result<(), PythonError> {
        let encode = |all: &[Vec<u8>]| all.iter().map(|der| STANDARD.encode(der)).collect();
        let question = Question {
            time: NOW,
            anchors: encode(&case.anchors),
            presented: encode(&case.presented),
            lists: case.lists.as_deref().map(encode),
        };
        let mut line = serde_json::to_vec(&question).map_err(io::Error::from)?;
        line.push(b'\n');
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe);
        Ok(input.map_err(io::Error::from)?.write_all(&line)?)
    }

    /// Returns the verdicts on the case that was asked about first.
    pub(crate) fn answer(&mut self) -> Result<[(Peer, Verdict); 2], PythonError> {
        let line = self.line()?;
        let answer: Answer =
            serde_json::from_str(&line).map_err(|source| PythonError::Answer { answer: line, source })?;
        let verdict = |reason: Option<String>| reason.map_or(Verdict::Accept, Verdict::Reject);
        Ok([
            (Peer::Openssl, verdict(answer.openssl)),
            (Peer::Pyca, verdict(answer.pyca)),
        ])
    }

    fn line(&mut self) -> Result<String, io::Error> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the program ended, and its own message is above",
            ));
        }
        Ok(line)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
