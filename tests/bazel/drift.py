#!/usr/bin/env python3
"""Holds each BUILD.bazel against the CMakeLists.txt beside it, and its visibility against the arrows of the design.

usage: drift.py [--fix] [ROOT]

Both builds must have the same libraries, programs and tests, of the same sources, headers and dependencies: what one
has and the other lacks is a finding, `file:line: what is wrong and what to write`. Who may use a folder is derived from
the arrows of tests/tidy/tidy.py. Exits 1 on a finding. --fix
first writes srcs, hdrs and deps of the targets that both have as CMake has them (buildifier then lays them out). Names: muster_core of CMake is :core in service/core; the table
EXTERNAL translates what comes from elsewhere. Exceptions stand in ONLY_CMAKE, with their reason, and nowhere else.
"""

import argparse
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tidy")]
import targets
import tidy
from targets import Unreadable, label, shortened

# What CMake finds on the system, and where Bazel has it. An empty list: comes with the compiler.
EXTERNAL = {
    "absl::flat_hash_map": ["@abseil-cpp//absl/container:flat_hash_map"],
    "absl::flat_hash_set": ["@abseil-cpp//absl/container:flat_hash_set"],
    "absl::hash": ["@abseil-cpp//absl/hash"],
    "absl::status": ["@abseil-cpp//absl/status"],
    "absl::statusor": ["@abseil-cpp//absl/status:statusor"],
    "absl::strings": ["@abseil-cpp//absl/strings"],
    "absl::synchronization": ["@abseil-cpp//absl/synchronization"],
    "Boost::headers": ["@boost.asio", "@boost.beast"],
    "CLI11::CLI11": ["@cli11"],
    "CURL::libcurl": ["@curl"],
    "fmt::fmt": ["@fmt"],
    "gRPC::grpc++": ["@grpc//:grpc++"],
    "gRPC::grpc++_reflection": ["@grpc//:grpc++_reflection"],
    "GTest::gmock": ["@googletest//:gtest"],
    "GTest::gtest": ["@googletest//:gtest"],
    "GTest::gtest_main": ["@googletest//:gtest_main"],
    "nlohmann_json::nlohmann_json": ["@nlohmann_json//:json"],
    "OpenSSL::Crypto": ["@boringssl//:crypto"],
    "prometheus-cpp::core": ["@prometheus-cpp//core"],
    "protobuf::libprotobuf": ["@protobuf"],
    "RocksDB::rocksdb-shared": ["@rocksdb"],
    "spdlog::spdlog": ["@spdlog"],
    "Threads::Threads": [],
    "yaml-cpp": ["@yaml-cpp"],
}

# What only CMake builds: folders, and targets by name.
ONLY_CMAKE = {
    "tests/bench/peers": "links gearman and hiredis of the system, which the registry does not have",
    "bench_malloc_count": "a module that is preloaded, for a script that CMake's build runs",
}

# Folders that other projects may use, through the aliases of the BUILD.bazel at the top.
EXPORTED = ["client/cli", "client/cpp", "proto", "service/app", "service/jobs"]

RULES = {"muster_library": ("cc_library",), "muster_binary": ("cc_binary", "cc_test"), "muster_test": ("cc_test",)}
COMPARED = ("cc_library", "cc_binary", "cc_test")


# ---------------------------------------------------------------------------------------------------------------------
# What CMake says

def bazel_name(cmake_name):
    return cmake_name.removeprefix("muster_")


def is_only_cmake(folder, name):
    return folder in ONLY_CMAKE or name in ONLY_CMAKE


class Expected:
    """A target of CMake as Bazel should have it."""

    def __init__(self, folder, target, places):
        self.folder, self.target, self.name = folder, target, bazel_name(target.name)
        self.srcs = sorted(target.lists.get("SOURCES", []))
        self.hdrs = sorted(target.lists.get("HEADERS", []))
        needs = list(target.lists.get("DEPS", []))
        if target.kind == "muster_test":
            needs += ["GTest::gmock", "GTest::gtest_main"]
        deps = set()
        for need in needs:
            if need in places:
                deps.add(f"//{places[need]}:{bazel_name(need)}")
            elif need in EXTERNAL:
                deps.update(label(name, folder) for name in EXTERNAL[need])
            else:
                raise Unreadable(target.line, f"{target.name}: '{need}' has no translation in EXTERNAL of drift.py")
        # gtest_main brings gtest along; naming both says nothing.
        if label("@googletest//:gtest_main", folder) in deps:
            deps.discard(label("@googletest//:gtest", folder))
        self.deps = deps


def cmake_folders(read, paths):
    """{folder: its targets}, of all folders that declare one."""
    found = {}
    for path in sorted(paths):
        folder, name = os.path.split(path)
        if name == "CMakeLists.txt" and folder.split("/")[0] in ("proto", "service", "client", "tests"):
            declared = targets.cmake_targets(read(path))
            if declared and folder not in ONLY_CMAKE:
                found[folder] = [target for target in declared if target.name not in ONLY_CMAKE]
    return found


def places_of(folders):
    """{name in CMake: folder}. muster_proto makes two, of which the second has the stubs."""
    places = {}
    for folder, declared in folders.items():
        for target in declared:
            places[target.name] = folder
            if target.kind == "muster_proto":
                places[target.name + "_grpc"] = folder
    return places


# ---------------------------------------------------------------------------------------------------------------------
# Who may use a folder

# Folders of service/ whose own folders are libraries too, and may use what the folder may.
NESTED = {"functions"}


def visibility_of(folder):
    """The default_visibility that a folder's BUILD.bazel must have, by the arrows; None: not checked."""
    parts = folder.split("/")
    tests = "//tests:__subpackages__"
    allowed = {tests}
    if parts[0] == "tests":
        return [tests]
    if folder == "proto":  # generated messages stay at the edge: the rule `grpc` of tidy.py
        allowed |= {"//client/cli:__pkg__", "//client/cpp:__pkg__", "//service/grpc:__subpackages__", "//service/wire:__pkg__", "//service/verbs:__pkg__", "//service/app:__pkg__"}
    elif folder == "client/cpp":
        allowed.add("//client/cli:__pkg__")
    elif parts[0] == "service" and len(parts) == 2:
        own = parts[1]
        for user, may_use in tidy.ARROWS.items():
            if user == own and own in NESTED:
                allowed.add(f"//service/{own}:__subpackages__")
            elif user != own and (own in may_use or own == "metrics" and user not in tidy.NO_METRICS):
                allowed.add(f"//service/{user}:{'__subpackages__' if user in NESTED else '__pkg__'}")
        if own in tidy.CLIENT_MAY_USE:
            allowed.add("//client/cpp:__pkg__")
        if own in tidy.COMMAND_MAY_USE:
            allowed.add("//client/cli:__pkg__")
    elif parts[0] == "service":
        allowed.add(f"//service/{parts[1]}:__pkg__")
    if folder in EXPORTED:
        allowed.add("//:__pkg__")
    return sorted(allowed)


def may_use(user, visibility):
    """Whether a package may use what has this visibility, as Bazel decides it."""
    for entry in visibility:
        package, _, form = entry.removeprefix("//").partition(":")
        if entry == "//visibility:public" or form == "__pkg__" and user == package:
            return True
        if form == "__subpackages__" and (user == package or user.startswith(package + "/")):
            return True
    return False


# ---------------------------------------------------------------------------------------------------------------------
# The comparison. Findings are (path, line, message).

def missing(path, line, name, attribute, wanted, found):
    for entry in sorted(set(wanted) - set(found)):
        yield path, line, f"{name}: {attribute} lacks \"{entry}\", which CMake has"
    for entry in sorted(set(found) - set(wanted)):
        yield path, line, f"{name}: {attribute} has \"{entry}\", which CMake has not"


def sources_of(folder, expected, found, paths):
    """The srcs of Bazel, without the headers of a test that CMake need not name and Bazel must."""
    return [name for name in found.lists.get("srcs", []) if name in expected.srcs or not (
        folder.startswith("tests/") and name.endswith(".h") and f"{folder}/{name}" in paths)]


def compare_target(path, folder, expected, found, paths):
    cmake = expected.target
    if found.kind not in RULES[cmake.kind]:
        yield path, found.line, f"{found.name} is a {found.kind}; {cmake.kind} is {' or '.join(RULES[cmake.kind])} here"
    yield from missing(path, found.line, found.name, "srcs", expected.srcs,
                       sources_of(folder, expected, found, paths))
    yield from missing(path, found.line, found.name, "hdrs", expected.hdrs, found.lists.get("hdrs", []))
    deps = [label(name, folder) for name in found.lists.get("deps", [])]
    short = lambda names: [shortened(name, folder) for name in names]
    yield from missing(path, found.line, found.name, "deps", short(expected.deps), short(deps))
    suite = cmake.text.get("SUITE")
    if suite and suite not in found.lists.get("tags", []):
        yield path, found.line, f"{found.name}: tags lacks \"{suite}\", its suite"


def compare_proto(path, folder, cmake, declared, read):
    """muster_proto is a proto_library NAME_files, a cc_proto_library NAME and the stubs NAME_grpc."""
    by_name = {target.name: target for target in declared}
    name = bazel_name(cmake.name)
    files = sorted(cmake.lists.get("FILES", []))
    served = [file for file in files if re.search(r"^service ", read(f"{folder}/{file}"), re.MULTILINE)]
    for kind, wanted_name, attribute, wanted in (
        ("proto_library", f"{name}_files", "srcs", files),
        ("cc_proto_library", name, "deps", [f":{name}_files"]),
        ("cc_grpc_stubs", f"{name}_grpc", "services", served),
    ):
        found = by_name.get(wanted_name)
        if found is None or found.kind != kind:
            yield path, 1, f"no {kind}(name = \"{wanted_name}\"), for {cmake.name} of CMake"
        else:
            yield from missing(path, found.line, wanted_name, attribute, wanted, found.lists.get(attribute, []))


def compare_folder(folder, cmake, places, read, paths):
    path = f"{folder}/BUILD.bazel"
    try:
        declared = targets.bazel_targets(read(path))
    except Unreadable as error:
        yield path, *error.args
        return
    by_name = {target.name: target for target in declared if target.kind in COMPARED}
    for target in cmake:
        if target.kind == "muster_proto":
            yield from compare_proto(path, folder, target, declared, read)
            continue
        try:
            expected = Expected(folder, target, places)
        except Unreadable as error:
            yield f"{folder}/CMakeLists.txt", *error.args
            continue
        found = by_name.pop(expected.name, None)
        if found is None:
            yield path, 1, f"no target '{expected.name}', for {target.name} of CMake"
        else:
            yield from compare_target(path, folder, expected, found, paths)
    for name, target in by_name.items():
        yield path, target.line, f"target '{name}' is not in {folder}/CMakeLists.txt"

    wanted = visibility_of(folder)
    packages = [target for target in declared if target.kind == "package"]
    if not packages:
        yield path, 1, f"no package(default_visibility = {wanted})"
    for package in packages:
        given = sorted(package.lists.get("default_visibility", []))
        if given != wanted:
            yield path, package.line, f"default_visibility is {given}; the arrows say {wanted}"
    for target in declared:
        if target.lists.get("visibility", wanted) != wanted:
            yield path, target.line, f"{target.name}: who may use it is the folder's matter (default_visibility)"
        for name in target.lists.get("deps", []):
            full = label(name, folder)
            used = full.removeprefix("//").split(":")[0]
            if full.startswith("//") and used != folder and not may_use(folder, visibility_of(used) or []):
                yield path, target.line, f"{target.name}: {folder} must not use {used}"


# Written from the root, or for users: "muster/client.h" is include/muster/client.h of its library.
INCLUDE = re.compile(r'^#include "((?:service|client|tests|muster(?!/v1/))/[^"]+)"', re.MULTILINE)


def undeclared_includes(folders, read):
    """A header of another library needs that library among the dependencies; CMake does not see to that."""
    owners, needs = {}, {}
    for folder, declared in folders.items():
        for target in declared:
            needs[target.name] = target.lists.get("DEPS", [])
            for header in target.lists.get("HEADERS", []):
                owners[header[len("include/"):] if header.startswith("include/muster/") else f"{folder}/{header}"] = target.name

    def reach(name, seen):
        if name not in seen:
            seen.add(name)
            for need in needs.get(name, []):
                reach(need, seen)
        return seen

    for folder, declared in folders.items():
        for target in declared:
            reached = reach(target.name, set())
            for file in target.lists.get("SOURCES", []) + target.lists.get("HEADERS", []):
                for included in INCLUDE.findall(read(f"{folder}/{file}")):
                    owner = owners.get(included)
                    if not owner and os.path.dirname(included) != folder and not included.startswith(folder + "/"):
                        yield (f"{folder}/CMakeLists.txt", target.line,
                               f"{target.name}: {file} includes {included}, which is in no library's HEADERS")
                    if owner and owner not in reached:
                        yield (f"{folder}/CMakeLists.txt", target.line,
                               f"{target.name}: {file} includes {included}, so DEPS needs {owner}")


# ---------------------------------------------------------------------------------------------------------------------
# Mending

def mended(folder, cmake, places, paths, text):
    """The text of a BUILD.bazel with srcs, hdrs and deps as CMake has them, for targets that are in both."""
    lines = text.splitlines(keepends=True)
    wanted = {bazel_name(target.name): Expected(folder, target, places) for target in cmake if target.kind in RULES}
    for found in reversed(targets.bazel_targets(text)):
        expected = wanted.get(found.name)
        if expected is None or found.kind not in COMPARED:
            continue
        kept = set(found.lists.get("srcs", [])) - set(sources_of(folder, expected, found, paths))
        lists = {"deps": sorted(shortened(name, folder) for name in expected.deps), "hdrs": expected.hdrs,
                 "srcs": sorted({*expected.srcs, *kept})}
        # From the end of the target to its beginning, so that positions stay what they are.
        spans = sorted(((found.spans[name], name) for name in lists if name in found.spans), reverse=True)
        for (first, last), name in spans:
            new = [f"    {name} = {lists[name]!r},\n".replace("'", '"')] if lists[name] else []
            lines[first - 1:last] = new
        for name, value in lists.items():
            if value and name not in found.spans:
                lines.insert(found.line, f"    {name} = {value!r},\n".replace("'", '"'))
    return "".join(lines)


def fix(root):
    paths, read, folders, places = project_of(root)
    for folder, cmake in folders.items():
        path = f"{folder}/BUILD.bazel"
        text = read(path)
        try:
            new = mended(folder, cmake, places, set(paths), text)
        except Unreadable:
            continue  # check() says what is wrong
        if new != text:
            with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
                stream.write(new)


def compare_versions(read):
    """One version: CMake's, the module's, and what the programs print."""
    version = re.search(r"^project\(muster VERSION (\S+)", read("CMakeLists.txt"), re.MULTILINE)[1]
    for path, pattern in (
        ("MODULE.bazel", r'^module\(\s*name = "muster",\s*version = "([^"]*)"'),
        ("bazel/version.bzl", r'^VERSION = "([^"]*)"'),
    ):
        found = re.search(pattern, read(path), re.MULTILINE)
        if not found or found[1] != version:
            yield path, 1, f"the version is {found[1] if found else 'missing'}; CMakeLists.txt says {version}"


def compare_rule_tables(read):
    """Every external repository that a BUILD.bazel names is a bazel_dep."""
    declared = set(re.findall(r'^bazel_dep\(\s*name = "([^"]+)"', read("MODULE.bazel"), re.MULTILINE))
    for names in EXTERNAL.values():
        for name in names:
            repository = name.split("//")[0].lstrip("@")
            if repository not in declared:
                yield "MODULE.bazel", 1, f"no bazel_dep for {repository}"


def project_of(root):
    """(all paths, how to read one, CMake's targets by folder, the folder of each)"""
    paths = tidy.project_files(root)

    def read(path):
        try:
            with open(os.path.join(root, path), encoding="utf-8") as stream:
                return stream.read()
        except FileNotFoundError:
            return ""

    folders = cmake_folders(read, paths)
    return paths, read, folders, places_of(folders)


def check(root):
    """All findings below a folder, sorted, and the number of targets."""
    paths, read, folders, places = project_of(root)
    findings = list(compare_versions(read)) + list(compare_rule_tables(read)) + list(undeclared_includes(folders, read))
    for folder, cmake in folders.items():
        findings += compare_folder(folder, cmake, places, read, set(paths))
    return sorted(findings), sum(len(cmake) for cmake in folders.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fix", action="store_true")
    parser.add_argument("root", metavar="ROOT", nargs="?", default=os.path.join(HERE, "..", ".."))
    arguments = parser.parse_args()
    root = os.path.abspath(arguments.root)
    if arguments.fix:
        fix(root)
    findings, count = check(root)
    for path, line, message in findings:
        print(f"{path}:{line}: {message}")
    print(f"drift: {count} targets of CMake, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
