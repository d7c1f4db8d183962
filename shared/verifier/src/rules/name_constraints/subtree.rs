//! One name, one subtree, and whether the one lies in the other.

use std::borrow::Cow;
use std::fmt;

use super::{domain, mailbox};
use crate::certificate::oid;
use crate::der_reader::{Element, Elements, Malformed, Tag};
use crate::name::{ComparableName, Comparison, Unrepresentable, ascii};

/// The kinds of GeneralName (RFC 5280 §4.2.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Address,
    Directory,
    Dns,
    EdiParty,
    Mailbox,
    Other,
    RegisteredId,
    Uri,
    X400Address,
}

impl Kind {
    pub(super) fn is_processed(self) -> bool {
        match self {
            Self::Address | Self::Directory | Self::Dns | Self::Mailbox | Self::Uri => true,
            Self::EdiParty | Self::Other | Self::RegisteredId | Self::X400Address => false,
        }
    }

    fn of(tag: Tag) -> Result<Self, Malformed> {
        match tag.context_specific().ok_or(Malformed)? {
            (0, true) => Ok(Self::Other),
            (1, false) => Ok(Self::Mailbox),
            (2, false) => Ok(Self::Dns),
            (3, true) => Ok(Self::X400Address),
            (4, true) => Ok(Self::Directory),
            (5, true) => Ok(Self::EdiParty),
            (6, false) => Ok(Self::Uri),
            (7, false) => Ok(Self::Address),
            (8, false) => Ok(Self::RegisteredId),
            _ => Err(Malformed),
        }
    }
}

/// A name of a certificate.
#[derive(Debug)]
pub(super) enum Name<'a> {
    Address(&'a [u8]),
    Directory(ComparableName<'a>),
    Dns(&'a str),
    Mailbox(Cow<'a, str>),
    Uri(&'a str),
    /// A name that is there and cannot be compared.
    Unprocessed(Kind),
}

impl<'a> Name<'a> {
    pub(super) fn parse(element: Element<'a>) -> Result<Self, Unrepresentable> {
        let content = element.content;
        Ok(match Kind::of(element.tag)? {
            Kind::Address => Self::Address(content),
            Kind::Directory => Self::Directory(ComparableName::parse(content)?),
            Kind::Dns => Self::Dns(ascii(content)?),
            Kind::Mailbox => Self::Mailbox(Cow::Borrowed(ascii(content)?)),
            Kind::Uri => Self::Uri(ascii(content)?),
            Kind::Other if is_international_mailbox(content)? => Self::Unprocessed(Kind::Mailbox),
            kind => Self::Unprocessed(kind),
        })
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Address(_) => Kind::Address,
            Self::Directory(_) => Kind::Directory,
            Self::Dns(_) => Kind::Dns,
            Self::Mailbox(_) => Kind::Mailbox,
            Self::Uri(_) => Kind::Uri,
            Self::Unprocessed(kind) => *kind,
        }
    }
}

fn is_international_mailbox(other_name: &[u8]) -> Result<bool, Malformed> {
    let kind = Elements::new(other_name).expect(Tag::OBJECT_IDENTIFIER)?.content;
    Ok(kind == oid::INTERNATIONAL_MAILBOX.as_bytes())
}

/// For the operator; what a client wrote is shown escaped.
impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(octets) => write!(formatter, "an address of {} octets", octets.len()),
            Self::Directory(_) => formatter.write_str("the subject or a directoryName"),
            Self::Dns(name) | Self::Uri(name) => write!(formatter, "`{}`", name.escape_default()),
            Self::Mailbox(name) => write!(formatter, "`{}`", name.escape_default()),
            Self::Unprocessed(kind) => write!(formatter, "a name of kind {kind:?}"),
        }
    }
}

/// The base of a GeneralSubtree.
#[derive(Debug)]
pub(super) enum Subtree<'a> {
    Address { base: &'a [u8], mask: &'a [u8] },
    Directory(ComparableName<'a>),
    Dns(&'a str),
    Mailbox(&'a str),
    Uri(&'a str),
    Unprocessed(Kind),
}

/// Whether a name lies in a subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    Not,
    /// Some of what the name stands for, or perhaps.
    Partly,
    /// The name is not well-formed.
    Unreadable,
    Wholly,
}

impl<'a> Subtree<'a> {
    pub(super) fn parse(base: Element<'a>) -> Result<Self, Malformed> {
        let content = base.content;
        let text = || ascii(content).map_err(|_| Malformed);
        let (well_formed, subtree) = match Kind::of(base.tag)? {
            Kind::Address => return Self::parse_address(content),
            Kind::Directory => {
                let name = ComparableName::parse(content).map_err(|_| Malformed)?;
                (true, Self::Directory(name))
            }
            Kind::Dns => (domain::is_constraint(text()?), Self::Dns(text()?)),
            Kind::Mailbox => (mailbox::is_valid_constraint(text()?), Self::Mailbox(text()?)),
            Kind::Uri => (domain::is_constraint(text()?), Self::Uri(text()?)),
            kind => (true, Self::Unprocessed(kind)),
        };
        if well_formed { Ok(subtree) } else { Err(Malformed) }
    }

    /// An address and a mask whose one-bits stand together.
    fn parse_address(content: &'a [u8]) -> Result<Self, Malformed> {
        if !matches!(content.len(), 8 | 32) {
            return Err(Malformed);
        }
        let (base, mask) = content.split_at_checked(content.len() / 2).ok_or(Malformed)?;
        let mut rest = mask.iter().skip_while(|octet| **octet == 0xFF);
        let first = rest.next().copied().unwrap_or(0);
        if first.leading_ones() + first.trailing_zeros() < 8 || rest.any(|octet| *octet != 0) {
            return Err(Malformed);
        }
        Ok(Self::Address { base, mask })
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Address { .. } => Kind::Address,
            Self::Directory(_) => Kind::Directory,
            Self::Dns(_) => Kind::Dns,
            Self::Mailbox(_) => Kind::Mailbox,
            Self::Uri(_) => Kind::Uri,
            Self::Unprocessed(kind) => *kind,
        }
    }

    /// Whether the subtree holds a name of its own kind.
    pub(super) fn holds(&self, name: &Name<'_>) -> Within {
        match (self, name) {
            (Self::Address { base, mask }, Name::Address(address)) => address_within(address, base, mask),
            (Self::Directory(base), Name::Directory(name)) => match name.is_within(base) {
                Comparison::Same => Within::Wholly,
                Comparison::Different => Within::Not,
                Comparison::Undecided => Within::Partly,
            },
            (Self::Dns(base), Name::Dns(name)) if domain::is_dns_name(name) => domain::dns_within(name, base),
            (Self::Mailbox(base), Name::Mailbox(name)) => mailbox::mailbox_within(name, base),
            (Self::Uri(base), Name::Uri(uri)) => match domain::host_of_uri(uri) {
                Some(host) => domain::host_within(host, base),
                None => Within::Unreadable,
            },
            _ => Within::Unreadable,
        }
    }
}

fn address_within(address: &[u8], base: &[u8], mask: &[u8]) -> Within {
    if !matches!(address.len(), 4 | 16) {
        Within::Unreadable
    } else if address.len() != base.len() {
        // IPv4 and IPv6 have nothing in common.
        Within::Not
    } else {
        let mut octets = address.iter().zip(base).zip(mask);
        if octets.all(|((address, base), mask)| address & mask == base & mask) {
            Within::Wholly
        } else {
            Within::Not
        }
    }
}
