//! Email addresses (RFC 5280 §4.2.1.10): a constraint names one mailbox, a host, or with a dot in
//! front the hosts of a domain.

use std::borrow::Cow;

use super::domain::{host_within, is_constraint, is_host_name};
use super::within::Within;

/// A mailbox taken apart (RFC 5321 §4.1.2), with a local part that means the same however it is
/// quoted.
#[derive(Debug)]
pub(super) struct Mailbox<'a> {
    local: Cow<'a, str>,
    host: &'a str,
}

impl<'a> Mailbox<'a> {
    /// `None` for what is not a mailbox: readers disagree on where mail to `a@b@c` goes.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (local, host) = text.rsplit_once('@')?;
        let local = match local.strip_prefix('"') {
            Some(quoted) => Cow::Owned(unquoted(quoted.strip_suffix('"')?)?),
            None if is_dot_string(local) => Cow::Borrowed(local),
            None => return None,
        };
        is_host_name(host).then_some(Self { local, host })
    }
}

/// The base of a constraint.
#[derive(Debug)]
pub(super) enum Base<'a> {
    One(Mailbox<'a>),
    /// A host, or after a dot the hosts of a domain; every one when it is empty.
    Host(&'a str),
}

impl<'a> Base<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.contains('@') {
            Mailbox::parse(text).map(Self::One)
        } else {
            is_constraint(text).then_some(Self::Host(text))
        }
    }

    pub(super) fn holds(&self, mailbox: &Mailbox<'_>) -> Within {
        let base = match self {
            Self::One(base) => base,
            Self::Host(host) => return host_within(mailbox.host, host),
        };
        if !mailbox.host.eq_ignore_ascii_case(base.host) {
            Within::Not
        } else if mailbox.local == base.local {
            Within::Wholly
        } else if mailbox.local.eq_ignore_ascii_case(&base.local) {
            // The host decides whether these are the same mailbox, and it is not asked.
            Within::Partly
        } else {
            Within::Not
        }
    }
}

/// Words of RFC 5322's `atext`, joined by single dots.
fn is_dot_string(local: &str) -> bool {
    let is_atom_character = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    local
        .split('.')
        .all(|word| !word.is_empty() && word.bytes().all(is_atom_character))
}

/// Returns the text between the quotes, in which `\a` is `a`; `None` if a quote or backslash in it
/// is not escaped (RFC 5321 §4.1.2).
fn unquoted(quoted: &str) -> Option<String> {
    let mut characters = quoted.chars();
    let mut plain = String::with_capacity(quoted.len());
    while let Some(character) = characters.next() {
        plain.push(match character {
            '"' => return None,
            '\\' => characters.next()?,
            other => other,
        });
    }
    Some(plain)
}
