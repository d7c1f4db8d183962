"""Prints which of the objects on standard input the schemas of Kubernetes do not take, and which kinds they do not know."""

import json
import sys

import kubernetes_validate

KUBERNETES = "1.37"
faults, unknown = [], []
for one in json.load(sys.stdin):
    name = f"{one['kind']}/{one['metadata']['name']}"
    try:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        unknown.append(one["kind"])
    except kubernetes_validate.ValidationError as error:
        faults.append(f"{name}: {error.message}")
json.dump({"faults": faults, "unknown": sorted(set(unknown))}, sys.stdout)
