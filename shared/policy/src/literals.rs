//! Spelling of entities: each has exactly one that policies can use.

use alb_mtls_http::host::Host;
use alb_mtls_http::path::PlainPath;
use cedar_policy::EntityUid;

/// Returns the right spelling of an entity that no request could match. A permission that never
/// applies is a nuisance; a prohibition that never applies is a security hole.
pub(crate) fn misspelling(literal: &EntityUid) -> Option<&'static str> {
    let id: &str = literal.id().unescaped();
    let (is_right, wanted) = match literal.type_name().to_string().as_str() {
        "Anchor" | "Client" | "PublicKey" => (
            is_fingerprint(id),
            "write the SHA-256 in 64 lower-case hexadecimal digits without colons",
        ),
        "SerialNumber" => (
            is_serial_number(id),
            "write serial numbers in upper-case hexadecimal, two digits an octet, without colons and leading zero octets",
        ),
        "Host" => (
            Host::parse(id).is_ok_and(|host| host.as_str() == id),
            "write hosts in lower case, without port, without wildcards and without a dot at the end",
        ),
        "Path" => (
            PlainPath::parse(id).is_some() && (id == "/" || !id.ends_with('/')),
            "paths begin with a slash and end without one, and contain letters, digits, `-._~!$&'+,:=@` and percent-encoded characters beyond ASCII, but no wildcards and no dot segments",
        ),
        "Anonymous" => (false, "write `principal is Anonymous`"),
        "Endpoint" => (
            false,
            "write `resource in Path::\"…\"` or `resource in Host::\"…\"`",
        ),
        _ => (true, ""),
    };
    (!is_right).then_some(wanted)
}

fn is_fingerprint(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_serial_number(id: &str) -> bool {
    let digits = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    digits && id.len().is_multiple_of(2) && !id.is_empty() && (id == "00" || !id.starts_with("00"))
}
