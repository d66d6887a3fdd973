#!/usr/bin/env python3
"""Sees every rule of tidy.py fail once, and pass on what it must leave alone."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy

HEADER = "#pragma once\n"



def limits_tree(list_="#define MUSTER_LIMITS(X) \\\n  X(set_max, Count)\n", wire="message Limits {\n  uint32 set_max = 1;\n}\n",
                page="limits.set_max\n"):
    """The three files that a limit stands in."""
    return [(tidy.LIMITS, HEADER + list_), (tidy.LIMITS_WIRE, wire), (tidy.LIMITS_PAGE, page)]


# rule: [(path, text that breaks it), or a list of them]
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
    "service-lines": [
        ("service/base/a.cc", "\n" * tidy.SERVICE_LINES_MAX),
        ("service/core/shard.cc", "\n" * tidy.CONDUCTOR_LINES_MAX),
    ],
    "core-rooms": [
        ("service/core/door/a.h", HEADER + '#include "service/core/futures/future.h"\n'),
        ("service/core/interest/a.h", HEADER + '#include "service/core/kinds/kind.h"\n'),
        ("service/core/interest/a.h", HEADER + '#include "service/core/turn.h"\n'),
        ("service/core/interest/a.cc", '#include "service/core/record/changes.h"\n'),
        ("service/core/kinds/a.cc", '#include "service/core/shard.h"\n'),
        ("service/core/attic/a.cc", "int a;\n"),
    ],
    "core-door": [("service/runtime/a.cc", '#include "service/core/futures/table.h"\n')],
    "kinds": [
        ("service/core/record/a.cc", "switch (kind) {\n  case values::FutureKind::kShield: return 1;\n}\n"),
        ("service/core/futures/a.cc", "auto& row = rows[static_cast<size_t>(future->kind)];\n"),
    ],
    "void-pointer": [("service/core/interest/a.h", HEADER + "struct Open {\n  void* what;\n};\n")],
    "words": [("service/base/a.cc", "// TODO: later\n"), ("README.md", "FIXME\n")],
    "workplace": [
        ("docs/a.md", "See /home/somebody/muster.\n"),
        ("dev", "cd /Users/somebody/muster\n"),
        ("tests/clients/package-lock.json", '"resolved": "https://registry.example/a.tgz"\n'),
    ],
    "readme": [("service/store/a.cc", "int a;\n")],
    "flat": [[(f"service/jobs/a{n}.cc", "int a;\n") for n in range(tidy.FOLDER_FILES_MAX + 1)]],
    "limits": [
        limits_tree(list_="struct Limits {};\n"),
        limits_tree(wire="message Limits {\n  uint32 other_max = 1;\n}\n"),
        limits_tree(page="Nothing.\n"),
        limits_tree() + [("service/app/settings/config.cc", 'Add("limits.set_max");\n')],
    ],
    "listed": [("service/base/dead.cc", "int a;\n"), ("client/cpp/detail/dead.h", HEADER)],
}

# Texts that look like a breach and are none.
INNOCENT = [
    ("client/cli/a.cc", '#include "service/audit/audit.h"\n'),
    ("service/app/a.cc", '#include "service/core/shard.h"\n#include "service/metrics/counter.h"\n'),
    ("service/grpc/a.cc", '#include <grpcpp/grpcpp.h>\n\n#include "muster/v1/payload.pb.h"\n'),
    ("service/jobs/a.cc", "// std::thread is not used: see base::Thread\nauto n = std::thread::hardware_concurrency();\n"),
    ("service/core/kinds/a.cc", '#include "service/core/turn.h"\nswitch (k) {\n  case FutureKind::kJob: return 1;\n}\n'),
    ("service/core/interest/a.cc", '#include "service/core/turn.h"\n#include "service/core/kinds/kind.h"\n'),
    ("service/core/futures/a.h", HEADER + '#include "service/core/shard_options.h"\n// No void* here.\n'),
    ("service/rows/a.cc", '#include "service/core/record/record.h"\nPut(static_cast<uint8_t>(record.kind));\n'),
    ("service/core/shard.cc", '#include "service/core/kinds/kind.h"\n' * 9),
    ("service/jobs/a.cc", 'const char* text = "steady_clock::now /* TO" "DO";\n'),
    ("service/base/clock.cc", "return std::chrono::steady_clock::now();\n"),
    ("tests/rpc/a.cc", "std::this_thread::sleep_for(1ms);\n"),
    ("docs/a.md", "Links such as https://example.org/home/page and work/main stay.\n"),
    ("tests/support/a.h", HEADER + '#include "service/core/shard.h"\n'),
]


def breaches_of(files):
    """What tidy says of a tree that holds these files alone, and what their folders must have."""
    with tempfile.TemporaryDirectory() as root:
        def write(path, text):
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
                stream.write(text)

        for path, text in files:
            write(path, text)
            parts = path.split("/")
            if parts[0] == "service" and parts[1] != "store" or parts[:2] == ["client", "cli"]:
                write("/".join([*parts[:2], "README.md"]), "A folder.\n")
                names = "a.cc a.h clock.cc shard.cc limits.h config.cc"
                rooms = " ".join(f"{room}/a.cc {room}/a.h" for room in tidy.CORE_ROOMS)
                many = " ".join(f"a{n}.cc" for n in range(tidy.FOLDER_FILES_MAX + 1))
                write("/".join([*parts[:2], "CMakeLists.txt"]), f"SOURCES {names} {rooms} {many}\n")
        return tidy.check(root)


def as_tree(case):
    return case if isinstance(case, list) else [case]


class Tidy(unittest.TestCase):
    def test_every_rule_has_a_breach_here(self):
        self.assertEqual(set(BREACHES), set(tidy.RULES) | set(tidy.TREE_RULES))

    def test_each_rule_sees_its_breach(self):
        for rule, cases in BREACHES.items():
            for files in map(as_tree, cases):
                with self.subTest(rule=rule, files=files[0][0]):
                    self.assertIn(rule, [found for _, _, found, _ in breaches_of(files)])

    def test_innocent_text_passes(self):
        for path, text in INNOCENT:
            with self.subTest(path=path, text=text):
                self.assertEqual(breaches_of([(path, text)]), [])

    def test_a_limit_that_stands_where_it_should_passes(self):
        self.assertEqual(breaches_of(limits_tree()), [])

    def test_each_exception_names_a_rule_and_a_reason(self):
        for rule, pattern, reason in tidy.ALLOWED:
            self.assertIn(rule, {**tidy.RULES, **tidy.TREE_RULES})
            self.assertTrue(pattern and reason)

    def test_each_pending_rule_is_one_and_says_what_it_waits_for(self):
        for rule, reason in tidy.PENDING.items():
            self.assertIn(rule, {**tidy.RULES, **tidy.TREE_RULES})
            self.assertTrue(reason)


if __name__ == "__main__":
    outcome = unittest.main(exit=False).result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{max(outcome.testsRun - bad, 0)} passed, {bad} failed, {len(outcome.skipped)} skipped")
    sys.exit(0 if outcome.wasSuccessful() else 1)
