//! Result of strict revocation for the certificates of a CA, computed by the code that decides
//! about clients.

use super::evidence::CertificateStatus;
use super::issuers::CrlIssuer;
use super::lists::{ListOfIssuer, RevocationLists};
use super::options::{RevocationDepth, RevocationMode, RevocationOptions};
use super::scope::Scope;
use crate::anchors::TrustAnchor;
use crate::fingerprint::Fingerprint;
use crate::hypothetical::{authority, certificate_below, extension};
use crate::rejection::{Reason, Rejection};
use crate::rules::Path;
use crate::signature::SignatureAlgorithms;
use crate::x509::certificate::Certificate;
use crate::x509::der::{Tag, context_tag, encode};
use crate::x509::name::names_are_equal;
use crate::x509::oid;
use crate::x509::time::Timestamp;

/// Status that the certificates of one CA will have. Certificates with one name and key are one CA:
/// a client is accepted if the path through any of them is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuerForecast {
    /// Name of the CA (RFC 4514).
    pub issuer: String,
    /// SHA-256 of each certificate of the CA.
    pub certificates: Vec<Fingerprint>,
    /// Status for each scope of the CA's own CRLs, in words.
    pub scopes: Vec<(String, CertificateStatus)>,
    /// Status of certificates that name no distribution point.
    pub others: CertificateStatus,
}

impl RevocationLists {
    /// Forecasts the status of certificates that these CAs issued, as far as the CAs do not revoke
    /// them.
    pub fn forecast<'i>(
        &self,
        issuers: impl IntoIterator<Item = &'i TrustAnchor>,
        grace_seconds: u32,
        signatures: SignatureAlgorithms,
        now: Timestamp,
    ) -> Vec<IssuerForecast> {
        let mut groups: Vec<Vec<&TrustAnchor>> = Vec::new();
        for issuer in issuers {
            let is_same = |group: &&mut Vec<&TrustAnchor>| {
                group.iter().any(|other| {
                    other.public_key_info() == issuer.public_key_info()
                        && names_are_equal(other.subject().der(), issuer.subject().der())
                })
            };
            match groups.iter_mut().find(is_same) {
                Some(group) => group.push(issuer),
                None => groups.push(vec![issuer]),
            }
        }
        let options = RevocationOptions {
            mode: RevocationMode::Soft,
            depth: RevocationDepth::EndEntity,
            grace_seconds,
        };
        let inquiry = Inquiry {
            lists: self,
            options,
            signatures,
            now,
        };
        groups
            .iter()
            .filter_map(|group| inquiry.forecast(group))
            .collect()
    }
}

struct Inquiry<'l> {
    lists: &'l RevocationLists,
    options: RevocationOptions,
    signatures: SignatureAlgorithms,
    now: Timestamp,
}

impl Inquiry<'_> {
    fn forecast(&self, group: &[&TrustAnchor]) -> Option<IssuerForecast> {
        let first = group.first()?;
        let issuer = CrlIssuer::of_anchor(first);
        let mut scopes: Vec<&Scope> = Vec::new();
        for ListOfIssuer { signed, .. } in self.lists.of_issuer(issuer.subject) {
            let list = signed.list();
            // Those that stand beside complete lists clear nothing, and take nothing away from
            // these.
            if signed.is_signed_by(issuer)
                && !list.is_beside_complete_ones()
                && !scopes.contains(&list.scope())
            {
                scopes.push(list.scope());
            }
        }
        let scopes: Vec<(String, CertificateStatus)> = scopes
            .into_iter()
            .map(|scope| (scope.to_string(), self.status(group, &extensions_within(scope))))
            .collect();
        let client = self.status(group, &[]);
        let issues_authorities = group.iter().any(|issuer| issuer.path_length() != Some(0));
        let others = match client {
            CertificateStatus::Good(_) if issues_authorities => self.status(group, &[authority()]),
            client => client,
        };
        Some(IssuerForecast {
            issuer: first.subject().to_string(),
            certificates: group.iter().map(|issuer| issuer.id()).collect(),
            scopes,
            others,
        })
    }

    /// Status of a certificate with these extensions through the certificate of the CA that says
    /// the best of it.
    fn status(&self, group: &[&TrustAnchor], extensions: &[Vec<u8>]) -> CertificateStatus {
        let mut unknown = None;
        for issuer in group {
            match self.status_below(issuer, extensions) {
                Ok(good @ (CertificateStatus::Good(_) | CertificateStatus::Answered(_))) => return good,
                Ok(CertificateStatus::Unknown(rejection)) | Err(rejection) => {
                    _ = unknown.get_or_insert(rejection);
                }
            }
        }
        CertificateStatus::Unknown(unknown.unwrap_or_else(|| Reason::CrlMissing.into()))
    }

    fn status_below(
        &self,
        issuer: &TrustAnchor,
        extensions: &[Vec<u8>],
    ) -> Result<CertificateStatus, Rejection> {
        let unreadable = |_| Rejection::new(Reason::CertificateMalformed);
        let parsed = Certificate::parse(issuer.certificate()).map_err(unreadable)?;
        let below = certificate_below(&parsed, extensions, self.signatures);
        let mut end_entity = Certificate::parse(&below).map_err(unreadable)?;
        // The rejection shall not speak of a certificate in the settings.
        end_entity.presented_at = Some(0);
        let path = Path {
            end_entity: &end_entity,
            intermediates: &[],
            anchor: issuer,
        };
        let evidence = self.lists.check(&path, self.options, self.signatures, self.now)?;
        let status = evidence.certificates().first().cloned();
        Ok(status.unwrap_or_else(|| CertificateStatus::Unknown(Reason::CrlMissing.into())))
    }
}

/// Extensions of a certificate that a list with this scope speaks of.
fn extensions_within(scope: &Scope) -> Vec<Vec<u8>> {
    let mut extensions = Vec::new();
    if scope.is_for_authorities_only() {
        extensions.push(authority());
    }
    if let Some(names) = scope.general_names() {
        let full_name = encode(context_tag(0, true), &[&names]);
        let point = encode(Tag::SEQUENCE, &[&encode(context_tag(0, true), &[&full_name])]);
        let points = encode(Tag::SEQUENCE, &[&point]);
        extensions.push(extension(oid::CRL_DISTRIBUTION_POINTS, &points));
    }
    extensions
}
