//! `deploy/terraform/`: its graph, read with a parser of HCL. What only the provider knows is not
//! looked at.

use std::path::Path;

use alb_mtls_tests::project;

use crate::from_python;

/// Returns the problems of the files of a folder.
fn problems(folder: &Path) -> Vec<String> {
    let program = project().join("tests/tests/operations/terraform.py");
    let report = from_python([program.as_path(), folder]);
    assert!(report["blocks"].as_u64().unwrap() > 5, "{report}");
    let problems = report["problems"].as_array().unwrap();
    problems
        .iter()
        .map(|problem| problem.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_module_and_its_example_hold_together_and_open_nothing() {
    for folder in ["deploy/terraform", "deploy/terraform/examples/serverless-ca"] {
        assert_eq!(
            problems(&project().join(folder)),
            Vec::<String>::new(),
            "{folder}"
        );
    }
}

#[test]
fn each_planted_fault_is_found() {
    let whole = std::fs::read_to_string(project().join("deploy/terraform/main.tf")).unwrap();
    let others = ["variables.tf", "outputs.tf"];
    for (before, after, problem) in [
        (
            "mode = \"passthrough\"",
            "mode = \"off\"",
            "aws_lb_listener.https forwards without mutual TLS",
        ),
        (
            "lambda_multi_value_headers_enabled = true",
            "lambda_multi_value_headers_enabled = false",
            "aws_lb_target_group.gate has single-value headers",
        ),
        (
            "  source_arn     = aws_lb_target_group.gate.arn\n",
            "",
            "aws_lambda_permission.load_balancer has no source_arn",
        ),
        (
            "  source_account = data.aws_caller_identity.current.account_id\n",
            "",
            "aws_lambda_permission.load_balancer has no source_account",
        ),
        (
            "  retention_in_days = var.log_retention_days\n",
            "",
            "aws_cloudwatch_log_group.gate has no retention",
        ),
        (
            "\"ssm:GetParametersByPath\"",
            "\"ssm:GetParametersByPath\", \"ssm:PutParameter\"",
            "data.aws_iam_policy_document.gate may write: ssm:PutParameter",
        ),
        (
            "      MTLS_TARGET_GROUPS = aws_lb_target_group.gate.arn\n",
            "",
            "MTLS_TARGET_GROUPS is not set",
        ),
        (
            "  routing_http_request_x_amzn_mtls_clientcert_header_name = local.certificate_header\n",
            "",
            "aws_lb_listener.https does not rename the header",
        ),
        (
            "  routing_http_request_x_amzn_mtls_clientcert_header_name = local.certificate_header\n",
            "  routing_http_request_x_amzn_mtls_clientcert_header_name = var.certificate_header\n",
            "aws_lb_listener.https does not rename the header",
        ),
        (
            "      MTLS_HEADER        = local.certificate_header\n",
            "",
            "MTLS_HEADER is not the name that the listener writes",
        ),
        (
            "coalesce(var.certificate_header, \"x-${random_uuid.certificate_header.result}\")",
            "var.certificate_header",
            "the certificate header has no random name by default",
        ),
        (
            "security_group_id = aws_security_group.load_balancer.id",
            "security_group_id = aws_security_group.other.id",
            "aws_vpc_security_group_ingress_rule.https: aws_security_group.other is not declared",
        ),
        (
            "  name        = \"${var.name}-gate\"\n",
            "  name        = aws_lambda_function.gate.function_name\n",
            "aws_lambda_function.gate waits for itself",
        ),
    ] {
        assert!(whole.contains(before), "the module no longer holds `{before}`");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("main.tf"), whole.replacen(before, after, 1)).unwrap();
        for other in others {
            std::fs::copy(
                project().join("deploy/terraform").join(other),
                folder.path().join(other),
            )
            .unwrap();
        }
        let found = problems(folder.path());
        assert!(found.iter().any(|found| found == problem), "{problem}: {found:?}");
    }
}
