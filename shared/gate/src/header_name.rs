//! Names that the certificate header can have.

use alb_mtls_http::identity_headers::{CERTIFICATE, is_listed};
use alb_mtls_verifier::HeaderFormat;
use http::HeaderName;

/// Header that a load balancer in verify mode writes: the client's own certificate, in the form of
/// passthrough mode.
const LEAF: &str = "x-amzn-mtls-clientcert-leaf";

/// The header of RFC 9440.
pub(crate) const CLIENT_CERT: &str = "client-cert";

/// Advice on a name in place of one that is refused.
const ADVICE: &str = "a name that only you know, such as `x-` and the output of `uuidgen`";

/// Names with a meaning in HTTP, in proxies or in frameworks: the field names of RFC 9110 to RFC
/// 9113 and of the Fetch standard, credentials, and headers that restate the request. The gate
/// reads nothing else from the certificate header and removes it from every request, so that each
/// of these would be lost, or would be one that every client sends.
const NAMES: &[&str] = &[
    "age",
    "allow",
    "alt-svc",
    "alt-used",
    "authentication-info",
    "authorization",
    "cache-control",
    "cdn-loop",
    "clear-site-data",
    "connection",
    "cookie",
    "cookie2",
    "date",
    "dnt",
    "dpop",
    "early-data",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "front-end-https",
    "host",
    "http2-settings",
    "idempotency-key",
    "keep-alive",
    "last-event-id",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "prefer",
    "priority",
    "public-key-pins",
    "range",
    "referer",
    "referrer-policy",
    "refresh",
    "retry-after",
    "save-data",
    "server",
    "service-worker",
    "set-cookie",
    "signature",
    "signature-input",
    "strict-transport-security",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-api-key",
    "x-auth-token",
    "x-authorization",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-content-type-options",
    "x-correlation-id",
    "x-csrf-token",
    "x-dns-prefetch-control",
    "x-forwarded",
    "x-frame-options",
    "x-host",
    "x-method-override",
    "x-real-ip",
    "x-request-id",
    "x-requested-with",
    "x-xsrf-token",
    "x-xss-protection",
];

/// Families of such names.
const PREFIXES: &[&str] = &[
    "accept-",
    "access-control-",
    "content-",
    "if-",
    "proxy-",
    "sec-",
    "x-amz-",
    "x-amzn-",
    "x-envoy-",
    "x-forwarded-",
    "x-http-",
    "x-original-",
    "x-rewrite-",
];

/// Reads the name of the certificate header.
///
/// # Errors
/// What the setting takes, when the text is not a header name or names a header that has another
/// meaning.
pub(crate) fn parse(text: &str, format: HeaderFormat) -> Result<HeaderName, String> {
    let Ok(name) = text.parse::<HeaderName>() else {
        return Err("a header name".to_owned());
    };
    match name.as_str() {
        CERTIFICATE | LEAF => return Ok(name),
        CLIENT_CERT if format == HeaderFormat::Rfc9440 => return Ok(name),
        _ => {}
    }
    if has_meaning(name.as_str()) {
        return Err(format!("no header that has a meaning of its own: write {ADVICE}"));
    }
    if is_listed(name.as_str()) {
        return Err(format!(
            "no header that servers take for an identity, which every client can name: write {ADVICE}"
        ));
    }
    Ok(name)
}

/// Servers that turn headers into variables cannot tell `-` and its like apart: `content_length` is
/// `content-length`.
fn has_meaning(name: &str) -> bool {
    let name: String = name
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .collect();
    let is_family =
        |prefix: &&str| name.starts_with(*prefix) || prefix.strip_suffix('-') == Some(name.as_str());
    NAMES.contains(&name.as_str()) || PREFIXES.iter().any(is_family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ones_own_and_those_of_load_balancers_are_read() {
        for name in [
            "x-amzn-mtls-clientcert",
            "X-Amzn-Mtls-Clientcert-Leaf",
            "x-51af3dc0-da77-11e4-872e-1234567db123",
            "x-gate-7f3a",
            "gate-cert",
            "hostess",
            "x-amazing",
        ] {
            let read = parse(name, HeaderFormat::UrlEncoded).unwrap();
            assert_eq!(read.as_str(), name.to_ascii_lowercase());
        }
        assert_eq!(parse("Client-Cert", HeaderFormat::Rfc9440).unwrap(), CLIENT_CERT);
    }

    #[test]
    fn every_standard_header_of_the_http_crate_is_refused() {
        use http::header::*;
        for name in [
            ACCEPT,
            ACCEPT_CHARSET,
            ACCEPT_ENCODING,
            ACCEPT_LANGUAGE,
            ACCEPT_RANGES,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_ALLOW_HEADERS,
            ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS,
            ACCESS_CONTROL_MAX_AGE,
            ACCESS_CONTROL_REQUEST_HEADERS,
            ACCESS_CONTROL_REQUEST_METHOD,
            AGE,
            ALLOW,
            ALT_SVC,
            AUTHORIZATION,
            CACHE_CONTROL,
            CONNECTION,
            CONTENT_DISPOSITION,
            CONTENT_ENCODING,
            CONTENT_LANGUAGE,
            CONTENT_LENGTH,
            CONTENT_LOCATION,
            CONTENT_RANGE,
            CONTENT_SECURITY_POLICY,
            CONTENT_TYPE,
            COOKIE,
            DATE,
            DNT,
            ETAG,
            EXPECT,
            EXPIRES,
            FORWARDED,
            FROM,
            HOST,
            IF_MATCH,
            IF_MODIFIED_SINCE,
            IF_NONE_MATCH,
            IF_RANGE,
            IF_UNMODIFIED_SINCE,
            LAST_MODIFIED,
            LINK,
            LOCATION,
            MAX_FORWARDS,
            ORIGIN,
            PRAGMA,
            PROXY_AUTHENTICATE,
            PROXY_AUTHORIZATION,
            RANGE,
            REFERER,
            REFERRER_POLICY,
            REFRESH,
            RETRY_AFTER,
            SEC_WEBSOCKET_ACCEPT,
            SEC_WEBSOCKET_KEY,
            SERVER,
            SET_COOKIE,
            STRICT_TRANSPORT_SECURITY,
            TE,
            TRAILER,
            TRANSFER_ENCODING,
            UPGRADE,
            UPGRADE_INSECURE_REQUESTS,
            USER_AGENT,
            VARY,
            VIA,
            WARNING,
            WWW_AUTHENTICATE,
            X_CONTENT_TYPE_OPTIONS,
            X_DNS_PREFETCH_CONTROL,
            X_FRAME_OPTIONS,
            X_XSS_PROTECTION,
        ] {
            let error = parse(name.as_str(), HeaderFormat::UrlEncoded).expect_err(name.as_str());
            assert!(error.contains("a meaning of its own"), "{name}: {error}");
        }
    }

    #[test]
    fn other_spellings_and_identity_headers_are_refused() {
        for (name, format) in [
            ("HOST", HeaderFormat::UrlEncoded),
            ("Content_Length", HeaderFormat::UrlEncoded),
            ("transfer.encoding", HeaderFormat::UrlEncoded),
            ("x-forwarded-for", HeaderFormat::Base64Encoded),
            ("X-Forwarded-Host", HeaderFormat::UrlEncoded),
            ("x-amzn-trace-id", HeaderFormat::UrlEncoded),
            ("x-amzn-oidc-data", HeaderFormat::UrlEncoded),
            ("x-http-method-override", HeaderFormat::UrlEncoded),
            ("x_amzn_mtls_clientcert", HeaderFormat::UrlEncoded),
            ("x-amzn-mtls-clientcert-subject", HeaderFormat::UrlEncoded),
            ("client-cert", HeaderFormat::UrlEncoded),
            ("client-cert-chain", HeaderFormat::UrlEncoded),
            ("client-cert-chain", HeaderFormat::Rfc9440),
            ("client_cert", HeaderFormat::Rfc9440),
            ("x-forwarded-client-cert", HeaderFormat::UrlEncoded),
            ("x-ssl-client-verify", HeaderFormat::UrlEncoded),
            ("x-consumer-username", HeaderFormat::UrlEncoded),
        ] {
            let error = parse(name, format).expect_err(name);
            assert!(error.contains("uuidgen"), "{name}: {error}");
        }
        assert_eq!(
            parse("a b", HeaderFormat::UrlEncoded).unwrap_err(),
            "a header name"
        );
        assert_eq!(parse("", HeaderFormat::UrlEncoded).unwrap_err(), "a header name");
    }
}
