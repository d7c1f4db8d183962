//! webpki as the path builder of ordinary chains. What it accepts the rules judge as well; what it refuses, our own
//! search looks at again.

use std::cell::RefCell;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, Der, SignatureVerificationAlgorithm, TrustAnchor as WebpkiAnchor};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, VerifiedPath};

use crate::anchors::{TrustAnchor, TrustAnchors};
use crate::certificate::{Certificate, oid};
use crate::path_search::{FoundPath, Judge, likeliest_first};
use crate::rules::{Context, NameConstraints, Path};

/// Whether there is at most one path by name: no two intermediates bear the same name. webpki's own budgets let other
/// chains cost it a tenth of a second.
pub(crate) fn is_ordinary(intermediates: &[Certificate<'_>]) -> bool {
    let mut rest = intermediates.iter();
    while let Some(certificate) = rest.next() {
        if rest.clone().any(|other| other.subject == certificate.subject) {
            return false;
        }
    }
    true
}

/// The path that webpki verified and `judge` accepted; `None` says nothing about why.
pub(crate) fn build<'s, 'a>(
    anchors: &'s TrustAnchors,
    end_entity: &'s Certificate<'a>,
    intermediates: &'s [Certificate<'a>],
    context: &Context,
    judge: Judge<'_>,
) -> Option<FoundPath<'s, 'a>> {
    let mut candidates: Vec<&'s Arc<TrustAnchor>> = Vec::new();
    let mut seen: Vec<&[u8]> = Vec::new();
    for certificate in std::iter::once(end_entity).chain(intermediates) {
        if !seen.contains(&certificate.issuer) {
            seen.push(certificate.issuer);
            candidates.extend(likeliest_first(
                anchors.with_subject(certificate.issuer),
                certificate,
                context.now,
            ));
        }
    }
    if name_constraint_work(end_entity, intermediates, &candidates)? > MAX_NAME_CONSTRAINT_WORK {
        return None;
    }
    let webpki_anchors: Vec<WebpkiAnchor<'_>> = candidates
        .iter()
        .map(|anchor| borrowed(anchor.webpki()))
        .collect();
    let webpki_intermediates: Vec<CertificateDer<'_>> = intermediates
        .iter()
        .map(|certificate| CertificateDer::from(certificate.der))
        .collect();
    let end_entity_der = CertificateDer::from(end_entity.der);
    let webpki_end_entity = EndEntityCert::try_from(&end_entity_der).ok()?;

    let found: RefCell<Option<FoundPath<'s, 'a>>> = RefCell::new(None);
    let check = |path: &VerifiedPath<'_>| {
        let certificates = path.intermediate_certificates().map(|certificate| {
            let der = certificate.der();
            intermediates.iter().find(|known| known.der == der.as_ref())
        });
        let certificates: Option<Vec<&'s Certificate<'a>>> = certificates.collect();
        let certificates = certificates.ok_or(webpki::Error::UnknownIssuer)?;
        // Several anchors may share name and key (a renewed root): the path is good if it is good under one of them.
        let accepted = candidates.iter().find(|anchor| {
            anchor.webpki() == path.anchor()
                && judge(&Path {
                    end_entity,
                    intermediates: &certificates,
                    anchor,
                })
                .is_ok()
        });
        let anchor = accepted.ok_or(webpki::Error::UnknownIssuer)?;
        *found.borrow_mut() = Some(FoundPath {
            intermediates: certificates,
            anchor,
        });
        Ok(())
    };
    let algorithms = context.signatures.algorithms();
    let algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
        algorithms.iter().map(|algorithm| algorithm as _).collect();
    let verified = webpki_end_entity.verify_for_usage(
        &algorithms,
        &webpki_anchors,
        &webpki_intermediates,
        context.now.to_webpki(),
        ClientPurpose,
        None,
        Some(&check),
    );
    match verified {
        Ok(_) => found.into_inner(),
        Err(_) => None,
    }
}

/// Octets of names that webpki compares with subtrees at most: its own budget lets a chain cost ten milliseconds.
const MAX_NAME_CONSTRAINT_WORK: usize = 1 << 16;

/// Octets of names times subtrees, whatever their kinds; `None` when constraints cannot be read.
fn name_constraint_work<'a>(
    end_entity: &Certificate<'a>,
    intermediates: &[Certificate<'a>],
    anchors: &[&Arc<TrustAnchor>],
) -> Option<usize> {
    let mut subtrees = 0_usize;
    for anchor in anchors {
        if let Some(value) = anchor.name_constraints() {
            subtrees += NameConstraints::parse(value).ok()?.len();
        }
    }
    for intermediate in intermediates {
        subtrees += intermediate
            .name_constraints()
            .ok()?
            .map_or(0, NameConstraints::len);
    }
    let octets = std::iter::once(end_entity)
        .chain(intermediates)
        .filter_map(|certificate| certificate.extensions.find(oid::SUBJECT_ALTERNATIVE_NAME))
        .map(|extension| extension.value.len())
        .sum::<usize>();
    Some(subtrees.saturating_mul(octets))
}

/// The same anchor without copying its parts, as a clone would.
fn borrowed<'s>(anchor: &'s WebpkiAnchor<'static>) -> WebpkiAnchor<'s> {
    WebpkiAnchor {
        subject: Der::from_slice(&anchor.subject),
        subject_public_key_info: Der::from_slice(&anchor.subject_public_key_info),
        name_constraints: anchor.name_constraints.as_deref().map(Der::from_slice),
    }
}

/// Extended key usage as webpki asks it of every certificate of a path: what is there must allow clients.
struct ClientPurpose;

impl ExtendedKeyUsageValidator for ClientPurpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        const CLIENT_AUTHENTICATION: KeyPurposeId<'static> =
            KeyPurposeId::new(oid::CLIENT_AUTHENTICATION.as_bytes());
        const ANY: KeyPurposeId<'static> = KeyPurposeId::new(oid::ANY_EXTENDED_KEY_USAGE.as_bytes());
        let mut listed = false;
        for purpose in purposes {
            let purpose = purpose?;
            if purpose == CLIENT_AUTHENTICATION || purpose == ANY {
                return Ok(());
            }
            listed = true;
        }
        // Whether the end-entity certificate must have the extension is asked of it alone, by the rules.
        if listed {
            Err(webpki::Error::EmptyEkuExtension)
        } else {
            Ok(())
        }
    }
}
