"""The Python client, beside what Python allows: a bare grpcio call, and asyncio's own tasks in the same process."""

import contextlib
import dataclasses
import glob
import os
import shutil
import subprocess

from rig import PATIENCE, ROOT
from row import Measurement, Row, Sides, p50

HERE = os.path.dirname(os.path.abspath(__file__))
BACKEND = os.path.join(ROOT, "client", "python", "build_backend.py")


def python():
    """The newest of those that have the client's libraries, or None."""
    found = glob.glob(os.path.join(ROOT, "build", "clients", "python", "3.*", "bin", "python"))
    return max(found, key=lambda path: int(path.split(os.sep)[-3].split(".")[1]), default=None)


def rate_of_one(sample):
    return 1e6 / p50(sample)


def rate_of_all(sample):
    return sample["operations_total"] / sample["seconds"]


def size(sample):
    return sample["bytes"]


@dataclasses.dataclass(frozen=True)
class Client(Measurement):
    """`mode` and `reference_mode` are python_load.py's; each sample is a process of its own."""

    row: Row
    mode: str
    reference_mode: str
    count: int
    rounds_max: int = 7

    @property
    def rows(self):
        return (self.row,)

    def missing(self, rig):
        return None if python() else "there is no Python with the client's libraries: ./dev deps clients makes one"

    def builds(self, rig):
        said = subprocess.run([python(), "-c", "import grpc, platform; print(platform.python_version(), grpc.__version__)"],
                              capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.split()
        return {"python": {"version": said[0]}, "grpcio": {"version": said[1]}}

    @contextlib.contextmanager
    def open(self, rig):
        package = rig.folder()
        try:
            subprocess.run([python(), BACKEND, package], capture_output=True, timeout=PATIENCE, check=True)
            with rig.musterd("none") as server, rig.reference_server() as (bare, _):
                yield Sides(lambda: self._measure(rig, package, self.mode, server.grpc),
                            lambda: self._measure(rig, package, self.reference_mode, bare))
        finally:
            shutil.rmtree(package, ignore_errors=True)

    def _measure(self, rig, package, mode, address):
        argv = [python(), os.path.join(HERE, "python_load.py"), mode, address, str(rig.scaled(self.count))]
        return rig.run(argv, {**os.environ, "PYTHONPATH": package, "PYTHONDONTWRITEBYTECODE": "1"}, 2 * PATIENCE)


def row(name, value, unit, reference, goal, about):
    return Row(name, value, unit, reference, value, goal, about, quick=False)


MEASUREMENTS = (
    Client(row("python_submit", rate_of_one, "1/s", "grpcio's unary call", ">= 0.8",
               "submit, then await, one at a time; by the median of both"), "submit", "echo", 3000),
    Client(row("python_gather", rate_of_all, "jobs/s", "asyncio.gather of tasks", ">= 1",
               "muster.gather of 100,000 no-op jobs"), "gather", "local", 100_000),
    Client(row("python_map", rate_of_all, "jobs/s", "asyncio.gather of tasks", ">= 1",
               "m.map over 100,000 no-op jobs, in order"), "map", "local", 100_000),
    Client(row("python_future_bytes", size, "bytes", "an asyncio task that waits", "<= 1",
               "memory of a pending RemoteFuture, 20,000 of them"), "future_bytes", "task_bytes", 20_000, rounds_max=3),
)
