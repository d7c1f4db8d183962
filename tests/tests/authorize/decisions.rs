//! Every kind of event with every kind of client.

use alb_mtls_tests::{Clients, header_of};
use serde_json::json;
use test_pki::{CertificateBuilder, Credential, Criticality, CrlBuilder};

use crate::events::{Api, STAGE, anonymous, with_certificate, with_header, with_pem};
use crate::support::{Authorizer, Outcome};

const HEADER: &str = "x-amzn-mtls-clientcert";

/// Returns a client of an unknown CA.
fn stranger() -> Credential {
    let root = CertificateBuilder::root("CN=Foreign Root").self_signed().unwrap();
    CertificateBuilder::client("CN=client-1,OU=Payments,O=Tests")
        .issued_by(&root)
        .unwrap()
}

/// 401 for a REST API, 403 for an HTTP API, which has no way to say 401.
fn assert_refused(api: Api, outcome: &Outcome, what: &str) {
    match api {
        Api::Rest => assert_eq!(*outcome, Outcome::Unauthorized, "{what}"),
        Api::Http1 | Api::Http2 => {
            assert!(
                matches!(outcome, Outcome::Deny(_)),
                "{api:?}, {what}: {outcome:?}"
            );
            assert!(outcome.is_about_the_stage());
        }
    }
}

#[tokio::test]
async fn a_verified_client_is_allowed_in_the_whole_stage() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[]).await;
    for api in Api::ALL {
        let outcome = authorizer.ask(&with_certificate(api, &clients.good)).await;
        let Outcome::Allow(answer) = outcome else {
            panic!("{api:?}: {outcome:?}");
        };
        let record = authorizer.record().await;
        let context = &answer["context"];
        assert_eq!(
            answer,
            json!({
                "principalId": context["public_key_sha256"],
                "policyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": STAGE}],
                },
                "context": {
                    "verified": "true",
                    "subject": "CN=client-1,OU=Payments,O=Tests",
                    "common_name": "client-1",
                    "issuer": "CN=Test Issuing CA,O=Tests",
                    "anchor": "CN=Test Root,O=Tests",
                    "spiffe_id": "spiffe://tests.example/client-1",
                    "alternative_names": "[\"DNS:client-1.tests.example\",\"URI:spiffe://tests.example/client-1\"]",
                    "anchor_id": record["client"]["anchor_id"],
                    "certificate_sha256": record["client"]["certificate_sha256"],
                    "serial_number": record["client"]["serial_number"],
                    "not_after": record["client"]["not_after"],
                    "not_before": context["not_before"],
                    "public_key_sha256": context["public_key_sha256"],
                    "x5t_s256": context["x5t_s256"],
                },
            }),
        );
        assert_eq!(answer["principalId"].as_str().unwrap().len(), 64);
        assert_eq!(record["decision"], "allowed");
        assert_eq!(record["path"], "/orders");
        assert_eq!(record["method"], "GET");
        assert!(record["function_request_id"].is_string());
    }
}

#[tokio::test]
async fn each_selected_extension_is_a_field_of_the_context() {
    let clients = Clients::new();
    let extensions = "device_id=1.3.6.1.4.1.99999.1 1.3.6.1.4.1.99999.2 absent=1.3.6.1.4.1.99999.3";
    let authorizer = Authorizer::start(&clients, &[("MTLS_EXTENSIONS", extensions)]).await;
    let client = CertificateBuilder::client("CN=device")
        .extension("1.3.6.1.4.1.99999.1", Criticality::NotCritical, b"\x0c\x03a\"b")
        .extension("1.3.6.1.4.1.99999.2", Criticality::NotCritical, &[0x02, 1, 7]);
    let client = clients.issue(client);
    for api in Api::ALL {
        let outcome = authorizer.ask(&with_certificate(api, &client)).await;
        let Outcome::Allow(answer) = outcome else {
            panic!("{api:?}: {outcome:?}");
        };
        let context = answer["context"].as_object().unwrap();
        assert_eq!(context["extension_device_id"], "a\"b");
        assert_eq!(context["extension_1_3_6_1_4_1_99999_2"], "#020107");
        assert_eq!(
            context.keys().filter(|key| key.starts_with("extension")).count(),
            2
        );
        authorizer.record().await;
    }
}

#[tokio::test]
async fn the_principal_stays_when_the_certificate_is_renewed_with_the_same_key() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[]).await;
    let renewed =
        clients.issue(CertificateBuilder::client("CN=client-1,OU=Payments,O=Tests").key(clients.good.key()));
    let other = clients.issue(CertificateBuilder::client("CN=client-1,OU=Payments,O=Tests"));
    let mut principals = Vec::new();
    for client in [&clients.good, &renewed, &other] {
        let outcome = authorizer.ask(&with_certificate(Api::Rest, client)).await;
        principals.push(outcome.answer().unwrap()["principalId"].clone());
    }
    assert_eq!(principals[0], principals[1]);
    assert_ne!(principals[0], principals[2], "another key under the same name");
}

#[tokio::test]
async fn every_bad_client_is_refused_in_every_kind_of_event() {
    let clients = Clients::new();
    let impostor = Clients::new();
    let stranger = stranger();
    let authorizer = Authorizer::start(&clients, &[]).await;
    let header = clients.header(&clients.good);
    let good_pem = clients.good.pem();
    for api in Api::ALL {
        let good = with_certificate(api, &clients.good);
        let control = authorizer.ask(&good).await;
        assert!(matches!(control, Outcome::Allow(_)), "{api:?}: {control:?}");
        authorizer.record().await;
        for (what, event, detail) in [
            ("none", anonymous(api), "certificate_missing"),
            ("wrong CA", with_certificate(api, &stranger), "issuer_unknown"),
            (
                "a CA of the same name",
                with_certificate(api, &impostor.good),
                "signature_invalid",
            ),
            ("expired", with_certificate(api, &clients.expired()), "expired"),
            (
                "early",
                with_certificate(api, &clients.not_yet_valid()),
                "not_yet_valid",
            ),
            (
                "server",
                with_certificate(api, &clients.server_only()),
                "extended_key_usage",
            ),
            (
                "self-signed",
                with_certificate(api, &Clients::self_signed()),
                "self_signed",
            ),
            ("empty", with_pem(api, ""), "certificate_malformed"),
            ("no PEM", with_pem(api, "CERT_CONTENT"), "certificate_malformed"),
            (
                "truncated",
                with_pem(api, good_pem.split_at(good_pem.len() / 2).0),
                "certificate_malformed",
            ),
            (
                "a key",
                with_pem(api, &clients.good.key().to_pem().unwrap()),
                "certificate_malformed",
            ),
            ("URL-encoded", with_pem(api, &header), "certificate_malformed"),
            (
                "too many",
                with_pem(api, &good_pem.repeat(9)),
                "header_too_many_certificates",
            ),
            (
                "too large",
                with_pem(api, &good_pem.repeat(30)),
                "header_too_large",
            ),
            (
                "both sources",
                with_header(good.clone(), HEADER, &header),
                "certificate_source",
            ),
            (
                "the wrong source",
                with_header(anonymous(api), HEADER, &header),
                "certificate_source",
            ),
            (
                "a look-alike",
                with_header(good.clone(), "X_Amzn_Mtls_Clientcert", "x"),
                "certificate_source",
            ),
        ] {
            let outcome = authorizer.ask(&event).await;
            assert_refused(api, &outcome, what);
            let record = authorizer.record().await;
            assert_eq!(record["detail"], detail, "{api:?}, {what}: {record}");
            assert_eq!(record["decision"], "denied");
            if let Some(answer) = outcome.answer() {
                assert_eq!(answer["principalId"], "denied");
                let context = json!({"verified": "false", "code": record["code"], "detail": detail});
                assert_eq!(answer["context"], context);
            }
        }
    }
}

#[tokio::test]
async fn the_header_is_the_source_only_where_it_is_set_to_be() {
    let clients = Clients::new();
    let impostor = Clients::new();
    let stranger = header_of([&stranger()]);
    let authorizer = Authorizer::start(&clients, &[("AUTHORIZE_CERTIFICATE", "header")]).await;
    let header = clients.header(&clients.good);
    for api in Api::ALL {
        let good = with_header(anonymous(api), HEADER, &header);
        let outcome = authorizer.ask(&good).await;
        assert!(matches!(outcome, Outcome::Allow(_)), "{api:?}: {outcome:?}");
        assert_eq!(outcome.context()["common_name"], "client-1");
        authorizer.record().await;

        let forged = impostor.header(&impostor.good);
        let joined = format!("{header},{header}");
        for (what, event, detail) in [
            ("none", anonymous(api), "certificate_missing"),
            (
                "wrong CA",
                with_header(anonymous(api), HEADER, &stranger),
                "issuer_unknown",
            ),
            (
                "a CA of the same name",
                with_header(anonymous(api), HEADER, &forged),
                "signature_invalid",
            ),
            (
                "expired",
                with_header(
                    anonymous(api),
                    HEADER,
                    &header_of([&clients.expired(), &clients.issuing]),
                ),
                "expired",
            ),
            (
                "malformed",
                with_header(anonymous(api), HEADER, header.split_at(900).0),
                "header_not_pem",
            ),
            (
                "joined",
                with_header(anonymous(api), HEADER, &joined),
                "header_joined",
            ),
            (
                "both sources",
                with_header(with_certificate(api, &clients.good), HEADER, &header),
                "certificate_source",
            ),
            (
                "the wrong source",
                with_certificate(api, &clients.good),
                "certificate_source",
            ),
            (
                "a look-alike",
                with_header(good.clone(), "X_Amzn_Mtls_Clientcert", &header),
                "certificate_source",
            ),
        ] {
            let outcome = authorizer.ask(&event).await;
            assert_refused(api, &outcome, what);
            assert_eq!(authorizer.detail().await, detail, "{api:?}, {what}");
        }
    }
}

#[tokio::test]
async fn a_revoked_client_is_refused_which_api_gateway_itself_does_not_see() {
    let clients = Clients::new();
    let revoked = clients.issue(CertificateBuilder::client("CN=lost laptop,O=Tests"));
    let crl = |issuer, builder: CrlBuilder| builder.issued_by(issuer).unwrap().pem();
    let crls =
        crl(&clients.issuing, CrlBuilder::new().revoke(&revoked)) + &crl(&clients.root, CrlBuilder::new());
    let source = format!("file:{}", clients.write("crls.pem", &crls).display());
    let authorizer = Authorizer::start(&clients, &[("MTLS_CRLS", &source)]).await;
    for api in Api::ALL {
        let good = authorizer.ask(&with_certificate(api, &clients.good)).await;
        assert!(matches!(good, Outcome::Allow(_)), "{api:?}: {good:?}");
        authorizer.record().await;
        let outcome = authorizer.ask(&with_certificate(api, &revoked)).await;
        assert_refused(api, &outcome, "revoked");
        assert_eq!(authorizer.record().await["code"], "ClientCertCrlHit");
    }
}

#[tokio::test]
async fn a_repeated_header_is_refused_where_the_event_shows_it() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[("AUTHORIZE_CERTIFICATE", "header")]).await;
    let header = clients.header(&clients.good);
    let mut event = with_header(anonymous(Api::Rest), HEADER, &header);
    event["multiValueHeaders"][HEADER] = json!([header, header]);
    assert_eq!(authorizer.ask(&event).await, Outcome::Unauthorized);
    assert_eq!(authorizer.detail().await, "header_repeated");
}

#[tokio::test]
async fn an_http_api_with_simple_responses_gets_them() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[("AUTHORIZE_RESPONSE", "simple")]).await;
    let outcome = authorizer.ask(&with_certificate(Api::Http2, &clients.good)).await;
    assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
    assert_eq!(outcome.answer().unwrap()["isAuthorized"], true);
    assert_eq!(outcome.context()["subject"], "CN=client-1,OU=Payments,O=Tests");

    let outcome = authorizer.ask(&anonymous(Api::Http2)).await;
    assert_eq!(
        outcome,
        Outcome::Deny(json!({
            "isAuthorized": false,
            "context": {"verified": "false", "code": "ClientCertMissing", "detail": "certificate_missing"},
        }))
    );
    // The setting is for the one kind of event that can have either answer.
    let outcome = authorizer.ask(&with_certificate(Api::Http1, &clients.good)).await;
    assert!(outcome.is_about_the_stage());
}

#[tokio::test]
async fn a_policy_can_be_about_the_request_alone() {
    let clients = Clients::new();
    let authorizer = Authorizer::start(&clients, &[("AUTHORIZE_RESOURCE", "request")]).await;
    for api in Api::ALL {
        let mut event = with_certificate(api, &clients.good);
        let outcome = authorizer.ask(&event).await;
        let statement = &outcome.answer().unwrap()["policyDocument"]["Statement"][0];
        assert_eq!(statement["Resource"], event[api.arn_field()]);
        authorizer.record().await;

        // The client's `*` would be one of the policy's.
        let arn = event[api.arn_field()].as_str().unwrap().to_owned();
        event[api.arn_field()] = json!(format!("{arn}/*"));
        let outcome = authorizer.ask(&event).await;
        assert!(matches!(outcome, Outcome::Deny(_)), "{outcome:?}");
        assert_eq!(authorizer.detail().await, "not_servable");
    }
}

#[tokio::test]
async fn the_modes_are_those_of_the_gate() {
    let clients = Clients::new();
    let optional = Authorizer::start(&clients, &[("MTLS_MODE", "optional")]).await;
    let report = Authorizer::start(&clients, &[("MTLS_MODE", "report")]).await;
    let header = clients.header(&clients.good);
    for api in Api::ALL {
        let expired = with_certificate(api, &clients.expired());
        let conflict = with_header(anonymous(api), HEADER, &header);

        let outcome = optional.ask(&anonymous(api)).await;
        assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
        assert_eq!(outcome.answer().unwrap()["principalId"], "anonymous");
        assert_eq!(*outcome.context(), json!({"verified": "false"}));
        assert_refused(api, &optional.ask(&expired).await, "expired");
        assert_refused(api, &optional.ask(&conflict).await, "a certificate in the header");

        let outcome = report.ask(&expired).await;
        assert!(matches!(outcome, Outcome::Allow(_)), "{outcome:?}");
        assert_eq!(outcome.answer().unwrap()["principalId"], "anonymous");
        let record = report.record().await;
        assert_eq!(
            (&record["decision"], &record["detail"]),
            (&json!("would_deny"), &json!("expired"))
        );
        // The API behind would see the header.
        assert_refused(api, &report.ask(&conflict).await, "a certificate in the header");
        assert_eq!(report.detail().await, "certificate_source");
    }
}

#[tokio::test]
async fn without_trust_material_everybody_is_denied() {
    let clients = Clients::new();
    std::fs::remove_file(clients.directory().join("anchors.pem")).unwrap();
    let authorizer = Authorizer::start(&clients, &[]).await;
    for api in Api::ALL {
        let outcome = authorizer.ask(&with_certificate(api, &clients.good)).await;
        assert!(matches!(outcome, Outcome::Deny(_)), "{outcome:?}");
        assert_eq!(authorizer.detail().await, "no_trust_material");
    }
}
