#!/usr/bin/env python3
"""Deploys our template to the AWS that AWS_ENDPOINT_URL names, as far as moto is one, with its parameters at their defaults."""

import io
import json
import sys
import zipfile

import boto3
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """There are no names of AWS's own policies in the template."""

    def load(self):
        return {}


def applied(template, values):
    """The template with its conditions applied: moto does not leave out of lists what they leave out."""
    nothing = object()

    def value(node):
        if "Ref" in node:
            return values[node["Ref"]]
        separator, parts = node["Fn::Join"]
        return separator.join(value(parts).split(","))

    def holds(condition):
        ((function, arguments),) = condition.items()
        if function == "Fn::Equals":
            return value(arguments[0]) == arguments[1]
        if function == "Fn::Not":
            return not holds(arguments[0])
        if function in ("Fn::And", "Fn::Or"):
            return {"Fn::And": all, "Fn::Or": any}[function](map(holds, arguments))
        return holds(template["Conditions"][arguments])

    def walk(node):
        if isinstance(node, list):
            return [kept for kept in map(walk, node) if kept is not nothing]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Fn::If"}:
            name, yes, no = node["Fn::If"]
            return walk(yes if holds({"Condition": name}) else no)
        if node == {"Ref": "AWS::NoValue"}:
            return nothing
        return {name: kept for name, kept in ((name, walk(member)) for name, member in node.items()) if kept is not nothing}

    resources = {}
    for name, resource in template["Resources"].items():
        condition = resource.pop("Condition", None)
        if condition is None or holds({"Condition": condition}):
            resources[name] = walk(resource)
    return {"Parameters": template["Parameters"], "Resources": resources}


def main(template_file, stack):
    template = yaml_parse(open(template_file))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://code/function.zip"
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = "s3://code/function.zip"
    template = transform(template, {}, NoManagedPolicies())
    defaults = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}

    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bootstrap", "")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="function.zip", Body=code.getvalue())
    ec2 = boto3.client("ec2")
    parameters = {
        "VpcId": ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
        "SubnetIds": ",".join(subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]),
        "CertificateArn": boto3.client("acm").request_certificate(DomainName="api.example.org")["CertificateArn"],
    }
    boto3.client("cloudformation").create_stack(
        StackName=stack,
        TemplateBody=json.dumps(applied(template, defaults)),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    # What moto does not read from a template.
    balancing = boto3.client("elbv2")
    for group in balancing.describe_target_groups()["TargetGroups"]:
        balancing.modify_target_group_attributes(
            TargetGroupArn=group["TargetGroupArn"], Attributes=[{"Key": "lambda.multi_value_headers.enabled", "Value": "true"}]
        )
    # Faults as an operator in a hurry would make them.
    functions = boto3.client("lambda")
    function = functions.list_functions()["Functions"][0]["FunctionName"]
    functions.create_function_url_config(FunctionName=function, AuthType="NONE")
    functions.add_permission(FunctionName=function, StatementId="quick", Action="lambda:InvokeFunction", Principal="elasticloadbalancing.amazonaws.com")


main(*sys.argv[1:])
