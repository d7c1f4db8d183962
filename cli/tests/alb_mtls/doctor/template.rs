//! Our template, and what is wrong with it after a change.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{OurTemplates, doctor, found, not_looked_at, project, stdout};
use crate::support::stderr;

/// Returns the checks that a text of a template fails, with what they are about.
fn findings(template: &str, arguments: &[&str]) -> Vec<(String, String)> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("template.yaml");
    fs::write(&path, template).unwrap();
    found(&doctor(&[&["--json"], arguments].concat(), &path))
}

#[test]
fn nothing_opens_the_gate_of_our_template() {
    assert_eq!(OurTemplates::read().findings(), []);
    // A listener that is there before is not in the template.
    let own_listener = ["--parameter", "ListenerArn="];
    let output = doctor(&own_listener, &project().join("template.yaml"));
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("nothing opens the gate: ")
            && text.contains("looked at 2 listeners, 3 target groups and 5 functions"),
        "{text}"
    );
    // An operator can choose the mode in which nothing is rejected, and is told so.
    assert!(
        text.contains("advice: mode-report RespondFunction: MTLS_MODE is report (with Mode=report)"),
        "{text}"
    );
    let unread = not_looked_at(&doctor(&["--json"], &project().join("template.yaml")));
    assert!(
        !unread.is_empty()
            && unread
                .iter()
                .all(|unread| unread == "listener:Entry/ListenerRule"),
        "{unread:?}"
    );
}

/// CloudFormation takes a removed property for no change
/// (aws-cloudformation/cloudformation-coverage-roadmap#2497).
#[test]
fn mode_that_a_condition_removes_is_found_and_one_that_it_sets_is_not() {
    let listener = |otherwise: &str| {
        format!(
            "Parameters: {{Mutual: {{Type: String, AllowedValues: [\"true\", \"false\"]}}}}
Conditions: {{IsMutual: !Equals [!Ref Mutual, \"true\"]}}
Resources:
  L:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      Protocol: HTTPS
      SslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06
      MutualAuthentication: !If [IsMutual, {{Mode: passthrough}}, {otherwise}]
      ListenerAttributes: [{{Key: routing.http.request.x_amzn_mtls_clientcert.header_name, Value: x-7f3a}}]
      DefaultActions: [{{Type: redirect}}]
"
        )
    };
    for (otherwise, expected) in [
        ("!Ref AWS::NoValue", 1),
        ("{Mode: \"off\"}", 0),
        ("{Mode: verify}", 0),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("template.yaml");
        fs::write(&path, listener(otherwise)).unwrap();
        let text = stdout(&doctor(&[], &path));
        assert_eq!(
            text.matches("advice: mode-left-out L: ").count(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn rule_of_a_listener_elsewhere_is_not_looked_at_unless_its_template_is_there() {
    let (folder, path) = OurTemplates::read().replaced(OUTPUTS, RULE_ELSEWHERE).written();
    let own_listener = ["--json", "--parameter", "ListenerArn="];
    let output = doctor(&own_listener, &path);
    assert_eq!(found(&output), []);
    assert_eq!(not_looked_at(&output), ["listener:Rule"]);
    let accepted = doctor(
        &[&own_listener[..], &["--accept", "listener:Rule"]].concat(),
        &path,
    );
    assert_eq!(accepted.status.code(), Some(0));

    let listener = |mode: &str| {
        format!(
            "Resources:
  L:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      Protocol: HTTPS
      MutualAuthentication: {{Mode: {mode}}}
      ListenerAttributes: [{{Key: routing.http.request.x_amzn_mtls_clientcert.header_name, Value: x-other}}]
      DefaultActions: [{{Type: fixed-response}}]
Outputs: {{A: {{Value: !Ref L, Export: {{Name: shared-listener}}}}}}
"
        )
    };
    for (mode, check, resource) in [
        ("\"off\"", "listener-without-mutual-tls", "template/Rule"),
        ("passthrough", "header-name-differs", "template/RespondFunction"),
    ] {
        fs::write(folder.path().join("shared.yaml"), listener(mode)).unwrap();
        let expected = (check.to_owned(), resource.to_owned());
        assert_eq!(found(&doctor(&["--json"], folder.path())), [expected], "{mode}");
    }
}

const RULE_ELSEWHERE: &str = "
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
";

#[test]
fn exact_source_arn_without_source_account_is_advice() {
    let before = "      FunctionName: !GetAtt RespondFunction.Arn
      Principal: elasticloadbalancing.amazonaws.com
      SourceAccount: !Ref AWS::AccountId
";
    let after = before.replace("      SourceAccount: !Ref AWS::AccountId\n", "");
    let (_folder, path) = OurTemplates::read().replaced(before, &after).written();
    let text = stdout(&doctor(&[], &path));
    assert!(
        text.contains("advice: source-account RespondPermission"),
        "{text}"
    );
}

/// A fault, the text that it replaces (which must be there), and what the doctor must say: check
/// and resource.
type Fault<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

const HTTP_FORWARD: &str = "        - Type: forward
          TargetGroupArn: !Ref TargetGroupArn
";
const REDIRECT: &str = "        - Type: redirect
          RedirectConfig:
            Protocol: HTTPS
            Port: !Ref ListenerPort
            StatusCode: HTTP_301
";
const WRAPPER: &str = "          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls\n";
const LAYERS: &str = "      Layers: [!Ref GateLayer]\n";
const OUTPUTS: &str = "\nOutputs:\n";
const OUTPUTS_OF_LOAD_BALANCER: &str = "\nOutputs:\n  DnsName:\n";

const HEADER_OF_FUNCTIONS: &str = "        MTLS_HEADER: !If [HasCertificateHeader, !Ref CertificateHeader, !Join [\"\", [x-, !Select [2, !Split [/, !Ref AWS::StackId]]]]]\n";
const HEADER_OF_LISTENER: &str = "      ListenerAttributes:
        - Key: routing.http.request.x_amzn_mtls_clientcert.header_name
          Value: !Ref CertificateHeader
";

const FAULTS: &[Fault<'_>] = &[
    ("the HTTPS listener without mutual TLS",
     "      MutualAuthentication:\n        Mode: passthrough\n", "",
     "listener-without-mutual-tls", "Entry/HttpsListener"),
    ("mutual TLS off",
     "        Mode: passthrough\n", "        Mode: \"off\"\n",
     "listener-without-mutual-tls", "Entry/HttpsListener"),
    ("verify mode",
     "        Mode: passthrough\n", "        Mode: verify\n",
     "listener-not-passthrough", "Entry/HttpsListener"),
    ("the HTTP listener forwards", REDIRECT, HTTP_FORWARD,
     "listener-without-mutual-tls", "Entry/HttpListener"),
    ("the HTTP listener forwards by weights", REDIRECT,
     "        - Type: forward
          ForwardConfig:
            TargetGroups:
              - TargetGroupArn: !Ref TargetGroupArn
                Weight: 1
",
     "listener-without-mutual-tls", "Entry/HttpListener"),
    ("a rule of the HTTP listener forwards", OUTPUTS_OF_LOAD_BALANCER,
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
          TargetGroupArn: !Ref TargetGroupArn

Outputs:
  DnsName:
",
     "listener-without-mutual-tls", "Entry/Rule"),
    ("a second HTTPS listener without mutual TLS", OUTPUTS_OF_LOAD_BALANCER,
     "
  Second:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref LoadBalancer
      Port: 8443
      Protocol: HTTPS
      Certificates: [{CertificateArn: !Ref CertificateArn}]
      DefaultActions: [{Type: forward, TargetGroupArn: {\"Ref\": TargetGroupArn}}]

Outputs:
  DnsName:
",
     "listener-without-mutual-tls", "Entry/Second"),
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
    ("a wrapper that Lambda does not start",
     "      Runtime: python3.13\n", "",
     "wrapper-ignored", "LayeredExampleFunction"),
    ("no wrapper", WRAPPER, "", "wrapper-missing", "LayeredExampleFunction"),
    ("the wrapper of another layer", WRAPPER,
     "          AWS_LAMBDA_EXEC_WRAPPER: /opt/otel-handler\n          LAYER_NEXT_WRAPPER: /opt/alb-mtls\n",
     "wrapper-replaced", "LayeredExampleFunction"),
    ("the layer of Lambda Web Adapter", LAYERS,
     "      Layers: [!Sub \"arn:aws:lambda:${AWS::Region}:753240598075:layer:LambdaAdapterLayerArm64:27\", !Ref GateLayer]\n",
     "adapter-unrouted", "LayeredExampleFunction"),
    ("the wrapper of Lambda Web Adapter behind the gate", WRAPPER,
     "          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls\n          LAYER_NEXT_WRAPPER: /opt/bootstrap\n          LAYER_LISTEN: 127.0.0.1:9009\n",
     "adapter-unrouted", "LayeredExampleFunction"),
    ("Lambda Web Adapter that asks another proxy", WRAPPER,
     "          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls\n          AWS_LWA_LAMBDA_RUNTIME_API_PROXY: 127.0.0.1:9002\n          LAYER_LISTEN: 127.0.0.1:9009\n",
     "adapter-unrouted", "LayeredExampleFunction"),
    ("Lambda Web Adapter in an image, where the gate listens anywhere",
     WRAPPER, "          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls\n          AWS_LWA_LAMBDA_RUNTIME_API_PROXY: 127.0.0.1:9009\n",
     "adapter-unrouted", "LayeredExampleFunction"),
    ("a layer after the gate's", LAYERS,
     "      Layers: [!Ref GateLayer, \"arn:aws:lambda:us-east-1:184161586896:layer:opentelemetry-python-0_13_0:1\"]\n",
     "layer-order", "LayeredExampleFunction"),
    ("a short timeout", LAYERS, "      Layers: [!Ref GateLayer]\n      Timeout: 5\n",
     "timeout-short", "LayeredExampleFunction"),
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
    ("any account can invoke",
     "      FunctionName: !GetAtt RespondFunction.Arn
      Principal: elasticloadbalancing.amazonaws.com
",
     "      FunctionName: !GetAtt RespondFunction.Arn
      Principal: \"*\"
",
     "permission-too-wide", "RespondPermission"),
    ("any API may invoke the authorizer",
     "      SourceArn: !Sub arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${HttpApi}/authorizers/${HttpApiAuthorizer.AuthorizerId}\n", "",
     "permission-too-wide", "Api/HttpApiPermission"),
    ("the functions read a header of another stack", HEADER_OF_FUNCTIONS,
     "        MTLS_HEADER: !Join [\"\", [x-, !Select [1, !Split [/, !Ref AWS::StackId]]]]\n",
     "header-name-differs", "RespondFunction"),
    ("the HTTP API keeps verdicts",
     "      # No documented cache key holds the certificate: from a cache, one client would get another's verdict.
      AuthorizerResultTtlInSeconds: 0
",
     "      AuthorizerResultTtlInSeconds: 60
",
     "authorizer-cached", "Api/HttpApiAuthorizer"),
    ("the REST API keeps verdicts by default",
     "      # As above; without this line API Gateway would cache for 300 seconds.
      AuthorizerResultTtlInSeconds: 0
", "",
     "authorizer-cached", "Api/RestApiAuthorizer"),
    ("the default endpoint of the HTTP API is on",
     "      ProtocolType: HTTP
      DisableExecuteApiEndpoint: true
",
     "      ProtocolType: HTTP
",
     "default-endpoint", "Api/HttpApi"),
    ("target groups of every name",
     "          MTLS_TARGET_GROUPS: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-respond/*\n",
     "          MTLS_TARGET_GROUPS: \"*\"\n",
     "target-groups-unset", "RespondFunction"),
    ("target groups unset",
     "          MTLS_TARGET_GROUPS: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-respond/*\n", "          OTHER: value\n",
     "target-groups-unset", "RespondFunction"),
    ("target groups unset in the function for an upstream",
     "          MTLS_TARGET_GROUPS: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-forward/*\n", "",
     "target-groups-unset", "ForwardFunction"),
    ("report mode by default",
     "    Default: enforce\n", "    Default: report\n",
     "mode-report", "RespondFunction"),
    ("records without an end",
     "    Condition: HasRespond
    UpdateReplacePolicy: Retain
    DeletionPolicy: Retain
    Properties:
      RetentionInDays: !Ref LogRetentionDays
",
     "    Condition: HasRespond
    UpdateReplacePolicy: Retain
    DeletionPolicy: Retain
    Properties:
",
     "log-retention", "RespondLogGroup"),
    ("a log group that Lambda makes",
     "      LoggingConfig: {LogGroup: !Ref RespondLogGroup}\n", "",
     "log-retention", "RespondFunction"),
    ("a trust bucket that may be public",
     "        RestrictPublicBuckets: true

  TrustBucketPolicy:",
     "        RestrictPublicBuckets: false

  TrustBucketPolicy:",
     "trust-bucket-public", "TrustBucket"),
    ("a trust bucket without versions",
     "      VersioningConfiguration:\n        Status: Enabled\n", "",
     "trust-bucket-unversioned", "TrustBucket"),
    ("the gate may write CRLs",
     "Sid: ReadCrls, Effect: Allow, Action: s3:GetObject,", "Sid: ReadCrls, Effect: Allow, Action: s3:*,",
     "trust-writer", "GateRole"),
    ("the gate may write trust anchors",
        "            Action: ssm:GetParametersByPath\n",
        "            Action: [ssm:GetParametersByPath, ssm:Put*]\n",
        "trust-writer", "Trust/ReadAuthoritiesPolicy"),
    ("refresh-crls may write everywhere in the bucket",
     "              - s3:PutObject
            Resource: !Sub ${TrustBucketArn}/crls/*
",
     "              - s3:PutObject
            Resource: !Sub ${TrustBucketArn}/*
",
     "trust-writer", "Trust/PublishCrlsPolicy"),
    ("the gate has the role of refresh-crls",
     "      CodeUri: functions/authorize\n      Role: !GetAtt GateRole.Arn\n",
     "      CodeUri: functions/authorize\n      Role: !GetAtt RefreshCrlsRole.Arn\n",
     "trust-writer", "Trust/PublishCrlsPolicy"),
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
     "        - !GetAtt Trust.Outputs.ReadAuthoritiesPolicy\n        - !If [HasFunctionsInVpc,",
     "        - arn:aws:iam::aws:policy/AmazonSSMFullAccess\n        - !If [HasFunctionsInVpc,",
     "trust-writer", "GateRole"),
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
    let templates = OurTemplates::read();
    for (fault, before, after, check, resource) in FAULTS {
        let found = templates.replaced(before, after).findings();
        let expected = ((*check).to_owned(), (*resource).to_owned());
        assert!(found.contains(&expected), "{fault}: {found:?}");
        // A renaming that is missing on one side concerns every function behind the listener.
        assert!(
            found.iter().all(|(other, _)| other == check),
            "{fault}: {found:?}"
        );
    }
}

fn default_name(resource: &str) -> (String, String) {
    ("default-certificate-header".to_owned(), resource.to_owned())
}

#[test]
fn adapter_and_other_layers_behind_the_gate_are_fine() {
    let adapter = "      Layers: [arn:aws:lambda:us-east-1:753240598075:layer:LambdaAdapterLayerArm64:27, !Ref GateLayer]\n";
    let variables = "          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls
          LAYER_NEXT_WRAPPER: /opt/bootstrap
          LAYER_LISTEN: 127.0.0.1:9009
          AWS_LWA_LAMBDA_RUNTIME_API_PROXY: http://127.0.0.1:9009
          AWS_LWA_PORT: 8000\n";
    let templates = OurTemplates::read()
        .replaced(LAYERS, adapter)
        .replaced(WRAPPER, variables);
    assert_eq!(templates.findings(), []);
}

#[test]
fn a_listener_that_keeps_the_headers_default_name_is_a_finding() {
    let whole = OurTemplates::read();
    let functions = whole.replaced(HEADER_OF_FUNCTIONS, "");
    // Of a listener that was there before, what the functions read is all that is known.
    let expected = ["Entry/HttpsListener", "RespondFunction", "ForwardFunction"].map(default_name);
    assert_eq!(functions.replaced(HEADER_OF_LISTENER, "").findings(), expected);
    for spelling in ["x-amzn-mtls-clientcert", "X-Amzn-Mtls-Clientcert", "\"\""] {
        let written = format!(
            "      ListenerAttributes: [{{Key: routing.http.request.x_amzn_mtls_clientcert.header_name, Value: {spelling}}}]\n"
        );
        assert_eq!(
            functions.replaced(HEADER_OF_LISTENER, &written).findings(),
            expected
        );
    }
    // An attribute of verify mode renames nothing in passthrough mode.
    let other = whole.replaced(
        "x_amzn_mtls_clientcert.header_name",
        "x_amzn_mtls_clientcert_leaf.header_name",
    );
    let found = other.findings();
    assert!(found.contains(&default_name("Entry/HttpsListener")), "{found:?}");
    let differs = ("header-name-differs".to_owned(), "RespondFunction".to_owned());
    assert!(found.contains(&differs), "{found:?}");
    let found = functions.findings();
    assert!(found.contains(&differs), "{found:?}");
}

/// A function whose target group is behind a listener that the template only names.
const BEHIND_ANOTHER_STACK: &str = "
Resources:
  Group:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      TargetType: lambda
      Targets: [{Id: !GetAtt Gate.Arn}]
      TargetGroupAttributes: [{Key: lambda.multi_value_headers.enabled, Value: true}]
  Gate:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: provided.al2023
      LoggingConfig: {LogGroup: !Ref Logs}
      Environment:
        Variables:
          MTLS_ANCHORS: ssm:/anchors/*
          MTLS_TARGET_GROUPS: arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/*
          # HERE
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 90}}
";

#[test]
fn a_function_that_reads_the_default_header_is_a_finding_where_its_listener_is_not_known() {
    let with = |line: &str| findings(&BEHIND_ANOTHER_STACK.replace("# HERE", line), &[]);
    assert_eq!(with(""), [default_name("Gate")]);
    assert_eq!(
        with("MTLS_HEADER: X-Amzn-Mtls-Clientcert"),
        [default_name("Gate")]
    );
    assert_eq!(with("AUTHORIZE_CERTIFICATE: header"), [default_name("Gate")]);
    for line in [
        "MTLS_HEADER: x-gate-7f3a",
        "MTLS_HEADER_FORMAT: rfc9440",
        "AUTHORIZE_CERTIFICATE: client-cert",
    ] {
        assert_eq!(with(line), [], "{line}");
    }
}

#[test]
fn a_file_that_is_nothing_known_is_said_to_be_so() {
    for (content, words) in [
        ("Resources: {", "not YAML or JSON"),
        (
            "Resources: {}\nResources: {}\n",
            "the key `Resources` is there twice",
        ),
        ("hello: world\n", "neither a template, a plan"),
        (
            "Resources: {A: {Type: AWS::S3::Bucket}}\n",
            "there is no gate in what was read",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("template.yaml");
        fs::write(&path, content).unwrap();
        let output = doctor(&[], &path);
        assert_eq!(output.status.code(), Some(2), "{content}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    let output = doctor(&[], &project().join("deploy/terraform/main.tf"));
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    assert!(
        text.contains("terraform show -json") && text.contains("--load-balancer NAME"),
        "{text}"
    );
    let output = doctor(&[], Path::new("/nowhere.yaml"));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_pipe_gets_plain_text_with_place_risk_and_fix() {
    let (_folder, path) = OurTemplates::read()
        .replaced("        Mode: passthrough\n", "        Mode: \"off\"\n")
        .written();
    let output = doctor(&[], &path);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(!text.contains('\u{1b}'), "{text}");
    for part in [
        ": error: listener-without-mutual-tls Entry/HttpsListener: forwards to ",
        "\n  risk: ",
        "\n  fix: ",
        "; looked at ",
    ] {
        assert!(text.contains(part), "{text}");
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
    let with_alias = OurTemplates::read()
        .replaced(target, "      Targets:\n        - Id: !Ref RespondAlias\n")
        .replaced(OUTPUTS, alias);
    assert_eq!(with_alias.findings(), []);
    let groups = "          MTLS_TARGET_GROUPS: !Sub arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/${AWS::StackName}-respond/*\n";
    // With no variable of its own left, SAM would give it none of the others either.
    let found = with_alias.replaced(groups, "          OTHER: value\n").findings();
    assert_eq!(
        found,
        [("target-groups-unset".to_owned(), "RespondFunction".to_owned())]
    );
}
