#!/usr/bin/env python3
"""Renders the chart over values and Kubernetes versions, and checks what comes out.

usage: render_test.py --bin FOLDER [TEST...]
"""

import functools
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

import chart

ALERTS = chart.ROOT / "deploy/prometheus/alerts.yaml"
DASHBOARDS = chart.ROOT / "deploy/grafana/dashboards"


def folder(test):
    path = pathlib.Path(tempfile.mkdtemp(prefix="muster-helm-"))
    test.addClassCleanup(shutil.rmtree, path) if isinstance(test, type) else test.addCleanup(shutil.rmtree, path)
    return path


def for_each(check):
    """Makes a test of a check of (name of the values file, version, objects): one case for each of them."""

    @functools.wraps(check)
    def run(self):
        for (name, version), objects in self.objects.items():
            with self.subTest(values=name, kubernetes=version):
                check(self, name, version, objects)

    return run


class Rendering(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """The objects by values file and version, and files of them by version."""
        cls.objects = {}
        cls.folder = folder(cls)
        for version in chart.VERSIONS:
            (cls.folder / version).mkdir()
            for values in chart.CI:
                text = chart.render_text(files=[values], version=version)
                cls.objects[values.name, version] = chart.objects_of(text)
                (cls.folder / version / values.name).write_text(text, encoding="utf-8")

    def test_lint(self):
        for values in chart.CI:
            with self.subTest(values=values.name):
                chart.helm("lint", "--strict", str(chart.CHART), "--values", str(values))

    def test_read_strictly(self):
        """Unknown fields, duplicate keys, wrong types, names, labels, and the pod security standard "restricted"."""
        for version in chart.VERSIONS:
            ran = subprocess.run([chart.TOOLS / f"strict-{version}", self.folder / version], capture_output=True,
                                 text=True, check=False)
            for values in chart.CI:
                with self.subTest(values=values.name, kubernetes=version):
                    problems = [line for line in ran.stdout.splitlines() if line.startswith(values.name)]
                    self.assertEqual(problems, [], ran.stderr)
            self.assertIn(f"{len(chart.CI)} files", ran.stderr)

    def test_musterd_takes_its_configuration(self):
        if chart.OPTIONS.bin is None:
            self.skipTest("no --bin with musterd")
        here = folder(self)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", here / "tls.key", "-out", here / "tls.crt", "-days", "2", "-subj", "/CN=localhost"],
                       check=True, capture_output=True)
        shutil.copy(here / "tls.crt", here / "ca.crt")
        for (name, version), objects in self.objects.items():
            with self.subTest(values=name, kubernetes=version):
                file = here / "musterd.yaml"
                text = chart.config_text_of(objects).replace("/etc/muster/tls/", f"{here}/")
                file.write_text(text, encoding="utf-8")
                extra = [a for a in chart.server_of(objects)["args"] if not a.startswith("--config")]
                ran = subprocess.run([chart.OPTIONS.bin / "musterd", f"--config={file}", "--validate", *extra],
                                     capture_output=True, text=True, timeout=20, check=False)
                self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)

    @for_each
    def test_files_that_the_configuration_names_are_mounted(self, name, _version, objects):
        config, volumes = chart.config_of(objects), {v["name"]: v for v in chart.pod_of(objects)["volumes"]}
        claims = chart.find(objects, "StatefulSet")["spec"].get("volumeClaimTemplates", [])
        mounts = {m["name"]: m for m in chart.server_of(objects)["volumeMounts"]}
        files = [f"{mounts['config']['mountPath']}/{key}" for key in
                 chart.find(objects, "ConfigMap", volumes["config"]["configMap"]["name"])["data"]]
        self.assertEqual([a for a in chart.server_of(objects)["args"] if a.startswith("--config=")],
                         [f"--config={file}" for file in files])
        if "tls" in config:
            items = volumes["tls"]["secret"]["items"]
            self.assertEqual({f"{mounts['tls']['mountPath']}/{item['path']}" for item in items},
                             set(config["tls"].values()))
        if name == "tls-values.yaml":
            self.assertEqual({item["key"]: item["path"] for item in items}, {
                "server.pem": "tls.crt", "server-key.pem": "tls.key", "clients.pem": "ca.crt"})
        if "store" in config:
            self.assertTrue(config["store"]["dir"].startswith(mounts["store"]["mountPath"]))
            self.assertFalse(mounts["store"].get("readOnly", False))
            self.assertIn("store", [*volumes, *(claim["metadata"]["name"] for claim in claims)])

    @for_each
    def test_ports_lead_to_the_listeners(self, _name, _version, objects):
        config, server = chart.config_of(objects), chart.server_of(objects)

        def port_of(address):
            return int(address.rsplit(":", 1)[1])

        ports = {port["name"]: port["containerPort"] for port in server["ports"]}
        listeners = {"grpc": port_of(config["grpc"]["listen"]), "admin": port_of(config["admin"]["listen"])}
        if "tls" in config:  # a kubelet's probes know no TLS
            listeners["probes"] = port_of(config["grpc"]["plaintext_listen"])
        self.assertEqual(ports, listeners)
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertEqual(server[probe]["grpc"]["port"], listeners.get("probes", listeners["grpc"]), probe)
        for policy in (o for o in objects if o["kind"] == "NetworkPolicy"):
            for rule in policy["spec"]["ingress"]:
                self.assertLessEqual({port["port"] for port in rule["ports"]}, set(ports))
        for service in (o for o in objects if o["kind"] == "Service"):
            for port in service["spec"]["ports"]:
                self.assertIn(port["targetPort"], ports, service["metadata"]["name"])

    @for_each
    def test_the_grace_adds_up(self, _name, _version, objects):
        values = chart.server_of(objects)
        config = chart.config_of(objects)
        stop = values.get("lifecycle", {}).get("preStop", {})
        before = int(stop["sleep"]["seconds"]) if "sleep" in stop else int(stop["exec"]["command"][-1]) if stop else 0
        drain = int(config["drain"]["grace"].removesuffix("s"))
        grace = chart.pod_of(objects)["terminationGracePeriodSeconds"]
        # Cancelled bodies, gRPC's own shutdown of 5 s, and the flush come after the drain.
        self.assertGreaterEqual(grace, before + drain + 15)

    @for_each
    def test_a_stop_waits_by_what_the_version_has(self, name, version, objects):
        hook = chart.server_of(objects).get("lifecycle", {}).get("preStop", {})
        if version != "1.27":
            self.assertEqual(list(hook), ["sleep"])
        elif name == "tls-values.yaml":
            self.assertEqual(hook, {})
        else:
            self.assertEqual(list(hook), ["exec"])

    @for_each
    def test_labels_and_namespace_everywhere(self, name, _version, objects):
        own = [o for o in objects if o["metadata"]["name"] not in ("plain", "muster-of-the-release")]
        for one in own:
            labels = one["metadata"]["labels"]
            where = f"{one['kind']} {one['metadata']['name']}"
            self.assertEqual(labels["app.kubernetes.io/instance"], "muster", where)
            self.assertEqual(labels["app.kubernetes.io/managed-by"], "Helm", where)
            if one["kind"] != "Role":
                self.assertIn(one["metadata"]["namespace"], ("shop", "monitoring"), where)
            if name == "everything-values.yaml":
                self.assertEqual(labels["team"], "shop", where)
                self.assertEqual(one["metadata"]["annotations"]["example.com/owner"], "platform", where)

    @for_each
    def test_selectors_select_the_server_alone(self, _name, _version, objects):
        stateful = chart.find(objects, "StatefulSet")
        pod = stateful["spec"]["template"]["metadata"]["labels"]
        tester = next(o for o in objects if o["kind"] == "Pod")["metadata"]["labels"]
        selectors = [stateful["spec"]["selector"]["matchLabels"]]
        selectors += [o["spec"]["selector"] for o in objects if o["kind"] == "Service"]
        selectors += [o["spec"]["selector"]["matchLabels"] for o in objects
                      if o["kind"] in ("PodDisruptionBudget", "PodMonitor")]
        selectors += [o["spec"]["podSelector"]["matchLabels"] for o in objects if o["kind"] == "NetworkPolicy"]
        for selector in selectors:
            self.assertLessEqual(selector.items(), pod.items())
            self.assertFalse(selector.items() <= tester.items(), "the pod of `helm test` would be selected")

    def test_the_monitor_finds_one_service(self):
        objects = self.objects["monitoring-values.yaml", "1.34"]
        monitor = chart.find(objects, "ServiceMonitor")["spec"]
        wanted = monitor["selector"]["matchLabels"].items()
        services = [o for o in objects if o["kind"] == "Service" and wanted <= o["metadata"]["labels"].items()]
        self.assertEqual(len(services), 1, "each figure would be scraped once for each Service")
        self.assertIn(monitor["endpoints"][0]["port"], [p["name"] for p in services[0]["spec"]["ports"]])
        # The rules and dashboards ask for job=~".*muster.*".
        self.assertIn("muster", services[0]["metadata"]["labels"][monitor["jobLabel"]])

    def test_rules_and_dashboards_are_those_of_deploy(self):
        objects = self.objects["podmonitor-values.yaml", "1.34"]
        rules = [r for group in chart.find(objects, "PrometheusRule")["spec"]["groups"] for r in group["rules"]]
        wanted = [r for path in sorted(ALERTS.parent.glob("*.yaml"))
                  for group in chart.read_yaml(path)["groups"] for r in group["rules"]]
        self.assertEqual(rules, wanted)
        self.assertGreater(len(rules), 20)
        for path in DASHBOARDS.glob("*.json"):
            found = chart.find(objects, "ConfigMap", f"muster-dashboard-{path.stem}")
            self.assertEqual(found["data"][f"muster-{path.name}"].strip(), path.read_text(encoding="utf-8").strip())
            self.assertEqual(found["metadata"]["labels"]["dashboards"], "muster")

    def test_an_alert_can_be_left_out(self):
        objects = self.objects["monitoring-values.yaml", "1.34"]
        left_out = chart.read_yaml(chart.CHART / "ci/monitoring-values.yaml")["metrics"]["prometheusRule"]["disabled"]
        alerts = [r.get("alert") for g in chart.find(objects, "PrometheusRule")["spec"]["groups"] for r in g["rules"]]
        for name in left_out:
            self.assertIn(name, ALERTS.read_text(encoding="utf-8"), "there is no such alert to leave out")
            self.assertNotIn(name, alerts)

    def test_extra_objects_with_templates(self):
        objects = self.objects["extra-values.yaml", "1.34"]
        self.assertEqual(chart.find(objects, "ConfigMap", "plain")["data"], {"key": "value"})
        made = chart.find(objects, "ConfigMap", "muster-of-the-release")
        self.assertEqual((made["metadata"]["labels"]["in"], made["data"]["port"]), ("shop", "7411"))
        self.assertEqual(chart.find(objects, "Role")["metadata"]["labels"]["app.kubernetes.io/name"], "muster")

    def test_a_changed_configuration_makes_a_new_pod(self):
        def checksum(values=None):
            template = chart.find(chart.render(values), "StatefulSet")["spec"]["template"]
            return template["metadata"]["annotations"]["checksum/config"]

        self.assertEqual(checksum(), checksum({"podLabels": {"a": "b"}}))
        self.assertNotEqual(checksum(), checksum({"config": {"loops": 2}}))

    def test_what_kubernetes_does_not_let_change(self):
        """An upgrade that changes one of these fails in the cluster; see UPGRADING.md before you change the record."""
        now = {}
        for values in chart.CI:
            spec = chart.find(self.objects[values.name, "1.34"], "StatefulSet")["spec"]
            kept = ("serviceName", "selector", "podManagementPolicy", "volumeClaimTemplates")
            now[values.name] = {key: spec[key] for key in kept if key in spec}
        record = chart.HERE / "immutable.yaml"
        self.assertEqual(now, chart.read_yaml(record), f"{record.name} is the record")

    def test_an_upgrade_needs_nothing_but_the_new_chart(self):
        """Rendered as an upgrade it is what it was rendered as an installation."""
        for values in chart.CI:
            with self.subTest(values=values.name):
                arguments = ["template", "muster", str(chart.CHART), "--namespace", "shop", "--values", str(values)]
                self.assertEqual(chart.helm(*arguments), chart.helm(*arguments, "--is-upgrade"))


class Package(unittest.TestCase):
    def test_it_holds_rules_and_dashboards_and_nothing_of_the_tests(self):
        here = folder(self)
        chart.helm("package", str(chart.CHART), "--destination", str(here))
        (package,) = here.glob("muster-*.tgz")
        with tarfile.open(package) as archive:
            names = archive.getnames()
            self.assertTrue(all(m.isfile() for m in archive.getmembers()), "a link would lead nowhere")
        for path in DASHBOARDS.glob("*.json"):
            self.assertIn(f"muster/files/dashboards/{path.name}", names)
        for path in ALERTS.parent.glob("*.yaml"):
            self.assertIn(f"muster/files/rules/{path.name}", names)
        for name in ("README.md", "UPGRADING.md", "values.schema.json", "templates/NOTES.txt"):
            self.assertIn(f"muster/{name}", names)
        self.assertEqual([n for n in names if n.startswith("muster/ci/")], [])
        self.assertEqual(chart.render_text(chart=package), chart.render_text())

    def test_old_kubernetes_is_refused(self):
        with self.assertRaisesRegex(chart.Refused, "1.26"):
            chart.render_text(version="1.26")


if __name__ == "__main__":
    chart.main()
