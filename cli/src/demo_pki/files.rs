use std::path::{Path, PathBuf};
use std::str::FromStr;

use test_pki::{Certificate, Credential, Crl, chain_pem, write_private, write_public};
use time::{Duration, OffsetDateTime};

/// File of the issuing CA, which `pki issue` uses again.
pub(super) const ISSUING_CERTIFICATE: &str = "issuing-ca.pem";
pub(super) const ISSUING_KEY: &str = "issuing-ca.key";
/// CRL of the issuing CA, which `pki revoke` replaces.
pub(super) const ISSUING_CRL: &str = "issuing-ca.crl.pem";

/// Returns the number of a CRL that is made now: later ones have larger numbers, without a file to
/// count them in.
pub(super) fn crl_number(now: OffsetDateTime) -> u64 {
    u64::try_from(now.unix_timestamp_nanos() / 1_000).unwrap_or_default()
}

/// Makes the demo's CRLs as long-lived as its certificates: the demo has no daily refresh.
pub(super) fn crl_next_update(now: OffsetDateTime) -> OffsetDateTime {
    now + Duration::days(3650)
}

/// A name that stays in its directory and needs no escaping, in a shell or in a distinguished name.
#[derive(Clone, Debug)]
pub(super) struct FileName(pub(super) String);

impl FromStr for FileName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        if text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a name begins with a letter or a digit and holds only those, `.`, `_` and `-`")
        }
    }
}

/// Files to be written, each with what it holds, and how to speak of them.
#[derive(Debug, Default)]
pub(super) struct FileSet {
    files: Vec<File>,
    rows: Vec<(String, String)>,
}

#[derive(Debug)]
struct File {
    name: String,
    content: String,
    secrecy: Secrecy,
}

#[derive(Clone, Copy, Debug)]
enum Secrecy {
    Public,
    Private,
}

impl FileSet {
    /// Certificates for `NAME.pem`.
    pub(super) fn certificates<T: AsRef<Certificate>>(
        &mut self,
        what: &str,
        name: &str,
        chain: impl IntoIterator<Item = T>,
    ) {
        self.files.push(File {
            name: name.to_owned(),
            content: chain_pem(chain),
            secrecy: Secrecy::Public,
        });
        self.rows.push((what.to_owned(), name.to_owned()));
    }

    /// A CRL.
    pub(super) fn crl(&mut self, what: &str, name: &str, crl: &Crl) {
        self.files.push(File {
            name: name.to_owned(),
            content: crl.pem(),
            secrecy: Secrecy::Public,
        });
        self.rows.push((what.to_owned(), name.to_owned()));
    }

    /// A chain for `NAME.pem` and the private key of its first certificate for `NAME.key`.
    pub(super) fn credential<T: AsRef<Certificate>>(
        &mut self,
        what: &str,
        name: &str,
        owner: &Credential,
        chain: impl IntoIterator<Item = T>,
    ) -> Result<(), test_pki::Error> {
        let (certificate, key) = file_names(name);
        let content = owner.key().to_pem()?;
        self.rows.push((what.to_owned(), format!("{certificate}, {key}")));
        self.files.push(File {
            name: certificate,
            content: chain_pem(chain),
            secrecy: Secrecy::Public,
        });
        self.files.push(File {
            name: key,
            content,
            secrecy: Secrecy::Private,
        });
        Ok(())
    }

    pub(super) fn write(&self, directory: &Path) -> Result<(), test_pki::Error> {
        for file in &self.files {
            let path = directory.join(&file.name);
            match file.secrecy {
                Secrecy::Public => write_public(&path, &file.content)?,
                Secrecy::Private => write_private(&path, &file.content)?,
            }
        }
        Ok(())
    }

    /// Returns one line for each file: its description and its path.
    pub(super) fn listing(&self) -> String {
        let width = self
            .rows
            .iter()
            .map(|(what, _)| what.chars().count())
            .max()
            .unwrap_or_default();
        self.rows
            .iter()
            .map(|(what, files)| format!("  {what:width$}  {files}\n"))
            .collect()
    }
}

/// Returns the names of a credential's certificate file and key file.
pub(super) fn file_names(name: &str) -> (String, String) {
    (format!("{name}.pem"), format!("{name}.key"))
}

/// Creates the directory, also its parents.
pub(super) fn create(directory: &Path) -> Result<(), test_pki::Error> {
    std::fs::create_dir_all(directory).map_err(|error| test_pki::Error::File {
        action: "create the directory",
        path: PathBuf::from(directory),
        reason: error.to_string(),
    })
}
