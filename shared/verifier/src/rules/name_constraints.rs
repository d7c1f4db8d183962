//! Name constraints (RFC 5280 §4.2.1.10 and §6.1.3(b), (c)).
//!
//! Each issuer's constraints are applied to every certificate below it, so that those of several
//! issuers add up. What cannot be processed is refused: a constraint that cannot be read, one of a
//! kind that is not processed as soon as a name of that kind is there, and a name that cannot be
//! read where a constraint of its kind is there.

use std::cell::Cell;

use super::{Context, Path};
use crate::rejection::{Reason, Rejection};
use crate::x509::certificate::Certificate;
use crate::x509::der::Malformed;
use crate::x509::name_constraints::{Name, NameConstraints, Names, Within, of_kind};

/// Name of the extension in messages.
const EXTENSION: &str = "name constraints (2.5.29.30)";

/// Comparisons of a short name with a short subtree that one verification costs at most, however
/// many paths it looks at. A millisecond of a release build; 500 subtrees and 200 names, which no
/// real CA comes near.
const MAX_COMPARISONS: usize = 100_000;

/// Comparisons that are left to one verification.
#[derive(Debug)]
pub(crate) struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_COMPARISONS))
    }
}

impl Budget {
    fn spend(&self, comparisons: usize) -> Result<(), Rejection> {
        match self.0.get().checked_sub(comparisons) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => {
                self.0.set(0);
                Err(Rejection::new(Reason::PathTooComplex)
                    .because("too many names under too many name constraints"))
            }
        }
    }
}

pub(super) fn check(path: &Path<'_, '_>, context: &Context) -> Result<(), Rejection> {
    let of_anchor = match path.anchor.name_constraints() {
        None => None,
        Some(value) => {
            let constraints = NameConstraints::parse(value).map_err(|Malformed| {
                let rejection = Rejection::new(Reason::ExtensionMalformed);
                rejection
                    .about(path.anchor.subject().as_str())
                    .in_field(EXTENSION)
            })?;
            // The anchor's constraints are parsed again for each path.
            context.comparisons.spend(constraints.len())?;
            Some(constraints)
        }
    };
    // From the anchor down, so that what was collected applies to all that follows.
    let mut in_force: Vec<&NameConstraints<'_>> = of_anchor.iter().collect();
    for authority in path.intermediates.iter().rev() {
        // RFC 5280 §6.1.3(b): a CA's own roll-over certificates are not names that it issues for.
        if !in_force.is_empty() && !authority.is_self_issued() {
            check_names(authority, &read(authority)?.all, &in_force, context)?;
        }
        let constraints = authority.name_constraints().map_err(|_| {
            let rejection = authority.reject(Reason::ExtensionMalformed);
            rejection.in_field(EXTENSION)
        })?;
        in_force.extend(constraints);
    }
    if in_force.is_empty() {
        return Ok(());
    }
    let names = read(path.end_entity)?;
    check_names(path.end_entity, &names.all, &in_force, context)?;
    // After the names that RFC 5280 constrains, so that a rejection names one of those if it can.
    check_names(path.end_entity, &names.hosts, &in_force, context)
}

fn read<'c, 'a>(certificate: &'c Certificate<'a>) -> Result<&'c Names<'a>, Rejection> {
    certificate.names().map_err(|error| {
        let rejection = certificate.reject(Reason::NameConstraints);
        rejection.in_field(&error.place()).found(error.problem())
    })
}

fn check_names(
    certificate: &Certificate<'_>,
    names: &[Name<'_>],
    in_force: &[&NameConstraints<'_>],
    context: &Context,
) -> Result<(), Rejection> {
    for constraints in in_force {
        for name in names {
            let refuse = |reason, allowed| {
                let rejection = certificate.reject(reason).because(name.to_string());
                rejection
                    .in_field("a name")
                    .found(&name.to_string())
                    .allowed(allowed)
            };
            let permitted = of_kind(&constraints.permitted, name.kind);
            let excluded = of_kind(&constraints.excluded, name.kind);
            context.comparisons.spend(1)?;
            if permitted.is_empty() && excluded.is_empty() {
                continue;
            }
            // RFC 5280 §4.2.1.10: process the constraint or reject the certificate.
            if !name.kind.is_processed() {
                return Err(refuse(
                    Reason::NameConstraintsUnsupported,
                    "no name of this kind below a constraint of this kind",
                ));
            }
            // A name of which it cannot be said whether it is within counts as outside of what is
            // permitted, and as within what is excluded.
            let mut is_permitted = permitted.is_empty();
            for subtree in permitted {
                context.comparisons.spend(subtree.cost)?;
                is_permitted = subtree.holds(name) == Within::Wholly;
                if is_permitted {
                    break;
                }
            }
            if !is_permitted {
                return Err(refuse(Reason::NameConstraints, "within a permitted subtree"));
            }
            for subtree in excluded {
                context.comparisons.spend(subtree.cost)?;
                // An excluded subtree must not be evaded by a name that cannot be compared.
                if subtree.holds(name) != Within::Not {
                    return Err(refuse(
                        Reason::NameConstraints,
                        "outside of every excluded subtree",
                    ));
                }
            }
        }
    }
    Ok(())
}
