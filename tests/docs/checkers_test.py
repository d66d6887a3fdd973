#!/usr/bin/env python3
"""Sees the checks of the pages, and the count of test cases, fail and pass where they should, and the table of times."""

import io
import os
import shutil
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "docs", "tools"), os.path.join(ROOT, "tests")]
import count
import links
import names
import semantics_table
import slowest

# Written in pieces, so that this file proves nothing by itself.
WORD = "seman" + "tics"


class Tree(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as stream:
            stream.write(text)
        return full

    def run_quietly(self, function, *arguments):
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            status = function(list(arguments))
        return status, said.getvalue()


class Links(Tree):
    def broken(self, text):
        self.write("docs/page.md", text)
        return [target for _, target in links.broken_links(self.root, "docs/page.md")]

    def test_a_link_to_a_missing_file_is_found(self):
        self.assertEqual(self.broken("See [it](missing.md)."), ["missing.md"])

    def test_a_link_to_a_missing_heading_is_found(self):
        self.write("docs/other.md", "# Its name\n")
        self.assertEqual(self.broken("[a](other.md#its-name) [b](other.md#another)"), ["other.md#another"])

    def test_web_addresses_code_and_own_headings_pass(self):
        self.assertEqual(self.broken("# Here\n[a](https://x.example/y) `[b](none.md)` [c](#here)\n```\n[d](none)\n```\n"), [])


    def test_code_that_differs_from_its_file_is_found(self):
        self.write("a.cc", "int a;\n")
        page = "<!-- same as a.cc -->\n```cpp\nint a;\n```\n"
        self.write("docs/page.md", page)
        self.assertEqual(list(links.stale_code(self.root, "docs/page.md")), [])
        self.write("docs/page.md", page.replace("int a", "int b"))
        self.assertEqual(list(links.stale_code(self.root, "docs/page.md")), [(1, "a.cc")])
        self.write("docs/page.md", page.replace("a.cc", "gone.cc"))
        self.assertEqual(list(links.stale_code(self.root, "docs/page.md")), [(1, "gone.cc")])


class Names(Tree):
    def test_what_is_nowhere_is_found(self):
        self.write("tests/rpc/a_test.cc", "TEST_P(RunRpc, Works) {}\n")
        self.write("tests/python/test_a.py", "async def test_works(m):\n    pass\n")
        self.write("client/python/src/muster/_run.py", "")
        self.write("proto/muster/v1/error.proto", "ERROR_REASON_QUEUE_FULL = 28;\n")
        there = "`RunRpc.Works` `test_works` `_run.py` `client/python` `QUEUE_FULL` `Run` `open.session`"
        gone = ["RunRpc.Fails", "test_fails", "_walk.py", "client/perl", "QUEUE_EMPTY"]
        self.write(names.PAGE, there + "".join(f" `{name}`" for name in gone))
        self.assertEqual(list(names.unknown(self.root)), gone)


class Semantics(Tree):
    def proofs(self, path, text):
        self.write(path, text)
        return semantics_table.collect(self.root)[0]

    def test_a_comment_above_or_inside_names_the_test(self):
        found = self.proofs(
            "tests/unit/core/wait_test.cc",
            f"// {WORD} 31\nTEST(Wait, First) {{\n}}\nTEST_F(Wait, Second) {{\n  // (see {WORD} 6, 9-10)\n}}\n",
        )
        self.assertEqual(found[31], {"in the core": [("tests/unit/core/wait_test.cc", "Wait.First")]})
        self.assertEqual(found[10], {"in the core": [("tests/unit/core/wait_test.cc", "Wait.Second")]})
        self.assertEqual(set(found), {6, 9, 10, 31})

    def test_python_counts_too(self):
        found = self.proofs("tests/clients/wait_test.py", f"def test_wait():\n    # {WORD} 27 and 28\n    pass\n")
        self.assertEqual(found[28], {"over the wire": [("tests/clients/wait_test.py", "test_wait")]})

    def test_a_number_that_does_not_exist_is_reported(self):
        self.write("tests/rpc/a_test.cc", f"// {WORD} 104\nTEST(A, B) {{}}\n")
        self.assertEqual(len(semantics_table.collect(self.root)[1]), 1)

    def test_check_fails_on_an_old_table_and_on_a_case_without_proof(self):
        page = "".join(f"{n}. Case.\n" for n in range(1, semantics_table.LAST + 1))
        self.write(semantics_table.PAGE, f"{page}{semantics_table.BEGIN}\n{semantics_table.END}\n")
        everything = f"// {WORD} 1-65, 91-93, 98-100\nTEST(A, B) {{}}\n"
        self.write("tests/rpc/a_test.cc", everything)
        status, said = self.run_quietly(semantics_table.main, "--check", self.root)
        self.assertEqual(status, 1)
        self.assertIn("out of date", said)
        self.run_quietly(semantics_table.main, "--write", self.root)
        self.assertEqual(self.run_quietly(semantics_table.main, "--check", self.root)[0], 0)
        self.write("tests/rpc/a_test.cc", everything.replace("1-65", "2-65"))
        self.run_quietly(semantics_table.main, "--write", self.root)
        status, said = self.run_quietly(semantics_table.main, "--check", self.root)
        self.assertEqual(status, 1)
        self.assertIn(f"{WORD} 1 is offered and no test proves it", said)


class Count(Tree):
    def counted(self, *cases):
        path = self.write("tests.xml", "<testsuite>" + "".join(cases) + "</testsuite>")
        status, said = self.run_quietly(count.main, path)
        return status, said.strip()

    def case(self, output="", status="run", inner=""):
        return f'<testcase name="t" status="{status}">{inner}<system-out>{output}</system-out></testcase>'

    def test_cases_inside_a_program_are_counted(self):
        gtest = "[==========] 5 tests from 1 test suite ran. (1 ms total)\n[  PASSED  ] 3 tests.\n" \
                "[  SKIPPED ] 1 test, listed below:\n[  FAILED  ] 1 test, listed below:\n"
        self.assertEqual(
            self.counted(self.case(gtest, "fail"), self.case("4 passed, 0 failed, 2 skipped\n"), self.case("anything")),
            (1, "8 passed, 1 failed, 3 skipped"),
        )

    def test_a_program_that_died_counts_as_failed(self):
        self.assertEqual(self.counted(self.case("[  PASSED  ] 1 test.", "fail")), (1, "0 passed, 1 failed, 0 skipped"))

    def test_a_missing_program_is_no_skip(self):
        missing = '<skipped message="Unable to find executable"/>'
        self.assertEqual(self.counted(self.case(status="notrun", inner=missing))[0], 1)
        skip = '<skipped message="SKIP_RETURN_CODE=77"/>'
        self.assertEqual(self.counted(self.case(), self.case(status="notrun", inner=skip)), (0, "1 passed, 0 failed, 1 skipped"))

    def test_no_record_and_no_tests_are_failures(self):
        self.assertEqual(self.run_quietly(count.main, os.path.join(self.root, "none.xml"))[0], 1)
        self.assertEqual(self.counted(), (1, "0 passed, 0 failed, 0 skipped"))


class Slowest(Tree):
    def test_the_slowest_come_first_and_steps_of_one_title_are_joined(self):
        record = self.write("dev/tests.xml", '<testsuite><testcase name="quick" time="0.25"/>'
                            '<testcase name="slow" time="60.5"/><testcase name="middle" time="7"/></testsuite>')
        phases = self.write("dev/phases.tsv", "1500000\tbuild (dev)\n60000000\ttests\n500000\tbuild (dev)\n")
        status, said = self.run_quietly(slowest.main, "--count", "2", "--phases", phases, record, self.root + "/none.xml")
        self.assertEqual(status, 0)
        self.assertEqual(said.splitlines(), [
            "phases", "     2.0 s  build (dev)", "    60.0 s  tests",
            "slowest of 3 tests, which took 68 s one by one", "    60.5 s  slow (dev)", "     7.0 s  middle (dev)"])


if __name__ == "__main__":
    outcome = unittest.main(exit=False).result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - bad} passed, {bad} failed, {len(outcome.skipped)} skipped")
    sys.exit(0 if outcome.wasSuccessful() else 1)
