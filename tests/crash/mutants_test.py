#!/usr/bin/env python3
"""mutants.py itself: it refuses what it cannot place, tells survivors from the noticed, and leaves the copy as it was."""

import os
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mutants  # pylint: disable=wrong-import-position

SOURCE = "if (good) return;\nif (better) return;\nwork();\n"


class FakeCopy(mutants.Copy):
    """A tree of one file whose "build" is a script that reads it."""

    def __init__(self, root, folder, script):
        super().__init__(root, folder, 1)
        os.makedirs(self.build)
        path = os.path.join(self.build, "test")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\ncd {self.tree}\n{script}\n")
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def configure(self):
        pass

    def make(self, targets):
        pass


class MutantsTest(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="muster-mutants-")
        self.addCleanup(self._folder.cleanup)
        self.root = os.path.join(self._folder.name, "root")
        os.mkdir(self.root)
        subprocess.run(["git", "init", "-q", self.root], check=True)
        with open(os.path.join(self.root, "a.cc"), "w", encoding="utf-8") as file:
            file.write(SOURCE)
        self.said = []

    def mutant(self, old, new="", name="m"):
        return mutants.Mutant(name, "a.cc", old, new, [], ["test"])

    def run_with(self, script, *broken):
        copy = FakeCopy(self.root, os.path.join(self._folder.name, "copy"), script)
        status = mutants.run(copy, list(broken), 1, self.said.append)
        self.assertEqual(copy.read("a.cc"), SOURCE)
        return status

    def test_a_place_that_is_not_there_once_is_refused(self):
        self.assertEqual(mutants.check([self.mutant("work();")], self.root), [])
        self.assertIn("found 0 times", mutants.check([self.mutant("play();")], self.root)[0])
        self.assertIn("found 2 times", mutants.check([self.mutant("return;")], self.root)[0])
        self.assertIn("changes nothing", mutants.check([self.mutant("work();", "work();")], self.root)[0])
        missing = mutants.Mutant("m", "b.cc", "x", "", [], ["test"])
        self.assertIn("b.cc", mutants.check([missing], self.root)[0])

    def test_what_the_test_sees_is_noticed(self):
        self.assertEqual(self.run_with("grep -q work a.cc", self.mutant("work();")), 0)
        self.assertIn("1 noticed, 0 survived, 0 unknown", self.said[-1])

    def test_what_it_does_not_see_survives(self):
        seen, unseen = self.mutant("work();"), self.mutant("if (better) return;", name="unseen")
        self.assertEqual(self.run_with("grep -q work a.cc", seen, unseen), 1)
        self.assertIn("1 noticed, 1 survived, 0 unknown", self.said[-1])

    def test_a_test_that_fails_anyway_proves_nothing(self):
        with self.assertRaisesRegex(mutants.Trouble, "fails on the unbroken source"):
            self.run_with("exit 1", self.mutant("work();"))

    def test_a_test_that_is_skipped_proves_nothing(self):
        with self.assertRaisesRegex(mutants.Trouble, "was skipped"):
            self.run_with("exit 77", self.mutant("work();"))
        self.assertEqual(mutants.SKIPPED, 77)

    def test_the_copy_follows_the_tree(self):
        copy = FakeCopy(self.root, os.path.join(self._folder.name, "copy"), "true")
        copy.sync()
        time_before = os.stat(os.path.join(copy.tree, "a.cc")).st_mtime_ns
        with open(os.path.join(self.root, "b.cc"), "w", encoding="utf-8") as file:
            file.write("new\n")
        copy.sync()
        self.assertEqual(os.stat(os.path.join(copy.tree, "a.cc")).st_mtime_ns, time_before)
        self.assertEqual(copy.read("b.cc"), "new\n")
        os.remove(os.path.join(self.root, "b.cc"))
        copy.sync()
        self.assertFalse(os.path.exists(os.path.join(copy.tree, "b.cc")))


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(MutantsTest)
    result = unittest.TextTestRunner(stream=sys.stdout).run(suite)
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed, 0 skipped")
    sys.exit(bool(bad))
