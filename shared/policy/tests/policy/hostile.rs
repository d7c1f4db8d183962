//! Texts and certificates that an attacker made.

use std::time::Duration;

use alb_mtls_policy::{Policies, PolicyDenial, PolicyOutcome, PolicyProblem};
use test_pki::{CertificateBuilder, Credential};

use crate::clients::{Asked, Authority, NOT_PERMITTED, allowed_by, anybody, permit_when};

/// The stack of a tokio worker.
const STACK: usize = 2 * 1024 * 1024;

/// A stack overflow would end the whole test, which is the point.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap();
    thread.join().unwrap()
}

fn problem_of(text: String) -> Option<PolicyProblem> {
    on_a_small_stack(move || {
        let errors = Policies::parse(&text, "a.cedar").err()?;
        errors.iter().next().map(|error| error.problem.clone())
    })
}

fn when(condition: &str) -> String {
    format!("permit (principal is Client, action, resource) when {{ {condition} }};")
}

#[test]
fn deep_nesting_is_rejected_before_it_is_read() {
    for (open, inner, close) in [
        ("(", "true", ")"),
        ("true && (false || ", "true", ")"),
        ("{a: ", "1", "}.a"),
        ("[", "1", "]"),
        ("!(", "true", ")"),
        ("if true then true else ", "true", ""),
        ("if (true) then (true) else (", "true", ")"),
        ("[true].contains(", "true", ")"),
    ] {
        // As deep as is read: whatever comes of it, the process lives.
        let deepest = 31 / (open.matches(['(', '[', '{']).count() + open.matches("if ").count());
        let condition = format!("{}{inner}{}", open.repeat(deepest), close.repeat(deepest));
        let problem = problem_of(when(&condition));
        let is_read = !matches!(
            problem,
            Some(PolicyProblem::TooDeep { .. } | PolicyProblem::TooLong { .. })
        );
        assert!(is_read, "{open} {deepest}: {problem:?}");
        for levels in [35, 1_000, 35_000] {
            let condition = format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
            let problem = problem_of(when(&condition));
            assert!(
                matches!(problem, Some(PolicyProblem::TooDeep { .. })),
                "{open} {levels}: {problem:?}"
            );
        }
    }
    assert_eq!(
        problem_of(when(&format!("{}true{}", "(".repeat(31), ")".repeat(31)))),
        None
    );
}

#[test]
fn a_policy_longer_than_can_be_read_is_refused() {
    for (unit, last) in [
        ("principal.subject == \"x\" || ", "true"),
        ("1 + ", "1 == 1"),
        ("true && ", "true"),
    ] {
        let problem = problem_of(when(&format!("{}{last}", unit.repeat(50_000 / unit.len() * 20))));
        assert!(
            matches!(problem, Some(PolicyProblem::TooLong { .. })),
            "{unit}: {problem:?}"
        );
    }
    let conditions = "when { true } ".repeat(20_000);
    let problem = problem_of(format!("permit (principal, action, resource) {conditions};"));
    assert!(
        matches!(problem, Some(PolicyProblem::TooLong { .. })),
        "{problem:?}"
    );
    let problem = problem_of(when(&format!("principal{} == 1", ".a".repeat(100_000))));
    assert!(
        matches!(problem, Some(PolicyProblem::TooLong { .. })),
        "{problem:?}"
    );
    let problem = problem_of("// x\n".repeat(300_000));
    assert!(
        matches!(problem, Some(PolicyProblem::TooLarge { .. })),
        "{problem:?}"
    );
}

#[test]
fn longest_policy_decides_on_a_small_stack() {
    let condition = format!(
        "{}principal.subject == \"y\"",
        "principal.subject == \"x\" || ".repeat(48)
    );
    let decision = on_a_small_stack(move || {
        let client = anybody();
        Asked::by(&client, "GET", "/").decide(&permit_when(&condition))
    });
    assert_eq!(decision, NOT_PERMITTED);
}

#[test]
fn a_long_list_is_one_set() {
    let serials: Vec<String> = (0..5_000)
        .map(|number| format!("SerialNumber::\"0A{number:06}\""))
        .collect();
    let list = when(&format!(
        "[{}].contains(principal.serial_number)",
        serials.join(",")
    ));
    assert_eq!(problem_of(list), None);
}

#[test]
fn text_that_is_not_a_policy_is_an_error() {
    for text in [
        "\u{feff}permit (principal, action, resource);",
        "permit (principal, action, resource)",
        ";",
        "\0",
        "\"",
        "\"\\",
        "@",
        "@id",
        "@id(\"x\")",
        "/",
        "//",
        "/* */ permit (principal, action, resource);",
        "permit (principal, action, resource) when { \"\\u{110000}\" == \"x\" };",
        "permit (principal, action, resource) when { 99999999999999999999 == 1 };",
        "permit (principal, action, resource) when { ip(\"x\").isIpv4() };",
        "{\"staticPolicies\": {}}",
        "permit\u{a0}(principal, action, resource); \u{2028}\u{202e}",
        "%PDF-1.7",
        "-----BEGIN CERTIFICATE-----",
    ] {
        let errors = Policies::parse(text, "a.cedar").expect_err(text);
        let line = errors.to_string();
        assert!(
            !line.chars().any(char::is_control) && !line.contains('\u{202e}'),
            "{line:?}"
        );
        assert!(line.len() < 1_000, "{line}");
    }
}

#[test]
fn names_in_cedar_syntax_are_just_names() {
    let authority = Authority::new("Root");
    let name = "\" || true || \"";
    let client = authority.identify(CertificateBuilder::client(
        "CN=\\\" || true || \\\"\\, OU\\=Admins,O=x\\\\",
    ));
    let asked = Asked::by(&client, "GET", "/");
    assert_eq!(client.common_name().unwrap(), format!("{name}, OU=Admins"));
    assert_eq!(
        asked.decide(&permit_when("principal.subject == \"admin\"")),
        NOT_PERMITTED
    );
    assert_eq!(
        asked.decide(&permit_when(
            "principal.organizational_units.contains(\"Admins\")"
        )),
        NOT_PERMITTED
    );
    let condition = r#"principal has common_name && principal.common_name == "\" || true || \", OU=Admins""#;
    assert_eq!(asked.decide(&permit_when(condition)), allowed_by("it"));

    let client = authority.identify(
        CertificateBuilder::client("CN=Client::\\\"x\\\"")
            .dns("Anchor::\"*\"")
            .uri("permit(*);"),
    );
    let asked = Asked::by(
        &client,
        "permit (principal, action, resource);",
        "/\"};permit(principal,action,resource);//",
    );
    assert_eq!(
        asked.decide(&permit_when("principal.dns_names.contains(\"x\")")),
        NOT_PERMITTED
    );
    assert_eq!(
        asked.decide(&permit_when(
            "principal.dns_names.contains(\"Anchor::\\\"*\\\"\")"
        )),
        allowed_by("it")
    );
}

#[test]
fn a_star_in_a_name_is_no_wildcard() {
    let client = Authority::new("Root").identify(CertificateBuilder::client("CN=*,O=*").dns("*"));
    let asked = Asked::by(&client, "*", "/*").host("*");
    for condition in [
        "principal has common_name && principal.common_name == \"admin\"",
        "principal has common_name && principal.common_name like \"admin*\"",
        "principal.dns_names.contains(\"api.example.org\")",
    ] {
        assert_eq!(
            asked.decide(&permit_when(condition)),
            NOT_PERMITTED,
            "{condition}"
        );
    }
    assert_eq!(
        asked.decide(&permit_when("resource in Path::\"/admin\"")),
        PolicyOutcome::Deny(PolicyDenial::PathNotPlain)
    );
}

#[test]
fn names_beyond_ascii_compare_by_their_characters() {
    let client = Authority::new("Root").identify(CertificateBuilder::client("CN=Zoë 😀,O=Müller GmbH"));
    let asked = Asked::by(&client, "GET", "/");
    let condition = "principal has organization && principal.organization == \"Müller GmbH\"";
    assert_eq!(asked.decide(&permit_when(condition)), allowed_by("it"));
    // Decomposed: other characters that look the same.
    let condition = "principal has organization && principal.organization == \"Mu\u{308}ller GmbH\"";
    assert_eq!(asked.decide(&permit_when(condition)), NOT_PERMITTED);
}

#[test]
fn an_empty_subject_has_no_attributes() {
    let client = Authority::new("Root").identify(CertificateBuilder::client("").dns("x.example"));
    let asked = Asked::by(&client, "GET", "/");
    let condition = "principal.subject == \"\" && !(principal has common_name) && principal.organizational_units.isEmpty()";
    assert_eq!(asked.decide(&permit_when(condition)), allowed_by("it"));
    assert_eq!(
        asked.decide(&permit_when("principal.subject_attributes.CN.contains(\"\")")),
        NOT_PERMITTED
    );
}

#[test]
fn subject_of_64_kilobytes_is_decided_in_bounded_time() {
    let authority = Authority::new("Root");
    let one_value = format!("CN={}", "\\\"".repeat(64 * 1024));
    let client = on_a_small_stack(move || authority.identify(CertificateBuilder::client(&one_value)));
    let started = std::time::Instant::now();
    let decision = Asked::by(&client, "GET", "/").decide(&permit_when("principal.subject like \"*x\""));
    assert_eq!(decision, NOT_PERMITTED);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn certificate_of_thousands_of_names_is_denied_unsearched() {
    let authority = Authority::new("Root");
    let units: Vec<String> = (0..4_000).map(|number| format!("OU={number}")).collect();
    let client = authority.identify(CertificateBuilder::client(&units.join(",")));
    let too_large = PolicyOutcome::Deny(PolicyDenial::IdentityTooLarge);
    assert_eq!(
        Asked::by(&client, "GET", "/").decide(&permit_when("true")),
        too_large
    );

    let mut builder = CertificateBuilder::client("CN=x");
    for number in 0..2_000 {
        builder = builder.dns(&number.to_string());
    }
    let client = authority.identify(builder);
    assert_eq!(
        Asked::by(&client, "GET", "/").decide(&permit_when("true")),
        too_large
    );
}

#[test]
fn a_path_of_a_megabyte_is_decided_about() {
    let client = anybody();
    let policies = permit_when("resource in Path::\"/a\"");
    let deep = "/a".repeat(500_000);
    assert_eq!(
        Asked::by(&client, "GET", &deep).decide(&policies),
        allowed_by("it")
    );
    let dots = format!("{deep}/..");
    let denied = PolicyOutcome::Deny(PolicyDenial::PathNotPlain);
    assert_eq!(Asked::by(&client, "GET", &dots).decide(&policies), denied);
}

#[test]
fn texts_of_strange_types_are_no_values() {
    // GeneralString, which has no defined character set: it is neither a unit nor the only one.
    let authority = Authority::new("Root");
    let general = |value: &[u8]| {
        tagged(
            0x31,
            &tagged(0x30, &[&[6, 3, 0x55, 4, 11][..], &tagged(0x1B, value)].concat()),
        )
    };
    let plain = authority.issue(CertificateBuilder::client("OU=x"));
    let edited = plain
        .certificate()
        .edited(authority.issuing.key(), |tbs| {
            tbs.subject = test_pki::raw::any(&tagged(0x30, &general(b"Admins")))?;
            Ok(())
        })
        .unwrap();
    let client = authority.verify(&Credential::new(edited, plain.key().clone()));
    let asked = Asked::by(&client, "GET", "/");
    assert_eq!(
        asked.decide(&permit_when("principal.organizational_units.isEmpty()")),
        allowed_by("it")
    );
    assert_eq!(
        asked.decide(&permit_when(
            "principal.organizational_units.contains(\"Admins\")"
        )),
        NOT_PERMITTED
    );
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}
