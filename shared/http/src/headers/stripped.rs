//! Removal of headers before the service behind a gate sees a request.

use http::header::{HeaderMap, HeaderName};

use super::names::{NamePattern, is_same};
use super::restated::Restated;
use super::table::{self, Role};
use crate::forms::CERTIFICATE_HEADER;

/// List of headers that a request loses: those that state an identity, those that restate the
/// request, and look-alikes of genuine headers.
///
/// ```
/// use alb_mtls_http::StrippedHeaders;
/// use http::HeaderName;
/// use http::header::HeaderMap;
///
/// let stripped = StrippedHeaders::new(HeaderName::from_static("x-amzn-mtls-clientcert"));
/// let mut headers = HeaderMap::new();
/// for name in ["x_ssl_client_verify", "x-http-method-override", "content_length", "accept"] {
///     headers.insert(name, "1".parse().unwrap());
/// }
/// stripped.strip(&mut headers);
/// assert_eq!(headers.keys().collect::<Vec<_>>(), ["accept"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrippedHeaders {
    certificate_header: HeaderName,
    added: Vec<NamePattern>,
    passed: Vec<NamePattern>,
    restated: Restated,
}

/// Pattern that can neither be added to the list of identity headers nor excepted from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// Added pattern that covers a header that requests need.
    #[error(
        "names of headers that state an identity, and `{pattern}` covers `{needed}`, which requests need"
    )]
    Needed {
        /// Pattern of the setting.
        pattern: String,
        /// Header that would be removed.
        needed: &'static str,
    },
    /// Excepted pattern that covers a header that the gate reads or sets itself.
    #[error("names of headers that the gate does not set itself, and `{pattern}` covers `{own}`")]
    Own {
        /// Pattern of the setting.
        pattern: String,
        /// Header that a client could forge.
        own: String,
    },
    /// Excepted pattern that covers no header on the list.
    #[error("names of headers that are removed otherwise, and `{0}` is not one of them")]
    NotListed(String),
}

impl StrippedHeaders {
    /// Creates the default list for a gate that reads certificates from this header.
    pub fn new(certificate_header: HeaderName) -> Self {
        Self {
            certificate_header,
            added: Vec::new(),
            passed: Vec::new(),
            restated: Restated::default(),
        }
    }

    /// Sets the treatment of headers that restate method, path or host; defaults to
    /// [`Restated::Strip`].
    #[must_use]
    pub fn with_restated(mut self, restated: Restated) -> Self {
        self.restated = restated;
        self
    }

    /// Adds names to those that state an identity.
    ///
    /// # Errors
    /// [`InvalidPattern::Needed`].
    pub fn with_identity_headers(mut self, added: Vec<NamePattern>) -> Result<Self, InvalidPattern> {
        for pattern in &added {
            if let Some(needed) = table::names(Role::Genuine).find(|needed| pattern.covers(needed)) {
                return Err(InvalidPattern::Needed {
                    pattern: pattern.to_string(),
                    needed,
                });
            }
        }
        self.added = added;
        Ok(self)
    }

    /// Excepts headers from the list, in exactly this spelling.
    ///
    /// # Errors
    /// [`InvalidPattern::Own`] and [`InvalidPattern::NotListed`].
    pub fn with_passed_headers(mut self, passed: Vec<NamePattern>) -> Result<Self, InvalidPattern> {
        for pattern in &passed {
            let is_own = |own: &&str| match own.strip_suffix('*') {
                Some(prefix) => pattern.overlaps(prefix),
                None => pattern.covers(own) || pattern.overlaps(own) && own.starts_with(FAMILY),
            };
            let own = table::own()
                .map(|own: &str| own)
                .chain([self.certificate_header.as_str()])
                .find(is_own);
            if let Some(own) = own {
                return Err(InvalidPattern::Own {
                    pattern: pattern.to_string(),
                    own: own.to_owned(),
                });
            }
            let is_listed = || {
                let added: Vec<String> = self.added.iter().map(NamePattern::to_string).collect();
                let mut entries = listed()
                    .map(|entry: &str| entry)
                    .chain(added.iter().map(String::as_str));
                entries.any(|entry| match entry.strip_suffix('*') {
                    Some(prefix) => pattern.overlaps(prefix),
                    None => pattern.covers(entry),
                })
            };
            if !is_listed() {
                return Err(InvalidPattern::NotListed(pattern.to_string()));
            }
        }
        self.passed = passed;
        Ok(self)
    }

    /// Returns the treatment of fields that restate method, path or host.
    pub const fn restated(&self) -> Restated {
        self.restated
    }

    /// Returns `true` if a service could take this header for a statement about the client's
    /// identity.
    pub fn states_identity(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        let is_listed = is_same(text, self.certificate_header.as_str())
            || table::states_identity(text)
            || self.added.iter().any(|added| added.covers(text));
        is_listed && !self.passes(name)
    }

    /// Returns `true` if a service could take this header for the method, path or host of the
    /// request.
    pub fn restates(&self, name: &HeaderName) -> bool {
        self.restated == Restated::Strip && table::restates(name.as_str()) && !self.passes(name)
    }

    /// Returns `true` if the name is another spelling of a header that frames, routes or
    /// authenticates requests, such as `content_length`.
    pub fn is_look_alike(&self, name: &HeaderName) -> bool {
        // The genuine names have no other marks than `-`, and a `HeaderName` is in lower case.
        let has_other_mark = name
            .as_str()
            .bytes()
            .any(|byte| !byte.is_ascii_alphanumeric() && byte != b'-');
        has_other_mark && table::is_genuine(name.as_str())
    }

    /// Removes every listed header. The headers that are left do not claim anything about the
    /// client.
    pub fn strip(&self, headers: &mut HeaderMap) {
        let listed: Vec<HeaderName> = headers
            .keys()
            .filter(|name| self.states_identity(name) || self.restates(name) || self.is_look_alike(name))
            .cloned()
            .collect();
        for name in listed {
            headers.remove(name);
        }
    }

    fn passes(&self, name: &HeaderName) -> bool {
        self.passed.iter().any(|passed| passed.is_exactly(name))
    }
}

/// Beginning of the names of the load balancer's headers in verify mode, of which the gate sets
/// several.
const FAMILY: &str = CERTIFICATE_HEADER;

/// Returns the entries of the table that are stripped; families end in `*`.
fn listed() -> impl Iterator<Item = &'static str> {
    let roles = [Role::Identity, Role::Method, Role::Target];
    roles.into_iter().flat_map(table::names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RENAMED: HeaderName = HeaderName::from_static("x-secret-name");

    fn patterns(text: &str) -> Vec<NamePattern> {
        text.split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect()
    }

    fn left<'a>(stripped: &StrippedHeaders, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for name in names {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, "forged".parse().unwrap());
        }
        stripped.strip(&mut headers);
        let mut left: Vec<String> = headers.keys().map(|name| name.as_str().to_owned()).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn headers_that_services_need_stay() {
        let needed = [
            "accept",
            "authorization",
            "connection",
            "content-length",
            "content-type",
            "cookie",
            "dpop",
            "host",
            "origin",
            "transfer-encoding",
            "user-agent",
            "x-amzn-tls-cipher-suite",
            "x-amzn-tls-version",
            "x-amzn-trace-id",
            "x-api-key",
            "x-client-info",
            "x-client-version",
            "x-forwarded-for",
            "x-forwarded-port",
            "x-forwarded-proto",
            "x-requested-with",
        ];
        assert_eq!(left(&StrippedHeaders::new(RENAMED), needed), needed);
    }

    #[test]
    fn other_spellings_of_framing_headers_are_stripped() {
        let names = [
            "content_length",
            "transfer_encoding",
            "x.forwarded.for",
            "authorization",
            "proxy_authorization",
            "x-forwarded_proto",
        ];
        let keep = StrippedHeaders::new(RENAMED).with_restated(Restated::Keep);
        assert_eq!(left(&keep, names), ["authorization"]);
    }

    #[test]
    fn restating_headers_stay_when_they_are_kept() {
        let names = [
            "forwarded",
            "x-http-method-override",
            "x-original-url",
            "x_rewrite_url",
        ];
        let strip = StrippedHeaders::new(RENAMED);
        assert_eq!(left(&strip, names), Vec::<String>::new());
        assert_eq!(left(&strip.clone().with_restated(Restated::Keep), names), names);
        let one = strip.with_passed_headers(patterns("x-original-url")).unwrap();
        assert_eq!(left(&one, names), ["x-original-url"]);
    }

    #[test]
    fn added_names_are_stripped_and_passed_names_stay_in_one_spelling() {
        let stripped = StrippedHeaders::new(RENAMED)
            .with_identity_headers(patterns("x-staff-* X-Who"))
            .unwrap()
            .with_passed_headers(patterns("x-amzn-oidc-* x-staff-room"))
            .unwrap();
        let names = [
            "x-amzn-oidc-data",
            "x_amzn_oidc_data",
            "x-amzn-oidc_data",
            "x-amzn-oidc-da_ta",
            "x-staff-id",
            "x_staff_id",
            "x-staff-room",
            "x-who",
            "x-whose",
        ];
        let expected = ["x-amzn-oidc-data", "x-staff-room", "x-whose"];
        assert_eq!(left(&stripped, names), expected);
    }

    #[test]
    fn patterns_that_undo_the_gate_are_refused() {
        let list = || StrippedHeaders::new(RENAMED);
        for needed in [
            "x-*",
            "host",
            "x_forwarded_for",
            "x-forwarded-*",
            "Authorization",
            "c*",
        ] {
            let error = list().with_identity_headers(patterns(needed)).unwrap_err();
            assert!(
                matches!(error, InvalidPattern::Needed { .. }),
                "{needed}: {error}"
            );
        }
        for own in [
            "x-secret-name",
            "x_secret_name",
            "x-secret-*",
            "client-cert",
            "client_cert",
            "client-cert-*",
            "x-amzn-mtls-clientcert",
            "x-amzn-mtls-clientcert-subject",
            "x_amzn_mtls_clientcert_leaf",
            "x-amzn-mtls-*",
            "x-amzn-*",
            "x-forwarded-client-cert",
            "x-client-cert-assertion",
        ] {
            let error = list().with_passed_headers(patterns(own)).unwrap_err();
            assert!(matches!(error, InvalidPattern::Own { .. }), "{own}: {error}");
        }
        for other in ["accept", "x-forwarded-for", "x-innocent-*"] {
            let error = list().with_passed_headers(patterns(other)).unwrap_err();
            assert!(matches!(error, InvalidPattern::NotListed(_)), "{other}: {error}");
        }
    }

    /// Generates every listed name, families with something after them.
    fn listed() -> impl Strategy<Value = String> {
        let entries: Vec<&str> = super::listed().collect();
        (proptest::sample::select(entries), "[a-z0-9-]{0,6}").prop_map(|(entry, rest)| {
            match entry.strip_suffix('*') {
                Some(prefix) => format!("{prefix}{rest}"),
                None => entry.to_owned(),
            }
        })
    }

    proptest! {
        #[test]
        fn no_listed_name_survives_in_any_spelling_that_cgi_folds_to_it(
            name in listed(),
            marks in proptest::collection::vec("[-_.~!#$%&'*+^`|]", 40),
            capitals in any::<u64>(),
        ) {
            let spelled: String = name.char_indices().map(|(index, character)| match character {
                '-' | '$' => marks[index % marks.len()].clone(),
                letter if capitals >> (index % 64) & 1 == 1 => letter.to_ascii_uppercase().to_string(),
                letter => letter.to_string(),
            }).collect();
            let variable = |name: &str| name.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            prop_assert_eq!(variable(&spelled), variable(&name));
            let stripped = StrippedHeaders::new(RENAMED);
            prop_assert_eq!(left(&stripped, [&*spelled]), Vec::<String>::new(), "{}", spelled);
        }

        #[test]
        fn what_stays_is_no_variable_of_a_listed_name(name in "[a-z]{1,3}([-_.][a-z]{1,9}){0,4}") {
            let stripped = StrippedHeaders::new(RENAMED);
            let folded = name.replace(['_', '.'], "-");
            if !left(&stripped, [&*name]).is_empty() {
                prop_assert!(left(&stripped, [&*folded]) == [folded.clone()], "{} stays, {} does not", name, folded);
            }
        }
    }
}
