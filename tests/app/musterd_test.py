#!/usr/bin/env python3
"""musterd as a process: options, readiness, metrics, logs, TLS, drains.

usage: musterd_test.py MUSTERD MUSTER SOURCE_DIR [unittest arguments]

Everything listens on 127.0.0.1 at a free port and is stopped by its pid.
"""

import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

MUSTERD, MUSTER, SOURCE = sys.argv[1:4]
del sys.argv[1:4]

PATIENCE = 30  # seconds for anything that should happen soon; sanitizers are slow


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    return {**kept, **more}


def run(*arguments, env=None):
    """musterd to its end: (exit status, stdout, stderr)."""
    done = subprocess.run([MUSTERD, *arguments], capture_output=True, text=True, timeout=PATIENCE, env=env or environment())
    return done.returncode, done.stdout, done.stderr


def eventually(check, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come about in {PATIENCE} s")


class Server:
    """A running musterd. Its log goes to a file, which `lines` reads as JSON."""

    def __init__(self, folder, *arguments, env=None, **process):
        self.folder = folder
        self.ready_file = os.path.join(folder, "ready.json")
        self.log = os.path.join(folder, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [MUSTERD, "--grpc-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json",
                 "--ready-file", self.ready_file, *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                # Its store goes below the folder, as it would below a home.
                env={**(env or environment()), "XDG_STATE_HOME": folder}, **process)
        eventually(lambda: os.path.exists(self.ready_file) or self.process.poll() is not None, "the ready file")
        if self.process.poll() is not None:
            raise AssertionError(f"musterd ended with {self.process.returncode}:\n{self.text()}")
        with open(self.ready_file, encoding="utf-8") as stream:
            self.ready = json.load(stream)
        self.grpc, self.admin = self.ready["grpc"], self.ready["admin"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def text(self):
        with open(self.log, encoding="utf-8") as stream:
            return stream.read()

    def lines(self):
        return [json.loads(line) for line in self.text().splitlines()]

    def line(self, message):
        return next((line for line in self.lines() if line["message"].startswith(message)), None)

    def get(self, path, method="GET"):
        connection = http.client.HTTPConnection(self.admin, timeout=PATIENCE)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode(), dict(response.getheaders())
        finally:
            connection.close()

    def metric(self, series):
        """The value of one series, written as on the page."""
        match = re.search(rf"^{re.escape(series)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return None if match is None else float(match.group(1))

    def muster(self, *arguments):
        """(exit status, stdout) of the command line client."""
        done = subprocess.run([MUSTER, "--server", self.grpc, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE, env=environment())
        return done.returncode, done.stdout + done.stderr

    def start_muster(self, *arguments):
        return subprocess.Popen([MUSTER, "--server", self.grpc, *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, env=environment())

    def submit(self, *arguments):
        status, out = self.muster("submit", *arguments, "-o", "json")
        assert status == 0, out
        return json.loads(out)["id"]

    def stop(self, number=signal.SIGTERM):
        """The exit status after a signal; negative when one killed it."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="musterd-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as stream:
            stream.write(text)
        return self.path(name)

    def serve(self, *arguments, **more):
        return Server(self.folder, *arguments, **more)


class Options(Case):
    def test_validate_says_yes(self):
        config = self.write("good.yaml", "loops: 2\nlimits:\n  set_max: 10\n")
        status, out, _ = run("--validate", "--config", config)
        self.assertEqual((status, out), (0, "the configuration is valid\n"))

    def test_validate_lists_every_problem(self):
        config = self.write("bad.yaml", "loops: 0\nlimit:\n  set_max: 10\ngrpc:\n  listen: 0.0.0.0:1\n")
        status, _, err = run("--validate", "--config", config, "--blocking-queue", "many",
                             env=environment(MUSTER_LOG_LEVEL="loud"))
        self.assertEqual(status, 2)
        self.assertIn("bad.yaml:1: loops: 0 is out of range; allowed is 1 to 64", err)
        self.assertIn("bad.yaml:2: limit: no such key; did you mean limits?", err)
        self.assertIn("bad.yaml:5: grpc.listen: 0.0.0.0:1 is not loopback", err)
        self.assertIn('--blocking-queue: blocking.queue: "many" is no whole number', err)
        self.assertIn('MUSTER_LOG_LEVEL: log.level: "loud" is none of', err)
        self.assertIn("5 problems", err)

    def test_a_bad_configuration_does_not_start(self):
        self.assertEqual(run("--loops", "1000")[0], 2)
        status, _, err = run("--lops", "1")
        self.assertEqual(status, 2)
        self.assertIn("did you mean --loops?", err)

    def test_anything_but_loopback_needs_tls_or_insecure(self):
        status, _, err = run("--grpc-listen", "0.0.0.0:0")
        self.assertEqual(status, 2)
        self.assertIn("is not loopback", err)
        with self.serve("--insecure") as server:
            self.assertEqual(server.stop(), 0)

    def test_print_config_tells_where_values_come_from_and_is_a_configuration(self):
        config = self.write("c.yaml", "loops: 2\n")
        status, out, _ = run("--print-config", "-c", config, "--drain-grace", "5s", env=environment(MUSTER_LOOP_SPIN="0"))
        self.assertEqual(status, 0)
        self.assertRegex(out, r"(?m)^loops: 2 +# .*c\.yaml:1$")
        self.assertRegex(out, r"(?m)^  grace: 5s +# --drain-grace$")
        self.assertRegex(out, r"(?m)^  spin: 0 +# MUSTER_LOOP_SPIN$")
        self.assertRegex(out, r'(?m)^  listen: "127\.0\.0\.1:7411" +# default$')
        self.assertEqual(run("--validate", "-c", self.write("again.yaml", out))[0], 0)

    def test_config_file_from_the_environment(self):
        config = self.write("c.yaml", "loops: 3\n")
        self.assertIn("loops: 3", run("--print-config", env=environment(MUSTER_CONFIG=config))[1])

    def test_version_help_and_references(self):
        status, out, _ = run("--version")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"^musterd \d+\.\d+\.\d+ \(\w+\), gRPC \d")
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        self.assertIn("--blocking-threads <number>", out)
        for page in ("configuration", "metrics"):
            with open(f"{SOURCE}/docs/reference/{page}.md", encoding="utf-8") as stream:
                self.assertEqual(run(f"--print-reference={page}")[1], stream.read())

    def test_an_address_in_use_is_an_error(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            status, _, err = run("--grpc-listen", address, "--admin-listen", "127.0.0.1:0", "--durability=none")
            self.assertEqual(status, 1)
            self.assertIn(address, err)
            status, _, err = run("--admin-listen", address, "--grpc-listen", "127.0.0.1:0", "--durability=none")
            self.assertEqual(status, 1)
            self.assertIn(address, err)

    def test_a_folder_that_cannot_be_served_is_an_error(self):
        self.assertEqual(run("--files-root", self.path("none"))[0], 2)
        self.assertEqual(run("--files-root", self.write("file", ""))[0], 2)


class Serving(Case):
    def test_serves_from_ready_file_to_exit_0(self):
        with self.serve() as server:
            self.assertEqual(server.ready["pid"], server.process.pid)
            self.assertEqual(server.get("/healthz")[:2], (200, "ok\n"))
            self.assertEqual(server.get("/readyz")[:2], (200, "ready\n"))
            self.assertEqual(server.muster("call", "echo", '{"a": 1}')[0], 0)
            self.assertEqual(server.stop(), 0)
            self.assertFalse(os.path.exists(server.ready_file))
            messages = [line["message"] for line in server.lines()]
            self.assertIn("the store is read", messages)
            self.assertEqual(server.line("musterd serves")["durability"], "sync")
            self.assertEqual(server.line("musterd serves")["store"], os.path.join(server.folder, "muster"))
            self.assertIn("futures_kept", server.line("stopped"))

    def test_says_that_it_keeps_nothing(self):
        with self.serve("--durability=none") as server:
            self.assertEqual(server.metric('muster_durability{mode="none"}'), 1)
            self.assertEqual(server.stop(), 0)
            messages = [line["message"] for line in server.lines()]
            self.assertTrue(any(m.startswith("durability is none") for m in messages), messages)
            self.assertIn("futures_dropped", server.line("stopped"))
            self.assertFalse(os.path.exists(os.path.join(server.folder, "muster")))

    def test_the_live_page_shows_the_golden_list(self):
        with open(f"{SOURCE}/docs/reference/metrics.md", encoding="utf-8") as stream:
            golden = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", stream.read(), re.MULTILINE))
        with self.serve() as server:
            server.muster("call", "echo", "1")
            status, page, headers = server.get("/metrics")
            self.assertEqual(status, 200)
            self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            self.assertEqual(dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE)), golden)
            self.assertNotRegex(page, r"[0-9a-hjkmnp-tv-z]{28}", "an id among the labels")
            self.assertEqual(server.stop(), 0)

    def test_counts_what_jobs_do(self):
        with self.serve() as server:
            for _ in range(3):
                self.assertEqual(server.muster("call", "echo", "1")[0], 0)
            self.assertEqual(server.muster("call", "fail")[0], 1)
            self.assertEqual(server.muster("call", "checksum", "--text", "abc")[0], 0)
            self.assertEqual(server.metric('muster_futures_submitted_total{function="echo",kind="async"}'), 3)
            self.assertEqual(server.metric('muster_futures_done_total{function="echo",state="succeeded"}'), 3)
            self.assertEqual(server.metric('muster_futures_done_total{function="fail",state="failed"}'), 1)
            self.assertEqual(server.metric('muster_job_run_seconds_count{function="echo"}'), 3)
            self.assertEqual(server.metric("muster_blocking_pool_queue_wait_seconds_count"), 1)
            self.assertEqual(server.metric("muster_submit_to_done_seconds_count"), 5)
            self.assertEqual(server.metric(
                'grpc_server_handled_total{grpc_type="unary",grpc_service="muster.v1.FutureService",grpc_method="Call",'
                'grpc_code="OK"}'), 5)
            self.assertEqual(server.metric("muster_ready"), 1)
            self.assertEqual(server.metric('muster_durability{mode="sync"}'), 1)
            promise = json.loads(server.muster("promise", "create", "-o", "json")[1])["id"]
            self.assertEqual(server.metric('muster_futures{state="pending"}'), 1)
            waiting = server.start_muster("wait", promise)
            eventually(lambda: server.metric("muster_waits_open") == 1, "the open wait")
            self.assertEqual(server.metric("muster_wait_members"), 1)
            server.muster("cancel", promise)
            waiting.communicate(timeout=PATIENCE)
            self.assertEqual(server.metric('muster_futures{state="pending"}'), 0)
            eventually(lambda: server.metric("muster_waits_open") == 0, "the end of the wait")
            self.assertEqual(server.stop(), 0)

    def test_counts_limits_and_open_streams(self):
        with self.serve("--limits-set-max", "1", "--limits-pending-futures-max", "2") as server:
            promises = [json.loads(server.muster("promise", "create", "-o", "json")[1])["id"] for _ in range(2)]
            self.assertNotEqual(server.muster("promise", "create")[0], 0)
            self.assertEqual(server.metric('muster_limit_hits_total{reason="TOO_MANY_FUTURES"}'), 1)
            self.assertNotEqual(server.muster("wait", *promises)[0], 0)
            self.assertEqual(server.metric('muster_limit_hits_total{reason="SET_TOO_LARGE"}'), 1)
            watching = server.start_muster("watch", promises[0])
            eventually(lambda: server.metric('muster_streams_open{rpc="AsCompleted"}') == 1, "the open stream")
            server.muster("cancel", promises[0])
            watching.communicate(timeout=PATIENCE)
            eventually(lambda: server.metric('muster_streams_open{rpc="AsCompleted"}') == 0, "the end of the stream")
            self.assertEqual(server.stop(), 0)

    def test_limits_are_shown_and_the_queue_for_threads_has_an_age(self):
        with self.serve("--limits-waiters-max", "7", "--blocking-threads", "1") as server:
            self.assertEqual(server.metric('muster_limit{limit="waiters_max"}'), 7)
            self.assertEqual(server.metric('muster_limit{limit="pending_futures_max"}'), 2_000_000)
            self.assertGreaterEqual(server.metric("muster_memory_limit_bytes"), 0)
            self.assertEqual(server.metric("muster_job_queue_age_seconds"), 0)
            work = '{"data": "x", "rounds": 1000000000}'  # minutes; a cancel is seen between rounds
            runs, waits = (server.submit("checksum", work) for _ in range(2))
            eventually(lambda: server.metric("muster_job_queue_age_seconds") > 0.3, "an age of the queue")
            server.muster("cancel", waits)
            eventually(lambda: server.metric("muster_job_queue_age_seconds") == 0, "the end of the queue")
            server.muster("cancel", runs)
            self.assertEqual(server.stop(), 0)

    def test_health_can_be_asked_for(self):
        with self.serve("--drain-grace", "20s") as server:
            self.assertEqual(server.muster("health"), (0, "SERVING\n"))
            self.assertEqual(server.muster("health", "--live"), (0, "SERVING\n"))
            self.assertEqual(json.loads(server.muster("health", "-o", "jsonl")[1]), {"service": "", "status": "SERVING"})
            self.assertEqual(server.muster("health", "--service", "nobody")[0], 5)
            call = server.start_muster("call", "sleep", "1.5")
            eventually(lambda: server.metric('muster_futures{state="running"}') == 1, "the start of the job")
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: server.get("/readyz")[0] == 503, "readiness going off")
            self.assertEqual(server.muster("health"), (1, "NOT_SERVING\n"))
            self.assertEqual(server.muster("health", "--live"), (0, "SERVING\n"), "while it drains")
            self.assertEqual(server.process.wait(PATIENCE), 0)
            call.communicate(timeout=PATIENCE)
            self.assertEqual(server.muster("health", "--timeout", "1s")[0], 7, "nobody is there")

    def test_a_server_whose_disk_has_failed_is_not_alive(self):
        # Files end where the limit is, as on a full disk; it comes as an error and not as the signal.
        def few_bytes():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        with self.serve(preexec_fn=few_bytes, restore_signals=False) as server:
            self.assertEqual(server.muster("health", "--live")[0], 0)
            payload = self.write("payload", "x" * 300_000)
            for _ in range(8):
                server.muster("submit", "echo", "--text", "@" + payload, "--timeout", "2s")
            eventually(lambda: server.metric("muster_store_failed") == 1, "the failure of the store")
            self.assertEqual(server.metric("muster_ready"), 0)
            self.assertEqual(server.muster("health"), (1, "NOT_SERVING\n"))
            self.assertEqual(server.muster("health", "--live"), (1, "NOT_SERVING\n"))
            self.assertIsNotNone(server.line("the store has failed"))

    def test_log_lines_are_json_with_ids_and_without_payloads(self):
        with self.serve("--log-level", "debug") as server:
            trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            future = server.submit("fail", '{"message": "a-secret-payload"}', "--metadata",
                                   f"traceparent=00-{trace}-00f067aa0ba902b7-01")
            line = eventually(lambda: server.line("a future failed"), "the line of the failure")
            self.assertEqual((line["future_id"], line["trace_id"], line["function"]), (future, trace, "fail"))
            self.assertEqual(server.stop(), 0)
            self.assertNotIn("a-secret-payload", server.text())
            for line in server.lines():
                self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_several_loops_serve_the_same(self):
        with self.serve("--loops", "3") as server:
            for _ in range(10):
                self.assertEqual(server.muster("call", "echo", "1")[0], 0)
            self.assertIsNotNone(server.metric('muster_loop_blocked_total{loop="2"}'))
            self.assertEqual(server.stop(), 0)

    def test_a_restarted_server_has_its_futures(self):
        with self.serve() as server:
            done, runs = server.submit("echo", "1"), server.submit("sleep", "3600")
            promise = json.loads(server.muster("promise", "create", "-o", "json")[1])["id"]
            server.process.kill()
            server.process.wait()
        os.unlink(server.ready_file)
        with self.serve() as server:
            self.assertIn("succeeded", server.muster("get", done)[1])
            self.assertEqual(json.loads(server.muster("get", runs, "-o", "json")[1])["attempt"], 2)
            self.assertEqual(server.metric('muster_job_reruns_total{function="sleep"}'), 1)
            self.assertEqual(server.metric('muster_job_reruns_total{function="echo"}'), 0)
            self.assertEqual(server.metric("muster_job_queue_seconds_count"), 0, "it waited in its first run")
            self.assertEqual(server.muster("promise", "set", promise, "7")[0], 0)
            self.assertEqual(server.line("the store is read")["futures"], 3)
            self.assertEqual(server.muster("cancel", runs)[0], 0)
            self.assertEqual(server.stop(), 0)

    def test_a_restarted_server_without_a_store_gives_other_ids(self):
        with self.serve("--durability=none") as server:
            first = server.submit("echo", "1")
            self.assertEqual(server.stop(), 0)
        with self.serve("--durability=none") as server:
            status, out = server.muster("get", first)
            self.assertEqual(status, 5)
            self.assertIn("FUTURE_LOST", out)
            self.assertEqual(server.stop(), 0)

    def test_a_manual_clock_stands_still_until_it_is_advanced(self):
        with self.serve("--clock", "manual") as server:
            future = server.submit("sleep", "3600")
            eventually(lambda: server.metric('muster_futures{state="running"}') == 1, "the start of the job")
            self.assertEqual(server.get("/clock/advance/59m", "POST")[0], 200)
            self.assertEqual(server.metric('muster_futures{state="running"}'), 1)
            self.assertEqual(server.get("/clock/advance/1m", "POST")[0], 200)
            self.assertEqual(server.muster("wait", future)[0], 0)
            self.assertEqual(server.get("/clock/advance/soon", "POST")[0], 400)
            self.assertEqual(server.stop(), 0)

    def test_commands_need_a_manual_clock(self):
        with self.serve("--durability=none") as server:
            self.assertEqual(server.get("/clock/advance/1s", "POST")[0], 405)
            self.assertEqual(server.stop(), 0)
        with self.serve() as server:  # there are commands for the store
            self.assertEqual(server.get("/clock/advance/1s", "POST")[0], 404)


class Draining(Case):
    def test_sigint_drains_too(self):
        with self.serve() as server:
            self.assertEqual(server.stop(signal.SIGINT), 0)
            self.assertEqual(server.line("draining")["signal"], "SIGINT")

    def test_running_jobs_get_their_grace_and_readiness_is_off(self):
        with self.serve("--drain-grace", "20s") as server:
            call = server.start_muster("call", "sleep", "1.5")
            eventually(lambda: server.metric('muster_futures{state="running"}') == 1, "the start of the job")
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: server.get("/readyz")[:2] == (503, "draining\n"), "readiness going off")
            self.assertEqual(server.get("/healthz")[0], 200, "liveness must not fail while draining")
            self.assertEqual(server.metric("muster_ready"), 0)
            status, out = server.muster("submit", "echo", "1", "--timeout", "200ms")
            self.assertNotEqual(status, 0, out)
            self.assertEqual(server.process.wait(PATIENCE), 0)
            out, _ = call.communicate(timeout=PATIENCE)
            self.assertEqual(call.returncode, 0, out)

    def test_waiters_are_told_unavailable(self):
        with self.serve("--drain-grace", "5s") as server:
            promise = json.loads(server.muster("promise", "create", "-o", "json")[1])["id"]
            waiting = server.start_muster("wait", promise, "--timeout", "2s")
            eventually(lambda: server.metric("muster_waits_open") == 1, "the open wait")
            self.assertEqual(server.stop(), 0)
            out, _ = waiting.communicate(timeout=PATIENCE)
            self.assertIn(waiting.returncode, (4, 7), out)
            self.assertEqual(server.line("stopped")["not_done"], 1)

    def test_after_the_grace_jobs_are_cancelled(self):
        with self.serve("--drain-grace", "200ms") as server:
            server.submit("sleep", "3600")
            eventually(lambda: server.metric('muster_futures{state="running"}') == 1, "the start of the job")
            start = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - start, 10)
            self.assertIsNotNone(server.line("the grace is over"))

    def test_a_second_signal_ends_it_at_once(self):
        for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            with self.serve("--drain-grace", "1h") as server:
                server.submit("sleep", "3600")  # beside what the server before has left
                eventually(lambda: server.metric('muster_futures{state="running"}') >= 1, "the start of the job")
                server.process.send_signal(signal.SIGTERM)
                eventually(lambda: server.get("/readyz")[0] == 503, "the drain")
                self.assertEqual(server.stop(number), status)

    def test_a_promise_nobody_settles_holds_up_no_drain(self):
        with self.serve("--drain-grace", "1h") as server:
            server.muster("promise", "create")
            self.assertEqual(server.stop(), 0)

    def test_drains_under_load(self):
        for _ in range(3):
            with self.serve("--drain-grace", "100ms") as server:
                load = [server.start_muster("run", "echo", self.write("items", "1\n" * 2000)) for _ in range(2)]
                load += [server.start_muster("call", "sleep", "5", "--timeout", "3s") for _ in range(3)]
                eventually(lambda: (server.metric('muster_futures{state="running"}') or 0) >= 3, "the jobs")
                self.assertEqual(server.stop(), 0, server.text())
                for client in load:
                    client.communicate(timeout=PATIENCE)


class Tls(Case):
    def make(self, name):
        """NAME.pem and NAME.key, signed by itself."""
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                        self.path(name + ".key"), "-out", self.path(name + ".pem")], check=True, capture_output=True)

    def handshake(self, server, authority, client=None):
        """Whether a client that trusts `authority` is let in, up to the first bytes of HTTP/2."""
        context = ssl.create_default_context(cafile=self.path(authority + ".pem"))
        context.set_alpn_protocols(["h2"])
        if client:
            context.load_cert_chain(self.path(client + ".pem"), self.path(client + ".key"))
        host, port = server.grpc.rsplit(":", 1)
        try:
            with socket.create_connection((host, int(port)), timeout=PATIENCE) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as secure:
                    secure.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
                    return secure.selected_alpn_protocol() == "h2" and len(secure.recv(9)) > 0
        except (ssl.SSLError, ConnectionError):
            return False

    def test_serves_and_takes_up_new_files(self):
        self.make("a")
        self.make("b")
        for kind in ("pem", "key"):
            shutil.copy(self.path("a." + kind), self.path("live." + kind))
        with self.serve("--tls-cert", self.path("live.pem"), "--tls-key", self.path("live.key")) as server:
            self.assertTrue(self.handshake(server, "a"))
            self.assertFalse(self.handshake(server, "b"))
            status, out = server.muster("--ca", self.path("a.pem"), "call", "echo", "1")
            self.assertEqual(status, 0, out)
            shutil.copy(self.path("b.key"), self.path("live.key"))
            eventually(lambda: server.line("the TLS files can't be used"), "the complaint about files that do not fit")
            self.assertTrue(self.handshake(server, "a"))
            shutil.copy(self.path("b.pem"), self.path("live.pem"))
            eventually(lambda: self.handshake(server, "b"), "the new certificate")
            self.assertEqual(server.stop(), 0)

    def test_mutual(self):
        for name in ("server", "friend", "stranger"):
            self.make(name)
        with self.serve("--tls-cert", self.path("server.pem"), "--tls-key", self.path("server.key"), "--tls-client-ca",
                        self.path("friend.pem")) as server:
            self.assertTrue(self.handshake(server, "server", "friend"))
            self.assertFalse(self.handshake(server, "server", "stranger"))
            self.assertFalse(self.handshake(server, "server"))
            self.assertEqual(server.stop(), 0)

    def test_the_listener_for_probes_tells_health_and_nothing_else(self):
        self.make("a")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            probes = "127.0.0.1:%d" % taken.getsockname()[1]
        with self.serve("--tls-cert", self.path("a.pem"), "--tls-key", self.path("a.key"), "--grpc-plaintext-listen",
                        probes) as server:
            self.assertEqual(server.muster("--ca", self.path("a.pem"), "health"), (0, "SERVING\n"))
            self.assertEqual(server.muster("--ca", self.path("a.pem"), "call", "echo", "1")[0], 0)
            server.grpc = probes
            self.assertEqual(server.muster("health"), (0, "SERVING\n"))
            self.assertEqual(server.muster("health", "--live"), (0, "SERVING\n"))
            for arguments in (["call", "echo", "1"], ["ls"], ["info"], ["run", "echo"], ["watch", "--group", "g"]):
                status, out = server.muster(*arguments)
                self.assertEqual(status, 6, (arguments, out))
                self.assertIn("this listener has no TLS and answers health checks alone", out)
            self.assertEqual(server.stop(), 0)
        # So it may be reached from elsewhere, as by a kubelet.
        self.assertEqual(run("--validate", "--durability=none", "--tls-cert", self.path("a.pem"), "--tls-key",
                             self.path("a.key"), "--grpc-plaintext-listen", "0.0.0.0:7413")[0], 0)
        status, _, err = run("--validate", "--durability=none", "--grpc-plaintext-listen", "0.0.0.0:7413")
        self.assertEqual(status, 2)
        self.assertIn("grpc.plaintext_listen", err)

    def test_bad_files_are_named_at_the_start(self):
        self.make("a")
        self.make("b")
        for arguments in (["--validate"], []):
            status, _, err = run(*arguments, "--tls-cert", self.path("a.pem"), "--tls-key", self.path("b.key"))
            self.assertEqual(status, 2)
            self.assertIn("b.key: the key does not belong to the first certificate of", err)
        status, _, err = run("--tls-cert", self.path("a.pem"), "--tls-key", self.path("none.key"))
        self.assertEqual(status, 2)
        self.assertIn("none.key", err)


class Counted(unittest.TextTestResult):
    def stopTestRun(self):
        super().stopTestRun()
        bad = len(self.failures) + len(self.errors)
        print(f"{self.testsRun - bad - len(self.skipped)} passed, {bad} failed, {len(self.skipped)} skipped", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2, testRunner=unittest.TextTestRunner(resultclass=Counted, verbosity=2))
