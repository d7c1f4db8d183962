//! The settings of the authorizer beside those of the gate.

use alb_mtls_settings::{SettingsError, Values, process_environment, table, words};

/// The gate's variables of the same meaning, and of one that means nothing here.
const GATE_BOUND_TOKEN: &str = "MTLS_BOUND_TOKEN";
const GATE_TARGET_GROUPS: &str = "MTLS_TARGET_GROUPS";

table! {
    /// Every variable of the authorizer's own, in the order of the documentation.
    pub(crate) SETTINGS, "AUTHORIZE_";
    CERTIFICATE, "AUTHORIZE_CERTIFICATE", Value("client-cert"),
        "`client-cert`: from API Gateway, which ended TLS for a custom domain with mutual TLS; `header`: from the load balancer before a private API";
    RESPONSE, "AUTHORIZE_RESPONSE", Value("iam"),
        "what an HTTP API with payload format 2.0 is set to take: `iam` (a policy) or `simple`; the event does not say it";
    RESOURCE, "AUTHORIZE_RESOURCE", Value("stage"),
        "the resource of a policy: `stage`, so that API Gateway can cache it, or `request`: only the requested method and path, the default with MTLS_POLICY";
    BOUND_TOKEN, "AUTHORIZE_BOUND_TOKEN", Value("off"),
        "another name for MTLS_BOUND_TOKEN";
}

/// Everything that an operator can set.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) gate: alb_mtls_gate::Settings,
    pub(crate) authorizer: AuthorizerSettings,
}

/// Settings of the authorizer alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthorizerSettings {
    pub(crate) certificate: CertificateSource,
    pub(crate) response: ResponseFormat,
    pub(crate) resource: ResourceScope,
}

words! {
    /// Place of the client's certificate. Only one place is read, and a certificate in the other
    /// one is denied.
    #[derive(Default)]
    pub(crate) enum CertificateSource {
        /// In `clientCert` of the event, where API Gateway puts what it saw in the TLS handshake.
        /// No client can write it.
        #[default]
        ClientCert = "client-cert",
        /// In the certificate header of the load balancer that is the only way to the API.
        Header = "header",
    }
}

words! {
    /// Answer that an HTTP API with payload format 2.0 expects.
    #[derive(Default)]
    pub(crate) enum ResponseFormat {
        #[default]
        Iam = "iam",
        Simple = "simple",
    }
}

words! {
    /// Resource of a policy.
    #[derive(Default)]
    pub(crate) enum ResourceScope {
        /// Everything in the stage of the request: right for every request that gets the same
        /// answer from a cache.
        #[default]
        Stage = "stage",
        /// The method and path that were asked for.
        Request = "request",
    }
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub(crate) fn from_environment() -> Result<Self, SettingsError> {
        let prefixes = [SETTINGS.prefix, alb_mtls_gate::SETTINGS.prefix];
        Self::from_variables(process_environment(&prefixes)?)
    }

    fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let mut variables: Vec<_> = variables.into_iter().collect();
        let values = Values::new(&SETTINGS, variables.clone())?;
        let authorizer = AuthorizerSettings {
            certificate: values.word(CERTIFICATE, CertificateSource::ALL, CertificateSource::as_str)?,
            response: values.word(RESPONSE, ResponseFormat::ALL, ResponseFormat::as_str)?,
            resource: values.word(RESOURCE, ResourceScope::ALL, ResourceScope::as_str)?,
        };
        if values.is_set(BOUND_TOKEN) {
            let value = values.word(BOUND_TOKEN, &["off", "if-present", "required"], |word| word)?;
            if variables.iter().any(|(name, _)| name == GATE_BOUND_TOKEN) {
                let takes =
                    format!("the place of {GATE_BOUND_TOKEN}, which is set too: leave one of them out");
                return Err(values.wrong(BOUND_TOKEN, takes));
            }
            variables.push((GATE_BOUND_TOKEN.to_owned(), value.to_owned()));
        }
        if variables.iter().any(|(name, _)| name == GATE_TARGET_GROUPS) {
            return Err(SettingsError::Useless {
                name: GATE_TARGET_GROUPS,
                without: "without a load balancer: events of API Gateway name no target group",
            });
        }
        let gate = alb_mtls_gate::Settings::from_variables(variables)?;
        if gate.gate.renewal_hint.is_some() {
            return Err(SettingsError::Useless {
                name: "MTLS_RENEWAL_HINT",
                without: "without a place to tell it: an authorizer writes no header of the API's responses",
            });
        }
        let resource = match gate.authorization.policies {
            None => authorizer.resource,
            // What policies permit, they permit for this request.
            Some(_) if values.is_set(RESOURCE) && authorizer.resource == ResourceScope::Stage => {
                return Err(values.wrong(
                    RESOURCE,
                    "`request` with MTLS_POLICY, which decides about each request by itself",
                ));
            }
            Some(_) => ResourceScope::Request,
        };
        let authorizer = AuthorizerSettings {
            resource,
            ..authorizer
        };
        Ok(Self { gate, authorizer })
    }
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
    fn wrong_value_is_one_line_with_allowed_values() {
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
                "MTLS_RENEWAL_HINT",
                "30d",
                "MTLS_RENEWAL_HINT has no effect without a place to tell it: an authorizer writes no header of the API's responses",
            ),
            (
                "MTLS_TARGET_GROUPS",
                "arn:aws:elasticloadbalancing:*",
                "MTLS_TARGET_GROUPS has no effect without a load balancer: events of API Gateway name no target group",
            ),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().to_string(), line);
        }
    }

    #[test]
    fn every_documented_variable_is_read() {
        for variable in SETTINGS.variables {
            let error = read(&[(variable.name, "\u{1}")]).map(|_| ()).unwrap_err();
            assert!(error.to_string().starts_with(variable.name), "{error}");
        }
    }

    #[cfg(feature = "token")]
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
