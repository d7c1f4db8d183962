//! `alb-mtls doctor`: silent on our template, and loud on each fault that is planted into it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

#[expect(dead_code, clippy::expect_used, reason = "nothing here needs openssl")]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{alb_mtls, stderr};
use serde_json::{Value, json};
use tempfile::TempDir;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn template() -> String {
    fs::read_to_string(project().join("template.yaml")).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn doctor(arguments: &[&str], path: &Path) -> Output {
    let mut all = vec!["doctor", path.to_str().unwrap()];
    all.extend_from_slice(arguments);
    alb_mtls(&all)
}

/// The checks that a text of a template fails, with what they are about.
fn findings(template: &str, arguments: &[&str]) -> Vec<(String, String)> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("template.yaml");
    fs::write(&path, template).unwrap();
    found(&doctor(&[&["--json"], arguments].concat(), &path))
}

fn found(output: &Output) -> Vec<(String, String)> {
    assert_ne!(output.status.code(), Some(2), "{}", stderr(output));
    let report: Value = serde_json::from_str(&stdout(output)).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for finding in findings {
        for field in ["what", "risk", "fix"] {
            assert!(text(&finding[field]).len() > 10, "{finding}");
        }
    }
    findings
        .iter()
        .map(|finding| (text(&finding["check"]), text(&finding["resource"])))
        .collect()
}

#[test]
fn nothing_opens_the_gate_of_our_template() {
    assert_eq!(findings(&template(), &[]), []);
    let output = doctor(&[], &project().join("template.yaml"));
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.starts_with("nothing opens the gate: looked at 2 listeners, 2 target groups and 4 functions"),
        "{text}"
    );
}

/// A fault, the text that it replaces (which must be there), and what the doctor must say: check and resource.
type Fault<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

const HTTP_FORWARD: &str = "        - Type: forward
          TargetGroupArn: !Ref RespondTargetGroup
";
const REDIRECT: &str = "        - Type: redirect
          RedirectConfig:
            Protocol: HTTPS
            Port: \"443\"
            StatusCode: HTTP_301
";
const OUTPUTS: &str = "\nOutputs:\n";

const FAULTS: &[Fault<'_>] = &[
    ("the HTTPS listener without mutual TLS",
     "      MutualAuthentication:\n        Mode: passthrough\n", "",
     "listener-without-mutual-tls", "HttpsListener"),
    ("mutual TLS off",
     "        Mode: passthrough\n", "        Mode: \"off\"\n",
     "listener-without-mutual-tls", "HttpsListener"),
    ("verify mode",
     "        Mode: passthrough\n", "        Mode: verify\n",
     "listener-not-passthrough", "HttpsListener"),
    ("the HTTP listener forwards", REDIRECT, HTTP_FORWARD,
     "listener-without-mutual-tls", "HttpListener"),
    ("the HTTP listener forwards by weights", REDIRECT,
     "        - Type: forward
          ForwardConfig:
            TargetGroups:
              - TargetGroupArn: !Ref RespondTargetGroup
                Weight: 1
",
     "listener-without-mutual-tls", "HttpListener"),
    ("a rule of the HTTP listener forwards", OUTPUTS,
     "
  Rule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Condition: HasHttpRedirect
    Properties:
      ListenerArn: !Ref HttpListener
      Priority: 1
      Conditions: [{Field: path-pattern, Values: [/health]}]
      Actions:
        - Type: forward
          TargetGroupArn: !Ref RespondTargetGroup

Outputs:
",
     "listener-without-mutual-tls", "Rule"),
    ("a rule of a listener elsewhere forwards", OUTPUTS,
     "
  Rule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !ImportValue shared-listener
      Priority: 1
      Conditions: [{Field: path-pattern, Values: [/health]}]
      Actions:
        - Type: forward
          TargetGroupArn: !Ref RespondTargetGroup

Outputs:
",
     "listener-not-passthrough", "Rule"),
    ("a second HTTPS listener without mutual TLS", OUTPUTS,
     "
  Second:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref LoadBalancer
      Port: 8443
      Protocol: HTTPS
      Certificates: [{CertificateArn: !Ref CertificateArn}]
      DefaultActions: [{Type: forward, TargetGroupArn: {\"Ref\": RespondTargetGroup}}]

Outputs:
",
     "listener-without-mutual-tls", "Second"),
    ("multi-value headers off",
     "        # With single values a second certificate header could not be seen.
        - Key: lambda.multi_value_headers.enabled
          Value: \"true\"
",
     "        - Key: lambda.multi_value_headers.enabled
          Value: \"false\"
",
     "single-value-headers", "RespondTargetGroup"),
    ("multi-value headers left out",
     "      TargetGroupAttributes:
        # With single values a second certificate header could not be seen.
        - Key: lambda.multi_value_headers.enabled
          Value: \"true\"
", "",
     "single-value-headers", "RespondTargetGroup"),
    ("no source ARN",
     "      SourceArn: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-respond/*\n", "",
     "permission-too-wide", "RespondPermission"),
    ("a source ARN of everything",
     "      SourceArn: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-respond/*\n",
     "      SourceArn: \"*\"\n",
     "permission-too-wide", "RespondPermission"),
    ("a source ARN of every target group",
     "      SourceArn: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-respond/*\n",
     "      SourceArn: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/*\n",
     "permission-too-wide", "RespondPermission"),
    ("no source account",
     "      FunctionName: !GetAtt RespondFunction.Arn
      Principal: elasticloadbalancing.amazonaws.com
      SourceAccount: !Ref AWS::AccountId
",
     "      FunctionName: !GetAtt RespondFunction.Arn
      Principal: elasticloadbalancing.amazonaws.com
",
     "permission-too-wide", "RespondPermission"),
    ("anybody may invoke",
     "      FunctionName: !GetAtt RespondFunction.Arn
      Principal: elasticloadbalancing.amazonaws.com
",
     "      FunctionName: !GetAtt RespondFunction.Arn
      Principal: \"*\"
",
     "permission-too-wide", "RespondPermission"),
    ("any API may invoke the authorizer",
     "      SourceArn: !Sub arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${HttpApi}/authorizers/${HttpApiAuthorizer.AuthorizerId}\n", "",
     "permission-too-wide", "HttpApiPermission"),
    ("the function reads another header than the listener writes",
        "          MTLS_HEADER: !If [HasCertificateHeader, !Ref CertificateHeader, !Ref AWS::NoValue]\n",
        "",
        "header-name-differs", "RespondFunction"),
    ("the listener renames nothing",
     "          - Key: routing.http.request.x_amzn_mtls_clientcert.header_name
            Value: !Ref CertificateHeader
",
     "          - Key: routing.http.request.x_amzn_mtls_clientcert_leaf.header_name
            Value: !Ref CertificateHeader
",
     "header-name-differs", "RespondFunction"),
    ("the HTTP API keeps verdicts",
     "      # No documented cache key holds the certificate: from a cache, one client would get another's verdict.
      AuthorizerResultTtlInSeconds: 0
",
     "      AuthorizerResultTtlInSeconds: 60
",
     "authorizer-cached", "HttpApiAuthorizer"),
    ("the REST API keeps verdicts by default",
     "      # As above; without this line API Gateway would cache for 300 seconds.
      AuthorizerResultTtlInSeconds: 0
", "",
     "authorizer-cached", "RestApiAuthorizer"),
    ("the default endpoint of the HTTP API is on",
     "      ProtocolType: HTTP
      DisableExecuteApiEndpoint: true
",
     "      ProtocolType: HTTP
",
     "default-endpoint", "HttpApi"),
    ("target groups of every name",
     "          MTLS_TARGET_GROUPS: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-respond/*\n",
     "          MTLS_TARGET_GROUPS: \"*\"\n",
     "target-groups-unset", "RespondFunction"),
    ("target groups unset",
     "          MTLS_TARGET_GROUPS: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-respond/*\n", "",
     "target-groups-unset", "RespondFunction"),
    ("target groups unset in the function for an upstream",
     "          MTLS_TARGET_GROUPS: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-forward/*\n", "",
     "target-groups-unset", "ForwardFunction"),
    ("report mode by default",
     "    Default: enforce\n", "    Default: report\n",
     "mode-report", "RespondFunction"),
    ("records for ever",
     "  RespondLogGroup:
    Type: AWS::Logs::LogGroup
    UpdateReplacePolicy: Retain
    DeletionPolicy: Retain
    Properties:
      RetentionInDays: !Ref LogRetentionDays
",
     "  RespondLogGroup:
    Type: AWS::Logs::LogGroup
    UpdateReplacePolicy: Retain
    DeletionPolicy: Retain
",
     "log-retention", "RespondLogGroup"),
    ("a log group that Lambda makes",
     "        LogGroup: !Ref RespondLogGroup\n", "",
     "log-retention", "RespondFunction"),
    ("a trust bucket that may be public",
     "        RestrictPublicBuckets: true

  TrustBucketPolicy:",
     "        RestrictPublicBuckets: false

  TrustBucketPolicy:",
     "trust-bucket-public", "TrustBucket"),
    ("a trust bucket without versions",
     "      VersioningConfiguration:
        Status: Enabled
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - ServerSideEncryptionByDefault:
              SSEAlgorithm: AES256
      OwnershipControls:
        Rules:
          - ObjectOwnership: BucketOwnerEnforced
      PublicAccessBlockConfiguration:
        BlockPublicAcls: true
        BlockPublicPolicy: true
        IgnorePublicAcls: true
        RestrictPublicBuckets: true

  TrustBucketPolicy:",
     "      PublicAccessBlockConfiguration:
        BlockPublicAcls: true
        BlockPublicPolicy: true
        IgnorePublicAcls: true
        RestrictPublicBuckets: true

  TrustBucketPolicy:",
     "trust-bucket-unversioned", "TrustBucket"),
    ("the gate may write CRLs",
     "              Action: s3:GetObject\n", "              Action: s3:*\n",
     "trust-writer", "ReadTrustPolicy"),
    ("the gate may write trust anchors",
        "            Action: ssm:GetParametersByPath\n",
        "            Action: [ssm:GetParametersByPath, ssm:Put*]\n",
        "trust-writer", "ReadTrustPolicy"),
    ("refresh-crls may write everywhere in the bucket",
     "                - s3:PutObject
              Resource: !Sub ${TrustBucket.Arn}/crls/*
",
     "                - s3:PutObject
              Resource: !Sub ${TrustBucket.Arn}/*
",
     "trust-writer", "RefreshCrlsFunction"),
    ("another account may write to the trust bucket",
     "        Statement:
          - Sid: OnlyOverTls
            Effect: Deny
            Principal: \"*\"
            Action: s3:*
            Resource:
              - !GetAtt TrustBucket.Arn
",
     "        Statement:
          - Effect: Allow
            Principal: {AWS: \"arn:aws:iam::210987654321:root\"}
            Action: s3:PutObject
            Resource: !Sub ${TrustBucket.Arn}/*
          - Sid: OnlyOverTls
            Effect: Deny
            Principal: \"*\"
            Action: s3:*
            Resource:
              - !GetAtt TrustBucket.Arn
",
     "trust-writer", "TrustBucketPolicy"),
    ("a policy of AWS that may do everything",
     "      Policies:
        - !Ref ReadTrustPolicy

  RespondLogGroup:",
     "      Policies:
        - AmazonSSMFullAccess

  RespondLogGroup:",
     "trust-writer", "RespondFunction"),
    ("a URL past the load balancer",
     "      Description: Answers with the verified identity of the client\n",
     "      Description: Answers with the verified identity of the client
      FunctionUrlConfig:
        AuthType: NONE
",
     "function-url", "RespondFunction"),
];

#[test]
fn each_planted_fault_is_found_and_nothing_else() {
    let template = template();
    for (fault, before, after, check, resource) in FAULTS {
        assert!(
            template.contains(before),
            "{fault}: the template no longer holds what it replaces"
        );
        let broken = template.replacen(before, after, 1);
        let found = findings(&broken, &[]);
        let expected = ((*check).to_owned(), (*resource).to_owned());
        assert!(found.contains(&expected), "{fault}: {found:?}");
        // A renaming that is missing on one side concerns every function behind the listener.
        assert!(
            found.iter().all(|(other, _)| other == check),
            "{fault}: {found:?}"
        );
    }
}

#[test]
fn the_default_name_of_the_header_is_a_finding_only_where_it_is_not_wanted() {
    let found = findings(&template(), &["--require-renamed-header"]);
    assert_eq!(
        found,
        [("header-not-renamed".to_owned(), "HttpsListener".to_owned())]
    );
}

#[test]
fn a_file_that_is_nothing_known_is_said_to_be_so() {
    for (content, words) in [
        ("Resources: {", "not YAML or JSON"),
        ("Resources: {}\nResources: {}\n", "not YAML or JSON"),
        ("hello: world\n", "neither a template nor an answer"),
        (
            "Resources: {A: {Type: AWS::S3::Bucket}}\n",
            "there is no gate in it",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("template.yaml");
        fs::write(&path, content).unwrap();
        let output = doctor(&[], &path);
        assert_eq!(output.status.code(), Some(2), "{content}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    let output = doctor(&[], Path::new("/nowhere.yaml"));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_pipe_gets_plain_text_with_place_risk_and_fix() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("template.yaml");
    fs::write(
        &path,
        template().replacen("        Mode: passthrough\n", "        Mode: \"off\"\n", 1),
    )
    .unwrap();
    let output = doctor(&[], &path);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(!text.contains('\u{1b}'), "{text}");
    for part in [
        ": listener-without-mutual-tls HttpsListener: forwards to ",
        "\n  risk: ",
        "\n  fix: ",
        "findings: looked at ",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

/// A deployed stack as the AWS command line describes it.
struct Stack(TempDir);

const LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/gate/50dc6c495c0c9188/f2f7dc8efc522ab2";
const GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate-respond/73e2d6bc24d8a067";
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
            "listener-attributes-f2f7dc8efc522ab2",
            &json!({"Attributes": [
                {"Key": "routing.http.request.x_amzn_mtls_clientcert.header_name", "Value": ""},
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
        stack.write("function", &json!({"FunctionName": "gate-respond", "FunctionArn": FUNCTION,
            "Environment": {"Variables": {"MTLS_ANCHORS": "s3://gate-trust/anchors.pem", "MTLS_TARGET_GROUPS": GROUP}},
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

    /// One answer with a part of its text replaced.
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

#[test]
fn each_fault_of_a_stack_is_found() {
    type Fault = (&'static str, fn(&Stack), &'static str);
    let faults: &[Fault] = &[
        (
            "no mutual TLS",
            |stack| stack.change("listeners", "passthrough", "off"),
            "listener-without-mutual-tls",
        ),
        (
            "an HTTP listener that forwards",
            |stack| {
                stack.change(
                    "listeners",
                    "\"Type\": \"redirect\"",
                    &format!("\"Type\": \"forward\", \"TargetGroupArn\": \"{GROUP}\""),
                );
            },
            "listener-without-mutual-tls",
        ),
        (
            "a rule of an HTTP listener that forwards",
            |stack| {
                stack.change("rules", "f2f7dc8efc522ab2", "a1a7dc8efc522ab2");
            },
            "listener-without-mutual-tls",
        ),
        (
            "single values",
            |stack| stack.change("attributes-of-gate-respond", "true", "false"),
            "single-value-headers",
        ),
        (
            "nothing about values",
            |stack| stack.remove("attributes-of-gate-respond"),
            "single-value-headers",
        ),
        (
            "a renamed header that nobody reads",
            |stack| {
                stack.change(
                    "listener-attributes-f2f7dc8efc522ab2",
                    "\"Value\": \"\"",
                    "\"Value\": \"X-Secret\"",
                );
            },
            "header-name-differs",
        ),
        (
            "nothing about the header",
            |stack| stack.remove("listener-attributes-f2f7dc8efc522ab2"),
            "header-name-unknown",
        ),
        (
            "no source account",
            |stack| stack.policy(json!({"ArnLike": {"AWS:SourceArn": GROUP}})),
            "permission-too-wide",
        ),
        (
            "no source",
            |stack| stack.policy(json!({})),
            "permission-too-wide",
        ),
        (
            "served target groups",
            |stack| stack.change("function", "MTLS_TARGET_GROUPS", "OTHER"),
            "target-groups-unset",
        ),
        (
            "retention",
            |stack| stack.change("log-groups", "retentionInDays", "other"),
            "log-retention",
        ),
        (
            "nothing about logs",
            |stack| stack.remove("log-groups"),
            "log-retention",
        ),
        (
            "public bucket",
            |stack| stack.change("public-access", "true", "false"),
            "trust-bucket-public",
        ),
        (
            "versions",
            |stack| stack.change("versioning", "Enabled", "Suspended"),
            "trust-bucket-unversioned",
        ),
        (
            "a bucket policy that lets another account write",
            |stack| {
                let policy = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "210987654321"},
                "Action": "s3:Put*", "Resource": "arn:aws:s3:::gate-trust/*"}});
                stack.write("bucket-policy", &json!({"Policy": policy.to_string()}));
            },
            "trust-writer",
        ),
        (
            "a function URL",
            |stack| {
                stack.write("url", &json!({"FunctionUrl": "https://x.lambda-url.eu-west-1.on.aws/", "FunctionArn": FUNCTION, "AuthType": "NONE"}));
            },
            "function-url",
        ),
        (
            "an API whose default endpoint is on",
            |stack| {
                let uri = format!(
                    "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
                );
                stack.write(
                    "authorizers",
                    &json!({"Items": [{"AuthorizerId": "a", "Name": "mtls", "AuthorizerUri": uri}]}),
                );
                stack.write(
                    "api",
                    &json!({"ApiId": "a1", "Name": "orders", "DisableExecuteApiEndpoint": false}),
                );
            },
            "default-endpoint",
        ),
        (
            "a cached authorizer",
            |stack| {
                let uri = format!(
                    "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
                );
                stack.write(
                    "authorizers",
                    &json!({"items": [{"id": "a", "name": "mtls", "type": "REQUEST", "authorizerUri": uri}]}),
                );
            },
            "authorizer-cached",
        ),
    ];
    for (fault, plant, check) in faults {
        let stack = Stack::new();
        plant(&stack);
        let checks = stack.checks();
        assert!(checks.iter().any(|found| found == check), "{fault}: {checks:?}");
    }
}

#[test]
fn what_stands_behind_an_alias_is_found() {
    let target = "      Targets:\n        - Id: !GetAtt RespondFunction.Arn\n";
    let alias = "
  RespondAlias:
    Type: AWS::Lambda::Alias
    Properties:
      Name: live
      FunctionName: !Ref RespondFunction
      FunctionVersion: $LATEST
\nOutputs:\n";
    let template = template();
    assert!(template.contains(target));
    let with_alias = template
        .replacen(target, "      Targets:\n        - Id: !Ref RespondAlias\n", 1)
        .replacen(OUTPUTS, alias, 1);
    assert_eq!(findings(&with_alias, &[]), []);
    let groups = "          MTLS_TARGET_GROUPS: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-respond/*\n";
    let found = findings(&with_alias.replacen(groups, "", 1), &[]);
    assert_eq!(
        found,
        [("target-groups-unset".to_owned(), "RespondFunction".to_owned())]
    );
}
