//! Names of headers that state an identity, by the servers and services that set or believe them.

/// Names that a service takes for a verified identity. A name that ends in `*` stands for all names
/// that begin like it.
pub(super) const IDENTITY_HEADERS: &[&str] = &[
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
    // Families of such names.
    // WebSphere's `$WSCC`, `$WSRU` and the rest of what its plug-in says about the client.
    "$ws*",
    // Cloudflare's managed transform, the headers before it, and Cloudflare Access.
    "cf-access-authenticated-*",
    "cf-cert-*",
    "cf-client-cert-*",
    // RFC 9440 and its like.
    "client-cert*",
    "clientcert*",
    "cloudfront-viewer-cert-*",
    "iv-user*",
    // WebLogic.
    "proxy-client-*",
    "wl-proxy-client-*",
    // CGI's REMOTE_USER by name.
    "remote-user*",
    "shib-*",
    // SiteMinder.
    "sm-universalid*",
    "sm-user*",
    "smuser*",
    "ssl-cert*",
    "ssl-client*",
    // BIG-IP.
    "sslclient*",
    "tailscale-user-*",
    // The load balancer's own: verify mode, and OIDC.
    "x-amzn-lattice-identity*",
    "x-amzn-mtls-*",
    "x-amzn-oidc-*",
    // Azure.
    "x-arr-clientcert*",
    "x-ms-client-principal*",
    "x-ms-token-*",
    "x-auth-request-*",
    // Kong and others.
    "x-authenticated*",
    "x-consumer-*",
    "x-credential-*",
    "x-authentik-*",
    "x-cert*",
    "x-client-cert*",
    "x-client-issuer*",
    "x-client-i-dn*",
    "x-client-mtls*",
    "x-client-not-after*",
    "x-client-not-before*",
    "x-client-s-dn*",
    "x-client-serial*",
    "x-client-spiffe*",
    "x-client-ssl*",
    "x-client-subject*",
    "x-client-tls*",
    "x-client-verif*",
    "x-clientcert*",
    // Traefik, Envoy, Vault, nginx.
    "x-forwarded-cert*",
    "x-forwarded-client-*",
    "x-forwarded-for-client-*",
    "x-forwarded-mtls-*",
    "x-forwarded-ssl-*",
    "x-forwarded-tls-*",
    // Identity-Aware Proxy.
    "x-goog-authenticated-*",
    "x-mtls-*",
    "x-peer-cert*",
    "x-pomerium-claim-*",
    // Kubernetes.
    "x-remote-extra-*",
    "x-remote-group*",
    "x-remote-uid*",
    "x-remote-user*",
    "x-spiffe*",
    // HAProxy, OpenShift.
    "x-ssl*",
    "x-tls-*",
    "x-vouch-*",
    // Grafana.
    "x-webauth-*",
];
