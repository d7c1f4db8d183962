//! The one list of headers that state a client's identity.

use http::header::{HeaderMap, HeaderName};

/// The header that a load balancer in passthrough mode sets unless a listener attribute renames it.
pub const CERTIFICATE: &str = "x-amzn-mtls-clientcert";

/// RFC 9440's second header.
pub const CERTIFICATE_CHAIN: &str = "client-cert-chain";

/// Names that some service takes for a verified identity: RFC 9440's, Envoy's, Traefik's, Kong's, nginx's by custom,
/// Linkerd's, Airlock's.
const NAMES: &[&str] = &[
    "client-cert",
    CERTIFICATE_CHAIN,
    "l5d-client-id",
    "ssl-client-cert",
    "x-anonymous-consumer",
    "x-arr-clientcert",
    "x-credential-identifier",
    "x-forwarded-client-cert",
    "x-forwarded-mtls-client-cert",
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
];

/// Families of such names: ALB's own in both modes, Cloudflare's, CloudFront's, Kong's consumers, and those used with
/// nginx, HAProxy, Apache and sidecars.
const PREFIXES: &[&str] = &[
    "cf-client-cert-",
    "cloudfront-viewer-cert-",
    "ssl-client-",
    "x-amzn-mtls-",
    "x-client-cert",
    "x-client-tls-",
    "x-consumer-",
    "x-ssl-client-",
    "x-ssl-cert",
    "x-tls-client-",
];

/// Whether some service could take this header for a statement of who the client is. Whatever is neither letter nor
/// digit counts as `-`: servers that turn headers into variables (CGI, WSGI) cannot tell `-`, `_`, `.` and their like
/// apart.
pub fn states_identity(name: &HeaderName, certificate_header: &HeaderName) -> bool {
    let name = name.as_str();
    is_same(name, certificate_header.as_str())
        || NAMES.iter().any(|known| is_same(name, known))
        || PREFIXES.iter().any(|prefix| begins_with(name, prefix))
}

/// Removes every header that states an identity, so that what is left is the client's and claims nothing.
pub fn strip(headers: &mut HeaderMap, certificate_header: &HeaderName) {
    let stated: Vec<HeaderName> = headers
        .keys()
        .filter(|name| states_identity(name, certificate_header))
        .cloned()
        .collect();
    for name in stated {
        headers.remove(name);
    }
}

/// Whether `name` could be taken for the certificate header and is not it: another spelling of it, or the load
/// balancer's own name for it when the operator chose a different one.
pub fn looks_like_certificate_header(name: &HeaderName, certificate_header: &HeaderName) -> bool {
    if name == certificate_header {
        return false;
    }
    let name = name.as_str();
    is_same(name, certificate_header.as_str()) || is_same(name, CERTIFICATE)
}

fn is_same(name: &str, known: &str) -> bool {
    name.len() == known.len() && begins_with(name, known)
}

fn begins_with(name: &str, prefix: &str) -> bool {
    let mut bytes = name.bytes().map(or_dash);
    prefix.bytes().map(or_dash).all(|byte| bytes.next() == Some(byte))
}

fn or_dash(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte } else { b'-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_stripped_and_the_rest_stays() {
        let certificate_header = HeaderName::from_static("x-secret-name");
        let mut headers = HeaderMap::new();
        for name in [
            "X-Amzn-Mtls-Clientcert",
            "x_amzn_mtls_clientcert_subject",
            "x-amzn-mtls-clientcert-leaf",
            "X-Secret_Name",
            "x-secret-name",
            "Client-Cert",
            "client_cert_chain",
            "X-Forwarded-Client-Cert",
            "x-ssl-client-verify",
            "X_SSL_CLIENT_S_DN",
            "x-consumer-username",
            "cloudfront-viewer-cert-subject",
            "cf-client-cert-sha256",
            "x.amzn~mtls!clientcert*leaf",
            "x-forwarded-mtls-client-cert",
            "X-Client-TLS-Info",
            "x-tls-client-cn",
        ] {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                "forged".parse().unwrap(),
            );
        }
        headers.append("x-amzn-trace-id", "Root=1".parse().unwrap());
        headers.append("x-forwarded-for", "192.0.2.1".parse().unwrap());
        strip(&mut headers, &certificate_header);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-amzn-trace-id", "x-forwarded-for"]);
    }

    #[test]
    fn the_default_name_looks_like_a_renamed_header() {
        let renamed = HeaderName::from_static("x-secret-name");
        let default = HeaderName::from_static(CERTIFICATE);
        assert!(looks_like_certificate_header(&default, &renamed));
        assert!(!looks_like_certificate_header(&default, &default));
        assert!(looks_like_certificate_header(
            &HeaderName::from_static("x-amzn_mtls-clientcert"),
            &default
        ));
        assert!(looks_like_certificate_header(
            &HeaderName::from_static("x.amzn.mtls.clientcert"),
            &default
        ));
        assert!(!looks_like_certificate_header(
            &HeaderName::from_static("x-amzn-mtls-clientcert-leaf"),
            &default
        ));
    }
}
