#!/usr/bin/env python3
"""Drives `muster admin` against real servers and the folders that they leave.

usage: admin_test.py MUSTER MUSTERD     MUSTERD may be missing: what needs it is skipped, and counted
Ends with `N passed, N failed, N skipped`.
"""

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))
from musterd import Musterd

MUSTER, MUSTERD = "muster", ""
SECONDS = 120  # of one command; what takes longer hangs


def muster(*arguments, env=None, code=0):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MUSTER_", "NO_COLOR"))}
    environment.update(env or {})
    result = subprocess.run([MUSTER, *arguments], capture_output=True, text=True, timeout=SECONDS, env=environment,
                            stdin=subprocess.DEVNULL)
    if result.returncode != code:
        raise AssertionError(f"{arguments}: code {result.returncode}, not {code}\n{result.stdout}{result.stderr}")
    return result


class Case(unittest.TestCase):
    def setUp(self):
        if not (MUSTERD and os.access(MUSTERD, os.X_OK)):
            self.skipTest("there is no musterd")
        self.folder = tempfile.mkdtemp(prefix="muster-admin-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.store = self.path("store")
        os.mkdir(self.path("backups"))
        self.server = None

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start(self, *flags, store=None):
        flags = [f"--store-backup-dir={self.path('backups')}", "--drain-grace=0", *flags]
        server = Musterd(MUSTERD, flags, store=store or self.store)
        server.start()
        self.server = server
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        return server

    def muster(self, *arguments, **options):
        return muster(*arguments, env={"MUSTER_SERVER": self.server.grpc, "MUSTER_ADMIN": self.server.admin}, **options)

    def json(self, *arguments, **options):
        return json.loads(self.muster(*arguments, "-o", "json", **options).stdout)

    def submit(self, *arguments):
        return self.muster("submit", *arguments).stdout.strip()

    def submit_some(self):
        """One of each kind of future: the ids by name."""
        ids = {"done": self.submit("echo", "x=1"), "running": self.submit("sleep", "seconds:=1000")}
        self.muster("wait", ids["done"])
        ids["failed"] = self.submit("fail", "message=no")
        ids["promise"] = self.muster("promise", "create").stdout.strip()
        ids["gather"] = self.submit("--gather", ids["done"], ids["running"])
        ids["done gather"] = self.submit("--gather", ids["done"], ids["done"])
        ids["shield"] = self.submit("--shield", ids["promise"])
        ids["wait_for"] = self.submit("--wait-for", ids["promise"], "--timeout", "1h")
        ids["done shield"] = self.submit("--shield", ids["done"])
        self.muster("wait", ids["failed"], code=1)
        self.muster("wait", ids["done gather"], ids["done shield"])
        return ids


class WithServer(Case):
    def test_backup_verify_compact_and_operation(self):
        self.start()
        self.submit_some()
        self.assertEqual(self.muster("admin", "operation").stdout, "idle\n")
        shown = self.muster("admin", "backup", "nightly.1").stdout
        self.assertEqual(shown, f"done backup/nightly.1: {self.path('backups', 'nightly.1')}\n")
        self.assertTrue(os.path.exists(self.path("backups", "nightly.1", "MUSTER")))
        self.assertEqual(self.json("admin", "verify")["state"], "done")
        self.assertIn("done compact: ", self.muster("admin", "compact").stdout)
        self.assertEqual(self.json("admin", "operation")["operation"], "compact")
        self.server.stop()

    def test_refusals_say_what_to_do(self):
        self.start()
        self.muster("admin", "backup", "twice")
        failed = self.muster("admin", "backup", "twice", code=1)
        self.assertIn("exists: name a folder that does not", failed.stderr)
        self.assertEqual(failed.stdout, "")
        for name in ("..", "../up", "a b", ".hidden", "a/b", "a?b", "x" * 65):
            self.assertIn("a name has 1 to 64 characters", self.muster("admin", "backup", name, code=2).stderr, name)
        self.assertEqual(os.listdir(self.path("backups")), ["twice"])
        self.server.stop()

    def test_a_server_without_a_backup_folder(self):
        with Musterd(MUSTERD) as server:
            failed = muster("admin", "backup", "x", "--admin", server.admin, code=2)
            self.assertIn("store.backup_dir is not set", failed.stderr)

    def test_a_server_that_keeps_nothing(self):
        for flags in (["--durability=none"], ["--durability=none", "--clock=manual"]):
            with Musterd(MUSTERD, flags) as server:
                for arguments in (["backup", "x"], ["compact"], ["verify"], ["operation"], ["stats"]):
                    failed = muster("admin", *arguments, "--admin", server.admin, code=6)
                    self.assertIn("keeps nothing", failed.stderr, arguments)

    def test_stats_in_words_and_as_json(self):
        self.start("--store-bytes-max=1GiB")
        self.submit_some()
        shown = self.muster("admin", "stats").stdout
        self.assertRegex(shown, r"1\.0 GiB +store\.bytes_max; 0 when there is no limit\. +muster_store_disk_bytes_max")
        figures = self.json("admin", "stats")
        self.assertGreater(figures["muster_journal_commit_seconds_count"], 0)
        self.assertEqual(figures["muster_store_failed"], 0)
        self.assertIn("muster_recovered_futures", figures)
        self.assertTrue(all(name.startswith("muster_") for name in figures))
        self.server.stop()

    def test_one_store_read_beside_its_server(self):
        self.start()
        ids = self.submit_some()
        report = self.json("admin", "verify", "--store", self.store)
        self.assertEqual(report["damaged"], 0, report)
        self.assertEqual(report["tables"]["futures"]["rows"], len(set(ids.values())))  # a shield of what is done is that
        self.assertEqual(report["states"], report["namespaces"]["default"])
        self.assertEqual(report["states"]["running"], 1)
        self.assertEqual(report["states"]["failed"], 1)
        self.assertEqual(report["states"]["pending"], 4)
        stats = self.json("admin", "stats", "--store", self.store)
        self.assertEqual(stats["tables"], report["tables"])
        refused = self.muster("admin", "compact", "--store", self.store, code=6)
        self.assertIn("in use by another server", refused.stderr)
        self.server.stop()

    def test_many_reads_while_the_server_writes(self):
        self.start("--durability=async")
        stop = threading.Event()

        def churn():
            while not stop.is_set():
                feed = "".join(f"{i}\n" for i in range(2000))
                subprocess.run([MUSTER, "run", "echo", "--server", self.server.grpc], input=feed.encode(), timeout=SECONDS,
                               capture_output=True, check=True)

        thread = threading.Thread(target=churn)
        thread.start()
        try:
            for _ in range(10):
                self.assertEqual(self.json("admin", "verify", "--store", self.store)["damaged"], 0)
                self.muster("admin", "compact")
        finally:
            stop.set()
            thread.join()
        self.server.stop()


class Offline(Case):
    def stopped_store(self):
        self.start()
        ids = self.submit_some()
        self.server.stop()
        return ids

    def test_verify_stats_and_compact(self):
        ids = self.stopped_store()
        shown = muster("admin", "verify", "--store", self.store).stdout
        self.assertIn("nothing is wrong", shown)
        self.assertRegex(shown, rf"futures +{len(set(ids.values()))} ")
        self.assertIn("NAMESPACE", muster("admin", "stats", "--store", self.store).stdout)
        done = json.loads(muster("admin", "compact", "--store", self.store, "-o", "jsonl").stdout)
        self.assertGreater(done["bytes_after"], 0)
        self.assertIn("compacted: ", muster("admin", "compact", "--store", self.store).stdout)
        self.start()
        for name, id in ids.items():
            self.assertEqual(self.json("get", id)["id"], id, name)
        self.server.stop()

    def test_damage_is_named(self):
        self.start()
        for _ in range(3):
            subprocess.run([MUSTER, "submit", "echo", "--server", self.server.grpc, "--data", "-"],
                           input=os.urandom(200_000), capture_output=True, timeout=SECONDS, check=True)
        self.submit_some()
        self.muster("admin", "compact")
        self.server.stop()
        sorted_files = [name for name in os.listdir(self.store) if name.endswith(".sst")]
        name = max(sorted_files, key=lambda each: os.path.getsize(self.path("store", each)))
        with open(self.path("store", name), "r+b") as file:
            file.seek(500_000)  # within the last value: what the store needs to open lies elsewhere
            byte = file.read(1)[0]
            file.seek(500_000)
            file.write(bytes([byte ^ 1]))
        failed = muster("admin", "verify", "--store", self.store, "-o", "json", code=1)
        report = json.loads(failed.stdout)
        self.assertGreaterEqual(report["damaged"], 1)
        self.assertIn(name, report["damage"][0])
        self.assertIn(name, failed.stderr)
        self.assertIn("restore the latest backup", failed.stderr)

    def test_what_is_no_store(self):
        os.mkdir(self.path("empty"))
        with open(self.path("file"), "w", encoding="utf-8"):
            pass
        os.mkdir(self.path("other"))
        with open(self.path("other", "a"), "w", encoding="utf-8"):
            pass
        for verb in ("verify", "stats", "compact"):
            for name in ("none", "empty", "other", "file"):
                failed = subprocess.run([MUSTER, "admin", verb, "--store", self.path(name)], capture_output=True,
                                        text=True, timeout=SECONDS)
                self.assertIn(failed.returncode, (1, 6), (verb, name, failed.stderr))
                self.assertTrue(failed.stderr.startswith("muster: cannot "), failed.stderr)
        self.assertEqual(os.listdir(self.path("empty")), [])
        self.assertFalse(os.path.exists(self.path("none")))

    def test_restore_refuses_what_it_would_mix(self):
        self.stopped_store()
        refused = muster("admin", "restore", self.store, "--store", self.store, code=6)
        self.assertIn("is a store already", refused.stderr)
        os.mkdir(self.path("other"))
        with open(self.path("other", "mine"), "w", encoding="utf-8"):
            pass
        self.assertIn("mine", muster("admin", "restore", self.store, "--store", self.path("other"), code=6).stderr)
        self.assertEqual(os.listdir(self.path("other")), ["mine"])
        self.assertIn("no store", muster("admin", "restore", self.path("none"), "--store", self.path("new"), code=6).stderr)
        self.assertIn("--store", muster("admin", "restore", self.store, code=2).stderr)
        self.assertFalse(os.path.exists(self.path("new")))

    def test_a_damaged_backup_is_not_restored(self):
        self.start()
        self.submit_some()
        self.muster("admin", "compact")
        self.muster("admin", "backup", "b")
        self.server.stop()
        backup = self.path("backups", "b")
        name = next(name for name in os.listdir(backup) if name.endswith(".sst"))
        with open(os.path.join(backup, name), "r+b") as file:
            file.seek(40)
            file.write(b"\0\0\0\0")
        self.assertIn(name, muster("admin", "restore", backup, "--store", self.path("new"), code=1).stderr)


class BackupUnderLoad(Case):
    def test_what_was_acknowledged_before_is_in_it(self):
        """Clients submit all the time; each future whose id they had when the backup began is served from it."""
        self.start()
        some = self.submit_some()
        before, lock, stop, failures = [], threading.Lock(), threading.Event(), []

        def client(number):
            while not stop.is_set():
                words = ["echo", f"by={number}"] if number % 2 else ["sleep", "seconds:=1000"]
                try:
                    id = self.submit(*words, "--name", f"client-{number}")
                except AssertionError as error:
                    failures.append(error)
                    return
                with lock:
                    before.append((id, number))

        threads = [threading.Thread(target=client, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        try:
            end = time.monotonic() + SECONDS
            while len(before) < 60 and not failures and time.monotonic() < end:
                time.sleep(0.01)
            with lock:
                acknowledged = list(before)
            self.muster("admin", "backup", "busy")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.server.kill()

        new = self.path("new")
        restored = muster("admin", "restore", self.path("backups", "busy"), "--store", new)
        self.assertIn("nothing is wrong", restored.stdout)
        self.assertIn(f"musterd --store-dir={new}", restored.stderr)
        shutil.rmtree(self.store)
        self.start(store=new)
        for id, number in acknowledged:
            future = self.json("get", id)
            self.assertEqual(future["name"], f"client-{number}")
            if number % 2:
                self.assertEqual(json.loads(self.muster("wait", id, "-o", "json").stdout)["done"][0]["state"], "succeeded")
        self.assertEqual(self.json("get", some["promise"])["state"], "pending")
        self.assertEqual(self.json("get", some["failed"])["state"], "failed")
        self.muster("wait", some["done gather"])
        self.assertEqual(self.json("admin", "verify", "--store", new)["damaged"], 0)
        self.server.stop()


class FakeServer:
    """An admin port that gives what the test says: answers to POST in order, the last for ever."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.asked.append(self.path)
                status, text = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:{}".format(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Answers(unittest.TestCase):
    """What takes long, or goes wrong, with a server that does so on purpose."""

    def test_it_waits_until_the_operation_has_ended(self):
        with FakeServer((200, "running compact\n"), (200, "running compact\n"), (200, "done compact: 2 before, 1 now\n")) as port:
            self.assertEqual(muster("admin", "compact", "--admin", port.address).stdout, "done compact: 2 before, 1 now\n")
            self.assertEqual(port.asked, ["/store/compact", "/store/operation", "/store/operation"])

    def test_a_failure_is_told_in_the_servers_words(self):
        with FakeServer((200, "running verify\n"), (200, "failed verify: file 7 is damaged\n")) as port:
            failed = muster("admin", "verify", "--admin", port.address, code=1)
            self.assertEqual(failed.stderr, "muster: verify: file 7 is damaged\n")

    def test_another_operation_is_under_way(self):
        with FakeServer((503, "running verify is still at work; try again later\n")) as port:
            failed = muster("admin", "compact", "--admin", port.address, code=6)
            self.assertIn("running verify is still at work", failed.stderr)
            self.assertIn("muster admin operation", failed.stderr)

    def test_time_runs_out(self):
        with FakeServer((200, "running compact\n")) as port:
            for limit in ("0", "300ms"):
                failed = muster("admin", "compact", "--admin", port.address, "--timeout", limit, code=4)
                self.assertIn("the server goes on", failed.stderr)

    def test_the_server_has_gone_on_to_something_else(self):
        with FakeServer((200, "running compact\n"), (200, "done backup/x: /b/x\n")) as port:
            self.assertIn("is not known", muster("admin", "compact", "--admin", port.address, code=8).stderr)

    def test_ctrl_c_ends_the_waiting(self):
        with FakeServer((200, "running compact\n")) as port:
            process = subprocess.Popen([MUSTER, "admin", "compact", "--admin", port.address], stderr=subprocess.PIPE)
            end = time.monotonic() + SECONDS
            while len(port.asked) < 2 and time.monotonic() < end:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, shown = process.communicate(timeout=SECONDS)
            self.assertEqual(process.returncode, 130)
            self.assertIn(b"the server goes on", shown)

    def test_no_server(self):
        for arguments in (["backup", "x"], ["compact"], ["verify"], ["stats"], ["operation"]):
            # The flag comes before the environment.
            failed = muster("admin", *arguments, "--admin", "127.0.0.1:1", env={"MUSTER_ADMIN": "127.0.0.1:2"}, code=7)
            self.assertIn("no server answers at 127.0.0.1:1", failed.stderr)
            self.assertIn("hint:", failed.stderr)
        self.assertIn("127.0.0.1:2", muster("admin", "stats", env={"MUSTER_ADMIN": "127.0.0.1:2"}, code=7).stderr)
        for address in ("a b", "127.0.0.1:x", "", "localhost", ":1", "http://localhost:1"):
            muster("admin", "stats", "--admin", address, code=2)

    def test_help(self):
        shown = muster("admin", "--help").stdout
        for verb in ("backup", "restore", "verify", "compact", "stats", "operation"):
            self.assertIn(verb, shown)
            self.assertIn(f"muster admin {verb}", muster("admin", verb, "--help").stdout)
        muster("admin", code=2)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        MUSTER = sys.argv.pop(1)
    if len(sys.argv) > 1:
        MUSTERD = sys.argv.pop(1)
    outcome = unittest.main(exit=False).result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - bad - len(outcome.skipped)} passed, {bad} failed, {len(outcome.skipped)} skipped")
    sys.exit(0 if outcome.wasSuccessful() else 1)
