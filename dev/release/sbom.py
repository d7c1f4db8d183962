"""The list of what the programs are built from, as CycloneDX 1.6."""

import hashlib
import re
import uuid
from datetime import datetime, timezone

LOCKED = re.compile(r'\[\[package\]\]\nname = "([^"]+)"\nversion = "([^"]+)"\nsource = "([^"]+)"\nchecksum = "([0-9a-f]{64})"')
# Any fixed value: the serial number depends on contents alone.
NAMESPACE = uuid.UUID("7d1f2f0e-4a0c-5c57-9c49-6f1f6a1d3b52")


class SbomError(Exception):
    """A package that cannot be described."""


def checksums(lock):
    """Returns the SHA-256 of each package of crates.io that Cargo.lock pins."""
    return {(name, version): checksum for name, version, _, checksum in LOCKED.findall(lock)}


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version'].replace('+', '%2B')}"


def licences(package):
    # An old way to write an alternative, which is not SPDX.
    expression = (package.get("license") or "").replace("/", " OR ")
    return [{"expression": expression}] if expression else []


def library(package, known):
    checksum = known.get((package["name"], package["version"]))
    if checksum is None:
        raise SbomError(f"Cargo.lock has no checksum of {package['name']} {package['version']}")
    component = {"type": "library", "bom-ref": purl(package), "name": package["name"], "version": package["version"],
                 "scope": "required", "purl": purl(package), "hashes": [{"alg": "SHA-256", "content": checksum}]}
    if licences(package):
        component["licenses"] = licences(package)
    if package.get("repository"):
        component["externalReferences"] = [{"type": "vcs", "url": package["repository"].strip()}]
    return component


def own(package, kind):
    return {"type": kind, "bom-ref": purl(package), "name": package["name"], "version": package["version"],
            "purl": purl(package), "licenses": licences(package)}


def is_program(package):
    return any("bin" in target["kind"] for target in package["targets"])


def bom(graphs, lock, commit, epoch):
    """Returns the list for graphs of one workspace on several platforms.

    It contains each package that some program can be built from, with any of its features."""
    known, packages, edges, members = checksums(lock), {}, {}, set()
    for graph in graphs:
        shipped = {member for member in graph.members if graph.ships(member)}
        members |= shipped
        for package in shipped.union(*(graph.below(member) for member in shipped)):
            packages[package] = graph.packages[package]
            edges.setdefault(package, set()).update(graph.edges[package])
    # Our own crates that a program contains, also those for tests (the local load balancer of the command line).
    for package in {below for found in edges.values() for below in found} - set(packages):
        for graph in graphs:
            if package in graph.members:
                packages[package], edges[package] = graph.packages[package], graph.edges[package]
                members.add(package)
    components = [own(packages[name], "application" if is_program(packages[name]) else "library") if name in members
                  else library(packages[name], known) for name in packages]
    version = next(packages[name]["version"] for name in members if packages[name]["name"] == "alb-mtls")
    reference = f"pkg:generic/alb-mtls@{version}"
    relations = [{"ref": purl(packages[name]),
                  "dependsOn": sorted(purl(packages[below]) for below in edges[name] if below in packages)}
                 for name in packages]
    relations.append({"ref": reference, "dependsOn": sorted(purl(packages[name]) for name in members if is_program(packages[name]))})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, commit + hashlib.sha256(lock.encode()).hexdigest())}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [{"type": "application", "name": "dev/release/sbom.py"}]},
            "component": {"type": "application", "bom-ref": reference, "name": "alb-mtls", "version": version,
                          "licenses": [{"expression": "Apache-2.0"}],
                          "properties": [{"name": "alb-mtls:commit", "value": commit}]},
        },
        "components": sorted(components, key=lambda component: component["bom-ref"]),
        "dependencies": sorted(relations, key=lambda relation: relation["ref"]),
    }
