//! Certificates that a client presented, in the header of the load balancer or from another edge.

use alb_mtls_http::HeaderValues;
use alb_mtls_http::forms::CERTIFICATE_HEADER;
use alb_mtls_http::headers::looks_like_certificate_header;
use alb_mtls_verifier::{PresentedChain, Reason, Rejection, read_bundle};
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::settings::GateSettings;
use crate::verdict_cache::CacheKey;

impl GateSettings {
    /// Returns whether the certificate header has the name that every client knows.
    pub fn has_default_header(&self) -> bool {
        self.header == CERTIFICATE_HEADER
    }

    /// Reads the chain from the certificate header, where a load balancer in passthrough mode puts
    /// it.
    ///
    /// # Errors
    /// A [`Rejection`] when the header is missing, repeated or damaged, and when another one looks
    /// like it.
    pub fn read_header(&self, headers: &HeaderMap) -> Result<PresentedChain, Rejection> {
        self.header_of(headers)?.decode(self)
    }

    /// Returns the header that [`GateSettings::read_header`] decodes.
    ///
    /// # Errors
    /// A [`Rejection`] when another one looks like it.
    pub(crate) fn header_of<'a>(&self, headers: &'a HeaderMap) -> Result<Presented<'a>, Rejection> {
        if let Some(name) = headers
            .keys()
            .find(|name| looks_like_certificate_header(name, &self.header))
        {
            return Err(Rejection::new(Reason::HeaderLookAlike).because(format!("`{name}`")));
        }
        Ok(Presented::Header {
            certificate: values_of(headers, &self.header),
            chain: match self.header_format.chain_header() {
                Some(name) => values_of(headers, &name),
                None => Vec::new(),
            },
        })
    }

    /// Reads the chain from PEM text of an edge that ended TLS itself, such as API Gateway. The
    /// limits of the header hold for it too.
    ///
    /// # Errors
    /// A [`Rejection`] when the text is not a sequence of certificates or is over a limit.
    pub fn read_pem(&self, pem: &str) -> Result<PresentedChain, Rejection> {
        let limits = self.header_limits;
        if pem.len() > limits.max_bytes {
            let explanation = format!("{} bytes of PEM, allowed are {}", pem.len(), limits.max_bytes);
            return Err(Rejection::new(Reason::HeaderTooLarge).because(explanation));
        }
        let malformed =
            |explanation: String| Rejection::new(Reason::CertificateMalformed).because(explanation);
        let certificates = read_bundle(pem.as_bytes())
            .map_err(|error| malformed(format!("the PEM text of the edge: {error}")))?;
        if certificates.len() > limits.max_certificates {
            let explanation = format!(
                "{} certificates, read are {}",
                certificates.len(),
                limits.max_certificates
            );
            return Err(Rejection::new(Reason::HeaderTooManyCertificates).because(explanation));
        }
        PresentedChain::new(certificates)
            .ok_or_else(|| malformed("the PEM text of the edge is empty".to_owned()))
    }

    /// Returns the first header that is the certificate header or could be taken for it.
    pub fn certificate_header_in<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderName> {
        headers
            .keys()
            .find(|name| **name == self.header || looks_like_certificate_header(name, &self.header))
    }
}

/// Certificates that a client presented, not decoded yet.
pub(crate) enum Presented<'a> {
    /// Header of a load balancer: its values, and those of the header that continues it.
    Header {
        certificate: Vec<&'a [u8]>,
        chain: Vec<&'a [u8]>,
    },
    /// Chain that another edge decoded.
    Chain(&'a PresentedChain),
}

impl Presented<'_> {
    pub(crate) fn decode(&self, settings: &GateSettings) -> Result<PresentedChain, Rejection> {
        match self {
            Self::Header { certificate, chain } => {
                let values = HeaderValues { certificate, chain };
                settings.header_format.decode(values, settings.header_limits)
            }
            Self::Chain(chain) => Ok((*chain).clone()),
        }
    }

    /// Returns the key in the verdict cache; `None` for a header that is rejected for its size.
    pub(crate) fn cache_key(&self, settings: &GateSettings) -> Option<CacheKey> {
        let key = match self {
            Self::Header { certificate, chain } => {
                let [value] = certificate.as_slice() else {
                    return None;
                };
                let bytes = value.len() + chain.iter().map(|value| value.len()).sum::<usize>();
                if bytes > settings.header_limits.max_bytes {
                    return None;
                }
                let (end_entity, rest) = settings.header_format.split_end_entity(value);
                CacheKey::from_header(end_entity, std::iter::once(rest).chain(chain.iter().copied()))
            }
            Self::Chain(chain) => CacheKey::from_chain(chain),
        };
        Some(key)
    }
}

fn values_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a [u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}
