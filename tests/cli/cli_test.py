#!/usr/bin/env python3
"""Drives the `muster` command: what needs no server first, then every verb against a `musterd` of its own.

usage: cli_test.py MUSTER MUSTERD ROOT     MUSTERD may be missing: what needs it is skipped, and counted
Ends with `N passed, N failed, N skipped`.
"""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

MUSTER, MUSTERD, ROOT = "muster", "", "."
SECONDS = 60  # of one command; what takes longer hangs


def muster(*arguments, stdin=None, env=None, server=None, text=True):
    """Runs the command to its end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MUSTER_", "NO_COLOR"))}
    if server:
        environment["MUSTER_SERVER"] = server
    environment.update(env or {})
    return subprocess.run([MUSTER, *arguments], input=stdin, capture_output=True, text=text, timeout=SECONDS,
                          env=environment, stdin=None if stdin is not None else subprocess.DEVNULL)


def on_terminal(*arguments, env=None, server=None, act=None):
    """Runs the command with stdout and stderr on a terminal; gives (code, what was shown)."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MUSTER_", "NO_COLOR"))}
    environment.update({"TERM": "xterm", "LANG": "C.UTF-8"})
    if server:
        environment["MUSTER_SERVER"] = server
    environment.update(env or {})
    master, slave = pty.openpty()
    process = subprocess.Popen([MUSTER, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    shown = b""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if select.select([master], [], [], 0.1)[0]:
            try:
                chunk = os.read(master, 65536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        if act and act(process, shown):
            act = None
    os.close(master)
    return process.wait(timeout=SECONDS), shown.decode(errors="replace")


class WithoutServer(unittest.TestCase):
    def test_help_and_version(self):
        for arguments in ([], ["--help"], ["submit", "--help"], ["promise", "set", "--help"], ["--version"]):
            result = muster(*arguments)
            self.assertEqual(result.returncode, 0, arguments)
            self.assertTrue(result.stdout)
            self.assertEqual(result.stderr, "")
        self.assertIn("muster promise set", muster("promise", "set", "--help").stdout)

    def test_mistakes_are_usage_errors_with_a_hint(self):
        for arguments in (["frob"], ["--frob"], ["submit"], ["submit", "echo", "no json"], ["wait"], ["get"],
                          ["wait", "x", "--timeout", "5"], ["ls", "--state", "odd"], ["ls", "--label", "x"],
                          ["wait", "x", "--any", "--first-exception"], ["submit", "--gather", "a", "--shield", "b"],
                          ["submit", "echo", "a=1", "a=2"], ["completion", "tcsh"], ["-o", "xml", "ls"], ["promise"],
                          ["wait", "x", "--group", "g"], ["submit", "echo", "--durability", "much"],
                          ["submit", "echo", "@/nonexistent"], ["call", "echo", "x:=y"]):
            result = muster(*arguments)
            self.assertEqual(result.returncode, 2, (arguments, result.stderr))
            self.assertTrue(result.stderr.startswith("muster: "), (arguments, result.stderr))
            self.assertIn("\n  hint: ", result.stderr, arguments)
            self.assertEqual(result.stdout, "", arguments)

    def test_a_verb_that_is_nearly_right(self):
        self.assertIn("did you mean `muster submit`", muster("submitt").stderr)

    def test_no_server(self):
        for arguments in (["ls"], ["call", "echo", "1"], ["wait", "x"], ["gather", "x"], ["watch", "x"], ["info"], ["health"],
                          ["functions"], ["submit", "echo"], ["promise", "create"], ["cancel", "x"]):
            result = muster(*arguments, "--server", "127.0.0.1:1")
            self.assertEqual(result.returncode, 7, (arguments, result.stderr))
            self.assertIn("musterd", result.stderr)
            self.assertIn("127.0.0.1:1", result.stderr)
        result = muster("run", "echo", "--server", "127.0.0.1:1", stdin="1\n")
        self.assertEqual(result.returncode, 7, result.stderr)

    def test_the_reference_is_up_to_date(self):
        with open(os.path.join(ROOT, "docs/reference/cli.md"), encoding="utf-8") as page:
            self.assertEqual(page.read(), muster("--help-markdown").stdout,
                             "make it anew: muster --help-markdown > docs/reference/cli.md")

    def test_bash_completion(self):
        script = muster("completion", "bash").stdout
        self.assertEqual(self.complete_bash(script, "muster "), sorted(
            "submit call run wait gather watch get ls cancel rm promise functions health info admin completion".split()))
        self.assertEqual(self.complete_bash(script, "muster pro"), ["promise"])
        self.assertEqual(self.complete_bash(script, "muster promise "), ["create", "fail", "set"])
        self.assertIn("--first-exception", self.complete_bash(script, "muster wait --fi"))
        self.assertEqual(self.complete_bash(script, "muster ls -o "), ["json", "jsonl", "table"])
        self.assertIn("--namespace", self.complete_bash(script, "muster promise set --na"))

    def complete_bash(self, script, line, env=None):
        words = line.split(" ")
        code = script + "\nCOMP_WORDS=({}); COMP_CWORD={}; _muster; printf '%s\\n' \"${{COMPREPLY[@]}}\"".format(
            " ".join("'" + word + "'" for word in words), len(words) - 1)
        path = os.path.dirname(os.path.abspath(MUSTER)) + ":" + os.environ["PATH"]
        result = subprocess.run(["bash", "-uo", "pipefail", "-c", code], capture_output=True, text=True, timeout=SECONDS,
                                env={"PATH": path, **(env or {})})
        self.assertEqual(result.stderr, "", line)
        return sorted(word for word in result.stdout.split("\n") if word)

    def test_other_shells_accept_their_scripts(self):
        checked = 0
        for shell in ("zsh", "fish"):
            script = muster("completion", shell).stdout
            self.assertGreater(len(script), 2000)
            if shutil.which(shell):
                with tempfile.NamedTemporaryFile("w", suffix="." + shell) as file:
                    file.write(script)
                    file.flush()
                    subprocess.run([shell, "-n", file.name], check=True, timeout=SECONDS)
                checked += 1
        if checked == 0:
            self.skipTest("neither zsh nor fish is here to read its script")

    def test_colour_only_on_a_terminal_and_never_under_no_color(self):
        self.assertNotIn("\x1b", muster("frob").stderr)
        code, shown = on_terminal("frob")
        self.assertEqual(code, 2)
        self.assertIn("\x1b[31m", shown)
        self.assertNotIn("\x1b", on_terminal("frob", env={"NO_COLOR": "1"})[1])
        self.assertNotIn("\x1b", on_terminal("frob", env={"TERM": "dumb"})[1])


class Server:
    """A musterd on free ports."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="muster-cli-")
        ready = os.path.join(self.folder, "ready.json")
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [MUSTERD, "--grpc-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--ready-file", ready,
             "--store-dir", os.path.join(self.folder, "store")],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + SECONDS
        while not os.path.exists(ready):
            if self.process.poll() is not None or time.monotonic() > end:
                self.log.seek(0)
                raise RuntimeError("musterd did not start:\n" + self.log.read())
            time.sleep(0.02)
        with open(ready, encoding="utf-8") as file:
            self.address = json.load(file)["grpc"]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (MUSTERD and os.access(MUSTERD, os.X_OK)):
            raise unittest.SkipTest("there is no musterd")
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        if hasattr(cls, "server"):
            cls.server.stop()

    def run_muster(self, *arguments, code=0, **options):
        result = muster(*arguments, server=self.server.address, **options)
        self.assertEqual(result.returncode, code, (arguments, result.stdout, result.stderr))
        return result

    def json(self, *arguments, code=0, **options):
        return json.loads(self.run_muster(*arguments, "-o", "json", code=code, **options).stdout)

    def lines(self, *arguments, code=0, **options):
        out = self.run_muster(*arguments, "-o", "jsonl", code=code, **options).stdout
        return [json.loads(line) for line in out.splitlines()]

    def submit(self, *arguments):
        return self.run_muster("submit", *arguments).stdout.strip()

    def test_call_prints_the_value(self):
        self.assertEqual(self.run_muster("call", "echo", "a=1", "b:=[2]").stdout, '{"a":"1","b":[2]}\n')
        self.assertEqual(self.run_muster("call", "echo", "-", stdin='"x"').stdout, '"x"\n')
        self.assertEqual(self.run_muster("call", "echo", "--text", "hello").stdout, "hello\n")
        done = self.json("call", "echo", "1")
        self.assertEqual((done["state"], done["attempt"], done["outcome"]), ("succeeded", 1, {"value": 1}))

    def test_bytes(self):
        data = bytes(range(256))
        result = muster("call", "echo", "--data", "-", "--raw", stdin=data, server=self.server.address, text=False)
        self.assertEqual((result.returncode, result.stdout), (0, data))
        value = json.loads(self.run_muster("call", "echo", "--data", "abc", "--content-type", "x/y").stdout)
        self.assertEqual(value, {"base64": "YWJj", "content_type": "x/y"})
        code, shown = on_terminal("call", "echo", "--data", "abc", server=self.server.address)
        self.assertEqual(code, 2)
        self.assertIn("--raw", shown)

    def test_a_failed_job(self):
        result = self.run_muster("call", "fail", "type=ValueError", "message=no such color", code=1)
        self.assertEqual(result.stdout, "")
        self.assertIn("ValueError: no such color", result.stderr)
        done = self.json("call", "fail", "type=ValueError", "message=m", "details:=[1]", code=1)
        self.assertEqual(done["outcome"]["error"]["details"], [1])
        self.assertEqual(done["outcome"]["error"]["kind"], "application")

    def test_unknown_function_names_the_nearest(self):
        result = self.run_muster("call", "ecko", "1", code=5)
        self.assertIn("(UNKNOWN_FUNCTION)", result.stderr)
        self.assertIn("did you mean echo", result.stderr)

    def test_unknown_ids(self):
        result = self.run_muster("get", "nonsense", code=2)
        self.assertIn("(INVALID_ID)", result.stderr)
        elsewhere = self.run_muster("submit", "echo", "--namespace", "other").stdout.strip()
        for verb in ("get", "wait", "gather", "watch"):
            self.assertIn("(FUTURE_NOT_FOUND)", self.run_muster(verb, elsewhere, code=5).stderr)
        self.assertEqual(self.json("cancel", elsewhere, code=5)[0]["effect"], "not_found")

    def test_submit_wait_get(self):
        future = self.submit("echo", "42", "--name", "answer", "--label", "k=v", "--group", "g1", "--retention", "5m")
        waited = self.json("wait", future)
        self.assertEqual((waited["end"], waited["pending"]), ("satisfied", []))
        self.assertEqual(waited["done"][0]["outcome"], {"value": 42})
        shown = self.json("get", future)
        for key, value in {"id": future, "state": "succeeded", "function": "echo", "name": "answer", "group": "g1",
                           "labels": {"k": "v"}, "outcome": {"value": 42}, "namespace": "default"}.items():
            self.assertEqual(shown[key], value)
        self.assertEqual(self.run_muster("get", future, "--value").stdout, "42\n")
        self.assertIn("answer", self.run_muster("get", future).stdout)

    def test_request_ids(self):
        first = self.json("submit", "echo", "1", "--request-id", "once")
        second = self.json("submit", "echo", "1", "--request-id", "once")
        self.assertEqual((first["id"], first["deduplicated"], second["deduplicated"]), (second["id"], False, True))
        self.assertIn("(REQUEST_ID_REUSED)", self.run_muster("submit", "echo", "2", "--request-id", "once", code=6).stderr)

    def test_wait_that_runs_out(self):
        future = self.submit("sleep", "seconds:=30")
        result = self.run_muster("wait", future, "--timeout", "50ms", "-o", "json", code=4)
        self.assertEqual(json.loads(result.stdout)["pending"], [future])
        self.assertIn("they go on", result.stderr)
        self.run_muster("wait", future, "--timeout", "0", code=4)
        self.run_muster("watch", future, "--timeout", "50ms", code=4)
        self.run_muster("gather", future, "--timeout", "50ms", code=4)
        self.assertEqual(self.json("get", future)["state"], "running")
        self.assertEqual(self.json("cancel", future, "--message", "enough")[0]["effect"], "requested")
        self.assertEqual(self.json("wait", future, code=3)["done"][0]["outcome"], {"cancelled": {"message": "enough"}})
        self.run_muster("get", future, "--value", code=3)
        self.assertEqual(self.json("cancel", future)[0]["effect"], "already_done")

    def test_any_and_first_exception(self):
        slow = self.submit("sleep", "seconds:=30")
        quick = self.submit("echo", "1")
        bad = self.submit("fail", "message=x")
        waited = self.json("wait", "--any", slow, quick)
        self.assertEqual(([done["id"] for done in waited["done"]], waited["pending"]), ([quick], [slow]))
        waited = self.json("wait", "--first-exception", slow, bad, code=1)
        self.assertEqual(waited["pending"], [slow])
        self.run_muster("cancel", slow)

    def test_watch_and_gather_keep_their_orders(self):
        # The long one outlasts the start of the command that watches, on a busy machine too.
        ids = [self.submit("sleep", "seconds:=3"), self.submit("sleep", "seconds:=0.05")]
        self.assertEqual([done["id"] for done in self.lines("watch", *ids)], ids[::-1])
        table = self.run_muster("watch", *ids).stdout.splitlines()
        self.assertEqual([row.split()[1] for row in table], ["succeeded"] * 2)
        ids = [self.submit("echo", str(i)) for i in range(3)]
        self.assertEqual(self.run_muster("gather", *ids, ids[0], "--values").stdout, "[0,1,2,0]\n")
        self.assertEqual(self.json("gather", "-", stdin="\n".join(ids)),
                         {"results": [{"value": i} for i in range(3)]})

    def test_gather_with_failures(self):
        good, bad = self.submit("echo", "1"), self.submit("fail", "message=x")
        self.assertEqual(self.json("gather", good, bad, code=1)["error_index"], 1)
        self.run_muster("gather", good, bad, code=1)
        results = self.json("gather", good, bad, "--return-exceptions")["results"]
        self.assertEqual(results[0], {"value": 1})
        self.assertIn("error", results[1])

    def test_combinators(self):
        one, two = self.submit("echo", "1"), self.submit("echo", "2")
        gathered = self.submit("--gather", one, two)
        self.assertEqual(self.run_muster("gather", "--of", gathered, "--values").stdout, "[1,2]\n")
        self.assertEqual(self.json("wait", gathered)["done"][0]["outcome"], {"results": [{"value": 1}, {"value": 2}]})
        slow = self.submit("sleep", "seconds:=30")
        shield = self.submit("--shield", slow)
        self.run_muster("cancel", shield)
        self.assertEqual(self.json("get", slow)["state"], "running")
        bounded = self.submit("--wait-for", slow, "--timeout", "50ms")
        done = self.json("wait", bounded, code=1)["done"][0]
        self.assertEqual(done["outcome"]["error"]["kind"], "timed_out")
        self.assertEqual(self.json("get", slow)["state"], "cancelled")

    def test_groups_and_lists(self):
        for i in range(3):
            self.submit("echo", str(i), "--group", "batch", "--label", f"n={i}")
        self.assertEqual(len(self.lines("wait", "--group", "batch")), 3)
        self.assertEqual(len(self.json("ls", "--group", "batch")), 3)
        self.assertEqual(len(self.json("ls", "--group", "batch", "--label", "n=1", "--state", "succeeded")), 1)
        limited = self.run_muster("ls", "--group", "batch", "--limit", "2")
        self.assertEqual(len(limited.stdout.splitlines()), 3)
        self.assertIn("--limit 0", limited.stderr)
        self.assertEqual(self.json("rm", "--group", "batch")["deleted_count"], 3)
        self.assertEqual(self.json("ls", "--group", "batch"), [])

    def test_rm_leaves_what_is_not_done(self):
        slow = self.submit("sleep", "seconds:=30")
        result = self.run_muster("rm", slow, code=6)
        self.assertIn("(NOT_DONE)", result.stderr)
        self.run_muster("cancel", slow)

    def test_promises(self):
        promise = self.run_muster("promise", "create", "--name", "p").stdout.strip()
        self.assertEqual(self.json("get", promise)["state"], "pending")
        self.run_muster("get", promise, "--value", code=6)
        self.assertEqual(self.json("promise", "set", promise, "a:=1")["state"], "succeeded")
        self.assertEqual(self.run_muster("get", promise, "--value").stdout, '{"a":1}\n')
        self.assertIn("(ALREADY_DONE)", self.run_muster("promise", "set", promise, "2", code=6).stderr)
        job = self.submit("sleep", "seconds:=30")
        self.assertIn("(NOT_A_PROMISE)", self.run_muster("promise", "set", job, "2", code=6).stderr)
        self.run_muster("cancel", job)
        promise = self.json("promise", "create")["id"]
        self.json("promise", "fail", promise, "--type", "Gone", "--message", "away", "--details", "{}")
        done = self.json("wait", promise, code=1)["done"][0]
        self.assertEqual(done["outcome"]["error"]["type"], "Gone")

    def test_run(self):
        lines = "".join(f"{i}\n" for i in range(200))
        results = self.lines("run", "echo", stdin=lines)
        self.assertEqual(sorted(r["outcome"]["value"] for r in results), list(range(200)))
        self.assertTrue(all(r["line"] == r["outcome"]["value"] + 1 for r in results))
        ordered = self.run_muster("run", "echo", "--ordered", "--values", "--window", "7", stdin=lines).stdout
        self.assertEqual(ordered, lines)
        mixed = '{"function": "echo", "input": [1], "name": "n"}\n\n{"function": "nope"}\n{"function": "fail"}\n'
        results = {r["line"]: r for r in self.lines("run", stdin=mixed, code=5)}
        self.assertEqual(results[1]["outcome"], {"value": [1]})
        self.assertEqual((results[3]["state"], results[3]["error"]["reason"]), ("rejected", "UNKNOWN_FUNCTION"))
        self.assertEqual(results[4]["state"], "failed")
        bad = self.run_muster("run", "echo", stdin="1\noops\n2\n", code=2)
        self.assertIn("line 2", bad.stderr)
        self.assertEqual(len(bad.stdout.splitlines()), 1)

    def test_run_answers_while_stdin_is_open(self):
        process = subprocess.Popen([MUSTER, "run", "echo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env={**os.environ, "MUSTER_SERVER": self.server.address})
        for i in range(3):
            process.stdin.write(f"{i}\n")
            process.stdin.flush()
            self.assertTrue(select.select([process.stdout], [], [], SECONDS)[0])
            self.assertEqual(json.loads(process.stdout.readline())["outcome"], {"value": i})
        process.stdin.close()
        self.assertEqual(process.wait(timeout=SECONDS), 0)
        process.stdout.close()

    def test_interrupt_leaves_the_future_alone(self):
        future = self.submit("sleep", "seconds:=30")
        for arguments in (["wait", future], ["watch", future], ["gather", future]):
            process = subprocess.Popen([MUSTER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       env={**os.environ, "MUSTER_SERVER": self.server.address})
            self.await_waits(process)
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=SECONDS)
            self.assertEqual(process.returncode, 130, error)
            self.assertIn("interrupted", error)
            self.assertIn(future, error)
            self.assertEqual(out, "")
        self.assertEqual(self.json("get", future)["state"], "running")
        self.run_muster("cancel", future)

    def await_waits(self, process):
        """Until it heeds signals, which it blocks to read them; then a moment to reach the server: what it does by then is
        the same either way."""
        end = time.monotonic() + SECONDS
        while True:
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                blocked = int(re.search(r"^SigBlk:\s*([0-9a-f]+)$", status.read(), re.MULTILINE).group(1), 16)
            if blocked & 1 << (signal.SIGINT - 1):
                break
            self.assertLess(time.monotonic(), end, "it never heeds signals")
            time.sleep(0.01)
        time.sleep(0.3)

    def test_a_terminal_shows_progress_and_leaves_no_trace_of_it(self):
        ids = [self.submit("sleep", "seconds:=0.8"), self.submit("echo", "1")]
        code, shown = on_terminal("wait", *ids, server=self.server.address)
        self.assertEqual(code, 0, shown)
        self.assertIn("1/2 done", shown)
        self.assertIn("\r\x1b[K", shown)
        piped = self.run_muster("wait", *ids)
        self.assertEqual(piped.stderr, "")
        quiet = on_terminal("wait", *[self.submit("sleep", "seconds:=0.5")], "--quiet", server=self.server.address)[1]
        self.assertNotIn("done", quiet)

    def test_functions_and_info(self):
        names = self.run_muster("functions", "--names").stdout.split()
        self.assertIn("echo", names)
        self.assertEqual([f["name"] for f in self.json("functions")], names)
        self.assertIn("example", self.run_muster("functions", "sleep").stdout)
        self.run_muster("functions", "nope", code=5)
        info = self.json("info")
        self.assertGreater(info["limits"]["set_max"], 0)
        self.assertRegex(info["version"], r"^\d+\.\d+")
        self.assertIn(info["version"], self.run_muster("info").stdout)

    def test_completion_knows_the_functions(self):
        script = muster("completion", "bash").stdout
        words = WithoutServer("test_bash_completion").complete_bash(script, "muster call ec",
                                                                    {"MUSTER_SERVER": self.server.address})
        self.assertEqual(words, ["echo"])

    def test_namespaces(self):
        future = self.run_muster("submit", "echo", env={"MUSTER_NAMESPACE": "team-a"}).stdout.strip()
        self.assertEqual([f["id"] for f in self.json("ls", "--namespace", "team-a")], [future])
        self.assertIn("(INVALID_FIELD)", self.run_muster("ls", "--namespace", "No Such", code=2).stderr)

    def test_outcomes_are_never_cut_in_json(self):
        long = "x" * 5000
        self.assertEqual(self.json("call", "echo", json.dumps(long))["outcome"]["value"], long)


def main():
    global MUSTER, MUSTERD, ROOT
    MUSTER, MUSTERD, ROOT = sys.argv[1:4]
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    cases = suite.countTestCases()
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    if any("WithServer" in str(test) and "setUpClass" in str(test) for test, _ in result.skipped):
        skipped += unittest.defaultTestLoader.loadTestsFromTestCase(WithServer).countTestCases() - 1
    print(f"{cases - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
