//! The settings: environment variables with one prefix, read once, by this one parser.

use std::time::Duration;

use alb_mtls_settings::{SettingsError, Values, list, process_environment, table, text, words};
use alb_mtls_trust::{CrlDestination, CrlLocation, PrivateNetwork, Sources, WebRules};
use alb_mtls_verifier::{SignatureAlgorithm, SignatureAlgorithms};
use ipnet::IpNet;

/// Everything that an operator can set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) anchors: Sources,
    pub(crate) intermediates: Option<Sources>,
    pub(crate) locations: Vec<CrlLocation>,
    pub(crate) distribution_points: DistributionPoints,
    pub(crate) destination: CrlDestination,
    pub(crate) private_networks: Vec<IpNet>,
    /// Trust anchors for `https` servers, instead of the system's.
    pub(crate) tls_anchors: Option<Sources>,
    /// Algorithms that CRLs may be signed with.
    pub(crate) signatures: SignatureAlgorithms,
    /// Longest time for one CRL, from the lookup of its name to its last byte.
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: usize,
}

words! {
    /// Use of the URLs of CRLs in the operator's own certificates.
    #[derive(Default)]
    pub(crate) enum DistributionPoints {
        #[default]
        Ignore = "ignore",
        Fetch = "fetch",
    }
}

table! {
    /// Every variable, in the order of the documentation.
    pub(crate) SETTINGS, "CRL_";
    ANCHORS, "CRL_ANCHORS", Required,
        "sources of the trust anchors that CRLs are verified with, as MTLS_ANCHORS does";
    INTERMEDIATES, "CRL_INTERMEDIATES", Absent("none"),
        "sources of the intermediates that sign CRLs, as MTLS_INTERMEDIATES does";
    SOURCES, "CRL_SOURCES", Absent("required, unless distribution points are fetched"),
        "URLs of CRLs, separated by white space: `http://…`, `https://…`, `s3://bucket/key`";
    DISTRIBUTION_POINTS, "CRL_DISTRIBUTION_POINTS", Value("ignore"),
        "`ignore`, or `fetch`: also what the anchors' and intermediates' own certificates name, and the delta CRLs that a published CRL names";
    DESTINATION, "CRL_DESTINATION", Required,
        "where to publish: `s3://bucket/prefix/`, with `?region=` and `?owner=` as in a source";
    PRIVATE_NETWORKS, "CRL_PRIVATE_NETWORKS", Absent("none"),
        "networks that are not public and may be fetched from, separated by white space, such as `10.1.0.0/16`";
    TLS_ANCHORS, "CRL_TLS_ANCHORS", Absent("the system's"),
        "sources of trust anchors for `https` servers";
    SIGNATURES, "CRL_SIGNATURES", Absent("all of them"),
        text!("algorithms that CRLs may be signed with, as MTLS_SIGNATURES, so that no CRL is published that the gate does not rely on: ", list!(SignatureAlgorithm::WORDS));
    TIMEOUT, "CRL_TIMEOUT", Value("20s"),
        "the longest time for one CRL, from `1s` to `5m`";
    MAX_BYTES, "CRL_MAX_BYTES", Value("52428800"),
        "the most bytes of one CRL, unpacked, up to 1073741824; the default is a load balancer's own limit. One in DER of more than 16777216 takes as much temporary storage, and the published one beside it as much again";
}

impl Settings {
    pub(crate) fn from_environment() -> Result<Self, SettingsError> {
        Self::from_variables(process_environment(&[SETTINGS.prefix])?)
    }

    /// Returns the rules for the servers that CRLs are fetched from.
    pub(crate) fn web_rules(&self) -> WebRules<'_> {
        WebRules {
            private_networks: &self.private_networks,
            networks_setting: PRIVATE_NETWORKS,
            user_agent: concat!("alb-mtls-refresh-crls/", env!("CARGO_PKG_VERSION")),
            max_bytes: self.max_bytes,
        }
    }

    fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let values = Values::new(&SETTINGS, variables)?;
        let distribution_points = values.word(
            DISTRIBUTION_POINTS,
            DistributionPoints::ALL,
            DistributionPoints::as_str,
        )?;
        let destination: CrlDestination = values.parsed_required(DESTINATION)?;
        let locations: Vec<CrlLocation> = values.words(SOURCES)?;
        if locations.is_empty() && distribution_points == DistributionPoints::Ignore {
            return Err(values.missing(SOURCES));
        }
        destination
            .check_distinct(&locations)
            .map_err(|error| values.wrong(SOURCES, format!("different objects, and {error}")))?;
        Ok(Self {
            anchors: values.parsed_required(ANCHORS)?,
            intermediates: values.parsed(INTERMEDIATES)?,
            locations,
            distribution_points,
            destination,
            private_networks: values
                .words::<PrivateNetwork>(PRIVATE_NETWORKS)?
                .into_iter()
                .map(|network| network.0)
                .collect(),
            tls_anchors: values.parsed(TLS_ANCHORS)?,
            signatures: values.parsed(SIGNATURES)?.unwrap_or_default(),
            timeout: values.duration(TIMEOUT, 1..=300)?,
            max_bytes: values.number(MAX_BYTES, 1..=1024 * 1024 * 1024)?,
        })
    }
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
        Settings::from_variables(variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn nothing_but_what_is_named_is_fetched_by_default() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.distribution_points, DistributionPoints::Ignore);
        assert!(settings.private_networks.is_empty());
    }

    #[test]
    fn sources_that_differ_in_escapes_alone_are_refused_with_both_named() {
        let (one, other) = (
            "http://crl.example.com/a%2Fb.crl",
            "http://crl.example.com/a/b.crl",
        );
        let error = settings(&[(SOURCES, &format!("{one} {other}"))])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!(
                "`{one}` and `{other}` would both be published as `s3://bucket/crls/crl.example.com/a/b.crl`"
            )),
            "{error}"
        );
        let queries = "http://crl.example.com/c?ca=1 http://crl.example.com/c?ca=2";
        assert_eq!(settings(&[(SOURCES, queries)]).unwrap().locations.len(), 2);
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
            (SIGNATURES, ""),
            (SIGNATURES, "ml-dsa-87 md5"),
            (TIMEOUT, "20"),
            (TIMEOUT, "0s"),
            (TIMEOUT, "301s"),
            (TIMEOUT, "+5s"),
            (MAX_BYTES, "0"),
            (MAX_BYTES, "1e6"),
            (MAX_BYTES, "1073741825"),
        ] {
            let error = settings(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} holds `")), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn what_is_needed_is_named() {
        let base = [
            (ANCHORS, "file:/a.pem"),
            (SOURCES, "http://x/y"),
            (DESTINATION, "s3://bucket/"),
        ];
        let without = |missing: &str, others: &[(&str, &str)]| {
            let rest = base.iter().filter(|(name, _)| *name != missing).chain(others);
            Settings::from_variables(rest.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        };
        for (missing, _) in base {
            let error = without(missing, &[]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{missing} is not set: ")), "{error}");
        }
        let fetching = without(SOURCES, &[(DISTRIBUTION_POINTS, "fetch")]).unwrap();
        assert!(fetching.locations.is_empty());
    }
}
