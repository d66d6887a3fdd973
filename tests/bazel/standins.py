#!/usr/bin/env python3
"""Writes modules that stand in for those of the Bazel Central Registry, made of what this system has installed.

usage: standins.py [--workspace PROJECT] FOLDER

FOLDER gets one module for each bazel_dep of MODULE.bazel that is a library (grpc, protobuf, abseil-cpp ...), with the
targets that the BUILD.bazel files of this project name, and a file standins.bazelrc that puts them in the place of the
registry's. Headers are those of /usr/include, libraries are asked of pkg-config, protoc and grpc_cpp_plugin are copied
from /usr/bin. So the checked-in MODULE.bazel is what a user has, and it builds without any network.

With --workspace all this is made for a Bazel that knows no modules, Debian 12's 4.2: FOLDER/project gets links to what
is in PROJECT, and a WORKSPACE that names the stand-ins, with rules_cc and bazel_skylib among them. That is enough to
load and analyse every target.
"""

import argparse
import os
import shutil
import subprocess
import sys

# {module: {label in it: packages of pkg-config, or plain -l flags; none: headers only}}
LIBRARIES = {
    "abseil-cpp": {
        "absl/container:flat_hash_map": ["absl_flat_hash_map"],
        "absl/container:flat_hash_set": ["absl_flat_hash_set"],
        "absl/hash:hash": ["absl_hash"],
        "absl/status:status": ["absl_status", "absl_cord"],
        "absl/status:statusor": ["absl_statusor", "absl_cord"],
        "absl/strings:strings": ["absl_strings", "absl_cord"],
        "absl/synchronization:synchronization": ["absl_synchronization"],
    },
    "boost.asio": {":boost.asio": []},
    "boost.beast": {":boost.beast": []},
    "boringssl": {":crypto": ["libcrypto"]},
    "cli11": {":cli11": []},
    "curl": {":curl": ["libcurl"]},
    "fmt": {":fmt": ["fmt"]},
    "googletest": {":gtest": ["gmock", "gtest"], ":gtest_main": ["gtest_main", "gmock", "gtest"]},
    "grpc": {":grpc++": ["grpc++"], ":grpc++_reflection": ["-lgrpc++_reflection", "grpc++", "protobuf"]},
    "nlohmann_json": {":json": []},
    "prometheus-cpp": {"core:core": ["prometheus-cpp-core"]},
    "protobuf": {":protobuf": ["protobuf"]},
    "rocksdb": {":rocksdb": ["rocksdb"]},
    "spdlog": {":spdlog": ["spdlog"]},
    "yaml-cpp": {":yaml-cpp": ["yaml-cpp"]},
    # What Bazel's own tools name, and a build of C++ does not use.
    "apple_support": {},
    "buildozer": {},
    "zlib": {},
}

HEAD = """load("@rules_cc//cc:cc_library.bzl", "cc_library")

package(default_visibility = ["//visibility:public"])
"""

COPIED_PROGRAM = """
genrule(
    name = "{name}_copy",
    outs = ["bin/{name}"],
    cmd = "cp /usr/bin/{name} $@",
    executable = True,
    tags = ["no-sandbox"],
)

alias(
    name = "{name}",
    actual = ":{name}_copy",
)
"""

COPIED_PROTO = """
genrule(
    name = "{name}_copy",
    outs = ["google/protobuf/{name}.proto"],
    cmd = "cp /usr/include/google/protobuf/{name}.proto $@",
    tags = ["no-sandbox"],
)

proto_library(
    name = "{name}_proto",
    srcs = ["google/protobuf/{name}.proto"],
    strip_import_prefix = "",
)
"""
KNOWN_PROTOS = ["any", "duration", "empty", "struct", "timestamp"]

# The C++ of the well-known types is in libprotobuf.
CC_TOOLCHAIN = """
proto_lang_toolchain(
    name = "cc_toolchain",
    blacklisted_protos = [%s],
    command_line = "--cpp_out=$(OUT)",
    runtime = ":protobuf",
)
"""

# What the registry's module of that name lets a user choose. Debian's RocksDB has LZ4, so a build that does not ask for
# it would get one that the registry's would not be: it is refused.
WITH_LZ4 = """
load("@bazel_skylib//rules:common_settings.bzl", "bool_flag")

bool_flag(
    name = "with_lz4",
    build_setting_default = False,
)

config_setting(
    name = "lz4",
    flag_values = {":with_lz4": "True"},
)
"""

# Bazel 7 has these rules itself; the registry's protobuf declares them in files of these names.
PROTOBUF_RULES = {
    "bazel/BUILD.bazel": "",
    "bazel/proto_library.bzl": "proto_library = native.proto_library\n",
    "bazel/cc_proto_library.bzl": "cc_proto_library = native.cc_proto_library\n",
    "bazel/common/BUILD.bazel": "",
    "bazel/common/native.bzl": "NativeProtoInfo = ProtoInfo\n",
    "bazel/common/proto_info.bzl": 'load(":native.bzl", "NativeProtoInfo")\n\nProtoInfo = NativeProtoInfo\n',
}

def native_rules(folder, *names):
    """A rule set whose rules are the ones that an old Bazel has itself: defs.bzl, and a file for each."""
    each = {name: f"{name} = native.{name}\n" for name in names}
    return {"BUILD.bazel": "", f"{folder}/BUILD.bazel": "", f"{folder}/defs.bzl": "".join(each.values())} | {
        f"{folder}/{name}.bzl": text for name, text in each.items()}


# For a Bazel without modules: the parts of the rule sets that this project loads.
OLD_RULES = {
    "rules_cc": native_rules("cc", "cc_binary", "cc_import", "cc_library", "cc_proto_library", "cc_test", "cc_toolchain",
                             "cc_toolchain_suite"),
    # Its own tools load these when they look for toolchains.
    "rules_java": native_rules("java", "java_binary", "java_import", "java_library", "java_runtime", "java_toolchain"),
    "rules_proto": native_rules("proto", "proto_library"),
    # Every test names it; nothing here runs it.
    "remote_coverage_tools": {"coverage_report_generator.sh": "exit 1\n", "BUILD.bazel": """
filegroup(
    name = "coverage_report_generator",
    srcs = ["coverage_report_generator.sh"],
    visibility = ["//visibility:public"],
)
"""},
    "bazel_skylib": {"BUILD.bazel": "", "rules/BUILD.bazel": "", "rules/common_settings.bzl": """
def _string_flag_impl(ctx):
    return [platform_common.TemplateVariableInfo({ctx.attr.make_variable: ctx.build_setting_value})]

string_flag = rule(
    implementation = _string_flag_impl,
    build_setting = config.string(flag = True),
    attrs = {"make_variable": attr.string()},
)

def _bool_flag_impl(ctx):
    return []

bool_flag = rule(implementation = _bool_flag_impl, build_setting = config.bool(flag = True))
"""},
}

ONLY_WITH_LZ4 = """    deps = select({":lz4": []}, no_match_error = "no LZ4: .bazelrc says --//:lz4"),
"""

OPTIONS = """# A registry with nothing in it: what no module stands in for is an error, not a download.
common --registry=file://{registry}
# By the names that Bazel 7 gives modules: they hold also where a project does not name protobuf itself.
common --proto_compiler=@@protobuf~//:protoc
common --proto_toolchain_for_cc=@@protobuf~//:cc_toolchain
# This Bazel is older than the one that MODULE.bazel asks for.
common --check_direct_dependencies=off
common --check_bazel_compatibility=warning
common --lockfile_mode=off
# As in Bazel 8: modules alone.
common --noenable_workspace
"""


def flags_of(packages):
    """(link flags, defines) of packages, as pkg-config tells. Flags that start with -l are taken as they are."""
    links, defines = [], []
    for package in packages:
        words = [package]
        if not package.startswith("-l"):
            try:
                words = subprocess.run(["pkg-config", "--cflags", "--libs", package], capture_output=True, text=True,
                                       check=True).stdout.split()
            except subprocess.CalledProcessError as error:
                sys.exit(f"standins.py: pkg-config knows no '{package}': {error.stderr.strip()}")
        links += [word for word in words if word.startswith(("-l", "-pthread", "-Wl,"))]
        defines += [word[2:] for word in words if word.startswith("-D") and word != "-DNOMINMAX"]
    return links, defines


def cc_library(name, packages, more=""):
    links, defines = flags_of(packages)
    return (f'\ncc_library(\n    name = "{name}",\n    defines = {list(dict.fromkeys(defines))!r},\n'
            f"    linkopts = {links!r},\n{more})\n").replace("'", '"')


def module_files(module):
    """{path in the module: contents}"""
    deps = ["rules_cc"] + (["bazel_skylib"] if module == "rocksdb" else [])
    files = {"MODULE.bazel": f'module(name = "{module}")\n' + "".join(f'bazel_dep(name = "{name}")\n' for name in deps)}
    for label, packages in LIBRARIES[module].items():
        folder, name = label.split(":")
        path = os.path.join(folder, "BUILD.bazel")
        files[path] = files.get(path, HEAD) + cc_library(name, packages, ONLY_WITH_LZ4 if module == "rocksdb" else "")
    if module == "protobuf":
        files.update(PROTOBUF_RULES)
        files["BUILD.bazel"] += COPIED_PROGRAM.format(name="protoc")
        for name in KNOWN_PROTOS:
            files["BUILD.bazel"] += COPIED_PROTO.format(name=name)
        files["BUILD.bazel"] += CC_TOOLCHAIN % ", ".join(f'":{name}_proto"' for name in KNOWN_PROTOS)
    if module == "grpc":
        files["src/compiler/BUILD.bazel"] = HEAD + COPIED_PROGRAM.format(name="grpc_cpp_plugin")
    if module == "rocksdb":
        files["BUILD.bazel"] += WITH_LZ4
    return files


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def write_modules(root):
    options = OPTIONS.format(registry=os.path.join(root, "registry"))
    os.makedirs(os.path.join(root, "registry"))
    for module in LIBRARIES:
        for path, text in module_files(module).items():
            write(os.path.join(root, module, path), text)
        options += f"common --override_module={module}={os.path.join(root, module)}\n"
    write(os.path.join(root, "standins.bazelrc"), options)


def write_workspace(root, project):
    workspace = 'workspace(name = "muster")\n'
    for module in [*LIBRARIES, *OLD_RULES]:
        folder = os.path.join(root, module)
        for path, text in (OLD_RULES.get(module) or module_files(module)).items():
            write(os.path.join(folder, path), text)
        write(os.path.join(folder, "WORKSPACE"), "")
        workspace += f'\nlocal_repository(\n    name = "{module}",\n    path = "{folder}",\n)\n'
    write(os.path.join(root, "project", "WORKSPACE"), workspace)
    for name in ("BUILD.bazel", "LICENSE", "bazel", "client", "docs", "proto", "service", "tests"):
        os.symlink(os.path.join(project, name), os.path.join(root, "project", name))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", metavar="PROJECT", help="for a Bazel without modules")
    parser.add_argument("folder", metavar="FOLDER")
    arguments = parser.parse_args()
    root = os.path.abspath(arguments.folder)
    shutil.rmtree(root, ignore_errors=True)
    if arguments.workspace:
        write_workspace(root, os.path.abspath(arguments.workspace))
    else:
        write_modules(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
