"""What the benchmarks run on: servers as processes, load generators, and facts about machine and libraries."""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))
from musterd import Musterd  # noqa: E402  (its folder is none of the path's)

PROGRAMS = ("musterd", "bench_musterd", "bench_client", "bench_reference_server", "bench_rocks", "bench_executor")
ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PEERS = os.path.join(ROOT, "build", "bench", "peers", "bin")
ENDED_JOBS = "muster_futures_done_total"
TICK = os.sysconf("SC_CLK_TCK")
# Beyond what it was told to measure: to start, to connect, to end what is in flight.
PATIENCE = 60


class Failure(Exception):
    """A measurement that did not come about, with what to tell the user."""


def cpu_us(pid):
    """CPU time of a process so far, user and system."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / TICK


def private_bytes(pid):
    """Memory that a process has of its own: what it wrote, not what is mapped from files or shared."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Private_Dirty:"))


class Rig:
    """The programs of one build, a folder for data, how long to measure, and how many of what is counted."""

    def __init__(self, programs, data, seconds, warmup, scale=1):
        self._programs = programs
        self._data = data
        self._seconds = seconds
        self._warmup = warmup
        self._scale = scale
        self._folders = 0
        missing = [name for name in PROGRAMS if not os.access(self.program(name), os.X_OK)]
        if missing:
            raise Failure(f"{programs} has no {', '.join(missing)}; build them with: ./dev build --preset release "
                          "--target bench")
        help_text = subprocess.run([self.program("musterd"), "--help"], capture_output=True, text=True, timeout=PATIENCE)
        self.has_durability = "--durability" in help_text.stdout

    def program(self, name):
        return os.path.join(self._programs, name)

    def peer(self, name):
        """A program that tests/bench/peers/build_runtimes makes; it need not be there."""
        return os.path.join(PEERS, name)

    def scaled(self, count):
        """How many to take where a full run takes `count`."""
        return max(1, round(count * self._scale))

    def folder(self):
        """The name of a folder that is not there yet, on the file system that is measured."""
        self._folders += 1
        return os.path.join(self._data, str(self._folders))

    # --- servers ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def musterd(self, durability, *flags, program="musterd"):
        """A musterd that is "none" or "sync" durable."""
        store = self.folder()
        flags = list(flags)
        if self.has_durability:
            flags.append(f"--durability={durability}")
        try:
            with Musterd(self.program(program), flags, store=store) as server:
                yield server
        except AssertionError as error:  # it did not start, or not stop, as it should
            raise Failure(str(error)) from error
        finally:
            shutil.rmtree(store, ignore_errors=True)

    @contextlib.contextmanager
    def reference_server(self):
        """The bare server: (address, process)."""
        process = subprocess.Popen([self.program("bench_reference_server")], stdout=subprocess.PIPE, text=True)
        try:
            address = process.stdout.readline().strip()
            if not address:
                raise Failure(f"bench_reference_server does not start (exit status {process.wait(PATIENCE)})")
            yield address, process
        finally:
            process.terminate()
            process.wait(PATIENCE)
            process.stdout.close()

    # --- measurements -----------------------------------------------------------------------------------------------

    def measure(self, argv, env=None, seconds=None):
        """What a load prints as JSON, told how long to measure."""
        seconds = seconds or self._seconds
        argv = [*argv, f"--seconds={seconds}", f"--warmup={self._warmup}"]
        return self.run(argv, env, seconds + self._warmup + PATIENCE)

    def run(self, argv, env, limit):
        """What a program prints as JSON."""
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=limit, env=env)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{os.path.basename(argv[0])} did not end within {limit:.0f} s") from error
        if done.returncode != 0:
            raise Failure(done.stderr.strip() or f"{os.path.basename(argv[0])} ended with status {done.returncode}")
        return json.loads(done.stdout)

    def client(self, address, *arguments, when_open=None):
        """bench_client's word. Each time it says "open", `when_open` is called, then it may go on."""
        argv = [self.program("bench_client"), f"--server={address}", *arguments, f"--seconds={self._seconds}"]
        said = ""
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            # It gives up on each RPC by itself; this is for when it does not.
            watchdog = threading.Timer(4 * PATIENCE, process.kill)
            watchdog.start()
            try:
                for said in process.stdout:
                    if said == "open\n":
                        when_open()
                        process.stdin.write("\n")
                        process.stdin.flush()
                why = process.stderr.read()
            finally:
                watchdog.cancel()
                if sys.exc_info()[0] is not None:
                    process.kill()
        if process.returncode != 0:
            raise Failure(why.strip() or f"bench_client {' '.join(arguments)}: exit status {process.returncode}")
        return json.loads(said)

    def load(self, address, pid, arguments):
        """bench_client's word, with the CPU that the server spent on an operation."""
        before = cpu_us(pid)
        sample = self.measure([self.program("bench_client"), f"--server={address}", *arguments])
        sample["server_cpu_us"] = (cpu_us(pid) - before) / sample["operations_total"]
        return sample

    def load_musterd(self, server, arguments):
        """The same, and the server has ended exactly as many jobs as the client says."""
        before = server.metric(ENDED_JOBS)
        sample = self.load(server.grpc, server.process.pid, arguments)
        wanted = before + sample["operations_total"]
        ended = server.wait_for_metric(ENDED_JOBS, lambda value: value >= wanted, seconds=5)
        if ended != wanted:
            raise Failure(f"the client counted {sample['operations_total']} operations, and {ENDED_JOBS} grew by "
                          f"{ended - before:.0f}")
        return sample

    def backlog(self, server, count, payload_bytes):
        """Leaves that many jobs waiting."""
        self.client(server.grpc, "--mode=backlog", f"--count={count}", f"--payload-bytes={payload_bytes}")

    def executor(self, mode, *arguments):
        return self.measure([self.program("bench_executor"), f"--mode={mode}", *arguments])

    def rocks(self, mode):
        folder = self.folder()
        if mode == "fdatasync":
            os.mkdir(folder)
        try:
            return self.measure([self.program("bench_rocks"), f"--mode={mode}", f"--dir={folder}"])
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # --- facts ------------------------------------------------------------------------------------------------------

    def library_builds(self):
        """Version of each library, and whether it was built with assertions on (it then imports __assert_fail)."""
        builds = {}
        for program in ("bench_client", "bench_rocks"):
            said = subprocess.run([self.program(program), "--version"], capture_output=True, text=True, timeout=PATIENCE)
            versions = json.loads(said.stdout)
            linked = subprocess.run(["ldd", self.program(program)], capture_output=True, text=True, timeout=PATIENCE)
            for name, version in versions.items():
                builds[name] = {"version": version, "assertions": _assertions(name, linked.stdout)}
        with self.musterd("none") as server:
            for key in server.metrics():
                if key.startswith("muster_build_info{"):
                    labels = key[key.index("{") + 1 : -1].split(",")
                    builds["musterd"] = {name: value.strip('"') for name, value in (pair.split("=", 1) for pair in labels)}
        return builds

    def machine(self):
        cpu = platform.machine()
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return {
            "cpu": models[0] if models else cpu,
            "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release(),
            "file_system": _file_system(self._data),
            "load_average": round(os.getloadavg()[0], 2),
        }


def _assertions(name, linked):
    library = {"grpc": "libgrpc.so", "protobuf": "libprotobuf.so", "rocksdb": "librocksdb.so"}[name]
    for line in linked.splitlines():
        if line.strip().startswith(library) and "=>" in line:
            with open(line.split("=>")[1].split()[0], "rb") as file:
                return "on" if b"\0__assert_fail\0" in file.read() else "off"
    return "unknown: linked statically"


def _file_system(folder):
    best = ("", "unknown")
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            _, point, kind = line.split()[:3]
            if os.path.commonpath([point, os.path.realpath(folder)]) == point and len(point) >= len(best[0]):
                best = (point, kind)
    return best[1]
