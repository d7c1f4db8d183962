//! CRLs whose fields are encodings that may be wrong.

use test_pki::Error;

use crate::der::{self, sequence, tlv};
use crate::keys::{KeyName, Signer};
use crate::seal::Seal;
use crate::values::{self, AUTHORITY_KEY_IDENTIFIER, CRL_NUMBER, Extension, NOW};

const DAY: i64 = 86_400;

/// Entry of a CRL; the serial number is the content of the INTEGER.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) serial: Vec<u8>,
    pub(crate) date: Vec<u8>,
    pub(crate) extensions: Vec<Extension>,
}

impl Entry {
    pub(crate) fn new(serial: &[u8]) -> Self {
        Self {
            serial: serial.to_vec(),
            date: values::utc_time(NOW - 30 * DAY),
            extensions: Vec::new(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let extensions: Vec<u8> = self.extensions.iter().flat_map(Extension::encode).collect();
        let extensions = if extensions.is_empty() {
            Vec::new()
        } else {
            tlv(der::SEQUENCE, extensions)
        };
        sequence([&tlv(der::INTEGER, &self.serial), &self.date, &extensions])
    }
}

/// CRL; each field is a whole encoding.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) version: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) this_update: Vec<u8>,
    pub(crate) next_update: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
    /// An empty list of entries is written too.
    pub(crate) has_empty_entries: bool,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) seal: Seal,
}

impl List {
    /// Returns a CRL that revokes one certificate that is not in the chain.
    pub(crate) fn new(issuer: &[u8], key: KeyName) -> Self {
        Self {
            version: der::integer(1),
            issuer: issuer.to_vec(),
            this_update: values::utc_time(NOW - DAY),
            next_update: values::utc_time(NOW + DAY),
            entries: vec![Entry::new(&[0x55, 0x55])],
            has_empty_entries: false,
            extensions: vec![
                Extension::new(
                    &AUTHORITY_KEY_IDENTIFIER,
                    false,
                    sequence([&tlv(0x80, key.identifier())]),
                ),
                Extension::new(&CRL_NUMBER, false, der::integer(7)),
            ],
            seal: Seal::new(key),
        }
    }

    /// Sets an extension, in place of the one that there is.
    pub(crate) fn set(&mut self, identifier: &[u8], is_critical: bool, value: Vec<u8>) {
        self.extensions.retain(|extension| !extension.is(identifier));
        self.extensions
            .push(Extension::new(identifier, is_critical, value));
    }

    pub(crate) fn encode(&self, signer: &mut Signer) -> Result<Vec<u8>, Error> {
        let entries: Vec<u8> = self.entries.iter().flat_map(Entry::encode).collect();
        let entries = if entries.is_empty() && !self.has_empty_entries {
            Vec::new()
        } else {
            tlv(der::SEQUENCE, entries)
        };
        let extensions: Vec<u8> = self.extensions.iter().flat_map(Extension::encode).collect();
        let extensions = if extensions.is_empty() {
            Vec::new()
        } else {
            tlv(0xA0, tlv(der::SEQUENCE, extensions))
        };
        self.seal.close(signer, |algorithm| {
            sequence([
                &self.version,
                algorithm,
                &self.issuer,
                &self.this_update,
                &self.next_update,
                &entries,
                &extensions,
            ])
        })
    }
}
