//! The settings of the authorizer beside those of the gate.

use std::collections::BTreeMap;

use alb_mtls_gate::{SettingsError, TargetGroups, Variable};

/// The prefix of the authorizer's own variables. One with this prefix that is not in [`VARIABLES`] is an error.
const PREFIX: &str = "AUTHORIZE_";

const CERTIFICATE: &str = "AUTHORIZE_CERTIFICATE";
const RESPONSE: &str = "AUTHORIZE_RESPONSE";
const RESOURCE: &str = "AUTHORIZE_RESOURCE";
const BOUND_TOKEN: &str = "AUTHORIZE_BOUND_TOKEN";

/// The gate's variable of the same meaning.
const GATE_BOUND_TOKEN: &str = "MTLS_BOUND_TOKEN";

/// Every variable of the authorizer's own, in the order of the documentation.
const VARIABLES: &[Variable] = &[
    Variable {
        name: CERTIFICATE,
        default: "client-cert",
        meaning: "`client-cert`: from API Gateway, which ended TLS for a custom domain with mutual TLS; `header`: from the load balancer before a private API",
    },
    Variable {
        name: RESPONSE,
        default: "iam",
        meaning: "what an HTTP API with payload format 2.0 is set to take: `iam` (a policy) or `simple`; the event does not say it",
    },
    Variable {
        name: RESOURCE,
        default: "stage",
        meaning: "what a policy speaks of: `stage`, so that API Gateway may cache it, or `request`: only the method and path asked for",
    },
    Variable {
        name: BOUND_TOKEN,
        default: "off",
        meaning: "another name for MTLS_BOUND_TOKEN",
    },
];

/// Everything that an operator can set.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) gate: alb_mtls_gate::Settings,
    pub(crate) authorizer: AuthorizerSettings,
}

/// What is the authorizer's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthorizerSettings {
    pub(crate) certificate: CertificateSource,
    pub(crate) response: ResponseFormat,
    pub(crate) resource: ResourceScope,
}

/// Where the client's certificate is. Exactly one place is looked at, and a certificate in the other one is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CertificateSource {
    /// In `clientCert` of the event, where API Gateway puts what it saw in the TLS handshake. No client can write it.
    #[default]
    ClientCert,
    /// In the certificate header of the load balancer that is the only way to the API.
    Header,
}

/// What an HTTP API with payload format 2.0 takes for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ResponseFormat {
    #[default]
    Iam,
    Simple,
}

/// What a policy speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ResourceScope {
    /// Everything in the stage of the request: right for every request that gets the same answer from a cache.
    #[default]
    Stage,
    /// The method and path that were asked for.
    Request,
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub(crate) fn from_environment() -> Result<Self, SettingsError> {
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            let ours = |name: &&str| name.starts_with(PREFIX) || name.starts_with(alb_mtls_gate::PREFIX);
            let Some(name) = name.to_str().filter(ours) else {
                continue;
            };
            let value = value.into_string().map_err(|_| SettingsError::NotUnicode {
                name: name.to_owned(),
            })?;
            variables.push((name.to_owned(), value));
        }
        Self::from_variables(variables)
    }

    fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let (own, mut others): (BTreeMap<_, _>, BTreeMap<_, _>) = variables
            .into_iter()
            .partition(|(name, _)| name.starts_with(PREFIX));
        if let Some(name) = own
            .keys()
            .find(|name| VARIABLES.iter().all(|known| known.name != name.as_str()))
        {
            return Err(SettingsError::Unknown { name: name.clone() });
        }
        let authorizer = AuthorizerSettings {
            certificate: word(
                &own,
                CERTIFICATE,
                &[
                    ("client-cert", CertificateSource::ClientCert),
                    ("header", CertificateSource::Header),
                ],
            )?,
            response: word(
                &own,
                RESPONSE,
                &[("iam", ResponseFormat::Iam), ("simple", ResponseFormat::Simple)],
            )?,
            resource: word(
                &own,
                RESOURCE,
                &[
                    ("stage", ResourceScope::Stage),
                    ("request", ResourceScope::Request),
                ],
            )?,
        };
        if let Some(value) = own.get(BOUND_TOKEN) {
            word(
                &own,
                BOUND_TOKEN,
                &[("off", ()), ("if-present", ()), ("required", ())],
            )?;
            if others
                .insert(GATE_BOUND_TOKEN.to_owned(), value.clone())
                .is_some()
            {
                return Err(SettingsError::Wrong {
                    name: BOUND_TOKEN,
                    value: value.clone(),
                    takes: format!(
                        "the place of {GATE_BOUND_TOKEN}, which is set too: leave one of them out"
                    ),
                });
            }
        }
        let gate = alb_mtls_gate::Settings::from_variables(others)?;
        if gate.gate.target_groups != TargetGroups::Any {
            return Err(SettingsError::Useless {
                name: "MTLS_TARGET_GROUPS",
                without: "events of API Gateway name no target group",
            });
        }
        Ok(Self { gate, authorizer })
    }
}

/// One of a few words; without the variable, the type's default.
fn word<T: Copy + Default>(
    variables: &BTreeMap<String, String>,
    name: &'static str,
    all: &[(&'static str, T)],
) -> Result<T, SettingsError> {
    let Some(value) = variables.get(name) else {
        return Ok(T::default());
    };
    let found = all.iter().find(|(word, _)| word == value);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let words: Vec<String> = all.iter().map(|(word, _)| format!("`{word}`")).collect();
        SettingsError::Wrong {
            name,
            value: value.clone(),
            takes: words.join(", "),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let anchors = [("MTLS_ANCHORS", "file:/anchors.pem")];
        let all = anchors.iter().chain(variables);
        Settings::from_variables(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn each_wrong_value_is_one_line_with_what_is_allowed() {
        for (name, value, line) in [
            (
                "AUTHORIZE_CERTIFICATE",
                "both",
                "AUTHORIZE_CERTIFICATE holds `both`: it takes `client-cert`, `header`",
            ),
            (
                "AUTHORIZE_RESPONSE",
                "2.0",
                "AUTHORIZE_RESPONSE holds `2.0`: it takes `iam`, `simple`",
            ),
            (
                "AUTHORIZE_RESOURCE",
                "*",
                "AUTHORIZE_RESOURCE holds `*`: it takes `stage`, `request`",
            ),
            (
                "AUTHORIZE_BOUND_TOKEN",
                "true",
                "AUTHORIZE_BOUND_TOKEN holds `true`: it takes `off`, `if-present`, `required`",
            ),
            ("AUTHORIZE_TTL", "0", "AUTHORIZE_TTL is not a setting"),
            (
                "MTLS_TARGET_GROUPS",
                "arn:aws:elasticloadbalancing:*",
                "MTLS_TARGET_GROUPS is set, but events of API Gateway name no target group: it would have no effect",
            ),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().to_string(), line);
        }
    }

    #[test]
    fn every_documented_variable_is_read() {
        for variable in VARIABLES {
            let error = read(&[(variable.name, "\u{1}")]).map(|_| ()).unwrap_err();
            assert!(error.to_string().starts_with(variable.name), "{error}");
        }
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        let table: Vec<(&str, &str)> = VARIABLES
            .iter()
            .map(|variable| (variable.name, variable.default))
            .collect();
        let (set, default) = (read(&table).unwrap(), read(&[]).unwrap());
        assert_eq!(set.authorizer, default.authorizer);
        assert!(set.gate.gate.bound_token.is_none() && default.gate.gate.bound_token.is_none());
    }

    #[test]
    fn the_bound_token_has_two_names_and_one_value() {
        let needed = [
            ("MTLS_TOKEN_KEYS", "file:/keys.json"),
            ("MTLS_TOKEN_ISSUER", "https://issuer.example"),
            ("MTLS_TOKEN_AUDIENCE", "https://api.example"),
            ("MTLS_TOKEN_ALGORITHMS", "ES256"),
        ];
        for name in [BOUND_TOKEN, GATE_BOUND_TOKEN] {
            let settings = read(&[&needed[..], &[(name, "required")]].concat()).unwrap();
            assert!(settings.gate.gate.bound_token.is_some(), "{name}");
        }
        let both = [(BOUND_TOKEN, "required"), (GATE_BOUND_TOKEN, "required")];
        let error = read(&[&needed[..], &both].concat()).unwrap_err().to_string();
        assert!(error.contains("leave one of them out"), "{error}");
        let error = read(&[(BOUND_TOKEN, "required")]).unwrap_err().to_string();
        assert!(error.starts_with("MTLS_TOKEN_KEYS is not set"), "{error}");
    }
}
