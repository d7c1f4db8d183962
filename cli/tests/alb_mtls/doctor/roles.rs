//! Roles: who publishes CRLs, who else may write, and what the gate itself may not read.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::{doctor, found, not_looked_at};

/// Returns the findings on a template.
fn findings(template: &str) -> Vec<(String, String)> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("template.yaml");
    fs::write(&path, template).unwrap();
    let output = doctor(&["--json"], &path);
    // These templates have no listener.
    let gaps = not_looked_at(&output);
    let mut gaps = gaps.iter();
    assert!(gaps.all(|gap| gap.starts_with("listener:")), "{template}");
    found(&output)
}

/// `refresh-crls` and a gate as CloudFormation has them, without SAM: the roles and the policy are
/// resources of their own.
const REFRESHER: &str = "Resources:
  Trust:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {Status: Enabled}
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true}
  Refresher:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: provided.al2023
      Role: !GetAtt RefresherRole.Arn
      Environment:
        Variables:
          CRL_ANCHORS: ssm:/pki/anchors/*
          CRL_SOURCES: http://crl.example.com/root.crl
          CRL_DESTINATION: !Sub s3://${Trust}/crls/
  RefresherRole:
    Type: AWS::IAM::Role
    Properties:
      ManagedPolicyArns: [!Sub \"arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole\"]
      Policies: [{PolicyName: read, PolicyDocument: {Statement: [{Effect: Allow, Action: ssm:GetParametersByPath, Resource: !Sub \"arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/pki/*\"}]}}]
  Publish:
    Type: AWS::IAM::Policy
    Properties:
      Roles: [!Ref RefresherRole]
      PolicyDocument: {Statement: [{Effect: Allow, Action: [s3:GetObject, s3:PutObject], Resource: !Sub \"${Trust.Arn}/crls/*\"}]}
  Gate:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: provided.al2023
      Role: !GetAtt GateRole.Arn
      LoggingConfig: {LogGroup: !Ref Logs}
      Environment:
        Variables:
          MTLS_ANCHORS: ssm:/pki/anchors/*
          MTLS_CRLS: !Sub s3://${Trust}/crls/crl.example.com/root.crl
          MTLS_HEADER: x-7f3a
  GateRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyName: read
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: ssm:GetParametersByPath, Resource: !Sub \"arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/pki/anchors\"}
              - {Effect: Allow, Action: s3:GetObject, Resource: !Sub \"${Trust.Arn}/crls/*\"}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 30}}
";

fn finding(check: &str, resource: &str) -> (String, String) {
    (check.to_owned(), resource.to_owned())
}

#[test]
fn refresher_publishes_below_its_destination_and_nothing_else_does() {
    assert_eq!(findings(REFRESHER), []);
    for (before, after) in [
        // Anywhere in the bucket, also where no CRL is.
        (
            "Resource: !Sub \"${Trust.Arn}/crls/*\"}]}\n  Gate",
            "Resource: !Sub \"${Trust.Arn}/*\"}]}\n  Gate",
        ),
        // The gate has the policy too.
        (
            "Roles: [!Ref RefresherRole]",
            "Roles: [!Ref RefresherRole, !Ref GateRole]",
        ),
        // A role without a function here: anything can have it.
        (
            "Roles: [!Ref RefresherRole]",
            "Roles: [!Ref RefresherRole, deployers]",
        ),
        (
            "Roles: [!Ref RefresherRole]",
            "Roles: [!Ref RefresherRole]\n      Users: [alice]",
        ),
        (
            "Roles: [!Ref RefresherRole]",
            "Roles: [!Ref RefresherRole]\n      Groups: [!Ref Operators]",
        ),
        ("Roles: [!Ref RefresherRole]", "Users: [alice]"),
        // The gate has the role.
        ("Role: !GetAtt GateRole.Arn", "Role: !GetAtt RefresherRole.Arn"),
        // The function publishes elsewhere.
        (
            "CRL_DESTINATION: !Sub s3://${Trust}/crls/",
            "CRL_DESTINATION: !Sub s3://${Trust}/other/",
        ),
        (
            "CRL_DESTINATION: !Sub s3://${Trust}/crls/",
            "CRL_DESTINATION: s3://other/crls/",
        ),
    ] {
        assert!(REFRESHER.contains(before), "{before}");
        let found = findings(&REFRESHER.replacen(before, after, 1));
        assert!(
            found.contains(&finding("trust-writer", "Publish")),
            "{after}: {found:?}"
        );
    }
}

#[test]
fn source_that_the_role_may_not_read_is_found() {
    for (before, after, function) in [
        ("parameter/pki/anchors\"", "parameter/pki/other\"", "Gate"),
        (
            "Action: ssm:GetParametersByPath, Resource: !Sub \"arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/pki/anchors",
            "Action: ssm:GetParameter, Resource: !Sub \"arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/pki/anchors",
            "Gate",
        ),
        (
            "              - {Effect: Allow, Action: s3:GetObject, Resource: !Sub \"${Trust.Arn}/crls/*\"}\n",
            "",
            "Gate",
        ),
        (
            "Effect: Allow, Action: s3:GetObject, Resource: !Sub \"${Trust.Arn}/crls/*\"",
            "Effect: Allow, Action: s3:GetObject, Resource: !Sub \"${Trust.Arn}/other/*\"",
            "Gate",
        ),
        (
            "Effect: Allow, Action: s3:GetObject, Resource: !Sub \"${Trust.Arn}/crls/*\"",
            "Effect: Deny, Action: s3:GetObject, Resource: !Sub \"${Trust.Arn}/crls/*\"",
            "Gate",
        ),
        (
            "CRL_ANCHORS: ssm:/pki/anchors/*",
            "CRL_ANCHORS: ssm:/other/anchors/*",
            "Refresher",
        ),
        (
            "CRL_SOURCES: http://crl.example.com/root.crl",
            "CRL_SOURCES: s3://pki/root.crl",
            "Refresher",
        ),
        (
            "MTLS_HEADER: x-7f3a",
            "MTLS_HEADER: x-7f3a\n          MTLS_INTERMEDIATES: s3://pki/issuing.pem",
            "Gate",
        ),
        (
            "MTLS_HEADER: x-7f3a",
            "MTLS_HEADER: x-7f3a\n          MTLS_SHADOW_POLICY: ssm:/gate/policies/*",
            "Gate",
        ),
    ] {
        assert!(REFRESHER.contains(before), "{before}");
        let found = findings(&REFRESHER.replacen(before, after, 1));
        assert_eq!(found, [finding("source-without-permission", function)], "{after}");
    }
}

#[test]
fn role_that_is_not_known_in_full_is_not_judged() {
    for (before, after) in [
        (
            "Role: !GetAtt GateRole.Arn",
            "Role: arn:aws:iam::123456789012:role/gate",
        ),
        (
            "      Policies:\n        - PolicyName",
            "      ManagedPolicyArns: [arn:aws:iam::123456789012:policy/own]\n      Policies:\n        - PolicyName",
        ),
        (
            "      Policies:\n        - PolicyName",
            "      ManagedPolicyArns: [!ImportValue Elsewhere]\n      Policies:\n        - PolicyName",
        ),
        (
            "      Policies:\n        - PolicyName",
            "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      Policies:\n        - PolicyName",
        ),
    ] {
        assert!(REFRESHER.contains(before), "{before}");
        let less = REFRESHER.replacen(before, after, 1).replacen(
            "              - {Effect: Allow, Action: s3:GetObject, Resource: !Sub \"${Trust.Arn}/crls/*\"}\n",
            "",
            1,
        );
        let found = findings(&less);
        assert!(
            !found
                .iter()
                .any(|(check, _)| check == "source-without-permission"),
            "{after}: {found:?}"
        );
    }
}

#[test]
fn policies_of_terraform_lead_to_their_functions() {
    let resource = |address: &str, values: serde_json::Value| {
        let (kind, name) = address.split_once('.').unwrap();
        json!({"address": address, "mode": "managed", "type": kind, "name": name, "values": values})
    };
    let statement = |action: &str, resource: &str| {
        json!({"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}).to_string()
    };
    let state = |role: &str, policies: Vec<serde_json::Value>| {
        let mut resources = vec![
            resource(
                "aws_iam_role.crls",
                json!({"name": "crls", "arn": "arn:aws:iam::123456789012:role/crls"}),
            ),
            resource(
                "aws_iam_role.gate",
                json!({"name": "gate", "arn": "arn:aws:iam::123456789012:role/gate"}),
            ),
            resource(
                "aws_lambda_function.crls",
                json!({"function_name": "crls", "runtime": "provided.al2023", "role": format!("arn:aws:iam::123456789012:role/{role}"),
                    "environment": [{"variables": {"CRL_ANCHORS": "file:/opt/anchors.pem", "CRL_DESTINATION": "s3://trust/crls/", "CRL_SOURCES": "http://a.example/b.crl"}}]}),
            ),
            resource(
                "aws_lambda_function.gate",
                json!({"function_name": "gate", "runtime": "provided.al2023", "role": "arn:aws:iam::123456789012:role/gate",
                    "logging_config": [{"log_group": "gate"}],
                    "environment": [{"variables": {"MTLS_ANCHORS": "file:/opt/anchors.pem", "MTLS_CRLS": "s3://trust/crls/a.example/b.crl", "MTLS_HEADER": "x-7f3a"}}]}),
            ),
            resource(
                "aws_cloudwatch_log_group.gate",
                json!({"name": "gate", "retention_in_days": 90}),
            ),
            resource(
                "aws_iam_role_policy.gate",
                json!({"role": "gate", "policy": statement("s3:GetObject", "arn:aws:s3:::trust/*")}),
            ),
        ];
        resources.extend(policies);
        json!({"format_version": "1.0", "values": {"root_module": {"resources": resources}}}).to_string()
    };
    let examined = |document: String| {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("state.json"), document).unwrap();
        found(&doctor(&["--json"], folder.path()))
    };
    let publish = statement("s3:PutObject", "arn:aws:s3:::trust/crls/*");
    let inline = |role: &str| {
        resource(
            "aws_iam_role_policy.publish",
            json!({"role": role, "policy": publish}),
        )
    };
    let managed = resource(
        "aws_iam_policy.publish",
        json!({"arn": "arn:aws:iam::123456789012:policy/publish", "policy": publish}),
    );
    let attached = |role: &str| {
        resource(
            &format!("aws_iam_role_policy_attachment.{role}"),
            json!({"role": role, "policy_arn": "arn:aws:iam::123456789012:policy/publish"}),
        )
    };
    assert_eq!(examined(state("crls", vec![inline("crls")])), []);
    assert_eq!(
        examined(state("crls", vec![managed.clone(), attached("crls")])),
        []
    );
    for (role, policies, writer) in [
        ("crls", vec![inline("gate")], "aws_iam_role_policy.publish"),
        ("crls", vec![inline("deployers")], "aws_iam_role_policy.publish"),
        ("gate", vec![inline("gate")], "aws_iam_role_policy.publish"),
        (
            "crls",
            vec![managed.clone(), attached("crls"), attached("gate")],
            "aws_iam_policy.publish",
        ),
        ("crls", vec![managed.clone()], "aws_iam_policy.publish"),
    ] {
        let found = examined(state(role, policies));
        assert_eq!(found, [finding("trust-writer", writer)], "{role}");
    }
}

#[test]
fn url_of_a_function_needs_two_statements_and_each_is_found() {
    let url = |statement: &str| {
        format!(
            "{REFRESHER}  Url: {{Type: AWS::Lambda::Permission, Properties: {{FunctionName: !Ref Gate, Principal: \"*\", {statement}}}}}\n"
        )
    };
    for statement in [
        "Action: lambda:InvokeFunctionUrl, FunctionUrlAuthType: NONE",
        "Action: lambda:InvokeFunctionUrl, FunctionUrlAuthType: AWS_IAM",
        "Action: lambda:InvokeFunction, InvokedViaFunctionUrl: true",
    ] {
        assert_eq!(
            findings(&url(statement)),
            [finding("function-url", "Url")],
            "{statement}"
        );
    }
    let any = "Action: lambda:InvokeFunction, InvokedViaFunctionUrl: false";
    assert_eq!(findings(&url(any)), [finding("permission-too-wide", "Url")]);
    // Terraform writes the second one with an attribute of its own since provider 6.29
    // (hashicorp/terraform-provider-aws#44829).
    let permission = json!({"address": "aws_lambda_permission.url", "mode": "managed", "type": "aws_lambda_permission", "name": "url",
        "values": {"function_name": "gate", "action": "lambda:InvokeFunction", "principal": "*", "invoked_via_function_url": true}});
    let function = json!({"address": "aws_lambda_function.gate", "mode": "managed", "type": "aws_lambda_function", "name": "gate",
        "values": {"function_name": "gate", "runtime": "provided.al2023", "logging_config": [{"log_group": "gate"}],
            "environment": [{"variables": {"MTLS_ANCHORS": "file:/opt/anchors.pem", "MTLS_HEADER": "x-7f3a"}}]}});
    let logs = json!({"address": "aws_cloudwatch_log_group.gate", "mode": "managed", "type": "aws_cloudwatch_log_group", "name": "gate",
        "values": {"name": "gate", "retention_in_days": 90}});
    let state = json!({"format_version": "1.0", "values": {"root_module": {"resources": [permission, function, logs]}}});
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("state.json"), state.to_string()).unwrap();
    let found = found(&doctor(&["--json"], folder.path()));
    assert_eq!(found, [finding("function-url", "aws_lambda_permission.url")]);
}
