//! Certificates whose fields are encodings that may be wrong.

use test_pki::Error;

use crate::der::{self, sequence, tlv};
use crate::keys::{KeyName, Keys, Signer};
use crate::seal::Seal;
use crate::values::{
    self, AUTHORITY_KEY_IDENTIFIER, BASIC_CONSTRAINTS, CLIENT_AUTHENTICATION, EXTENDED_KEY_USAGE, Extension,
    KEY_USAGE, NOW, SUBJECT_ALTERNATIVE_NAME, SUBJECT_KEY_IDENTIFIER,
};

const YEAR: i64 = 365 * 86_400;

/// Certificate; each field is a whole encoding, except the serial number, which is the content.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) version: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) not_before: Vec<u8>,
    pub(crate) not_after: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) key: KeyName,
    /// SubjectPublicKeyInfo in place of the key's.
    pub(crate) key_info: Option<Vec<u8>>,
    pub(crate) unique_identifiers: Vec<u8>,
    pub(crate) extensions: Vec<Extension>,
    /// An empty list of extensions is written too.
    pub(crate) has_empty_extensions: bool,
    pub(crate) seal: Seal,
}

impl Certificate {
    /// Returns a CA certificate. An issuer of `None` is the subject itself.
    pub(crate) fn authority(
        common_name: &str,
        key: KeyName,
        issuer: Option<(&str, KeyName)>,
        serial: u8,
    ) -> Self {
        let mut certificate = Self::bare(common_name, key, issuer, serial);
        certificate.extensions.extend([
            Extension::new(&BASIC_CONSTRAINTS, true, sequence([&tlv(der::BOOLEAN, [0xFF])])),
            // keyCertSign and cRLSign.
            Extension::new(&KEY_USAGE, true, tlv(der::BIT_STRING, [1, 0x06])),
        ]);
        certificate
    }

    /// Returns a client's certificate.
    pub(crate) fn client(issuer: (&str, KeyName)) -> Self {
        let mut certificate = Self::bare("client", KeyName::Client, Some(issuer), 0x11);
        certificate.extensions.extend([
            // digitalSignature.
            Extension::new(&KEY_USAGE, true, tlv(der::BIT_STRING, [7, 0x80])),
            Extension::new(
                &EXTENDED_KEY_USAGE,
                false,
                sequence([&der::oid(&CLIENT_AUTHENTICATION)]),
            ),
            Extension::new(
                &SUBJECT_ALTERNATIVE_NAME,
                false,
                sequence([&tlv(0x82, "client.example.org")]),
            ),
        ]);
        certificate
    }

    fn bare(common_name: &str, key: KeyName, issuer: Option<(&str, KeyName)>, serial: u8) -> Self {
        let (issuer, signer) = issuer.unwrap_or((common_name, key));
        Self {
            version: tlv(0xA0, der::integer(2)),
            serial: vec![0x40, serial],
            issuer: values::usual_name(issuer),
            not_before: values::utc_time(NOW - YEAR),
            not_after: values::utc_time(NOW + YEAR),
            subject: values::usual_name(common_name),
            key,
            key_info: None,
            unique_identifiers: Vec::new(),
            extensions: vec![
                Extension::new(
                    &SUBJECT_KEY_IDENTIFIER,
                    false,
                    tlv(der::OCTET_STRING, key.identifier()),
                ),
                Extension::new(
                    &AUTHORITY_KEY_IDENTIFIER,
                    false,
                    sequence([&tlv(0x80, signer.identifier())]),
                ),
            ],
            has_empty_extensions: false,
            seal: Seal::new(signer),
        }
    }

    /// Sets an extension, in place of the one that there is.
    pub(crate) fn set(&mut self, identifier: &[u8], is_critical: bool, value: Vec<u8>) {
        self.remove(identifier);
        self.extensions
            .push(Extension::new(identifier, is_critical, value));
    }

    pub(crate) fn remove(&mut self, identifier: &[u8]) {
        self.extensions.retain(|extension| !extension.is(identifier));
    }

    pub(crate) fn encode(&self, signer: &mut Signer) -> Result<Vec<u8>, Error> {
        let keys: &Keys = &signer.keys().clone();
        let extensions: Vec<u8> = self.extensions.iter().flat_map(Extension::encode).collect();
        let extensions = if extensions.is_empty() && !self.has_empty_extensions {
            Vec::new()
        } else {
            tlv(0xA3, tlv(der::SEQUENCE, extensions))
        };
        let key_info = self.key_info.clone().unwrap_or_else(|| keys.info(self.key));
        self.seal.close(signer, |algorithm| {
            sequence([
                &self.version,
                &tlv(der::INTEGER, &self.serial),
                algorithm,
                &self.issuer,
                &sequence([&self.not_before, &self.not_after]),
                &self.subject,
                &key_info,
                &self.unique_identifiers,
                &extensions,
            ])
        })
    }
}
