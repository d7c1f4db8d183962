//! `docs/doctor.md`, from the tables of rules and gaps and from samples that tests hold the doctor
//! against.

use std::fmt::Write;

use crate::doctor::rules::{GAPS, RULES};

/// Template that no rule has anything to say about.
#[cfg(test)]
const SAMPLE: &str = include_str!("sample.yaml");

/// Manifest that no rule has anything to say about.
#[cfg(test)]
const SAMPLE_MANIFEST: &str = include_str!("sample-manifest.yaml");

const INTRODUCTION: &str = "# The doctor

`alb-mtls doctor` looks for what opens a gate that is right but wired wrong: in templates of CloudFormation and SAM, in `cdk.out` and `.serverless`, in Terraform plans and states
(`terraform show -json`), in Kubernetes manifests for the AWS Load Balancer Controller, and in what AWS says of a deployed stack. This page is what `alb-mtls doctor --rules` prints.

It has three answers, each with an exit code of its own:

| answer | exit code | meaning |
| --- | --- | --- |
| finding | 1 | an error, or with `--deny-warnings` a warning: see the rules below |
| clean | 0 | nothing opens the gate, and everything was looked at; warnings and advice can be there |
| not looked at | 3 | nothing was found, and something could not be read: the report names it, and what makes it readable |

Wrong usage, a file that cannot be read and files without a gate end with 2. `--accept CHECK:RESOURCE` leaves out one finding, or one thing that is not looked at, by the names in the
report, so that a pipeline can keep the doctor on; an exception that nothing needs is named. `--json` prints one object, `--sarif` a log for code scanning.

A template is judged for every value that its conditions and allowed values distinguish, in each Region and account that it compares; a finding says with which values it is so. Where
there are more than 192 combinations, each value, each two conditions in every way and an arbitrary choice of the rest are tried, and the report says how many. `--parameter NAME=VALUE`
gives a parameter its value.
";

/// Lines of the sample that a rule wants as they are, and what breaks it.
struct Sample {
    rule: &'static str,
    good: &'static str,
    bad: &'static str,
    repair: Repair,
}

/// Lines in the place of the bad ones, on the page.
enum Repair {
    /// The good lines.
    Good,
    /// Others, which keep what the bad ones were there for.
    Lines(&'static str),
    /// Nothing in their place: the repair is elsewhere, and the rule says it.
    Elsewhere,
}

const fn sample(rule: &'static str, good: &'static str, bad: &'static str) -> Sample {
    repaired(rule, good, bad, Repair::Good)
}

const fn repaired(rule: &'static str, good: &'static str, bad: &'static str, repair: Repair) -> Sample {
    Sample {
        rule,
        good,
        bad,
        repair,
    }
}

#[rustfmt::skip]
const SAMPLES: &[Sample] = &[
    sample("listener-without-mutual-tls",
        "        - Type: redirect\n          RedirectConfig: {Protocol: HTTPS, Port: \"443\", StatusCode: HTTP_301}\n",
        "        - Type: forward\n          TargetGroupArn: !Ref Group\n"),
    sample("listener-not-passthrough",
        "      MutualAuthentication:\n        Mode: passthrough\n",
        "      MutualAuthentication:\n        Mode: verify\n        TrustStoreArn: !Ref TrustStore\n"),
    sample("target-without-gate",
        "          MTLS_ANCHORS: !Sub s3://${Bucket}/anchors.pem\n", ""),
    sample("default-certificate-header",
        "      ListenerAttributes:\n        - Key: routing.http.request.x_amzn_mtls_clientcert.header_name\n          Value: x-7f3a\n", ""),
    sample("header-name-differs", "          MTLS_HEADER: x-7f3a\n", "          MTLS_HEADER: x-91c2\n"),
    sample("single-value-headers",
        "        - Key: lambda.multi_value_headers.enabled\n          Value: \"true\"\n",
        "        - Key: lambda.multi_value_headers.enabled\n          Value: \"false\"\n"),
    sample("target-groups-unset",
        "          MTLS_TARGET_GROUPS: !Sub arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/gate/*\n",
        "          MTLS_TARGET_GROUPS: !Sub arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/*\n"),
    sample("mode-report", "          MTLS_MODE: enforce\n", "          MTLS_MODE: report\n"),
    sample("anchors-empty", "          MTLS_ANCHORS: !Sub s3://${Bucket}/anchors.pem\n", "          MTLS_ANCHORS: \"\"\n"),
    sample("wrapper-ignored", "      Runtime: python3.13\n", "      Runtime: provided.al2023\n"),
    sample("wrapper-missing", "          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls\n", ""),
    repaired("wrapper-replaced",
        "          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls\n",
        "          AWS_LAMBDA_EXEC_WRAPPER: /opt/otel-instrument\n",
        Repair::Lines("          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls\n          LAYER_NEXT_WRAPPER: /opt/otel-instrument\n")),
    repaired("adapter-unrouted",
        "          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls\n",
        "          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls\n          LAYER_NEXT_WRAPPER: /opt/bootstrap\n",
        Repair::Lines("          AWS_LAMBDA_EXEC_WRAPPER: /opt/alb-mtls\n          LAYER_NEXT_WRAPPER: /opt/bootstrap\n          LAYER_LISTEN: 127.0.0.1:9009\n          AWS_LWA_LAMBDA_RUNTIME_API_PROXY: 127.0.0.1:9009\n")),
    repaired("layer-order",
        "      Layers: [!Ref GateLayer]\n",
        "      Layers: [!Ref GateLayer, !Ref OtelLayer]\n",
        Repair::Lines("      Layers: [!Ref OtelLayer, !Ref GateLayer]\n")),
    sample("timeout-short", "      Timeout: 10\n", "      Timeout: 3\n"),
    sample("function-url",
        "  Permission:\n    Type: AWS::Lambda::Permission\n",
        "  Url:\n    Type: AWS::Lambda::Url\n    Properties: {AuthType: NONE, TargetFunctionArn: !GetAtt Gate.Arn}\n  Permission:\n    Type: AWS::Lambda::Permission\n"),
    sample("permission-too-wide",
        "      SourceArn: !Sub arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:targetgroup/gate/*\n",
        "      SourceArn: !Sub arn:aws:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:*\n"),
    sample("source-account", "      SourceAccount: !Ref AWS::AccountId\n", ""),
    sample("authorizer-cached",
        "      AuthorizerResultTtlInSeconds: 0\n", "      AuthorizerResultTtlInSeconds: 300\n"),
    sample("default-endpoint", "      DisableExecuteApiEndpoint: true\n", ""),
    sample("route-without-authorizer",
        "      AuthorizationType: CUSTOM\n      AuthorizerId: !Ref Authorizer\n", "      AuthorizationType: NONE\n"),
    sample("route-other-authorizer",
        "      AuthorizationType: CUSTOM\n      AuthorizerId: !Ref Authorizer\n", "      AuthorizationType: AWS_IAM\n"),
    sample("trust-bucket-public", "        BlockPublicPolicy: true\n", "        BlockPublicPolicy: false\n"),
    sample("trust-bucket-unversioned", "      VersioningConfiguration:\n        Status: Enabled\n", ""),
    sample("trust-writer", "            Action: s3:GetObject\n", "            Action: s3:*\n"),
    sample("source-without-permission",
        "            Resource: !Sub ${Bucket.Arn}/*\n", "            Resource: arn:aws:s3:::other/*\n"),
    sample("intermediates-missing",
        "          MTLS_INTERMEDIATES: ssm:/gate/intermediates/*\n", ""),
    sample("shared-anchors",
        "          MTLS_ANCHORS: !Sub ssm:/${AWS::StackName}/anchors/*\n  Anchor:\n    Type: AWS::SSM::Parameter\n    Properties:\n      Name: !Sub /${AWS::StackName}/anchors/root\n",
        "          MTLS_ANCHORS: ssm:/gate/anchors/*\n  Anchor:\n    Type: AWS::SSM::Parameter\n    Properties:\n      Name: /gate/anchors/root\n"),
    sample("may-invoke",
        "            Action: s3:GetObject\n            Resource: !Sub ${Bucket.Arn}/*\n",
        "            Action: lambda:InvokeFunction\n            Resource: !GetAtt Gate.Arn\n"),
    sample("gate-bypassed", "      NetworkMode: awsvpc\n", "      NetworkMode: bridge\n"),
    sample("security-group-open",
        "        - SourceSecurityGroupId: !GetAtt LoadBalancerSecurityGroup.GroupId\n", "        - CidrIp: 0.0.0.0/0\n"),
    sample("security-group-wide",
        "        - SourceSecurityGroupId: !GetAtt LoadBalancerSecurityGroup.GroupId\n", "        - CidrIp: 10.0.0.0/8\n"),
    sample("network-policy-missing",
        "  policyTypes: [Ingress]\n", "  policyTypes: [Egress]\n"),
    sample("network-policy-open",
        "        - ipBlock: {cidr: 10.0.0.0/20}\n", "        - ipBlock: {cidr: 10.0.0.0/8}\n"),
    sample("peers-wide",
        "            - {Name: MTLS_PEERS, Value: 10.0.0.0/20 10.0.16.0/20}\n", "            - {Name: MTLS_PEERS, Value: 10.0.0.0/8}\n"),
    sample("peers-any",
        "            - {Name: MTLS_PEERS, Value: 10.0.0.0/20 10.0.16.0/20}\n", "            - {Name: MTLS_PEERS, Value: any}\n"),
    sample("default-header-allowed",
        "            - {Name: SERVER_ALLOW_DEFAULT_HEADER, Value: \"false\"}\n",
        "            - {Name: SERVER_ALLOW_DEFAULT_HEADER, Value: \"true\"}\n"),
    sample("log-retention", "      RetentionInDays: 90\n", "      LogGroupName: gate\n"),
    sample("tls-policy",
        "      SslPolicy: ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09\n", "      SslPolicy: ELBSecurityPolicy-2016-08\n"),
    sample("mode-left-out",
        "      MutualAuthentication:\n        Mode: passthrough\n",
        "      MutualAuthentication: !If [IsGate, {Mode: passthrough}, !Ref AWS::NoValue]\n"),
    sample("rewritten-request",
        "      Conditions: [{Field: path-pattern, Values: [/orders/*]}]\n",
        "      Conditions: [{Field: path-pattern, Values: [/orders/*]}]\n      Transforms:\n        - Type: url-rewrite\n          UrlRewriteConfig: {Rewrites: [{Regex: ^/orders/, Replace: /}]}\n"),
    repaired("token-action",
        "      Conditions: [{Field: path-pattern, Values: [/orders/*]}]\n      Actions:\n",
        "      Conditions: [{Field: path-pattern, Values: [/orders/*]}]\n      Actions:\n        - Type: jwt-validation\n          JwtValidationConfig: {JwksEndpoint: https://idp.example.org/keys, Issuer: https://idp.example.org}\n",
        Repair::Elsewhere),
];

/// Returns the page.
pub(super) fn markdown() -> String {
    let mut text = format!("{INTRODUCTION}\n## Rules\n");
    for rule in RULES {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "\n### {}\n\n**{}**: {}.\n",
            rule.id,
            rule.severity.word(),
            rule.what
        );
        let _ = writeln!(
            text,
            "* Why: {}.\n* Fix: {}.\n* Source: {}.",
            rule.why,
            rule.fix,
            source(rule.source)
        );
        for sample in SAMPLES.iter().filter(|sample| sample.rule == rule.id) {
            let better = match sample.repair {
                Repair::Good => sample.good,
                Repair::Lines(lines) => lines,
                Repair::Elsewhere => continue,
            };
            let _ = write!(
                text,
                "\n```diff\n{}{}```\n",
                marked('-', sample.bad),
                marked('+', better)
            );
        }
    }
    text.push_str("\n## Not looked at\n\n| kind | what it is |\n| --- | --- |\n");
    for gap in GAPS {
        let _ = writeln!(text, "| `{}` | {} |", gap.id, gap.what);
    }
    text
}

fn marked(mark: char, lines: &str) -> String {
    lines.lines().map(|line| format!("{mark}{line}\n")).collect()
}

fn source(source: &str) -> String {
    match source.starts_with("https://") {
        true => format!("<{source}>"),
        false => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::doctor::cloudformation::combinations;
    use crate::doctor::cloudformation::program::Program;
    use crate::doctor::{checks, kubernetes, yaml};

    /// Returns the rules that a template breaks, and what was not looked at.
    fn broken(template: &str) -> (BTreeSet<&'static str>, usize) {
        let template = ("sample.yaml".to_owned(), yaml::parse(template).unwrap());
        let programs = Program::all_of(vec![template], &BTreeMap::new());
        let examination = combinations::examine(&programs[0]);
        let rules = examination.findings.keys().map(|finding| finding.rule.id);
        (rules.collect(), examination.unread.len())
    }

    /// Returns the rules that a manifest breaks, and the number of things not looked at.
    fn broken_by_manifest(manifest: &str) -> (BTreeSet<&'static str>, usize) {
        let objects = yaml::documents(manifest).unwrap().into_iter();
        let objects: Vec<_> = objects.map(|object| ("sample.yaml".to_owned(), object)).collect();
        let outcome = checks::all(&kubernetes::read(&objects));
        let rules = outcome.findings.iter().map(|finding| finding.rule.id);
        (rules.collect(), outcome.unread.len())
    }

    #[test]
    fn samples_break_no_rule() {
        assert_eq!(broken(SAMPLE), (BTreeSet::new(), 0));
        assert_eq!(broken_by_manifest(SAMPLE_MANIFEST), (BTreeSet::new(), 0));
    }

    #[test]
    fn every_rule_has_a_bad_sample_that_breaks_it() {
        for rule in RULES {
            let samples: Vec<_> = SAMPLES.iter().filter(|sample| sample.rule == rule.id).collect();
            assert_eq!(samples.len(), 1, "{}", rule.id);
            let sample = samples[0];
            let (rules, _) = match SAMPLE.contains(sample.good) {
                true => broken(&SAMPLE.replacen(sample.good, sample.bad, 1)),
                false => {
                    assert!(SAMPLE_MANIFEST.contains(sample.good), "{}", rule.id);
                    broken_by_manifest(&SAMPLE_MANIFEST.replacen(sample.good, sample.bad, 1))
                }
            };
            assert!(rules.contains(rule.id), "{}: {rules:?}", rule.id);
        }
    }

    #[test]
    fn lines_that_repair_break_no_rule() {
        for sample in SAMPLES {
            if let Repair::Lines(lines) = sample.repair {
                let repaired = SAMPLE.replacen(sample.good, lines, 1);
                assert_ne!(repaired, SAMPLE, "{}", sample.rule);
                assert_eq!(broken(&repaired).0, BTreeSet::new(), "{}", sample.rule);
            }
        }
    }

    #[test]
    fn rule_names_are_different_and_in_kebab_case() {
        let names: Vec<&str> = RULES
            .iter()
            .map(|rule| rule.id)
            .chain(GAPS.iter().map(|gap| gap.id))
            .collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        let is_kebab = |name: &&str| {
            name.chars()
                .all(|character| character.is_ascii_lowercase() || character == '-')
        };
        assert!(names.iter().all(is_kebab));
    }
}
