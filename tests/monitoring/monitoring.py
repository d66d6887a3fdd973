"""What the tests of dashboards and rules share: the files, the golden list, PromQL, and a count of cases."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import traceback

try:
    import yaml
except ImportError:  # Debian's python3-yaml belongs to Debian's Python
    if sys.executable == "/usr/bin/python3":
        sys.exit("no module yaml: `./dev deps monitoring` installs python3-yaml")
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/monitoring"
DEPLOY = ROOT / "deploy"
RUNBOOKS = ROOT / "docs/runbooks"
TOOLS = ROOT / "build/monitoring"
MODULES = TOOLS / "node_modules"
RECORDING = DEPLOY / "prometheus/recording.yaml"
ALERTS = DEPLOY / "prometheus/alerts.yaml"

# What a scrape adds to each series: Prometheus itself, and an operator on Kubernetes.
TARGET_LABELS = {"job", "instance", "namespace", "pod"}
# Series that no exporter makes, with their labels.
PROMETHEUS_SERIES = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}}


class Skip(Exception):
    """Something that the test needs cannot be had here."""


class Cases:
    """Counts cases. A case is a function that raises AssertionError when it fails, Skip when it cannot be run."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def run(self, name, case, *arguments):
        try:
            case(*arguments)
        except Skip as skip:
            self.skipped += 1
            print(f"SKIP {name}: {skip}")
        except Exception as error:  # pylint: disable=broad-except  # one case that breaks must not hide the others
            self.failed += 1
            text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            print(f"FAIL {name}\n     " + text.replace("\n", "\n     "))
        else:
            self.passed += 1
            print(f"ok   {name}")
        sys.stdout.flush()

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        if self.failed:
            return 1
        return 77 if self.skipped and not self.passed else 0


def fail_with(problems):
    """Fails a case with all that is wrong, if anything is."""
    assert not problems, "\n".join(problems)


def need(program, package):
    path = shutil.which(program)
    if path is None:
        raise Skip(f"no {program} here: `./dev deps monitoring` installs Debian's {package}")
    return path


def need_modules():
    need("node", "nodejs")
    if not MODULES.is_dir():
        raise Skip("build/monitoring/node_modules is missing: `./dev deps monitoring` makes it")
    return MODULES


# ---------------------------------------------------------------------------------------------------------------------
# The files


def dashboards():
    """The dashboards by the name of their file."""
    return {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
    }


def panels(dashboard):
    """The panels that show something: rows are left out, those inside collapsed rows are not."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def rules(path):
    """The rules of a file, one after the other, as Prometheus reads them."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts():
    return {rule["alert"]: rule for rule in rules(ALERTS)}


def expressions():
    """(where, expression) of everything that is asked of Prometheus, variables of dashboards not yet replaced."""
    for name, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}: {target['refId']}", target["expr"]
        for annotation in dashboard["annotations"]["list"]:
            yield f"{name}: annotation {annotation['name']}", annotation["target"]["expr"]
    for path in (RECORDING, ALERTS):
        for rule in rules(path):
            yield f"{path.name}: {rule.get('record') or rule['alert']}", rule["expr"]


# What Grafana would put in for the variables when everything is selected, one job, and a step of 1 s.
VARIABLES = {
    "$__rate_interval": "5s",
    "$__interval_ms": "1000",
    "$__interval": "1s",
    "$job": "muster",
    "$namespace": ".*",
    "$instance": ".+",
    "$function": ".*",
}


def substituted(expression, values=None):
    """The expression as Prometheus gets it. Longer names first: $__interval is the beginning of $__interval_ms."""
    for name in sorted(VARIABLES, key=len, reverse=True):
        expression = expression.replace(name, (values or {}).get(name, VARIABLES[name]))
    assert "$" not in expression, f"a variable is left: {expression}"
    return expression


# ---------------------------------------------------------------------------------------------------------------------
# The golden list and PromQL


def golden(musterd):
    """{metric: (type, labels)} of what the server shows, histograms by their series too."""
    page = subprocess.run([musterd, "--print-reference=metrics"], capture_output=True, text=True, check=True).stdout
    found = {}
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", page, re.MULTILINE):
        names = set(re.findall(r"`(\w+)`", labels))
        if kind == "histogram":
            found[name + "_bucket"] = ("counter", names | {"le"})
            found[name + "_sum"] = found[name + "_count"] = ("counter", names)
        else:
            found[name] = (kind, names)
    assert len(found) > 40, f"{musterd} prints no list of metrics:\n{page[:400]}"
    return found


def unparsed(pairs):
    """Of pairs (where, expression): a line for each that is no PromQL."""
    return [
        f"{where}: {', '.join(result['errors'])}\n  {text}"
        for (where, text), result in zip(pairs, parsed(text for _, text in pairs))
        if result["errors"]
    ]


def parsed(texts):
    """What tests/monitoring/promql.mjs says of each expression."""
    question = json.dumps({"modules": str(need_modules()), "expressions": list(texts)})
    run = subprocess.run(["node", HERE / "promql.mjs"], input=question, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"promql.mjs: {run.stderr}"
    return json.loads(run.stdout)
