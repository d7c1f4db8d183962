"""Holds what the doctor says of SAM templates against what it says of their translations, by SAM's own translator.

Each sample gets a gate: `Globals` gives every function the settings of one. Findings are compared by rule and by the resource of the
sample that they are of, since the translator makes names of its own.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from botocore.exceptions import BotoCoreError
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# What one side alone says, by the sample (or `*`) and the rule, and why that is right.
EXPLAINED = {
    ("*", "not looked at: transform"): "the doctor names the kinds of SAM that it does not read: GraphQLApi, WebSocketApi, CapacityProvider",
    ("websocket_api_with_*", "default-endpoint"): "the doctor says of a WebSocketApi that it is not looked at",
    ("websocket_api_with_*", "intermediates-missing"): "likewise",
    ("websocket_api_with_*", "not looked at: listener"): "likewise: its authorizer is not known to be one",
    ("implicit_api_with_serverless_rest_api_resource", "*"): "a function with the name of the implicit API, which takes its place",
    ("connector_appsync_to_lambda", "may-invoke"): "advice; a connector from a data source, whose role is not in the template",
    ("connector_with_non_id_source_and_destination", "may-invoke"): "advice; a connector from a role by its name alone",
}
# The translator asks for it.
REGION = os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
GATE = {
    "MTLS_ANCHORS": "ssm:/gate/anchors/*",
    "MTLS_HEADER": "x-7f3a",
    "MTLS_TARGET_GROUPS": "arn:aws:elasticloadbalancing:*:*:targetgroup/gate/*",
}
MANAGED = [
    "AmazonDynamoDBFullAccess",
    "AmazonDynamoDBReadOnlyAccess",
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaRole",
    "AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess",
]
# About routes and policies, to which the translator gives names that say nothing of where they come from.
BY_RULE = {"may-invoke", "route-other-authorizer", "route-without-authorizer", "trust-writer"}


def with_gate(template):
    """A sample whose functions have a gate."""
    functions = template.setdefault("Globals", {}).setdefault("Function", {})
    functions.setdefault("Environment", {}).setdefault("Variables", {}).update(GATE)
    return template


def translated(template):
    """The translation, as CloudFormation would get it."""
    return Translator({name: f"arn:aws:iam::aws:policy/{name}" for name in MANAGED}, Parser()).translate(template, {"AWS::Region": REGION, "AWS::Partition": "aws"})


def root(resource, names):
    """The resource of the sample that a resource of the translation was made from."""
    own = resource.split("/")[0].split(" ")[0]
    return max((name for name in names if own.startswith(name)), key=len, default=own)


def examined(doctor, path, names):
    """What the doctor says of a file: findings and what was not looked at."""
    output = subprocess.run([doctor, "doctor", path, "--json"], capture_output=True, text=True, timeout=120)
    if output.returncode not in (0, 1, 2, 3) or not output.stdout:
        sys.exit(f"{path}: {output.returncode} {output.stderr}")
    report = json.loads(output.stdout)
    said = {
        (finding["check"], "" if finding["check"] in BY_RULE else root(finding["resource"], names))
        for finding in report.get("findings", [])
    }
    return said | {(f"not looked at: {gap['kind']}", root(gap["subject"], names)) for gap in report.get("not_looked_at", [])}


def compared(doctor, folder, sample):
    """What the doctor says of one side alone, or why there is nothing to compare."""
    try:
        template = with_gate(json.loads(json.dumps(yaml_parse(sample.read_text()), default=str)))
        names = list(template["Resources"])
        paths = []
        for side in ("sam", "translated"):
            path = folder / f"{sample.stem}.{side}.json"
            path.write_text(json.dumps(template, indent=1))
            template = translated(template) if side == "sam" else template
            paths.append(path)
    except (InvalidDocumentException, BotoCoreError, AttributeError, TypeError, KeyError, ValueError) as error:
        return None, f"{type(error).__name__}: {str(getattr(error, 'message', error))[:200]}"
    one, other = (examined(doctor, path, names) for path in paths)
    return (one - other, other - one, len(one & other)), None


def explained(sample, check):
    """Whether a difference is one that is right."""
    return any(fnmatch.fnmatch(sample, one) and fnmatch.fnmatch(check, other) for one, other in EXPLAINED)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("doctor", help="path of alb-mtls")
    parser.add_argument("samples", type=pathlib.Path, help="tests/translator/input of serverless-application-model")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the templates that were compared")
    arguments = parser.parse_args()
    samples = sorted(path for path in arguments.samples.glob("*.yaml") if not path.name.startswith("error_"))
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        folder = arguments.keep or pathlib.Path(folder)
        for sample, (result, reason) in zip(samples, pool.map(lambda sample: compared(arguments.doctor, folder, sample), samples)):
            if reason:
                counts["not translated"] += 1
                print(f"{sample.stem}: not translated: {reason}")
                continue
            left, right, same = result
            counts["equal" if not left | right else "different"] += 1
            counts["findings in both"] += same
            for side, said in (("SAM", left), ("translation", right)):
                for check, resource in sorted(said):
                    if explained(sample.stem, check):
                        counts["explained"] += 1
                        continue
                    counts["not explained"] += 1
                    print(f"{sample.stem}: only {side}: {check} {resource}")
    print(", ".join(f"{name} {count}" for name, count in counts.items()))
    sys.exit(not counts["equal"] or counts["not explained"] > 0)


main()
