"""The SAM command line, up to the point at which it would call AWS: `deploy` makes the stack in the simulated account."""

import inspect
import json
import os
import sys
import urllib.error
import urllib.request

os.environ.setdefault("SAM_CLI_TELEMETRY", "0")
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samcli.cli.main import cli
from samcli.commands.deploy import command


def make(stack_name, template, parameters, capabilities):
    """Makes a stack in the simulated account, and returns its outputs."""
    request = {
        "stack": stack_name,
        "template": os.path.abspath(template),
        "parameters": parameters,
        "capabilities": list(capabilities or []),
    }
    url = f"{os.environ['AWS_ENDPOINT_URL']}/simulator/deploy"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(request).encode())) as answer:
            return json.load(answer)["outputs"]
    except urllib.error.HTTPError as error:
        sys.exit(f"Error: Failed to create/update the stack: {stack_name}, {error.read().decode()}")


def deploy(template_file, stack_name, parameter_overrides, capabilities, **_):
    more = dict(pair.split("=", 1) for pair in os.environ.get("SIMULATOR_PARAMETERS", "").split(";") if pair)
    outputs = make(stack_name, template_file, dict(parameter_overrides) | more, capabilities)
    for name, value in sorted(outputs.items()):
        print(f"{name}: {value}")
    print(f"Successfully created/updated stack - {stack_name} in us-east-1")


def main():
    # Everything before it is SAM's own: the options, samconfig.toml, and the reading of parameters.
    signature = inspect.signature(command.do_cli)
    command.do_cli = lambda *arguments: deploy(**signature.bind(*arguments).arguments)
    arguments = sys.argv[1:]
    if arguments[:1] == ["deploy"]:
        cli(arguments, prog_name="sam")
    elif arguments[:1] != ["build"]:
        sys.exit(f"sam {arguments}: only `build` and `deploy` are known here")


if __name__ == "__main__":
    main()
