"""Runs the doctor on plans: of the module under every two of its options, of each example, and of both with one hole each.

    combinations.py ALB_MTLS MODULE
"""

import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import options
import plans

NEW = {name: value for name, value in options.NEW.items()}
EXAMPLES = {
    "api-gateway": [{"kind": "http", "upstream": "https://orders.example.com"}, {"kind": "rest"}],
    "ecs": [
        NEW
        | {
            "service_subnet_ids": ["subnet-3"],
            "subnet_cidrs": ["10.0.0.0/24"],
            "gate_image": "gate@sha256:0123456789abcdef",
            "service_image": "orders",
        }
    ],
    "existing-alb": [{"load_balancer_arn": options.LOAD_BALANCER, "certificate_arn": NEW["certificate_arn"]}],
    "forward": [NEW | {"function_subnet_ids": ["subnet-3"], "upstream": "http://10.0.0.7:8080"}],
    "layer": [NEW],
    "minimal": [NEW],
    "private-ca": [NEW | {"crl_sources": ["s3://example-crls/crl/ROOT.crl"]}],
    "serverless-ca": [NEW | {"external_bucket": "example-external"} | more for more in ({}, {"env": "prod"} | options.HEADER)],
}
# Files that examples read, and that only their presence matters of.
FILES = ["root.pem", "issuing.pem", "layer.zip", "function.zip"]
PROGRAMS = ["respond", "forward", "authorize", "refresh-crls"]

# What a plan cannot tell: names that AWS or a random resource chooses, and a listener of another configuration.
UNKNOWN = ["after apply: ", "known only after it is applied", "mode of its listener `arn:", "aws_ecs_task_definition"]


def examined(doctor, plan):
    """The exit code, the findings as pairs of check and severity, and what was not looked at."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "plan.json")
        pathlib.Path(path).write_text(json.dumps(plan))
        output = subprocess.run([doctor, "doctor", "--json", path], capture_output=True, text=True, timeout=60)
    report = json.loads(output.stdout)
    findings = {(finding["check"], finding["severity"]) for finding in report["findings"]}
    return output.returncode, findings, [f"{gap['subject']}: {gap['what']}" for gap in report["not_looked_at"]]


def module(plan, part):
    """The root module, or the only one that it calls."""
    root = plan[part]["root_module"]
    if part == "planned_values":
        return root["resources"] if "resources" in root else root["child_modules"][0]["resources"]
    return root["resources"] if "resources" in root else next(iter(root["module_calls"].values()))["module"]["resources"]


class Resource:
    """Resources of a kind in a plan, with all that the plan says of their values."""

    def __init__(self, plan, kind):
        self.planned = [one for one in module(plan, "planned_values") if one["type"] == kind and one["mode"] == "managed"]
        addresses = [one["address"] for one in self.planned]
        self.changes = [one["change"] for one in plan["resource_changes"] if one["address"] in addresses]
        self.expressions = [one.get("expressions", {}) for one in module(plan, "configuration") if one["type"] == kind]

    def remove(self, *names):
        for one in [*(one["values"] for one in self.planned), *(one["after_unknown"] for one in self.changes), *self.expressions]:
            for name in names:
                one.pop(name, None)

    def set(self, name, value):
        self.remove(name)
        for one in self.planned:
            one["values"][name] = value

    def variables(self):
        return [one["values"]["environment"][0]["variables"] for one in self.planned if one["values"]["environment"]]

    def set_variable(self, name, value):
        for variables in self.variables():
            variables.pop(name, None)
            if value is not None:
                variables[name] = value


def attribute(kind, name, value=None):
    def change(plan):
        resources = Resource(plan, kind)
        resources.remove(name) if value is None else resources.set(name, value)

    return kind, change


def block(kind, name, key, value):
    def change(plan):
        for one in Resource(plan, kind).planned:
            for values in one["values"][name]:
                values[key] = value

    return kind, change


def variable(name, value=None):
    return "aws_lambda_function", lambda plan: Resource(plan, "aws_lambda_function").set_variable(name, value)


def added(kind, values, expressions):
    def change(plan):
        address = f"{kind}.added"
        module(plan, "planned_values").append({"address": address, "mode": "managed", "type": kind, "name": "added", "values": values})
        module(plan, "configuration").append({"address": address, "mode": "managed", "type": kind, "name": "added", "expressions": expressions})

    return "aws_lb_target_group" if "listener" in kind else "aws_lambda_function", change


def policy(change_statements):
    def change(plan):
        for one in Resource(plan, "aws_iam_role_policy").planned:
            document = json.loads(one["values"]["policy"])
            change_statements(document["Statement"])
            one["values"]["policy"] = json.dumps(document)

    return "aws_iam_role_policy", change


def forbid_reading(statements):
    statements[:] = [one for one in statements if "ssm:GetParametersByPath" not in one["Action"]]


GATE = {"references": ["aws_lambda_function.gate.function_name", "aws_lambda_function.gate"]}
GROUP = {"references": ["aws_lb_target_group.gate[0].arn", "aws_lb_target_group.gate[0]", "aws_lb_target_group.gate"]}
PERMISSION = {"action": "lambda:InvokeFunction", "principal": "elasticloadbalancing.amazonaws.com"}
# Each with the check that finds it.
HOLES = [
    (block("aws_lb_listener", "mutual_authentication", "mode", "off"), "listener-without-mutual-tls"),
    (attribute("aws_lb_listener", "mutual_authentication", []), "listener-without-mutual-tls"),
    (block("aws_lb_listener", "mutual_authentication", "mode", "verify"), "listener-not-passthrough"),
    (attribute("aws_lb_listener", "routing_http_request_x_amzn_mtls_clientcert_header_name"), "default-certificate-header"),
    (attribute("aws_lb_listener", "ssl_policy", "ELBSecurityPolicy-2016-08"), "tls-policy"),
    (
        added("aws_lb_listener", {"port": 80, "protocol": "HTTP", "default_action": [{"type": "forward"}]}, {"default_action": [{"target_group_arn": GROUP}]}),
        "listener-without-mutual-tls",
    ),
    (attribute("aws_lb_target_group", "lambda_multi_value_headers_enabled", False), "single-value-headers"),
    (attribute("aws_lambda_permission", "source_arn"), "permission-too-wide"),
    (attribute("aws_lambda_permission", "source_arn", "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/*"), "permission-too-wide"),
    (attribute("aws_lambda_permission", "source_account"), "source-account"),
    (attribute("aws_lambda_permission", "principal", "*"), "permission-too-wide"),
    (added("aws_lambda_permission", PERMISSION, {"function_name": GATE}), "permission-too-wide"),
    (added("aws_lambda_permission", PERMISSION | {"function_url_auth_type": "NONE", "action": "lambda:InvokeFunctionUrl"}, {"function_name": GATE}), "function-url"),
    (added("aws_lambda_function_url", {"authorization_type": "NONE"}, {"function_name": GATE}), "function-url"),
    (variable("MTLS_ANCHORS"), "target-without-gate"),
    (variable("MTLS_ANCHORS", ""), "anchors-empty"),
    (variable("MTLS_HEADER", "x-other"), "header-name-differs"),
    (variable("MTLS_HEADER"), "header-name-differs"),
    (variable("MTLS_TARGET_GROUPS"), "target-groups-unset"),
    (variable("MTLS_TARGET_GROUPS", "arn:aws:elasticloadbalancing:*"), "target-groups-unset"),
    (variable("MTLS_MODE", "report"), "mode-report"),
    (variable("AWS_LAMBDA_EXEC_WRAPPER"), "wrapper-missing"),
    (variable("AWS_LAMBDA_EXEC_WRAPPER", "/opt/otel-instrument"), "wrapper-replaced"),
    (variable("CRL_DESTINATION"), "trust-writer"),
    (attribute("aws_lambda_function", "layers", ["arn:aws:lambda:us-east-1:123456789012:layer:gate:1", "arn:aws:lambda:us-east-1:1:layer:otel:1"]), "layer-order"),
    (attribute("aws_lambda_function", "timeout", 3), "timeout-short"),
    (attribute("aws_cloudwatch_log_group", "retention_in_days", 0), "log-retention"),
    (attribute("aws_s3_bucket_public_access_block", "block_public_acls", False), "trust-bucket-public"),
    (attribute("aws_s3_bucket_public_access_block", "block_public_policy", False), "trust-bucket-public"),
    (attribute("aws_s3_bucket_public_access_block", "ignore_public_acls", False), "trust-bucket-public"),
    (attribute("aws_s3_bucket_public_access_block", "restrict_public_buckets", False), "trust-bucket-public"),
    (block("aws_s3_bucket_versioning", "versioning_configuration", "status", "Suspended"), "trust-bucket-unversioned"),
    (attribute("aws_apigatewayv2_api", "disable_execute_api_endpoint", False), "default-endpoint"),
    (attribute("aws_api_gateway_rest_api", "disable_execute_api_endpoint", False), "default-endpoint"),
    (attribute("aws_apigatewayv2_authorizer", "authorizer_result_ttl_in_seconds", 60), "authorizer-cached"),
    (attribute("aws_api_gateway_authorizer", "authorizer_result_ttl_in_seconds"), "authorizer-cached"),
    (attribute("aws_apigatewayv2_route", "authorization_type", "NONE"), "route-without-authorizer"),
    (attribute("aws_api_gateway_method", "authorization", "NONE"), "route-without-authorizer"),
    (attribute("aws_api_gateway_method", "authorization", "AWS_IAM"), "route-other-authorizer"),
    (policy(lambda statements: statements.append({"Effect": "Allow", "Action": ["ssm:Put*"], "Resource": ["*"]})), "trust-writer"),
    (policy(forbid_reading), "source-without-permission"),
    (policy(lambda statements: statements.append({"Effect": "Allow", "Action": ["lambda:*"], "Resource": ["*"]})), "may-invoke"),
]


def main(doctor, folder):
    failures = [f"{name} is in no set of options.py" for name in options.without_option(os.path.join(folder, "variables.tf"))]
    sets = options.sets()
    for program in PROGRAMS:
        package = pathlib.Path(folder, "../../target/lambda", program, "bootstrap.zip")
        package.parent.mkdir(parents=True, exist_ok=True)
        package.touch()
    examples = []
    with plans.terraform():
        # All of them first: a process that is started disturbs the providers of this one.
        combinations = list(plans.plans(folder, sets))
        for example, of_example in EXAMPLES.items():
            path = pathlib.Path(folder, "examples", example)
            for name in FILES:
                (path / name).write_text(options.PEM)
            examples += [(example, plan) for plan in plans.plans(path, of_example)]
    clean = [plan for variables, plan in zip(sets, combinations) if not_open(variables)]
    for variables, plan in zip(sets, combinations):
        failures += judged(doctor, json.dumps(variables), plan, is_clean=not_open(variables))
    for example, plan in examples:
        failures += judged(doctor, example, plan, is_clean=False)
    for (kind, change), check in HOLES:
        if not any(has_hole(doctor, plan, kind, change, check) for plan in clean):
            failures.append(f"{check} is never found where {kind} has a hole")
    print(f"{len(clean)} clean plans, {len(HOLES)} kinds of holes")
    sys.stdout.flush()
    sys.stderr.write("".join(f"{failure}\n" for failure in failures))
    sys.stderr.flush()
    # The threads of the providers would be waited for.
    os._exit(1 if failures or not clean else 0)


def has_hole(doctor, plan, kind, change, check):
    """Whether a plan with a hole has one of that kind for the doctor."""
    if not any(one["type"] == kind for one in module(plan, "planned_values")):
        return False
    broken = copy.deepcopy(plan)
    change(broken)
    return any(one == check for one, _ in examined(doctor, broken)[1])


def not_open(variables):
    """Whether everything that decides is in the plan."""
    return "listener_arn" not in variables and ("certificate_header" in variables or "api_gateway" in variables)


def judged(doctor, name, plan, is_clean):
    code, findings, gaps = examined(doctor, plan)
    problems = [f"{check} ({severity})" for check, severity in findings if severity != "advice"]
    problems += [gap for gap in gaps if is_clean or not any(part in gap for part in UNKNOWN)]
    return [f"{name}: {code} {problems}"] if problems or (is_clean and code != 0) else []


if __name__ == "__main__":
    main(*sys.argv[1:])
