//! Headers that state a client's identity: the one table of the project.
//!
//! It is a list, and no list is complete: a service can believe any name. [`StrippedHeaders`](crate::StrippedHeaders)
//! takes further ones from the operator. A service that must not depend on the list verifies a signed assertion instead.

use std::sync::LazyLock;

use http::header::HeaderName;

use crate::names::{NameTable, is_same};

/// The header that a load balancer in passthrough mode sets unless a listener attribute renames it.
pub const CERTIFICATE: &str = "x-amzn-mtls-clientcert";

/// RFC 9440's second header.
pub const CERTIFICATE_CHAIN: &str = "client-cert-chain";

/// Names that a service takes for a verified identity.
const NAMES: &[&str] = &[
    // Akamai.
    "client-to-edge",
    // nginx by custom, Apache.
    "client-dn",
    "client-s-dn",
    "client-i-dn",
    "client-verify",
    "client-cn",
    // Shibboleth.
    "eppn",
    // IBM WebSEAL.
    "iv-creds",
    "iv-groups",
    // Linkerd.
    "l5d-client-id",
    // Oracle Access Manager.
    "oam-remote-user",
    // Authelia.
    "remote-email",
    "remote-groups",
    "remote-name",
    // Kong.
    "x-anonymous-consumer",
    "x-userinfo",
    // Keycloak Gatekeeper.
    "x-auth-email",
    "x-auth-groups",
    "x-auth-roles",
    "x-auth-subject",
    "x-auth-userid",
    "x-auth-username",
    // HAProxy, Puppet and others by custom.
    "x-client-chain",
    "x-client-cn",
    "x-client-dn",
    "x-client-fingerprint",
    "x-client-hash",
    "x-client-identity",
    "x-client-san",
    "x-client-sha1",
    "x-client-sha256",
    "x-issuer-dn",
    "x-subject-dn",
    "x-user-dn",
    // Cloud Endpoints.
    "x-endpoint-api-userinfo",
    "x-apigateway-api-userinfo",
    // oauth2-proxy, Vouch and others.
    "x-forwarded-access-token",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-id-token",
    "x-forwarded-login",
    "x-forwarded-preferred-username",
    "x-forwarded-user",
    "x-forwarded-userid",
    "x-forwarded-username",
];

/// Families of such names.
const PREFIXES: &[&str] = &[
    // WebSphere's `$WSCC`, `$WSRU` and the rest of what its plug-in says about the client.
    "$ws",
    // Cloudflare's managed transform, the headers before it, and Cloudflare Access.
    "cf-access-authenticated-",
    "cf-cert-",
    "cf-client-cert-",
    // RFC 9440 and its like.
    "client-cert",
    "clientcert",
    "cloudfront-viewer-cert-",
    "iv-user",
    // WebLogic.
    "proxy-client-",
    "wl-proxy-client-",
    // CGI's REMOTE_USER by name.
    "remote-user",
    "shib-",
    // SiteMinder.
    "sm-universalid",
    "sm-user",
    "smuser",
    "ssl-cert",
    "ssl-client",
    // BIG-IP.
    "sslclient",
    "tailscale-user-",
    // The load balancer's own: verify mode, and OIDC.
    "x-amzn-lattice-identity",
    "x-amzn-mtls-",
    "x-amzn-oidc-",
    // Azure.
    "x-arr-clientcert",
    "x-ms-client-principal",
    "x-ms-token-",
    "x-auth-request-",
    // Kong and others.
    "x-authenticated",
    "x-consumer-",
    "x-credential-",
    "x-authentik-",
    "x-cert",
    "x-client-cert",
    "x-client-issuer",
    "x-client-i-dn",
    "x-client-mtls",
    "x-client-not-after",
    "x-client-not-before",
    "x-client-s-dn",
    "x-client-serial",
    "x-client-spiffe",
    "x-client-ssl",
    "x-client-subject",
    "x-client-tls",
    "x-client-verif",
    "x-clientcert",
    // Traefik, Envoy, Vault, nginx.
    "x-forwarded-cert",
    "x-forwarded-client-",
    "x-forwarded-for-client-",
    "x-forwarded-mtls-",
    "x-forwarded-ssl-",
    "x-forwarded-tls-",
    // Identity-Aware Proxy.
    "x-goog-authenticated-",
    "x-mtls-",
    "x-peer-cert",
    "x-pomerium-claim-",
    // Kubernetes.
    "x-remote-extra-",
    "x-remote-group",
    "x-remote-uid",
    "x-remote-user",
    "x-spiffe",
    // HAProxy, OpenShift.
    "x-ssl",
    "x-tls-",
    "x-vouch-",
    // Grafana.
    "x-webauth-",
];

/// Headers that programs of this project set for the service behind them, beside those that begin like
/// [`CERTIFICATE`]. Nothing that a client sends may stand in their place, whatever the operator lets pass.
pub(crate) const OWN: &[&str] = &[
    CERTIFICATE,
    "client-cert",
    CERTIFICATE_CHAIN,
    "x-forwarded-client-cert",
    "x-client-cert-assertion",
];

/// Returns `true` if the table lists this name in any spelling.
pub fn is_listed(name: &str) -> bool {
    static TABLE: LazyLock<NameTable> =
        LazyLock::new(|| NameTable::new(NAMES.iter().copied(), PREFIXES.iter().copied()));
    TABLE.covers(name)
}

/// Returns every entry of the table; families end in `*`.
pub fn table() -> impl Iterator<Item = String> {
    let prefixes = PREFIXES.iter().map(|prefix| format!("{prefix}*"));
    NAMES.iter().map(|name| (*name).to_owned()).chain(prefixes)
}

/// Returns `true` if `name` can be taken for the certificate header and is not it: another spelling of it, or the load
/// balancer's own name for it when the operator chose a different one.
pub fn looks_like_certificate_header(name: &HeaderName, certificate_header: &HeaderName) -> bool {
    if name == certificate_header {
        return false;
    }
    let name = name.as_str();
    is_same(name, certificate_header.as_str()) || is_same(name, CERTIFICATE)
}

#[cfg(test)]
mod tests {
    use super::*;

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
