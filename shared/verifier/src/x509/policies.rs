//! Extensions about certificate policies (RFC 5280 §4.2.1.4, §4.2.1.5, §4.2.1.11 and §4.2.1.14).

use crate::x509::der::{Elements, Malformed, Tag, context_tag, single, small_unsigned};
use crate::x509::extensions::Extensions;
use crate::x509::oid::{self, Oid, dotted_list};

/// The values of the four extensions, not looked into; owned for an anchor, borrowed for a
/// certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyExtensions<T> {
    policies: Option<T>,
    mappings: Option<T>,
    constraints: Option<T>,
    inhibit_any: Option<T>,
}

impl<'a> PolicyExtensions<&'a [u8]> {
    pub(crate) fn of(extensions: &Extensions<'a>) -> Self {
        let value = |oid| extensions.find(oid).map(|extension| extension.value);
        Self {
            policies: value(oid::CERTIFICATE_POLICIES),
            mappings: value(oid::POLICY_MAPPINGS),
            constraints: value(oid::POLICY_CONSTRAINTS),
            inhibit_any: value(oid::INHIBIT_ANY_POLICY),
        }
    }

    /// Reads what decides whether policies count at all.
    pub(crate) fn read_constraints(self) -> Result<Constraints, Malformed> {
        let constraints = self.constraints.map(read_constraints).transpose()?;
        Ok(constraints.unwrap_or_default())
    }

    /// Reads the rest, for a path in which policies count.
    pub(crate) fn read(self) -> Result<Statements<'a>, Malformed> {
        Ok(Statements {
            policies: self.policies.map(read_policies).transpose()?,
            mappings: self.mappings.map(read_mappings).transpose()?.unwrap_or_default(),
            constraints: self.read_constraints()?,
            inhibit_any: self.inhibit_any.map(read_inhibit_any).transpose()?,
        })
    }
}

impl PolicyExtensions<Box<[u8]>> {
    /// Takes those of a trust anchor whose constraints can be read; `None` when it says nothing of
    /// policies.
    pub(crate) fn of_anchor(extensions: &Extensions<'_>) -> Result<Option<Self>, Malformed> {
        let values = PolicyExtensions::of(extensions);
        let owned = |value: Option<&[u8]>| value.map(Box::from);
        let all = Self {
            policies: owned(values.policies),
            mappings: owned(values.mappings),
            constraints: owned(values.constraints),
            inhibit_any: owned(values.inhibit_any),
        };
        values.read_constraints()?;
        Ok((all != Self::default()).then_some(all))
    }

    pub(crate) fn as_borrowed(&self) -> PolicyExtensions<&[u8]> {
        PolicyExtensions {
            policies: self.policies.as_deref(),
            mappings: self.mappings.as_deref(),
            constraints: self.constraints.as_deref(),
            inhibit_any: self.inhibit_any.as_deref(),
        }
    }
}

/// Contents of the four extensions of one certificate. Policies are the content octets of their
/// object identifiers.
#[derive(Debug, Default)]
pub(crate) struct Statements<'a> {
    /// In order; `None` without the extension.
    pub(crate) policies: Option<Vec<&'a [u8]>>,
    /// In order.
    pub(crate) mappings: Vec<Mapping<'a>>,
    pub(crate) constraints: Constraints,
    pub(crate) inhibit_any: Option<u32>,
}

impl Statements<'_> {
    /// Lists the policies in dotted form, for messages.
    pub(crate) fn policies_in_words(&self) -> String {
        match &self.policies {
            None => "no policies".to_owned(),
            Some(policies) => dotted_list(policies.iter().copied()),
        }
    }
}

/// The extension policyConstraints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Constraints {
    pub(crate) require_explicit: Option<u32>,
    pub(crate) inhibit_mapping: Option<u32>,
}

/// Entry of policyMappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mapping<'a> {
    pub(crate) issuer_domain: &'a [u8],
    pub(crate) subject_domain: &'a [u8],
}

impl Mapping<'_> {
    fn is_of_any_policy(&self) -> bool {
        [self.issuer_domain, self.subject_domain].contains(&oid::ANY_POLICY.as_bytes())
    }
}

/// Reads the policies of certificatePolicies, in order of their octets.
pub(crate) fn read_policies(value: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let mut policies: Vec<&[u8]> = listed_policies(value)?.into_iter().map(Oid::as_bytes).collect();
    let named = policies.len();
    policies.sort_unstable();
    // Sorted, so that repeats are neighbours and the search for them takes n log n.
    policies.dedup();
    // RFC 5280 §4.2.1.4: none twice.
    if policies.len() < named {
        Err(Malformed)
    } else {
        Ok(policies)
    }
}

/// Reads the policies of certificatePolicies, in the order of the certificate.
pub(crate) fn listed_policies(value: &[u8]) -> Result<Vec<Oid<'_>>, Malformed> {
    let mut elements = Elements::inside(value, Tag::SEQUENCE)?;
    let mut policies = Vec::new();
    while !elements.at_end() {
        let mut information = Elements::new(elements.expect(Tag::SEQUENCE)?.content);
        policies.push(Oid::parse(information.expect(Tag::OBJECT_IDENTIFIER)?.content)?);
        information.optional(Tag::SEQUENCE)?;
        information.finish()?;
    }
    // RFC 5280 §4.2.1.4: at least one.
    if policies.is_empty() {
        Err(Malformed)
    } else {
        Ok(policies)
    }
}

pub(crate) fn read_mappings(value: &[u8]) -> Result<Vec<Mapping<'_>>, Malformed> {
    let mut mappings = listed_mappings(value)?;
    // RFC 5280 §6.1.4(a).
    if mappings.is_empty() || mappings.iter().any(Mapping::is_of_any_policy) {
        return Err(Malformed);
    }
    mappings.sort_unstable();
    Ok(mappings)
}

/// Returns true if a mapping is to or from any-policy. Mappings that cannot be read map nothing.
pub(crate) fn maps_any_policy(value: &[u8]) -> bool {
    listed_mappings(value).is_ok_and(|mappings| mappings.iter().any(Mapping::is_of_any_policy))
}

fn listed_mappings(value: &[u8]) -> Result<Vec<Mapping<'_>>, Malformed> {
    let mut elements = Elements::inside(value, Tag::SEQUENCE)?;
    let mut mappings = Vec::new();
    while !elements.at_end() {
        let mut mapping = Elements::new(elements.expect(Tag::SEQUENCE)?.content);
        let issuer_domain = mapping.expect(Tag::OBJECT_IDENTIFIER)?.content;
        let subject_domain = mapping.expect(Tag::OBJECT_IDENTIFIER)?.content;
        mapping.finish()?;
        mappings.push(Mapping {
            issuer_domain,
            subject_domain,
        });
    }
    Ok(mappings)
}

pub(crate) fn read_inhibit_any(value: &[u8]) -> Result<u32, Malformed> {
    small_unsigned(single(value, Tag::INTEGER)?)
}

/// Reads requireExplicitPolicy and inhibitPolicyMapping.
pub(crate) fn read_constraints(value: &[u8]) -> Result<Constraints, Malformed> {
    let mut fields = Elements::inside(value, Tag::SEQUENCE)?;
    let mut skip_certificates = |tag| match fields.optional(context_tag(tag, false))? {
        None => Ok::<_, Malformed>(None),
        Some(element) => Ok(Some(small_unsigned(element.content)?)),
    };
    let require_explicit = skip_certificates(0)?;
    let inhibit_mapping = skip_certificates(1)?;
    fields.finish()?;
    // RFC 5280 §4.2.1.11: never an empty sequence.
    if require_explicit.is_none() && inhibit_mapping.is_none() {
        return Err(Malformed);
    }
    Ok(Constraints {
        require_explicit,
        inhibit_mapping,
    })
}
