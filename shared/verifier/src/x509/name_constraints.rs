//! Name constraints and the names that they apply to (RFC 5280 §4.2.1.6 and §4.2.1.10).

mod domain;
mod mailbox;
mod subtree;
mod within;

use crate::x509::alternative_name::{ALTERNATIVE_NAMES, kind_name};
use crate::x509::der::{Elements, Malformed, Tag, context_tag, small_unsigned};
use crate::x509::extensions::Extension;
use crate::x509::name::{self, COMMON_NAME, EMAIL_ADDRESS, Unrepresentable};

use subtree::Kind;
pub(crate) use subtree::{Name, Subtree};
pub(crate) use within::Within;

/// The subtrees of one issuer, each list in the order of their kinds.
#[derive(Debug)]
pub(crate) struct NameConstraints<'a> {
    pub(crate) permitted: Vec<Subtree<'a>>,
    pub(crate) excluded: Vec<Subtree<'a>>,
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

    /// Returns the number of subtrees.
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
    // Sorted by kind, so that a name is compared only with subtrees of its own kind.
    all.sort_by_key(|subtree| subtree.kind);
    if all.is_empty() {
        Err(Malformed)
    } else {
        Ok(Some(all))
    }
}

/// Reads minimum, which must be zero, and is there in certificates of AD CS although DER leaves a
/// default out (RFC 5280 §4.2.1.10, X.690 §11.5). A maximum is left for the caller to refuse: it
/// must be absent.
fn read_distances(subtree: &mut Elements<'_>) -> Result<(), Malformed> {
    match subtree.optional(context_tag(0, false))? {
        Some(minimum) if small_unsigned(minimum.content)? != 0 => Err(Malformed),
        _ => Ok(()),
    }
}

/// The names of a certificate that constraints apply to, each under every kind that it is.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    /// The subject if there is one, email addresses in it, and the alternative names.
    pub(crate) all: Vec<Name<'a>>,
    /// Common names that look like host names, where no dNSName is there. RFC 5280 leaves them
    /// alone, but clients are identified by them; with a dNSName, CAs and OpenSSL leave them alone
    /// too.
    pub(crate) hosts: Vec<Name<'a>>,
}

pub(crate) fn of_kind<'s, 'a>(subtrees: &'s [Subtree<'a>], kind: Kind) -> &'s [Subtree<'a>] {
    let first = subtrees.partition_point(|subtree| subtree.kind < kind);
    let end = subtrees.partition_point(|subtree| subtree.kind <= kind);
    subtrees.get(first..end).unwrap_or_default()
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
        // RFC 6125 §6.4.4: with a dNSName, the common name does not identify a host.
        if all.iter().any(|name| name.kind == Kind::Dns) {
            hosts.clear();
        }
        Ok(Self { all, hosts })
    }
}

/// Checks that the content of a GeneralNames can be read.
pub(crate) fn check_general_names(content: &[u8]) -> Result<(), Malformed> {
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
