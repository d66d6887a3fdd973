#!/usr/bin/env python3
"""Counts what one operation costs the server, beside a bare echo of the same bytes: allocations, system calls, switches
of threads, and with --instructions what it executes outside the kernel. docs/explanation/performance.md shows the result.

usage: budget.py [--instructions] [LOAD...]

Counts hardly depend on the machine or on what else runs on it. System calls need perf, instructions valgrind; what is not
there is left out. Build first: ./dev build --preset release --target bench
"""

import argparse
import contextlib
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from rig import ROOT, Failure, Rig

CALLS = ("sendmsg", "recvmsg", "epoll_wait", "futex", "write", "pwrite64", "fdatasync")
CALL = ["--mode=call", "--in-flight=128"]
RUN = ["--mode=run", "--in-flight=1000", "--batch=100"]
SESSION = ["--mode=run", "--in-flight=10000", "--batch=100", "--session", "--operations-max=1000000"]
# name: (what the server keeps, the load, whether the reference server knows it)
LOADS = {
    "Call": ("none", CALL, True),
    "Run, batches of 100": ("none", RUN, True),
    "Run, one a message": ("none", ["--mode=run", "--in-flight=512", "--batch=1"], True),
    "Submit, then Wait": ("none", ["--mode=submit_wait", "--in-flight=128"], False),
    "durable Call": ("sync", [*CALL, "--request-ids"], False),
    "durable Run": ("sync", SESSION, False),
}


class Budget:
    def __init__(self, rig, folder):
        self._rig = rig
        self._folder = folder

    @contextlib.contextmanager
    def _server(self, durability, bare):
        with self._rig.reference_server() if bare else self._rig.musterd(durability) as server:
            yield (server[0], server[1].pid) if bare else (server.grpc, server.process.pid)

    def allocations(self, durability, load, bare):
        count = os.path.join(self._folder, "mallocs")
        preload = {"LD_PRELOAD": self._rig.program("libbench_malloc_count.so"), "BENCH_MALLOC_COUNT": count}

        def read():
            with open(count, "rb") as file:
                return struct.unpack("Q", file.read(8))[0]

        os.environ.update(preload)
        with contextlib.ExitStack() as stack:
            try:
                address, pid = stack.enter_context(self._server(durability, bare))
            finally:
                for name in preload:
                    del os.environ[name]
            before = read()
            operations = self._rig.load(address, pid, load)["operations_total"]
            return (read() - before) / operations

    def system_calls(self, durability, load, bare):
        """{name: number an operation}, or nothing where perf can't count them."""
        events = ["raw_syscalls:sys_enter", "context-switches", *(f"syscalls:sys_enter_{name}" for name in CALLS)]
        with self._server(durability, bare) as (address, pid):
            perf = subprocess.Popen(["perf", "stat", "-x;", f"--event={','.join(events)}", f"--pid={pid}"],
                                    stderr=subprocess.PIPE, text=True)
            time.sleep(0.5)
            operations = self._rig.load(address, pid, load)["operations_total"]
            perf.send_signal(2)
            said = perf.communicate()[1]
        found = {}
        for line in said.splitlines():
            fields = line.split(";")
            if len(fields) > 2 and fields[0].isdigit():
                name = fields[2].replace("syscalls:sys_enter_", "").replace("raw_syscalls:sys_enter", "all")
                found[name] = int(fields[0]) / operations
        return found

    def instructions(self, durability, load, bare):
        """What 8,000 operations more take. Valgrind runs one thread at a time, slowly, so the server is never idle."""
        few, many = (self._executed(durability, load, bare, count) for count in (1000, 9000))
        return (many[1] - few[1]) / (many[0] - few[0])

    def _executed(self, durability, load, bare, count):
        name = "bench_reference_server" if bare else "musterd"
        log = os.path.join(self._folder, "valgrind.log")
        wrapper = os.path.join(self._folder, name)
        # Valgrind knows no openat2, which functions on files need.
        with open(wrapper, "w", encoding="utf-8") as script:
            script.write("#!/bin/sh\n"
                         'for flag; do shift; case $flag in --files-root=*) ;; *) set -- "$@" "$flag" ;; esac; done\n'
                         f"exec valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file={log} "
                         f"{self._rig.program(name)} \"$@\"\n")
        os.chmod(wrapper, 0o755)
        slow = Rig.__new__(Rig)
        slow.__dict__.update(self._rig.__dict__, _warmup=0)
        slow.program = lambda asked: wrapper if asked == name else self._rig.program(asked)
        with Budget(slow, self._folder)._server(durability, bare) as (address, _):
            sample = slow.measure([self._rig.program("bench_client"), f"--server={address}", *load,
                                   f"--operations-max={count}"], seconds=300)
        with open(log, encoding="utf-8") as file:
            return sample["operations_total"], int(re.search(r"Collected : (\d+)", file.read()).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instructions", action="store_true", help="count them too: a minute a load")
    parser.add_argument("loads", nargs="*", metavar="LOAD", help=f"which of: {'; '.join(LOADS)}")
    given = parser.parse_args()
    unknown = [name for name in given.loads if name not in LOADS]
    if unknown:
        parser.error(f"no load {', '.join(unknown)}; there are: {'; '.join(LOADS)}")
    programs = os.environ.get("MUSTER_BIN") or os.path.join(ROOT, "build", "release", "bin")
    with tempfile.TemporaryDirectory(prefix="muster-budget-", dir=os.path.join(ROOT, "build")) as folder:
        budget = Budget(Rig(programs, folder, 2, 0.3), folder)
        print(f"{'':22}{'server':10}{'mallocs':>9}{'switches':>10}{'syscalls':>10}  of which")
        for name in given.loads or LOADS:
            durability, load, has_reference = LOADS[name]
            for bare in (False, True) if has_reference else (False,):
                line = f"{name:22}{'echo' if bare else 'musterd':10}{budget.allocations(durability, load, bare):9.2f}"
                if shutil.which("perf"):
                    calls = budget.system_calls(durability, load, bare)
                    line += f"{calls.pop('context-switches', 0):10.3f}{calls.pop('all', 0):10.3f}  "
                    line += ", ".join(f"{call} {times:.3f}" for call, times in calls.items() if times >= 0.0005)
                if given.instructions and shutil.which("valgrind"):
                    line += f"; {budget.instructions(durability, load, bare):,.0f} instructions"
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"budget: {failure}", file=sys.stderr)
        sys.exit(1)
