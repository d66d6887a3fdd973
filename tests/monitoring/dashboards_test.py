#!/usr/bin/env python3
"""Checks the dashboards: Grafana's own types, and what makes a dashboard good to use.

usage: dashboards_test.py [NAME...]
  NAME  only the cases whose name holds one of these
"""

import argparse
import collections
import json
import re
import subprocess

import monitoring as m

# A rate over a fixed window is right where the window is the meaning: an hour's count, the objective's windows.
FIXED_WINDOWS = re.compile(r"\b(?:increase|changes|predict_linear)\([^()]*\[1h\]|grpc_server_handled_total\{[^}]*\}\[(?:5m|1h)\]")
UIDS = {"overview.json": "muster-overview", "jobs.json": "muster-jobs", "internals.json": "muster-internals"}
VARIABLES = ["datasource", "job", "namespace", "instance"]
UNITS = {"short", "s", "reqps", "ops", "percentunit", "bytes", "Bps"}


def type_check(found):
    """The errors that the TypeScript compiler finds in these dashboards, by Grafana's types."""
    m.need_modules()
    folder = m.TOOLS / "check"
    folder.mkdir(exist_ok=True)
    (folder / "schema.ts").write_text((m.HERE / "schema.ts").read_text(encoding="utf-8"), encoding="utf-8")
    files = ["schema.ts"]
    for name, dashboard in found.items():
        path = folder / (name.removesuffix(".json") + ".ts")
        path.write_text(
            "import type { MusterDashboard } from './schema';\n"
            f"export const dashboard: MusterDashboard = {json.dumps(dashboard, indent=1)};\n",
            encoding="utf-8",
        )
        files.append(path.name)
    options = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "target": "es2022",
        "module": "esnext",
        "moduleResolution": "bundler",
        "types": [],
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": files}), encoding="utf-8")
    run = subprocess.run(
        ["node", m.MODULES / "typescript/bin/tsc", "-p", folder, "--pretty", "false"],
        capture_output=True, text=True, check=False,
    )
    return run.stdout + run.stderr if run.returncode else ""


def grafanas_types_accept_them():
    errors = type_check(m.dashboards())
    assert not errors, errors[:4000]


def grafanas_types_refuse_what_is_wrong():
    """So that the check above is one: each of these mistakes is found."""
    name, good = next(iter(m.dashboards().items()))

    def broken(change):
        copy = json.loads(json.dumps(good))
        change(copy, next(panel for panel in copy["panels"] if panel["type"] == "timeseries"))
        return copy

    mistakes = {
        "unit_is_a_number": lambda board, panel: panel["fieldConfig"]["defaults"].update(unit=3),
        "no_such_option": lambda board, panel: panel["options"].update(legends={}),
        "no_such_word": lambda board, panel: panel["options"]["tooltip"].update(mode="all"),
        "no_such_line": lambda board, panel: panel["fieldConfig"]["defaults"]["custom"].update(drawStyle="lines"),
        "no_schema_version": lambda board, panel: board.pop("schemaVersion"),
        "no_such_kind_of_panel": lambda board, panel: panel.update(type="graph"),
        "refresh_is_no_number": lambda board, panel: board["templating"]["list"][1].update(refresh="always"),
    }
    errors = type_check({f"{mistake}.json": broken(change) for mistake, change in mistakes.items()})
    m.fail_with([f"tsc does not see: {mistake}" for mistake in mistakes if f"{mistake}.ts(" not in errors])
    for mistake in mistakes:
        (m.TOOLS / f"check/{mistake}.ts").unlink()


def schema_version_is_grafanas():
    m.need_modules()
    text = (m.MODULES / "@grafana/schema/dist/esm/raw/dashboard/x/types.gen.mjs").read_text(encoding="utf-8")
    newest = int(re.search(r"schemaVersion: (\d+)", text)[1])
    m.fail_with(
        [f"{n}: schemaVersion {d['schemaVersion']}, not {newest}" for n, d in m.dashboards().items() if d["schemaVersion"] != newest]
    )


def head_problems(name, board):
    """What is wrong with a dashboard as a whole."""
    if board.get("uid") != UIDS.get(name):
        yield f"uid {board.get('uid')!r}, not {UIDS.get(name)!r}: links and bookmarks hold it"
    if not board["title"].startswith("Muster / ") or not board.get("description"):
        yield "no title 'Muster / ...', or no description"
    if "id" in board:
        yield "has an id: Grafana gives those"
    names = [variable["name"] for variable in board["templating"]["list"]]
    wanted = VARIABLES + (["function"] if name == "jobs.json" else [])
    if names != wanted:
        yield f"variables {names}, not {wanted}"
    for variable in board["templating"]["list"]:
        if variable["type"] == "query" and not (variable["multi"] and variable["includeAll"]):
            yield f"variable {variable['name']} cannot be All, or not many"
        if variable["name"] == "namespace" and variable["allValue"] != ".*":
            yield "namespace: All must match series without the label"
    if not any(link["type"] == "dashboards" and link["includeVars"] and link["keepTime"] for link in board["links"]):
        yield "no links to the other dashboards that keep variables and time"
    if not any("process_start_time_seconds" in a["target"]["expr"] for a in board["annotations"]["list"]):
        yield "no annotation for restarts"


def panel_problems(panel):
    """What is wrong with a panel."""
    description = panel.get("description", "")
    if len(description) < 20 or not description.endswith("."):
        yield f"description {description!r}"
    unit = panel["fieldConfig"]["defaults"].get("unit")
    if unit not in UNITS:
        yield f"unit {unit!r}"
    if panel["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
        yield "the data source is not the variable"
    refs = [target["refId"] for target in panel["targets"]]
    if len(set(refs)) != len(refs) or not refs:
        yield f"refIds {refs}"
    legends = [target["legendFormat"] for target in panel["targets"]]
    if panel["type"] == "timeseries" and not all(legends):
        yield "a query without a legend"
    for target in panel["targets"]:
        text = target["expr"]
        if target["datasource"] != panel["datasource"]:
            yield f"{target['refId']}: its data source is not the variable"
        for metric, labels in re.findall(r"\b((?:muster|grpc|process)_\w+|up)\{([^}]*)\}", text):
            if not labels.startswith('job=~"$job", namespace=~"$namespace", instance=~"$instance"'):
                yield f"{target['refId']}: {metric} without job, namespace and instance"
        for bare in re.findall(r"\b(?:muster|grpc_server|process)_\w+\b(?!\{)", text):
            yield f"{target['refId']}: {bare} without a selector"
        for window in re.findall(r"\[([^\]]+)\]", FIXED_WINDOWS.sub("", text)):
            if window != "$__rate_interval":
                yield f"{target['refId']}: a window of {window}, not $__rate_interval"


def layout_problems(board):
    """What is wrong with how panels lie."""
    ids = collections.Counter(panel["id"] for panel in board["panels"])
    yield from (f"id {number} {count} times" for number, count in ids.items() if count > 1)
    titles = collections.Counter(panel["title"] for panel in m.panels(board))
    yield from (f"title {title!r} {count} times" for title, count in titles.items() if count > 1 or not title)
    taken = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            yield f"{panel['title']}: reaches past column 24"
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in taken:
                    yield f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


def lint(name):
    board = m.dashboards()[name]
    problems = list(head_problems(name, board))
    problems += dict.fromkeys(layout_problems(board))
    problems += [f"{panel['title']}: {problem}" for panel in m.panels(board) for problem in panel_problems(panel)]
    m.fail_with(problems)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    cases = [(grafanas_types_accept_them,), (grafanas_types_refuse_what_is_wrong,), (schema_version_is_grafanas,)]
    cases += [(lint, name) for name in UIDS]
    count = m.Cases()
    for case, *arguments in cases:
        name = " ".join([case.__name__, *arguments])
        if not options.names or any(part in name for part in options.names):
            count.run(name, case, *arguments)
    return count.end()


if __name__ == "__main__":
    raise SystemExit(main())
