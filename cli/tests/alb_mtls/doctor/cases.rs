//! Small templates with one hole each that needs a value to be computed, a name to be resolved or
//! something unknown to be admitted.

use std::fs;

use tempfile::TempDir;

use super::{not_looked_at, report, text};
use crate::support::alb_mtls;

const LISTENER: &str = "  Listener: {Type: AWS::ElasticLoadBalancingV2::Listener, Properties: {Protocol: HTTPS, SslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06, MutualAuthentication: {Mode: passthrough}, ListenerAttributes: [{Key: routing.http.request.x_amzn_mtls_clientcert.header_name, Value: x-7f3a}], DefaultActions: [{Type: forward, TargetGroupArn: !Ref Group}]}}\n";
const GROUP: &str = "  Group: {Type: AWS::ElasticLoadBalancingV2::TargetGroup, Properties: {TargetType: lambda, Targets: [{Id: !GetAtt Gate.Arn}], TargetGroupAttributes: [{Key: lambda.multi_value_headers.enabled, Value: \"true\"}]}}\n";
const GATE: &str = "  Gate: {Type: AWS::Lambda::Function, Properties: {Runtime: provided.al2023, Environment: {Variables: {MTLS_ANCHORS: \"ssm:/a\", MTLS_HEADER: x-7f3a, MTLS_TARGET_GROUPS: \"arn:aws:elasticloadbalancing:*:*:targetgroup/gate/*\"}}, LoggingConfig: {LogGroup: !Ref Logs}}}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 30}}\n";
const PERMISSION: &str = "  Permission: {Type: AWS::Lambda::Permission, Properties: {FunctionName: !Ref Gate, Action: lambda:InvokeFunction, Principal: elasticloadbalancing.amazonaws.com, SourceAccount: !Ref AWS::AccountId, SourceArn: !Ref Group}}\n";
/// A second listener, without mutual TLS, that forwards to the gate.
const OPEN: &str = "  Open: {Type: AWS::ElasticLoadBalancingV2::Listener, Condition: IsOpen, Properties: {Protocol: HTTP, DefaultActions: [{Type: forward, TargetGroupArn: !Ref Group}]}}\n";
const API: &str = "  Authorizer: {Type: AWS::ApiGatewayV2::Authorizer, Properties: {ApiId: !Ref Api, AuthorizerResultTtlInSeconds: 0, AuthorizerUri: !Sub \"arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Gate.Arn}/invocations\"}}
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: HTTP, DisableExecuteApiEndpoint: true}}
  Route: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: GET /, AuthorizationType: CUSTOM, AuthorizerId: !Ref Authorizer}}\n";

/// Returns the exit code with the checks and gaps of some files, of which the first is named.
fn examined(files: &[(&str, &str)]) -> (i32, Vec<String>) {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let path = folder.path().join(files[0].0);
    let output = alb_mtls(&["doctor", path.to_str().unwrap(), "--json"]);
    let findings = report(&output)["findings"].as_array().unwrap().clone();
    let severe = findings.iter().filter(|finding| finding["severity"] != "advice");
    let mut all: Vec<String> = severe.map(|finding| text(&finding["check"])).collect();
    all.extend(not_looked_at(&output));
    (output.status.code().unwrap(), all)
}

fn template(head: &str, resources: &[&str]) -> String {
    format!("{head}Resources:\n{}", resources.concat())
}

fn whole(head: &str, more: &str) -> String {
    template(head, &[LISTENER, GROUP, GATE, more])
}

/// Checks that a template has one finding or one gap, and nothing else.
fn assert_only(template: &str, expected: &str) {
    let (code, all) = examined(&[("template.yaml", template)]);
    let is_gap = expected.contains(':');
    assert_eq!(
        (code, all),
        (if is_gap { 3 } else { 1 }, vec![expected.to_owned()]),
        "{template}"
    );
}

#[test]
fn template_without_a_hole_is_clean() {
    assert_eq!(examined(&[("t.yaml", &whole("", PERMISSION))]), (0, Vec::new()));
}

#[test]
fn composed_comparison_is_tried_in_both_ways() {
    for (parameters, condition) in [
        (
            "Env: {Type: String, Default: dev}",
            "!Equals [!Sub '${Env}-x', prod-x]",
        ),
        (
            "Env: {Type: String, Default: dev}, Team: {Type: String, Default: a}",
            "!Equals [!Join ['-', [!Ref Env, !Ref Team]], prod-b]",
        ),
        (
            "One: {Type: String, Default: a}, Other: {Type: String, Default: b}",
            "!Equals [!Ref One, !Ref Other]",
        ),
        (
            "Env: {Type: String, Default: dev-a}",
            "!Equals [!Select [0, !Split ['-', !Ref Env]], prod]",
        ),
    ] {
        let head = format!("Parameters: {{{parameters}}}\nConditions: {{IsOpen: {condition}}}\n");
        assert_only(&whole(&head, OPEN), "listener-without-mutual-tls");
    }
    let never = "Parameters: {Env: {Type: String, Default: dev}}\nConditions: {IsOpen: !Equals [!Sub '${Env}-x', prod-y]}\n";
    assert_eq!(examined(&[("t.yaml", &whole(never, OPEN))]), (0, Vec::new()));
}

#[test]
fn allowed_numbers_are_tried() {
    let head = "Parameters: {Ttl: {Type: Number, Default: 0, AllowedValues: [0, 60]}}\n";
    let api = API.replace("TtlInSeconds: 0", "TtlInSeconds: !Ref Ttl");
    assert_only(&template(head, &[GATE, &api]), "authorizer-cached");
}

#[test]
fn mode_report_of_an_account_or_an_environment_is_an_error() {
    let mode = |value: &str| GATE.replace("MTLS_HEADER:", &format!("MTLS_MODE: {value}, MTLS_HEADER:"));
    let by_account = "Mappings: {Modes: {'111111111111': {mode: enforce}, '222222222222': {mode: report}}}\n";
    let value = "!FindInMap [Modes, !Ref AWS::AccountId, mode]";
    assert_only(
        &template(by_account, &[LISTENER, GROUP, &mode(value)]),
        "mode-report",
    );
    let by_name = "Conditions: {IsDev: !Equals [!Ref AWS::StackName, gate-dev]}\n";
    let value = "!If [IsDev, report, enforce]";
    assert_only(
        &template(by_name, &[LISTENER, GROUP, &mode(value)]),
        "mode-report",
    );
    // The operator chooses it by its name.
    let chosen = "Parameters: {Mode: {Type: String, Default: enforce, AllowedValues: [enforce, report]}}\n";
    let template = template(chosen, &[LISTENER, GROUP, &mode("!Ref Mode")]);
    assert_eq!(examined(&[("t.yaml", &template)]), (0, Vec::new()));
}

#[test]
fn things_that_are_not_known_can_be_the_gates() {
    let permission = "  P: {Type: AWS::Lambda::Permission, Properties: {FunctionName: !ImportValue gate, Action: lambda:InvokeFunction, Principal: elasticloadbalancing.amazonaws.com}}\n";
    assert_only(&whole("", permission), "target:P");
    let url = "  Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !ImportValue gate, AuthType: NONE}}\n";
    assert_only(&whole("", url), "target:Url");
    let listener = OPEN
        .replace(", Condition: IsOpen", "")
        .replace("!Ref Group", "!ImportValue group");
    assert_only(&whole("", &listener), "target-group:${import group}");
    let source = PERMISSION.replace("!Ref Group", "!ImportValue group");
    assert_only(&whole("", &source), "value:Permission");
    assert_only(&template("", &[GATE]), "listener:Gate");
    assert_only(&template("", &[GROUP, GATE]), "listener:Group");
}

#[test]
fn pattern_of_every_name_is_too_wide() {
    for resource in ["t*", "targetgroup/*/73*", "targetgroup/**"] {
        let arn =
            format!("!Sub 'arn:aws:elasticloadbalancing:${{AWS::Region}}:${{AWS::AccountId}}:{resource}'");
        assert_only(
            &whole("", &PERMISSION.replace("!Ref Group", &arn)),
            "permission-too-wide",
        );
    }
}

#[test]
fn function_within_a_tag_or_another_function_is_computed() {
    let exporting = whole(
        "",
        "Outputs: {Group: {Value: !Ref Group, Export: {Name: !Sub '${AWS::Region}-group'}}}\n",
    );
    let importing = template(
        "",
        &[&OPEN
            .replace(", Condition: IsOpen", "")
            .replace("!Ref Group", "!ImportValue {Fn::Sub: '${AWS::Region}-group'}")],
    );
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("one.yaml"), exporting).unwrap();
    fs::write(folder.path().join("two.yaml"), importing).unwrap();
    let output = alb_mtls(&["doctor", folder.path().to_str().unwrap(), "--json"]);
    assert_eq!(super::found(&output)[0].0, "listener-without-mutual-tls");
    let looped = "  Fn::ForEach::Urls: [Name, [Gate], {'Url${Name}': {Type: AWS::Lambda::Url, Properties: {AuthType: NONE, TargetFunctionArn: !GetAtt [!Sub '${Name}', Arn]}}}]\n";
    assert_only(
        &whole("Transform: AWS::LanguageExtensions\n", looped),
        "function-url",
    );
}

#[test]
fn nested_stack_is_judged_with_what_its_parent_gives_it() {
    let child = "Parameters: {Mode: {Type: String, Default: passthrough}, Group: {Type: String}}\n"
        .to_owned()
        + &template("", &[&LISTENER.replace("passthrough", "!Ref Mode")])
        + "Outputs: {Mode: {Value: !Ref Mode}}\n";
    let nested = |head: &str, condition: &str, mode: &str| {
        let stack = format!(
            "  Nested: {{Type: AWS::CloudFormation::Stack, {condition}Properties: {{TemplateURL: child.yaml, Parameters: {{Group: !Ref Group, Mode: {mode}}}}}}}\n"
        );
        let root = template(head, &[GROUP, GATE, &stack]);
        examined(&[("root.yaml", root.as_str()), ("child.yaml", child.as_str())])
    };
    let open = (1, vec!["listener-without-mutual-tls".to_owned()]);
    assert_eq!(nested("", "", "passthrough"), (0, Vec::new()));
    let environment = "Parameters: {Env: {Type: String, Default: prod}, Modes: {Type: CommaDelimitedList, Default: 'passthrough,off'}}\nConditions: {IsProd: !Equals [!Ref Env, prod]}\n";
    assert_eq!(nested(environment, "", "!If [IsProd, passthrough, 'off']"), open);
    assert_eq!(nested(environment, "", "!Select [1, !Ref Modes]"), open);
    // Without the nested stack nothing is known to forward to the gate.
    let without = nested(environment, "Condition: IsProd, ", "passthrough");
    assert_eq!(without, (3, vec!["listener:Group".to_owned()]));
    let never = "Conditions: {Never: !Equals [a, b]}\n";
    assert_eq!(
        nested(never, "Condition: Never, ", "'off'"),
        (3, vec!["listener:Group".to_owned()])
    );
}

#[test]
fn websocket_messages_need_no_authorizer_and_their_connection_does() {
    let api = |authorization: &str| {
        let routes = format!("  Connect: {{Type: AWS::ApiGatewayV2::Route, Properties: {{ApiId: !Ref Api, RouteKey: $connect, AuthorizationType: {authorization}, AuthorizerId: !Ref Authorizer}}}}
  Default: {{Type: AWS::ApiGatewayV2::Route, Properties: {{ApiId: !Ref Api, RouteKey: $default}}}}\n");
        template(
            "",
            &[
                GATE,
                &API.replace("ProtocolType: HTTP", "ProtocolType: WEBSOCKET"),
                &routes,
            ],
        )
    };
    assert_eq!(examined(&[("t.yaml", &api("CUSTOM"))]), (0, Vec::new()));
    assert_only(&api("NONE"), "route-without-authorizer");
}

#[test]
fn operation_with_a_security_scheme_that_nothing_defines_is_open() {
    let api = |name: &str| {
        API.replace(
        "{ProtocolType: HTTP, DisableExecuteApiEndpoint: true}",
        &format!("{{DisableExecuteApiEndpoint: true, Body: {{openapi: 3.0.1, components: {{securitySchemes: {{mtls: {{type: apiKey, in: header, name: x, x-amazon-apigateway-authorizer: {{type: request, authorizerResultTtlInSeconds: 0, authorizerUri: !Sub 'arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/${{Gate.Arn}}/invocations'}}}}}}}}, paths: {{/: {{get: {{security: [{{{name}: []}}]}}}}}}}}}}"),
    )
    };
    assert_eq!(
        examined(&[("t.yaml", &template("", &[GATE, &api("mtls")]))]),
        (0, Vec::new())
    );
    assert_only(&template("", &[GATE, &api("other")]), "route-without-authorizer");
}
