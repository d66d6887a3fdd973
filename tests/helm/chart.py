"""What the tests of the chart share: rendering it, its files, and a run that is counted."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import yaml
except ImportError:  # Debian's python3-yaml belongs to Debian's Python
    if sys.executable == "/usr/bin/python3":
        print("no module yaml: `./dev deps helm` installs python3-yaml")
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/helm"
CHART = ROOT / "helm/muster"
CI = sorted((CHART / "ci").glob("*-values.yaml"))
TOOLS = ROOT / "build/helm/bin"
HELM = TOOLS / "helm"
# The oldest that Chart.yaml takes, the first that can sleep before a stop, and the newest; see strict/*.mod.
VERSIONS = ("1.27", "1.30", "1.34")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
OPTIONS = argparse.Namespace(bin=None)


class Refused(Exception):
    """helm would not render; the text is what it said."""


def helm(*arguments):
    """What helm prints. Its remarks about symbolic links, which the chart has on purpose, are left out."""
    environment = {**os.environ, "KUBECONFIG": os.devnull}  # no cluster of whoever runs this
    ran = subprocess.run([HELM, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment)
    said = "\n".join(line for line in ran.stderr.splitlines() if not line.startswith("walk.go:"))
    if ran.returncode:
        raise Refused(said + ran.stdout)
    return ran.stdout


def render_text(values=None, files=(), version="1.32", release="muster", namespace="shop", chart=CHART, cluster=None):
    """The manifests that these values make, as one text. The URL of a cluster is what `lookup` asks."""
    arguments = ["template", release, str(chart), "--namespace", namespace, "--kube-version", version]
    if cluster:
        arguments += ["--dry-run=server", "--kube-apiserver", cluster]
    for file in files:
        arguments += ["--values", str(file)]
    if not values:
        return helm(*arguments)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as more:
        yaml.safe_dump(values, more)
        more.flush()
        return helm(*arguments, "--values", more.name)


def objects_of(text):
    return [document for document in yaml.load_all(text, _LOADER) if document]


def render(values=None, **more):
    """The objects that these values make."""
    return objects_of(render_text(values, **more))


def find(objects, kind, name=None):
    """The one object of a kind, or of that name."""
    found = [o for o in objects if o["kind"] == kind and name in (None, o["metadata"]["name"])]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} objects {kind} {name or ''}, not one")
    return found[0]


def pod_of(objects):
    return find(objects, "StatefulSet")["spec"]["template"]["spec"]


def server_of(objects):
    """The container of musterd."""
    return next(c for c in pod_of(objects)["containers"] if c["name"] == "musterd")


def config_text_of(objects):
    """musterd's configuration file."""
    name = next(v for v in pod_of(objects)["volumes"] if v["name"] == "config")["configMap"]["name"]
    return find(objects, "ConfigMap", name)["data"]["musterd.yaml"]


def config_of(objects):
    return yaml.safe_load(config_text_of(objects))


def nested(path, value):
    """{"a": {"b": value}} for "a.b"."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def merged(*maps):
    """What the maps say together; later ones win."""
    together = {}
    for one in maps:
        for key, value in one.items():
            both = isinstance(value, dict) and isinstance(together.get(key), dict)
            together[key] = merged(together[key], value) if both else value
    return together


def read_yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


class _Result(unittest.TextTestResult):
    """Counts as cases what a test runs as subtests, and a test without any as one."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cases = self.passed = self.failed = 0
        self._subtests = False

    def startTest(self, test):
        super().startTest(test)
        self._subtests = False

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        self._subtests = True
        if error is None:
            self.passed += 1
        else:
            self.failed += 1

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += not self._subtests

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.failed += 1

    def addError(self, test, error):
        super().addError(test, error)
        self.failed += 1


def main():
    """Runs the tests of the program, and ends with the line that counts."""
    module = sys.modules["__main__"]
    parser = argparse.ArgumentParser(description=module.__doc__.split("\n", 1)[0])
    parser.add_argument("--bin", type=pathlib.Path, help="the folder with musterd")
    parser.add_argument("tests", nargs="*", help="such as Rendering.test_lint; all unless given")
    parser.parse_args(namespace=OPTIONS)
    missing = [str(path.relative_to(ROOT)) for path in (HELM, *(TOOLS / f"strict-{v}" for v in VERSIONS))
               if not path.exists()]
    if missing:
        print(f"skipped: no {', '.join(missing)}: `./dev deps helm` makes them")
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    loader = unittest.defaultTestLoader
    tests = loader.loadTestsFromNames(OPTIONS.tests, module) if OPTIONS.tests else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stdout, resultclass=_Result, verbosity=2).run(tests)
    for test, why in result.skipped:
        print(f"skipped: {test}: {why}")
    print(f"{result.passed} passed, {result.failed} failed, {len(result.skipped)} skipped", flush=True)
    sys.exit(1 if result.failed or result.passed == 0 else 0)
