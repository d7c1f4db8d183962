"""Makes the resources of a stack in moto, as far as functions, tasks and their roles need them, and describes the stack to the tests."""

import json
import os
import pathlib

import boto3
import botocore.exceptions

import functions
from templates import Refused, Stack, listed

# IAM's own limits, and Lambda's for variables.
POLICY_SIZE, VARIABLES_SIZE, GROUP_NAME = 6_144, 4_096, 32
POLICIES_OF_AWS = "arn:aws:iam::aws:policy/service-role/"
deployed = {}  # name -> Stack


def deploy(endpoint, request):
    """Makes a stack, or changes the one of that name."""
    stack = Stack(request["stack"], request["template"], request["parameters"])
    if "CAPABILITY_IAM" not in request["capabilities"] and of_type(stack, "AWS::IAM::Role"):
        raise Refused("Requires capabilities : [CAPABILITY_IAM]")
    former = deployed.get(stack.name)
    check(stack)
    aws = Aws(endpoint)
    for owner, logical in of_type(stack, "AWS::S3::Bucket"):
        aws.bucket(owner.physical(logical))
    ours = [properties["Name"] for properties in of_type(former, "AWS::SSM::Parameter").values()] if former else []
    for properties in of_type(stack, "AWS::SSM::Parameter").values():
        aws.parameter(properties, properties["Name"] in ours)
    for (owner, logical), properties in of_type(stack, "AWS::IAM::ManagedPolicy").items():
        aws.policy(owner.physical(logical), properties["PolicyDocument"])
    credentials = {}
    for (owner, logical), properties in of_type(stack, "AWS::IAM::Role").items():
        credentials[owner.arn(logical)] = aws.role(owner.physical(logical), properties)
    aws.outputs(stack)
    stack.request = request
    deployed[stack.name] = stack
    stack.described = describe(stack, credentials)
    for function in stack.described["functions"].values():
        if function["binary"]:
            program = pathlib.Path(os.environ["SIMULATOR_PROGRAMS"]) / function["binary"]
            functions.register(
                {"name": function["name"], "command": [str(program)], "environment": function["environment"] | function["credentials"]}
            )
    return {"outputs": stack.outputs}


def change(endpoint, request):
    """Deploys a stack again with some parameters changed."""
    former = deployed[request["stack"]]
    return deploy(endpoint, former.request | {"parameters": former.request["parameters"] | request["parameters"]})


def described(name):
    if name not in deployed:
        raise Refused(f"Stack with id {name} does not exist")
    return deployed[name].described


def of_type(stack, kind):
    """Returns the properties of each resource of a kind by its stack, nested ones too, and its logical name."""
    own = {(stack, logical): made["Properties"] for logical, made in stack.made.items() if made["Type"] == kind}
    for child in stack.children.values():
        own |= of_type(child, kind)
    return own


def check(stack):
    """Checks what AWS would refuse while it makes the resources."""
    documents = [(logical, properties["PolicyDocument"]) for (_, logical), properties in of_type(stack, "AWS::IAM::ManagedPolicy").items()]
    for (_, logical), properties in of_type(stack, "AWS::IAM::Role").items():
        documents += [(logical, policy["PolicyDocument"]) for policy in properties.get("Policies", [])]
    for logical, document in documents:
        for statement in document["Statement"]:
            for resource in listed(statement["Resource"]):
                if resource != "*" and not resource.startswith("arn:") or " " in resource:
                    raise Refused(f"{logical}: Resource {resource} must be in ARN format or \"*\"")
        if len(json.dumps(document, separators=(",", ":"))) > POLICY_SIZE:
            raise Refused(f"{logical}: the policy is longer than {POLICY_SIZE}")
    for (_, logical), properties in of_type(stack, "AWS::Lambda::Function").items():
        variables = properties.get("Environment", {}).get("Variables", {})
        if any(not isinstance(value, str) for value in variables.values()):
            raise Refused(f"{logical}: a variable is not text: {variables}")
        if sum(len(name) + len(value) for name, value in variables.items()) > VARIABLES_SIZE:
            raise Refused(f"{logical}: its variables are longer than {VARIABLES_SIZE}")
    for (_, logical), properties in of_type(stack, "AWS::ElasticLoadBalancingV2::TargetGroup").items():
        if len(properties.get("Name", "")) > GROUP_NAME:
            raise Refused(f"{logical}: the name {properties['Name']} is longer than {GROUP_NAME}")


class Aws:
    """moto, as the operator."""

    def __init__(self, endpoint):
        self.options = {
            "endpoint_url": endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": "operator",
            "aws_secret_access_key": "operator",
        }

    def client(self, service):
        return boto3.client(service, **self.options)

    def bucket(self, name):
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def parameter(self, properties, is_ours):
        tier = properties.get("Tier", "Standard")
        if len(properties["Value"]) > (4_096 if tier == "Standard" else 8_192):
            raise Refused(f"{properties['Name']} is too long for the tier {tier}")
        try:
            self.client("ssm").put_parameter(
                Name=properties["Name"], Value=properties["Value"], Type=properties["Type"], Tier=tier, Overwrite=is_ours
            )
        except botocore.exceptions.ClientError as error:
            raise Refused(f"{properties['Name']} already exists") from error

    def policy(self, name, document):
        iam = self.client("iam")
        arn = f"arn:aws:iam::123456789012:policy/{name}"
        try:
            iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
        except iam.exceptions.EntityAlreadyExistsException:
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
            for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
                if not version["IsDefaultVersion"]:
                    iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])

    def role(self, name, properties):
        """Makes a role and returns credentials of it, as Lambda and ECS get them."""
        iam = self.client("iam")
        boundary = {"PermissionsBoundary": properties["PermissionsBoundary"]} if "PermissionsBoundary" in properties else {}
        try:
            for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
                iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
            iam.delete_role(RoleName=name)
        except iam.exceptions.NoSuchEntityException:
            pass
        trust = json.dumps(properties["AssumeRolePolicyDocument"])
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **boundary)["Role"]
        for arn in properties.get("ManagedPolicyArns", []):
            # What those of AWS allow concerns logs, networks and images, which no request here is about.
            if not arn.startswith(POLICIES_OF_AWS):
                iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        for policy in properties.get("Policies", []):
            iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=json.dumps(policy["PolicyDocument"]))
        session = self.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="lambda")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
            "AWS_REGION": self.options["region_name"],
            "AWS_ENDPOINT_URL": self.options["endpoint_url"],
        }

    def outputs(self, stack):
        """Makes a stack of nothing but the outputs, for `aws cloudformation describe-stacks`."""
        client = self.client("cloudformation")
        body = {
            "Resources": {"Made": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
            "Outputs": {name: {"Value": value} for name, value in stack.outputs.items()},
        }
        client.delete_stack(StackName=stack.name)
        client.create_stack(StackName=stack.name, TemplateBody=json.dumps(body))


def describe(stack, credentials):
    """Returns what a test needs to run functions and tasks behind a load balancer."""

    def by_arn(kind):
        return {owner.arn(logical): properties for (owner, logical), properties in of_type(stack, kind).items()}

    made = {}
    for (owner, logical), properties in of_type(stack, "AWS::Lambda::Function").items():
        made[logical] = {
            "name": owner.physical(logical),
            "arn": owner.arn(logical),
            "binary": owner.code[logical]["binary"],
            "folder": owner.code[logical]["folder"],
            "handler": properties["Handler"],
            "environment": properties.get("Environment", {}).get("Variables", {}),
            "timeout": properties["Timeout"],
            "credentials": credentials[properties["Role"]],
        }
    tasks = {}
    for (_, logical), properties in of_type(stack, "AWS::ECS::TaskDefinition").items():
        containers = properties["ContainerDefinitions"]
        tasks[logical] = {
            "containers": {one["Name"]: {each["Name"]: each["Value"] for each in one.get("Environment", [])} for one in containers},
            "credentials": credentials[properties["TaskRoleArn"]],
        }
    resources = {}
    for kind in {made["Type"] for one in [stack, *stack.children.values()] for made in one.made.values()}:
        for (_, logical), properties in of_type(stack, kind).items():
            resources[logical] = {"type": kind, "properties": properties}
    return {
        "outputs": stack.outputs,
        "functions": made,
        "tasks": tasks,
        "target_groups": by_arn("AWS::ElasticLoadBalancingV2::TargetGroup"),
        "listeners": by_arn("AWS::ElasticLoadBalancingV2::Listener"),
        "rules": list(of_type(stack, "AWS::ElasticLoadBalancingV2::ListenerRule").values()),
        "permissions": list(of_type(stack, "AWS::Lambda::Permission").values()),
        "resources": resources,
    }
