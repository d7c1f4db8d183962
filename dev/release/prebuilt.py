"""The template of SAM with code that is built already."""

import re

# Resource, property and the name of the archive.
CODE = {
    "RespondFunction": ("CodeUri", "functions/respond", "respond"),
    "ForwardFunction": ("CodeUri", "functions/forward", "forward"),
    "AuthorizeFunction": ("CodeUri", "functions/authorize", "authorize"),
    "RefreshCrlsFunction": ("CodeUri", "functions/refresh-crls", "refresh-crls"),
    "GateLayer": ("ContentUri", "functions/layer", "layer"),
}
# A program in Python, with nothing to build.
EXAMPLE = "examples/layer/python"


class PrebuiltError(Exception):
    """A template that is not as this program knows it."""


def replaced(pattern, replacement, text, what):
    text, count = re.subn(pattern, replacement, text, count=2, flags=re.MULTILINE)
    if count != 1:
        raise PrebuiltError(f"template.yaml has {what} {count} times instead of once: change dev/release/prebuilt.py with it")
    return text


def template(text, architecture):
    """Returns the template with archives as code, which `sam deploy` takes without `sam build`."""
    for resource, (key, source, name) in CODE.items():
        text = replaced(rf"^(      {key}: ){re.escape(source)}$", rf"\g<1>{name}-{architecture}.zip", text, f"the code of {resource}")
    left = [found for found in re.findall(r"^      (?:CodeUri|ContentUri): (?!.*\.zip$)(.*)$", text, re.MULTILINE) if found != EXAMPLE]
    if left:
        raise PrebuiltError(f"template.yaml has code that is not in dist: {', '.join(left)}")
    # SAM would build what says how it is built.
    text = re.sub(r"^      (?:BuildMethod|BuildArchitecture|WorkingDirectory): .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^      # Of the whole workspace.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^      BuildProperties:\n(?:        .*\n)+", "", text, flags=re.MULTILINE)
    text = re.sub(r"^    Metadata:\n(?=    \w)", "", text, flags=re.MULTILINE)
    # Code of one architecture starts on no other.
    parameter = re.search(r"^  Architecture:\n(?:    .*\n)+", text, re.MULTILINE)
    if parameter is None:
        raise PrebuiltError("template.yaml has no parameter Architecture")
    only = re.sub(r"^(    Default: ).*$", rf"\g<1>{architecture}", parameter[0], flags=re.MULTILINE)
    only = re.sub(r"^(    AllowedValues: ).*$", rf"\g<1>[{architecture}]", only, flags=re.MULTILINE)
    return text.replace(parameter[0], only)
