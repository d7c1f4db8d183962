//! Headers that claim an identity never reach the function.

use alb_mtls_tests::{
    Clients, IDENTITY_HEADERS, RESTATING_HEADERS, certificate_headers, client_headers, event, spellings,
};
use local_alb::HeaderMode;
use test_pki::{CertificateBuilder, Criticality};

use crate::functions::{Language, calls, received};

const FORGED: &str = "forged-identity";

/// Sends each spelling of each name in a request of its own and returns how many of them reached
/// the function.
async fn forge(
    language: Language,
    clients: &Clients,
    variables: &[(&str, &str)],
    headers: &[(String, String)],
    mode: HeaderMode,
) -> u64 {
    let mut variables = variables.to_vec();
    variables.push(("MTLS_HEADER", "x-renamed-header"));
    let function = language.start(clients, &variables).await;
    let mut reached = 0;
    for name in forged_names() {
        let mut headers = headers.to_vec();
        headers.insert(0, (name.clone(), FORGED.to_owned()));
        headers.push(("x-innocent".to_owned(), "1".to_owned()));
        let answer = function.answer(event("GET", "/", &headers, mode)).await;
        if answer.json.get("calls").is_none() {
            assert!([400, 401].contains(&answer.status), "{name}: {}", answer.body());
            continue;
        }
        reached += 1;
        assert_eq!(calls(&answer), reached, "{name}");
        let seen = received(&answer);
        assert!(!seen.contains(FORGED), "{name}:\n{seen}");
        assert!(seen.contains("x-innocent"), "{name}:\n{seen}");
    }
    reached
}

fn forged_names() -> impl Iterator<Item = String> {
    let names = IDENTITY_HEADERS.iter().chain(RESTATING_HEADERS);
    names.flat_map(|name| spellings(name))
}

fn total() -> usize {
    forged_names().count()
}

#[tokio::test]
async fn nothing_forged_passes_beside_a_certificate() {
    let clients = Clients::new();
    let headers: Vec<(String, String)> = clients
        .good_headers()
        .into_iter()
        .map(|(name, value)| (name.replace("x-amzn-mtls-clientcert", "x-renamed-header"), value))
        .collect();
    // Copies and look-alikes of the certificate header, under its own and its usual name, are
    // refused.
    let refused = spellings("X-Renamed-Header").len() + spellings("X-Amzn-Mtls-Clientcert").len();
    for language in Language::all() {
        for identity in ["verify-mode,rfc9440,xfcc,passthrough", "none"] {
            let variables = [("LAYER_IDENTITY", identity)];
            let reached = forge(language, &clients, &variables, &headers, HeaderMode::MultiValue).await;
            assert_eq!(reached, (total() - refused) as u64, "{language:?}");
        }
        let reached = forge(language, &clients, &[], &headers, HeaderMode::SingleValue).await;
        assert!(reached >= (total() - refused) as u64, "{language:?}");
    }
}

#[tokio::test]
async fn nothing_forged_passes_without_a_certificate() {
    let clients = Clients::new();
    for language in Language::all() {
        for mode in [HeaderMode::MultiValue, HeaderMode::SingleValue] {
            let variables = [("MTLS_MODE", "report")];
            let reached = forge(language, &clients, &variables, &client_headers(), mode).await;
            assert_eq!(reached, total() as u64, "{language:?}");
        }
    }
}

#[tokio::test]
async fn a_function_knows_the_client_in_each_form() {
    let clients = Clients::new();
    for language in Language::all() {
        for (identity, names) in [
            (
                "verify-mode",
                &[
                    "x-amzn-mtls-clientcert-serial-number",
                    "x-amzn-mtls-clientcert-issuer",
                    "x-amzn-mtls-clientcert-subject",
                    "x-amzn-mtls-clientcert-validity",
                    "x-amzn-mtls-clientcert-leaf",
                ][..],
            ),
            ("rfc9440", &["client-cert", "client-cert-chain"]),
            ("xfcc", &["x-forwarded-client-cert"]),
            ("passthrough", &["x-amzn-mtls-clientcert"]),
            ("none", &[]),
        ] {
            let function = language.start(&clients, &[("LAYER_IDENTITY", identity)]).await;
            for (mode, field) in [
                (HeaderMode::MultiValue, "multiValueHeaders"),
                (HeaderMode::SingleValue, "headers"),
            ] {
                let answer = function
                    .answer(event("GET", "/", &clients.good_headers(), mode))
                    .await;
                let seen = crate::functions::received_json(&answer);
                let headers = seen[field].as_object().unwrap();
                for name in names {
                    assert!(headers.contains_key(*name), "{identity}: {name}");
                }
                assert_eq!(headers.len(), names.len() + client_headers().len(), "{identity}");
                if identity == "verify-mode" {
                    let subject = &headers["x-amzn-mtls-clientcert-subject"];
                    let subject = subject.get(0).unwrap_or(subject);
                    assert_eq!(subject, "CN=client-1,OU=Payments,O=Tests");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_function_knows_the_extensions_of_the_certificate_and_no_forged_ones() {
    let clients = Clients::new();
    let client = CertificateBuilder::client("CN=device").extension(
        "1.3.6.1.4.1.99999.1",
        Criticality::NotCritical,
        b"\x0c\x05a, \xc3\xbc",
    );
    let client = clients.issue(client);
    for language in Language::all() {
        for (extensions, value) in [
            (
                Some("device_id=1.3.6.1.4.1.99999.1 class=1.3.6.1.4.1.99999.2"),
                Some("a%2C%20%C3%BC"),
            ),
            (None, None),
        ] {
            let variables = extensions.map(|extensions| ("MTLS_EXTENSIONS", extensions));
            let function = language.start(&clients, variables.as_slice()).await;
            let mut headers = certificate_headers(clients.header(&client));
            for forged in ["Device-Id", "Class", "Other"] {
                headers.push((format!("X-Client-Cert-Extension-{forged}"), FORGED.to_owned()));
                headers.push((format!("x_client_cert_extension_{forged}"), FORGED.to_owned()));
            }
            let answer = function
                .answer(event("GET", "/", &headers, HeaderMode::MultiValue))
                .await;
            let seen = crate::functions::received_json(&answer);
            let headers = seen["multiValueHeaders"].as_object().unwrap();
            let written: Vec<_> = headers
                .iter()
                .filter(|(name, _)| name.to_lowercase().replace('_', "-").contains("cert-extension"))
                .collect();
            match value {
                Some(value) => {
                    assert_eq!(written.len(), 1, "{headers:?}");
                    assert_eq!(headers["x-client-cert-extension-device-id"][0], value);
                }
                None => assert!(written.is_empty(), "{headers:?}"),
            }
        }
    }
}
