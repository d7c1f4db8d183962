//! Extensions of a list as a whole (RFC 5280 §5.2).

use super::error::RevocationListErrorKind;
use super::extensions::{Extension, identifier, read_extensions};
use super::number::CrlNumber;
use super::points::freshest_uris;
use super::scope::Scope;
use crate::x509::der::{Elements, Malformed, Tag, single};
use crate::x509::extensions::authority_key_identifier;
use crate::x509::oid::dotted;

/// The extensions that say something about the list as a whole.
#[derive(Debug, Default)]
pub(super) struct ListExtensions {
    pub(super) authority_key_identifier: Option<Box<[u8]>>,
    pub(super) number: Option<CrlNumber>,
    pub(super) base_number: Option<CrlNumber>,
    pub(super) delta_locations: Vec<String>,
    pub(super) scope: Scope,
    /// First thing that is wrong with them.
    pub(super) defect: Option<RevocationListErrorKind>,
}

impl ListExtensions {
    pub(super) fn read(extensions: Elements<'_>, issuer: &[u8]) -> Self {
        let mut this = Self::default();
        let mut is_delta = false;
        let visited = read_extensions(extensions, |extension| {
            let read = match extension.oid {
                identifier::AUTHORITY_KEY_IDENTIFIER => authority_key_identifier(extension.value)
                    .map(|identifier| this.authority_key_identifier = identifier.map(Box::from)),
                identifier::CRL_NUMBER => number(&extension).map(|number| this.number = number),
                identifier::DELTA_CRL_INDICATOR => {
                    is_delta = true;
                    match number(&extension) {
                        Ok(Some(number)) => {
                            this.base_number = Some(number);
                            Ok(())
                        }
                        Ok(None) | Err(Malformed) => Err(Malformed),
                    }
                }
                // It is a help in finding delta CRLs, and not critical.
                identifier::FRESHEST_CRL => {
                    this.delta_locations = freshest_uris(extension.value, issuer).unwrap_or_default();
                    Ok(())
                }
                identifier::ISSUING_DISTRIBUTION_POINT => match Scope::parse(extension.value, issuer) {
                    Ok(scope) => {
                        this.scope = scope;
                        Ok(())
                    }
                    Err(Malformed) => {
                        // A list whose scope is not known may cover any certificate, so it keeps
                        // others from clearing it.
                        this.scope = Scope::unreadable();
                        Err(Malformed)
                    }
                },
                _ if extension.critical => {
                    let (oid, offset) = (dotted(extension.oid), extension.offset);
                    this.defect
                        .get_or_insert(RevocationListErrorKind::CriticalExtension { oid, offset });
                    Ok(())
                }
                _ => Ok(()),
            };
            if read == Err(Malformed) {
                this.defect.get_or_insert_with(|| extension.malformed());
            }
        });
        if let Err(problem) = visited {
            // The scope may be among those that were not visited.
            this.scope = Scope::unreadable();
            this.defect.get_or_insert(problem);
        }
        if is_delta {
            this.scope = this.scope.of_changes();
            if let Some(base) = this.base_number
                && this.number.is_none_or(|number| number < base)
            {
                this.defect
                    .get_or_insert(RevocationListErrorKind::DeltaNumber { base });
            }
        }
        this
    }
}

fn number(extension: &Extension<'_>) -> Result<Option<CrlNumber>, Malformed> {
    CrlNumber::from_integer(single(extension.value, Tag::INTEGER)?)
}
