//! `alb-mtls event`: the shape that ALB documents, and the header to the byte.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

use std::fs;
use std::path::PathBuf;

use crate::support::{alb_mtls, alb_mtls_error, alb_mtls_ok, openssl, openssl_ok};
use aws_lambda_events::alb::AlbTargetGroupRequest;
use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequestTypeRequest, ApiGatewayV2CustomAuthorizerV2Request,
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_pki::{CertificateBuilder, chain_pem};

/// A directory with a chain of two in `chain.pem`.
struct Chain {
    directory: TempDir,
    pem: String,
}

impl Chain {
    fn new() -> Self {
        let root = CertificateBuilder::root("CN=Root")
            .seed("root")
            .self_signed()
            .unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Issuing")
            .seed("issuing")
            .issued_by(&root)
            .unwrap();
        let client = CertificateBuilder::client("CN=client")
            .seed("client")
            .issued_by(&issuing)
            .unwrap();
        let directory = TempDir::new().unwrap();
        let pem = chain_pem([&client, &issuing]);
        fs::write(directory.path().join("chain.pem"), &pem).unwrap();
        Self { directory, pem }
    }

    fn event(&self, options: &[&str]) -> Value {
        let file = self.directory.path().join("chain.pem");
        let mut arguments = vec!["event", "--pem", file.to_str().unwrap()];
        arguments.extend(options);
        parsed(&alb_mtls_ok(&arguments))
    }
}

/// Returns an event, after `aws_lambda_events` could read it too.
fn parsed(text: &str) -> Value {
    serde_json::from_str::<AlbTargetGroupRequest>(text).expect(text);
    serde_json::from_str(text).unwrap()
}

fn members(event: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_header_is_the_chain_to_the_byte() {
    let chain = Chain::new();
    let event = chain.event(&[]);
    let values = event["multiValueHeaders"]["x-amzn-mtls-clientcert"]
        .as_array()
        .unwrap();
    assert_eq!(values.len(), 1);
    let value = values[0].as_str().unwrap();

    assert_eq!(percent_decode_str(value).decode_utf8().unwrap(), chain.pem);
    assert!(
        value.starts_with("-----BEGIN%20CERTIFICATE-----%0AMII"),
        "{value}"
    );
    assert!(value.ends_with("-----END%20CERTIFICATE-----%0A"), "{value}");
    let escapes: Vec<&str> = value
        .split('%')
        .skip(1)
        .filter_map(|rest| rest.get(..2))
        .collect();
    assert!(
        escapes.iter().all(|escape| ["0A", "20"].contains(escape)),
        "{escapes:?}"
    );
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-%".contains(&byte);
    assert!(value.bytes().all(alphabet), "{value}");
}

#[test]
fn there_is_exactly_one_pair_of_headers_and_query() {
    let chain = Chain::new();
    let query = ["--path", "/a%2Fb/../c?x=1&x=%26&empty=&flag"];

    let multi = chain.event(&query);
    assert_eq!(
        members(&multi),
        [
            "body",
            "httpMethod",
            "isBase64Encoded",
            "multiValueHeaders",
            "multiValueQueryStringParameters",
            "path",
            "requestContext"
        ]
    );
    assert_eq!(multi["path"], "/a%2Fb/../c");
    assert_eq!(
        multi["multiValueQueryStringParameters"],
        json!({ "x": ["1", "%26"], "empty": [""], "flag": [""] })
    );

    let single = chain.event(&[&query[..], &["--header-mode", "single"]].concat());
    assert_eq!(
        members(&single),
        [
            "body",
            "headers",
            "httpMethod",
            "isBase64Encoded",
            "path",
            "queryStringParameters",
            "requestContext"
        ]
    );
    assert_eq!(
        single["queryStringParameters"],
        json!({ "x": "%26", "empty": "", "flag": "" })
    );
    assert_eq!(
        single["headers"]["x-amzn-mtls-clientcert"],
        multi["multiValueHeaders"]["x-amzn-mtls-clientcert"][0]
    );
}

#[test]
fn a_request_of_a_client_has_what_alb_adds() {
    let headers = Chain::new().event(&["--header-mode", "single"])["headers"].clone();
    for name in [
        "host",
        "x-amzn-trace-id",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
    ] {
        assert!(headers[name].is_string(), "{name} is missing in {headers}");
    }
}

#[test]
fn takes_method_headers_and_target_group_from_the_command_line() {
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/mine/0123456789abcdef";
    let event = Chain::new().event(&[
        "--method",
        "DELETE",
        "--target-group-arn",
        arn,
        "--header",
        "Accept:  text/html ",
        "--header",
        "X-Two: 1",
        "--header",
        "x-two: a: b",
        "--header",
        "x-empty:",
    ]);
    assert_eq!(event["httpMethod"], "DELETE");
    assert_eq!(
        event["requestContext"],
        json!({ "elb": { "targetGroupArn": arn } })
    );
    let headers = &event["multiValueHeaders"];
    assert_eq!(headers["accept"], json!(["text/html"]));
    assert_eq!(headers["x-two"], json!(["1", "a: b"]));
    assert_eq!(headers["x-empty"], json!([""]));
}

#[test]
fn a_client_can_send_a_certificate_header_of_its_own() {
    let chain = Chain::new();
    let own = ["--header", "x-amzn-mtls-clientcert: forged"];
    let values = chain.event(&own)["multiValueHeaders"]["x-amzn-mtls-clientcert"].clone();
    assert_eq!(values.as_array().unwrap().len(), 2);
    assert_eq!(values[0], "forged");

    let renamed = chain.event(&[&own[..], &["--header-name", "X-Secret-Name"]].concat());
    assert_eq!(
        renamed["multiValueHeaders"]["x-amzn-mtls-clientcert"],
        json!(["forged"])
    );
    assert_eq!(renamed["multiValueHeaders"]["x-secret-name"][0], values[1]);
}

#[test]
fn without_a_certificate_there_is_no_header() {
    let event = parsed(&alb_mtls_ok(&["event", "--no-certificate"]));
    let headers = event["multiValueHeaders"].as_object().unwrap();
    assert!(!headers.is_empty());
    assert!(headers.keys().all(|name| !name.contains("mtls")), "{headers:?}");
}

#[test]
fn a_health_check_is_what_aws_documents() {
    let single = parsed(&alb_mtls_ok(&[
        "event",
        "--health-check",
        "--header-mode",
        "single",
        "--path",
        "/health",
    ]));
    let arn = single["requestContext"]["elb"]["targetGroupArn"].clone();
    assert_eq!(
        single,
        json!({
            "requestContext": { "elb": { "targetGroupArn": arn } },
            "httpMethod": "GET",
            "path": "/health",
            "queryStringParameters": {},
            "headers": { "user-agent": "ELB-HealthChecker/2.0" },
            "body": "",
            "isBase64Encoded": false,
        })
    );
    let multi = parsed(&alb_mtls_ok(&["event", "--health-check"]));
    assert_eq!(
        multi["multiValueHeaders"],
        json!({ "user-agent": ["ELB-HealthChecker/2.0"] })
    );
}

#[test]
fn the_same_input_makes_the_same_event() {
    let chain = Chain::new();
    assert_eq!(chain.event(&[]), chain.event(&[]));
}

#[test]
fn unusable_input_is_one_line() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let pem = Chain::new().pem;
    let key = test_pki::Key::from_seed(test_pki::KeyKind::P256, "key")
        .unwrap()
        .to_pem()
        .unwrap();

    for (file, reason) in [
        (file("empty.pem", ""), "there is no certificate in"),
        (
            file("cut.pem", pem.trim_end_matches("-----END CERTIFICATE-----\n")),
            "a PEM block has no end in",
        ),
        (
            file("key.pem", &format!("{pem}{key}")),
            "the PEM label is `PRIVATE KEY` in",
        ),
        (
            directory.path().join("missing.pem").to_str().unwrap().to_owned(),
            "cannot read `",
        ),
    ] {
        let error = alb_mtls_error(&["event", "--pem", &file]);
        assert!(error.contains(reason) && error.contains(&file), "{error}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for usage in [
        &["event"][..],
        &["event", "--pem", "a", "--no-certificate"],
        &["event", "--pem", "a", "--health-check"],
        &["event", "--health-check", "--header", "a: b"],
        &["event", "--no-certificate", "--path", "no-slash"],
        &["event", "--no-certificate", "--path", "/a b"],
        &["event", "--no-certificate", "--method", "G E T"],
        &["event", "--no-certificate", "--header", "no colon"],
        &["event", "--no-certificate", "--header", "b@d: x"],
        &["event", "--no-certificate", "--header", "a: b\nc: d"],
        &["event", "--no-certificate", "--header-name", "a b"],
        &["event", "--no-certificate", "--header-mode", "both"],
        &["event", "--no-certificate", "--target-group-arn", "mine"],
        &["event", "samples"],
    ] {
        let output = alb_mtls(usage);
        assert_eq!(output.status.code(), Some(2), "{usage:?}");
        assert!(output.stdout.is_empty(), "{usage:?}");
    }
}

mod samples {
    use super::*;

    fn committed() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events")
    }

    fn sample(case: &str) -> Value {
        parsed(&fs::read_to_string(committed().join(format!("alb-mtls-{case}.json"))).unwrap())
    }

    /// Returns an event of API Gateway, after `aws_lambda_events` could read it too.
    fn api_sample(api: &str, case: &str) -> Value {
        let text = fs::read_to_string(committed().join(format!("apigw-{api}-{case}.json"))).unwrap();
        if api == "http-2.0" {
            serde_json::from_str::<ApiGatewayV2CustomAuthorizerV2Request>(&text).expect(&text);
        } else {
            serde_json::from_str::<ApiGatewayCustomAuthorizerRequestTypeRequest>(&text).expect(&text);
        }
        serde_json::from_str(&text).unwrap()
    }

    /// Returns the PEM in the certificate header, which occurs once.
    fn presented(case: &str) -> String {
        let event = sample(case);
        let values = event["multiValueHeaders"]["x-amzn-mtls-clientcert"]
            .as_array()
            .unwrap()
            .clone();
        assert_eq!(values.len(), 1, "{case}");
        percent_decode_str(values[0].as_str().unwrap())
            .decode_utf8()
            .unwrap()
            .into_owned()
    }

    /// openssl's verdict in October 2099.
    fn verdict(pem: &str) -> Result<(), String> {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("chain.pem"), pem).unwrap();
        fs::copy(
            committed().join("anchors.pem"),
            directory.path().join("anchors.pem"),
        )
        .unwrap();
        let output = openssl(
            directory.path(),
            &[
                "verify",
                "-x509_strict",
                "-purpose",
                "sslclient",
                "-attime",
                "4095000000",
                "-CAfile",
                "anchors.pem",
                "-untrusted",
                "chain.pem",
                "chain.pem",
            ],
        );
        if output.status.success() {
            Ok(())
        } else {
            Err(crate::support::stderr(&output))
        }
    }

    #[test]
    fn the_committed_samples_are_what_the_command_makes() {
        let directory = TempDir::new().unwrap();
        let told = alb_mtls_ok(&["event", "samples", "--dir", directory.path().to_str().unwrap()]);
        let mut made: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        made.sort();
        assert_eq!(made.len(), told.lines().count());
        for name in &made {
            assert_eq!(
                fs::read_to_string(directory.path().join(name)).unwrap(),
                fs::read_to_string(committed().join(name)).unwrap_or_default(),
                "{name:?} differs: run `alb-mtls event samples --dir events`"
            );
        }
        let mut there: Vec<_> = fs::read_dir(committed())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| {
                let name = name.to_string_lossy();
                ["alb-mtls-", "apigw-"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
                    || name.ends_with(".pem")
            })
            .collect();
        there.sort();
        assert_eq!(there, made);
    }

    #[test]
    fn no_sample_holds_a_private_key() {
        for folder in [committed(), committed().join("other-services")] {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    assert!(
                        !fs::read_to_string(&path).unwrap().contains("PRIVATE"),
                        "{path:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_sample_parses() {
        let cases = fs::read_dir(committed())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let cases: Vec<_> = cases
            .filter(|path| {
                path.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with("alb-mtls-")
            })
            .collect();
        assert!(cases.len() >= 12);
        for case in cases {
            parsed(&fs::read_to_string(case).unwrap());
        }
    }

    /// Members and where they are: API Gateway developer guide, "Input to an API Gateway Lambda
    /// authorizer" and "Control access to HTTP APIs with AWS Lambda authorizers".
    #[test]
    fn events_of_api_gateway_have_the_documented_members() {
        for case in [
            "valid",
            "no-certificate",
            "expired",
            "unknown-ca",
            "header",
            "both-sources",
        ] {
            let (rest, http1, http2) = (
                api_sample("rest", case),
                api_sample("http-1.0", case),
                api_sample("http-2.0", case),
            );
            let common = [
                "headers",
                "httpMethod",
                "methodArn",
                "path",
                "pathParameters",
                "queryStringParameters",
                "requestContext",
                "resource",
                "stageVariables",
                "type",
            ];
            let mut expected = common.to_vec();
            expected.extend(["multiValueHeaders", "multiValueQueryStringParameters"]);
            expected.sort_unstable();
            assert_eq!(members(&rest), expected);
            let mut expected = common.to_vec();
            expected.push("version");
            assert_eq!(members(&http1), expected);
            assert_eq!(
                members(&http2),
                [
                    "headers",
                    "pathParameters",
                    "queryStringParameters",
                    "rawPath",
                    "rawQueryString",
                    "requestContext",
                    "routeArn",
                    "routeKey",
                    "stageVariables",
                    "type",
                    "version",
                ]
            );
            assert_eq!(
                (&http1["version"], &http2["version"]),
                (&json!("1.0"), &json!("2.0"))
            );
            let seen = matches!(case, "valid" | "expired" | "unknown-ca" | "both-sources");
            let client_cert = &http2["requestContext"]["authentication"]["clientCert"];
            assert_eq!(client_cert.is_object(), seen, "{case}");
            for event in [&rest, &http1] {
                assert_eq!(
                    event["requestContext"]["identity"]["clientCert"], *client_cert,
                    "{case}"
                );
            }
            let header = matches!(case, "header" | "both-sources");
            for event in [&rest, &http1, &http2] {
                assert_eq!(
                    event["headers"].get("x-amzn-mtls-clientcert").is_some(),
                    header,
                    "{case}"
                );
            }
        }
    }

    #[test]
    fn the_certificate_of_api_gateway_is_the_leaf_alone_as_real_pem() {
        let event = api_sample("http-2.0", "valid");
        let client_cert = &event["requestContext"]["authentication"]["clientCert"];
        let leaf = client_cert["clientCertPem"].as_str().unwrap();
        assert_eq!(leaf.matches("BEGIN").count(), 1);
        assert!(presented("valid").starts_with(leaf));
        assert!(
            verdict(leaf).is_err(),
            "without the intermediate there is no path"
        );
        let intermediates = fs::read_to_string(committed().join("intermediates.pem")).unwrap();
        assert_eq!(verdict(&format!("{leaf}{intermediates}")), Ok(()));

        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("leaf.pem"), leaf).unwrap();
        let field = |option: &str| {
            let text = openssl_ok(directory.path(), &["x509", "-in", "leaf.pem", "-noout", option]);
            text.trim_end().split_once('=').unwrap().1.to_owned()
        };
        let colons = client_cert["serialNumber"].as_str().unwrap();
        assert_eq!(colons.replace(':', "").to_uppercase(), field("-serial"));
        assert_eq!(client_cert["validity"]["notBefore"], field("-startdate"));
        assert_eq!(client_cert["validity"]["notAfter"], field("-enddate"));
        assert_eq!(client_cert["subjectDN"], "O=Example,OU=Clients,CN=client-1");
        assert_eq!(client_cert["issuerDN"], "O=Example,CN=Example Issuing CA");
    }

    #[test]
    fn the_valid_ones_verify_to_the_end_of_the_century() {
        assert_eq!(verdict(&presented("valid")), Ok(()));
        assert_eq!(verdict(&presented("plus-heavy")), Ok(()));
        assert_eq!(
            sample("valid-single-value")["headers"]["x-amzn-mtls-clientcert"],
            sample("valid")["multiValueHeaders"]["x-amzn-mtls-clientcert"][0]
        );
    }

    #[test]
    fn each_bad_one_is_bad_in_its_own_way() {
        for (case, reason) in [
            ("expired", "certificate has expired"),
            ("unknown-ca", "unable to get local issuer certificate"),
            ("serverauth-only", "unsuitable certificate purpose"),
        ] {
            let error = verdict(&presented(case)).expect_err(case);
            assert!(error.contains(reason), "{case}: {error}");
        }
    }

    #[test]
    fn the_truncated_one_lacks_its_last_end() {
        let pem = presented("truncated-pem");
        assert_eq!(pem.matches("-----BEGIN CERTIFICATE-----").count(), 2);
        assert_eq!(pem.matches("-----END CERTIFICATE-----").count(), 1);
        assert!(!pem.ends_with('-'));
    }

    #[test]
    fn the_plus_heavy_one_breaks_when_plus_becomes_a_space() {
        let pem = presented("plus-heavy");
        assert!(pem.matches('+').count() > 100);
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("right.pem"), &pem).unwrap();
        openssl_ok(directory.path(), &["x509", "-in", "right.pem", "-noout"]);
        fs::write(directory.path().join("wrong.pem"), pem.replace('+', " ")).unwrap();
        assert!(
            !openssl(directory.path(), &["x509", "-in", "wrong.pem", "-noout"])
                .status
                .success()
        );
    }

    #[test]
    fn the_duplicate_header_occurs_twice() {
        let event = sample("duplicate-header");
        let values = event["multiValueHeaders"]["x-amzn-mtls-clientcert"]
            .as_array()
            .unwrap();
        assert_eq!(values.len(), 2);
    }

    #[test]
    fn the_ones_without_a_certificate_have_no_header() {
        let names = |headers: &Value| headers.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert!(
            !names(&sample("no-header")["multiValueHeaders"])
                .concat()
                .contains("mtls")
        );
        assert!(
            !names(&sample("no-header-single-value")["headers"])
                .concat()
                .contains("mtls")
        );
        assert_eq!(
            names(&sample("health-check")["multiValueHeaders"]),
            ["user-agent"]
        );
        assert_eq!(
            names(&sample("health-check-single-value")["headers"]),
            ["user-agent"]
        );
    }
}
