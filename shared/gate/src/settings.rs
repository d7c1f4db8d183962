//! The settings of the gate: environment variables with one prefix, read once, by this one parser.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use alb_mtls_token::{Algorithm, TokenPolicy};
use alb_mtls_trust::{RevocationSettings, Share, Sources, TrustSettings};
use alb_mtls_verifier::{
    ExtendedKeyUsagePolicy, HeaderFormat, HeaderLimits, RevocationDepth, RevocationMode, RevocationPolicy,
    VerificationPolicy,
};
use http::HeaderName;

use crate::bound_token::{BoundTokenSettings, TokenRequirement};
use crate::target_groups::TargetGroups;

/// Everything that an operator can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where trust material comes from, how often it is looked up, and what is asked of a path.
    pub trust: TrustSettings,
    /// How the request is judged before and after the certificate is.
    pub gate: GateSettings,
}

/// How the gate judges requests.
#[derive(Clone, Debug)]
pub struct GateSettings {
    /// The header that holds the certificates.
    pub header: HeaderName,
    /// How they are written into it.
    pub header_format: HeaderFormat,
    /// How much of it is read.
    pub header_limits: HeaderLimits,
    /// The target groups that are served.
    pub target_groups: TargetGroups,
    /// Who passes.
    pub mode: Mode,
    /// What a refused client is told.
    pub refusal_body: RefusalBody,
    /// What is asked of bearer tokens; without it they are not looked at.
    pub bound_token: Option<BoundTokenSettings>,
}

/// Who passes the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Verified clients.
    #[default]
    Enforce,
    /// Verified clients, and anonymous ones that present no certificate. A bad certificate never passes.
    Optional,
    /// Everybody. Every request is decided and recorded; only verified clients get an identity.
    Report,
}

/// What a refused client is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RefusalBody {
    /// That it is refused.
    #[default]
    Vague,
    /// The reason code too: for tests and for clients of one's own.
    WithCode,
}

/// One environment variable, as the documentation shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value when it is not set, or `required` or `none`.
    pub default: &'static str,
    /// What it means and what it may hold, as one clause.
    pub meaning: &'static str,
}

/// The prefix of every variable. One with this prefix that is not in [`VARIABLES`] is an error.
pub const PREFIX: &str = "MTLS_";

macro_rules! variables {
    ($($constant:ident, $name:literal, $default:literal, $meaning:literal;)+) => {
        $(const $constant: &str = $name;)+

        /// Every variable, in the order of the documentation.
        pub const VARIABLES: &[Variable] =
            &[$(Variable { name: $name, default: $default, meaning: $meaning },)+];
    };
}

variables! {
    ANCHORS, "MTLS_ANCHORS", "required",
        "sources of trust anchors, separated by white space: `ssm:/name`, `ssm:/path/*`, `s3://bucket/key[?versionId=…]`, `file:/path`";
    INTERMEDIATES, "MTLS_INTERMEDIATES", "none",
        "sources of untrusted intermediates, for clients that send only their own certificate";
    CRLS, "MTLS_CRLS", "none",
        "sources of CRLs, likewise: DER or PEM, also compressed with gzip";
    REVOCATION, "MTLS_REVOCATION", "strict",
        "with `MTLS_CRLS`: `strict`: a client whose status no CRL clears is refused; `soft`: it passes, and only revoked ones are refused; `off`";
    REVOCATION_DEPTH, "MTLS_REVOCATION_DEPTH", "chain",
        "`chain`: every certificate below the trust anchor is looked up; `leaf`: only the client's own";
    CRL_GRACE, "MTLS_CRL_GRACE", "0s",
        "how long after its nextUpdate a CRL still counts";
    REFRESH, "MTLS_REFRESH", "300s",
        "age at which trust material is looked up again, such as `90s`, `5m`, `1h`";
    MAX_STALE, "MTLS_MAX_STALE", "24h",
        "how long the last good trust material serves while look-ups fail; then requests are answered with 503";
    MAX_ANCHOR_LOSS, "MTLS_MAX_ANCHOR_LOSS", "100%",
        "share of the anchors that one refresh may remove, from `0%` to `100%`; a bundle that loses more is not taken over";
    HEADER, "MTLS_HEADER", "x-amzn-mtls-clientcert",
        "name of the certificate header, where a listener attribute renames it (`client-cert` with `rfc9440`)";
    HEADER_FORMAT, "MTLS_HEADER_FORMAT", "url_encoded",
        "`url_encoded` (what the load balancer sends), `base64_encoded` or `rfc9440`";
    MAX_HEADER, "MTLS_MAX_HEADER", "16384",
        "bytes of the certificate header that are read, up to 65536";
    MAX_DEPTH, "MTLS_MAX_DEPTH", "4",
        "certificates below the trust anchor, from 1 to 10; a header with more than twice as many is refused unread";
    EKU, "MTLS_EKU", "if-present",
        "`if-present`: a certificate without extended key usage is for every purpose; `required`: it is refused";
    TARGET_GROUPS, "MTLS_TARGET_GROUPS", "any",
        "ARNs of the target groups served, separated by white space, `*` for any part";
    MODE, "MTLS_MODE", "enforce",
        "`enforce`; `optional`: no certificate passes as anonymous, a bad one never; `report`: decide and record, refuse nobody";
    EXPOSE_CODE, "MTLS_EXPOSE_CODE", "false",
        "`true` puts the reason code into the body of a refusal";
    BOUND_TOKEN, "MTLS_BOUND_TOKEN", "off",
        "`off`; `if-present`: a bearer token must be bound to the client's certificate (RFC 8705); `required`: and there must be one";
    TOKEN_KEYS, "MTLS_TOKEN_KEYS", "none",
        "sources of the issuer's public keys, each a JWK set; required with MTLS_BOUND_TOKEN, like the next three";
    TOKEN_ISSUER, "MTLS_TOKEN_ISSUER", "none",
        "the issuer that tokens must name, character for character";
    TOKEN_AUDIENCE, "MTLS_TOKEN_AUDIENCE", "none",
        "audiences separated by white space, one of which a token must name";
    TOKEN_ALGORITHMS, "MTLS_TOKEN_ALGORITHMS", "none",
        "signature algorithms accepted, separated by white space: `ES256`, `ES384`, `EdDSA`, `PS256`, `PS384`, `PS512`, `RS256`, `RS384`, `RS512`";
}

/// A setting that is missing, unknown or wrong. Displays as one line for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A required variable is not set.
    #[error("{name} is not set: it takes {takes}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it may hold.
        takes: &'static str,
    },
    /// A variable holds what it may not.
    #[error("{name} holds `{value}`: it takes {takes}")]
    Wrong {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        takes: String,
    },
    /// A variable is set that means nothing without another one.
    #[error("{name} is set, but {without}: it would have no effect")]
    Useless {
        /// The variable.
        name: &'static str,
        /// What is missing, as one clause.
        without: &'static str,
    },
    /// No variable of this name exists.
    #[error("{name} is not a setting{}", did_you_mean(name))]
    Unknown {
        /// The variable.
        name: String,
    },
    /// A variable is not valid Unicode.
    #[error("{name} is not valid Unicode")]
    NotUnicode {
        /// The variable.
        name: String,
    },
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub fn from_environment() -> Result<Self, SettingsError> {
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
    pub fn from_variables(
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
        let max_depth = values.number(MAX_DEPTH, 4, 1..=10)?;
        let header_format: HeaderFormat =
            values.word(HEADER_FORMAT, HeaderFormat::ALL, HeaderFormat::as_str)?;
        Ok(Self {
            trust: TrustSettings {
                anchors: values.sources(ANCHORS)?.ok_or(SettingsError::Missing {
                    name: ANCHORS,
                    takes: "sources such as `ssm:/name`, `s3://bucket/key` or `file:/path`",
                })?,
                intermediates: values.sources(INTERMEDIATES)?,
                policy: VerificationPolicy {
                    max_depth,
                    extended_key_usage: values.word(
                        EKU,
                        ExtendedKeyUsagePolicy::ALL,
                        ExtendedKeyUsagePolicy::as_str,
                    )?,
                },
                revocation: values.revocation()?,
                refresh: values.duration(REFRESH, 300)?,
                max_stale: values.duration(MAX_STALE, 24 * 3_600)?,
                max_anchor_loss: values.share(MAX_ANCHOR_LOSS)?,
            },
            gate: GateSettings {
                header: values.header_name(header_format)?,
                header_format,
                header_limits: HeaderLimits {
                    max_bytes: values.number(MAX_HEADER, 16_384, 1..=65_536)?,
                    max_certificates: 2 * max_depth,
                },
                target_groups: values.target_groups()?,
                mode: values.word(MODE, Mode::ALL, Mode::as_str)?,
                refusal_body: values.word(EXPOSE_CODE, RefusalBody::ALL, RefusalBody::as_str)?,
                bound_token: values.bound_token()?,
            },
        })
    }
}

impl Mode {
    const ALL: &'static [Self] = &[Self::Enforce, Self::Optional, Self::Report];

    /// The name in settings and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Optional => "optional",
            Self::Report => "report",
        }
    }
}

impl RefusalBody {
    const ALL: &'static [Self] = &[Self::Vague, Self::WithCode];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Vague => "false",
            Self::WithCode => "true",
        }
    }
}

/// `MTLS_BOUND_TOKEN` with the choice that is no requirement.
const TOKEN_REQUIREMENTS: &[Option<TokenRequirement>] = &[
    None,
    Some(TokenRequirement::IfPresent),
    Some(TokenRequirement::Required),
];

const fn requirement_name(requirement: Option<TokenRequirement>) -> &'static str {
    match requirement {
        None => "off",
        Some(TokenRequirement::IfPresent) => "if-present",
        Some(TokenRequirement::Required) => "required",
    }
}

struct Values(BTreeMap<String, String>);

impl Values {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// One of a few words; the first is the default.
    fn word<T: Copy + Default>(
        &self,
        name: &'static str,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> Result<T, SettingsError> {
        let Some(value) = self.get(name) else {
            return Ok(T::default());
        };
        all.iter()
            .copied()
            .find(|choice| as_str(*choice) == value)
            .ok_or_else(|| {
                let words: Vec<String> = all
                    .iter()
                    .map(|choice| format!("`{}`", as_str(*choice)))
                    .collect();
                wrong(name, value, words.join(", "))
            })
    }

    fn number(
        &self,
        name: &'static str,
        default: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<usize, SettingsError> {
        let Some(value) = self.get(name) else {
            return Ok(default);
        };
        let number = value.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            wrong(
                name,
                value,
                format!("a number from {} to {}", range.start(), range.end()),
            )
        })
    }

    fn duration(&self, name: &'static str, default: u64) -> Result<Duration, SettingsError> {
        let Some(value) = self.get(name) else {
            return Ok(Duration::from_secs(default));
        };
        parse_duration(value).ok_or_else(|| {
            wrong(
                name,
                value,
                "a duration up to 365d, such as `90s`, `5m`, `24h` or `7d`",
            )
        })
    }

    /// Settings about CRLs need CRLs: without them they would do nothing, and somebody meant them.
    fn revocation(&self) -> Result<Option<RevocationSettings>, SettingsError> {
        let Some(crls) = self.sources(CRLS)? else {
            return match [REVOCATION, REVOCATION_DEPTH, CRL_GRACE]
                .into_iter()
                .find_map(|name| Some((name, self.get(name)?)))
            {
                None | Some((REVOCATION, "off")) => Ok(None),
                Some((name, value)) => Err(wrong(name, value, "effect only when MTLS_CRLS is set")),
            };
        };
        let mode = self.word(REVOCATION, RevocationMode::ALL, RevocationMode::as_str)?;
        let depth = self.word(REVOCATION_DEPTH, RevocationDepth::ALL, RevocationDepth::as_str)?;
        let grace = self.duration(CRL_GRACE, 0)?;
        let policy = RevocationPolicy {
            mode,
            depth,
            grace_seconds: u32::try_from(grace.as_secs()).unwrap_or(u32::MAX),
        };
        Ok((mode != RevocationMode::Off).then_some(RevocationSettings { crls, policy }))
    }

    fn share(&self, name: &'static str) -> Result<Share, SettingsError> {
        let Some(value) = self.get(name) else {
            return Ok(Share::default());
        };
        value
            .parse()
            .map_err(|_| wrong(name, value, "a percentage from `0%` to `100%`"))
    }

    fn sources(&self, name: &'static str) -> Result<Option<Sources>, SettingsError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        Sources::from_str(value)
            .map(Some)
            .map_err(|error| wrong(name, value, error.to_string()))
    }

    fn header_name(&self, format: HeaderFormat) -> Result<HeaderName, SettingsError> {
        let Some(value) = self.get(HEADER) else {
            return Ok(HeaderName::from_static(match format {
                HeaderFormat::Rfc9440 => "client-cert",
                _ => crate::identity_headers::CERTIFICATE,
            }));
        };
        HeaderName::from_str(value).map_err(|_| wrong(HEADER, value, "a header name"))
    }

    fn bound_token(&self) -> Result<Option<BoundTokenSettings>, SettingsError> {
        let Some(requirement) = self.word(BOUND_TOKEN, TOKEN_REQUIREMENTS, requirement_name)? else {
            let all = [TOKEN_KEYS, TOKEN_ISSUER, TOKEN_AUDIENCE, TOKEN_ALGORITHMS];
            return match all.into_iter().find(|name| self.get(name).is_some()) {
                None => Ok(None),
                Some(name) => Err(SettingsError::Useless {
                    name,
                    without: "MTLS_BOUND_TOKEN is not",
                }),
            };
        };
        let missing = |name, takes| SettingsError::Missing { name, takes };
        Ok(Some(BoundTokenSettings {
            requirement,
            keys: self
                .sources(TOKEN_KEYS)?
                .ok_or_else(|| missing(TOKEN_KEYS, "sources of JWK sets such as `s3://bucket/jwks.json`"))?,
            policy: TokenPolicy {
                issuer: self.issuer()?,
                audiences: self.text_list(TOKEN_AUDIENCE, "audiences separated by white space")?,
                algorithms: self.algorithms()?,
            },
            refresh: self.duration(REFRESH, 300)?,
            max_stale: self.duration(MAX_STALE, 24 * 3_600)?,
        }))
    }

    fn issuer(&self) -> Result<String, SettingsError> {
        let takes = "one issuer, such as `https://issuer.example`";
        let words = self.text_list(TOKEN_ISSUER, takes)?;
        match <[String; 1]>::try_from(words) {
            Ok([issuer]) => Ok(issuer),
            Err(_) => Err(wrong(
                TOKEN_ISSUER,
                self.get(TOKEN_ISSUER).unwrap_or_default(),
                takes,
            )),
        }
    }

    fn algorithms(&self) -> Result<Vec<Algorithm>, SettingsError> {
        let takes = "algorithms such as `ES256 PS256`";
        let words = self.text_list(TOKEN_ALGORITHMS, takes)?;
        let value = self.get(TOKEN_ALGORITHMS).unwrap_or_default();
        let all = || {
            let names: Vec<&str> = Algorithm::ALL
                .iter()
                .map(|algorithm| algorithm.as_str())
                .collect();
            format!("one or more of {}", names.join(", "))
        };
        words
            .iter()
            .map(|word| word.parse().map_err(|_| wrong(TOKEN_ALGORITHMS, value, all())))
            .collect()
    }

    /// Words separated by white space, at least one.
    fn text_list(&self, name: &'static str, takes: &'static str) -> Result<Vec<String>, SettingsError> {
        let value = self.get(name).ok_or(SettingsError::Missing { name, takes })?;
        let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
        if words.is_empty()
            || value
                .chars()
                .any(|character| character.is_control() && !character.is_whitespace())
        {
            return Err(wrong(name, value, takes));
        }
        Ok(words)
    }

    fn target_groups(&self) -> Result<TargetGroups, SettingsError> {
        let Some(value) = self.get(TARGET_GROUPS) else {
            return Ok(TargetGroups::Any);
        };
        TargetGroups::from_str(value).map_err(|error| wrong(TARGET_GROUPS, value, error.to_string()))
    }
}

fn wrong(name: &'static str, value: &str, takes: impl Into<String>) -> SettingsError {
    SettingsError::Wrong {
        name,
        value: value.to_owned(),
        takes: takes.into(),
    }
}

/// A whole number and a unit; at most a year, so that no sum of times overflows.
fn parse_duration(text: &str) -> Option<Duration> {
    let (unit, seconds) = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)]
        .into_iter()
        .find(|(unit, _)| text.ends_with(unit))?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let total = digits.parse::<u64>().ok()?.checked_mul(seconds)?;
    (total <= 365 * 86_400).then(|| Duration::from_secs(total))
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

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
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
            ("MTLS_REVOCATION", "strict", "only when MTLS_CRLS is set"),
            ("MTLS_CRL_GRACE", "1h", "only when MTLS_CRLS is set"),
            ("MTLS_MAX_ANCHOR_LOSS", "101%", "a percentage"),
            ("MTLS_HEADER", "a b", "a header name"),
            (
                "MTLS_HEADER_FORMAT",
                "pem",
                "`url_encoded`, `base64_encoded`, `rfc9440`",
            ),
            ("MTLS_MAX_HEADER", "65537", "a number from 1 to 65536"),
            ("MTLS_MAX_DEPTH", "0", "a number from 1 to 10"),
            ("MTLS_EKU", "yes", "`if-present`, `required`"),
            ("MTLS_TARGET_GROUPS", "", "ARN"),
            ("MTLS_MODE", "Enforce", "`enforce`, `optional`, `report`"),
            ("MTLS_EXPOSE_CODE", "1", "`false`, `true`"),
            ("MTLS_BOUND_TOKEN", "yes", "`off`, `if-present`, `required`"),
            ("MTLS_TOKEN_KEYS", "file:/keys.json", "MTLS_BOUND_TOKEN is not"),
            ("MTLS_TOKEN_ISSUER", "https://issuer", "MTLS_BOUND_TOKEN is not"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(
                error.starts_with(name) && error.contains(words),
                "{name}={value}: {error}"
            );
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn bound_tokens_need_keys_issuer_audience_and_algorithms() {
        let all = [
            ("MTLS_BOUND_TOKEN", "required"),
            ("MTLS_TOKEN_KEYS", "file:/keys.json"),
            ("MTLS_TOKEN_ISSUER", "https://issuer.example"),
            ("MTLS_TOKEN_AUDIENCE", "https://a.example https://b.example"),
            ("MTLS_TOKEN_ALGORITHMS", "ES256 EdDSA"),
        ];
        let settings = read(&all).unwrap().gate.bound_token.unwrap();
        assert_eq!(settings.requirement, TokenRequirement::Required);
        assert_eq!(settings.policy.issuer, "https://issuer.example");
        assert_eq!(settings.policy.audiences.len(), 2);
        assert_eq!(settings.policy.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
        for index in 1..all.len() {
            let mut others = all.to_vec();
            let (name, _) = others.remove(index);
            let error = read(&others).unwrap_err();
            assert!(
                matches!(error, SettingsError::Missing { name: missing, .. } if missing == name),
                "{error}"
            );
        }
        for (name, value) in [
            ("MTLS_TOKEN_KEYS", "https://issuer.example/keys"),
            ("MTLS_TOKEN_ISSUER", "https://a.example https://b.example"),
            ("MTLS_TOKEN_ISSUER", ""),
            ("MTLS_TOKEN_AUDIENCE", " "),
            ("MTLS_TOKEN_ALGORITHMS", ""),
            ("MTLS_TOKEN_ALGORITHMS", "none"),
            ("MTLS_TOKEN_ALGORITHMS", "ES256 HS256"),
            ("MTLS_TOKEN_ALGORITHMS", "ES256,PS256"),
        ] {
            let with = all.map(|(other, before)| (other, if other == name { value } else { before }));
            let error = read(&with).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} holds")), "{error}");
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
    fn unknown_variables_with_the_prefix_are_refused() {
        let error = read(&[("MTLS_MAX_DEPHT", "4")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "MTLS_MAX_DEPHT is not a setting: did you mean MTLS_MAX_DEPTH?"
        );
        assert_eq!(
            read(&[("MTLS_X", "4")]).unwrap_err().to_string(),
            "MTLS_X is not a setting"
        );
    }

    #[test]
    fn anchors_are_required() {
        let error = Settings::from_variables([]).unwrap_err().to_string();
        assert!(error.starts_with("MTLS_ANCHORS is not set: it takes "), "{error}");
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        // Settings about CRLs are only taken with CRLs.
        let crls = [("MTLS_CRLS", "file:/crls.pem")];
        let table = VARIABLES
            .iter()
            .filter(|variable| !matches!(variable.default, "required" | "none" | "any"))
            .map(|variable| (variable.name, variable.default));
        let all: Vec<(&str, &str)> = table.chain(crls).collect();
        assert_eq!(
            format!("{:?}", read(&all).unwrap()),
            format!("{:?}", read(&crls).unwrap())
        );
    }

    #[test]
    fn the_rfc_9440_format_has_its_own_header() {
        assert_eq!(
            read(&[("MTLS_HEADER_FORMAT", "rfc9440")]).unwrap().gate.header,
            "client-cert"
        );
    }
}
