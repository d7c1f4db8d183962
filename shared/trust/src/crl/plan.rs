//! Choice of the CRLs that are fetched.

use alb_mtls_verifier::{CertificateDer, RevocationLists};

use super::destination::CrlDestination;
use super::location::{CrlLocation, InvalidCrlLocation};

/// CRLs to fetch, in order, and those that certificates name and that are not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlPlan {
    /// Locations, no two of which are published as the same object.
    pub locations: Vec<CrlLocation>,
    /// URLs that are left out, each once.
    pub skipped: Vec<SkippedCrl>,
}

/// URL of a CRL in a certificate that is not fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedCrl {
    /// URL in the certificate.
    pub url: String,
    /// Reason, in words that follow the URL.
    pub reason: String,
    /// True if every certificate that names the URL also names a location that is fetched.
    pub is_replaced: bool,
}

impl CrlPlan {
    /// Adds to the named locations those in the `cRLDistributionPoints` of certificates: HTTP
    /// alone, because the issuer of a certificate must not decide which buckets are read.
    ///
    /// The certificates must be those that the operator configured. The URLs in a client's
    /// certificate are never fetched.
    pub fn new<'a, 'b: 'a>(
        named: &[CrlLocation],
        certificates: impl IntoIterator<Item = &'a CertificateDer<'b>>,
        destination: &CrlDestination,
    ) -> Self {
        let mut plan = Self {
            locations: named.to_vec(),
            skipped: Vec::new(),
        };
        for certificate in certificates {
            plan.extend(RevocationLists::distribution_points_of(certificate), destination);
        }
        plan
    }

    /// Adds the URLs that one certificate of the operator's, or one CRL that such a CA signed,
    /// names for the same purpose.
    pub fn extend(&mut self, urls: impl IntoIterator<Item = String>, destination: &CrlDestination) {
        let (mut locations, mut skipped) = (Vec::new(), Vec::new());
        for url in urls {
            match url.parse() {
                Ok(location @ CrlLocation::Http(_)) => locations.push(location),
                Ok(CrlLocation::Object(_)) => skipped.push((
                    url,
                    "is an object in S3: name it in CRL_SOURCES if it is to be read".to_owned(),
                )),
                Err(InvalidCrlLocation { reason }) => skipped.push((url, reason)),
            }
        }
        let is_replaced = !locations.is_empty();
        for (url, reason) in skipped {
            self.skip(url, reason, is_replaced);
        }
        for location in locations {
            self.add(location, destination);
        }
    }

    fn add(&mut self, location: CrlLocation, destination: &CrlDestination) {
        let object = destination.object_for(&location);
        let same = |known: &&CrlLocation| destination.object_for(known) == object;
        match self.locations.iter().find(same) {
            None => self.locations.push(location),
            Some(known) if *known == location => {}
            Some(known) => {
                let reason = format!("is published as the same object as `{known}`, which is fetched");
                self.skip(location.to_string(), reason, true);
            }
        }
    }

    fn skip(&mut self, url: String, reason: String, is_replaced: bool) {
        match self.skipped.iter_mut().find(|known| known.url == url) {
            Some(known) => known.is_replaced &= is_replaced,
            None => self.skipped.push(SkippedCrl {
                url,
                reason,
                is_replaced,
            }),
        }
    }
}
