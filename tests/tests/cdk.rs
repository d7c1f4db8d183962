//! `deploy/cdk`: its own tests, the doctor's report on its stacks, and functions with the variables
//! of these stacks.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use alb_mtls_tests::{Clients, Function, Moto, binary, certificate_headers, header_of, leave_out, project};
use alb_mtls_trust::{CrlDestination, CrlLocation, Sources};
use serde_json::Value;

/// Stacks of `src/test/stacks.ts`.
const STACKS: [&str; 6] = [
    "Layer",
    "TwoTiers",
    "Forward",
    "ForwardToFunction",
    "Rest",
    "Http",
];

struct Synthesized {
    folder: tempfile::TempDir,
    clients: Clients,
}

impl Synthesized {
    /// Returns the stacks with the PKI of the tests, written once; nothing, and says so, where the
    /// packages are not installed.
    fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Synthesized>> = OnceLock::new();
        SHARED.get_or_init(Self::new).as_ref()
    }

    fn new() -> Option<Self> {
        let packages = project().join(".venv/cdk/node_modules");
        if !packages.join("aws-cdk-lib").exists() {
            leave_out("aws-cdk-lib is missing: `make test` installs it");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let sources = project().join("deploy/cdk");
        for name in ["src", "package.json", "tsconfig.json"] {
            let copied = Command::new("cp")
                .arg("-r")
                .arg(sources.join(name))
                .arg(folder.path())
                .status();
            assert!(copied.unwrap().success());
        }
        std::os::unix::fs::symlink(packages, folder.path().join("node_modules")).unwrap();
        let clients = Clients::new();
        clients.write("issuing.pem", &clients.issuing.pem());
        let code = folder.path().join("code");
        std::fs::create_dir(&code).unwrap();
        std::fs::write(code.join("bootstrap"), "").unwrap();
        let made = Self { folder, clients };
        made.must_run("node_modules/.bin/tsc", &[]);
        let certificates = made.clients.directory();
        let anchors = certificates.join("anchors.pem");
        let issuing = certificates.join("issuing.pem");
        made.must_run(
            "node",
            &[
                "lib/test/synth.js",
                "code",
                anchors.to_str().unwrap(),
                issuing.to_str().unwrap(),
                "cdk.out",
            ],
        );
        made.must_run("node", &["lib/test/options.js", "code", "options.out"]);
        Some(made)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.arg("300").arg(program).args(arguments);
        command.current_dir(self.folder.path()).output().unwrap()
    }

    fn must_run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.run(program, arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}{errors}");
        text
    }

    fn file(&self, stack: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("cdk.out/{stack}.template.json"))
    }

    fn resources(&self, stack: &str) -> serde_json::Map<String, Value> {
        let text = std::fs::read_to_string(self.file(stack)).unwrap();
        let template: Value = serde_json::from_str(&text).unwrap();
        template["Resources"].as_object().unwrap().clone()
    }

    /// Returns the variables of each function of a stack that has settings of ours.
    fn variables(&self, stack: &str) -> Vec<Vec<(String, String)>> {
        let resources = self.resources(stack);
        let functions = resources.values().filter_map(|resource| {
            let variables = resource["Properties"]["Environment"]["Variables"].as_object()?;
            let is_ours = variables.keys().any(|name| name.ends_with("_ANCHORS"));
            is_ours.then(|| {
                let values = variables.iter();
                values
                    .map(|(name, value)| (name.clone(), resolved(value)))
                    .collect()
            })
        });
        functions.collect()
    }
}

/// Returns what CloudFormation makes of a value, in a stack of the name `gate`.
fn resolved(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let (function, argument) = value.as_object().unwrap().iter().next().unwrap();
    let list = || argument.as_array().unwrap();
    match function.as_str() {
        "Ref" => match argument.as_str().unwrap() {
            "AWS::AccountId" => "123456789012".to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::Region" => "us-east-1".to_owned(),
            "AWS::StackId" => {
                "arn:aws:cloudformation:us-east-1:123456789012:stack/gate/3f1e6b00-0000-4000-8000-0a1b2c3d4e5f".to_owned()
            }
            "AWS::StackName" => "gate".to_owned(),
            resource => resource.to_lowercase(),
        },
        "Fn::Join" => {
            let parts: Vec<String> = list()[1].as_array().unwrap().iter().map(resolved).collect();
            parts.join(list()[0].as_str().unwrap())
        }
        "Fn::Select" => {
            let index = usize::try_from(list()[0].as_u64().unwrap()).unwrap();
            let split = list()[1]["Fn::Split"].as_array().unwrap();
            let text = resolved(&split[1]);
            text.split(split[0].as_str().unwrap()).nth(index).unwrap().to_owned()
        }
        other => unreachable!("{other} is not in these stacks"),
    }
}

fn value_of<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let variable = variables.iter().find(|(known, _)| known == name);
    variable.map(|(_, value)| value.as_str())
}

#[test]
fn own_tests_of_the_package_pass() {
    let Some(stacks) = Synthesized::shared() else {
        return;
    };
    let text = stacks.must_run("node", &["--test", "lib/test/gate.test.js"]);
    assert!(
        text.contains("# fail 0") && !text.contains("# pass 0\n"),
        "{text}"
    );
}

/// Returns the exit code and the report of the doctor about a template.
fn doctor(file: &Path) -> (Option<i32>, Value) {
    let output = Command::new(binary("alb-mtls"))
        .arg("doctor")
        .arg("--json")
        .arg(file)
        .output()
        .unwrap();
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap(),
    )
}

#[test]
fn doctor_has_nothing_to_say_of_any_stack() {
    let Some(stacks) = Synthesized::shared() else {
        return;
    };
    for stack in STACKS {
        let file = stacks.file(stack);
        let (code, report) = doctor(&file);
        assert_eq!(code, Some(0), "{stack}: {report:#}");
        assert_eq!(
            report["findings"],
            Value::Array(Vec::new()),
            "{stack}: {report:#}"
        );
    }
}

/// Templates of every place with every program, and of every two choices about trust.
fn templates_of_options(stacks: &Synthesized) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(stacks.folder.path().join("options.out")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut templates: Vec<_> = paths
        .filter(|path| path.to_str().unwrap().ends_with(".template.json"))
        .collect();
    templates.sort();
    assert!(templates.len() > 30, "{templates:?}");
    templates
}

#[test]
fn doctor_finds_nothing_under_any_two_options() {
    let Some(stacks) = Synthesized::shared() else {
        return;
    };
    for file in templates_of_options(stacks) {
        let (code, report) = doctor(&file);
        let mut findings = report["findings"].as_array().unwrap().iter();
        assert!(
            code == Some(0) && findings.all(|finding| finding["severity"] == "advice"),
            "{}: {report:#}",
            file.display()
        );
    }
    // The folder as a whole, with what CDK writes beside the templates.
    let (code, report) = doctor(&stacks.folder.path().join("options.out"));
    assert_eq!(code, Some(0), "{report:#}");
}

/// Change of the properties of every resource of a type, and the check that must find it.
type Hole = (&'static str, fn(&mut Value), &'static str);

fn variables(properties: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    properties.pointer_mut("/Environment/Variables")?.as_object_mut()
}

fn without_variable(properties: &mut Value, name: &str) {
    if let Some(variables) = variables(properties) {
        variables.remove(name);
    }
}

fn with_variable(properties: &mut Value, name: &str, value: &str) {
    if let Some(variables) = variables(properties).filter(|known| known.contains_key(name)) {
        variables.insert(name.to_owned(), value.into());
    }
}

fn without(properties: &mut Value, name: &str) {
    properties.as_object_mut().unwrap().remove(name);
}

fn allow(properties: &mut Value, action: &str) {
    let statements = properties["PolicyDocument"]["Statement"].as_array_mut().unwrap();
    statements.push(serde_json::json!({"Effect": "Allow", "Action": action, "Resource": "*"}));
}

#[rustfmt::skip]
const HOLES: &[Hole] = &[
    ("AWS::ElasticLoadBalancingV2::Listener", |all| without(all, "MutualAuthentication"), "listener-without-mutual-tls"),
    ("AWS::ElasticLoadBalancingV2::Listener", |all| all["MutualAuthentication"] = serde_json::json!({"Mode": "off"}), "listener-without-mutual-tls"),
    ("AWS::ElasticLoadBalancingV2::Listener", |all| all["MutualAuthentication"] = serde_json::json!({"Mode": "verify"}), "listener-not-passthrough"),
    ("AWS::ElasticLoadBalancingV2::Listener", |all| without(all, "ListenerAttributes"), "default-certificate-header"),
    ("AWS::ElasticLoadBalancingV2::Listener", |all| without(all, "SslPolicy"), "tls-policy"),
    ("AWS::ElasticLoadBalancingV2::TargetGroup", |all| without(all, "TargetGroupAttributes"), "single-value-headers"),
    ("AWS::Lambda::Permission", |all| without(all, "SourceArn"), "permission-too-wide"),
    ("AWS::Lambda::Permission", |all| without(all, "SourceAccount"), "source-account"),
    ("AWS::Lambda::Permission", |all| all["Principal"] = "*".into(), "permission-too-wide"),
    ("AWS::Lambda::Permission", |all| all["FunctionUrlAuthType"] = "NONE".into(), "function-url"),
    ("AWS::Lambda::Function", |all| without_variable(all, "MTLS_ANCHORS"), "target-without-gate"),
    ("AWS::Lambda::Function", |all| with_variable(all, "MTLS_ANCHORS", ""), "anchors-empty"),
    ("AWS::Lambda::Function", |all| without_variable(all, "MTLS_HEADER"), "header-name-differs"),
    ("AWS::Lambda::Function", |all| without_variable(all, "MTLS_TARGET_GROUPS"), "target-groups-unset"),
    ("AWS::Lambda::Function", |all| with_variable(all, "MTLS_TARGET_GROUPS", "*"), "target-groups-unset"),
    ("AWS::Lambda::Function", |all| with_variable(all, "MTLS_MODE", "report"), "mode-report"),
    ("AWS::Lambda::Function", |all| without_variable(all, "AWS_LAMBDA_EXEC_WRAPPER"), "wrapper-missing"),
    ("AWS::Lambda::Function", |all| with_variable(all, "AWS_LAMBDA_EXEC_WRAPPER", "/opt/otel"), "wrapper-replaced"),
    ("AWS::Lambda::Function", |all| without_variable(all, "CRL_INTERMEDIATES"), "intermediates-missing"),
    ("AWS::Lambda::Function", |all| without_variable(all, "CRL_DESTINATION"), "trust-writer"),
    ("AWS::Lambda::Function", |all| all["Timeout"] = 3.into(), "timeout-short"),
    ("AWS::Lambda::Function", |all| without(all, "LoggingConfig"), "log-retention"),
    ("AWS::Logs::LogGroup", |all| without(all, "RetentionInDays"), "log-retention"),
    ("AWS::S3::Bucket", |all| without(all, "PublicAccessBlockConfiguration"), "trust-bucket-public"),
    ("AWS::S3::Bucket", |all| all["PublicAccessBlockConfiguration"]["RestrictPublicBuckets"] = false.into(), "trust-bucket-public"),
    ("AWS::S3::Bucket", |all| without(all, "VersioningConfiguration"), "trust-bucket-unversioned"),
    ("AWS::ApiGateway::RestApi", |all| without(all, "DisableExecuteApiEndpoint"), "default-endpoint"),
    ("AWS::ApiGatewayV2::Api", |all| without(all, "DisableExecuteApiEndpoint"), "default-endpoint"),
    ("AWS::ApiGateway::Authorizer", |all| without(all, "AuthorizerResultTtlInSeconds"), "authorizer-cached"),
    ("AWS::ApiGatewayV2::Authorizer", |all| all["AuthorizerResultTtlInSeconds"] = 60.into(), "authorizer-cached"),
    ("AWS::ApiGateway::Method", |all| without(all, "AuthorizationType"), "route-without-authorizer"),
    ("AWS::ApiGatewayV2::Route", |all| all["AuthorizationType"] = "NONE".into(), "route-without-authorizer"),
    ("AWS::ApiGatewayV2::Route", |all| all["AuthorizationType"] = "AWS_IAM".into(), "route-other-authorizer"),
    ("AWS::IAM::Policy", |all| allow(all, "ssm:PutParameter"), "trust-writer"),
    ("AWS::IAM::Policy", |all| allow(all, "lambda:InvokeFunction"), "may-invoke"),
    ("AWS::IAM::Policy", |all| *all = serde_json::from_str(&all.to_string().replace("ssm:GetParametersByPath", "ssm:List")).unwrap(), "source-without-permission"),
];

#[test]
fn doctor_finds_each_property_that_is_taken_away() {
    let Some(stacks) = Synthesized::shared() else {
        return;
    };
    let templates = templates_of_options(stacks).into_iter();
    let templates: Vec<Value> = templates
        .map(|file| serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
        .collect();
    let file = stacks.folder.path().join("hole.template.json");
    for (kind, change, check) in HOLES {
        let mut found = 0;
        for template in &templates {
            let mut broken = template.clone();
            let resources = broken["Resources"].as_object_mut().unwrap().values_mut();
            for resource in resources.filter(|resource| resource["Type"] == *kind) {
                change(&mut resource["Properties"]);
            }
            if broken != *template {
                std::fs::write(&file, broken.to_string()).unwrap();
                let (_, report) = doctor(&file);
                let mut findings = report["findings"].as_array().unwrap().iter();
                found += usize::from(findings.any(|finding| finding["check"] == *check));
            }
        }
        assert!(found > 0, "{check} is not found where {kind} has a hole");
    }
}

#[tokio::test]
async fn every_function_starts_with_the_variables_of_its_stack() {
    let Some(stacks) = Synthesized::shared() else {
        return;
    };
    let mut started = 0;
    for stack in STACKS {
        for variables in stacks.variables(stack) {
            let program = match () {
                () if value_of(&variables, "CRL_SOURCES").is_some() => "refresh-crls",
                () if value_of(&variables, "FORWARD_UPSTREAM").is_some() => "forward",
                () if value_of(&variables, "AUTHORIZE_CERTIFICATE").is_some() => "authorize",
                () => "respond",
            };
            let own = variables
                .into_iter()
                .filter(|(name, _)| name != "AWS_LAMBDA_EXEC_WRAPPER");
            Function::start(program, own.chain(Moto::shared().variables())).await;
            started += 1;
        }
    }
    assert_eq!(started, 7);
}

#[tokio::test]
async fn client_that_sends_its_own_certificate_alone_is_allowed() {
    let Some(stacks) = Synthesized::shared() else {
        return;
    };
    let clients = &stacks.clients;
    let moto = Moto::start();
    for resource in stacks.resources("Forward").values() {
        if resource["Type"] == "AWS::SSM::Parameter" {
            let properties = &resource["Properties"];
            moto.put_parameter(
                &resolved(&properties["Name"]),
                properties["Value"].as_str().unwrap(),
            );
        }
    }
    let variables = stacks.variables("Forward").pop().unwrap();
    let header = value_of(&variables, "MTLS_HEADER").unwrap().to_owned();
    assert_eq!(header, "x-3f1e6b00-0000-4000-8000-0a1b2c3d4e5f");
    let group = value_of(&variables, "MTLS_TARGET_GROUPS").unwrap().to_owned();
    let own = variables
        .into_iter()
        .filter(|(name, _)| !name.starts_with("FORWARD_") && name != "MTLS_TARGET_GROUPS");
    // The events of these tests come through a target group of their own.
    let served = (
        "MTLS_TARGET_GROUPS".to_owned(),
        alb_mtls_tests::TARGET_GROUP.to_owned(),
    );
    assert!(
        group.starts_with("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/")
            && group.ends_with("/*")
    );
    let gate = Function::start("respond", own.chain([served]).chain(moto.variables())).await;
    let foreign = Clients::new();
    for (chain, status) in [(&clients.good, 200), (&foreign.good, 401)] {
        let mut headers = certificate_headers(header_of([chain]));
        headers.last_mut().unwrap().0.clone_from(&header);
        assert_eq!(gate.get("/", &headers).await.status, status);
    }
    // A header with AWS's own name is the client's.
    let headers = certificate_headers(header_of([&clients.good]));
    assert_eq!(gate.get("/", &headers).await.status, 401);
}

#[test]
fn crls_have_the_names_that_refresh_crls_publishes_them_under() {
    let Some(stacks) = Synthesized::shared() else {
        return;
    };
    let functions = stacks.variables("TwoTiers");
    let value = |name: &str| {
        functions
            .iter()
            .find_map(|variables| value_of(variables, name))
            .unwrap()
    };
    let destination: CrlDestination = value("CRL_DESTINATION").parse().unwrap();
    let crls: Vec<&str> = value("MTLS_CRLS").split(' ').collect();
    let sources: Vec<&str> = value("CRL_SOURCES").split(' ').collect();
    assert_eq!((crls.len(), sources.len()), (2, 2));
    for (source, crl) in sources.iter().zip(crls) {
        let location: CrlLocation = source.parse().unwrap();
        let published: Sources = destination.object_for(&location).to_string().parse().unwrap();
        let named: Sources = crl.parse().unwrap();
        assert_eq!(format!("{named:?}"), format!("{published:?}"), "{source}");
    }
}

#[test]
fn package_records_no_address_of_a_registry() {
    let folder = project().join("deploy/cdk");
    assert!(!folder.join("package-lock.json").exists());
    let manifest = std::fs::read_to_string(Path::new(&folder).join("package.json")).unwrap();
    assert!(!manifest.contains("://"), "{manifest}");
}
