//! Names, subtrees, and the relation of one name to one subtree (RFC 5280 §4.2.1.10).

use std::borrow::Cow;
use std::fmt;

use super::domain;
use super::mailbox::{self, Mailbox};
use super::within::Within;
use crate::x509::der::{Element, Elements, Malformed, Tag, context_tag};
use crate::x509::name::{AttributeValue, ComparableName, Comparison, NameAttribute, Unrepresentable, ascii};
use crate::x509::oid;

/// The kinds of GeneralName (RFC 5280 §4.2.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
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
    pub(crate) fn is_processed(self) -> bool {
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

/// A name of a certificate, under one of the kinds that it is.
#[derive(Debug)]
pub(crate) struct Name<'a> {
    pub(crate) kind: Kind,
    /// `None` for a name that is not a valid one of its kind or cannot be compared: it may lie in
    /// any subtree, and surely lies in none.
    form: Option<Form<'a>>,
    text: Cow<'a, str>,
}

/// A valid name, taken apart.
#[derive(Debug)]
enum Form<'a> {
    Address(&'a [u8]),
    Directory(ComparableName<'a>),
    Dns,
    Mailbox(Mailbox<'a>),
    /// The host of a URI.
    Uri(&'a str),
}

impl<'a> Name<'a> {
    /// Adds a GeneralName under every kind that it is.
    pub(crate) fn push_all(element: Element<'a>, names: &mut Vec<Self>) -> Result<(), Unrepresentable> {
        let content = element.content;
        let kind = Kind::of(element.tag)?;
        let name = match kind {
            Kind::Address => Self {
                kind,
                form: matches!(content.len(), 4 | 16).then_some(Form::Address(content)),
                text: Cow::Borrowed("an address"),
            },
            Kind::Directory => Self::directory(ComparableName::parse(content)?),
            Kind::Dns => Self::dns(Cow::Borrowed(ascii(content)?)),
            Kind::Mailbox => Self::mailbox(ascii(content)?),
            Kind::Uri => Self::uri(ascii(content)?),
            Kind::Other => {
                // RFC 9598 §6: constraints on rfc822Name hold for SmtpUTF8Mailbox as well.
                if other_name_type(content)? == oid::INTERNATIONAL_MAILBOX.as_bytes() {
                    names.push(Self::opaque(Kind::Mailbox));
                }
                Self::opaque(kind)
            }
            Kind::RegisteredId | Kind::EdiParty | Kind::X400Address => Self::opaque(kind),
        };
        names.push(name);
        Ok(())
    }

    pub(crate) fn directory(name: ComparableName<'a>) -> Self {
        Self {
            kind: Kind::Directory,
            form: Some(Form::Directory(name)),
            text: Cow::Borrowed("the subject or a directoryName"),
        }
    }

    fn dns(text: Cow<'a, str>) -> Self {
        Self {
            kind: Kind::Dns,
            form: domain::is_dns_name(&text).then_some(Form::Dns),
            text,
        }
    }

    fn mailbox(text: &'a str) -> Self {
        Self {
            kind: Kind::Mailbox,
            form: Mailbox::parse(text).map(Form::Mailbox),
            text: Cow::Borrowed(text),
        }
    }

    fn uri(text: &'a str) -> Self {
        Self {
            kind: Kind::Uri,
            form: domain::host_of_uri(text).map(Form::Uri),
            text: Cow::Borrowed(text),
        }
    }

    fn opaque(kind: Kind) -> Self {
        Self {
            kind,
            form: None,
            text: Cow::Borrowed("a name that cannot be compared"),
        }
    }

    /// Takes an emailAddress attribute of a subject (RFC 5280 §4.2.1.10).
    pub(crate) fn of_email_attribute(attribute: NameAttribute<'a>) -> Self {
        match attribute.value {
            AttributeValue::Text(Cow::Borrowed(text)) => Self::mailbox(text),
            // PKCS #9 has an IA5String here.
            AttributeValue::Text(Cow::Owned(_)) | AttributeValue::Der(_) => Self::opaque(Kind::Mailbox),
        }
    }

    /// A commonName that is taken for a host name, if it looks like one.
    pub(crate) fn of_common_name(attribute: NameAttribute<'a>) -> Option<Self> {
        match attribute.value {
            AttributeValue::Text(text) if domain::looks_like_host(&text) => Some(Self::dns(text)),
            AttributeValue::Text(_) | AttributeValue::Der(_) => None,
        }
    }
}

fn other_name_type(other_name: &[u8]) -> Result<&[u8], Malformed> {
    let mut fields = Elements::new(other_name);
    let kind = fields.expect(Tag::OBJECT_IDENTIFIER)?.content;
    fields.expect(context_tag(0, true))?;
    fields.finish()?;
    Ok(kind)
}

/// For the operator; what a client wrote is shown escaped.
impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 200;
        write!(formatter, "{:?} ", self.kind)?;
        let text = self.text.escape_default();
        match text.clone().nth(SHOWN) {
            None => write!(formatter, "`{text}`"),
            Some(_) => {
                formatter.write_str("`")?;
                text.take(SHOWN)
                    .try_for_each(|character| fmt::Write::write_char(formatter, character))?;
                formatter.write_str("…`")
            }
        }
    }
}

/// The base of a GeneralSubtree.
#[derive(Debug)]
pub(crate) struct Subtree<'a> {
    pub(crate) kind: Kind,
    /// `None` for a kind that is not processed.
    base: Option<Base<'a>>,
    /// Comparisons of short names that a comparison with this base costs as much as.
    pub(crate) cost: usize,
}

#[derive(Debug)]
enum Base<'a> {
    Address { base: &'a [u8], mask: &'a [u8] },
    Directory(ComparableName<'a>),
    Dns(&'a str),
    Mailbox(mailbox::Base<'a>),
    Uri(&'a str),
}

impl<'a> Subtree<'a> {
    pub(crate) fn parse(base: Element<'a>) -> Result<Self, Malformed> {
        let content = base.content;
        let kind = Kind::of(base.tag)?;
        let text = || ascii(content).map_err(|_| Malformed);
        let host = || text().and_then(|text| domain::is_constraint(text).then_some(text).ok_or(Malformed));
        let base = match kind {
            Kind::Address => Some(parse_address(content)?),
            Kind::Directory => Some(Base::Directory(
                ComparableName::parse(content).map_err(|_| Malformed)?,
            )),
            Kind::Dns => Some(Base::Dns(host()?)),
            Kind::Mailbox => Some(Base::Mailbox(mailbox::Base::parse(text()?).ok_or(Malformed)?)),
            Kind::Uri => Some(Base::Uri(host()?)),
            Kind::Other | Kind::RegisteredId | Kind::EdiParty | Kind::X400Address => None,
        };
        Ok(Self {
            kind,
            base,
            cost: 1 + content.len() / 16,
        })
    }

    /// Compares the subtree with a name of its own kind.
    pub(crate) fn holds(&self, name: &Name<'_>) -> Within {
        match (&self.base, &name.form) {
            (Some(Base::Address { base, mask }), Some(Form::Address(address))) => {
                address_within(address, base, mask)
            }
            (Some(Base::Directory(base)), Some(Form::Directory(name))) => match name.is_within(base) {
                Comparison::Same => Within::Wholly,
                Comparison::Different => Within::Not,
                Comparison::Undecided => Within::Partly,
            },
            (Some(Base::Dns(base)), Some(Form::Dns)) => domain::dns_within(&name.text, base),
            (Some(Base::Mailbox(base)), Some(Form::Mailbox(mailbox))) => base.holds(mailbox),
            (Some(Base::Uri(base)), Some(Form::Uri(host))) => domain::host_within(host, base),
            _ => Within::Partly,
        }
    }
}

/// Reads an address and a mask whose one-bits stand together (RFC 5280 §4.2.1.10, RFC 4632).
fn parse_address(content: &[u8]) -> Result<Base<'_>, Malformed> {
    if !matches!(content.len(), 8 | 32) {
        return Err(Malformed);
    }
    let (base, mask) = content.split_at_checked(content.len() / 2).ok_or(Malformed)?;
    let mut rest = mask.iter().skip_while(|octet| **octet == 0xFF);
    let first = rest.next().copied().unwrap_or(0);
    // A mask with gaps permits addresses that a reader does not expect; Go and webpki reject it
    // too.
    if first.leading_ones() + first.trailing_zeros() < 8 || rest.any(|octet| *octet != 0) {
        return Err(Malformed);
    }
    Ok(Base::Address { base, mask })
}

fn address_within(address: &[u8], base: &[u8], mask: &[u8]) -> Within {
    if address.len() != base.len() {
        // IPv4 and IPv6 have nothing in common.
        return Within::Not;
    }
    let mut octets = address.iter().zip(base).zip(mask);
    if octets.all(|((address, base), mask)| address & mask == base & mask) {
        Within::Wholly
    } else {
        Within::Not
    }
}
