//! The events that API Gateway sends to authorizers of the type REQUEST.
//!
//! Source: API Gateway developer guide, "Input to an API Gateway Lambda authorizer" and "Control
//! access to HTTP APIs with AWS Lambda authorizers".

use clap::ValueEnum;
use local_alb::verify_headers;
use percent_encoding::percent_decode_str;
use rustls_pki_types::CertificateDer;
use serde::{Serialize, Serializer};
use test_pki::Certificate;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::Failure;

const ACCOUNT: &str = "123456789012";
const API: &str = "a1b2c3d4e5";
const STAGE: &str = "prod";
const REQUEST_ID: &str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef";
const SOURCE_ADDRESS: &str = "192.0.2.10";
const USER_AGENT: &str = "curl/8.17.0";

/// The kinds of API, which differ in their events.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ApiEvent {
    /// REST API
    Rest,
    /// HTTP API, payload format 1.0
    #[value(name = "1.0")]
    Http1,
    /// HTTP API, payload format 2.0
    #[value(name = "2.0")]
    Http2,
}

impl ApiEvent {
    pub(crate) const ALL: [Self; 3] = [Self::Rest, Self::Http1, Self::Http2];

    /// Returns the name in file names and output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Http1 => "http-1.0",
            Self::Http2 => "http-2.0",
        }
    }
}

/// A request as it reached API Gateway.
#[derive(Clone, Debug)]
pub(crate) struct ApiRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// The client's certificate, when API Gateway ended TLS with it: its own certificate, without
    /// intermediates.
    pub(crate) client_certificate: Option<Certificate>,
}

impl ApiRequest {
    /// Returns the event as JSON. Its members are in the order of the documentation.
    ///
    /// # Errors
    /// When the client's certificate cannot be read.
    pub(crate) fn to_event(&self, event: ApiEvent) -> Result<Vec<u8>, Failure> {
        let client_cert = self
            .client_certificate
            .as_ref()
            .map(ClientCert::read)
            .transpose()?;
        let json = match event {
            ApiEvent::Rest => serde_json::to_vec(&self.rest(client_cert))?,
            ApiEvent::Http1 => serde_json::to_vec(&self.http1(client_cert))?,
            ApiEvent::Http2 => serde_json::to_vec(&self.http2(client_cert))?,
        };
        Ok(json)
    }

    fn rest(&self, client_cert: Option<ClientCert>) -> RestEvent<'_> {
        let parameters = self.parameters();
        RestEvent {
            version: None,
            r#type: "REQUEST",
            method_arn: self.arn(),
            resource: &self.path,
            path: &self.path,
            http_method: &self.method,
            headers: Single(self.headers.clone()),
            multi_value_headers: Some(Multi(self.headers.clone())),
            query_string_parameters: Single(parameters.clone()),
            multi_value_query_string_parameters: Some(Multi(parameters)),
            path_parameters: Empty {},
            stage_variables: Empty {},
            request_context: RestContext {
                path: format!("/{STAGE}{}", self.path),
                account_id: ACCOUNT,
                resource_id: "05c7jb",
                stage: STAGE,
                request_id: REQUEST_ID,
                identity: Identity {
                    source_ip: SOURCE_ADDRESS,
                    client_cert,
                },
                resource_path: &self.path,
                http_method: &self.method,
                api_id: API,
            },
        }
    }

    /// Returns the event of an HTTP API in format 1.0: as a REST API's, without lists of values.
    fn http1(&self, client_cert: Option<ClientCert>) -> RestEvent<'_> {
        RestEvent {
            version: Some("1.0"),
            multi_value_headers: None,
            multi_value_query_string_parameters: None,
            ..self.rest(client_cert)
        }
    }

    fn http2(&self, client_cert: Option<ClientCert>) -> Http2Event<'_> {
        Http2Event {
            version: "2.0",
            r#type: "REQUEST",
            route_arn: self.arn(),
            route_key: "$default",
            raw_path: &self.path,
            raw_query_string: self.query.as_deref().unwrap_or_default(),
            headers: Joined(self.headers.clone()),
            query_string_parameters: Joined(self.parameters()),
            request_context: Http2Context {
                account_id: ACCOUNT,
                api_id: API,
                authentication: client_cert.map(|client_cert| Authentication { client_cert }),
                domain_name: "api.example.org",
                domain_prefix: "api",
                http: Http {
                    method: &self.method,
                    path: &self.path,
                    protocol: "HTTP/1.1",
                    source_ip: SOURCE_ADDRESS,
                    user_agent: USER_AGENT,
                },
                request_id: REQUEST_ID,
                route_key: "$default",
                stage: STAGE,
                time: "27/Mar/2025:13:20:36 +0000",
                time_epoch: 1_743_081_636_000,
            },
            path_parameters: Empty {},
            stage_variables: Empty {},
        }
    }

    fn arn(&self) -> String {
        format!(
            "arn:aws:execute-api:us-east-1:{ACCOUNT}:{API}/{STAGE}/{}{}",
            self.method, self.path
        )
    }

    /// Returns the parameters of the query, decoded.
    fn parameters(&self) -> Vec<(String, String)> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pairs = self.query.as_deref().unwrap_or_default().split('&');
        pairs
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestEvent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    r#type: &'static str,
    method_arn: String,
    resource: &'a str,
    path: &'a str,
    http_method: &'a str,
    headers: Single,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<Multi>,
    query_string_parameters: Single,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_query_string_parameters: Option<Multi>,
    path_parameters: Empty,
    stage_variables: Empty,
    request_context: RestContext<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestContext<'a> {
    path: String,
    account_id: &'static str,
    resource_id: &'static str,
    stage: &'static str,
    request_id: &'static str,
    identity: Identity,
    resource_path: &'a str,
    http_method: &'a str,
    api_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    source_ip: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_cert: Option<ClientCert>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http2Event<'a> {
    version: &'static str,
    r#type: &'static str,
    route_arn: String,
    route_key: &'static str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    headers: Joined,
    query_string_parameters: Joined,
    request_context: Http2Context<'a>,
    path_parameters: Empty,
    stage_variables: Empty,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http2Context<'a> {
    account_id: &'static str,
    api_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<Authentication>,
    domain_name: &'static str,
    domain_prefix: &'static str,
    http: Http<'a>,
    request_id: &'static str,
    route_key: &'static str,
    stage: &'static str,
    time: &'static str,
    time_epoch: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Authentication {
    client_cert: ClientCert,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: &'static str,
    user_agent: &'static str,
}

#[derive(Serialize)]
struct Empty {}

/// The last value of each name.
struct Single(Vec<(String, String)>);

/// Every value of each name, as a list.
struct Multi(Vec<(String, String)>);

/// Every value of each name, joined by commas.
struct Joined(Vec<(String, String)>);

impl Serialize for Single {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let last = by_name(&self.0).map(|(name, values)| (name, values.last().copied().unwrap_or_default()));
        serializer.collect_map(last)
    }
}

impl Serialize for Multi {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(by_name(&self.0))
    }
}

impl Serialize for Joined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(by_name(&self.0).map(|(name, values)| (name, values.join(","))))
    }
}

/// Returns the values of each name, in the order in which the names occur first.
fn by_name(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, Vec<&str>)> {
    let first = |index: usize, name: &str| {
        let mut before = pairs.iter().take(index);
        before.all(|(other, _)| other != name)
    };
    pairs
        .iter()
        .enumerate()
        .filter(move |(index, (name, _))| first(*index, name))
        .map(move |(_, (name, _))| {
            let values = pairs.iter().filter(|(other, _)| other == name);
            (name.as_str(), values.map(|(_, value)| value.as_str()).collect())
        })
}

/// `clientCert`: the end-entity certificate and some of its fields, in the words of OpenSSL.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientCert {
    client_cert_pem: String,
    #[serde(rename = "subjectDN")]
    subject: String,
    #[serde(rename = "issuerDN")]
    issuer: String,
    serial_number: String,
    validity: Validity,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Validity {
    not_before: String,
    not_after: String,
}

impl ClientCert {
    fn read(certificate: &Certificate) -> Result<Self, Failure> {
        let fields = verify_headers(&CertificateDer::from(certificate.der()))?;
        let [serial_number, issuer, subject, validity, _] = fields.map(|(_, value)| value);
        let (not_before, not_after) = validity
            .split_once(';')
            .and_then(|(before, after)| Some((openssl_time(before)?, openssl_time(after)?)))
            .ok_or(Failure::Validity)?;
        Ok(Self {
            client_cert_pem: certificate.pem(),
            subject: reversed(&subject),
            issuer: reversed(&issuer),
            serial_number: with_colons(&serial_number),
            validity: Validity {
                not_before,
                not_after,
            },
        })
    }
}

/// API Gateway names the attribute that stands first in the certificate first; the load balancer
/// names it last.
fn reversed(name: &str) -> String {
    let mut attributes: Vec<String> = Vec::new();
    let mut escaped = true;
    for part in name.split(',') {
        match attributes.last_mut() {
            Some(last) if escaped => {
                last.push(',');
                last.push_str(part);
            }
            _ => attributes.push(part.to_owned()),
        }
        escaped = part.ends_with('\\');
    }
    attributes.reverse();
    attributes.join(",")
}

fn with_colons(hexadecimal: &str) -> String {
    let digits: Vec<char> = hexadecimal.to_ascii_lowercase().chars().collect();
    let octets: Vec<String> = digits.chunks(2).map(|octet| octet.iter().collect()).collect();
    octets.join(":")
}

/// `NotBefore=2026-11-22T05:29:00Z` as `Nov 22 05:29:00 2026 GMT`.
fn openssl_time(field: &str) -> Option<String> {
    let (_, text) = field.split_once('=')?;
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let format =
        format_description!("[month repr:short] [day padding:space] [hour]:[minute]:[second] [year] GMT");
    at.format(&format).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_certificate_are_in_the_words_of_openssl() {
        assert_eq!(reversed("CN=a\\,b,OU=x,O=Example"), "O=Example,OU=x,CN=a\\,b");
        assert_eq!(with_colons("03A5B1"), "03:a5:b1");
        assert_eq!(
            openssl_time("NotAfter=2120-08-05T00:28:21Z").as_deref(),
            Some("Aug  5 00:28:21 2120 GMT")
        );
    }
}
