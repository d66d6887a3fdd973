#!/usr/bin/env python3
"""Runs clang-tidy on files of a build, several at once, and remembers which passed.

usage: clang_tidy.py --tool PROGRAM --build FOLDER --cache FOLDER [--jobs N] FILE...

A file's verdict depends on the program, .clang-tidy, the compile command and the contents of the file and of each
header that the build recorded for it; a pass is remembered by a hash of all that. Headers of the system count by path
alone. Failures are never remembered. Files are read without precompiled headers, which are another compiler's and
would hide a missing #include. Exits 1 if any file has a finding.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys

# What a compile command has for its precompiled header, and for g++ alone.
PRECOMPILED = re.compile(r" (?:-Winvalid-pch|-fpch-preprocess|--param=ggc\S+|(?:-Xclang )?-fno-pch-timestamp"
                         r"|(?:-Xclang -include-pch -Xclang \S+ )?(?:-Xclang )?-include (?:-Xclang )?\S*cmake_pch\S*)(?= )")
NOISE = re.compile(r"^(\d+ warnings? (generated|treated)|Suppressed \d+ warnings|Use -header-filter)")


def recorded_headers(build):
    """{object file: the headers it was compiled from}, as ninja recorded them."""
    headers, current = {}, None
    listed = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True).stdout
    for line in listed.splitlines():
        if not line.startswith(" "):
            current = headers.setdefault(line.split(":")[0], [])
        else:
            current.append(line.strip())
    return headers


class Hashes:
    """Contents by hash, each file read once."""

    def __init__(self):
        self._known = {}

    def of(self, path):
        if path not in self._known:
            try:
                with open(path, "rb") as stream:
                    self._known[path] = hashlib.sha256(stream.read()).hexdigest()
            except OSError:
                self._known[path] = "missing"
        return self._known[path]


def plain_commands(build, folder):
    """The build's compile commands without precompiled headers, by file; they are written to the folder too."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as stream:
        entries = json.load(stream)
    for entry in entries:
        entry["command"] = PRECOMPILED.sub("", entry["command"])
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "compile_commands.json"), "w", encoding="utf-8") as stream:
        json.dump(entries, stream)
    return entries


def key_of(entry, headers, hashes, root, common):
    digest = hashlib.sha256(common.encode())
    digest.update(entry["command"].encode())
    for path in sorted({entry["file"], *(os.path.join(entry["directory"], header) for header in headers)}):
        path = os.path.normpath(path)
        inside = path.startswith(root + os.sep)
        digest.update(f"{os.path.relpath(path, root) if inside else path} {hashes.of(path) if inside else ''}\n".encode())
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--cache", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()

    root = os.getcwd()
    os.makedirs(arguments.cache, exist_ok=True)
    version = subprocess.run([arguments.tool, "--version"], capture_output=True, text=True, check=True).stdout
    hashes = Hashes()
    common = version + hashes.of(os.path.join(root, ".clang-tidy"))
    headers = recorded_headers(arguments.build)
    plain = os.path.join(arguments.cache, "commands")
    commands = {os.path.relpath(entry["file"], root): entry for entry in plain_commands(arguments.build, plain)}

    def check(file):
        entry = commands[file]
        match = re.search(r" -o (\S+)", entry["command"])
        recorded = headers.get(match[1] if match else "")
        stamp = os.path.join(arguments.cache, key_of(entry, recorded or [], hashes, root, common))
        if recorded is not None and os.path.exists(stamp):
            return file, 0, "", True
        done = subprocess.run(
            [arguments.tool, "-p", plain, "--quiet", "--warnings-as-errors=*",
             "--extra-arg=-Wno-unknown-warning-option", file],
            capture_output=True, text=True,
        )
        said = [line for line in (done.stdout + done.stderr).splitlines() if not NOISE.match(line)]
        if done.returncode == 0 and recorded is not None:
            with open(stamp, "w", encoding="utf-8") as stream:
                stream.write(file + "\n")
        return file, done.returncode, "\n".join(said), False

    bad = known = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for file, status, said, cached in pool.map(check, [f for f in arguments.files if f in commands]):
            known += cached
            if status:
                bad += 1
                print(said or f"{file}: {os.path.basename(arguments.tool)} exited with {status}", flush=True)
    print(f"clang-tidy: {len(arguments.files)} files, {known} known to pass, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
