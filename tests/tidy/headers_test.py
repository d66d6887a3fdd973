#!/usr/bin/env python3
"""headers.py finds the header that compiles only after another one, and clang_tidy.py reads without precompiled headers."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import clang_tidy
import headers

COMMAND = ("c++ -I{root} -O1 -g1 -Winvalid-pch -fpch-preprocess -include {root}/build/dev/CMakeFiles/p.dir/cmake_pch.hxx"
           " -Wall -std=c++20 -o a.o -c {root}/service/base/a.cc")
FILES = {
    "service/base/whole.h": "#pragma once\n#include <string>\nstd::string Name();\n",
    "service/base/lacking.h": "#pragma once\nstd::string Name();\n",
    "service/base/user.h": '#pragma once\n#include "service/base/whole.h"\ninline std::string Twice() { return Name(); }\n',
    "service/base/a.cc": '#include "service/base/whole.h"\n',
}


class Headers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.realpath(folder.name)
        for path, text in FILES.items():
            self.write(path, text)
        self.write("build/dev/compile_commands.json", json.dumps([{
            "directory": self.root + "/build/dev", "file": self.root + "/service/base/a.cc",
            "command": COMMAND.format(root=self.root)}]))

    def write(self, path, text):
        os.makedirs(os.path.dirname(os.path.join(self.root, path)), exist_ok=True)
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as stream:
            stream.write(text)

    def run_headers(self, *arguments):
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "headers.py"), "--build", self.root + "/build/dev",
             "--cache", self.root + "/build/cache", *arguments, self.root], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_the_header_that_lacks_an_include_is_found(self):
        status, said = self.run_headers()
        self.assertEqual(status, 1, said)
        self.assertIn("service/base/lacking.h does not compile by itself", said)
        self.assertIn("headers: 3 read alone, 0 known to pass, 1 with findings", said)

    def test_a_pass_is_remembered_until_a_header_that_was_read_changes(self):
        self.write("service/base/lacking.h", "#pragma once\n#include <string>\nstd::string Name();\n")
        self.assertIn("3 read alone, 0 known to pass, 0 with", self.run_headers()[1])
        self.assertIn("3 read alone, 3 known to pass, 0 with", self.run_headers()[1])
        self.write("service/base/whole.h", "#pragma once\n#include <string_view>\nstd::string_view Other();\n")
        status, said = self.run_headers()
        self.assertIn("3 read alone, 1 known to pass, 1 with", said)
        self.assertIn("service/base/user.h does not compile by itself", said)
        self.assertEqual(status, 1)

    def test_of_changed_headers_the_includers_are_read_too(self):
        self.assertIn("headers: 2 read alone", self.run_headers("--changed", "service/base/whole.h")[1])
        self.assertIn("headers: 0 read alone", self.run_headers("--changed", "service/base/a.cc")[1])

    def test_options_are_taken_without_what_would_help(self):
        self.assertEqual(headers.options_of(COMMAND.format(root="/r")), ["c++", "-I/r", "-std=c++20"])

    def test_clang_tidy_reads_without_precompiled_headers(self):
        (entry,) = clang_tidy.plain_commands(self.root + "/build/dev", self.root + "/build/plain")
        self.assertEqual(entry["command"].split(),
                         ["c++", f"-I{self.root}", "-O1", "-g1", "-Wall", "-std=c++20", "-o", "a.o", "-c", entry["file"]])
        self.assertTrue(os.path.exists(self.root + "/build/plain/compile_commands.json"))


if __name__ == "__main__":
    outcome = unittest.main(exit=False).result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{max(outcome.testsRun - bad, 0)} passed, {bad} failed, {len(outcome.skipped)} skipped")
    sys.exit(0 if outcome.wasSuccessful() else 1)
