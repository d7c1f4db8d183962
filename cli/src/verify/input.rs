//! The client's chain, from a header, a file of certificates or an event.

use std::path::{Path, PathBuf};

use alb_mtls_http::{HeaderFormat, HeaderLimits, HeaderValues};
use alb_mtls_verifier::{FileKind, PresentedChain, Rejection, without_byte_order_mark};
use serde_json::Value;

use super::damage::{ApiGatewayEdge, Damage};
use crate::files::{FileError, chain_from_pem};

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
        /// Substitutes for the header in an event without it.
        in_place: Vec<Damage>,
    },
}

#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error(transparent)]
    Certificates(#[from] FileError),
    #[error("`{}` is not an event: {problem}", path.display())]
    Event { path: PathBuf, problem: String },
}

impl Input {
    /// A file ends with a line break that the header did not have.
    pub(super) fn header(text: &[u8], format: HeaderFormat) -> Self {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Self::Header {
            format,
            certificate: vec![text.to_vec()],
            chain: Vec::new(),
            in_place: Vec::new(),
        }
    }

    /// Headers of a load balancer's event; certificates where API Gateway's REST and HTTP APIs put
    /// them.
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
        let text = without_byte_order_mark(text);
        let event: Value = serde_json::from_slice(text).map_err(|error| match FileKind::recognise(text) {
            None | Some(FileKind::Json | FileKind::Empty) => problem(error.to_string()),
            Some(kind) => problem(format!("{error}: it {kind}")),
        })?;
        let gateway = [
            "/requestContext/identity/clientCert",
            "/requestContext/authentication/clientCert",
        ];
        for place in gateway {
            let pem = event
                .pointer(place)
                .and_then(|certificate| certificate.get("clientCertPem"));
            if let Some(pem) = pem.and_then(Value::as_str).filter(|pem| !pem.is_empty()) {
                return Ok(Self::Chain(chain_from_pem(pem.as_bytes(), path)?));
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
            chain: format
                .chain_header()
                .map_or_else(Vec::new, |name| values(&event, name.as_str())),
            in_place: in_place_of_header(&event),
        })
    }

    pub(super) fn decode(&self, limits: HeaderLimits) -> Result<PresentedChain, Rejection> {
        match self {
            Self::Chain(chain) => Ok(chain.clone()),
            Self::Header {
                format,
                certificate,
                chain,
                ..
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

    /// Returns the format and the only value of the certificate header; nothing else can be looked
    /// at for damage.
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

    /// Returns the substitutes for a missing header.
    pub(super) fn without_header(&self) -> Vec<Damage> {
        match self {
            Self::Header {
                certificate,
                in_place,
                ..
            } if certificate.is_empty() => in_place.clone(),
            _ => Vec::new(),
        }
    }
}

/// Returns the substitutes for the certificate header in an event: an edge that saw no certificate,
/// or other headers with one.
fn in_place_of_header(event: &Value) -> Vec<Damage> {
    let context = |name: &str| event.get("requestContext").and_then(|context| context.get(name));
    let mut found = Vec::new();
    let domain = context("domainName").and_then(Value::as_str).unwrap_or_default();
    if context("elb").is_none() && context("apiId").is_some() {
        let is_function_url = domain.contains(".lambda-url.");
        found.push(Damage::ApiGateway(match is_function_url {
            true => ApiGatewayEdge::FunctionUrl,
            false => ApiGatewayEdge::Api,
        }));
    }
    for headers in ["multiValueHeaders", "headers"] {
        let Some(Value::Object(headers)) = event.get(headers) else {
            continue;
        };
        for (name, value) in headers {
            let values = match value {
                Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
                value => value.as_str().into_iter().collect::<Vec<_>>(),
            };
            let damage = Damage::OtherHeader(name.clone());
            if values.iter().any(|value| value.contains("-----BEGIN")) && !found.contains(&damage) {
                found.push(damage);
            }
        }
    }
    found
}

/// Returns every value of a header, whose name counts whatever its case; `multiValueHeaders` where
/// it is there.
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
