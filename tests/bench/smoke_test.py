#!/usr/bin/env python3
"""That every benchmark runs, counts right and reports what it should. Not how fast anything is.

usage: smoke_test.py FOLDER_OF_PROGRAMS [unittest arguments]
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAMS = sys.argv.pop(1)
RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")
FIELDS = {
    "name": str, "value": float, "unit": str, "reference": str, "reference_value": float, "ratio": float,
    "spread": float, "machine": dict, "library_builds": dict,
}


def bench(*arguments, programs=PROGRAMS):
    return subprocess.run([sys.executable, RUN, *arguments], capture_output=True, text=True, timeout=240,
                          env={**os.environ, "MUSTER_BIN": programs})


class Smoke(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="muster-bench-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.output = os.path.join(folder.name, "out", "results.json")

    def smoke(self, *arguments):
        done = bench("--smoke", f"--output={self.output}", f"--data-dir={self.folder}", *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(self.output, encoding="utf-8") as file:
            return done.stdout, json.load(file)

    def test_every_row_runs(self):
        listed = [line.split()[0] for line in bench("--list").stdout.splitlines()]
        self.assertIn("call_memory", listed)
        printed, results = self.smoke()
        why = dict(line.split(": ", 2)[1:] for line in printed.splitlines() if line.startswith("left out: "))
        self.assertEqual(sorted([*why, *(row["name"] for row in results)]), sorted(listed))
        # A peer need not be there, but then it is said how to get it.
        left_out = [name for name, reason in why.items() if "./dev bench --peers" not in reason]
        help_text = subprocess.run([os.path.join(PROGRAMS, "musterd"), "--help"], capture_output=True, text=True).stdout
        if "--durability" in help_text:
            self.assertEqual(left_out, [])
        for row in results:
            with self.subTest(row["name"]):
                for field, kind in FIELDS.items():
                    if row["reference"] == "" and field in ("reference_value", "ratio"):
                        self.assertIsNone(row[field], field)
                        continue
                    self.assertIsInstance(row[field], (int, float) if kind is float else kind, field)
                    if kind is float and field != "spread":
                        self.assertGreater(row[field], 0, field)
                if row["goal"] is not None:
                    self.assertRegex(row["goal"], r"^(>=|<=) [0-9.]+$")
                self.assertIn(row["library_builds"]["grpc"]["assertions"], ("on", "off", "unknown: linked statically"))
                self.assertIn("file_system", row["machine"])
                weights = row["bytes_per_operation"]
                if "echo" in row["reference"] and row["name"].startswith(("call_", "run_")):
                    # The same but for the opening of the stream, and messages that the server has joined.
                    self.assertAlmostEqual(weights["reference_request"] / weights["request"], 1, delta=0.1)
                    self.assertAlmostEqual(weights["reference_response"] / weights["response"], 1, delta=0.1)
        self.assertEqual(os.listdir(self.folder), ["out"], "data is left behind")

    def test_one_row_by_its_name(self):
        _, results = self.smoke("call_memory_rtt_p99")
        self.assertEqual([row["name"] for row in results], ["call_memory_rtt_p99"])

    def test_a_row_that_is_not_there(self):
        done = bench("no_such_row")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no row no_such_row; there are: call_memory", done.stderr)

    def test_programs_that_are_not_there(self):
        done = bench("--smoke", f"--output={self.output}", f"--data-dir={self.folder}", programs=self.folder)
        self.assertEqual(done.returncode, 2)
        self.assertIn("build them with", done.stderr)

    def test_the_store_and_the_disk(self):
        for mode in ("batches", "fdatasync"):
            folder = os.path.join(self.folder, mode)
            if mode == "fdatasync":
                os.mkdir(folder)
            done = subprocess.run([os.path.join(PROGRAMS, "bench_rocks"), f"--mode={mode}", f"--dir={folder}",
                                   "--seconds=0.1", "--warmup=0"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(json.loads(done.stdout)["rate"], 0)


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=2)
    outcome = program.result
    failed = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - failed - len(outcome.skipped)} passed, {failed} failed, {len(outcome.skipped)} skipped")
    sys.exit(1 if failed else 0)
