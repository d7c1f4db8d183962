"""Prints what the AWS provider knows of these kinds of resources and data sources, for schema.json.

    pip download --no-deps cdktf-cdktf-provider-aws==21.22.1        the provider's 6.25.0, as CDK for Terraform knows it
    unzip, and unpack the archive in its folder _jsii
    python3 schema.py package/lib $(grep -oE '^"[^"]+' schema.json | tr -d '"') > new.json

Each attribute is [type, flags]: r required, o optional, c computed by the provider. The bindings do not tell optional from optional
and computed: ALSO_COMPUTED has those that matter here.
"""

import json
import pathlib
import re
import sys

ALSO_COMPUTED = {
    "bucket", "id", "ip_address_type", "name", "name_prefix", "protocol", "region", "security_groups", "source_code_hash", "ssl_policy", "subnets",
    "tags_all", "xff_header_processing_mode",
}
PLAIN = {"String": "string", "Number": "number", "Boolean": "bool", "NumberList": ["list", "number"], "List": ["list", "string"], "StringMap": ["map", "string"]}
STORED = {"string": "string", "number": "number", "boolean": "bool", "stringList": "string", "numberList": "number", "stringMap": "string", "booleanMap": "bool"}

root = pathlib.Path(sys.argv[1])


def class_of(text, name):
    start = re.search(rf"\nclass {name} extends ", text).end()
    end = text.find("\nclass ", start)
    return text[start : end if end > 0 else None]


def camel(name):
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def computed(text, body):
    """The attributes that only the provider sets."""
    found = {}
    for name, getter in re.findall(r"// (\w+) - computed: true, optional: false, required: false\n[^\n]*\n[^\n]*\bget(\w+)Attribute\(", body):
        if getter in PLAIN:
            found[name] = PLAIN[getter]
    for kind, name in re.findall(r"this\._\w+ = new (\w+List)\(this, \"(\w+)\", \w+\)", body):
        if re.search(rf"// {name} - computed: true, optional: false", body):
            inner = class_of(text, kind.removesuffix("List") + "OutputReference")
            found[name] = ["list", ["object", computed(text, inner)]]
    return found


def block(text, attributes, declared):
    """The attributes and blocks that a configuration can have."""
    found = {}
    entry = re.compile(r"\n +(\w+): \{\n +value: (.*?),\n +isBlock: (\w+),\n +type: \"(\w+)\",\n +storageClassType: \"(\w+)\",?\n", re.S)
    for name, value, is_block, nesting, stored in entry.findall(attributes):
        is_required = re.search(rf"readonly {camel(name)}: ", declared) is not None
        if is_block == "false":
            kind = STORED[stored] if nesting == "simple" else [nesting, STORED[stored]]
            found[name] = [kind, "r" if is_required else "oc" if name in ALSO_COMPUTED else "o"]
            continue
        inner = re.sub("(List|Set)$", "", stored)
        start = text.index(f"function {inner[0].lower()}{inner[1:]}ToHclTerraform(struct)")
        head = {"nesting": "single" if nesting == "struct" else nesting}
        if nesting != "struct" and "Mapper" not in value:
            head["most"] = 1
        if is_required:
            head["least"] = 1
        types = (root / folder / "index.d.ts").read_text()
        interface = re.search(rf"export interface {inner} \{{(.*?)\n\}}", types, re.S)[1]
        found[name] = {"": head, **block(text, text[start : text.index("\n}\n", start)], interface)}
    return found


kinds = {}
for kind in sorted(sys.argv[2:]):
    is_data = kind.startswith("data.")
    folder = ("data-aws-" if is_data else "") + kind.removeprefix("data.").removeprefix("aws_").replace("_", "-")
    text = (root / folder / "index.js").read_text()
    name = re.search(r"\nclass (\w+) extends cdktf\.Terraform(?:Resource|DataSource) ", text)[1]
    main = class_of(text, name)
    types = (root / folder / "index.d.ts").read_text()
    declared = re.search(rf"export interface {name}ConfigA? extends .*?\{{(.*?)\n\}}", types, re.S)[1]
    kinds[kind] = {name: [of, "c"] for name, of in computed(text, main).items()} | block(text, main[main.index("synthesizeHclAttributes()") :], declared)


def lines(entries, depth):
    for name, entry in sorted(entries.items()):
        if isinstance(entry, dict) and name:
            yield f"{' ' * depth}{json.dumps(name)}: {{\n" + ",\n".join(lines(entry, depth + 1)) + f"\n{' ' * depth}}}"
        else:
            yield f"{' ' * depth}{json.dumps(name)}: {json.dumps(entry)}"


print("{\n" + ",\n".join(lines(kinds, 0)) + "\n}")
