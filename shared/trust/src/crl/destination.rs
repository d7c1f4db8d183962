//! Destination of CRLs, and the object of each.
//!
//! `refresh-crls` publishes according to this rule, and `alb-mtls bundle crls` prints the value of
//! `MTLS_CRLS` with it.

use std::collections::HashMap;
use std::str::FromStr;

use super::location::CrlLocation;
use super::state::CRL_STATE_SUFFIX;
use crate::source::{Place, S3Object, s3};

/// Place that CRLs are published to: `s3://bucket/prefix/`, with `?region=` and `?owner=` as in a
/// source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlDestination {
    bucket: String,
    /// Empty, or ends with a slash.
    prefix: String,
    region: Option<String>,
    owner: Option<String>,
}

/// The text does not name a place to publish to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a bucket and a prefix that ends with a slash: `s3://bucket/prefix/`")]
pub struct InvalidCrlDestination;

/// Two locations have one object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{first}` and `{second}` would both be published as `{object}`: name one of them")]
pub struct PublishedAsOne {
    first: String,
    second: String,
    object: String,
}

impl CrlDestination {
    /// Returns the object for the CRL of a location: the prefix, then the URL without its scheme
    /// and with its escapes resolved.
    ///
    /// Where that is not a plain name or is longer than keys can be, the digest of the URL takes
    /// its place.
    pub fn object_for(&self, location: &CrlLocation) -> S3Object {
        let fits =
            |name: &String| self.prefix.len() + name.len() + CRL_STATE_SUFFIX.len() <= s3::MAX_KEY_BYTES;
        let name = location.plain_name().filter(fits);
        self.object(&name.unwrap_or_else(|| location.digest_name()))
    }

    /// Checks that every location has an object of its own.
    ///
    /// # Errors
    /// [`PublishedAsOne`] for the first two that do not: they differ in their scheme or in escapes
    /// alone.
    pub fn check_distinct(&self, locations: &[CrlLocation]) -> Result<(), PublishedAsOne> {
        let mut known = HashMap::new();
        for location in locations {
            let object = self.object_for(location);
            if let Some(first) = known.insert(object.key.clone(), location) {
                return Err(PublishedAsOne {
                    first: first.to_string(),
                    second: location.to_string(),
                    object: object.to_string(),
                });
            }
        }
        Ok(())
    }

    fn object(&self, name: &str) -> S3Object {
        S3Object {
            region: self.region.clone(),
            owner: self.owner.clone(),
            ..S3Object::new(&*self.bucket, format!("{}{name}", self.prefix))
        }
    }
}

impl FromStr for CrlDestination {
    type Err = InvalidCrlDestination;

    fn from_str(text: &str) -> Result<Self, InvalidCrlDestination> {
        let location = text.strip_prefix(s3::SCHEME).ok_or(InvalidCrlDestination)?;
        // A source names an object; here the key is a prefix, which can be empty.
        let place = s3::parse_location(location).map_err(|_| InvalidCrlDestination)?;
        let is_prefix = place.key.is_empty() || place.key.ends_with('/');
        if !is_prefix || place.check_writable().is_err() {
            return Err(InvalidCrlDestination);
        }
        Ok(Self {
            prefix: place.key,
            bucket: place.bucket,
            region: place.region,
            owner: place.owner,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn destination() -> CrlDestination {
        "s3://trust/crls/".parse().unwrap()
    }

    fn object(url: &str) -> S3Object {
        destination().object_for(&url.parse().unwrap())
    }

    fn is_digest(key: &str, server: &str) -> bool {
        let digest = key
            .strip_prefix(&format!("crls/{server}/sha256-"))
            .and_then(|rest| rest.strip_suffix(".crl"));
        digest.is_some_and(|digest| digest.len() == 64)
    }

    #[test]
    fn name_is_the_url_without_scheme_and_escapes() {
        for (url, key) in [
            ("http://crl.example.com/root.crl", "crl.example.com/root.crl"),
            (
                "https://CRL.example.com:8443/a/b.crl",
                "crl.example.com_8443/a/b.crl",
            ),
            ("HTTP://crl.example.com/root.crl", "crl.example.com/root.crl"),
            ("http://[2600::1]:80/x.crl", "2600__1_80/x.crl"),
            ("s3://pki/crls/issuing.crl", "pki/crls/issuing.crl"),
            ("s3://pki/my%20ca.crl", "pki/my ca.crl"),
            (
                "http://pki.example.com/CertEnroll/Example%20CA(1)+.crl",
                "pki.example.com/CertEnroll/Example CA(1)+.crl",
            ),
            (
                "http://pki.example.com/CertEnroll/Example CA(1).crl",
                "pki.example.com/CertEnroll/Example CA(1).crl",
            ),
            ("http://a.example/x%2By.crl", "a.example/x+y.crl"),
            ("http://a.example/x%2Fy.crl", "a.example/x/y.crl"),
            ("http://a.example/100%.crl", "a.example/100%.crl"),
            ("http://a.example/%C3%A9.crl", "a.example/é.crl"),
            ("http://a.example/é.crl", "a.example/é.crl"),
            ("http://a.example//b.crl", "a.example//b.crl"),
            ("http://a.example/?ca=1", "a.example/?ca=1"),
            ("http://a.example?ca=1", "a.example/?ca=1"),
            (
                "http://ejbca.example.com:8080/certdist?cmd=crl&issuer=CN%3DManagement+CA%2CO%3DExample&format=PEM",
                "ejbca.example.com_8080/certdist?cmd=crl&issuer=CN=Management+CA,O=Example&format=PEM",
            ),
        ] {
            let object = object(url);
            assert_eq!(object.key, format!("crls/{key}"), "{url}");
            // The value for MTLS_CRLS leads back to the object.
            assert_eq!(object.to_string().parse::<Source>(), Ok(object.into()), "{url}");
        }
    }

    #[test]
    fn source_is_the_url_with_another_scheme() {
        for rest in [
            "crl.example.com/root.crl",
            "pki.example.com/CertEnroll/Example%20CA(1)+.crl",
            "a.example/x%2By.crl",
            "a.example/x%2Fy.crl",
            "a.example/%C3%A9.crl",
        ] {
            let named: Source = format!("s3://trust/crls/{rest}").parse().unwrap();
            assert_eq!(named, object(&format!("http://{rest}")).into(), "{rest}");
        }
        // With a query, its question mark is escaped.
        let named: Source = "s3://trust/crls/a.example/c%3Fcmd=crl&issuer=CN%3DA"
            .parse()
            .unwrap();
        assert_eq!(named, object("http://a.example/c?cmd=crl&issuer=CN%3DA").into());
    }

    #[test]
    fn name_that_is_not_plain_is_a_digest() {
        let long = format!("http://a.example/{}.crl", "x".repeat(1_100));
        for url in [
            "http://a.example/..%2F..%2Fanchors.pem",
            "http://a.example/%2e%2e/%2e%2e/anchors.pem",
            "http://a.example/x/%2E/y.crl",
            "http://a.example/c?file=/../../anchors",
            "http://a.example/x%00y.crl",
            "http://a.example/x%0Ay.crl",
            "http://a.example/x%C2%85y.crl",
            "http://a.example/%FF.crl",
            "http://a.example/x%2F",
            "http://a.example/c?cmd=crl/",
            "http://a.example/root.crl.state.json",
            "http://a.example/root.crl%2Estate%2Ejson",
            "http://a.example/c?x=.state.json",
            &long,
        ] {
            let object = object(url);
            assert!(is_digest(&object.key, "a.example"), "{url}: {}", object.key);
            assert_eq!(object.to_string().parse::<Source>(), Ok(object.into()), "{url}");
        }
        assert!(is_digest(&object("s3://pki/a/../b.crl").key, "pki"));
    }

    #[test]
    fn urls_that_differ_in_their_query_alone_have_names_of_their_own() {
        let long = |end: &str| format!("http://a.example/c?issuer={}{end}", "x".repeat(2_000));
        for (one, other) in [
            (
                "http://a.example/c?ca=1".to_owned(),
                "http://a.example/c?ca=2".to_owned(),
            ),
            ("http://a.example/c".to_owned(), "http://a.example/c?".to_owned()),
            (long("1"), long("2")),
        ] {
            assert_ne!(object(&one), object(&other), "{one}");
        }
        assert_eq!(object(&long("1")), object(&long("1")));
        // Only the scheme differs: another way to the same CRL.
        assert_eq!(object(&long("1")), object(&long("1").replace("http:", "https:")));
    }

    #[test]
    fn key_and_its_record_are_never_longer_than_keys_can_be() {
        let room = s3::MAX_KEY_BYTES - "crls/a.example/".len() - CRL_STATE_SUFFIX.len();
        let named = object(&format!("http://a.example/{}", "x".repeat(room)));
        assert_eq!(named.key.len() + CRL_STATE_SUFFIX.len(), s3::MAX_KEY_BYTES);
        let longer = object(&format!("http://a.example/{}", "x".repeat(room + 1)));
        assert!(is_digest(&longer.key, "a.example"));
        // One character is three escapes in the URL and two octets in the key.
        let escaped = object(&format!("http://a.example/{}", "%C3%A9".repeat(400)));
        assert!(escaped.key.ends_with(&"é".repeat(400)));
    }

    #[test]
    fn destination_is_a_bucket_and_a_prefix() {
        let location: CrlLocation = "http://crl.example.com/root.crl".parse().unwrap();
        for (text, key) in [
            ("s3://bucket/", "crl.example.com/root.crl"),
            ("s3://bucket/a/b/", "a/b/crl.example.com/root.crl"),
        ] {
            let destination: CrlDestination = text.parse().unwrap();
            assert_eq!(destination.object_for(&location), S3Object::new("bucket", key));
        }
        let elsewhere: CrlDestination = "s3://bucket/?region=eu-west-1&owner=123456789012"
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
            assert_eq!(
                text.parse::<CrlDestination>(),
                Err(InvalidCrlDestination),
                "{text}"
            );
        }
    }
}
