//! Policies that are rejected when they are loaded, and where the error points.

use alb_mtls_policy::{Policies, PolicyErrors, PolicyProblem, SCHEMA};
use alb_mtls_verifier::IdentityExtensions;

fn refused(text: &str) -> PolicyErrors {
    match Policies::parse(text, "a.cedar") {
        Ok(_) => panic!("accepted: {text}"),
        Err(errors) => {
            let line = errors.to_string();
            assert!(!line.contains('\n'), "{line}");
            assert!(line.starts_with("a.cedar"), "{line}");
            errors
        }
    }
}

fn problem(text: &str) -> PolicyProblem {
    refused(text).iter().next().unwrap().problem.clone()
}

const PERMIT: &str = "permit (principal, action, resource);";

#[test]
fn the_schema_says_who_asks_for_what() {
    for part in [
        "entity Client",
        "entity Anonymous",
        "entity Endpoint",
        "action \"GET\"",
        "type Request",
    ] {
        assert!(SCHEMA.contains(part), "{part}");
    }
}

#[test]
fn a_syntax_error_points_at_its_place() {
    let error = refused("// ü\npermit (principal, action, resource)\nwhen { ü };");
    assert!(error.to_string().starts_with("a.cedar:3:8: "), "{error}");
    let error = refused("permit (principal, action, resource");
    assert!(error.to_string().starts_with("a.cedar:1:36: "), "{error}");
}

#[test]
fn unknown_to_the_schema_is_rejected_with_its_place() {
    let error = refused(
        "permit (principal is Client, action, resource)\n  when { principal.organisation == \"x\" };",
    );
    let line = error.to_string();
    assert!(
        line.starts_with("a.cedar:2:10: does not fit the schema: "),
        "{line}"
    );
    assert!(
        line.contains("`organisation`") && line.contains("did you mean `organization"),
        "{line}"
    );
    for text in [
        // Absent in some certificates.
        "permit (principal is Client, action, resource) when { principal.common_name == \"x\" };",
        // Anonymous clients have no attributes.
        "permit (principal, action, resource) when { principal.subject == \"x\" };",
        "permit (principal is Client, action, resource) when { principal.days_left == \"x\" };",
        "permit (principal is Client, action, resource) when { principal.dns_names.contains(1) };",
        "permit (principal is Client, action == Action::\"get\", resource);",
        "permit (principal is User, action, resource);",
        "permit (principal is Client, action, resource) when { context.weekday == Weekday::\"Mon\" };",
        "permit (principal is Client, action, resource)
            when { principal.payment_roles.contains(PaymentRole::\"PSP_XX\") };",
        "permit (principal is Client, action, resource) when { context.now > datetime(\"tomorrow\") };",
        "permit (principal is Client, action, resource) when { principal.ip_addresses.contains(ip(\"1.2.3\")) };",
    ] {
        let problem = problem(text);
        assert!(matches!(problem, PolicyProblem::Schema(_)), "{text}: {problem}");
    }
}

#[test]
fn extension_that_no_identity_has_is_refused_with_its_place() {
    let text = "permit (principal is Client, action, resource);
        forbid (principal is Client, action, resource)
            when { principal.hasTag(\"deviceid\") && principal.getTag(\"deviceid\") like \"x*\" };";
    let policies = Policies::parse(text, "a.cedar").unwrap();
    let check = |selected: &str| policies.check_extensions(&selected.parse().unwrap());
    assert_eq!(check("deviceid=1.2.3"), Ok(()));
    assert_eq!(
        check("device_id=1.2.3 1.2.4").unwrap_err().to_string(),
        "a.cedar:3:37: `deviceid` is not an extension of MTLS_EXTENSIONS, which has `device_id`, `1.2.4`"
    );
    let error = policies
        .check_extensions(&IdentityExtensions::default())
        .unwrap_err();
    assert!(
        error.to_string().ends_with("MTLS_EXTENSIONS, which is not set"),
        "{error}"
    );
}

#[test]
fn key_of_an_extension_is_spelt_and_guarded() {
    for text in [
        "permit (principal is Client, action, resource) when { principal.hasTag(context.method) };",
        "permit (principal is Client, action, resource) when { principal.hasTag(principal.subject) };",
    ] {
        assert_eq!(problem(text), PolicyProblem::ComputedExtension, "{text}");
    }
    for text in [
        // Absent in some certificates.
        "permit (principal is Client, action, resource) when { principal.getTag(\"a\") == \"x\" };",
        "permit (principal is Client, action, resource)
            when { principal.hasTag(\"a\") && principal.getTag(\"b\") == \"x\" };",
        "permit (principal is Client, action, resource)
            when { principal.hasTag(\"a\") && principal.getTag(\"a\") == 1 };",
    ] {
        let problem = problem(text);
        assert!(matches!(problem, PolicyProblem::Schema(_)), "{text}: {problem}");
    }
}

#[test]
fn every_error_is_told() {
    let errors = refused(
        "permit (principal is Client, action, resource) when { principal.a == 1 };
        permit (principal is Client, action, resource) when { principal.b == 1 };",
    );
    assert_eq!(errors.iter().count(), 2);
    assert!(errors.to_string().ends_with("(and 1 more)"), "{errors}");
    assert!(errors.iter().all(|error| error.place.is_some()));
}

#[test]
fn a_spelling_that_matches_nothing_is_refused() {
    for literal in [
        "Anchor::\"9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08\"",
        "Anchor::\"9f:86\"",
        "Anchor::\"\"",
        "Host::\"API.example.org\"",
        "Host::\"api.example.org:443\"",
        "Host::\"*.example.org\"",
        "Path::\"orders\"",
        "Path::\"/orders/\"",
        "Path::\"/orders/../x\"",
        "Path::\"/orders/*\"",
        "Path::\"/orders(7)\"",
        "Path::\"\"",
    ] {
        let keyword = if literal.starts_with("Anchor") {
            "principal"
        } else {
            "resource"
        };
        let text = format!("permit (principal, action, resource)\n  when {{ {keyword} in {literal} }};");
        let error = refused(&text);
        assert!(
            error.to_string().starts_with(&format!(
                "a.cedar:2:{}: `{literal}` matches nothing: ",
                keyword.len() + 14
            )),
            "{error}"
        );
    }
    for serial in ["0a1b", "0A1", "", "000A1B", "0A:1B"] {
        let text = format!(
            "forbid (principal is Client, action, resource) when {{ principal.serial_number == SerialNumber::\"{serial}\" }};"
        );
        assert!(
            matches!(problem(&text), PolicyProblem::Spelling { .. }),
            "{serial}"
        );
    }
    for text in [
        "forbid (principal == Anonymous::\"x\", action, resource);",
        "forbid (principal == Client::\"CN=x\", action, resource);",
        "forbid (principal, action, resource == Endpoint::\"/x\");",
        "forbid (principal is Client, action, resource) when { principal.public_key == PublicKey::\"sha256/x=\" };",
    ] {
        assert!(matches!(problem(text), PolicyProblem::Spelling { .. }), "{text}");
    }
}

#[test]
fn a_policy_that_never_applies_is_refused() {
    for text in [
        "forbid (principal is Client, action, resource) when { principal is Anonymous };",
        "forbid (principal, action == Action::\"read\", resource);",
        "forbid (principal, action, resource) when { false };",
    ] {
        assert!(matches!(problem(text), PolicyProblem::NeverApplies(_)), "{text}");
    }
}

#[test]
fn text_that_shows_something_else_is_refused() {
    let text =
        "permit (principal is Client, action, resource) when { principal.subject == \"CN=a\u{202e}b\" };";
    assert!(matches!(problem(text), PolicyProblem::Deceptive(_)));
    let two_scripts =
        "permit (principal is Client, action, resource) when { principal.subject == \"O=ООО Example\" };";
    let policies = Policies::parse(two_scripts, "a.cedar").unwrap();
    assert_eq!(policies.warnings().len(), 1);
    assert!(
        policies.warnings()[0].to_string().starts_with("a.cedar:1:"),
        "{}",
        policies.warnings()[0]
    );
}

#[test]
fn nothing_is_no_set_of_policies() {
    for text in ["", " \n", "// permit (principal, action, resource);"] {
        assert_eq!(problem(text), PolicyProblem::Empty, "{text:?}");
    }
    let none: [(&str, &str); 0] = [];
    assert!(Policies::parse_all(none).is_err());
    let error = Policies::parse_all([("a.cedar", PERMIT), ("b.cedar", "")]).unwrap_err();
    assert!(
        error.to_string().starts_with("b.cedar: there is no policy in it"),
        "{error}"
    );
}

#[test]
fn prohibitions_alone_are_a_lockdown_and_a_warning() {
    let policies = Policies::parse("forbid (principal, action, resource);", "a.cedar").unwrap();
    assert_eq!(policies.warnings().len(), 1);
    assert!(Policies::parse(PERMIT, "a.cedar").unwrap().warnings().is_empty());
}

#[test]
fn templates_are_refused() {
    let error = refused(&format!(
        "{PERMIT}\npermit (principal == ?principal, action, resource);"
    ));
    assert!(
        error.to_string().starts_with("a.cedar:2:1: this is a template"),
        "{error}"
    );
}

#[test]
fn an_id_names_one_policy_in_all_sources() {
    let one = "\n@id(\"one\") permit (principal, action, resource);";
    let error = refused(&format!("{one}{one}"));
    assert_eq!(
        error.to_string(),
        "a.cedar:3:1: the id `one` is that of the policy at a.cedar:2:1 already"
    );
    let error = Policies::parse_all([("a.cedar", one), ("b.cedar", one)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "b.cedar:2:1: the id `one` is that of the policy at a.cedar:2:1 already"
    );
    for id in ["", "a\\nb", &"x".repeat(129)] {
        assert_eq!(
            problem(&format!("@id(\"{id}\") {PERMIT}")),
            PolicyProblem::Id,
            "{id}"
        );
    }
}

#[test]
fn a_policy_without_an_id_goes_by_its_line() {
    let text = format!("// first\n{PERMIT} // ;\n\n@note(\"; x\")\n{PERMIT}");
    let policies = Policies::parse_all([("a.cedar", text.as_str()), ("b.cedar", PERMIT)]).unwrap();
    assert_eq!(
        policies.ids(),
        ["a.cedar:2".into(), "a.cedar:4".into(), "b.cedar:1".into()]
    );
    let error = refused(&format!("{PERMIT} {PERMIT}"));
    assert!(error.to_string().contains("give each policy"), "{error}");
}

#[test]
fn the_version_tells_sets_apart() {
    let version = |sources: &[(&str, &str)]| Policies::parse_all(sources.iter().copied()).unwrap().version();
    let forbid = "forbid (principal, action, resource);";
    let one = version(&[("a", PERMIT), ("b", forbid)]);
    assert_eq!(one, version(&[("a", PERMIT), ("b", forbid)]));
    for other in [
        version(&[("a", PERMIT)]),
        version(&[("a", forbid), ("b", PERMIT)]),
        version(&[("a", &format!("{PERMIT} ")), ("b", forbid)]),
        version(&[("x", PERMIT), ("b", forbid)]),
    ] {
        assert_ne!(one, other);
    }
}
