//! The decision about the certificates of a verified path.

use std::sync::Arc;

use super::answer::{Answer, earlier};
use super::delegation::{Circumstances, Delegates};
use super::delta::{Continuation, has_caught_up, takes_back};
use super::entries::RevokedCertificate;
use super::entry_issuers::EntryIssuer;
use super::evidence::{CertificateStatus, RevocationEvidence};
use super::history::{CrlHistory, NewestVersions};
use super::issuers::{CrlIssuer, SignedList};
use super::list::RevocationList;
use super::lists::{ListOfIssuer, RevocationLists};
use super::options::{RevocationDepth, RevocationMode, RevocationOptions};
use super::points::other_crl_issuers;
use super::scope::Scope;
use super::why_not::WhyNot;
use crate::anchors::TrustAnchor;
use crate::rejection::{Reason, Rejection};
use crate::rules::Path;
use crate::signature::{SignatureAlgorithms, not_allowed};
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
        self.check_with(self.delegates(), path, options, signatures, now)
    }

    /// Decides like [`check`](Self::check), by the lists of the certificates' own issuers alone:
    /// the path is that of the issuer of an indirect CRL.
    pub(super) fn check_without_delegates(
        &self,
        path: &Path<'_, '_>,
        options: RevocationOptions,
        signatures: SignatureAlgorithms,
        now: Timestamp,
    ) -> Result<RevocationEvidence, Rejection> {
        self.check_with(None, path, options, signatures, now)
    }

    fn check_with(
        &self,
        delegates: Option<&Delegates>,
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

        let circumstances = Circumstances {
            now,
            signatures,
            grace_seconds: options.grace_seconds,
        };
        let mut evidence = RevocationEvidence::default();
        for (certificate, issuer) in certificates.zip(&issuers).take(depth) {
            let inquiry = Inquiry {
                certificate,
                issuer: *issuer,
                is_delegate: false,
                issuers: &issuers,
                circumstances,
                history: self.seen(),
            };
            let own = inquiry.ask(self.of_issuer(issuer.subject))?;
            let answer = match delegates {
                None => own,
                Some(delegates) => self.ask_delegates(delegates, &inquiry, path.anchor, own)?,
            };
            evidence.certificates.push(answer.status);
            evidence.valid_until = earlier(evidence.valid_until, answer.valid_until);
        }
        match (options.mode, evidence.unknown()) {
            (RevocationMode::Strict, Some(rejection)) => Err(rejection.clone()),
            _ => Ok(evidence),
        }
    }

    /// Asks the indirect CRLs of every CRL issuer that the certificate names, after its issuer's
    /// own lists have given an answer.
    fn ask_delegates(
        &self,
        delegates: &Delegates,
        inquiry: &Inquiry<'_, '_>,
        anchor: &TrustAnchor,
        own: Answer,
    ) -> Result<Answer, Rejection> {
        let mut best = own;
        for name in other_crl_issuers(inquiry.certificate) {
            let lists = self.of_issuer(name);
            let visit = |issuer: CrlIssuer<'_>, until: Timestamp| {
                let answer = Inquiry {
                    issuer,
                    is_delegate: true,
                    issuers: &[],
                    ..*inquiry
                }
                .ask(lists)?;
                best.join(answer, until);
                Ok(())
            };
            let configured = delegates.each_issuer(name, anchor, self, inquiry.circumstances, visit)?;
            if configured == 0 {
                best.note_unconfigured(name);
            }
        }
        Ok(best)
    }
}

/// The question after one certificate.
#[derive(Clone, Copy)]
pub(super) struct Inquiry<'q, 'a> {
    pub(super) certificate: &'q Certificate<'a>,
    /// Issuer of the lists that are asked.
    pub(super) issuer: CrlIssuer<'q>,
    /// Set if the lists are indirect CRLs of another issuer than the certificate's.
    pub(super) is_delegate: bool,
    /// Every issuer of the path.
    pub(super) issuers: &'q [CrlIssuer<'q>],
    pub(super) circumstances: Circumstances,
    pub(super) history: &'q CrlHistory,
}

/// The lists beside those of one certificate's issuer, as far as they are signed and valid already.
#[derive(Default)]
struct Beside<'l> {
    newest: Vec<NewestOfScope>,
    /// Delta CRLs, current or not.
    deltas: Vec<&'l Arc<RevocationList>>,
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
        let beside = self.signed_and_valid(lists);
        let mut newest: Option<(&Arc<RevocationList>, Currency)> = None;
        let mut valid_until = None;
        let mut why_not = WhyNot::default();
        for ListOfIssuer { signed, scope } in lists {
            let list = signed.list();
            // RFC 5280 §6.3.3 (b) (1): it speaks for no other issuer.
            if self.is_delegate && !list.scope().is_indirect() {
                continue;
            }
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
            let newest_of_scope = beside.newest.get(*scope).copied().unwrap_or_default();
            let is_replaced = newest_of_scope.all.replace(list.version());
            // A suspension ends with a list without the entry (RFC 5280 §5.3.1), and expired
            // certificates may leave a list; both need a newer list that can be trusted to be
            // whole.
            let is_past = currency == Currency::Stale
                && (newest_of_scope.whole.replace(list.version()) || self.is_caught_up(list, lists));
            if !is_past
                && let Some(revoked) = list.find_of(self.entry_issuer(), self.certificate.serial_number)
                && !self.is_taken_back(list, revoked, &beside.deltas)
            {
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
            if list.is_delta() && self.covers(list.scope()) {
                why_not.delta = why_not.delta.or(Some(list));
            } else if list.is_beside_complete_ones() {
                why_not.partial = why_not.partial.or(Some(list));
            } else if !self.covers(list.scope()) {
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
        let good = newest.and_then(|(list, currency)| {
            let continuation = Continuation::of(list, &beside.deltas);
            if let Continuation::Apart(delta) = continuation
                && self.is_reliable(list)
            {
                why_not.delta = Some(delta);
                why_not.base = Some(list);
                return None;
            }
            let delta = continuation.delta();
            let parts = std::iter::once((list, currency));
            let parts = parts.chain(delta.map(|delta| (delta, self.currency(delta))));
            // Each part must be whole and current: what is not in the one may be in the other.
            for (part, currency) in parts.clone() {
                if part.defect().is_some() {
                    why_not.defective = Some(part);
                    return None;
                }
                if self.algorithm_not_allowed(part).is_some() {
                    why_not.not_allowed = Some(part);
                    return None;
                }
                if currency != Currency::Current {
                    why_not.stale = Some(part);
                    return None;
                }
            }
            let newest = delta.unwrap_or(list);
            why_not.seen =
                self.history
                    .newer_than(newest, self.issuer.key, self.circumstances.now, |scope| {
                        self.covers(scope)
                    });
            why_not.stale = why_not.seen.map(|_| newest);
            // The one that ends first decides how long the other counts.
            let first = parts.map(|(part, _)| part).min_by_key(|part| part.next_update());
            first.filter(|_| why_not.seen.is_none())
        });
        // A list without an end has a defect, and clears nothing.
        let good = good.and_then(|list| Some((list, list.next_update()?)));
        match good {
            Some((list, next_update)) if self.issuer.may_sign_lists => {
                let end = next_update.plus_seconds(i64::from(self.circumstances.grace_seconds));
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

    /// Returns the newest list of each scope that the issuer signed and that is valid already, and
    /// the delta CRLs among such lists.
    fn signed_and_valid<'l>(&self, lists: &'l [ListOfIssuer]) -> Beside<'l> {
        let mut beside = Beside::default();
        for ListOfIssuer { signed, scope } in lists {
            let list = signed.list();
            if self.currency(list) == Currency::NotYet || !signed.is_signed_by(self.issuer) {
                continue;
            }
            if list.is_delta() {
                beside.deltas.push(list);
            }
            let newest = &mut beside.newest;
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
        beside
    }

    /// Returns true if a list with this scope covers the certificate.
    fn covers(&self, scope: &Scope) -> bool {
        match self.is_delegate {
            false => scope.covers(self.certificate),
            true => scope.covers_through(self.certificate, self.issuer.subject),
        }
    }

    /// Returns the issuer of the certificate, as entries of the lists name it.
    fn entry_issuer(&self) -> EntryIssuer<'_> {
        EntryIssuer {
            name: self.certificate.issuer,
            is_of_list: !self.is_delegate,
        }
    }

    /// Returns true for a delta CRL if a complete CRL that can be relied on has all that it says.
    fn is_caught_up(&self, delta: &RevocationList, lists: &[ListOfIssuer]) -> bool {
        delta.is_delta()
            && lists.iter().any(|ListOfIssuer { signed, .. }| {
                let list = signed.list();
                delta.scope().continues(list.scope())
                    && has_caught_up(list, delta)
                    && self.currency(list) != Currency::NotYet
                    && signed.is_signed_by(self.issuer)
                    && self.is_reliable(list)
            })
    }

    /// Returns true if the entry is a suspension in a complete CRL that its newest delta CRL ends.
    /// The delta must be current and without a defect.
    fn is_taken_back(
        &self,
        list: &RevocationList,
        entry: RevokedCertificate,
        deltas: &[&Arc<RevocationList>],
    ) -> bool {
        let Continuation::Joined(delta) = Continuation::of(list, deltas) else {
            return false;
        };
        self.currency(delta) == Currency::Current
            && self.is_reliable(delta)
            && takes_back(
                delta,
                entry.reason,
                self.entry_issuer(),
                self.certificate.serial_number,
            )
    }

    /// Returns true if a list that the issuer signed can be relied on to name every revoked
    /// certificate of its scope.
    fn is_reliable(&self, list: &RevocationList) -> bool {
        list.defect().is_none() && self.algorithm_not_allowed(list).is_none()
    }

    /// Returns the algorithm of a list that the issuer signed, unless it is allowed.
    pub(super) fn algorithm_not_allowed(&self, list: &RevocationList) -> Option<&'static str> {
        not_allowed(
            list.signature_algorithm(),
            self.issuer.key,
            self.circumstances.signatures,
        )
    }

    fn currency(&self, list: &RevocationList) -> Currency {
        // The grace period is the operator's answer to a CA that publishes late.
        let end = list
            .next_update()
            .map(|end| end.plus_seconds(i64::from(self.circumstances.grace_seconds)));
        if self.circumstances.now < list.this_update() {
            Currency::NotYet
        } else if end.is_some_and(|end| self.circumstances.now > end) {
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
}
