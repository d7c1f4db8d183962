//! Bundles: files that an operator keeps, with the certificates of trust anchors or intermediates.

use rustls_pki_types::CertificateDer;

use crate::authority::AuthorityError;
use crate::file_kind::{FileKind, describe_block};
use crate::pem_file::{PemError, PemReader};
use crate::x509::summary::CertificateSummary;

/// Error of a bundle that cannot be used, with the number of the entry from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", entry.map(|entry| format!("entry {entry}: ")).unwrap_or_default())]
pub struct BundleError {
    /// Number of the entry, from 1, where the problem is with one entry.
    pub entry: Option<usize>,
    /// Defect.
    pub problem: BundleErrorKind,
}

impl BundleError {
    fn new(entry: Option<usize>, problem: BundleErrorKind) -> Self {
        Self { entry, problem }
    }

    /// Returns the error of one certificate of a bundle, by its number from 1.
    pub(crate) fn of_certificate(
        entry: usize,
        certificate: &CertificateDer<'_>,
        problem: AuthorityError,
    ) -> Self {
        let subject = subject_of(certificate);
        Self::new(Some(entry), BundleErrorKind::Certificate { problem, subject })
    }
}

/// Kinds of errors of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleErrorKind {
    /// There is no certificate in it.
    #[error("there is no certificate in it")]
    Empty,
    /// A private key in a bundle is a secret in the wrong place, and a sign that the wrong file was
    /// published.
    #[error("holds a private key, which begins in line {line}: a bundle contains certificates only; {}", FileKind::PrivateKey.advice())]
    PrivateKey {
        /// Line of the key's BEGIN line.
        line: usize,
    },
    /// A PEM block of another kind.
    #[error("{}", describe_block(kind, *line, label))]
    Block {
        /// Kind of the block.
        kind: FileKind,
        /// Line of its BEGIN line.
        line: usize,
        /// Label of the block.
        label: String,
    },
    /// A file of another kind.
    #[error("{0}")]
    Kind(FileKind),
    /// A PEM block that is damaged or has an unknown label.
    #[error("{0}")]
    NotPem(PemError),
    /// A certificate that cannot be an anchor or an intermediate.
    #[error("{problem}{}", in_words(subject.as_deref()))]
    Certificate {
        /// Defect.
        problem: AuthorityError,
        /// Subject of the certificate, if it can be read.
        subject: Option<String>,
    },
}

/// Returns the subject of a certificate, where it can be read.
fn subject_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let subject = CertificateSummary::read(certificate)?.subject?;
    Some(subject.to_string())
}

fn in_words(subject: Option<&str>) -> String {
    subject.map_or_else(String::new, |subject| format!(" (subject {subject})"))
}

/// Labels of PEM blocks with one certificate. The second is of the time before RFC 7468, for the
/// same content.
const LABELS: &[&str] = &["CERTIFICATE", "X509 CERTIFICATE"];

/// Reads the certificates of a bundle in order: PEM with text between the blocks, or one
/// certificate in DER.
///
/// # Errors
/// [`BundleError`] when there is no certificate, when a block is damaged or is not a certificate,
/// and when the bundle contains a private key. Nothing is skipped: a bundle is used whole or not at
/// all.
pub fn read_bundle(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, BundleError> {
    // Text cannot be DER of a certificate: the length of one takes more than seven bits.
    if FileKind::of_der(file) == Some(FileKind::Certificate) {
        return Ok(vec![CertificateDer::from(file.to_vec())]);
    }
    let mut reader = PemReader::new(file);
    let mut certificates = Vec::new();
    loop {
        let entry = certificates.len() + 1;
        match reader.next_block(LABELS) {
            Ok(Some(block)) => match FileKind::of_block_content(&block.der) {
                None => certificates.push(CertificateDer::from(block.der)),
                Some(kind) => return Err(BundleError::new(Some(entry), BundleErrorKind::Kind(kind))),
            },
            Ok(None) => break,
            Err(error) => return Err(error_of(file, entry, error)),
        }
    }
    // An empty bundle is never meant: it would reject every client.
    if certificates.is_empty() {
        let problem = match FileKind::recognise(file) {
            None | Some(FileKind::Empty | FileKind::Pem) => BundleErrorKind::Empty,
            Some(kind) => BundleErrorKind::Kind(kind),
        };
        return Err(BundleError::new(None, problem));
    }
    Ok(certificates)
}

/// Names the kind of file or block where that says more than the defect of the PEM text.
fn error_of(file: &[u8], entry: usize, error: PemError) -> BundleError {
    if let PemError::Label { line, label } = &error {
        let problem = match FileKind::of_label(label) {
            Some(FileKind::PrivateKey) => BundleErrorKind::PrivateKey { line: *line },
            Some(kind) => BundleErrorKind::Block {
                kind,
                line: *line,
                label: label.clone(),
            },
            None => BundleErrorKind::NotPem(error),
        };
        return BundleError::new(Some(entry), problem);
    }
    match FileKind::recognise(file) {
        None | Some(FileKind::Empty | FileKind::Pem) => {
            BundleError::new(Some(entry), BundleErrorKind::NotPem(error))
        }
        Some(kind) => BundleError::new(None, BundleErrorKind::Kind(kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nMEIT\n-----END CERTIFICATE-----";

    #[test]
    fn blocks_of_both_labels_are_read_alike() {
        let old = BLOCK.replace("CERTIFICATE", "X509 CERTIFICATE");
        let read = read_bundle(format!("{BLOCK}\n{old}").as_bytes()).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0], read[1]);
    }

    #[test]
    fn rest_of_a_lost_block_is_not_skipped_as_text() {
        for rest in [
            "x",
            "\n----BEGIN CERTIFICATE-----\nMEIT\n",
            "\n-----END CERTIFICATE-----",
        ] {
            let error = read_bundle(format!("{BLOCK}{rest}").as_bytes()).unwrap_err();
            assert!(
                matches!(error.problem, BundleErrorKind::NotPem(_)),
                "{rest}: {error}"
            );
        }
    }
}
