use std::path::{Path, PathBuf};

use alb_mtls_http::forms::CERTIFICATE_HEADER;
use clap::Args;
use local_alb::HeaderMode::{self, MultiValue, SingleValue};
use local_alb::{AlbRequest, health_check_event};
use test_pki::{Certificate, CertificateBuilder, Credential, Criticality, Purpose, chain_pem, write_public};
use time::macros::datetime;

use super::api_gateway::{ApiEvent, ApiRequest};
use super::{Failure, TARGET_GROUP, certificate_header, headers_with, pretty};

/// Below the private enterprise number that is for documentation (RFC 5612).
const DOCUMENTATION_EXTENSION: &str = "1.3.6.1.4.1.32473.1";

#[derive(Args, Debug)]
pub(super) struct SamplesArguments {
    /// Directory to write them to
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// Writes the same bytes each time: every key is derived from a seed, and none of them is written
/// anywhere.
pub(super) fn run(arguments: &SamplesArguments) -> Result<String, Failure> {
    let directory = &arguments.dir;
    std::fs::create_dir_all(directory).map_err(|error| test_pki::Error::File {
        action: "create the directory",
        path: directory.clone(),
        reason: error.to_string(),
    })?;
    let mut written = String::new();
    for (name, content) in samples()? {
        write_public(&directory.join(&name), &content)?;
        written.push_str(&format!("{}\n", Path::new(directory).join(&name).display()));
    }
    Ok(written)
}

/// Returns the names of the files and their content.
fn samples() -> Result<Vec<(String, String)>, Failure> {
    let root = CertificateBuilder::root("CN=Example Client Root,O=Example")
        .seed("sample root")
        .self_signed()?;
    let issuing = CertificateBuilder::intermediate("CN=Example Issuing CA,O=Example")
        .path_length(0)
        .seed("sample issuing CA")
        .issued_by(&root)?;
    let foreign_root = CertificateBuilder::root("CN=Foreign Client Root,O=Elsewhere")
        .seed("sample foreign root")
        .self_signed()?;
    let foreign = CertificateBuilder::intermediate("CN=Foreign Issuing CA,O=Elsewhere")
        .path_length(0)
        .seed("sample foreign issuing CA")
        .issued_by(&foreign_root)?;

    let valid_client = client("client-1").issued_by(&issuing)?;
    let valid = chain(&valid_client, &issuing);
    let expired = client("expired")
        .valid(datetime!(2025-01-01 0:00 UTC), datetime!(2025-02-01 0:00 UTC))
        .issued_by(&issuing)?;
    let server_only = client("server-only")
        .purposes(&[Purpose::ServerAuth])
        .issued_by(&issuing)?;
    let unknown = client("client-1").issued_by(&foreign)?;

    let with = |header: &str, mode| request(&[header], mode);
    let mut samples = vec![
        ("anchors.pem".to_owned(), chain_pem([&root])),
        ("intermediates.pem".to_owned(), chain_pem([&issuing])),
        sample("valid", with(&valid, MultiValue)?),
        sample("valid-single-value", with(&valid, SingleValue)?),
        sample("no-header", request(&[], MultiValue)?),
        sample("no-header-single-value", request(&[], SingleValue)?),
        sample("expired", with(&chain(&expired, &issuing), MultiValue)?),
        sample("unknown-ca", with(&chain(&unknown, &foreign), MultiValue)?),
        sample(
            "serverauth-only",
            with(&chain(&server_only, &issuing), MultiValue)?,
        ),
        sample(
            "plus-heavy",
            with(&chain(&plus_heavy(&issuing)?, &issuing), MultiValue)?,
        ),
        sample("duplicate-header", request(&[&valid, &valid], MultiValue)?),
        sample("truncated-pem", with(&truncated(&valid), MultiValue)?),
        sample("health-check", health_check(MultiValue)?),
        sample("health-check-single-value", health_check(SingleValue)?),
    ];
    for event in ApiEvent::ALL {
        let leaf = valid_client.certificate();
        for (case, client_certificate, header) in [
            ("valid", Some(leaf), None),
            ("no-certificate", None, None),
            ("expired", Some(expired.certificate()), None),
            ("unknown-ca", Some(unknown.certificate()), None),
            ("header", None, Some(&valid)),
            ("both-sources", Some(leaf), Some(&valid)),
        ] {
            let content = api_request(client_certificate, header).to_event(event)?;
            samples.push((format!("apigw-{}-{case}.json", event.name()), pretty(&content)?));
        }
    }
    Ok(samples)
}

fn sample(case: &str, content: String) -> (String, String) {
    (format!("alb-mtls-{case}.json"), content)
}

/// Returns a client that is valid until the end of 2099, as all certificates from a seed.
fn client(name: &str) -> CertificateBuilder {
    CertificateBuilder::client(&format!("CN={name},OU=Clients,O=Example"))
        .uri(&format!("spiffe://example.org/client/{name}"))
        .seed(&format!("sample {name}"))
}

/// A wrong decoder turns `+` into a space; here it cannot go unnoticed. Three bytes that are `++++`
/// in base64 fill an extension, shifted so that they begin where a group of base64 does.
fn plus_heavy(issuing: &Credential) -> Result<Credential, test_pki::Error> {
    let candidate = |shift: u8| {
        let octets = [vec![0; shift.into()], [0xfb, 0xef, 0xbe].repeat(32)].concat();
        let octet_string_header = [0x04, 96 + shift];
        let value = [octet_string_header.as_slice(), &octets].concat();
        client("plus-heavy")
            .extension(DOCUMENTATION_EXTENSION, Criticality::NotCritical, &value)
            .issued_by(issuing)
    };
    let pluses = |credential: &Credential| credential.pem().matches('+').count();
    let mut best = candidate(0)?;
    for shift in [1, 2] {
        let other = candidate(shift)?;
        if pluses(&other) > pluses(&best) {
            best = other;
        }
    }
    Ok(best)
}

fn chain(client: &Credential, issuing: &Credential) -> String {
    certificate_header([client, issuing].map(Credential::certificate))
}

/// Cuts a header off inside the base64 of the last certificate.
fn truncated(header: &str) -> String {
    header.chars().take(header.len() - header.len() / 5).collect()
}

fn request(certificate_headers: &[&str], mode: HeaderMode) -> Result<String, Failure> {
    let mut headers = headers_with(&[]);
    headers.extend(
        certificate_headers
            .iter()
            .map(|&value| (CERTIFICATE_HEADER.to_owned(), value.to_owned())),
    );
    let request = AlbRequest {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query: None,
        headers,
        body: Default::default(),
    };
    pretty(&request.to_event(TARGET_GROUP, mode)?)
}

/// A request to API Gateway, with a certificate that it saw itself, or one in a load balancer's
/// header.
fn api_request(client_certificate: Option<&Certificate>, header: Option<&String>) -> ApiRequest {
    let mut headers = headers_with(&[]);
    headers.extend(header.map(|value| (CERTIFICATE_HEADER.to_owned(), value.clone())));
    ApiRequest {
        method: "GET".to_owned(),
        path: "/orders".to_owned(),
        query: Some("id=7".to_owned()),
        headers,
        client_certificate: client_certificate.cloned(),
    }
}

fn health_check(mode: HeaderMode) -> Result<String, Failure> {
    pretty(&health_check_event(TARGET_GROUP, mode, "/"))
}
