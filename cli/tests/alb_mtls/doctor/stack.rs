//! A deployed stack by what the AWS command line says of it, in files.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{doctor, found, not_looked_at, stdout};
use crate::support::stderr;

/// A deployed stack as the AWS command line describes it.
struct Stack(TempDir);

const LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/gate/50dc6c495c0c9188/f2f7dc8efc522ab2";
const GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate-respond/73e2d6bc24d8a067";
const LISTENER_ATTRIBUTES: &str = "listener-attributes-f2f7dc8efc522ab2";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:gate-respond";

impl Stack {
    fn new() -> Self {
        let stack = Self(TempDir::new().unwrap());
        stack.write("listeners", &json!({"Listeners": [
            {"ListenerArn": LISTENER, "Port": 443, "Protocol": "HTTPS", "MutualAuthentication": {"Mode": "passthrough"},
             "DefaultActions": [{"Type": "forward", "TargetGroupArn": GROUP,
                                 "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": GROUP, "Weight": 1}]}}]},
            {"ListenerArn": LISTENER.replace("f2f7dc8efc522ab2", "a1a7dc8efc522ab2"), "Port": 80, "Protocol": "HTTP",
             "DefaultActions": [{"Type": "redirect"}]},
        ]}));
        stack.write(
            LISTENER_ATTRIBUTES,
            &json!({"Attributes": [
                {"Key": "routing.http.request.x_amzn_mtls_clientcert.header_name", "Value": "x-gate-7f3a"},
                {"Key": "routing.http.response.server.enabled", "Value": "true"},
            ]}),
        );
        stack.write(
            "rules",
            &json!({"Rules": [
                {"RuleArn": format!("{}/9683b2d02a6cabee", LISTENER.replace(":listener/", ":listener-rule/")),
                 "Priority": "default", "Actions": [{"Type": "forward", "TargetGroupArn": GROUP}]},
            ]}),
        );
        stack.write(
            "target-groups",
            &json!({"TargetGroups": [
                {"TargetGroupArn": GROUP, "TargetGroupName": "gate-respond", "TargetType": "lambda"},
            ]}),
        );
        stack.write(
            "attributes-of-gate-respond",
            &json!({"Attributes": [
                {"Key": "lambda.multi_value_headers.enabled", "Value": "true"},
            ]}),
        );
        stack.write("function", &json!({"FunctionName": "gate-respond", "FunctionArn": FUNCTION, "Runtime": "provided.al2023",
            "Environment": {"Variables": {"MTLS_ANCHORS": "s3://gate-trust/anchors.pem", "MTLS_HEADER": "X-Gate-7f3a",
                "MTLS_TARGET_GROUPS": GROUP}},
            "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "gate-respond-logs"}}));
        stack.policy(json!({"StringEquals": {"AWS:SourceAccount": "123456789012"}, "ArnLike": {"AWS:SourceArn": GROUP}}));
        stack.write(
            "log-groups",
            &json!({"logGroups": [{"logGroupName": "gate-respond-logs", "retentionInDays": 90}]}),
        );
        stack.write("public-access", &json!({"PublicAccessBlockConfiguration": {
            "BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true}}));
        stack.write("versioning", &json!({"Status": "Enabled"}));
        stack
    }

    fn policy(&self, condition: Value) {
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Sid": "alb", "Effect": "Allow",
            "Principal": {"Service": "elasticloadbalancing.amazonaws.com"}, "Action": "lambda:InvokeFunction",
            "Resource": FUNCTION, "Condition": condition}]});
        self.write(
            "policy",
            &json!({"Policy": policy.to_string(), "RevisionId": "1"}),
        );
    }

    fn write(&self, name: &str, answer: &Value) {
        let text = serde_json::to_string_pretty(answer).unwrap();
        fs::write(self.0.path().join(format!("{name}.json")), text).unwrap();
    }

    /// Replaces a part of an answer's text.
    fn change(&self, name: &str, before: &str, after: &str) {
        let path = self.0.path().join(format!("{name}.json"));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(before), "{name}: {text}");
        fs::write(path, text.replacen(before, after, 1)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.0.path().join(format!("{name}.json"))).unwrap();
    }

    fn checks(&self) -> Vec<String> {
        let output = doctor(&["--json"], self.0.path());
        found(&output).into_iter().map(|(check, _)| check).collect()
    }
}

#[test]
fn a_stack_that_is_wired_like_the_template_is_fine() {
    assert_eq!(Stack::new().checks(), Vec::<String>::new());
}

/// Description of a fault, a function that makes it, and the check that must find it.
type Fault = (&'static str, fn(&Stack), &'static str);

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    ("no mutual TLS", |stack| stack.change("listeners", "passthrough", "off"), "listener-without-mutual-tls"),
    ("an HTTP listener that forwards", |stack| {
        let forward = format!("\"Type\": \"forward\", \"TargetGroupArn\": \"{GROUP}\"");
        stack.change("listeners", "\"Type\": \"redirect\"", &forward);
    }, "listener-without-mutual-tls"),
    ("a rule of an HTTP listener that forwards",
     |stack| stack.change("rules", "f2f7dc8efc522ab2", "a1a7dc8efc522ab2"), "listener-without-mutual-tls"),
    ("single values", |stack| stack.change("attributes-of-gate-respond", "true", "false"), "single-value-headers"),
    ("a renamed header that is not read",
     |stack| stack.change(LISTENER_ATTRIBUTES, "x-gate-7f3a", "X-Secret"), "header-name-differs"),
    ("a function that reads the default header", |stack| stack.change("function", "MTLS_HEADER", "OTHER"), "header-name-differs"),
    ("a listener that renames nothing",
     |stack| stack.change(LISTENER_ATTRIBUTES, "x-gate-7f3a", ""), "default-certificate-header"),
    ("a listener that renames to the default name",
     |stack| stack.change(LISTENER_ATTRIBUTES, "x-gate-7f3a", "X-Amzn-Mtls-Clientcert"), "default-certificate-header"),
    ("a function that reads the default header, and nothing about the listener", |stack| {
        stack.change("function", "MTLS_HEADER", "OTHER");
        stack.remove(LISTENER_ATTRIBUTES);
    }, "default-certificate-header"),
    ("no source", |stack| stack.policy(json!({})), "permission-too-wide"),
    ("served target groups", |stack| stack.change("function", "MTLS_TARGET_GROUPS", "OTHER"), "target-groups-unset"),
    ("a wrapper that Lambda does not start", |stack| {
        let wrapper = "\"MTLS_ANCHORS\": \"s3:";
        stack.change("function", wrapper, &format!("\"AWS_LAMBDA_EXEC_WRAPPER\": \"/opt/alb-mtls\", {wrapper}"));
    }, "wrapper-ignored"),
    ("a language without a wrapper",
     |stack| stack.change("function", "provided.al2023", "python3.13"), "wrapper-missing"),
    ("a layer that is unpacked after the gate's", |stack| {
        let layer = |name: &str| json!({"Arn": format!("arn:aws:lambda:eu-west-1:123456789012:layer:{name}:1"), "CodeSize": 1});
        let layers = json!([layer("stack-gate"), layer("other")]);
        stack.change("function", "\"Runtime\":", &format!("\"Layers\": {layers}, \"Runtime\":"));
    }, "layer-order"),
    ("a short timeout", |stack| stack.change("function", "\"Runtime\":", "\"Timeout\": 3, \"Runtime\":"), "timeout-short"),
    ("retention", |stack| stack.change("log-groups", "retentionInDays", "other"), "log-retention"),
    ("nothing about logs", |stack| stack.remove("log-groups"), "log-retention"),
    ("public bucket", |stack| stack.change("public-access", "true", "false"), "trust-bucket-public"),
    ("versions", |stack| stack.change("versioning", "Enabled", "Suspended"), "trust-bucket-unversioned"),
    ("a bucket policy that lets another account write", |stack| {
        let policy = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "210987654321"},
            "Action": "s3:Put*", "Resource": "arn:aws:s3:::gate-trust/*"}});
        stack.write("bucket-policy", &json!({"Policy": policy.to_string()}));
    }, "trust-writer"),
    ("a function URL", |stack| {
        let url = "https://x.lambda-url.eu-west-1.on.aws/";
        stack.write("url", &json!({"FunctionUrl": url, "FunctionArn": FUNCTION, "AuthType": "NONE"}));
    }, "function-url"),
    ("an API whose default endpoint is on", |stack| {
        let authorizer = json!({"AuthorizerId": "a", "Name": "mtls", "AuthorizerUri": authorizer_uri()});
        stack.write("authorizers", &json!({"Items": [authorizer]}));
        stack.write("api", &json!({"ApiId": "a1", "Name": "orders", "DisableExecuteApiEndpoint": false}));
    }, "default-endpoint"),
    ("a cached authorizer", |stack| {
        let authorizer = json!({"id": "a", "name": "mtls", "type": "REQUEST", "authorizerUri": authorizer_uri()});
        stack.write("authorizers", &json!({"items": [authorizer]}));
    }, "authorizer-cached"),
];

fn authorizer_uri() -> String {
    format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations")
}

#[test]
fn each_fault_of_a_stack_is_found() {
    for (fault, plant, check) in FAULTS {
        let stack = Stack::new();
        plant(&stack);
        let checks = stack.checks();
        assert!(checks.iter().any(|found| found == check), "{fault}: {checks:?}");
    }
}

#[test]
fn answer_that_is_missing_is_not_looked_at() {
    for (missing, gap) in [
        (
            "attributes-of-gate-respond",
            "aws elbv2 describe-target-group-attributes",
        ),
        (LISTENER_ATTRIBUTES, "aws elbv2 describe-listener-attributes"),
        (
            "function",
            "the target `arn:aws:lambda:eu-west-1:123456789012:function:gate-respond`",
        ),
        ("policy", "no target of arn:aws:elasticloadbalancing"),
        ("versioning", "aws s3api get-bucket-versioning"),
    ] {
        let stack = Stack::new();
        stack.remove(missing);
        let output = doctor(&["--json"], stack.0.path());
        assert!(!not_looked_at(&output).is_empty(), "{missing}");
        assert!(stdout(&output).contains(gap), "{missing}: {}", stdout(&output));
    }
}

#[test]
fn of_several_trust_buckets_each_answer_is_about_the_one_in_its_name() {
    let stack = Stack::new();
    stack.change(
        "function",
        "s3://gate-trust/anchors.pem",
        "s3://gate-trust/anchors.pem s3://gate-trust-two/anchors.pem",
    );
    let output = doctor(&[], stack.0.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("the name of the bucket"),
        "{}",
        stderr(&output)
    );

    for answer in ["public-access", "versioning"] {
        let from = stack.0.path().join(format!("{answer}.json"));
        let to = |bucket: &str| stack.0.path().join(format!("{answer}-{bucket}.json"));
        fs::copy(&from, to("gate-trust")).unwrap();
        fs::rename(&from, to("gate-trust-two")).unwrap();
    }
    assert_eq!(stack.checks(), Vec::<String>::new());
    stack.change("versioning-gate-trust-two", "Enabled", "Suspended");
    let expected = ("trust-bucket-unversioned".to_owned(), "gate-trust-two".to_owned());
    assert_eq!(found(&doctor(&["--json"], stack.0.path())), [expected]);
}
