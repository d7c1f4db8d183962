"""Describes what Terraform made, as the account of tests/simulator describes a stack: `terraform show -json` in, a JSON object out."""

import json
import pathlib
import sys

import cloud

PROJECT = pathlib.Path(__file__).resolve().parents[3]
HEADER = "routing.http.request.x_amzn_mtls_clientcert.header_name"
MULTI_VALUE = "lambda.multi_value_headers.enabled"

state = json.load(sys.stdin)["values"]
resources = []


def collect(module):
    resources.extend(resource for resource in module.get("resources", []) if resource["mode"] == "managed")
    for child in module.get("child_modules", []):
        collect(child)


collect(state["root_module"])


def of_type(kind):
    return {resource["address"].split("module.gate.")[-1]: resource["values"] for resource in resources if resource["type"] == kind}


def actions(blocks):
    return [{"Type": block["type"], "TargetGroupArn": block["target_group_arn"]} for block in blocks if block["type"] == "forward"]


account = cloud.Cloud()
arns = {function["function_name"]: function["arn"] for function in of_type("aws_lambda_function").values()}
functions = {
    address: {
        "name": function["function_name"],
        "arn": function["arn"],
        # A function of one's own has a runtime of a language, and the gate in a layer.
        "binary": pathlib.Path(function["filename"]).parent.name if function["runtime"].startswith("provided") else None,
        "folder": str(PROJECT / "examples/layer/python"),
        "handler": function["handler"],
        "environment": function["environment"][0]["variables"],
        "timeout": function["timeout"],
        "credentials": account.credentials(function["role"]),
    }
    for address, function in of_type("aws_lambda_function").items()
}
groups = {
    group["arn"]: {
        "Name": group["name"],
        "Targets": [
            {"Id": attachment["target_id"]}
            for attachment in of_type("aws_lb_target_group_attachment").values()
            if attachment["target_group_arn"] == group["arn"]
        ],
        "TargetGroupAttributes": [{"Key": MULTI_VALUE, "Value": json.dumps(group["lambda_multi_value_headers_enabled"])}],
    }
    for group in of_type("aws_lb_target_group").values()
}
listeners = {
    listener["arn"]: {
        "Protocol": listener["protocol"],
        "Port": listener["port"],
        "MutualAuthentication": {"Mode": listener["mutual_authentication"][0]["mode"]} if listener["mutual_authentication"] else {},
        "ListenerAttributes": [{"Key": HEADER, "Value": listener["routing_http_request_x_amzn_mtls_clientcert_header_name"]}],
        "DefaultActions": actions(listener["default_action"]),
    }
    for listener in of_type("aws_lb_listener").values()
}
rules = [
    {
        "ListenerArn": rule["listener_arn"],
        "Actions": actions(rule["action"]),
        "Conditions": [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": block["path_pattern"][0]["values"]}}
            for block in rule["condition"]
            if block["path_pattern"]
        ],
    }
    for rule in of_type("aws_lb_listener_rule").values()
]
permissions = [
    {
        "Action": permission["action"],
        "FunctionName": arns[permission["function_name"]],
        "Principal": permission["principal"],
        "SourceArn": permission["source_arn"],
        **({"SourceAccount": permission["source_account"]} if permission["source_account"] else {}),
    }
    for permission in of_type("aws_lambda_permission").values()
]
json.dump(
    {
        "outputs": {name: output["value"] for name, output in state["outputs"].items() if "value" in output},
        "functions": functions,
        "target_groups": groups,
        "listeners": listeners,
        "rules": rules,
        "permissions": permissions,
        "resources": {resource["address"]: {"type": resource["type"], "properties": resource["values"]} for resource in resources},
    },
    sys.stdout,
)
