//! Each policy of the cookbook allows its clients and denies all others.

use alb_mtls_tests::{Clients, Function, certificate_headers, header_of, project};
use alb_mtls_verifier::Fingerprint;
use test_pki::der::Encode;
use test_pki::der::asn1::ObjectIdentifier;
use test_pki::{CertificateBuilder, Credential, Criticality};
use time::OffsetDateTime;

use crate::support::{ALL_CLIENTS, anchor_id, ask, ask_with, deciding, issue, with_policies};

const FIRST_ANCHOR: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const SECOND_ANCHOR: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const FIRST_KEY: &str = "3333333333333333333333333333333333333333333333333333333333333333";

/// Returns the file with real values in place of the examples, which must be there to be replaced.
fn recipe(file: &str, replacements: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(project().join("deploy/policies").join(file)).unwrap();
    for (example, real) in replacements {
        assert!(text.contains(example), "{file}: {example}");
        text = text.replace(example, real);
    }
    text
}

/// Asks, and expects 200 by this policy.
async fn permits(function: &Function, clients: &Clients, client: &Credential, line: &str, policy: &str) {
    let (status, record) = ask(function, Some((clients, client)), line).await;
    assert_eq!(
        (status, deciding(&record).as_str()),
        (200, policy),
        "{line}: {record}"
    );
    assert_eq!(record["decision"], "allowed");
}

/// Asks, and expects 403 by this policy or for this reason.
async fn denies(function: &Function, clients: &Clients, client: &Credential, line: &str, why: &str) {
    let (status, record) = ask(function, Some((clients, client)), line).await;
    assert_eq!(
        (status, deciding(&record).as_str()),
        (403, why),
        "{line}: {record}"
    );
    assert_eq!(
        (&record["decision"], &record["code"]),
        (&"denied".into(), &"ClientCertRejected".into())
    );
    assert!(
        record["client"]["subject"].is_string(),
        "who was denied is known: {record}"
    );
}

#[test]
fn every_file_is_tested_here() {
    let folder = std::fs::read_dir(project().join("deploy/policies")).unwrap();
    for entry in folder {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let quoted = format!("\"{name}\"");
        assert!(
            !name.ends_with(".cedar") || include_str!("cookbook.rs").contains(&quoted),
            "{name} has no test"
        );
    }
}

#[tokio::test]
async fn names_on_a_list_pass_under_their_own_anchor() {
    let (ours, theirs) = (Clients::of("Partner"), Clients::of("Other"));
    ours.write(
        "anchors.pem",
        &format!("{}{}", ours.root.pem(), theirs.root.pem()),
    );
    let text = recipe("allow-by-san.cedar", &[(FIRST_ANCHOR, &anchor_id(&ours))]);
    let function = with_policies(&ours, &text, &[]).await;
    let named = || CertificateBuilder::client("CN=billing").dns("billing.partner.example");
    permits(
        &function,
        &ours,
        &ours.issue(named()),
        "GET /",
        "partners-by-name",
    )
    .await;
    denies(&function, &ours, &ours.good, "GET /", "policy_does_not_permit").await;
    denies(
        &function,
        &theirs,
        &theirs.issue(named()),
        "GET /",
        "policy_does_not_permit",
    )
    .await;
}

#[tokio::test]
async fn a_withdrawn_serial_number_is_refused() {
    let clients = Clients::of("Example");
    let text = recipe(
        "deny-by-serial.cedar",
        &[
            (FIRST_ANCHOR, &anchor_id(&clients)),
            ("CN=Example Issuing CA,O=Example", "CN=Example Issuing CA,O=Tests"),
        ],
    );
    let function = with_policies(&clients, &format!("{text}{ALL_CLIENTS}"), &[]).await;
    let client = |serial: [u8; 3]| clients.issue(CertificateBuilder::client("CN=x").serial_bytes(&serial));
    denies(
        &function,
        &clients,
        &client([0x0A, 0x1B, 0x2C]),
        "GET /",
        "withdrawn-certificates",
    )
    .await;
    permits(
        &function,
        &clients,
        &client([0x0A, 0x1B, 0x2D]),
        "GET /",
        "all-clients",
    )
    .await;
}

#[tokio::test]
async fn nothing_is_written_while_maintenance_lasts() {
    let clients = Clients::new();
    let today = OffsetDateTime::now_utc().weekday();
    // A day that is neither today's nor, when the test runs over midnight, tomorrow's.
    let another = today.previous().to_string();
    let window = |day: &str| {
        let weekday = format!("Weekday::\"{day}\"");
        let whole_day = [
            ("Weekday::\"Sunday\"", weekday.as_str()),
            ("duration(\"2h\")", "duration(\"0h\")"),
            ("duration(\"4h30m\")", "duration(\"24h\")"),
            ("2026-12-05T22:00:00Z", "2001-01-01T00:00:00Z"),
            ("2026-12-06T03:00:00Z", "2001-01-02T00:00:00Z"),
        ];
        recipe("maintenance-window.cedar", &whole_day) + ALL_CLIENTS
    };
    let function = with_policies(&clients, &window(&today.to_string()), &[]).await;
    denies(&function, &clients, &clients.good, "POST /", "sunday-maintenance").await;
    permits(&function, &clients, &clients.good, "GET /", "all-clients").await;
    let function = with_policies(&clients, &window(&another), &[]).await;
    permits(&function, &clients, &clients.good, "POST /", "all-clients").await;
}

#[tokio::test]
async fn roles_reach_their_part_of_the_api() {
    let clients = Clients::new();
    let text = recipe("path-by-role.cedar", &[(FIRST_ANCHOR, &anchor_id(&clients))]);
    let function = with_policies(&clients, &text, &[]).await;
    let sales = issue(&clients, "CN=s,OU=Sales,O=Tests");
    permits(&function, &clients, &sales, "GET /orders/7", "sales-reads-orders").await;
    denies(
        &function,
        &clients,
        &sales,
        "POST /orders/7",
        "policy_does_not_permit",
    )
    .await;
    denies(
        &function,
        &clients,
        &sales,
        "GET /orders/../admin",
        "policy_path_not_plain",
    )
    .await;
    denies(
        &function,
        &clients,
        &sales,
        "GET /orders%2f..%2fadmin",
        "policy_path_not_plain",
    )
    .await;

    let operator = issue(&clients, "CN=o,OU=Operations,O=Tests");
    let at_admin = |host: &str, address: &str| {
        let mut headers = certificate_headers(clients.header(&operator));
        headers.retain(|(name, _)| name != "host" && name != "x-forwarded-for");
        headers.push(("host".to_owned(), host.to_owned()));
        headers.push(("x-forwarded-for".to_owned(), address.to_owned()));
        headers
    };
    for (host, address, status, why) in [
        ("admin.example.org", "192.0.2.7", 200, "operators-administer"),
        // What stands before the last address is the client's own word.
        (
            "Admin.Example.Org:443",
            "198.51.100.1, 192.0.2.7",
            200,
            "operators-administer",
        ),
        (
            "admin.example.org",
            "192.0.2.7, 198.51.100.1",
            403,
            "policy_does_not_permit",
        ),
        ("api.example.org", "192.0.2.7", 403, "policy_does_not_permit"),
        ("admin.example.org@evil.example", "192.0.2.7", 400, "host_unclear"),
    ] {
        let (answered, record) = ask_with(&function, at_admin(host, address), "POST /admin/x").await;
        assert_eq!(
            (answered, deciding(&record).as_str()),
            (status, why),
            "{host} {address}: {record}"
        );
    }
}

#[tokio::test]
async fn payment_service_providers_do_what_their_roles_say() {
    let clients = Clients::new();
    let text = recipe("payment-roles.cedar", &[(FIRST_ANCHOR, &anchor_id(&clients))]);
    let function = with_policies(&clients, &text, &[]).await;
    let provider = CertificateBuilder::client("CN=provider,2.5.4.97=PSDDE-BAFIN-123456,O=Provider,C=DE")
        .policy("0.4.0.19495.3.1")
        .extension(
            "1.3.6.1.5.5.7.1.3",
            Criticality::NotCritical,
            &payment_statement("0.4.0.19495.1.3"),
        );
    let provider = clients.issue(provider);
    permits(
        &function,
        &clients,
        &provider,
        "GET /accounts/1",
        "account-information",
    )
    .await;
    denies(
        &function,
        &clients,
        &provider,
        "POST /payments",
        "policy_does_not_permit",
    )
    .await;
    denies(
        &function,
        &clients,
        &clients.good,
        "GET /accounts/1",
        "policy_does_not_permit",
    )
    .await;
}

#[tokio::test]
async fn devices_pass_by_extensions_of_their_certificates() {
    let clients = Clients::new();
    let text = recipe(
        "device-by-extension.cedar",
        &[(FIRST_ANCHOR, &anchor_id(&clients))],
    );
    let extensions = "device_id=1.3.6.1.4.1.99999.1 device_class=1.3.6.1.4.1.99999.2";
    let function = with_policies(&clients, &text, &[("MTLS_EXTENSIONS", extensions)]).await;
    let device = |id: &[u8], class: &[u8]| {
        let string = |text: &[u8]| [&[0x0C, u8::try_from(text.len()).unwrap()], text].concat();
        let device = CertificateBuilder::client("CN=device,O=Tests")
            .extension("1.3.6.1.4.1.99999.1", Criticality::NotCritical, &string(id))
            .extension("1.3.6.1.4.1.99999.2", Criticality::NotCritical, &string(class));
        clients.issue(device)
    };
    let laptop = device(b"office-7", b"laptop");
    permits(
        &function,
        &clients,
        &laptop,
        "GET /orders",
        "managed-laptops-read",
    )
    .await;
    denies(
        &function,
        &clients,
        &laptop,
        "POST /samples/1",
        "policy_does_not_permit",
    )
    .await;
    let laboratory = device(b"lab-1", b"scale");
    permits(
        &function,
        &clients,
        &laboratory,
        "POST /samples/1",
        "laboratory-writes",
    )
    .await;
    let disguised = device(b"lab-1\0", b"laptop");
    denies(
        &function,
        &clients,
        &disguised,
        "POST /samples/1",
        "unreadable-device",
    )
    .await;
    denies(
        &function,
        &clients,
        &clients.good,
        "GET /orders",
        "policy_does_not_permit",
    )
    .await;
}

#[tokio::test]
async fn policy_on_an_extension_without_the_setting_denies_every_client() {
    let clients = Clients::new();
    let text = recipe(
        "device-by-extension.cedar",
        &[(FIRST_ANCHOR, &anchor_id(&clients))],
    );
    let function = with_policies(&clients, &text, &[]).await;
    let (status, record) = ask(&function, Some((&clients, &clients.good)), "GET /").await;
    assert_eq!(status, 503, "{record}");
    let explanation = record["explanation"].as_str().unwrap();
    assert!(
        explanation.contains("is not an extension of MTLS_EXTENSIONS, which is not set"),
        "{record}"
    );
}

/// Returns the QC statement of PSD2 with one role (ETSI TS 119 495 section 5.1).
fn payment_statement(role: &str) -> Vec<u8> {
    let sequence = |parts: &[Vec<u8>]| {
        let content = parts.concat();
        assert!(content.len() < 128);
        let mut der = vec![0x30, u8::try_from(content.len()).unwrap()];
        der.extend(content);
        der
    };
    let oid = |text: &str| ObjectIdentifier::new(text).unwrap().to_der().unwrap();
    let text = |text: &str| {
        [
            vec![0x0C, u8::try_from(text.len()).unwrap()],
            text.as_bytes().to_vec(),
        ]
        .concat()
    };
    let roles = sequence(&[sequence(&[oid(role), text("role")])]);
    let information = sequence(&[roles, text("Authority"), text("DE-BAFIN")]);
    sequence(&[sequence(&[oid("0.4.0.19495.2"), information])])
}

#[tokio::test]
async fn a_pinned_key_passes_and_no_other() {
    let clients = Clients::new();
    let pin = Fingerprint::of(&clients.good.key().public_key_info().unwrap()).to_string();
    let function = with_policies(&clients, &recipe("pinned-keys.cedar", &[(FIRST_KEY, &pin)]), &[]).await;
    permits(&function, &clients, &clients.good, "GET /", "pinned-clients").await;
    let same_name = issue(&clients, "CN=client-1,OU=Payments,O=Tests");
    denies(&function, &clients, &same_name, "GET /", "policy_does_not_permit").await;
}

#[tokio::test]
async fn workloads_of_a_trust_domain_pass() {
    let clients = Clients::new();
    let text = recipe(
        "spiffe-trust-domain.cedar",
        &[(FIRST_ANCHOR, &anchor_id(&clients))],
    );
    let function = with_policies(&clients, &text, &[]).await;
    let workload = |id: &str| clients.issue(CertificateBuilder::client("CN=w").uri(id));
    let api = workload("spiffe://prod.example.org/payments/api");
    let both = "payments-workloads-write workloads-read";
    permits(&function, &clients, &api, "GET /ledger", both).await;
    permits(
        &function,
        &clients,
        &api,
        "POST /ledger",
        "payments-workloads-write",
    )
    .await;
    let web = workload("spiffe://prod.example.org/web");
    denies(
        &function,
        &clients,
        &web,
        "POST /ledger",
        "policy_does_not_permit",
    )
    .await;
    let elsewhere = workload("spiffe://prod.example.org.evil.example/payments/api");
    denies(
        &function,
        &clients,
        &elsewhere,
        "GET /ledger",
        "policy_does_not_permit",
    )
    .await;
}

#[tokio::test]
async fn each_tenant_reaches_its_own_part() {
    let (red, blue) = (Clients::of("Red"), Clients::of("Blue"));
    red.write("anchors.pem", &format!("{}{}", red.root.pem(), blue.root.pem()));
    let anchors = [(FIRST_ANCHOR, anchor_id(&red)), (SECOND_ANCHOR, anchor_id(&blue))];
    let anchors = anchors
        .each_ref()
        .map(|(example, real)| (*example, real.as_str()));
    let function = with_policies(&red, &recipe("tenant-per-anchor.cedar", &anchors), &[]).await;
    permits(&function, &red, &red.good, "PUT /tenants/red/1", "tenant-red").await;
    denies(
        &function,
        &red,
        &red.good,
        "GET /tenants/blue",
        "policy_does_not_permit",
    )
    .await;
    permits(&function, &blue, &blue.good, "PUT /tenants/blue/1", "tenant-blue").await;
    denies(
        &function,
        &blue,
        &blue.good,
        "GET /tenants/red",
        "policy_does_not_permit",
    )
    .await;
    permits(&function, &blue, &blue.good, "GET /catalogue", "shared-catalogue").await;
}

#[tokio::test]
async fn anonymous_requests_read_one_path() {
    let clients = Clients::new();
    let text = recipe("anonymous-paths.cedar", &[]);
    let function = with_policies(&clients, &text, &[("MTLS_MODE", "optional")]).await;
    let (status, record) = ask(&function, None, "GET /status").await;
    assert_eq!(
        (status, deciding(&record).as_str()),
        (200, "status-is-public"),
        "{record}"
    );
    assert_eq!(record["decision"], "anonymous");
    for line in ["POST /status", "GET /orders", "GET /statuses"] {
        let (status, record) = ask(&function, None, line).await;
        assert_eq!(
            (status, &record["detail"]),
            (403, &"policy_does_not_permit".into()),
            "{line}: {record}"
        );
        assert_eq!(record["client"], serde_json::Value::Null);
    }
    permits(
        &function,
        &clients,
        &clients.good,
        "POST /orders",
        "verified-clients",
    )
    .await;
    let (status, _) = ask_with(
        &function,
        certificate_headers(header_of([&clients.expired()])),
        "GET /status",
    )
    .await;
    assert_eq!(status, 401, "a bad certificate is worse than none");
}
