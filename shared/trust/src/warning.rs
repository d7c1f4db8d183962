use std::collections::HashMap;

use alb_mtls_verifier::{Fingerprint, ListStanding, PublicKey, RevocationList, Timestamp, TrustAnchor};

use crate::document::Revision;
use crate::error::SourceError;

/// Warning about the material, for the operator. The material is still used; the operator
/// should act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A trust anchor whose validity is over.
    #[error("{anchor} expired at {not_after}: clients that chain to it are refused")]
    Expired {
        /// The anchor and where it is.
        anchor: Named,
        /// Last second of its validity.
        not_after: Timestamp,
    },
    /// A trust anchor that will expire soon.
    #[error("{anchor} expires at {not_after}, in {days} days")]
    Expiring {
        /// The anchor and where it is.
        anchor: Named,
        /// Last second of its validity.
        not_after: Timestamp,
        /// Whole days left.
        days: i64,
    },
    /// A trust anchor whose validity has not begun.
    #[error("{anchor} is not valid before {not_before}")]
    NotYetValid {
        /// The anchor and where it is.
        anchor: Named,
        /// First second of its validity.
        not_before: Timestamp,
    },
    /// A certificate that occurs again.
    #[error("{certificate} is the same certificate as entry {first_entry} of `{first_origin}`")]
    Duplicate {
        /// The second occurrence.
        certificate: Named,
        /// Place of the first occurrence.
        first_origin: String,
        /// Number of the first one, from 1.
        first_entry: usize,
    },
    /// A key that is to be replaced.
    #[error(
        "{anchor} has an RSA key of {bits} bits, which NIST SP 800-131A disallows after 2030, and is valid until {not_after}"
    )]
    WeakKey {
        /// The anchor and where it is.
        anchor: Named,
        /// Length of the modulus.
        bits: usize,
        /// Last second of its validity.
        not_after: Timestamp,
    },
    /// A certificate of X.509 version 1 or 2.
    #[error(
        "{anchor} is not an X.509 version 3 certificate, and a load balancer in verify mode refuses those"
    )]
    NotVersion3 {
        /// The anchor and where it is.
        anchor: Named,
    },
    /// A CRL that is past its nextUpdate.
    #[error("{crl}: the CRL is stale since {next_update}")]
    CrlStale {
        /// The CRL's issuer and where it is.
        crl: Named,
        /// Time before which its issuer meant to publish the next one.
        next_update: Timestamp,
    },
    /// A CRL from the future.
    #[error("{crl}: the CRL counts from {this_update} on")]
    CrlNotYetValid {
        /// The CRL's issuer and where it is.
        crl: Named,
        /// Time of issue in the CRL.
        this_update: Timestamp,
    },
    /// A CRL whose issuer is neither an anchor nor a configured intermediate.
    #[error(
        "{crl}: the CRL counts once a client has presented its issuer; put the issuer into MTLS_INTERMEDIATES"
    )]
    CrlIssuerUnknown {
        /// The CRL's issuer and where it is.
        crl: Named,
    },
    /// A delta CRL without the complete CRL that it continues.
    #[error(
        "{crl}: the delta CRL revokes, and no certificate of its issuer is cleared: add the complete CRL that it continues"
    )]
    CrlBaseMissing {
        /// The CRL's issuer and where it is.
        crl: Named,
    },
    /// A CRL that clears no certificate, or does not count at all.
    #[error("{error}: this CRL clears no certificate, and the others count")]
    CrlUnusable {
        /// The CRL, its place and what is wrong with it.
        error: SourceError,
    },
    /// A notable part of a policy that is allowed.
    #[error("{0}")]
    Policy(String),
    /// A shadow set that cannot be used.
    #[error("the shadow set cannot be used, what was tried out before stays: {reason}")]
    ShadowUnusable {
        /// Fault of the shadow set.
        reason: String,
    },
    /// Two different trust anchors with one name.
    #[error(
        "{anchor} has the same subject as entry {first_entry} of `{first_origin}`, as while a CA is renewed"
    )]
    SharedName {
        /// The second one with the name.
        anchor: Named,
        /// Place of the first one.
        first_origin: String,
        /// Number of the first one, from 1.
        first_entry: usize,
    },
}

/// Severity of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The operator can have meant it.
    Notice,
    /// The operator should repair it.
    Warning,
}

impl Warning {
    /// Returns the severity.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Expired { .. }
            | Self::Expiring { .. }
            | Self::Duplicate { .. }
            | Self::NotVersion3 { .. }
            | Self::CrlStale { .. }
            | Self::CrlNotYetValid { .. }
            | Self::CrlBaseMissing { .. }
            | Self::CrlUnusable { .. }
            | Self::Policy(_)
            | Self::ShadowUnusable { .. } => Severity::Warning,
            Self::CrlIssuerUnknown { .. }
            | Self::NotYetValid { .. }
            | Self::WeakKey { .. }
            | Self::SharedName { .. } => Severity::Notice,
        }
    }

    /// Returns a stable word for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "anchor_expired",
            Self::Expiring { .. } => "anchor_expiring",
            Self::NotYetValid { .. } => "anchor_not_yet_valid",
            Self::Duplicate { .. } => "duplicate",
            Self::WeakKey { .. } => "weak_key",
            Self::CrlIssuerUnknown { .. } => "crl_issuer_unknown",
            Self::CrlNotYetValid { .. } => "crl_not_yet_valid",
            Self::CrlStale { .. } => "crl_stale",
            Self::CrlBaseMissing { .. } => "crl_base_missing",
            Self::CrlUnusable { .. } => "crl_unusable",
            Self::NotVersion3 { .. } => "not_version_3",
            Self::Policy(_) => "policy",
            Self::ShadowUnusable { .. } => "shadow_unusable",
            Self::SharedName { .. } => "shared_name",
        }
    }
}

/// Certificate, or CRL by its issuer, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The file, parameter or object.
    pub origin: String,
    /// Number of the entry in it, from 1.
    pub entry: usize,
    /// The certificate's subject, or the CRL's issuer (RFC 4514).
    pub subject: String,
}

impl std::fmt::Display for Named {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "entry {} of `{}` ({})",
            self.entry, self.origin, self.subject
        )
    }
}

/// Days before its end from which a trust anchor is worth a warning: time for a ceremony of its CA
/// and a rollout.
const EXPIRING_DAYS: i64 = 30;

/// 2031-01-01T00:00:00Z: NIST SP 800-131A disallows 112 bits of strength, as RSA 2048 has, from
/// then on.
const END_OF_112_BITS: Timestamp = Timestamp::from_unix_seconds(1_924_992_000);
const BITS_AFTER_2030: usize = 3_072;

/// Place of a certificate or CRL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located<'a> {
    pub(crate) origin: &'a Revision,
    pub(crate) entry: usize,
}

/// Finds everything that is notable about certificates that are going to be used.
pub(crate) fn find_warnings(authorities: &[(Located<'_>, TrustAnchor)], now: Timestamp) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut by_id: HashMap<Fingerprint, Located<'_>> = HashMap::with_capacity(authorities.len());
    let mut by_name: HashMap<String, Located<'_>> = HashMap::with_capacity(authorities.len());
    for (located, authority) in authorities {
        let subject = authority.subject().to_string();
        let named = |subject: &str| Named {
            origin: located.origin.place(),
            entry: located.entry,
            subject: subject.to_owned(),
        };
        if let Some(first) = by_id.get(&authority.id()) {
            warnings.push(Warning::Duplicate {
                certificate: named(&subject),
                first_origin: first.origin.place(),
                first_entry: first.entry,
            });
            continue;
        }
        by_id.insert(authority.id(), *located);
        warnings.extend(find_validity_warning(authority, || named(&subject), now));
        if !authority.is_version_3() {
            warnings.push(Warning::NotVersion3 {
                anchor: named(&subject),
            });
        }
        let not_after = authority.validity().not_after;
        match authority.public_key() {
            PublicKey::Rsa { bits } if bits < BITS_AFTER_2030 && not_after >= END_OF_112_BITS => {
                warnings.push(Warning::WeakKey {
                    anchor: named(&subject),
                    bits,
                    not_after,
                });
            }
            _ => {}
        }
        match by_name.get(&subject) {
            Some(first) => warnings.push(Warning::SharedName {
                anchor: named(&subject),
                first_origin: first.origin.place(),
                first_entry: first.entry,
            }),
            None => {
                by_name.insert(subject, *located);
            }
        }
    }
    warnings
}

/// Returns a CRL by its issuer, with its place.
pub(crate) fn named(list: &RevocationList, located: Located<'_>) -> Named {
    Named {
        origin: located.origin.place(),
        entry: located.entry,
        subject: list.issuer().to_string(),
    }
}

/// Finds what is notable about a CRL that is going to be used.
pub(crate) fn find_list_warnings(
    list: &RevocationList,
    located: Located<'_>,
    standing: Option<&ListStanding>,
    now: Timestamp,
) -> Vec<Warning> {
    let crl = || named(list, located);
    let this_update = list.this_update();
    let mut warnings = Vec::new();
    if let Some(next_update) = list.next_update()
        && next_update < now
    {
        warnings.push(Warning::CrlStale {
            crl: crl(),
            next_update,
        });
    }
    if now < this_update {
        warnings.push(Warning::CrlNotYetValid {
            crl: crl(),
            this_update,
        });
    }
    if standing == Some(&ListStanding::IssuerUnknown) {
        warnings.push(Warning::CrlIssuerUnknown { crl: crl() });
    }
    warnings
}

fn find_validity_warning(
    authority: &TrustAnchor,
    named: impl FnOnce() -> Named,
    now: Timestamp,
) -> Option<Warning> {
    let (not_before, not_after) = (authority.validity().not_before, authority.validity().not_after);
    if now > not_after {
        Some(Warning::Expired {
            anchor: named(),
            not_after,
        })
    } else if now < not_before {
        Some(Warning::NotYetValid {
            anchor: named(),
            not_before,
        })
    } else {
        let days = (not_after.unix_seconds() - now.unix_seconds()) / 86_400;
        (days < EXPIRING_DAYS).then(|| Warning::Expiring {
            anchor: named(),
            not_after,
            days,
        })
    }
}
