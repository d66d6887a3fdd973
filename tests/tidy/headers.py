#!/usr/bin/env python3
"""Compiles headers of the project by themselves, without precompiled headers, and remembers which passed.

usage: headers.py --build FOLDER --cache FOLDER [--jobs N] [--changed FILE]... [ROOT]

A header must include what it needs: whoever includes it first must not have to know more. The build cannot tell, since
its precompiled headers bring half of the standard library along (cmake/MusterPrecompiled.cmake). So each header is
read by the compiler alone (-fsyntax-only), with the options of a source near it. With --changed only those that are
named, and those that include one of them, directly or not. A pass is remembered by the contents of all headers of the project that
were read. Prints what the compiler says, then one line that counts headers; exits 1 on a finding.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy

FOLDERS = ("service/", "client/", "tests/")
# What a project that is no part of the build would compile.
NOT_BUILT = ("tests/bazel/consumer/", "tests/install/consumer/", "tests/bench/peers/")
# Options of a compile command that have no say in whether a header is complete.
DROPPED = re.compile(r"^(-Winvalid-pch|-fpch-preprocess|-g\d?|-O\d|-c|-W.*|--param=.*|-fsanitize.*|-fno-sanitize.*)$")
DROPPED_WITH_VALUE = ("-include", "-o", "-x", "-MF", "-MT", "-Xclang", "-include-pch")


def options_of(command):
    """The compiler and the options of a compile command that a header needs too."""
    words = shlex.split(command)
    # A launcher, such as ccache, stands before the compiler; CMake writes none into compile_commands.json.
    kept, skip = words[:1], False
    for word in words[1:-1]:
        if skip:
            skip = False
        elif word in DROPPED_WITH_VALUE:
            skip = True
        elif not DROPPED.match(word):
            kept.append(word)
    return kept


def nearest(header, sources):
    """The source whose options the header is read with: of its folder, else of the next one above, else the richest."""
    folder = os.path.dirname(header)
    while folder:
        near = [source for source in sources if source.startswith(folder + "/")]
        if near:
            return max(near, key=lambda source: len(sources[source]))
        folder = os.path.dirname(folder)
    return max(sources, key=lambda source: len(sources[source]))


def included_as(header):
    """How a header is written in an include: from the root, or as muster/... if it is for users."""
    _, found, name = header.partition("/include/muster/")
    return "muster/" + name if found else header


def with_includers(changed, headers, read):
    """The changed headers and those that include one of them, directly or not."""
    wanted = set(changed)
    includers = {}
    for header in headers:
        for _, quoted, included in tidy.File(header, read(header)).includes:
            if quoted:
                includers.setdefault(included, set()).add(header)
    todo = list(wanted)
    while todo:
        for includer in includers.get(included_as(todo.pop()), ()):
            if includer not in wanted:
                wanted.add(includer)
                todo.append(includer)
    return sorted(wanted & set(headers))


class Checker:
    """Reads headers one by one; remembers passes in a folder."""

    def __init__(self, root, cache, sources):
        self.root, self.cache, self.sources = root, cache, sources
        os.makedirs(cache, exist_ok=True)

    def _hash(self, path):
        try:
            with open(os.path.join(self.root, path), "rb") as stream:
                return hashlib.sha256(stream.read()).hexdigest()
        except OSError:
            return "missing"

    def check(self, header):
        """(header, what the compiler says or None if it is content, whether that was known)"""
        command = self.sources[nearest(header, self.sources)]
        stamp = os.path.join(self.cache, hashlib.sha256(f"{command} {header}".encode()).hexdigest() + ".json")
        try:
            with open(stamp, encoding="utf-8") as stream:
                if all(self._hash(path) == known for path, known in json.load(stream).items()):
                    return header, None, True
        except (OSError, ValueError):
            pass
        with tempfile.NamedTemporaryFile("r", suffix=".d") as depends:
            done = subprocess.run(
                [*command, "-x", "c++", "-fsyntax-only", "-w", "-MD", "-MF", depends.name, header],
                cwd=self.root, capture_output=True, text=True)
            if done.returncode:
                return header, done.stderr or f"{header}: the compiler exited with {done.returncode}", False
            read = depends.read().replace("\\\n", " ").split(":", 1)[-1].split()
        own = {path: self._hash(path) for path in (os.path.relpath(os.path.join(self.root, one), self.root) for one in read)
               if not path.startswith("..")}
        with open(stamp, "w", encoding="utf-8") as stream:
            json.dump({**own, header: self._hash(header)}, stream)
        return header, None, False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--changed", action="append")
    parser.add_argument("root", metavar="ROOT", nargs="?", default=".")
    arguments = parser.parse_args()
    root = os.path.abspath(arguments.root)

    def read(path):
        with open(os.path.join(root, path), encoding="utf-8") as stream:
            return stream.read()

    headers = [path for path in tidy.project_files(root)
               if path.endswith(".h") and path.startswith(FOLDERS) and not path.startswith(NOT_BUILT)]
    if arguments.changed is not None:
        headers = with_includers(arguments.changed, headers, read)
    with open(os.path.join(arguments.build, "compile_commands.json"), encoding="utf-8") as stream:
        sources = {os.path.relpath(entry["file"], root): options_of(entry["command"]) for entry in json.load(stream)}
    sources = {path: command for path, command in sources.items() if path.startswith(FOLDERS)}

    checker, bad, known = Checker(root, arguments.cache, sources), 0, 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for header, said, cached in pool.map(checker.check, headers):
            known += cached
            if said:
                bad += 1
                print(f"{header} does not compile by itself:\n{said}", flush=True)
    print(f"headers: {len(headers)} read alone, {known} known to pass, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
