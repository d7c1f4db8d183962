//! The decision about the certificates of a verified path.

use std::sync::Arc;

use super::entries::RevokedCertificate;
use super::evidence::{CertificateStatus, RevocationEvidence};
use super::history::{CrlHistory, NewestVersions, SeenCrl};
use super::issuers::{CrlIssuer, ListSignatureError, SignedList};
use super::list::RevocationList;
use super::lists::{ListOfIssuer, RevocationLists};
use super::options::{RevocationDepth, RevocationMode, RevocationOptions};
use crate::rejection::{Reason, Rejection};
use crate::rules::Path;
use crate::signature::{ACCEPTED_ALGORITHMS, SignatureAlgorithms, not_allowed};
use crate::x509::certificate::Certificate;
use crate::x509::name::names_are_equal;
use crate::x509::time::Timestamp;

impl RevocationLists {
    /// Decides about every certificate of a path whose signatures verify, as far down as the
    /// options ask.
    ///
    /// # Errors
    /// A certificate that is revoked, in every mode but `off`; one that no list clears, in mode
    /// `strict`.
    pub(crate) fn check(
        &self,
        path: &Path<'_, '_>,
        options: RevocationOptions,
        signatures: SignatureAlgorithms,
        now: Timestamp,
    ) -> Result<RevocationEvidence, Rejection> {
        let depth = match (options.mode, options.depth) {
            (RevocationMode::Off, _) => 0,
            (_, RevocationDepth::EndEntity) => 1,
            (_, RevocationDepth::Chain) => usize::MAX,
        };
        let issuers: Vec<CrlIssuer<'_>> = path
            .intermediates
            .iter()
            .map(|issuer| CrlIssuer::of_intermediate(issuer))
            .chain(std::iter::once(CrlIssuer::of_anchor(path.anchor)))
            .collect();
        let certificates = std::iter::once(path.end_entity).chain(path.intermediates.iter().copied());

        let mut evidence = RevocationEvidence::default();
        for (certificate, issuer) in certificates.zip(&issuers).take(depth) {
            let inquiry = Inquiry {
                certificate,
                issuer: *issuer,
                issuers: &issuers,
                grace_seconds: options.grace_seconds.into(),
                signatures,
                now,
                history: self.seen(),
            };
            let answer = inquiry.ask(self.of_issuer(issuer.subject))?;
            evidence.certificates.push(answer.status);
            evidence.valid_until = match (evidence.valid_until, answer.valid_until) {
                (Some(left), Some(right)) => Some(left.min(right)),
                (left, right) => left.or(right),
            };
        }
        match (options.mode, evidence.unknown()) {
            (RevocationMode::Strict, Some(rejection)) => Err(rejection.clone()),
            _ => Ok(evidence),
        }
    }
}

/// The question after one certificate.
struct Inquiry<'q, 'a> {
    certificate: &'q Certificate<'a>,
    issuer: CrlIssuer<'q>,
    /// Every issuer of the path.
    issuers: &'q [CrlIssuer<'q>],
    grace_seconds: i64,
    /// Algorithms of lists that clear.
    signatures: SignatureAlgorithms,
    now: Timestamp,
    history: &'q CrlHistory,
}

struct Answer {
    status: CertificateStatus,
    valid_until: Option<Timestamp>,
}

/// Newest lists of one scope.
#[derive(Clone, Copy, Debug, Default)]
struct NewestOfScope {
    all: NewestVersions,
    /// Lists that can be relied on: one with a defect may lack entries that an older list has.
    whole: NewestVersions,
}

/// Validity of a list at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Currency {
    NotYet,
    Current,
    Stale,
}

impl Inquiry<'_, '_> {
    /// Asks the lists that bear the issuer's name, the latest first.
    ///
    /// A serial number on any list that its issuer signed is revoked, whatever the list's scope and
    /// whatever else is wrong with it: an issuer uses a serial number once. Only a list that is
    /// both stale and replaced, by one that can be relied on, is past; a stale one that nothing
    /// replaced still revokes. To clear a certificate, a list must be the newest of its scope and
    /// speak of this certificate; of several such lists, the latest decides. It must be current,
    /// without a defect and signed with an allowed algorithm. A list in use before that is newer
    /// and speaks of the certificate keeps an older one from clearing it, even if that list is
    /// gone: it may have revoked the certificate.
    fn ask(&self, lists: &[ListOfIssuer]) -> Result<Answer, Rejection> {
        let newest_of = self.newest_of_each_scope(lists);
        let mut newest: Option<(&Arc<RevocationList>, Currency)> = None;
        let mut valid_until = None;
        let mut why_not = WhyNot::default();
        for ListOfIssuer { signed, scope } in lists {
            let list = signed.list();
            // RFC 5280 §6.3.3(g). Another CA of the same name is likelier than an altered list, so
            // it is only noted.
            if !signed.is_signed_by(self.issuer) {
                if let Some(revoked) = list.find(self.certificate.serial_number)
                    && self.has_other_key_that_signed(signed)
                {
                    return Err(self.revoked(list, revoked));
                }
                if why_not.other_key.is_none() {
                    why_not.other_key = Some((list, signed.obstacle(self.issuer.key)));
                }
                continue;
            }
            let currency = self.currency(list);
            let newest_of_scope = newest_of.get(*scope).copied().unwrap_or_default();
            let is_replaced = newest_of_scope.all.replace(list.version());
            // A suspension ends with a list without the entry (RFC 5280 §5.3.1), and expired
            // certificates may leave a list; both need a newer list that can be trusted to be
            // whole.
            let is_past = currency == Currency::Stale && newest_of_scope.whole.replace(list.version());
            if !is_past && let Some(revoked) = list.find(self.certificate.serial_number) {
                return Err(self.revoked(list, revoked));
            }
            if currency == Currency::NotYet {
                // Its time will come, and with it perhaps another answer.
                let last_second = list.this_update().plus_seconds(-1);
                valid_until =
                    Some(valid_until.map_or(last_second, |until: Timestamp| until.min(last_second)));
                why_not.not_yet = why_not.not_yet.or(Some(list));
                continue;
            }
            if is_replaced {
                why_not.replaced = why_not.replaced.or(Some(list));
                continue;
            }
            if list.is_beside_complete_ones() {
                why_not.partial = why_not.partial.or(Some(list));
            } else if !list.scope().covers(self.certificate) {
                why_not.scope = why_not.scope.or(Some(list));
            } else {
                // Of several lists of one second, each may be the last.
                let rank = |list: &RevocationList, currency| {
                    (
                        list.this_update(),
                        !self.is_reliable(list),
                        currency == Currency::Current,
                    )
                };
                if newest.is_none_or(|(other, of_other)| rank(list, currency) > rank(other, of_other)) {
                    newest = Some((list, currency));
                }
            }
        }
        let good = match newest {
            None => None,
            Some((list, _)) if list.defect().is_some() => {
                why_not.defective = Some(list);
                None
            }
            Some((list, _)) if self.algorithm_not_allowed(list).is_some() => {
                why_not.not_allowed = Some(list);
                None
            }
            Some((list, Currency::Current)) => {
                why_not.seen = self
                    .history
                    .newer_than(list, self.issuer.key, self.certificate, self.now);
                why_not.stale = why_not.seen.map(|_| list);
                why_not.seen.is_none().then_some(list)
            }
            Some((list, Currency::Stale | Currency::NotYet)) => {
                why_not.stale = Some(list);
                None
            }
        };
        // A list without an end has a defect, and clears nothing.
        let good = good.and_then(|list| Some((list, list.next_update()?)));
        match good {
            Some((list, next_update)) if self.issuer.may_sign_lists => {
                let end = next_update.plus_seconds(self.grace_seconds);
                Ok(Answer {
                    status: CertificateStatus::Good(Arc::clone(list)),
                    valid_until: Some(valid_until.map_or(end, |until| until.min(end))),
                })
            }
            good => Ok(Answer {
                status: CertificateStatus::Unknown(self.unknown(good.map(|(list, _)| list), &why_not)),
                valid_until,
            }),
        }
    }

    /// Returns true if the issuer signed the list with another of its keys: a certificate of the
    /// same name in this path has it. A CA that has a new key still uses a serial number once (RFC
    /// 5280 §4.1.2.2), so such a list revokes, and clears nothing.
    fn has_other_key_that_signed(&self, signed: &SignedList) -> bool {
        self.issuers.iter().any(|other| {
            other.key != self.issuer.key
                && names_are_equal(other.subject, self.issuer.subject)
                && signed.is_signed_by(*other)
        })
    }

    /// Returns the newest list of each scope that the issuer signed and that is valid already.
    fn newest_of_each_scope(&self, lists: &[ListOfIssuer]) -> Vec<NewestOfScope> {
        let mut newest: Vec<NewestOfScope> = Vec::new();
        for ListOfIssuer { signed, scope } in lists {
            let list = signed.list();
            if self.currency(list) == Currency::NotYet || !signed.is_signed_by(self.issuer) {
                continue;
            }
            if newest.len() <= *scope {
                newest.resize_with(*scope + 1, NewestOfScope::default);
            }
            if let Some(newest) = newest.get_mut(*scope) {
                newest.all.add(list.version());
                if self.is_reliable(list) {
                    newest.whole.add(list.version());
                }
            }
        }
        newest
    }

    /// Returns true if a list that the issuer signed can be relied on to name every revoked
    /// certificate of its scope.
    fn is_reliable(&self, list: &RevocationList) -> bool {
        list.defect().is_none() && self.algorithm_not_allowed(list).is_none()
    }

    /// Returns the algorithm of a list that the issuer signed, unless it is allowed.
    fn algorithm_not_allowed(&self, list: &RevocationList) -> Option<&'static str> {
        not_allowed(list.signature_algorithm(), self.issuer.key, self.signatures)
    }

    fn currency(&self, list: &RevocationList) -> Currency {
        // The grace period is the operator's answer to a CA that publishes late.
        let end = list.next_update().map(|end| end.plus_seconds(self.grace_seconds));
        if self.now < list.this_update() {
            Currency::NotYet
        } else if end.is_some_and(|end| self.now > end) {
            Currency::Stale
        } else {
            Currency::Current
        }
    }

    fn revoked(&self, list: &RevocationList, revoked: RevokedCertificate) -> Rejection {
        let mut explanation = String::from("revoked");
        if let Some(since) = revoked.revoked_at {
            explanation.push_str(&format!(" since {since}"));
        }
        if let Some(reason) = revoked.reason {
            explanation.push_str(&format!(", {reason}"));
        }
        explanation.push_str(&format!(", by {list}"));
        self.certificate
            .reject(Reason::Revoked)
            .in_field("serialNumber")
            .found(&base16ct::lower::encode_string(self.certificate.serial_number))
            .because(explanation)
    }

    fn unknown(&self, good: Option<&Arc<RevocationList>>, why_not: &WhyNot<'_>) -> Rejection {
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
            } => (Reason::CrlStale, *list, format!(", it is {}", self.now)),
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
            } => (Reason::CrlNotYetValid, *list, format!(", it is {}", self.now)),
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
                .allowed(&format!("a time that is not before {}", self.now)),
            Reason::CrlNotYetValid => rejection
                .in_field(&of_list("thisUpdate"))
                .found(&list.this_update().to_string())
                .allowed(&format!("a time that is not after {}", self.now)),
            Reason::CrlSignatureUnsupported => rejection
                .in_field(&of_list("signatureAlgorithm"))
                .found(&list.signature_algorithm_name())
                .allowed(ACCEPTED_ALGORITHMS),
            Reason::CrlSignatureNotAllowed => rejection
                .in_field(&of_list("signatureAlgorithm"))
                .found(self.algorithm_not_allowed(list).unwrap_or_default())
                .allowed(&format!("MTLS_SIGNATURES={}", self.signatures)),
            Reason::CrlUnusable => {
                let rejection = rejection.in_field(&of_list("defect"));
                match list.defect() {
                    Some(defect) => rejection.found(&defect.to_string()),
                    None => rejection,
                }
            }
            Reason::CrlScope => rejection.in_field(&of_list("scope")).found(&list.coverage()),
            _ => rejection.in_field(&of_list("signature")),
        }
    }

    fn issuer_name(&self) -> String {
        crate::x509::name::DistinguishedName::parse(self.issuer.subject).map_or_else(
            |_| "the issuer has a name that cannot be shown".to_owned(),
            |name| format!("the issuer is {name}"),
        )
    }
}

/// The first list that does not clear the certificate for each reason.
#[derive(Default)]
struct WhyNot<'l> {
    other_key: Option<(&'l Arc<RevocationList>, Option<ListSignatureError>)>,
    scope: Option<&'l Arc<RevocationList>>,
    stale: Option<&'l Arc<RevocationList>>,
    /// A newer one that was in use before, if that is why.
    seen: Option<&'l SeenCrl>,
    not_yet: Option<&'l Arc<RevocationList>>,
    /// The latest one, which has a defect.
    defective: Option<&'l Arc<RevocationList>>,
    /// The latest one, which is signed with an algorithm that is not allowed.
    not_allowed: Option<&'l Arc<RevocationList>>,
    /// List that is older than another.
    replaced: Option<&'l Arc<RevocationList>>,
    /// List that stands beside complete lists.
    partial: Option<&'l Arc<RevocationList>>,
}

fn defect_of(list: &RevocationList) -> String {
    list.defect()
        .map(|defect| format!(": it {defect}"))
        .unwrap_or_default()
}
