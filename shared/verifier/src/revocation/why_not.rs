//! Explanations of a status that is not known.

use std::sync::Arc;

use super::check::Inquiry;
use super::history::SeenCrl;
use super::issuers::ListSignatureError;
use super::list::RevocationList;
use crate::rejection::{Reason, Rejection};
use crate::signature::ACCEPTED_ALGORITHMS;
use crate::x509::name::DistinguishedName;
use crate::x509::time::Timestamp;

/// The first list that does not clear the certificate for each reason.
#[derive(Default)]
pub(super) struct WhyNot<'l> {
    pub(super) other_key: Option<(&'l Arc<RevocationList>, Option<ListSignatureError>)>,
    pub(super) scope: Option<&'l Arc<RevocationList>>,
    pub(super) stale: Option<&'l Arc<RevocationList>>,
    /// A newer one that was in use before, if that is why.
    pub(super) seen: Option<&'l SeenCrl>,
    pub(super) not_yet: Option<&'l Arc<RevocationList>>,
    /// The latest one, which has a defect.
    pub(super) defective: Option<&'l Arc<RevocationList>>,
    /// The latest one, which is signed with an algorithm that is not allowed.
    pub(super) not_allowed: Option<&'l Arc<RevocationList>>,
    /// List that is older than another.
    pub(super) replaced: Option<&'l Arc<RevocationList>>,
    /// Delta CRL without the complete CRL that it continues.
    pub(super) delta: Option<&'l Arc<RevocationList>>,
    /// Complete CRL that it does not continue.
    pub(super) base: Option<&'l Arc<RevocationList>>,
    /// List that stands beside complete lists.
    pub(super) partial: Option<&'l Arc<RevocationList>>,
}

impl Inquiry<'_, '_> {
    pub(super) fn unknown(&self, good: Option<&Arc<RevocationList>>, why_not: &WhyNot<'_>) -> Rejection {
        let (reason, list, particulars) = match why_not {
            _ if let Some(list) = good => (Reason::CrlIssuerKeyUsage, list, String::new()),
            WhyNot {
                stale: Some(list),
                seen: Some(seen),
                ..
            } => {
                let newer = format!(", and {} was in use before with {}", seen.series, seen.version);
                (Reason::CrlStale, *list, newer)
            }
            WhyNot {
                stale: Some(list), ..
            } => (
                Reason::CrlStale,
                *list,
                format!(", it is {}", self.circumstances.now),
            ),
            WhyNot {
                defective: Some(list),
                ..
            } => (Reason::CrlUnusable, *list, defect_of(list)),
            WhyNot {
                not_allowed: Some(list),
                ..
            } => {
                let algorithm = self.algorithm_not_allowed(list).unwrap_or_default();
                (
                    Reason::CrlSignatureNotAllowed,
                    *list,
                    format!(": it is signed with {algorithm}"),
                )
            }
            WhyNot {
                not_yet: Some(list), ..
            } => (
                Reason::CrlNotYetValid,
                *list,
                format!(", it is {}", self.circumstances.now),
            ),
            WhyNot {
                delta: Some(delta),
                base,
                ..
            } => {
                let lowest = delta.base_number().map_or_else(
                    || " that it does not name".to_owned(),
                    |number| format!(" with number {number} or a higher one"),
                );
                let found = match base {
                    Some(base) => format!(", and the newest one is {base}"),
                    None => ", and there is none".to_owned(),
                };
                let particulars = format!(" continues a complete CRL{lowest}{found}");
                (Reason::CrlBaseMissing, *delta, particulars)
            }
            WhyNot {
                partial: Some(list), ..
            } => (Reason::CrlUnusable, *list, defect_of(list)),
            WhyNot {
                scope: Some(list), ..
            } => (Reason::CrlScope, *list, String::new()),
            // Without one that replaced it.
            WhyNot {
                replaced: Some(list), ..
            } => {
                let contradiction = ": others of its issuer replace it and each other, because their numbers contradict \
                                     their dates";
                (Reason::CrlUnusable, *list, contradiction.to_owned())
            }
            WhyNot {
                other_key: Some((list, obstacle)),
                ..
            } => match obstacle {
                Some(obstacle @ (ListSignatureError::Algorithm { .. } | ListSignatureError::Key { .. })) => {
                    (Reason::CrlSignatureUnsupported, *list, format!(": {obstacle}"))
                }
                Some(obstacle) => (Reason::CrlSignature, *list, format!(": {obstacle}")),
                None => (Reason::CrlSignature, *list, String::new()),
            },
            _ => {
                return self
                    .certificate
                    .reject(Reason::CrlMissing)
                    .because(self.issuer_name());
            }
        };
        self.with_facts(self.certificate.reject(reason), list)
            .because(format!("{list}{particulars}"))
    }

    /// Adds which field of the list it is about, what is in it, and what would be allowed.
    fn with_facts(&self, rejection: Rejection, list: &RevocationList) -> Rejection {
        let of_list = |field: &str| format!("{field} of the CRL of {}", list.issuer());
        let time = |time: Option<Timestamp>| time.map_or_else(|| "none".to_owned(), |time| time.to_string());
        match rejection.reason() {
            Reason::CrlStale => rejection
                .in_field(&of_list("nextUpdate"))
                .found(&time(list.next_update()))
                .allowed(&format!("a time that is not before {}", self.circumstances.now)),
            Reason::CrlNotYetValid => rejection
                .in_field(&of_list("thisUpdate"))
                .found(&list.this_update().to_string())
                .allowed(&format!("a time that is not after {}", self.circumstances.now)),
            Reason::CrlSignatureUnsupported => rejection
                .in_field(&of_list("signatureAlgorithm"))
                .found(&list.signature_algorithm_name())
                .allowed(ACCEPTED_ALGORITHMS),
            Reason::CrlSignatureNotAllowed => rejection
                .in_field(&of_list("signatureAlgorithm"))
                .found(self.algorithm_not_allowed(list).unwrap_or_default())
                .allowed(&format!("MTLS_SIGNATURES={}", self.circumstances.signatures)),
            Reason::CrlUnusable => {
                let rejection = rejection.in_field(&of_list("defect"));
                match list.defect() {
                    Some(defect) => rejection.found(&defect.to_string()),
                    None => rejection,
                }
            }
            Reason::CrlScope => rejection.in_field(&of_list("scope")).found(&list.coverage()),
            Reason::CrlBaseMissing => {
                let rejection = rejection.in_field(&of_list("BaseCRLNumber"));
                match list.base_number() {
                    Some(number) => rejection.found(&number.to_string()),
                    None => rejection,
                }
            }
            _ => rejection.in_field(&of_list("signature")),
        }
    }

    fn issuer_name(&self) -> String {
        format!("the issuer is {}", name_in_words(self.issuer.subject))
    }
}

pub(super) fn name_in_words(name: &[u8]) -> String {
    DistinguishedName::parse(name).map_or_else(
        |_| "one with a name that cannot be shown".to_owned(),
        |name| name.to_string(),
    )
}

fn defect_of(list: &RevocationList) -> String {
    list.defect()
        .map(|defect| format!(": it {defect}"))
        .unwrap_or_default()
}
