#!/usr/bin/env python3
"""Runs musterd, Prometheus with our rules and a small load, and asks what the dashboards ask.

usage: live_test.py --bin FOLDER [--table] [--draw FOLDER] [--seconds N] [--keep]
  --bin FOLDER   where musterd and muster are
  --table        print what each panel shows, for people
  --draw FOLDER  draw each dashboard as a web page there, roughly as Grafana would
  --seconds N    of load, half of it before a crash; default 16
  --keep         keep the folder with logs, store and Prometheus' data, and name it
"""

import argparse
import pathlib
import re
import shutil
import signal
import tempfile
import time

import draw
import live
import monitoring as m

FLAGS = ["--limits-payload-bytes-max=2KiB"]
ON_KUBERNETES = {"$job": "prod-muster", "$namespace": "prod"}


def short_copy(folder):
    """Our alerts without `for`, under other names, so that a test need not wait minutes for one."""
    document = m.yaml.safe_load(m.ALERTS.read_text(encoding="utf-8"))
    for group in document["groups"]:
        group["name"] += ".short"
        for rule in group["rules"]:
            rule.pop("for", None)
            rule["alert"] = "Short" + rule["alert"]
    path = folder / "short.yaml"
    path.write_text(m.yaml.safe_dump(document), encoding="utf-8")
    return path


def ask_panel(prometheus, panel, start, end, table=False, chosen=None):
    """What is wrong with what a panel gets; prints it for a table."""
    problems = []
    unit = panel["fieldConfig"]["defaults"]["unit"]
    if panel["type"] == "heatmap":
        unit = "short"
    for target in panel["targets"]:
        expression = m.substituted(target["expr"], chosen)
        found = prometheus.over_time(expression, start, end)
        if not found:
            problems.append(f"{panel['title']}: {target['refId']} comes back empty\n  {expression}")
        if table:
            largest = sorted(found, key=lambda series: -series[1][-1][1])[:4]
            text = ", ".join(f"{draw.legend_of(target, labels)} {draw.number(points[-1][1], unit)}" for labels, points in largest)
            print(f"  | {panel['title']} | {len(found)} | {text} |")
    return problems


class Live:
    """The cases, in their order: each goes on from the state that the one before left."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.server = live.Musterd(folder, options.bin)
        self.prometheus = None
        self.began = self.ended = 0
        self.others = []

    def load_runs_over_a_crash(self):
        self.server.start(*FLAGS)
        self.prometheus = live.Prometheus(self.folder, self.server.admin, [m.RECORDING, m.ALERTS, short_copy(self.folder)])
        with live.Web() as web:
            for _ in range(2):
                self.others.append(self.server.background("call", "sleep", "seconds:=60"))
            running = [self.server.muster("submit", "sleep", "seconds:=120") for _ in range(3)]
            rounds = live.load(self.server, web.url, self.options.seconds / 2)
            self.server.end(signal.SIGKILL)
            self.server.start(*FLAGS)
            self.began = time.time() + 5  # once rates see only what comes after the crash
            self.others.append(self.server.background("watch", *running))
            rounds += live.load(self.server, web.url, self.options.seconds / 2 + 5)
            self.ended = time.time()
        assert rounds >= 4, f"only {rounds} rounds of load"
        rerun = [self.server.muster("get", future, "-o", "json") for future in running]
        assert all('"running"' in text for text in rerun), f"what ran before the crash does not run again: {rerun}"

    def no_panel_is_empty(self, name):
        board = m.dashboards()[name]
        problems = []
        if self.options.table:
            print(f"  {board['title']}\n  | panel | series | last value, the largest four |\n  | --- | --- | --- |")
        for panel in m.panels(board):
            problems += ask_panel(self.prometheus, panel, self.began, self.ended, self.options.table)
        if self.options.draw:
            self.draw(name, board)
        m.fail_with(problems)

    def draw(self, name, board):
        """With more of the past than is judged: the crash shows."""
        start, end = self.began - self.options.seconds, self.ended
        answers = {
            panel["id"]: [self.prometheus.over_time(m.substituted(t["expr"]), start, end) for t in panel["targets"]]
            for panel in m.panels(board)
        }
        self.options.draw.mkdir(parents=True, exist_ok=True)
        path = self.options.draw / name.replace(".json", ".html")
        path.write_text(draw.page(board, answers, start, end), encoding="utf-8")

    def no_panel_is_empty_on_kubernetes(self):
        problems = []
        for board in m.dashboards().values():
            for panel in m.panels(board):
                problems += ask_panel(self.prometheus, panel, self.began, self.ended, chosen=ON_KUBERNETES)
        m.fail_with(problems)

    def variables_have_values(self):
        for board in m.dashboards().values():
            for variable in board["templating"]["list"]:
                if variable["type"] != "query":
                    continue
                selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
                selector = m.substituted(selector, ON_KUBERNETES)
                values = self.prometheus.api(f"label/{label}/values", **{"match[]": selector})
                assert values, f"{board['title']}: no values for {variable['name']}: {selector}"

    def a_start_is_marked(self):
        board = next(iter(m.dashboards().values()))
        expression = m.substituted(board["annotations"]["list"][0]["target"]["expr"])
        marks = self.prometheus.over_time(expression, self.began - 10, self.ended)
        assert marks, f"no mark for the restart: {expression}"
        assert len(marks[0][1]) < 5, f"a mark {len(marks[0][1])} s long: {expression}"

    def recording_rules_make_series(self):
        problems = []
        for rule in m.rules(m.RECORDING):
            found = self.prometheus.over_time(rule["record"], self.began, self.ended)
            if not found:
                problems.append(f"{rule['record']}: no series")
        m.fail_with(problems)

    def rules_have_no_errors(self):
        problems = []
        for group in self.prometheus.api("rules")["groups"]:
            for rule in group["rules"]:
                if rule.get("lastError") or rule["health"] != "ok":
                    problems.append(f"{rule['name']}: {rule['health']}: {rule.get('lastError')}")
        m.fail_with(problems)

    def no_alert_fires(self):
        firing = [alert["labels"] for alert in self.prometheus.firing() if not alert["labels"]["alertname"].startswith("Short")]
        assert not firing, f"fires under a healthy load: {firing}"

    def reruns_are_counted(self):
        found = self.prometheus.over_time('muster_job_reruns_total{function="sleep"}', self.ended - 2, self.ended)
        assert found and found[0][1][-1][1] >= 3, f"three sleeps ran again, and the metric says {found}"

    # --- what hurts -------------------------------------------------------------------------------------------------

    def fires(self, name, seconds=20):
        """Waits for the short copy of an alert; its description must be whole."""
        found = live.until(
            lambda: [alert for alert in self.prometheus.firing() if alert["labels"]["alertname"] == "Short" + name],
            seconds, f"{name} fires",
        )
        text = found[0]["annotations"]["description"]
        assert not re.search(r"<no value>|<nil>|<error|%!|\{\{", text), text
        if self.options.table:
            print(f"  {name}: {text}")

    def restarted(self, *flags, drain="1s"):
        self.server.end(signal.SIGKILL)
        self.server.start(*FLAGS, *flags, drain=drain)

    def alerts_of_clients(self):
        self.fires("MusterRequestsTooLarge")
        self.server.muster("submit", "fail", "message=unread", "--retention", "1s")
        self.fires("MusterUnretrievedErrors")

    def alerts_of_crashes(self):
        for _ in range(3):
            time.sleep(1.5)  # Prometheus must see each of them
            self.restarted()
        self.fires("MusterRestartLoop")
        self.fires("MusterJobsRerunRepeatedly")

    def alerts_of_full_pools(self):
        self.restarted("--blocking-threads=1", "--blocking-queue=2", "--limits-pending-futures-max=20")
        time.sleep(2)
        for _ in range(30):
            self.server.muster("submit", "checksum", "data=x", "rounds:=100000000", "--queue-timeout", "5m")
        self.fires("MusterPoolSaturated")
        self.fires("MusterPoolRejecting")
        for _ in range(25):
            self.server.muster("submit", "sleep", "seconds:=60")
        self.fires("MusterLimitNear")
        self.fires("MusterLimitsHit")

    def alerts_of_a_full_store(self):
        self.restarted("--store-free-bytes-min=64TiB")
        self.fires("MusterStoreFull")

    def alerts_of_a_server_that_leaves(self):
        self.restarted(drain="1m")
        # A running job keeps it there; SIGTERM makes it refuse work.
        self.server.process.send_signal(signal.SIGTERM)
        self.fires("MusterNotReady")
        self.server.end(signal.SIGKILL)
        self.fires("MusterTargetDown")

    def end(self):
        for process in self.others:
            process.kill()
            process.wait()
        self.server.end(signal.SIGKILL)
        if self.prometheus is not None:
            self.prometheus.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--draw", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=16)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="muster-monitoring-"))
    test = Live(options, folder)
    count = m.Cases()
    try:
        count.run("load_runs_over_a_crash", test.load_runs_over_a_crash)
        if count.passed:
            for name in m.dashboards():
                count.run(f"no_panel_is_empty {name}", test.no_panel_is_empty, name)
            for case in (
                test.no_panel_is_empty_on_kubernetes, test.variables_have_values, test.a_start_is_marked, test.recording_rules_make_series,
                test.rules_have_no_errors, test.no_alert_fires, test.reruns_are_counted, test.alerts_of_clients,
                test.alerts_of_crashes, test.alerts_of_full_pools, test.alerts_of_a_full_store, test.alerts_of_a_server_that_leaves,
            ):
                count.run(case.__name__, case)
    finally:
        test.end()
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return count.end()


if __name__ == "__main__":
    raise SystemExit(main())
