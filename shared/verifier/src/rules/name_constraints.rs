//! Name constraints (RFC 5280 §4.2.1.10 and §6.1.3(b), (c)).
//!
//! Each issuer's constraints are applied to every certificate below it, so that those of several issuers add up.
//! What cannot be processed is refused: a constraint that cannot be read, one of a kind that is not processed as soon
//! as a name of that kind is there, and a name that cannot be read where a constraint of its kind is there.

mod domain;
mod mailbox;
mod subtree;

use std::cell::Cell;

use super::{Context, Path};
use crate::alternative_name::{ALTERNATIVE_NAMES, kind_name};
use crate::certificate::{Certificate, Extension};
use crate::der_reader::{Elements, Malformed, Tag, context_tag, small_unsigned};
use crate::name::{self, COMMON_NAME, EMAIL_ADDRESS, Unrepresentable};
use crate::rejection::{Reason, Rejection};
use subtree::{Kind, Name, Subtree, Within};

/// Name of the extension in messages.
const EXTENSION: &str = "name constraints (2.5.29.30)";

/// Comparisons of a short name with a short subtree that one verification costs at most, however many paths it looks
/// at. A millisecond of a release build; 500 subtrees and 200 names, which no real CA comes near.
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

/// The subtrees of one issuer, each list in the order of their kinds.
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

    /// Number of subtrees.
    pub(crate) fn len(&self) -> usize {
        self.permitted.len() + self.excluded.len()
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
        read_distances(&mut subtree)?;
        subtree.finish()?;
    }
    all.sort_by_key(|subtree| subtree.kind);
    if all.is_empty() {
        Err(Malformed)
    } else {
        Ok(Some(all))
    }
}

/// Reads minimum, which must be zero, and is there in certificates of AD CS although DER leaves a default out (RFC 5280
/// §4.2.1.10, X.690 §11.5). A maximum is left for the caller to refuse: it must be absent.
fn read_distances(subtree: &mut Elements<'_>) -> Result<(), Malformed> {
    match subtree.optional(context_tag(0, false))? {
        Some(minimum) if small_unsigned(minimum.content)? != 0 => Err(Malformed),
        _ => Ok(()),
    }
}

fn of_kind<'s, 'a>(subtrees: &'s [Subtree<'a>], kind: Kind) -> &'s [Subtree<'a>] {
    let first = subtrees.partition_point(|subtree| subtree.kind < kind);
    let end = subtrees.partition_point(|subtree| subtree.kind <= kind);
    subtrees.get(first..end).unwrap_or_default()
}

/// The names of a certificate that constraints apply to, each under every kind that it is.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    /// The subject if there is one, email addresses in it, and the alternative names.
    all: Vec<Name<'a>>,
    /// Common names that look like host names, where no dNSName is there. RFC 5280 leaves them alone, but clients are
    /// identified by them; with a dNSName, CAs and OpenSSL leave them alone too.
    hosts: Vec<Name<'a>>,
}

impl<'a> Names<'a> {
    /// Takes the subject's whole encoding, and the extension subjectAltName.
    pub(crate) fn parse(
        subject: &'a [u8],
        alternative_names: Option<&Extension<'a>>,
    ) -> Result<Self, Unrepresentable> {
        let (mut all, mut hosts) = (Vec::new(), Vec::new());
        let comparable = name::ComparableName::parse(subject).map_err(|error| error.inside("the subject"))?;
        if !comparable.is_empty() {
            all.push(Name::directory(comparable));
        }
        name::walk(subject, |attribute| {
            if attribute.oid == EMAIL_ADDRESS {
                all.push(Name::of_email_attribute(attribute));
            } else if attribute.oid == COMMON_NAME {
                hosts.extend(Name::of_common_name(attribute));
            }
        })?;
        if let Some(extension) = alternative_names {
            let names = Elements::inside(extension.value, Tag::SEQUENCE)?;
            let read = read_general_names(names);
            all.append(&mut read.map_err(|error| error.inside(ALTERNATIVE_NAMES))?);
        }
        if all.iter().any(|name| name.kind == Kind::Dns) {
            hosts.clear();
        }
        Ok(Self { all, hosts })
    }
}

/// Checks that the content of a GeneralNames can be read.
pub(super) fn check_general_names(content: &[u8]) -> Result<(), Malformed> {
    let names = read_general_names(Elements::new(content));
    names.map(|_| ()).map_err(|_| Malformed)
}

/// Reads GeneralNames (RFC 5280 §4.2.1.6).
fn read_general_names(mut elements: Elements<'_>) -> Result<Vec<Name<'_>>, Unrepresentable> {
    let mut names = Vec::new();
    // Never an empty sequence.
    for entry in 1.. {
        let element = elements.next_element()?;
        let pushed = Name::push_all(element, &mut names);
        pushed.map_err(|error| error.inside(format!("entry {entry} ({})", kind_name(element.tag))))?;
        if elements.at_end() {
            break;
        }
    }
    Ok(names)
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
            if !name.kind.is_processed() {
                return Err(refuse(
                    Reason::NameConstraintsUnsupported,
                    "no name of this kind below a constraint of this kind",
                ));
            }
            // A name of which it cannot be said whether it is within counts as outside of what is permitted, and as
            // within what is excluded.
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
