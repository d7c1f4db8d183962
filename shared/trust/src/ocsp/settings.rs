//! Settings of OCSP: which responder is asked about which certificate.

use std::str::FromStr;
use std::time::Duration;

use alb_mtls_verifier::{Fingerprint, OcspQuestion, RevocationOptions, StatusSources};
use ipnet::IpNet;

use crate::crl::HttpLocation;

/// Responders, and how they are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspSettings {
    /// Effect of the answers on clients.
    pub options: RevocationOptions,
    /// Sources that clear certificates, CRLs among them or not.
    pub sources: StatusSources,
    /// Responders.
    pub responders: OcspResponders,
    /// Networks that are not public and may be reached.
    pub private_networks: Vec<IpNet>,
    /// Longest time for all questions about one client.
    pub timeout: Duration,
    /// Age at which an answer is asked for again, although it may be valid for longer.
    pub refresh: Duration,
}

/// Responders from settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OcspResponders {
    /// Responders of one issuer.
    of_issuer: Vec<(Fingerprint, HttpLocation)>,
    /// Responders of every other issuer.
    of_all: Vec<HttpLocation>,
    asks_named_by_authorities: bool,
    asks_named_by_clients: bool,
}

/// Word of the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OcspResponder {
    /// `http://…`: responder for every issuer without a word for itself.
    All(HttpLocation),
    /// `SHA-256=http://…`: responder of the issuer whose certificate or public key has this
    /// SHA-256.
    Issuer(Fingerprint, HttpLocation),
    /// `aia-cas`: the responders that configured intermediates name.
    NamedByAuthorities,
    /// `aia-clients`: the responders that certificates of clients name, once their path and
    /// signatures are verified.
    NamedByClients,
}

const BY_AUTHORITIES: &str = "aia-cas";
const BY_CLIENTS: &str = "aia-clients";

/// The text is not a responder. The words of the error follow "it takes", as in the messages about
/// settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "URLs of OCSP responders such as `http://ocsp.example.com/`, each for one issuer with the SHA-256 of its certificate or public \
     key before it (`9f86…0a08=http://…`), `aia-cas` and `aia-clients`; this one {0}"
)]
pub struct InvalidOcspResponder(String);

impl FromStr for OcspResponder {
    type Err = InvalidOcspResponder;

    fn from_str(text: &str) -> Result<Self, InvalidOcspResponder> {
        match text {
            BY_AUTHORITIES => return Ok(Self::NamedByAuthorities),
            BY_CLIENTS => return Ok(Self::NamedByClients),
            _ => {}
        }
        // A query can have `=`, and no scheme has one.
        if let Some((issuer, url)) = text.split_once("=http")
            && !issuer.contains('/')
        {
            let issuer: Fingerprint = issuer
                .parse()
                .map_err(|error| InvalidOcspResponder(format!("has `{issuer}`, which {error}")))?;
            let location = location(&format!("http{url}"))?;
            return Ok(Self::Issuer(issuer, location));
        }
        location(text).map(Self::All)
    }
}

fn location(url: &str) -> Result<HttpLocation, InvalidOcspResponder> {
    let location = HttpLocation::parse(url).map_err(InvalidOcspResponder)?;
    // A response is signed, and names what it is about.
    if location.is_tls() {
        return Err(InvalidOcspResponder(
            "begins with `https://`: responses are signed, name the responder's `http://` URL".to_owned(),
        ));
    }
    Ok(location)
}

impl FromIterator<OcspResponder> for OcspResponders {
    fn from_iter<I: IntoIterator<Item = OcspResponder>>(words: I) -> Self {
        let mut this = Self::default();
        for word in words {
            match word {
                OcspResponder::All(location) => this.of_all.push(location),
                OcspResponder::Issuer(issuer, location) => this.of_issuer.push((issuer, location)),
                OcspResponder::NamedByAuthorities => this.asks_named_by_authorities = true,
                OcspResponder::NamedByClients => this.asks_named_by_clients = true,
            }
        }
        this
    }
}

impl OcspResponders {
    /// Returns the responders to ask, in order: those of the issuer, else those of every issuer,
    /// then the ones that the certificate names, as far as the settings allow them.
    pub(crate) fn for_question(&self, question: &OcspQuestion) -> Vec<HttpLocation> {
        let of_issuer = self.of_issuer.iter();
        let mut found: Vec<HttpLocation> = of_issuer
            .filter(|(issuer, _)| question.is_of_issuer(*issuer))
            .map(|(_, location)| location.clone())
            .collect();
        if found.is_empty() {
            found.extend(self.of_all.iter().cloned());
        }
        let asks_named = match question.is_configured() {
            true => self.asks_named_by_authorities,
            false => self.asks_named_by_clients,
        };
        if asks_named {
            let named = question.named_responders().iter();
            found.extend(named.filter_map(|url| location(url).ok()));
        }
        let mut distinct: Vec<HttpLocation> = Vec::new();
        for location in found {
            if !distinct.contains(&location) {
                distinct.push(location);
            }
        }
        distinct
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_every_form_are_read() {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let colons: Vec<&str> = (0..32)
            .filter_map(|octet| digest.get(2 * octet..2 * octet + 2))
            .collect();
        for text in [digest.to_owned(), digest.to_uppercase(), colons.join(":")] {
            let word: OcspResponder = format!("{text}=http://ocsp.example.com/?a=b").parse().unwrap();
            let OcspResponder::Issuer(issuer, location) = word else {
                panic!("{word:?}")
            };
            assert_eq!(issuer, Fingerprint::of(b"test"));
            assert_eq!(location.request_target(), "/?a=b");
        }
        for (url, target) in [
            ("http://ocsp.example.com", "/"),
            ("http://ocsp.example.com/", "/"),
            ("http://ocsp.example.com:8080/ocsp/x", "/ocsp/x"),
            ("http://ocsp.example.com/?a=http://x", "/?a=http://x"),
        ] {
            let OcspResponder::All(location) = url.parse().unwrap() else {
                panic!("{url}")
            };
            assert_eq!(location.request_target(), target);
        }
        assert_eq!("aia-cas".parse(), Ok(OcspResponder::NamedByAuthorities));
        assert_eq!("aia-clients".parse(), Ok(OcspResponder::NamedByClients));
    }

    #[test]
    fn word_that_is_not_a_responder_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "does not begin with"),
            ("aia", "does not begin with"),
            ("https://ocsp.example.com/", "responses are signed"),
            ("ldap://ocsp.example.com/", "`ldap:`"),
            ("http://user@ocsp.example.com/", "has a user"),
            ("http://ocsp.example.com:99999/", "port"),
            ("abc=http://ocsp.example.com/", "64 hexadecimal digits"),
        ] {
            let error = text.parse::<OcspResponder>().unwrap_err();
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }
}
