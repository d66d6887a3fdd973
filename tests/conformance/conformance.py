"""Runs programs twice, and says where Muster differs from asyncio. See README.md; run.py starts this.

usage: conformance.py [--programs N | --long | --program FILE | --from FOLDER | --ties | --cases] [--seed N] [--loops N]
                      [--drive COMMAND]
       conformance.py --export N [--seed N] FOLDER

  --programs  how many; default 2000
  --long      100,000
  --seed      of the generator; default 1, so that every run is the same
  --program   runs the one in FILE (Python as printed, or JSON) and prints both traces
  --ties      the programs of ties.py instead
  --cases     the programs of cases.py instead
  --from      the programs that --export has written to FOLDER, against the traces beside them
  --loops     event loops of the server; default 1
  --drive     what runs programs over the wire, in any language; default is wire_driver.py, the Python client
  --export    writes N programs and what asyncio makes of them to FOLDER, and runs nothing else
"""

import argparse
import math
import os
import shlex
import sys
import time
import warnings
from typing import Any, Dict, List, Tuple

import hypothesis
import hypothesis.errors
from hypothesis import HealthCheck, Phase, given

import exported
import local_world
from compare import differences, first_tie
from driver import Driver, task
from generate import programs
from muster.testing import Server
from program import Program, parse
from cases import ALL_CASES
from ties import ALL_TIES
from trace import Trace

SHRINK_SECONDS = 40
PYTHON_DRIVER = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "wire_driver.py")]


class Differs(AssertionError):
    """Muster did otherwise."""


class Runner:
    def __init__(self, driver: Driver, seed: int, counts_are_exact: bool) -> None:
        self.driver = driver
        self.counts_are_exact = counts_are_exact  # with one loop; see compare.py
        self.seed = seed
        self.run = 0
        self.began = time.monotonic()
        self.first_difference = 0
        self.ties = 0  # programs that were compared up to a tie only
        self.last: List[str] = []
        self.found: Dict[str, List[str]] = {}  # reports of what differs
        self.shrink_until = math.inf

    def run_twice(self, program: Program) -> Tuple[Trace, Trace, List[str]]:
        """Both traces, and why the second run could not be brought to its end, if so."""
        local = local_world.run(program)
        return (local, *self.driver.run(task(program, local)))

    def judge(self, program: Program) -> List[str]:
        """The report of what differs; empty when nothing does."""
        return self.report(program, *self.run_twice(program))

    def report(self, program: Program, local: Trace, wire: Trace, broke: List[str]) -> List[str]:
        found = broke or differences(program, local, wire, self.counts_are_exact)
        self.ties += first_tie(program, local) < math.inf
        report = [repr(program), "", "-- asyncio"] + local.lines() + ["", "-- Muster"] + wire.lines()
        self.last = [*report, "", "-- differences", *(found or ["none"])]
        return self.last if found else []

    def check(self, program: Program) -> None:
        self.run += 1
        if self.run % 500 == 0:
            print(f"{self.run} programs, {time.monotonic() - self.began:.0f} s", file=sys.stderr, flush=True)
        text = repr(program)
        if time.monotonic() > self.shrink_until and text not in self.found:
            return  # small enough
        report = self.judge(program)
        if report:
            if not self.first_difference:
                self.first_difference = self.run
                self.shrink_until = time.monotonic() + SHRINK_SECONDS
            self.found[text] = report
            raise Differs(text)


def search(runner: Runner, count: int) -> List[str]:
    """Looks at so many programs; the smallest that differs, or nothing."""

    @hypothesis.seed(runner.seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(programs(counts_are_read=runner.counts_are_exact))
    def all_alike(program: Program) -> None:
        runner.check(program)

    try:
        all_alike()
    except Differs as error:
        return runner.found[str(error)]
    except hypothesis.errors.Flaky:
        smallest = min(runner.found, key=len)
        return [*runner.found[smallest], "", "This differed once and not again: it depends on chance."]
    return []


def judge_ties(runner: Runner) -> int:
    failed = 0
    for tie in ALL_TIES:
        local, wire, broke = runner.run_twice(tie.program)
        said = [tie.ask(trace) for trace in (local, wire)] if not broke else broke
        good = not broke and all(one in tie.allowed for one in said)
        failed += not good
        print(f"{'ok  ' if good else 'BAD '} {tie.name}: asyncio {said[0]!r}, Muster {said[1]!r}")
        if not good:
            print("\n".join([repr(tie.program), *local.lines(), "--", *wire.lines(), *broke]))
    print(f"{len(ALL_TIES) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def judge_cases(runner: Runner) -> int:
    failed = 0
    for made in ALL_CASES:
        program, expected = made()
        report = runner.judge(program)
        local, wire, broke = runner.run_twice(program)
        wrong = list(broke)
        for name, wanted in expected.items():
            for world, trace in (("asyncio", local), ("Muster", wire)):
                said = told(trace, name, len(wanted))
                if said != wanted:
                    wrong.append(f"{name}: {world} {said!r}, and the case says {wanted!r}")
        print(f"{'BAD ' if report or wrong else 'ok  '} {made.__name__}")
        if report or wrong:
            failed += 1
            print("\n".join([*report, *wrong]))
    print(f"{len(ALL_CASES) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def told(trace: Trace, name: str, count: int) -> Any:
    """What a trace says of what a case expects."""
    if name == "answers":
        return trace.answers
    if name.endswith(" gave"):
        waited = trace.waits.get(name[: -len(" gave")])
        return None if waited is None else ([one for one, _ in waited.done], waited.pending)
    fate = trace.fates[name]
    return (fate.state, fate.outcome, fate.cancelling)[:count]


def judge_exported(runner: Runner, folder: str) -> int:
    passed = failed = 0
    for name, program, asked, expected in exported.read(folder):
        report = runner.report(program, expected, *runner.driver.run(asked))
        passed += not report
        failed += bool(report)
        if report:
            print("\n".join([f"BAD  {name}", *report]))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


def judge_one(runner: Runner, file: str) -> int:
    with open(file, encoding="utf-8") as stream:
        found = runner.judge(parse(stream.read()))
    print("\n".join(runner.last))
    return 1 if found else 0


def judge_generated(runner: Runner, count: int) -> int:
    found = search(runner, count)
    took = time.monotonic() - runner.began
    print(f"seed {runner.seed}: {runner.run} programs in {took:.0f} s ({1000 * took / max(1, runner.run):.0f} ms each), {runner.ties} of them up to a tie")
    if found:
        print(f"program {runner.first_difference} differs; the smallest like it:\n")
        print("\n".join(found))
        print("\nto run it again: save the program to FILE, and")
        print("  tests/conformance/run.py --bin build/dev/bin --program FILE")
    # In the project's count of tests all programs are one.
    print("0 passed, 1 failed, 0 skipped" if found else "1 passed, 0 failed, 0 skipped")
    return 1 if found else 0


def run(options: argparse.Namespace) -> int:
    if options.export:
        print(f"{exported.write(options.folder, options.export, options.seed)} programs in {options.folder}")
        return 0
    with Server(flags=[f"--loops={options.loops}"]) as server:
        command = shlex.split(options.drive) if options.drive else PYTHON_DRIVER
        driver = Driver(command, server.address, server.admin_address)
        runner = Runner(driver, options.seed, counts_are_exact=options.loops == 1)
        try:
            if options.ties:
                return judge_ties(runner)
            if options.cases:
                return judge_cases(runner)
            if options.read:
                return judge_exported(runner, options.read)
            if options.program:
                return judge_one(runner, options.program)
            return judge_generated(runner, options.programs)
        finally:
            driver.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--long", action="store_const", const=100_000, dest="programs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program")
    parser.add_argument("--ties", action="store_true")
    parser.add_argument("--cases", action="store_true")
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("--from", dest="read", metavar="FOLDER")
    parser.add_argument("--drive", metavar="COMMAND")
    parser.add_argument("--export", type=int, metavar="N")
    parser.add_argument("folder", nargs="?")
    warnings.simplefilter("ignore", ResourceWarning)
    options = parser.parse_args()
    if bool(options.export) != bool(options.folder):
        parser.error("--export and a folder go together")
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
