//! Tests of what policies see of a client and a request.

use std::collections::BTreeSet;
use std::net::IpAddr;

use alb_mtls_http::host::RequestHost;
use alb_mtls_policy::{
    Policies, PolicyDenial, PolicyInput, PolicyOutcome, PolicyReason, RequestFacts, SourceAddress,
};
use test_pki::{CertificateBuilder, GeneralName};

use crate::clients::{Asked, Authority, NOT_PERMITTED, allowed_by, anybody, forbidden_by, permit_when};

fn holds(client: &alb_mtls_verifier::ClientIdentity, condition: &str) -> bool {
    Asked::by(client, "GET", "/").decide(&permit_when(condition)) == allowed_by("it")
}

#[test]
fn every_attribute_of_a_client_is_present() {
    let authority = Authority::new("Root");
    let client = authority.identify(
        CertificateBuilder::client("CN=client-1,OU=Payments,OU=Berlin,O=Example,ST=Berlin,C=DE")
            .serial_bytes(&[0x0A, 0x1B, 0x2C])
            .dns("client.example.org")
            .email("ops@example.org")
            .uri("spiffe://example.org/payments/api")
            .ip("192.0.2.7".parse::<IpAddr>().unwrap())
            .ip("::ffff:192.0.2.7".parse::<IpAddr>().unwrap())
            .ip("2001:db8::7".parse::<IpAddr>().unwrap())
            .alternative_name(&GeneralName::Directory("CN=directory,O=Example"))
            .alternative_name(&GeneralName::RegisteredId("1.2.3.4"))
            .alternative_name(&GeneralName::Other("1.2.3.5", &[0x0C, 1, b'x']))
            .policy("1.2.3.6"),
    );
    for condition in [
        r#"principal.subject == "CN=client-1,OU=Payments,OU=Berlin,O=Example,ST=Berlin,C=DE""#,
        r#"principal.issuer == "CN=Example Issuing CA,O=Example""#,
        r#"principal.anchor_subject == "CN=Root,O=Example""#,
        r#"principal.subject_attributes.OU == ["Berlin", "Payments"]"#,
        r#"principal.subject_attributes.C.contains("DE") && principal.subject_attributes.ST.contains("Berlin")"#,
        r#"principal.subject_attributes.emailAddress.isEmpty() && principal.subject_attributes.title.isEmpty()"#,
        r#"principal has common_name && principal.common_name == "client-1""#,
        r#"principal has organization && principal.organization == "Example""#,
        r#"!(principal has organization_identifier)"#,
        r#"principal.organizational_units.containsAll(["Payments", "Berlin"])"#,
        r#"principal.serial_number == SerialNumber::"0A1B2C""#,
        r#"principal.dns_names == ["client.example.org"]"#,
        r#"principal.email_addresses == ["ops@example.org"]"#,
        r#"principal.uris == ["spiffe://example.org/payments/api"]"#,
        r#"principal.ip_addresses.containsAll([ip("192.0.2.7"), ip("2001:db8::7"), ip("::ffff:c000:207")])"#,
        r#"principal.directory_names == ["CN=directory,O=Example"]"#,
        r#"principal.registered_ids == ["1.2.3.4"]"#,
        r#"principal.other_names == ["otherName:1.2.3.5=#0c0178"]"#,
        r#"principal has spiffe && principal.spiffe.id == "spiffe://example.org/payments/api""#,
        r#"principal has spiffe && principal.spiffe.trust_domain == "example.org""#,
        r#"principal has spiffe && principal.spiffe.path == "/payments/api""#,
        r#"principal.certificate_policies == ["1.2.3.6"] && principal.payment_roles.isEmpty()"#,
        r#"principal.days_left == 39"#,
        r#"context.method == "GET" && context.raw_path == "/" && context.path_is_plain"#,
        r#"context has host && context.host == "api.example.org" && !(context has target_group)"#,
        r#"context has source_address && context.source_address == ip("192.0.2.10")"#,
        r#"context.weekday == Weekday::"Sunday" && context.now == datetime("2026-11-22T12:00:00Z")"#,
        &format!(r#"principal in Anchor::"{}""#, authority.id()),
        &format!(r#"principal == Client::"{}""#, client.certificate_fingerprint),
        &format!(
            r#"principal.public_key == PublicKey::"{}""#,
            client.public_key_fingerprint
        ),
    ] {
        assert!(holds(&client, condition), "{condition}");
        assert!(!holds(&client, &format!("!({condition})")), "not {condition}");
    }
}

#[test]
fn a_name_that_stands_twice_is_nobodys_name() {
    let client = Authority::new("Root").identify(CertificateBuilder::client("CN=a,CN=b,O=c,O=d"));
    assert!(holds(
        &client,
        "!(principal has common_name) && !(principal has organization)"
    ));
    assert!(holds(&client, r#"principal.subject_attributes.CN == ["a", "b"]"#));
}

#[test]
fn serial_number_lacks_the_octet_for_its_sign() {
    let authority = Authority::new("Root");
    for (encoded, spelling) in [(&[0x0A, 0x1B][..], "0A1B"), (&[0x00, 0x8F], "8F")] {
        let client = authority.identify(CertificateBuilder::client("CN=x").serial_bytes(encoded));
        let condition = format!("principal.serial_number == SerialNumber::\"{spelling}\"");
        assert!(holds(&client, &condition), "{encoded:?}");
    }
}

#[test]
fn the_kind_of_an_alternative_name_counts() {
    let client =
        Authority::new("Root").identify(CertificateBuilder::client("").uri("client.example").email("x"));
    assert!(!holds(
        &client,
        r#"principal.dns_names.contains("client.example")"#
    ));
    assert!(holds(
        &client,
        r#"principal.uris.contains("client.example") && principal.dns_names.isEmpty()"#
    ));
}

#[test]
fn an_expired_client_has_negative_days() {
    let client = anybody();
    let asked = Asked::by(&client, "GET", "/").at("2027-01-02T00:00:01Z");
    assert_eq!(
        asked.decide(&permit_when("principal.days_left == -2")),
        allowed_by("it")
    );
}

#[test]
fn methods_are_actions_and_everything_unknown_writes() {
    let client = anybody();
    let read = Policies::parse(
        "@id(\"it\") permit (principal, action in Action::\"read\", resource);",
        "t",
    )
    .unwrap();
    let write = Policies::parse(
        "@id(\"it\") permit (principal, action in Action::\"write\", resource);",
        "t",
    )
    .unwrap();
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(
            Asked::by(&client, method, "/").decide(&read),
            allowed_by("it"),
            "{method}"
        );
        assert_eq!(
            Asked::by(&client, method, "/").decide(&write),
            NOT_PERMITTED,
            "{method}"
        );
    }
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "OTHER", "TRACE", "PROPFIND", "get", "read", "write", "", "GET ",
    ] {
        assert_eq!(
            Asked::by(&client, method, "/").decide(&read),
            NOT_PERMITTED,
            "{method}"
        );
        assert_eq!(
            Asked::by(&client, method, "/").decide(&write),
            allowed_by("it"),
            "{method}"
        );
    }
}

#[test]
fn a_prohibition_wins_and_says_which() {
    let client = anybody();
    let text = "@id(\"b\") forbid (principal, action, resource in Path::\"/x\");
        @id(\"a\") forbid (principal, action, resource in Path::\"/x\");
        @id(\"p\") permit (principal, action, resource);";
    let policies = Policies::parse(text, "t").unwrap();
    let decision = Asked::by(&client, "GET", "/x/y").decide(&policies);
    let PolicyOutcome::Deny(denial) = &decision else {
        panic!("{decision:?}")
    };
    assert_eq!(denial.to_string(), "forbidden by `a`, `b`");
    assert_eq!(decision.policies(), ["a".into(), "b".into()]);
    assert_eq!(
        Asked::by(&client, "GET", "/xy").decide(&policies),
        allowed_by("p")
    );
}

#[test]
fn unclear_path_is_denied_only_where_policies_name_paths() {
    let client = anybody();
    let detours = [
        "/a/../x",
        "/a/%2e%2e/x",
        "/%78",
        "//x",
        "/a%2fx",
        "/x;y",
        "x",
        "",
        "*",
    ];
    let every_client = "@id(\"it\") permit (principal, action, resource)";
    for forbids in [
        format!("{every_client}; forbid (principal, action, resource in Path::\"/x\");"),
        format!(
            "{every_client}; forbid (principal, action, resource)
            when {{ resource in [Path::\"/y\", Path::\"/x\"] }};"
        ),
        format!("{every_client} unless {{ resource in Path::\"/x\" }};"),
        format!("{every_client} when {{ !(resource in Path::\"/x\") }};"),
        format!("{every_client} when {{ if resource in Path::\"/x\" then false else true }};"),
    ] {
        let policies = Policies::parse(&forbids, "t").unwrap();
        assert_eq!(
            Asked::by(&client, "GET", "/a").decide(&policies),
            allowed_by("it"),
            "{forbids}"
        );
        assert_ne!(
            Asked::by(&client, "GET", "/x/1").decide(&policies),
            allowed_by("it"),
            "{forbids}"
        );
        for detour in detours {
            let decision = Asked::by(&client, "GET", detour).decide(&policies);
            assert_eq!(
                decision,
                PolicyOutcome::Deny(PolicyDenial::PathNotPlain),
                "{detour}: {forbids}"
            );
        }
    }
    let indifferent = Policies::parse(&format!("{every_client};"), "t").unwrap();
    for detour in detours {
        assert_eq!(
            Asked::by(&client, "GET", detour).decide(&indifferent),
            allowed_by("it"),
            "{detour}"
        );
    }
    let careful = permit_when("context.path_is_plain && context.raw_path like \"/orders/*/items\"");
    assert_eq!(
        Asked::by(&client, "GET", "/orders/7/items").decide(&careful),
        allowed_by("it")
    );
    assert_eq!(
        Asked::by(&client, "GET", "/orders/../items").decide(&careful),
        NOT_PERMITTED
    );
}

#[test]
fn an_unclear_host_is_refused_where_policies_name_hosts() {
    let client = anybody();
    let text = "@id(\"p\") permit (principal, action, resource);
        @id(\"f\") forbid (principal, action, resource in Host::\"admin.example.org\");";
    let policies = Policies::parse(text, "t").unwrap();
    let asked = Asked::by(&client, "GET", "/");
    assert_eq!(asked.host("api.example.org").decide(&policies), allowed_by("p"));
    for spelling in ["admin.example.org", "ADMIN.example.org:443", "admin.example.org."] {
        assert_eq!(
            asked.host(spelling).decide(&policies),
            forbidden_by("f"),
            "{spelling}"
        );
    }
    let mut no_host = asked;
    no_host.request.host = &RequestHost::Absent;
    for unclear in [
        no_host,
        asked.host("admin.example.org,api.example.org"),
        asked.host("admin.example.org/x"),
    ] {
        let decision = unclear.decide(&policies);
        assert!(
            matches!(decision, PolicyOutcome::Deny(PolicyDenial::HostUnclear(_))),
            "{decision:?}"
        );
    }
    let indifferent = Policies::parse("@id(\"p\") permit (principal, action, resource);", "t").unwrap();
    assert_eq!(no_host.decide(&indifferent), allowed_by("p"));
}

#[test]
fn unclear_host_is_denied_where_policies_ask_it() {
    let client = anybody();
    let asked = Asked::by(&client, "GET", "/");
    let mut absent = asked;
    absent.request.host = &RequestHost::Absent;
    let unclear = [
        absent,
        asked.host("admin.example.org:abc"),
        asked.host("x@admin.example.org"),
        asked.host(""),
    ];
    for prohibition in [
        "forbid (principal, action, resource) when { context has host && context.host == \"admin.example.org\" };",
        "forbid (principal, action, resource) unless { context has host && context.host like \"api.*\" };",
        "forbid (principal, action, resource) when { (if true then context else context) has host };",
    ] {
        let text = format!("@id(\"p\") permit (principal, action, resource); {prohibition}");
        let policies = Policies::parse(&text, "t").unwrap();
        for unclear in unclear {
            let decision = unclear.decide(&policies);
            assert!(
                matches!(decision, PolicyOutcome::Deny(PolicyDenial::HostUnclear(_))),
                "{prohibition} {decision:?}"
            );
        }
        let decision = asked.host("admin.example.org.:443").decide(&policies);
        assert!(
            matches!(decision, PolicyOutcome::Deny(PolicyDenial::Forbidden { .. })),
            "{decision:?}"
        );
    }
}

#[test]
fn unreadable_source_address_is_denied_where_policies_ask() {
    let client = anybody();
    let text = "@id(\"p\") permit (principal, action, resource);
        @id(\"f\") forbid (principal, action, resource)
        when { context has source_address && !context.source_address.isInRange(ip(\"192.0.2.0/24\")) };";
    let policies = Policies::parse(text, "t").unwrap();
    let mut asked = Asked::by(&client, "GET", "/");
    for (value, decision) in [
        (Some(&b"\xff, 192.0.2.7"[..]), allowed_by("p")),
        (Some(b"\xff, 198.51.100.7"), forbidden_by("f")),
        (
            Some(b"unknown"),
            PolicyOutcome::Deny(PolicyDenial::SourceAddressUnclear),
        ),
        (None, allowed_by("p")),
    ] {
        asked.request.source_address = SourceAddress::from_forwarded_for(value);
        assert_eq!(asked.decide(&policies), decision, "{value:?}");
    }
    asked.request.source_address = SourceAddress::Unreadable;
    let indifferent = Policies::parse("@id(\"p\") permit (principal, action, resource);", "t").unwrap();
    assert_eq!(asked.decide(&indifferent), allowed_by("p"));
}

#[test]
fn a_look_alike_of_a_named_path_is_refused() {
    let client = anybody();
    let every_client = "@id(\"p\") permit (principal, action, resource)";
    for text in [
        format!("{every_client}; @id(\"f\") forbid (principal, action, resource in Path::\"/admin\");"),
        format!("{every_client} unless {{ resource in Path::\"/admin\" }};"),
    ] {
        let policies = Policies::parse(&text, "t").unwrap();
        for path in [
            "/ADMIN",
            "/Admin/x",
            "/admin::$DATA",
            "/admin:$i30:$INDEX_ALLOCATION/x",
            "/%EF%BD%81dmin",
            "/admin%E2%80%8B",
        ] {
            let named = "/admin".to_owned();
            assert_eq!(
                Asked::by(&client, "GET", path).decide(&policies),
                PolicyOutcome::Deny(PolicyDenial::PathSpelling { named }),
                "{path}: {text}"
            );
        }
        for path in ["/(S(x))/admin", "/ADMINI~1"] {
            assert_eq!(
                Asked::by(&client, "GET", path).decide(&policies),
                PolicyOutcome::Deny(PolicyDenial::PathNotPlain),
                "{path}: {text}"
            );
        }
        for path in [
            "/",
            "/administration",
            "/K%C3%A4se/Stra%C3%9Fe",
            "/v1/things:cancel",
        ] {
            assert_eq!(
                Asked::by(&client, "GET", path).decide(&policies),
                allowed_by("p"),
                "{path}: {text}"
            );
        }
    }
    let one = "@id(\"p\") permit (principal, action, resource in Path::\"/k%C3%A4se\");";
    let policies = Policies::parse(one, "t").unwrap();
    for (path, is_allowed) in [("/k%c3%a4se/1", true), ("/K%C3%A4se", false), ("/kase", false)] {
        let decision = Asked::by(&client, "GET", path).decide(&policies);
        assert_eq!(decision == allowed_by("p"), is_allowed, "{path} {decision:?}");
    }
}

#[test]
fn named_spellings_are_decided_by_name_with_warning() {
    let client = anybody();
    let text = "@id(\"p\") permit (principal, action, resource);
        @id(\"f\") forbid (principal, action, resource in Path::\"/admin\");
        @id(\"g\") forbid (principal, action, resource in Path::\"/Admin\");";
    let policies = Policies::parse(text, "t").unwrap();
    for (path, id) in [("/admin", "f"), ("/Admin/x", "g")] {
        assert_eq!(
            Asked::by(&client, "GET", path).decide(&policies),
            forbidden_by(id)
        );
    }
    let decision = Asked::by(&client, "GET", "/aDMIN").decide(&policies);
    assert!(
        matches!(decision, PolicyOutcome::Deny(PolicyDenial::PathSpelling { .. })),
        "{decision:?}"
    );
    let warnings: Vec<String> = policies.warnings().iter().map(ToString::to_string).collect();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("`/Admin` for a path in `/admin`")),
        "{warnings:?}"
    );
}

#[test]
fn a_raw_path_alone_needs_a_plain_one() {
    let client = anybody();
    let text = "@id(\"p\") permit (principal, action, resource);
        @id(\"f\") forbid (principal, action, resource) when { context.raw_path like \"/admin*\" };";
    let policies = Policies::parse(text, "t").unwrap();
    for (path, decision) in [
        ("/admin/x", forbidden_by("f")),
        ("/x", allowed_by("p")),
        ("/%61dmin", PolicyOutcome::Deny(PolicyDenial::PathNotPlain)),
        ("//admin", PolicyOutcome::Deny(PolicyDenial::PathNotPlain)),
    ] {
        assert_eq!(
            Asked::by(&client, "GET", path).decide(&policies),
            decision,
            "{path}"
        );
    }
}

#[test]
fn policy_with_evaluation_error_denies_what_another_permits() {
    let client = anybody();
    let text = "@id(\"p\") permit (principal, action, resource);
        @id(\"overflow\") forbid (principal is Client, action, resource)
        when { principal.days_left * 9223372036854775807 == 0 };";
    let policies = Policies::parse(text, "t").unwrap();
    let decision = Asked::by(&client, "GET", "/").decide(&policies);
    let PolicyOutcome::Deny(denial @ PolicyDenial::Failed { failures }) = &decision else {
        panic!("{decision:?}")
    };
    assert_eq!(failures[0].policy.as_ref(), "overflow");
    assert_eq!(denial.detail(), "policy_failed");
    assert!(denial.to_string().contains("overflow"), "{denial}");
    assert_eq!(decision.policies(), ["overflow".into()]);
    assert_eq!(Asked::anonymously("GET", "/").decide(&policies), allowed_by("p"));
}

#[test]
fn a_time_that_cannot_be_told_denies() {
    let client = anybody();
    let facts = PolicyInput {
        client: Some(&client),
        request: RequestFacts {
            method: "GET",
            path: "/",
            ..RequestFacts::default()
        },
        now: alb_mtls_verifier::Timestamp::from_unix_seconds(i64::MAX / 2),
    };
    let decision = permit_when("true").decide(&facts);
    assert!(
        matches!(
            decision,
            PolicyOutcome::Deny(PolicyDenial::Unrepresentable { .. })
        ),
        "{decision:?}"
    );
}

#[test]
fn one_set_serves_every_thread() {
    let policies = permit_when("context.path_is_plain");
    let decide = || Asked::by(&anybody(), "GET", "/").decide(&policies);
    std::thread::scope(|scope| {
        let threads = [scope.spawn(decide), scope.spawn(decide)];
        for thread in threads {
            assert_eq!(thread.join().unwrap(), allowed_by("it"));
        }
    });
}

#[test]
fn every_denial_has_its_own_detail() {
    let denials = [
        PolicyDenial::Forbidden { policies: Vec::new() },
        PolicyDenial::NotPermitted,
        PolicyDenial::Failed { failures: Vec::new() },
        PolicyDenial::PathNotPlain,
        PolicyDenial::PathSpelling { named: String::new() },
        PolicyDenial::HostUnclear(RequestHost::Absent),
        PolicyDenial::SourceAddressUnclear,
        PolicyDenial::IdentityTooLarge,
        PolicyDenial::Unrepresentable {
            explanation: String::new(),
        },
    ];
    let reasons = BTreeSet::from(denials.map(|denial| denial.reason()));
    assert_eq!(reasons, BTreeSet::from_iter(PolicyReason::ALL.iter().copied()));
}
