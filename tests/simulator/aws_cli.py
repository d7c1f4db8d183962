"""The AWS command line, of which `aws cloudformation deploy` makes the stack in the simulated account."""

import os
import sys
import tempfile

from awscli import clidriver
from awscli.customizations.cloudformation.deploy import DeployCommand

import sam


def deploy(self, deployer, stack_name, template_str, parameters, capabilities, *_):
    # What calls AWS, after the options and the template were read.
    given = {one["ParameterKey"]: one["ParameterValue"] for one in parameters if "ParameterValue" in one}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as template:
        template.write(template_str)
        template.flush()
        sam.make(stack_name, template.name, given, capabilities)
    sys.stdout.write(f"Successfully created/updated stack - {stack_name}\n")
    return 0


def main():
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    DeployCommand.deploy = deploy
    return clidriver.main()
