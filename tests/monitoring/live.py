"""The real thing for a test: a musterd on ports that it keeps over restarts, a Prometheus with our rules that scrapes it,
and a small load. All on loopback, all stopped by their process id.
"""

import http.server
import json
import math
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import monitoring as m

START_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=30) as response:
        return response.read().decode("utf-8")


def until(holds, seconds, what):
    """Asks `holds` until it says something; fails with `what` when it does not in time."""
    end = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


class Process:
    """A program in the background with a log."""

    def __init__(self, folder, name):
        self.log_path = folder / f"{name}.log"
        self.process = None

    def launch(self, argv):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-4000:]

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def end(self, how=signal.SIGTERM, seconds=20):
        if self.alive():
            self.process.send_signal(how)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Musterd(Process):
    def __init__(self, folder, binaries):
        super().__init__(folder, "musterd")
        self.binaries = pathlib.Path(binaries)
        self.store = folder / "store"
        self.grpc, self.admin = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"

    def start(self, *flags, drain="1s"):
        self.launch(
            [
                self.binaries / "musterd",
                f"--grpc-listen={self.grpc}",
                f"--admin-listen={self.admin}",
                f"--store-dir={self.store}",
                "--log-format=json",
                "--http-allow-private=127.0.0.0/8",
                f"--drain-grace={drain}",
                *flags,
            ]
        )
        until(self.ready, START_SECONDS, "musterd is ready")

    def ready(self):
        assert self.alive(), f"musterd ended:\n{self.log()}"
        try:
            return get(f"http://{self.admin}/readyz")
        except OSError:
            return ""

    def muster(self, *arguments, text=None):
        """Runs the command; its standard output. What it says of failed jobs and refusals is no failure here."""
        argv = [self.binaries / "muster", "--server", self.grpc, "--quiet", *map(str, arguments)]
        run = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=False)
        return run.stdout.strip()

    def background(self, *arguments):
        argv = [self.binaries / "muster", "--server", self.grpc, "--quiet", *map(str, arguments)]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Prometheus(Process):
    """Scrapes one server under two names: as jobs are outside Kubernetes, and with the labels that an operator adds."""

    def __init__(self, folder, target, rule_files):
        super().__init__(folder, "prometheus")
        self.address = f"127.0.0.1:{free_port()}"
        config = folder / "prometheus.yaml"
        document = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rule_files],
            "scrape_configs": [
                {"job_name": "muster", "static_configs": [{"targets": [target]}]},
                {
                    "job_name": "prod-muster",
                    "static_configs": [{"targets": [target], "labels": {"namespace": "prod", "pod": "muster-0"}}],
                },
            ],
        }
        config.write_text(m.yaml.safe_dump(document), encoding="utf-8")
        self.launch(
            [
                m.need("prometheus", "prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={self.address}",
                "--log.level=warn",
            ]
        )
        until(self.ready, START_SECONDS, "Prometheus is ready")

    def ready(self):
        assert self.alive(), f"Prometheus ended:\n{self.log()}"
        try:
            return get(f"http://{self.address}/-/ready")
        except OSError:
            return ""

    def api(self, path, **parameters):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            return json.loads(get(url))["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from error

    def over_time(self, expression, start, end, step=1):
        """[(labels, [(time, value)])] of a range query: finite values only, and no series without any."""
        data = self.api("query_range", query=expression, start=start, end=end, step=step)
        found = []
        for series in data["result"]:
            points = [(at, float(value)) for at, value in series["values"] if math.isfinite(float(value))]
            if points:
                found.append((series["metric"], points))
        return found

    def firing(self):
        return [alert for alert in self.api("alerts")["alerts"] if alert["state"] == "firing"]


class Web:
    """Something for http.request to ask."""

    def __enter__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"hello\n")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def load(server, url, seconds):
    """Everything that the service does, again and again: about 30 commands a round."""
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        one_round(server.muster, url)
        rounds += 1
    return rounds


def one_round(muster, url):
    muster("call", "echo", "x=1")
    muster("call", "checksum", "data=hello", "rounds:=20000")
    muster("call", "sleep", "seconds:=0.02")
    muster("call", "fail", "message=no")
    muster("call", "http.request", f"url={url}")
    ids = [muster("submit", "sleep", "seconds:=0.05"), muster("submit", "checksum", "data=hi", "rounds:=2000")]
    muster("wait", *ids)
    muster("gather", *ids)
    muster("watch", *ids)
    muster("run", "echo", text="1\n2\n3\n")
    gather = muster("submit", "--gather", *ids)
    muster("submit", "--shield", ids[0])
    slow = muster("submit", "sleep", "seconds:=30")
    muster("call", "--wait-for", slow, "--timeout", "20ms")
    slow = muster("submit", "sleep", "seconds:=30")
    muster("cancel", slow)
    muster("wait", slow, gather)
    promise = muster("promise", "create")
    muster("promise", "set", promise, "1")
    muster("promise", "fail", muster("promise", "create"), "--message", "no")
    muster("get", promise)
    muster("ls", "--limit", "3")
    muster("rm", promise)
    muster("call", "no.such.function")
    muster("submit", "--text", "echo", "x" * 3000)  # past limits.payload_bytes_max of the test
    muster("submit", "sleep", "seconds:=1", "--delay", "2s", "--retention", "5s")
