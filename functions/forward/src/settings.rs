//! The settings of the forwarder: environment variables with one prefix, read once, by this one parser.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use alb_mtls_gate::Variable;
use alb_mtls_trust::{Source, Sources};
use rustls_pki_types::ServerName;

use crate::assertion::AssertionSettings;
use crate::identity::IdentityForms;
use crate::routes::{HostHeader, Routes};

/// Everything that an operator can set beyond the gate's own settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) routes: Routes,
    pub(crate) host: HostHeader,
    pub(crate) identity: IdentityForms,
    /// Longest time from the start of an exchange with the upstream to its end.
    pub(crate) timeout: Duration,
    pub(crate) tls: TlsSettings,
    /// How assertions are made, when they are asked for.
    pub(crate) assertion: Option<AssertionSettings>,
}

/// How upstreams prove who they are, and how this function proves it to them.
#[derive(Clone, Debug)]
pub(crate) struct TlsSettings {
    /// Trust anchors for upstreams instead of the system's.
    pub(crate) anchors: Option<Sources>,
    /// The name that an upstream's certificate must have, when that is not the host in its URL.
    pub(crate) server_name: Option<ServerName<'static>>,
    /// Where the certificate chain and the key are with which this function authenticates to upstreams.
    pub(crate) certificate: Option<Source>,
}

/// The prefix of every variable. One with this prefix that is not in [`VARIABLES`] is an error.
pub(crate) const PREFIX: &str = "FORWARD_";

macro_rules! variables {
    ($($constant:ident, $name:literal, $default:literal, $meaning:literal;)+) => {
        $(const $constant: &str = $name;)+

        /// Every variable, in the order of the documentation.
        pub(crate) const VARIABLES: &[Variable] =
            &[$(Variable { name: $name, default: $default, meaning: $meaning },)+];
    };
}

variables! {
    UPSTREAM, "FORWARD_UPSTREAM", "none",
        "where requests go that no route takes: `http(s)://host[:port][/base]`; required without FORWARD_ROUTES";
    ROUTES, "FORWARD_ROUTES", "none",
        "routes, separated by white space: `[public:][host]/prefix[=upstream]`; the longest prefix of the path as sent wins, those with the request's host before those without";
    HOST, "FORWARD_HOST", "keep",
        "`keep`: the upstream sees the Host header of the client; `upstream`: that of its own URL";
    IDENTITY, "FORWARD_IDENTITY", "verify-mode,rfc9440",
        "what tells the upstream who the client is, separated by commas: `verify-mode`, `rfc9440`, `xfcc`, `passthrough`, `assertion`, or `none`";
    TIMEOUT, "FORWARD_TIMEOUT", "30s",
        "longest time for an exchange with the upstream, never beyond the function's own; at most 5 s of it to connect";
    UPSTREAM_CA, "FORWARD_UPSTREAM_CA", "the system's",
        "sources of trust anchors for `https` upstreams, as in MTLS_ANCHORS";
    UPSTREAM_SERVER_NAME, "FORWARD_UPSTREAM_SERVER_NAME", "the upstream's host",
        "name that the certificates of `https` upstreams must have";
    UPSTREAM_CERTIFICATE, "FORWARD_UPSTREAM_CERTIFICATE", "none",
        "source of a certificate chain and its key (PEM) to authenticate with to `https` upstreams: `ssm:/name` or `file:/path`";
    ASSERTION_KEYS, "FORWARD_ASSERTION_KEYS", "required with `assertion`",
        "sources of P-256 keys (PKCS #8 PEM): `ssm:/name` or `file:/path`; the first key signs, all are in the key set";
    ASSERTION_ISSUER, "FORWARD_ASSERTION_ISSUER", "required with `assertion`",
        "the assertions' `iss`";
    ASSERTION_AUDIENCE, "FORWARD_ASSERTION_AUDIENCE", "the upstream's origin",
        "the assertions' `aud`";
    ASSERTION_LIFETIME, "FORWARD_ASSERTION_LIFETIME", "60s",
        "time from an assertion's `iat` to its `exp`, from `1s` to `1h`";
    JWKS_PATH, "FORWARD_JWKS_PATH", "/.well-known/alb-mtls/jwks.json",
        "path at which the key set of the assertions is served, to everybody";
}

/// A setting that is missing, unknown or wrong. Displays as one line for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("{name} is not set: it takes {takes}")]
    Missing { name: &'static str, takes: &'static str },
    #[error("{name} holds `{value}`: it takes {takes}")]
    Wrong {
        name: &'static str,
        value: String,
        takes: String,
    },
    #[error("{name} has no effect {without}")]
    NoEffect {
        name: &'static str,
        without: &'static str,
    },
    #[error("{name} is not a setting{}", did_you_mean(name))]
    Unknown { name: String },
    #[error("{name} is not valid Unicode")]
    NotUnicode { name: String },
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub(crate) fn from_environment() -> Result<Self, SettingsError> {
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            let value = value.into_string().map_err(|_| SettingsError::NotUnicode {
                name: name.to_owned(),
            })?;
            variables.push((name.to_owned(), value));
        }
        Self::from_variables(variables)
    }

    /// Reads settings from pairs of name and value; names without the prefix are none of ours.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub(crate) fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let values: BTreeMap<String, String> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        if let Some(name) = values
            .keys()
            .find(|name| VARIABLES.iter().all(|known| known.name != name.as_str()))
        {
            return Err(SettingsError::Unknown { name: name.clone() });
        }
        let values = Values(values);
        let host = values.parsed(HOST)?.unwrap_or_default();
        let identity: IdentityForms = values.parsed(IDENTITY)?.unwrap_or_default();
        let routes = values.routes(host)?;
        Ok(Self {
            timeout: values.duration(TIMEOUT, 30, 1..=900)?,
            tls: values.tls(&routes)?,
            assertion: values.assertion(&identity)?,
            routes,
            host,
            identity,
        })
    }
}

struct Values(BTreeMap<String, String>);

impl Values {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn parsed<T>(&self, name: &'static str) -> Result<Option<T>, SettingsError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        value
            .parse()
            .map(Some)
            .map_err(|error: T::Err| wrong(name, value, error.to_string()))
    }

    fn routes(&self, host: HostHeader) -> Result<Routes, SettingsError> {
        let upstream = self.parsed(UPSTREAM)?;
        let routes = self.get(ROUTES).unwrap_or_default();
        if upstream.is_none() && self.get(ROUTES).is_none() {
            return Err(SettingsError::Missing {
                name: UPSTREAM,
                takes: "the upstream's URL, such as `http://10.0.0.7:8080`",
            });
        }
        if self.get(ROUTES).is_some_and(|routes| routes.trim().is_empty()) {
            return Err(wrong(
                ROUTES,
                routes,
                "at least one route, such as `/reports=http://reports.internal`",
            ));
        }
        Routes::parse(routes, upstream, host).map_err(|error| wrong(ROUTES, routes, error.to_string()))
    }

    fn tls(&self, routes: &Routes) -> Result<TlsSettings, SettingsError> {
        let settings = TlsSettings {
            anchors: self.parsed(UPSTREAM_CA)?,
            server_name: match self.get(UPSTREAM_SERVER_NAME) {
                None => None,
                Some(value) => Some(
                    ServerName::try_from(value.to_owned())
                        .map_err(|_| wrong(UPSTREAM_SERVER_NAME, value, "a host name or an IP address"))?,
                ),
            },
            certificate: match self.get(UPSTREAM_CERTIFICATE) {
                None => None,
                Some(value) => Some(secret_source(UPSTREAM_CERTIFICATE, value)?),
            },
        };
        if !routes.any_tls() {
            let names = [UPSTREAM_CA, UPSTREAM_SERVER_NAME, UPSTREAM_CERTIFICATE];
            self.refuse_without_effect(&names, "without an `https` upstream")?;
        }
        Ok(settings)
    }

    fn assertion(&self, identity: &IdentityForms) -> Result<Option<AssertionSettings>, SettingsError> {
        if !identity.assertion {
            let names = [
                ASSERTION_KEYS,
                ASSERTION_ISSUER,
                ASSERTION_AUDIENCE,
                ASSERTION_LIFETIME,
                JWKS_PATH,
            ];
            self.refuse_without_effect(&names, "without `assertion` in FORWARD_IDENTITY")?;
            return Ok(None);
        }
        let Some(keys) = self.get(ASSERTION_KEYS) else {
            return Err(SettingsError::Missing {
                name: ASSERTION_KEYS,
                takes: "sources of P-256 keys, such as `ssm:/name` or `file:/path`",
            });
        };
        let keys: Vec<Source> = keys
            .split_whitespace()
            .map(|word| secret_source(ASSERTION_KEYS, word))
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(wrong(
                ASSERTION_KEYS,
                "",
                "at least one source, such as `ssm:/name` or `file:/path`",
            ));
        }
        let jwks_path = self.get(JWKS_PATH).unwrap_or("/.well-known/alb-mtls/jwks.json");
        if !crate::raw_path::is_plain(jwks_path) || jwks_path == "/" {
            return Err(wrong(
                JWKS_PATH,
                jwks_path,
                "a path that begins with `/` and has no unusual characters",
            ));
        }
        Ok(Some(AssertionSettings {
            keys,
            issuer: self.text(ASSERTION_ISSUER)?.ok_or(SettingsError::Missing {
                name: ASSERTION_ISSUER,
                takes: "the name of this gate, such as `https://gate.example`",
            })?,
            audience: self.text(ASSERTION_AUDIENCE)?,
            lifetime: self.duration(ASSERTION_LIFETIME, 60, 1..=3_600)?,
            jwks_path: jwks_path.to_owned(),
        }))
    }

    fn refuse_without_effect(
        &self,
        names: &[&'static str],
        without: &'static str,
    ) -> Result<(), SettingsError> {
        match names.iter().find(|name| self.get(name).is_some()) {
            None => Ok(()),
            Some(name) => Err(SettingsError::NoEffect { name, without }),
        }
    }

    /// Text that is printed into tokens: visible ASCII.
    fn text(&self, name: &'static str) -> Result<Option<String>, SettingsError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong(name, value, "visible ASCII characters without spaces"));
        }
        Ok(Some(value.to_owned()))
    }

    fn duration(
        &self,
        name: &'static str,
        default: u64,
        seconds: std::ops::RangeInclusive<u64>,
    ) -> Result<Duration, SettingsError> {
        let Some(value) = self.get(name) else {
            return Ok(Duration::from_secs(default));
        };
        parse_duration(value)
            .filter(|duration| seconds.contains(&duration.as_secs()))
            .ok_or_else(|| {
                let (from, to) = (seconds.start(), seconds.end());
                wrong(
                    name,
                    value,
                    format!("a duration from `{from}s` to `{to}s`, such as `30s` or `1m`"),
                )
            })
    }
}

fn wrong(name: &'static str, value: &str, takes: impl Into<String>) -> SettingsError {
    SettingsError::Wrong {
        name,
        value: value.to_owned(),
        takes: takes.into(),
    }
}

/// Keys are read from a file or from one parameter; a bucket is no place for them.
fn secret_source(name: &'static str, word: &str) -> Result<Source, SettingsError> {
    match word.parse::<Source>() {
        Ok(source @ (Source::File(_) | Source::Parameter(_))) => Ok(source),
        Ok(_) => Err(wrong(name, word, "`ssm:/name` of one parameter or `file:/path`")),
        Err(error) => Err(wrong(name, word, error.to_string())),
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (digits, seconds) = text
        .strip_suffix('s')
        .map(|digits| (digits, 1))
        .or_else(|| text.strip_suffix('m').map(|digits| (digits, 60)))?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits
        .parse::<u64>()
        .ok()?
        .checked_mul(seconds)
        .map(Duration::from_secs)
}

/// The known variable whose name shares the longest start with this one, if that is more than the prefix.
fn did_you_mean(name: &str) -> String {
    let shared = |known: &&Variable| {
        known
            .name
            .bytes()
            .zip(name.bytes())
            .take_while(|(left, right)| left.eq_ignore_ascii_case(right))
            .count()
    };
    match VARIABLES.iter().max_by_key(shared) {
        Some(known) if shared(&known) > PREFIX.len() + 1 => format!(": did you mean {}?", known.name),
        _ => String::new(),
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
            ("FORWARD_ASSERTION_KEYS", "", "at least one source"),
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
        for variable in VARIABLES {
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
    fn defaults_are_those_of_the_table() {
        let mut table: Vec<(&str, &str)> = VARIABLES
            .iter()
            .filter(|variable| variable.default != "none" && !variable.default.contains(' '))
            .map(|variable| (variable.name, variable.default))
            .collect();
        assert!(table.len() >= 5, "{table:?}");
        table.retain(|(name, _)| *name != IDENTITY);
        table.extend(ASSERTION);
        assert_eq!(
            format!("{:?}", read(&table).unwrap()),
            format!("{:?}", read(ASSERTION).unwrap())
        );
        let identity = VARIABLES
            .iter()
            .find(|variable| variable.name == IDENTITY)
            .unwrap()
            .default;
        assert_eq!(
            identity.parse::<IdentityForms>().unwrap(),
            IdentityForms::default()
        );
    }

    #[test]
    fn unknown_variables_with_the_prefix_are_refused() {
        let error = read(&[HTTPS, ("FORWARD_TIMEOT", "4s")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "FORWARD_TIMEOT is not a setting: did you mean FORWARD_TIMEOUT?"
        );
        assert_eq!(
            read(&[("FORWARD_X", "4")]).unwrap_err().to_string(),
            "FORWARD_X is not a setting"
        );
    }

    #[test]
    fn an_upstream_is_required() {
        let error = read(&[]).unwrap_err().to_string();
        assert!(
            error.starts_with("FORWARD_UPSTREAM is not set: it takes "),
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
