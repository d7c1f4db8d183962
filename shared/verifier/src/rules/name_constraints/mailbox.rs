//! Email addresses (RFC 5280 §4.2.1.10): a constraint names one mailbox, a host, or with a dot in front the hosts of
//! a domain.

use std::borrow::Cow;

use super::domain::{host_within, is_constraint, is_host_name};
use super::subtree::Within;

pub(super) fn is_valid_constraint(base: &str) -> bool {
    match base.rsplit_once('@') {
        Some((local, host)) => !local.is_empty() && is_host_name(host),
        None => is_constraint(base),
    }
}

pub(super) fn mailbox_within(mailbox: &str, base: &str) -> Within {
    let Some((local, host)) = mailbox.rsplit_once('@') else {
        return Within::Unreadable;
    };
    if local.is_empty() || !is_host_name(host) {
        return Within::Unreadable;
    }
    let Some((base_local, base_host)) = base.rsplit_once('@') else {
        return host_within(host, base);
    };
    let (local, base_local) = (unquoted(local), unquoted(base_local));
    if !host.eq_ignore_ascii_case(base_host) {
        Within::Not
    } else if local == base_local {
        Within::Wholly
    } else if local.eq_ignore_ascii_case(&base_local) {
        // The host decides whether these are the same mailbox, and it is not asked.
        Within::Partly
    } else {
        Within::Not
    }
}

/// RFC 5321 §4.1.2: `"a"@host` and `"\a"@host` are `a@host`.
fn unquoted(local: &str) -> Cow<'_, str> {
    let quoted = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(quoted) = quoted else {
        return Cow::Borrowed(local);
    };
    let mut characters = quoted.chars();
    let mut plain = String::with_capacity(quoted.len());
    while let Some(character) = characters.next() {
        // A lone backslash at the end escapes nothing and stays.
        let meant = if character == '\\' {
            characters.next()
        } else {
            Some(character)
        };
        plain.push(meant.unwrap_or(character));
    }
    Cow::Owned(plain)
}
