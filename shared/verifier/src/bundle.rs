//! Bundles: PEM files that an operator keeps, with the certificates of trust anchors or intermediates.

use rustls_pki_types::CertificateDer;

use crate::pem_blocks::{Between, CertificateBlocks, PemError};

/// Why a bundle cannot be used: which entry (counted from 1) and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", entry.map(|entry| format!("entry {entry}: ")).unwrap_or_default())]
pub struct BundleError {
    /// Number of the entry, from 1, where the problem is with one entry.
    pub entry: Option<usize>,
    /// What is wrong.
    pub problem: BundleProblem,
}

/// What can be wrong with a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleProblem {
    /// There is no certificate in it.
    #[error("there is no certificate in it")]
    Empty,
    /// A private key in a bundle is a secret in the wrong place, and a sign that the wrong file was published.
    #[error("holds a private key: replace that key, and publish certificates only")]
    PrivateKey,
    /// A PEM block that is not a certificate.
    #[error("{0}")]
    NotPem(String),
    /// A certificate that cannot be an anchor or an intermediate.
    #[error("{0}")]
    Certificate(AuthorityProblem),
}

/// Why a certificate cannot be a trust anchor or an intermediate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityProblem {
    /// Not DER of an X.509 certificate, with particulars.
    #[error("is not a certificate that can be read: {0}")]
    Malformed(Box<str>),
    /// No basicConstraints with cA (RFC 5280 §4.2.1.9).
    #[error("is not a CA certificate: basicConstraints with cA is missing")]
    NotAuthority,
    /// A key usage without keyCertSign (RFC 5280 §4.2.1.3).
    #[error("may not issue certificates: its key usage lacks keyCertSign")]
    KeyUsage,
    /// A key that the load balancer's clients cannot have been certified with, with its description.
    #[error("has {0}, which is not supported: use RSA of 2048 to 8192 bits, P-256, P-384 or P-521")]
    UnsupportedKey(Box<str>),
    /// A name that contains control characters or cannot be represented, with particulars.
    #[error("has a subject that cannot be represented: {0}")]
    Name(Box<str>),
    /// Critical extensions that are not understood or extensions that cannot be read, with particulars.
    #[error("has an extension that cannot be processed: {0}")]
    Extension(Box<str>),
}

/// Reads the certificates of a PEM bundle in order; text between the blocks is fine.
///
/// # Errors
/// [`BundleError`] when there is no certificate, when a block is damaged or is not a certificate, and when the
/// bundle holds a private key. Nothing is skipped: a bundle is used whole or not at all.
pub fn read_bundle(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, BundleError> {
    let mut certificates = Vec::new();
    for block in CertificateBlocks::new(text, Between::Text) {
        let entry = Some(certificates.len() + 1);
        match block {
            Ok(der) => certificates.push(CertificateDer::from(der)),
            Err(PemError::Label(label)) if label.contains("PRIVATE KEY") => {
                return Err(BundleError {
                    entry,
                    problem: BundleProblem::PrivateKey,
                });
            }
            Err(error) => {
                return Err(BundleError {
                    entry,
                    problem: BundleProblem::NotPem(error.to_string()),
                });
            }
        }
    }
    if certificates.is_empty() {
        return Err(BundleError {
            entry: None,
            problem: BundleProblem::Empty,
        });
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nMEIT\n-----END CERTIFICATE-----";

    #[test]
    fn blocks_may_be_joined_and_have_text_around_them() {
        for (text, count) in [
            (BLOCK.to_owned(), 1),
            (format!("{BLOCK}{BLOCK}"), 2),
            (format!("# root\r\n{BLOCK}\r\n\nsubject=CN = Root\n{BLOCK} \n"), 2),
        ] {
            assert_eq!(
                read_bundle(text.as_bytes()).map(|found| found.len()),
                Ok(count),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_left_of_a_lost_block_is_not_taken_for_text() {
        for rest in [
            "-",
            "---BEGIN CERTIFICATE-----",
            "BEGIN CERTIFICATE-----\nMEIT\n",
            "x",
            "\n----BEGIN CERTIFICATE-----\nMEIT\n",
            "\n-----END CERTIFICATE-----",
        ] {
            let error = read_bundle(format!("{BLOCK}{rest}").as_bytes()).unwrap_err();
            assert!(
                matches!(error.problem, BundleProblem::NotPem(_)),
                "{rest}: {error}"
            );
        }
    }
}
