//! Extensions of lists and of their entries.

use std::ops::Range;

use der::asn1::ObjectIdentifier;

use super::cursor::{BOOLEAN, Cursor, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};
use super::list::UnsupportedList;
use crate::der_reader::{Malformed, boolean};

/// Contents of the OBJECT IDENTIFIERs (RFC 5280 §5.2 and §5.3).
pub(super) mod identifier {
    pub(in super::super) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1D, 0x23];
    pub(in super::super) const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1D, 0x1D];
    pub(in super::super) const CRL_NUMBER: &[u8] = &[0x55, 0x1D, 0x14];
    pub(in super::super) const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1D, 0x1B];
    pub(in super::super) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1D, 0x1C];
    pub(in super::super) const REASON_CODE: &[u8] = &[0x55, 0x1D, 0x15];
}

/// More extensions than any real list or entry has; the cap keeps the search for repeats cheap.
const MAX_EXTENSIONS: usize = 32;

#[derive(Clone, Copy, Debug)]
pub(super) struct Extension<'a> {
    /// The content of the OBJECT IDENTIFIER.
    pub(super) oid: &'a [u8],
    pub(super) critical: bool,
    /// The content of the OCTET STRING.
    pub(super) value: &'a [u8],
}

/// Why extensions cannot be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExtensionError {
    Malformed,
    Repeated,
    /// Critical and not understood.
    Critical(String),
    /// The same of an entry.
    CriticalOfEntry(String),
    /// The extension makes it a list of a kind that is not processed.
    Unsupported(UnsupportedList),
}

impl ExtensionError {
    pub(super) fn critical(oid: &[u8]) -> Self {
        Self::Critical(display(oid))
    }

    pub(super) fn critical_of_entry(oid: &[u8]) -> Self {
        Self::CriticalOfEntry(display(oid))
    }
}

impl From<Malformed> for ExtensionError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Hands every extension to `read` in order; refuses none at all, repeated ones, and those with anything besides.
pub(super) fn read_extensions<'a>(
    cursor: &Cursor<'a>,
    content: Range<usize>,
    mut read: impl FnMut(Extension<'a>) -> Result<(), ExtensionError>,
) -> Result<(), ExtensionError> {
    let mut extensions = cursor.within(content);
    if extensions.at_end() {
        return Err(ExtensionError::Malformed);
    }
    let mut seen: [&[u8]; MAX_EXTENSIONS] = [&[]; MAX_EXTENSIONS];
    let mut count = 0;
    while !extensions.at_end() {
        let mut fields = extensions.enter(SEQUENCE)?;
        let oid = fields.content(OBJECT_IDENTIFIER)?;
        let critical = match fields.optional(BOOLEAN)? {
            None => false,
            Some(place) => boolean(fields.slice(place.content))?,
        };
        let value = fields.content(OCTET_STRING)?;
        fields.finish()?;
        if oid.is_empty() {
            return Err(ExtensionError::Malformed);
        }
        if seen.iter().take(count).any(|other| *other == oid) {
            return Err(ExtensionError::Repeated);
        }
        *seen.get_mut(count).ok_or(Malformed)? = oid;
        count += 1;
        read(Extension { oid, critical, value })?;
    }
    Ok(())
}

fn display(oid: &[u8]) -> String {
    ObjectIdentifier::from_bytes(oid).map_or_else(
        |_| "an identifier that cannot be read".to_owned(),
        |oid| oid.to_string(),
    )
}
