//! A deployed stack, through a command line of AWS.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use test_servers::Moto;

use super::{found, project, stdout};
use crate::support::stderr;

/// `alb-mtls doctor` where `aws` is our stand-in.
struct StandIn(TempDir);

impl StandIn {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let aws = folder.path().join("aws");
        let script = project().join("cli/tests/alb_mtls/doctor/aws.py");
        // Without the site's packages, Python starts in a third of the time.
        let python = project().join(".venv/bin/python");
        let script = std::fs::read_to_string(script).unwrap();
        std::fs::write(&aws, format!("#!{} -IS\n{script}", python.display())).unwrap();
        std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn doctor(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        doctor_with_path(self.0.path(), arguments)
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }
}

/// Returns the command with a folder first on the path.
fn doctor_with_path(folder: &Path, arguments: &[&str]) -> Command {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_alb-mtls"));
    command
        .arg("doctor")
        .args(arguments)
        .env("PATH", format!("{}:{path}", folder.display()));
    command
}

#[test]
fn a_stack_that_is_wired_like_the_template_is_fine_and_can_be_saved() {
    let aws = StandIn::new();
    let folder = aws.0.path().join("saved");
    let saved = folder.to_str().unwrap();
    let live = aws.doctor(&["--stack", "gate", "--save", saved], &[]);
    assert_eq!(live.status.code(), Some(0), "{}{}", stdout(&live), stderr(&live));
    assert!(
        stdout(&live).contains("looked at 2 listeners, 1 target group and 1 function"),
        "{}",
        stdout(&live)
    );
    assert_eq!(stdout(&aws.doctor(&[saved], &[])), stdout(&live));

    // A second stack in the same folder would be taken for one with the first.
    let again = aws.doctor(&["--stack", "gate", "--save", saved], &[]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("is not empty"), "{}", stderr(&again));
}

#[test]
fn a_fault_is_found_where_the_command_line_says_it() {
    let output = StandIn::new().doctor(
        &["--stack", "gate"],
        &[("BEFORE", "\"passthrough\""), ("AFTER", "\"off\"")],
    );
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.contains("aws elbv2 describe-listeners --load-balancer-arn"),
        "{text}"
    );
    assert!(text.contains("listener-without-mutual-tls"), "{text}");
}

#[test]
fn a_load_balancer_leads_to_the_functions_behind_it() {
    let aws = StandIn::new();
    let by_stack = aws.doctor(&["--stack", "gate"], &[]);
    for alias in ["", ":live"] {
        let environment = [("ALIAS", alias)];
        let output = aws.doctor(&["--load-balancer", "gate"], &environment);
        assert_eq!(output.status.code(), Some(0), "{alias}: {}", stderr(&output));
        assert_eq!(stdout(&output), stdout(&by_stack), "{alias}");
    }
    let environment = [("BEFORE", "MTLS_TARGET_GROUPS"), ("AFTER", "OTHER")];
    let output = aws.doctor(&["--json", "--load-balancer", "gate"], &environment);
    let checks: Vec<String> = found(&output).into_iter().map(|(check, _)| check).collect();
    assert_eq!(checks, ["target-groups-unset"]);
}

#[test]
fn a_default_header_of_the_listener_or_of_one_side_alone_is_found_live() {
    let aws = StandIn::new();
    for subject in [["--stack", "gate"], ["--load-balancer", "gate"]] {
        for (before, after, expected) in [
            // Of both sides, then of one.
            (
                "x-gate-7f3a",
                "x-amzn-mtls-clientcert",
                &["default-certificate-header"][..],
            ),
            (
                "\"Value\": \"x-gate-7f3a\"",
                "\"Value\": \"\"",
                &["default-certificate-header", "header-name-differs"],
            ),
            ("MTLS_HEADER", "OTHER", &["header-name-differs"]),
        ] {
            let arguments = [&["--json"], &subject[..]].concat();
            let output = aws.doctor(&arguments, &[("BEFORE", before), ("AFTER", after)]);
            assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
            let mut checks: Vec<String> = found(&output).into_iter().map(|(check, _)| check).collect();
            checks.sort();
            assert_eq!(checks, expected, "{subject:?}: {before}");
        }
    }
}

#[test]
fn what_a_bucket_does_not_have_is_a_finding() {
    let aws = StandIn::new();
    let output = aws.doctor(
        &["--json", "--stack", "gate"],
        &[("EMPTY", "s3api get-bucket-versioning")],
    );
    assert_eq!(
        found(&output),
        [("trust-bucket-unversioned".to_owned(), "gate-trust".to_owned())]
    );
    let output = aws.doctor(
        &["--json", "--stack", "gate"],
        &[("ABSENT", "s3api get-public-access-block")],
    );
    assert_eq!(
        found(&output),
        [("trust-bucket-public".to_owned(), "gate-trust".to_owned())]
    );
}

#[test]
fn what_may_not_be_read_is_no_clean_bill() {
    let aws = StandIn::new();
    for refused in [
        "cloudformation list-stack-resources",
        "elbv2 describe-rules",
        "lambda get-policy",
        "lambda get-function-url-config",
        "s3api get-public-access-block",
        "s3api get-bucket-policy",
    ] {
        let output = aws.doctor(&["--stack", "gate"], &[("REFUSED", refused)]);
        assert_eq!(output.status.code(), Some(2), "{refused}: {}", stdout(&output));
        let text = stderr(&output);
        assert!(text.starts_with(&format!("error: `aws {refused} ")), "{text}");
        assert!(text.contains("AccessDenied"), "{text}");
    }
    // Only of a bucket's versions does silence say something.
    let output = aws.doctor(&["--stack", "gate"], &[("EMPTY", "lambda get-policy")]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("says nothing"), "{}", stderr(&output));
}

#[test]
fn wrong_usage_is_one_line() {
    let aws = StandIn::new();
    for (arguments, words) in [
        (&["--stack", "other"][..], "it does not exist"),
        (&["--load-balancer", "other"], "it does not exist"),
        (&["--stack", "gate", "template.yaml"], "cannot be used with"),
        (
            &["--stack", "gate", "--load-balancer", "gate"],
            "cannot be used with",
        ),
        (&["--save", "folder", "template.yaml"], "cannot be used with"),
        (&["--save", "folder"], "<FILE>"),
        (&[], "<FILE>"),
    ] {
        let output = aws.doctor(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            stderr(&output).contains(words),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
    let output = Command::new(env!("CARGO_BIN_EXE_alb-mtls"))
        .args(["doctor", "--stack", "gate"])
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("cannot run `aws`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn load_balancer_of_a_nested_stack_or_of_another_one_is_looked_at() {
    for environment in [
        ("NESTED", "1"),
        ("ELSEWHERE", "AWS::ElasticLoadBalancingV2::Listener"),
        ("ELSEWHERE", "AWS::ElasticLoadBalancingV2::ListenerRule"),
    ] {
        let fault = [environment, ("BEFORE", "\"passthrough\""), ("AFTER", "\"off\"")];
        for (environment, status) in [(&fault[..1], 0), (&fault[..], 1)] {
            let output = StandIn::new().doctor(&["--stack", "gate"], environment);
            assert_eq!(
                output.status.code(),
                Some(status),
                "{environment:?}: {}{}",
                stdout(&output),
                stderr(&output)
            );
        }
    }
}

#[test]
fn our_template_as_a_stack_in_moto_has_what_moto_lacks_and_what_was_planted() {
    let moto = Moto::start();
    let tools = project().join(".venv/bin");
    let deployed = Command::new(tools.join("python"))
        .arg(project().join("cli/tests/alb_mtls/doctor/deploy.py"))
        .arg(project().join("template.yaml"))
        .arg("gate")
        .envs(variables(&moto))
        .output()
        .unwrap();
    assert!(deployed.status.success(), "{}", stderr(&deployed));
    let output = doctor_with_path(&tools, &["--json", "--stack", "gate"])
        .envs(variables(&moto))
        .output()
        .unwrap();
    let mut checks: Vec<String> = found(&output).into_iter().map(|(check, _)| check).collect();
    checks.sort();
    assert_eq!(
        checks,
        [
            "function-url",
            // moto knows no mutual authentication, of a listener or for its rules, and no log group
            // of a function.
            "listener-without-mutual-tls",
            "listener-without-mutual-tls",
            "log-retention",
            "permission-too-wide",
        ]
    );
}

#[test]
fn what_the_guide_makes_by_hand_lacks_only_what_moto_lacks() {
    let moto = Moto::start();
    let tools = project().join(".venv/bin");
    let guide = std::fs::read_to_string(project().join("docs/by-hand.md")).unwrap();
    let blocks: Vec<&str> = guide
        .split("<!-- aws -->\n```sh\n")
        .skip(1)
        .map(|after| after.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 4);
    let folder = TempDir::new().unwrap();
    let anchors = project().join("events/anchors.pem");
    std::fs::copy(anchors, folder.path().join("root.pem")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .args([
            "-euo",
            "pipefail",
            "-c",
            &format!("{BEFORE_THE_GUIDE}{}", blocks.concat()),
        ])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", tools.display()))
        .envs(variables(&moto))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));

    let output = doctor_with_path(&tools, &["--json", "--load-balancer", "gate"])
        .envs(variables(&moto))
        .output()
        .unwrap();
    let checks: Vec<String> = found(&output).into_iter().map(|(check, _)| check).collect();
    // moto knows no mutual authentication, of a listener or for its rules.
    assert_eq!(
        checks,
        ["listener-without-mutual-tls", "listener-without-mutual-tls"]
    );
}

/// Resources that exist before the guide begins, and those that cargo-lambda makes.
const BEFORE_THE_GUIDE: &str = r#"
subnets=$(aws ec2 describe-subnets --query 'Subnets[:2].SubnetId' --output text | tr '\t' ,)
security_group=$(aws ec2 describe-security-groups --query 'SecurityGroups[0].GroupId' --output text)
certificate=$(aws acm request-certificate --domain-name gate.example.org --query CertificateArn --output text)
role=$(aws iam create-role --role-name cargo-lambda-role --query Role.Arn --output text \
    --assume-role-policy-document '{"Version": "2012-10-17", "Statement": []}')
python -c 'import zipfile; zipfile.ZipFile("code.zip", "w").writestr("bootstrap", "")'
aws lambda create-function --function-name respond --runtime provided.al2023 --handler bootstrap --role "$role" \
    --zip-file fileb://code.zip --environment 'Variables={MTLS_ANCHORS=ssm:/gate/anchors/*}'
aws logs create-log-group --log-group-name /aws/lambda/respond
aws logs put-retention-policy --log-group-name /aws/lambda/respond --retention-in-days 90
"#;

fn variables(moto: &Moto) -> [(&'static str, String); 4] {
    [
        ("AWS_ENDPOINT_URL", moto.endpoint()),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ]
}
