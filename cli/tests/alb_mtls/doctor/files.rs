//! Files of every kind, and reports on unreadable ones.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{doctor, found, not_looked_at, project, report, stdout};
use crate::support::stderr;

fn written(name: &str, text: &str) -> (TempDir, Output) {
    let folder = TempDir::new().unwrap();
    write(folder.path(), name, text);
    let output = doctor(&["--json"], folder.path());
    (folder, output)
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A gate with everything but what a test is about.
fn gate(more: &str) -> String {
    format!(
        "Resources:
  L:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      Protocol: HTTPS
      SslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06
      MutualAuthentication: {{Mode: passthrough}}
      ListenerAttributes: [{{Key: routing.http.request.x_amzn_mtls_clientcert.header_name, Value: x-7f3a}}]
      DefaultActions: [{{Type: forward, TargetGroupArn: !Ref G}}]
  G:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      TargetType: lambda
      Targets: [{{Id: !GetAtt F.Arn}}]
      TargetGroupAttributes: [{{Key: lambda.multi_value_headers.enabled, Value: yes}}]
  F:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: gate
      Runtime: provided.al2023
      Environment:
        Variables:
          MTLS_ANCHORS: ssm:/anchors/*
          MTLS_HEADER: x-7f3a
          MTLS_TARGET_GROUPS: !Ref G
  Logs: {{Type: AWS::Logs::LogGroup, Properties: {{LogGroupName: /aws/lambda/gate, RetentionInDays: 30}}}}
{more}"
    )
}

#[test]
fn function_is_known_by_every_name_that_it_has() {
    let permission = |function: &str| {
        gate(&format!(
            "  P: {{Type: AWS::Lambda::Permission, Properties: {{Action: lambda:InvokeFunction, Principal: \"*\", FunctionName: {function}}}}}
  A: {{Type: AWS::Lambda::Alias, Properties: {{Name: live, FunctionName: !Ref F, FunctionVersion: !GetAtt V.Version}}}}
  V: {{Type: AWS::Lambda::Version, Properties: {{FunctionName: !Ref F}}}}
"
        ))
    };
    for function in [
        "!Ref F",
        "!GetAtt F.Arn",
        "!Sub \"${F.Arn}:live\"",
        "!Sub \"${F}:live\"",
        "!Ref A",
        "!Ref V",
        "gate",
        "gate:live",
        "!Sub \"arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:gate\"",
        "arn:aws:lambda:eu-west-1:123456789012:function:gate:live",
        "123456789012:function:gate",
        "!Join [\":\", [!GetAtt F.Arn, live]]",
        "!Select [0, [!Ref F, other]]",
    ] {
        let (_folder, output) = written("t.yaml", &permission(function));
        let expected = ("permission-too-wide".to_owned(), "P".to_owned());
        assert_eq!(found(&output), [expected], "{function}");
    }
    for function in ["other", "!Ref Other", "gate2"] {
        let (_folder, output) = written("t.yaml", &permission(function));
        assert_eq!(found(&output), [], "{function}");
    }
}

#[test]
fn part_that_cannot_be_read_is_named_with_a_code_of_its_own() {
    for (more, gap) in [
        (
            "  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: https://s3.amazonaws.com/b/n.yaml}}\n",
            "nested-stack:N",
        ),
        (
            "  N: {Type: AWS::Serverless::Application, Properties: {Location: missing.yaml}}\n",
            "nested-stack:N",
        ),
        (
            "  N: {Type: My::Team::Gate::MODULE, Properties: {}}\n",
            "module:N",
        ),
        (
            "  N: {Type: AWS::SNS::Topic, Properties: {\"Fn::Transform\": {Name: Anything}}}\n",
            "transform:Anything",
        ),
        (
            "Transform: [AWS::Serverless-2016-10-31, Company]\n",
            "transform:Company",
        ),
        (
            "  N: {Type: AWS::Lambda::Permission, Properties: {Action: lambda:GetFunction, FunctionName: !Unheard x}}\n",
            "intrinsic:Fn::Unheard",
        ),
        (
            "  N: {Type: AWS::Serverless::GraphQLApi, Properties: {}}\n",
            "transform:N",
        ),
        (
            "  \"Fn::ForEach::X\": [X, !Ref Xs, {\"N${X}\": {Type: AWS::SNS::Topic}}]\nParameters: {Xs: {Type: CommaDelimitedList}}\n",
            "loop:Fn::ForEach",
        ),
        (
            "  R: {Type: AWS::ElasticLoadBalancingV2::ListenerRule, Properties: {ListenerArn: !Ref Arn, Actions: [{Type: forward, TargetGroupArn: !Ref G}]}}\nParameters: {Arn: {Type: String}}\n",
            "listener:R",
        ),
        (
            "  M: {Type: AWS::ElasticLoadBalancingV2::Listener, Properties: {Protocol: HTTPS, MutualAuthentication: {Mode: !Ref Mode}, DefaultActions: [{Type: forward, TargetGroupArn: !Ref G}]}}\nParameters: {Mode: {Type: String}}\n",
            "listener:M",
        ),
        (
            "  H: {Type: AWS::ElasticLoadBalancingV2::ListenerRule, Properties: {ListenerArn: !Ref L, Actions: [{Type: forward, TargetGroupArn: !ImportValue other}]}}\n",
            "target-group:${import other}",
        ),
    ] {
        let (folder, output) = written("t.yaml", &gate(more));
        assert_eq!(found(&output), [], "{more}");
        assert_eq!(not_looked_at(&output), [gap], "{more}");
        let accepted = doctor(&["--json", "--accept", gap], folder.path());
        assert_eq!(accepted.status.code(), Some(0), "{gap}");
        let stale = doctor(&["--accept", gap, "--accept", "nothing:of-this"], folder.path());
        assert!(
            stdout(&stale).contains("no use for --accept nothing:of-this"),
            "{}",
            stdout(&stale)
        );
    }
}

#[test]
fn value_of_a_parameter_can_be_given() {
    let more = "  M: {Type: AWS::ElasticLoadBalancingV2::Listener, Properties: {Protocol: HTTPS, MutualAuthentication: {Mode: !Ref Mode}, DefaultActions: [{Type: forward, TargetGroupArn: !Ref G}]}}\nParameters: {Mode: {Type: String}}\n";
    let (folder, _) = written("t.yaml", &gate(more));
    let with = |value: &str| doctor(&["--json", "--parameter", value], folder.path());
    let expected = |check: &str| (check.to_owned(), "M".to_owned());
    assert_eq!(
        found(&with("Mode=off")),
        [expected("listener-without-mutual-tls")]
    );
    assert_eq!(
        found(&with("Mode=verify")),
        [expected("listener-not-passthrough")]
    );
    assert_eq!(
        found(&with("Mode=passthrough")),
        [
            ("header-name-differs".to_owned(), "F".to_owned()),
            expected("default-certificate-header")
        ]
    );
    assert_eq!(with("Mode").status.code(), Some(2));
}

#[test]
fn hole_under_one_value_of_a_parameter_is_found_with_that_value() {
    let http = "Type: AWS::ElasticLoadBalancingV2::Listener, Properties: {Protocol: HTTP, DefaultActions: [{Type: forward, TargetGroupArn: !Ref G}]}}";
    for (more, when) in [
        (
            format!(
                "  H: {{Condition: C, {http}\nConditions: {{C: !Equals [!Ref AWS::AccountId, \"123456789012\"]}}\n"
            ),
            "AWS::AccountId=123456789012",
        ),
        (
            format!(
                "  H: {{Condition: C, {http}\nConditions: {{C: !Not [!Equals [!Ref AWS::Partition, aws]]}}\n"
            ),
            "",
        ),
        (
            format!(
                "  H: {{Condition: C, {http}\nConditions: {{C: !Equals [!Ref A, !Ref B]}}\nParameters: {{A: {{Type: String}}, B: {{Type: String}}}}\n"
            ),
            "${A} = ${B}",
        ),
        (
            format!(
                "  H: {{Condition: C, {http}\nConditions: {{C: !Equals [!FindInMap [M, !Ref \"AWS::Region\", Http], \"on\"]}}\nMappings: {{M: {{eu-west-1: {{Http: \"off\"}}, us-east-1: {{Http: \"on\"}}}}}}\n"
            ),
            "AWS::Region=us-east-1",
        ),
        (
            format!(
                "  H: {{Condition: C, {http}\nConditions: {{C: !And [!Condition A, !Not [!Equals [!Select [0, !Ref Xs], a]]], A: !Or [!Equals [!Ref E, prod], !Equals [!Ref E, stage]]}}\nParameters: {{E: {{Type: String, Default: dev, AllowedValues: [dev, stage, prod]}}, Xs: {{Type: CommaDelimitedList, Default: \"b,c\"}}}}\n"
            ),
            "E=stage",
        ),
        (format!("  H: {{{http}\nParameters: {{}}\n"), ""),
    ] {
        let (_folder, output) = written("t.yaml", &gate(&more));
        let report = report(&output);
        let findings = report["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "{more}: {report}");
        assert_eq!(findings[0]["resource"], "H");
        let expected = if when.is_empty() { json!([]) } else { json!([when]) };
        assert_eq!(findings[0]["when"], expected, "{more}");
    }
}

#[test]
fn loop_merge_key_include_and_nested_stack_on_disk_are_read() {
    let folder = TempDir::new().unwrap();
    let url = "Type: AWS::Lambda::Url, Properties: {AuthType: NONE, TargetFunctionArn: ";
    for (name, more, resource) in [
        (
            "loop",
            format!(
                "  \"Fn::ForEach::U\": [X, [a, b], {{\"U${{X}}\": {{{url}!Ref F}}}}}}]\nTransform: AWS::LanguageExtensions\n"
            ),
            "Ua",
        ),
        (
            "merge",
            format!("  U: {{<<: *u}}\nX: &u {{{url}!Ref F}}}}\n").replace("  U: {<<: *u}\nX: &u", "  X: &u"),
            "X",
        ),
    ] {
        write(folder.path(), "t.yaml", &gate(&more));
        let found = found(&doctor(&["--json"], folder.path()));
        assert!(
            found.contains(&("function-url".to_owned(), resource.to_owned())),
            "{name}: {found:?}"
        );
    }
    write(
        folder.path(),
        "t.yaml",
        &gate(
            "  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: ./nested/n.yaml, Parameters: {Function: !GetAtt F.Arn}}}\n",
        ),
    );
    write(
        folder.path(),
        "nested/n.yaml",
        &format!("Parameters: {{Function: {{Type: String}}}}\nResources:\n  U: {{{url}!Ref Function}}}}\n"),
    );
    let output = doctor(&["--json"], folder.path());
    assert_eq!(found(&output), [("function-url".to_owned(), "N/U".to_owned())]);
}

#[test]
fn folder_of_cdk_is_read_with_its_nested_stacks() {
    let folder = TempDir::new().unwrap();
    write(
        folder.path(),
        "manifest.json",
        r#"{"version": "40.0.0", "artifacts": {}}"#,
    );
    write(
        folder.path(),
        "tree.json",
        r#"{"version": "tree-0.1", "tree": {}}"#,
    );
    write(
        folder.path(),
        "A.assets.json",
        r#"{"version": "40.0.0", "files": {}, "dockerImages": {}}"#,
    );
    write(folder.path(), "asset.1234/index.json", "not JSON {");
    let url = json!({"Resources": {"Url5": {"Type": "AWS::Lambda::Url",
        "Properties": {"AuthType": "NONE", "TargetFunctionArn": {"Ref": "referencetoF"}}}},
        "Parameters": {"referencetoF": {"Type": "String"}}});
    write(folder.path(), "N.nested.template.json", &url.to_string());
    let nested = "  N:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      TemplateURL: !Join [\"\", [\"https://s3.\", !Ref \"AWS::URLSuffix\"]]\n      Parameters: {referencetoF: !GetAtt F.Arn}\n    Metadata: {\"aws:asset:path\": N.nested.template.json}\n";
    write(folder.path(), "A.template", &gate(nested));
    let output = doctor(&["--json"], folder.path());
    assert_eq!(found(&output), [("function-url".to_owned(), "N/Url5".to_owned())]);
    assert_eq!(not_looked_at(&output), Vec::<String>::new());
}

#[test]
fn bad_file_hides_no_finding_and_is_named() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "a.yaml", "a: [\n");
    write(
        folder.path(),
        "b/t.json",
        &json!({"TemplateBody": gate("")}).to_string(),
    );
    write(folder.path(), "c.yaml", "x: 1\nx: 2\n");
    let output = doctor(&["--json"], folder.path());
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("a.yaml`: not YAML"),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("line 2: the key `x` is there twice"),
        "{}",
        stderr(&output)
    );
    write(
        folder.path(),
        "b/t.json",
        &gate("").replace("passthrough", "\"off\""),
    );
    let output = doctor(&["--json"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("listener-without-mutual-tls"));
}

#[test]
fn file_of_another_kind_is_named_with_the_command_that_makes_it_readable() {
    for (name, words) in [
        ("main.tf", "terraform show -json"),
        ("serverless.yml", "serverless package"),
        ("cdk.json", "cdk synth"),
        ("Chart.yaml", "helm template"),
    ] {
        let folder = TempDir::new().unwrap();
        write(folder.path(), "t.yaml", &gate(""));
        write(folder.path(), name, "x");
        let output = doctor(&["--json"], folder.path());
        assert_eq!(output.status.code(), Some(3), "{name}");
        assert!(stdout(&output).contains(words), "{}", stdout(&output));
    }
}

#[test]
fn warnings_are_errors_only_where_they_are_denied() {
    let (folder, output) = written("t.yaml", &gate("").replace("RetentionInDays: 30", "Tags: []"));
    assert_eq!(found(&output), [("log-retention".to_owned(), "Logs".to_owned())]);
    assert_eq!(output.status.code(), Some(0));
    let denied = doctor(&["--deny-warnings"], folder.path());
    assert_eq!(denied.status.code(), Some(1));
}

#[test]
fn sarif_has_a_rule_and_a_place_for_each_result_and_says_when_it_failed() {
    let (folder, _) = written(
        "t.yaml",
        &gate("  N: {Type: My::Team::Gate::MODULE}\n").replace("passthrough", "\"off\""),
    );
    let log: Value = serde_json::from_str(&stdout(&doctor(&["--sarif"], folder.path()))).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    let ids: Vec<&str> = results
        .iter()
        .map(|result| result["ruleId"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["listener-without-mutual-tls", "not-looked-at/module"]);
    for result in results {
        assert!(
            rules.iter().any(|rule| rule["id"] == result["ruleId"]),
            "{result}"
        );
        let place = &result["locations"][0]["physicalLocation"];
        assert!(
            place["artifactLocation"]["uri"]
                .as_str()
                .unwrap()
                .ends_with("/t.yaml"),
            "{place}"
        );
        assert!(place["region"]["startLine"].as_u64().unwrap() > 1, "{place}");
    }
    let output = crate::support::alb_mtls(&["doctor", "--sarif", "/nowhere.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let log: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        log["runs"][0]["results"][0]["ruleId"],
        "not-looked-at/unreadable-file"
    );
}

#[test]
fn page_is_what_the_rules_say() {
    let path = project().join("docs/doctor.md");
    let output = crate::support::alb_mtls(&["doctor", "--rules"]);
    assert_eq!(output.status.code(), Some(0));
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, &output.stdout).unwrap();
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == stdout(&output),
        "docs/doctor.md is not what `alb-mtls doctor --rules` prints: `make readme` writes it"
    );
}
