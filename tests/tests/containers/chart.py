"""Prints what Helm makes of deploy/helm/alb-mtls with values from standard input: its complaints, and the objects."""

import json
import sys

import yaml
from helm_python import Chart, HelmError, lint

folder = sys.argv[1]
values = json.load(sys.stdin)
complaints, objects = [], []
try:
    report = lint(folder, values, strict=True)
    complaints += [message["error"] for message in report["messages"] if message["severity"] >= 2]
    complaints += report["errors"]
    with Chart.load(folder) as chart:
        chart.validate_schema(values)
        for manifest in chart.render(values, name="gate", namespace="orders").values():
            objects += [one for one in yaml.safe_load_all(manifest) if one]
except HelmError as error:
    complaints.append(str(error))
json.dump({"complaints": complaints, "objects": objects}, sys.stdout)
