//! Name of the certificate header.

use http::HeaderName;

use super::names::is_same;
use super::table;
use crate::certificate_header::HeaderFormat;
use crate::forms::{CERTIFICATE_HEADER, LEAF};

/// Text that cannot be the name of the certificate header. Displays as the texts that can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificateHeader {
    /// Text that is not a header name.
    #[error("a header name")]
    NotAName,
    /// Header that means something else. The gate reads nothing else from the certificate header
    /// and removes it from every request: the header would be lost, or every client could send it.
    #[error("a header without another meaning: write {ADVICE}")]
    HasMeaning,
    /// Header that states an identity for some service.
    #[error("a header that servers do not take for an identity: write {ADVICE}")]
    StatesIdentity,
}

/// Advice on a name in place of one that is rejected.
const ADVICE: &str = "a name that only you know, such as `x-` and the output of `uuidgen`";

/// Parses the name of the certificate header: one that a load balancer sets, or one without a
/// meaning.
///
/// # Errors
/// [`InvalidCertificateHeader`] when the text is not a header name or names a header that means
/// something else.
pub fn parse_certificate_header(
    text: &str,
    format: HeaderFormat,
) -> Result<HeaderName, InvalidCertificateHeader> {
    let name: HeaderName = text.parse().map_err(|_| InvalidCertificateHeader::NotAName)?;
    if [CERTIFICATE_HEADER, LEAF].contains(&name.as_str()) || name == format.default_header() {
        return Ok(name);
    }
    if table::has_meaning(name.as_str()) {
        return Err(InvalidCertificateHeader::HasMeaning);
    }
    if table::states_identity(name.as_str()) {
        return Err(InvalidCertificateHeader::StatesIdentity);
    }
    Ok(name)
}

/// Returns `true` if `name` can be taken for the certificate header and is not it: another spelling
/// of it, or the load balancer's own name for it when the operator chose a different one.
pub fn looks_like_certificate_header(name: &HeaderName, certificate_header: &HeaderName) -> bool {
    if name == certificate_header {
        return false;
    }
    let name = name.as_str();
    is_same(name, certificate_header.as_str()) || is_same(name, CERTIFICATE_HEADER)
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
            let read = parse_certificate_header(name, HeaderFormat::URL_ENCODED).unwrap();
            assert_eq!(read.as_str(), name.to_ascii_lowercase());
        }
        assert_eq!(
            parse_certificate_header("Client-Cert", HeaderFormat::RFC9440).unwrap(),
            "client-cert"
        );
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
            let error =
                parse_certificate_header(name.as_str(), HeaderFormat::URL_ENCODED).expect_err(name.as_str());
            assert_eq!(error, InvalidCertificateHeader::HasMeaning, "{name}");
        }
    }

    #[test]
    fn other_spellings_and_identity_headers_are_refused() {
        for (name, format) in [
            ("HOST", HeaderFormat::URL_ENCODED),
            ("Content_Length", HeaderFormat::URL_ENCODED),
            ("transfer.encoding", HeaderFormat::URL_ENCODED),
            ("x-forwarded-for", HeaderFormat::BASE64_ENCODED),
            ("X-Forwarded-Host", HeaderFormat::URL_ENCODED),
            ("x-amzn-trace-id", HeaderFormat::URL_ENCODED),
            ("x-amzn-oidc-data", HeaderFormat::URL_ENCODED),
            ("x-http-method-override", HeaderFormat::URL_ENCODED),
            ("x_amzn_mtls_clientcert", HeaderFormat::URL_ENCODED),
            ("x-amzn-mtls-clientcert-subject", HeaderFormat::URL_ENCODED),
            ("client-cert", HeaderFormat::URL_ENCODED),
            ("client-cert-chain", HeaderFormat::URL_ENCODED),
            ("client-cert-chain", HeaderFormat::RFC9440),
            ("client_cert", HeaderFormat::RFC9440),
            ("x-forwarded-client-cert", HeaderFormat::URL_ENCODED),
            ("x-ssl-client-verify", HeaderFormat::URL_ENCODED),
            ("x-consumer-username", HeaderFormat::URL_ENCODED),
        ] {
            let error = parse_certificate_header(name, format).expect_err(name);
            assert!(error.to_string().contains("uuidgen"), "{name}: {error}");
        }
        for text in ["a b", ""] {
            let error = parse_certificate_header(text, HeaderFormat::URL_ENCODED);
            assert_eq!(error, Err(InvalidCertificateHeader::NotAName), "{text}");
        }
    }

    #[test]
    fn the_default_name_looks_like_a_renamed_header() {
        let renamed = HeaderName::from_static("x-secret-name");
        let default = HeaderName::from_static(CERTIFICATE_HEADER);
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
