//! Extensions of lists and of their entries.

use super::error::RevocationListErrorKind;
use crate::x509::der::{Elements, Malformed, Tag, boolean};
use crate::x509::oid::{Oid, dotted};

/// Contents of the OBJECT IDENTIFIERs (RFC 5280 §5.2 and §5.3).
pub(super) mod identifier {
    pub(in super::super) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1D, 0x23];
    pub(in super::super) const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1D, 0x1D];
    pub(in super::super) const CRL_NUMBER: &[u8] = &[0x55, 0x1D, 0x14];
    pub(in super::super) const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1D, 0x1B];
    pub(in super::super) const FRESHEST_CRL: &[u8] = &[0x55, 0x1D, 0x2E];
    pub(in super::super) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1D, 0x1C];
    pub(in super::super) const REASON_CODE: &[u8] = &[0x55, 0x1D, 0x15];
}

/// Limit of extensions in one list or entry. Real lists have fewer than 10, real entries fewer than
/// 4; the search for repeats takes time that grows with the square of their number.
const MAX_EXTENSIONS: usize = 32;

#[derive(Clone, Copy, Debug)]
pub(super) struct Extension<'a> {
    /// Content of the OBJECT IDENTIFIER.
    pub(super) oid: &'a [u8],
    pub(super) critical: bool,
    /// Content of the OCTET STRING.
    pub(super) value: &'a [u8],
    /// Position of the extension, in octets from the start of the list.
    pub(super) offset: usize,
}

impl Extension<'_> {
    /// Returns the error for an extension that is processed and whose value cannot be read.
    pub(super) fn malformed(&self) -> RevocationListErrorKind {
        RevocationListErrorKind::MalformedExtension {
            oid: dotted(self.oid),
            offset: self.offset,
        }
    }
}

/// Passes every extension to `visit` in order. No extensions at all are fine, as OpenSSL has it,
/// although RFC 5280 wants at least one where there is a list of them.
///
/// # Errors
/// The first extension whose form is wrong, or that occurs again; those after it are not visited.
pub(super) fn read_extensions<'a>(
    mut extensions: Elements<'a>,
    mut visit: impl FnMut(Extension<'a>),
) -> Result<(), RevocationListErrorKind> {
    let mut seen: [&[u8]; MAX_EXTENSIONS] = [&[]; MAX_EXTENSIONS];
    let mut count = 0;
    while !extensions.at_end() {
        let offset = extensions.position();
        let extension = read_extension(&mut extensions, offset);
        let extension = extension.map_err(|Malformed| RevocationListErrorKind::Malformed {
            field: "an extension",
            offset,
        })?;
        if seen.iter().take(count).any(|other| *other == extension.oid) {
            let oid = dotted(extension.oid);
            return Err(RevocationListErrorKind::RepeatedExtension { oid, offset });
        }
        let Some(place) = seen.get_mut(count) else {
            return Err(RevocationListErrorKind::TooManyExtensions { max: MAX_EXTENSIONS });
        };
        *place = extension.oid;
        count += 1;
        visit(extension);
    }
    Ok(())
}

fn read_extension<'a>(extensions: &mut Elements<'a>, offset: usize) -> Result<Extension<'a>, Malformed> {
    let mut fields = extensions.enter(Tag::SEQUENCE)?;
    let oid = Oid::parse(fields.content(Tag::OBJECT_IDENTIFIER)?)?.as_bytes();
    let critical = match fields.optional(Tag::BOOLEAN)? {
        None => false,
        Some(value) => boolean(value.content)?,
    };
    let value = fields.content(Tag::OCTET_STRING)?;
    fields.finish()?;
    Ok(Extension {
        oid,
        critical,
        value,
        offset,
    })
}
