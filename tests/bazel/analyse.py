#!/usr/bin/env python3
"""Has Bazel load and analyse every target, and asks it who may use whom.

usage: analyse.py [ROOT]

The Bazel is that of Debian 12 (bazel-bootstrap, 4.2), which is old, but installs in half a minute; it works on links to
the project and on stand-ins for all modules (standins.py --workspace), so nothing is fetched and nothing is compiled.
Shown: every label exists, every rule gets what it wants, no target uses what it may not; and for each folder that
Bazel lets it use what the arrows of tests/tidy/tidy.py allow, no more and no less. MODULE.bazel and what compiles are
for `./dev bazel`. Exits 77 when there is no such Bazel.
"""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import drift
import targets

PROGRAM = "/usr/bin/bazel-4"
# Rules of an old Bazel that the registry's protobuf has under the same names.
PROTOBUF = ["--proto_compiler=@protobuf//:protoc", "--proto_toolchain_for_cc=@protobuf//:cc_toolchain"]
LZ4 = "--@rocksdb//:with_lz4"  # what .bazelrc says as --//:lz4, an alias that an old Bazel does not follow


class Bazel:
    """A server of its own on build/bazel/old/project, stopped at the end."""

    def __init__(self, root):
        # The package links /usr/bin/bazel to it as well, where people put others.
        self.project = os.path.join(root, "build", "bazel", "old", "project")
        self.startup = [PROGRAM, f"--output_user_root={os.path.join(root, 'build', 'bazel', 'out-old')}", "--max_idle_secs=60"]
        made = subprocess.run([sys.executable, os.path.join(HERE, "standins.py"), "--workspace", root,
                               os.path.dirname(self.project)], check=False)
        if made.returncode:
            sys.exit("analyse.py: the stand-ins could not be made, see above")
        shutil.copy(os.path.join(root, ".bazelignore"), self.project)

    def run(self, *arguments):
        return subprocess.run([*self.startup, *arguments], cwd=self.project, capture_output=True, text=True, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("shutdown")


def libraries(root):
    """{folder: its libraries' labels}, of those whose users the arrows name."""
    found = {}
    for top in ("client", "service"):
        for name in sorted(os.listdir(os.path.join(root, top))):
            path = os.path.join(root, top, name, "BUILD.bazel")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as stream:
                    found[f"{top}/{name}"] = [f"//{top}/{name}:{target.name}" for target in targets.bazel_targets(stream.read())
                                              if target.kind == "cc_library"]
    return found


def visible_to(bazel, user, everything):
    asked = bazel.run("query", f"visible({user}, set({' '.join(everything)}))", "--curses=no")
    if asked.returncode:
        sys.exit(f"analyse.py: query for {user} failed:\n{asked.stderr}")
    return set(asked.stdout.split())


def main():
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", ".."))
    if not os.access(PROGRAM, os.X_OK):
        print(f"analyse.py: no {PROGRAM}: ./dev deps bazel\n0 passed, 0 failed, 1 skipped")
        return 77
    passed = failed = 0
    with Bazel(root) as bazel:
        analysed = bazel.run("build", "--nobuild", "--keep_going", "--curses=no", "--symlink_prefix=/", *PROTOBUF, LZ4, "//...")
        if analysed.returncode:
            failed += 1
            print("\n".join(line for line in analysed.stderr.splitlines() if "ERROR" in line) or analysed.stderr)
        else:
            passed += 1
            print(next(line for line in analysed.stderr.splitlines() if "INFO: Analyzed" in line))

        folders = libraries(root)
        everything = [label for labels in folders.values() for label in labels]
        for folder, labels in folders.items():
            if not labels:
                continue
            allowed = {label for other, theirs in folders.items() for label in theirs
                       if other == folder or drift.may_use(folder, drift.visibility_of(other))}
            found = visible_to(bazel, labels[0], everything)
            if found == allowed:
                passed += 1
                continue
            failed += 1
            for label in sorted(found - allowed):
                print(f"{folder}: Bazel lets it use {label}, the arrows do not")
            for label in sorted(allowed - found):
                print(f"{folder}: the arrows let it use {label}, Bazel does not")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
