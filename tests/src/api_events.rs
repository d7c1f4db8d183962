//! Events of each kind of API, from the samples in `events/`.

use crate::project;
use serde_json::{Value, json};
use test_pki::Credential;

/// The kinds of API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Rest,
    Http1,
    Http2,
}

impl Api {
    pub const ALL: [Self; 3] = [Self::Rest, Self::Http1, Self::Http2];

    /// Returns the name in file names and on the command line's output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Http1 => "http-1.0",
            Self::Http2 => "http-2.0",
        }
    }

    fn place(self) -> &'static str {
        match self {
            Self::Rest | Self::Http1 => "/requestContext/identity",
            Self::Http2 => "/requestContext/authentication",
        }
    }

    /// Returns the field with the ARN.
    pub fn arn_field(self) -> &'static str {
        match self {
            Self::Rest | Self::Http1 => "methodArn",
            Self::Http2 => "routeArn",
        }
    }
}

/// The resource of every policy about these events.
pub const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/*";

/// A sample event.
pub fn sample(api: Api, case: &str) -> Value {
    let path = project().join(format!("events/apigw-{}-{case}.json", api.name()));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Returns an event without a certificate.
pub fn anonymous(api: Api) -> Value {
    sample(api, "no-certificate")
}

/// Returns an event whose client presented this text to API Gateway.
pub fn with_pem(api: Api, pem: &str) -> Value {
    let mut event = sample(api, "valid");
    let certificate = event.pointer_mut(api.place()).unwrap();
    certificate["clientCert"]["clientCertPem"] = json!(pem);
    event
}

/// Returns an event whose client presented this certificate to API Gateway.
pub fn with_certificate(api: Api, client: &Credential) -> Value {
    with_pem(api, &client.pem())
}

/// Returns the event with one more header.
pub fn with_header(mut event: Value, name: &str, value: &str) -> Value {
    event["headers"][name] = json!(value);
    if let Some(headers) = event.get_mut("multiValueHeaders") {
        headers[name] = json!([value]);
    }
    event
}
