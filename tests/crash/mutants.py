#!/usr/bin/env python3
"""Proves that the tests see broken code: breaks a copy of the source in known ways, one at a time, and runs the tests
that are to notice. A mutant that they let pass has survived, and that is a failure.

usage: mutants.py [--check | --list] [--only NAME]... [--root TREE] [--folder COPY] [--jobs N] [--repeat N]

  --check    only look whether each mutant's place is found exactly once in the source, and nothing else
  --list     print the table of mutants
  --only     this mutant alone; repeatable
  --root     the tree to copy (default: the one that this file is in); its working files, committed or not
  --folder   where the copy and its build live (default: build/mutants of that tree); kept, so that the next run builds
             little, and what is equal is not even compiled again (ccache)
  --jobs     compile jobs (default 1)

The copy is built and every test run unbroken first: a test that fails anyway would seem to notice everything. Exit
status: 0 when all were noticed, 1 when one survived, 2 when it cannot be told (a place is not found, a mutant does not
compile, a test was skipped or fails unbroken).

Standard Python only.
"""

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import time

SKIPPED = 77
TEST_SECONDS = 900

# A run of the crash loop that is long enough for these mutants and no longer. It ends at the first violation.
CRASH = ["tests/crash/crash_loop", "--kills", "60", "--linearizability", "20", "--patience", "20"]
CRASH_TARGETS = ["musterd", "crash_loop"]


class Mutant:
    def __init__(self, name, file, old, new, targets, command):
        self.name = name
        self.file = file
        self.old = old
        self.new = new
        self.targets = targets
        self.command = command  # its first word below the build folder


MUTANTS = [
    # --- The store ----------------------------------------------------------------------------------------------------
    Mutant(
        "sync-off",  # a death of the process does not show it: the kernel keeps what was written
        "service/store/rocks_journal.cc",
        "  options.sync = sync;\n",
        "  options.sync = false;\n",
        ["store_power_test"],
        ["tests/unit/store/store_power_test"],
    ),
    Mutant(
        "epoch-check-off",
        "service/store/rocks_journal.cc",
        "  if (epoch == 0 || epoch != epoch_) {\n",
        "  if (epoch == 0) {\n",
        ["store_test"],
        ["tests/unit/store/store_test"],
    ),
    Mutant(
        "lost-log-accepted",
        "service/store/detail/probe.cc",
        "  if (probe.commit < probe.high_water) return MissingCommits(options.path, probe.high_water, probe.commit);\n",
        "",
        ["store_test"],
        ["tests/unit/store/store_test"],
    ),
    # --- What the core hands out and takes back -----------------------------------------------------------------------
    Mutant(
        "request-ids-not-stored",
        "service/core/record/changes.cc",
        "  for (const RequestEntry& entry : cold.requests) record.requests.push_back(RecordOf(entry));\n",
        "",
        CRASH_TARGETS,
        CRASH,
    ),
    Mutant(
        "settle-request-id-not-stored",
        "service/core/record/changes.cc",
        "  record.settle_request_id = cold.settle_request_id;\n",
        "  record.settle_request_id.clear();\n",
        CRASH_TARGETS,
        CRASH,
    ),
    Mutant(
        "attempt-not-raised",
        "service/core/kinds/job.cc",
        "    ++job.attempt;\n    job.start_time = base::kNever;\n",
        "    job.start_time = base::kNever;\n",
        CRASH_TARGETS,
        CRASH,
    ),
    Mutant(
        "at-most-once-runs-again",
        "service/core/record/restoring.cc",
        "  if (future.state == State::kRunning && (once || future.cancelling > 0)) {\n",
        "  if (future.state == State::kRunning && ((once && false) || future.cancelling > 0)) {\n",
        CRASH_TARGETS,
        CRASH,
    ),
    Mutant(
        "cancel-of-a-running-job-forgotten",  # the built-in bodies end with the commit that records the cancel
        "service/core/record/restoring.cc",
        "  if (future.state == State::kRunning && (once || future.cancelling > 0)) {\n",
        "  if (future.state == State::kRunning && once) {\n",
        ["core_test"],
        ["tests/unit/core/core_test", "--gtest_filter=Restore*"],
    ),
    Mutant(
        "members-not-stored",
        "service/core/record/changes.cc",
        "    sink.PutMembers(id, members);\n",
        "",
        CRASH_TARGETS,
        CRASH,
    ),
]

# Of the commit path, once it is there.
COMMIT_PATH_IS_THERE = "service/runtime/journal/thread_committer.cc"
COMMIT_PATH = [
    Mutant(
        "answers-before-the-commit",
        "service/runtime/host/release.cc",
        "  MoveTo(committed_, held_);\n  journal_.committer->Submit(commit_);\n",
        "  LetOutAll(held_);\n  journal_.committer->Submit(commit_);\n",
        CRASH_TARGETS,
        CRASH,
    ),
    Mutant(
        "at-most-once-does-not-wait-for-its-row",
        "service/dispatch/pool_place.cc",
        "  if (start.at_most_once && host_.journaled()) {\n",
        "  if (start.at_most_once && host_.journaled() && false) {\n",
        CRASH_TARGETS,
        # Only a death between the body's end and the row shows it: many such jobs, and many deaths.
        ["tests/crash/crash_loop", "--kills", "400", "--linearizability", "0", "--patience", "20"],
    ),
]


class Trouble(Exception):
    """It cannot be told whether a test sees a mutant."""


def all_mutants(root):
    return MUTANTS + (COMMIT_PATH if os.path.exists(os.path.join(root, COMMIT_PATH_IS_THERE)) else [])


def mutated(mutant, root):
    """The text of the mutant's file, broken. Refuses when its place is not there exactly once."""
    path = os.path.join(root, mutant.file)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise Trouble(f"{mutant.name}: {mutant.file}: {error.strerror}") from error
    count = text.count(mutant.old)
    if count != 1:
        raise Trouble(f"{mutant.name}: its place is found {count} times in {mutant.file}, must be once:\n{mutant.old}")
    if mutant.new == mutant.old:
        raise Trouble(f"{mutant.name}: changes nothing")
    return text.replace(mutant.old, mutant.new)


def check(mutants, root):
    """All that is wrong, as lines."""
    wrong = []
    for mutant in mutants:
        try:
            mutated(mutant, root)
        except Trouble as trouble:
            wrong.append(str(trouble))
    return wrong


class Copy:
    """A copy of a tree with a build of its own."""

    def __init__(self, root, folder, jobs):
        self.root = root
        self.tree = os.path.join(folder, "tree")
        # Where a checkout has it as well: the compiler is then told the same relative paths, and ccache knows the answers.
        self.build = os.path.join(self.tree, "build", "dev")
        self.log = os.path.join(folder, "log")
        self.jobs = jobs

    def sync(self):
        """Brings the copy up to date; what has not changed keeps its time, and is not built again."""
        listed = subprocess.run(
            ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True,
        ).stdout.decode().split("\0")
        wanted = {path for path in listed if path and os.path.isfile(os.path.join(self.root, path))}
        for path in wanted:
            source, target = os.path.join(self.root, path), os.path.join(self.tree, path)
            if os.path.exists(target) and filecmp.cmp(source, target, shallow=False):
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)
        for folder, folders, names in os.walk(self.tree):
            if folder == self.tree and "build" in folders:
                folders.remove("build")
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), self.tree)
                if path not in wanted:
                    os.remove(os.path.join(self.tree, path))

    def configure(self):
        self._run(["cmake", "--preset", "dev"], "configure")

    def make(self, targets):
        self._run(["ninja", "-C", self.build, f"-j{self.jobs}", *targets], "build " + " ".join(targets))

    def _run(self, command, what):
        with open(self.log, "w", encoding="utf-8") as log:
            environment = {**os.environ, "CCACHE_BASEDIR": self.tree, "CCACHE_NOHASHDIR": "1"}
            status = subprocess.run(command, cwd=self.tree, stdout=log, stderr=log, env=environment, check=False).returncode
        if status != 0:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise Trouble(f"{what} failed:\n{log.read()[-4000:]}")

    def test(self, command):
        """(exit status, the end of its output); None for the status of one that did not end in time."""
        with open(self.log, "w", encoding="utf-8") as log:
            # A session of its own: what a test that is cut short has started ends with it.
            process = subprocess.Popen([os.path.join(self.build, command[0]), *command[1:]], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log, start_new_session=True)
            try:
                status = process.wait(TEST_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = None
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return status, log.read()[-4000:]

    def write(self, path, text):
        with open(os.path.join(self.tree, path), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, path):
        with open(os.path.join(self.tree, path), encoding="utf-8") as file:
            return file.read()


def first_sign(output):
    """The line of a test's output that says what it noticed."""
    for line in output.splitlines():
        if line.startswith(("VIOLATION", "FAILED")) or "Failure" in line or "[  FAILED  ]" in line:
            return line[:160]
    lines = output.strip().splitlines()
    return lines[-1][:160] if lines else ""


def prove_unbroken(copy, mutants, say):
    """Builds everything and sees every test pass."""
    copy.make(sorted({target for mutant in mutants for target in mutant.targets}))
    for command in sorted({tuple(mutant.command) for mutant in mutants}):
        say(f"unbroken: {' '.join(command)}")
        status, output = copy.test(list(command))
        if status == SKIPPED:
            raise Trouble(f"{' '.join(command)} was skipped:\n{output}")
        if status != 0:
            raise Trouble(f"{' '.join(command)} fails on the unbroken source (exit status {status}):\n{output}")


def try_mutant(copy, mutant, repeat):
    """(noticed, what was seen). The copy is as before afterwards."""
    before = copy.read(mutant.file)
    broken = mutated(mutant, copy.tree)
    try:
        copy.write(mutant.file, broken)
        copy.make(mutant.targets)
        for _ in range(repeat):
            status, output = copy.test(mutant.command)
            if status == SKIPPED:
                raise Trouble(f"{mutant.name}: {' '.join(mutant.command)} was skipped:\n{output}")
            if status is None:
                return True, f"did not end within {TEST_SECONDS} s"
            if status != 0:
                return True, first_sign(output)
        return False, "all tests passed"
    finally:
        copy.write(mutant.file, before)


def run(copy, mutants, repeat, say):
    """The exit status."""
    copy.sync()
    copy.configure()
    prove_unbroken(copy, mutants, say)
    rows, survived, unknown = [], 0, 0
    for mutant in mutants:
        start = time.monotonic()
        try:
            noticed, seen = try_mutant(copy, mutant, repeat)
            verdict = "noticed" if noticed else "SURVIVED"
            survived += not noticed
        except Trouble as trouble:
            verdict, seen = "UNKNOWN", str(trouble).splitlines()[0]
            say(str(trouble))
            unknown += 1
        rows.append(f"{mutant.name:<40} {verdict:<9} {time.monotonic() - start:5.0f} s  {seen}")
        say(rows[-1])
    say("\n" + "\n".join(rows))
    say(f"{len(mutants) - survived - unknown} noticed, {survived} survived, {unknown} unknown")
    return 2 if unknown else 1 if survived else 0


def main():
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--root", default=here)
    parser.add_argument("--folder")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1, help="run each test up to so often before a mutant survives")
    options = parser.parse_args()
    root = os.path.abspath(options.root)
    mutants = all_mutants(root)
    unknown = set(options.only) - {mutant.name for mutant in mutants}
    if unknown:
        parser.error(f"no mutant {', '.join(sorted(unknown))}; see --list")
    if options.only:
        mutants = [mutant for mutant in mutants if mutant.name in options.only]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.name:<40} {mutant.file:<40} {' '.join(mutant.command)}")
        return 0
    wrong = check(mutants, root)
    if wrong:
        print("\n".join(wrong))
        return 2
    if options.check:
        print(f"the places of all {len(mutants)} mutants are there")
        return 0
    folder = os.path.abspath(options.folder or os.path.join(root, "build", "mutants"))
    os.makedirs(folder, exist_ok=True)
    try:
        return run(Copy(root, folder, options.jobs), mutants, options.repeat, lambda text: print(text, flush=True))
    except Trouble as trouble:
        print(trouble)
        return 2


if __name__ == "__main__":
    sys.exit(main())
