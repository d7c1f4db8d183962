use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use test_pki::{CertificateBuilder, Credential, KeyKind};

use super::files::{FileName, FileSet, ISSUING_CERTIFICATE, ISSUING_KEY, file_names};

#[derive(Args, Debug)]
pub(super) struct IssueArguments {
    /// Directory of the demo PKI
    #[arg(long, value_name = "DIR", default_value = ".demo")]
    dir: PathBuf,

    /// Name of the two files to make, NAME.pem and NAME.key
    #[arg(long)]
    name: FileName,

    /// Subject as in RFC 4514, such as `CN=worker,OU=Batch,O=Example` [default: CN=NAME,O=Example]
    #[arg(long, value_name = "DN")]
    subject: Option<String>,

    /// DNS name to put into the certificate; may be repeated
    #[arg(long, value_name = "NAME")]
    dns: Vec<String>,

    /// Email address to put into the certificate; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,

    /// IP address to put into the certificate; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,

    /// URI to put into the certificate, such as a SPIFFE ID; may be repeated
    #[arg(long)]
    uri: Vec<String>,

    /// Validity in days from now
    #[arg(long, value_name = "N", default_value_t = 365, allow_negative_numbers = true, value_parser = days)]
    days: u32,

    /// Kind of its key
    #[arg(long, value_enum, default_value_t = ClientKey::P256)]
    key: ClientKey,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ClientKey {
    P256,
    P384,
    P521,
    #[value(name = "rsa-2048")]
    Rsa2048,
    #[value(name = "rsa-3072")]
    Rsa3072,
    #[value(name = "rsa-4096")]
    Rsa4096,
}

impl From<ClientKey> for KeyKind {
    fn from(key: ClientKey) -> Self {
        match key {
            ClientKey::P256 => Self::P256,
            ClientKey::P384 => Self::P384,
            ClientKey::P521 => Self::P521,
            ClientKey::Rsa2048 => Self::Rsa2048,
            ClientKey::Rsa3072 => Self::Rsa3072,
            ClientKey::Rsa4096 => Self::Rsa4096,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum IssueError {
    #[error("{source}; `alb-mtls pki init --dir {}` makes the demo PKI", directory.display())]
    NoAuthority {
        directory: PathBuf,
        source: test_pki::Error,
    },

    #[error(transparent)]
    Pki(#[from] test_pki::Error),

    #[error("`{}` exists already: choose another --name", path.display())]
    Taken { path: PathBuf },
}

pub(super) fn run(arguments: &IssueArguments) -> Result<String, IssueError> {
    let directory = &arguments.dir;
    let FileName(name) = &arguments.name;
    let issuing = Credential::load(&directory.join(ISSUING_CERTIFICATE), &directory.join(ISSUING_KEY))
        .map_err(|source| IssueError::NoAuthority {
            directory: directory.clone(),
            source,
        })?;
    let (certificate, key) = file_names(name);
    for file in [certificate, key] {
        let path = directory.join(file);
        if path.exists() {
            return Err(IssueError::Taken { path });
        }
    }

    let client = builder(arguments).issued_by(&issuing)?;
    let mut files = FileSet::default();
    files.credential("client", name, &client, [&client, &issuing])?;
    files.write(directory)?;
    Ok(format!(
        "issued a client certificate in {}\n{}",
        directory.display(),
        files.listing()
    ))
}

/// Parses a validity of up to a hundred years.
fn days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| (1..=36500).contains(days));
    days.ok_or_else(|| {
        "it takes 1 to 36500 days from now; `alb-mtls pki init` makes `expired.pem`, a client that has expired".to_owned()
    })
}

fn builder(arguments: &IssueArguments) -> CertificateBuilder {
    let FileName(name) = &arguments.name;
    let subject = arguments
        .subject
        .clone()
        .unwrap_or_else(|| format!("CN={name},O=Example"));
    let mut builder = CertificateBuilder::client(&subject)
        .key_kind(arguments.key.into())
        .days(arguments.days);
    for name in &arguments.dns {
        builder = builder.dns(name);
    }
    for address in &arguments.email {
        builder = builder.email(address);
    }
    for &address in &arguments.ip {
        builder = builder.ip(address);
    }
    for uri in &arguments.uri {
        builder = builder.uri(uri);
    }
    builder
}
