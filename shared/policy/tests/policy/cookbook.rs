//! Each policy of the cookbook, with clients that it is for and clients that it is against.

use std::path::Path;

use alb_mtls_policy::{Policies, PolicyDenial, PolicyOutcome};
use alb_mtls_verifier::Fingerprint;
use test_pki::der::Encode;
use test_pki::der::asn1::ObjectIdentifier;
use test_pki::{CertificateBuilder, Criticality, Key, KeyKind};

use crate::clients::{Asked, Authority, EXTENSIONS, NOT_PERMITTED, allowed_by, forbidden_by};

const FIRST_ANCHOR: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const SECOND_ANCHOR: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const FIRST_KEY: &str = "3333333333333333333333333333333333333333333333333333333333333333";
const EVERY_CLIENT: &str = "@id(\"every-client\") permit (principal is Client, action, resource);";

fn text_of(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap()
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/policies")
}

/// Returns the file with the ids of real anchors and keys in place of the examples, which must be
/// there to be replaced.
fn recipe(file: &str, replacements: &[(&str, &str)]) -> String {
    let mut text = text_of(file);
    for (example, real) in replacements {
        assert!(text.contains(example), "{file}: {example}");
        text = text.replace(example, real);
    }
    text
}

fn load(file: &str, replacements: &[(&str, &str)]) -> Policies {
    Policies::parse(&recipe(file, replacements), file).unwrap()
}

#[test]
fn every_file_loads_unchanged_and_is_tested() {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".cedar"))
        .collect();
    files.sort();
    for file in &files {
        let policies = Policies::parse(&text_of(file), file).unwrap();
        assert!(
            policies.ids().iter().all(|id| !id.contains(file)),
            "{file}: every policy has an @id"
        );
        assert!(
            include_str!("cookbook.rs").contains(&format!("\"{file}\"")),
            "{file} has no test"
        );
    }
    assert!(files.len() >= 8, "{files:?}");
}

#[test]
fn listed_name_passes_under_its_own_anchor_only() {
    let (ours, theirs) = (Authority::new("Partner Root"), Authority::new("Other Root"));
    let policies = load("allow-by-san.cedar", &[(FIRST_ANCHOR, &ours.id())]);
    let client = |name: &str| CertificateBuilder::client("CN=billing.partner.example").dns(name);

    let listed = ours.identify(client("billing.partner.example"));
    assert_eq!(
        Asked::by(&listed, "GET", "/").decide(&policies),
        allowed_by("partners-by-name")
    );

    let same_name = theirs.identify(client("billing.partner.example"));
    assert_eq!(Asked::by(&same_name, "GET", "/").decide(&policies), NOT_PERMITTED);
    let unlisted = ours.identify(client("billing.partner.example.evil.example"));
    assert_eq!(Asked::by(&unlisted, "GET", "/").decide(&policies), NOT_PERMITTED);
    let only_in_the_subject = ours.identify(CertificateBuilder::client("CN=billing.partner.example"));
    assert_eq!(
        Asked::by(&only_in_the_subject, "GET", "/").decide(&policies),
        NOT_PERMITTED
    );
    let of_another_kind = ours.identify(
        CertificateBuilder::client("")
            .uri("billing.partner.example")
            .dns("x.example"),
    );
    assert_eq!(
        Asked::by(&of_another_kind, "GET", "/").decide(&policies),
        NOT_PERMITTED
    );
    assert_eq!(Asked::anonymously("GET", "/").decide(&policies), NOT_PERMITTED);
}

#[test]
fn anonymous_requests_read_one_path() {
    let policies = load("anonymous-paths.cedar", &[]);
    assert_eq!(
        Asked::anonymously("GET", "/status").decide(&policies),
        allowed_by("status-is-public")
    );
    assert_eq!(
        Asked::anonymously("POST", "/status").decide(&policies),
        NOT_PERMITTED
    );
    assert_eq!(
        Asked::anonymously("GET", "/statuses").decide(&policies),
        NOT_PERMITTED
    );
    let client = Authority::new("Root").identify(CertificateBuilder::client("CN=x"));
    assert_eq!(
        Asked::by(&client, "POST", "/orders").decide(&policies),
        allowed_by("verified-clients")
    );
}

#[test]
fn withdrawn_serial_number_is_denied_for_its_issuer_only() {
    let (ours, theirs) = (Authority::new("Root"), Authority::new("Other Root"));
    let text = recipe("deny-by-serial.cedar", &[(FIRST_ANCHOR, &ours.id())]);
    let policies = Policies::parse_all([
        ("deny-by-serial.cedar", text.as_str()),
        ("all.cedar", EVERY_CLIENT),
    ])
    .unwrap();
    let client = |serial: [u8; 3]| CertificateBuilder::client("CN=x").serial_bytes(&serial);

    let withdrawn = ours.identify(client([0x0A, 0x1B, 0x2C]));
    assert_eq!(
        Asked::by(&withdrawn, "GET", "/").decide(&policies),
        forbidden_by("withdrawn-certificates")
    );
    let other = ours.identify(client([0x0A, 0x1B, 0x2D]));
    assert_eq!(
        Asked::by(&other, "GET", "/").decide(&policies),
        allowed_by("every-client")
    );
    let of_another_issuer = theirs.identify(client([0x0A, 0x1B, 0x2C]));
    assert_eq!(
        Asked::by(&of_another_issuer, "GET", "/").decide(&policies),
        allowed_by("every-client")
    );
}

#[test]
fn nothing_is_written_while_maintenance_lasts() {
    let text = text_of("maintenance-window.cedar");
    let policies = Policies::parse_all([
        ("maintenance-window.cedar", text.as_str()),
        ("all.cedar", EVERY_CLIENT),
    ])
    .unwrap();
    let authority = Authority::new("Root");
    let client = authority.identify(CertificateBuilder::client("CN=x,OU=Sales"));
    let write = |time| Asked::by(&client, "POST", "/").at(time).decide(&policies);

    for within in ["2026-11-22T02:00:00Z", "2026-11-22T04:29:59Z"] {
        assert_eq!(write(within), forbidden_by("sunday-maintenance"), "{within}");
        assert_eq!(
            Asked::by(&client, "GET", "/").at(within).decide(&policies),
            allowed_by("every-client")
        );
        let unknown_method = Asked::by(&client, "post", "/").at(within).decide(&policies);
        assert_eq!(unknown_method, forbidden_by("sunday-maintenance"));
    }
    for outside in [
        "2026-11-22T01:59:59Z",
        "2026-11-22T04:30:00Z",
        "2026-11-23T03:00:00Z",
        "2026-11-21T03:00:00Z",
    ] {
        assert_eq!(write(outside), allowed_by("every-client"), "{outside}");
    }

    let migration = "2026-12-05T23:00:00Z";
    let read = Asked::by(&client, "GET", "/").at(migration).decide(&policies);
    assert_eq!(read, forbidden_by("migration-of-december"));
    let operator = authority.identify(CertificateBuilder::client("CN=x,OU=Operations"));
    let read = Asked::by(&operator, "GET", "/").at(migration).decide(&policies);
    assert_eq!(read, allowed_by("every-client"));
}

#[test]
fn roles_reach_their_part_of_the_api() {
    let (ours, theirs) = (Authority::new("Root"), Authority::new("Other Root"));
    let policies = load("path-by-role.cedar", &[(FIRST_ANCHOR, &ours.id())]);
    let sales = ours.identify(CertificateBuilder::client("CN=s,OU=Sales,O=Example"));
    let fulfilment = ours.identify(CertificateBuilder::client("CN=f,OU=Fulfilment,O=Example"));
    let operator = ours.identify(CertificateBuilder::client("CN=o,OU=Operations,O=Example"));

    assert_eq!(
        Asked::by(&sales, "GET", "/orders/7").decide(&policies),
        allowed_by("sales-reads-orders")
    );
    assert_eq!(
        Asked::by(&sales, "DELETE", "/orders/7").decide(&policies),
        NOT_PERMITTED
    );
    assert_eq!(
        Asked::by(&sales, "GET", "/orders-old").decide(&policies),
        NOT_PERMITTED
    );
    assert_eq!(
        Asked::by(&fulfilment, "PUT", "/orders/7").decide(&policies),
        allowed_by("fulfilment-changes-orders")
    );

    let at_admin = |path| Asked::by(&operator, "POST", path).host("admin.example.org");
    assert_eq!(
        at_admin("/admin/x").decide(&policies),
        allowed_by("operators-administer")
    );
    assert_eq!(
        at_admin("/admin")
            .host("Admin.example.org.:443")
            .decide(&policies),
        allowed_by("operators-administer")
    );
    assert_eq!(
        at_admin("/admin").host("api.example.org").decide(&policies),
        NOT_PERMITTED
    );
    assert_eq!(
        at_admin("/admin").from("198.51.100.1").decide(&policies),
        NOT_PERMITTED
    );

    for detour in [
        "/orders/../admin",
        "/orders/%2e%2e/admin",
        "/orders%2f..%2fadmin",
        "//orders",
        "/orders;x",
    ] {
        assert_eq!(
            Asked::by(&sales, "GET", detour).decide(&policies),
            PolicyOutcome::Deny(PolicyDenial::PathNotPlain),
            "{detour}"
        );
    }
    let same_unit = theirs.identify(CertificateBuilder::client("CN=s,OU=Sales,O=Example"));
    assert_eq!(
        Asked::by(&same_unit, "GET", "/orders").decide(&policies),
        NOT_PERMITTED
    );
    let imitation = ours.identify(CertificateBuilder::client("CN=OU\\=Sales,O=Example"));
    assert_eq!(
        Asked::by(&imitation, "GET", "/orders").decide(&policies),
        NOT_PERMITTED
    );
}

#[test]
fn devices_pass_by_extensions_of_their_certificates() {
    let (ours, theirs) = (Authority::new("Device Root"), Authority::new("Other Root"));
    let policies = load("device-by-extension.cedar", &[(FIRST_ANCHOR, &ours.id())]);
    policies.check_extensions(&EXTENSIONS.parse().unwrap()).unwrap();
    let device = |id: &[u8], class: &[u8]| {
        let string = |text: &[u8]| [&[0x0C, u8::try_from(text.len()).unwrap()], text].concat();
        CertificateBuilder::client("CN=device,O=Example")
            .extension("1.3.6.1.4.1.99999.1", Criticality::NotCritical, &string(id))
            .extension("1.3.6.1.4.1.99999.2", Criticality::NotCritical, &string(class))
    };
    let laptop = ours.identify(device(b"office-7", b"laptop"));
    assert_eq!(
        Asked::by(&laptop, "GET", "/orders").decide(&policies),
        allowed_by("managed-laptops-read")
    );
    assert_eq!(
        Asked::by(&laptop, "POST", "/samples/1").decide(&policies),
        NOT_PERMITTED
    );
    let laboratory = ours.identify(device(b"lab-1", b"scale"));
    assert_eq!(
        Asked::by(&laboratory, "POST", "/samples/1").decide(&policies),
        allowed_by("laboratory-writes")
    );
    assert_eq!(
        Asked::by(&laboratory, "GET", "/orders").decide(&policies),
        NOT_PERMITTED
    );

    let of_another_ca = theirs.identify(device(b"lab-1", b"laptop"));
    assert_eq!(
        Asked::by(&of_another_ca, "GET", "/orders").decide(&policies),
        NOT_PERMITTED
    );
    let without = ours.identify(CertificateBuilder::client("CN=device,OU=laptop"));
    assert_eq!(
        Asked::by(&without, "GET", "/orders").decide(&policies),
        NOT_PERMITTED
    );
    for id in [&b"lab-1\0"[..], b"lab-1\r\n", b"", b"#lab-1"] {
        let unreadable = ours.identify(device(id, b"laptop"));
        assert_eq!(
            Asked::by(&unreadable, "GET", "/orders").decide(&policies),
            forbidden_by("unreadable-device")
        );
    }
}

#[test]
fn payment_service_providers_do_what_their_roles_say() {
    let (ours, theirs) = (Authority::new("Trust Service Root"), Authority::new("Other Root"));
    let policies = load("payment-roles.cedar", &[(FIRST_ANCHOR, &ours.id())]);
    let provider = |roles: &[&str]| {
        CertificateBuilder::client("CN=provider,2.5.4.97=PSDDE-BAFIN-123456,O=Provider,C=DE")
            .policy("0.4.0.19495.3.1")
            .extension(
                "1.3.6.1.5.5.7.1.3",
                Criticality::NotCritical,
                &payment_statement(roles),
            )
    };

    let information = ours.identify(provider(&["0.4.0.19495.1.3"]));
    assert_eq!(information.payment_roles, ["PSP_AI"]);
    assert_eq!(
        Asked::by(&information, "GET", "/accounts/1").decide(&policies),
        allowed_by("account-information")
    );
    assert_eq!(
        Asked::by(&information, "POST", "/accounts/1").decide(&policies),
        NOT_PERMITTED
    );
    assert_eq!(
        Asked::by(&information, "POST", "/payments").decide(&policies),
        NOT_PERMITTED
    );

    // A role that the schema does not list is evidence, and takes nothing from the others.
    let more = ours.identify(provider(&["0.4.0.19495.1.3", "0.4.0.19495.1.99"]));
    assert_eq!(more.payment_roles, ["PSP_AI", "0.4.0.19495.1.99"]);
    assert_eq!(
        Asked::by(&more, "GET", "/accounts/1").decide(&policies),
        allowed_by("account-information")
    );

    let initiation = ours.identify(provider(&["0.4.0.19495.1.2"]));
    assert_eq!(
        Asked::by(&initiation, "POST", "/payments").decide(&policies),
        allowed_by("payment-initiation")
    );
    assert_eq!(
        Asked::by(&initiation, "POST", "/funds-confirmations").decide(&policies),
        allowed_by("funds-confirmation")
    );
    assert_eq!(
        Asked::by(&initiation, "GET", "/accounts").decide(&policies),
        NOT_PERMITTED
    );

    let issuer = ours.identify(provider(&["0.4.0.19495.1.4", "0.4.0.19495.1.1"]));
    assert_eq!(
        Asked::by(&issuer, "POST", "/funds-confirmations").decide(&policies),
        allowed_by("funds-confirmation")
    );

    let elsewhere = theirs.identify(provider(&["0.4.0.19495.1.3"]));
    assert_eq!(
        Asked::by(&elsewhere, "GET", "/accounts").decide(&policies),
        NOT_PERMITTED
    );
    let roles = payment_statement(&["0.4.0.19495.1.3"]);
    let no_qwac = CertificateBuilder::client("CN=provider,2.5.4.97=PSDDE-BAFIN-123456,O=Provider,C=DE")
        .extension("1.3.6.1.5.5.7.1.3", Criticality::NotCritical, &roles);
    assert_eq!(
        Asked::by(&ours.identify(no_qwac), "GET", "/accounts").decide(&policies),
        NOT_PERMITTED
    );
    let nobody = CertificateBuilder::client("CN=PSDDE-BAFIN-123456")
        .policy("0.4.0.19495.3.1")
        .extension("1.3.6.1.5.5.7.1.3", Criticality::NotCritical, &roles);
    assert_eq!(
        Asked::by(&ours.identify(nobody), "GET", "/accounts").decide(&policies),
        NOT_PERMITTED
    );
}

#[test]
fn pinned_key_passes_after_renewal_and_alone() {
    let authority = Authority::new("Root");
    let key = Key::random(KeyKind::P256).unwrap();
    let first = authority.identify(CertificateBuilder::client("CN=x").key(&key));
    let pin = first.public_key_fingerprint.to_string();
    let policies = load("pinned-keys.cedar", &[(FIRST_KEY, &pin)]);
    assert_eq!(
        Asked::by(&first, "GET", "/").decide(&policies),
        allowed_by("pinned-clients")
    );

    let renewed = authority.identify(CertificateBuilder::client("CN=x").key(&key));
    assert_ne!(renewed.certificate_fingerprint, first.certificate_fingerprint);
    assert_eq!(
        Asked::by(&renewed, "GET", "/").decide(&policies),
        allowed_by("pinned-clients")
    );
    let same_name = authority.identify(CertificateBuilder::client("CN=x"));
    assert_eq!(Asked::by(&same_name, "GET", "/").decide(&policies), NOT_PERMITTED);
    // The command that the file tells.
    assert_eq!(pin, Fingerprint::of(&key.public_key_info().unwrap()).to_string());
}

#[test]
fn workloads_of_the_trust_domain_pass() {
    let (ours, theirs) = (Authority::new("SPIFFE Root"), Authority::new("Other Root"));
    let policies = load("spiffe-trust-domain.cedar", &[(FIRST_ANCHOR, &ours.id())]);
    let workload = |id: &str| CertificateBuilder::client("O=SPIRE").uri(id);

    let payments = ours.identify(workload("spiffe://prod.example.org/payments/api"));
    assert_eq!(
        Asked::by(&payments, "POST", "/ledger").decide(&policies),
        allowed_by("payments-workloads-write")
    );
    let web = ours.identify(workload("spiffe://prod.example.org/web"));
    assert_eq!(
        Asked::by(&web, "GET", "/ledger/1").decide(&policies),
        allowed_by("workloads-read")
    );
    assert_eq!(
        Asked::by(&web, "POST", "/ledger").decide(&policies),
        NOT_PERMITTED
    );

    for id in [
        "spiffe://test.example.org/payments/api",
        "spiffe://prod.example.org.evil.example/payments/api",
        "spiffe://evil.example/prod.example.org/payments/api",
    ] {
        let other_domain = ours.identify(workload(id));
        assert_eq!(
            Asked::by(&other_domain, "GET", "/ledger").decide(&policies),
            NOT_PERMITTED,
            "{id}"
        );
    }
    let other_anchor = theirs.identify(workload("spiffe://prod.example.org/payments/api"));
    assert_eq!(
        Asked::by(&other_anchor, "GET", "/ledger").decide(&policies),
        NOT_PERMITTED
    );
    let two_ids =
        ours.identify(workload("spiffe://prod.example.org/web").uri("spiffe://prod.example.org/payments/a"));
    assert_eq!(
        Asked::by(&two_ids, "GET", "/ledger").decide(&policies),
        NOT_PERMITTED,
        "no X509-SVID"
    );
}

#[test]
fn tenants_stay_in_their_own_part() {
    let (red, blue) = (Authority::new("Red Root"), Authority::new("Blue Root"));
    let policies = load(
        "tenant-per-anchor.cedar",
        &[(FIRST_ANCHOR, &red.id()), (SECOND_ANCHOR, &blue.id())],
    );
    let of_red = red.identify(CertificateBuilder::client("CN=x,O=Red"));
    assert_eq!(
        Asked::by(&of_red, "PUT", "/tenants/red/x").decide(&policies),
        allowed_by("tenant-red")
    );
    assert_eq!(
        Asked::by(&of_red, "GET", "/tenants/blue/x").decide(&policies),
        NOT_PERMITTED
    );
    assert_eq!(
        Asked::by(&of_red, "GET", "/catalogue").decide(&policies),
        allowed_by("shared-catalogue")
    );
    assert_eq!(
        Asked::by(&of_red, "POST", "/catalogue").decide(&policies),
        NOT_PERMITTED
    );

    let posing_as_red = blue.identify(CertificateBuilder::client("CN=x,O=Red"));
    assert_eq!(
        Asked::by(&posing_as_red, "GET", "/tenants/red/x").decide(&policies),
        NOT_PERMITTED
    );
    assert_eq!(
        Asked::by(&posing_as_red, "GET", "/tenants/blue").decide(&policies),
        allowed_by("tenant-blue")
    );
}

/// QcStatements with the statement of ETSI TS 119 495 §5.1.
fn payment_statement(roles: &[&str]) -> Vec<u8> {
    let oid = |text: &str| ObjectIdentifier::new(text).unwrap().to_der().unwrap();
    let roles: Vec<u8> = roles
        .iter()
        .flat_map(|role| sequence(&[oid(role), utf8("role")]))
        .collect();
    let information = sequence(&[sequence(&[roles]), utf8("BaFin"), utf8("DE-BAFIN")]);
    sequence(&[sequence(&[oid("0.4.0.19495.2"), information])])
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(0x30, &parts.concat())
}

fn utf8(text: &str) -> Vec<u8> {
    tagged(0x0C, text.as_bytes())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 128);
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}
