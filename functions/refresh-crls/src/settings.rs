//! The settings: environment variables with one prefix, read once, by this one parser.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use alb_mtls_trust::{S3Object, Source, Sources};
use ipnet::IpNet;

use crate::location::Location;

/// Everything that an operator can set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) anchors: Sources,
    pub(crate) intermediates: Option<Sources>,
    pub(crate) locations: Vec<Location>,
    pub(crate) distribution_points: DistributionPoints,
    pub(crate) destination: Destination,
    pub(crate) private_networks: Vec<IpNet>,
    /// Trust anchors for `https` servers, instead of the system's.
    pub(crate) tls_anchors: Option<Sources>,
    /// Longest time for one CRL, from the look-up of its name to its last octet.
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: usize,
}

/// Whether CRLs are fetched from where the operator's own certificates say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DistributionPoints {
    #[default]
    Ignore,
    Fetch,
}

/// Where CRLs are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    bucket: String,
    /// Empty, or ends with a slash.
    prefix: String,
    region: Option<String>,
    owner: Option<String>,
}

impl Destination {
    /// The object for the CRL of this location.
    pub(crate) fn object_for(&self, location: &Location) -> S3Object {
        S3Object {
            region: self.region.clone(),
            owner: self.owner.clone(),
            ..S3Object::new(&*self.bucket, format!("{}{}", self.prefix, location.name()))
        }
    }
}

impl FromStr for Destination {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // A source names an object; here its key is a prefix, which may be empty.
        let (path, query) = text
            .split_once('?')
            .map_or((text, ""), |(path, query)| (path, query));
        if !path.ends_with('/') || query.contains("versionId") || text.contains('#') {
            return Err(());
        }
        let mark = "any";
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{query}")
        };
        match format!("{path}{mark}{query}").parse() {
            Ok(Source::Object(object)) => Ok(Self {
                prefix: object.key.strip_suffix(mark).ok_or(())?.to_owned(),
                bucket: object.bucket,
                region: object.region,
                owner: object.owner,
            }),
            _ => Err(()),
        }
    }
}

/// The prefix of every variable. One with this prefix that is not known is an error.
const PREFIX: &str = "CRL_";

const ANCHORS: &str = "CRL_ANCHORS";
const INTERMEDIATES: &str = "CRL_INTERMEDIATES";
const SOURCES: &str = "CRL_SOURCES";
const DISTRIBUTION_POINTS: &str = "CRL_DISTRIBUTION_POINTS";
const DESTINATION: &str = "CRL_DESTINATION";
const PRIVATE_NETWORKS: &str = "CRL_PRIVATE_NETWORKS";
const TLS_ANCHORS: &str = "CRL_TLS_ANCHORS";
const TIMEOUT: &str = "CRL_TIMEOUT";
const MAX_BYTES: &str = "CRL_MAX_BYTES";

/// Every variable and what it takes, in the order of the documentation.
const VARIABLES: &[(&str, &str)] = &[
    (
        ANCHORS,
        "sources of the trust anchors that CRLs are verified with, as MTLS_ANCHORS does",
    ),
    (
        INTERMEDIATES,
        "sources of the intermediates that sign CRLs, as MTLS_INTERMEDIATES does",
    ),
    (
        SOURCES,
        "URLs of CRLs, separated by white space: `http://…`, `https://…`, `s3://bucket/key`",
    ),
    (
        DISTRIBUTION_POINTS,
        "`ignore`, or `fetch`: also what the anchors' and intermediates' own certificates name",
    ),
    (
        DESTINATION,
        "where to publish: `s3://bucket/prefix/`, with `?region=` and `?owner=` as in a source",
    ),
    (
        PRIVATE_NETWORKS,
        "networks that are not public and may be fetched from, separated by white space, such as `10.1.0.0/16`",
    ),
    (
        TLS_ANCHORS,
        "sources of trust anchors for `https` servers, instead of the system's",
    ),
    (TIMEOUT, "the longest time for one CRL, from `1s` to `300s`"),
    (
        MAX_BYTES,
        "the most bytes of one CRL, unpacked, from 1 to 268435456",
    ),
];

/// A setting that is missing, unknown or wrong. Displays as one line for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("{name} is not set: it takes {}", takes(name))]
    Missing { name: &'static str },
    #[error("{name} holds `{value}`: it takes {}{}", takes(name), reason.as_ref().map(|reason| format!("; {reason}")).unwrap_or_default())]
    Wrong {
        name: &'static str,
        value: String,
        reason: Option<String>,
    },
    #[error("{name} is not a setting; those are {}", names())]
    Unknown { name: String },
    #[error("{name} is not valid Unicode")]
    NotUnicode { name: String },
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self, SettingsError> {
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            let value = value.into_string().map_err(|_| SettingsError::NotUnicode {
                name: name.to_owned(),
            })?;
            variables.insert(name.to_owned(), value);
        }
        Self::from_variables(variables)
    }

    fn from_variables(variables: BTreeMap<String, String>) -> Result<Self, SettingsError> {
        if let Some(name) = variables
            .keys()
            .find(|name| VARIABLES.iter().all(|(known, _)| known != name))
        {
            return Err(SettingsError::Unknown { name: name.clone() });
        }
        let values = Values(variables);
        let distribution_points = match values.get(DISTRIBUTION_POINTS) {
            None | Some("ignore") => DistributionPoints::Ignore,
            Some("fetch") => DistributionPoints::Fetch,
            Some(other) => return Err(wrong(DISTRIBUTION_POINTS, other, None)),
        };
        let locations = values.words::<Location>(SOURCES)?;
        if locations.is_empty() && distribution_points == DistributionPoints::Ignore {
            return Err(SettingsError::Missing { name: SOURCES });
        }
        let mut names: Vec<String> = locations.iter().map(Location::name).collect();
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[left, right]| left == right) {
            let reason = format!("two of them would be published as `{name}`");
            return Err(wrong(
                SOURCES,
                values.get(SOURCES).unwrap_or_default(),
                Some(reason),
            ));
        }
        Ok(Self {
            anchors: values.required(ANCHORS)?,
            intermediates: values.parsed(INTERMEDIATES)?,
            locations,
            distribution_points,
            destination: match values.get(DESTINATION) {
                None => return Err(SettingsError::Missing { name: DESTINATION }),
                Some(value) => value.parse().map_err(|()| wrong(DESTINATION, value, None))?,
            },
            private_networks: values.words(PRIVATE_NETWORKS)?,
            tls_anchors: values.parsed(TLS_ANCHORS)?,
            timeout: match values.get(TIMEOUT) {
                None => Duration::from_secs(20),
                Some(value) => parse_seconds(value).ok_or_else(|| wrong(TIMEOUT, value, None))?,
            },
            max_bytes: match values.get(MAX_BYTES) {
                // A load balancer's own limit.
                None => 50 * 1024 * 1024,
                Some(value) => parse_bytes(value).ok_or_else(|| wrong(MAX_BYTES, value, None))?,
            },
        })
    }
}

fn parse_seconds(text: &str) -> Option<Duration> {
    let seconds = parse_number(text.strip_suffix('s')?)?;
    (1..=300).contains(&seconds).then(|| Duration::from_secs(seconds))
}

fn parse_bytes(text: &str) -> Option<usize> {
    let bytes = parse_number(text)?;
    (1..=256 * 1024 * 1024)
        .contains(&bytes)
        .then(|| usize::try_from(bytes).ok())?
}

/// Digits alone: `u64`'s own parser takes a `+` too.
fn parse_number(digits: &str) -> Option<u64> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.parse().ok()
    } else {
        None
    }
}

struct Values(BTreeMap<String, String>);

impl Values {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn required<T: FromStr>(&self, name: &'static str) -> Result<T, SettingsError>
    where
        T::Err: ToString,
    {
        self.parsed(name)?.ok_or(SettingsError::Missing { name })
    }

    fn parsed<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, SettingsError>
    where
        T::Err: ToString,
    {
        let parse = |value: &str| {
            value
                .parse()
                .map_err(|error: T::Err| wrong(name, value, Some(error.to_string())))
        };
        self.get(name).map(parse).transpose()
    }

    /// Words separated by white space. A variable that is set and holds none is a mistake.
    fn words<T: FromStr>(&self, name: &'static str) -> Result<Vec<T>, SettingsError>
    where
        T::Err: ToString,
    {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let words = value
            .split_whitespace()
            .map(|word| {
                word.parse()
                    .map_err(|error: T::Err| wrong(name, word, Some(error.to_string())))
            })
            .collect::<Result<Vec<T>, _>>()?;
        if words.is_empty() {
            Err(wrong(name, value, None))
        } else {
            Ok(words)
        }
    }
}

fn wrong(name: &'static str, value: &str, reason: Option<String>) -> SettingsError {
    SettingsError::Wrong {
        name,
        value: value.to_owned(),
        reason,
    }
}

fn takes(name: &str) -> &'static str {
    VARIABLES
        .iter()
        .find(|(known, _)| *known == name)
        .map_or("nothing", |(_, takes)| takes)
}

fn names() -> String {
    let names: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(changes: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let base = [
            (ANCHORS, "file:/anchors.pem"),
            (SOURCES, "http://crl.example.com/root.crl"),
            (DESTINATION, "s3://bucket/crls/"),
        ];
        let variables = base.iter().chain(changes);
        Settings::from_variables(
            variables
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.timeout, Duration::from_secs(20));
        assert_eq!(settings.max_bytes, 52_428_800);
        assert_eq!(settings.distribution_points, DistributionPoints::Ignore);
        assert!(settings.private_networks.is_empty());
    }

    #[test]
    fn a_destination_is_a_bucket_and_a_prefix() {
        let location: Location = "http://crl.example.com/root.crl".parse().unwrap();
        for (text, key) in [
            ("s3://bucket/", "crl.example.com/root.crl"),
            ("s3://bucket/a/b/", "a/b/crl.example.com/root.crl"),
        ] {
            let destination: Destination = text.parse().unwrap();
            assert_eq!(destination.object_for(&location), S3Object::new("bucket", key));
        }
        let elsewhere: Destination = "s3://bucket/?region=eu-west-1&owner=123456789012"
            .parse()
            .unwrap();
        assert_eq!(
            elsewhere.object_for(&location).region.as_deref(),
            Some("eu-west-1")
        );
        for text in [
            "s3://bucket",
            "s3://bucket/a",
            "bucket/",
            "s3:///a/",
            "file:/a/",
            "s3://bucket/?versionId=1",
            "s3://bucket/#sha256=00",
        ] {
            assert_eq!(text.parse::<Destination>(), Err(()), "{text}");
        }
    }

    #[test]
    fn wrong_values_are_one_line_with_name_value_and_what_it_takes() {
        for (name, value) in [
            (ANCHORS, "nothing"),
            (ANCHORS, ""),
            (INTERMEDIATES, "x:/y"),
            (SOURCES, " "),
            (
                SOURCES,
                "http://crl.example.com/a.crl http://crl.example.com/a.crl",
            ),
            (SOURCES, "ldap://x/y"),
            (DISTRIBUTION_POINTS, "yes"),
            (DESTINATION, "s3://bucket"),
            (PRIVATE_NETWORKS, "10.0.0.0"),
            (PRIVATE_NETWORKS, "10.0.0.0/33"),
            (TLS_ANCHORS, ""),
            (TIMEOUT, "20"),
            (TIMEOUT, "0s"),
            (TIMEOUT, "301s"),
            (TIMEOUT, "+5s"),
            (MAX_BYTES, "0"),
            (MAX_BYTES, "1e6"),
            (MAX_BYTES, "268435457"),
        ] {
            let error = settings(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} holds `")), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn unknown_and_missing_names_are_errors() {
        let error = settings(&[("CRL_TIMOUT", "5s")]).unwrap_err().to_string();
        assert!(
            error.starts_with("CRL_TIMOUT is not a setting; those are CRL_ANCHORS, "),
            "{error}"
        );
        for name in [ANCHORS, SOURCES, DESTINATION] {
            let mut variables = BTreeMap::from(
                [
                    (ANCHORS, "file:/a.pem"),
                    (SOURCES, "http://x/y"),
                    (DESTINATION, "s3://bucket/"),
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
            variables.remove(name);
            assert_eq!(
                Settings::from_variables(variables).unwrap_err(),
                SettingsError::Missing { name }
            );
        }
        let variables = BTreeMap::from(
            [
                (ANCHORS, "file:/a.pem"),
                (DISTRIBUTION_POINTS, "fetch"),
                (DESTINATION, "s3://bucket/"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert!(Settings::from_variables(variables).unwrap().locations.is_empty());
    }
}
