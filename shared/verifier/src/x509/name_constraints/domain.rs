//! Host names, in dNSName and in URIs.

use super::within::Within;

/// A host name of letters, digits, `-` and `_`, without a dot at either end; what RFC 1123 allows
/// and certificates hold.
pub(super) fn is_host_name(name: &str) -> bool {
    let is_short = |label: &str| label.len() <= 63;
    name.len() <= 253 && name.split('.').all(|label| is_label(label) && is_short(label))
}

/// A host name whose first label may be `*`.
pub(super) fn is_dns_name(name: &str) -> bool {
    is_host_name(name.strip_prefix("*.").unwrap_or(name))
}

/// Returns true if a common name would be taken for a host name. The rule is OpenSSL's: two labels
/// or more of any length, and also with a `*`, which evaded its constraints (openssl/openssl issue
/// 30346).
pub(super) fn looks_like_host(name: &str) -> bool {
    name.contains('.') && name.split('.').all(|label| is_label(&label.replace('*', "x")))
}

fn is_label(label: &str) -> bool {
    let character = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !label.is_empty() && label.bytes().all(character) && !label.starts_with('-') && !label.ends_with('-')
}

/// Returns true for a base that a constraint may have: nothing, a host name, or a host name after a
/// dot.
pub(super) fn is_constraint(base: &str) -> bool {
    base.is_empty() || is_host_name(base.strip_prefix('.').unwrap_or(base))
}

/// Compares `name` with `base` and zero or more labels to its left (RFC 5280 §4.2.1.10). After a
/// dot in front of `base` it must be one or more labels; the RFC does not define that for dNSName,
/// and CAs use it.
pub(super) fn dns_within(name: &str, base: &str) -> Within {
    if is_below_or_equal(name, base) {
        return Within::Wholly;
    }
    // `*.example.com` stands for one label before `example.com`, of which the constraint may name
    // one.
    let expansion = name.strip_prefix("*.").zip(base.split_once('.'));
    match expansion {
        Some((wildcard_parent, (label, parent)))
            if !label.is_empty() && wildcard_parent.eq_ignore_ascii_case(parent) =>
        {
            Within::Partly
        }
        _ => Within::Not,
    }
}

/// Compares the host of a URI or mailbox with the one that the constraint names or, with a dot in
/// front, with the hosts below it (RFC 5280 §4.2.1.10).
pub(super) fn host_within(host: &str, base: &str) -> Within {
    let within = if base.is_empty() {
        true
    } else if base.starts_with('.') {
        is_below_or_equal(host, base)
    } else {
        host.eq_ignore_ascii_case(base)
    };
    if within { Within::Wholly } else { Within::Not }
}

fn is_below_or_equal(name: &str, base: &str) -> bool {
    let (name, base_bytes) = (name.as_bytes(), base.as_bytes());
    let Some((left, right)) = name
        .len()
        .checked_sub(base.len())
        .and_then(|at| name.split_at_checked(at))
    else {
        return false;
    };
    right.eq_ignore_ascii_case(base_bytes)
        && match left.last() {
            None => !base.starts_with('.'),
            Some(last) => base.is_empty() || base.starts_with('.') || *last == b'.',
        }
}

/// Returns the host of a URI (RFC 3986 §3.2), if it has one that is a host name.
pub(super) fn host_of_uri(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, host_and_port) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host = match host_and_port.split_once(':') {
        None => host_and_port,
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return None,
    };
    // What RFC 3986 allows here and no more: readers disagree on where `https://a\@b` leads.
    let is_user = user
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte));
    (is_scheme && is_user && is_host_name(host) && !is_ipv4_address(host)).then_some(host)
}

/// RFC 5280 §4.2.1.10: a constraint on URIs refuses those whose host is an address.
fn is_ipv4_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit())
}
