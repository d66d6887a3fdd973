#!/usr/bin/env python3
"""Sees every finding of drift.py once: a small tree in which both builds agree, and one change that breaks it each."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import drift
import targets

# A small house of its own, so that these tests do not change with the arrows of the real one.
drift.tidy.ARROWS = {"core": set(), "store": set(), "app": {"core", "store"}, "runtime": {"core", "store"}}
drift.tidy.COMMAND_MAY_USE = {"core", "store"}

CORE = """package(default_visibility = [
    "//client/cli:__pkg__",
    "//service/app:__subpackages__",
    "//service/runtime:__pkg__",
    "//tests:__subpackages__",
])

cc_library(
    name = "core",
    srcs = ["shard.cc"],
    hdrs = ["shard.h"],
    deps = ["@fmt"],
)
"""
STORE = """package(default_visibility = [
    "//client/cli:__pkg__",
    "//service/app:__subpackages__",
    "//service/runtime:__pkg__",
    "//tests:__subpackages__",
])

cc_library(
    name = "store",
    srcs = ["journal.cc"],
    hdrs = ["journal.h"],
    deps = [],
)
"""
TEST = """package(default_visibility = ["//tests:__subpackages__"])

cc_test(
    name = "core_test",
    srcs = [
        "core_test.cc",
        "fixture.h",
    ],
    tags = ["unit"],
    deps = [
        "//service/core",
        "@googletest//:gtest_main",
    ],
)
"""
PROTO = """package(default_visibility = ["//service/grpc:__pkg__", "//tests:__subpackages__"])

proto_library(
    name = "health_proto_files",
    srcs = ["health.proto"],
)

cc_proto_library(
    name = "health_proto",
    deps = [":health_proto_files"],
)

cc_grpc_stubs(
    name = "health_proto_grpc",
    services = ["health.proto"],
)
"""

# What agrees.
TREE = {
    "CMakeLists.txt": "project(muster VERSION 1.2.3 LANGUAGES CXX)\n",
    "MODULE.bazel": 'module(\n    name = "muster",\n    version = "1.2.3",\n)\n' + "".join(
        f'bazel_dep(name = "{name}", version = "1")\n'
        for name in sorted({label.split("//")[0].lstrip("@") for labels in drift.EXTERNAL.values() for label in labels})),
    "bazel/version.bzl": 'VERSION = "1.2.3"\n',
    "service/core/CMakeLists.txt": "muster_library(muster_core\n  SOURCES shard.cc # one\n  HEADERS shard.h\n  DEPS fmt::fmt)\n",
    "service/core/BUILD.bazel": CORE,
    "service/core/shard.cc": '#include "service/core/shard.h"\n',
    "service/core/shard.h": "",
    "service/store/CMakeLists.txt": "muster_library(muster_store SOURCES journal.cc HEADERS journal.h)\n",
    "service/store/BUILD.bazel": STORE,
    "tests/unit/core/CMakeLists.txt": "muster_test(core_test SUITE unit SOURCES core_test.cc DEPS muster_core)\n",
    "tests/unit/core/BUILD.bazel": TEST,
    "tests/unit/core/core_test.cc": '#include "service/core/shard.h"\n#include "tests/unit/core/fixture.h"\n',
    "tests/unit/core/fixture.h": "",
    "service/grpc/health/CMakeLists.txt": "muster_proto(muster_health_proto FILES health.proto)\n",
    "service/grpc/health/BUILD.bazel": PROTO,
    "service/grpc/health/health.proto": "service Health {\n",
}

# (what is wrong, file, text, instead, part of the finding)
BREACHES = [
    ("a source only CMake has", "service/core/CMakeLists.txt", "shard.cc", "shard.cc jobs.cc", 'srcs lacks "jobs.cc"'),
    ("a source only Bazel has", "service/core/BUILD.bazel", '["shard.cc"]', '["a.cc", "shard.cc"]', 'srcs has "a.cc"'),
    ("a header", "service/core/BUILD.bazel", 'hdrs = ["shard.h"]', "hdrs = []", 'hdrs lacks "shard.h"'),
    ("a dependency", "service/core/CMakeLists.txt", "fmt::fmt", "absl::hash fmt::fmt", 'lacks "@abseil-cpp//absl/hash"'),
    ("a dependency too many", "service/core/BUILD.bazel", '["@fmt"]', '["@curl", "@fmt"]', 'deps has "@curl"'),
    ("an unknown dependency", "service/core/CMakeLists.txt", "fmt::fmt", "novel::novel", "no translation in EXTERNAL"),
    ("an arrow", "service/core/BUILD.bazel", '["@fmt"]', '["//service/store", "@fmt"]', "must not use service/store"),
    ("more may use it", "service/store/BUILD.bazel", '"//service/app', '"//service/core:__pkg__", "//service/app',
     "the arrows say"),
    ("anyone may use it", "service/core/BUILD.bazel", '    hdrs', '    visibility = ["//visibility:public"],\n    hdrs',
     "who may use it is the folder's matter"),
    ("no visibility", "tests/unit/core/BUILD.bazel", 'package(default_visibility = ["//tests:__subpackages__"])', "",
     "no package(default_visibility"),
    ("a target only CMake has", "service/core/CMakeLists.txt", "muster_core", "muster_novel", "no target 'novel'"),
    ("a target only Bazel has", "service/core/BUILD.bazel", '"core"', '"old"', "'old' is not in service/core/CMakeLists"),
    ("no BUILD.bazel", "service/core/BUILD.bazel", CORE, None, "no target 'core'"),
    ("another kind", "tests/unit/core/BUILD.bazel", "cc_test(", "cc_binary(", "core_test is a cc_binary"),
    ("no suite", "tests/unit/core/BUILD.bazel", 'tags = ["unit"]', "tags = []", 'tags lacks "unit"'),
    ("a test's own header", "tests/unit/core/BUILD.bazel", '        "fixture.h",\n', "", 'srcs lacks "fixture.h"'),
    ("a header that is not there", "tests/unit/core/BUILD.bazel", "fixture.h", "gone.h", 'srcs has "gone.h"'),
    ("a protocol file", "service/grpc/health/CMakeLists.txt", "health.proto)", "a.proto health.proto)", 'lacks "a.proto"'),
    ("no stubs", "service/grpc/health/BUILD.bazel", "health_proto_grpc", "grpc", 'no cc_grpc_stubs(name = "health_proto_grpc")'),
    ("a service without stubs", "service/grpc/health/BUILD.bazel", 'services = ["health.proto"]', "services = []",
     'services lacks "health.proto"'),
    ("a list that is computed", "service/core/BUILD.bazel", 'srcs = ["shard.cc"]', "srcs = glob(['*.cc'])", "literal list"),
    ("a loop", "service/core/BUILD.bazel", "cc_library(", "[x for x in y]\n\ncc_library(", "no loops"),
    ("not Starlark", "service/core/BUILD.bazel", "cc_library(", "cc_library((", "not readable"),
    ("an include without a dependency", "service/core/shard.cc", "service/core/shard.h", "service/store/journal.h",
     "so DEPS needs muster_store"),
    ("an include of another folder's loose header", "service/core/shard.cc", "service/core/shard.h",
     "tests/unit/core/fixture.h", "which is in no library's HEADERS"),
    ("the module's version", "MODULE.bazel", "1.2.3", "1.2.4", "CMakeLists.txt says 1.2.3"),
    ("the programs' version", "bazel/version.bzl", "1.2.3", "1.2.4", "CMakeLists.txt says 1.2.3"),
    ("a module that is not declared", "MODULE.bazel", '"fmt"', '"format"', "no bazel_dep for fmt"),
]


def with_tree(tree, use):
    with tempfile.TemporaryDirectory() as root:
        for path, text in tree.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
                stream.write(text)
        return use(root)


def findings_of(tree):
    return with_tree(tree, lambda root: [f"{path}:{line}: {message}" for path, line, message in drift.check(root)[0]])


def fixed(root):
    drift.fix(root)
    return drift.check(root)[0]


def fixed_text(root, folder):
    drift.fix(root)
    with open(os.path.join(root, folder, "BUILD.bazel"), encoding="utf-8") as stream:
        return stream.read()


class Drift(unittest.TestCase):
    def test_what_agrees_has_no_finding(self):
        self.assertEqual(findings_of(TREE), [])

    def test_each_breach_is_seen(self):
        for what, path, old, new, expected in BREACHES:
            with self.subTest(what):
                tree = dict(TREE)
                self.assertIn(old, tree[path])
                if new is None:
                    del tree[path]
                else:
                    tree[path] = tree[path].replace(old, new)
                found = findings_of(tree)
                self.assertTrue(any(expected in finding for finding in found), f"{expected!r} is not in {found}")

    def test_fix_writes_what_cmake_has(self):
        tree = dict(TREE)
        tree["service/core/BUILD.bazel"] = CORE.replace('srcs = ["shard.cc"],\n    ', "").replace("@fmt", "@curl")
        tree["tests/unit/core/BUILD.bazel"] = TEST.replace("core_test.cc", "old.cc").replace('        "//service/core",\n', "")
        self.assertEqual(len(findings_of(tree)), 6)

        self.assertEqual(with_tree(tree, fixed), [])

    def test_fix_writes_who_may_use_a_folder(self):
        for what, change in (
            ("too many", lambda text: text.replace('"//service/app', '"//service/novel:__pkg__", "//service/app')),
            ("on one line", lambda text: 'package(default_visibility = ["//:__pkg__"])' + text[text.index("])") + 2:]),
            ("beside another", lambda text: "package(\n    features = [\"a\"],\n    default_visibility = [],\n)" + text[text.index("])") + 2:]),
            ("none", lambda text: "package()" + text[text.index("])") + 2:]),
            ("no package", lambda text: text[text.index("])") + 2:]),
        ):
            with self.subTest(what):
                tree = {**TREE, "service/core/BUILD.bazel": change(CORE)}
                self.assertEqual(len(findings_of(tree)), 1)
                self.assertEqual(with_tree(tree, fixed), [])

    def test_fix_writes_the_suite(self):
        tree = {**TREE, "tests/unit/core/BUILD.bazel": TEST.replace('tags = ["unit"]', 'tags = ["manual"]')}
        self.assertEqual(with_tree(tree, fixed), [])
        self.assertIn('tags = ["manual", "unit"]', with_tree(tree, lambda root: fixed_text(root, "tests/unit/core")))

    def test_fix_makes_targets_that_are_missing_and_removes_those_that_cmake_has_no_more(self):
        tree = {
            **TREE,
            "service/core/CMakeLists.txt": TREE["service/core/CMakeLists.txt"].replace("muster_core", "muster_novel")
            + "muster_binary(tool SOURCES tool.cc DEPS muster_novel)\n",
            "service/core/tool.cc": "",
        }
        tree["tests/unit/core/CMakeLists.txt"] = tree["tests/unit/core/CMakeLists.txt"].replace("muster_core", "muster_novel")
        self.assertEqual(with_tree(tree, fixed), [])
        text = with_tree(tree, lambda root: fixed_text(root, "service/core"))
        self.assertIn('cc_library(\n    name = "novel",\n    srcs = ["shard.cc"],\n    hdrs = ["shard.h"],\n    deps = ["@fmt"],\n)', text)
        self.assertIn('cc_binary(\n    name = "tool",\n    srcs = ["tool.cc"],\n    deps = [":novel"],\n)', text)
        self.assertNotIn('name = "core"', text)
        self.assertTrue(text.startswith('load("@rules_cc//cc:cc_binary.bzl", "cc_binary")\nload("@rules_cc//cc:cc_library'), text)

    def test_fix_makes_a_file_that_is_missing(self):
        tree = {path: text for path, text in TREE.items() if path not in ("service/core/BUILD.bazel", "tests/unit/core/BUILD.bazel")}
        self.assertEqual(with_tree(tree, fixed), [])
        text = with_tree(tree, lambda root: fixed_text(root, "tests/unit/core"))
        self.assertEqual(
            text,
            'load("@rules_cc//cc:cc_test.bzl", "cc_test")\n\npackage(default_visibility = ["//tests:__subpackages__"])\n\n'
            'cc_test(\n    name = "core_test",\n    srcs = ["core_test.cc", "fixture.h"],\n    tags = ["unit"],\n'
            '    deps = ["//service/core", "@googletest//:gtest_main"],\n)\n')

    def test_fix_makes_libraries_of_tests_for_tests_alone(self):
        tree = dict(TREE)
        tree["tests/unit/core/CMakeLists.txt"] = tree["tests/unit/core/CMakeLists.txt"].replace(")", " muster_test_core)")
        tree["tests/unit/core/CMakeLists.txt"] += "muster_library(muster_test_core HEADERS fixture.h)\n"
        self.assertEqual(with_tree(tree, fixed), [])
        text = with_tree(tree, lambda root: fixed_text(root, "tests/unit/core"))
        self.assertIn('name = "test_core",\n    testonly = True,\n    hdrs = ["fixture.h"],\n', text)

    def test_fix_keeps_what_it_does_not_know(self):
        tree = {**TREE, "service/core/BUILD.bazel": CORE.replace("    deps", '    local_defines = ["A"],\n    deps').replace("@fmt", "@curl")}
        self.assertEqual(with_tree(tree, fixed), [])
        self.assertIn('local_defines = ["A"]', with_tree(tree, lambda root: fixed_text(root, "service/core")))

    def test_fix_says_what_it_cannot_know(self):
        tree = {**TREE, "service/core/CMakeLists.txt": TREE["service/core/CMakeLists.txt"].replace("muster_core", "muster_novel")
                + "target_compile_definitions(muster_novel PRIVATE A=1)\n"}
        tree["tests/unit/core/CMakeLists.txt"] = tree["tests/unit/core/CMakeLists.txt"].replace("muster_core", "novel::novel")
        said = with_tree(tree, drift.fix)
        self.assertTrue(any("novel is new; CMake gives its folder definitions" in line for line in said), said)
        self.assertTrue(any("no translation in EXTERNAL" in line for line in said), said)

    def test_labels_have_one_full_and_one_short_form(self):
        for short, package, full in (
            (":core", "service/core", "//service/core:core"),
            ("//service/core", "tests", "//service/core:core"),
            ("//service/grpc:admin", "tests", "//service/grpc:admin"),
            ("@fmt", "tests", "@fmt//:fmt"),
            ("@grpc//:grpc++", "tests", "@grpc//:grpc++"),
            ("@abseil-cpp//absl/hash", "tests", "@abseil-cpp//absl/hash:hash"),
        ):
            with self.subTest(short):
                self.assertEqual(targets.label(short, package), full)
                self.assertEqual(targets.shortened(full, package), short)

    def test_each_exception_has_a_reason(self):
        self.assertTrue(all(drift.ONLY_CMAKE.values()))


if __name__ == "__main__":
    outcome = unittest.main(exit=False).result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{max(outcome.testsRun - bad, 0)} passed, {bad} failed, {len(outcome.skipped)} skipped")
    sys.exit(0 if outcome.wasSuccessful() else 1)
