#!/usr/bin/env python3
"""Runs the pod that the chart renders: its StatefulSet's template and its ConfigMap, played by podman.

What a kubelet would do is done by hand where podman does not: the gRPC probes are asked for in the container with
`muster health`, as each probe says, and a stop waits for preStop, then sends SIGTERM and allows what is left of the grace.

usage: pod_test.py --helm PROGRAM --muster PROGRAM --image NAME [-k WORD]

PROGRAMs are of this machine. Prints a line for each case and at the end `N passed, N failed, N skipped`; exits 77 when
this machine can run no containers.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
CHART = os.path.join(HERE, "..", "..", "helm", "muster")
sys.path.insert(0, os.path.join(HERE, "..", "image"))
from cases import expect, run_suite  # noqa: E402
from engine import Engine, free_port, output_of  # noqa: E402
from load import Load  # noqa: E402

MEMORY = 2 << 30  # the chart's default limit


class Podman:
    """podman with what its Kubernetes verbs cannot be told by argument: limits and runtime come from a file."""

    def __init__(self, folder):
        files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
        path = os.path.join(folder, "containers.conf")
        with open(path, "w", encoding="utf-8") as conf:
            conf.write(f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc=4096:4096"]\n')
            if shutil.which("runc"):
                conf.write('[engine]\nruntime = "runc"\n')
        self.environment = {**os.environ, "CONTAINERS_CONF": path}

    def __call__(self, *arguments, timeout=120):
        return output_of(["podman", *arguments], timeout=timeout, env=self.environment)


class Release:
    """A rendered release and its pod."""

    def __init__(self, test, name, values=(), change=lambda pod: None):
        self.podman, self.folder = test.podman, test.folder
        self.name = f"{name}-{os.getpid()}"
        self.documents = test.render(self.name, values)
        stateful = self.of("StatefulSet")
        template = stateful["spec"]["template"]
        self.spec = template["spec"]
        self.container = self.spec["containers"][0]
        self.grpc_port = self._publish()
        # A StatefulSet adds the volume of its claim, and makes its pods under its service account.
        claim = f"store-{stateful['metadata']['name']}-0"
        if stateful["spec"].get("volumeClaimTemplates"):
            self.spec["volumes"].append({"name": "store", "persistentVolumeClaim": {"claimName": claim}})
        self.spec.pop("serviceAccountName")
        self.spec["restartPolicy"] = "Never"  # a test that starts it again does so itself
        self.pod = f"{stateful['metadata']['name']}-0"
        self.in_podman = f"{self.pod}-musterd"
        self.volumes = [claim, stateful["metadata"]["name"]]  # podman's, for the claim and the ConfigMap
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.pod, "labels": template["metadata"]["labels"]},
               "spec": self.spec}
        change(pod)
        self.file = os.path.join(self.folder, f"{self.name}.yaml")
        with open(self.file, "w", encoding="utf-8") as out:
            yaml.safe_dump(pod, out)
        self.config = os.path.join(self.folder, f"{self.name}-config.yaml")
        with open(self.config, "w", encoding="utf-8") as out:
            yaml.safe_dump(self.of("ConfigMap"), out)

    def of(self, kind):
        return next(document for document in self.documents if document["kind"] == kind)

    def _publish(self):
        """Gives each port one of this machine's own, on loopback; returns that of gRPC."""
        ports = {}
        for port in self.container["ports"]:
            ports[port["name"]] = free_port()
            port.update(hostIP="127.0.0.1", hostPort=ports[port["name"]])
        return ports["grpc"]

    @property
    def server(self):
        return f"127.0.0.1:{self.grpc_port}"

    def start(self):
        code, _, err = self.podman("play", "kube", "--configmap", self.config, self.file)
        expect(code == 0, f"the rendered pod cannot be played: {err.strip()}")

    def probe(self, name):
        """What a kubelet would hear: (whether it is SERVING, what was said)."""
        grpc = self.container[name]["grpc"]
        service = ["--service", grpc["service"]] if "service" in grpc else []
        code, out, err = self.podman(
            "exec", self.in_podman, "/usr/bin/muster", "--server", f"localhost:{grpc['port']}",
            f"--timeout={self.container[name]['timeoutSeconds']}s", "health", *service)
        return code == 0, (out + err).strip()

    def wait_until_started(self):
        probe = self.container["startupProbe"]
        deadline = time.monotonic() + min(60, probe["periodSeconds"] * probe["failureThreshold"])
        while True:
            serving, said = self.probe("startupProbe")
            if serving:
                return
            expect(time.monotonic() < deadline and self.state()["Running"], f"{said}; its log:\n{self.log()[-2000:]}")
            time.sleep(0.1)

    def state(self):
        return self.inspect()["State"]

    def inspect(self):
        deadline = time.monotonic() + 10
        while True:  # podman has no answer for a moment while a container ends
            code, out, err = self.podman("inspect", self.in_podman)
            if code == 0 and out:
                return json.loads(out)[0]
            expect(time.monotonic() < deadline, f"podman inspect: {err.strip()}")
            time.sleep(0.1)

    def log(self):
        _, out, err = self.podman("logs", self.in_podman)
        return out + err

    def wait_for_its_end(self, seconds=30):
        deadline = time.monotonic() + seconds
        while self.state()["Running"]:
            expect(time.monotonic() < deadline, f"it still runs; its log:\n{self.log()[-2000:]}")
            time.sleep(0.1)

    def stop_as_a_kubelet(self):
        """preStop, SIGTERM, and SIGKILL when the grace is over; returns how much of the grace it took."""
        begin = time.monotonic()
        time.sleep(self.container["lifecycle"]["preStop"]["sleep"]["seconds"])
        grace = self.spec["terminationGracePeriodSeconds"]
        left = grace - (time.monotonic() - begin)
        self.podman("stop", "-t", str(int(left)), self.in_podman, timeout=grace + 60)
        took = time.monotonic() - begin
        state = self.state()
        expect(state["ExitCode"] == 0, f"it ended with {state['ExitCode']}; its log:\n{self.log()[-2000:]}")
        return took

    def remove(self, with_volumes=True):
        self.podman("pod", "rm", "-f", "-t", "0", self.pod)
        if with_volumes:
            for volume in self.volumes:
                self.podman("volume", "rm", "-f", volume)


class PodTest:
    def __init__(self, arguments, folder):
        self.engine = Engine(arguments.image, "podman")
        self.helm, self.muster, self.image = arguments.helm, arguments.muster, arguments.image
        self.podman, self.folder = Podman(folder), folder
        self.releases = []

    def render(self, name, values):
        repository, _, tag = self.image.rpartition(":")
        command = [self.helm, "template", name, CHART, "--kube-version", "1.31.0",
                   "--set", f"image.repository={repository},image.tag={tag},image.pullPolicy=Never"]
        for value in values:
            command += ["--set", value]
        code, out, err = output_of(command)
        expect(code == 0, f"helm template: {err}")
        return [document for document in yaml.safe_load_all(out) if document]

    def release(self, *arguments, **more):
        self.releases.append(Release(self, *arguments, **more))
        return self.releases[-1]

    def client(self, release, *arguments, code=0):
        done = subprocess.run([self.muster, "--server", release.server, *arguments], capture_output=True, text=True,
                              check=False, timeout=90)
        expect(done.returncode == code, f"muster {' '.join(arguments)}: {done.returncode}: {done.stderr.strip()}")
        return done.stdout + done.stderr

    def close(self):
        for release in self.releases:
            release.remove()

    # -- cases

    def case_it_runs_under_its_security_context_and_answers_its_probes(self):
        release = self.release("plain")
        release.start()
        release.wait_until_started()
        for probe in ("readinessProbe", "livenessProbe"):
            expect(release.probe(probe) == (True, "SERVING"), f"{probe}: {release.probe(probe)}")
        details = release.inspect()
        host = details["HostConfig"]
        expect(host["ReadonlyRootfs"], "the root is not read-only")
        expect(details["Config"]["User"] == "65532:65532", f"user {details['Config']['User']}")
        expect(details["EffectiveCaps"] in (None, []), f"capabilities: {details['EffectiveCaps']}")
        expect("no-new-privileges" in host["SecurityOpt"], f"{host['SecurityOpt']}")
        expect(host["Memory"] == MEMORY, f"memory {host['Memory']}")
        answer = self.client(release, "call", "echo", '{"a": [1, 2]}')
        expect(json.loads(answer) == {"a": [1, 2]}, f"echo answers {answer}")
        metrics = release.container["ports"][1]["hostPort"]
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=10) as answer:
            page = answer.read().decode()
        expect("muster_ready 1" in page, f"metrics: {page[:200]}")
        limit = "\nmuster_limit{limit=\"namespace_bytes_max\"} %d\n" % (MEMORY // 2)
        memory = "\nmuster_memory_limit_bytes %d\n" % MEMORY
        expect(memory not in page or limit in page, "the limit of a namespace does not follow the memory")

    def case_a_rolled_pod_under_load_loses_nothing_that_was_acknowledged(self):
        release = self.release("rolled", ["drain.preStopSeconds=2", "drain.graceSeconds=10"])
        release.start()
        release.wait_until_started()
        load = Load(self.muster, release.server)
        try:
            time.sleep(3)
            took = release.stop_as_a_kubelet()
            release.remove(with_volumes=False)
            release.start()
            release.wait_until_started()
            time.sleep(1)
        finally:
            load.stop()
        expect(load.count() > 20, f"only {load.count()} were acknowledged")
        ids = list(load.acknowledged)
        self.client(release, "wait", "--timeout=30s", *ids)  # fails unless each is there and succeeded
        results = json.loads(self.client(release, "gather", "-q", "-o", "json", *ids))["results"]
        for future, result in zip(ids, results, strict=True):
            value = load.acknowledged[future]
            expect(value is None or result == {"value": value}, f"{future}: {result}, not {value}")
        return (f"{load.count()} acknowledged, {load.refused} not; the stop took {took:.1f} s of "
                f"{release.spec['terminationGracePeriodSeconds']}")

    def case_with_tls_the_probes_have_a_listener_of_their_own(self):
        folder = os.path.join(self.folder, "tls")
        os.mkdir(folder, 0o755)
        os.chmod(self.folder, 0o755)
        cert, key = os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-subj", "/CN=muster", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                        "-out", cert], check=True, capture_output=True)
        os.chmod(key, 0o644)  # its owner in the container is another user

        def folder_as_secret(pod):  # what podman 4 mounts of a Secret is base64 still
            volume = next(volume for volume in pod["spec"]["volumes"] if "secret" in volume)
            paths = {item["path"] for item in volume["secret"]["items"]}
            expect(paths == {"tls.crt", "tls.key"}, f"the Secret's files: {paths}")
            del volume["secret"]
            volume["hostPath"] = {"path": folder, "type": "Directory"}

        release = self.release("secure", ["tls.enabled=true", "tls.existingSecret=certificate"], change=folder_as_secret)
        release.start()
        release.wait_until_started()
        for probe in ("readinessProbe", "livenessProbe"):
            expect(release.container[probe]["grpc"]["port"] == 7413, f"{probe} asks where TLS is spoken")
            expect(release.probe(probe) == (True, "SERVING"), f"{probe}: {release.probe(probe)}")
        expect(self.client(release, "--ca", cert, "call", "echo", "7").strip() == "7", "no answer over TLS")
        self.client(release, "call", "echo", "7", code=7)
        release.grpc_port = next(port["hostPort"] for port in release.container["ports"] if port["name"] == "probes")
        refusal = self.client(release, "call", "echo", "7", code=6)
        expect("health checks alone" in refusal, refusal)

    def case_a_configuration_that_is_refused_is_named_in_the_log(self):
        release = self.release("refused", ["config.http.allow_private={nonsense}"])
        release.start()
        release.wait_for_its_end()
        log = release.log()
        expect("http.allow_private" in log and "nonsense" in log, log[-500:])
        expect(release.state()["ExitCode"] == 2, f"{release.state()['ExitCode']}")

    def case_a_volume_that_is_read_only_is_named_in_the_log(self):
        def read_only(pod):
            for mount in pod["spec"]["containers"][0]["volumeMounts"]:
                if mount["name"] == "store":
                    mount["readOnly"] = True

        release = self.release("readonly", change=read_only)
        release.start()
        release.wait_for_its_end()
        expect("/var/lib/muster/store" in release.log() and "Read-only file system" in release.log(), release.log()[-500:])

    def case_two_servers_on_one_volume_are_refused(self):
        first = self.release("first")
        first.start()
        first.wait_until_started()

        def same_volume(pod):
            pod["spec"]["volumes"][-1]["persistentVolumeClaim"]["claimName"] = first.volumes[0]

        second = self.release("second", change=same_volume)
        second.start()
        second.wait_for_its_end()
        expect("/var/lib/muster/store" in second.log() and "another" in second.log(), second.log()[-500:])
        expect(first.probe("livenessProbe")[0], "the first one has been disturbed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--helm", required=True, help="the helm to render with")
    parser.add_argument("--muster", required=True, help="the client that calls from outside")
    parser.add_argument("--image", required=True, help="the image to run, with its tag")
    parser.add_argument("-k", default="", help="only cases whose name contains this")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muster-pod-") as folder:
        pods = []

        def make():
            pods.append(PodTest(arguments, folder))
            return pods[0]

        try:
            return run_suite(make, arguments.k)
        finally:
            for pod in pods:
                pod.close()


if __name__ == "__main__":
    sys.exit(main())
