#!/usr/bin/env python3
"""Deploys our template to the AWS that AWS_ENDPOINT_URL names, as far as moto is one, with its parameters at their defaults."""

import io
import json
import pathlib
import sys
import zipfile

import boto3

sys.path.insert(0, str(pathlib.Path(__file__).parents[4] / "tests/simulator"))
from templates import Stack

NOTHING = object()
# moto does not know a dashboard; the alarms are in its template.
LEFT_OUT = ["Observability"]
s3, iam = boto3.client("s3"), boto3.client("iam")


def applied(stack):
    """The template of a stack with its conditions applied: moto does not leave out of lists what they leave out."""

    def walk(node):
        if isinstance(node, list):
            return [kept for kept in map(walk, node) if kept is not NOTHING]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Fn::If"}:
            name, yes, no = node["Fn::If"]
            return walk(yes if stack.condition(name) else no)
        if node == {"Ref": "AWS::NoValue"}:
            return NOTHING
        if set(node) == {"Fn::GetAtt"}:
            return attribute(stack, node)
        return {name: kept for name, kept in ((name, walk(member)) for name, member in node.items()) if kept is not NOTHING}

    def made(members):
        return {
            name: walk({key: value for key, value in member.items() if key != "Condition"})
            for name, member in members.items()
            if "Condition" not in member or stack.condition(member["Condition"])
        }

    resources = {name: resource for name, resource in made(stack.template["Resources"]).items() if name not in LEFT_OUT}
    for name, child in stack.children.items():
        if name in resources:
            key = f"{name}.json"
            s3.put_object(Bucket="code", Key=key, Body=json.dumps(applied(child)))
            resources[name]["Properties"]["TemplateURL"] = f"https://s3.amazonaws.com/code/{key}"
    outputs = {"Outputs": made(stack.template["Outputs"])} if stack.path.parent.name == "sam" else {}
    return {"Parameters": stack.template["Parameters"], "Resources": resources} | outputs


def attribute(stack, node):
    """The value of an output of a nested stack, of which moto knows none."""
    name, attribute = node["Fn::GetAtt"]
    child = stack.children.get(name)
    if child is None or not attribute.startswith("Outputs."):
        return node
    output = attribute.removeprefix("Outputs.")
    policy = child.made.get(output, {})
    if policy.get("Type") != "AWS::IAM::ManagedPolicy":
        return child.outputs.get(output, node)
    document = json.dumps(policy["Properties"]["PolicyDocument"])
    made = {made["PolicyName"]: made["Arn"] for made in iam.list_policies(Scope="Local")["Policies"]}
    return made.get(output) or iam.create_policy(PolicyName=output, PolicyDocument=document)["Policy"]["Arn"]


def main(template_file, name):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bootstrap", "")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="function.zip", Body=code.getvalue())
    ec2 = boto3.client("ec2")
    parameters = {
        "VpcId": ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
        "SubnetIds": ",".join(subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]),
        "CertificateArn": boto3.client("acm").request_certificate(DomainName="api.example.org")["CertificateArn"],
    }
    stack = Stack(name, template_file, parameters)
    boto3.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=json.dumps(applied(stack)),
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
