//! Deny lists: text, and the entries that a client is looked up in.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alb_mtls_verifier::{CertificateNames, Fingerprint, VerifiedClient, read_text};

use super::denied_name::{DeniedName, as_spiffe_id};
use super::entry::{DenyEntry, InvalidDenyEntry};
use crate::document::Revision;

/// Most bytes of a list: about 2,000 entries. More belongs into a CRL, and a list of this size is
/// read and searched without a request noticing.
pub const MAX_DENY_LIST_BYTES: usize = 256 * 1_024;

/// Line of a list that denies no client. A list without it and without entries is an error: a file
/// that was cut off or replaced by mistake must not let denied clients in.
pub const NO_ENTRIES: &str = "none";

/// Entries of a list, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DenyList {
    entries: Vec<DenyEntry>,
}

/// The text is not a deny list. No entry of it is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDenyList {
    /// The content is not text.
    #[error("{0}")]
    NotText(String),
    /// A line is not an entry.
    #[error("line {line} {error}")]
    Entry {
        /// Number of the line, from 1.
        line: usize,
        /// Fault of the line.
        error: InvalidDenyEntry,
    },
    /// There is neither an entry nor the line that says so.
    #[error("has no entry; a list that denies no client has the line `{NO_ENTRIES}`")]
    Empty,
    /// There are entries beside the line that says that there is none.
    #[error("line {line} is `{NO_ENTRIES}` although there are entries: remove it")]
    Contradiction {
        /// Number of the line, from 1.
        line: usize,
    },
}

impl DenyList {
    /// Creates a list of these entries.
    pub fn new(entries: impl IntoIterator<Item = DenyEntry>) -> Self {
        Self {
            entries: entries.into_iter().collect(),
        }
    }

    /// Reads a list: one entry a line, empty lines, and comments that begin with `#`. A byte order
    /// mark and the line ends of Windows do not matter.
    ///
    /// # Errors
    /// [`InvalidDenyList`] for the first line that cannot be read; no line is passed over.
    pub fn parse(content: Vec<u8>) -> Result<Self, InvalidDenyList> {
        let text = read_text(content).map_err(InvalidDenyList::NotText)?;
        let mut entries = Vec::new();
        let mut without_entries = None;
        for (line, number) in text.lines().zip(1..) {
            match line.trim_matches([' ', '\t']) {
                "" => {}
                comment if comment.starts_with('#') => {}
                NO_ENTRIES => without_entries = Some(number),
                entry => entries.push(
                    entry
                        .parse::<DenyEntry>()
                        .map_err(|error| InvalidDenyList::Entry { line: number, error })?,
                ),
            }
        }
        match (without_entries, entries.is_empty()) {
            (None, true) => Err(InvalidDenyList::Empty),
            (Some(line), false) => Err(InvalidDenyList::Contradiction { line }),
            _ => Ok(Self { entries }),
        }
    }

    /// Returns the entries.
    pub fn entries(&self) -> &[DenyEntry] {
        &self.entries
    }
}

/// Lists that were read from sources, as one.
#[derive(Debug, Default)]
pub struct LoadedDenyList {
    /// Number that no other list of the process has, from 1.
    number: u64,
    entries: Vec<DenyEntry>,
    certificates: HashMap<Fingerprint, usize>,
    keys: HashMap<Fingerprint, usize>,
    /// By serial number; the issuers are compared one by one.
    serial_numbers: HashMap<String, Vec<usize>>,
    spiffe_ids: HashMap<String, usize>,
    documents: Vec<DeniedDocument>,
}

/// List in one file, parameter or object.
#[derive(Clone, Debug)]
pub(crate) struct DeniedDocument {
    pub(crate) revision: Revision,
    pub(crate) list: Arc<DenyList>,
}

/// Entry that denies a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeniedBy {
    /// An entry names a certificate of the verified path.
    Entry {
        /// The entry.
        entry: DenyEntry,
        /// Position of the certificate in the path, 0 for the client's own.
        position: usize,
    },
    /// A certificate of the path cannot be read, so that it could be any.
    UnreadablePath,
}

impl fmt::Display for DeniedBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnreadablePath => {
                formatter.write_str("a certificate of the path cannot be compared with the deny list")
            }
            Self::Entry { entry, position: 0 } => {
                write!(formatter, "the deny list names the client: {entry}")
            }
            Self::Entry { entry, position } => write!(
                formatter,
                "the deny list names a CA above the client, certificate {position} of the path: {entry}"
            ),
        }
    }
}

impl From<DenyList> for LoadedDenyList {
    /// Makes a list that was read from no source, to look certificates up in.
    fn from(list: DenyList) -> Self {
        let mut loaded = Self::empty();
        for entry in list.entries {
            loaded.add(entry);
        }
        loaded
    }
}

impl LoadedDenyList {
    pub(crate) fn new(documents: Vec<DeniedDocument>) -> Self {
        let mut loaded = Self::empty();
        for entry in documents.iter().flat_map(|document| document.list.entries()) {
            loaded.add(entry.clone());
        }
        loaded.documents = documents;
        loaded
    }

    fn empty() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            ..Self::default()
        }
    }

    fn add(&mut self, entry: DenyEntry) {
        let index = self.entries.len();
        match &entry.name {
            DeniedName::Certificate(fingerprint) => _ = self.certificates.insert(*fingerprint, index),
            DeniedName::Key(fingerprint) => _ = self.keys.insert(*fingerprint, index),
            DeniedName::Serial { serial_number, .. } => {
                let same = self.serial_numbers.entry(serial_number.clone()).or_default();
                same.push(index);
            }
            DeniedName::SpiffeId(id) => _ = self.spiffe_ids.insert(id.clone(), index),
        }
        self.entries.push(entry);
    }

    /// Returns the entry that denies a client; `None` when the client is not denied. Every
    /// certificate of the verified path is looked up, the trust anchor included.
    pub fn find(&self, client: &VerifiedClient) -> Option<DeniedBy> {
        if self.entries.is_empty() || client.is_cleared_by(self.number) {
            return None;
        }
        let Some(path) = client.path_names() else {
            return Some(DeniedBy::UnreadablePath);
        };
        let found = path.iter().enumerate().find_map(|(position, certificate)| {
            let entry = self.find_certificate(certificate)?.clone();
            Some(DeniedBy::Entry { entry, position })
        });
        if found.is_none() {
            client.set_cleared_by(self.number);
        }
        found
    }

    /// Returns the entry that names a certificate.
    pub fn find_certificate(&self, certificate: &CertificateNames) -> Option<&DenyEntry> {
        let by_certificate = || {
            let mut fingerprints = certificate.fingerprints().iter();
            fingerprints.find_map(|fingerprint| self.certificates.get(fingerprint))
        };
        let by_serial = || {
            let serial_numbers = certificate.serial_numbers().iter();
            let mut candidates = serial_numbers
                .filter_map(|number| self.serial_numbers.get(number))
                .flatten();
            candidates.find(|index| self.names(**index, certificate))
        };
        let by_id = || {
            let mut uris = certificate.uris().iter();
            uris.find_map(|uri| self.spiffe_ids.get(&as_spiffe_id(uri)))
        };
        let index = self
            .keys
            .get(&certificate.public_key_fingerprint())
            .or_else(by_certificate)
            .or_else(by_serial)
            .or_else(by_id)?;
        self.entries.get(*index)
    }

    fn names(&self, index: usize, certificate: &CertificateNames) -> bool {
        let entry = self.entries.get(index);
        entry.is_some_and(|entry| entry.name.is_of(certificate))
    }

    /// Returns the entries.
    pub fn entries(&self) -> &[DenyEntry] {
        &self.entries
    }

    pub(crate) fn documents(&self) -> &[DeniedDocument] {
        &self.documents
    }

    /// Returns the list in a document whose content is known.
    pub(crate) fn list_of(&self, revision: &Revision) -> Option<Arc<DenyList>> {
        let known = self.documents.iter().find(|document| {
            let known = &document.revision;
            known.origin == revision.origin
                && known.target == revision.target
                && known.sha256 == revision.sha256
        });
        known.map(|document| Arc::clone(&document.list))
    }
}

#[cfg(test)]
mod tests {
    use alb_mtls_verifier::CertificateDer;
    use test_pki::{Certificate, CertificateBuilder, Credential};

    use super::*;

    const ENTRY: &str = "key 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn parse(text: &str) -> Result<usize, String> {
        let list = DenyList::parse(text.as_bytes().to_vec());
        list.map(|list| list.entries().len())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn comments_and_line_ends_and_repeated_entries_are_read() {
        assert_eq!(parse(ENTRY), Ok(1));
        assert_eq!(parse(&format!("# why\n\n  {ENTRY}\n{ENTRY}\n\t# end")), Ok(2));
        assert_eq!(
            parse(&format!("\u{feff}# Windows\r\n{ENTRY} because lost\r\n")),
            Ok(1)
        );
        assert_eq!(parse("# nobody\nnone\n"), Ok(0));
    }

    #[test]
    fn list_that_cannot_be_read_whole_is_an_error() {
        for (text, words) in [
            ("", "has no entry"),
            (" \n\t\n", "has no entry"),
            ("# key 00\n", "has no entry"),
            (&format!("{ENTRY}\nnone\n"), "line 2 is `none` although"),
            (&format!("{ENTRY}\n{ENTRY}x"), "line 2 "),
            (
                &format!("{ENTRY}\rkey"),
                "line 1 has the control character U+000D",
            ),
            (&format!("{ENTRY}\n<html>"), "line 2 begins with `<html>`"),
            ("NONE", "line 1 begins with `NONE`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        let utf16: Vec<u8> = ENTRY.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for content in [utf16, vec![0xFF, 0xFE], b"key \xC3".to_vec()] {
            assert!(DenyList::parse(content).is_err());
        }
    }

    struct Pki {
        root: Credential,
        client: Credential,
    }

    fn pki() -> Pki {
        let root = CertificateBuilder::root("CN=Example Root,O=Example")
            .self_signed()
            .unwrap();
        let client = CertificateBuilder::client("CN=client")
            .serial_bytes(&[0x0A, 0x1B])
            .uri("spiffe://example.org/client")
            .issued_by(&root)
            .unwrap();
        Pki { root, client }
    }

    fn names(certificate: &Certificate) -> CertificateNames {
        CertificateNames::read(&CertificateDer::from(certificate.der().to_vec())).unwrap()
    }

    fn finds(line: &str, certificate: &Certificate) -> bool {
        let list = DenyList::parse(line.as_bytes().to_vec()).unwrap();
        let loaded = LoadedDenyList::from(list);
        loaded.find_certificate(&names(certificate)).is_some()
    }

    #[test]
    fn each_kind_of_entry_finds_its_certificate_and_no_other() {
        let Pki { root, client } = pki();
        let own = names(client.certificate());
        let other = CertificateBuilder::client("CN=client")
            .serial_bytes(&[0x0A, 0x1C])
            .uri("spiffe://example.org/Client")
            .issued_by(&root)
            .unwrap();
        for line in [
            format!("certificate {}", own.fingerprints()[0]),
            format!("key {}", own.public_key_fingerprint()),
            "serial 0a:1b issuer \"CN=Example Root,O=Example\"".to_owned(),
            "spiffe spiffe://example.org/client".to_owned(),
        ] {
            assert!(finds(&line, client.certificate()), "{line}");
            assert!(!finds(&line, other.certificate()), "{line}");
        }
    }

    #[test]
    fn serial_number_is_one_of_its_issuer_however_that_is_written() {
        let Pki { client, .. } = pki();
        for (issuer, expected) in [
            ("CN=Example Root,O=Example", true),
            ("cn = example  root , o = EXAMPLE", true),
            ("O=Example,CN=Example Root", true),
            ("2.5.4.3=#130c4578616d706c6520526f6f74,O=Example", true),
            ("CN=Example Root", false),
            ("CN=Example Root,O=Another", false),
            ("CN=Example Root,O=Example,C=DE", false),
        ] {
            let line = format!("serial A1B issuer \"{issuer}\"");
            assert_eq!(finds(&line, client.certificate()), expected, "{issuer}");
        }
    }

    #[test]
    fn spiffe_id_is_found_among_other_names_and_in_other_case_of_its_trust_domain() {
        let Pki { root, .. } = pki();
        let client = CertificateBuilder::client("CN=client")
            .uri("https://example.org/")
            .uri("SPIFFE://Example.ORG/client")
            .issued_by(&root)
            .unwrap();
        assert!(finds("spiffe spiffe://example.org/client", client.certificate()));
        assert!(!finds("spiffe spiffe://example.org/clienT", client.certificate()));
        assert!(!finds(
            "spiffe spiffe://example.org/client/a",
            client.certificate()
        ));
    }
}
