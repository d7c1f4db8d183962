//! Name constraints (RFC 5280 §4.2.1.10 and §6.1.3(b), (c)).
//!
//! Each issuer's constraints are applied to every certificate below it, so that those of several issuers add up.
//! What cannot be processed is refused: a constraint that cannot be read, one of a kind that is not processed as soon
//! as a name of that kind is there, and a name that cannot be read where a constraint of its kind is there.

mod domain;
mod mailbox;
mod subtree;

use super::{Context, Path};
use crate::certificate::{Certificate, oid};
use crate::der_reader::{Elements, Malformed, Tag, context_tag};
use crate::name::{self, AttributeValue, EMAIL_ADDRESS, Unrepresentable};
use crate::rejection::{Reason, Rejection};
use subtree::{Kind, Name, Subtree, Within};

/// Comparisons of a name with a subtree that one path may cost at most.
const MAX_COMPARISONS: usize = 100_000;

/// The subtrees of one issuer.
#[derive(Debug)]
pub(crate) struct NameConstraints<'a> {
    permitted: Vec<Subtree<'a>>,
    excluded: Vec<Subtree<'a>>,
}

impl<'a> NameConstraints<'a> {
    /// Reads the value of the extension.
    pub(crate) fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Elements::inside(value, Tag::SEQUENCE)?;
        let permitted = parse_subtrees(&mut fields, 0)?;
        let excluded = parse_subtrees(&mut fields, 1)?;
        fields.finish()?;
        // RFC 5280 §4.2.1.10: never an empty sequence.
        if permitted.is_none() && excluded.is_none() {
            return Err(Malformed);
        }
        Ok(Self {
            permitted: permitted.unwrap_or_default(),
            excluded: excluded.unwrap_or_default(),
        })
    }

    fn constrains(&self, kind: Kind) -> bool {
        let mut all = self.permitted.iter().chain(&self.excluded);
        all.any(|subtree| subtree.kind() == kind)
    }
}

fn parse_subtrees<'a>(fields: &mut Elements<'a>, tag: u8) -> Result<Option<Vec<Subtree<'a>>>, Malformed> {
    let Some(subtrees) = fields.optional(context_tag(tag, true))? else {
        return Ok(None);
    };
    let mut elements = Elements::new(subtrees.content);
    let mut all = Vec::new();
    while !elements.at_end() {
        let mut subtree = Elements::new(elements.expect(Tag::SEQUENCE)?.content);
        all.push(Subtree::parse(subtree.next_element()?)?);
        // minimum must be zero, which DER leaves out, and maximum must be absent.
        subtree.finish()?;
    }
    if all.is_empty() {
        Err(Malformed)
    } else {
        Ok(Some(all))
    }
}

pub(super) fn check(path: &Path<'_, '_>, _: &Context) -> Result<(), Rejection> {
    let of_anchor = path.anchor.name_constraints();
    let is_constrained =
        |certificate: &&Certificate<'_>| certificate.extensions.find(oid::NAME_CONSTRAINTS).is_some();
    if of_anchor.is_none() && !path.intermediates.iter().any(is_constrained) {
        return Ok(());
    }

    // In the order of the path from the anchor down, so that whatever was collected applies to all that follows.
    let mut in_force = Vec::new();
    if let Some(value) = of_anchor {
        let constraints = NameConstraints::parse(value).map_err(|_| Reason::ExtensionMalformed)?;
        in_force.push(constraints);
    }
    let mut comparisons = 0;
    for (below, certificate) in path
        .certificates()
        .enumerate()
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let is_end_entity = below == 0;
        // RFC 5280 §6.1.3(b): a CA's own roll-over certificates are not names that it issues for.
        if is_end_entity || !certificate.is_self_issued() {
            check_names(certificate, &in_force, &mut comparisons)?;
        }
        if is_end_entity {
            break;
        }
        if let Some(extension) = certificate.extensions.find(oid::NAME_CONSTRAINTS) {
            let constraints = NameConstraints::parse(extension.value).map_err(|_| {
                certificate
                    .reject(Reason::ExtensionMalformed)
                    .because("name constraints")
            })?;
            in_force.push(constraints);
        }
    }
    Ok(())
}

fn check_names(
    certificate: &Certificate<'_>,
    in_force: &[NameConstraints<'_>],
    comparisons: &mut usize,
) -> Result<(), Rejection> {
    if in_force.is_empty() {
        return Ok(());
    }
    let unreadable = |_| {
        certificate
            .reject(Reason::NameConstraints)
            .because("a name cannot be read")
    };
    let names = names_of(certificate).map_err(unreadable)?;
    for constraints in in_force {
        for name in &names {
            *comparisons = comparisons
                .saturating_add(constraints.permitted.len())
                .saturating_add(constraints.excluded.len());
            if *comparisons > MAX_COMPARISONS {
                return Err(certificate
                    .reject(Reason::PathTooComplex)
                    .because("too many names and name constraints"));
            }
            check_name(name, constraints)
                .map_err(|reason| certificate.reject(reason).because(name.to_string()))?;
        }
    }
    Ok(())
}

fn check_name(name: &Name<'_>, constraints: &NameConstraints<'_>) -> Result<(), Reason> {
    let kind = name.kind();
    if !constraints.constrains(kind) {
        return Ok(());
    }
    if !kind.is_processed() {
        return Err(Reason::NameConstraintsUnsupported);
    }
    let mut permitted = constraints
        .permitted
        .iter()
        .filter(|subtree| subtree.kind() == kind);
    let mut excluded = constraints
        .excluded
        .iter()
        .filter(|subtree| subtree.kind() == kind);
    let any_permitted = permitted.clone().next().is_some();
    // A name of which it cannot be said whether it is within counts as outside of what is permitted, and as within
    // what is excluded.
    if any_permitted && !permitted.any(|subtree| subtree.holds(name) == Within::Wholly) {
        return Err(Reason::NameConstraints);
    }
    if excluded.any(|subtree| subtree.holds(name) != Within::Not) {
        return Err(Reason::NameConstraints);
    }
    Ok(())
}

/// The subject if there is one, email addresses in it, and the alternative names.
fn names_of<'a>(certificate: &Certificate<'a>) -> Result<Vec<Name<'a>>, Unrepresentable> {
    let mut names = Vec::new();
    let subject = name::ComparableName::parse(certificate.subject)?;
    if !subject.is_empty() {
        names.push(Name::Directory(subject));
    }
    name::walk(certificate.subject, |attribute| {
        if attribute.oid == EMAIL_ADDRESS {
            names.push(match attribute.value {
                AttributeValue::Text(text) => Name::Mailbox(text),
                AttributeValue::Der(_) => Name::Unprocessed(Kind::Mailbox),
            });
        }
    })?;
    if let Some(extension) = certificate.extensions.find(oid::SUBJECT_ALTERNATIVE_NAME) {
        let mut elements = Elements::inside(extension.value, Tag::SEQUENCE)?;
        while !elements.at_end() {
            names.push(Name::parse(elements.next_element()?)?);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
