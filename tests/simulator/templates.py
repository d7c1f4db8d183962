"""What CloudFormation makes of a SAM template and the values of its parameters."""

import copy
import functools
import hashlib
import json
import os
import pathlib
import re

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ACCOUNT, REGION = "123456789012", "us-east-1"
NOTHING = object()


class Refused(Exception):
    """A deployment that CloudFormation does not begin."""


class NoManagedPolicies:
    """There are no names of AWS's own policies in the template."""

    def load(self):
        return {}


def translated(path):
    """Returns a template as SAM translates it, and where the code of its functions is."""
    template, code = copy.deepcopy(translation(path.read_text()))
    return template, {name: of | {"folder": str(path.parent / of["folder"])} for name, of in code.items()}


@functools.cache
def translation(template):
    """Returns the same for the text of a template, with folders below its own. It takes a second, and one template is deployed often."""
    template = yaml_parse(template)
    code = {}
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            build = resource.get("Metadata", {}).get("BuildProperties", {})
            code[name] = {"binary": build.get("Binary"), "folder": properties["CodeUri"]}
            properties["CodeUri"] = "s3://code/function.zip"
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = "s3://code/layer.zip"
    if "Transform" in template:
        # The environment is that of the command which deploys, and the translator wants a region in it.
        os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
        template = transform(template, {}, NoManagedPolicies())
    return template, code


class Stack:
    """A template with values for its parameters: everything in it resolved."""

    def __init__(self, name, path, parameters, stack_id=None):
        self.name = name
        self.path = pathlib.Path(path)
        # Another stack of the same name has another id.
        self.id = stack_id or f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{uuid_of(name)}"
        self.template, self.code = translated(self.path)
        self.parameters = self.valued(parameters)
        self.conditions = {}
        self.check_rules()
        self.children = {}
        self.resources = {}
        for logical, resource in self.template["Resources"].items():
            if "Condition" not in resource or self.condition(resource["Condition"]):
                self.resources[logical] = resource
        self.made = {logical: self.resolved(logical, resource) for logical, resource in self.resources.items()}
        self.outputs = {}
        for logical, output in self.template.get("Outputs", {}).items():
            if "Condition" not in output or self.condition(output["Condition"]):
                self.outputs[logical] = self.value(output["Value"], f"Outputs/{logical}")

    def valued(self, given):
        declared = self.template.get("Parameters", {})
        unknown = sorted(set(given) - set(declared))
        if unknown:
            raise Refused(f"Parameters: {unknown} do not exist in the template")
        values = {}
        for name, parameter in declared.items():
            if name not in given and "Default" not in parameter:
                raise Refused(f"Parameters: [{name}] must have values")
            value = str(given.get(name, parameter.get("Default")))
            check_value(name, parameter, value)
            is_list = parameter["Type"] == "CommaDelimitedList" or parameter["Type"].startswith("List<")
            values[name] = [item.strip() for item in value.split(",")] if is_list else value
        return values

    def check_rules(self):
        for name, rule in self.template.get("Rules", {}).items():
            if "RuleCondition" in rule and not self.holds(rule["RuleCondition"]):
                continue
            for assertion in rule["Assertions"]:
                if not self.holds(assertion["Assert"]):
                    raise Refused(f"Rule {name}: {assertion['AssertDescription']}")

    def condition(self, name):
        if name not in self.conditions:
            self.conditions[name] = self.holds(self.template["Conditions"][name])
        return self.conditions[name]

    def holds(self, formula):
        ((function, argument),) = formula.items()
        if function == "Condition":
            return self.condition(argument)
        if function == "Fn::Equals":
            one, other = (self.value(side, "Conditions") for side in argument)
            return one == other
        if function == "Fn::Not":
            return not self.holds(argument[0])
        if function in ("Fn::And", "Fn::Or"):
            # CloudFormation takes two to ten.
            if not 2 <= len(argument) <= 10:
                raise Refused(f"{function} takes 2 to 10 conditions")
            results = [self.holds(part) for part in argument]
            return all(results) if function == "Fn::And" else any(results)
        raise Refused(f"{function} is not a condition")

    def resolved(self, logical, resource):
        properties = self.value(resource.get("Properties", {}), logical)
        self.value(resource.get("Metadata", {}), logical)
        if resource["Type"] == "AWS::CloudFormation::Stack":
            self.nest(logical, properties)
        for other in listed(resource.get("DependsOn", [])):
            if other not in self.template["Resources"]:
                raise Refused(f"{logical} depends on {other}, which does not exist")
        return {"Type": resource["Type"], "Properties": {} if properties is NOTHING else properties}

    def nest(self, logical, properties):
        if logical not in self.children:
            path = self.path.parent / properties["TemplateURL"]
            name = self.physical(logical)
            parameters = properties.get("Parameters", {})
            self.children[logical] = Stack(name, path, {key: text(value) for key, value in parameters.items()})
        return self.children[logical]

    def value(self, node, place):
        if isinstance(node, list):
            return [kept for kept in (self.value(item, place) for item in node) if kept is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self.function(function, argument, place)
        members = ((name, self.value(member, f"{place}/{name}")) for name, member in node.items())
        return {name: member for name, member in members if member is not NOTHING}

    def function(self, function, argument, place):
        if function == "Ref":
            return self.reference(argument, place)
        if function == "Fn::If":
            name, yes, no = argument
            return self.value(yes if self.condition(name) else no, place)
        if function == "Fn::GetAtt":
            resource, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
            return self.attribute(resource, attribute, place)
        if function == "Fn::Sub":
            return self.substituted(argument, place)
        if function == "Fn::Join":
            delimiter, parts = argument
            if not isinstance(delimiter, str):
                raise Refused(f"{place}: the delimiter of Fn::Join is not text")
            parts = self.value(parts, place)
            if not isinstance(parts, list) or not all(isinstance(part, (str, int)) for part in parts):
                raise Refused(f"{place}: Fn::Join of {parts!r}")
            return delimiter.join(map(text, parts))
        if function == "Fn::Split":
            delimiter, source = argument
            return text(self.value(source, place)).split(delimiter)
        if function == "Fn::Select":
            index, items = argument
            items = self.value(items, place)
            if int(index) >= len(items):
                raise Refused(f"{place}: Fn::Select cannot select {index} of {items!r}")
            return items[int(index)]
        raise Refused(f"{place}: {function} is not known here")

    def substituted(self, argument, place):
        pattern, names = argument if isinstance(argument, list) else (argument, {})
        names = {name: text(self.value(value, place)) for name, value in names.items()}

        def replaced(match):
            name = match.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in names:
                return names[name]
            return text(self.attribute(*name.split(".", 1), place) if "." in name else self.reference(name, place))

        return re.sub(r"\$\{([^}]*)\}", replaced, pattern)

    def reference(self, name, place):
        pseudo = {
            "AWS::StackName": self.name,
            "AWS::StackId": self.id,
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": NOTHING,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        kind = self.kind(name, place)
        if kind in BY_ARN or kind == "AWS::IAM::ManagedPolicy":
            return self.arn(name)
        return self.physical(name)

    def attribute(self, name, attribute, place):
        kind = self.kind(name, place)
        if attribute.startswith("Outputs."):
            child = self.nest(name, self.value(self.resources[name]["Properties"], name))
            output = attribute.removeprefix("Outputs.")
            if output not in child.outputs:
                raise Refused(f"{place}: {name} has no output {output}")
            return child.outputs[output]
        known = {
            "Arn": lambda: self.arn(name),
            "DNSName": lambda: f"{self.physical(name)}.{REGION}.elb.amazonaws.com".lower(),
            "LoadBalancerFullName": lambda: self.arn(name).split(":loadbalancer/")[1],
            "GroupId": lambda: self.physical(name),
            "AuthorizerId": lambda: self.physical(name),
            "RootResourceId": lambda: f"{self.physical(name)}root",
        }
        if attribute not in known:
            raise Refused(f"{place}: {kind} has no attribute {attribute}")
        return known[attribute]()

    def kind(self, name, place):
        if name not in self.resources:
            raise Refused(f"{place}: {name} is not made, and is referred to")
        return self.resources[name]["Type"]

    def physical(self, name):
        """Returns the name or id that AWS would choose, or that the template chooses."""
        resource = self.resources[name]
        own = {"AWS::SSM::Parameter": "Name", "AWS::ElasticLoadBalancingV2::TargetGroup": "Name", "AWS::Lambda::LayerVersion": "LayerName", "AWS::CloudWatch::Dashboard": "DashboardName"}
        chosen = resource.get("Properties", {}).get(own.get(resource["Type"]))
        if chosen is not None:
            return text(self.value(chosen, name))
        prefixes = {"AWS::EC2::SecurityGroup": "sg-", "AWS::ApiGatewayV2::Api": "", "AWS::ApiGateway::RestApi": ""}
        if resource["Type"] in prefixes:
            return prefixes[resource["Type"]] + digest(self.id, name)[:10]
        made = f"{self.name}-{name}-{digest(self.id, name)[:12].upper()}"
        return made.lower() if resource["Type"] == "AWS::S3::Bucket" else made[-64:]

    def arn(self, name):
        kind = self.resources[name]["Type"]
        if kind == "AWS::S3::Bucket":
            return f"arn:aws:s3:::{self.physical(name)}"
        if kind not in BY_ARN | OTHERS:
            raise Refused(f"the ARN of {kind} is not known here")
        service, form = (BY_ARN | OTHERS)[kind]
        region = "" if service == "iam" else REGION
        unique = digest(self.id, name)
        return f"arn:aws:{service}:{region}:{ACCOUNT}:" + form.format(name=self.physical(name), unique=unique[:16], other=unique[16:32])


# Kinds whose Ref is their ARN.
BY_ARN = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("elasticloadbalancing", "loadbalancer/app/{name}/{unique}"),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("elasticloadbalancing", "targetgroup/{name}/{unique}"),
    "AWS::ElasticLoadBalancingV2::Listener": ("elasticloadbalancing", "listener/app/{name}/{unique}/{other}"),
    "AWS::ElasticLoadBalancingV2::ListenerRule": ("elasticloadbalancing", "listener-rule/app/{name}/{unique}/{other}"),
    "AWS::Lambda::LayerVersion": ("lambda", "layer:{name}:1"),
}
OTHERS = {
    "AWS::IAM::ManagedPolicy": ("iam", "policy/{name}"),
    "AWS::IAM::Role": ("iam", "role/{name}"),
    "AWS::Lambda::Function": ("lambda", "function:{name}"),
    "AWS::Logs::LogGroup": ("logs", "log-group:{name}:*"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "alarm:{name}"),
    "AWS::Events::Rule": ("events", "rule/{name}"),
}


def check_value(name, parameter, value):
    """Checks a value as CloudFormation does before it makes anything."""
    words = parameter.get("ConstraintDescription", "")
    is_list = parameter["Type"] == "CommaDelimitedList" or parameter["Type"].startswith("List<")
    if len(value) > 4096:
        raise Refused(f"Parameter {name} has more than 4096 characters")
    if parameter["Type"] == "Number" and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is None:
        raise Refused(f"Parameter {name} must be a number")
    # A pattern of a list is one for each item.
    for item in [item.strip() for item in value.split(",")] if is_list else [value]:
        if "AllowedPattern" in parameter and re.fullmatch(parameter["AllowedPattern"], item) is None:
            raise Refused(f"Parameter {name} failed to satisfy constraint: {words or parameter['AllowedPattern']}")
    if "AllowedValues" in parameter and value not in map(str, parameter["AllowedValues"]):
        raise Refused(f"Parameter {name} must be one of {parameter['AllowedValues']}")
    for limit, is_beyond in (
        ("MaxLength", lambda bound: len(value) > bound),
        ("MinLength", lambda bound: len(value) < bound),
        ("MaxValue", lambda bound: float(value) > bound),
        ("MinValue", lambda bound: float(value) < bound),
    ):
        if limit in parameter and is_beyond(int(parameter[limit])):
            raise Refused(f"Parameter {name}: {limit} is {parameter[limit]}")


def digest(*parts):
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def uuid_of(name):
    hexadecimal = digest("stack", name)
    return "-".join((hexadecimal[:8], hexadecimal[8:12], hexadecimal[12:16], hexadecimal[16:20], hexadecimal[20:32]))


def text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(text, value))
    return str(value)


def listed(value):
    return value if isinstance(value, list) else [value]


def as_json(value):
    return json.loads(json.dumps(copy.deepcopy(value)))
