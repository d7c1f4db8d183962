//! The certificates that a command is about.

use std::path::PathBuf;

use alb_mtls_trust::DeniedName;
use alb_mtls_verifier::{CertificateNames, CertificateSummary, DistinguishedName, Fingerprint, is_spiffe_id};
use clap::Args;

use crate::files;

/// Exactly one way to name a certificate.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct NameArguments {
    /// PEM file of the certificate, a client's or a CA's; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) pem: Option<PathBuf>,

    /// SHA-256 of a certificate, in hexadecimal
    #[arg(long, value_name = "SHA256")]
    certificate: Option<Fingerprint>,

    /// SHA-256 of a public key (SubjectPublicKeyInfo), in hexadecimal
    #[arg(long, value_name = "SHA256")]
    key: Option<Fingerprint>,

    /// Serial number in hexadecimal, together with `--issuer`
    #[arg(long, value_name = "HEX", requires = "issuer")]
    serial: Option<String>,

    /// SPIFFE id
    #[arg(long, value_name = "ID")]
    spiffe: Option<String>,
}

/// Name of a certificate in a PEM file that an entry is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum By {
    /// The key: also a certificate that was renewed with the same key
    #[default]
    Key,
    /// The SHA-256: this certificate alone
    Certificate,
    /// The serial number and issuer: this certificate alone
    Serial,
    /// The SPIFFE id: also every other certificate with this id
    Spiffe,
}

/// A certificate that a command is about.
pub(crate) enum Selected {
    /// A name that the operator wrote.
    Name(DeniedName),
    /// A certificate in a file.
    Certificate {
        names: Box<CertificateNames>,
        summary: Box<CertificateSummary>,
    },
}

impl NameArguments {
    /// Returns what is selected; `issuer` belongs to a serial number.
    pub(crate) fn select(&self, issuer: Option<&DistinguishedName>) -> Result<Selected, String> {
        if let Some(path) = &self.pem {
            return from_file(path);
        }
        if let Some(fingerprint) = self.certificate {
            return Ok(Selected::Name(DeniedName::Certificate(fingerprint)));
        }
        if let Some(fingerprint) = self.key {
            return Ok(Selected::Name(DeniedName::Key(fingerprint)));
        }
        match (&self.serial, issuer, &self.spiffe) {
            (Some(serial), Some(issuer), _) => DeniedName::serial(serial, issuer.clone()).map(Selected::Name),
            (_, _, Some(id)) => DeniedName::spiffe_id(id).map(Selected::Name),
            _ => Err("no certificate is named".into()),
        }
    }
}

fn from_file(path: &std::path::Path) -> Result<Selected, String> {
    let chain = files::presented_chain(path).map_err(|error| error.to_string())?;
    let certificate = chain.end_entity();
    let unreadable = || format!("`{}`: the certificate cannot be read", path.display());
    let names = CertificateNames::read(certificate).ok_or_else(unreadable)?;
    let summary = CertificateSummary::read(certificate).ok_or_else(unreadable)?;
    Ok(Selected::Certificate {
        names: Box::new(names),
        summary: Box::new(summary),
    })
}

impl Selected {
    /// Returns the name for a new entry.
    pub(crate) fn name(&self, by: By) -> Result<DeniedName, String> {
        let (names, summary) = match self {
            Self::Name(name) => return Ok(name.clone()),
            Self::Certificate { names, summary } => (names, summary),
        };
        match by {
            By::Key => Ok(DeniedName::Key(names.public_key_fingerprint())),
            By::Certificate => Ok(DeniedName::Certificate(summary.fingerprint)),
            By::Serial => {
                let issuer = summary.issuer.clone();
                let issuer =
                    issuer.ok_or("the issuer of the certificate cannot be written: use `--by key`")?;
                let serial_number = names.serial_numbers().first();
                DeniedName::serial(
                    serial_number.ok_or("the certificate has no serial number")?,
                    issuer,
                )
            }
            By::Spiffe => {
                let id = names.uris().iter().find(|uri| is_spiffe_id(uri));
                let id = id.ok_or("the certificate has no SPIFFE id of a workload: use `--by key`")?;
                DeniedName::spiffe_id(id)
            }
        }
    }

    /// Returns true if an entry with this name denies what is selected.
    pub(crate) fn is_denied_by(&self, name: &DeniedName) -> bool {
        match self {
            Self::Name(selected) => selected == name,
            Self::Certificate { names, .. } => name.is_of(names),
        }
    }

    /// Returns one sentence about what an entry with this name denies.
    pub(crate) fn effect(&self, name: &DeniedName) -> String {
        let whom = match self {
            Self::Name(_) => {
                "the certificate with this name and, if it is a CA's, every client under it".to_owned()
            }
            Self::Certificate { summary, .. } => {
                let subject = summary
                    .subject
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                let until = summary.validity.not_after;
                match summary.is_authority {
                    true => format!("every client under the CA `{subject}` (valid until {until})"),
                    false => format!("the client `{subject}` (valid until {until})"),
                }
            }
        };
        let also = match name {
            DeniedName::Key(_) => ", and every other certificate with this key",
            DeniedName::SpiffeId(_) => ", and every other certificate with this id",
            _ => "",
        };
        format!("{whom}{also}")
    }
}
