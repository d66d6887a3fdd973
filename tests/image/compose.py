#!/usr/bin/env python3
"""Checks deploy/compose.yaml and the files that it mounts, and runs as much of it as this machine can.

usage: compose.py --image NAME --muster PROGRAM

The file is read with Compose's own library, Prometheus and Alertmanager check their settings, and the three are started
with podman-compose. The images of Prometheus and Alertmanager are stand-ins: Debian's programs, under the names, with
the commands, the mounts and the health checks of the Compose file. Grafana has none; its settings are checked against
the files that they name. Ends with `N passed, N failed, N skipped`; exits 77 when nothing can run here.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from cases import Skip, expect, run_suite
from engine import Engine, free_port, output_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
STANDIN = """FROM {base}
RUN mkdir -p /prometheus /alertmanager && chown 65534:65534 /prometheus /alertmanager
COPY {programs} /bin/
COPY *.tmpl /usr/share/prometheus/alertmanager/
USER 65534:65534
ENTRYPOINT ["/bin/{program}"]
"""


def read_yaml(path):
    """With the library that podman-compose brings; only the system's Python has it."""
    code = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)"
    status, out, err = output_of(["/usr/bin/python3", "-c", code, str(path)])
    expect(status == 0, f"{path}: {err.strip().splitlines()[-1:]}")
    return json.loads(out)


def ask(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


class Compose:
    def __init__(self, options):
        self.image, self.muster = options.image, os.path.abspath(options.muster)
        self.engine = Engine(options.image)
        self.reader = ROOT / "build/image-tools/compose_config"
        self._project = None

    def read(self, path):
        if not self.reader.exists():
            raise Skip("build/image-tools/compose_config is not there: ./dev deps image")
        return output_of([str(self.reader), str(path)])

    @property
    def project(self):
        if self._project is None:
            code, out, err = self.read(DEPLOY / "compose.yaml")
            expect(code == 0, err)
            self._project = json.loads(out)
        return self._project

    def case_1_compose_reads_the_file(self):
        services = self.project["services"]
        expect(set(services) == {"muster", "prometheus", "alertmanager", "grafana"}, list(services))
        text = (DEPLOY / "compose.yaml").read_text()
        for old, new in (("read_only:", "readonly:"), ("- muster-store:/", "- muster-stoer:/"), ("retries: 6", "retries: x")):
            expect(old in text, f"'{old}' is not in the file any more: this would show nothing")
            with tempfile.NamedTemporaryFile("w", suffix=".yaml", dir=DEPLOY) as broken:
                broken.write(text.replace(old, new, 1))
                broken.flush()
                code, _, err = self.read(broken.name)
            expect(code == 1 and err, f"'{new}' is not noticed")

    def case_2_it_keeps_to_the_rules_of_the_house(self):
        for name, service in self.project["services"].items():
            for port in service["ports"]:
                expect(port.get("host_ip") == "127.0.0.1", f"{name}: port {port['target']} is not on loopback")
            expect(re.search(r":v?\d+\.\d+\.\d+$", service["image"]) or name == "muster", f"{name}: no pinned tag")
            expect(service.get("healthcheck") or name == "muster", f"{name}: no health check")  # the image has one
            expect("no-new-privileges:true" in service["security_opt"], f"{name}: may gain privileges")
            expect(service["cap_drop"] == ["ALL"], f"{name}: has capabilities")
            expect(service.get("read_only") or name == "grafana", f"{name}: not read-only")
            for volume in service["volumes"]:
                if volume["type"] == "bind":
                    expect(os.path.exists(volume["source"]), f"{name}: {volume['source']} is not there")
                    expect(volume.get("read_only"), f"{name}: {volume['target']} may be written")
                else:
                    expect(volume["source"] in self.project["volumes"], f"{name}: {volume['source']}")

    def case_3_prometheus_and_alertmanager_take_their_files(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(DEPLOY / "compose/prometheus.yaml", folder)
            shutil.copytree(DEPLOY / "prometheus", os.path.join(folder, "rules"))
            code, out, err = output_of(["promtool", "check", "config", os.path.join(folder, "prometheus.yaml")])
            expect(code == 0, out + err)
            rules = sum(map(int, re.findall(r"(\d+) rules found", out + err)))
            expect(rules > 0, f"no rules are found: {out + err}")
        code, out, err = output_of(["amtool", "check-config", str(DEPLOY / "compose/alertmanager.yaml")])
        expect(code == 0, out + err)
        return f"{rules} rules"

    def case_4_grafana_is_told_of_what_is_there(self):
        grafana = self.project["services"]["grafana"]
        mounts = {v["target"]: v["source"] for v in grafana["volumes"] if v["type"] == "bind"}
        provisioning = pathlib.Path(mounts["/etc/grafana/provisioning"])
        (source,) = read_yaml(provisioning / "datasources/prometheus.yaml")["datasources"]
        expect(source["type"] == "prometheus" and source["isDefault"], source)
        host, port = re.fullmatch(r"http://([a-z]+):(\d+)", source["url"]).groups()
        served = [argument for argument in self.project["services"][host]["command"] if "listen-address" in argument]
        expect(served == [f"--web.listen-address=0.0.0.0:{port}"], f"{source['url']}, but it serves {served}")
        scrape = read_yaml(DEPLOY / "compose/prometheus.yaml")["global"]["scrape_interval"]
        expect(source["jsonData"]["timeInterval"] == scrape, f"timeInterval is not the scrape interval {scrape}")
        (provider,) = read_yaml(provisioning / "dashboards/muster.yaml")["providers"]
        expect(provider["options"]["path"] in mounts, f"{provider['options']['path']} is not mounted")
        folder = pathlib.Path(mounts[provider["options"]["path"]])
        dashboards = {file.name: json.loads(file.read_text()) for file in folder.glob("*.json")}
        expect(dashboards, f"no dashboard in {folder}")
        home = pathlib.PurePath(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
        expect(str(home.parent) == provider["options"]["path"] and home.name in dashboards, f"no home page {home}")
        return f"{len(dashboards)} dashboards"

    def standin(self, folder, program, tool):
        """An image that looks as the real one does to the Compose file, from Debian's package on this machine."""
        for name in (program, tool):
            shutil.copy(shutil.which(name), folder)
        # Debian's Alertmanager has its messages in files of their own, not in the program.
        for template in pathlib.Path("/usr/share/prometheus/alertmanager").glob("*.tmpl"):
            shutil.copy(template, folder)
        base = self.engine.inspect_image()["Config"]["Labels"]["io.muster.libraries"]
        text = STANDIN.format(base=base, programs=f"{program} {tool}", program=program)
        pathlib.Path(folder, "Dockerfile").write_text(text)
        name = f"localhost/muster-standin-{program}:{os.getpid()}"
        code, _, err = output_of([self.engine.tool, "build", "--isolation=chroot", "--pull=never", "-t", name, folder])
        expect(code == 0, err[-1000:])
        return name

    def case_5_what_can_be_had_runs(self):
        if not shutil.which("podman-compose") or self.engine.tool != "podman":
            raise Skip("no podman-compose: ./dev deps image")
        if not self.engine.publishes:
            raise Skip("no port of a container can be published here")
        ports = {name: free_port() for name in ("MUSTER", "MUSTER_ADMIN", "PROMETHEUS", "ALERTMANAGER", "GRAFANA")}
        environment = {**os.environ, "MUSTER_IMAGE": self.image, **{f"{k}_PORT": str(v) for k, v in ports.items()}}
        environment.pop("MUSTER_SERVER", None)
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
            made = []
            try:
                for program, tool in (("prometheus", "promtool"), ("alertmanager", "amtool")):
                    os.mkdir(os.path.join(folder, program))
                    # Debian's name of it differs.
                    debian = {"alertmanager": "prometheus-alertmanager"}.get(program, program)
                    made.append(self.standin(os.path.join(folder, program), debian, tool))
                    environment[f"{program.upper()}_IMAGE"] = made[-1]
                return self.up(environment, ports)
            finally:
                for name in made:
                    output_of(["podman", "rmi", "-f", name])

    def up(self, environment, ports):
        project = f"muster-compose-{os.getpid()}"
        compose = ["podman-compose", "-p", project, "-f", str(DEPLOY / "compose.yaml")]
        arguments = f"--podman-run-args={' '.join(self.engine.arguments)}"
        try:
            code, out, err = output_of(
                [*compose, arguments, "up", "-d", "muster", "prometheus", "alertmanager"], env=environment
            )
            expect(code == 0, f"up: {(out + err)[-2000:]}")
            return self.look(project, ports)
        finally:
            output_of([*compose, "down", "-v", "-t", "5"], env=environment)
            output_of(["podman", "network", "rm", "-f", f"{project}_default"])

    def look(self, project, ports):
        prometheus = f"http://127.0.0.1:{ports['PROMETHEUS']}"
        server = {**os.environ, "MUSTER_SERVER": f"127.0.0.1:{ports['MUSTER']}"}
        deadline = time.monotonic() + 60
        problem = ""
        while time.monotonic() < deadline:
            try:
                called = subprocess.run(
                    [self.muster, "call", "echo", "5", "--timeout=5s"], env=server, capture_output=True, text=True, check=False
                )
                expect(called.stdout.strip() == "5", f"muster call: {called.stderr}")
                targets = {t["labels"]["job"]: t["health"] for t in ask(f"{prometheus}/api/v1/targets")["data"]["activeTargets"]}
                expect(targets == {"muster": "up", "prometheus": "up", "alertmanager": "up"}, f"targets {targets}")
                answer = ask(f"{prometheus}/api/v1/query?query=muster_build_info%7Bnamespace%3D%22compose%22%7D")
                expect(len(answer["data"]["result"]) == 1, f"muster_build_info: {answer}")
                managers = ask(f"{prometheus}/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
                expect(len(managers) == 1, f"alertmanagers {managers}")
                break
            except (OSError, AssertionError) as why:
                problem = str(why)
                time.sleep(1)
        else:
            logs = "".join(self.engine.logs(f"{project}_{name}_1")[-700:] for name in ("muster", "prometheus", "alertmanager"))
            raise AssertionError(f"{problem}; logs: {logs}")
        groups = ask(f"{prometheus}/api/v1/rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        expect(any(rule["type"] == "alerting" and rule["name"].startswith("Muster") for rule in rules), "no alerts of ours")
        sick = [rule["name"] for rule in rules if rule.get("lastError")]
        expect(not sick, f"rules that Prometheus cannot evaluate: {sick}")
        for name in ("muster", "prometheus", "alertmanager"):
            expect(self.engine.healthcheck(f"{project}_{name}_1"), f"{name}: its health check does not pass")
        return f"3 targets up, {len(rules)} rules loaded"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True)
    parser.add_argument("--muster", required=True)
    parser.add_argument("-k", default="", metavar="WORD", help="only cases whose name contains it")
    options = parser.parse_args()
    return run_suite(lambda: Compose(options), options.k)


if __name__ == "__main__":
    sys.exit(main())
