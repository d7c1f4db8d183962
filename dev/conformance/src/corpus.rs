//! The project's own cases. Everything in them is derived from texts, so that the same files come
//! out each time.

mod advisories;
mod headers;
mod names;
mod paths;
mod policies;
mod rules;

use std::fs;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use serde::Serialize;
use test_pki::raw::tlv;
use test_pki::{Certificate, CertificateBuilder, Credential};

/// Time of validation of every case without another one; seeded certificates are valid from 2025 to
/// 2099.
const NOW: &str = "2026-11-22T00:00:00Z";

type Cases = Result<Vec<Case>, test_pki::Error>;

type MakeCases = fn() -> Cases;

/// Each file and what makes its cases.
const FILES: &[(&str, MakeCases)] = &[
    ("advisories", advisories::cases),
    ("headers", headers::cases),
    ("names", names::cases),
    ("paths", paths::cases),
    ("policies", policies::cases),
    ("rules", rules::cases),
];

#[derive(Debug, thiserror::Error)]
pub(crate) enum CorpusError {
    #[error("cannot make the certificates of `{file}`: {source}")]
    Pki {
        file: &'static str,
        source: test_pki::Error,
    },
    #[error("cannot write the cases of `{file}`: {source}")]
    Json {
        file: &'static str,
        source: serde_json::Error,
    },
    #[error("cannot write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// A case as it is written; the fields that `vectors/README.md` describes.
#[derive(Clone, Debug, Default, Serialize)]
struct Case {
    id: String,
    why: &'static str,
    expected: &'static str,
    /// Of a refusal.
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'static str,
    /// Of an accepted client.
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_depth: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_key_usage: Option<&'static str>,
    validation_time: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    header_format: &'static str,
    trusted: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    configured: Vec<String>,
    header: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_headers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chain_headers: Vec<String>,
}

/// Returns a case with these trust anchors and this presented chain.
fn case<'c>(
    id: &str,
    why: &'static str,
    trusted: impl IntoIterator<Item = &'c Credential>,
    presented: impl IntoIterator<Item = &'c Certificate>,
) -> Case {
    Case {
        id: id.to_owned(),
        why,
        validation_time: NOW,
        trusted: trusted.into_iter().map(Credential::pem).collect(),
        header: header(presented),
        ..Case::default()
    }
}

impl Case {
    fn accepted(mut self, subject: &str) -> Self {
        self.expected = "accept";
        subject.clone_into(&mut self.subject);
        self
    }

    fn refused(mut self, detail: &'static str) -> Self {
        self.expected = "reject";
        self.detail = detail;
        self
    }
}

/// Writes every file.
pub(crate) fn generate(folder: &Path) -> Result<String, CorpusError> {
    let mut report = String::new();
    for (file, cases) in FILES {
        let cases = cases().map_err(|source| CorpusError::Pki { file, source })?;
        let path = folder.join(format!("{file}.jsonl"));
        let mut lines = String::new();
        for case in &cases {
            // Straight from the struct: the order of a map's keys depends on how serde_json was
            // built.
            lines
                .push_str(&serde_json::to_string(case).map_err(|source| CorpusError::Json { file, source })?);
            lines.push('\n');
        }
        fs::write(&path, lines).map_err(|source| CorpusError::Write {
            path: path.clone(),
            source,
        })?;
        report.push_str(&format!("{}: {} cases\n", path.display(), cases.len()));
    }
    Ok(report)
}

/// As a load balancer writes it.
fn header<'c>(presented: impl IntoIterator<Item = &'c Certificate>) -> String {
    let chain: Vec<CertificateDer<'_>> = presented.into_iter().map(der).collect();
    local_alb::passthrough_header(&chain)
}

fn der(certificate: impl AsRef<Certificate>) -> CertificateDer<'static> {
    CertificateDer::from(certificate.as_ref().der().to_vec())
}

/// Returns the certificates of credentials.
fn certificates<'c>(
    credentials: impl IntoIterator<Item = &'c Credential>,
) -> impl Iterator<Item = &'c Certificate> {
    credentials.into_iter().map(Credential::certificate)
}

fn root() -> Result<Credential, test_pki::Error> {
    CertificateBuilder::root("CN=Root,O=Example")
        .seed("root")
        .self_signed()
}

fn issuing(root: &Credential) -> Result<Credential, test_pki::Error> {
    CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .seed("issuing")
        .issued_by(root)
}

fn client(issuer: &Credential) -> Result<Credential, test_pki::Error> {
    CertificateBuilder::client("CN=client,O=Example")
        .seed("client")
        .issued_by(issuer)
}
