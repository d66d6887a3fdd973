#!/usr/bin/env python3
"""Holds each BUILD.bazel against the CMakeLists.txt beside it, and its visibility against the arrows of the design.

usage: drift.py [--fix] [ROOT]

Both builds must have the same libraries, programs and tests, of the same sources, headers and dependencies: what one
has and the other lacks is a finding, `file:line: what is wrong and what to write`. Who may use a folder is derived from
the arrows of tests/tidy/tidy.py. Exits 1 on a finding. Names: muster_core of CMake is :core in service/core; the table
EXTERNAL translates what comes from elsewhere. Exceptions stand in ONLY_CMAKE, with their reason, and nowhere else.

--fix first writes what CMake has, and buildifier then lays it out: srcs, hdrs, deps and suites; libraries, programs and tests
that are missing, whole files too; default_visibility from the arrows. It removes what CMake has no more. What it cannot
know it says: definitions that CMake gives a new target.
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
    """A target of CMake as Bazel should have it; `loose` are headers that CMake need not name and Bazel must."""

    def __init__(self, folder, target, places, loose=()):
        self.folder, self.target, self.name = folder, target, bazel_name(target.name)
        self.srcs = sorted({*target.lists.get("SOURCES", []), *loose})
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


def loose_headers(folder, declared, target, read, paths):
    """Headers of its own folder that a target of tests/ includes, directly or not, and no library of the folder has."""
    if not folder.startswith("tests/"):
        return set()
    public = {header for one in declared for header in one.lists.get("HEADERS", [])}
    found, todo = set(), [*target.lists.get("SOURCES", []), *target.lists.get("HEADERS", [])]
    while todo:
        for included in INCLUDE.findall(read(f"{folder}/{todo.pop()}")):
            name = included.removeprefix(folder + "/")
            if name != included and included in paths and name not in public | found:
                found.add(name)
                todo.append(name)
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
NESTED = {"app", "functions"}


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
            expected = Expected(folder, target, places, loose_headers(folder, cmake, target, read, paths))
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

def literal(value):
    return repr(value).replace("'", '"')


def attributes_of(folder, expected):
    """{attribute: value} of a target as Bazel should have it; those that are empty left out."""
    suite = expected.target.text.get("SUITE")
    public = any(header.startswith("include/") for header in expected.hdrs)
    wanted = {
        "name": expected.name, "srcs": expected.srcs, "hdrs": expected.hdrs,
        "includes": ["include"] if public else [], "tags": [suite] if suite else [],
        "deps": sorted(shortened(name, folder) for name in expected.deps),
    }
    return {name: value for name, value in wanted.items() if value}


def new_target(folder, expected):
    kind = RULES[expected.target.kind][0]
    lines = [f"    {name} = {literal(value)},\n" for name, value in attributes_of(folder, expected).items()]
    if folder.startswith("tests/") and kind != "cc_test":
        lines.insert(1, "    testonly = True,\n")
    return f"\n{kind}(\n{''.join(lines)})\n"


def mended_lists(folder, expected, found, paths, lines):
    """Writes srcs, hdrs, deps and the suite of one target into the lines of its file."""
    wanted = attributes_of(folder, expected)
    kept = set(found.lists.get("srcs", [])) - set(sources_of(folder, expected, found, paths))
    lists = {"srcs": sorted({*expected.srcs, *kept}), "hdrs": expected.hdrs, "deps": wanted.get("deps", [])}
    tags = found.lists.get("tags", [])
    if set(wanted.get("tags", [])) - set(tags):
        lists["tags"] = sorted({*tags, *wanted["tags"]})
    # From the end of the target to its beginning, so that positions stay what they are.
    spans = sorted(((found.spans[name], name) for name in lists if name in found.spans), reverse=True)
    for (first, last), name in spans:
        lines[first - 1:last] = [f"    {name} = {literal(lists[name])},\n"] if lists[name] else []
    for name, value in lists.items():
        if value and name not in found.spans:
            lines.insert(found.line, f"    {name} = {literal(value)},\n")


def mended_visibility(folder, package, lines):
    wanted = f"default_visibility = {literal(visibility_of(folder))}"
    if set(package.spans) <= {"default_visibility"}:
        lines[package.line - 1:package.last] = [f"package({wanted})\n"]
        return
    if "default_visibility" in package.spans:
        first, last = package.spans["default_visibility"]
        del lines[first - 1:last]
    lines.insert(package.line, f"    {wanted},\n")


def mended_loads(text):
    """The load() of each cc_ rule that is used, and of no other; package() if there is none comes behind."""
    for rule in COMPARED:
        line = f'load("@rules_cc//cc:{rule}.bzl", "{rule}")\n'
        used = re.search(rf"^{rule}\(", text, re.MULTILINE)
        loaded = re.search(rf'^load\("@rules_cc[^"]*", "{rule}"\)\n', text, re.MULTILINE)
        if used and not loaded:
            text = line + text
        elif loaded and not used:
            text = text.replace(loaded[0], "", 1)
    return text


def mended(folder, cmake, places, read, paths, text):
    """The text of a BUILD.bazel as CMake and the arrows have it, and what is to be said of it."""
    said = []
    wanted = {}
    for target in cmake:
        if target.kind in RULES:
            try:
                expected = Expected(folder, target, places, loose_headers(folder, cmake, target, read, paths))
            except Unreadable as error:
                said.append(f"{folder}/CMakeLists.txt:{error.args[0]}: {error.args[1]}")
                continue
            wanted[expected.name] = expected
    unknown = {bazel_name(target.name) for target in cmake} - set(wanted)
    lines = text.splitlines(keepends=True)
    declared = targets.bazel_targets(text)
    for found in reversed(declared):
        if found.kind == "package":
            mended_visibility(folder, found, lines)
        elif found.kind in COMPARED and found.name in wanted and found.kind in RULES[wanted[found.name].target.kind]:
            mended_lists(folder, wanted[found.name], found, paths, lines)
        elif found.kind in COMPARED and found.name not in unknown:
            del lines[found.line - 1:found.last]
    text = "".join(lines)
    there = {target.name for target in targets.bazel_targets(text)}
    for name, expected in wanted.items():
        if name not in there:
            text += new_target(folder, expected)
            definitions = rf"(target_compile_definitions|set_source_files_properties)\(\s*({expected.target.name}|[\w./]+\.cc)\b"
            if re.search(definitions, read(f"{folder}/CMakeLists.txt")):
                said.append(f"{folder}/BUILD.bazel: {name} is new; CMake gives its folder definitions: does it need local_defines?")
    if not any(target.kind == "package" for target in declared):
        package = f"\npackage(default_visibility = {literal(visibility_of(folder))})\n"
        loads = [match.end() for match in re.finditer(r"^load\([^)]*\)\n", text, re.MULTILINE)]
        at = loads[-1] if loads else 0
        text = text[:at] + package + text[at:]
    return mended_loads(text), said


def fix(root):
    """Writes what can be mended; returns what is to be said."""
    paths, read, folders, places = project_of(root)
    said = []
    for folder, cmake in folders.items():
        path = f"{folder}/BUILD.bazel"
        text = read(path)
        try:
            new, more = mended(folder, cmake, places, read, set(paths), text)
        except Unreadable:
            continue  # check() says what is wrong
        said += more
        if new != text:
            with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
                stream.write(new)
    return said


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
        for line in fix(root):
            print(line)
    findings, count = check(root)
    for path, line, message in findings:
        print(f"{path}:{line}: {message}")
    print(f"drift: {count} targets of CMake, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
