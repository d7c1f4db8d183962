//! Certificate policies (RFC 5280 §6.1, with the policies of one depth as a set, as RFC 9618 has
//! it, so that hostile policies and mappings cost no more than their length).
//!
//! The initial policy set is any-policy, and no explicit policy is required at the start: a path is
//! refused only when an issuer in it, or its anchor, requires a policy that it does not have.

use super::{Context, Path};
use crate::rejection::{Reason, Rejection};
use crate::x509::certificate::Certificate;
use crate::x509::der::{Elements, Malformed, Tag};
use crate::x509::oid::{self, dotted};
use crate::x509::policies::{
    Constraints, Mapping, PolicyExtensions, Statements, maps_any_policy, read_policies,
};

pub(super) fn check(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    let mut is_required = false;
    for issuer in path.intermediates {
        check_mappings(issuer)?;
    }
    for certificate in path.certificates() {
        let constraints = read_constraints_of(certificate)?;
        is_required |= constraints.require_explicit.is_some();
    }
    let of_anchor = path.anchor.policy_extensions().map(PolicyExtensions::as_borrowed);
    let unreadable = |Malformed| {
        let rejection = Rejection::new(Reason::ExtensionMalformed);
        rejection
            .about(path.anchor.subject().as_str())
            .in_field(EXTENSIONS)
    };
    if let Some(extensions) = of_anchor {
        let constraints = extensions.read_constraints().map_err(unreadable)?;
        is_required |= constraints.require_explicit.is_some();
    }
    // Where no issuer requires a policy, policies are information for the reader of the identity,
    // and those that are not critical and cannot be read decide nothing.
    if !is_required {
        return Ok(());
    }

    let of_anchor = of_anchor
        .map(PolicyExtensions::read)
        .transpose()
        .map_err(unreadable)?;
    let statements: Vec<Statements<'_>> = path.certificates().map(read).collect::<Result<_, _>>()?;
    let mut state = State::new(path.depth());
    if let Some(statements) = &of_anchor {
        state.start_from(statements);
    }
    let downwards = path.certificates().zip(&statements).enumerate();
    for (below, (certificate, statements)) in downwards.collect::<Vec<_>>().into_iter().rev() {
        let is_end_entity = below == 0;
        let is_self_issued = !is_end_entity && certificate.is_self_issued();
        state.process(statements, is_self_issued);
        if is_end_entity {
            state.wrap_up(statements);
        } else {
            state.prepare_for_next(statements, is_self_issued);
        }
        if state.is_violated() {
            let rejection = certificate.reject(Reason::CertificatePolicies);
            return Err(rejection
                .in_field("certificate policies (2.5.29.32)")
                .found(&statements.policies_in_words()));
        }
    }
    Ok(())
}

/// Names of the extensions in messages.
const EXTENSIONS: &str = "certificate policies, their mappings or constraints (2.5.29.32, 33, 36 and 54)";

/// Checks that mappings name no any-policy, also where no policy is required (RFC 5280 §6.1.4(a)).
fn check_mappings(issuer: &Certificate<'_>) -> Result<(), Rejection> {
    let mappings = issuer.extensions.find(oid::POLICY_MAPPINGS);
    if mappings.is_some_and(|mappings| maps_any_policy(mappings.value)) {
        let rejection = issuer.reject(Reason::ExtensionMalformed);
        return Err(rejection
            .in_field("policy mappings (2.5.29.33)")
            .found("a mapping of anyPolicy"));
    }
    Ok(())
}

/// Checks critical policies with their qualifiers, and reads the constraints.
fn read_constraints_of(certificate: &Certificate<'_>) -> Result<Constraints, Rejection> {
    let extensions = &certificate.extensions;
    let malformed = |Malformed| {
        certificate
            .reject(Reason::ExtensionMalformed)
            .in_field(EXTENSIONS)
    };
    // RFC 5280 §4.2.1.4: a verifier that processes a critical extension must know its qualifiers.
    let policies = extensions.find(oid::CERTIFICATE_POLICIES);
    if let Some(policies) = policies.filter(|policies| policies.critical) {
        read_policies(policies.value).map_err(malformed)?;
        if let Some(qualifier) = unknown_qualifier(policies.value).map_err(malformed)? {
            return Err(certificate
                .reject(Reason::CriticalExtension)
                .in_field("policy qualifier of critical certificate policies (2.5.29.32)")
                .found(&dotted(qualifier))
                .allowed("id-qt-cps (1.3.6.1.5.5.7.2.1), id-qt-unotice (1.3.6.1.5.5.7.2.2)"));
        }
    }
    PolicyExtensions::of(extensions)
        .read_constraints()
        .map_err(malformed)
}

fn read<'a>(certificate: &Certificate<'a>) -> Result<Statements<'a>, Rejection> {
    let read = PolicyExtensions::of(&certificate.extensions).read();
    read.map_err(|Malformed| {
        certificate
            .reject(Reason::ExtensionMalformed)
            .in_field(EXTENSIONS)
    })
}

/// Returns the first policy qualifier that RFC 5280 does not define.
fn unknown_qualifier(value: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut elements = Elements::inside(value, Tag::SEQUENCE)?;
    while !elements.at_end() {
        let mut information = Elements::new(elements.expect(Tag::SEQUENCE)?.content);
        information.expect(Tag::OBJECT_IDENTIFIER)?;
        let Some(qualifiers) = information.optional(Tag::SEQUENCE)? else {
            continue;
        };
        let mut qualifiers = Elements::new(qualifiers.content);
        while !qualifiers.at_end() {
            let mut qualifier = Elements::new(qualifiers.expect(Tag::SEQUENCE)?.content);
            let kind = qualifier.expect(Tag::OBJECT_IDENTIFIER)?.content;
            if kind != oid::QUALIFIER_CERTIFICATION_PRACTICE.as_bytes()
                && kind != oid::QUALIFIER_USER_NOTICE.as_bytes()
            {
                return Ok(Some(kind));
            }
        }
    }
    Ok(None)
}

/// The state variables of RFC 5280 §6.1.2, with the valid policies of one depth in place of a tree.
///
/// Only whether the tree has leaves matters, so that their ancestors need not be kept: a leaf's
/// policy is valid, and what a next certificate may name is what the leaves expect.
#[derive(Debug)]
struct State<'a> {
    explicit_policy: usize,
    policy_mapping: usize,
    inhibit_any_policy: usize,
    /// There is a leaf for any-policy.
    any: bool,
    /// Policies that the other leaves expect, in order and each once; equal to their own policies
    /// until they are mapped.
    expected: Vec<&'a [u8]>,
}

impl<'a> State<'a> {
    fn new(depth: usize) -> Self {
        Self {
            explicit_policy: depth + 1,
            policy_mapping: depth + 1,
            inhibit_any_policy: depth + 1,
            any: true,
            expected: Vec::new(),
        }
    }

    /// Starts with the anchor as if it were the path's first certificate (RFC 5937 §3), except that
    /// an anchor that names no policies allows every one.
    fn start_from(&mut self, anchor: &Statements<'a>) {
        if anchor.policies.is_some() {
            self.process(anchor, true);
        }
        self.prepare_for_next(anchor, true);
    }

    /// RFC 5280 §6.1.3(d), (e).
    fn process(&mut self, statements: &Statements<'a>, is_self_issued: bool) {
        let any_policy = oid::ANY_POLICY.as_bytes();
        let Some(policies) = &statements.policies else {
            self.any = false;
            self.expected.clear();
            return;
        };
        let names_any = policies.binary_search(&any_policy).is_ok();
        let takes_any = names_any && (self.inhibit_any_policy > 0 || is_self_issued);
        let is_valid = |policy: &&'a [u8]| {
            *policy != any_policy && (self.any || self.expected.binary_search(policy).is_ok())
        };
        let mut valid: Vec<&'a [u8]> = policies.iter().copied().filter(is_valid).collect();
        if takes_any {
            valid.append(&mut self.expected);
        }
        valid.sort_unstable();
        valid.dedup();
        self.expected = valid;
        self.any &= takes_any;
    }

    /// RFC 5280 §6.1.4(b), (h) to (j).
    fn prepare_for_next(&mut self, statements: &Statements<'a>, is_self_issued: bool) {
        self.map(&statements.mappings);
        if !is_self_issued {
            for counter in [
                &mut self.explicit_policy,
                &mut self.policy_mapping,
                &mut self.inhibit_any_policy,
            ] {
                *counter = counter.saturating_sub(1);
            }
        }
        lower(&mut self.explicit_policy, statements.constraints.require_explicit);
        lower(&mut self.policy_mapping, statements.constraints.inhibit_mapping);
        lower(&mut self.inhibit_any_policy, statements.inhibit_any);
    }

    fn map(&mut self, mappings: &[Mapping<'a>]) {
        if mappings.is_empty() {
            return;
        }
        let is_mapped = |policy: &[u8]| {
            let by_policy = mappings.binary_search_by_key(&policy, |mapping| mapping.issuer_domain);
            by_policy.is_ok()
        };
        let mut expected: Vec<&'a [u8]> = self.expected.clone();
        expected.retain(|policy| !is_mapped(policy));
        if self.policy_mapping > 0 {
            let is_valid = |policy: &&'a [u8]| self.any || self.expected.binary_search(policy).is_ok();
            let targets = mappings.iter().filter(|mapping| is_valid(&mapping.issuer_domain));
            expected.extend(targets.map(|mapping| mapping.subject_domain));
        }
        expected.sort_unstable();
        expected.dedup();
        self.expected = expected;
    }

    /// RFC 5280 §6.1.5(a), (b).
    fn wrap_up(&mut self, statements: &Statements<'a>) {
        self.explicit_policy = self.explicit_policy.saturating_sub(1);
        if statements.constraints.require_explicit == Some(0) {
            self.explicit_policy = 0;
        }
    }

    /// RFC 5280 §6.1.3(f), §6.1.5(g).
    fn is_violated(&self) -> bool {
        self.explicit_policy == 0 && !self.any && self.expected.is_empty()
    }
}

fn lower(counter: &mut usize, limit: Option<u32>) {
    if let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) {
        *counter = limit.min(*counter);
    }
}

#[cfg(test)]
mod tests;
