#!/usr/bin/env python3
"""Tries an image of musterd as its users run it: read-only, without capabilities, as nobody in particular.

usage: smoke.py --image NAME --muster PROGRAM [--tool podman|docker] [-k WORD]

PROGRAM is a `muster` of this machine, which plays the client from outside. Prints a line for each case and at the end
`N passed, N failed, N skipped`; exits 1 when one failed, 77 when this machine can run no containers.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import contents
from cases import Skip, expect, run_suite
from engine import Engine, free_port
from load import Load

GRACE = 45  # seconds: drain.grace is 30, gRPC's own shutdown adds up to 5
HARDENED = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"]
USER = 65532


class Server:
    """A hardened container on a volume, and the way to it from outside."""

    def __init__(self, smoke, options=(), volume=None):
        self.engine, self.muster = smoke.engine, smoke.muster
        self.name = self.engine.name()
        self.volume = volume or self.engine.volume()
        self.grpc, self.admin = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        if self.engine.publishes:
            network = ["-p", f"{self.grpc}:7411", "-p", f"{self.admin}:7412"]
        else:
            network = ["--network=host", "-e", f"MUSTER_GRPC_LISTEN={self.grpc}", "-e", f"MUSTER_ADMIN_LISTEN={self.admin}",
                       "-e", f"MUSTER_SERVER={self.grpc}"]
        read_only = [*HARDENED, "--read-only-tmpfs=false"] if self.engine.tool == "podman" else HARDENED
        code, _, err = self.engine.run_detached(
            self.name, [*read_only, *self.engine.limits, *network, "-v", f"{self.volume}:/var/lib/muster", *options]
        )
        expect(code == 0, f"the container does not start: {err.strip()}")
        self.wait_until_healthy()

    def wait_until_healthy(self, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            code, text = self.engine.exec(self.name, "/usr/bin/muster", "health")
            if code == 0:
                return
            if time.monotonic() > deadline or not self.engine.state(self.name)["Running"]:
                raise AssertionError(f"not healthy: {text.strip()}; its log:\n{self.engine.logs(self.name)[-2000:]}")
            time.sleep(0.1)

    def client(self, *arguments, stdin=None):
        done = subprocess.run(
            [self.muster, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=90,
            env={**os.environ, "MUSTER_SERVER": self.grpc},
        )
        expect(done.returncode == 0, f"muster {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def page(self, path):
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def settle(self, acknowledged):
        """Every id is known and comes to the value that it was submitted for."""
        ids = list(acknowledged)
        values = json.loads(self.client("gather", "-", "--values", "--timeout=60s", stdin="\n".join(ids)))
        wrong = [i for i, value in zip(ids, values) if value != acknowledged[i]]
        expect(len(values) == len(ids), f"{len(ids)} were acknowledged, {len(values)} have a result")
        expect(not wrong, f"{len(wrong)} of {len(ids)} came to another value, first {wrong[:3]}")

    def status(self):
        """/proc/PID/status of musterd, seen from this machine, or None where its processes cannot be seen."""
        try:
            with open(f"/proc/{self.engine.state(self.name)['Pid']}/status", encoding="utf-8") as file:
                return dict(line.rstrip().split(":\t", 1) for line in file if ":\t" in line)
        except OSError:
            return None


class Smoke:
    def __init__(self, options):
        self.muster = os.path.abspath(options.muster)
        self.engine = Engine(options.image, options.tool)
        self._server = None

    @property
    def server(self):
        """The one that cases share which leave it as they found it."""
        if self._server is None:
            self._server = Server(self)
        return self._server

    # -- what the image says of itself, and what is in it

    def case_labels_user_and_health_check_are_set(self):
        image = self.engine.inspect_image()
        note = contents.check_configuration(image)
        _, out, _ = self.engine.run([], ["--version"])
        labels = image["Config"]["Labels"]
        for label in ("version", "revision"):
            word = labels[f"org.opencontainers.image.{label}"]
            expect(word in out, f"the label {label} says {word}, musterd --version {out.strip()}")
        return note

    def case_every_file_is_in_the_list_of_contents(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "image.tar")
            self.engine.export(path)
            return contents.check_files(path)

    # -- how it runs

    def case_nothing_is_allowed_to_it_that_it_does_not_need(self):
        status = self.server.status()
        if status is None:
            raise Skip("the container's processes cannot be seen from here")
        uids, gids = set(status["Uid"].split()), set(status["Gid"].split())
        expect(uids == {str(USER)} and gids == {str(USER)}, f"runs as {uids} {gids}, not {USER}")
        expect(int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) == 0, f"has capabilities {status['CapBnd']}")
        expect(status["NoNewPrivs"] == "1", "may gain privileges")
        return f"uid {USER}, no capabilities, no new privileges, seccomp mode {status['Seccomp']}"

    def case_there_is_no_shell(self):
        for shell in ("sh", "/bin/sh", "bash", "/bin/busybox"):
            code, text = self.engine.exec(self.server.name, shell, "-c", "echo here")
            expect(code != 0 and "here" not in text.split(), f"exec {shell} ran: {text}")
        code, text = self.engine.exec(self.server.name, "/usr/bin/muster", "--version")
        expect(code == 0, f"exec as such does not work, so this shows nothing: {text}")

    def case_the_root_is_read_only(self):
        read_only = ["--read-only-tmpfs=false"] if self.engine.tool == "podman" else []
        for folder in ("/etc/muster/store", "/tmp/store"):
            command = ["--store-dir", folder]
            code, out, err = self.engine.run([*HARDENED, *read_only], command)
            expect(code != 0 and folder in out + err, f"musterd {' '.join(command)} gave {code}: {(out + err)[-500:]}")
        # Without --read-only the same is refused by the owner of the folders alone, so look at the mount too.
        with open(f"/proc/{self.engine.state(self.server.name)['Pid']}/mountinfo", encoding="utf-8") as file:
            root = next(line.split() for line in file if line.split()[4] == "/")
        expect("ro" in root[5].split(","), f"/ is mounted {root[5]}")

    def case_the_health_check_of_the_image_passes(self):
        healthy = self.engine.healthcheck(self.server.name)
        if healthy is None:
            raise Skip(f"{self.engine.tool} runs it by itself only")
        expect(healthy, "podman healthcheck run says no")

    def case_threads_follow_the_limit_of_cpus(self):
        if not self.engine.limits:
            raise Skip("no limits can be set here")
        for cpus in ("0.5", "2"):
            name = self.engine.name()
            self.engine.run_detached(name, ["--no-healthcheck", "--cpus", cpus], ["--durability=none"])
            deadline = time.monotonic() + 15
            while not (match := re.search(r'"blocking_threads":(\d+)', self.engine.logs(name))):
                expect(time.monotonic() < deadline, f"--cpus {cpus}: no line says so: {self.engine.logs(name)[:500]}")
                time.sleep(0.1)
            self.engine.remove(name)
            usable = min(math.ceil(float(cpus)), len(os.sched_getaffinity(0)))
            expect(int(match[1]) == usable + 4, f"--cpus {cpus}: {match[0]}, not {usable + 4}")

    # -- what it does

    def case_jobs_run_and_are_gathered(self):
        ids = [self.server.client("submit", "echo", str(n)).strip() for n in range(5)]
        expect(json.loads(self.server.client("gather", "--values", *ids)) == [0, 1, 2, 3, 4], "gather")
        inside, text = self.engine.exec(self.server.name, "/usr/bin/muster", "call", "echo", '"from inside"')
        expect(inside == 0 and "from inside" in text, f"muster in the container: {text}")

    def case_metrics_and_health_pages_answer(self):
        self.server.client("call", "echo", "1")
        status, text = self.server.page("/metrics")
        expect(status == 200, f"/metrics gave {status}")
        samples = dict(re.findall(r"^(\S+) ([0-9.e+-]+)$", text, re.MULTILINE))
        submitted = [float(v) for k, v in samples.items() if k.startswith("grpc_server_handled_total") and "Call" in k]
        expect(sum(submitted) >= 1, "no call is counted in grpc_server_handled_total")
        if self.engine.limits:
            expect(float(samples["muster_memory_limit_bytes"]) == 512 * 2**20, samples["muster_memory_limit_bytes"])
        for path in ("/healthz", "/readyz"):
            expect(self.server.page(path)[0] == 200, path)
        return f"{len(samples)} samples"

    def case_sigterm_under_load_ends_in_time_and_loses_nothing(self):
        server = Server(self)
        load = Load(self.muster, server.grpc)
        try:
            deadline = time.monotonic() + 30
            while load.count() < 60 and time.monotonic() < deadline:
                time.sleep(0.05)
            start = time.monotonic()
            self.engine.stop(server.name, GRACE)
            took = time.monotonic() - start
        finally:
            load.stop()
        state = self.engine.state(server.name)
        expect(state["ExitCode"] == 0, f"exit code {state['ExitCode']} after {took:.1f} s\n{self.engine.logs(server.name)[-1500:]}")
        expect(took < GRACE, f"took {took:.1f} s of {GRACE}")
        expect(load.refused > 0, "no submit was refused, so nothing was under way when it stopped")
        self.engine.start(server.name)
        server.wait_until_healthy()
        server.settle(load.acknowledged)
        self.engine.remove(server.name)
        return f"stopped in {took:.1f} s, {load.count()} acknowledged, all there; {load.refused} refused"

    def case_kill_9_under_load_loses_nothing(self):
        server = Server(self)
        total = {}
        for round_ in range(2):
            load = Load(self.muster, server.grpc)
            try:
                deadline = time.monotonic() + 30
                while load.count() < 25 and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.engine.kill(server.name)
            finally:
                load.stop()
            expect(self.engine.state(server.name)["ExitCode"] == 137, f"round {round_}: it was not killed")
            total.update(load.acknowledged)
            self.engine.start(server.name)
            server.wait_until_healthy()
        server.settle(total)
        self.engine.remove(server.name)
        return f"2 rounds, {len(total)} acknowledged, all there"

    def case_a_user_that_the_platform_chose_works(self):
        volume = self.engine.volume()
        server = Server(self, ["--user", "1000650000:0"], volume)
        value = server.client("call", "echo", "7").strip()
        uid = (server.status() or {}).get("Uid", "1000650000").split()[0]
        self.engine.remove(server.name)
        expect(value == "7" and uid == "1000650000", f"{value} as {uid}")

    def case_tls_with_a_listener_for_the_health_check_works(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            made = subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                 "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                 "-keyout", "tls.key", "-out", "tls.crt"],
                cwd=folder, capture_output=True, text=True, check=False,
            )
            expect(made.returncode == 0, made.stderr)
            os.chmod(os.path.join(folder, "tls.key"), 0o644)  # read by another user, in the container
            probe = f"127.0.0.1:{7413 if self.engine.publishes else free_port()}"
            # In the file, not in variables: MUSTER_TLS_CERT would be the certificate of the `muster` in there too.
            grpc, admin = ("0.0.0.0:7411", "0.0.0.0:7412") if self.engine.publishes else ("127.0.0.1:0", "127.0.0.1:0")
            with open(os.path.join(folder, "musterd.yaml"), "w", encoding="utf-8") as file:
                file.write(f"grpc:\n  listen: {grpc}\n  plaintext_listen: {probe}\nadmin:\n  listen: {admin}\n"
                           "store:\n  dir: /var/lib/muster\ninsecure: true\n"
                           "tls:\n  cert: /etc/muster/tls.crt\n  key: /etc/muster/tls.key\n")
            os.chmod(os.path.join(folder, "musterd.yaml"), 0o644)
            server = Server(self, [f"-v={folder}:/etc/muster:ro", f"-e=MUSTER_SERVER={probe}"])
            healthy = self.engine.healthcheck(server.name)
            value = server.client("call", "echo", "8", "--ca", os.path.join(folder, "tls.crt")).strip()
            self.engine.remove(server.name)
        expect(healthy in (True, None) and value == "8", f"health {healthy}, value {value}")

    # -- bad input

    def refused(self, options, command, *words):
        code, out, err = self.engine.run(options, command)
        text = (out + err).strip()
        expect(code not in (0, 125, 126, 127), f"ended with {code}: {text[-500:]}")
        for word in words:
            expect(word in text, f"does not say '{word}': {text[-800:]}")
        return text.splitlines()[0][:200]

    def case_a_wrong_variable_is_refused_by_name(self):
        return self.refused(["-e", "MUSTER_LIMITS_BATCH_MAX=zero"], [], "batch_max", "zero")

    def case_a_wrong_file_is_refused_by_key_and_line(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            path = os.path.join(folder, "musterd.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write("grpc:\n  listen: 0.0.0.0:7411\n  lissten: 1\ninsecure: true\n")
            os.chmod(path, 0o644)
            return self.refused(["-v", f"{path}:/etc/muster/musterd.yaml:ro"], [], "lissten", "3")

    def case_open_to_the_network_without_saying_so_is_refused(self):
        return self.refused(["-e", "MUSTER_INSECURE=false"], [], "insecure", "0.0.0.0:7411")

    def case_a_read_only_volume_is_refused_by_name(self):
        return self.refused(["-v", f"{self.engine.volume()}:/var/lib/muster:ro"], [], "/var/lib/muster")

    def case_a_second_server_on_one_volume_is_refused(self):
        return self.refused(["-v", f"{self.server.volume}:/var/lib/muster"], [], "/var/lib/muster")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True)
    parser.add_argument("--muster", required=True)
    parser.add_argument("--tool", choices=("podman", "docker"))
    parser.add_argument("-k", default="", metavar="WORD", help="only cases whose name contains it")
    options = parser.parse_args()
    return run_suite(lambda: Smoke(options), options.k)


if __name__ == "__main__":
    sys.exit(main())
