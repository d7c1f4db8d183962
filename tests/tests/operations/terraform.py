"""Reads the Terraform files of a folder, and prints what is wrong with their graph as a JSON list.

It knows no provider: attribute names and types of resources are not checked here.
"""

import json
import pathlib
import re
import sys

import hcl2

problems = []
blocks = {}  # address -> body
used = {}  # address -> where it is used


def plain(value):
    """Text without quotes and the braces of an expression."""
    text = str(value)
    if text.startswith('"') and text.endswith('"'):
        return text[1:-1]
    return text[2:-1] if text.startswith("${") and text.endswith("}") else text


def texts(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name.startswith("__"):
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def declare(prefix, entry, depth):
    if depth == 0:
        blocks[prefix] = entry
        return
    for name, body in entry.items():
        declare(f"{prefix}.{plain(name)}" if prefix else plain(name), body, depth - 1)


folder = pathlib.Path(sys.argv[1])
for path in sorted(folder.glob("*.tf")):
    with path.open() as file:
        document = hcl2.load(file)
    for entry in document.get("resource", []):
        declare("", entry, 2)
    for entry in document.get("data", []):
        declare("data", entry, 2)
    for kind, prefix in (("variable", "var"), ("output", "output"), ("module", "module")):
        for entry in document.get(kind, []):
            declare(prefix, entry, 1)
    for entry in document.get("locals", []):
        for name, value in entry.items():
            if not name.startswith("__"):
                blocks[f"local.{name}"] = value

# Each reference leads to something that is declared, and each variable and local is used.
for address, body in blocks.items():
    for text in texts(body):
        for reference in re.findall(r"\b(?:var|local|data\.\w+|module|(?:aws|random)_\w+)\.\w+", text):
            if reference not in blocks:
                problems.append(f"{address}: {reference} is not declared")
            elif reference != address:
                used.setdefault(reference, []).append(address)
for address in blocks:
    if address.startswith(("var.", "local.")) and address not in used:
        problems.append(f"{address} is not used")
    if address.startswith(("var.", "output.")) and not plain(blocks[address].get("description", "")):
        problems.append(f"{address} has no description")

# No resource waits for itself.
def reaches(start, address, seen):
    for text in texts(blocks[address]):
        for reference in re.findall(r"\b(?:local|data\.\w+|(?:aws|random)_\w+)\.\w+", text):
            if reference == start:
                return True
            if reference in blocks and reference not in seen and reference != address:
                seen.add(reference)
                if reaches(start, reference, seen):
                    return True
    return False


for address in blocks:
    if address.startswith("aws_") and reaches(address, address, set()):
        problems.append(f"{address} waits for itself")


def of_type(kind):
    return {address: body for address, body in blocks.items() if address.startswith(f"{kind}.")}


# What opens a gate.
for address, body in of_type("aws_lb_listener").items():
    modes = [plain(block.get("mode")) for block in body.get("mutual_authentication", [])]
    forwards = [action for action in body.get("default_action", []) if plain(action.get("type")) == "forward"]
    if forwards and modes != ["passthrough"]:
        problems.append(f"{address} forwards without mutual TLS")
    written = plain(body.get("routing_http_request_x_amzn_mtls_clientcert_header_name", ""))
    if forwards and written != "local.certificate_header":
        problems.append(f"{address} does not rename the header")
for address, body in of_type("aws_lb_listener_rule").items():
    problems.append(f"{address} is not looked at here")
for address, body in of_type("aws_lb_target_group").items():
    if str(body.get("lambda_multi_value_headers_enabled")).lower() != "true":
        problems.append(f"{address} has single-value headers")
for address, body in of_type("aws_lambda_permission").items():
    for name, wanted in (("source_arn", "aws_lb_target_group."), ("source_account", "data.aws_caller_identity.")):
        if not plain(body.get(name, "")).startswith(wanted):
            problems.append(f"{address} has no {name}")
for address, body in of_type("aws_cloudwatch_log_group").items():
    if "retention_in_days" not in body:
        problems.append(f"{address} has no retention")
for address in of_type("aws_lambda_function_url"):
    problems.append(f"{address} leads past the load balancer")
for address, body in of_type("data.aws_iam_policy_document").items():
    statements = body.get("statement", []) + [
        content for entry in body.get("dynamic", []) for block in entry.values() for content in block.get("content", [])
    ]
    for statement in statements:
        for action in statement.get("actions", []):
            if re.match(r"(s3|ssm):(Put|Delete|\*)|\*", plain(action)):
                problems.append(f"{address} may write: {plain(action)}")
        if '"*"' in [text for text in texts(statement.get("resources", []))]:
            problems.append(f"{address} is for every resource")
if of_type("aws_lambda_function"):
    # For all values of the variables, the header's default name is unique.
    if not re.search(r"MTLS_HEADER\W+local\.certificate_header\b", str(blocks.get("local.environment"))):
        problems.append("MTLS_HEADER is not the name that the listener writes")
    if "random_uuid.certificate_header.result" not in str(blocks.get("local.certificate_header")):
        problems.append("the certificate header has no random name by default")
if of_type("aws_lambda_function") and "MTLS_TARGET_GROUPS" not in str(blocks.get("local.environment")):
    problems.append("MTLS_TARGET_GROUPS is not set")

# What a module is given is what it asks for.
for address, body in blocks.items():
    if not address.startswith("module."):
        continue
    source = folder / plain(body["source"])
    wanted = {}
    for path in source.glob("*.tf"):
        with path.open() as file:
            for entry in hcl2.load(file).get("variable", []):
                wanted |= {plain(name): variable for name, variable in entry.items()}
    given = {name for name in body if name != "source" and not name.startswith("__")}
    for name in given - wanted.keys():
        problems.append(f"{address}: the module has no variable {name}")
    for name, variable in wanted.items():
        if "default" not in variable and name not in given:
            problems.append(f"{address}: {name} is not given")

print(json.dumps({"problems": sorted(set(problems)), "blocks": len(blocks)}))
