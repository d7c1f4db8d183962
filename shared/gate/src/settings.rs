//! Settings of the gate: environment variables with one prefix, read once, by this one parser.

mod deny;
mod revocation;
#[cfg(feature = "token")]
mod token;

use std::ops::RangeInclusive;
use std::time::Duration;

use alb_mtls_http::forms::{CERTIFICATE_HEADER, READ};
use alb_mtls_http::headers::parse_certificate_header;
use alb_mtls_http::restated::Restated;
use alb_mtls_http::{HeaderFormat, HeaderLimits, NamePattern, StrippedHeaders};
use alb_mtls_settings::{SettingsError, Values, list, process_environment, table, text};
use alb_mtls_trust::{AuthorizationSettings, DenyListSettings, SOURCE_FORMS, Sources, TrustSettings};
use alb_mtls_verifier::{ExtendedKeyUsageOption, SignatureAlgorithm, VerifyOptions};
use http::HeaderName;

use crate::audit::AuditSettings;
use crate::denial::DenialBody;
use crate::mode::Mode;
use crate::peers::Peers;
use crate::target_groups::TargetGroups;
use crate::token::BoundTokenSettings;
use crate::verdict_cache::VerdictCacheSettings;
use revocation::Revocation;
#[cfg(feature = "token")]
use token::bound_token;

/// Everything that an operator can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sources of trust material, their refresh, and the requirements for a path.
    pub trust: TrustSettings,
    /// Sources of policies, and of the shadow set.
    pub authorization: AuthorizationSettings,
    /// Checks of the request before and after the certificate.
    pub gate: GateSettings,
}

/// Settings of the gate itself.
#[derive(Clone, Debug)]
pub struct GateSettings {
    /// The header that holds the certificates.
    pub header: HeaderName,
    /// Format of the certificate header.
    pub header_format: HeaderFormat,
    /// Limits of the certificate header.
    pub header_limits: HeaderLimits,
    /// Headers that requests lose before a service sees them.
    pub stripped: StrippedHeaders,
    /// Networks that requests over HTTP may come from; without them, peers are not checked.
    pub peers: Option<Peers>,
    /// The target groups that are served.
    pub target_groups: TargetGroups,
    /// Strictness.
    pub mode: Mode,
    /// Content of the response to a denied client.
    pub denial_body: DenialBody,
    /// Requirements for bearer tokens; without them tokens are not read.
    pub bound_token: Option<BoundTokenSettings>,
    /// Sources of the deny list, and its refresh; without it, no client is denied by name.
    pub deny_list: Option<DenyListSettings>,
    /// Size of the verdict cache, and the life of its entries.
    pub verdict_cache: VerdictCacheSettings,
    /// Records and metrics.
    pub audit: AuditSettings,
    /// Time before the end of a certificate from which on its client is told; without it, clients
    /// are not told.
    pub renewal_hint: Option<Duration>,
}

table! {
    /// Every variable of the gate, in the order of the documentation.
    pub SETTINGS, "MTLS_";
    ANCHORS, "MTLS_ANCHORS", Required,
        text!("sources of trust anchors, separated by white space, each ", SOURCE_FORMS);
    INTERMEDIATES, "MTLS_INTERMEDIATES", Absent("none"),
        "sources of untrusted intermediates, for clients that send only their own certificate";
    CRLS, "MTLS_CRLS", Absent("none"),
        "sources of CRLs, likewise: DER or PEM, also compressed with gzip";
    REVOCATION, "MTLS_REVOCATION", Value("strict"),
        "with `MTLS_CRLS` or `MTLS_OCSP`: `strict`: a client whose status neither clears is refused; `soft`: it passes, and only revoked ones are refused; `off`";
    REVOCATION_DEPTH, "MTLS_REVOCATION_DEPTH", Value("chain"),
        "`chain`: every certificate below the trust anchor is looked up; `leaf`: only the client's own";
    CRL_GRACE, "MTLS_CRL_GRACE", Value("0s"),
        "how long after its nextUpdate a CRL still counts";
    OCSP, "MTLS_OCSP", Absent("none"),
        "OCSP responders, separated by white space: `http://…` for every issuer; `SHA-256=http://…` for the issuer whose certificate or public key has this SHA-256; `aia-cas`: those that configured intermediates name; `aia-clients`: those that certificates of clients name, once everything else about them is verified";
    REVOCATION_SOURCES, "MTLS_REVOCATION_SOURCES", Absent("what is set, CRLs first"),
        text!("what clears a certificate, in the order of preference: ", list!(["crl", "ocsp", "crl,ocsp", "ocsp,crl"]), "; a certificate on a CRL is refused in every order");
    OCSP_NETWORKS, "MTLS_OCSP_NETWORKS", Absent("none"),
        "networks that are not public and whose responders may be asked, separated by white space, such as `10.1.0.0/16`";
    OCSP_TIMEOUT, "MTLS_OCSP_TIMEOUT", Value("2s"),
        "the longest time for all questions about one client, from `1s` to `30s`; then its status is unknown";
    OCSP_REFRESH, "MTLS_OCSP_REFRESH", Value("1h"),
        "age at which an answer is asked for again, although it may be valid for longer";
    CRL_STATE, "MTLS_CRL_STATE", Value("read"),
        "`read`: a CRL in S3 must fit the record that `refresh-crls` keeps beside it, where there is one; `ignore`: records are not read";
    DENY, "MTLS_DENY", Absent("none"),
        "sources of deny lists, likewise: clients and CAs that are refused within seconds, whatever CRLs and policies say; `alb-mtls deny` writes them";
    DENY_REFRESH, "MTLS_DENY_REFRESH", Value("5s"),
        "with `MTLS_DENY`: longest time until a new entry counts, from `1s` to `5m`";
    DENY_MAX_STALE, "MTLS_DENY_MAX_STALE", Absent("that of MTLS_MAX_STALE"),
        "with `MTLS_DENY`: how long the last good deny list serves while lookups fail; then verified clients are answered with 503";
    REFRESH, "MTLS_REFRESH", Value("300s"),
        "age at which trust material is looked up again, such as `90s`, `5m`, `1h`";
    MAX_STALE, "MTLS_MAX_STALE", Value("24h"),
        "how long the last good trust material serves while lookups fail; then requests are answered with 503";
    MAX_ANCHOR_LOSS, "MTLS_MAX_ANCHOR_LOSS", Value("100%"),
        "share of the anchors that one refresh may remove, from `0%` to `100%`; a bundle that loses more is not taken over";
    HEADER, "MTLS_HEADER", Value(CERTIFICATE_HEADER),
        "name of the certificate header, which a listener attribute renames to one that only you know (`client-cert` with `rfc9440`)";
    HEADER_FORMAT, "MTLS_HEADER_FORMAT", Value(HeaderFormat::URL_ENCODED.as_str()),
        text!("how certificates are written in the header: ", list!(READ), "; a load balancer sends `url_encoded`");
    MAX_HEADER, "MTLS_MAX_HEADER", Value("16384"),
        "bytes of the certificate header that are read, up to 65536";
    MAX_DEPTH, "MTLS_MAX_DEPTH", Value("4"),
        "certificates below the trust anchor, from 1 to 10; a header with more than twice as many is refused unread";
    IDENTITY_HEADERS, "MTLS_IDENTITY_HEADERS", Absent("the built-in list alone"),
        "further headers that state an identity and are removed from requests, separated by white space: `x-user`, `x-user-*`";
    PASS_HEADERS, "MTLS_PASS_HEADERS", Absent("none"),
        "listed headers that stay, in this spelling: `x-amzn-oidc-*` where the load balancer authenticates users with OIDC; whatever else is before the gate has to overwrite them";
    RESTATED, "MTLS_RESTATED", Value("strip"),
        "`strip`: headers that restate method, path or host (`X-HTTP-Method-Override`, `X-Original-URL`, `X-Forwarded-Host`, …) are removed, and `_method` in the query is refused with policies and on public routes; `keep`";
    EKU, "MTLS_EKU", Value("if-present"),
        "`if-present`: a certificate without extended key usage is for every purpose; `required`: it is refused";
    EXTENSIONS, "MTLS_EXTENSIONS", Absent("none"),
        "private X.509 extensions of the client's certificate that become part of its identity, separated by white space: `1.3.6.1.4.1.57264.1.8`, or `device_id=1.3.6.1.4.1.99999.1` with a name of your choice; at most 16";
    SIGNATURES, "MTLS_SIGNATURES", Absent("all of them"),
        text!("algorithms that may sign what is below a trust anchor, and CRLs, separated by white space: ", list!(SignatureAlgorithm::WORDS));
    TARGET_GROUPS, "MTLS_TARGET_GROUPS", Absent("any"),
        "ARNs of the target groups served, separated by white space, `*` for any part of the name or the id";
    PEERS, "MTLS_PEERS", Absent("not checked; required by the proxy of `alb-mtls-server`"),
        "over HTTP: networks of the load balancer's subnets, separated by white space, such as `10.0.0.0/20 2001:db8::/56`, from which requests may come, or `any`; the address is that of the TCP connection, never of a header; not for Lambda functions";
    MODE, "MTLS_MODE", Value("enforce"),
        "`enforce`; `optional`: no certificate passes as anonymous, a bad one never; `report`: decide and record, deny no client";
    POLICY, "MTLS_POLICY", Absent("none"),
        "sources of Cedar policies that a client needs a permission of; without them every verified client may pass";
    SHADOW_ANCHORS, "MTLS_SHADOW_ANCHORS", Absent("none"),
        "sources of trust anchors that are tried out: what they would decide otherwise is recorded";
    SHADOW_POLICY, "MTLS_SHADOW_POLICY", Absent("none"),
        "sources of policies that are tried out, likewise";
    VERDICT_CACHE, "MTLS_VERDICT_CACHE", Value("1024"),
        "how many clients' verdicts are remembered, up to 65536; `0`: every request is verified again";
    VERDICT_TTL, "MTLS_VERDICT_TTL", Value("5m"),
        "how long a verdict is remembered at most; new trust material ends it at once, and so does the end of a certificate or CRL that it rests on";
    EXPOSE_CODE, "MTLS_EXPOSE_CODE", Value("false"),
        "`true` puts the reason code into the body of a refusal";
    RENEWAL_HINT, "MTLS_RENEWAL_HINT", Value("off"),
        "`off`, or how long before its certificate expires a client is told so in the response header `Client-Cert-Expires`, such as `30d`";
    SERVICE, "MTLS_SERVICE", Value("alb-mtls"),
        "name of the service in records, and dimension of metrics";
    RECORD_ALLOWED, "MTLS_RECORD_ALLOWED", Value("100%"),
        "share of the records about requests that pass which is written, from `0%` to `100%`; refusals are always recorded";
    METRICS, "MTLS_METRICS", Value("off"),
        "`off`, or the namespace of CloudWatch metrics, which are then part of the records";
    BOUND_TOKEN, "MTLS_BOUND_TOKEN", Value("off"),
        "`off`; `if-present`: a bearer token must be bound to the client's certificate (RFC 8705); `required`: and there must be one";
    TOKEN_KEYS, "MTLS_TOKEN_KEYS", Absent("none"),
        "sources of the issuer's public keys, each a JWK set; required with MTLS_BOUND_TOKEN, like the next three";
    TOKEN_ISSUER, "MTLS_TOKEN_ISSUER", Absent("none"),
        "the issuer that tokens must name, character for character";
    TOKEN_AUDIENCE, "MTLS_TOKEN_AUDIENCE", Absent("none"),
        "audiences separated by white space, one of which a token must name";
    TOKEN_ALGORITHMS, "MTLS_TOKEN_ALGORITHMS", Absent("none"),
        "signature algorithms accepted, separated by white space: `ES256`, `ES384`, `EdDSA`, `PS256`, `PS384`, `PS512`, `RS256`, `RS384`, `RS512`";
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Self::from_variables(process_environment(&[SETTINGS.prefix])?)
    }

    /// Reads settings from pairs of name and value; names without the prefix are ignored.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let values = Values::new(&SETTINGS, variables)?;
        let max_depth = values.number(MAX_DEPTH, 1..=10)?;
        let header_format: HeaderFormat = values.parsed_required(HEADER_FORMAT)?;
        let header = header_name(&values, header_format)?;
        let revocation = Revocation::read(&values)?;
        Ok(Self {
            trust: TrustSettings {
                anchors: values.parsed_required(ANCHORS)?,
                intermediates: values.parsed(INTERMEDIATES)?,
                options: VerifyOptions {
                    max_depth,
                    extended_key_usage: values.word(
                        EKU,
                        ExtendedKeyUsageOption::ALL,
                        ExtendedKeyUsageOption::as_str,
                    )?,
                    signatures: values.parsed(SIGNATURES)?.unwrap_or_default(),
                },
                identity_extensions: values.parsed(EXTENSIONS)?.unwrap_or_default(),
                revocation: revocation.crls,
                ocsp: revocation.ocsp,
                refresh: values.duration(REFRESH, UP_TO_A_YEAR)?,
                max_stale: values.duration(MAX_STALE, UP_TO_A_YEAR)?,
                max_anchor_loss: values.parsed_required(MAX_ANCHOR_LOSS)?,
            },
            authorization: AuthorizationSettings {
                policies: policy_sources(&values, POLICY)?,
                shadow_anchors: policy_sources(&values, SHADOW_ANCHORS)?,
                shadow_policies: policy_sources(&values, SHADOW_POLICY)?,
            },
            gate: GateSettings {
                stripped: stripped(&values, header.clone())?,
                header,
                header_format,
                header_limits: HeaderLimits {
                    max_bytes: values.number(MAX_HEADER, 1..=65_536)?,
                    max_certificates: 2 * max_depth,
                },
                peers: values.parsed(PEERS)?,
                target_groups: values.parsed(TARGET_GROUPS)?.unwrap_or(TargetGroups::Any),
                mode: values.word(MODE, Mode::ALL, Mode::as_str)?,
                denial_body: values.word(EXPOSE_CODE, DenialBody::ALL, DenialBody::as_str)?,
                bound_token: bound_token(&values)?,
                deny_list: deny::deny_list(&values)?,
                verdict_cache: VerdictCacheSettings {
                    capacity: values.number(VERDICT_CACHE, 0..=65_536)?,
                    time_to_live: values.duration(VERDICT_TTL, UP_TO_A_YEAR)?,
                },
                audit: AuditSettings {
                    service: values.parsed_required(SERVICE)?,
                    allowed: values.parsed_required(RECORD_ALLOWED)?,
                    metrics: match is_off(&values, METRICS) {
                        true => None,
                        false => Some(values.parsed_required(METRICS)?),
                    },
                },
                renewal_hint: match is_off(&values, RENEWAL_HINT) {
                    true => None,
                    false => Some(values.duration(RENEWAL_HINT, UP_TO_A_YEAR)?),
                },
            },
        })
    }
}

/// A sum of such times never overflows.
const UP_TO_A_YEAR: RangeInclusive<u64> = 0..=365 * 86_400;

fn is_off(values: &Values, name: &str) -> bool {
    values.get(name) == Some("off")
}

/// Reads sources of policies. An operator who sets them wants clients denied, or wants to know
/// which would be: they must not be passed over.
fn policy_sources(values: &Values, name: &'static str) -> Result<Option<Sources>, SettingsError> {
    if cfg!(not(feature = "policy")) && values.is_set(name) {
        let takes = "nothing, because this program was built without policies (cargo feature `policy`)";
        return Err(values.wrong(name, takes));
    }
    values.parsed(name)
}

fn header_name(values: &Values, format: HeaderFormat) -> Result<HeaderName, SettingsError> {
    if !values.is_set(HEADER) {
        return Ok(HeaderName::from_static(format.default_header()));
    }
    parse_certificate_header(values.required(HEADER)?, format)
        .map_err(|error| values.wrong(HEADER, error.to_string()))
}

fn stripped(values: &Values, certificate_header: HeaderName) -> Result<StrippedHeaders, SettingsError> {
    let restated = values.word(RESTATED, Restated::ALL, Restated::as_str)?;
    StrippedHeaders::new(certificate_header)
        .with_restated(restated)
        .with_identity_headers(patterns(values, IDENTITY_HEADERS)?)
        .map_err(|error| values.wrong(IDENTITY_HEADERS, error.to_string()))?
        .with_passed_headers(patterns(values, PASS_HEADERS)?)
        .map_err(|error| values.wrong(PASS_HEADERS, error.to_string()))
}

fn patterns(values: &Values, name: &'static str) -> Result<Vec<NamePattern>, SettingsError> {
    if values.is_set(name) {
        values.words_required(name)
    } else {
        Ok(Vec::new())
    }
}

/// Rejects settings of tokens: without the cargo feature `token` no token is checked, so that a
/// setting which asks for the check is an error.
#[cfg(not(feature = "token"))]
fn bound_token(values: &Values) -> Result<Option<BoundTokenSettings>, SettingsError> {
    if !is_off(values, BOUND_TOKEN) {
        let takes = "`off` alone, because this program was built without tokens (cargo feature `token`)";
        return Err(values.wrong(BOUND_TOKEN, takes));
    }
    values.refuse_set(TOKEN_SETTINGS, WITHOUT_BOUND_TOKEN)?;
    Ok(None)
}

/// Settings that need `MTLS_BOUND_TOKEN`.
const TOKEN_SETTINGS: &[&str] = &[TOKEN_KEYS, TOKEN_ISSUER, TOKEN_AUDIENCE, TOKEN_ALGORITHMS];
const WITHOUT_BOUND_TOKEN: &str = "without MTLS_BOUND_TOKEN";

#[cfg(test)]
mod tests {
    use alb_mtls_verifier::{RevocationDepth, RevocationMode};

    use super::*;

    pub(super) fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let anchors = [(ANCHORS, "file:/anchors.pem")];
        let all = anchors
            .iter()
            .chain(variables)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::from_variables(all)
    }

    #[test]
    fn each_wrong_value_is_named_with_what_is_allowed() {
        for (name, value, words) in [
            ("MTLS_ANCHORS", "", "source"),
            ("MTLS_ANCHORS", "http://anchors", "http://anchors"),
            ("MTLS_INTERMEDIATES", "/etc/pki", "/etc/pki"),
            ("MTLS_REFRESH", "5", "a duration"),
            ("MTLS_REFRESH", "-5s", "a duration"),
            ("MTLS_REFRESH", "99999999999999999999s", "a duration"),
            ("MTLS_MAX_STALE", "1 h", "a duration"),
            ("MTLS_CRLS", "https://crl.example", "https://crl.example"),
            ("MTLS_REVOCATION", "strict", "has no effect without MTLS_CRLS"),
            ("MTLS_CRL_GRACE", "1h", "has no effect without MTLS_CRLS"),
            ("MTLS_MAX_ANCHOR_LOSS", "101%", "a percentage"),
            ("MTLS_HEADER", "a b", "a header name"),
            ("MTLS_HEADER", "host", "a name that only you know"),
            ("MTLS_HEADER", "authorization", "a name that only you know"),
            ("MTLS_HEADER", "x-forwarded-for", "a name that only you know"),
            (
                "MTLS_HEADER_FORMAT",
                "pem",
                "`url_encoded`, `rfc9440`, `base64_encoded`",
            ),
            ("MTLS_IDENTITY_HEADERS", "", "at least one word"),
            ("MTLS_IDENTITY_HEADERS", "x-user x*y", "a header name such as"),
            ("MTLS_IDENTITY_HEADERS", "x-*", "covers `x-amzn-"),
            ("MTLS_IDENTITY_HEADERS", "Host", "covers `host`"),
            ("MTLS_PASS_HEADERS", "Client_Cert", "covers `client-cert`"),
            (
                "MTLS_PASS_HEADERS",
                "x-amzn-mtls-*",
                "the gate does not set itself",
            ),
            ("MTLS_PASS_HEADERS", "accept", "`accept` is not one of them"),
            ("MTLS_RESTATED", "remove", "`strip`, `keep`"),
            ("MTLS_MAX_HEADER", "65537", "a number from 1 to 65536"),
            ("MTLS_MAX_DEPTH", "0", "a number from 1 to 10"),
            ("MTLS_EKU", "yes", "`if-present`, `required`"),
            ("MTLS_EXTENSIONS", "", "at least one object identifier"),
            ("MTLS_EXTENSIONS", "device", "object identifiers such as"),
            ("MTLS_EXTENSIONS", "a=1.2.3 a=1.2.4", "`a` is there twice"),
            ("MTLS_EXTENSIONS", "san=2.5.29.17", "one of X.509 itself"),
            ("MTLS_SIGNATURES", " ", "words separated by white space"),
            ("MTLS_SIGNATURES", "ml-dsa-87 sha1", "`ml-dsa-65`, `ml-dsa-87`"),
            ("MTLS_SIGNATURES", "ml-dsa-87,ml-dsa-65", "`rsa-pkcs1-sha256`, "),
            ("MTLS_SIGNATURES", "ML-DSA-87", "`ml-dsa-87`"),
            ("MTLS_TARGET_GROUPS", "", "ARN"),
            ("MTLS_TARGET_GROUPS", "arn:*", "not in its account or Region"),
            (
                "MTLS_TARGET_GROUPS",
                "arn:aws:elasticloadbalancing:*:targetgroup/gate/*",
                "not in its account or Region",
            ),
            ("MTLS_PEERS", "", "networks separated by white space"),
            ("MTLS_PEERS", "10.0.0.5/20", "`10.0.0.0/20`, or another length"),
            ("MTLS_PEERS", "0.0.0.0/0", "`any` for every network"),
            ("mtls_mode", "enforce", "write MTLS_MODE"),
            ("Mtls_Anchors", "file:/anchors.pem", "write MTLS_ANCHORS"),
            ("MTLS_MODE", "Enforce", "`enforce`, `optional`, `report`"),
            ("MTLS_EXPOSE_CODE", "1", "`false`, `true`"),
            ("MTLS_RENEWAL_HINT", "30", "a duration"),
            ("MTLS_SERVICE", "", "visible ASCII"),
            ("MTLS_SERVICE", "a b", "visible ASCII"),
            ("MTLS_RECORD_ALLOWED", "0.5", "a percentage"),
            ("MTLS_METRICS", "AWS/Lambda", "a namespace"),
            (
                "MTLS_BOUND_TOKEN",
                "yes",
                if cfg!(feature = "token") {
                    "`off`, `if-present`, `required`"
                } else {
                    "`off` alone"
                },
            ),
            (
                "MTLS_TOKEN_KEYS",
                "file:/keys.json",
                "has no effect without MTLS_BOUND_TOKEN",
            ),
            (
                "MTLS_TOKEN_ISSUER",
                "https://issuer",
                "has no effect without MTLS_BOUND_TOKEN",
            ),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(
                error.starts_with(name) && error.contains(words),
                "{name}={value}: {error}"
            );
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[cfg(not(feature = "token"))]
    #[test]
    fn bound_token_without_feature_is_an_error() {
        let error = read(&[(BOUND_TOKEN, "if-present")]).unwrap_err().to_string();
        assert_eq!(
            error,
            "MTLS_BOUND_TOKEN holds `if-present`: it takes `off` alone, because this program was built without tokens \
             (cargo feature `token`)"
        );
        assert!(read(&[(BOUND_TOKEN, "off")]).unwrap().gate.bound_token.is_none());
        let error = read(&[(TOKEN_KEYS, "file:/keys.json")]).unwrap_err().to_string();
        assert!(error.contains("without MTLS_BOUND_TOKEN"), "{error}");
    }

    #[test]
    fn every_documented_variable_is_read() {
        for variable in SETTINGS.variables {
            let error = read(&[(variable.name, "\u{1}")]).map(|_| ()).unwrap_err();
            assert!(error.to_string().starts_with(variable.name), "{error}");
        }
    }

    #[test]
    fn anchors_are_required() {
        let error = Settings::from_variables([]).unwrap_err().to_string();
        assert!(
            error.starts_with("MTLS_ANCHORS is not set: sources of trust anchors"),
            "{error}"
        );
    }

    #[test]
    fn what_is_not_set_is_strict() {
        let settings = read(&[("MTLS_CRLS", "file:/crls.pem")]).unwrap();
        assert_eq!(settings.gate.mode, Mode::Enforce);
        assert_eq!(settings.gate.denial_body, DenialBody::Vague);
        assert_eq!(settings.gate.header, "x-amzn-mtls-clientcert");
        let revocation = settings.trust.revocation.unwrap().options;
        assert_eq!(revocation.mode, RevocationMode::Strict);
        assert_eq!(revocation.depth, RevocationDepth::Chain);
        assert_eq!(revocation.grace_seconds, 0);
    }

    #[test]
    fn the_rfc_9440_format_has_its_own_header() {
        assert_eq!(
            read(&[("MTLS_HEADER_FORMAT", "rfc9440")]).unwrap().gate.header,
            "client-cert"
        );
    }

    #[cfg(not(feature = "policy"))]
    #[test]
    fn without_the_feature_policies_are_refused_and_not_passed_over() {
        for name in [POLICY, SHADOW_ANCHORS, SHADOW_POLICY] {
            let error = read(&[(name, "file:/policies.cedar")]).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "{name} holds `file:/policies.cedar`: it takes nothing, because this program was built without \
                     policies (cargo feature `policy`)"
                )
            );
        }
    }

    #[cfg(feature = "policy")]
    #[test]
    fn policies_come_from_the_same_kinds_of_source_as_anchors() {
        let settings = read(&[
            (POLICY, "file:/a.cedar s3://bucket/b.cedar"),
            (SHADOW_POLICY, "ssm:/gate/shadow/*"),
            (SHADOW_ANCHORS, "file:/shadow.pem"),
        ]);
        let authorization = settings.unwrap().authorization;
        assert_eq!(authorization.policies.unwrap().iter().count(), 2);
        assert!(authorization.shadow_policies.is_some() && authorization.shadow_anchors.is_some());
        let error = read(&[(POLICY, "policies.cedar")]).unwrap_err().to_string();
        assert!(error.contains("`policies.cedar` has no known scheme"), "{error}");
    }
}
