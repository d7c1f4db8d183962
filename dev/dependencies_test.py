"""Tests of dev/dependencies with a graph that is known."""

import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOADER = SourceFileLoader("dependencies", str(ROOT / "dev" / "dependencies"))
dependencies = module_from_spec(spec_from_loader("dependencies", LOADER))
LOADER.exec_module(dependencies)


def graph(edges, members):
    names = {name for edge in edges for name in edge[:2]} | set(members)
    packages = [{"id": name, "name": name.split("@")[0], "version": "1", "manifest_path": str(ROOT / members.get(name, name) / "Cargo.toml")}
                for name in names]
    nodes = [{"id": name, "deps": [{"pkg": to, "dep_kinds": [{"kind": kind}]} for start, to, kind in edges if start == name]}
             for name in names]
    return dependencies.Graph({"packages": packages, "workspace_members": list(members), "resolve": {"nodes": nodes}})


class Graph(unittest.TestCase):
    def setUp(self):
        self.graph = graph([("gate", "tls", None), ("gate", "json", None), ("tls", "math", None), ("json", "math", None),
                            ("tls", "ring", "build"), ("gate", "fixtures", "dev"), ("bench", "plot", None), ("gate", "old@1", None),
                            ("json", "old@2", None)],
                           {"gate": "shared/gate", "bench": "dev/bench"})

    def test_direct_dependencies_are_those_of_what_ships(self):
        self.assertEqual(set(self.graph.direct()), {"tls", "json", "old"})

    def test_packages_that_only_one_brings_are_counted(self):
        self.assertEqual(self.graph.alone("tls"), 2)
        self.assertEqual(self.graph.alone("json"), 2)
        self.assertEqual(self.graph.alone("old"), 2)

    def test_missing_and_superfluous_rows_are_findings(self):
        page = "| `counted` | 3 |\n## What each one is for\n| `tls` | TLS |\n| `gone` | nothing |\n"
        found = list(dependencies.findings(self.graph.direct(), page))
        self.assertEqual([line.split()[5] for line in found], ["json,", "old,", "gone,"])


class Vetting(unittest.TestCase):
    LOCK = ('[[package]]\nname = "b"\nversion = "0.10.1"\nsource = "registry+x"\n\n[[package]]\nname = "b"\nversion = "0.9.0"\n'
            'source = "registry+x"\n\n[[package]]\nname = "own"\nversion = "1.0.0"\n')

    def found(self, config, *audits):
        return list(dependencies.vetting(self.LOCK, config, audits))

    def test_exemptions_are_about_the_packages_of_the_lock_file(self):
        config = dependencies.exemptions(dependencies.FROM_REGISTRY.findall(self.LOCK))
        self.assertLess(config.index("0.9.0"), config.index("0.10.1"))
        self.assertEqual(self.found(config), [])
        self.assertIn("exempts b 0.11.0, which is not in Cargo.lock", self.found(config + config.replace("0.10.1", "0.11.0"))[0])

    def test_new_package_needs_an_audit_or_an_exemption(self):
        config = dependencies.exemptions([("b", "0.9.0")])
        self.assertIn("b 0.10.1 is in Cargo.lock, without an audit", self.found(config)[0])
        self.assertEqual(self.found(config, '[[audits.mozilla.audits.b]]\nversion = "0.10.1"\n'), [])
        self.assertEqual(self.found(config, '[[audits.b]]\nversion = "0.10.1"\n'), [])


if __name__ == "__main__":
    unittest.main()
