"""A real musterd for a test: free ports on 127.0.0.1, a folder of its own, stopped by its process id.

    with Musterd(program, ["--limits-set-max=10"]) as server:
        server.grpc                      # "127.0.0.1:40123"
        server.metric("muster_waits_open")

Its store goes with its folder, unless `store` names another.

Standard Python only.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

# Generous: the machine may be busy, and the build may be an instrumented one.
START_SECONDS = 60
STOP_SECONDS = 60
QUIET_SECONDS = 20


class Musterd:
    def __init__(self, program, flags=(), store=None):
        self._program = program
        self._store = store
        self._flags = list(flags)
        self.folder = None
        self.process = None
        self.grpc = self.admin = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            sys.stderr.write(f"the log of musterd:\n{self.log()}\n")
        self.stop()

    def start(self):
        self.folder = tempfile.mkdtemp(prefix="muster-test-")
        os.mkdir(os.path.join(self.folder, "files"))
        self.launch(wait=True)

    def die(self):
        """As in a crash: no chance to put anything in order. What it had recorded is still there."""
        self.process.kill()
        self.process.wait()
        ready = os.path.join(self.folder, "ready.json")
        if os.path.exists(ready):
            os.unlink(ready)

    def launch(self, wait, port=0):
        """In the folder that is there, as after a crash. Without `wait` it may not be ready yet: see wait_until_ready."""
        files = os.path.join(self.folder, "files")
        ready = os.path.join(self.folder, "ready.json")
        argv = [
            self._program,
            f"--grpc-listen=127.0.0.1:{port}",
            "--admin-listen=127.0.0.1:0",
            "--log-format=json",
            f"--files-root={files}",
            f"--store-dir={self._store or os.path.join(self.folder, 'store')}",
            f"--ready-file={ready}",
            *self._flags,
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self):
        ready = os.path.join(self.folder, "ready.json")
        end = time.monotonic() + START_SECONDS
        while not os.path.exists(ready):
            if self.process.poll() is not None or time.monotonic() > end:
                text = self.log()
                self.kill()
                raise AssertionError(f"musterd {' '.join(self._flags)} does not start:\n{text}")
            time.sleep(0.01)
        with open(ready, encoding="utf-8") as file:
            addresses = json.load(file)
        self.grpc, self.admin = addresses["grpc"], addresses["admin"]

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-20_000:]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        """SIGTERM, and the proof that it ended in order: a leak or a fault found at the end shows here."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
            text = self.log()
        except subprocess.TimeoutExpired:
            text = self.log()
            self.process.kill()
            status = f"none within {STOP_SECONDS} s"
        self.kill()
        if status != 0:
            raise AssertionError(f"musterd ended with status {status}:\n{text}")

    # --- what it says of itself -------------------------------------------------------------------------------------

    def admin_get(self, path):
        """(status, text) of the admin listener."""
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=30) as response:
                return response.status, response.read().decode("utf-8")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")

    def metrics(self):
        """/metrics as {name with labels: value}."""
        _, text = self.admin_get("/metrics")
        samples = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in samples}

    def metric(self, name):
        """The sum over all labels."""
        return sum(v for key, v in self.metrics().items() if key == name or key.startswith(name + "{"))

    def wait_for_metric(self, name, wanted, seconds=QUIET_SECONDS):
        """Until the metric has this value (or, given a function, pleases it); the value it had last."""
        holds = wanted if callable(wanted) else lambda value: value == wanted
        end = time.monotonic() + seconds
        while True:
            value = self.metric(name)
            if holds(value) or time.monotonic() > end:
                return value
            time.sleep(0.01)

    def left_open(self):
        """What calls have left behind, once it had time to go: {} when nothing."""
        end = time.monotonic() + QUIET_SECONDS
        while True:
            at = self.metrics()
            names = ("muster_waits_open", "muster_wait_members", "muster_streams_open")
            left = {key: value for key, value in at.items() if key.split("{")[0] in names and value}
            started = sum(v for k, v in at.items() if k.startswith("grpc_server_started_total") and "Health" not in k)
            handled = sum(v for k, v in at.items() if k.startswith("grpc_server_handled_total") and "Health" not in k)
            if started != handled:
                left["RPCs"] = started - handled
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.02)
