#!/usr/bin/env python3
"""Checks dashboards, rules and runbooks without running anything but the tools that read them.

usage: static_test.py --bin FOLDER [NAME...]
  --bin FOLDER  where musterd is; it prints the golden list of metrics
  NAME          only the cases whose name holds one of these
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import monitoring as m

# Counters that are looked at as they are, with the reason.
RAW_COUNTERS = {
    "muster_job_reruns_total": "counts in the moment of a start, from 0: the value is what that start ran again",
    "grpc_server_started_total": "less those that ended it is how many are under way",
    "grpc_server_handled_total": "see grpc_server_started_total",
}
OVER_COUNTERS = {"rate", "irate", "increase", "changes", "resets"}
WAITING = "Call|Wait|Gather|AsCompleted|Run"


# ---------------------------------------------------------------------------------------------------------------------
# Rendering, rules and runbooks


def rendered_is_current():
    m.need("jsonnet", "jsonnet")
    run = subprocess.run([m.DEPLOY / "mixin/render", "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def sources_are_formatted():
    m.need("jsonnetfmt", "jsonnet")
    paths = sorted((m.DEPLOY / "mixin").rglob("*.*sonnet"))
    run = subprocess.run(["jsonnetfmt", "--test", *paths], capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"run jsonnetfmt -i on deploy/mixin:\n{run.stderr}"


def config_reaches_everything():
    """Another job and another label end up in every rule; a rule that hard-codes them would not change."""
    m.need("jsonnet", "jsonnet")
    program = """
      local mixin = (import 'mixin.libsonnet') +
                    { _config+:: { jobPattern: 'futures', serviceLabels: ['cluster', 'job'], runbookBase: 'https://r' } };
      { rules: mixin.prometheusRules.groups + mixin.prometheusAlerts.groups, dashboards: mixin.grafanaDashboards }
    """
    run = subprocess.run(
        ["jsonnet", "-e", program], cwd=m.DEPLOY / "mixin", capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert ".*muster.*" not in run.stdout, "a selector does not follow _config.jobPattern"
    assert "https://github.com" not in run.stdout, "an address does not follow _config.runbookBase"
    document = json.loads(run.stdout)
    problems = [
        f"{rule.get('record') or rule['alert']}: groups by namespace, not by _config.serviceLabels"
        for group in document["rules"]
        for rule in group["rules"]
        if re.search(r"\bnamespace\b", rule["expr"])
    ]
    m.fail_with(problems)


def the_example_works():
    """What the guide shows of importing the mixin, as it stands there."""
    m.need("jsonnet", "jsonnet")
    promtool = m.need("promtool", "prometheus")
    with tempfile.TemporaryDirectory() as folder:
        command = ["jsonnet", "-J", "deploy/mixin", "-m", folder, "deploy/mixin/example.jsonnet"]
        assert " ".join(command).replace(folder, "out") in (m.ROOT / "docs/how-to/monitoring.md").read_text(encoding="utf-8")
        run = subprocess.run(command, cwd=m.ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        rules = [pathlib.Path(folder, name) for name in ("recording.json", "alerts.json")]
        run = subprocess.run([promtool, "check", "rules", *rules], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        alerts = rules[1].read_text(encoding="utf-8")
        assert '"team": "futures"' in alerts and "cluster" in alerts and "> 60" in alerts, "the override has no effect"
        assert pathlib.Path(folder, "overview.json").exists()


def promtool_checks_rules():
    promtool = m.need("promtool", "prometheus")
    run = subprocess.run([promtool, "check", "rules", m.RECORDING, m.ALERTS], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def promtool_tests_rules(path):
    """Of the annotations only the description is compared: the others are words without a value in them."""
    promtool = m.need("promtool", "prometheus")
    document = m.yaml.safe_load(m.ALERTS.read_text(encoding="utf-8"))
    for group in document["groups"]:
        for rule in group["rules"]:
            rule["annotations"] = {"description": rule["annotations"]["description"]}
    with tempfile.TemporaryDirectory() as folder:
        to = pathlib.Path(folder)
        to.joinpath("alerts.yaml").write_text(m.yaml.safe_dump(document), encoding="utf-8")
        shutil.copy(m.RECORDING, to)
        shutil.copy(path, to / "test.yaml")
        run = subprocess.run([promtool, "test", "rules", to / "test.yaml"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def rule_tests():
    return sorted((m.HERE / "rules").glob("*.yaml"))


def alerts_are_complete():
    problems = []
    for name, rule in m.alerts().items():
        notes = rule["annotations"]
        if not re.fullmatch(r"Muster[A-Z]\w+", name):
            problems.append(f"{name}: not a name such as MusterXyz")
        if rule["labels"].get("severity") not in ("critical", "warning", "info"):
            problems.append(f"{name}: severity {rule['labels'].get('severity')!r}")
        if not notes.get("summary", "").endswith("."):
            problems.append(f"{name}: no summary, or no full stop")
        if name != "MusterAbsent" and "$labels." not in notes.get("description", ""):
            problems.append(f"{name}: the description names no label")
        if not notes.get("runbook_url", "").endswith(f"/docs/runbooks/{name}.md"):
            problems.append(f"{name}: runbook_url {notes.get('runbook_url')!r}")
    m.fail_with(problems)


def every_alert_fires_and_is_quiet_in_a_test():
    fires, quiet = set(), set()
    for path in rule_tests():
        for test in m.yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for case in test.get("alert_rule_test", []):
                (fires if case.get("exp_alerts") else quiet).add(case["alertname"])
    problems = [f"{name}: no test in which it fires" for name in sorted(set(m.alerts()) - fires)]
    problems += [f"{name}: no test in which it is quiet" for name in sorted(set(m.alerts()) - quiet)]
    problems += [f"{name}: tested, but there is no such alert" for name in sorted((fires | quiet) - set(m.alerts()))]
    m.fail_with(problems)


def every_recording_rule_is_tested():
    text = "\n".join(path.read_text(encoding="utf-8") for path in rule_tests())
    tested = set(re.findall(r"expr: '(?:round\(|abs\()?([\w:]+)", text))
    names = {rule["record"] for rule in m.rules(m.RECORDING)}
    m.fail_with([f"{name}: no promql_expr_test asks for it" for name in sorted(names - tested)])


def every_alert_has_a_page():
    pages = {path.stem for path in m.RUNBOOKS.glob("Muster*.md")}
    problems = [f"{name}: no docs/runbooks/{name}.md" for name in sorted(set(m.alerts()) - pages)]
    problems += [f"docs/runbooks/{name}.md: there is no such alert" for name in sorted(pages - set(m.alerts()))]
    index = (m.RUNBOOKS / "README.md").read_text(encoding="utf-8")
    problems += [f"docs/runbooks/README.md does not list {name}" for name in sorted(pages) if f"({name}.md)" not in index]
    for name in sorted(pages):
        text = (m.RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
        if not text.startswith(f"# {name}\n"):
            problems.append(f"{name}.md: does not start with its name")
        severity = m.alerts().get(name, {"labels": {"severity": ""}})["labels"]["severity"]
        if f"\n{severity.capitalize()}." not in text:
            problems.append(f"{name}.md: does not say that it is {severity}")
        for heading in ("What it means", "What it does to users", "Find out", "Mend it", "So that it stays away"):
            if f"\n## {heading}\n" not in text:
                problems.append(f"{name}.md: no heading {heading!r}")
    m.fail_with(problems)


def pages_ask_what_exists(musterd):
    """The metrics that runbooks and the guide name are real."""
    known = m.golden(musterd)
    names = {name for name in known} | {re.sub(r"_(bucket|sum|count)$", "", name) for name in known}
    problems = []
    for path in [*sorted(m.RUNBOOKS.glob("*.md")), m.ROOT / "docs/how-to/monitoring.md"]:
        for metric in re.findall(r"(?<![:\w])(?:muster|process|grpc_server)_[a-z_]+\b", path.read_text(encoding="utf-8")):
            if metric not in names:
                problems.append(f"{path.name}: no metric {metric}")
    m.fail_with(problems)


def fenced(language):
    """(page, text) of each block of code of a language on the runbooks and in the guide."""
    for path in [*sorted(m.RUNBOOKS.glob("*.md")), m.ROOT / "docs/how-to/monitoring.md"]:
        for block in re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            yield path.name, block


def pages_ask_in_promql():
    """Each line of a block `promql` is a query."""
    lines = [(page, line) for page, block in fenced("promql") for line in block.splitlines() if line]
    assert len(lines) > 50, f"only {len(lines)} queries on the pages"
    m.fail_with(m.unparsed(lines))


def pages_use_the_command_as_it_is():
    """Verbs and options of `muster` on the pages are those of its reference."""
    reference = (m.ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    sections = {name: text for name, text in re.findall(r"^### muster ([\w ]+)\n(.*?)(?=^##)", reference, re.M | re.S)}
    everywhere = set(re.findall(r"`(?:-\w, )?(--?[\w-]+)", reference.split("## Verbs")[0])) | {"-o"}
    problems = []
    for page, block in fenced("bash"):
        for line in re.findall(r"(?:^|-- )(muster [^|&\n]*)", block, re.M):
            words = line.split()[1:]
            verb = " ".join(words[:2]) if words[0] in ("admin", "promise") else words[0]
            if verb not in sections:
                problems.append(f"{page}: there is no `muster {verb}`")
                continue
            known = everywhere | set(re.findall(r"--[\w-]+", sections[verb]))
            problems += [f"{page}: muster {verb} has no {word}" for word in words if word[0] == "-" and word not in known]
    m.fail_with(problems)


# ---------------------------------------------------------------------------------------------------------------------
# Expressions


def everything_parses_as_promql():
    m.fail_with(m.unparsed([(where, m.substituted(text)) for where, text in m.expressions()]))


def prometheus_takes_every_expression():
    """promtool knows the types of PromQL too, which a grammar does not: each expression as a rule."""
    promtool = m.need("promtool", "prometheus")
    listed = [(where, m.substituted(text)) for where, text in m.expressions()]
    document = {"groups": [{"name": "all", "rules": [{"record": f"r{i}:x", "expr": e} for i, (_, e) in enumerate(listed)]}]}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "all.yaml")
        path.write_text(m.yaml.safe_dump(document), encoding="utf-8")
        run = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def recorded(known):
    """The labels of each recorded series, as its expression and rule give them."""
    found = {}
    for rule in m.rules(m.RECORDING):
        groups = re.findall(r"by \(([^)]*)\)", rule["expr"])
        labels = {label.strip() for group in groups for label in group.split(",")} - {"le"}
        found[rule["record"]] = ("gauge", labels | set(rule.get("labels", {})))
    return found


def every_metric_is_in_the_golden_list(musterd):
    known = m.golden(musterd)
    known.update({name: ("gauge", labels) for name, labels in m.PROMETHEUS_SERIES.items()})
    known.update(recorded(known))
    pairs = [(where, m.substituted(text)) for where, text in m.expressions()]
    problems = []
    for (where, _), result in zip(pairs, m.parsed(text for _, text in pairs)):
        for selector in result["selectors"]:
            metric = selector["metric"]
            if metric not in known:
                problems.append(f"{where}: {metric or 'a selector without a name'} is not in the golden list")
                continue
            kind, labels = known[metric]
            problems += [
                f"{where}: {metric} has no label {label}"
                for label in selector["labels"]
                if label not in labels | m.TARGET_LABELS
            ]
            counted = OVER_COUNTERS & set(selector["inside"])
            if kind == "counter" and not (selector["range"] and counted) and metric not in RAW_COUNTERS:
                problems.append(f"{where}: {metric} is a counter: put it under rate, increase or changes")
            if kind == "gauge" and {"rate", "irate", "increase"} & set(selector["inside"]):
                problems.append(f"{where}: {metric} is a gauge: its rate means nothing")
        for group in result["groups"]:
            labels = set().union(*(known[metric][1] for metric in group["metrics"] if metric in known))
            labels |= m.TARGET_LABELS | set(group["added"])
            problems += [
                f"{where}: grouped by {label}, which none of {', '.join(group['metrics'])} has"
                for label in group["labels"]
                if label not in labels
            ]
    m.fail_with(problems)


def every_metric_is_on_a_dashboard(musterd):
    """What the server measures, somebody can see."""
    text = "\n".join(e for where, e in m.expressions() if ".json" in where)
    problems = []
    for name in m.golden(musterd):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        if not re.search(rf"\b{base}", text):
            problems.append(f"{name} is on no dashboard")
    m.fail_with(problems)


def latency_leaves_out_what_waits():
    """A long poll lasts as long as what it waits for: it says nothing of the server."""
    m.fail_with(
        [
            f"{where}: grpc_server_handling_seconds without grpc_method!~\"{WAITING}\""
            for where, text in m.expressions()
            if "grpc_server_handling_seconds_bucket" in text and f'grpc_method!~"{WAITING}"' not in text
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    musterd = options.bin / "musterd"
    cases = [
        (rendered_is_current,),
        (sources_are_formatted,),
        (config_reaches_everything,),
        (the_example_works,),
        (promtool_checks_rules,),
        (alerts_are_complete,),
        (every_alert_fires_and_is_quiet_in_a_test,),
        (every_recording_rule_is_tested,),
        (every_alert_has_a_page,),
        (pages_ask_what_exists, musterd),
        (pages_ask_in_promql,),
        (pages_use_the_command_as_it_is,),
        (everything_parses_as_promql,),
        (prometheus_takes_every_expression,),
        (every_metric_is_in_the_golden_list, musterd),
        (every_metric_is_on_a_dashboard, musterd),
        (latency_leaves_out_what_waits,),
    ] + [(promtool_tests_rules, path) for path in rule_tests()]
    count = m.Cases()
    for case, *arguments in cases:
        name = case.__name__ + (f" {arguments[0].name}" if case is promtool_tests_rules else "")
        if not options.names or any(part in name for part in options.names):
            count.run(name, case, *arguments)
    return count.end()


if __name__ == "__main__":
    raise SystemExit(main())
