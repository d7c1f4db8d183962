//! What a client presented, from a header, a file of certificates or an event.

use std::path::{Path, PathBuf};

use alb_mtls_verifier::{
    CertificateDer, HeaderFormat, HeaderLimits, HeaderValues, PresentedChain, Rejection, read_bundle,
};
use serde_json::Value;

/// The presented chain, or what is to be decoded to one.
#[derive(Debug)]
pub(super) enum Input {
    Chain(PresentedChain),
    Header {
        format: HeaderFormat,
        /// Values of the certificate header.
        certificate: Vec<Vec<u8>>,
        /// Values of `Client-Cert-Chain`.
        chain: Vec<Vec<u8>>,
    },
}

#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("`{}`: {problem}", path.display())]
    Pem { path: PathBuf, problem: String },
    #[error("`{}` is not an event: {problem}", path.display())]
    Event { path: PathBuf, problem: String },
}

const CHAIN_HEADER: &str = "client-cert-chain";

impl Input {
    /// A file ends with a line break that the header did not have.
    pub(super) fn header(text: &[u8], format: HeaderFormat) -> Self {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Self::Header {
            format,
            certificate: vec![text.to_vec()],
            chain: Vec::new(),
        }
    }

    pub(super) fn pem(bytes: &[u8], path: &Path) -> Result<Self, InputError> {
        let certificates = match bytes.first() {
            Some(0x30) => vec![CertificateDer::from(bytes.to_vec())],
            _ => read_bundle(bytes).map_err(|error| InputError::Pem {
                path: path.to_owned(),
                problem: error.to_string(),
            })?,
        };
        let chain = PresentedChain::new(certificates);
        chain.map(Self::Chain).ok_or_else(|| InputError::Pem {
            path: path.to_owned(),
            problem: "there is no certificate in it".to_owned(),
        })
    }

    /// Headers of a load balancer's event; certificates where API Gateway's REST and HTTP APIs put them.
    pub(super) fn event(
        text: &[u8],
        path: &Path,
        header_name: &str,
        format: HeaderFormat,
    ) -> Result<Self, InputError> {
        let problem = |problem: String| InputError::Event {
            path: path.to_owned(),
            problem,
        };
        let event: Value = serde_json::from_slice(text).map_err(|error| problem(error.to_string()))?;
        let gateway = [
            "/requestContext/identity/clientCert",
            "/requestContext/authentication/clientCert",
        ];
        for place in gateway {
            let pem = event
                .pointer(place)
                .and_then(|certificate| certificate.get("clientCertPem"));
            if let Some(pem) = pem.and_then(Value::as_str) {
                return Self::pem(pem.as_bytes(), path);
            }
        }
        if event.get("headers").is_none() && event.get("multiValueHeaders").is_none() {
            return Err(problem(
                "it has neither `headers` nor `multiValueHeaders`".to_owned(),
            ));
        }
        Ok(Self::Header {
            format,
            certificate: values(&event, header_name),
            chain: values(&event, CHAIN_HEADER),
        })
    }

    pub(super) fn decode(&self, limits: HeaderLimits) -> Result<PresentedChain, Rejection> {
        match self {
            Self::Chain(chain) => Ok(chain.clone()),
            Self::Header {
                format,
                certificate,
                chain,
            } => {
                let certificate: Vec<&[u8]> = certificate.iter().map(Vec::as_slice).collect();
                let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
                let values = HeaderValues {
                    certificate: &certificate,
                    chain: &chain,
                };
                format.decode(values, limits)
            }
        }
    }

    /// The format and the only value of the certificate header; nothing else can be looked at for damage.
    pub(super) fn only_header(&self) -> Option<(HeaderFormat, &[u8])> {
        match self {
            Self::Header {
                format, certificate, ..
            } => match certificate.as_slice() {
                [value] => Some((*format, value)),
                _ => None,
            },
            Self::Chain(_) => None,
        }
    }
}

/// Every value of a header, whose name counts whatever its case; `multiValueHeaders` where it is there.
fn values(event: &Value, name: &str) -> Vec<Vec<u8>> {
    let headers = match event.get("multiValueHeaders") {
        Some(Value::Object(headers)) => headers,
        _ => match event.get("headers") {
            Some(Value::Object(headers)) => headers,
            _ => return Vec::new(),
        },
    };
    let named = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named
        .flat_map(|(_, value)| match value {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            Value::String(value) => vec![value.as_str()],
            _ => Vec::new(),
        })
        .map(|value| value.as_bytes().to_vec())
        .collect()
}
