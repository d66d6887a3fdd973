#!/usr/bin/env python3
"""Installs the chart into a real Kubernetes of one node and does to it what happens to a release in its life.

usage: cluster_test.py --muster PROGRAM --image NAME [-k WORD] [--shell]

Needs root, and `kube` and `pause`, which ./build makes. Prints a line for each case, then `N passed, N failed, N skipped`;
exits 77 where no cluster can be had. Cases run in the order of the file and build on each other's cluster, not on each
other's releases. --shell starts a shell with `kubectl` and `helm` for the cluster instead.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
import traceback

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
CHART = os.path.join(ROOT, "helm", "muster")
PROGRAMS = os.path.join(ROOT, "build", "helm", "bin")
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "image")]
from cluster import Cluster, enter, missing, output_of, until  # noqa: E402
from load import Load  # noqa: E402

NAMESPACE = "muster"
# Short, so that cases are; the proportions are those of the defaults.
QUICK = ["drain.preStopSeconds=2", "drain.graceSeconds=8", "drain.flushSeconds=15", "probes.startup.periodSeconds=1",
         "probes.readiness.periodSeconds=1"]


def expect(truth, message):
    if not truth:
        raise AssertionError(message)


class Release:
    """One release of the chart; made by Lab.release, uninstalled at the end of its case."""

    def __init__(self, lab, name, values):
        self.lab, self.name, self.values = lab, name, list(values)
        self.full = name if "muster" in name else f"{name}-muster"
        self.pod = f"{self.full}-0"

    def helm(self, verb, *arguments, values=(), code=0, timeout=180):
        sets = [part for value in [*self.lab.image_values, *QUICK, *self.values, *values] for part in ("--set", value)]
        chart = [CHART] if verb in ("install", "upgrade", "template") else []
        sets = sets if chart else []
        return self.lab.helm(verb, self.name, *chart, *sets, *arguments, code=code, timeout=timeout)

    def install(self, **more):
        return self.helm("install", "--wait", "--timeout=90s", **more)

    def upgrade(self, *values, **more):
        return self.helm("upgrade", "--wait", "--timeout=90s", values=values, **more)

    @property
    def server(self):
        service = self.lab.cluster.get("service", self.full, "-n", NAMESPACE)["spec"]
        return f"{service['clusterIP']}:{service['ports'][0]['port']}"

    def kubectl(self, *arguments, **more):
        return self.lab.cluster.kubectl("-n", NAMESPACE, *arguments, **more)

    def state(self):
        """Of the pod, or nothing when there is none."""
        text = self.kubectl("get", "pod", self.pod, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text else {}

    def uid(self):
        return self.state().get("metadata", {}).get("uid")

    def restarts(self):
        statuses = self.state().get("status", {}).get("containerStatuses", [])
        return statuses[0]["restartCount"] if statuses else 0

    def is_ready(self):
        conditions = self.state().get("status", {}).get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def wait_ready(self, seconds=60):
        until(self.is_ready, lambda: f"{self.pod} is ready: {self.story()}", seconds)

    def log(self, *arguments):
        return self.kubectl("logs", self.pod, "--tail=50", *arguments, code=None)

    def story(self):
        return self.kubectl("describe", "pod", self.pod, code=None)[-2500:] + self.log()

    def client(self, *arguments, code=0):
        done, out, err = output_of([self.lab.muster, "--server", self.server, *arguments], timeout=90)
        expect(code in (None, done), f"muster {' '.join(arguments)}: {done}: {err.strip()}")
        return out + err

    def process(self):
        """The id of musterd's process, in this namespace of processes."""
        uid = self.uid().replace("-", "")
        for number in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{number}/cgroup", encoding="utf-8") as group, open(f"/proc/{number}/comm", encoding="utf-8") as comm:
                    if uid in group.read().replace("-", "").replace("_", "") and comm.read().strip() == "musterd":
                        return int(number)
        raise AssertionError(f"no musterd of {self.pod}")

    @contextlib.contextmanager
    def under_load(self, title):
        """What happens inside must lose nothing that was acknowledged, and clients go on afterwards."""
        load = Load(self.lab.muster, self.server)
        begin = time.monotonic()
        try:
            time.sleep(2)
            yield load
            before = load.count()
            until(lambda: load.count() > before + 10, "clients go on afterwards", 60)
        finally:
            load.stop()
        took = time.monotonic() - begin
        expect(load.count() > 30, f"only {load.count()} were acknowledged")
        self.check_all(load)
        print(f"     {title}: {load.count()} acknowledged and there, {load.refused} refused, in {took:.0f} s", flush=True)

    def check_all(self, load):
        ids = list(load.acknowledged)
        for start in range(0, len(ids), 200):
            part = ids[start:start + 200]
            out = self.client("gather", "-o", "jsonl", "--timeout=60s", *part)
            lines = [json.loads(line) for line in out.splitlines() if line.strip()]
            expect(len(lines) == len(part), f"{len(part)} acknowledged, {len(lines)} found: {out[:300]}")
            for future, line in zip(part, lines):
                value = load.acknowledged[future]
                expect(value is None or str(value) in json.dumps(line), f"{future}: {line}, not {value}")


class Lab:
    def __init__(self, cluster, arguments):
        self.cluster, self.muster = cluster, arguments.muster
        self.image = arguments.image
        repository, _, tag = arguments.image.rpartition(":")
        self.image_values = [f"image.repository={repository}", f"image.tag={tag}", "image.pullPolicy=Never"]
        self._releases = []
        self._volumes = 0
        cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {
                "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest",
                "pod-security.kubernetes.io/warn": "restricted"}}},
            {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {
                "name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
             "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"})

    def helm(self, *arguments, code=0, timeout=180):
        done, out, err = output_of([os.path.join(PROGRAMS, "helm"), "-n", NAMESPACE, *arguments], timeout,
                                   env=self.cluster.environment)
        pods = self.cluster.kubectl("-n", NAMESPACE, "describe", "pods", code=None)[-3000:] if done and not code else ""
        expect(code in (None, done), f"helm {' '.join(arguments)}: {done}: {err.strip()}\n{pods}")
        return out + err

    def release(self, name, *values, volume=True, disk=""):
        if volume:
            self._volumes += 1
            self.cluster.volume(f"volume-{self._volumes}", disk=disk)
        self._releases.append(Release(self, name, values))
        return self._releases[-1]

    def accepts(self, name, monitoring):
        """Asks the server about all that a file of values makes: unknown fields, pods that the namespace forbids."""
        values = os.path.join(CHART, "ci", name)
        code, text, err = output_of([os.path.join(PROGRAMS, "helm"), "template", "dry", CHART, "--values", values,
                                     "--namespace", NAMESPACE, "--kube-version=1.34.4"])
        expect(code == 0, err)
        objects = [each for each in yaml.safe_load_all(text)
                   if each and (monitoring or not each["apiVersion"].startswith("monitoring."))]
        for namespace in {each["metadata"].get("namespace", NAMESPACE) for each in objects} - {NAMESPACE}:
            self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        command = [self.cluster.kube, "kubectl", "apply", "--dry-run=server", "--validate=strict", "-f", "-"]
        code, out, err = output_of(command, env=self.cluster.environment, input=yaml.safe_dump_all(objects))
        expect(code == 0 and "statefulset.apps" in out and not err.strip(), f"{name}: {code}: {err or out}")

    @staticmethod
    def definitions():
        folder = os.path.join(ROOT, "build", "helm", "definitions")
        return [f"--filename={os.path.join(folder, name)}" for name in sorted(os.listdir(folder))]

    def objects_of(self, release):
        kinds = "all,configmap,serviceaccount,persistentvolumeclaim,networkpolicy,poddisruptionbudget"
        found = self.cluster.get(kinds, "-n", NAMESPACE, "-l", f"app.kubernetes.io/instance={release.name}")["items"]
        return [f"{each['kind']}/{each['metadata']['name']}" for each in found]

    def clear(self):
        for release in self._releases:
            release.helm("uninstall", "--ignore-not-found", "--wait", code=None)
        self.cluster.kubectl("-n", NAMESPACE, "delete", "pvc,pod", "--all", "--wait", "--timeout=60s", code=None)
        self.cluster.kubectl("delete", "pv", "--all", "--wait=false", code=None)
        self._releases.clear()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--muster", required=True, help="the client that calls from outside the pods")
    parser.add_argument("--image", required=True, help="podman's name for the image to run, with its tag")
    parser.add_argument("-k", default="", help="only cases whose name contains this")
    parser.add_argument("--shell", action="store_true", help="a shell for the cluster instead of tests")
    arguments = parser.parse_args()
    problem = missing()
    if not problem and not os.path.exists(os.path.join(PROGRAMS, "kube")):
        problem = "build/helm/bin/kube is not there: tests/helm/cluster/build makes it"
    if problem:
        print(f"{problem}\n0 passed, 0 failed, 1 skipped")
        return 77
    folder = enter(PROGRAMS, [arguments.image])
    from cases import CASES  # it needs the names above  # pylint: disable=import-outside-toplevel
    passed = failed = 0
    with Cluster(PROGRAMS, folder) as cluster:
        lab = Lab(cluster, arguments)
        if arguments.shell:
            return shell(cluster)
        for case in CASES:
            if arguments.k not in case.__name__:
                continue
            begin = time.monotonic()
            try:
                case(lab)
                passed += 1
                print(f"ok   {case.__name__} ({time.monotonic() - begin:.0f} s)", flush=True)
            except Exception:  # a case that fails is reported, whatever it was
                failed += 1
                print(f"FAIL {case.__name__}\n{traceback.format_exc()}", flush=True)
            lab.clear()
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def shell(cluster):
    link = os.path.join(cluster.folder, "bin")
    os.makedirs(link, exist_ok=True)
    with open(os.path.join(link, "kubectl"), "w", encoding="utf-8") as script:
        script.write(f'#!/bin/sh\nexec {cluster.kube} kubectl "$@"\n')
    os.chmod(script.name, 0o755)
    os.symlink(os.path.join(PROGRAMS, "helm"), os.path.join(link, "helm"))
    path = f"{link}:{os.environ['PATH']}"
    return subprocess.run([os.environ.get("SHELL", "bash")], env={**cluster.environment, "PATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.modules["cluster_test"] = sys.modules["__main__"]
    sys.exit(main())
