//! Features of a path that webpki does not process, as a table.
//!
//! webpki rejects a path with one of them, which RFC 5280 permits a validator to do. Each is read
//! here from the encoding, without the types of our rules: a rule that reads an extension wrongly
//! must not also excuse webpki's rejection.

use std::fmt;

use crate::rules::Path;
use crate::signature::LISTED_ALGORITHMS;
use crate::x509::certificate::Certificate;
use crate::x509::der::{Element, Elements, Malformed, Tag, context_tag, single};
use crate::x509::extensions::Extension;
use crate::x509::oid;

macro_rules! gaps {
    ($($variant:ident, $name:literal, $meaning:literal, $source:literal, $is_in:expr;)+) => {
        /// Feature of a path that webpki does not process, so that our rules alone decide about it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum WebpkiGap {
            $(#[doc = concat!("`", $name, "`: ", $meaning, " (", $source, ").")] $variant,)+
        }

        impl WebpkiGap {
            /// Every feature, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the stable name in `snake_case`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns the meaning as a noun phrase.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// Returns the document that defines the feature.
            pub const fn source(self) -> &'static str {
                match self { $(Self::$variant => $source,)+ }
            }

            fn is_in(self, path: &Path<'_, '_>) -> bool {
                let is_in: fn(&Path<'_, '_>) -> bool = match self { $(Self::$variant => $is_in,)+ };
                is_in(path)
            }
        }
    };
}

gaps! {
    EquivalentNames, "equivalent_names",
        "an issuer name that equals the subject above it and is encoded in another way",
        "RFC 5280 section 7.1", has_equivalent_names;
    PssParameters, "pss_parameters",
        "an RSASSA-PSS signature with parameters other than webpki's three",
        "RFC 4055 section 3.1", has_other_pss_parameters;
    CriticalPolicies, "critical_policies",
        "a critical extension about certificate policies",
        "RFC 5280 sections 4.2.1.4, 4.2.1.5, 4.2.1.11 and 4.2.1.14", has_critical_policies;
    DirectoryConstraints, "directory_constraints",
        "name constraints on directoryName",
        "RFC 5280 section 4.2.1.10", has_directory_constraints;
    MailboxConstraints, "mailbox_constraints",
        "name constraints on rfc822Name, with such a name below",
        "RFC 5280 section 4.2.1.10", has_mailbox_constraints;
    UriConstraints, "uri_constraints",
        "name constraints on uniformResourceIdentifier, with such a name below",
        "RFC 5280 section 4.2.1.10", has_uri_constraints;
    HostSyntax, "host_syntax",
        "name constraints on dNSName, with a host name that ends in a number or in a wildcard's only label",
        "RFC 1123 section 2.1", has_unusual_hosts;
    SubtreeMinimum, "subtree_minimum",
        "name constraints with a minimum of zero, which DER leaves out",
        "RFC 5280 section 4.2.1.10", has_subtree_minimum;
    ManyConstrainedNames, "many_constrained_names",
        "name constraints that cost webpki more than a request may cost",
        "RFC 5280 section 4.2.1.10", has_many_constrained_names;
    SelfIssuedAuthority, "self_issued_authority",
        "a self-issued CA, which neither counts for a path length nor is subject to name constraints",
        "RFC 5280 sections 4.2.1.9 and 4.2.1.10", has_exempt_authority;
    LongPathLength, "long_path_length",
        "a path length of more than 255",
        "RFC 5280 section 4.2.1.9", has_long_path_length;
    DeepPath, "deep_path",
        "more than six intermediates",
        "RFC 5280 section 6.1", is_deep;
    LargeCertificate, "large_certificate",
        "a certificate of 65,535 octets or more",
        "RFC 5280 section 4.1", has_large_certificate;
    UniqueIdentifiers, "unique_identifiers",
        "a unique identifier of an issuer or subject",
        "RFC 5280 section 4.1.2.8", has_unique_identifiers;
    EarlyTimes, "early_times",
        "a certificate that became valid before 1970",
        "RFC 5280 section 4.1.2.5", has_early_times;
    UnreadExtension, "unread_extension",
        "an extension that decides nothing for this path, is not critical, and is not a SEQUENCE",
        "RFC 5280 section 4.2", has_unread_extension;
}

/// Set of features that webpki does not process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WebpkiGaps(u32);

impl WebpkiGaps {
    /// The empty set.
    pub const NONE: Self = Self(0);

    pub(super) fn of(path: &Path<'_, '_>) -> Self {
        let all = WebpkiGap::ALL.iter().filter(|gap| gap.is_in(path));
        Self(all.fold(0, |set, gap| set | 1 << *gap as u32))
    }

    /// Returns true if the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the features in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = WebpkiGap> {
        let mut all = WebpkiGap::ALL.iter().copied();
        std::iter::from_fn(move || all.find(|gap| self.0 & 1 << *gap as u32 != 0))
    }
}

impl fmt::Debug for WebpkiGaps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

/// Displays the names, separated by a comma and a space.
impl fmt::Display for WebpkiGaps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, gap) in self.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(formatter, "{separator}{}", gap.name())?;
        }
        Ok(())
    }
}

/// Octets of alternative names times subtrees that webpki may compare. Its own budget of 250,000
/// comparisons takes up to ten milliseconds, and 65,536 of these products a tenth of that. A CA
/// with 100 subtrees can issue for 655 octets of names before webpki is not asked.
const MAX_NAME_CONSTRAINT_WORK: usize = 1 << 16;

/// Intermediates that webpki has room for.
const MAX_INTERMEDIATES: usize = 6;

/// Length of the longest certificate that webpki reads: a header of four octets and a content of
/// 65,534.
const LONGEST_CERTIFICATE: usize = 4 + 65_534;

/// Length of the longest host name for webpki (RFC 1035 §3.1); ours leaves a wildcard label out of
/// the count.
const LONGEST_HOST: usize = 253;

const MAILBOX: Tag = context_tag(1, false);
const HOST: Tag = context_tag(2, false);
const DIRECTORY: Tag = context_tag(4, true);
const URI: Tag = context_tag(6, false);

fn has_equivalent_names(path: &Path<'_, '_>) -> bool {
    let subjects = path.intermediates.iter().map(|issuer| issuer.subject);
    let subjects = subjects.chain([path.anchor.subject().der()]);
    path.certificates()
        .zip(subjects)
        .any(|(certificate, subject)| certificate.issuer != subject)
}

fn has_other_pss_parameters(path: &Path<'_, '_>) -> bool {
    path.certificates().any(|certificate| {
        LISTED_ALGORITHMS
            .iter()
            .all(|known| known.implementation.signature_alg_id().as_ref() != certificate.signature_algorithm)
    })
}

fn has_critical_policies(path: &Path<'_, '_>) -> bool {
    let about_policies = [
        oid::CERTIFICATE_POLICIES,
        oid::POLICY_MAPPINGS,
        oid::POLICY_CONSTRAINTS,
        oid::INHIBIT_ANY_POLICY,
    ];
    has_extension(path, |_, extension| {
        extension.critical
            && about_policies
                .iter()
                .any(|known| known.as_bytes() == extension.oid)
    })
}

fn has_directory_constraints(path: &Path<'_, '_>) -> bool {
    has_constrained(path, |subtree, _| subtree.base.tag == DIRECTORY)
}

fn has_mailbox_constraints(path: &Path<'_, '_>) -> bool {
    has_constrained_kind(path, MAILBOX)
}

fn has_uri_constraints(path: &Path<'_, '_>) -> bool {
    has_constrained_kind(path, URI)
}

fn has_constrained_kind(path: &Path<'_, '_>, kind: Tag) -> bool {
    has_constrained(path, |subtree, names| {
        subtree.base.tag == kind && names.iter().any(|name| name.tag == kind)
    })
}

fn has_unusual_hosts(path: &Path<'_, '_>) -> bool {
    let is_unusual = |host: &[u8]| {
        let last = host.rsplit(|octet| *octet == b'.').next().unwrap_or_default();
        let is_number = !last.is_empty() && last.iter().all(u8::is_ascii_digit);
        let labels = host.split(|octet| *octet == b'.').count();
        is_number || (host.starts_with(b"*.") && labels < 3) || host.len() > LONGEST_HOST
    };
    has_constrained(path, |subtree, names| {
        let mut hosts = names.iter().filter(|name| name.tag == HOST).peekable();
        let is_constrained = subtree.base.tag == HOST && hosts.peek().is_some();
        is_constrained && (is_unusual(subtree.base.content) || hosts.any(|host| is_unusual(host.content)))
    })
}

fn has_subtree_minimum(path: &Path<'_, '_>) -> bool {
    has_constrained(path, |subtree, _| subtree.has_minimum)
}

/// Returns true if webpki should not be asked, for the time that its comparisons can take.
pub(super) fn has_many_constrained_names(path: &Path<'_, '_>) -> bool {
    let issuers = path.intermediates.iter();
    let of_issuers = issuers.filter_map(|issuer| value_of(issuer, oid::NAME_CONSTRAINTS));
    let subtrees: usize = of_issuers
        .chain(path.anchor.name_constraints())
        .map(|value| subtrees(value).map_or(usize::MAX, |subtrees| subtrees.len()))
        .fold(0, usize::saturating_add);
    if subtrees == 0 {
        return false;
    }
    let names = path.certificates();
    let names = names.filter_map(|certificate| value_of(certificate, oid::SUBJECT_ALTERNATIVE_NAME));
    let octets: usize = names.map(<[u8]>::len).sum();
    subtrees.saturating_mul(octets) > MAX_NAME_CONSTRAINT_WORK
}

/// A self-issued CA makes a difference below a path length that all CAs together exceed, and for
/// alternative names of its own under name constraints.
fn has_exempt_authority(path: &Path<'_, '_>) -> bool {
    let is_exempt = |authority: &&&Certificate<'_>| authority.is_self_issued();
    let mut issuers = path.intermediates.iter().enumerate();
    let is_longer = issuers.any(|(below, authority)| {
        let constraints = authority.extensions.basic_constraints;
        let allowed = constraints.and_then(|constraints| constraints.path_length);
        let below = path.intermediates.get(..below).unwrap_or_default();
        allowed.is_some_and(|allowed| usize::try_from(allowed).is_ok_and(|allowed| below.len() > allowed))
            && below.iter().any(|authority| is_exempt(&authority))
    });
    let mut exempt = path.intermediates.iter().filter(is_exempt);
    is_longer
        || (has_constrained(path, |_, _| true)
            && exempt.any(|authority| value_of(authority, oid::SUBJECT_ALTERNATIVE_NAME).is_some()))
}

fn has_long_path_length(path: &Path<'_, '_>) -> bool {
    path.certificates().any(|certificate| {
        let constraints = certificate.extensions.basic_constraints;
        let length = constraints.and_then(|constraints| constraints.path_length);
        length.is_some_and(|length| length > u8::MAX.into())
    })
}

fn is_deep(path: &Path<'_, '_>) -> bool {
    path.intermediates.len() > MAX_INTERMEDIATES
}

fn has_large_certificate(path: &Path<'_, '_>) -> bool {
    let mut certificates = path.certificates();
    certificates.any(|certificate| certificate.der.len() > LONGEST_CERTIFICATE)
}

fn has_unique_identifiers(path: &Path<'_, '_>) -> bool {
    path.certificates()
        .any(|certificate| certificate.has_unique_identifiers)
}

fn has_early_times(path: &Path<'_, '_>) -> bool {
    path.certificates()
        .any(|certificate| certificate.validity.not_before.unix_seconds() < 0)
}

/// webpki reads the outermost SEQUENCE of these extensions in every certificate. Our rules read
/// them where they decide.
fn has_unread_extension(path: &Path<'_, '_>) -> bool {
    let read_by_webpki = [
        oid::SUBJECT_ALTERNATIVE_NAME,
        oid::NAME_CONSTRAINTS,
        oid::CRL_DISTRIBUTION_POINTS,
    ];
    has_extension(path, |_, extension| {
        !extension.critical
            && read_by_webpki
                .iter()
                .any(|known| known.as_bytes() == extension.oid)
            && single(extension.value, Tag::SEQUENCE).is_err()
    })
}

fn has_extension(path: &Path<'_, '_>, is_wanted: impl Fn(&Certificate<'_>, &Extension<'_>) -> bool) -> bool {
    path.certificates().any(|certificate| {
        let mut extensions = certificate.extensions.all.iter();
        extensions.any(|extension| is_wanted(certificate, extension))
    })
}

fn value_of<'a>(certificate: &Certificate<'a>, extension: der::asn1::ObjectIdentifier) -> Option<&'a [u8]> {
    certificate.extensions.find(extension).map(|found| found.value)
}

/// Returns true if `is_wanted` holds for a subtree of an issuer and the alternative names of the
/// certificates below.
fn has_constrained(path: &Path<'_, '_>, is_wanted: impl Fn(&Subtree<'_>, &[Element<'_>]) -> bool) -> bool {
    let holds = |constraints: &[u8], issuers_below: &[&Certificate<'_>]| {
        let mut names = alternative_names(path.end_entity);
        for issuer in issuers_below {
            names.extend(alternative_names(issuer));
        }
        let subtrees = subtrees(constraints).unwrap_or_default();
        subtrees.iter().any(|subtree| is_wanted(subtree, &names))
    };
    let of_anchor = path.anchor.name_constraints();
    of_anchor.is_some_and(|constraints| holds(constraints, path.intermediates))
        || path.intermediates.iter().enumerate().any(|(position, issuer)| {
            let below = path.intermediates.get(..position).unwrap_or_default();
            let constraints = value_of(issuer, oid::NAME_CONSTRAINTS);
            constraints.is_some_and(|constraints| holds(constraints, below))
        })
}

/// Names up to the first one that is not DER; what follows cannot be told apart.
fn alternative_names<'a>(certificate: &Certificate<'a>) -> Vec<Element<'a>> {
    let value = value_of(certificate, oid::SUBJECT_ALTERNATIVE_NAME).unwrap_or_default();
    let mut names = Elements::new(single(value, Tag::SEQUENCE).unwrap_or_default());
    std::iter::from_fn(|| names.next_element().ok()).collect()
}

/// GeneralSubtree (RFC 5280 §4.2.1.10).
struct Subtree<'a> {
    base: Element<'a>,
    has_minimum: bool,
}

/// Reads the permitted subtrees and the excluded ones.
fn subtrees(constraints: &[u8]) -> Result<Vec<Subtree<'_>>, Malformed> {
    let mut lists = Elements::inside(constraints, Tag::SEQUENCE)?;
    let mut all = Vec::new();
    while !lists.at_end() {
        let mut subtrees = Elements::new(lists.next_element()?.content);
        while !subtrees.at_end() {
            let mut fields = Elements::new(subtrees.expect(Tag::SEQUENCE)?.content);
            let base = fields.next_element()?;
            let has_minimum = !fields.at_end();
            all.push(Subtree { base, has_minimum });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_table_are_unique_and_fit_the_set() {
        assert!(WebpkiGap::ALL.len() <= 32);
        for (position, gap) in WebpkiGap::ALL.iter().enumerate() {
            assert!(
                WebpkiGap::ALL[..position]
                    .iter()
                    .all(|other| other.name() != gap.name())
            );
            let set = WebpkiGaps(1 << *gap as u32);
            assert_eq!(set.iter().collect::<Vec<_>>(), [*gap]);
            assert_eq!(set.to_string(), gap.name());
        }
        assert!(WebpkiGaps::NONE.is_empty());
    }
}
