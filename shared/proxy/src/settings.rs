//! The settings of the forwarder: environment variables with one prefix, read once, by this one
//! parser.

use std::str::FromStr;
use std::time::Duration;

use alb_mtls_http::forms::WRITTEN;
use alb_mtls_http::path::PlainPath;
use alb_mtls_settings::{SettingsError, Values, list, process_environment, table, text, words};
use alb_mtls_trust::{KEY_SOURCE_FORMS, Source, SourceUse, Sources};
use rustls_pki_types::ServerName;

use crate::assertion::AssertionSettings;
use crate::identity::UpstreamIdentity;
use crate::routes::{HostHeader, Routes};
use crate::upstream::Upstream;

words! {
    /// In which form a function as the upstream takes headers and parameters.
    pub enum FunctionEvents {
        /// In the one in which the load balancer sent them.
        AsSent = "as-sent",
        /// With one value each, the last one.
        SingleValue = "single-value",
    }
}

/// Everything that an operator can set about upstreams.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) routes: Routes,
    pub(crate) host: HostHeader,
    pub(crate) identity: UpstreamIdentity,
    /// Longest time from the start of an exchange with the upstream to its end; where bodies are
    /// streamed, to the head of the answer and between two parts of a body.
    pub timeout: Duration,
    /// TLS to upstreams.
    pub tls: TlsSettings,
    /// In which form a function gets its events.
    pub function_events: FunctionEvents,
    /// Settings of assertions, when the identity contains one.
    pub(crate) assertion: Option<AssertionSettings>,
}

/// Settings of TLS to upstreams, in both directions: their trust anchors, and this function's own
/// certificate.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Trust anchors for upstreams instead of the system's.
    pub(crate) anchors: Option<Sources>,
    /// The name that an upstream's certificate must have, when that is not the host in its URL.
    pub(crate) server_name: Option<ServerName<'static>>,
    /// Source of the certificate chain and key with which this function authenticates to upstreams.
    pub(crate) certificate: Option<Source>,
}

table! {
    /// Every variable of the forwarder's own, in the order of the documentation.
    pub SETTINGS, "FORWARD_";
    UPSTREAM, "FORWARD_UPSTREAM", Absent("none"),
        "where requests go that no route takes: `http(s)://host[:port][/base]`, `h2c://…` or `h2://…` for HTTP/2 without or with TLS, `unix:/path`, or `lambda:function[:alias]` with a name or an ARN; required without FORWARD_ROUTES";
    ROUTES, "FORWARD_ROUTES", Absent("none"),
        "routes, separated by white space: `[public:][host]/prefix[=upstream]`; the longest prefix of the path as sent wins, those with the request's host before those without. With a host or `public:`, a request without a readable Host header is answered with 400";
    HOST, "FORWARD_HOST", Value("keep"),
        "`keep`: the upstream sees the Host header of the client; `upstream`: that of its own URL";
    IDENTITY, "FORWARD_IDENTITY", Value("verify-mode,rfc9440,extensions"),
        text!("headers that tell the upstream who the client is, separated by commas: ", list!(WRITTEN), ", and `assertion`; or `none`");
    TIMEOUT, "FORWARD_TIMEOUT", Value("30s"),
        "longest time for an exchange with the upstream, never beyond the function's own; at most 5 s of it to connect. In the server: to the head of the answer, and between two parts of a body";
    LAMBDA_EVENT, "FORWARD_LAMBDA_EVENT", Value("as-sent"),
        "`as-sent`: a `lambda:` upstream gets the event in the load balancer's form; `single-value`: with the last value alone of each header and parameter";
    UPSTREAM_CA, "FORWARD_UPSTREAM_CA", Absent("the system's"),
        "sources of trust anchors for `https` upstreams, as in MTLS_ANCHORS";
    UPSTREAM_SERVER_NAME, "FORWARD_UPSTREAM_SERVER_NAME", Absent("the upstream's host"),
        "name that the certificates of `https` upstreams must have";
    UPSTREAM_CERTIFICATE, "FORWARD_UPSTREAM_CERTIFICATE", Absent("none"),
        text!("source of a certificate chain and its key (PEM) to authenticate with to `https` upstreams: ", KEY_SOURCE_FORMS);
    ASSERTION_KEYS, "FORWARD_ASSERTION_KEYS", Absent("required with `assertion`"),
        text!("sources of P-256 keys (PKCS #8 PEM): ", KEY_SOURCE_FORMS, "; the first key signs, all are in the key set");
    ASSERTION_ISSUER, "FORWARD_ASSERTION_ISSUER", Absent("required with `assertion`"),
        "the assertions' `iss`";
    ASSERTION_AUDIENCE, "FORWARD_ASSERTION_AUDIENCE", Absent("the upstream's origin"),
        "the assertions' `aud`";
    ASSERTION_LIFETIME, "FORWARD_ASSERTION_LIFETIME", Value("60s"),
        "time from an assertion's `iat` to its `exp`, from `1s` to `1h`";
    JWKS_PATH, "FORWARD_JWKS_PATH", Value("/.well-known/alb-mtls/jwks.json"),
        "path at which the key set of the assertions is served, to every client";
}

impl Settings {
    /// Returns every upstream.
    pub fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        self.routes.upstreams()
    }

    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Self::from_variables(process_environment(&[SETTINGS.prefix])?)
    }

    /// Reads settings from pairs of name and value; ignores names without the prefix.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let values = Values::new(&SETTINGS, variables)?;
        let host = values.parsed_required(HOST)?;
        let identity: UpstreamIdentity = values.parsed_required(IDENTITY)?;
        let routes = routes(&values, host)?;
        if !routes.any_server() {
            values.refuse_set(&[HOST], "without an upstream that is a server")?;
        }
        if !routes.any_function() {
            values.refuse_set(&[LAMBDA_EVENT], "without a `lambda:` upstream")?;
        }
        Ok(Self {
            timeout: values.duration(TIMEOUT, 1..=900)?,
            tls: tls(&values, &routes)?,
            function_events: values.word(LAMBDA_EVENT, FunctionEvents::ALL, FunctionEvents::as_str)?,
            assertion: assertion(&values, &identity)?,
            routes,
            host,
            identity,
        })
    }
}

fn routes(values: &Values, host: HostHeader) -> Result<Routes, SettingsError> {
    let upstream = values.parsed(UPSTREAM)?;
    let Some(routes) = values.get(ROUTES) else {
        if upstream.is_none() {
            return Err(values.missing(UPSTREAM));
        }
        return Routes::parse("", upstream, host).map_err(|error| values.wrong(ROUTES, error.to_string()));
    };
    if routes.trim().is_empty() {
        let takes = "at least one route, such as `/reports=http://reports.internal`";
        return Err(values.wrong(ROUTES, takes));
    }
    Routes::parse(routes, upstream, host).map_err(|error| values.wrong(ROUTES, error.to_string()))
}

fn tls(values: &Values, routes: &Routes) -> Result<TlsSettings, SettingsError> {
    let server_name = |name: &str| {
        ServerName::try_from(name.to_owned())
            .map_err(|_| values.wrong(UPSTREAM_SERVER_NAME, "a host name or an IP address"))
    };
    let certificate: Option<SecretSource> = values.parsed(UPSTREAM_CERTIFICATE)?;
    let settings = TlsSettings {
        anchors: values.parsed(UPSTREAM_CA)?,
        server_name: values.get(UPSTREAM_SERVER_NAME).map(server_name).transpose()?,
        certificate: certificate.map(|source| source.0),
    };
    if !routes.any_tls() {
        let names = [UPSTREAM_CA, UPSTREAM_SERVER_NAME, UPSTREAM_CERTIFICATE];
        values.refuse_set(&names, "without an `https` upstream")?;
    }
    Ok(settings)
}

fn assertion(
    values: &Values,
    identity: &UpstreamIdentity,
) -> Result<Option<AssertionSettings>, SettingsError> {
    if !identity.assertion {
        let names = [
            ASSERTION_KEYS,
            ASSERTION_ISSUER,
            ASSERTION_AUDIENCE,
            ASSERTION_LIFETIME,
            JWKS_PATH,
        ];
        values.refuse_set(&names, "without `assertion` in FORWARD_IDENTITY")?;
        return Ok(None);
    }
    let keys: Vec<SecretSource> = values.words_required(ASSERTION_KEYS)?;
    let jwks_path = values.required(JWKS_PATH)?;
    if PlainPath::parse(jwks_path).is_none() || jwks_path == "/" {
        let takes = "a path that begins with `/` and has no unusual characters";
        return Err(values.wrong(JWKS_PATH, takes));
    }
    let issuer = values.visible_text(ASSERTION_ISSUER)?;
    Ok(Some(AssertionSettings {
        keys: keys.into_iter().map(|source| source.0).collect(),
        issuer: issuer.ok_or_else(|| values.missing(ASSERTION_ISSUER))?.to_owned(),
        audience: values.visible_text(ASSERTION_AUDIENCE)?.map(str::to_owned),
        lifetime: values.duration(ASSERTION_LIFETIME, 1..=3_600)?,
        jwks_path: jwks_path.to_owned(),
    }))
}

/// Source of keys: a file or one parameter, not a bucket.
struct SecretSource(Source);

impl FromStr for SecretSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<Source>() {
            Ok(source) if source.is_for(SourceUse::Keys) => Ok(Self(source)),
            Ok(_) => Err(KEY_SOURCE_FORMS.to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_variables(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    const HTTPS: (&str, &str) = ("FORWARD_UPSTREAM", "https://app.internal");
    const ASSERTION: &[(&str, &str)] = &[
        HTTPS,
        ("FORWARD_IDENTITY", "assertion"),
        ("FORWARD_ASSERTION_KEYS", "ssm:/gate/key"),
        ("FORWARD_ASSERTION_ISSUER", "https://gate.example"),
    ];

    #[test]
    fn each_wrong_value_is_named_with_what_is_allowed() {
        for (name, value, words) in [
            ("FORWARD_UPSTREAM", "", "http"),
            ("FORWARD_UPSTREAM", "app.internal:8080", "http"),
            ("FORWARD_UPSTREAM", "ftp://app", "http"),
            ("FORWARD_UPSTREAM", "http://user@app", "user"),
            ("FORWARD_UPSTREAM", "lambda:", "lambda:name"),
            ("FORWARD_UPSTREAM", "http://app/base?x=1", "query"),
            ("FORWARD_UPSTREAM", "http://app/#a", "fragment"),
            ("FORWARD_UPSTREAM", "http://169.254.169.254/latest", "link-local"),
            ("FORWARD_UPSTREAM", "http://[fe80::1]/", "link-local"),
            (
                "FORWARD_UPSTREAM",
                "http://[::ffff:169.254.169.254]/",
                "link-local",
            ),
            ("FORWARD_UPSTREAM", "http://[fd00:ec2::254]/", "metadata"),
            ("FORWARD_ROUTES", "", "at least one route"),
            ("FORWARD_ROUTES", "reports=http://reports", "/"),
            ("FORWARD_ROUTES", "/reports=reports", "http"),
            ("FORWARD_ROUTES", "/a=http://a /a=http://b", "twice"),
            ("FORWARD_HOST", "Keep", "`keep`, `upstream`"),
            ("FORWARD_IDENTITY", "verify_mode", "`verify-mode`"),
            ("FORWARD_IDENTITY", "none,xfcc", "`none`"),
            ("FORWARD_IDENTITY", "xfcc,xfcc", "twice"),
            ("FORWARD_IDENTITY", "", "`verify-mode`"),
            ("FORWARD_TIMEOUT", "0s", "a duration"),
            ("FORWARD_TIMEOUT", "901s", "a duration"),
            ("FORWARD_TIMEOUT", "30", "a duration"),
            ("FORWARD_TIMEOUT", "99999999999999999999s", "a duration"),
            ("FORWARD_UPSTREAM_CA", "/etc/ca.pem", "/etc/ca.pem"),
            ("FORWARD_UPSTREAM_SERVER_NAME", "a b", "host name"),
            ("FORWARD_UPSTREAM_CERTIFICATE", "s3://bucket/key", "ssm:/name"),
            ("FORWARD_UPSTREAM_CERTIFICATE", "ssm:/path/*", "ssm:/name"),
            ("FORWARD_ASSERTION_KEYS", "", "at least one word"),
            ("FORWARD_ASSERTION_KEYS", "s3://bucket/key", "ssm:/name"),
            ("FORWARD_ASSERTION_ISSUER", "a b", "visible ASCII"),
            ("FORWARD_ASSERTION_AUDIENCE", "", "visible ASCII"),
            ("FORWARD_ASSERTION_LIFETIME", "2h", "a duration"),
            ("FORWARD_JWKS_PATH", "/", "path"),
            ("FORWARD_JWKS_PATH", "/a/../b", "path"),
        ] {
            let mut variables: Vec<(&str, &str)> = ASSERTION
                .iter()
                .copied()
                .filter(|(known, _)| *known != name)
                .collect();
            variables.push((name, value));
            let error = read(&variables).unwrap_err().to_string();
            assert!(
                error.starts_with(name) && error.contains(words),
                "{name}={value}: {error}"
            );
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn every_documented_variable_is_read() {
        for variable in SETTINGS.variables {
            let mut variables: Vec<(&str, &str)> = ASSERTION
                .iter()
                .copied()
                .filter(|(known, _)| *known != variable.name)
                .collect();
            variables.push((variable.name, "\u{1}"));
            let error = read(&variables).unwrap_err();
            assert!(error.to_string().starts_with(variable.name), "{error}");
        }
    }

    #[test]
    fn an_upstream_is_required() {
        let error = read(&[]).unwrap_err().to_string();
        assert!(
            error.starts_with("FORWARD_UPSTREAM is not set: where requests go "),
            "{error}"
        );
        read(&[("FORWARD_ROUTES", "/a=http://a")]).unwrap();
    }

    #[test]
    fn settings_that_would_do_nothing_are_refused() {
        let plain = ("FORWARD_UPSTREAM", "http://app.internal");
        for (name, value) in [
            ("FORWARD_UPSTREAM_CA", "file:/ca.pem"),
            ("FORWARD_UPSTREAM_SERVER_NAME", "app"),
            ("FORWARD_UPSTREAM_CERTIFICATE", "file:/client.pem"),
            ("FORWARD_LAMBDA_EVENT", "as-sent"),
            ("FORWARD_ASSERTION_KEYS", "file:/key.pem"),
            ("FORWARD_ASSERTION_ISSUER", "gate"),
            ("FORWARD_ASSERTION_LIFETIME", "60s"),
            ("FORWARD_JWKS_PATH", "/jwks"),
        ] {
            let error = read(&[plain, (name, value)]).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{name} has no effect without ")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_function_has_settings_of_its_own() {
        let function = ("FORWARD_UPSTREAM", "lambda:app:live");
        let form =
            |value| read(&[function, ("FORWARD_LAMBDA_EVENT", value)]).map(|read| read.function_events);
        assert_eq!(form("as-sent"), Ok(FunctionEvents::AsSent));
        assert_eq!(form("single-value"), Ok(FunctionEvents::SingleValue));
        assert_eq!(read(&[function]).unwrap().function_events, FunctionEvents::AsSent);
        let error = form("multi").unwrap_err().to_string();
        assert!(error.contains("`as-sent`, `single-value`"), "{error}");
        let error = read(&[function, ("FORWARD_HOST", "upstream")])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("FORWARD_HOST has no effect without "),
            "{error}"
        );
    }

    #[test]
    fn assertions_need_a_key_and_an_issuer() {
        for missing in ["FORWARD_ASSERTION_KEYS", "FORWARD_ASSERTION_ISSUER"] {
            let variables: Vec<(&str, &str)> = ASSERTION
                .iter()
                .copied()
                .filter(|(name, _)| *name != missing)
                .collect();
            let error = read(&variables).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{missing} is not set")), "{error}");
        }
    }
}
