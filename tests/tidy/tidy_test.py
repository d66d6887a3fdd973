#!/usr/bin/env python3
"""Sees every rule of tidy.py fail once, and pass on what it must leave alone."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy

HEADER = "#pragma once\n"

# rule: [(path, text that breaks it)]
BREACHES = {
    "arrows": [
        ("service/core/a.h", HEADER + '#include "service/executor/loop.h"\n'),
        ("service/base/a.cc", '#include "service/metrics/counter.h"\n'),
        ("service/runtime/a.cc", '#include "service/grpc/server.h"\n'),
        ("service/novel/a.cc", '#include "service/base/clock.h"\n'),
        ("client/cpp/a.cc", '#include "service/core/shard.h"\n'),
        ("client/cpp/a.cc", '#include "service/store/journal.h"\n'),
        ("client/cli/a.cc", '#include "service/runtime/store.h"\n'),
    ],
    "grpc": [
        ("service/runtime/a.cc", "#include <grpcpp/grpcpp.h>\n"),
        ("service/jobs/a.cc", '#include "muster/v1/payload.pb.h"\n'),
    ],
    "foreign-headers": [("service/base/a.cc", "#include <absl/log/log.h>\n"), ("service/base/a.cc", "#include <format>\n")],
    "include-form": [
        ("service/base/a.cc", '#include "../core/shard.h"\n'),
        ("service/base/a.cc", '#include "clock.h"\n'),
    ],
    "thread": [
        ("service/jobs/a.cc", "std::thread worker(f);\n"),
        ("tests/rpc/a.cc", "std::jthread worker(f);\n"),
        ("service/jobs/a.cc", "auto f = std::async(g);\n"),
    ],
    "clock": [
        ("service/core/a.cc", "auto now = std::chrono::steady_clock::now();\n"),
        ("service/app/a.cc", "absl::Time t = absl::Now();\n"),
    ],
    "unit-sleep": [("tests/unit/core/a.cc", "std::this_thread::sleep_for(1ms);\n")],
    "pragma-once": [("service/base/a.h", "struct A {};\n")],
    "lines": [("service/base/a.cc", "\n" * (tidy.LINES_MAX + 1)), ("docs/tools/a.py", "\n" * (tidy.LINES_MAX + 1))],
    "words": [("service/base/a.cc", "// TODO: later\n"), ("README.md", "FIXME\n")],
    "workplace": [
        ("docs/a.md", "See /home/somebody/muster.\n"),
        ("dev", "cd /Users/somebody/muster\n"),
        ("tests/clients/package-lock.json", '"resolved": "https://registry.example/a.tgz"\n'),
    ],
    "readme": [("service/store/a.cc", "int a;\n")],
    "listed": [("service/base/dead.cc", "int a;\n"), ("client/cpp/detail/dead.h", HEADER)],
}

# Texts that look like a breach and are none.
INNOCENT = [
    ("client/cli/a.cc", '#include "service/audit/audit.h"\n'),
    ("service/app/a.cc", '#include "service/core/shard.h"\n#include "service/metrics/counter.h"\n'),
    ("service/grpc/a.cc", '#include <grpcpp/grpcpp.h>\n\n#include "muster/v1/payload.pb.h"\n'),
    ("service/jobs/a.cc", "// std::thread is not used: see base::Thread\nauto n = std::thread::hardware_concurrency();\n"),
    ("service/jobs/a.cc", 'const char* text = "steady_clock::now /* TO" "DO";\n'),
    ("service/base/clock.cc", "return std::chrono::steady_clock::now();\n"),
    ("tests/rpc/a.cc", "std::this_thread::sleep_for(1ms);\n"),
    ("docs/a.md", "Links such as https://example.org/home/page and work/main stay.\n"),
    ("tests/support/a.h", HEADER + '#include "service/core/shard.h"\n'),
]


def breaches_of(path, text):
    """What tidy says of a tree that holds this file alone, and what its folder must have."""
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
            stream.write(text)
        parts = path.split("/")
        if parts[0] == "service" and parts[1] != "store" or parts[:2] == ["client", "cli"]:
            with open(os.path.join(root, *parts[:2], "README.md"), "w", encoding="utf-8") as stream:
                stream.write("A folder.\n")
            with open(os.path.join(root, *parts[:2], "CMakeLists.txt"), "w", encoding="utf-8") as stream:
                stream.write("SOURCES a.cc clock.cc HEADERS a.h\n")
        return tidy.check(root)


class Tidy(unittest.TestCase):
    def test_every_rule_has_a_breach_here(self):
        self.assertEqual(set(BREACHES), set(tidy.RULES) | set(tidy.TREE_RULES))

    def test_each_rule_sees_its_breach(self):
        for rule, cases in BREACHES.items():
            for path, text in cases:
                with self.subTest(rule=rule, path=path):
                    self.assertIn(rule, [found for _, _, found, _ in breaches_of(path, text)])

    def test_innocent_text_passes(self):
        for path, text in INNOCENT:
            with self.subTest(path=path, text=text):
                self.assertEqual(breaches_of(path, text), [])

    def test_each_exception_names_a_rule_and_a_reason(self):
        for rule, pattern, reason in tidy.ALLOWED:
            self.assertIn(rule, tidy.RULES)
            self.assertTrue(pattern and reason)


if __name__ == "__main__":
    outcome = unittest.main(exit=False).result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{max(outcome.testsRun - bad, 0)} passed, {bad} failed, {len(outcome.skipped)} skipped")
    sys.exit(0 if outcome.wasSuccessful() else 1)
